//! What the machine tells people: events as they happen, and views of how things stand.

use std::sync::Arc;

use crate::chat::Line;
use crate::identity::PublicKey;
use crate::invite::Invite;
use crate::io::{LostCause, Path, StorageError};
use crate::manifest::{Manifest, ShareId};
use crate::piece::{FileIndex, PieceIndex};
use crate::policy::{Priority, Selection};
use crate::signaling::{ErrorCode, PeerId};
use crate::time::{Duration, Instant};

/// Something happened that a person or script may want to know at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// We are in the room and the server has introduced us.
    Joined {
        /// Our id for this stay.
        peer: PeerId,
    },
    /// The server cannot be reached, or the connection to it broke. Open data channels go on.
    ServerLost {
        /// What is to blame.
        cause: LostCause,
        /// What is known of it.
        reason: String,
        /// When the next attempt is made.
        retry_in: Duration,
    },
    /// The server will not have us, and trying again would not help.
    Refused {
        /// Why.
        code: ErrorCode,
        /// What the server says, fit to follow "the server refused: ".
        message: String,
    },
    /// A peer is connected, and has proven its key.
    PeerConnected {
        /// Its id.
        peer: PeerId,
        /// The name it goes by.
        name: String,
    },
    /// A peer is gone.
    PeerGone {
        /// Its id.
        peer: PeerId,
        /// The name it had.
        name: String,
        /// Why.
        reason: CloseReason,
    },
    /// A share is on the shelf.
    ShareAdded {
        /// Which.
        share: ShareId,
    },
    /// A share is off the shelf: its origin withdrew it, or nobody here has any of it.
    ShareRemoved {
        /// Which.
        share: ShareId,
    },
    /// All that is wanted of a share is verified and in place.
    Completed {
        /// Which.
        share: ShareId,
    },
    /// A share cannot go on until somebody acts; see [`ShareState::Failed`].
    Failed {
        /// Which.
        share: ShareId,
        /// Why.
        reason: Failure,
    },
    /// A share that is being received waits for something else than before.
    Waiting {
        /// Which.
        share: ShareId,
        /// For what; `None` if it goes on.
        wait: Option<Wait>,
    },
    /// A connected peer gave its signed word that it holds all of a share, verified and in place.
    Received {
        /// Which.
        share: ShareId,
        /// Who, and perhaps gone again at once.
        peer: PeerId,
        /// The name it goes by.
        name: String,
    },
    /// Somebody said something to the room, perhaps we or another run with our key; perhaps long ago.
    Said {
        /// What, and who.
        line: Line,
    },
    /// The creator locked the room, or opened it again.
    Locked {
        /// Whether it is locked now.
        locked: bool,
    },
    /// The creator started the room anew, with us: it is to be left for the new one.
    StartedAnew {
        /// What lets us into the new room.
        invite: Invite,
    },
    /// A peer was proven to lie. Its key is shut out of this room; what it sent is not kept.
    Banned {
        /// Who.
        peer: PeerId,
        /// Its key.
        key: PublicKey,
        /// The name it went by.
        name: String,
        /// The share it was about, if it was about one.
        share: Option<ShareId>,
        /// What proves it.
        proof: Proof,
    },
}

/// What proves that a peer lies. Everybody checks what they pass on, and a connection is its peer's alone, so
/// none of this can be the doing of somebody else. Fit to follow a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Proof {
    /// What it sent of this piece does not match the hash that the origin signed.
    #[error("sent wrong bytes for piece {}", .0.0)]
    WrongBytes(PieceIndex),
    /// A manifest is not what its origin signed for this room, or of another share.
    #[error("sent a list of files that nobody signed for this room")]
    ForgedManifest,
    /// Piece hashes are not what the origin of their share signed.
    #[error("sent hashes that the origin of the share did not sign")]
    ForgedHashes,
    /// A receipt is not what its holder signed for this room.
    #[error("sent a receipt that its holder did not sign")]
    ForgedReceipt,
    /// A line of chat is not what its author signed for this room.
    #[error("sent a line of chat that its author did not sign")]
    ForgedLine,
}

