//! To hold up others: by being slow, by leaving things out, by claiming what one does not have.
//!
//! In each room the origin is slow and the hostile member has all of the share too, so the victim asks
//! both. Times are those of the simulated world.

use super::*;
use crate::event::ShareState;
use crate::io::Channel;
use crate::message::{BlockItem, Holding, PeerMessage, decode_blocks};
use crate::policy::Policy;

/// The origin's share is of small files: one request names many pieces. All but the victim have it.
fn room_of_two_sources(seed: u64) -> (World, ShareId) {
    let mut world = World::new(seed);
    (0..3).for_each(|_| {
        world.add();
    });
    let names: Vec<String> = (0..2000).map(|i| format!("folder/{i}")).collect();
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), data(i as u8, 1000))).collect();
    let share = world.share(ORIGIN, &files);
    world.until(MINUTE, "on the shelf", |w| (1..3).all(|peer| w.view(peer, share).is_some()));
    world.receive(HOSTILE, share);
    world.until(MINUTE, "both have it", |w| w.is_complete(HOSTILE, share));
    world.net.uplink = 200e3;
    (world, share)
}

/// How long the victim takes.
fn takes(world: &mut World, share: ShareId) -> Duration {
    let start = world.now;
    world.receive(VICTIM, share);
    world.until(10 * MINUTE, "received", |w| w.is_complete(VICTIM, share));
    assert_eq!(world.peers[VICTIM].disk[&share].corrupt(), 0);
    world.now - start
}

/// With the origin alone.
fn takes_alone() -> Duration {
    let (mut world, share) = room_of_two_sources(1);
    world.leave(HOSTILE);
    takes(&mut world, share)
}

#[test]
fn a_byte_now_and_then_holds_up_nobody() {
    for seed in 0..3 {
        let (mut world, share) = room_of_two_sources(seed);
        // It sends a byte of what it was asked for every ten seconds, and never anything else.
        let mut kept: Vec<u8> = Vec::new();
        let (send, sent) = std::sync::mpsc::channel::<Vec<u8>>();
        world.net.tamper = Some(Box::new(move |from, transmit| {
            if from == HOSTILE && transmit.channel == Channel::Blocks {
                let _ = send.send(std::mem::take(&mut transmit.bytes));
                // An answer that no request is waiting for, and that is allowed.
                transmit.bytes = [[0xff; 4], [0; 4], [1, 0, 0, 0], [0; 4]].concat();
            }
        }));
        let start = world.now;
        world.receive(VICTIM, share);
        while !world.is_complete(VICTIM, share) {
            assert!(world.now < start + 10 * MINUTE, "{}", world.describe());
            world.run_for(10 * SECOND);
            kept.extend(sent.try_iter().flatten());
            let tamper = world.net.tamper.take();
            if let Some(byte) = next_byte(&mut kept) {
                world.send(HOSTILE, VICTIM, Channel::Blocks, byte);
            }
            world.net.tamper = tamper;
        }
        let (took, alone) = (world.now - start, takes_alone());
        assert!(took <= alone + 40 * SECOND, "{took:?} instead of {alone:?}");
        assert_eq!(world.peers[VICTIM].disk[&share].corrupt(), 0);
    }
}

/// The next byte of the first block in these messages, as a message of its own; what is left stays.
fn next_byte(messages: &mut Vec<u8>) -> Option<Vec<u8>> {
    let head = messages.get(..16)?.to_vec();
    let field = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let (offset, len) = (field(8), field(12));
    if len == 0 {
        messages.drain(..16);
        return Some(head);
    }
    let byte = messages[16];
    let one = [&head[..12], &1u32.to_le_bytes(), &[byte]].concat();
    messages.remove(16);
    messages[8..12].copy_from_slice(&(offset + 1).to_le_bytes());
    messages[12..16].copy_from_slice(&(len - 1).to_le_bytes());
    if len == 1 {
        messages.drain(..16);
    }
    Some(one)
}

