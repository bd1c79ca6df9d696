//! The user's controls, changed while things go on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::event::{CloseReason, Event, PeerView, ShareState, Waiting, Withheld};
use crate::identity::{DeviceKey, PublicKey};
use crate::io::{Channel, PathKind};
use crate::manifest::ShareId;
use crate::message::{BlockItem, PeerMessage, decode_blocks};
use crate::piece::FileIndex;
use crate::policy::{
    Accept, PathPolicy, PeerPolicy, Policy, Priority, Selection, Services, Standing,
};
use crate::simulation::{World, data};
use crate::time::Duration;

const PIECE: usize = 256 << 10;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A room of `count` peers where peer 0 shares files of so many pieces each.
fn room(seed: u64, count: usize, pieces: &[usize]) -> (World, ShareId, Vec<Vec<u8>>) {
    let mut world = World::new(seed);
    for _ in 0..count {
        world.add();
    }
    let files: Vec<Vec<u8>> =
        (0..).zip(pieces).map(|(i, pieces)| data(i, pieces * PIECE)).collect();
    let names: Vec<String> = (0..files.len()).map(|i| format!("folder/{i}")).collect();
    let named: Vec<(&str, Vec<u8>)> =
        names.iter().map(String::as_str).zip(files.iter().cloned()).collect();
    let share = world.share(0, &named);
    world.until(MINUTE, "everyone sees the share", |w| {
        (0..count).all(|peer| w.view(peer, share).is_some())
    });
    (world, share, files)
}

fn select(world: &mut World, peer: usize, share: ShareId, selection: Selection) {
    world.with(peer, |swarm, now| swarm.select(now, share, selection)).unwrap();
}

/// The files that a peer has in their place, with the right bytes.
fn placed(world: &World, peer: usize, share: ShareId, files: &[Vec<u8>]) -> Vec<u32> {
    let store = &world.peers[peer].disk[&share];
    for &file in &store.placed {
        assert!(store.file(file) == files[file.0 as usize], "{file:?} has other bytes");
    }
    store.placed.iter().map(|file| file.0).collect()
}

#[test]
fn only_chosen_files_are_fetched_and_others_can_be_added_later() {
    let (mut world, share, files) = room(1, 3, &[5, 4, 3, 2]);
    select(&mut world, 1, share, Selection::only([FileIndex(1), FileIndex(3)]));
    world.receive(1, share);
    world.until(MINUTE, "what was chosen", |w| w.is_complete(1, share));
    world.run_for(MINUTE);
    assert_eq!(placed(&world, 1, share, &files), [1, 3]);
    assert_eq!(world.view(1, share).unwrap().fetched, 6 * PIECE as u64);
    assert_eq!(world.view(0, share).unwrap().receivers, 0, "it does not have all of it");

    // What it has, it serves; what nobody but the origin has comes from there.
    world.receive(2, share);
    world.until(MINUTE, "all of it", |w| w.is_complete(2, share));
    assert!(world.view(1, share).unwrap().uploaded > 0);
    world.leave(0);

    select(&mut world, 1, share, Selection::only([FileIndex(0), FileIndex(3)]));
    assert!(!world.is_complete(1, share));
    world.until(MINUTE, "one more", |w| w.is_complete(1, share));
    assert_eq!(placed(&world, 1, share, &files), [0, 1, 3]);
    select(&mut world, 1, share, Selection::all());
    world.until(MINUTE, "the rest", |w| w.is_complete(1, share));
    assert_eq!(placed(&world, 1, share, &files), [0, 1, 2, 3]);
    let view = world.view(1, share).unwrap();
    assert_eq!((view.fetched, view.wasted), (14 * PIECE as u64, 0));
    world.until(MINUTE, "the others hear of it", |w| w.view(2, share).unwrap().receivers == 1);
    let completed = |event: &&Event| matches!(event, Event::Completed { .. });
    assert_eq!(world.peers[1].events.iter().filter(completed).count(), 3);
}