impl Proof {
    /// In a word, for scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongBytes(_) => "wrong-bytes",
            Self::ForgedManifest => "forged-manifest",
            Self::ForgedHashes => "forged-hashes",
            Self::ForgedReceipt => "forged-receipt",
            Self::ForgedLine => "forged-line",
        }
    }
}

/// Why a connection to a peer was closed. Sent to the other side as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CloseReason {
    /// It left the room, or we did.
    Left = 0,
    /// The connection broke and could not be revived.
    ConnectionLost = 1,
    /// No connection came about in time.
    Unreachable = 2,
    /// It speaks another version.
    Version = 3,
    /// It broke the rules of the protocol.
    ProtocolViolation = 4,
    /// It could not prove that nobody sits between us.
    NotConfirmed = 5,
    /// It was proven to lie: see [`Proof`].
    Banned = 6,
    /// A newer connection to the same peer took its place.
    Replaced = 7,
    /// It has as many connections as it wants.
    TooManyConnections = 8,
    /// How packets travel to it is not allowed, here or there.
    PathNotAllowed = 10,
    /// We avoid it. It is told no more than that we left.
    Avoided = 11,
    /// The room is locked, and its creator does not let it, or us, in.
    Locked = 12,
    /// It made room for a peer that has too few connections; there are others to connect to.
    MakingRoom = 9,
}

impl CloseReason {
    /// The number that travels.
    pub fn to_u8(self) -> u8 {
        if self == Self::Avoided { Self::Left as u8 } else { self as u8 }
    }

    /// Reads the number that travels; unknown ones of newer versions count as having left.
    pub fn from_u8(value: u8) -> Self {
        [
            Self::Left,
            Self::ConnectionLost,
            Self::Unreachable,
            Self::Version,
            Self::ProtocolViolation,
            Self::NotConfirmed,
            Self::Banned,
            Self::Replaced,
            Self::TooManyConnections,
            Self::PathNotAllowed,
            Self::MakingRoom,
            Self::Locked,
        ]
        .into_iter()
        .find(|&reason| reason as u8 == value)
        .unwrap_or(Self::Left)
    }
}

/// Why a share cannot go on by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The disk or browser storage failed, or is full.
    #[error("{0}")]
    Storage(#[from] StorageError),
    /// The origin signed two different hashes for one piece of the file of this name: it changed while it
    /// was shared.
    #[error("{0} changed while it was being shared; ask for it to be shared again")]
    OriginChanged(String),
}

/// How a share stands with this peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareState {
    /// We share it: we are its origin in this room.
    Shared,
    /// It is on the shelf and could be received.
    Available,
    /// We are its origin, and its files cannot be read until people act.
    Detached,
    /// Its store is being opened.
    Opening,
    /// It is being received, or waits: see [`ShareView::waiting`].
    Receiving,
    /// Every piece is verified; the files are being put in place.
    Finishing,
    /// Everything is verified and in place, and served on.
    Complete,
    /// It cannot go on until somebody acts. `receive` tries again.
    Failed(Failure),
}

/// A wait: for what, since when, and when something is done about it without anybody's help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// What is waited for.
    pub cause: Waiting,
    /// Since when.
    pub since: Instant,
    /// When the machine tries again by itself, if it does at a certain time.
    pub next: Option<Instant>,
}

/// What a receiving share waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Nobody is connected yet, but somebody is there.
    Connecting,
    /// Nobody connected has a piece that is missing.
    Source,
    /// Its origin is connected and cannot read the files until its user acts.
    SourceUnreadable,
    /// What was asked for has not come for a while.
    Silence,
    /// The user, who paused it.
    Paused,
    /// The users of those who have what is missing: they paused it.
    PausedByThem,
    /// Receiving is switched off.
    ServiceOff,
    /// Room on the disk, or within the browser's quota.
    DiskFull {
        /// Bytes that are still to be stored.
        needed: u64,
        /// Bytes that could be, where that is known.
        available: Option<u64>,
    },
    /// Room within the budget that the policy gives.
    Budget {
        /// Bytes that are too many.
        needed: u64,
    },
}

