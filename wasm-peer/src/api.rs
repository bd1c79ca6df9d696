//! What passes between a [`Peer`](crate::peer::Peer) and whoever embeds it: plain values, the same in
//! Rust and in JavaScript (there in camelCase, see the TypeScript section at the end).
//!
//! All sizes are bytes, all rates bytes per second. Labels and translations are the embedder's job;
//! the only text for people here are the sentences in `error` and `message`.

use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

/// How to enter a room. Everything has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerOptions {
    /// What others see this peer called; shortened to 64 bytes.
    pub name: Option<String>,
    /// Address of the server for a new room, such as `https://host/`; else the page's own origin.
    pub server: Option<String>,
    /// What it may do from the start; see `setPolicy`.
    pub policy: Policy,
    /// Whether to enter with a device key of this room alone, in place of the browser's: nobody can tell
    /// then that it is the same browser as elsewhere. It is kept with what is received in the room.
    pub fresh_key: bool,
    /// Where the worker's script is; else [`DEFAULT_WORKER_URL`].
    pub worker_url: Option<String>,
}

/// Where Trunk puts the worker's script: its loader beside the page.
pub const DEFAULT_WORKER_URL: &str = "/worker_loader.js";

/// What a peer may do, with whom, and how much of it. Everything has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// The most connections at once.
    pub connections: Option<u32>,
    /// How many requests are answered at one time.
    pub upload_slots: Option<u32>,
    /// Bytes of files sent per second at most, to all peers together.
    pub upload: Option<u64>,
    /// Bytes of files received per second at most, from all peers together.
    pub download: Option<u64>,
    /// Bytes of files sent per second at most, to any one peer.
    pub upload_per_peer: Option<u64>,
    /// Bytes of files received per second at most, from any one peer.
    pub download_per_peer: Option<u64>,
    /// Whether caps do not count on the LAN.
    pub lan_exempt: bool,
    /// What holds for single peers.
    pub peers: Vec<PeerPolicy>,
    /// Which paths may be used.
    pub path: PathPolicy,
    /// What is switched off.
    pub off: Vec<Service>,
    /// Which shares are received without asking.
    pub accept: Accept,
    /// Bytes that may be asked for and not yet written.
    pub memory_in_flight: Option<u64>,
    /// Stop serving what was sent so many times.
    pub stop_at_ratio: Option<f64>,
    /// Stop serving what was complete for so many seconds.
    pub stop_after_seconds: Option<f64>,
    /// Bytes that received shares may take in the browser's storage. For more, complete shares that were
    /// saved are erased, the oldest first.
    pub storage: Option<u64>,
}

/// What holds for one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerPolicy {
    /// Its public key, as in [`PeerInfo::public_key`].
    pub public_key: String,
    /// How we stand to it.
    #[serde(default)]
    pub standing: Standing,
    /// Bytes of files sent to it per second at most.
    #[serde(default)]
    pub upload: Option<u64>,
    /// Bytes of files received from it per second at most.
    #[serde(default)]
    pub download: Option<u64>,
}

/// How we stand to a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Like to everybody.
    #[default]
    Neutral,
    /// What it shares may be received without asking.
    Trusted,
    /// Never connected to.
    Avoided,
}

/// Somebody whom the user of this browser trusts or avoids, in all rooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their public key.
    pub public_key: String,
    /// How we stand to them.
    pub standing: Standing,
    /// The name by which the user knows them.
    pub name: String,
}

/// Which paths may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathPolicy {
    /// Whatever connects.
    #[default]
    Any,
    /// Only within one network or machine.
    LanOnly,
    /// Not through a relay.
    DirectOnly,
    /// Only through a relay: hides our address from peers.
    RelayOnly,
}

/// What can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Service {
    /// Offering and serving our own shares.
    Share,
    /// Receiving shares.
    Receive,
    /// Serving to others what we received.
    ServeOn,
    /// Telling peers of each other.
    Introduce,
    /// Saying things to the room, hearing them and passing them on.
    Chat,
}

