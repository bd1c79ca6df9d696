use std::fs;
use std::time::{Duration, SystemTime};

use protocol::identity::DeviceKey;
use protocol::manifest::{Entry, SharePath};
use protocol::piece::PieceHash;
use tempfile::TempDir;

use super::*;

const PIECE: usize = 256 << 10;

/// A share made of nothing but its manifest and bytes that follow from their place.
struct Origin {
    key: DeviceKey,
    manifest: Arc<Manifest>,
    signed: SignedManifest,
}

impl Origin {
    fn new(entries: Vec<Entry>) -> Self {
        let key = DeviceKey::from_bytes([1; 32]);
        let manifest = Arc::new(Manifest::new(key.public(), entries).unwrap());
        let signed = SignedManifest::sign(&manifest, RoomId([2; 16]), &key).unwrap();
        Self { key, manifest, signed }
    }

    fn of_files(files: &[(&str, usize)]) -> Self {
        Self::new(files.iter().map(|&(path, size)| file(path, size)).collect())
    }

    fn id(&self) -> ShareId {
        self.signed.share()
    }

    fn files(&self) -> Vec<FileIndex> {
        (0..self.manifest.geometry().files()).map(FileIndex).collect()
    }

    fn pieces(&self) -> impl Iterator<Item = PieceIndex> + use<> {
        (0..self.manifest.geometry().pieces()).map(PieceIndex)
    }

    fn bytes(&self, piece: PieceIndex) -> (Span, Vec<u8>) {
        let span = self.manifest.geometry().span(piece).unwrap();
        let bytes = (0..span.length).map(|i| content(span.file, span.file_offset + u64::from(i)));
        (span, bytes.collect())
    }

    fn batch(&self, pieces: impl IntoIterator<Item = PieceIndex>) -> HashBatch {
        let pieces: Vec<_> = pieces.into_iter().collect();
        let hash = |&piece: &PieceIndex| -> PieceHash {
            self.manifest.geometry().hash(piece, &self.bytes(piece).1).unwrap()
        };
        HashBatch::sign(self.id(), pieces[0], pieces.iter().map(hash).collect(), &self.key)
    }

    fn open(&self, storage: &DiskStorage) -> Kept {
        storage.open(self.id(), &self.manifest, &self.signed).unwrap()
    }

    /// Writes and commits pieces.
    fn store(&self, storage: &DiskStorage, pieces: impl IntoIterator<Item = PieceIndex>) {
        let pieces: Vec<_> = pieces.into_iter().collect();
        for &piece in &pieces {
            let (span, bytes) = self.bytes(piece);
            storage.write(self.id(), piece, span, &bytes).unwrap();
        }
        let batches: Vec<_> = pieces.iter().map(|&piece| self.batch([piece])).collect();
        storage.commit(self.id(), &pieces, &batches).unwrap();
    }

    /// Receives all of it.
    fn receive(&self, storage: &DiskStorage) {
        self.open(storage);
        self.store(storage, self.pieces());
        storage.finish(self.id(), &self.files()).unwrap();
    }

    /// That the files lie in `folder` as they should, under `places`.
    fn assert_landed(&self, folder: &Path, places: &[&str]) {
        assert_eq!(self.manifest.files().len(), places.len());
        for ((index, entry), place) in self.manifest.files().zip(places) {
            let expected: Vec<u8> = (0..entry.size()).map(|at| content(index, at)).collect();
            assert!(fs::read(folder.join(place)).unwrap() == expected, "{place}");
        }
    }
}

fn file(path: &str, size: usize) -> Entry {
    let path = SharePath::new(path).unwrap();
    let kind = EntryKind::File { size: size as u64 };
    Entry { path, kind, modified_ms: Some(1_234_567_890_123) }
}

fn content(file: FileIndex, at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(file.0) * 77) >> 9) as u8
}