#[test]
fn what_is_not_wanted_any_more_is_asked_for_no_more() {
    let (mut world, share, files) = room(2, 2, &[60, 4]);
    world.net.uplink = 2e6;
    let mut selection = Selection::all();
    selection.files.insert(FileIndex(1), Some(Priority::Low));
    select(&mut world, 1, share, selection);
    world.receive(1, share);
    world.run_for(Duration::from_secs(1));
    assert!(matches!(world.view(1, share).unwrap().state, ShareState::Receiving));
    select(&mut world, 1, share, Selection::only([FileIndex(1)]));
    world.until(MINUTE, "what is still wanted", |w| w.is_complete(1, share));
    assert_eq!(placed(&world, 1, share, &files), [1]);
    assert!(world.view(1, share).unwrap().have < 30 * PIECE as u64);
    select(&mut world, 1, share, Selection::only([]));
    assert!(world.is_complete(1, share), "what is there stays");
    select(&mut world, 1, share, Selection::all());
    world.until(MINUTE, "everything", |w| w.is_complete(1, share));
    assert_eq!(placed(&world, 1, share, &files), [0, 1]);
}

#[test]
fn urgent_files_come_first() {
    let (mut world, share, _) = room(3, 2, &[20, 20, 20]);
    world.net.uplink = 4e6;
    let mut selection = Selection::all();
    selection.files.insert(FileIndex(0), Some(Priority::Low));
    selection.files.insert(FileIndex(2), Some(Priority::High));
    select(&mut world, 1, share, selection);
    world.receive(1, share);
    let pieces = |w: &World, file: usize| {
        let committed = &w.peers[1].disk[&share].committed;
        committed.iter().filter(|piece| piece.0 as usize / 20 == file).count()
    };
    for (urgent, others) in [(2, [1, 0]), (1, [0, 0])] {
        world.until(MINUTE, "most of the urgent", |w| pieces(w, urgent) >= 16);
        for other in others {
            let early = pieces(&world, other);
            assert!(early <= 4, "{early} pieces of {other} before {urgent}");
        }
    }
    world.until(MINUTE, "everything", |w| w.is_complete(1, share));
}

#[test]
fn after_a_restart_it_goes_on_with_what_is_chosen_then() {
    let (mut world, share, files) = room(4, 2, &[10, 10, 2]);
    world.net.uplink = 4e6;
    let chosen = || Selection::only([FileIndex(1), FileIndex(2)]);
    select(&mut world, 1, share, Selection::only([FileIndex(2)]));
    world.receive(1, share);
    world.until(MINUTE, "the small file", |w| w.is_complete(1, share));
    select(&mut world, 1, share, chosen());
    world.until(MINUTE, "half", |w| w.view(1, share).unwrap().have > 6 * PIECE as u64);
    world.crash(1);
    let kept = u64::from(world.peers[1].disk[&share].committed.count()) * PIECE as u64;
    world.restart(1);
    world.until(MINUTE, "on the shelf again", |w| w.view(1, share).is_some());
    select(&mut world, 1, share, chosen());
    world.receive(1, share);
    world.until(MINUTE, "what was chosen", |w| w.is_complete(1, share));
    assert_eq!(placed(&world, 1, share, &files), [1, 2]);
    assert_eq!(world.view(1, share).unwrap().reused, kept);
}

/// Changes the policy of a peer.
fn policy(world: &mut World, peer: usize, change: impl FnOnce(&mut Policy)) {
    world.with(peer, |swarm, now| {
        let mut policy = swarm.policy().clone();
        change(&mut policy);
        swarm.set_policy(now, policy);
    });
}

fn have(world: &World, peer: usize, share: ShareId) -> u64 {
    world.view(peer, share).unwrap().have
}

fn sent_of(world: &World, peer: usize, share: ShareId) -> u64 {
    world.view(peer, share).unwrap().uploaded
}

fn waiting(world: &World, peer: usize, share: ShareId) -> Option<Waiting> {
    world.view(peer, share).unwrap().waits_for()
}

#[test]
fn a_paused_share_asks_for_nothing_serves_on_and_goes_on_when_told() {
    let (mut world, share, _) = room(10, 3, &[60]);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "a third", |w| have(w, 1, share) > 20 * PIECE as u64);
    world.with(1, |swarm, now| swarm.pause(now, share)).unwrap();
    world.run_for(SECOND * 2);
    let before = have(&world, 1, share);
    let sent = sent_of(&world, 1, share);
    world.receive(2, share);
    world.until(MINUTE, "the other has it", |w| w.is_complete(2, share));
    assert_eq!(have(&world, 1, share), before);
    assert_eq!(waiting(&world, 1, share), Some(Waiting::Paused));
    assert!(sent_of(&world, 1, share) > sent, "it served on what it had");
    world.with(1, |swarm, now| swarm.resume(now, share)).unwrap();
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
}

