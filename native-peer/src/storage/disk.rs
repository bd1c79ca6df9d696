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
//! says; and no symbolic link is followed, also not one that somebody puts in the way meanwhile. Nothing
//! is unpacked, and nothing gets leave to be run. After a crash
//! nothing claimed is false: data is durable before the [journal] says so, and what the
//! journal says is checked against signatures and bytes when the share is opened again. Before files are
//! moved to their place, their lengths and hashes are checked on the disk once more.
//!
//! What touches the disk goes through [`Calls`]. How files come to their place is in `placing`.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use protocol::bitfield::Bitfield;
use protocol::event::Recalled;
use protocol::io::{Kept, StorageError};
use protocol::manifest::{EntryKind, HashBatch, KnownHashes, Manifest, ShareId, SignedManifest};
use protocol::names::FileSystem;
use protocol::piece::{FileIndex, PieceIndex, Span};
use protocol::signaling::RoomId;
use tracing::{info, warn};

use super::calls::Calls;
use super::handles::Handles;
use super::ledger::Ledger;
use super::{Storage, journal, places, read_failed, write_failed};

mod placing;
#[cfg(test)]
mod tests;

/// The folder for what is not finished.
pub(super) const STATE: &str = ".shoal";
/// Below it, per share: the files that are not finished, by number …
pub(super) const DATA: &str = "data";
/// … the signed manifest …
pub(super) const MANIFEST: &str = "manifest";
/// … and what of it is durable.
pub(super) const JOURNAL: &str = "journal";
/// The files in their folders, before they are moved.
const TREE: &str = "tree";
/// What each top-level name is called in the root. Written before the first is moved.
const TOPS: &str = "names.json";
/// Ends the name of what is being removed.
const GONE: &str = ".gone";
/// Files that are kept open, of all shares together.
const OPEN_FILES: usize = 128;
/// From this many files on, one sync of the whole file system is quicker than one per file.
const SYNC_ALL_FROM: usize = 16;
/// What a file's size is rounded up to on most file systems.
const BLOCK_BYTES: u64 = 4096;

/// A folder into which shares are received.
pub struct DiskStorage {
    calls: Calls,
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
    /// Pieces that are durable: room for them is taken.
    have: Mutex<Bitfield>,
}

struct Journal {
    /// Locked, so that two processes never receive the same share into the same folder.
    file: File,
    /// Where to go on writing.
    end: u64,
}

/// What a journal has to tell.
struct Recorded {
    /// The pieces that may be here.
    pieces: BTreeSet<PieceIndex>,
    hashes: KnownHashes,
    damaged: bool,
}

impl DiskStorage {
    /// Receives into `folder`, which is made if need be.
    pub fn new(folder: &Path) -> Result<Self, StorageError> {
        let name = folder.display();
        std::fs::create_dir_all(folder).map_err(|e| write_failed(&name, &e))?;
        let root = Dir::open_ambient_dir(folder, ambient_authority())
            .map_err(|e| read_failed(&name, &e))?;
        let (calls, shares) = (Calls::default(), Mutex::default());
        Ok(Self { calls, root, shares, handles: Handles::new(OPEN_FILES) })
    }

    /// The same, with calls of the file system that may fail.
    #[cfg(feature = "misbehave")]
    pub fn with_faults(folder: &Path, faults: super::Faults) -> Result<Self, StorageError> {
        Ok(Self { calls: Calls { faults }, ..Self::new(folder)? })
    }

    /// What earlier runs left unfinished of shares of a room. How much of it holds is looked at when it is
    /// opened.
    pub fn left(&self, room: RoomId) -> Vec<(SignedManifest, Recalled)> {
        let Ok(all) = self.calls.open_dir(&self.root, STATE) else { return Vec::new() };
        let Ok(entries) = all.entries() else { return Vec::new() };
        let left = |folder: Dir| {
            let signed = self.calls.read_if_there(&folder, MANIFEST).ok()?;
            let signed = SignedManifest::from_bytes(&signed).ok()?;
            let manifest = signed.verify(room).ok()?;
            let journal = self.calls.read_if_there(&folder, JOURNAL).ok()?;
            let pieces: BTreeSet<_> = journal::read(&journal).pieces.into_iter().collect();
            let lengths = pieces.into_iter().map(|piece| manifest.geometry().length(piece));
            let bytes = lengths.map(u64::from).sum();
            Some((signed, Recalled { bytes, complete: false, saved: false }))
        };
        let folders = entries.filter_map(|entry| {
            self.calls.open_dir(&all, &entry.ok()?.file_name().to_string_lossy()).ok()
        });
        folders.filter_map(left).collect()
    }

