//! Envelopes: signals between two peers, sealed against the server that passes them on.
//!
//! Layout of an envelope: version (1 byte) ‖ nonce (24) ‖ XChaCha20-Poly1305 ciphertext, under the
//! room's signaling key, bound to room, sender and addressee as associated data. Inside: device key
//! of the sender (32) ‖ Ed25519 signature (64) ‖ epoch (8) ‖ sequence (4) ‖ length (4) ‖ signal ‖
//! zeros up to the next size of [`BUCKETS`], so that lengths tell little.
//!
//! There is one version and one set of algorithms, so there is nothing to downgrade to. What this
//! module leaves to `negotiation`: which epochs and sequence numbers are fresh.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

use crate::codec::{DecodeError, Reader, Writer};
use crate::identity::{DeviceKey, PublicKey, Signature};
use crate::invite::SignalingKey;
use crate::io::{Candidate, Description};
use crate::signaling::{Envelope, PeerId, RoomId};

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
/// Key, signature, epoch, sequence, length.
const HEADER_BYTES: usize = 32 + 64 + 8 + 4 + 4;
const SIGN: &str = "shoal v1 sender signs a signal";

/// Sizes to which the inside of an envelope is padded, in bytes.
pub const BUCKETS: [usize; 6] = [512, 1024, 2048, 4096, 8192, 16384];

/// What two peers tell each other while they negotiate a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A session description.
    Description(Description),
    /// An offer to open one more connection to a peer that is connected already.
    LaneOffer(String),
    /// An offer from a peer that has too few connections: if the addressee has no room for one more, it
    /// is asked to make some.
    NeedyOffer(String),
    /// A candidate; `None` is the end of candidates.
    Candidate(Option<Candidate>),
    /// The answer to an offer by a peer that has as many connections as it wants.
    Busy,
    /// The answer to an offer from a key that the creator of the room does not let in.
    Locked,
}

/// From whom, to whom, where: what the server knows of an envelope, and what the seal is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The room.
    pub room: RoomId,
    /// The sender.
    pub from: PeerId,
    /// The addressee.
    pub to: PeerId,
}

/// What an opened envelope holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whose signature it bears.
    pub sender: PublicKey,
    /// Which attempt to connect these two it belongs to.
    pub epoch: u64,
    /// Counts the sender's signals within the epoch, from 0.
    pub sequence: u32,
    /// The signal.
    pub signal: Signal,
}

/// Why an envelope is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not sealed by a member of the room, not for us, or changed on the way.
    #[error("the envelope was not sealed by a member of this room for us")]
    Seal,
    /// The signature inside does not hold.
    #[error("the envelope is not signed by the key it names")]
    Signature,
    /// Sealed and signed, yet not a signal.
    #[error("the envelope holds no signal: {0}")]
    Decode(#[from] DecodeError),
    /// Longer than an envelope may be.
    #[error("the signal is too long to be sent")]
    TooLong,
}

/// Seals a signal. The nonce must be random and never used before.
pub fn seal(
    key: &SignalingKey,
    device: &DeviceKey,
    route: Route,
    epoch: u64,
    sequence: u32,
    signal: &Signal,
    nonce: [u8; NONCE_BYTES],
) -> Result<Envelope, OpenError> {
    let payload = encode(signal);
    let used = HEADER_BYTES + payload.len();
    let padded = *BUCKETS.iter().find(|&&bucket| bucket >= used).ok_or(OpenError::TooLong)?;
    let signature = device.sign(SIGN, &signed_part(route, epoch, sequence, &payload));

    let mut w = Writer::with_capacity(padded);
    w.bytes(&device.public().0).bytes(&signature.0).u64(epoch).u32(sequence);
    w.count(payload.len()).bytes(&payload).bytes(&vec![0; padded - used]);
    seal_inside(key, route, &w.finish(), nonce)
}

/// Seals what is to be inside of an envelope, whatever it is.
pub(crate) fn seal_inside(
    key: &SignalingKey,
    route: Route,
    inside: &[u8],
    nonce: [u8; NONCE_BYTES],
) -> Result<Envelope, OpenError> {
    let sealed = cipher(key)
        .encrypt(&XNonce::from(nonce), Payload { msg: inside, aad: &associated(route) })
        .map_err(|_| OpenError::TooLong)?;
    let mut w = Writer::with_capacity(1 + NONCE_BYTES + sealed.len());
    w.u8(VERSION).bytes(&nonce).bytes(&sealed);
    Envelope::new(w.finish()).map_err(|_| OpenError::TooLong)
}

