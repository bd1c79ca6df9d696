//! Where the files of a share go, as relative paths: names from elsewhere made safe for this system,
//! and told apart where that made two of them the same. Pure: looks at no file system.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use protocol::manifest::{EntryKind, MAX_NAME_BYTES, Manifest};
use protocol::names::safe_component;

/// The relative path of every entry of `manifest`, in its order. The same manifest always gives the
/// same paths.
pub(super) fn relative(manifest: &Manifest) -> Vec<PathBuf> {
    let mut chosen: HashMap<String, PathBuf> = HashMap::new();
    let mut taken: HashSet<PathBuf> = HashSet::new();
    let mut place = |parent: &PathBuf, original: &str, name: &str, directory: bool| {
        if let Some(place) = chosen.get(original) {
            return place.clone();
        }
        let safe = safe_component(name);
        let place = (0..)
            .map(|n| parent.join(numbered(&safe, n, directory)))
            .find(|place| taken.insert(folded(place)))
            .expect("there are more numbers than entries");
        chosen.insert(original.to_owned(), place.clone());
        place
    };
    let entries = manifest.entries().iter().map(|entry| {
        let (path, is_file) = (entry.path.as_str(), matches!(entry.kind, EntryKind::File { .. }));
        let mut parent = PathBuf::new();
        let mut start = 0;
        while let Some(slash) = path[start..].find('/') {
            let end = start + slash;
            parent = place(&parent, &path[..end], &path[start..end], true);
            start = end + 1;
        }
        place(&parent, path, &path[start..], !is_file)
    });
    entries.collect()
}

/// What two paths have in common that this system's file systems take for the same.
fn folded(path: &Path) -> PathBuf {
    if cfg!(any(windows, target_os = "macos")) {
        path.to_string_lossy().to_lowercase().into()
    } else {
        path.to_owned()
    }
}

/// `name` for 0, else `name (1).ext`, `folder (1)`: shortened to what file systems take.
pub(crate) fn numbered(name: &str, number: u32, directory: bool) -> String {
    if number == 0 {
        return name.to_owned();
    }
    let extension_at = |name: &str| name.rfind('.').filter(|&at| at > 0 && !directory);
    let mut split = extension_at(name).unwrap_or(name.len());
    if name[..split].ends_with(".tar") && split > 4 {
        split -= 4;
    }
    let (stem, extension) = name.split_at(split);
    let suffix = format!(" ({number})");
    let room = MAX_NAME_BYTES.saturating_sub(suffix.len() + extension.len());
    if room == 0 {
        // All extension: then it is none.
        return numbered(name, number, true);
    }
    let stem = &stem[..stem.floor_char_boundary(room)];
    format!("{stem}{suffix}{extension}")
}

#[cfg(test)]
mod tests {
    use protocol::identity::DeviceKey;
    use protocol::manifest::{Entry, SharePath};

    use super::*;

    fn places(paths: &[&str]) -> Vec<PathBuf> {
        let entries = paths.iter().map(|path| Entry {
            path: SharePath::new(path).unwrap(),
            kind: EntryKind::File { size: 1 },
            modified_ms: None,
        });
        let key = DeviceKey::from_bytes([1; 32]).public();
        relative(&Manifest::new(key, entries.collect()).unwrap())
    }

    #[test]
    fn ordinary_names_in_any_script_stay_as_they_are() {
        let paths = ["a/e\u{301}", "a/é", "a/שלום", "a/🦀 b.txt"];
        let expected: Vec<&Path> = paths.iter().map(Path::new).collect();
        assert_eq!(places(&paths), expected);
    }

    #[test]
    fn names_that_become_the_same_are_told_apart_for_good() {
        let paths = ["d\u{1}/x", "d\u{2}/x", "d_/x", "e\u{1}.txt", "e\u{2}.txt"];
        let expected = ["d_/x", "d_ (1)/x", "d_ (2)/x", "e_.txt", "e_ (1).txt"];
        let expected: Vec<&Path> = expected.iter().map(Path::new).collect();
        assert_eq!(places(&paths), expected);
        assert_eq!(places(&paths), expected);
    }

    #[test]
    fn numbers_go_before_the_extension() {
        assert_eq!(numbered("a.txt", 0, false), "a.txt");
        assert_eq!(numbered("a.txt", 1, false), "a (1).txt");
        assert_eq!(numbered("a.tar.gz", 2, false), "a (2).tar.gz");
        assert_eq!(numbered(".profile", 1, false), ".profile (1)");
        assert_eq!(numbered("v1.0", 1, true), "v1.0 (1)");
        let long = format!("{}.txt", "é".repeat(125));
        let name = numbered(&long, 10, false);
        assert!(name.len() <= MAX_NAME_BYTES && name.ends_with("é (10).txt"), "{name}");
        let all_extension = format!("a.{}", "x".repeat(253));
        assert!(numbered(&all_extension, 1, false).len() <= MAX_NAME_BYTES);
    }
}
