//! The test vectors in `protocol/vectors`, by which another implementation can check itself: each is made
//! from what it says it is made from, and read back into the same.
//!
//! `SHOAL_WRITE_VECTORS=1` writes the files instead of comparing them. Nothing else does, and what is
//! written differs only if a format or derivation has changed: then its version has to change, too.

mod messages;
mod seeds;

pub(super) use seeds::seeds;

use std::path::{Path, PathBuf};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use crate::bitfield::Bitfield;
use crate::code::spoken;
use crate::confirm::{Side, Transcript};
use crate::envelope::{self, Opened, Route, Signal};
use crate::identity::{DeviceKey, PublicKey, Signature, comparison};
use crate::invite::{Invite, InviteLink};
use crate::io::{Candidate, Description, Fingerprint, Role};
use crate::manifest::{Entry, EntryKind, HashBatch, Manifest, ShareId, SharePath, SignedManifest};
use crate::piece::{FileIndex, Geometry, MIN_PIECE_SIZE, PieceHash, PieceIndex, PieceSize};
use crate::receipt::Receipt;
use crate::signaling::{Envelope, PeerId, RoomId};

const SECRET: [u8; 32] = [0x11; 32];
const DEVICE: [u8; 32] = [0x22; 32];
const OTHER_DEVICE: [u8; 32] = [0x33; 32];

/// Compares a file with what it should hold, or writes it; gives what it holds.
fn check(name: &str, expected: &Value) -> Value {
    let path = folder().join(name);
    let mut text = serde_json::to_string_pretty(expected).unwrap();
    text.push('\n');
    if std::env::var_os("SHOAL_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let found: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(found, *expected, "{name}: a format or derivation has changed");
    assert_eq!(written, text, "{name} was written by hand");
    found
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().expect("a text").as_bytes()).expect("hexadecimal digits")
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("of the right length")
}

fn key(secret: [u8; 32]) -> DeviceKey {
    DeviceKey::from_bytes(secret)
}

fn invite() -> Invite {
    Invite::new(SECRET, &key(DEVICE).public())
}

fn room() -> RoomId {
    invite().room_id()
}

fn share() -> ShareId {
    SignedManifest::sign(&manifest(), room(), &key(DEVICE)).unwrap().share()
}

#[test]
fn invites() {
    let (invite, server) = (invite(), "https://example.org/");
    let found = check(
        "invite.json",
        &json!({
            "secret": hex(&SECRET),
            "creator": hex(&key(DEVICE).public().0),
            "invite": invite.to_string(),
            "link": invite.to_link(server),
            "bytes": hex(&BASE64URL_NOPAD.decode(invite.to_string().as_bytes()).unwrap()),
            "room_id": hex(&invite.room_id().0),
            "room_id_text": invite.room_id().to_string(),
            "signaling_key": hex(&invite.signaling_key().0),
        }),
    );
    let link: InviteLink = found["link"].as_str().unwrap().parse().unwrap();
    assert_eq!(link, InviteLink { server: server.into(), invite: invite.clone() });
    assert!(link.invite.is_creator(&PublicKey(array(&found["creator"]))));
    assert_eq!(link.invite.room_id(), RoomId(array(&found["room_id"])));
    assert_eq!(found["room_id_text"].as_str().unwrap().parse(), Ok(link.invite.room_id()));
}