#[test]
fn each_service_can_be_switched_off_and_on_again() {
    let off = [
        Services { share: false, ..Services::default() },
        Services { receive: false, ..Services::default() },
        Services { serve_on: false, ..Services::default() },
    ];
    for (seed, (peer, services)) in (20..).zip([(0, off[0]), (2, off[1]), (1, off[2])]) {
        // Peer 1 has half of it and fetches the rest, peer 2 fetches all, peer 3 has its own to share.
        let (mut world, share, _) = room(seed, 4, &[80]);
        world.net.uplink = 3e6;
        let other = world.share(3, &[("other", data(99, 10 * PIECE))]);
        world.receive(1, share);
        world.until(MINUTE, "half", |w| have(w, 1, share) > 40 * PIECE as u64);
        world.receive(2, share);
        world.run_for(SECOND / 2);
        policy(&mut world, peer, |policy| policy.services = services);
        world.run_for(SECOND);
        let (had, sent) = (have(&world, 2, share), sent_of(&world, peer, share));
        world.receive(1, other);
        world.until(MINUTE, "others carry on", |w| w.is_complete(1, other));
        world.run_for(SECOND * 5);
        match peer {
            // The origin: peers 1 and 2 got from each other what they had, and wait for the rest.
            0 => {
                assert_eq!(sent_of(&world, 0, share), sent);
                assert_eq!(waiting(&world, 1, share), Some(Waiting::Source));
                let view = world.view(0, share).unwrap();
                assert_eq!(view.withheld, Some(Withheld::ServiceOff));
            }
            2 => {
                assert_eq!(have(&world, 2, share), had);
                assert_eq!(waiting(&world, 2, share), Some(Waiting::ServiceOff));
                assert!(world.is_complete(1, share));
            }
            _ => {
                assert_eq!(sent_of(&world, 1, share), sent);
                assert!(world.is_complete(1, share));
            }
        }
        policy(&mut world, peer, |policy| policy.services = Services::default());
        world.until(MINUTE, "everybody has it", |w| (1..3).all(|i| w.is_complete(i, share)));
        for peer in &world.peers {
            let gone = |event: &Event| matches!(event, Event::PeerGone { .. });
            assert!(!peer.events.iter().any(gone), "{:?}", peer.events);
        }
    }
}

#[test]
fn what_was_shared_while_sharing_was_off_appears_when_it_is_on() {
    let mut world = World::new(30);
    world.add();
    world.add();
    policy(&mut world, 0, |policy| policy.services.share = false);
    let share = world.share(0, &[("file", data(1, PIECE))]);
    world.run_for(MINUTE);
    assert!(world.view(1, share).is_none());
    policy(&mut world, 0, |policy| policy.services.share = true);
    world.until(MINUTE, "it is on the shelf", |w| w.view(1, share).is_some());
    policy(&mut world, 0, |policy| policy.services.share = false);
    world.until(MINUTE, "it is gone again", |w| w.view(1, share).is_none());
}

#[test]
fn shares_are_received_without_asking_as_far_as_the_policy_says() {
    let mut world = World::new(31);
    for _ in 0..3 {
        world.add();
    }
    let key = world.peers[0].swarm.public_key();
    policy(&mut world, 2, |policy| {
        policy.accept = Accept::Trusted;
        let trusted = PeerPolicy { standing: Standing::Trusted, ..PeerPolicy::default() };
        policy.peers.insert(key, trusted);
    });
    let trusted = world.share(0, &[("a", data(1, 3 * PIECE))]);
    let other = world.share(1, &[("b", data(2, 3 * PIECE))]);
    world.until(MINUTE, "the trusted one", |w| w.is_complete(2, trusted));
    world.run_for(MINUTE);
    assert_eq!(world.view(2, other).unwrap().state, ShareState::Available);
    policy(&mut world, 2, |policy| policy.accept = Accept::All);
    world.until(MINUTE, "all", |w| w.is_complete(2, other));

    // What was stopped is not taken up again, and what comes while asking is on waits.
    world.with(2, |swarm, now| swarm.stop(now, other, true)).unwrap();
    policy(&mut world, 2, |policy| policy.accept = Accept::Ask);
    let third = world.share(1, &[("c", data(3, PIECE))]);
    world.run_for(MINUTE);
    assert_eq!(world.view(2, third).unwrap().state, ShareState::Available);
    policy(&mut world, 2, |policy| policy.accept = Accept::All);
    world.until(MINUTE, "the third", |w| w.is_complete(2, third));
    assert_eq!(world.view(2, other).unwrap().state, ShareState::Available);
    world.receive(2, other);
    world.until(MINUTE, "by command", |w| w.is_complete(2, other));
}

