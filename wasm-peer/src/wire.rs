//! What the window and the worker say to each other: structured clones of plain values, with files,
//! handles and data channels kept as what they are.
//!
//! The window starts with [`Command::Start`] once the worker has said [`ToWindow::Ready`]. Everything
//! about connections is the core's `io` in a form that crosses between threads.

use serde::{Deserialize, Serialize};
use serde_wasm_bindgen::preserve;
use wasm_bindgen::JsValue;
use web_sys::{FileSystemDirectoryHandle, RtcDataChannel};

use crate::api::{
    PathKind, PeerEvent, PeerOptions, Person, Policy, Priority, Selection, SharedFile,
};

/// From the window to the worker.
#[derive(Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// Do something and [`ToWindow::Reply`].
    Call {
        /// Names the call in the reply.
        call: u32,
        /// What to do.
        command: Command,
    },
    /// Something happened to a connection.
    Connection {
        /// Which connection.
        connection: u32,
        /// What happened.
        report: ConnectionReport,
    },
}

/// What the window asks for.
#[derive(Serialize, Deserialize)]
pub(crate) enum Command {
    /// Enter a room → [`Started`].
    Start {
        /// The room's link, or a code to be spoken; a new room without.
        link: Option<String>,
        /// How; `server` is set.
        options: Box<PeerOptions>,
        /// The names of the stores that this tab had.
        stores: Vec<String>,
    },
    /// Share files → the share's id.
    Share {
        /// Files and empty directories.
        files: Vec<SharedFile>,
    },
    /// Fetch a share → nothing.
    Receive {
        /// Its id.
        share: String,
        /// Where to put the files once they are complete; kept until saved without.
        #[serde(with = "optional_js", default)]
        directory: Option<FileSystemDirectoryHandle>,
    },
    /// Stop fetching → nothing.
    Stop {
        /// The share's id.
        share: String,
        /// Whether to erase what was stored.
        discard: bool,
    },
    /// Withdraw a share of ours → nothing.
    Unshare {
        /// Its id.
        share: String,
    },
    /// What is finished of a share, or one file of it, as something to save → a `SaveableBlob`.
    Blob {
        /// Its id.
        share: String,
        /// The file's place; all files without.
        file: Option<u32>,
    },
    /// The blob was handed to the browser as a download → nothing.
    Saved {
        /// The share's id.
        share: String,
    },
    /// Choose files → nothing.
    Select {
        /// The share's id.
        share: String,
        /// What is wanted of it.
        selection: Selection,
    },
    /// Ask for no more of a share, or go on → nothing.
    SetPaused {
        /// The share's id.
        share: String,
        /// Whether to pause.
        paused: bool,
    },
    /// Make a share more or less urgent → nothing.
    SetPriority {
        /// The share's id.
        share: String,
        /// How urgent.
        priority: Priority,
    },
    /// Serve a share to others or not → nothing.
    SetServing {
        /// The share's id.
        share: String,
        /// Whether to.
        serve: bool,
    },
    /// Say something to the room → nothing.
    Say {
        /// What.
        text: String,
    },
    /// The files of a share → a [`FileList`](crate::api::FileList).
    Files {
        /// The share's id.
        share: String,
    },
    /// Look at some files of a share → their [`FileDetail`](crate::api::FileDetail)s.
    Look {
        /// The share's id.
        share: String,
        /// The places of the files.
        files: Vec<u32>,
    },
    /// Look for titles and paths → [`Found`](crate::api::Found), in no order.
    Search {
        /// Words that must all be there.
        text: String,
    },
    /// How the pieces of a share stand → a `PieceMap`.
    Pieces {
        /// The share's id.
        share: String,
        /// In how many cells at most.
        cells: u32,
    },
    /// Try to reach the server now → nothing.
    RetryServer,
    /// Go on sharing what could not be read → nothing.
    Reattach {
        /// The share's id.
        share: String,
        /// Its files in the order of the manifest; `undefined` in place of those that are gone.
        #[serde(with = "preserve")]
        files: js_sys::Array,
    },
    /// Go on sharing what could not be read, with files that were chosen again → nothing.
    ReattachFiles {
        /// The share's id.
        share: String,
        /// The files; it does no harm if there are others among them.
        files: Vec<SharedFile>,
    },
    /// Trust or avoid somebody from now on, in all rooms → nothing.
    SetStanding(Person),
    /// Lock the room, or open it again → nothing.
    SetLocked {
        /// Whether to lock it.
        locked: bool,
    },
    /// Start the room anew → the link to the new one.
    StartAnew {
        /// The public keys of those who are not told.
        without: Vec<String>,
    },
    /// Make a code to be spoken, in place of the one before → nothing; how it stands is in the state.
    OfferCode,
    /// Take the code back → nothing.
    WithdrawCode,
    /// Put another policy in force → nothing.
    SetPolicy(Box<Policy>),
    /// Say goodbye and let go of everything → nothing.
    Leave,
}

impl Command {
    /// Whether it only asks, and changes nothing.
    pub(crate) fn is_question(&self) -> bool {
        matches!(
            self,
            Self::Files { .. } | Self::Look { .. } | Self::Search { .. } | Self::Pieces { .. }
        )
    }
}

/// What is known once a room is entered.
#[derive(Serialize, Deserialize)]
pub(crate) struct Started {
    /// The link that lets others in.
    pub(crate) invite_link: String,
    /// The name of the store that the tab has now; none in memory.
    pub(crate) store: Option<String>,
}