fn folder() -> (TempDir, DiskStorage) {
    let folder = tempfile::tempdir().unwrap();
    let storage = DiskStorage::new(&folder.path().join("into")).unwrap();
    (folder, storage)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_share_lands_whole_with_its_times_and_leaves_nothing_else() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let mut entries = vec![
        file("album/a.bin", 2 * PIECE + 5),
        file("album/deep/er/b", 1),
        file("album/empty.txt", 0),
    ];
    entries.push(Entry {
        path: SharePath::new("album/nothing/here").unwrap(),
        kind: EntryKind::Directory,
        modified_ms: Some(-1500),
    });
    let origin = Origin::new(entries);
    assert_eq!(origin.open(&storage).pieces.count(), 0);
    origin.store(&storage, origin.pieces());
    assert_eq!(names(&into), [".shoal"], "nothing shows before it is whole");
    assert_eq!(storage.places(origin.id()), []);
    storage.finish(origin.id(), &origin.files()).unwrap();

    assert_eq!(names(&into), ["album"]);
    let places = ["album/a.bin", "album/deep/er/b", "album/empty.txt"];
    origin.assert_landed(&into, &places);
    let expected: Vec<_> = places.iter().map(PathBuf::from).collect();
    let (_, told): (Vec<_>, Vec<_>) = storage.places(origin.id()).into_iter().unzip();
    assert_eq!(told, expected);
    let modified = |name: &str| fs::metadata(into.join(name)).unwrap().modified().unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567_890_123);
    assert!(places.iter().all(|place| modified(place) == time));
    let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1500);
    assert_eq!(modified("album/nothing/here"), before);
    for piece in origin.pieces() {
        let (span, bytes) = origin.bytes(piece);
        assert!(storage.read(origin.id(), span).unwrap() == bytes, "served on from its place");
    }
}

#[test]
fn an_interrupted_share_goes_on_where_it_was_committed() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let origin = Origin::of_files(&[("a", 3 * PIECE), ("b", 10)]);
    origin.open(&storage);
    origin.store(&storage, [PieceIndex(0), PieceIndex(2)]);
    let (span, bytes) = origin.bytes(PieceIndex(1));
    storage.write(origin.id(), PieceIndex(1), span, &bytes).unwrap();
    drop(storage);

    let storage = DiskStorage::new(&into).unwrap();
    let kept = origin.open(&storage);
    let pieces: Vec<_> = kept.pieces.iter().collect();
    assert_eq!(pieces, [PieceIndex(0), PieceIndex(2)], "what was not committed does not count");
    assert!(kept.batches.iter().all(|batch| batch.verify(&origin.key.public()).is_ok()));
    assert_eq!(kept.finished, []);
    origin.store(&storage, [PieceIndex(1), PieceIndex(3)]);
    storage.finish(origin.id(), &origin.files()).unwrap();
    origin.assert_landed(&into, &["a", "b"]);
}

#[test]
fn kept_pieces_are_believed_only_as_their_hashes_bear_out() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let origin = Origin::of_files(&[("a", 3 * PIECE)]);
    origin.open(&storage);
    origin.store(&storage, origin.pieces());
    // A claim without the signed hash of its piece is nothing either.
    let liar = DeviceKey::from_bytes([9; 32]);
    let forged = HashBatch::sign(origin.id(), PieceIndex(0), vec![PieceHash([0; 32])], &liar);
    storage.commit(origin.id(), &[PieceIndex(0)], &[forged]).unwrap();
    drop(storage);

    let data = into.join(STATE).join(origin.id().to_string()).join("data/0");
    let mut bytes = fs::read(&data).unwrap();
    bytes[PIECE + 7] ^= 1;
    fs::write(&data, bytes).unwrap();
    let kept = origin.open(&DiskStorage::new(&into).unwrap());
    assert_eq!(kept.pieces.iter().collect::<Vec<_>>(), [PieceIndex(0), PieceIndex(2)]);
}

/// The journal of a share that is being received.
fn journal_of(origin: &Origin, into: &Path) -> PathBuf {
    into.join(STATE).join(origin.id().to_string()).join(JOURNAL)
}