#[test]
fn a_share_is_served_no_more_once_it_was_sent_often_enough_or_for_long_enough() {
    for (seed, why) in [(32, Withheld::Ratio), (33, Withheld::Time), (34, Withheld::ByUser)] {
        let (mut world, share, _) = room(seed, 3, &[10]);
        let start = world.now;
        match why {
            Withheld::Ratio => policy(&mut world, 0, |policy| policy.stop_at_ratio = Some(1.0)),
            Withheld::Time => policy(&mut world, 0, |policy| policy.stop_after = Some(MINUTE)),
            _ => {}
        }
        world.receive(1, share);
        world.until(MINUTE, "one copy", |w| w.is_complete(1, share));
        match why {
            Withheld::Ratio => {}
            Withheld::Time => {
                assert_eq!(world.view(0, share).unwrap().withheld, None);
                let late = |w: &World| w.view(0, share).unwrap().withheld.is_some();
                world.until(MINUTE * 2, "long enough", late);
                assert!(world.now - start >= MINUTE - SECOND * 10);
            }
            _ => world.with(0, |swarm, now| swarm.set_serving(now, share, false)).unwrap(),
        }
        world.run_for(SECOND);
        assert_eq!(world.view(0, share).unwrap().withheld, Some(why));
        world.leave(1);
        world.until(SECOND * 10, "nobody has it to give", |w| w.view(2, share).is_none());
        policy(&mut world, 0, |policy| (policy.stop_at_ratio, policy.stop_after) = (None, None));
        world.with(0, |swarm, now| swarm.set_serving(now, share, true)).unwrap();
        world.until(MINUTE, "on the shelf again", |w| w.view(2, share).is_some());
        world.receive(2, share);
        world.until(MINUTE, "received", |w| w.is_complete(2, share));
    }
}

/// A room where peers 0 and 1 share a file each and peer 2 is to have both.
fn two_shares(seed: u64, pieces: usize) -> (World, [ShareId; 2]) {
    let mut world = World::new(seed);
    for _ in 0..3 {
        world.add();
    }
    let shares = [0, 1].map(|i| world.share(i, &[("file", data(i as u8, pieces * PIECE))]));
    let seen = |w: &World| shares.iter().all(|&share| w.view(2, share).is_some());
    world.until(MINUTE, "both are on the shelf", seen);
    (world, shares)
}

#[test]
fn shares_of_one_urgency_come_side_by_side_and_the_urgent_first() {
    // The receiver's cap is what they compete for.
    let both = |w: &World, shares: [ShareId; 2]| shares.map(|share| have(w, 2, share) as f64);
    let (mut world, shares) = two_shares(40, 60);
    policy(&mut world, 2, |policy| policy.download = Some(2_000_000));
    shares.iter().for_each(|&share| world.receive(2, share));
    let half = |w: &World| both(w, shares).iter().sum::<f64>() > (60 * PIECE) as f64;
    world.until(MINUTE, "half", half);
    let [a, b] = both(&world, shares);
    assert!((0.7..1.4).contains(&(a / b)), "{a} and {b}");

    let (mut world, shares) = two_shares(41, 60);
    policy(&mut world, 2, |policy| policy.download = Some(2_000_000));
    world.with(2, |swarm, now| swarm.set_priority(now, shares[1], Priority::High)).unwrap();
    shares.iter().for_each(|&share| world.receive(2, share));
    world.until(MINUTE, "the urgent one", |w| w.is_complete(2, shares[1]));
    let [early, _] = both(&world, shares);
    assert!(early < (15 * PIECE) as f64, "{early} bytes of the other before");
    world.until(MINUTE, "the other", |w| w.is_complete(2, shares[0]));
}