impl Waiting {
    /// The cause without its figures, in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Source => "source",
            Self::SourceUnreadable => "source-unreadable",
            Self::Silence => "silence",
            Self::Paused => "paused",
            Self::PausedByThem => "paused-by-them",
            Self::ServiceOff => "service-off",
            Self::DiskFull { .. } => "disk-full",
            Self::Budget { .. } => "budget",
        }
    }
}

/// Why a member neither fetches nor serves a share that it wants or has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Halt {
    /// Its user paused it.
    Paused = 1,
    /// It has no room.
    DiskFull = 2,
    /// It is the origin, and cannot read the files until its user acts.
    Unreadable = 3,
}

/// A member with which a share does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halted {
    /// Its id.
    pub peer: PeerId,
    /// Its name.
    pub name: String,
    /// Why.
    pub halt: Halt,
}

/// What an earlier run left of a share in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Bytes that are there.
    pub bytes: u64,
    /// Whether that was all that was wanted.
    pub complete: bool,
    /// Whether it was saved elsewhere, so that it may be erased when room is needed.
    pub saved: bool,
}

/// How we stand with the signaling server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerView {
    /// Not asked yet, or left.
    Idle,
    /// Asked for the first time.
    Connecting {
        /// Since when.
        since: Instant,
        /// When it counts as unreachable.
        give_up: Instant,
    },
    /// In the room.
    Joined,
    /// Unreachable; tried again by itself. Open data channels go on.
    Lost {
        /// What is to blame.
        cause: LostCause,
        /// What is known of it.
        reason: String,
        /// Since when.
        since: Instant,
        /// When it is tried again; not in the future while it is.
        retry_at: Instant,
    },
    /// It will not have us, and is not tried again by itself.
    Refused {
        /// Why.
        code: ErrorCode,
        /// What it says, fit to follow "the server refused: ".
        message: String,
    },
}

/// How the connection to a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerLink {
    /// There is none.
    Waiting {
        /// When one is tried, unless the other side does before.
        next: Option<Instant>,
    },
    /// One is coming about.
    Connecting {
        /// Since when.
        since: Instant,
        /// When it is given up.
        give_up: Instant,
    },
    /// Up, and the key proven.
    Connected,
    /// It was up, and packets stopped coming.
    Reviving {
        /// Since when.
        since: Instant,
        /// When it is given up.
        give_up: Instant,
    },
}

impl PeerLink {
    /// When it changes by itself, if it does at a certain time.
    pub fn next(self) -> Option<Instant> {
        match self {
            Self::Waiting { next } => next,
            Self::Connecting { give_up, .. } | Self::Reviving { give_up, .. } => Some(give_up),
            Self::Connected => None,
        }
    }
}

/// Why a share is not served although we have some of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// The user said so, for this share.
    ByUser,
    /// Sharing is switched off, or serving on.
    ServiceOff,
    /// It was sent as often as the policy says.
    Ratio,
    /// It was there for as long as the policy says.
    Time,
}

