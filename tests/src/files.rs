//! Files to send: made on the spot from a seed, so that every byte has one right value, and compared by
//! their BLAKE3 hashes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use blake3::Hash;

/// Makes a file of `size` bytes that look random and follow from `seed`, and gives its hash.
///
/// # Panics
/// If it cannot be written.
pub fn make(path: &Path, size: u64, seed: &str) -> Hash {
    let mut content = blake3::Hasher::new().update(seed.as_bytes()).finalize_xof();
    let mut file = File::create_new(path).expect("the file can be made");
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut left = size;
    while left > 0 {
        let part = &mut buffer[..left.min(1 << 20) as usize];
        content.fill(part);
        hasher.update(part);
        file.write_all(part).expect("there is room for the file");
        left -= part.len() as u64;
    }
    hasher.finalize()
}

/// Makes a file of `size` bytes that takes no room on the disk.
///
/// # Panics
/// If it cannot be written.
pub fn make_sparse(path: &Path, size: u64) {
    let file = File::create_new(path).expect("the file can be made");
    file.set_len(size).expect("the file system takes sparse files");
}

/// The hash of a file: what `b3sum` prints.
///
/// # Panics
/// If it cannot be read.
pub fn hash(path: &Path) -> Hash {
    let mut file = File::open(path)
        .unwrap_or_else(|error| panic!("{} cannot be opened: {error}", path.display()));
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).expect("the file can be read") {
            0 => return hasher.finalize(),
            read => hasher.update(&buffer[..read]),
        };
    }
}

/// What is in a folder, by path relative to it: files with size and hash, directories as `None`.
pub type Tree = BTreeMap<PathBuf, Option<(u64, Hash)>>;

/// Reads a folder.
///
/// # Panics
/// If it cannot be read.
pub fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("the folder can be listed").path();
            let inside = path.strip_prefix(root).expect("it is inside the folder").to_owned();
            let metadata = fs::symlink_metadata(&path).expect("it was listed a moment ago");
            if metadata.is_dir() {
                tree.insert(inside, None);
                open.push(path);
            } else {
                tree.insert(inside, Some((metadata.len(), hash(&path))));
            }
        }
    }
    tree
}

/// Leaves out directories that have nothing in them, and those that then have nothing: what a browser's
/// folder picker tells a page.
pub fn without_empty_directories(tree: &Tree) -> Tree {
    let has_files = |directory: &Path| {
        tree.iter().any(|(path, kind)| kind.is_some() && path.starts_with(directory))
    };
    let kept = tree.iter().filter(|(path, kind)| kind.is_some() || has_files(path));
    kept.map(|(path, kind)| (path.clone(), *kind)).collect()
}

/// Asserts that two folders hold the same, and names what differs.
///
/// # Panics
/// If they do not.
pub fn assert_same(expected: &Tree, found: &Tree) {
    let missing: Vec<_> = expected.keys().filter(|path| !found.contains_key(*path)).collect();
    let surplus: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
    let differing: Vec<_> = expected
        .iter()
        .filter(|(path, kind)| found.get(*path).is_some_and(|other| other != *kind))
        .collect();
    assert!(
        missing.is_empty() && surplus.is_empty() && differing.is_empty(),
        "the folders differ: {} missing, {} too many, {} different; such as\n missing {:?}\n too many {:?}\n different {:?}",
        missing.len(),
        surplus.len(),
        differing.len(),
        &missing[..missing.len().min(5)],
        &surplus[..surplus.len().min(5)],
        &differing[..differing.len().min(5)],
    );
}

