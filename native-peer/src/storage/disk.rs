//! Received shares in a folder of this machine.
//!
//! While a share is incomplete, its files lie in `.shoal/SHARE/data`, named by number; so nothing that
//! is not whole and verified ever stands under a name that a person would take for the file. When every
//! piece is durable, [`finish`](Storage::finish) builds the share's folders in `.shoal/SHARE/tree` and
//! moves each top-level name into the folder in one step, on the same file system and without a copy.
//! What is there already is never overwritten: a number is added to the name. Then `.shoal` goes.
//!
//! When only some of its files are wanted, these are moved one by one, and the rest of the share's state
//! stays for when more are: the `ledger` knows what is in its place. `.shoal` goes with the last file.
//!
//! Every path is used below a directory handle, so no name leads out of the folder, whatever a manifest
//! says; and the folders used are ones made here, so no symbolic link is in the way. After a crash
//! nothing claimed is false: data is durable before the [journal] says so, and what the
//! journal says is checked against signatures and bytes when the share is opened again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{File, FileTimes, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use protocol::bitfield::Bitfield;
use protocol::io::{Kept, StorageError};
use protocol::manifest::{
    Entry, EntryKind, HashBatch, KnownHashes, Manifest, ShareId, SignedManifest,
};
use protocol::piece::{FileIndex, PieceIndex, Span};
use tracing::{debug, info, warn};

use super::handles::{Handles, read_at, write_at};
use super::ledger::Ledger;
use super::{Storage, journal, numbered, places, read_failed, write_failed};

/// The folder for what is not finished.
const STATE: &str = ".shoal";
/// Below it, per share: the files in their folders, before they are moved.
const TREE: &str = "tree";
/// What each top-level name is called in the root. Written before the first is moved.
const TOPS: &str = "names.json";
/// Ends the name of what is being removed.
const GONE: &str = ".gone";
/// Files that are kept open, of all shares together.
const OPEN_FILES: usize = 128;
/// From this many files on, one sync of the whole file system is quicker than one per file.
const SYNC_ALL_FROM: usize = 16;

/// A folder into which shares are received.
pub struct DiskStorage {
    root: Dir,
    shares: Mutex<HashMap<ShareId, Arc<Share>>>,
    handles: Handles<(ShareId, FileIndex)>,
}

struct Share {
    id: ShareId,
    manifest: Arc<Manifest>,
    /// Where each entry belongs below `tree`, and in the end below the root.
    places: Vec<PathBuf>,
    /// Per file, its entry.
    files: Vec<usize>,
    /// What is not in its final place; `None` once all is.
    state: RwLock<Option<State>>,
    /// What is in its final place, while not all is; and what top-level names are called in the root.
    /// Changed only by whoever holds the state for writing.
    ledger: RwLock<Ledger>,
}

/// `.shoal/SHARE`, open.
struct State {
    folder: Dir,
    data: Dir,
    journal: Mutex<Journal>,
}

struct Journal {
    /// Locked, so that two processes never receive the same share into the same folder.
    file: File,
    end: u64,
}

impl DiskStorage {
    /// Receives into `folder`, which is made if need be.
    pub fn new(folder: &Path) -> Result<Self, StorageError> {
        let name = folder.display();
        std::fs::create_dir_all(folder).map_err(|e| write_failed(&name, &e))?;
        let root = Dir::open_ambient_dir(folder, ambient_authority())
            .map_err(|e| read_failed(&name, &e))?;
        Ok(Self { root, shares: Mutex::default(), handles: Handles::new(OPEN_FILES) })
    }

    fn share(&self, id: ShareId) -> Result<Arc<Share>, StorageError> {
        let shares = lock(&self.shares);
        shares.get(&id).cloned().ok_or_else(|| StorageError::Gone("the share was closed".into()))
    }

    fn insert(&self, share: Share) {
        lock(&self.shares).insert(share.id, Arc::new(share));
    }