    fn share(&self, id: ShareId) -> Result<Arc<Share>, StorageError> {
        let shares = lock(&self.shares);
        shares.get(&id).cloned().ok_or_else(|| StorageError::Gone("the share was closed".into()))
    }

    fn insert(&self, share: Share) {
        lock(&self.shares).insert(share.id, Arc::new(share));
    }

    /// Opens or makes `.shoal/SHARE`. What is there must be a folder, not a link to one.
    fn state(
        &self,
        id: ShareId,
        manifest: &Manifest,
        signed: &SignedManifest,
    ) -> Result<State, StorageError> {
        let failed = |e: io::Error| write_failed(STATE, &e);
        let all = self.real_dir(&self.root, STATE).map_err(failed)?;
        let folder = self.real_dir(&all, &id.to_string()).map_err(failed)?;
        let data = self.real_dir(&folder, DATA).map_err(failed)?;
        // Not written again where it is: a full disk must not keep what is there from being read.
        let signed = signed.to_bytes();
        if self.calls.read_if_there(&folder, MANIFEST).map_err(failed)? != signed {
            self.calls.write_whole(&folder, MANIFEST, &signed).map_err(failed)?;
        }
        let file = self.calls.open(&folder, JOURNAL, &in_place()).map_err(failed)?;
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
        let journal = Mutex::new(Journal { file, end: 0 });
        let have = Mutex::new(Bitfield::new(manifest.geometry().pieces()));
        Ok(State { folder, data, journal, have })
    }

    /// Removes `.shoal/SHARE`, and `.shoal` if that was all.
    fn erase(&self, id: ShareId) {
        self.handles.retain(|(share, _)| share != id);
        match self.try_erase(id) {
            // There was nothing of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn!(%error, share = %id, "the state of a share could not be removed"),
            Ok(()) => {}
        }
    }

    fn try_erase(&self, id: ShareId) -> io::Result<()> {
        let all = self.calls.open_dir(&self.root, STATE)?;
        let (name, gone) = (id.to_string(), format!("{id}{GONE}"));
        self.sweep(&all)?;
        if exists(&all, name.as_ref()) {
            // Renamed first, so that a crash in the middle leaves nothing that looks like a share.
            self.calls.rename(&all, name.as_ref(), &all, gone.as_ref())?;
            self.calls.remove_dir_all(&all, gone.as_ref())?;
        }
        drop(all);
        // Fails while other shares are in there.
        let _ = self.calls.remove_dir(&self.root, STATE);
        Ok(())
    }

    /// Removes what was renamed to be removed, before a crash.
    fn sweep(&self, folder: &Dir) -> io::Result<()> {
        for entry in folder.entries()? {
            let name = entry?.file_name();
            if name.to_string_lossy().ends_with(GONE) {
                self.calls.remove_dir_all(folder, name.as_ref())?;
            }
        }
        Ok(())
    }

