//! Manifests: what a share consists of, and who vouches for it.
//!
//! A manifest lists files and empty directories with their sizes and times, names the origin's
//! device key, and is known by its hash, the [`ShareId`]. It holds no content hashes, so a share is on
//! the shelf before a byte of it was read; those follow in [`HashBatch`]es, each signed by the same
//! key. Whoever passes manifests and batches on need not be trusted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use data_encoding::HEXLOWER;

use crate::codec::{DecodeError, Reader, Writer};
use crate::identity::{BadSignature, DeviceKey, PublicKey, Signature};
use crate::names::{Risk, risk};
use crate::piece::{
    FileIndex, Geometry, GeometryError, MAX_PIECES, PieceHash, PieceIndex, PieceSize,
};
use crate::signaling::RoomId;

const VERSION: u8 = 1;
/// The largest manifest, in bytes as it travels.
pub const MAX_MANIFEST_BYTES: usize = 32 << 20;
/// The most files and directories a share may list.
pub const MAX_ENTRIES: u32 = 1 << 17;
/// The longest path, in bytes of UTF-8, slashes included.
pub const MAX_PATH_BYTES: usize = 4096;
/// The longest path component, in bytes of UTF-8, as common file systems have it.
pub const MAX_NAME_BYTES: usize = 255;
/// The most hashes in one batch: 8 KiB of them.
pub const MAX_BATCH: u32 = 256;

const SHARE_ID: &str = "shoal v1 share id";
const SIGN_MANIFEST: &str = "shoal v1 origin signs a manifest for a room";
const SIGN_BATCH: &str = "shoal v1 origin signs piece hashes";

/// Names a share: the hash of its manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareId(pub [u8; 32]);

/// What a share consists of. Entries are in ascending order of their paths, component by component.
#[derive(Clone, Debug)]
pub struct Manifest {
    origin: PublicKey,
    entries: Vec<Entry>,
    /// The entry of each file, by [`FileIndex`].
    files: Vec<u32>,
    geometry: Geometry,
    /// How many files are in no folder.
    loose_files: u32,
    risky: OnceLock<Vec<(FileIndex, Risk)>>,
}

/// One file, or one directory that would otherwise not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it belongs, relative to where the share lands.
    pub path: SharePath,
    /// What it is.
    pub kind: EntryKind,
    /// Last modification, in milliseconds since 1970-01-01 UTC, where the origin knows it.
    pub modified_ms: Option<i64>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file of so many bytes.
    File {
        /// Bytes.
        size: u64,
    },
    /// A directory; only listed where it is empty.
    Directory,
}

/// A relative path: one or more names joined by `/`, none of them empty, `.` or `..`, without NUL.
///
/// Beyond that a name may be anything that some file system allows; what may touch *this* machine's
/// file system is decided by [`crate::names`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SharePath(String);

/// A manifest with the signature of its origin, in the form that travels and is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedManifest {
    bytes: Vec<u8>,
    signature: Signature,
}

/// Consecutive piece hashes with the signature of the share's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashBatch {
    /// The share.
    pub share: ShareId,
    /// The piece of the first hash.
    pub first: PieceIndex,
    /// One to [`MAX_BATCH`] hashes.
    pub hashes: Vec<PieceHash>,
    /// Of the share's origin.
    pub signature: Signature,
}

/// Why a path cannot be shared. Fits to follow "could not share NAME: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Empty, or an empty name between slashes.
    #[error("a name is empty")]
    Empty,
    /// `.` or `..`.
    #[error("a name is . or ..")]
    Dots,
    /// Contains NUL.
    #[error("a name contains a NUL character")]
    Nul,
    /// Longer than [`MAX_PATH_BYTES`], or a name longer than [`MAX_NAME_BYTES`].
    #[error(
        "a name is longer than {MAX_NAME_BYTES} bytes or the path longer than {MAX_PATH_BYTES}"
    )]
    TooLong,
}