/// Fills a folder with `count` small files, nested, beside names that other tools stumble over, and with
/// empty directories: alone, nested, and between files.
///
/// # Panics
/// If it cannot be written.
pub fn make_awkward_folder(root: &Path, count: usize) {
    const AWKWARD: &[&str] = &[
        // One word twice: composed (NFC) and decomposed (NFD). Both must arrive as they are.
        "caf\u{e9}.txt",
        "cafe\u{301}.txt",
        "emoji \u{1f469}\u{200d}\u{1f680} \u{1f3f3}\u{fe0f}\u{200d}\u{1f308}.bin",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{645}\u{631}\u{62d}\u{628}\u{627}.txt",
        "\u{65e5}\u{672c}\u{8a9e}/\u{d55c}\u{ad6d}\u{c5b4}.txt",
        "spaces  and 'quotes' & \"more\" #1 100% ?.txt",
        ".hidden",
        "no extension",
        "many.dots..txt",
        "deep/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/file",
        "-dash.txt",
        "UPPER/lower.TXT",
        "upper/LOWER.txt",
    ];
    let put = |path: &Path, size: u64| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("it is inside the folder")).expect("a folder");
        make(&path, size, &path.strip_prefix(root).expect("inside").to_string_lossy());
    };
    for (i, name) in AWKWARD.iter().enumerate() {
        put(Path::new(name), i as u64 * 1000);
    }
    // The longest names that file systems take: 255 bytes, here of one and of three bytes a letter.
    put(Path::new(&format!("{}.txt", "n".repeat(251))), 255);
    put(Path::new(&format!("{}.txt", "\u{96ea}".repeat(83))), 253);
    put(&PathBuf::from_iter(vec!["long path_".repeat(20); 4]).join("file"), 1);
    let made = AWKWARD.len() + 3;
    for i in made..count {
        // Sizes from nothing over a few bytes to more than a piece, most of them small.
        let size = match i % 400 {
            0 => 0,
            1 => 300_000,
            n => n as u64 * 13,
        };
        put(&PathBuf::from(format!("folder {}/{}/file {i}.dat", i % 7, i % 43)), size);
    }
    for empty in ["empty", "also empty/and/nested", "folder 0/empty \u{1f4c2}"] {
        fs::create_dir_all(root.join(empty)).expect("a folder");
    }
}

/// Unpacks a ZIP into a folder, byte for byte as its entries say.
///
/// # Panics
/// If it is no ZIP, or an entry is compressed, damaged, or points outside the folder.
pub fn unzip(archive: &Path, into: &Path) {
    let file = File::open(archive).expect("the archive can be opened");
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).expect("it is a ZIP");
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).expect("the archive is whole");
        let name = PathBuf::from(OsStr::from_bytes(entry.name_raw()));
        let safe = name.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        assert!(safe, "an entry points outside: {}", name.display());
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored, "{}", name.display());
        let text = entry.name().expect("names are marked as UTF-8, and are");
        assert_eq!(text.as_bytes(), name.as_os_str().as_bytes(), "a name is not marked as UTF-8");
        let path = into.join(&name);
        if entry.is_dir() {
            fs::create_dir_all(path).expect("a folder");
        } else {
            fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
            let mut file = File::create_new(path).expect("no entry comes twice");
            io::copy(&mut entry, &mut file).expect("the entry is whole");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_byte_or_a_missing_directory_is_noticed() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &two] {
            make_awkward_folder(folder.path(), 30);
        }
        let expected = tree(one.path());
        assert_same(&expected, &tree(two.path()));
        let differ =
            |other: &Tree| std::panic::catch_unwind(|| assert_same(&expected, other)).is_err();

        fs::remove_dir(two.path().join("empty")).unwrap();
        assert!(differ(&tree(two.path())));
        assert_same(
            &without_empty_directories(&expected),
            &without_empty_directories(&tree(two.path())),
        );
        fs::create_dir(two.path().join("empty")).unwrap();

        let mut bytes = fs::read(two.path().join("upper/LOWER.txt")).unwrap();
        bytes[7] ^= 1;
        fs::write(two.path().join("upper/LOWER.txt"), bytes).unwrap();
        assert!(differ(&tree(two.path())));
    }

    #[test]
    fn content_follows_from_size_and_seed() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, size, seed| make(&folder.path().join(name), size, seed);
        let a = make("a", 3_000_000, "seed");
        assert_eq!(a, make("b", 3_000_000, "seed"));
        assert_ne!(a, make("c", 3_000_000, "other"));
        assert_eq!(a, hash(&folder.path().join("a")));
        assert_eq!(make("empty", 0, "seed"), blake3::hash(b""));
    }
}