#[test]
fn keys_and_signatures() {
    const CONTEXTS: [&str; 7] = [
        "shoal v1 sender signs a signal",
        "shoal v1 peer confirms a connection",
        "shoal v1 origin signs a manifest for a room",
        "shoal v1 origin signs piece hashes",
        "shoal v1 holder signs a receipt for a whole share",
        "shoal v1 creator of a room says who is let in",
        "shoal v1 author signs a line of chat",
    ];
    let compared = comparison(&key(DEVICE).public(), &key(OTHER_DEVICE).public());
    let message = b"what is signed";
    let signed = |context| {
        json!({
            "context": context,
            "message": hex(message),
            "digest": hex(&blake3::derive_key(context, message)),
            "signature": hex(&key(DEVICE).sign(context, message).0),
        })
    };
    let found = check(
        "keys.json",
        &json!({
            "device_key": hex(&DEVICE),
            "public_key": hex(&key(DEVICE).public().0),
            "signatures": CONTEXTS.map(signed),
            "compared_with": hex(&key(OTHER_DEVICE).public().0),
            "comparison": compared,
            "words": spoken(&compared),
        }),
    );
    let public = PublicKey(array(&found["public_key"]));
    assert_eq!(key(array(&found["device_key"])).public(), public);
    for (context, signed) in CONTEXTS.into_iter().zip(found["signatures"].as_array().unwrap()) {
        let signature = Signature(array(&signed["signature"]));
        assert_eq!(public.verify(context, &bytes(&signed["message"]), &signature), Ok(()));
    }
}

fn signals() -> Vec<(Value, Signal)> {
    let candidate = Candidate {
        candidate: "candidate:1 1 udp 2122260223 192.0.2.1 61665 typ host".into(),
        sdp_mid: Some("0".into()),
        sdp_mline_index: Some(0),
    };
    let bare = Candidate { sdp_mid: None, sdp_mline_index: None, ..candidate.clone() };
    let sdp = "v=0\r\ns=-\r\n";
    let of = |kind: &str| json!({ "kind": kind, "sdp": sdp });
    vec![
        (of("offer"), Signal::Description(Description::Offer(sdp.into()))),
        (of("answer"), Signal::Description(Description::Answer(sdp.into()))),
        (of("needy-offer"), Signal::NeedyOffer(sdp.into())),
        (of("lane-offer"), Signal::LaneOffer(sdp.into())),
        (
            json!({
                "kind": "candidate",
                "candidate": candidate.candidate,
                "sdp_mid": "0",
                "sdp_mline_index": 0,
            }),
            Signal::Candidate(Some(candidate.clone())),
        ),
        (
            json!({ "kind": "candidate", "candidate": bare.candidate }),
            Signal::Candidate(Some(bare)),
        ),
        (json!({ "kind": "end-of-candidates" }), Signal::Candidate(None)),
        (json!({ "kind": "busy" }), Signal::Busy),
        (json!({ "kind": "locked" }), Signal::Locked),
    ]
}

#[test]
fn envelopes() {
    let route = Route { room: room(), from: PeerId(0x0102_0304_0506_0708), to: PeerId(9) };
    let (epoch, nonce) = (5, std::array::from_fn(|i| i as u8));
    let signaling_key = invite().signaling_key();
    let seal = |sequence, signal: &Signal| {
        envelope::seal(&signaling_key, &key(DEVICE), route, epoch, sequence, signal, nonce).unwrap()
    };
    let cases = (0..).zip(signals()).map(|(sequence, (described, signal))| {
        let envelope = seal(sequence, &signal);
        json!({
            "sequence": sequence,
            "signal": described,
            "envelope": hex(envelope.as_bytes()),
        })
    });
    let found = check(
        "envelope.json",
        &json!({
            "signaling_key": hex(&signaling_key.0),
            "device_key": hex(&DEVICE),
            "room_id": hex(&route.room.0),
            "from": route.from,
            "to": route.to,
            "epoch": epoch,
            "nonce": hex(&nonce),
            "cases": cases.collect::<Vec<_>>(),
        }),
    );
    for (case, (sequence, (_, signal))) in
        found["cases"].as_array().unwrap().iter().zip((0..).zip(signals()))
    {
        let envelope = Envelope::new(bytes(&case["envelope"])).unwrap();
        let opened = Opened { sender: key(DEVICE).public(), epoch, sequence, signal };
        assert_eq!(envelope::open(&signaling_key, route, &envelope), Ok(opened));
    }
}