/// Opens an envelope that came along this route.
pub fn open(key: &SignalingKey, route: Route, envelope: &Envelope) -> Result<Opened, OpenError> {
    let mut r = Reader::new(envelope.as_bytes());
    let version = r.u8()?;
    if version != VERSION {
        return Err(DecodeError::Unknown { what: "envelope version", value: version }.into());
    }
    let nonce = XNonce::from(r.array::<NONCE_BYTES>()?);
    let inside = cipher(key)
        .decrypt(&nonce, Payload { msg: r.rest(), aad: &associated(route) })
        .map_err(|_| OpenError::Seal)?;

    let mut r = Reader::new(&inside);
    let sender = PublicKey(r.array()?);
    let signature = Signature(r.array()?);
    let (epoch, sequence) = (r.u64()?, r.u32()?);
    let length = r.count("signal length", BUCKETS[BUCKETS.len() - 1] as u32, 1)?;
    let payload = r.take(length as usize)?;
    sender
        .verify(SIGN, &signed_part(route, epoch, sequence, payload), &signature)
        .map_err(|_| OpenError::Signature)?;
    Ok(Opened { sender, epoch, sequence, signal: decode(payload)? })
}

fn cipher(key: &SignalingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(key.0))
}

fn associated(route: Route) -> Vec<u8> {
    let mut w = Writer::new();
    w.u8(VERSION).bytes(&route.room.0).u64(route.from.0).u64(route.to.0);
    w.finish()
}

fn signed_part(route: Route, epoch: u64, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.bytes(&associated(route)).u64(epoch).u32(sequence).bytes(payload);
    w.finish()
}

const OFFER: u8 = 0;
const ANSWER: u8 = 1;
const CANDIDATE: u8 = 2;
const END_OF_CANDIDATES: u8 = 3;
const LANE_OFFER: u8 = 6;
const NEEDY_OFFER: u8 = 4;
const BUSY: u8 = 5;
const LOCKED: u8 = 7;

