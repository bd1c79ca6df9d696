//! What fuzzing calls: each decoder of the core, and the whole machine, as a function of any bytes that
//! panics if something is not as it must be.
//!
//! The targets in `fuzz/` run these under libFuzzer; an ordinary test replays the corpora kept there, and
//! bytes derived from them.

mod machine;

use std::fmt::{Debug, Display};
use std::str::FromStr;

pub use machine::machine;

use crate::bitfield::Bitfield;
use crate::codec::{Reader, Writer};
use crate::envelope::{self, Route};
use crate::identity::PublicKey;
use crate::invite::{Invite, InviteLink};
use crate::manifest::{HashBatch, Manifest, ShareId, SharePath, SignedManifest};
use crate::message::{BlockItem, PeerMessage, decode_blocks};
use crate::names::{FileSystem, safe_component, safe_top};
use crate::piece::{FileIndex, MAX_PIECES, PieceIndex};
use crate::receipt::Receipt;
use crate::signaling::{ClientMessage, Envelope, PeerId, ResumeToken, RoomId, ServerMessage};

/// Something that takes any bytes.
pub type Target = fn(&[u8]);

/// All of them, by the names that their corpora have.
pub const TARGETS: [(&str, Target); 12] = [
    ("bitfield", bitfield),
    ("blocks", blocks),
    ("client_message", client_message),
    ("envelope", envelope),
    ("hash_batch", hash_batch),
    ("machine", machine),
    ("manifest", manifest),
    ("path", path),
    ("peer_message", peer_message),
    ("receipt", receipt),
    ("server_message", server_message),
    ("text", text),
];

/// A message on the `control` channel.
pub fn peer_message(bytes: &[u8]) {
    if let Ok(message) = PeerMessage::decode(bytes) {
        assert_eq!(message.encode(), bytes, "there is one way to say {message:?}");
    }
}

/// A message on the `blocks` channel.
pub fn blocks(bytes: &[u8]) {
    let items: Vec<_> = decode_blocks(bytes).collect();
    if items.iter().any(Result::is_err) {
        return;
    }
    let mut w = Writer::new();
    for item in items.into_iter().flatten() {
        match item {
            BlockItem::Block(block) => block.write(&mut w),
            BlockItem::Instead(instead) => instead.write(&mut w),
        }
    }
    assert_eq!(w.finish(), bytes);
}

/// An envelope as it comes, and what is inside once the seal is off.
pub fn envelope(bytes: &[u8]) {
    let invite = Invite::new([1; 32], &PublicKey([2; 32]));
    let route = Route { room: invite.room_id(), from: PeerId(3), to: PeerId(4) };
    let key = invite.signaling_key();
    if let Ok(envelope) = Envelope::new(bytes.to_vec()) {
        assert!(envelope::open(&key, route, &envelope).is_err(), "nobody sealed this");
    }
    if let Ok(envelope) = envelope::seal_inside(&key, route, bytes, [5; 24]) {
        assert!(envelope::open(&key, route, &envelope).is_err(), "nobody signed this");
    }
    if let Ok(signal) = envelope::decode(bytes) {
        assert_eq!(envelope::decode(&envelope::encode(&signal)), Ok(signal));
    }
}

/// A manifest, with the signature before it and without.
pub fn manifest(bytes: &[u8]) {
    if let Ok(signed) = SignedManifest::from_bytes(bytes) {
        assert!(signed.verify(RoomId([1; 16])).is_err(), "nobody signed this");
        assert_eq!(signed.to_bytes(), bytes);
    }
    let Ok(manifest) = Manifest::from_bytes(bytes) else { return };
    let canonical = manifest.to_bytes();
    let again = Manifest::from_bytes(&canonical).expect("what we write can be read");
    assert_eq!(again.entries(), manifest.entries());
    let geometry = manifest.geometry();
    assert!(geometry.pieces() <= MAX_PIECES);
    assert_eq!(manifest.files().map(|(_, entry)| entry.size()).sum::<u64>(), geometry.total());
    for piece in [0, geometry.pieces() / 2, geometry.pieces().saturating_sub(1)] {
        if let Some(span) = geometry.span(PieceIndex(piece)) {
            let end = span.file_offset + u64::from(span.length);
            assert!(span.length > 0 && end <= geometry.file_size(span.file));
        }
    }
    for file in (0..geometry.files().min(100)).map(FileIndex) {
        assert!(geometry.pieces_of(file).len() as u32 <= geometry.pieces());
    }
    let _ = manifest.title();
}