    /// Opens or makes `.shoal/SHARE`. What is there must be a folder, not a link to one.
    fn state(&self, id: ShareId, signed: &SignedManifest) -> Result<State, StorageError> {
        let failed = |e: io::Error| write_failed(STATE, &e);
        let all = real_dir(&self.root, STATE).map_err(failed)?;
        let folder = real_dir(&all, &id.to_string()).map_err(failed)?;
        let data = real_dir(&folder, "data").map_err(failed)?;
        folder.write("manifest", signed.to_bytes()).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let file = folder.open_with("journal", &options).map_err(failed)?.into_std();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StorageError::Other(
                    "another process is receiving the same share into the same folder".into(),
                ));
            }
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) => warn!(%error, "the folder cannot be locked"),
        }
        Ok(State { folder, data, journal: Mutex::new(Journal { file, end: 0 }) })
    }

    /// Moves the top-level names of a built tree into the root, and removes the state. May be called
    /// again after a crash: names that are gone from the tree were moved.
    fn place(&self, share: &Share, state: State) -> Result<(), StorageError> {
        let failed = |e: io::Error| write_failed("the received folder", &e);
        let tree = state.folder.open_dir(TREE).map_err(failed)?;
        let mut tops = read_tops(&state.folder);
        for top in share.places.iter().filter_map(|place| place.iter().next()) {
            let top = Path::new(top);
            let mut number = 0;
            while exists(&tree, top) {
                let directory = tree.symlink_metadata(top).is_ok_and(|m| m.is_dir());
                let name = self.unused(top.as_os_str(), &mut number, directory);
                tops.insert(top.to_owned(), name.clone());
                // First what will be true, then the deed: after a crash the name is known.
                write_tops(&state.folder, &tops).map_err(failed)?;
                match move_new(&tree, top, &self.root, Path::new(&name)) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                    result => result.map_err(failed)?,
                }
            }
        }
        sync_dir(&self.root).map_err(failed)?;
        lock_write(&share.ledger).tops = tops;
        drop(tree);
        self.erase(share.id, state);
        Ok(())
    }

    /// The first of `name`, `name (1)`, … from `number` on that nothing in the root is called.
    fn unused(&self, name: &OsStr, number: &mut u32, directory: bool) -> String {
        let name = name.to_string_lossy();
        loop {
            let candidate = numbered(&name, *number, directory);
            if !exists(&self.root, Path::new(&candidate)) {
                return candidate;
            }
            *number += 1;
        }
    }

    /// Removes `.shoal/SHARE`, and `.shoal` if that was all.
    fn erase(&self, id: ShareId, state: State) {
        self.handles.retain(|(share, _)| share != id);
        // Closed first, for systems that do not remove open files.
        drop(state);
        if let Err(error) = self.try_erase(id) {
            warn!(%error, share = %id, "the state of a share could not be removed");
        }
    }

    fn try_erase(&self, id: ShareId) -> io::Result<()> {
        let all = self.root.open_dir(STATE)?;
        let gone = format!("{id}{GONE}");
        sweep(&all)?;
        // Renamed first, so that a crash in the middle leaves nothing that looks like a share.
        all.rename(id.to_string(), &all, &gone)?;
        all.remove_dir_all(gone)?;
        drop(all);
        // Fails while other shares are in there.
        let _ = self.root.remove_dir(STATE);
        Ok(())
    }

    /// What the journal says: pieces, and hashes that the origin signed.
    fn recorded(
        share: &Share,
        state: &State,
    ) -> Result<(BTreeSet<PieceIndex>, KnownHashes), StorageError> {
        let mut journal = lock(&state.journal);
        let mut bytes = Vec::new();
        journal.file.read_to_end(&mut bytes).map_err(|e| read_failed("the journal", &e))?;
        let contents = journal::read(&bytes).map_err(|journal::OtherVersion| {
            StorageError::Other(format!(
                "{STATE}/{} was written by another version of Shoal; remove it to start over",
                share.id
            ))
        })?;
        journal.end = contents.end;
        let origin = share.manifest.origin();
        let mut hashes = KnownHashes::default();
        for batch in contents.batches {
            if batch.share == share.id && batch.verify(&origin).is_ok() {
                // A contradiction is the origin's. The core will meet it again.
                let _ = hashes.insert(batch);
            }
        }
        Ok((contents.pieces.into_iter().collect(), hashes))
    }

    /// Those of the pieces whose bytes, given by `file`, have the hash that the origin signed.
    fn verified(
        share: &Share,
        pieces: impl IntoIterator<Item = PieceIndex>,
        hashes: &KnownHashes,
        file: impl Fn(FileIndex) -> io::Result<Arc<File>>,
    ) -> Kept {
        let geometry = share.manifest.geometry();
        let mut verified = Bitfield::new(geometry.pieces());
        for piece in pieces {
            let (Some(span), Some(hash)) = (geometry.span(piece), hashes.hash(piece)) else {
                continue;
            };
            let bytes = file(span.file)
                .and_then(|file| read_at(&file, span.file_offset, span.length as usize));
            if bytes.is_ok_and(|bytes| geometry.hash(piece, &bytes) == Some(hash)) {
                verified.insert(piece);
            }
        }
        Kept { pieces: verified, batches: hashes.batches().to_vec(), finished: Vec::new() }
    }

    /// A file that is not finished, made if need be.
    fn data_file(&self, share: &Share, state: &State, file: FileIndex) -> io::Result<Arc<File>> {
        self.handles.get((share.id, file), || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true);
            Ok(state.data.open_with(file.0.to_string(), &options)?.into_std())
        })
    }

    fn finished_file(&self, share: &Share, file: FileIndex) -> io::Result<Arc<File>> {
        self.handles.get((share.id, file), || {
            let place = share.place(file);
            Ok(self.root.open(place)?.into_std())
        })
    }

    /// Builds the folders of a share below `tree` out of its data files.
    fn build(share: &Share, state: &State) -> Result<(), StorageError> {
        let failed = |e: io::Error| write_failed(share.manifest.title(), &e);
        let tree = real_dir(&state.folder, TREE).map_err(failed)?;
        let mut folders: BTreeSet<&Path> = BTreeSet::new();
        let mut file = 0;
        for (entry, place) in share.manifest.entries().iter().zip(&share.places) {
            let failed = |e: io::Error| write_failed(&entry.path, &e);
            let folder = match entry.kind {
                EntryKind::Directory => Some(place.as_path()),
                EntryKind::File { .. } => place.parent().filter(|p| !p.as_os_str().is_empty()),
            };
            if let Some(folder) = folder
                && folders.insert(folder)
            {
                tree.create_dir_all(folder).map_err(failed)?;
            }
            match entry.kind {
                EntryKind::Directory => {
                    let folder = tree.open(place).map_err(failed)?.into_std();
                    set_modified(&folder, entry.modified_ms);
                }
                EntryKind::File { size } => {
                    let name = ready(state, file, entry, size)?;
                    state.data.rename(&name, &tree, place).map_err(failed)?;
                    file += 1;
                }
            }
        }
        sync_all(&state.folder).map_err(failed)
    }

    /// A file, wherever it is.
    fn file(&self, share: &Share, state: &State, file: FileIndex) -> io::Result<Arc<File>> {
        if share.is_placed(file) {
            self.finished_file(share, file)
        } else {
            self.data_file(share, state, file)
        }
    }

    /// The files that an earlier run moved to their places one by one, and that are there.
    fn still_placed(&self, share: &Share, state: &State) -> Ledger {
        let mut ledger = Ledger::read(&state.folder);
        ledger.files.retain(|file, place| {
            // What lies among the data was not moved, or is being fetched again.
            (file.0 as usize) < share.files.len()
                && !exists(&state.data, Path::new(&file.0.to_string()))
                && self.root.symlink_metadata(place).is_ok_and(|found| found.is_file())
        });
        ledger
    }

    /// Files in their place that somebody has changed since are theirs now: they count as missing.
    fn give_up_changed(&self, share: &Share, kept: &mut Kept) {
        let geometry = share.manifest.geometry();
        lock_write(&share.ledger).files.retain(|&file, _| {
            let whole = geometry.pieces_of(file).all(|piece| kept.pieces.contains(piece));
            if !whole {
                self.handles.retain(|key| key != (share.id, file));
                for piece in geometry.pieces_of(file) {
                    kept.pieces.remove(piece);
                }
            }
            whole
        });
    }

    /// Moves some files of a share to their places, and with the last of all makes its empty folders.
    fn place_some(
        &self,
        share: &Share,
        state: &State,
        files: &[FileIndex],
    ) -> Result<(), StorageError> {
        let failed = |e: io::Error| write_failed(share.manifest.title(), &e);
        let mut ledger = lock_write(&share.ledger);
        let mut taken = ledger.taken();
        let mut moves: Vec<(FileIndex, PathBuf)> = Vec::new();
        for &file in files {
            if ledger.files.contains_key(&file) {
                continue;
            }
            let place = share.inner_place(file);
            self.name_top(&mut ledger, &mut taken, place);
            let place = self.free_place(&taken, &ledger.resolve(place));
            taken.insert(place.clone());
            moves.push((file, place));
        }
        // First what will be true, then the deed: after a crash the places are known.
        let before = ledger.files.clone();
        ledger.files.extend(moves.iter().cloned());
        ledger.write(&state.folder).map_err(failed)?;
        ledger.files = before;
        for (file, mut place) in moves {
            let entry = share.manifest.file(file);
            let failed = |e: io::Error| write_failed(&entry.path, &e);
            let name = ready(state, file.0, entry, entry.size())?;
            let folder = self.real_dirs(place.parent()).map_err(failed)?;
            let to = |place: &Path| PathBuf::from(place.file_name().unwrap_or_default());
            while let Err(error) = move_new(&state.data, name.as_ref(), &folder, &to(&place)) {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(failed(error));
                }
                // Somebody was faster.
                place = self.free_place(&taken, &ledger.resolve(share.inner_place(file)));
                taken.insert(place.clone());
            }
            ledger.files.insert(file, place);
            self.handles.retain(|key| key != (share.id, file));
        }
        let all = ledger.files.len() == share.files.len();
        ledger.write(&state.folder).map_err(failed)?;
        drop(ledger);
        if all {
            self.place_folders(share, state)?;
        }
        sync_all(&state.folder).map_err(failed)?;
        sync_dir(&self.root).map_err(failed)
    }

    /// Gives the top-level folder of a place a name in the root, unless it has one.
    fn name_top(&self, ledger: &mut Ledger, taken: &mut BTreeSet<PathBuf>, place: &Path) {
        let mut names = place.iter();
        let (Some(top), Some(_)) = (names.next(), names.next()) else { return };
        if !ledger.tops.contains_key(Path::new(top)) {
            let mut number = 0;
            let name = loop {
                let name = self.unused(top, &mut number, true);
                if taken.insert(name.clone().into()) {
                    break name;
                }
                number += 1;
            };
            ledger.tops.insert(top.into(), name);
        }
    }

    /// The first of `place`, `place (1)`, … that nothing in the root is called or will be.
    fn free_place(&self, taken: &BTreeSet<PathBuf>, place: &Path) -> PathBuf {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        (0..)
            .map(|number| place.with_file_name(numbered(&name, number, false)))
            .find(|place| !taken.contains(place) && !exists(&self.root, place))
            .expect("there are more numbers than files")
    }

    /// A folder in the root, made if need be. No link on the way is followed.
    fn real_dirs(&self, path: Option<&Path>) -> io::Result<Dir> {
        let names = path.into_iter().flat_map(Path::iter);
        names
            .fold(self.root.try_clone(), |folder, name| real_dir(&folder?, &name.to_string_lossy()))
    }

    /// Makes the folders of a share all of whose files were moved one by one.
    fn place_folders(&self, share: &Share, state: &State) -> Result<(), StorageError> {
        let mut ledger = lock_write(&share.ledger);
        let mut taken = ledger.taken();
        for (entry, place) in share.manifest.entries().iter().zip(&share.places) {
            if entry.kind == EntryKind::Directory {
                let failed = |e: io::Error| write_failed(&entry.path, &e);
                // As if there were something in it: then it is the top-level folder that gets a name.
                self.name_top(&mut ledger, &mut taken, &place.join("_"));
                ledger.write(&state.folder).map_err(failed)?;
                let folder = self.real_dirs(Some(&ledger.resolve(place))).map_err(failed)?;
                let folder = folder.open(".").map_err(failed)?.into_std();
                set_modified(&folder, entry.modified_ms);
            }
        }
        Ok(())
    }

    /// Undoes [`build`](Self::build), as far as it went.
    fn unbuild(share: &Share, state: &State) -> io::Result<()> {
        let tree = state.folder.open_dir(TREE)?;
        for (number, &entry) in share.files.iter().enumerate() {
            match tree.rename(&share.places[entry], &state.data, number.to_string()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        drop(tree);
        state.folder.remove_dir_all(TREE)
    }
}

impl Storage for DiskStorage {
    fn open(
        &self,
        id: ShareId,
        manifest: &Arc<Manifest>,
        signed: &SignedManifest,
    ) -> Result<Kept, StorageError> {
        // At a second attempt after a failure the first one's lock must not stand in the way.
        self.close(id, false);
        let share = Share::new(id, manifest.clone());
        let mut state = self.state(id, signed)?;
        if exists(&state.folder, Path::new(TOPS)) {
            info!(share = %id, "finishing what an earlier run began");
            let (_, hashes) = Self::recorded(&share, &state)?;
            self.place(&share, state)?;
            let all = (0..manifest.geometry().pieces()).map(PieceIndex);
            let kept = Self::verified(&share, all, &hashes, |f| self.finished_file(&share, f));
            if kept.pieces.is_full() {
                self.insert(share);
                let finished = (0..manifest.geometry().files()).map(FileIndex).collect();
                return Ok(Kept { finished, ..kept });
            }
            // Somebody changed the files since. They are theirs now; start anew beside them.
            self.handles.retain(|(share, _)| share != id);
            *lock_write(&share.ledger) = Ledger::default();
            state = self.state(id, signed)?;
        } else if exists(&state.folder, Path::new(TREE)) {
            Self::unbuild(&share, &state).map_err(|e| write_failed(STATE, &e))?;
        }
        let (pieces, hashes) = Self::recorded(&share, &state)?;
        *lock_write(&share.ledger) = self.still_placed(&share, &state);
        let file = |file| self.file(&share, &state, file);
        let mut kept = Self::verified(&share, pieces, &hashes, file);
        self.give_up_changed(&share, &mut kept);
        kept.finished = lock_read(&share.ledger).files.keys().copied().collect();
        if kept.finished.len() == share.files.len() && !kept.finished.is_empty() {
            self.place_folders(&share, &state)?;
            self.erase(id, state);
        } else {
            *lock_write(&share.state) = Some(state);
        }
        self.insert(share);
        Ok(kept)
    }

    fn read(&self, id: ShareId, span: Span) -> Result<Vec<u8>, StorageError> {
        let share = self.share(id)?;
        let state = lock_read(&share.state);
        let file = match &*state {
            Some(state) => self.file(&share, state, span.file),
            None => self.finished_file(&share, span.file),
        };
        file.and_then(|file| read_at(&file, span.file_offset, span.length as usize))
            .map_err(|e| read_failed(&share.manifest.file(span.file).path, &e))
    }

    fn write(
        &self,
        id: ShareId,
        _piece: PieceIndex,
        span: Span,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        let share = self.share(id)?;
        let state = lock_read(&share.state);
        let Some(state) = &*state else {
            return Err(StorageError::Other("the share is finished already".into()));
        };
        self.data_file(&share, state, span.file)
            .and_then(|file| write_at(&file, span.file_offset, bytes))
            .map_err(|e| write_failed(&share.manifest.file(span.file).path, &e))
    }

    fn commit(
        &self,
        id: ShareId,
        pieces: &[PieceIndex],
        batches: &[HashBatch],
    ) -> Result<(), StorageError> {
        let share = self.share(id)?;
        let state = lock_read(&share.state);
        let Some(state) = &*state else { return Ok(()) };
        let geometry = share.manifest.geometry();
        let files: BTreeSet<FileIndex> =
            pieces.iter().filter_map(|&piece| Some(geometry.span(piece)?.file)).collect();
        let synced = if cfg!(target_os = "linux") && files.len() >= SYNC_ALL_FROM {
            sync_all(&state.folder)
        } else {
            files
                .into_iter()
                .try_for_each(|file| self.data_file(&share, state, file)?.sync_data())
                .and_then(|()| sync_dir(&state.data))
        };
        synced.map_err(|e| write_failed(share.manifest.title(), &e))?;
        let mut journal = lock(&state.journal);
        let records = journal::records(journal.end, batches, pieces);
        write_at(&journal.file, journal.end, &records)
            .and_then(|()| journal.file.sync_data())
            .map_err(|e| write_failed("the journal", &e))?;
        journal.end += records.len() as u64;
        Ok(())
    }

    fn finish(&self, id: ShareId, files: &[FileIndex]) -> Result<(), StorageError> {
        let share = self.share(id)?;
        // Readers wait from here until all is in place.
        let mut slot = lock_write(&share.state);
        let Some(state) = slot.take() else { return Ok(()) };
        if files.len() < share.files.len() {
            let placed = self.place_some(&share, &state, files);
            let all = lock_read(&share.ledger).files.len() == share.files.len();
            if all && placed.is_ok() {
                self.erase(id, state);
            } else {
                *slot = Some(state);
            }
            return placed;
        }
        self.handles.retain(|(share, _)| share != id);
        if let Err(error) = Self::build(&share, &state) {
            if let Err(error) = Self::unbuild(&share, &state) {
                warn!(%error, share = %id, "the files are put back when the share is next opened");
            }
            *slot = Some(state);
            return Err(error);
        }
        let placed = self.place(&share, state);
        if placed.is_err() {
            // Opening it again goes on from here.
            lock(&self.shares).remove(&id);
        }
        placed
    }

    fn close(&self, id: ShareId, discard: bool) {
        let share = lock(&self.shares).remove(&id);
        self.handles.retain(|(share, _)| share != id);
        let Some(share) = share else { return };
        let state = lock_write(&share.state).take();
        if let (Some(state), true) = (state, discard) {
            self.erase(id, state);
        }
    }

    fn places(&self, id: ShareId) -> Vec<(FileIndex, PathBuf)> {
        let Ok(share) = self.share(id) else { return Vec::new() };
        let unfinished = lock_read(&share.state).is_some();
        let files = (0..share.manifest.geometry().files()).map(FileIndex);
        files
            .filter(|&file| !unfinished || share.is_placed(file))
            .map(|file| (file, share.place(file)))
            .collect()
    }
}

impl Share {
    fn new(id: ShareId, manifest: Arc<Manifest>) -> Self {
        let places = places::relative(&manifest);
        let is_file =
            |&entry: &usize| matches!(manifest.entries()[entry].kind, EntryKind::File { .. });
        let files = (0..places.len()).filter(is_file).collect();
        let (state, ledger) = (RwLock::default(), RwLock::default());
        Self { id, manifest, places, files, state, ledger }
    }

    /// Where a file belongs below `tree`.
    fn inner_place(&self, file: FileIndex) -> &Path {
        &self.places[self.files[file.0 as usize]]
    }

    /// Where a file is in the root, if it is in its place.
    fn place(&self, file: FileIndex) -> PathBuf {
        let ledger = lock_read(&self.ledger);
        let place = ledger.files.get(&file).cloned();
        place.unwrap_or_else(|| ledger.resolve(self.inner_place(file)))
    }

    /// Whether a file is in its place although others may not be.
    fn is_placed(&self, file: FileIndex) -> bool {
        lock_read(&self.ledger).files.contains_key(&file)
    }
}

/// Makes the data of a file ready to be moved to its place; gives its name among the data.
fn ready(state: &State, file: u32, entry: &Entry, size: u64) -> Result<String, StorageError> {
    let failed = |e: io::Error| write_failed(&entry.path, &e);
    let name = file.to_string();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    // Made here only if empty: then no piece of it was ever written.
    let data = state.data.open_with(&name, &options).map_err(failed)?.into_std();
    if data.metadata().map_err(failed)?.len() != size {
        let reason = format!("{} has another length than announced", entry.path);
        return Err(StorageError::Other(reason));
    }
    set_modified(&data, entry.modified_ms);
    Ok(name)
}

fn read_tops(folder: &Dir) -> BTreeMap<PathBuf, String> {
    let text = folder.read(TOPS).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn write_tops(folder: &Dir, tops: &BTreeMap<PathBuf, String>) -> io::Result<()> {
    write_whole(folder, TOPS, &serde_json::to_vec(tops)?)
}

/// Replaces a file beside and over it, so that it is never half there.
pub(super) fn write_whole(folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = format!("{name}.new");
    let mut file = folder.create(&new)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    folder.rename(&new, folder, name)?;
    sync_dir(folder)
}

/// Removes what was renamed to be removed, here or before a crash.
fn sweep(folder: &Dir) -> io::Result<()> {
    for entry in folder.entries()? {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with(GONE) {
            folder.remove_dir_all(name)?;
        }
    }
    Ok(())
}

/// A folder in `parent`, made if need be. A link to one is refused: it may lead anywhere.
fn real_dir(parent: &Dir, name: &str) -> io::Result<Dir> {
    match parent.create_dir(name) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !parent.symlink_metadata(name)?.is_dir() {
        return Err(io::Error::other("something that is not a folder has its name"));
    }
    parent.open_dir(name)
}

fn exists(folder: &Dir, name: &Path) -> bool {
    folder.symlink_metadata(name).is_ok()
}

/// Moves a file or folder to a name that nothing has; [`io::ErrorKind::AlreadyExists`] otherwise.
fn move_new(from: &Dir, name: &Path, to: &Dir, new_name: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
            // File systems that cannot do it in one step.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            result => return Ok(result?),
        }
    }
    if exists(to, new_name) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    from.rename(name, to, new_name)
}

