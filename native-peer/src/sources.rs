//! What `shoal send` is given: paths of files and folders become manifest entries, and reading a piece
//! of one finds the file again and sees whether it is still what it was.
//!
//! Symbolic links inside folders are skipped, and counted: following them could share what nobody meant
//! to. A path that is itself a link was meant, and is followed.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use protocol::io::StorageError;
use protocol::manifest::{Entry, EntryKind, Manifest, PathError, SharePath};
use protocol::piece::{FileIndex, Span};

use crate::storage::{Calls, Handles, numbered, read_failed};

/// Files of one share that are kept open.
const OPEN_FILES: usize = 64;

/// Why paths cannot be shared. Fits to follow "could not share: ".
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It does not exist, or may not be read.
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A name that is not Unicode: other systems could not show or keep it.
    #[error("the name of {} is not valid Unicode; rename it", .0.display())]
    NotUnicode(PathBuf),
    /// Neither file nor folder.
    #[error("{} is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    /// `/` or the like.
    #[error("{} has no name to share it under; name a folder in it", .0.display())]
    NoName(PathBuf),
    /// A name or path that cannot be shared.
    #[error("{} cannot be shared: {error}", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// Why.
        error: PathError,
    },
}

/// What was found below some paths.
#[derive(Debug, Default)]
pub struct Found {
    /// Files and empty folders.
    pub entries: Vec<Entry>,
    /// Symbolic links, sockets and the like that were skipped.
    pub skipped: Vec<PathBuf>,
    files: HashMap<SharePath, Source>,
}

/// A file as it was found.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

/// The files of a share of ours.
pub struct Sources {
    /// By [`FileIndex`].
    files: Vec<Source>,
    handles: Handles<FileIndex>,
}

/// Finds everything below `paths`. Each stands under its own last name; where two have the same, the
/// later gets a number.
pub fn find(paths: &[PathBuf]) -> Result<Found, SourceError> {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    let mut tops = HashSet::new();
    for path in paths {
        // Resolves `.`, `..` and links, so that the name is the real one and twice is once.
        let resolved = path.canonicalize().map_err(|e| unreadable(path, e))?;
        let named = if ends_in_name(path) { path } else { &resolved };
        let Some(name) = named.file_name() else {
            return Err(SourceError::NoName(path.clone()));
        };
        let name = name.to_str().ok_or_else(|| SourceError::NotUnicode(path.clone()))?;
        if !seen.insert(resolved.clone()) {
            continue;
        }
        let metadata = resolved.metadata().map_err(|e| unreadable(path, e))?;
        let top = (0..)
            .map(|n| numbered(name, n, metadata.is_dir()))
            .find(|top| tops.insert(top.clone()))
            .expect("there are more numbers than paths");
        if metadata.is_dir() {
            found.folder(&resolved, &top, &metadata)?;
        } else if metadata.is_file() {
            found.file(&resolved, &top, &metadata)?;
        } else {
            return Err(SourceError::Special(path.clone()));
        }
    }
    Ok(found)
}

impl Found {
    /// How to read the files of `manifest`, which was made of these entries.
    pub fn sources(mut self, manifest: &Manifest) -> Sources {
        let source = |(_, entry): (_, &Entry)| {
            self.files.remove(&entry.path).expect("the manifest was made of these entries")
        };
        Sources { files: manifest.files().map(source).collect(), handles: Handles::new(OPEN_FILES) }
    }

