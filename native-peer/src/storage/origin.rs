//! What an origin keeps of a share of its own, so that it can come back to it after any interruption: the
//! room it was shared in, the manifest, and the hashes that were signed, so that nothing is ever signed
//! otherwise. The files themselves are read from where they are.
//!
//! One folder for one share, readable by its user only: whoever has the invite can enter the room.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::identity::PublicKey;
use protocol::invite::InviteLink;
use protocol::io::{Kept, StorageError};
use protocol::manifest::{HashBatch, Manifest, ShareId, SignedManifest};
use protocol::piece::{FileIndex, PieceIndex, Span};

use super::calls::Calls;
use super::{Storage, journal, write_failed};
use crate::clock;

/// The link that was given out.
const INVITE: &str = "invite";
/// The manifest as it was signed for that room.
const MANIFEST: &str = "manifest";
/// Signed batches, in the form of a journal.
const HASHES: &str = "hashes";

/// Keeps what is signed. It stores nothing else: nothing can be received with it.
pub struct OriginStorage {
    folder: PathBuf,
    calls: Calls,
    /// Locked, so that no two processes serve the same share under one invite.
    hashes: Mutex<Hashes>,
}

struct Hashes {
    file: File,
    /// Where to go on writing.
    end: u64,
}

/// What an earlier run left.
pub struct Earlier {
    /// The invite that was given out, and its server.
    pub link: InviteLink,
    /// What was shared.
    pub manifest: Manifest,
    /// The hashes that were signed.
    pub known: Vec<HashBatch>,
}

/// Why what an origin keeps cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// Another process serves the share.
    #[error("another process is sharing the same in the same room")]
    InUse,
    /// The folder cannot be read or written.
    #[error("{} cannot be used: {error}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl OriginStorage {
    /// Opens `folder`, which is made if need be, with what an earlier run left there. What makes no sense
    /// counts as nothing.
    pub fn open(folder: &Path) -> Result<(Self, Option<Earlier>), OriginError> {
        let unusable = |error| OriginError::Unusable { path: folder.to_owned(), error };
        make_private(folder).map_err(unusable)?;
        let calls = Calls::default();
        let file = private().create(true).truncate(false).open(folder.join(HASHES));
        let file = file.map_err(unusable)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(OriginError::InUse),
            // Some network file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let bytes = calls.read_all(&file).map_err(unusable)?;
        // In use: see `prune_origins`.
        file.set_modified(clock::now()).map_err(unusable)?;
        let hashes = Mutex::new(Hashes { file, end: bytes.len() as u64 });
        let earlier = Earlier::read(folder, journal::read(&bytes).batches);
        Ok((Self { folder: folder.to_owned(), calls, hashes }, earlier))
    }

    /// Begins with another room: what was there before is forgotten.
    pub fn begin(&self, link: &str, signed: &SignedManifest) -> Result<(), OriginError> {
        let unusable = |error| OriginError::Unusable { path: self.folder.clone(), error };
        let begin = || {
            let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
            hashes.file.set_len(0)?;
            hashes.end = 0;
            self.write(MANIFEST, &signed.to_bytes())?;
            self.write(INVITE, link.as_bytes())
        };
        begin().map_err(unusable)
    }

    /// Forgets it all.
    pub fn remove(&self) -> Result<(), OriginError> {
        let unusable = |error| OriginError::Unusable { path: self.folder.clone(), error };
        fs::remove_dir_all(&self.folder).map_err(unusable)
    }

    /// Replaces a file beside and over it, so that it is never half there.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (new, path) = (self.folder.join(format!("{name}.new")), self.folder.join(name));
        let file = private().create(true).truncate(true).open(&new)?;
        self.calls.write_at(&file, 0, bytes)?;
        self.calls.sync(&file)?;
        drop(file);
        fs::rename(new, path)?;
        // Elsewhere folders cannot be synced, or need not be.
        if cfg!(unix) { File::open(&self.folder)?.sync_all() } else { Ok(()) }
    }
}

impl Earlier {
    fn read(folder: &Path, batches: Vec<HashBatch>) -> Option<Self> {
        let link: InviteLink = fs::read_to_string(folder.join(INVITE)).ok()?.trim().parse().ok()?;
        let signed = SignedManifest::from_bytes(&fs::read(folder.join(MANIFEST)).ok()?).ok()?;
        let manifest = signed.verify(link.invite.room_id()).ok()?;
        let is_of_it = |batch: &HashBatch| {
            batch.share == signed.share() && batch.verify(&manifest.origin()).is_ok()
        };
        let known = batches.into_iter().filter(is_of_it).collect();
        Some(Self { link, manifest, known })
    }

    /// Why `now` is not what was shared, with the name of the first file that makes the difference;
    /// `None` if it is.
    pub fn difference(&self, now: &Manifest) -> Option<String> {
        let by_path = |manifest: &'_ Manifest| -> BTreeMap<_, _> {
            manifest
                .entries()
                .iter()
                .map(|entry| (entry.path.as_str().to_owned(), entry.clone()))
                .collect()
        };
        let (before, now) = (by_path(&self.manifest), by_path(now));
        let changed = before.iter().find_map(|(path, entry)| match now.get(path) {
            None => Some(format!("{path} is gone")),
            Some(now) if now != entry => Some(format!("{path} has changed")),
            Some(_) => None,
        });
        let new = || now.keys().find(|path| !before.contains_key(*path));
        changed.or_else(|| new().map(|path| format!("{path} is new")))
    }

    /// Whose share it is.
    pub fn origin(&self) -> PublicKey {
        self.manifest.origin()
    }
}