/// Which shares are received without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Accept {
    /// None.
    #[default]
    Ask,
    /// Those of trusted peers.
    Trusted,
    /// Every one.
    All,
}

/// How urgent a share or file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Priority {
    /// Only where nothing more urgent can be asked for.
    Low,
    /// As it comes.
    Normal,
    /// Before everything else.
    High,
}

/// Which files of a share are wanted; without a priority a file is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selection {
    /// What holds for files that are not named.
    pub rest: Option<Priority>,
    /// What holds for others. Of two for one file the later counts.
    pub files: Vec<FileChoice>,
}

/// What is wanted of a file, or of several that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileChoice {
    /// The file's place in the share's [`FileList`].
    pub file: u32,
    /// How many files it holds for, from that one on.
    #[serde(default = "one")]
    pub count: u32,
    /// How urgent they are; absent if they are not wanted.
    #[serde(default)]
    pub priority: Option<Priority>,
}

fn one() -> u32 {
    1
}

/// Why a share is not served although there is some of it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Withheld {
    /// You: it is not to be served.
    ByUser,
    /// Sharing or serving on is switched off.
    ServiceOff,
    /// It was sent as often as the policy says.
    Ratio,
    /// It was complete for as long as the policy says.
    Time,
}

/// A file to be shared, or an empty directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedFile {
    /// Names joined by `/`; for one file just its name.
    pub path: String,
    /// The file; `None` is an empty directory.
    #[serde(with = "crate::wire::optional_js", default)]
    pub file: Option<web_sys::File>,
    /// The handle that the file came from, where the browser has such: remembered, so that the file can
    /// be read again after a reload without being chosen again.
    #[serde(with = "crate::wire::optional_js", default)]
    pub handle: Option<web_sys::FileSystemFileHandle>,
}

/// How everything stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The connection to the server. Transfers go on without it.
    pub server: ServerState,
    /// What is known of the cause when the server is lost or refuses: a sentence.
    pub server_message: Option<String>,
    /// In how many milliseconds the server is tried again, if that is set; see `retryServer`.
    pub server_retry_ms: Option<f64>,
    /// Our id for this stay, once the server has given one.
    pub peer_id: Option<String>,
    /// What we are called.
    pub name: String,
    /// The link that lets others in.
    pub invite_link: String,
    /// The other members of the room.
    pub peers: Vec<PeerInfo>,
    /// All shares in the room.
    pub shares: Vec<ShareInfo>,
    /// Where received files are kept until they are saved.
    pub storage: Storage,
    /// Bytes that can still be stored, if the browser says anything that means something.
    pub available: Option<u64>,
    /// Our own public key.
    pub public_key: String,
    /// Whether we made the room's invite: then we can lock it and start it anew.
    pub is_creator: bool,
    /// Whether the room is locked: nobody new is let in.
    pub locked: bool,
    /// Whether it is locked and we are not let in.
    pub shut_out: bool,
    /// Whether chat is switched on; see `say`.
    pub chat: bool,
    /// Whom the user trusts and avoids; see `setStanding`.
    pub people: Vec<Person>,
    /// The code to be spoken that was made last, until it is taken back; see `offerCode`.
    pub code: Option<CodeInfo>,
    /// Bytes of files sent in this room since it was entered, to all peers together.
    pub sent: u64,
    /// Bytes of files received in this room since it was entered, from all peers together.
    pub received: u64,
    /// Bytes of files sent per second, at the moment.
    pub upload_rate: f64,
    /// Bytes of files received per second, at the moment.
    pub download_rate: f64,
}

/// A code to be spoken, good for one guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeInfo {
    /// How it stands.
    pub state: CodeState,
    /// The code, such as `4-brave-otter-lamp`, once the server has given its number.
    pub code: Option<String>,
    /// In how many milliseconds it expires, while it can be used.
    pub left_ms: Option<f64>,
    /// What became of it, at its end: a sentence.
    pub message: Option<String>,
    /// How many codes were burnt since the room was entered, this one included.
    pub burnt: u32,
}

