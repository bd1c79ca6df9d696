//! How files come to their place: all at once as a tree of folders, or one by one. Each step can be undone
//! or gone on with after a crash, and nothing that is there is overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cap_std::fs::Dir;
use protocol::io::StorageError;
use protocol::manifest::{Entry, EntryKind};
use protocol::piece::FileIndex;
use tracing::debug;

use super::{DiskStorage, Share, State, TOPS, TREE, exists, in_place, lock_write};
use crate::storage::ledger::Ledger;
use crate::storage::{numbered, write_failed};

impl DiskStorage {
    /// Builds the folders of a share below `tree` out of its data files.
    pub(super) fn build(&self, share: &Share, state: &State) -> Result<(), StorageError> {
        let failed = |e: io::Error| write_failed(share.manifest.title(), &e);
        let tree = self.real_dir(&state.folder, TREE).map_err(failed)?;
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
                self.calls.create_dir_all(&tree, folder).map_err(failed)?;
            }
            match entry.kind {
                EntryKind::Directory => {
                    let folder = self.calls.open_to_read(&tree, place).map_err(failed)?;
                    self.set_modified(&folder, entry.modified_ms);
                }
                EntryKind::File { .. } => {
                    let name = self.ready(state, file, entry).map_err(failed)?;
                    let name = Path::new(&name);
                    // Names that only this file system takes for one must not cost a file.
                    self.calls.move_new(&state.data, name, &tree, place).map_err(failed)?;
                    file += 1;
                }
            }
        }
        self.calls.sync_all(&state.folder).map_err(failed)
    }

    /// Undoes [`build`](Self::build), as far as it went.
    pub(super) fn unbuild(&self, share: &Share, state: &State) -> io::Result<()> {
        let tree = self.calls.open_dir(&state.folder, TREE)?;
        for (number, &entry) in share.files.iter().enumerate() {
            let (place, name) = (&share.places[entry], number.to_string());
            match self.calls.rename(&tree, place, &state.data, name.as_ref()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        drop(tree);
        self.calls.remove_dir_all(&state.folder, TREE.as_ref())
    }

    /// Moves the top-level names of a built tree into the root. May be called again after a crash: names
    /// that are gone from the tree were moved.
    pub(super) fn place(&self, share: &Share, state: &State) -> Result<(), StorageError> {
        let failed = |e: io::Error| write_failed(share.manifest.title(), &e);
        let tree = self.calls.open_dir(&state.folder, TREE).map_err(failed)?;
        let mut tops = self.read_tops(&state.folder).map_err(failed)?;
        for top in share.places.iter().filter_map(|place| place.iter().next()) {
            let top = Path::new(top);
            let mut number = 0;
            while exists(&tree, top) {
                let directory = tree.symlink_metadata(top).is_ok_and(|m| m.is_dir());
                let name = self.unused(top.as_os_str(), &mut number, directory);
                tops.insert(top.to_owned(), name.clone());
                // First what will be true, then the deed: after a crash the name is known.
                self.write_tops(&state.folder, &tops).map_err(failed)?;
                match self.calls.move_new(&tree, top, &self.root, Path::new(&name)) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                    result => result.map_err(failed)?,
                }
            }
        }
        self.calls.sync_dir(&self.root).map_err(failed)?;
        lock_write(&share.ledger).tops = tops;
        Ok(())
    }

    /// Undoes [`place`](Self::place), as far as it went.
    pub(super) fn unplace(&self, state: &State) -> io::Result<()> {
        let tree = self.calls.open_dir(&state.folder, TREE)?;
        for (top, name) in self.read_tops(&state.folder)? {
            if !exists(&tree, &top) {
                self.calls.move_new(&self.root, name.as_ref(), &tree, &top)?;
            }
        }
        if exists(&state.folder, TOPS.as_ref()) {
            self.calls.remove_file(&state.folder, TOPS)?;
        }
        self.calls.sync_dir(&state.folder)
    }

    /// Moves some files of a share to their places, and with the last of all makes its empty folders.
    pub(super) fn place_some(
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
        let written = ledger.write(&self.calls, &state.folder);
        ledger.files = before;
        written.map_err(failed)?;
        for (file, mut place) in moves {
            let entry = share.manifest.file(file);
            let failed = |e: io::Error| write_failed(&entry.path, &e);
            let name = self.ready(state, file.0, entry).map_err(failed)?;
            let folder = self.real_dirs(place.parent()).map_err(failed)?;
            let to = |place: &Path| PathBuf::from(place.file_name().unwrap_or_default());
            while let Err(error) =
                self.calls.move_new(&state.data, name.as_ref(), &folder, &to(&place))
            {
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
        ledger.write(&self.calls, &state.folder).map_err(failed)?;
        drop(ledger);
        if all {
            self.place_folders(share, state)?;
        }
        self.calls.sync_all(&state.folder).map_err(failed)?;
        self.calls.sync_dir(&self.root).map_err(failed)
    }

    /// Makes the folders of a share all of whose files were moved one by one.
    pub(super) fn place_folders(&self, share: &Share, state: &State) -> Result<(), StorageError> {
        let mut ledger = lock_write(&share.ledger);
        let mut taken = ledger.taken();
        for (entry, place) in share.manifest.entries().iter().zip(&share.places) {
            if entry.kind == EntryKind::Directory {
                let failed = |e: io::Error| write_failed(&entry.path, &e);
                // As if there were something in it: then it is the top-level folder that gets a name.
                self.name_top(&mut ledger, &mut taken, &place.join("_"));
                ledger.write(&self.calls, &state.folder).map_err(failed)?;
                let folder = self.real_dirs(Some(&ledger.resolve(place))).map_err(failed)?;
                let folder = self.calls.open_to_read(&folder, ".".as_ref()).map_err(failed)?;
                self.set_modified(&folder, entry.modified_ms);
            }
        }
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
        names.fold(self.root.try_clone(), |dir, name| self.real_dir(&dir?, &name.to_string_lossy()))
    }

    /// Makes the data of a file ready to be moved to its place; gives its name among the data.
    fn ready(&self, state: &State, file: u32, entry: &Entry) -> io::Result<String> {
        let name = file.to_string();
        // Made here only if empty: then no piece of it was ever written.
        let data = self.calls.open(&state.data, &name, &in_place())?;
        self.set_modified(&data, entry.modified_ms);
        Ok(name)
    }

    /// Times are a courtesy: a file system that cannot keep one keeps the file all the same.
    fn set_modified(&self, file: &File, modified_ms: Option<i64>) {
        let Some(ms) = modified_ms else { return };
        let distance = Duration::from_millis(ms.unsigned_abs());
        let modified = if ms < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        };
        let set = |modified| self.calls.set_times(file, FileTimes::new().set_modified(modified));
        if let Some(Err(error)) = modified.map(set) {
            debug!(%error, "the time of a file could not be set");
        }
    }

    fn read_tops(&self, folder: &Dir) -> io::Result<BTreeMap<PathBuf, String>> {
        let text = self.calls.read_if_there(folder, TOPS)?;
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }

    pub(super) fn write_tops(
        &self,
        folder: &Dir,
        tops: &BTreeMap<PathBuf, String>,
    ) -> io::Result<()> {
        self.calls.write_whole(folder, TOPS, &serde_json::to_vec(tops)?)
    }
}