/// Removes what origins kept in folders below `all` and did not use for so long.
pub fn prune_origins(all: &Path, unused: Duration) -> io::Result<()> {
    for entry in fs::read_dir(all)? {
        let folder = entry?.path();
        let used = fs::metadata(folder.join(HASHES)).and_then(|metadata| metadata.modified());
        if used.is_ok_and(|used| used.elapsed().is_ok_and(|since| since > unused)) {
            fs::remove_dir_all(folder)?;
        }
    }
    Ok(())
}

/// A folder that only its user can enter, and what leads there.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// For files that only their user can read.
fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

const NOTHING: &str = "nothing can be received here: this only shares";

impl Storage for OriginStorage {
    fn keep(&self, _: ShareId, batches: &[HashBatch]) -> Result<(), StorageError> {
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let records = [journal::header(hashes.end), &journal::records(batches, &[])].concat();
        self.calls
            .write_at(&hashes.file, hashes.end, &records)
            .and_then(|()| self.calls.sync(&hashes.file))
            .map_err(|e| write_failed(self.folder.join(HASHES).display(), &e))?;
        hashes.end += records.len() as u64;
        Ok(())
    }

    fn open(
        &self,
        _: ShareId,
        _: &Arc<Manifest>,
        _: &SignedManifest,
    ) -> Result<Kept, StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn reserve(&self, _: ShareId, _: &[FileIndex]) -> Result<(), StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn read(&self, _: ShareId, _: Span) -> Result<Vec<u8>, StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn write(&self, _: ShareId, _: PieceIndex, _: Span, _: &[u8]) -> Result<(), StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn commit(&self, _: ShareId, _: &[PieceIndex], _: &[HashBatch]) -> Result<(), StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn finish(&self, _: ShareId, _: &[FileIndex]) -> Result<(), StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn close(&self, _: ShareId, _: bool) {}

    fn available(&self) -> Option<u64> {
        None
    }

    fn places(&self, _: ShareId) -> Vec<(FileIndex, PathBuf)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use protocol::identity::DeviceKey;
    use protocol::invite::Invite;
    use protocol::manifest::{Entry, EntryKind, SharePath};
    use protocol::piece::PieceHash;

    use super::*;

    fn key() -> DeviceKey {
        DeviceKey::from_bytes([1; 32])
    }

    fn manifest(files: &[(&str, u64)]) -> Manifest {
        let entry = |&(path, size): &(&str, u64)| Entry {
            path: SharePath::new(path).unwrap(),
            kind: EntryKind::File { size },
            modified_ms: Some(7),
        };
        Manifest::new(key().public(), files.iter().map(entry).collect()).unwrap()
    }

    #[test]
    fn an_origin_comes_back_with_its_room_and_all_that_it_signed() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("sent/a");
        let manifest = manifest(&[("a", 5), ("b", 6)]);
        let invite = Invite::new([3; 32], &key().public());
        let signed = SignedManifest::sign(&manifest, invite.room_id(), &key()).unwrap();
        let batch = |first| {
            let hashes = vec![PieceHash([first as u8; 32])];
            HashBatch::sign(signed.share(), PieceIndex(first), hashes, &key())
        };
        let (storage, earlier) = OriginStorage::open(&folder).unwrap();
        assert!(earlier.is_none());
        storage.begin(&invite.to_link("https://example.org"), &signed).unwrap();
        storage.keep(signed.share(), &[batch(0)]).unwrap();
        storage.keep(signed.share(), &[batch(1)]).unwrap();
        assert!(matches!(OriginStorage::open(&folder), Err(OriginError::InUse)));
        drop(storage);

        // Torn in the middle of a batch.
        let torn = fs::read(folder.join(HASHES)).unwrap();
        fs::write(folder.join(HASHES), &torn[..torn.len() - 3]).unwrap();
        let (storage, earlier) = OriginStorage::open(&folder).unwrap();
        let earlier = earlier.unwrap();
        assert_eq!(earlier.link.invite, invite);
        assert_eq!(earlier.known, [batch(0)]);
        assert_eq!(earlier.difference(&manifest), None);
        storage.keep(signed.share(), &[batch(1)]).unwrap();
        drop(storage);
        let (storage, earlier) = OriginStorage::open(&folder).unwrap();
        assert_eq!(earlier.unwrap().known, [batch(0), batch(1)]);
        #[cfg(unix)]
        for (path, mode) in [(folder.clone(), 0o700), (folder.join(INVITE), 0o600)] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
        storage.remove().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn what_is_not_as_it_was_is_named() {
        let link = Invite::new([3; 32], &key().public()).to_link("https://example.org");
        let earlier = Earlier {
            link: link.parse().unwrap(),
            manifest: manifest(&[("a", 5), ("b", 6)]),
            known: Vec::new(),
        };
        for (now, difference) in [
            (&[("a", 5), ("b", 6)][..], None),
            (&[("a", 5), ("b", 7)], Some("b has changed")),
            (&[("a", 5)], Some("b is gone")),
            (&[("a", 5), ("b", 6), ("c", 1)], Some("c is new")),
        ] {
            assert_eq!(earlier.difference(&manifest(now)).as_deref(), difference);
        }
    }

    #[test]
    fn what_was_not_used_for_long_goes() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["old", "new"] {
            OriginStorage::open(&temp.path().join(name)).unwrap();
        }
        let old = File::options().write(true).open(temp.path().join("old").join(HASHES)).unwrap();
        old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        prune_origins(temp.path(), Duration::from_secs(3600)).unwrap();
        let left: Vec<_> =
            fs::read_dir(temp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["new"]);
    }
}
