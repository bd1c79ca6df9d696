//! Finding out whether files are those that were shared, when a share of ours comes back after a reload:
//! by path, size and time. Whether their bytes are the same shows as they are read: they are hashed then,
//! and compared with what was signed before.

use std::collections::BTreeMap;

use protocol::manifest::Manifest;

/// How many files a refusal names.
const NAMED: usize = 3;

/// What there is to compare of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looks {
    /// Bytes.
    pub(crate) size: u64,
    /// Last modification, milliseconds since 1970.
    pub(crate) modified_ms: i64,
}

/// For each file of a share, which of the files chosen it is: the one of the same path, or else of the
/// same name, if it is the only one of that name on both sides.
pub(crate) fn assign(manifest: &Manifest, chosen: &[&str]) -> Vec<Option<usize>> {
    let by_path: BTreeMap<&str, usize> = (0..).zip(chosen).map(|(i, &path)| (path, i)).collect();
    let mut by_name: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for (i, path) in chosen.iter().enumerate() {
        by_name.entry(name(path)).and_modify(|only| *only = None).or_insert(Some(i));
    }
    let mut names: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, entry) in manifest.files() {
        *names.entry(name(entry.path.as_str())).or_default() += 1;
    }
    let find = |path: &str| {
        let named = || by_name.get(name(path)).copied().flatten();
        by_path
            .get(path)
            .copied()
            .or_else(|| (names.get(name(path)) == Some(&1)).then(named).flatten())
    };
    manifest.files().map(|(_, entry)| find(entry.path.as_str())).collect()
}

/// Checks whether these, in the order of the manifest, are the files that were shared; else gives a
/// sentence that names those that are not.
pub(crate) fn compare(manifest: &Manifest, found: &[Option<Looks>]) -> Result<(), String> {
    let (mut missing, mut changed) = (Vec::new(), Vec::new());
    for (i, (_, entry)) in manifest.files().enumerate() {
        match found.get(i).copied().flatten() {
            None => missing.push(entry.path.as_str()),
            Some(looks) => {
                let same_time = entry.modified_ms.is_none_or(|time| time == looks.modified_ms);
                if looks.size != entry.size() || !same_time {
                    changed.push(entry.path.as_str());
                }
            }
        }
    }
    let (missing, changed) = (list(&missing), list(&changed));
    match (missing, changed) {
        (None, None) => Ok(()),
        (Some(missing), None) => {
            Err(format!("not there: {missing}; choose all files of the share"))
        }
        (None, Some(changed)) => {
            Err(format!("changed since it was shared: {changed}; share it anew"))
        }
        (Some(missing), Some(changed)) => Err(format!(
            "changed since it was shared: {changed}; not there: {missing}; share it anew"
        )),
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The first few, and how many more there are; none if there are none.
fn list(paths: &[&str]) -> Option<String> {
    let (named, more) = paths.split_at(paths.len().min(NAMED));
    let named = named.join(", ");
    match (paths, more) {
        ([], _) => None,
        (_, []) => Some(named),
        (_, more) => Some(format!("{named} and {} more", more.len())),
    }
}

#[cfg(test)]
mod tests {
    use protocol::identity::DeviceKey;
    use protocol::manifest::{Entry, EntryKind, SharePath};

    use super::*;

    fn manifest(paths: &[&str]) -> Manifest {
        let entry = |path: &&str| Entry {
            path: SharePath::new(path).unwrap(),
            kind: EntryKind::File { size: path.len() as u64 },
            modified_ms: Some(7),
        };
        let key = DeviceKey::from_bytes([1; 32]).public();
        Manifest::new(key, paths.iter().map(entry).collect()).unwrap()
    }

    #[test]
    fn files_are_recognised_by_path_or_by_a_name_that_only_one_has() {
        let shared = manifest(&["d/a", "d/b", "d/e/b", "d/e/c"]);
        let same = ["d/e/c", "d/e/b", "d/b", "d/a"];
        assert_eq!(assign(&shared, &same), [Some(3), Some(2), Some(1), Some(0)]);
        // From another folder: two are called `b`, and nobody knows which is which.
        let elsewhere = ["x/a", "x/b", "x/e/b", "c"];
        assert_eq!(assign(&shared, &elsewhere), [Some(0), None, None, Some(3)]);
        assert_eq!(assign(&shared, &["y/c", "z/c", "b"]), [None, None, None, None]);
        assert_eq!(assign(&manifest(&["one"]), &["other", "d/one"]), [Some(1)]);
    }

    #[test]
    fn files_that_are_missing_or_changed_are_refused_by_name() {
        let shared = manifest(&["a", "b", "c", "d", "e"]);
        let same = Some(Looks { size: 1, modified_ms: 7 });
        let longer = Some(Looks { size: 2, modified_ms: 7 });
        let later = Some(Looks { size: 1, modified_ms: 8 });
        assert_eq!(compare(&shared, &[same; 5]), Ok(()));
        let refused = |found: &[Option<Looks>]| compare(&shared, found).unwrap_err();
        assert_eq!(
            refused(&[same, longer, same, later, same]),
            "changed since it was shared: b, d; share it anew"
        );
        assert_eq!(
            refused(&[None, None, None, None, same]),
            "not there: a, b, c and 1 more; choose all files of the share"
        );
        assert_eq!(
            refused(&[later, None, same, same]),
            "changed since it was shared: a; not there: b, e; share it anew"
        );
    }
}
