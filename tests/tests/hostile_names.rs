//! The corpus of hostile names, received by the real store into a real folder that has files, folders and
//! links in it and around it, of the names that are asked for:
//! - nothing appears outside the folder, and nothing there or inside is changed, whether all files of a share
//!   are brought to their place at once or one after the other;
//! - each file that a share may list at all is there, once, with its own bytes, where the store says, under
//!   names that lead nowhere, as a plain file that nobody may run;
//! - a link that somebody puts in the way while the share is received is not followed.
//!
//! And sent and received by the command, which says their names on a terminal: nothing that it prints drives
//! one, with and without `--json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use native_peer::storage::{DiskStorage, Storage};
use native_peer::{DeviceKey, FileIndex, HashBatch, Manifest, PieceIndex, ShareId, SignedManifest};
use protocol::manifest::{Entry, EntryKind, MAX_BATCH, SharePath};
use protocol::signaling::RoomId;
use tempfile::TempDir;
use tests::process::Process;
use tests::wait::SOON;
use tests::{Server, names, programs, turn};

/// How many paths of the corpus a share may list; the others have empty names, `..` or NUL in them, or are
/// too long.
const LISTED_AT_LEAST: usize = 3_500;

#[test]
fn hostile_names_stay_in_their_folder_and_overwrite_nothing() {
    for one_by_one in [false, true] {
        let place = Place::new();
        let storage = DiskStorage::new(&place.target()).expect("a folder");
        let mut listed = 0;
        let mut taken = BTreeSet::new();
        for share in shares() {
            listed += share.paths.len();
            share.receive(&storage, one_by_one);
            for (file, at) in storage.places(share.id) {
                assert!(
                    at.components().all(|part| matches!(part, Component::Normal(_))),
                    "{:?} went to {at:?}",
                    share.path(file)
                );
                let found = place.target().join(&at);
                let metadata = fs::symlink_metadata(&found).unwrap_or_else(|error| {
                    panic!("{:?} is not at {at:?}: {error}", share.path(file))
                });
                assert!(metadata.is_file(), "{at:?} is no plain file");
                assert_eq!(metadata.permissions().mode() & 0o111, 0, "{at:?} may be run");
                assert!(fs::read(&found).expect("it is there") == share.bytes(file), "{at:?}");
                assert!(taken.insert(at.clone()), "{at:?} was given twice");
            }
        }
        assert!(listed >= LISTED_AT_LEAST, "only {listed} names can be listed");
        assert_eq!(taken.len(), listed);
        drop(storage);
        place.assert_untouched(listed);
    }
}

