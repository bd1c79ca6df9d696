//! Who is let in: rooms that are locked, opened again, and started anew without somebody.

use crate::event::{CloseReason, Event, PeerView};
use crate::identity::DeviceKey;
use crate::invite::Invite;
use crate::io::Channel;
use crate::message::PeerMessage;
use crate::policy::{PeerPolicy, Standing};
use crate::roster::Roster;
use crate::simulation::{World, data};
use crate::swarm::{NotCreator, Swarm};
use crate::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A room of so many, all connected. Peer 0 made the invite.
fn room(seed: u64, count: usize) -> World {
    let mut world = World::new(seed);
    for _ in 0..count {
        world.add();
    }
    world.until(MINUTE, "connected", |w| (0..count).all(|peer| connected(w, peer) == count - 1));
    world
}

fn connected(world: &World, peer: usize) -> usize {
    world.peers[peer].swarm.peers().filter(PeerView::is_connected).count()
}

fn lock(world: &mut World, peer: usize, locked: bool) -> Result<(), NotCreator> {
    world.with(peer, |swarm, now| swarm.set_locked(now, locked))
}

fn locked(world: &World, peers: std::ops::Range<usize>) -> bool {
    peers.into_iter().all(|peer| world.peers[peer].swarm.is_locked())
}

fn reasons(world: &World, peer: usize) -> Vec<CloseReason> {
    let events = world.peers[peer].events.iter();
    let reasons = events.filter_map(|event| match event {
        Event::PeerGone { reason, .. } => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn a_locked_room_lets_nobody_new_in_and_back_whoever_was_there() {
    let mut world = room(1, 3);
    let share = world.share(1, &[("secret plans", data(1, 1000))]);
    world.until(MINUTE, "told", |w| w.view(2, share).is_some());
    lock(&mut world, 0, true).unwrap();
    world.until(SECOND, "all know", |w| locked(w, 0..3));
    let offers = world.peers[1].signals;

    let late = world.add();
    world.run_for(MINUTE * 3);
    assert_eq!((connected(&world, late), world.peers[late].swarm.shares().count()), (0, 0));
    assert!(world.peers[late].swarm.is_shut_out());
    assert_eq!(reasons(&world, late), [CloseReason::Locked; 3], "told once of each");
    assert!((0..3).all(|peer| connected(&world, peer) == 2));
    assert!(world.peers[1].signals - offers < 20, "each offer has one answer");

    world.crash(2);
    world.restart(2);
    world.until(MINUTE, "back", |w| connected(w, 2) == 2 && locked(w, 2..3));

    lock(&mut world, 0, false).unwrap();
    world.until(MINUTE * 2, "let in", |w| connected(w, late) == 3 && !locked(w, 0..1));
    assert!(!world.peers[late].swarm.is_shut_out());
    assert!(world.view(late, share).is_some());
}

#[test]
fn a_creator_who_comes_back_finds_the_room_locked_and_can_open_it() {
    let mut world = room(2, 3);
    lock(&mut world, 0, true).unwrap();
    world.run_for(SECOND);
    world.crash(0);
    world.run_for(SECOND * 30);
    world.restart(0);
    world.until(MINUTE, "back", |w| connected(w, 0) == 2 && locked(w, 0..3));
    lock(&mut world, 0, false).unwrap();
    world.until(SECOND, "open", |w| (0..3).all(|peer| !w.peers[peer].swarm.is_locked()));
}

#[test]
fn whom_the_creator_avoids_is_sent_away_when_the_room_is_locked() {
    let mut world = room(3, 4);
    let key = world.peers[3].swarm.public_key();
    let mut policy = world.peers[0].swarm.policy().clone();
    policy.peers.insert(key, PeerPolicy { standing: Standing::Avoided, ..PeerPolicy::default() });
    world.with(0, |swarm, now| swarm.set_policy(now, policy));
    world.run_for(SECOND);
    assert_eq!(connected(&world, 3), 2, "others decide for themselves");
    lock(&mut world, 0, true).unwrap();
    world.run_for(MINUTE);
    assert_eq!((connected(&world, 3), connected(&world, 1)), (0, 2));
    assert!(reasons(&world, 3).contains(&CloseReason::Locked));
}

#[test]
fn only_the_creator_can_lock_and_whoever_forges_a_roster_is_dropped() {
    let forger = DeviceKey::from_bytes([9; 32]);
    for in_its_name in [false, true] {
        let mut world = room(4, 3);
        assert_eq!(lock(&mut world, 1, true), Err(NotCreator));
        let room = world.peers[1].swarm.invite().room_id();
        let mut roster = Roster::sign(room, 2_000_000_000_000, Some(Vec::new()), &forger);
        if in_its_name {
            roster.creator = world.peers[0].swarm.public_key();
        }
        let bytes = PeerMessage::Roster(roster).encode();
        let connection = world.connection(1, 2);
        world.with(2, |swarm, now| {
            swarm.handle_message(now, connection, Channel::Control, &bytes);
        });
        assert_eq!(reasons(&world, 2), [CloseReason::ProtocolViolation]);
        assert!(!world.peers[2].swarm.is_locked());
        assert_eq!((connected(&world, 2), connected(&world, 0)), (1, 2), "others are unaffected");
    }
}

#[test]
fn an_earlier_roster_does_not_come_back() {
    let mut world = room(5, 2);
    let creator = DeviceKey::from_bytes([0; 32]);
    let room = world.peers[0].swarm.invite().room_id();
    let earlier = Roster::sign(room, 1, Some(Vec::new()), &creator);
    lock(&mut world, 0, true).unwrap();
    lock(&mut world, 0, false).unwrap();
    world.run_for(SECOND);
    let bytes = PeerMessage::Roster(earlier).encode();
    let connection = world.connection(0, 1);
    world.with(1, |swarm, now| swarm.handle_message(now, connection, Channel::Control, &bytes));
    world.run_for(SECOND);
    assert!(!world.peers[1].swarm.is_locked());
    assert_eq!(connected(&world, 1), 1);
}

#[test]
fn a_room_started_anew_is_told_to_all_but_those_who_are_left_out() {
    let mut world = room(6, 4);
    let key = world.peers[0].swarm.public_key();
    let invite = Invite::new([7; 32], &key);
    let without = [world.peers[2].swarm.public_key()];
    let start = |swarm: &mut Swarm, now| swarm.start_anew(now, &invite, &without);
    assert_eq!(world.with(1, start), Err(NotCreator));
    world.with(0, start).unwrap();
    world.run_for(SECOND);
    let told = |peer: usize| {
        let is_new =
            |event: &Event| matches!(event, Event::StartedAnew { invite: it } if *it == invite);
        world.peers[peer].events.iter().filter(|event| is_new(event)).count()
    };
    assert_eq!([told(0), told(1), told(2), told(3)], [0, 1, 0, 1]);
}

#[test]
fn a_member_who_leads_others_elsewhere_is_dropped() {
    let mut world = room(7, 3);
    let key = world.peers[1].swarm.public_key();
    let bytes = PeerMessage::Anew { invite: Invite::new([7; 32], &key) }.encode();
    let connection = world.connection(1, 2);
    world.with(2, |swarm, now| swarm.handle_message(now, connection, Channel::Control, &bytes));
    assert_eq!(reasons(&world, 2), [CloseReason::ProtocolViolation]);
    assert!(!world.peers[2].events.iter().any(|event| matches!(event, Event::StartedAnew { .. })));
}
