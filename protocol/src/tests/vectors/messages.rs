//! What peers say to each other, and what client and server say.

use super::*;
use crate::chat::Line;
use crate::codec::Writer;
use crate::event::Halt;
use crate::message::{
    Block, BlockItem, Holding, Instead, PeerMessage, RequestId, Run, decode_blocks,
};
use crate::roster::Roster;
use crate::signaling::{ClientMessage, ErrorCode, IceServer, Resume, ResumeToken, ServerMessage};

/// Every kind of message with its fields, in the order in which they travel.
pub(super) fn messages() -> Vec<(&'static str, Value, PeerMessage)> {
    let share = ShareId([0x88; 32]);
    let id = hex(&share.0);
    let signature = Signature([0x99; 64]);
    let run = |first, count| Run { first: PieceIndex(first), count };
    let request = RequestId(7);
    let envelope = Envelope::new(vec![1, 2, 3]).unwrap();
    let batch = HashBatch::sign(share, PieceIndex(3), vec![PieceHash([0x66; 32])], &key(DEVICE));
    let receipt = Receipt::sign(room(), share, 1_700_000_000_000, &key(OTHER_DEVICE));
    let only = Some(vec![key(OTHER_DEVICE).public()]);
    let locked = Roster::sign(room(), 1_700_000_000_000, only, &key(DEVICE));
    let open = Roster::sign(room(), 1_700_000_000_001, None, &key(DEVICE));
    let line = Line {
        author: key(DEVICE).public(),
        stay: (1_700_000_000_000 << 16) + 3,
        sequence: 1,
        sent_ms: 1_700_000_000_500,
        name: "Ada".into(),
        text: "two\nlines".into(),
        signature,
    };
    let line = line.sign(room(), &key(DEVICE));
    let told =
        |distance, holding| PeerMessage::Share { share, manifest_bytes: 300, distance, holding };
    vec![
        (
            "confirm",
            json!({ "version": 2, "signature": hex(&signature.0), "name": "Ada" }),
            PeerMessage::Confirm { version: 2, signature, name: "Ada".into() },
        ),
        (
            "share",
            json!({ "share": id, "manifest_bytes": 300, "distance": 0, "holding": "nothing" }),
            told(0, Some(Holding::Nothing)),
        ),
        (
            "share",
            json!({ "share": id, "manifest_bytes": 300, "distance": 0, "holding": "everything" }),
            told(0, Some(Holding::Everything)),
        ),
        (
            "share",
            json!({ "share": id, "manifest_bytes": 300, "distance": 0, "holding": "05" }),
            told(0, Some(Holding::Some(vec![5]))),
        ),
        (
            "share",
            json!({ "share": id, "manifest_bytes": 300, "distance": 2, "holding": null }),
            told(2, None),
        ),
        ("unshare", json!({ "share": id }), PeerMessage::Unshare { share }),
        (
            "want-manifest",
            json!({ "share": id, "offset": 48 << 10 }),
            PeerMessage::WantManifest { share, offset: 48 << 10 },
        ),
        (
            "manifest-part",
            json!({ "share": id, "offset": 0, "bytes": "010203" }),
            PeerMessage::ManifestPart { share, offset: 0, bytes: vec![1, 2, 3] },
        ),
        (
            "have",
            json!({ "share": id, "runs": [[1, 2], [5, 1]] }),
            PeerMessage::Have { share, runs: vec![run(1, 2), run(5, 1)] },
        ),
        (
            "request",
            json!({ "request": 7, "share": id, "run": [1, 2], "with_hashes": true, "flexible": false }),
            PeerMessage::Request {
                request,
                share,
                run: run(1, 2),
                with_hashes: true,
                flexible: false,
            },
        ),
        ("credit", json!({ "bytes": 1 << 20 }), PeerMessage::Credit { bytes: 1 << 20 }),
        ("queued", json!({}), PeerMessage::Queued),
        ("ping", json!({}), PeerMessage::Ping),
        ("pong", json!({}), PeerMessage::Pong),
        ("cancel", json!({ "request": 7 }), PeerMessage::Cancel { request }),
        ("reject", json!({ "request": 7 }), PeerMessage::Reject { request }),
        (
            "hashes",
            json!({
                "share": id,
                "first": 3,
                "hashes": [hex(&[0x66; 32])],
                "signature": hex(&batch.signature.0),
            }),
            PeerMessage::Hashes(batch),
        ),
        (
            "receipt",
            json!({
                "share": id,
                "holder": hex(&receipt.holder.0),
                "since_ms": receipt.since_ms,
                "signature": hex(&receipt.signature.0),
                "own": true,
            }),
            PeerMessage::Receipt { receipt, own: true },
        ),
        ("want-members", json!({ "near": null }), PeerMessage::WantMembers { near: None }),
        ("want-members", json!({ "near": id }), PeerMessage::WantMembers { near: Some(share) }),
        (
            "members",
            json!({ "peers": [PeerId(1), PeerId(2)] }),
            PeerMessage::Members { peers: vec![PeerId(1), PeerId(2)] },
        ),
        ("moved", json!({ "peer": PeerId(3) }), PeerMessage::Moved { peer: PeerId(3) }),
        ("capacity", json!({ "bytes": 1 << 30 }), PeerMessage::Capacity { bytes: 1 << 30 }),
        ("halt", json!({ "share": id, "halt": null }), PeerMessage::Halt { share, halt: None }),
        (
            "halt",
            json!({ "share": id, "halt": "disk-full" }),
            PeerMessage::Halt { share, halt: Some(Halt::DiskFull) },
        ),
        (
            "relay",
            json!({ "from": PeerId(1), "to": PeerId(2), "envelope": "010203" }),
            PeerMessage::Relay { from: PeerId(1), to: PeerId(2), envelope },
        ),
        (
            "roster",
            json!({
                "creator": hex(&locked.creator.0),
                "made_ms": locked.made_ms,
                "only": [hex(&key(OTHER_DEVICE).public().0)],
                "signature": hex(&locked.signature.0),
            }),
            PeerMessage::Roster(locked),
        ),
        (
            "roster",
            json!({
                "creator": hex(&open.creator.0),
                "made_ms": open.made_ms,
                "only": null,
                "signature": hex(&open.signature.0),
            }),
            PeerMessage::Roster(open),
        ),
        (
            "anew",
            json!({ "invite": hex(&invite().to_bytes()) }),
            PeerMessage::Anew { invite: invite() },
        ),
        ("goodbye", json!({ "reason": 4 }), PeerMessage::Goodbye { reason: 4 }),
        ("listen", json!({ "on": true }), PeerMessage::Listen { on: true }),
        (
            "line",
            json!({
                "author": hex(&line.author.0),
                "stay": line.stay,
                "sequence": line.sequence,
                "sent_ms": line.sent_ms,
                "name": line.name,
                "text": line.text,
                "signature": hex(&line.signature.0),
            }),
            PeerMessage::Line(line),
        ),
    ]
}

