//! Hostile members and a hostile way between members, against real machines.
//!
//! Whatever they do, three things hold: it is refused; whoever can be proven to have done it is named and
//! shut out, and whoever only breaks the rules is disconnected with a reason; and it does no harm to
//! the others, whose connections stay and whose transfers go on.
//!
//! | file | what is tried |
//! |---|---|
//! | `forging.rs` | to speak for others: shares, hashes, receipts, leaving, ids, relayed signals |
//! | `talking.rs` | to talk in the name of others, without end, or again and again |
//! | `malformed.rs` | messages that break the rules, one by one |
//! | `envelopes.rs` | signals that are changed, replayed, reflected, reordered or from elsewhere |
//! | `dribble.rs` | to hold up others by being slow, or by leaving things out |
//!
//! Floods, whose cost in memory is counted, are in `protocol/tests/floods.rs`.

mod dribble;
mod envelopes;
mod forging;
mod malformed;
mod talking;

use crate::chat::Line;
use crate::event::{CloseReason, Event, PeerView, Proof};
use crate::identity::{DeviceKey, Signature};
use crate::manifest::ShareId;
use crate::signaling::{PeerId, RoomId};
use crate::simulation::{World, data};
use crate::time::Duration;

const PIECE: usize = 256 << 10;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Shares, and does nothing else.
const ORIGIN: usize = 0;
/// Receives from it.
const VICTIM: usize = 1;
/// A member like the others, which does what its machine never would.
const HOSTILE: usize = 2;

/// A room of the three, in which the origin shares a file and the victim receives it, slowly.
fn room(seed: u64) -> (World, ShareId) {
    let mut world = World::new(seed);
    (0..3).for_each(|_| {
        world.add();
    });
    let share = world.share(ORIGIN, &[("file", data(1, 8 * PIECE))]);
    world.until(MINUTE, "everybody is connected, and sees the share", |w| {
        (0..3).all(|peer| w.view(peer, share).is_some() && connected(w, peer) == 2)
    });
    world.net.uplink = 400e3;
    world.receive(VICTIM, share);
    world.until(MINUTE, "going on", |w| w.view(VICTIM, share).unwrap().have > 0);
    (world, share)
}

fn connected(world: &World, peer: usize) -> usize {
    world.peers[peer].swarm.peers().filter(PeerView::is_connected).count()
}

/// The key that the world gives to a peer.
fn key(peer: usize) -> DeviceKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(peer as u64).to_le_bytes());
    DeviceKey::from_bytes(bytes)
}

fn id(world: &World, peer: usize) -> PeerId {
    world.peers[peer].swarm.peer_id().expect("it has joined")
}

fn room_id(world: &World) -> RoomId {
    world.peers[VICTIM].swarm.invite().room_id()
}

/// The first line of a stay of the hostile member, not signed.
fn line(text: &str) -> Line {
    let (author, name, signature) =
        (key(HOSTILE).public(), format!("peer {HOSTILE}"), Signature([0; 64]));
    Line { author, stay: 1, sequence: 0, sent_ms: 1, name, text: text.into(), signature }
}

/// Why the victim closed its connection to the hostile member, if it did.
fn closed(world: &World) -> Option<CloseReason> {
    let hostile = format!("peer {HOSTILE}");
    world.peers[VICTIM].events.iter().rev().find_map(|event| match event {
        Event::PeerGone { name, reason, .. } if *name == hostile => Some(*reason),
        _ => None,
    })
}

/// What the victim shut the hostile member out for, if it did.
fn proof(world: &World) -> Option<Proof> {
    world.peers[VICTIM].events.iter().find_map(|event| match event {
        Event::Banned { key: culprit, proof, .. } => {
            assert_eq!(*culprit, key(HOSTILE).public(), "somebody else was blamed");
            Some(*proof)
        }
        _ => None,
    })
}

/// The transfer between the others goes on to its end, and nobody but the hostile member lost anybody.
fn assert_others_unaffected(world: &mut World, share: ShareId) {
    world.until(MINUTE, "received", |w| w.is_complete(VICTIM, share));
    assert_eq!(world.peers[VICTIM].disk[&share].corrupt(), 0);
    for (peer, other) in [(ORIGIN, VICTIM), (VICTIM, ORIGIN)] {
        let name = format!("peer {other}");
        let lost =
            |event: &Event| matches!(event, Event::PeerGone { name: lost, .. } if *lost == name);
        assert!(!world.peers[peer].events.iter().any(lost), "{peer} lost {other}");
        assert!(!world.peers[peer].banned().contains(&name), "{peer} shut {other} out");
    }
}
