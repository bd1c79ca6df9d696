//! A million shares' worth of names out of a seed, through everything that makes names safe:
//! - a component is never empty, longer than can be, or anything that leads elsewhere, and making it safe
//!   again changes nothing;
//! - places within a share are distinct to the file system, safe throughout, and short enough to be reached;
//! - what is shown has nothing in it that drives a terminal or turns text, and is shown as it is else.

use std::collections::BTreeSet;

use super::*;
use crate::identity::DeviceKey;
use crate::manifest::{Entry, EntryKind, Manifest, SharePath};
use crate::rng::Rng;

/// Names in the long form of the test; every twentieth of them in the short.
const NAMES: u64 = 1_000_000;
/// Names that are told apart within one share.
const SHARE: usize = 250;

/// What names are made of: what means something to some system, and what does not.
const PARTS: [&str; 64] = [
    "..",
    ".",
    "/",
    "\\",
    ":",
    "::$DATA",
    "C:",
    "CON",
    "nul",
    "com1",
    "COM¹",
    " ",
    "  ",
    "a",
    "A",
    "b",
    "_",
    " (1)",
    " (2)",
    "é",
    "e\u{301}",
    "É",
    "ß",
    "SS",
    "ſ",
    "s",
    "K",
    "k",
    "İ",
    "i",
    "ς",
    "Σ",
    "한",
    "\u{1112}\u{1161}\u{11ab}",
    ".txt",
    ".TXT",
    ".exe",
    ".tar.gz",
    ".lnk",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{200c}",
    "\u{200d}",
    "\u{fe0f}",
    "\u{feff}",
    "🏴",
    "\u{e0067}",
    "\u{e007f}",
    "👩",
    "🚀",
    "1",
    "\u{20e3}",
    "\u{1b}",
    "\u{9b}",
    "\n",
    "\u{7f}",
    "?",
    "*",
    "\"",
    "<b>",
    "|",
    "\u{3000}",
    "文",
];

fn generate(rng: &mut Rng) -> String {
    let parts = match rng.below(40) {
        0 => 60 + rng.below(100),
        _ => 1 + rng.below(6),
    };
    let mut name = String::new();
    for _ in 0..parts {
        match rng.below(8) {
            0 => name.push(char::from_u32(rng.below(0x11_0000)).unwrap_or('\u{fffd}')),
            _ => name.push_str(PARTS[rng.below(PARTS.len() as u32) as usize]),
        }
    }
    name
}

fn assert_safe(name: &str, file_system: FileSystem, from: &str) {
    assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES, "{from:?} became {name:?}");
    assert!(!matches!(name, "." | ".."), "{from:?} became {name:?}");
    let ends_path = |c: char| c.is_control() || matches!(c, '/' | '\\');
    assert!(!name.contains(ends_path) && !name.contains(turns), "{from:?} became {name:?}");
    assert!(!name.contains(":$"), "{from:?} became {name:?}");
    assert!(!name.chars().all(|c| c == '.' || c.is_whitespace()), "{from:?} became {name:?}");
    if file_system.windows {
        assert!(!name.contains(refused_by_windows), "{from:?} became {name:?}");
        assert!(!name.ends_with(['.', ' ']) && !is_device(name), "{from:?} became {name:?}");
    }
}

#[test]
fn generated_names_become_safe_components_and_distinct_places() {
    let is_long = std::env::var_os("SHOAL_LONG").is_some_and(|value| value == "1");
    let count = if is_long { NAMES } else { NAMES / 20 };
    let systems = [FileSystem::EXACT, FileSystem::MACOS, FileSystem::WINDOWS];
    let mut rng = Rng::new([7; 32]);
    let mut share = Share::default();
    for _ in 0..count {
        let name = generate(&mut rng);
        for file_system in systems {
            for safe in [safe_component(&name, file_system), safe_top(&name, file_system)] {
                assert_safe(&safe, file_system, &name);
                assert_eq!(safe_component(&safe, file_system), safe, "{name:?}");
            }
            let top = safe_top(&name, file_system);
            assert!(!top.starts_with('.') && safe_top(&top, file_system) == top, "{name:?}");
        }
        let shown = readable(&name);
        assert!(!shown.contains(char::is_control) && !shown.contains(turns), "{name:?}");
        assert_eq!(readable(&shown), shown, "{name:?}");
        assert_eq!(shown.chars().count(), name.chars().count(), "{name:?}");
        let _ = risk(&name);
        share.add(&name);
        if share.entries.len() == SHARE {
            std::mem::take(&mut share).assert_told_apart(systems);
        }
    }
}

/// A share that grows by paths that clash with none of its own.
#[derive(Default)]
struct Share {
    entries: Vec<Entry>,
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Share {
    fn add(&mut self, path: &str) {
        let Ok(checked) = SharePath::new(path) else { return };
        let parents: Vec<&str> = path.match_indices('/').map(|(slash, _)| &path[..slash]).collect();
        if self.folders.contains(path)
            || self.files.contains(path)
            || parents.iter().any(|parent| self.files.contains(*parent))
        {
            return;
        }
        self.folders.extend(parents.into_iter().map(str::to_owned));
        self.files.insert(path.to_owned());
        let kind = EntryKind::File { size: 1 };
        self.entries.push(Entry { path: checked, kind, modified_ms: None });
    }

    fn assert_told_apart(self, systems: [FileSystem; 3]) {
        let key = DeviceKey::from_bytes([1; 32]).public();
        let manifest = Manifest::new(key, self.entries).expect("nothing clashes");
        // Enough of a decomposition for the parts above.
        let decompose = |text: &str| {
            text.replace('é', "e\u{301}")
                .replace('É', "E\u{301}")
                .replace('한', "\u{1112}\u{1161}\u{11ab}")
        };
        for file_system in systems {
            let found = places(&manifest, file_system, decompose);
            assert_eq!(found, places(&manifest, file_system, decompose), "not the same twice");
            let mut seen = BTreeSet::new();
            let mut folders = BTreeSet::new();
            for (place, entry) in found.iter().zip(manifest.entries()) {
                let from = entry.path.as_str();
                assert!(place.len() < 3_200, "{from:?} went to {place:?}");
                assert!(!place.starts_with('.'), "{from:?} went to {place:?}");
                for name in place.split('/') {
                    assert_safe(name, file_system, from);
                }
                let compared = match file_system.folds {
                    true => decompose(&decompose(place).to_uppercase().to_lowercase()),
                    false => place.clone(),
                };
                let parents = compared.match_indices('/').map(|(slash, _)| &compared[..slash]);
                folders.extend(parents.map(str::to_owned));
                assert!(seen.insert(compared), "{from:?} shares {place:?} with another");
            }
            assert!(seen.is_disjoint(&folders), "a file lies where a folder is");
        }
    }
}