/// Why entries make no manifest, or bytes are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Nothing to share.
    #[error("there is nothing to share")]
    Empty,
    /// More than [`MAX_ENTRIES`] entries, or more than [`MAX_MANIFEST_BYTES`].
    #[error(
        "too many files: at most {MAX_ENTRIES} in one share; share the folder's parts one by one"
    )]
    TooMany,
    /// Two entries have the same path, or one is a file where another needs a directory.
    #[error("two entries claim the path {0:?}")]
    Clash(String),
    /// Not in ascending order.
    #[error("the entries are out of order at {0:?}")]
    OutOfOrder(String),
    /// A path that cannot be shared.
    #[error("{0}")]
    Path(#[from] PathError),
    /// Sizes that cannot be cut into pieces.
    #[error("{0}")]
    Geometry(#[from] GeometryError),
    /// Bytes that are no manifest.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// Signed by somebody else, or for another room.
    #[error("{0}")]
    Signature(#[from] BadSignature),
}

impl Manifest {
    /// A manifest of these entries, in any order; parents of other entries need no entry.
    pub fn new(origin: PublicKey, mut entries: Vec<Entry>) -> Result<Self, ManifestError> {
        entries.sort_by(|a, b| a.path.components().cmp(b.path.components()));
        let total = entries.iter().map(Entry::size).fold(0u64, u64::saturating_add);
        Self::checked(origin, PieceSize::for_total(total), entries)
    }

    /// The key of whoever shares.
    pub fn origin(&self) -> PublicKey {
        self.origin
    }

    /// Files and empty directories, in ascending order of their paths.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The files in order: the index is the [`FileIndex`].
    pub fn files(&self) -> impl ExactSizeIterator<Item = (FileIndex, &Entry)> {
        self.files
            .iter()
            .enumerate()
            .map(|(i, &entry)| (FileIndex(i as u32), &self.entries[entry as usize]))
    }

    /// One file.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn file(&self, file: FileIndex) -> &Entry {
        &self.entries[self.files[file.0 as usize] as usize]
    }

    /// How many files are in no folder.
    pub fn loose_files(&self) -> u32 {
        self.loose_files
    }

    /// How the files are cut.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Bytes of all files.
    pub fn total(&self) -> u64 {
        self.geometry.total()
    }

    /// The files that may do something when they are opened, as far as their names tell. Looked for once.
    pub fn risky(&self) -> &[(FileIndex, Risk)] {
        self.risky.get_or_init(|| {
            let found = |(file, entry): (_, &Entry)| Some((file, risk(entry.path.as_str())?));
            self.files().filter_map(found).collect()
        })
    }

    /// The name of the only file, or of the folder that everything is in, or `None`: then people are
    /// told how many files there are.
    pub fn common_name(&self) -> Option<&str> {
        fn top(entry: &Entry) -> Option<&str> {
            entry.path.components().next()
        }
        // In their order, what is between two that are in the same folder is in it too.
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        top(first).filter(|first| top(last) == Some(first))
    }

    /// What people call the share: the file's name if it is one file, else the folder's name, else
    /// `N files`.
    pub fn title(&self) -> String {
        self.common_name().map_or_else(|| format!("{} files", self.files.len()), str::to_owned)
    }

    /// The form that is hashed, signed and sent.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(64 + self.entries.len() * 48);
        w.u8(VERSION)
            .u8(self.geometry.piece_size().log2())
            .bytes(&self.origin.0)
            .count(self.entries.len());
        for entry in &self.entries {
            let tag = u8::from(entry.kind == EntryKind::Directory)
                | u8::from(entry.modified_ms.is_some()) << 1;
            w.u8(tag).text(entry.path.as_str());
            if let EntryKind::File { size } = entry.kind {
                w.u64(size);
            }
            if let Some(modified) = entry.modified_ms {
                w.u64(modified as u64);
            }
        }
        w.finish()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut r = Reader::new(bytes);
        match r.u8()? {
            VERSION => {}
            value => return Err(DecodeError::Unknown { what: "manifest version", value }.into()),
        }
        let piece_size = PieceSize::from_log2(r.u8()?)?;
        let origin = PublicKey(r.array()?);
        let count = r.count("number of entries", MAX_ENTRIES, 3)?;
        let mut entries = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let tag = r.u8()?;
            if tag > 3 {
                return Err(DecodeError::Unknown { what: "kind of entry", value: tag }.into());
            }
            let path = SharePath::new(r.text("path length", MAX_PATH_BYTES)?)?;
            let kind = if tag & 1 == 1 {
                EntryKind::Directory
            } else {
                EntryKind::File { size: r.u64()? }
            };
            let modified_ms = if tag & 2 == 2 { Some(r.u64()? as i64) } else { None };
            entries.push(Entry { path, kind, modified_ms });
        }
        r.finish()?;
        Self::checked(origin, piece_size, entries)
    }

    fn checked(
        origin: PublicKey,
        piece_size: PieceSize,
        entries: Vec<Entry>,
    ) -> Result<Self, ManifestError> {
        if entries.is_empty() {
            return Err(ManifestError::Empty);
        }
        if entries.len() > MAX_ENTRIES as usize {
            return Err(ManifestError::TooMany);
        }
        for pair in entries.windows(2) {
            let (before, after) = (&pair[0].path, &pair[1].path);
            // In this order whatever lies inside `before` comes right after it.
            if after.is_inside_or_equals(before) {
                return Err(ManifestError::Clash(before.as_str().to_owned()));
            }
            if before.components().gt(after.components()) {
                return Err(ManifestError::OutOfOrder(after.as_str().to_owned()));
            }
        }
        let is_file = |entry: &Entry| matches!(entry.kind, EntryKind::File { .. });
        let files =
            (0..).zip(&entries).filter(|(_, entry)| is_file(entry)).map(|(i, _)| i).collect();
        let sizes = entries.iter().filter(|entry| is_file(entry)).map(Entry::size);
        let geometry = Geometry::new(piece_size, sizes)?;
        let is_loose = |entry: &Entry| is_file(entry) && entry.path.components().nth(1).is_none();
        let loose_files = entries.iter().filter(|entry| is_loose(entry)).count() as u32;
        Ok(Self { origin, entries, files, geometry, loose_files, risky: OnceLock::new() })
    }
}