/// From the worker to the window.
#[derive(Serialize, Deserialize)]
pub(crate) enum ToWindow {
    /// The worker listens.
    Ready,
    /// The answer to a call.
    Reply {
        /// Which call.
        call: u32,
        /// The sentence of an error.
        error: Option<String>,
        /// What was asked for, unless there was an error.
        #[serde(with = "preserve")]
        value: JsValue,
    },
    /// A [`State`](crate::api::State), passed on as it is.
    State(#[serde(with = "preserve")] JsValue),
    /// Something happened.
    Event(PeerEvent),
    /// Something is to be done with a connection.
    Connection {
        /// Which connection.
        connection: u32,
        /// What to do.
        request: ConnectionRequest,
    },
    /// The worker has come to an end by a defect of ours.
    Crashed {
        /// What is known.
        message: String,
    },
}

/// The core's `ConnectionRequest`, and sends on channels that could not be transferred.
#[derive(Serialize, Deserialize)]
pub(crate) enum ConnectionRequest {
    /// Make a connection; if `offer`, create an offer.
    Open {
        /// Whether to create an offer.
        offer: bool,
        /// What to find candidates with.
        ice_servers: Vec<IceServer>,
        /// Whether to use relayed candidates only.
        relay_only: bool,
    },
    /// Apply the remote description; if it is an offer, answer.
    SetRemoteDescription(Description),
    /// Add a remote candidate or the end of candidates.
    AddCandidate(Option<Candidate>),
    /// Create an offer that restarts ICE.
    RestartIce,
    /// Close and forget.
    Close,
    /// Send on a channel that stayed in the window.
    Send {
        /// The stream id of the channel.
        channel: u16,
        /// One message.
        #[serde(with = "preserve")]
        bytes: js_sys::Uint8Array,
    },
}

/// The core's `ConnectionEvent`, and what happens on channels that could not be transferred.
#[derive(Serialize, Deserialize)]
pub(crate) enum ConnectionReport {
    /// Both channels, for the worker to have.
    Channels {
        /// Stream id 0.
        #[serde(with = "preserve")]
        control: RtcDataChannel,
        /// Stream id 1.
        #[serde(with = "preserve")]
        blocks: RtcDataChannel,
    },
    /// The channels stay in the window; what happens on them follows as reports.
    ChannelsStay,
    /// A description was created and applied.
    LocalDescription(Description),
    /// A candidate was found, or the last one was.
    LocalCandidate(Option<Candidate>),
    /// `connectionState` changed.
    State(ConnectionState),
    /// DTLS is up.
    Secured {
        /// The largest message the other side takes, bytes.
        max_message_size: u32,
        /// Our certificate's SHA-256 fingerprint.
        local: [u8; 32],
        /// Theirs.
        remote: [u8; 32],
    },
    /// How packets travel.
    Path {
        /// By the selected candidate pair.
        kind: PathKind,
        /// The round trip, if it was measured.
        round_trip_ms: Option<f64>,
    },
    /// The connection is of no more use.
    Closed {
        /// Why.
        reason: String,
    },
    /// A channel in the window opened.
    ChannelOpened {
        /// Its stream id.
        channel: u16,
    },
    /// A channel in the window closed.
    ChannelClosed {
        /// Its stream id.
        channel: u16,
    },
    /// A message came on a channel in the window.
    Message {
        /// Its stream id.
        channel: u16,
        /// An ArrayBuffer, or what else the other side sent.
        #[serde(with = "preserve")]
        data: JsValue,
    },
    /// A send was carried out, or the buffered amount fell to the low-water mark.
    BufferedAmount {
        /// Its stream id.
        channel: u16,
        /// Bytes handed to the channel since it opened.
        sent: f64,
        /// Its buffered amount.
        buffered: u32,
    },
}

/// A STUN or TURN server.
#[derive(Serialize, Deserialize)]
pub(crate) struct IceServer {
    /// `stun:` or `turn:` URLs.
    pub(crate) urls: Vec<String>,
    /// TURN user name.
    pub(crate) username: Option<String>,
    /// TURN password.
    pub(crate) credential: Option<String>,
}

/// A session description.
#[derive(Serialize, Deserialize)]
pub(crate) struct Description {
    /// Whether it is an offer; else an answer.
    pub(crate) offer: bool,
    /// Its text.
    pub(crate) sdp: String,
}

/// An ICE candidate.
#[derive(Serialize, Deserialize)]
pub(crate) struct Candidate {
    /// The candidate attribute.
    pub(crate) candidate: String,
    /// Its media stream identification tag.
    pub(crate) sdp_mid: Option<String>,
    /// Its media description's index.
    pub(crate) sdp_mline_index: Option<u16>,
}

/// The states that matter.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ConnectionState {
    /// ICE and DTLS are up.
    Connected,
    /// Packets stopped coming.
    Disconnected,
    /// ICE gave up.
    Failed,
}

/// Turns a message into what `postMessage` takes.
pub(crate) fn to_js(message: &impl Serialize) -> JsValue {
    serde_wasm_bindgen::to_value(message).expect("the messages of this module are plain values")
}

/// For fields that are a JavaScript object or nothing.
pub(crate) mod optional_js {
    use serde::de::Error;
    use serde::{Deserializer, Serializer};
    use wasm_bindgen::{JsCast, JsValue};

    /// Keeps the object itself, and nothing as `undefined`.
    pub(crate) fn serialize<T: JsCast, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serde_wasm_bindgen::preserve::serialize(value.as_ref(), serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Takes the object itself, and `undefined` or `null` as nothing.
    pub(crate) fn deserialize<'de, T: JsCast, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let value: JsValue = serde_wasm_bindgen::preserve::deserialize(deserializer)?;
        if value.is_undefined() || value.is_null() {
            return Ok(None);
        }
        value.dyn_into().map(Some).map_err(|_| Error::custom("an object of another type"))
    }
}
