//! What a client and the signaling server say to each other.
//!
//! Messages are JSON objects, one per WebSocket text message. The server introduces peers and passes
//! sealed envelopes; everything that matters between peers is inside an envelope, which the server
//! cannot open (see [`crate::envelope`]). This module is all that `signaling-server` uses of the core.
//!
//! A connection is for one thing: the first message joins a room, or offers a code to be spoken, or claims
//! one ([`crate::rendezvous`]).

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};

/// Version of the messages in this module; a client says it when it joins.
pub const SIGNALING_VERSION: u16 = 1;

/// The largest envelope that is passed on, in bytes before base64.
///
/// A description of a peer with many addresses is some 3 KiB; the largest padding bucket is 16 KiB
/// ([`crate::envelope`]), and the seal adds less than 256 bytes.
pub const MAX_ENVELOPE_BYTES: usize = 16 * 1024 + 256;

/// The largest message a client may send, in bytes of JSON.
pub const MAX_CLIENT_MESSAGE_BYTES: usize = 32 * 1024;

/// At most this many members are named to a newcomer; a random sample if there are more.
pub const MAX_MEMBERS_TOLD: usize = 64;

/// The largest message between the two who meet by a code, in bytes before base64. The longest holds a
/// sealed invite, some 150 bytes.
pub const MAX_CODE_BODY_BYTES: usize = 512;

/// The largest number that a code can begin with.
pub const MAX_NAMEPLATE: u32 = 999_999;

/// What a client says to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClientMessage {
    /// The first message on a connection: enter a room, which comes to be if nobody is in it.
    Join {
        /// [`SIGNALING_VERSION`] of the client.
        version: u16,
        /// The room, as derived from the invite.
        room: RoomId,
        /// Who the client was before its connection broke: it gets the same id again if the token holds,
        /// and another one if not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<Resume>,
    },
    /// Pass a sealed envelope on to another member.
    Signal {
        /// Who is to have it.
        to: PeerId,
        /// What only the addressee can open.
        envelope: Envelope,
    },
    /// The first message on a connection: give a nameplate to a code of ours, for as long as we are
    /// connected and no longer than the server says.
    OfferCode {
        /// [`SIGNALING_VERSION`] of the client.
        version: u16,
    },
    /// The first message on a connection: meet whoever offers the code of this nameplate. That can be done
    /// once.
    ClaimCode {
        /// [`SIGNALING_VERSION`] of the client.
        version: u16,
        /// What the code begins with.
        nameplate: Nameplate,
    },
    /// Pass this on to the other who is here by the same nameplate.
    CodeMessage {
        /// What only the two understand.
        body: CodeBody,
    },
    /// Are you there? A page cannot send a WebSocket's own ping, and a connection whose path is gone looks
    /// like a silent one.
    Ping,
    /// Leave the room. Closing the WebSocket says the same.
    Leave,
}

/// What the server says to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerMessage {
    /// The answer to [`ClientMessage::Join`].
    Joined {
        /// The id of this client for this stay.
        peer: PeerId,
        /// Who is there already, at most [`MAX_MEMBERS_TOLD`]. The newcomer offers to those it wants to be
        /// connected to.
        members: Vec<PeerId>,
        /// STUN and TURN servers to use; often none.
        ice_servers: Vec<IceServer>,
        /// What brings this id back after the connection broke.
        token: ResumeToken,
    },
    /// Somebody came in, or came back on another connection. Said only while they and all others are at most
    /// [`MAX_MEMBERS_TOLD`] + 1.
    PeerJoined {
        /// The newcomer.
        peer: PeerId,
    },
    /// Somebody left, or their WebSocket closed. Says nothing about open data channels. Said only if at
    /// most [`MAX_MEMBERS_TOLD`] remain.
    PeerLeft {
        /// Who left.
        peer: PeerId,
    },
    /// An envelope from another member.
    Signal {
        /// Who sent it, according to the server; the envelope itself proves it.
        from: PeerId,
        /// What only we can open.
        envelope: Envelope,
    },
    /// The answer to [`ClientMessage::OfferCode`].
    CodeOffered {
        /// Leads to this connection, once.
        nameplate: Nameplate,
        /// For so many seconds.
        life_seconds: u32,
    },
    /// Somebody has claimed the nameplate: said to both. From now on nobody else can.
    CodeClaimed,
    /// From the other who is here by the same nameplate.
    CodeMessage {
        /// What only the two understand.
        body: CodeBody,
    },
    /// The nameplate leads nowhere any more.
    CodeEnded {
        /// Why.
        reason: CodeEnd,
    },
    /// The answer to [`ClientMessage::Ping`].
    Pong,
    /// An envelope could not be passed on because its addressee is not in the room.
    Undeliverable {
        /// The addressee.
        to: PeerId,
    },
    /// The server refuses to go on; it closes the WebSocket after this.
    Error {
        /// Why.
        code: ErrorCode,
        /// What to tell a person, fit to follow "the server refused: ".
        message: String,
    },
}