#[test]
fn a_share_that_is_stuck_or_paused_blocks_no_other() {
    for pause in [false, true] {
        let (mut world, shares) = two_shares(42, 60);
        policy(&mut world, 2, |policy| policy.memory_in_flight = 4 << 20);
        world.net.uplink = 4e6;
        world.receive(2, shares[0]);
        world.until(MINUTE, "it has begun", |w| have(w, 2, shares[0]) > 0);
        if pause {
            world.with(2, |swarm, now| swarm.pause(now, shares[0])).unwrap();
        } else {
            world.mute(0, true);
        }
        world.receive(2, shares[1]);
        // 15.7 MB at 4 MB/s; the silence of the other is noticed only after 15 s.
        let limit = SECOND * 10;
        world.until(limit, "the other", |w| w.is_complete(2, shares[1]));
    }
}

#[test]
fn no_more_is_in_flight_than_the_policy_allows_however_many_shares_there_are() {
    let memory = 8 * PIECE as i64;
    let (mut world, shares) = two_shares(43, 40);
    let (flying, peak) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (count, most) = (flying, Rc::clone(&peak));
    world.net.tamper = Some(Box::new(move |from, transmit| {
        let change = match PeerMessage::decode(&transmit.bytes) {
            _ if transmit.channel == Channel::Blocks => -(transmit.bytes.len() as i64),
            Ok(PeerMessage::Request { run, .. }) if from == 2 => {
                i64::from(run.count) * PIECE as i64
            }
            _ => 0,
        };
        count.set(count.get() + change);
        most.set(most.get().max(count.get()));
    }));
    policy(&mut world, 2, |policy| policy.memory_in_flight = memory as u64);
    shares.iter().for_each(|&share| world.receive(2, share));
    world.until(MINUTE, "both", |w| shares.iter().all(|&share| w.is_complete(2, share)));
    assert!(peak.get() <= memory, "{} bytes", peak.get());
    assert!(peak.get() > memory / 2, "{} bytes", peak.get());
}

fn connected(world: &World, peer: usize) -> usize {
    world.peers[peer].swarm.peers().filter(PeerView::is_connected).count()
}

#[test]
fn an_avoided_peer_hears_that_we_left_and_is_let_in_again_when_it_is_avoided_no_more() {
    let (mut world, share, _) = room(50, 3, &[60]);
    world.net.uplink = 4e6;
    let key = world.peers[0].swarm.public_key();
    let avoid = PeerPolicy { standing: Standing::Avoided, ..PeerPolicy::default() };
    world.receive(2, share);
    world.run_for(SECOND);
    policy(&mut world, 2, |policy| policy.peers.extend([(key, avoid)]));
    let had = have(&world, 2, share);
    world.run_for(MINUTE);
    let gone = |peer: usize, world: &World| {
        world.peers[peer].events.iter().find_map(|event| match event {
            Event::PeerGone { reason, .. } => Some(*reason),
            _ => None,
        })
    };
    assert_eq!(gone(2, &world), Some(CloseReason::Avoided));
    assert_eq!(gone(0, &world), Some(CloseReason::Left), "it is told no more than that");
    assert_eq!((connected(&world, 0), connected(&world, 1), connected(&world, 2)), (1, 2, 1));
    assert!(have(&world, 2, share) <= had + (4 << 20));
    assert_eq!(waiting(&world, 2, share), Some(Waiting::Source));

    // Whoever comes with that key later is not let in either, on either side's initiative.
    let twin = world.add_twin_of(0);
    world.run_for(MINUTE);
    assert_eq!((connected(&world, twin), connected(&world, 2)), (2, 1));

    policy(&mut world, 2, |policy| policy.peers.clear());
    world.until(MINUTE, "received", |w| w.is_complete(2, share));
}

#[test]
fn only_allowed_paths_are_used_and_others_again_when_they_are_allowed() {
    for (seed, allowed) in [(51, PathPolicy::LanOnly), (52, PathPolicy::RelayOnly)] {
        let (mut world, share, _) = room(seed, 2, &[60]);
        world.net.uplink = 4e6;
        world.receive(1, share);
        world.run_for(SECOND);
        policy(&mut world, 1, |policy| policy.path = allowed);
        let closed = |event: &Event| {
            matches!(event, Event::PeerGone { reason: CloseReason::PathNotAllowed, .. })
        };
        assert!(world.peers[1].events.iter().any(closed));
        if allowed == PathPolicy::LanOnly {
            // What had come by then is still written.
            world.run_for(SECOND);
            let had = have(&world, 1, share);
            world.run_for(MINUTE);
            assert_eq!(have(&world, 1, share), had, "the path is not of that kind");
            policy(&mut world, 1, |policy| policy.path = PathPolicy::Any);
        }
        world.until(MINUTE, "received", |w| w.is_complete(1, share));
        let path = world.peers[1].swarm.peers().next().unwrap().path.unwrap().kind;
        let relayed = allowed == PathPolicy::RelayOnly;
        assert_eq!(path == PathKind::Relayed, relayed);
        policy(&mut world, 1, |policy| policy.path = PathPolicy::DirectOnly);
        let direct = |w: &World| {
            let peers = w.peers[1].swarm.peers();
            peers.filter_map(|peer| peer.path).any(|path| path.kind == PathKind::Direct)
        };
        world.until(MINUTE, "direct again", direct);
    }
}

