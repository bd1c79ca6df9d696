//! Messages that break the rules, one by one: each ends the connection with a reason, and nothing else.

use super::*;
use crate::chat::MAX_LINE_BYTES;
use crate::io::Channel;
use crate::manifest::{HashBatch, MAX_BATCH, MAX_MANIFEST_BYTES};
use crate::message::{
    Block, GONE, Holding, Instead, MAX_CONTROL_BYTES, MAX_INTRODUCED, MAX_RUN, PEER_VERSION,
    PeerMessage, RequestId, Run,
};
use crate::piece::{MAX_PIECES, PieceHash, PieceIndex};
use crate::receipt::Receipt;
use crate::signaling::Envelope;

use Channel::{Blocks, Control};

/// One of each kind.
fn messages(share: ShareId) -> Vec<PeerMessage> {
    let run = Run { first: PieceIndex(1), count: 2 };
    let request = RequestId(7);
    let envelope = Envelope::new(vec![1; 700]).unwrap();
    let receipt = Receipt::sign(RoomId([0; 16]), share, 5, &key(HOSTILE));
    let batch = HashBatch::sign(share, PieceIndex(0), vec![PieceHash([1; 32]); 2], &key(HOSTILE));
    let signature = batch.signature;
    vec![
        PeerMessage::Confirm { version: PEER_VERSION, signature, name: "name".into() },
        PeerMessage::Share { share, manifest_bytes: 9, distance: 1, holding: None },
        PeerMessage::Share {
            share,
            manifest_bytes: 9,
            distance: 0,
            holding: Some(Holding::Some(vec![3])),
        },
        PeerMessage::Unshare { share },
        PeerMessage::WantManifest { share, offset: 3 },
        PeerMessage::ManifestPart { share, offset: 3, bytes: vec![1; 9] },
        PeerMessage::Have { share, runs: vec![run] },
        PeerMessage::Request { request, share, run, with_hashes: true, flexible: false },
        PeerMessage::Credit { bytes: 5 },
        PeerMessage::Queued,
        PeerMessage::Ping,
        PeerMessage::Pong,
        PeerMessage::Cancel { request },
        PeerMessage::Reject { request },
        PeerMessage::Hashes(batch),
        PeerMessage::Receipt { receipt, own: false },
        PeerMessage::WantMembers { near: Some(share) },
        PeerMessage::Members { peers: vec![PeerId(5); 3] },
        PeerMessage::Moved { peer: PeerId(77) },
        PeerMessage::Capacity { bytes: 5 },
        PeerMessage::Halt { share, halt: Some(crate::event::Halt::Paused) },
        PeerMessage::Relay { from: PeerId(5), to: PeerId(6), envelope },
        PeerMessage::Listen { on: true },
        PeerMessage::Line(line("text").sign(RoomId([0; 16]), &key(HOSTILE))),
        PeerMessage::Goodbye { reason: 0 },
    ]
}

/// Whether its last field is all that there is until the end, so that fewer bytes or more are another
/// message and not a wrong one.
fn is_open_ended(message: &PeerMessage) -> bool {
    matches!(message, PeerMessage::ManifestPart { .. } | PeerMessage::Relay { .. })
}

/// Bytes of `message` with some of them replaced.
fn with(message: &PeerMessage, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = message.encode();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    changed
}