/// Why the server refuses a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The client speaks a version that the server does not.
    UnsupportedVersion,
    /// A message was not one of [`ClientMessage`], or came at the wrong time.
    BadMessage,
    /// A message or envelope was larger than allowed.
    TooLarge,
    /// The client sent more per second than it may.
    TooFast,
    /// The client read too slowly, and its queue was full.
    TooSlow,
    /// The room has as many members as it may.
    RoomFull,
    /// The server holds as many rooms or sockets as it may, or this address does.
    Busy,
    /// No code of this nameplate can be claimed: it expired, was claimed before, or never was.
    NoSuchCode,
    /// The server is shutting down; try again.
    ShuttingDown,
    /// Anything that a newer server may say.
    #[serde(other)]
    Other,
}

impl ErrorCode {
    /// Whether the same client may succeed when it tries again later, without changing anything.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::TooFast | Self::TooSlow | Self::Busy | Self::ShuttingDown)
    }
}

/// Why a nameplate leads nowhere any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeEnd {
    /// The other one is gone.
    Left,
    /// Its time is over.
    Expired,
    /// Anything that a newer server may say.
    #[serde(other)]
    Other,
}

/// A stay in a room that a client wants to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The id of that stay.
    pub peer: PeerId,
    /// What the server gave with it.
    pub token: ResumeToken,
}

/// A STUN or TURN server, in the shape of `RTCIceServer` (webrtc-pc).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:` or `turn:` URLs.
    pub urls: Vec<String>,
    /// TURN user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// TURN password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// A room as the server knows it: 16 bytes derived from the invite's secret, in JSON as base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomId(pub [u8; 16]);

/// A member of a room for one stay: 8 random bytes given by the server, in JSON as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerId(pub u64);

/// What proves to the server that an id was given to this client: 16 bytes, in JSON as base64url.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResumeToken(pub [u8; 16]);

/// A sealed envelope as it travels: opaque bytes, at most [`MAX_ENVELOPE_BYTES`], in JSON as base64url.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Envelope(Vec<u8>);

/// The number that a code begins with, from 1 to [`MAX_NAMEPLATE`]: what the server knows a code by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Nameplate(u32);

/// What two who meet by a code say to each other: opaque bytes, at most [`MAX_CODE_BODY_BYTES`], in JSON as
/// base64url.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeBody(Vec<u8>);

/// Text that is not the id or envelope it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not base64url or hexadecimal, or of the wrong length.
    #[error("not a valid {0}")]
    Malformed(&'static str),
    /// An envelope of more than [`MAX_ENVELOPE_BYTES`].
    #[error("envelope of {0} bytes; at most {MAX_ENVELOPE_BYTES} are passed on")]
    EnvelopeTooLarge(usize),
    /// A message between two who meet by a code, of more than [`MAX_CODE_BODY_BYTES`].
    #[error("code message of {0} bytes; at most {MAX_CODE_BODY_BYTES} are passed on")]
    CodeBodyTooLarge(usize),
}

impl Nameplate {
    /// A nameplate, unless the number is none.
    pub fn new(number: u32) -> Option<Self> {
        (1..=MAX_NAMEPLATE).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl CodeBody {
    /// Wraps bytes, unless they are too many to be passed on.
    pub fn new(bytes: Vec<u8>) -> Result<Self, ParseError> {
        if bytes.len() > MAX_CODE_BODY_BYTES {
            return Err(ParseError::CodeBodyTooLarge(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Envelope {
    /// Wraps sealed bytes, unless they are too many to be passed on.
    pub fn new(bytes: Vec<u8>) -> Result<Self, ParseError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(ParseError::EnvelopeTooLarge(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// The sealed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for RoomId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        BASE64URL_NOPAD
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(ParseError::Malformed("room id"))
    }
}

impl FromStr for ResumeToken {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        BASE64URL_NOPAD
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(ParseError::Malformed("resume token"))
    }
}

impl FromStr for PeerId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(|bytes| Self(u64::from_be_bytes(bytes)))
            .ok_or(ParseError::Malformed("peer id"))
    }
}

impl FromStr for Envelope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| ParseError::Malformed("envelope"))?;
        Self::new(bytes)
    }
}

impl FromStr for CodeBody {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| ParseError::Malformed("code message"))?;
        Self::new(bytes)
    }
}

impl TryFrom<u32> for Nameplate {
    type Error = ParseError;

    fn try_from(number: u32) -> Result<Self, ParseError> {
        Self::new(number).ok_or(ParseError::Malformed("nameplate"))
    }
}

impl From<Nameplate> for u32 {
    fn from(nameplate: Nameplate) -> Self {
        nameplate.0
    }
}

impl fmt::Display for Nameplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CodeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

