//! Where the files of a share go on the file systems that this program meets. How names are made safe and
//! told apart is in [`protocol::names`].

use std::path::PathBuf;

use protocol::manifest::Manifest;
pub(crate) use protocol::names::numbered;
use protocol::names::{FileSystem, places};
use unicode_normalization::UnicodeNormalization;

/// The relative path of every entry of `manifest`, in its order. The same manifest always gives the
/// same paths.
pub(super) fn relative(manifest: &Manifest, file_system: FileSystem) -> Vec<PathBuf> {
    let decompose = |text: &str| text.nfd().collect();
    places(manifest, file_system, decompose).into_iter().map(PathBuf::from).collect()
}

/// What the system's file systems make of names; `ignores_case` is whether the one in question does.
pub(super) fn file_system(ignores_case: bool) -> FileSystem {
    if cfg!(target_os = "macos") {
        FileSystem::MACOS
    } else if cfg!(windows) || ignores_case {
        // Elsewhere those that ignore case are FAT, exFAT, NTFS and shares of Windows.
        FileSystem::WINDOWS
    } else {
        FileSystem::EXACT
    }
}

#[cfg(test)]
mod tests {
    use protocol::identity::DeviceKey;
    use protocol::manifest::{Entry, EntryKind, SharePath};

    use super::*;

    #[test]
    fn normal_forms_are_told_apart_where_they_are_one_name() {
        let paths = ["\u{1e9b}\u{323}", "\u{17f}\u{323}\u{307}", "한", "\u{1112}\u{1161}\u{11ab}"];
        let entries = paths.map(|path| Entry {
            path: SharePath::new(path).unwrap(),
            kind: EntryKind::File { size: 1 },
            modified_ms: None,
        });
        let key = DeviceKey::from_bytes([1; 32]).public();
        let manifest = Manifest::new(key, entries.into()).unwrap();
        let told_apart = |file_system| {
            let places = relative(&manifest, file_system);
            places.iter().filter(|place| place.to_string_lossy().ends_with(" (1)")).count()
        };
        assert_eq!(told_apart(FileSystem::MACOS), 2);
        assert_eq!(told_apart(FileSystem::EXACT), 0);
    }
}