#[test]
fn a_journal_torn_anywhere_claims_nothing_false() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let origin = Origin::of_files(&[("a", 4 * PIECE)]);
    origin.open(&storage);
    origin.store(&storage, [PieceIndex(0)]);
    origin.store(&storage, [PieceIndex(1)]);
    drop(storage);

    let path = journal_of(&origin, &into);
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let storage = DiskStorage::new(&into).unwrap();
        let before = origin.open(&storage).pieces.count();
        assert!(before <= 2, "cut at {cut}");
        origin.store(&storage, [PieceIndex(3)]);
        drop(storage);
        let kept = origin.open(&DiskStorage::new(&into).unwrap()).pieces;
        assert_eq!(kept.count(), before + 1, "cut at {cut}");
        assert!(kept.contains(PieceIndex(3)), "cut at {cut}");
    }
}

#[test]
fn a_damaged_journal_costs_a_check_of_the_bytes_and_no_more() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let origin = Origin::of_files(&[("a", 4 * PIECE), ("b", 9)]);
    origin.open(&storage);
    let all: Vec<PieceIndex> = origin.pieces().collect();
    storage.commit(origin.id(), &[], &[origin.batch(all.clone())]).unwrap();
    for piece in all {
        let (span, bytes) = origin.bytes(piece);
        storage.write(origin.id(), piece, span, &bytes).unwrap();
        storage.commit(origin.id(), &[piece], &[]).unwrap();
    }
    drop(storage);

    let path = journal_of(&origin, &into);
    let whole = fs::read(&path).unwrap();
    let batch = journal::records(&[origin.batch(origin.pieces())], &[]).len();
    let spoil = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    // Its version, and each byte after the hashes; and more of it than is there.
    let after = journal::header(0).len() + batch;
    let mut damaged: Vec<Vec<u8>> = (after..whole.len()).map(spoil).collect();
    damaged.extend([spoil(7), [&whole, &[0; 5000][..]].concat(), whole[..after].to_vec()]);
    for bytes in damaged {
        fs::write(&path, &bytes).unwrap();
        let is_cut = bytes.len() == after;
        let kept = origin.open(&DiskStorage::new(&into).unwrap());
        assert!(kept.pieces.is_full() || is_cut, "{:?}", kept.pieces);
        // Mended: it is not looked for again.
        let mended = fs::read(&path).unwrap();
        assert!(!journal::read(&mended).damaged);
        assert!(
            origin.open(&DiskStorage::new(&into).unwrap()).pieces.count() == kept.pieces.count()
        );
        assert_eq!(fs::read(&path).unwrap(), mended);
    }
    // Without the hashes nothing is proven, and nothing is removed before it was fetched again.
    fs::write(&path, "of another program").unwrap();
    let storage = DiskStorage::new(&into).unwrap();
    assert_eq!(origin.open(&storage).pieces.count(), 0);
    let data = into.join(STATE).join(origin.id().to_string()).join("data/0");
    assert_eq!(fs::metadata(&data).unwrap().len(), 4 * PIECE as u64);
    origin.store(&storage, origin.pieces());
    storage.finish(origin.id(), &origin.files()).unwrap();
    origin.assert_landed(&into, &["a", "b"]);
}

#[test]
fn what_the_disk_spoiled_is_found_before_it_takes_its_place() {
    for files in [[0, 1, 2].as_slice(), &[1]] {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let origin = Origin::of_files(&[("f/a", 9), ("f/b", 2 * PIECE), ("f/c", 9)]);
        let files: Vec<FileIndex> = files.iter().map(|&file| FileIndex(file)).collect();
        origin.open(&storage);
        origin.store(&storage, origin.pieces());
        let data = into.join(STATE).join(origin.id().to_string()).join("data/1");
        let right = fs::read(&data).unwrap();
        let mut flipped = right.clone();
        flipped[PIECE + 1] ^= 1;
        for wrong in [right[..right.len() - 1].to_vec(), [&flipped[..], b"longer"].concat()] {
            fs::write(&data, wrong).unwrap();
            let error = storage.finish(origin.id(), &files).unwrap_err();
            assert_eq!(error, StorageError::Damaged("f/b".into()));
            assert_eq!(names(&into), [STATE], "nothing is in its place");
        }
        // Opened again, what is right is kept, and the rest fetched.
        let kept = origin.open(&storage);
        assert!(kept.pieces.contains(PieceIndex(0)) && kept.pieces.contains(PieceIndex(3)));
        origin.store(&storage, [PieceIndex(1), PieceIndex(2)]);
        storage.finish(origin.id(), &files).unwrap();
        assert_content(&origin, &into, "f/b", 1);
    }
}

