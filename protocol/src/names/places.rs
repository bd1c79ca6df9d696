//! Where the entries of a share go: every name made safe, told apart where that or the file system would
//! make one of two, and within what a path may measure. Looks at no file system.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{FileSystem, numbered, safe_component, safe_top};
use crate::manifest::{EntryKind, Manifest};

/// The longest folder that something is put into, in bytes, so that with a name in it and below a folder
/// of the user's a path stays within the 4 096 bytes that systems take.
const MAX_FOLDER_BYTES: usize = 2816;
/// The most folders inside each other. Each more makes every step that systems take in them dearer, and
/// people have no use for so many.
const MAX_DEPTH: usize = 128;

/// The relative path of every entry of `manifest` in its order, names joined by `/`. The same manifest
/// always gives the same paths, no two of which are one to `file_system`: of those that would be, one that
/// stays as it is comes first, then the first in order; the others become `name (1).ext`. Folders too deep
/// for a path are left out: what is in them goes into the one above.
///
/// `decompose` gives the canonical decomposition of a text (NFD); it is asked only where the file system
/// folds names.
pub fn places(
    manifest: &Manifest,
    file_system: FileSystem,
    decompose: impl Fn(&str) -> String,
) -> Vec<String> {
    let mut places = Places {
        file_system,
        decompose,
        chosen: BTreeMap::new(),
        taken: BTreeSet::new(),
        tries: BTreeMap::new(),
    };
    for entry in manifest.entries() {
        places.keep(entry.path.as_str());
    }
    let mut all = Vec::with_capacity(manifest.entries().len());
    for entry in manifest.entries() {
        let path = entry.path.as_str();
        let (mut parent, mut start) = (String::new(), 0);
        for (depth, (slash, _)) in path.match_indices('/').enumerate() {
            if depth < MAX_DEPTH && parent.len() + 1 + slash - start <= MAX_FOLDER_BYTES {
                parent = places.place(&parent, &path[..slash], true);
            }
            start = slash + 1;
        }
        all.push(places.place(&parent, path, entry.kind == EntryKind::Directory));
    }
    all
}

struct Places<'a, D> {
    file_system: FileSystem,
    decompose: D,
    /// Where paths go.
    chosen: BTreeMap<&'a str, String>,
    /// What is in use, as the file system compares it.
    taken: BTreeSet<String>,
    /// The number to try next for a place that is in use: a share may want one place a hundred thousand
    /// times.
    tries: BTreeMap<String, u32>,
}

impl<'a, D: Fn(&str) -> String> Places<'a, D> {
    /// Keeps a path and the folders on its way as they are, as far as they are safe and nothing else is
    /// there.
    fn keep(&mut self, path: &'a str) {
        let ends = path.match_indices('/').map(|(slash, _)| slash).chain([path.len()]);
        let mut start = 0;
        for (depth, end) in ends.enumerate() {
            let (prefix, name) = (&path[..end], &path[start..end]);
            let is_folder = end < path.len();
            let is_deep = is_folder && (depth >= MAX_DEPTH || end > MAX_FOLDER_BYTES);
            if is_deep || self.safe(start == 0, name) != name {
                return;
            }
            if !self.chosen.contains_key(prefix) {
                if !self.taken.insert(self.folded(prefix)) {
                    return;
                }
                self.chosen.insert(prefix, prefix.to_owned());
            }
            start = end + 1;
        }
    }