#[test]
fn confirmations() {
    let side = |peer, n| Side { peer: PeerId(peer), fingerprint: Fingerprint([n; 32]) };
    let transcript = Transcript {
        room: room(),
        epoch: 5,
        offerer: side(0x0102_0304_0506_0708, 0x44),
        answerer: side(9, 0x55),
    };
    let described =
        |side: &Side| json!({ "peer": side.peer, "fingerprint": hex(&side.fingerprint.0) });
    let signed = |role, device: [u8; 32]| {
        json!({
            "device_key": hex(&device),
            "signed": hex(&transcript.signed_part(role)),
            "signature": hex(&transcript.sign(role, &key(device)).0),
        })
    };
    let found = check(
        "confirmation.json",
        &json!({
            "room_id": hex(&transcript.room.0),
            "epoch": transcript.epoch,
            "offerer": described(&transcript.offerer),
            "answerer": described(&transcript.answerer),
            "by_offerer": signed(Role::Offerer, DEVICE),
            "by_answerer": signed(Role::Answerer, OTHER_DEVICE),
        }),
    );
    for (by, role) in [("by_offerer", Role::Offerer), ("by_answerer", Role::Answerer)] {
        let public = key(array(&found[by]["device_key"])).public();
        let signature = Signature(array(&found[by]["signature"]));
        assert_eq!(transcript.verify(role, &public, &signature), Ok(()));
    }
}

fn manifest() -> Manifest {
    let entry = |path: &str, kind, modified_ms| Entry {
        path: SharePath::new(path).unwrap(),
        kind,
        modified_ms,
    };
    let entries = vec![
        entry("folder/a.txt", EntryKind::File { size: 5 }, Some(1_700_000_000_000)),
        entry("folder/before 1970", EntryKind::File { size: 0 }, Some(-1)),
        entry("folder/empty", EntryKind::Directory, None),
        entry("folder/ü🦀/large", EntryKind::File { size: 600_000 }, None),
    ];
    Manifest::new(key(DEVICE).public(), entries).unwrap()
}

#[test]
fn manifests() {
    let manifest = manifest();
    let signed = SignedManifest::sign(&manifest, room(), &key(DEVICE)).unwrap();
    let entries = manifest.entries().iter().map(|entry| match entry.kind {
        EntryKind::File { size } => {
            json!({ "path": entry.path.as_str(), "size": size, "modified_ms": entry.modified_ms })
        }
        EntryKind::Directory => json!({ "path": entry.path.as_str(), "directory": true }),
    });
    let bytes_of = signed.to_bytes();
    let found = check(
        "manifest.json",
        &json!({
            "room_id": hex(&room().0),
            "device_key": hex(&DEVICE),
            "piece_size_log2": manifest.geometry().piece_size().log2(),
            "pieces": manifest.geometry().pieces(),
            "entries": entries.collect::<Vec<_>>(),
            "share_id": hex(&signed.share().0),
            "signature": hex(&bytes_of[..64]),
            "manifest": hex(&bytes_of[64..]),
        }),
    );
    let travelled = [bytes(&found["signature"]), bytes(&found["manifest"])].concat();
    let read = SignedManifest::from_bytes(&travelled).unwrap();
    assert_eq!(read.share(), ShareId(array(&found["share_id"])));
    assert_eq!(read.verify(room()).unwrap().entries(), manifest.entries());
}

