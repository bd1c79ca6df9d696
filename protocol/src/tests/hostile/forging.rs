//! To speak for others.

use super::*;
use crate::envelope::{self, Route, Signal};
use crate::io::{Candidate, Description};
use crate::manifest::{Entry, EntryKind, HashBatch, Manifest, SharePath, SignedManifest};
use crate::message::{Holding, PeerMessage};
use crate::piece::{PieceHash, PieceIndex};
use crate::receipt::Receipt;

/// A manifest with this origin, signed by somebody for a room.
fn manifest(origin: usize, signer: usize, room: RoomId) -> SignedManifest {
    let path = SharePath::new("forged").unwrap();
    let entry = Entry { path, kind: EntryKind::File { size: 5 }, modified_ms: None };
    let manifest = Manifest::new(key(origin).public(), vec![entry]).unwrap();
    SignedManifest::sign(&manifest, room, &key(signer)).unwrap()
}

/// The hostile member tells of a share, and sends a manifest for it when it is asked.
fn put_on_shelf(world: &mut World, share: ShareId, manifest: &SignedManifest) {
    let bytes = manifest.to_bytes();
    let manifest_bytes = bytes.len() as u32;
    let holding = Some(Holding::Everything);
    let told = PeerMessage::Share { share, manifest_bytes, distance: 0, holding };
    assert!(world.say(HOSTILE, VICTIM, &told));
    world.say(HOSTILE, VICTIM, &PeerMessage::ManifestPart { share, offset: 0, bytes });
    world.run_for(SECOND);
}

