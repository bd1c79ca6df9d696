//! Meeting by a code: how an invite gets from whoever made a code to whoever was told it, through a server
//! that knows the nameplate and nothing else.
//!
//! [`Offering`] is the creator's end and [`Claiming`] the guest's. Each runs on a connection of its own to
//! the server, for one code and once; its only product is the invite, and from then on all is as with a link.
//!
//! ```text
//!   creator                          server                          guest
//!   offer-code             ─────────▶
//!                          ◀───────── code-offered 4
//!                    "4-brave-otter-lamp", from mouth to ear
//!                                           ◀───────── claim-code 4
//!                          ◀───────── code-claimed ─────────▶
//!                          ◀────────────────────────── share
//!   share                  ──────────────────────────▶
//!                          ◀────────────────────────── confirmation
//!   confirmation, sealed invite, or "wrong" ─────────▶
//! ```
//!
//! The shares are those of a [`Pake`], which gives both the same key if their words are the same. The guest
//! confirms first: it shows something that only this key gives, for which there is one try. Only then does
//! the creator confirm in turn and seal the invite (XChaCha20-Poly1305), so a guess that is wrong learns
//! nothing, and the code is **burnt**: it never works again, and the creator is told. So is a code whose
//! guest goes away or falls silent.
//!
//! Nameplate, roles and version are part of what the key is made of, and each use of the key has a context
//! of its own. A server that plays the guest has one guess in 2^33, and the creator sees it; one that stands
//! between two people has one at each end, and both see that it failed.

mod claiming;
mod offering;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

pub use self::claiming::{ClaimError, Claiming};
pub use self::offering::{OfferEnd, OfferEvent, Offering};
use crate::code::Words;
use crate::codec::{DecodeError, Reader, Writer};
use crate::invite::Invite;
use crate::pake::{Pake, SharedKey, Side};
use crate::signaling::{ClientMessage, CodeBody, Nameplate};
use crate::time::Duration;

const VERSION: u8 = 1;

const CONTEXT: &str = "shoal v1 code";
const GUEST_CONFIRMS: &str = "shoal v1 code, the guest confirms the key";
const CREATOR_CONFIRMS: &str = "shoal v1 code, the creator confirms the key";
const SEALS_INVITE: &str = "shoal v1 code, seals the invite";

/// A code lives no longer than this, whatever the server says.
pub const MAX_LIFE: Duration = Duration::from_secs(600);
/// How long the server may take to let us in and answer.
const SERVER_PATIENCE: Duration = Duration::from_secs(20);
/// How long the other side may take, once it is there, until all is said. It is a matter of two round trips.
const EXCHANGE_PATIENCE: Duration = Duration::from_secs(30);

/// What creator and guest say to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// The guest's, then the creator's part of the key exchange.
    Share(Vec<u8>),
    /// The guest has the key.
    Confirmation([u8; 32]),
    /// So has the creator; and here is the invite.
    Invite { confirmation: [u8; 32], sealed: Vec<u8> },
    /// The guest's confirmation was wrong.
    Wrong,
}

/// What follows from the shared key; each is used once.
#[derive(Clone, PartialEq, Eq)]
struct Keys {
    guest_confirms: [u8; 32],
    creator_confirms: [u8; 32],
    seals_invite: [u8; 32],
}

impl Keys {
    fn new(shared: &SharedKey) -> Self {
        Self {
            guest_confirms: blake3::derive_key(GUEST_CONFIRMS, shared),
            creator_confirms: blake3::derive_key(CREATOR_CONFIRMS, shared),
            seals_invite: blake3::derive_key(SEALS_INVITE, shared),
        }
    }

    fn seal(&self, nameplate: Nameplate, invite: &Invite) -> Vec<u8> {
        let (text, aad) = (invite.to_string(), associated(nameplate));
        let payload = Payload { msg: text.as_bytes(), aad: &aad };
        let sealed = self.cipher().encrypt(&XNonce::from([0; 24]), payload);
        sealed.expect("an invite is far shorter than what can be sealed")
    }

    /// The text of the invite, which may be of a newer version than we know.
    fn open(&self, nameplate: Nameplate, sealed: &[u8]) -> Option<String> {
        let aad = associated(nameplate);
        let payload = Payload { msg: sealed, aad: &aad };
        let text = self.cipher().decrypt(&XNonce::from([0; 24]), payload).ok()?;
        String::from_utf8(text).ok()
    }

    /// The key seals one message, so the nonce needs not differ from any other.
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(self.seals_invite))
    }
}

/// Whether a confirmation is right, in a time that does not tell how much of it is.
fn is_right(theirs: [u8; 32], expected: [u8; 32]) -> bool {
    blake3::Hash::from_bytes(theirs) == blake3::Hash::from_bytes(expected)
}

fn start<P: Pake>(
    side: Side,
    nameplate: Nameplate,
    words: Words,
    random: [u8; 32],
) -> (P, Vec<u8>) {
    let context = format!("{CONTEXT} {nameplate}");
    P::start(side, words.to_string().as_bytes(), context.as_bytes(), random)
}

fn associated(nameplate: Nameplate) -> Vec<u8> {
    let mut w = Writer::new();
    w.u8(VERSION).u32(nameplate.number());
    w.finish()
}

const SHARE: u8 = 0;
const CONFIRMATION: u8 = 1;
const INVITE: u8 = 2;
const WRONG: u8 = 3;

impl Said {
    fn message(&self) -> ClientMessage {
        let mut w = Writer::new();
        w.u8(VERSION);
        match self {
            Self::Share(share) => w.u8(SHARE).bytes(share),
            Self::Confirmation(confirmation) => w.u8(CONFIRMATION).bytes(confirmation),
            Self::Invite { confirmation, sealed } => w.u8(INVITE).bytes(confirmation).bytes(sealed),
            Self::Wrong => w.u8(WRONG),
        };
        let body = CodeBody::new(w.finish()).expect("what we say is shorter than a body may be");
        ClientMessage::CodeMessage { body }
    }

    fn read(body: &CodeBody) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body.as_bytes());
        let version = r.u8()?;
        if version != VERSION {
            return Err(DecodeError::Unknown { what: "version of codes", value: version });
        }
        let said = match r.u8()? {
            SHARE => Self::Share(r.rest().to_vec()),
            CONFIRMATION => Self::Confirmation(r.array()?),
            INVITE => Self::Invite { confirmation: r.array()?, sealed: r.rest().to_vec() },
            WRONG => Self::Wrong,
            value => return Err(DecodeError::Unknown { what: "message about a code", value }),
        };
        r.finish()?;
        Ok(said)
    }
}

#[cfg(test)]
mod tests;