    /// [`Storage::open`].
    fn open_store(
        &self,
        id: ShareId,
        manifest: &Arc<Manifest>,
        signed: &SignedManifest,
    ) -> Result<Kept, StorageError> {
        // At a second attempt after a failure the first one's lock must not stand in the way.
        self.close(id, false);
        let mut state = self.state(id, manifest, signed)?;
        let share = Share::new(id, manifest.clone(), file_system(&state.folder));
        if exists(&state.folder, Path::new(TOPS)) {
            info!(share = %id, "finishing what an earlier run began");
            let Recorded { hashes, .. } = self.recorded(&share, &state)?;
            self.place(&share, &state)?;
            drop(state);
            self.erase(id);
            let finished = |file| self.finished_file(&share, file);
            let pieces = self.verified(&share, share.all_pieces(), &hashes, finished)?;
            if pieces.is_full() {
                self.insert(share);
                let finished = (0..manifest.geometry().files()).map(FileIndex).collect();
                return Ok(Kept { pieces, batches: hashes.batches().to_vec(), finished });
            }
            // Somebody changed the files since. They are theirs now; start anew beside them.
            self.handles.retain(|(share, _)| share != id);
            *lock_write(&share.ledger) = Ledger::default();
            state = self.state(id, manifest, signed)?;
        } else if exists(&state.folder, Path::new(TREE)) {
            self.unbuild(&share, &state).map_err(|e| write_failed(STATE, &e))?;
        }
        let Recorded { pieces, hashes, damaged } = self.recorded(&share, &state)?;
        *lock_write(&share.ledger) = self.still_placed(&share, &state)?;
        let file = |file| self.file(&share, &state, file);
        let mut pieces = self.verified(&share, pieces, &hashes, file)?;
        if damaged {
            self.mend(&state, &pieces);
        }
        self.give_up_changed(&share, &mut pieces);
        let finished: Vec<FileIndex> = lock_read(&share.ledger).files.keys().copied().collect();
        if finished.len() == share.files.len() && !finished.is_empty() {
            self.place_folders(&share, &state)?;
            drop(state);
            self.erase(id);
        } else {
            lock(&state.have).clone_from(&pieces);
            *lock_write(&share.state) = Some(state);
        }
        self.insert(share);
        Ok(Kept { pieces, batches: hashes.batches().to_vec(), finished })
    }

    /// A full disk with what is known of how full it is.
    fn with_room(&self, error: StorageError) -> StorageError {
        match error {
            StorageError::Full { .. } => StorageError::Full { available: self.available() },
            error => error,
        }
    }

    /// What the journal says: pieces, and hashes that the origin signed. Where it is damaged every piece
    /// may be here.
    fn recorded(&self, share: &Share, state: &State) -> Result<Recorded, StorageError> {
        let mut journal = lock(&state.journal);
        let bytes = self
            .calls
            .read_all(&journal.file)
            .map_err(|e| read_failed("the journal in .shoal", &e))?;
        journal.end = bytes.len() as u64;
        let contents = journal::read(&bytes);
        let origin = share.manifest.origin();
        let mut hashes = KnownHashes::default();
        for batch in contents.batches {
            if batch.share == share.id && batch.verify(&origin).is_ok() {
                // A contradiction is the origin's. The core will meet it again.
                let _ = hashes.insert(batch);
            }
        }
        let damaged = contents.damaged;
        let pieces = if damaged { share.all_pieces().collect() } else { contents.pieces };
        Ok(Recorded { pieces: pieces.into_iter().collect(), hashes, damaged })
    }

    /// Goes on with a damaged journal, now that it is known what is here. If that fails, the next run has
    /// to check everything again.
    fn mend(&self, state: &State, verified: &Bitfield) {
        let pieces: Vec<PieceIndex> = verified.iter().collect();
        let mended = self
            .calls
            .sync_all(&state.folder)
            .and_then(|()| self.note(state, &journal::mended(&pieces)));
        match mended {
            Ok(()) => info!(pieces = pieces.len(), "a damaged journal was mended"),
            Err(error) => warn!(%error, "a damaged journal could not be mended"),
        }
    }

    /// Adds to the journal.
    fn note(&self, state: &State, records: &[u8]) -> io::Result<()> {
        let mut journal = lock(&state.journal);
        let records = [journal::header(journal.end), records].concat();
        self.calls.write_at(&journal.file, journal.end, &records)?;
        self.calls.sync(&journal.file)?;
        journal.end += records.len() as u64;
        Ok(())
    }

    /// Those of the pieces whose bytes, given by `file`, have the hash that the origin signed.
    fn verified(
        &self,
        share: &Share,
        pieces: impl IntoIterator<Item = PieceIndex>,
        hashes: &KnownHashes,
        file: impl Fn(FileIndex) -> io::Result<Arc<File>>,
    ) -> Result<Bitfield, StorageError> {
        let geometry = share.manifest.geometry();
        let mut verified = Bitfield::new(geometry.pieces());
        for piece in pieces {
            let (Some(span), Some(hash)) = (geometry.span(piece), hashes.hash(piece)) else {
                continue;
            };
            let bytes = file(span.file)
                .and_then(|file| self.calls.read_at(&file, span.file_offset, span.length as usize));
            match bytes {
                Ok(bytes) if geometry.hash(piece, &bytes) == Some(hash) => {
                    verified.insert(piece);
                }
                // What is not there or not whole counts as missing. What cannot be read might be right.
                Err(e) if !is_missing(&e) => {
                    return Err(read_failed(&share.manifest.file(span.file).path, &e));
                }
                _ => {}
            }
        }
        Ok(verified)
    }