#[test]
fn a_share_in_the_name_of_another_is_refused_and_its_bringer_is_blamed() {
    let (mut world, share) = room(1);
    let room = room_id(&world);
    let forged = manifest(ORIGIN, HOSTILE, room);
    put_on_shelf(&mut world, forged.share(), &forged);
    assert_eq!(proof(&world), Some(Proof::ForgedManifest));
    assert_eq!(world.view(VICTIM, forged.share()).map(|view| view.id), None);
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_share_of_another_room_is_refused_and_its_bringer_is_blamed() {
    let (mut world, share) = room(2);
    let elsewhere = manifest(ORIGIN, ORIGIN, RoomId([7; 16]));
    put_on_shelf(&mut world, elsewhere.share(), &elsewhere);
    assert_eq!(proof(&world), Some(Proof::ForgedManifest));
    assert!(world.view(VICTIM, elsewhere.share()).is_none());
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_manifest_of_another_share_than_the_one_asked_for_is_refused_and_its_sender_is_blamed() {
    let (mut world, share) = room(3);
    let other = manifest(HOSTILE, HOSTILE, room_id(&world));
    put_on_shelf(&mut world, ShareId([8; 32]), &other);
    assert_eq!(proof(&world), Some(Proof::ForgedManifest));
    assert!(world.view(VICTIM, other.share()).is_none());
    assert!(world.view(VICTIM, ShareId([8; 32])).is_none());
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_share_of_its_own_is_as_welcome_as_any() {
    // Else the tests above would show nothing.
    let (mut world, share) = room(4);
    let own = manifest(HOSTILE, HOSTILE, room_id(&world));
    put_on_shelf(&mut world, own.share(), &own);
    assert_eq!((proof(&world), closed(&world)), (None, None));
    assert!(world.view(VICTIM, own.share()).is_some());
    assert_others_unaffected(&mut world, share);
}

#[test]
fn hashes_that_the_origin_did_not_sign_are_refused_and_their_sender_is_blamed() {
    let (mut world, share) = room(5);
    let hashes = vec![PieceHash([9; 32]); 8];
    let batch = HashBatch::sign(share, PieceIndex(0), hashes, &key(HOSTILE));
    world.say(HOSTILE, VICTIM, &PeerMessage::Hashes(batch));
    world.run_for(SECOND);
    assert_eq!(proof(&world), Some(Proof::ForgedHashes));
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_receipt_in_the_name_of_another_is_refused_and_its_sender_is_blamed() {
    let (mut world, share) = room(6);
    let signed = Receipt::sign(room_id(&world), share, 5, &key(HOSTILE));
    let receipt = Receipt { holder: key(7).public(), ..signed };
    world.say(HOSTILE, VICTIM, &PeerMessage::Receipt { receipt, own: false });
    world.run_for(SECOND);
    assert_eq!(proof(&world), Some(Proof::ForgedReceipt));
    let holders = world.peers[VICTIM].swarm.copies(share).unwrap().holders;
    assert_eq!(holders, [], "nothing of it counts");
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_receipt_of_another_passed_off_as_ones_own_is_refused_and_blamed() {
    let (mut world, share) = room(7);
    let receipt = Receipt::sign(room_id(&world), share, 5, &key(7));
    world.say(HOSTILE, VICTIM, &PeerMessage::Receipt { receipt, own: true });
    world.run_for(SECOND);
    assert_eq!(proof(&world), Some(Proof::ForgedReceipt));
    let received = |event: &Event| matches!(event, Event::Received { .. });
    assert!(!world.peers[VICTIM].events.iter().any(received));
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_receipt_of_another_room_is_refused_and_blamed() {
    let (mut world, share) = room(8);
    let receipt = Receipt::sign(RoomId([7; 16]), share, 5, &key(HOSTILE));
    world.say(HOSTILE, VICTIM, &PeerMessage::Receipt { receipt, own: true });
    world.run_for(SECOND);
    assert_eq!(proof(&world), Some(Proof::ForgedReceipt));
    assert_others_unaffected(&mut world, share);
}

#[test]
fn whoever_says_that_a_share_is_gone_speaks_for_itself_alone() {
    let (mut world, share) = room(9);
    world.say(HOSTILE, VICTIM, &PeerMessage::Unshare { share });
    world.run_for(SECOND);
    assert!(world.view(VICTIM, share).is_some());
    assert_others_unaffected(&mut world, share);
}

#[test]
fn whoever_says_goodbye_leaves_alone() {
    let (mut world, share) = room(10);
    for reason in 0..=u8::MAX {
        world.say(HOSTILE, VICTIM, &PeerMessage::Goodbye { reason });
    }
    world.run_for(SECOND);
    assert_eq!(closed(&world), Some(CloseReason::Left));
    assert_others_unaffected(&mut world, share);
}

#[test]
fn nobody_moves_to_the_id_of_a_member_that_is_known() {
    let (mut world, share) = room(11);
    let (origin, us) = (id(&world, ORIGIN), id(&world, VICTIM));
    for peer in [origin, us] {
        world.say(HOSTILE, VICTIM, &PeerMessage::Moved { peer });
    }
    world.run_for(SECOND);
    let view = world.peers[VICTIM].swarm.peers().find(|peer| peer.id == origin).unwrap();
    assert_eq!(view.key, Some(key(ORIGIN).public()));
    assert!(world.peers[VICTIM].swarm.peers().any(|peer| peer.id == id(&world, HOSTILE)));
    assert_others_unaffected(&mut world, share);
}

#[test]
fn whoever_moves_to_an_id_before_its_owner_has_spoken_has_to_give_way() {
    let (mut world, share) = room(12);
    // The server counts.
    let next = PeerId(id(&world, HOSTILE).0 + 1);
    world.say(HOSTILE, VICTIM, &PeerMessage::Moved { peer: next });
    world.run_for(SECOND);
    let owner = world.add();
    assert_eq!(id_soon(&mut world, owner), next);
    world.until(MINUTE, "the owner is connected", |w| {
        let mut there = w.peers[VICTIM].swarm.peers().filter(PeerView::is_connected);
        there.any(|peer| peer.id == next && peer.key == Some(key(owner).public()))
    });
    assert_eq!(closed(&world), Some(CloseReason::ProtocolViolation));
    assert_others_unaffected(&mut world, share);
}

fn id_soon(world: &mut World, peer: usize) -> PeerId {
    world.until(MINUTE, "joined", |w| w.peers[peer].swarm.peer_id().is_some());
    id(world, peer)
}

/// What the hostile member seals with its own key, in the name of an id.
fn relayed(world: &World, from: PeerId, epoch: u64, signal: &Signal) -> PeerMessage {
    let swarm = &world.peers[VICTIM].swarm;
    let route = Route { room: room_id(world), from, to: id(world, VICTIM) };
    let signaling_key = swarm.invite().signaling_key();
    let nonce = std::array::from_fn(|i| (from.0 >> (i % 8)) as u8);
    let envelope =
        envelope::seal(&signaling_key, &key(HOSTILE), route, epoch, 0, signal, nonce).unwrap();
    PeerMessage::Relay { from, to: route.to, envelope }
}

fn offer() -> Signal {
    Signal::Description(Description::Offer("nowhere".into()))
}

#[test]
fn a_signal_passed_on_in_the_name_of_another_member_does_nothing() {
    let (mut world, share) = room(13);
    let (origin, us) = (id(&world, ORIGIN), id(&world, VICTIM));
    let candidate = Candidate { candidate: "x".into(), sdp_mid: None, sdp_mline_index: None };
    for from in [origin, us] {
        for signal in [offer(), Signal::Busy, Signal::Candidate(Some(candidate.clone()))] {
            let message = relayed(&world, from, 1000, &signal);
            world.say(HOSTILE, VICTIM, &message);
        }
    }
    world.run_for(SECOND);
    assert_eq!(world.peers[VICTIM].swarm.peers().count(), 2, "nobody was made up");
    assert_others_unaffected(&mut world, share);
}

#[test]
fn members_that_are_made_up_keep_few_connections_busy() {
    let (mut world, share) = room(14);
    for stranger in 0..200 {
        let message = relayed(&world, PeerId(1_000_000 + stranger), 1, &offer());
        world.say(HOSTILE, VICTIM, &message);
    }
    world.run_for(SECOND);
    let made_up = world.peers[VICTIM].swarm.peers().count() - 2;
    assert!((1..=8).contains(&made_up), "{made_up} of 200");
    // There is place for somebody real.
    let newcomer = world.add();
    world.until(10 * SECOND, "connected", |w| connected(w, newcomer) >= 2);
    assert_others_unaffected(&mut world, share);
}

#[test]
fn an_epoch_after_which_there_is_none_is_refused() {
    let (mut world, share) = room(15);
    let stranger = PeerId(1_000_000);
    let message = relayed(&world, stranger, u64::MAX, &offer());
    world.say(HOSTILE, VICTIM, &message);
    world.say(HOSTILE, VICTIM, &relayed(&world, stranger, u64::MAX / 2, &offer()));
    // The attempt is given up, and others are made.
    world.run_for(2 * MINUTE);
    assert_others_unaffected(&mut world, share);
}

#[test]
fn a_banned_key_does_not_come_back_with_another_id() {
    let (mut world, share) = room(16);
    let signed = Receipt::sign(room_id(&world), share, 5, &key(HOSTILE));
    let receipt = Receipt { holder: key(7).public(), ..signed };
    world.say(HOSTILE, VICTIM, &PeerMessage::Receipt { receipt, own: false });
    world.run_for(SECOND);
    assert!(proof(&world).is_some());
    world.leave(HOSTILE);
    world.restart(HOSTILE);
    world.run_for(MINUTE);
    let is_hostile = |peer: &PeerView| peer.key == Some(key(HOSTILE).public());
    let swarm = &world.peers[VICTIM].swarm;
    assert!(!swarm.peers().any(|peer| is_hostile(&peer) && peer.is_connected()));
    assert_others_unaffected(&mut world, share);
}