/// How a code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CodeState {
    /// The server was asked for its number.
    Asking,
    /// It can be used, once.
    Offered,
    /// Somebody is entering it.
    Tried,
    /// Somebody knew it, and has the invite.
    Taken,
    /// Somebody entered its number and did not know the words: it is of no use any more.
    Burnt,
    /// Nobody used it in time.
    Expired,
    /// The server was lost, refused, or has no codes.
    Failed,
}

/// The connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServerState {
    /// Not there yet.
    Connecting,
    /// In the room.
    Connected,
    /// Lost; tried again by itself.
    Lost,
    /// Lost, because this machine has no network; tried again as soon as it has.
    NetworkGone,
    /// The server will not have us; not tried again.
    Refused,
}

/// Where received files are kept until they are saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Storage {
    /// In the browser's own part of the disk; survives a reload.
    Disk,
    /// In memory, as in private windows of some browsers: large files may not fit, a reload loses them.
    Memory,
}

/// Another member of the room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerInfo {
    /// Its id for this stay.
    pub id: String,
    /// What it calls itself, as it may be shown; empty until connected.
    pub name: String,
    /// The first digits of its key, once proven.
    pub key: Option<String>,
    /// All of its key: what a policy names it by.
    pub public_key: Option<String>,
    /// How we stand to it.
    pub standing: Standing,
    /// The name by which the user knows it, if it is trusted or avoided.
    pub known_as: Option<String>,
    /// Whether it calls itself like somebody who is trusted, and has another key.
    pub is_namesake: bool,
    /// Words to compare with what is shown on the other side: the same ones prove both keys.
    pub words: Option<String>,
    /// Whether it is connected and confirmed, be it that the connection is being revived.
    pub connected: bool,
    /// How the connection to it stands.
    pub link: PeerLink,
    /// Whether it made the room's invite.
    pub is_creator: bool,
    /// How packets to it travel, once known.
    pub path: Option<PathKind>,
    /// The round trip, once measured.
    pub round_trip_ms: Option<f64>,
    /// Bytes of files sent to it.
    pub sent: u64,
    /// Bytes of files received from it.
    pub received: u64,
    /// Bytes of files sent to it per second, at the moment.
    pub upload_rate: f64,
    /// Bytes of files received from it per second, at the moment.
    pub download_rate: f64,
    /// Bytes that it says it can still store, if it says so.
    pub available: Option<u64>,
}

/// How the connection to a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PeerLink {
    /// There is none, and none is being made at the moment.
    Waiting,
    /// It is being made.
    Connecting,
    /// It is up.
    Connected,
    /// It broke, and is being revived.
    Reviving,
}

/// How packets to a peer travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathKind {
    /// Within one network or machine.
    Lan,
    /// Straight through address translation.
    Direct,
    /// Through a relay.
    Relayed,
}