// A secret between client and server.
impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken(…)")
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomId({self})")
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({} bytes)", self.0.len())
    }
}

impl fmt::Debug for CodeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeBody({} bytes)", self.0.len())
    }
}

/// Lets serde read and write a type as its text.
macro_rules! serde_as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = ParseError;

            fn try_from(text: String) -> Result<Self, ParseError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

serde_as_text!(RoomId, PeerId, ResumeToken, Envelope, CodeBody);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_documented() {
        let join = r#"{"type":"join","version":1,"room":"AAECAwQFBgcICQoLDA0ODw"}"#;
        let message: ClientMessage = serde_json::from_str(join).unwrap();
        let room = RoomId(std::array::from_fn(|i| i as u8));
        assert_eq!(message, ClientMessage::Join { version: 1, room, resume: None });
        assert_eq!(serde_json::to_string(&message).unwrap(), join);

        let again = r#"{"type":"join","version":1,"room":"AAECAwQFBgcICQoLDA0ODw","resume":{"peer":"00000000000000ff","token":"AAECAwQFBgcICQoLDA0ODw"}}"#;
        let message: ClientMessage = serde_json::from_str(again).unwrap();
        let resume = Some(Resume { peer: PeerId(255), token: ResumeToken(room.0) });
        assert_eq!(message, ClientMessage::Join { version: 1, room, resume });
        assert_eq!(serde_json::to_string(&message).unwrap(), again);

        let signal = r#"{"type":"signal","from":"00000000000000ff","envelope":"AQID"}"#;
        let message: ServerMessage = serde_json::from_str(signal).unwrap();
        let envelope = Envelope::new(vec![1, 2, 3]).unwrap();
        assert_eq!(message, ServerMessage::Signal { from: PeerId(255), envelope });
        assert_eq!(serde_json::to_string(&message).unwrap(), signal);
    }

    #[test]
    fn messages_about_codes_read_as_documented() {
        let nameplate = Nameplate::new(4).unwrap();
        let body = CodeBody::new(vec![1, 2, 3]).unwrap();
        for (message, text) in [
            (ClientMessage::OfferCode { version: 1 }, r#"{"type":"offer-code","version":1}"#),
            (
                ClientMessage::ClaimCode { version: 1, nameplate },
                r#"{"type":"claim-code","version":1,"nameplate":4}"#,
            ),
            (
                ClientMessage::CodeMessage { body: body.clone() },
                r#"{"type":"code-message","body":"AQID"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&message).unwrap(), text);
            assert_eq!(serde_json::from_str::<ClientMessage>(text).unwrap(), message);
        }
        for (message, text) in [
            (
                ServerMessage::CodeOffered { nameplate, life_seconds: 600 },
                r#"{"type":"code-offered","nameplate":4,"life_seconds":600}"#,
            ),
            (ServerMessage::CodeClaimed, r#"{"type":"code-claimed"}"#),
            (ServerMessage::CodeMessage { body }, r#"{"type":"code-message","body":"AQID"}"#),
            (
                ServerMessage::CodeEnded { reason: CodeEnd::Expired },
                r#"{"type":"code-ended","reason":"expired"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&message).unwrap(), text);
            assert_eq!(serde_json::from_str::<ServerMessage>(text).unwrap(), message);
        }
        for number in ["0", "1000000", "-1", "4.5", "\"4\""] {
            let text = format!(r#"{{"type":"claim-code","version":1,"nameplate":{number}}}"#);
            assert!(serde_json::from_str::<ClientMessage>(&text).is_err(), "{number}");
        }
    }

    #[test]
    fn unknown_error_codes_of_a_newer_server_are_understood_as_other() {
        let text = r#"{"type":"error","code":"on-fire","message":"come back later"}"#;
        let message: ServerMessage = serde_json::from_str(text).unwrap();
        assert!(matches!(message, ServerMessage::Error { code: ErrorCode::Other, .. }));
    }

    #[test]
    fn malformed_ids_and_oversized_envelopes_are_refused() {
        assert_eq!("AAEC".parse::<RoomId>(), Err(ParseError::Malformed("room id")));
        assert_eq!("xyz".parse::<PeerId>(), Err(ParseError::Malformed("peer id")));
        assert_eq!("FF".parse::<PeerId>(), Err(ParseError::Malformed("peer id")));
        let large = BASE64URL_NOPAD.encode(&vec![0; MAX_ENVELOPE_BYTES + 1]);
        assert_eq!(
            large.parse::<Envelope>(),
            Err(ParseError::EnvelopeTooLarge(MAX_ENVELOPE_BYTES + 1))
        );
        let large = BASE64URL_NOPAD.encode(&vec![0; MAX_CODE_BODY_BYTES + 1]);
        assert_eq!(
            large.parse::<CodeBody>(),
            Err(ParseError::CodeBodyTooLarge(MAX_CODE_BODY_BYTES + 1))
        );
    }
}