#[test]
fn caps_hold_for_one_key_and_not_on_the_lan_if_that_is_exempt() {
    let seconds = |change: &dyn Fn(&mut Policy, [PublicKey; 2]), kind| {
        let mut world = World::new(53);
        world.net.path = kind;
        world.add();
        world.add();
        let share = world.share(0, &[("file", data(1, 40 * PIECE))]);
        world.until(MINUTE, "on the shelf", |w| w.view(1, share).is_some());
        let keys = [0, 1].map(|peer: usize| world.peers[peer].swarm.public_key());
        (0..2).for_each(|peer| policy(&mut world, peer, |policy| change(policy, keys)));
        let start = world.now;
        world.receive(1, share);
        world.until(MINUTE, "received", |w| w.is_complete(1, share));
        (world.now - start).as_secs_f64()
    };
    let cap = Some(1_000_000);
    let bytes = (40 * PIECE) as f64 / 1e6;
    let capped = |seconds: f64| (bytes - 1.0..bytes + 2.0).contains(&seconds);
    let upload = |policy: &mut Policy, keys: [PublicKey; 2]| {
        policy.peers.insert(keys[1], PeerPolicy { upload: cap, ..PeerPolicy::default() });
    };
    let download = |policy: &mut Policy, keys: [PublicKey; 2]| {
        policy.peers.insert(keys[0], PeerPolicy { download: cap, ..PeerPolicy::default() });
    };
    let other = |policy: &mut Policy, _: [PublicKey; 2]| {
        let nobody = DeviceKey::from_bytes([99; 32]).public();
        policy.peers.insert(nobody, PeerPolicy { upload: cap, ..PeerPolicy::default() });
    };
    let exempt = |policy: &mut Policy, _: [PublicKey; 2]| {
        (policy.upload, policy.download, policy.lan_exempt) = (cap, cap, true);
        (policy.upload_per_peer, policy.download_per_peer) = (cap, cap);
    };
    assert!(capped(seconds(&upload, PathKind::Direct)));
    assert!(capped(seconds(&download, PathKind::Direct)));
    assert!(capped(seconds(&exempt, PathKind::Direct)));
    assert!(seconds(&other, PathKind::Direct) < 3.0);
    assert!(seconds(&exempt, PathKind::Lan) < 3.0);
}

#[test]
fn no_more_peers_are_served_at_one_time_than_there_are_slots() {
    let (mut world, share, _) = room(60, 5, &[60]);
    let upload = Some(4_000_000);
    let policy = Policy { upload_slots: 2, upload, ..Policy::default() };
    world.with(0, |swarm, now| swarm.set_policy(now, policy));
    world.net.latency = Duration::from_millis(1);
    // Whom the origin has begun to send a request to and not finished, by what it puts on its channels.
    let open = Rc::new(RefCell::new(BTreeSet::new()));
    let most = Rc::new(Cell::new(0));
    let (seen, peak) = (Rc::clone(&open), Rc::clone(&most));
    world.net.tamper = Some(Box::new(move |from, transmit| {
        if from != 0 || transmit.channel != Channel::Blocks {
            return;
        }
        for item in decode_blocks(&transmit.bytes) {
            let Ok(BlockItem::Block(block)) = item else { continue };
            let ends = block.offset as usize + block.bytes.len() == PIECE;
            let mut open = seen.borrow_mut();
            if ends {
                open.remove(&transmit.connection)
            } else {
                open.insert(transmit.connection)
            };
            peak.set(peak.get().max(open.len()));
        }
    }));
    (1..5).for_each(|peer| world.receive(peer, share));
    world.until(MINUTE * 5, "received", |w| (1..5).all(|peer| w.is_complete(peer, share)));
    assert!((1..=2).contains(&most.get()), "{} at one time", most.get());
}