    fn folder(&mut self, path: &Path, name: &str, own: &Metadata) -> Result<(), SourceError> {
        // A list of what is still to be done, since folders nest deeper than a stack may.
        let mut waiting = vec![(path.to_owned(), name.to_owned(), own.clone())];
        while let Some((path, name, metadata)) = waiting.pop() {
            let mut children: Vec<_> = path
                .read_dir()
                .and_then(Iterator::collect::<Result<_, _>>)
                .map_err(|e| unreadable(&path, e))?;
            children.sort_by_key(|child: &std::fs::DirEntry| child.file_name());
            if children.is_empty() {
                self.entry(&path, &name, EntryKind::Directory, &metadata)?;
            }
            for child in children {
                let path = child.path();
                // Of the link itself, if it is one.
                let metadata = child.metadata().map_err(|e| unreadable(&path, e))?;
                let file_name = child.file_name();
                let Some(child) = file_name.to_str() else {
                    return Err(SourceError::NotUnicode(path));
                };
                let name = format!("{name}/{child}");
                if metadata.is_dir() {
                    waiting.push((path, name, metadata));
                } else if metadata.is_file() {
                    self.file(&path, &name, &metadata)?;
                } else {
                    self.skipped.push(path);
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str, metadata: &Metadata) -> Result<(), SourceError> {
        // Better now, by name, than in the middle of a transfer.
        File::open(path).map_err(|e| unreadable(path, e))?;
        let size = metadata.len();
        let share_path = self.entry(path, name, EntryKind::File { size }, metadata)?;
        let source = Source { path: path.to_owned(), size, modified: metadata.modified().ok() };
        self.files.insert(share_path, source);
        Ok(())
    }

    fn entry(
        &mut self,
        path: &Path,
        name: &str,
        kind: EntryKind,
        metadata: &Metadata,
    ) -> Result<SharePath, SourceError> {
        let share_path = SharePath::new(name)
            .map_err(|error| SourceError::Path { path: path.to_owned(), error })?;
        let modified_ms = metadata.modified().ok().and_then(milliseconds);
        self.entries.push(Entry { path: share_path.clone(), kind, modified_ms });
        Ok(share_path)
    }
}

impl Sources {
    /// Reads a span of a file, if that is still the file that was shared.
    pub(crate) fn read(&self, span: Span) -> Result<Vec<u8>, StorageError> {
        let Some(source) = self.files.get(span.file.0 as usize) else {
            return Err(StorageError::Gone("there is no such file in the share".into()));
        };
        let failed = |e: io::Error| read_failed(source.path.display(), &e);
        let file = self.handles.get(span.file, || File::open(&source.path)).map_err(failed)?;
        let bytes = Calls::default().read_at(&file, span.file_offset, span.length as usize);
        // Afterwards, so that a change while reading shows.
        let metadata = file.metadata().map_err(failed)?;
        if metadata.len() != source.size || metadata.modified().ok() != source.modified {
            return Err(StorageError::Changed(source.path.display().to_string()));
        }
        bytes.map_err(failed)
    }
}

/// Whether the last part is a name, rather than `.`, `..` or a root.
fn ends_in_name(path: &Path) -> bool {
    path.file_name().is_some() && !path.as_os_str().to_string_lossy().ends_with("/.")
}

fn unreadable(path: &Path, error: io::Error) -> SourceError {
    SourceError::Unreadable { path: path.to_owned(), error }
}

/// Milliseconds since 1970-01-01 UTC, rounded down.
fn milliseconds(time: SystemTime) -> Option<i64> {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).ok(),
        Err(before) => {
            let before = before.duration().as_nanos().div_ceil(1_000_000);
            i64::try_from(before).ok().map(|ms| -ms)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use protocol::identity::DeviceKey;

    use super::*;

    fn paths(found: &Found) -> Vec<&str> {
        found.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    fn span(file: u32, length: u32) -> Span {
        Span { file: FileIndex(file), file_offset: 0, payload_offset: 0, length }
    }

    #[test]
    fn a_folder_is_shared_with_everything_in_it_but_links() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("holiday");
        fs::create_dir_all(folder.join("empty/inner")).unwrap();
        fs::create_dir(folder.join("photos")).unwrap();
        fs::write(folder.join("photos/ü🦀.jpg"), "abc").unwrap();
        fs::write(folder.join(".hidden"), "").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
        let found = find(&[folder.join("photos/..")]).unwrap();
        let mut names = paths(&found);
        names.sort_unstable();
        assert_eq!(names, ["holiday/.hidden", "holiday/empty/inner", "holiday/photos/ü🦀.jpg"]);
        assert_eq!(found.skipped.len(), if cfg!(unix) { 1 } else { 0 });
        assert!(found.entries.iter().all(|entry| entry.modified_ms.is_some()));
    }

    #[test]
    fn what_was_found_can_be_read_by_its_index_in_the_manifest() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("f");
        fs::create_dir_all(folder.join("b")).unwrap();
        fs::write(folder.join("z"), "last").unwrap();
        fs::write(folder.join("b/x"), "first").unwrap();
        let mut found = find(&[folder]).unwrap();
        let key = DeviceKey::from_bytes([1; 32]).public();
        let manifest = Manifest::new(key, std::mem::take(&mut found.entries)).unwrap();
        let sources = found.sources(&manifest);
        assert_eq!(sources.read(span(0, 5)).unwrap(), b"first");
        assert_eq!(sources.read(span(1, 4)).unwrap(), b"last");
    }

    #[test]
    fn a_file_that_changed_or_went_is_not_passed_off_as_what_was_shared() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a");
        let sources = || {
            fs::write(&path, "before").unwrap();
            let mut found = find(std::slice::from_ref(&path)).unwrap();
            let key = DeviceKey::from_bytes([1; 32]).public();
            let manifest = Manifest::new(key, std::mem::take(&mut found.entries)).unwrap();
            found.sources(&manifest)
        };
        let changed = || Err(StorageError::Changed(path.display().to_string()));
        let longer = sources();
        assert_eq!(longer.read(span(0, 6)).unwrap(), b"before");
        fs::write(&path, "longer than before").unwrap();
        assert_eq!(longer.read(span(0, 6)), changed());
        let touched = sources();
        let other = SystemTime::UNIX_EPOCH;
        File::options().write(true).open(&path).unwrap().set_modified(other).unwrap();
        assert_eq!(touched.read(span(0, 6)), changed());
        let gone = sources();
        fs::remove_file(&path).unwrap();
        assert!(matches!(gone.read(span(0, 6)), Err(StorageError::Gone(_))));
    }

    #[test]
    fn equal_names_are_told_apart_and_the_same_path_counts_once() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = temp.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name).unwrap();
            path
        };
        let all =
            [path("1/a.txt"), path("2/a.txt"), path("1/a.txt"), temp.path().join("1/./a.txt")];
        assert_eq!(paths(&find(&all).unwrap()), ["a.txt", "a (1).txt"]);
    }

    #[test]
    fn what_cannot_be_shared_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let error = |path: &Path| find(&[path.to_owned()]).unwrap_err().to_string();
        assert!(error(&temp.path().join("missing")).contains("missing cannot be read"));
        assert!(error(Path::new("/")).contains("no name"));
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::ffi::OsStrExt;
            let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
            fs::write(temp.path().join(name), "").unwrap();
            assert!(error(temp.path()).contains("not valid Unicode"));
            let socket = temp.path().join("socket");
            let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(error(&socket).contains("neither a file nor a folder"));
        }
    }

    #[test]
    fn times_before_1970_are_rounded_down_too() {
        use std::time::Duration;
        let time = SystemTime::UNIX_EPOCH - Duration::from_micros(1);
        assert_eq!(milliseconds(time), Some(-1));
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1999);
        assert_eq!(milliseconds(time), Some(1));
    }
}