/// A path of a share, and what its names become here.
pub fn path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for file_system in [FileSystem::EXACT, FileSystem::MACOS, FileSystem::WINDOWS] {
        assert_safe(&safe_component(text, file_system));
        assert_safe(&safe_top(text, file_system));
    }
    let Ok(path) = SharePath::new(text) else { return };
    assert_eq!(path.as_str(), text);
    for name in path.components() {
        assert_safe(&safe_component(name, FileSystem::WINDOWS));
    }
}

fn assert_safe(name: &str) {
    assert!(!name.is_empty() && name != "." && name != "..");
    assert!(!name.contains(['/', '\\', '\0', '\n', '\u{202e}']), "{name:?}");
}

/// A set of pieces: how many there are, then the bits.
pub fn bitfield(bytes: &[u8]) {
    let Some((pieces, bits)) = bytes.split_first_chunk() else { return };
    let pieces = u32::from_le_bytes(*pieces) % (MAX_PIECES + 1);
    if let Ok(set) = Bitfield::from_bytes(bits, pieces) {
        assert_eq!(set.to_bytes(), bits);
        assert_eq!(set.iter().count() as u32, set.count());
        assert!(set.iter().all(|piece| piece.0 < pieces && set.contains(piece)));
    }
}

/// A receipt.
pub fn receipt(bytes: &[u8]) {
    let mut r = Reader::new(bytes);
    let Ok(receipt) = Receipt::read(&mut r) else { return };
    assert!(receipt.verify(RoomId([1; 16])).is_err(), "nobody signed this");
    let rest = r.rest().len();
    let mut w = Writer::new();
    receipt.write(&mut w);
    assert_eq!(w.finish(), bytes[..bytes.len() - rest]);
}

/// Signed hashes.
pub fn hash_batch(bytes: &[u8]) {
    let Ok(batch) = HashBatch::from_bytes(bytes) else { return };
    assert_eq!(batch.to_bytes(), bytes);
    assert!(batch.iter().all(|(piece, _)| piece >= batch.first));
    assert!(batch.verify(&PublicKey([2; 32])).is_err(), "nobody signed this");
}

/// What a client says to the server.
pub fn client_message(bytes: &[u8]) {
    json::<ClientMessage>(bytes);
}

/// What the server says to a client.
pub fn server_message(bytes: &[u8]) {
    json::<ServerMessage>(bytes);
}

fn json<T: for<'a> serde::Deserialize<'a> + serde::Serialize + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(bytes) else { return };
    let text = serde_json::to_string(&message).expect("what was read can be written");
    assert_eq!(serde_json::from_str::<T>(&text).expect("and read again"), message);
}

/// What people paste, and ids as text.
pub fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(link) = text.parse::<InviteLink>() {
        assert_eq!(link.invite.to_link(&link.server).parse(), Ok(link));
    }
    if let Ok(invite) = text.parse::<Invite>() {
        assert_eq!(invite.to_string().parse(), Ok(invite));
    }
    as_text::<PublicKey>(text);
    as_text::<ShareId>(text);
    as_text::<RoomId>(text);
    as_text::<PeerId>(text);
    as_text::<ResumeToken>(text);
    as_text::<Envelope>(text);
}

fn as_text<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text, "there is one way to write it");
    }
}