    /// Where `path` goes, whose folder goes to `parent`.
    fn place(&mut self, parent: &str, path: &'a str, directory: bool) -> String {
        if let Some(place) = self.chosen.get(path) {
            return place.clone();
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let safe = self.safe(parent.is_empty(), name);
        let at = |number| {
            let name = numbered(&safe, number, directory);
            if parent.is_empty() { name } else { format!("{parent}/{name}") }
        };
        let wanted = self.folded(&at(0));
        let mut number = self.tries.get(&wanted).copied().unwrap_or(0);
        let place = loop {
            let place = at(number);
            number += 1;
            if self.taken.insert(self.folded(&place)) {
                break place;
            }
        };
        self.tries.insert(wanted, number);
        self.chosen.insert(path, place.clone());
        place
    }

    fn safe<'n>(&self, top: bool, name: &'n str) -> Cow<'n, str> {
        if top { safe_top(name, self.file_system) } else { safe_component(name, self.file_system) }
    }

    /// What paths have in common that are one to the file system. Rather coarser than it is: what is told
    /// apart without need loses nothing.
    fn folded(&self, path: &str) -> String {
        if !self.file_system.folds {
            return path.to_owned();
        }
        let decompose =
            |text: &str| if text.is_ascii() { text.to_owned() } else { (self.decompose)(text) };
        let joins = |c: &char| matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
        // By way of capitals, for letters such as `ſ` and `ς` that have the capital of another.
        let folded: String = decompose(path)
            .chars()
            .filter(|c| !joins(c))
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .collect();
        decompose(&folded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::DeviceKey;
    use crate::manifest::{Entry, SharePath};

    /// Places of a share of these files; a path that ends with `/` is an empty folder.
    fn places_on(file_system: FileSystem, paths: &[&str]) -> Vec<String> {
        let entries = paths.iter().map(|path| Entry {
            path: SharePath::new(path.trim_end_matches('/')).unwrap(),
            kind: match path.ends_with('/') {
                true => EntryKind::Directory,
                false => EntryKind::File { size: 1 },
            },
            modified_ms: None,
        });
        let key = DeviceKey::from_bytes([1; 32]).public();
        let manifest = Manifest::new(key, entries.collect()).unwrap();
        // Enough of a decomposition for the names below.
        let decompose = |text: &str| text.replace('é', "e\u{301}").replace('É', "E\u{301}");
        places(&manifest, file_system, decompose)
    }

    #[test]
    fn ordinary_names_in_any_script_stay_as_they_are() {
        let paths = ["a/README", "a/e\u{301}", "a/readme", "a/é", "a/שלום", "a/🦀 b.txt"];
        assert_eq!(places_on(FileSystem::EXACT, &paths), paths);
    }

    #[test]
    fn names_that_become_the_same_are_told_apart_for_good() {
        let paths = ["d\u{1}/x", "d\u{2}/x", "d_/x", "e\u{1}.txt", "e\u{2}.txt"];
        // What is as it should be comes first.
        let expected = ["d_ (1)/x", "d_ (2)/x", "d_/x", "e_.txt", "e_ (1).txt"];
        assert_eq!(places_on(FileSystem::EXACT, &paths), expected);
        assert_eq!(places_on(FileSystem::EXACT, &paths), expected);
    }

    #[test]
    fn names_that_are_one_to_the_file_system_are_told_apart() {
        let paths = ["A/b", "A/c", "CAFÉ", "Straße", "a/b", "café", "cafe\u{301}", "STRASSE"];
        let expected = [
            "A/b",
            "A/c",
            "CAFÉ",
            "STRASSE",
            "Straße (1)",
            "a (1)/b",
            "cafe\u{301} (1)",
            "café (2)",
        ];
        assert_eq!(places_on(FileSystem::MACOS, &paths), expected);
        assert!(places_on(FileSystem::EXACT, &paths).iter().all(|place| !place.contains('(')));
    }

    #[test]
    fn only_the_outermost_name_is_kept_from_hiding() {
        let paths = [".git/.config", "_.git", "a/.hidden"];
        let expected = ["_.git (1)/.config", "_.git", "a/.hidden"];
        assert_eq!(places_on(FileSystem::EXACT, &paths), expected);
    }

    #[test]
    fn what_lies_too_deep_for_a_path_goes_into_the_folder_above() {
        let deep = vec!["d".repeat(200); 20].join("/");
        let (file, other) = (format!("{deep}/file"), format!("{deep}2/file"));
        let found = places_on(FileSystem::EXACT, &[&file, &other, "d/"]);
        let kept = vec!["d".repeat(200); 14].join("/");
        assert_eq!(found, ["d", &format!("{kept}/file"), &format!("{kept}/file (1)")]);
        let many = vec!["d"; 2_048].join("/");
        let found = places_on(FileSystem::EXACT, &[&many]);
        assert_eq!(found, [vec!["d"; MAX_DEPTH + 1].join("/")]);
    }

    #[test]
    fn a_share_that_wants_one_place_a_hundred_thousand_times_takes_no_longer() {
        // Each of other control characters, so that all become `______.x`.
        let name = |mut number: u32| {
            let mut name = String::new();
            for _ in 0..6 {
                name.push(char::from(1 + (number % 9) as u8));
                number /= 9;
            }
            name + ".x"
        };
        let names: Vec<String> = (0..100_000).map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = places_on(FileSystem::EXACT, &names);
        assert_eq!((&*found[0], &*found[99_999]), ("______.x", "______ (99999).x"));
    }
}