pub(crate) fn encode(signal: &Signal) -> Vec<u8> {
    let mut w = Writer::new();
    match signal {
        Signal::Description(Description::Offer(sdp)) => w.u8(OFFER).bytes(sdp.as_bytes()),
        Signal::Description(Description::Answer(sdp)) => w.u8(ANSWER).bytes(sdp.as_bytes()),
        Signal::LaneOffer(sdp) => w.u8(LANE_OFFER).bytes(sdp.as_bytes()),
        Signal::NeedyOffer(sdp) => w.u8(NEEDY_OFFER).bytes(sdp.as_bytes()),
        Signal::Busy => w.u8(BUSY),
        Signal::Locked => w.u8(LOCKED),
        Signal::Candidate(None) => w.u8(END_OF_CANDIDATES),
        Signal::Candidate(Some(candidate)) => {
            let flags = u8::from(candidate.sdp_mid.is_some())
                | u8::from(candidate.sdp_mline_index.is_some()) << 1;
            w.u8(CANDIDATE).u8(flags);
            if let Some(mid) = &candidate.sdp_mid {
                // A media identification tag is a short token; ours is "0".
                w.text(mid.get(..mid.len().min(255)).unwrap_or_default());
            }
            if let Some(index) = candidate.sdp_mline_index {
                w.u16(index);
            }
            w.bytes(candidate.candidate.as_bytes())
        }
    };
    w.finish()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Signal, DecodeError> {
    let mut r = Reader::new(bytes);
    let text = |r: &mut Reader<'_>| {
        std::str::from_utf8(r.rest())
            .map(str::to_owned)
            .map_err(|_| DecodeError::NotUtf8("a signal"))
    };
    let signal = match r.u8()? {
        OFFER => Signal::Description(Description::Offer(text(&mut r)?)),
        ANSWER => Signal::Description(Description::Answer(text(&mut r)?)),
        LANE_OFFER => Signal::LaneOffer(text(&mut r)?),
        NEEDY_OFFER => Signal::NeedyOffer(text(&mut r)?),
        BUSY => Signal::Busy,
        LOCKED => Signal::Locked,
        END_OF_CANDIDATES => Signal::Candidate(None),
        CANDIDATE => {
            let flags = r.u8()?;
            let sdp_mid = if flags & 1 == 1 { Some(r.text("mid", 255)?.to_owned()) } else { None };
            let sdp_mline_index = if flags & 2 == 2 { Some(r.u16()?) } else { None };
            Signal::Candidate(Some(Candidate {
                candidate: text(&mut r)?,
                sdp_mid,
                sdp_mline_index,
            }))
        }
        value => return Err(DecodeError::Unknown { what: "signal", value }),
    };
    r.finish()?;
    Ok(signal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invite::Invite;

    const ROUTE: Route = Route { room: RoomId([1; 16]), from: PeerId(2), to: PeerId(3) };

    fn keys() -> (SignalingKey, DeviceKey) {
        let device = DeviceKey::from_bytes([4; 32]);
        (Invite::new([5; 32], &device.public()).signaling_key(), device)
    }

    fn sealed(signal: &Signal) -> Envelope {
        let (key, device) = keys();
        seal(&key, &device, ROUTE, 6, 7, signal, [8; 24]).unwrap()
    }

    fn candidate() -> Signal {
        Signal::Candidate(Some(Candidate {
            candidate: "candidate:1 1 udp 2122260223 192.0.2.1 61665 typ host".into(),
            sdp_mid: Some("0".into()),
            sdp_mline_index: Some(0),
        }))
    }

    #[test]
    fn every_signal_survives_the_journey() {
        let (key, device) = keys();
        for signal in [
            Signal::Description(Description::Offer("v=0\r\n".repeat(900))),
            Signal::Description(Description::Answer(String::new())),
            candidate(),
            Signal::Candidate(None),
            Signal::LaneOffer("v=0\r\n".into()),
            Signal::NeedyOffer("v=0\r\n".into()),
            Signal::Busy,
            Signal::Locked,
        ] {
            let opened = open(&key, ROUTE, &sealed(&signal)).unwrap();
            assert_eq!(opened, Opened { sender: device.public(), epoch: 6, sequence: 7, signal });
        }
    }

    #[test]
    fn an_envelope_opens_only_on_its_route_and_unchanged() {
        let (key, _) = keys();
        let envelope = sealed(&candidate());
        let reflected = Route { from: ROUTE.to, to: ROUTE.from, ..ROUTE };
        let rerouted = Route { to: PeerId(9), ..ROUTE };
        let forged = Route { from: PeerId(9), ..ROUTE };
        let moved = Route { room: RoomId([9; 16]), ..ROUTE };
        for route in [reflected, rerouted, forged, moved] {
            assert_eq!(open(&key, route, &envelope), Err(OpenError::Seal));
        }
        for i in 0..envelope.as_bytes().len() {
            let mut bytes = envelope.as_bytes().to_vec();
            bytes[i] ^= 0x40;
            assert!(open(&key, ROUTE, &Envelope::new(bytes).unwrap()).is_err(), "byte {i} changed");
            let cut = Envelope::new(envelope.as_bytes()[..i].to_vec()).unwrap();
            assert!(open(&key, ROUTE, &cut).is_err(), "cut at {i}");
        }
    }

    #[test]
    fn a_member_cannot_sign_for_another() {
        // Knows the room's key, yet puts another's device key into the envelope.
        let (key, device) = keys();
        let envelope = sealed(&Signal::Candidate(None));
        let nonce = XNonce::from([8; 24]);
        let aad = associated(ROUTE);
        let sealed = &envelope.as_bytes()[1 + NONCE_BYTES..];
        let mut inside = cipher(&key).decrypt(&nonce, Payload { msg: sealed, aad: &aad }).unwrap();
        assert_eq!(inside[..32], device.public().0);
        inside[..32].copy_from_slice(&DeviceKey::from_bytes([9; 32]).public().0);
        let resealed = cipher(&key).encrypt(&nonce, Payload { msg: &inside, aad: &aad }).unwrap();
        let forged = Envelope::new([&[VERSION][..], &[8; 24], &resealed].concat()).unwrap();
        assert_eq!(open(&key, ROUTE, &forged), Err(OpenError::Signature));
    }

    #[test]
    fn lengths_tell_only_the_bucket() {
        let lengths: std::collections::BTreeSet<_> = (0..16_000)
            .step_by(61)
            .map(|n| {
                sealed(&Signal::Description(Description::Offer("x".repeat(n)))).as_bytes().len()
            })
            .collect();
        assert_eq!(lengths.len(), BUCKETS.len());
        let (key, device) = keys();
        let long = Signal::Description(Description::Offer("x".repeat(17_000)));
        assert_eq!(seal(&key, &device, ROUTE, 0, 0, &long, [0; 24]), Err(OpenError::TooLong));
    }
}