#[test]
fn pieces_without_their_hashes_hold_up_nobody_and_end_the_connection() {
    let (mut world, share) = room_of_two_sources(1);
    let alone = takes_alone();
    world.net.tamper = Some(Box::new(|from, transmit| {
        let is_hashes =
            |bytes: &[u8]| matches!(PeerMessage::decode(bytes), Ok(PeerMessage::Hashes(_)));
        if from == HOSTILE && transmit.channel == Channel::Control && is_hashes(&transmit.bytes) {
            transmit.bytes = PeerMessage::Queued.encode();
        }
    }));
    let took = takes(&mut world, share);
    assert!(took <= alone + 40 * SECOND, "{took:?} instead of {alone:?}");
}

#[test]
fn a_source_that_leaves_out_hashes_is_given_no_more_memory_than_any_and_let_go() {
    // All that there is comes from it.
    let mut world = World::new(1);
    let memory = 4 << 20;
    world.policy = Policy { memory_in_flight: memory, ..Policy::default() };
    (0..3).for_each(|_| {
        world.add();
    });
    let share = world.share(HOSTILE, &[("large", data(1, 100 * PIECE))]);
    world.until(MINUTE, "on the shelf", |w| w.view(VICTIM, share).is_some());
    world.net.tamper = Some(Box::new(|from, transmit| {
        let is_hashes =
            |bytes: &[u8]| matches!(PeerMessage::decode(bytes), Ok(PeerMessage::Hashes(_)));
        if from == HOSTILE && transmit.channel == Channel::Control && is_hashes(&transmit.bytes) {
            transmit.bytes = PeerMessage::Queued.encode();
        }
    }));
    world.receive(VICTIM, share);
    world.run_for(10 * SECOND);
    let received = world.peers[VICTIM].traffic.blocks_received;
    assert!(received > 0 && received <= memory + 2 * PIECE as u64, "{received} bytes are held");
    world.until(5 * MINUTE, "let go", |w| closed(w).is_some());
    assert_eq!(closed(&world), Some(CloseReason::ProtocolViolation));
    assert_eq!(world.view(VICTIM, share).unwrap().have, 0);
}

#[test]
fn a_source_that_says_nothing_holds_up_nobody() {
    let (mut world, share) = room_of_two_sources(1);
    let alone = takes_alone();
    world.mute(HOSTILE, true);
    let took = takes(&mut world, share);
    assert!(took <= alone + 30 * SECOND, "{took:?} instead of {alone:?}");
}

#[test]
fn whoever_claims_what_it_does_not_have_holds_up_nobody() {
    let (mut world, share) = room_of_two_sources(1);
    let alone = takes_alone();
    world.with(HOSTILE, |swarm, now| swarm.stop(now, share, true)).unwrap();
    world.run_for(SECOND);
    assert_eq!(world.view(HOSTILE, share).unwrap().state, ShareState::Available);
    let holding = Some(Holding::Everything);
    let manifest_bytes = 9;
    let told = PeerMessage::Share { share, manifest_bytes, distance: 0, holding };
    world.say(HOSTILE, VICTIM, &told);
    world.run_for(SECOND);
    let start = world.now;
    world.receive(VICTIM, share);
    // What it rejects it claims again.
    while !world.is_complete(VICTIM, share) {
        assert!(world.now < start + 10 * MINUTE, "{}", world.describe());
        world.say(HOSTILE, VICTIM, &told);
        world.run_for(SECOND / 10);
    }
    let took = world.now - start;
    assert!(took <= alone + 30 * SECOND, "{took:?} instead of {alone:?}");
}

#[test]
fn the_dribble_of_this_test_is_what_it_says() {
    let whole = [[3; 4], [4; 4], [5, 0, 0, 0], [2, 0, 0, 0]].concat();
    let mut messages = [&whole[..], b"ab"].concat();
    let bytes: Vec<Vec<u8>> = std::iter::from_fn(|| next_byte(&mut messages)).collect();
    let blocks: Vec<(u32, Vec<u8>)> = bytes
        .iter()
        .flat_map(|bytes| decode_blocks(bytes))
        .map(|item| match item {
            Ok(BlockItem::Block(block)) => (block.offset, block.bytes.to_vec()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(blocks, [(5, b"a".to_vec()), (6, b"b".to_vec())]);
    assert!(messages.is_empty());
}