impl Entry {
    /// Bytes; zero for a directory.
    pub fn size(&self) -> u64 {
        match self.kind {
            EntryKind::File { size } => size,
            EntryKind::Directory => 0,
        }
    }
}

impl SharePath {
    /// Checks a path.
    pub fn new(path: &str) -> Result<Self, PathError> {
        if path.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        for name in path.split('/') {
            match name {
                "" => return Err(PathError::Empty),
                "." | ".." => return Err(PathError::Dots),
                _ if name.contains('\0') => return Err(PathError::Nul),
                _ if name.len() > MAX_NAME_BYTES => return Err(PathError::TooLong),
                _ => {}
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// The names joined by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    fn is_inside_or_equals(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for SharePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SignedManifest {
    /// Signs a manifest for a room.
    pub fn sign(manifest: &Manifest, room: RoomId, key: &DeviceKey) -> Result<Self, ManifestError> {
        let bytes = manifest.to_bytes();
        if bytes.len() + 64 > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooMany);
        }
        let signature = key.sign(SIGN_MANIFEST, &signed_part(room, share_id(&bytes)));
        Ok(Self { bytes, signature })
    }

    /// The share it describes.
    pub fn share(&self) -> ShareId {
        share_id(&self.bytes)
    }

    /// Checks signature and contents, and gives the manifest.
    pub fn verify(&self, room: RoomId) -> Result<Manifest, ManifestError> {
        let manifest = Manifest::from_bytes(&self.bytes)?;
        manifest.origin.verify(SIGN_MANIFEST, &signed_part(room, self.share()), &self.signature)?;
        Ok(manifest)
    }

    /// The form that travels: signature, then manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.signature.0[..], &self.bytes].concat()
    }

    /// Splits the form that travels; checks nothing but the length (see [`SignedManifest::verify`]).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooMany);
        }
        let mut r = Reader::new(bytes);
        Ok(Self { signature: Signature(r.array()?), bytes: r.rest().to_vec() })
    }
}

fn share_id(bytes: &[u8]) -> ShareId {
    ShareId(blake3::derive_key(SHARE_ID, bytes))
}

fn signed_part(room: RoomId, share: ShareId) -> Vec<u8> {
    [&room.0[..], &share.0].concat()
}

impl HashBatch {
    /// Signs hashes of consecutive pieces.
    pub fn sign(
        share: ShareId,
        first: PieceIndex,
        hashes: Vec<PieceHash>,
        key: &DeviceKey,
    ) -> Self {
        let signature = key.sign(SIGN_BATCH, &Self::signed_part(share, first, &hashes));
        Self { share, first, hashes, signature }
    }

    /// Checks that the share's origin signed this.
    pub fn verify(&self, origin: &PublicKey) -> Result<(), BadSignature> {
        origin.verify(
            SIGN_BATCH,
            &Self::signed_part(self.share, self.first, &self.hashes),
            &self.signature,
        )
    }

    /// The pieces and their hashes.
    pub fn iter(&self) -> impl Iterator<Item = (PieceIndex, PieceHash)> {
        (0..).zip(&self.hashes).map(|(i, &hash)| (PieceIndex(self.first.0 + i), hash))
    }