/// A share as one peer sees it.
#[derive(Clone, Debug)]
pub struct ShareView {
    /// Its name in the protocol.
    pub id: ShareId,
    /// What it consists of.
    pub manifest: Arc<Manifest>,
    /// Whether its origin made the invite of this room.
    pub from_creator: bool,
    /// How it stands.
    pub state: ShareState,
    /// What it waits for, as of a second ago at most, if it does not go on.
    pub waiting: Option<Wait>,
    /// What an earlier run left of it, while it is not being received.
    pub recalled: Option<Recalled>,
    /// Whether it was saved elsewhere.
    pub saved: bool,
    /// Members who want or have it and are stuck.
    pub halted: Vec<Halted>,
    /// Bytes of the files that are chosen: what it takes to be complete.
    pub wanted: u64,
    /// Which files are chosen, and how urgent each is.
    pub selection: Selection,
    /// How urgent it is among several shares.
    pub priority: Priority,
    /// Why it is not served, if it is not although we have some of it.
    pub withheld: Option<Withheld>,
    /// Bytes that are verified and durable here, of files that are chosen or not.
    pub have: u64,
    /// Bytes that arrived over the network and were verified since [`receive`](crate::swarm::Swarm::receive).
    pub fetched: u64,
    /// Bytes found already verified in the store.
    pub reused: u64,
    /// Bytes that arrived in vain: duplicates, refused pieces, late answers.
    pub wasted: u64,
    /// Bytes of it sent to others.
    pub uploaded: u64,
    /// Bytes of it sent to others per second, at the moment.
    pub upload_rate: f64,
    /// Verified bytes per second, smoothed over a few seconds.
    pub rate: f64,
    /// Verified bytes by who sent them.
    pub sources: Vec<Source>,
    /// Connected peers that have some of it, and those of them that have all.
    pub holders: usize,
    /// Connected peers that have all of it.
    pub full_holders: usize,
    /// Connected peers that say it is verified and in place with them.
    pub receivers: usize,
    /// While it is being received: what must come from somebody who is not here.
    pub nowhere: Nowhere,
}

/// Wanted pieces of a share that are missing here and that no connected peer has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nowhere {
    /// How many.
    pub pieces: u32,
    /// Their bytes.
    pub bytes: u64,
    /// The files that are not whole without them, the first 16 of them.
    pub files: Vec<FileIndex>,
}

/// How many copies of a share the room holds, as far as one peer knows.
///
/// Of connected peers every piece is seen. Of others it is known at most that they once gave their word
/// to hold it all, and some of them may have left.
#[derive(Clone, Debug, PartialEq)]
pub struct Copies {
    /// Whole copies, ours included: as many as the scarcest piece has holders. After the point, which
    /// part of the pieces has more.
    pub in_room: f64,
    /// Whether the peers that are connected here, and we, have every piece between us without the origin.
    pub origin_may_leave: bool,
    /// Bytes that would be missing if the origin left now.
    pub only_origin_bytes: u64,
    /// Who gave a verified word to hold it all; at most 24.
    pub holders: Vec<Holder>,
}

/// Somebody who gave its signed word to hold all of a share, verified and in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The key that signed.
    pub key: PublicKey,
    /// The name that goes with it, if it is ours or a connected peer's.
    pub name: Option<String>,
    /// Since when, in milliseconds since 1970 by the holder's clock.
    pub since_ms: u64,
}

/// How much of a share came from one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its id while it sent.
    pub peer: PeerId,
    /// The name it had.
    pub name: String,
    /// Verified bytes.
    pub bytes: u64,
}

/// Another member of the room.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerView {
    /// Its id for this stay.
    pub id: PeerId,
    /// Its key, once proven.
    pub key: Option<PublicKey>,
    /// What it calls itself; empty until connected.
    pub name: String,
    /// How the connection to it stands.
    pub link: PeerLink,
    /// Bytes that it says it can still store.
    pub available: Option<u64>,
    /// Whether its key made the invite of this room.
    pub is_creator: bool,
    /// How packets to it travel, once known.
    pub path: Option<Path>,
    /// How many connections there are to it.
    pub lanes: usize,
    /// What it was sent, and what it sent.
    pub traffic: Traffic,
}

/// What was sent and received of files, and how fast it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Bytes of blocks sent.
    pub sent: u64,
    /// Bytes of blocks received.
    pub received: u64,
    /// Bytes of blocks sent per second, at the moment.
    pub upload_rate: f64,
    /// Bytes of blocks received per second, at the moment.
    pub download_rate: f64,
}

impl PeerView {
    /// Whether there is a connection to it that has been confirmed, working at the moment or not.
    pub fn is_connected(&self) -> bool {
        matches!(self.link, PeerLink::Connected | PeerLink::Reviving { .. })
    }
}

impl ShareView {
    /// What it waits for, if it waits.
    pub fn waits_for(&self) -> Option<Waiting> {
        self.waiting.map(|wait| wait.cause)
    }
}