/// A share as this peer sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareInfo {
    /// Its id.
    pub id: String,
    /// The file's name if it is one file, else the folder's, else `N files`; as it may be shown, see
    /// [`FileList::paths`].
    pub title: String,
    /// Number of files.
    pub file_count: u32,
    /// Number of empty directories.
    pub directory_count: u32,
    /// Bytes of all files.
    pub total: u64,
    /// How it stands.
    pub state: ShareState,
    /// What it waits for, if it does not move at the moment.
    pub waiting: Option<Wait>,
    /// What an earlier load of the page left of it, until it is received again (`receive`) or erased
    /// (`stop` with `discard`).
    pub left: Option<Left>,
    /// While it is detached: what helps.
    pub access: Option<Access>,
    /// Members who want it, or have some of it, and cannot go on.
    pub halted: Vec<Halted>,
    /// Why it failed, or could not be saved: a sentence.
    pub error: Option<String>,
    /// Whether it was saved: handed to the browser as a download, or written into the picked directory.
    pub saved: bool,
    /// Bytes of the files that are wanted.
    pub wanted: u64,
    /// How many files are wanted; see `select`.
    pub wanted_files: u32,
    /// How urgent it is among several shares.
    pub priority: Priority,
    /// Why it is not served, if it is not although there is some of it here.
    pub withheld: Option<Withheld>,
    /// Bytes that are verified and durable here, of files wanted or not.
    pub have: u64,
    /// Bytes that came over the network and were verified.
    pub fetched: u64,
    /// Bytes found already verified in the store.
    pub reused: u64,
    /// Bytes that came in vain.
    pub wasted: u64,
    /// Bytes of it sent to others.
    pub uploaded: u64,
    /// Bytes of it sent to others per second, at the moment.
    pub upload_rate: f64,
    /// Verified bytes per second.
    pub rate: f64,
    /// Connected peers that have some of it.
    pub holders: u32,
    /// Connected peers that have all of it.
    pub full_holders: u32,
    /// Connected peers that say they have it all, verified and in place.
    pub receivers: u32,
    /// While it is being received: bytes that are missing here and that nobody connected has.
    pub nowhere: u64,
    /// Whole copies in the room, and a part of one more, as far as is known here.
    pub copies: f64,
    /// Whether the connected peers, and this one, have every piece between them without the origin.
    pub origin_may_leave: bool,
    /// Verified bytes by who sent them.
    pub sources: Vec<SourceInfo>,
    /// Whether its origin made the room's invite.
    pub from_creator: bool,
    /// The first digits of its origin's key, as in [`PeerInfo::key`].
    pub origin: String,
    /// Number of pieces.
    pub pieces: u32,
    /// Whether there are files that are in no folder.
    pub has_loose_files: bool,
    /// Whether there are files in folders.
    pub has_folders: bool,
    /// The files of all that may do something when they are opened, as far as their names tell.
    pub risky: Option<Risky>,
}

/// Files of a share that may do something when they are opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Risky {
    /// How many there are.
    pub count: u32,
    /// The path of the first, as it may be shown.
    pub first: String,
    /// Why the first is.
    pub risk: Risk,
}

/// Why a file should be opened only if its sender is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Risk {
    /// It is a program, a package or an installer.
    Program,
    /// It is run by another program.
    Script,
    /// It leads elsewhere, or starts something when opened or looked at.
    Shortcut,
    /// It is a document or add-in with macros.
    Macros,
    /// It is mounted like a drive.
    DiskImage,
    /// It is one of these made to look like something else.
    Disguised,
}

/// How a share stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShareState {
    /// We share it.
    Shared,
    /// We shared it, and its files cannot be read before people act; see [`ShareInfo::access`].
    Detached,
    /// It could be received.
    Available,
    /// Its store is being opened.
    Opening,
    /// It is being received.
    Receiving,
    /// All pieces are verified; the files are being put in place.
    Finishing,
    /// All is verified and in place.
    Complete,
    /// It cannot go on by itself; `receive` tries again.
    Failed,
}

/// What a share waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// What it is.
    pub cause: Waiting,
    /// For how many milliseconds it has been waiting.
    pub since_ms: f64,
    /// In how many milliseconds something is tried again by itself, if that is set.
    pub next_ms: Option<f64>,
    /// If there is no room: bytes that are needed.
    pub needed: Option<u64>,
    /// If there is no room: bytes that could be stored, if that is known.
    pub available: Option<u64>,
}

/// What a share can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Waiting {
    /// Peers that may have it are being connected to.
    Connecting,
    /// Nobody connected has a piece that is missing.
    Source,
    /// Who has it cannot read it any more until people act there.
    SourceUnreadable,
    /// What was asked for has not come for a while.
    Silence,
    /// You: it is paused.
    Paused,
    /// Them: who has it does not serve it at the moment.
    PausedByThem,
    /// Receiving is switched off.
    ServiceOff,
    /// Room on the disk, or within what the browser grants.
    DiskFull,
    /// Room within [`Policy::storage`].
    Budget,
}

/// What an earlier load of the page left of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Bytes that are here.
    pub bytes: u64,
    /// Whether that is all of it.
    pub complete: bool,
    /// Whether it was saved.
    pub saved: bool,
}