#[test]
fn nothing_is_overwritten_and_no_link_is_followed() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let outside = temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(into.join("a.txt"), "mine").unwrap();
    fs::create_dir(into.join("a (1).txt")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, into.join("folder")).unwrap();
    #[cfg(not(unix))]
    fs::create_dir(into.join("folder")).unwrap();

    let single = Origin::of_files(&[("a.txt", 5)]);
    single.receive(&storage);
    assert_eq!(fs::read(into.join("a.txt")).unwrap(), b"mine");
    single.assert_landed(&into, &["a (2).txt"]);
    let several = Origin::of_files(&[("folder/x", 5), ("folder/y", 6)]);
    several.receive(&storage);
    several.assert_landed(&into, &["folder (1)/x", "folder (1)/y"]);
    assert_eq!(storage.places(several.id())[0].1, Path::new("folder (1)/x"));
    assert_eq!(names(&outside), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_the_state_folder_is_refused() {
    let (temp, storage) = folder();
    let outside = temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, temp.path().join("into").join(STATE)).unwrap();
    let origin = Origin::of_files(&[("a", 5)]);
    assert!(storage.open(origin.id(), &origin.manifest, &origin.signed).is_err());
    assert_eq!(names(&outside), [""; 0]);
}

#[test]
fn a_share_called_like_the_state_folder_does_no_harm() {
    let (temp, storage) = folder();
    let other = Origin::of_files(&[("other", 5)]);
    other.open(&storage);
    let origin = Origin::of_files(&[(".shoal/journal", 5)]);
    origin.receive(&storage);
    origin.assert_landed(&temp.path().join("into"), &["_.shoal/journal"]);
    other.store(&storage, other.pieces());
    storage.finish(other.id(), &other.files()).unwrap();
    other.assert_landed(&temp.path().join("into"), &["other"]);
}

#[test]
fn a_crash_while_finishing_is_mended_when_opened_again() {
    // Every state that a crash can leave between the first and the last step of finishing.
    for moved in 0..=2 {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let origin = Origin::of_files(&[("a", PIECE + 1), ("b", 7)]);
        origin.open(&storage);
        origin.store(&storage, origin.pieces());
        let share = storage.share(origin.id()).unwrap();
        let state = lock_write(&share.state).take().unwrap();
        storage.build(&share, &state).unwrap();
        if moved > 0 {
            let tops = [("a", "a (7)"), ("b", "b")];
            let tops = tops.map(|(top, name)| (PathBuf::from(top), name.to_owned())).into();
            storage.write_tops(&state.folder, &tops).unwrap();
            let tree = state.folder.open_dir(TREE).unwrap();
            storage.calls.move_new(&tree, "a".as_ref(), &storage.root, "a (7)".as_ref()).unwrap();
            if moved > 1 {
                storage.calls.move_new(&tree, "b".as_ref(), &storage.root, "b".as_ref()).unwrap();
            }
        }
        drop((state, share, storage));

        let storage = DiskStorage::new(&into).unwrap();
        let kept = origin.open(&storage);
        assert!(kept.pieces.is_full(), "{moved} were moved");
        assert_eq!(!kept.finished.is_empty(), moved > 0);
        if kept.finished.is_empty() {
            storage.finish(origin.id(), &origin.files()).unwrap();
        }
        let first = if moved > 0 { "a (7)" } else { "a" };
        origin.assert_landed(&into, &[first, "b"]);
        assert_eq!(names(&into), [first, "b"]);
    }
}

#[test]
fn two_processes_do_not_receive_one_share_into_one_folder() {
    let (temp, storage) = folder();
    let origin = Origin::of_files(&[("a", 5)]);
    origin.open(&storage);
    let second = DiskStorage::new(&temp.path().join("into")).unwrap();
    let error = second.open(origin.id(), &origin.manifest, &origin.signed).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    // The same process may try again.
    origin.open(&storage);
}

