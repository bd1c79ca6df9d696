//! What goes in and out of the machine: the interface between [`Swarm`](crate::swarm::Swarm) and an
//! adapter. Plain data; the doing is the adapter's.
//!
//! | kind | out of the core | back in |
//! |---|---|---|
//! | signaling | [`SignalingRequest`] | [`SignalingEvent`] |
//! | connections | [`ConnectionRequest`] | [`ConnectionEvent`] |
//! | data channels | [`Transmit`] | messages, buffered amounts |
//! | files | [`StorageRequest`] | [`StorageResponse`] |
//! | people | [`Event`](crate::event::Event) | commands |

use std::fmt;
use std::sync::Arc;

use crate::bitfield::Bitfield;
use crate::manifest::{HashBatch, Manifest, ShareId, SignedManifest};
use crate::piece::{FileIndex, PieceIndex, Span};
use crate::signaling::{ClientMessage, IceServer, ServerMessage};
use crate::time::Duration;

/// The stream id of the data channel for control messages, negotiated beforehand (RFC 8832 is not used).
pub const CONTROL_CHANNEL_ID: u16 = 0;
/// The stream id of the data channel for blocks.
pub const BLOCKS_CHANNEL_ID: u16 = 1;
/// The core hands out no message for a channel that has this much buffered. More does not make any
/// browser faster, and 16 MiB hangs Chrome.
pub const HIGH_WATER_BYTES: usize = 1 << 20;
/// Adapters set `bufferedAmountLowThreshold` to this, and report the buffered amount when told.
pub const LOW_WATER_BYTES: usize = 256 << 10;

/// A connection, named by the core; never used twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// A read that is under way, named by the core; never used twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// To the signaling server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalingRequest {
    /// Open the WebSocket; then report [`SignalingEvent::Opened`] or [`SignalingEvent::Closed`].
    Open,
    /// Send a message on the open WebSocket.
    Send(ClientMessage),
    /// Close the WebSocket; what was sent before should still go out.
    Close,
}

/// From the signaling server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalingEvent {
    /// The WebSocket is open.
    Opened,
    /// A message came.
    Message(ServerMessage),
    /// The WebSocket closed, or could not be opened; or a message was no [`ServerMessage`].
    Closed {
        /// What is to blame, as far as can be told.
        cause: LostCause,
        /// Why, for people, if anything is known.
        reason: String,
    },
}

/// Why the server cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostCause {
    /// This machine has no network.
    Network,
    /// Anything else: it does not run, does not answer, or something on the way is broken.
    Server,
}

/// Which of the two does what in a negotiation (RFC 9429).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Creates the offer, and restarts ICE when need be.
    Offerer,
    /// Answers.
    Answerer,
}

/// A session description (RFC 8866 text with its type).
#[derive(Clone, PartialEq, Eq)]
pub enum Description {
    /// From the offerer.
    Offer(String),
    /// From the answerer.
    Answer(String),
}

/// An ICE candidate, in the shape of `RTCIceCandidateInit`.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The candidate attribute (RFC 8839).
    pub candidate: String,
    /// Its media stream identification tag.
    pub sdp_mid: Option<String>,
    /// Its media description's index.
    pub sdp_mline_index: Option<u16>,
}

/// A certificate's SHA-256 fingerprint (RFC 8122).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// Which of the two data channels of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Small messages that must never wait for bulk: [`CONTROL_CHANNEL_ID`].
    Control,
    /// Blocks: [`BLOCKS_CHANNEL_ID`].
    Blocks,
}