/// What makes the files of a detached share readable again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// Permission for the files that are remembered: `reattach`.
    Permission,
    /// The same files, chosen again: `reattachFiles`.
    ChooseAgain,
}

/// A member who cannot go on with a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Halted {
    /// Its id.
    pub peer: String,
    /// What it calls itself.
    pub name: String,
    /// Why.
    pub why: Halt,
}

/// Why a member cannot go on with a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Halt {
    /// It was paused there.
    Paused,
    /// There is no room for it there.
    DiskFull,
    /// It shares it, and cannot read the files.
    Unreadable,
}

/// How much of a share came from one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceInfo {
    /// Its id while it sent.
    pub peer: String,
    /// The name it had.
    pub name: String,
    /// Verified bytes.
    pub bytes: u64,
}

/// How the pieces of a share stand, to be drawn; see `pieces`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PieceMap {
    /// Pieces of the share.
    pub pieces: u32,
    /// Pieces in a cell; the last cell may have fewer.
    pub per_cell: u32,
    /// The cells in the order of the pieces, [`CELL_BYTES`] each: the part that is here, the part that is on
    /// its way, and the part that is wanted, each of 255, where nothing is 0 but none and nothing is 255
    /// but all; who sent most of what is here, as a place in `sources` and one more (0 is nobody known,
    /// 255 one of many more); and how many connected peers have the rarest piece of those that are
    /// missing, or of all if none is.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub cells: js_sys::Uint8Array,
    /// The ids of those who sent pieces.
    pub sources: Vec<String>,
    /// Pieces of wanted files.
    pub wanted: u32,
    /// Pieces that are verified and durable here.
    pub here: u32,
    /// Wanted pieces that are not here.
    pub missing: u32,
    /// Those of them that are on their way here.
    pub asked: u32,
    /// Those of the missing that one connected peer has.
    pub rare: u32,
    /// Those of the missing that no connected peer has.
    pub nowhere: u32,
    /// Pieces that are here, by how many connected peers have them too: none, one, two, or more.
    pub held: [u32; 4],
}

/// Bytes of a cell in [`PieceMap::cells`].
pub const CELL_BYTES: usize = 5;

/// The files of a share, each at its place. There may be a hundred thousand, so they come as few values.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    /// Their paths in the share, one on each line, as they may be shown: what would hide, turn text or
    /// end a line is U+FFFD. Those in one folder follow each other.
    pub paths: String,
    /// Bytes of each.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub sizes: js_sys::Float64Array,
    /// How urgent each is, as [`Priority::number`].
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub priorities: js_sys::Uint8Array,
    /// What opening each may do, as [`Risk::number`].
    #[serde(with = "serde_wasm_bindgen::preserve")]
    pub risks: js_sys::Uint8Array,
}

/// What changes about a file, or is costly to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileDetail {
    /// Its BLAKE3 hash as `b3sum` prints it, once the hashes of all its pieces are known.
    pub hash: Option<String>,
    /// Bytes of it that are verified and durable here.
    pub have: u64,
    /// Whether it can be saved by itself: it was received, checked and is in place.
    pub saveable: bool,
}

/// A share in which something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The share's id.
    pub share: String,
    /// Whether its title is what was looked for.
    pub title: bool,
    /// How many of its files are, by their paths.
    pub files: u32,
    /// The paths of the first, as they may be shown.
    pub first: Vec<String>,
}

impl Priority {
    /// A number for it, 1 to 3 from the least urgent on; 0 stands for what is not wanted.
    pub fn number(priority: Option<Self>) -> u8 {
        match priority {
            None => 0,
            Some(Self::Low) => 1,
            Some(Self::Normal) => 2,
            Some(Self::High) => 3,
        }
    }

    /// What a number stands for.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Low),
            2 => Some(Self::Normal),
            3 => Some(Self::High),
            _ => None,
        }
    }
}