fn blocks(items: &[Block<'_>]) -> Vec<u8> {
    let mut w = crate::codec::Writer::new();
    items.iter().for_each(|block| block.write(&mut w));
    w.finish()
}

fn instead(request: u32, first: u32, count: u32) -> Vec<u8> {
    let mut w = crate::codec::Writer::new();
    let run = Run { first: PieceIndex(first), count };
    Instead { request: RequestId(request), run }.write(&mut w);
    w.finish()
}

/// What no machine sends, with what is wrong about it.
fn malformed(share: ShareId) -> Vec<(String, Channel, Vec<u8>)> {
    let mut all: Vec<(String, Channel, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, channel, bytes| all.push((what.to_owned(), channel, bytes));
    add("nothing", Control, vec![]);
    (20..=255).step_by(47).for_each(|tag| add("a tag that means nothing", Control, vec![tag; 50]));
    add("more than a message may be", Control, vec![4; MAX_CONTROL_BYTES + 1]);
    for message in messages(share) {
        let bytes = message.encode();
        if is_open_ended(&message) {
            // Up to where the open end begins.
            let fixed = if let PeerMessage::Relay { .. } = message { 17 } else { 37 };
            add(&format!("{message:?} cut off"), Control, bytes[..fixed - 1].to_vec());
            continue;
        }
        add(&format!("{message:?} cut off"), Control, bytes[..bytes.len() - 1].to_vec());
        add(&format!("{message:?} and more"), Control, [&bytes[..], &[0]].concat());
    }
    let huge = u32::MAX.to_le_bytes();
    let bits = Some(Holding::Some(vec![3]));
    let told = PeerMessage::Share { share, manifest_bytes: 9, distance: 0, holding: bits };
    add("a manifest of 4 GiB", Control, with(&told, 33, &huge));
    add("a manifest of nothing", Control, with(&told, 33, &[0; 4]));
    let too_long = (MAX_MANIFEST_BYTES as u32 + 1).to_le_bytes();
    add("a manifest that is too long", Control, with(&told, 33, &too_long));
    add("a share that is nowhere", Control, with(&told, 37, &[GONE]));
    add("a holding that means nothing", Control, with(&told, 38, &[9]));
    add("a bitfield of 4 GiB", Control, with(&told, 39, &huge));
    let bits = |bits| PeerMessage::Share {
        share,
        manifest_bytes: 9,
        distance: 0,
        holding: Some(Holding::Some(bits)),
    };
    add("a bitfield that is too short", Control, bits(vec![]).encode());
    add("a bitfield that is too long", Control, bits(vec![1, 0]).encode());
    // Eight pieces fill their byte; of another share these would be past the end.
    let have = |runs: &[(u32, u32)]| {
        let run = |&(first, count)| Run { first: PieceIndex(first), count };
        PeerMessage::Have { share, runs: runs.iter().map(run).collect() }
    };
    add("pieces past the end", Control, have(&[(7, 2)]).encode());
    add("pieces far past the end", Control, have(&[(MAX_PIECES - 1, 1)]).encode());
    add("more pieces than there can be", Control, have(&[(1, MAX_PIECES)]).encode());
    add("pieces past all numbers", Control, have(&[(u32::MAX, 2)]).encode());
    add("no pieces in a run", Control, have(&[(1, 0)]).encode());
    add("runs that overlap", Control, have(&[(0, 3), (2, 2)]).encode());
    add("runs that go back", Control, have(&[(4, 1), (2, 1)]).encode());
    add("4 billion runs", Control, with(&have(&[(1, 1)]), 33, &huge));
    let request = |first, count| PeerMessage::Request {
        request: RequestId(1),
        share,
        run: Run { first: PieceIndex(first), count },
        with_hashes: false,
        flexible: false,
    };
    add("a request for nothing", Control, request(0, 0).encode());
    add("a request for too much", Control, request(0, MAX_RUN + 1).encode());
    add("a request past all numbers", Control, request(u32::MAX, 1).encode());
    add("a flag that is neither", Control, with(&request(0, 1), 45, &[2]));
    let members = PeerMessage::Members { peers: vec![PeerId(9); MAX_INTRODUCED + 1] };
    add("too many members", Control, members.encode());
    let batch = |count| {
        let hashes = vec![PieceHash([1; 32]); count as usize];
        PeerMessage::Hashes(HashBatch::sign(share, PieceIndex(0), hashes, &key(HOSTILE)))
    };
    add("a batch of nothing", Control, batch(0).encode());
    add("a batch that is too long", Control, batch(MAX_BATCH + 1).encode());
    add("4 billion hashes", Control, with(&batch(1), 37, &huge));
    let past = with(&batch(2), 33, &u32::MAX.to_le_bytes());
    add("hashes past all numbers", Control, past);
    let name = |name: String| PeerMessage::Confirm {
        version: PEER_VERSION,
        signature: Signature([0; 64]),
        name,
    };
    add("a name that is too long", Control, name("x".repeat(65)).encode());
    add("a name that is no text", Control, with(&name("xy".into()), 69, &[0xff, 0xff]));
    add("no reason that there is", Control, {
        let halted = PeerMessage::Halt { share, halt: None };
        with(&halted, 33, &[200])
    });
    add("a line of nothing", Control, PeerMessage::Line(line("")).encode());
    let too_long = PeerMessage::Line(line(&"x".repeat(MAX_LINE_BYTES + 1)));
    add("a line that is too long", Control, too_long.encode());
    let said = PeerMessage::Line(line("xy"));
    add("a line that is no text", Control, with(&said, said.encode().len() - 66, &[0xff, 0xff]));
    let mut relay = vec![19; 17];
    relay.resize(17 + crate::signaling::MAX_ENVELOPE_BYTES + 1, 0);
    add("an envelope that is too large", Control, relay);

    let block = |request, piece, offset, bytes| Block {
        request: RequestId(request),
        piece: PieceIndex(piece),
        offset,
        bytes,
    };
    add("no block", Blocks, vec![]);
    add("half a block's head", Blocks, vec![0; 15]);
    let whole = blocks(&[block(0, 0, 0, b"bytes")]);
    add("a block that is cut off", Blocks, whole[..whole.len() - 1].to_vec());
    let mut long = whole.clone();
    long[12..16].copy_from_slice(&huge);
    add("a block of 4 GiB", Blocks, long);
    add("a block that nobody asked for", Blocks, whole);
    add("other pieces, none of them", Blocks, instead(0, 0, 0));
    add("other pieces, too many", Blocks, instead(0, 0, MAX_RUN + 1));
    add("other pieces past all numbers", Blocks, instead(0, u32::MAX, 2));
    add("a block after other pieces", Blocks, {
        [instead(9, 0, 1), blocks(&[block(9, u32::MAX, u32::MAX, b"bytes")])].concat()
    });
    all
}

#[test]
fn what_breaks_the_rules_ends_the_connection_with_a_reason_and_nothing_else() {
    let (_, share) = room(1);
    for (seed, (what, channel, bytes)) in (0..).zip(malformed(share)) {
        let (mut world, share) = room(seed);
        assert!(world.send(HOSTILE, VICTIM, channel, bytes), "{what}");
        world.until(10 * SECOND, &what, |w| closed(w).is_some());
        assert_eq!(closed(&world), Some(CloseReason::ProtocolViolation), "{what}");
        let told = |event: &Event| {
            matches!(event, Event::PeerGone { reason: CloseReason::ProtocolViolation, .. })
        };
        world.until(10 * SECOND, "the culprit is told", |w| {
            w.peers[HOSTILE].events.iter().any(told)
        });
        assert_others_unaffected(&mut world, share);
    }
}

#[test]
fn every_message_from_a_stranger_ends_the_connection_before_it_is_confirmed() {
    // To say goodbye ends it too, and breaks no rule; it is the last.
    let kinds = messages(ShareId([5; 32])).len() - 1;
    for kind in 0..kinds {
        let mut world = World::new(kind as u64);
        world.add();
        world.add();
        let share = world.share(ORIGIN, &[("file", data(1, PIECE))]);
        world.until(MINUTE, "on the shelf", |w| w.view(VICTIM, share).is_some());
        let message = messages(share).swap_remove(kind);
        let bytes = message.encode();
        // In place of all that it says.
        world.net.tamper = Some(Box::new(move |from, transmit| {
            if from == HOSTILE {
                transmit.bytes.clone_from(&bytes);
            }
        }));
        world.add();
        let gone = |w: &World| {
            let gone = |event: &Event| matches!(event, Event::PeerGone { .. });
            w.peers[VICTIM].events.iter().any(gone)
        };
        world.until(MINUTE, &format!("{message:?}"), gone);
        assert_eq!(connected(&world, VICTIM), 1, "{message:?}");
        let expected = match message {
            PeerMessage::Confirm { .. } => CloseReason::NotConfirmed,
            _ => CloseReason::ProtocolViolation,
        };
        let reasons = world.peers[VICTIM].events.iter().filter_map(|event| match event {
            Event::PeerGone { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(reasons.collect::<Vec<_>>(), [expected], "{message:?}");
        world.receive(VICTIM, share);
        world.until(MINUTE, "received", |w| w.is_complete(VICTIM, share));
    }
}

#[test]
fn what_comes_after_goodbye_is_not_listened_to() {
    for message in messages(ShareId([5; 32])) {
        let (mut world, share) = room(1);
        world.say(HOSTILE, VICTIM, &PeerMessage::Goodbye { reason: 0 });
        world.say(HOSTILE, VICTIM, &message);
        world.send(HOSTILE, VICTIM, Blocks, vec![0; 15]);
        world.run_for(SECOND);
        assert_eq!((closed(&world), proof(&world)), (Some(CloseReason::Left), None));
        assert_others_unaffected(&mut world, share);
    }
}

#[test]
fn more_requests_than_anybody_has_end_the_connection() {
    let (mut world, share) = room(1);
    world.until(MINUTE, "received", |w| w.is_complete(VICTIM, share));
    // Before it hears of the first answer.
    world.peers[HOSTILE].uplink = Some(100e6);
    for request in 0..1100 {
        let run = Run { first: PieceIndex(0), count: 8 };
        let request = RequestId(request);
        let asked =
            PeerMessage::Request { request, share, run, with_hashes: false, flexible: false };
        world.say(HOSTILE, VICTIM, &asked);
    }
    world.run_for(10 * SECOND);
    assert_eq!(closed(&world), Some(CloseReason::ProtocolViolation));
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_manifest_in_other_parts_than_agreed_ends_the_connection() {
    for (offset, len) in [(0, 1), (1, 48 << 10), (0, 0), (0, 47 << 10), (0, 49 << 10)] {
        let (mut world, share) = room(1);
        let id = ShareId([5; 32]);
        let told =
            PeerMessage::Share { share: id, manifest_bytes: 1 << 20, distance: 0, holding: None };
        world.say(HOSTILE, VICTIM, &told);
        let bytes = vec![7; len];
        world.say(HOSTILE, VICTIM, &PeerMessage::ManifestPart { share: id, offset, bytes });
        world.run_for(10 * SECOND);
        assert_eq!(closed(&world), Some(CloseReason::ProtocolViolation), "{len} bytes");
        assert_others_unaffected(&mut world, share);
    }
}

#[test]
fn any_part_of_a_manifest_may_be_asked_for() {
    let (mut world, share) = room(1);
    for offset in [0, 1, 100, 1 << 20, u32::MAX - 480_000, u32::MAX] {
        world.say(HOSTILE, VICTIM, &PeerMessage::WantManifest { share, offset });
    }
    world.run_for(SECOND);
    assert_eq!(closed(&world), None);
    assert_others_unaffected(&mut world, share);
}

#[test]
fn bytes_twice_end_the_connection() {
    let (mut world, share) = room(1);
    world.net.uplink = 100e6;
    world.until(MINUTE, "received", |w| w.is_complete(VICTIM, share));
    let mine = world.share(HOSTILE, &[("mine", data(2, 40 * PIECE))]);
    world.until(MINUTE, "on the shelf", |w| w.view(VICTIM, mine).is_some());
    world.net.tamper = Some(Box::new(|from, transmit| {
        if from == HOSTILE && transmit.channel == Blocks && transmit.bytes.len() > 16 {
            // Each block once more, in the same message.
            let again = transmit.bytes.clone();
            transmit.bytes.extend(again);
        }
    }));
    world.receive(VICTIM, mine);
    world.until(MINUTE, "closed", |w| closed(w).is_some());
    assert_eq!(closed(&world), Some(CloseReason::ProtocolViolation));
    assert_others_unaffected(&mut world, share);
}
