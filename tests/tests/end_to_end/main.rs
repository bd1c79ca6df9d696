//! The main job from end to end: the real server, the page in real browsers, the command. One program,
//! so that its tests can take turns; one module for each thing to be shown, each of which says at its
//! top what that is.

mod app;
mod asleep;
mod certificates;
mod chat;
mod choice;
mod codes;
mod command;
mod early;
mod everyone;
mod first_screen;
mod folders;
mod full;
mod hostile;
mod interop;
mod killed;
mod languages;
mod membership;
mod misbehaving;
mod names;
mod origin;
mod outages;
mod page_causes;
mod page_waits;
mod piece_map;
mod resume;
mod secrecy;
mod settings;
mod shelf;
mod steps;
mod swarm;
mod tabs;
mod waits;

use std::path::{Path, PathBuf};

use blake3::Hash;
use protocol::identity::DeviceKey;
use protocol::invite::Invite;
use tempfile::TempDir;
use tests::{Server, files};

/// The size of a piece in shares of up to 16 GiB.
const PIECE: u64 = 256 << 10;
const MIB: u64 = 1 << 20;

/// Sizes at which something changes: nothing, the least, one piece and its neighbours.
const EDGES: [u64; 5] = [0, 1, PIECE - 1, PIECE, PIECE + 1];

/// A folder to make files in, which goes with the test.
struct Workbench(TempDir);

/// A file that was made, and the hash it has to have wherever it arrives.
struct Made {
    path: PathBuf,
    name: String,
    size: u64,
    hash: Hash,
}

impl Workbench {
    fn new() -> Self {
        Self(TempDir::with_prefix("shoal-test-").expect("a temporary directory can be made"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new folder.
    fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).expect("a folder can be made");
        path
    }

    /// A new file; its name is its seed.
    fn file(&self, name: &str, size: u64) -> Made {
        let path = self.path(name);
        let hash = files::make(&path, size, name);
        Made { path, name: name.to_owned(), size, hash }
    }

    /// Files of the sizes at which something changes.
    fn edges(&self) -> Vec<Made> {
        // The first has no extension: browsers like to add one.
        EDGES.iter().map(|size| self.file(&edge_name(*size), *size)).collect()
    }
}

fn edge_name(size: u64) -> String {
    if size == 0 { "nothing".to_owned() } else { format!("{size} bytes.bin") }
}

impl Made {
    /// Asserts that a file has the same bytes.
    fn assert_arrived(&self, at: &Path) {
        let size = std::fs::metadata(at)
            .unwrap_or_else(|error| panic!("{} did not arrive: {error}", at.display()))
            .len();
        assert_eq!(size, self.size, "{} has a wrong size", at.display());
        assert_eq!(files::hash(at), self.hash, "{} has wrong bytes", at.display());
    }
}

/// The link to a room that nobody has entered yet, so that the receiver can be there first: whoever
/// comes later makes the WebRTC offer.
fn link_to_an_empty_room(server: &Server) -> (Invite, String) {
    let random = |purpose: &str| {
        let unique =
            format!("{purpose} {} {:?}", server.url(), std::time::SystemTime::UNIX_EPOCH.elapsed());
        *blake3::hash(unique.as_bytes()).as_bytes()
    };
    let creator = DeviceKey::from_bytes(random("creator")).public();
    let invite = Invite::new(random("room"), &creator);
    let link = invite.to_link(server.url());
    (invite, link)
}