#[test]
fn a_link_put_in_the_way_is_not_followed() {
    let share = Share::new(vec!["folder/a".into(), "folder/b".into()]);
    let state = |place: &Place| place.target().join(".shoal").join(share.id.to_string());
    // What is replaced by a link, after which step.
    let plant = |at: &Path, to: &str| {
        match fs::symlink_metadata(at).map(|found| found.is_dir()) {
            Ok(true) => fs::remove_dir_all(at).expect("it can be removed"),
            Ok(false) => fs::remove_file(at).expect("it can be removed"),
            Err(_) => {}
        }
        symlink(to, at).expect("a link can be made");
    };
    for planted in ["data/0", "data", "journal", "manifest", "tree", "names.json.new", ""] {
        for to in ["../../../outside", "../../../outside/mine.txt", "/etc/passwd", "../../mine.txt"]
        {
            let place = Place::new();
            let storage = DiskStorage::new(&place.target()).expect("a folder");
            share.open(&storage);
            plant(&state(&place).join(planted).components().collect::<PathBuf>(), to);
            // It may fail, as long as nothing else is touched; but what is told to be there is there.
            let all: Vec<FileIndex> = share.manifest.files().map(|(file, _)| file).collect();
            let stored = share.store(&storage).and_then(|()| storage.finish(share.id, &all));
            let received = stored.is_ok() || share.try_receive(&storage, false).is_ok();
            let files = if received { share.paths.len() } else { 0 };
            drop(storage);
            let _ = fs::remove_dir_all(place.target().join(".shoal"));
            place.assert_untouched(files);
        }
    }
    // In place of a folder that some of the files are in already.
    let place = Place::new();
    let storage = DiskStorage::new(&place.target()).expect("a folder");
    share.open(&storage);
    share.store(&storage).expect("they can be written");
    storage.finish(share.id, &[FileIndex(0)]).expect("it can be placed");
    // A link has the folder's own name already.
    let top = place.target().join("folder (1)");
    plant(&top, "../outside");
    assert!(storage.finish(share.id, &[FileIndex(1)]).is_err());
    drop(storage);
    fs::remove_file(top).expect("the link is there");
    fs::remove_dir_all(place.target().join(".shoal")).expect("it is not complete");
    place.assert_untouched(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_prints_of_hostile_names_drives_no_terminal() {
    let _turn = turn().await;
    let folder = in_memory();
    let source = folder.path().join("source");
    fs::create_dir(&source).expect("a folder can be made");
    let mut files = Vec::new();
    for (_, name) in names::corpus() {
        let is_name = !name.is_empty() && !name.contains(['/', '\0']) && name.len() <= 255;
        if is_name && name != "." && name != ".." {
            files.push(source.join(&name));
            fs::write(files.last().expect("one was pushed"), &name).expect("the system takes it");
        }
    }
    assert!(files.len() > 2_000, "only {} names can be names of files here", files.len());
    // One more, which is told to be left out.
    let odd = source.join("folder \u{1b}[31m\u{9b}");
    fs::create_dir(&odd).expect("a folder can be made");
    fs::write(odd.join("file"), "x").expect("a file can be made");
    symlink("x", odd.join("link \u{1b}]0;x\u{7}\u{202e}")).expect("a link can be made");
    files.push(odd);

    let server = Server::start().await;
    for json in [false, true] {
        let config = folder.path().join(format!("config {json}"));
        let shoal = |name: &str, arguments: &[&str], paths: &[PathBuf]| {
            let mut command = Process::command(programs::ours("shoal"));
            command.args(arguments).args(["--name", "\u{1b}[2JEve\u{202e}\u{9b}"]);
            command.args(json.then_some("--json")).arg("--config-dir").arg(config.join(name));
            Process::start(name, command.arg("--").args(paths))
        };
        let to_send = ["send", "--server", server.url(), "--until-received", "1"];
        let mut sender = shoal("sender", &to_send, &files);
        let link = |line: &str| {
            let link = line[line.find("http://")?..].split(['"', ' ']).next()?;
            link.contains('#').then(|| link.to_owned())
        };
        let link = sender.out.find(SOON, link).await.expect("a link is printed");
        let into = folder.path().join(format!("into {json}"));
        let to_receive = ["receive", &link, "-o", into.to_str().expect("it is ours")];
        let mut receiver = shoal("receiver", &to_receive, &[]);
        assert!(receiver.exit(SOON).await.success());
        assert!(sender.exit(SOON).await.success());
        let landed = fs::read_dir(&into).expect("it was made").count();
        assert_eq!(landed, files.len(), "not all arrived");
        for process in [&sender, &receiver] {
            let printed = [process.out.all(), process.err.all()].concat();
            assert!(printed.len() > 2, "too little is said: {printed:?}");
            for line in printed {
                let turns = |c| ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{2028}';
                assert!(
                    !line.contains(|c: char| c.is_control() || turns(c)),
                    "{line:?} is printed"
                );
                if json {
                    let _: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
                }
            }
        }
    }
}

/// A share made of nothing but its paths; each file holds its own path.
struct Share {
    id: ShareId,
    manifest: Arc<Manifest>,
    signed: SignedManifest,
    key: DeviceKey,
    paths: Vec<String>,
}

/// All paths of the corpus that can be listed, in as few shares as there are without two of which one would
/// have to be a folder of the other's.
fn shares() -> Vec<Share> {
    let mut shares: Vec<(Vec<String>, BTreeSet<String>)> = Vec::new();
    for (_, path) in names::corpus() {
        if SharePath::new(&path).is_err() {
            continue;
        }
        let parents: BTreeSet<String> =
            path.match_indices('/').map(|(slash, _)| path[..slash].to_owned()).collect();
        let fits = |(paths, folders): &(Vec<String>, BTreeSet<String>)| {
            !folders.contains(&path) && !paths.iter().any(|other| parents.contains(other))
        };
        let at = shares.iter().position(fits).unwrap_or_else(|| {
            shares.push(Default::default());
            shares.len() - 1
        });
        shares[at].0.push(path);
        shares[at].1.extend(parents);
    }
    shares.into_iter().map(|(paths, _)| Share::new(paths)).collect()
}

impl Share {
    fn new(paths: Vec<String>) -> Self {
        let key = DeviceKey::from_bytes([1; 32]);
        let entry = |path: &String| Entry {
            path: SharePath::new(path).expect("it was checked"),
            kind: EntryKind::File { size: path.len() as u64 },
            modified_ms: None,
        };
        let manifest = Manifest::new(key.public(), paths.iter().map(entry).collect());
        let manifest = Arc::new(manifest.expect("nothing clashes"));
        let signed = SignedManifest::sign(&manifest, RoomId([2; 16]), &key).expect("it is small");
        Self { id: signed.share(), manifest, signed, key, paths }
    }

    fn path(&self, file: FileIndex) -> &str {
        self.manifest.file(file).path.as_str()
    }

    fn bytes(&self, file: FileIndex) -> &[u8] {
        self.path(file).as_bytes()
    }

    fn open(&self, storage: &DiskStorage) {
        storage.open(self.id, &self.manifest, &self.signed).expect("it can be opened");
    }

    /// Writes and commits everything.
    fn store(&self, storage: &DiskStorage) -> Result<(), native_peer::StorageError> {
        let geometry = self.manifest.geometry();
        let pieces: Vec<PieceIndex> = (0..geometry.pieces()).map(PieceIndex).collect();
        let mut batches = Vec::new();
        for some in pieces.chunks(MAX_BATCH as usize) {
            let mut hashes = Vec::new();
            for &piece in some {
                let span = geometry.span(piece).expect("there is such a piece");
                let bytes = self.bytes(span.file);
                storage.write(self.id, piece, span, bytes)?;
                hashes.push(geometry.hash(piece, bytes).expect("it has its length"));
            }
            batches.push(HashBatch::sign(self.id, some[0], hashes, &self.key));
        }
        storage.commit(self.id, &pieces, &batches)
    }

    fn try_receive(
        &self,
        storage: &DiskStorage,
        one_by_one: bool,
    ) -> Result<(), native_peer::StorageError> {
        storage.open(self.id, &self.manifest, &self.signed)?;
        self.store(storage)?;
        let files: Vec<FileIndex> = self.manifest.files().map(|(file, _)| file).collect();
        if one_by_one {
            // In two parts, neither of which is all.
            let (some, others) = files.split_at(files.len() / 2);
            storage.finish(self.id, some)?;
            return storage.finish(self.id, others);
        }
        storage.finish(self.id, &files)
    }

    fn receive(&self, storage: &DiskStorage, one_by_one: bool) {
        self.try_receive(storage, one_by_one).expect("names are no reason to fail");
    }
}

/// A folder that no disk makes slow.
fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    folder.expect("a temporary directory can be made")
}

/// A folder to receive into, with neighbours.
struct Place {
    folder: TempDir,
    before: BTreeMap<PathBuf, String>,
}

impl Place {
    fn new() -> Self {
        let folder = in_memory();
        let path = |name: &str| folder.path().join(name);
        for name in ["into", "outside", "into/neighbour", "into/evil", "outside/evil", "into/etc"] {
            fs::create_dir(path(name)).expect("a folder can be made");
        }
        // Names that the corpus asks for, inside and outside.
        for name in ["mine.txt", "evil.txt", "README", "_.bashrc", "..", "C_evil", "same_", "a"] {
            for folder in ["into", "outside", "into/neighbour", "."] {
                let at = path(folder).join(name.replace("..", "dots"));
                fs::write(at, format!("{name} in {folder}")).expect("a file can be made");
            }
        }
        for (name, to) in [
            ("link", "../outside"),
            ("link.txt", "../outside/mine.txt"),
            ("folder", "../outside"),
            ("nowhere", "../outside/nothing"),
            ("x", "/etc"),
            ("..evil", "/"),
            ("same.txt_", "mine.txt"),
            ("setup.exe", "mine.txt"),
        ] {
            symlink(to, path("into").join(name)).expect("a link can be made");
        }
        let before = seen(folder.path());
        Self { folder, before }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("into")
    }

    /// Asserts that all is as it was, but for so many new files, all of them in the folder.
    fn assert_untouched(&self, files: usize) {
        let mut now = seen(self.folder.path());
        for (path, before) in &self.before {
            let found = now.remove(path);
            assert_eq!(found.as_ref(), Some(before), "{} has changed", path.display());
        }
        let mut new = 0;
        for (path, what) in now {
            let inside = path.starts_with("into");
            assert!(inside, "{} appeared outside the folder", path.display());
            assert!(!what.starts_with("link"), "the link {} appeared", path.display());
            assert!(!path.starts_with("into/.shoal"), "{} was left", path.display());
            new += usize::from(what.starts_with("file"));
        }
        assert_eq!(new, files, "not the files that were received are there");
    }
}

/// What lies below a folder; no link is followed.
fn seen(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(root.join(&folder)).expect("the folder can be listed") {
            let path = folder.join(entry.expect("the folder can be listed").file_name());
            let at = root.join(&path);
            let metadata: Metadata = fs::symlink_metadata(&at).expect("it was listed a moment ago");
            let what = if metadata.is_dir() {
                waiting.push(path.clone());
                "folder".to_owned()
            } else if metadata.is_symlink() {
                format!("link to {:?}", fs::read_link(&at).expect("it is a link"))
            } else {
                let content = fs::read(&at).expect("the file can be read");
                format!("file {} {}", metadata.ino(), blake3::hash(&content))
            };
            seen.insert(path, what);
        }
    }
    seen
}