    /// Checks on the disk what is about to be moved to its place: each file has its length, and each piece
    /// the hash that the origin signed.
    fn check(&self, share: &Share, files: &[FileIndex]) -> Result<(), StorageError> {
        let state = lock_read(&share.state);
        let Some(state) = &*state else { return Ok(()) };
        let Recorded { hashes, .. } = self.recorded(share, state)?;
        let geometry = share.manifest.geometry();
        for &file in files.iter().filter(|&&file| !share.is_placed(file)) {
            let entry = share.manifest.file(file);
            let failed = |e: io::Error| read_failed(&entry.path, &e);
            let data = self.data_file(share, state, file).map_err(failed)?;
            let pieces = || geometry.pieces_of(file);
            let found = self.verified(share, pieces(), &hashes, |_| Ok(data.clone()))?;
            if !pieces().all(|piece| found.contains(piece)) {
                return Err(StorageError::Damaged(entry.path.to_string()));
            }
            // Nothing of ours makes a file longer; but what is too much can go.
            if data.metadata().map_err(failed)?.len() != entry.size() {
                self.calls.set_length(&data, entry.size()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// A file that is not finished, made if need be.
    fn data_file(&self, share: &Share, state: &State, file: FileIndex) -> io::Result<Arc<File>> {
        let name = file.0.to_string();
        self.handles.get((share.id, file), || self.calls.open(&state.data, &name, &in_place()))
    }

    fn finished_file(&self, share: &Share, file: FileIndex) -> io::Result<Arc<File>> {
        self.handles
            .get((share.id, file), || self.calls.open_to_read(&self.root, &share.place(file)))
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
    fn still_placed(&self, share: &Share, state: &State) -> Result<Ledger, StorageError> {
        let failed = |e: io::Error| read_failed(STATE, &e);
        let mut ledger = Ledger::read(&self.calls, &state.folder).map_err(failed)?;
        ledger.files.retain(|file, place| {
            // What lies among the data was not moved, or is being fetched again.
            (file.0 as usize) < share.files.len()
                && !exists(&state.data, Path::new(&file.0.to_string()))
                && self.root.symlink_metadata(place).is_ok_and(|found| found.is_file())
        });
        Ok(ledger)
    }

    /// Files in their place that somebody has changed since are theirs now: they count as missing.
    fn give_up_changed(&self, share: &Share, verified: &mut Bitfield) {
        let geometry = share.manifest.geometry();
        lock_write(&share.ledger).files.retain(|&file, _| {
            let whole = geometry.pieces_of(file).all(|piece| verified.contains(piece));
            if !whole {
                self.handles.retain(|key| key != (share.id, file));
                for piece in geometry.pieces_of(file) {
                    verified.remove(piece);
                }
            }
            whole
        });
    }

    /// A folder in `parent`, made if need be. A link to one is refused.
    fn real_dir(&self, parent: &Dir, name: &str) -> io::Result<Dir> {
        match self.calls.create_dir(parent, name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.calls.open_dir(parent, name),
        }
    }
}

impl Storage for DiskStorage {
    fn open(
        &self,
        id: ShareId,
        manifest: &Arc<Manifest>,
        signed: &SignedManifest,
    ) -> Result<Kept, StorageError> {
        self.open_store(id, manifest, signed).map_err(|error| self.with_room(error))
    }

    fn reserve(&self, id: ShareId, files: &[FileIndex]) -> Result<(), StorageError> {
        let share = self.share(id)?;
        let state = lock_read(&share.state);
        let (Some(state), Some(available)) = (&*state, self.available()) else { return Ok(()) };
        let (geometry, have) = (share.manifest.geometry(), lock(&state.have));
        let missing = files.iter().filter(|&&file| !share.is_placed(file)).map(|&file| {
            let pieces = geometry.pieces_of(file).filter(|&piece| !have.contains(piece));
            pieces.map(|piece| u64::from(geometry.length(piece))).sum::<u64>()
        });
        // Files take up whole blocks.
        let needed: u64 = missing.map(|bytes| bytes.next_multiple_of(BLOCK_BYTES)).sum();
        if needed > available {
            return Err(StorageError::Full { available: Some(available) });
        }
        Ok(())
    }

    fn read(&self, id: ShareId, span: Span) -> Result<Vec<u8>, StorageError> {
        let share = self.share(id)?;
        let state = lock_read(&share.state);
        let file = match &*state {
            Some(state) => self.file(&share, state, span.file),
            None => self.finished_file(&share, span.file),
        };
        file.and_then(|file| self.calls.read_at(&file, span.file_offset, span.length as usize))
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
            .and_then(|file| self.calls.write_at(&file, span.file_offset, bytes))
            .map_err(|e| self.with_room(write_failed(&share.manifest.file(span.file).path, &e)))
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
            self.calls.sync_all(&state.folder)
        } else {
            files
                .into_iter()
                .try_for_each(|file| self.calls.sync(&*self.data_file(&share, state, file)?))
                .and_then(|()| self.calls.sync_dir(&state.data))
        };
        synced.map_err(|e| self.with_room(write_failed(share.manifest.title(), &e)))?;
        self.note(state, &journal::records(batches, pieces))
            .map_err(|e| self.with_room(write_failed("the journal in .shoal", &e)))?;
        let mut have = lock(&state.have);
        pieces.iter().for_each(|&piece| {
            have.insert(piece);
        });
        Ok(())
    }

    fn finish(&self, id: ShareId, files: &[FileIndex]) -> Result<(), StorageError> {
        let share = self.share(id)?;
        self.check(&share, files).map_err(|error| self.with_room(error))?;
        // Readers wait from here until all is in place.
        let mut slot = lock_write(&share.state);
        let Some(state) = slot.take() else { return Ok(()) };
        if files.len() < share.files.len() {
            let placed = self.place_some(&share, &state, files);
            let all = lock_read(&share.ledger).files.len() == share.files.len();
            if all && placed.is_ok() {
                drop(state);
                self.erase(id);
            } else {
                *slot = Some(state);
            }
            return placed.map_err(|error| self.with_room(error));
        }
        self.handles.retain(|(share, _)| share != id);
        let built = self.build(&share, &state);
        let placed = built.and_then(|()| self.place(&share, &state));
        let Err(error) = placed else {
            drop(state);
            self.erase(id);
            return Ok(());
        };
        // Back to where it can be read and finished again.
        match self.unplace(&state).and_then(|()| self.unbuild(&share, &state)) {
            Ok(()) => *slot = Some(state),
            Err(error) => {
                warn!(%error, share = %id, "the files are put back when the share is next opened");
                lock(&self.shares).remove(&id);
            }
        }
        Err(self.with_room(error))
    }

    fn close(&self, id: ShareId, discard: bool) {
        let share = lock(&self.shares).remove(&id);
        self.handles.retain(|(share, _)| share != id);
        // Closed first, for systems that do not remove open files.
        drop(share.and_then(|share| lock_write(&share.state).take()));
        if discard {
            self.erase(id);
        }
    }

    fn available(&self) -> Option<u64> {
        self.calls.available(&self.root).ok().flatten()
    }

    fn keep(&self, _: ShareId, _: &[HashBatch]) -> Result<(), StorageError> {
        // This folder is for what is received.
        Ok(())
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
    fn new(id: ShareId, manifest: Arc<Manifest>, file_system: FileSystem) -> Self {
        let places = places::relative(&manifest, file_system);
        let is_file =
            |&entry: &usize| matches!(manifest.entries()[entry].kind, EntryKind::File { .. });
        let files = (0..places.len()).filter(is_file).collect();
        let (state, ledger) = (RwLock::default(), RwLock::default());
        Self { id, manifest, places, files, state, ledger }
    }

    fn all_pieces(&self) -> impl Iterator<Item = PieceIndex> + use<> {
        (0..self.manifest.geometry().pieces()).map(PieceIndex)
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

/// How names are compared where the state of a share is: the file system itself is asked, whether it knows
/// the manifest by another spelling.
fn file_system(folder: &Dir) -> FileSystem {
    places::file_system(exists(folder, MANIFEST.to_uppercase().as_ref()))
}

fn exists(folder: &Dir, name: &Path) -> bool {
    folder.symlink_metadata(name).is_ok()
}

/// For files that are read and written anywhere, and made if need be.
fn in_place() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    options
}

/// Whether bytes are not there, as opposed to being there and not readable at the moment.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
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
