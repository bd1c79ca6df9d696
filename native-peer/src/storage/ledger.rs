//! Which files of a share stand in their final place while others do not, and under which names: what
//! is kept in the share's state folder for when more of its files are wanted.
//!
//! It is written before the deed, so after a crash it may claim a file that was not moved yet; such a
//! file still lies among the data.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use protocol::piece::FileIndex;

use super::calls::Calls;

/// Its name in the state folder.
const LEDGER: &str = "placed.json";

/// The places of single files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// What the share's top-level folders are called in the root.
    pub(super) tops: BTreeMap<PathBuf, String>,
    /// Where files are, relative to the root.
    pub(super) files: BTreeMap<FileIndex, PathBuf>,
}

impl Ledger {
    /// Reads what an earlier run wrote; nothing if it wrote nothing that makes sense.
    pub(super) fn read(calls: &Calls, folder: &Dir) -> io::Result<Self> {
        let text = calls.read_if_there(folder, LEDGER)?;
        let (tops, files): (_, BTreeMap<u32, PathBuf>) =
            serde_json::from_slice(&text).unwrap_or_default();
        let files = files.into_iter().map(|(file, place)| (FileIndex(file), place)).collect();
        Ok(Self { tops, files })
    }

    pub(super) fn write(&self, calls: &Calls, folder: &Dir) -> io::Result<()> {
        let files: BTreeMap<u32, &PathBuf> =
            self.files.iter().map(|(file, place)| (file.0, place)).collect();
        calls.write_whole(folder, LEDGER, &serde_json::to_vec(&(&self.tops, files))?)
    }

    /// All names in use.
    pub(super) fn taken(&self) -> BTreeSet<PathBuf> {
        let tops = self.tops.values().map(PathBuf::from);
        self.files.values().cloned().chain(tops).collect()
    }

    /// Where a file or folder of the share is in the root, if its top-level folder has a name there.
    pub(super) fn resolve(&self, place: &Path) -> PathBuf {
        let mut names = place.components();
        let top = names.next().map_or(Path::new(""), |name| Path::new(name.as_os_str()));
        let top = self.tops.get(top).map_or(top, Path::new);
        let rest = names.as_path();
        if rest.as_os_str().is_empty() { top.to_owned() } else { top.join(rest) }
    }
}