/// What to do with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionRequest {
    /// Make a connection with both negotiated channels. An offerer goes on to create an offer at once.
    Open {
        /// Its name from now on.
        connection: ConnectionId,
        /// Whether to create an offer.
        role: Role,
        /// What to find candidates with.
        ice_servers: Vec<IceServer>,
        /// Whether to use no candidates but relayed ones (`iceTransportPolicy: "relay"`).
        relay_only: bool,
    },
    /// Apply the remote description; if it is an offer, create an answer.
    SetRemoteDescription {
        /// Which connection.
        connection: ConnectionId,
        /// From the other side.
        description: Description,
    },
    /// Add a remote candidate. Comes only after a remote description.
    AddCandidate {
        /// Which connection.
        connection: ConnectionId,
        /// From the other side; `None` is the end of candidates.
        candidate: Option<Candidate>,
    },
    /// Create an offer that restarts ICE.
    RestartIce {
        /// Which connection.
        connection: ConnectionId,
    },
    /// Close and forget. Messages handed out before should still go out if that is quick. No event
    /// about this connection is expected any more.
    Close {
        /// Which connection.
        connection: ConnectionId,
    },
}

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// A description was created and applied on this side.
    LocalDescription(Description),
    /// A candidate was found; `None` is the end of candidates. Comes after the description that it
    /// belongs to.
    LocalCandidate(Option<Candidate>),
    /// `connectionState` changed.
    State(ConnectionState),
    /// DTLS is up and both channels are open.
    Open(Opened),
    /// How packets travel now; repeated when it changes or a new round trip was measured.
    Path(Path),
    /// The connection is of no more use: a channel closed, or the library gave up.
    Closed {
        /// Why, for people, if anything is known.
        reason: String,
    },
}

/// What is known once the channels of a connection are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The largest message that may be sent, in bytes (RFC 8841, the smaller of both sides).
    pub max_message_size: usize,
    /// What our socket holds until we read it, in bytes: more at once is lost. Bounds what may be on its
    /// way over a long path.
    pub receive_buffer: usize,
    /// Our certificate, as observed on the connection rather than read from a description.
    pub local_fingerprint: Fingerprint,
    /// Theirs, likewise.
    pub remote_fingerprint: Fingerprint,
}

/// `RTCPeerConnectionState`, as far as the core acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// ICE and DTLS are up.
    Connected,
    /// Packets stopped coming; may pass by itself.
    Disconnected,
    /// ICE gave up; a restart may revive it.
    Failed,
}

/// How packets to a peer travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// By the selected candidate pair.
    pub kind: PathKind,
    /// The round trip as ICE measures it.
    pub round_trip: Option<Duration>,
}

/// The kind of a path, by the types of its selected candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Host candidates on both sides: the same network or machine.
    Lan,
    /// Through address translation, without a relay.
    Direct,
    /// Through a TURN server.
    Relayed,
}

/// A message to be sent on a data channel, at most `max_message_size` long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The connection.
    pub connection: ConnectionId,
    /// The channel.
    pub channel: Channel,
    /// One message.
    pub bytes: Vec<u8>,
}

/// What to do with files. Requests about one share are carried out in order; every one is answered by
/// the [`StorageResponse`] named in its description.
#[derive(Clone, Debug)]
pub enum StorageRequest {
    /// Read a piece of a share that this peer shares or has in store → [`StorageResponse::Read`].
    Read {
        /// Names this read in the answer.
        read: ReadId,
        /// Which share.
        share: ShareId,
        /// Where the piece lies.
        span: Span,
    },
    /// Open the store of a share, or make one; find what an earlier run left → [`StorageResponse::Opened`].
    Open {
        /// Which share.
        share: ShareId,
        /// Its manifest.
        manifest: Arc<Manifest>,
        /// The same in the form to be kept beside the pieces.
        signed: Arc<SignedManifest>,
    },
    /// Make room for all of these files, which are those wanted, as far as they are not there →
    /// [`StorageResponse::Reserved`]. Asked when a share was opened or more of it is wanted, and now and then
    /// while the disk was full. Pieces of other files may come all the same.
    Reserve {
        /// Which share.
        share: ShareId,
        /// Those files.
        files: Vec<FileIndex>,
    },
    /// Write a verified piece → [`StorageResponse::Written`].
    Write {
        /// Which share.
        share: ShareId,
        /// Which piece.
        piece: PieceIndex,
        /// Where it lies.
        span: Span,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Make written pieces durable, then note them in the journal, with the batches that prove them →
    /// [`StorageResponse::Committed`]. What was not committed counts as missing after a crash.
    Commit {
        /// Which share.
        share: ShareId,
        /// Pieces that were written since the last commit.
        pieces: Vec<PieceIndex>,
        /// Hash batches not handed over before.
        batches: Vec<HashBatch>,
    },
    /// Every piece of these files is committed: bring them to their final place and state →
    /// [`StorageResponse::Finished`]. They go on being read for others, and other files of the share may
    /// follow. With the last of its files go its empty directories.
    Finish {
        /// Which share.
        share: ShareId,
        /// Files that are not in their place yet.
        files: Vec<FileIndex>,
    },
    /// Keep hash batches of a share of ours → no answer. An origin that comes back with the same files goes
    /// on from there; what was signed once is never signed otherwise.
    Keep {
        /// Which share.
        share: ShareId,
        /// Batches not handed over before.
        batches: Vec<HashBatch>,
    },
    /// Let go of a share → no answer. Reads under way may be dropped.
    Close {
        /// Which share.
        share: ShareId,
        /// Also erase all that the store keeps of it. Files that were brought to a place of the user's own
        /// are the user's.
        discard: bool,
    },
}

/// What came of a [`StorageRequest`].
#[derive(Clone, Debug)]
pub enum StorageResponse {
    /// Of [`StorageRequest::Read`].
    Read {
        /// The read.
        read: ReadId,
        /// All bytes of the span.
        result: Result<Vec<u8>, StorageError>,
    },
    /// Of [`StorageRequest::Open`].
    Opened {
        /// The share.
        share: ShareId,
        /// What was kept from before.
        result: Result<Kept, StorageError>,
    },
    /// Of [`StorageRequest::Reserve`].
    Reserved {
        /// The share.
        share: ShareId,
        /// Whether there is room. `Ok` also where nobody can tell.
        result: Result<(), StorageError>,
    },
    /// Of [`StorageRequest::Write`].
    Written {
        /// The share.
        share: ShareId,
        /// The piece.
        piece: PieceIndex,
        /// Whether all its bytes were written.
        result: Result<(), StorageError>,
    },
    /// Of [`StorageRequest::Commit`].
    Committed {
        /// The share.
        share: ShareId,
        /// Whether they are durable.
        result: Result<(), StorageError>,
    },
    /// Of [`StorageRequest::Finish`].
    Finished {
        /// The share.
        share: ShareId,
        /// Whether the files are in place.
        result: Result<(), StorageError>,
    },
}

/// What a store already had when it was opened.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The committed pieces.
    pub pieces: Bitfield,
    /// The batches that prove them.
    pub batches: Vec<HashBatch>,
    /// The files that an earlier run finished and that are still in their place.
    pub finished: Vec<FileIndex>,
}