impl Risk {
    const ALL: [Self; 6] = [
        Self::Program,
        Self::Script,
        Self::Shortcut,
        Self::Macros,
        Self::DiskImage,
        Self::Disguised,
    ];

    /// A number for it, from 1 on in the order of their definition; 0 is no risk.
    pub fn number(risk: Option<Self>) -> u8 {
        risk.map_or(0, |risk| risk as u8 + 1)
    }

    /// What a number stands for.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerEvent {
    /// What.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The share it is about.
    pub share: Option<String>,
    /// The peer it is about.
    pub peer: Option<String>,
    /// That peer's name.
    pub name: Option<String>,
    /// The cause, where there is one: a sentence.
    pub message: Option<String>,
    /// The link to the new room, if the room was started anew.
    pub link: Option<String>,
    /// What somebody said to the room.
    pub line: Option<Line>,
}

/// Something that somebody said to the room. Its author signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The author's public key, as in [`PeerInfo::public_key`].
    pub author: String,
    /// The first digits of it, as in [`PeerInfo::key`].
    pub key: String,
    /// Whether it is our own: said here, or by another tab of this browser, or before a reload.
    pub own: bool,
    /// What the author called itself, as it may be shown.
    pub name: String,
    /// When it was said by the author's clock, in milliseconds since 1970.
    pub sent_ms: u64,
    /// What was said, as it may be shown. It may have line breaks and tabs.
    pub text: String,
}