    /// The form that travels and is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(32 + 8 + self.hashes.len() * 32 + 64);
        self.write(&mut w);
        w.finish()
    }

    /// Reads the form that travels; signatures are checked by [`HashBatch::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let batch = Self::read(&mut r)?;
        r.finish()?;
        Ok(batch)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(&self.share.0).u32(self.first.0).count(self.hashes.len());
        for hash in &self.hashes {
            w.bytes(&hash.0);
        }
        w.bytes(&self.signature.0);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let share = ShareId(r.array()?);
        let first = PieceIndex(r.u32()?);
        let count = r.count("number of hashes", MAX_BATCH, 32)?;
        if count == 0 || first.0.checked_add(count).is_none_or(|end| end > MAX_PIECES) {
            return Err(DecodeError::OutOfRange("number of hashes"));
        }
        let hashes = (0..count).map(|_| r.array().map(PieceHash)).collect::<Result<_, _>>()?;
        Ok(Self { share, first, hashes, signature: Signature(r.array()?) })
    }

    fn signed_part(share: ShareId, first: PieceIndex, hashes: &[PieceHash]) -> Vec<u8> {
        let mut w = Writer::with_capacity(36 + hashes.len() * 32);
        w.bytes(&share.0).u32(first.0);
        for hash in hashes {
            w.bytes(&hash.0);
        }
        w.finish()
    }
}

/// The piece hashes of a share that are known, with the batches that prove them.
#[derive(Clone, Debug, Default)]
pub struct KnownHashes {
    /// Per piece its hash, and the place in `batches` of the batch that first told it.
    hashes: BTreeMap<PieceIndex, (PieceHash, usize)>,
    batches: Vec<HashBatch>,
    /// Hashes in all batches together.
    signed: usize,
}

/// An origin has signed two different hashes for one piece: its files changed, or it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the origin signed two different hashes for piece {}", .0.0)]
pub struct Contradiction(pub PieceIndex);

impl KnownHashes {
    /// Those of a share's batches that its origin signed. Of two that contradict each other the first holds.
    pub fn verified(
        share: ShareId,
        origin: &PublicKey,
        batches: impl IntoIterator<Item = HashBatch>,
    ) -> Self {
        let mut hashes = Self::default();
        for batch in batches {
            if batch.share == share && batch.verify(origin).is_ok() {
                let _ = hashes.insert(batch);
            }
        }
        hashes
    }

    /// The hash of a piece, if it is known.
    pub fn hash(&self, piece: PieceIndex) -> Option<PieceHash> {
        self.hashes.get(&piece).map(|&(hash, _)| hash)
    }

    /// How many hashes are known.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// How many hashes the batches hold, those that say the same counted each time.
    pub fn signed(&self) -> usize {
        self.signed
    }

    /// The batch that proves the hash of a piece, and its place among [`KnownHashes::batches`].
    pub fn batch(&self, piece: PieceIndex) -> Option<(usize, &HashBatch)> {
        self.hashes.get(&piece).map(|&(_, place)| (place, &self.batches[place]))
    }

    /// All batches, in the order in which they came.
    pub fn batches(&self) -> &[HashBatch] {
        &self.batches
    }

    /// Adds a verified batch; true if it said anything new, and only then it is kept.
    pub fn insert(&mut self, batch: HashBatch) -> Result<bool, Contradiction> {
        let mut new = false;
        for (piece, hash) in batch.iter() {
            match self.hash(piece) {
                Some(known) if known != hash => return Err(Contradiction(piece)),
                Some(_) => {}
                None => new = true,
            }
        }
        if new {
            let place = self.batches.len();
            for (piece, hash) in batch.iter() {
                self.hashes.entry(piece).or_insert((hash, place));
            }
            self.signed += batch.hashes.len();
            self.batches.push(batch);
        }
        Ok(new)
    }
}