#[test]
fn pieces_and_how_their_hashes_combine() {
    const PIECE: u64 = 1 << 18;
    let sizes = [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5, 8 * PIECE];
    let content = |size: u64| -> Vec<u8> { (0..size).map(|i| (i % 251) as u8).collect() };
    let cases = sizes.map(|size| {
        let (geometry, data) = (Geometry::new(MIN_PIECE_SIZE, [size]).unwrap(), content(size));
        let hashes: Vec<PieceHash> = (0..geometry.pieces())
            .map(PieceIndex)
            .map(|piece| {
                let span = geometry.span(piece).unwrap();
                let start = span.file_offset as usize;
                geometry.hash(piece, &data[start..start + span.length as usize]).unwrap()
            })
            .collect();
        let file = geometry.file_hash(FileIndex(0), |piece| hashes.get(piece.0 as usize).copied());
        json!({
            "size": size,
            "piece_hashes": hashes.iter().map(|hash| hex(&hash.0)).collect::<Vec<_>>(),
            "file_hash": file.unwrap().to_string(),
        })
    });
    let totals = [0, 1, 16 << 30, (16 << 30) + 1, 1 << 40, 1 << 45];
    let for_total = totals.map(|total| json!([total, PieceSize::for_total(total).log2()]));
    let found = check(
        "pieces.json",
        &json!({ "piece_size_log2": 18, "cases": cases, "piece_size_log2_for_total": for_total }),
    );
    for case in found["cases"].as_array().unwrap() {
        let size = case["size"].as_u64().unwrap();
        let geometry = Geometry::new(MIN_PIECE_SIZE, [size]).unwrap();
        let hashes = case["piece_hashes"].as_array().unwrap();
        let hash = |piece: PieceIndex| Some(PieceHash(array(hashes.get(piece.0 as usize)?)));
        let combined = geometry.file_hash(FileIndex(0), hash).unwrap().to_string();
        assert_eq!(combined, case["file_hash"].as_str().unwrap());
        assert_eq!(combined, blake3::hash(&content(size)).to_string(), "what b3sum prints");
    }
}

#[test]
fn hash_batches_and_receipts() {
    let hashes = vec![PieceHash([0x66; 32]), PieceHash([0x77; 32])];
    let batch = HashBatch::sign(share(), PieceIndex(3), hashes.clone(), &key(DEVICE));
    let receipt = Receipt::sign(room(), share(), 1_700_000_000_000, &key(OTHER_DEVICE));
    let mut travels = crate::codec::Writer::new();
    receipt.write(&mut travels);
    let found = check(
        "signed.json",
        &json!({
            "room_id": hex(&room().0),
            "share_id": hex(&share().0),
            "batch": {
                "device_key": hex(&DEVICE),
                "first": 3,
                "hashes": hashes.iter().map(|hash| hex(&hash.0)).collect::<Vec<_>>(),
                "signature": hex(&batch.signature.0),
                "bytes": hex(&batch.to_bytes()),
            },
            "receipt": {
                "device_key": hex(&OTHER_DEVICE),
                "since_ms": receipt.since_ms,
                "signature": hex(&receipt.signature.0),
                "bytes": hex(&travels.finish()),
            },
        }),
    );
    let read = HashBatch::from_bytes(&bytes(&found["batch"]["bytes"])).unwrap();
    assert_eq!(read, batch);
    assert_eq!(read.verify(&key(DEVICE).public()), Ok(()));
    let travelled = bytes(&found["receipt"]["bytes"]);
    let mut reader = crate::codec::Reader::new(&travelled);
    let read = Receipt::read(&mut reader).unwrap();
    assert_eq!((read.clone(), reader.finish()), (receipt, Ok(())));
    assert_eq!(read.verify(room()), Ok(()));
}

#[test]
fn sets_of_pieces() {
    let cases = [(0, vec![]), (1, vec![0]), (8, vec![0, 7]), (9, vec![8]), (70, vec![1, 63, 64])];
    let set = |len: u32, pieces: &[u32]| {
        let mut set = Bitfield::new(len);
        pieces.iter().for_each(|&piece| assert!(set.insert(PieceIndex(piece))));
        set
    };
    let found = check(
        "bitfield.json",
        &json!(cases.clone().map(|(len, pieces)| json!({
            "pieces": len,
            "set": pieces,
            "bytes": hex(&set(len, &pieces).to_bytes()),
        }))),
    );
    for ((len, pieces), case) in cases.iter().zip(found.as_array().unwrap()) {
        assert_eq!(Bitfield::from_bytes(&bytes(&case["bytes"]), *len), Ok(set(*len, pieces)));
    }
}