#[test]
fn discarding_removes_what_is_unfinished_only() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let done = Origin::of_files(&[("done", 5)]);
    done.receive(&storage);
    let origin = Origin::of_files(&[("a", PIECE + 5)]);
    origin.open(&storage);
    origin.store(&storage, [PieceIndex(0)]);
    storage.close(origin.id(), true);
    storage.close(done.id(), true);
    assert_eq!(names(&into), ["done"]);
    assert_eq!(origin.open(&storage).pieces.count(), 0);
    // What a crash left of an earlier removal goes with the next.
    fs::create_dir_all(into.join(STATE).join("abc.gone/data")).unwrap();
    storage.close(origin.id(), true);
    assert_eq!(names(&into), ["done"]);
}

/// Four files in a folder, one of them empty, and an empty folder.
fn album() -> Origin {
    let mut entries: Vec<Entry> =
        [("album/a", PIECE + 5), ("album/b", 7), ("album/deep/c", 9), ("album/d", 0)]
            .map(|(path, size)| file(path, size))
            .into();
    entries.push(Entry {
        path: SharePath::new("album/nothing").unwrap(),
        kind: EntryKind::Directory,
        modified_ms: None,
    });
    Origin::new(entries)
}

/// Stores all pieces of some files that are not there yet, and has them placed.
fn receive_some(origin: &Origin, storage: &DiskStorage, files: &[u32]) {
    let files: Vec<FileIndex> = files.iter().map(|&file| FileIndex(file)).collect();
    let geometry = origin.manifest.geometry();
    origin.store(storage, files.iter().flat_map(|&file| geometry.pieces_of(file)));
    storage.finish(origin.id(), &files).unwrap();
}

fn told(origin: &Origin, storage: &DiskStorage) -> Vec<(u32, String)> {
    let places = storage.places(origin.id()).into_iter();
    places.map(|(file, place)| (file.0, place.to_string_lossy().into_owned())).collect()
}

fn assert_content(origin: &Origin, folder: &Path, place: &str, file: u32) {
    let size = origin.manifest.geometry().file_size(FileIndex(file));
    let expected: Vec<u8> = (0..size).map(|at| content(FileIndex(file), at)).collect();
    assert!(fs::read(folder.join(place)).unwrap() == expected, "{place}");
}

#[test]
fn some_files_land_alone_and_the_rest_joins_them_later() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    fs::create_dir(into.join("album")).unwrap();
    let origin = album();
    origin.open(&storage);
    receive_some(&origin, &storage, &[1]);
    assert_eq!(names(&into), [".shoal", "album", "album (1)"]);
    assert_eq!(names(&into.join("album (1)")), ["b"]);
    assert_eq!(told(&origin, &storage), [(1, "album (1)/b".to_owned())]);
    let (span, bytes) = origin.bytes(PieceIndex(2));
    assert_eq!(span.file, FileIndex(1));
    assert!(storage.read(origin.id(), span).unwrap() == bytes, "served on from its place");

    // Another run goes on, and nothing of what is there is overwritten.
    drop(storage);
    let storage = DiskStorage::new(&into).unwrap();
    let kept = origin.open(&storage);
    assert_eq!(kept.finished, [FileIndex(1)]);
    assert_eq!(kept.pieces.iter().collect::<Vec<_>>(), [PieceIndex(2)]);
    fs::write(into.join("album (1)/a"), "mine").unwrap();
    receive_some(&origin, &storage, &[0, 3]);
    receive_some(&origin, &storage, &[2]);
    assert_eq!(names(&into), ["album", "album (1)"]);
    assert_eq!(fs::read(into.join("album (1)/a")).unwrap(), b"mine");
    let inside = ["a", "a (1)", "b", "d", "deep", "nothing"];
    assert_eq!(names(&into.join("album (1)")), inside);
    let places = ["album (1)/a (1)", "album (1)/b", "album (1)/d", "album (1)/deep/c"];
    for (file, place) in told(&origin, &storage) {
        assert!(places.contains(&place.as_str()), "{place}");
        assert_content(&origin, &into, &place, file);
    }
    assert_eq!(told(&origin, &storage).len(), 4);
    for piece in origin.pieces() {
        let (span, bytes) = origin.bytes(piece);
        assert!(storage.read(origin.id(), span).unwrap() == bytes);
    }
}