/// Times are a courtesy: a file system that cannot keep one keeps the file all the same.
fn set_modified(file: &File, modified_ms: Option<i64>) {
    let Some(ms) = modified_ms else { return };
    let distance = Duration::from_millis(ms.unsigned_abs());
    let modified = if ms < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    let set = |modified| file.set_times(FileTimes::new().set_modified(modified));
    if let Some(Err(error)) = modified.map(set) {
        debug!(%error, "the time of a file could not be set");
    }
}

/// Makes new names in a folder durable. A [`Dir`] itself is only good for finding names (`O_PATH`).
fn sync_dir(folder: &Dir) -> io::Result<()> {
    // Elsewhere folders cannot be synced, or need not be.
    if cfg!(unix) { folder.open(".")?.sync_all() } else { Ok(()) }
}

/// Makes everything on the file system of `folder` durable, or as much as there is a call for.
fn sync_all(folder: &Dir) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::fs::syncfs(folder.open(".")?)?);
    #[cfg(not(target_os = "linux"))]
    sync_dir(folder)
}

// A panic while one of these is held leaves nothing half done that reading it would show.

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lock_read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn lock_write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use protocol::identity::DeviceKey;
    use protocol::manifest::SharePath;
    use protocol::piece::PieceHash;
    use protocol::signaling::RoomId;
    use tempfile::TempDir;

    use super::*;

    const PIECE: usize = 256 << 10;

    /// A share made of nothing but its manifest and bytes that follow from their place.
    struct Origin {
        key: DeviceKey,
        manifest: Arc<Manifest>,
        signed: SignedManifest,
    }

    impl Origin {
        fn new(entries: Vec<Entry>) -> Self {
            let key = DeviceKey::from_bytes([1; 32]);
            let manifest = Arc::new(Manifest::new(key.public(), entries).unwrap());
            let signed = SignedManifest::sign(&manifest, RoomId([2; 16]), &key).unwrap();
            Self { key, manifest, signed }
        }

        fn of_files(files: &[(&str, usize)]) -> Self {
            Self::new(files.iter().map(|&(path, size)| file(path, size)).collect())
        }

        fn id(&self) -> ShareId {
            self.signed.share()
        }

        fn files(&self) -> Vec<FileIndex> {
            (0..self.manifest.geometry().files()).map(FileIndex).collect()
        }

        fn pieces(&self) -> impl Iterator<Item = PieceIndex> + use<> {
            (0..self.manifest.geometry().pieces()).map(PieceIndex)
        }

        fn bytes(&self, piece: PieceIndex) -> (Span, Vec<u8>) {
            let span = self.manifest.geometry().span(piece).unwrap();
            let bytes =
                (0..span.length).map(|i| content(span.file, span.file_offset + u64::from(i)));
            (span, bytes.collect())
        }

        fn batch(&self, pieces: impl IntoIterator<Item = PieceIndex>) -> HashBatch {
            let pieces: Vec<_> = pieces.into_iter().collect();
            let hash = |&piece: &PieceIndex| -> PieceHash {
                self.manifest.geometry().hash(piece, &self.bytes(piece).1).unwrap()
            };
            HashBatch::sign(self.id(), pieces[0], pieces.iter().map(hash).collect(), &self.key)
        }

        fn open(&self, storage: &DiskStorage) -> Kept {
            storage.open(self.id(), &self.manifest, &self.signed).unwrap()
        }

        /// Writes and commits pieces.
        fn store(&self, storage: &DiskStorage, pieces: impl IntoIterator<Item = PieceIndex>) {
            let pieces: Vec<_> = pieces.into_iter().collect();
            for &piece in &pieces {
                let (span, bytes) = self.bytes(piece);
                storage.write(self.id(), piece, span, &bytes).unwrap();
            }
            let batches: Vec<_> = pieces.iter().map(|&piece| self.batch([piece])).collect();
            storage.commit(self.id(), &pieces, &batches).unwrap();
        }

        /// Receives all of it.
        fn receive(&self, storage: &DiskStorage) {
            self.open(storage);
            self.store(storage, self.pieces());
            storage.finish(self.id(), &self.files()).unwrap();
        }

        /// That the files lie in `folder` as they should, under `places`.
        fn assert_landed(&self, folder: &Path, places: &[&str]) {
            assert_eq!(self.manifest.files().len(), places.len());
            for ((index, entry), place) in self.manifest.files().zip(places) {
                let expected: Vec<u8> = (0..entry.size()).map(|at| content(index, at)).collect();
                assert!(fs::read(folder.join(place)).unwrap() == expected, "{place}");
            }
        }
    }

    fn file(path: &str, size: usize) -> Entry {
        let path = SharePath::new(path).unwrap();
        let kind = EntryKind::File { size: size as u64 };
        Entry { path, kind, modified_ms: Some(1_234_567_890_123) }
    }

    fn content(file: FileIndex, at: u64) -> u8 {
        (at.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(file.0) * 77) >> 9) as u8
    }

    fn folder() -> (TempDir, DiskStorage) {
        let folder = tempfile::tempdir().unwrap();
        let storage = DiskStorage::new(&folder.path().join("into")).unwrap();
        (folder, storage)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_share_lands_whole_with_its_times_and_leaves_nothing_else() {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let mut entries = vec![
            file("album/a.bin", 2 * PIECE + 5),
            file("album/deep/er/b", 1),
            file("album/empty.txt", 0),
        ];
        entries.push(Entry {
            path: SharePath::new("album/nothing/here").unwrap(),
            kind: EntryKind::Directory,
            modified_ms: Some(-1500),
        });
        let origin = Origin::new(entries);
        assert_eq!(origin.open(&storage).pieces.count(), 0);
        origin.store(&storage, origin.pieces());
        assert_eq!(names(&into), [".shoal"], "nothing shows before it is whole");
        assert_eq!(storage.places(origin.id()), []);
        storage.finish(origin.id(), &origin.files()).unwrap();

        assert_eq!(names(&into), ["album"]);
        let places = ["album/a.bin", "album/deep/er/b", "album/empty.txt"];
        origin.assert_landed(&into, &places);
        let expected: Vec<_> = places.iter().map(PathBuf::from).collect();
        let (_, told): (Vec<_>, Vec<_>) = storage.places(origin.id()).into_iter().unzip();
        assert_eq!(told, expected);
        let modified = |name: &str| fs::metadata(into.join(name)).unwrap().modified().unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567_890_123);
        assert!(places.iter().all(|place| modified(place) == time));
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1500);
        assert_eq!(modified("album/nothing/here"), before);
        for piece in origin.pieces() {
            let (span, bytes) = origin.bytes(piece);
            assert!(storage.read(origin.id(), span).unwrap() == bytes, "served on from its place");
        }
    }

    #[test]
    fn an_interrupted_share_goes_on_where_it_was_committed() {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let origin = Origin::of_files(&[("a", 3 * PIECE), ("b", 10)]);
        origin.open(&storage);
        origin.store(&storage, [PieceIndex(0), PieceIndex(2)]);
        let (span, bytes) = origin.bytes(PieceIndex(1));
        storage.write(origin.id(), PieceIndex(1), span, &bytes).unwrap();
        drop(storage);

        let storage = DiskStorage::new(&into).unwrap();
        let kept = origin.open(&storage);
        let pieces: Vec<_> = kept.pieces.iter().collect();
        assert_eq!(pieces, [PieceIndex(0), PieceIndex(2)], "what was not committed does not count");
        assert!(kept.batches.iter().all(|batch| batch.verify(&origin.key.public()).is_ok()));
        assert_eq!(kept.finished, []);
        origin.store(&storage, [PieceIndex(1), PieceIndex(3)]);
        storage.finish(origin.id(), &origin.files()).unwrap();
        origin.assert_landed(&into, &["a", "b"]);
    }

    #[test]
    fn kept_pieces_are_believed_only_as_their_hashes_bear_out() {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let origin = Origin::of_files(&[("a", 3 * PIECE)]);
        origin.open(&storage);
        origin.store(&storage, origin.pieces());
        // A claim without the signed hash of its piece is nothing either.
        let liar = DeviceKey::from_bytes([9; 32]);
        let forged = HashBatch::sign(origin.id(), PieceIndex(0), vec![PieceHash([0; 32])], &liar);
        storage.commit(origin.id(), &[PieceIndex(0)], &[forged]).unwrap();
        drop(storage);

        let data = into.join(STATE).join(origin.id().to_string()).join("data/0");
        let mut bytes = fs::read(&data).unwrap();
        bytes[PIECE + 7] ^= 1;
        fs::write(&data, bytes).unwrap();
        let kept = origin.open(&DiskStorage::new(&into).unwrap());
        assert_eq!(kept.pieces.iter().collect::<Vec<_>>(), [PieceIndex(0), PieceIndex(2)]);
    }

    #[test]
    fn a_journal_torn_anywhere_claims_nothing_false() {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let origin = Origin::of_files(&[("a", 4 * PIECE)]);
        origin.open(&storage);
        origin.store(&storage, [PieceIndex(0)]);
        origin.store(&storage, [PieceIndex(1)]);
        drop(storage);

        let path = into.join(STATE).join(origin.id().to_string()).join("journal");
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let storage = DiskStorage::new(&into).unwrap();
            let before = origin.open(&storage).pieces.count();
            assert!(before < 2, "cut at {cut}");
            origin.store(&storage, [PieceIndex(3)]);
            drop(storage);
            let kept = origin.open(&DiskStorage::new(&into).unwrap()).pieces;
            assert_eq!(kept.count(), before + 1, "cut at {cut}");
            assert!(kept.contains(PieceIndex(3)), "cut at {cut}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_no_link_is_followed() {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let outside = temp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(into.join("a.txt"), "mine").unwrap();
        fs::create_dir(into.join("a (1).txt")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&outside, into.join("folder")).unwrap();
        #[cfg(not(unix))]
        fs::create_dir(into.join("folder")).unwrap();

        let single = Origin::of_files(&[("a.txt", 5)]);
        single.receive(&storage);
        assert_eq!(fs::read(into.join("a.txt")).unwrap(), b"mine");
        single.assert_landed(&into, &["a (2).txt"]);
        let several = Origin::of_files(&[("folder/x", 5), ("folder/y", 6)]);
        several.receive(&storage);
        several.assert_landed(&into, &["folder (1)/x", "folder (1)/y"]);
        assert_eq!(storage.places(several.id())[0].1, Path::new("folder (1)/x"));
        assert_eq!(names(&outside), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_state_folder_is_refused() {
        let (temp, storage) = folder();
        let outside = temp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, temp.path().join("into").join(STATE)).unwrap();
        let origin = Origin::of_files(&[("a", 5)]);
        assert!(storage.open(origin.id(), &origin.manifest, &origin.signed).is_err());
        assert_eq!(names(&outside), [""; 0]);
    }

    #[test]
    fn a_share_called_like_the_state_folder_does_no_harm() {
        let (temp, storage) = folder();
        let other = Origin::of_files(&[("other", 5)]);
        other.open(&storage);
        let origin = Origin::of_files(&[(".shoal/journal", 5)]);
        origin.receive(&storage);
        origin.assert_landed(&temp.path().join("into"), &[".shoal (1)/journal"]);
        other.store(&storage, other.pieces());
        storage.finish(other.id(), &other.files()).unwrap();
        other.assert_landed(&temp.path().join("into"), &["other"]);
    }

    #[test]
    fn a_crash_while_finishing_is_mended_when_opened_again() {
        // Every state that a crash can leave between the first and the last step of finishing.
        for moved in 0..=2 {
            let (temp, storage) = folder();
            let into = temp.path().join("into");
            let origin = Origin::of_files(&[("a", PIECE + 1), ("b", 7)]);
            origin.open(&storage);
            origin.store(&storage, origin.pieces());
            let share = storage.share(origin.id()).unwrap();
            let state = lock_write(&share.state).take().unwrap();
            DiskStorage::build(&share, &state).unwrap();
            if moved > 0 {
                let tops = [("a", "a (7)"), ("b", "b")];
                let tops = tops.map(|(top, name)| (PathBuf::from(top), name.to_owned())).into();
                write_tops(&state.folder, &tops).unwrap();
                let tree = state.folder.open_dir(TREE).unwrap();
                move_new(&tree, "a".as_ref(), &storage.root, "a (7)".as_ref()).unwrap();
                if moved > 1 {
                    move_new(&tree, "b".as_ref(), &storage.root, "b".as_ref()).unwrap();
                }
            }
            drop((state, share, storage));

            let storage = DiskStorage::new(&into).unwrap();
            let kept = origin.open(&storage);
            assert!(kept.pieces.is_full(), "{moved} were moved");
            assert_eq!(!kept.finished.is_empty(), moved > 0);
            if kept.finished.is_empty() {
                storage.finish(origin.id(), &origin.files()).unwrap();
            }
            let first = if moved > 0 { "a (7)" } else { "a" };
            origin.assert_landed(&into, &[first, "b"]);
            assert_eq!(names(&into), [first, "b"]);
        }
    }

    #[test]
    fn two_processes_do_not_receive_one_share_into_one_folder() {
        let (temp, storage) = folder();
        let origin = Origin::of_files(&[("a", 5)]);
        origin.open(&storage);
        let second = DiskStorage::new(&temp.path().join("into")).unwrap();
        let error = second.open(origin.id(), &origin.manifest, &origin.signed).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        // The same process may try again.
        origin.open(&storage);
    }

    #[test]
    fn discarding_removes_what_is_unfinished_only() {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let done = Origin::of_files(&[("done", 5)]);
        done.receive(&storage);
        let origin = Origin::of_files(&[("a", PIECE + 5)]);
        origin.open(&storage);
        origin.store(&storage, [PieceIndex(0)]);
        storage.close(origin.id(), true);
        storage.close(done.id(), true);
        assert_eq!(names(&into), ["done"]);
        assert_eq!(origin.open(&storage).pieces.count(), 0);
        // What a crash left of an earlier removal goes with the next.
        fs::create_dir_all(into.join(STATE).join("abc.gone/data")).unwrap();
        storage.close(origin.id(), true);
        assert_eq!(names(&into), ["done"]);
    }

    /// Four files in a folder, one of them empty, and an empty folder.
    fn album() -> Origin {
        let mut entries: Vec<Entry> =
            [("album/a", PIECE + 5), ("album/b", 7), ("album/deep/c", 9), ("album/d", 0)]
                .map(|(path, size)| file(path, size))
                .into();
        entries.push(Entry {
            path: SharePath::new("album/nothing").unwrap(),
            kind: EntryKind::Directory,
            modified_ms: None,
        });
        Origin::new(entries)
    }

    /// Stores all pieces of some files that are not there yet, and has them placed.
    fn receive_some(origin: &Origin, storage: &DiskStorage, files: &[u32]) {
        let files: Vec<FileIndex> = files.iter().map(|&file| FileIndex(file)).collect();
        let geometry = origin.manifest.geometry();
        origin.store(storage, files.iter().flat_map(|&file| geometry.pieces_of(file)));
        storage.finish(origin.id(), &files).unwrap();
    }

    fn told(origin: &Origin, storage: &DiskStorage) -> Vec<(u32, String)> {
        let places = storage.places(origin.id()).into_iter();
        places.map(|(file, place)| (file.0, place.to_string_lossy().into_owned())).collect()
    }

    fn assert_content(origin: &Origin, folder: &Path, place: &str, file: u32) {
        let size = origin.manifest.geometry().file_size(FileIndex(file));
        let expected: Vec<u8> = (0..size).map(|at| content(FileIndex(file), at)).collect();
        assert!(fs::read(folder.join(place)).unwrap() == expected, "{place}");
    }

    #[test]
    fn some_files_land_alone_and_the_rest_joins_them_later() {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        fs::create_dir(into.join("album")).unwrap();
        let origin = album();
        origin.open(&storage);
        receive_some(&origin, &storage, &[1]);
        assert_eq!(names(&into), [".shoal", "album", "album (1)"]);
        assert_eq!(names(&into.join("album (1)")), ["b"]);
        assert_eq!(told(&origin, &storage), [(1, "album (1)/b".to_owned())]);
        let (span, bytes) = origin.bytes(PieceIndex(2));
        assert_eq!(span.file, FileIndex(1));
        assert!(storage.read(origin.id(), span).unwrap() == bytes, "served on from its place");

        // Another run goes on, and nothing of what is there is overwritten.
        drop(storage);
        let storage = DiskStorage::new(&into).unwrap();
        let kept = origin.open(&storage);
        assert_eq!(kept.finished, [FileIndex(1)]);
        assert_eq!(kept.pieces.iter().collect::<Vec<_>>(), [PieceIndex(2)]);
        fs::write(into.join("album (1)/a"), "mine").unwrap();
        receive_some(&origin, &storage, &[0, 3]);
        receive_some(&origin, &storage, &[2]);
        assert_eq!(names(&into), ["album", "album (1)"]);
        assert_eq!(fs::read(into.join("album (1)/a")).unwrap(), b"mine");
        let inside = ["a", "a (1)", "b", "d", "deep", "nothing"];
        assert_eq!(names(&into.join("album (1)")), inside);
        let places = ["album (1)/a (1)", "album (1)/b", "album (1)/d", "album (1)/deep/c"];
        for (file, place) in told(&origin, &storage) {
            assert!(places.contains(&place.as_str()), "{place}");
            assert_content(&origin, &into, &place, file);
        }
        assert_eq!(told(&origin, &storage).len(), 4);
        for piece in origin.pieces() {
            let (span, bytes) = origin.bytes(piece);
            assert!(storage.read(origin.id(), span).unwrap() == bytes);
        }
    }

    #[test]
    fn a_crash_while_single_files_are_moved_is_mended_when_opened_again() {
        for moved in [0, 1] {
            let (temp, storage) = folder();
            let into = temp.path().join("into");
            let origin = album();
            origin.open(&storage);
            origin.store(&storage, origin.pieces());
            let share = storage.share(origin.id()).unwrap();
            let state = lock_write(&share.state).take().unwrap();
            let mut ledger = Ledger::default();
            ledger.tops.insert("album".into(), "album (5)".into());
            for (file, name) in [(1, "b"), (0, "a")] {
                ledger.files.insert(FileIndex(file), Path::new("album (5)").join(name));
            }
            ledger.write(&state.folder).unwrap();
            if moved > 0 {
                let top = real_dir(&storage.root, "album (5)").unwrap();
                move_new(&state.data, "1".as_ref(), &top, "b".as_ref()).unwrap();
            }
            drop((state, share, storage));

            let storage = DiskStorage::new(&into).unwrap();
            let kept = origin.open(&storage);
            assert!(kept.pieces.is_full());
            assert_eq!(kept.finished.len(), moved);
            let rest: Vec<FileIndex> =
                origin.files().into_iter().filter(|file| !kept.finished.contains(file)).collect();
            let (first, last) = rest.split_at(1);
            storage.finish(origin.id(), first).unwrap();
            storage.finish(origin.id(), last).unwrap();
            assert_eq!(names(&into), ["album (5)"]);
            for (file, place) in told(&origin, &storage) {
                assert_content(&origin, &into, &place, file);
            }
        }
    }

    #[test]
    fn a_placed_file_that_somebody_changed_is_theirs_and_counts_as_missing() {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let origin = album();
        origin.open(&storage);
        receive_some(&origin, &storage, &[0, 1]);
        drop(storage);
        let mut bytes = fs::read(into.join("album/a")).unwrap();
        bytes[PIECE + 1] ^= 1;
        fs::write(into.join("album/a"), &bytes).unwrap();

        let storage = DiskStorage::new(&into).unwrap();
        let kept = origin.open(&storage);
        assert_eq!(kept.finished, [FileIndex(1)]);
        assert_eq!(kept.pieces.iter().collect::<Vec<_>>(), [PieceIndex(2)], "not even its first");
        receive_some(&origin, &storage, &[0]);
        assert_eq!(fs::read(into.join("album/a")).unwrap(), bytes);
        assert_content(&origin, &into, "album/a (1)", 0);
        storage.close(origin.id(), true);
        assert_eq!(names(&into), ["album"], "discarding leaves what is in its place");
    }
}