impl fmt::Display for ShareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ShareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareId({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

impl std::str::FromStr for ShareId {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(DecodeError::OutOfRange("share id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId([3; 16]);

    fn key() -> DeviceKey {
        DeviceKey::from_bytes([1; 32])
    }

    fn file(path: &str, size: u64) -> Entry {
        let path = SharePath::new(path).unwrap();
        Entry { path, kind: EntryKind::File { size }, modified_ms: Some(-5) }
    }

    fn directory(path: &str) -> Entry {
        Entry { path: SharePath::new(path).unwrap(), kind: EntryKind::Directory, modified_ms: None }
    }

    #[test]
    fn a_manifest_survives_the_journey_and_nothing_else_does() {
        let entries = vec![
            file("a/b c.txt", 7),
            directory("a/empty"),
            file("a/é🦀/x", 300_000),
            file("a!", 0),
        ];
        let manifest = Manifest::new(key().public(), entries).unwrap();
        let signed = SignedManifest::sign(&manifest, ROOM, &key()).unwrap();
        let bytes = signed.to_bytes();
        let back = SignedManifest::from_bytes(&bytes).unwrap();
        assert_eq!(back.share(), signed.share());
        assert_eq!(back.verify(ROOM).unwrap().entries(), manifest.entries());
        assert!(back.verify(RoomId([4; 16])).is_err(), "signed for another room");
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            let damaged = SignedManifest::from_bytes(&damaged).unwrap();
            assert!(damaged.verify(ROOM).is_err(), "byte {i} changed");
            let short = SignedManifest::from_bytes(&bytes[..i]);
            assert!(short.is_err() || short.unwrap().verify(ROOM).is_err(), "cut at {i}");
        }
    }

    #[test]
    fn titles_are_what_people_expect() {
        let title = |entries| Manifest::new(key().public(), entries).unwrap().title();
        assert_eq!(title(vec![file("photo.jpg", 1)]), "photo.jpg");
        assert_eq!(title(vec![file("album/1.jpg", 1), file("album/2/3.jpg", 1)]), "album");
        assert_eq!(title(vec![file("1.jpg", 1), file("2.jpg", 1)]), "2 files");
        assert_eq!(title(vec![directory("nothing in it")]), "nothing in it");
    }

    #[test]
    fn paths_that_clash_or_escape_are_refused() {
        let make = |entries| Manifest::new(key().public(), entries).map(|_| ());
        assert_eq!(make(vec![]), Err(ManifestError::Empty));
        assert_eq!(make(vec![file("a", 1), file("a", 2)]), Err(ManifestError::Clash("a".into())));
        let inside = vec![file("a/b", 1), file("a!", 1), file("a", 1)];
        assert_eq!(make(inside), Err(ManifestError::Clash("a".into())));
        assert_eq!(make(vec![file("a/b", 1), file("a!", 1), file("a b", 1)]), Ok(()));
        for (path, error) in [
            ("", PathError::Empty),
            ("/etc/passwd", PathError::Empty),
            ("a//b", PathError::Empty),
            ("a/", PathError::Empty),
            ("a/../b", PathError::Dots),
            (".", PathError::Dots),
            ("a\0b", PathError::Nul),
        ] {
            assert_eq!(SharePath::new(path), Err(error), "{path:?}");
        }
        assert_eq!(SharePath::new(&"x".repeat(256)), Err(PathError::TooLong));
    }

    #[test]
    fn a_batch_holds_only_as_the_origin_signed_it() {
        let share = ShareId([5; 32]);
        let hashes = vec![PieceHash([1; 32]), PieceHash([2; 32])];
        let batch = HashBatch::sign(share, PieceIndex(9), hashes, &key());
        assert_eq!(HashBatch::from_bytes(&batch.to_bytes()), Ok(batch.clone()));
        assert_eq!(batch.verify(&key().public()), Ok(()));
        assert!(batch.verify(&DeviceKey::from_bytes([2; 32]).public()).is_err());
        let mut moved = batch.clone();
        moved.first = PieceIndex(8);
        assert!(moved.verify(&key().public()).is_err());
        let mut other = batch;
        other.share = ShareId([6; 32]);
        assert!(other.verify(&key().public()).is_err());
    }

    #[test]
    fn known_hashes_find_the_proof_among_overlapping_batches() {
        let share = ShareId([5; 32]);
        let hash = |i: u32| PieceHash([i as u8; 32]);
        let batch = |range: std::ops::Range<u32>| {
            HashBatch::sign(share, PieceIndex(range.start), range.map(hash).collect(), &key())
        };
        let mut known = KnownHashes::default();
        assert_eq!(known.insert(batch(10..11)), Ok(true));
        assert_eq!(known.insert(batch(0..64)), Ok(true));
        assert_eq!(known.insert(batch(3..5)), Ok(false));
        for piece in [0, 10, 20, 63] {
            assert!(known.batch(PieceIndex(piece)).unwrap().1.iter().any(|(p, _)| p.0 == piece));
            assert_eq!(known.hash(PieceIndex(piece)), Some(hash(piece)));
        }
        assert_eq!(known.batch(PieceIndex(64)), None);
        let lie = HashBatch::sign(share, PieceIndex(20), vec![hash(1)], &key());
        assert_eq!(known.insert(lie), Err(Contradiction(PieceIndex(20))));
        assert_eq!((known.batches().len(), known.count()), (2, 64));
    }
}