/// The most bytes of UTF-8 in one line; what is longer is better shared as a file.
pub const MAX_LINE_BYTES: usize = protocol::chat::MAX_LINE_BYTES;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// We are in the room.
    Joined,
    /// The server cannot be reached, or the connection to it broke.
    ServerLost,
    /// The server will not have us.
    Refused,
    /// A peer is connected and has proven its key.
    PeerConnected,
    /// A peer is gone.
    PeerGone,
    /// A peer could not prove that nobody sits in between, and is not connected.
    NotConfirmed,
    /// A share is on the shelf.
    ShareAdded,
    /// A share is off the shelf.
    ShareRemoved,
    /// What a share waits for has changed, or it goes on; see [`ShareInfo::waiting`].
    Waiting,
    /// All of a share is verified and in place.
    Completed,
    /// A share cannot go on until somebody acts.
    Failed,
    /// A peer has all of a share, verified and in place.
    Received,
    /// A peer was proven to lie and is shut out of this room; the message says how.
    Banned,
    /// The creator locked the room, or opened it again; see [`State::locked`].
    Locked,
    /// The creator started the room anew; see [`PeerEvent::link`].
    StartedAnew,
    /// Somebody said something to the room, perhaps before we came; see [`PeerEvent::line`].
    Said,
    /// Somebody is entering our code.
    CodeTried,
    /// Our code is of no use any more; see [`State::code`].
    CodeEnded,
}

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = r#"
export interface PeerOptions {
    name?: string;
    server?: string;
    policy?: Policy;
    freshKey?: boolean;
    workerUrl?: string;
}
export interface Policy {
    connections?: number;
    uploadSlots?: number;
    upload?: number;
    download?: number;
    uploadPerPeer?: number;
    downloadPerPeer?: number;
    lanExempt?: boolean;
    peers?: {
        publicKey: string;
        standing?: Standing;
        upload?: number;
        download?: number;
    }[];
    path?: "any" | "lanOnly" | "directOnly" | "relayOnly";
    off?: ("share" | "receive" | "serveOn" | "introduce" | "chat")[];
    accept?: "ask" | "trusted" | "all";
    memoryInFlight?: number;
    stopAtRatio?: number;
    stopAfterSeconds?: number;
    storage?: number;
}
export type Priority = "low" | "normal" | "high";
export interface Selection {
    rest?: Priority;
    files?: { file: number; count?: number; priority?: Priority }[];
}
export interface SharedFile { path: string; file?: File; handle?: FileSystemFileHandle; }
export interface SaveableBlob { blob: Blob; name: string; }
export interface FileList {
    paths: string;
    sizes: Float64Array;
    priorities: Uint8Array;
    risks: Uint8Array;
}
export interface FileDetail { hash?: string; have: number; saveable: boolean; }
export interface Found { share: string; title: boolean; files: number; first: string[]; }
export interface State {
    server: "connecting" | "connected" | "lost" | "networkGone" | "refused";
    serverMessage?: string;
    serverRetryMs?: number;
    peerId?: string;
    name: string;
    inviteLink: string;
    peers: PeerInfo[];
    shares: ShareInfo[];
    storage: "disk" | "memory";
    available?: number;
    publicKey: string;
    isCreator: boolean;
    locked: boolean;
    shutOut: boolean;
    chat: boolean;
    people: Person[];
    code?: {
        state: "asking" | "offered" | "tried" | "taken" | "burnt" | "expired" | "failed";
        code?: string;
        leftMs?: number;
        message?: string;
        burnt: number;
    };
    sent: number;
    received: number;
    uploadRate: number;
    downloadRate: number;
}
export type Standing = "neutral" | "trusted" | "avoided";
export interface Person { publicKey: string; standing: Standing; name: string; }
export interface PeerInfo {
    id: string;
    name: string;
    key?: string;
    publicKey?: string;
    standing: Standing;
    knownAs?: string;
    isNamesake: boolean;
    words?: string;
    connected: boolean;
    link: "waiting" | "connecting" | "connected" | "reviving";
    isCreator: boolean;
    path?: "lan" | "direct" | "relayed";
    roundTripMs?: number;
    sent: number;
    received: number;
    uploadRate: number;
    downloadRate: number;
    available?: number;
}
export interface ShareInfo {
    id: string;
    title: string;
    fileCount: number;
    directoryCount: number;
    total: number;
    state: "shared" | "detached" | "available" | "opening" | "receiving" | "finishing" | "complete"
        | "failed";
    waiting?: {
        cause: "connecting" | "source" | "sourceUnreadable" | "silence" | "paused" | "pausedByThem"
            | "serviceOff" | "diskFull" | "budget";
        sinceMs: number;
        nextMs?: number;
        needed?: number;
        available?: number;
    };
    left?: { bytes: number; complete: boolean; saved: boolean };
    access?: "permission" | "chooseAgain";
    halted: { peer: string; name: string; why: "paused" | "diskFull" | "unreadable" }[];
    error?: string;
    saved: boolean;
    wanted: number;
    wantedFiles: number;
    priority: Priority;
    withheld?: "byUser" | "serviceOff" | "ratio" | "time";
    have: number;
    fetched: number;
    reused: number;
    wasted: number;
    uploaded: number;
    uploadRate: number;
    rate: number;
    holders: number;
    fullHolders: number;
    receivers: number;
    copies: number;
    originMayLeave: boolean;
    sources: { peer: string; name: string; bytes: number }[];
    fromCreator: boolean;
    origin: string;
    pieces: number;
    hasLooseFiles: boolean;
    hasFolders: boolean;
    risky?: { count: number; first: string; risk: Risk };
}
export type Risk = "program" | "script" | "shortcut" | "macros" | "diskImage" | "disguised";
export interface PieceMap {
    pieces: number;
    perCell: number;
    cells: Uint8Array;
    sources: string[];
    wanted: number;
    here: number;
    missing: number;
    asked: number;
    rare: number;
    nowhere: number;
    held: [number, number, number, number];
}
export interface PeerEvent {
    type: "joined" | "serverLost" | "refused" | "peerConnected" | "peerGone" | "notConfirmed" | "shareAdded"
        | "shareRemoved" | "waiting" | "completed" | "failed" | "received" | "banned" | "locked"
        | "startedAnew" | "said" | "codeTried" | "codeEnded";
    share?: string;
    peer?: string;
    name?: string;
    message?: string;
    link?: string;
    line?: Line;
}
export interface Line {
    author: string;
    key: string;
    own: boolean;
    name: string;
    sentMs: number;
    text: string;
}
"#;