#[test]
fn messages_of_peers() {
    let described = messages().into_iter().map(|(name, fields, message)| {
        json!({ "message": name, "fields": fields, "bytes": hex(&message.encode()) })
    });
    let found = check("messages.json", &json!(described.collect::<Vec<_>>()));
    for (case, (name, _, message)) in found.as_array().unwrap().iter().zip(messages()) {
        assert_eq!(PeerMessage::decode(&bytes(&case["bytes"])), Ok(message), "{name}");
    }
}

#[test]
fn every_kind_of_message_has_a_vector() {
    let mut tags: Vec<u8> = messages().iter().map(|(_, _, message)| message.encode()[0]).collect();
    tags.sort_unstable();
    tags.dedup();
    // A tag that is not among them means nothing.
    let known = (0..=255).filter(|&tag| {
        let unknown = crate::codec::DecodeError::Unknown { what: "message", value: tag };
        PeerMessage::decode(&[tag]) != Err(unknown)
    });
    assert_eq!(tags, known.collect::<Vec<u8>>());
}

#[test]
fn blocks() {
    let block = |piece, offset, bytes| Block {
        request: RequestId(7),
        piece: PieceIndex(piece),
        offset,
        bytes,
    };
    let instead = Instead { request: RequestId(7), run: Run { first: PieceIndex(3), count: 2 } };
    let items = [
        BlockItem::Instead(instead),
        BlockItem::Block(block(3, 0, b"the first")),
        BlockItem::Block(block(3, 9, b" piece")),
        BlockItem::Block(block(4, 0, b"the second")),
    ];
    let mut w = Writer::new();
    let described = items.map(|item| match item {
        BlockItem::Instead(instead) => {
            instead.write(&mut w);
            json!({ "request": 7, "instead": [instead.run.first.0, instead.run.count] })
        }
        BlockItem::Block(block) => {
            block.write(&mut w);
            json!({
                "request": 7,
                "piece": block.piece.0,
                "offset": block.offset,
                "bytes": hex(block.bytes),
            })
        }
    });
    let found = check("blocks.json", &json!({ "items": described, "bytes": hex(&w.finish()) }));
    let travelled = bytes(&found["bytes"]);
    let read: Result<Vec<_>, _> = decode_blocks(&travelled).collect();
    assert_eq!(read.unwrap(), items);
}

#[test]
fn messages_of_client_and_server() {
    let (peer, token) = (PeerId(255), ResumeToken([0xaa; 16]));
    let envelope = Envelope::new(vec![1, 2, 3]).unwrap();
    let resume = Some(Resume { peer, token });
    let client = [
        ClientMessage::Join { version: 1, room: room(), resume: None },
        ClientMessage::Join { version: 1, room: room(), resume },
        ClientMessage::Signal { to: peer, envelope: envelope.clone() },
        ClientMessage::Ping,
        ClientMessage::Leave,
    ];
    let turn = IceServer {
        urls: vec!["turn:turn.example.org:3478".into()],
        username: Some("1700000000:name".into()),
        credential: Some("secret".into()),
    };
    let stun = IceServer { urls: vec!["stun:stun.example.org".into()], ..IceServer::default() };
    let members = vec![PeerId(1), PeerId(2)];
    let server = [
        ServerMessage::Joined { peer, members, ice_servers: vec![stun, turn], token },
        ServerMessage::PeerJoined { peer },
        ServerMessage::PeerLeft { peer },
        ServerMessage::Signal { from: peer, envelope },
        ServerMessage::Pong,
        ServerMessage::Undeliverable { to: peer },
        ServerMessage::Error { code: ErrorCode::RoomFull, message: "the room is full".into() },
    ];
    let found = check("signaling.json", &json!({ "client": client, "server": server }));
    let read: Vec<ClientMessage> = serde_json::from_value(found["client"].clone()).unwrap();
    assert_eq!(read, client);
    let read: Vec<ServerMessage> = serde_json::from_value(found["server"].clone()).unwrap();
    assert_eq!(read, server);
}