#[test]
fn a_crash_while_single_files_are_moved_is_mended_when_opened_again() {
    for moved in [0, 1] {
        let (temp, storage) = folder();
        let into = temp.path().join("into");
        let origin = album();
        origin.open(&storage);
        origin.store(&storage, origin.pieces());
        let share = storage.share(origin.id()).unwrap();
        let state = lock_write(&share.state).take().unwrap();
        let mut ledger = Ledger::default();
        ledger.tops.insert("album".into(), "album (5)".into());
        for (file, name) in [(1, "b"), (0, "a")] {
            ledger.files.insert(FileIndex(file), Path::new("album (5)").join(name));
        }
        ledger.write(&storage.calls, &state.folder).unwrap();
        if moved > 0 {
            let top = storage.real_dir(&storage.root, "album (5)").unwrap();
            storage.calls.move_new(&state.data, "1".as_ref(), &top, "b".as_ref()).unwrap();
        }
        drop((state, share, storage));

        let storage = DiskStorage::new(&into).unwrap();
        let kept = origin.open(&storage);
        assert!(kept.pieces.is_full());
        assert_eq!(kept.finished.len(), moved);
        let rest: Vec<FileIndex> =
            origin.files().into_iter().filter(|file| !kept.finished.contains(file)).collect();
        let (first, last) = rest.split_at(1);
        storage.finish(origin.id(), first).unwrap();
        storage.finish(origin.id(), last).unwrap();
        assert_eq!(names(&into), ["album (5)"]);
        for (file, place) in told(&origin, &storage) {
            assert_content(&origin, &into, &place, file);
        }
    }
}

#[test]
fn a_placed_file_that_somebody_changed_is_theirs_and_counts_as_missing() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let origin = album();
    origin.open(&storage);
    receive_some(&origin, &storage, &[0, 1]);
    drop(storage);
    let mut bytes = fs::read(into.join("album/a")).unwrap();
    bytes[PIECE + 1] ^= 1;
    fs::write(into.join("album/a"), &bytes).unwrap();

    let storage = DiskStorage::new(&into).unwrap();
    let kept = origin.open(&storage);
    assert_eq!(kept.finished, [FileIndex(1)]);
    assert_eq!(kept.pieces.iter().collect::<Vec<_>>(), [PieceIndex(2)], "not even its first");
    receive_some(&origin, &storage, &[0]);
    assert_eq!(fs::read(into.join("album/a")).unwrap(), bytes);
    assert_content(&origin, &into, "album/a (1)", 0);
    storage.close(origin.id(), true);
    assert_eq!(names(&into), ["album"], "discarding leaves what is in its place");
}

#[test]
fn what_earlier_runs_left_is_told_and_can_be_discarded_unopened() {
    let (temp, storage) = folder();
    let into = temp.path().join("into");
    let origin = Origin::of_files(&[("a", 2 * PIECE + 5)]);
    origin.open(&storage);
    origin.store(&storage, [PieceIndex(0), PieceIndex(2)]);
    drop(storage);

    let storage = DiskStorage::new(&into).unwrap();
    assert_eq!(storage.left(RoomId([9; 16])), [], "it is of another room");
    let left = storage.left(RoomId([2; 16]));
    let recalled = Recalled { bytes: PIECE as u64 + 5, complete: false, saved: false };
    assert_eq!(left, [(origin.signed.clone(), recalled)]);
    storage.close(origin.id(), true);
    assert_eq!(names(&into), [""; 0]);
}

#[test]
fn room_is_reserved_only_for_what_is_missing_and_fits() {
    let (_temp, storage) = folder();
    let available = storage.available().expect("the system says how much is free");
    let huge = Origin::new(vec![file("huge", usize::try_from(available).unwrap())]);
    huge.open(&storage);
    let error = storage.reserve(huge.id(), &huge.files()).unwrap_err();
    assert!(matches!(error, StorageError::Full { available: Some(_) }), "{error:?}");
    let small = Origin::of_files(&[("a", PIECE)]);
    small.open(&storage);
    storage.reserve(small.id(), &small.files()).unwrap();
}