/// Why a storage request failed. Fits to follow "could not read NAME: " or the like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// No room, on the disk or within the browser's quota.
    #[error("the disk is full; make room and try again")]
    Full {
        /// Bytes that could still be stored, where that is known.
        available: Option<u64>,
    },
    /// The file of this name is not what it was when it was shared.
    #[error("{0} has changed since it was shared; share it again")]
    Changed(String),
    /// What was read back of the file of this name is not what was written.
    #[error("{0} was not stored as it was written; check the disk and try again")]
    Damaged(String),
    /// A file or store is gone, or may not be opened.
    #[error("the file cannot be opened any more: {0}")]
    Gone(String),
    /// Anything else that the system says.
    #[error("{0}")]
    Other(String),
}

impl ConnectionRequest {
    /// The connection it is about.
    pub fn connection(&self) -> ConnectionId {
        match self {
            Self::Open { connection, .. }
            | Self::SetRemoteDescription { connection, .. }
            | Self::AddCandidate { connection, .. }
            | Self::RestartIce { connection }
            | Self::Close { connection } => *connection,
        }
    }
}

impl Description {
    /// The text of the description.
    pub fn sdp(&self) -> &str {
        match self {
            Self::Offer(sdp) | Self::Answer(sdp) => sdp,
        }
    }

    /// The first SHA-256 fingerprint it names, if there is one. Browsers enforce it, so it stands in for
    /// the observed certificate where a browser exposes none.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.sdp().lines().find_map(|line| {
            let (hash, value) = line.trim().strip_prefix("a=fingerprint:")?.split_once(' ')?;
            hash.eq_ignore_ascii_case("sha-256").then(|| value.parse().ok())?
        })
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = crate::codec::DecodeError;

    /// Reads 32 hexadecimal pairs joined by colons.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = crate::codec::DecodeError::OutOfRange("fingerprint");
        let bytes: Option<Vec<u8>> =
            text.trim().split(':').map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(malformed)
    }
}

// Descriptions and candidates hold addresses: they are not for logs.

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Offer(_)) { "Offer" } else { "Answer" };
        write!(f, "{kind}({} bytes)", self.sdp().len())
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({} bytes)", self.candidate.len())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({}…)", data_encoding::HEXLOWER.encode(&self.0[..4]))
    }
}
