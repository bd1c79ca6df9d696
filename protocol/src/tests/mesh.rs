//! Rooms that have more members than a peer has connections.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::event::{CloseReason, Event, PeerView};
use crate::io::Channel;
use crate::manifest::ShareId;
use crate::message::PeerMessage;
use crate::policy::Policy;
use crate::simulation::{World, data};
use crate::time::Duration;

const PIECE: usize = 256 << 10;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Adds peers that have at most so many connections.
fn add(world: &mut World, count: usize, connections: usize) {
    for _ in 0..count {
        let peer = world.add();
        world.with(peer, |swarm, now| {
            swarm.set_policy(now, Policy { connections, ..Policy::default() });
        });
        // Not all at the very same moment.
        world.run_for(Duration::from_millis(50));
    }
}

/// Who is connected to whom, by index; only where both see it so.
fn connections(world: &World) -> Vec<Vec<usize>> {
    let ids: BTreeMap<_, _> = world
        .peers
        .iter()
        .enumerate()
        .filter_map(|(i, peer)| Some((peer.swarm.peer_id()?, i)))
        .collect();
    let sees: Vec<Vec<usize>> = world
        .peers
        .iter()
        .map(|peer| {
            let connected = peer.swarm.peers().filter(PeerView::is_connected);
            connected.filter_map(|peer| ids.get(&peer.id).copied()).collect()
        })
        .collect();
    let both = |a: usize| sees[a].iter().copied().filter(|&b| sees[b].contains(&a)).collect();
    (0..sees.len()).map(both).collect()
}

/// Whether everybody in `peers` is reached from the first of them.
fn is_one_piece(world: &World, peers: &[usize]) -> bool {
    let connections = connections(world);
    let mut reached = vec![peers[0]];
    let mut next = 0;
    while let Some(&peer) = reached.get(next) {
        next += 1;
        for &other in &connections[peer] {
            if !reached.contains(&other) {
                reached.push(other);
            }
        }
    }
    peers.iter().all(|peer| reached.contains(peer))
}

#[test]
fn where_all_fit_everybody_is_connected_to_everybody() {
    let mut world = World::new(100);
    add(&mut world, 9, 8);
    world.until(MINUTE, "a full mesh", |w| connections(w).iter().all(|peers| peers.len() == 8));
}

#[test]
fn where_not_all_fit_everybody_is_reached_and_nobody_has_too_many() {
    for (seed, count, limit) in [(101, 30, 6), (102, 40, 8), (103, 90, 12)] {
        let mut world = World::new(seed);
        add(&mut world, count, limit);
        world.run_for(SECOND * 30);
        let all: Vec<usize> = (0..count).collect();
        assert!(is_one_piece(&world, &all), "{count} peers with {limit} connections");
        for (peer, connected) in connections(&world).iter().enumerate() {
            let enough = limit / 3 + 1..=limit;
            assert!(enough.contains(&connected.len()), "peer {peer} has {}", connected.len());
        }
    }
}

#[test]
fn lost_connections_are_replaced_by_others() {
    let mut world = World::new(104);
    add(&mut world, 80, 9);
    world.run_for(SECOND * 10);
    for peer in 0..25 {
        if peer % 2 == 0 { world.leave(peer) } else { world.crash(peer) }
    }
    world.run_for(MINUTE * 2);
    let rest: Vec<usize> = (25..80).collect();
    assert!(is_one_piece(&world, &rest));
    let connections = connections(&world);
    for &peer in &rest {
        assert!(connections[peer].iter().filter(|&&other| other >= 25).count() >= 4);
    }
}

#[test]
fn a_full_peer_makes_room_for_one_that_has_nobody() {
    let mut world = World::new(105);
    add(&mut world, 7, 6);
    world.until(MINUTE, "all are full", |w| connections(w).iter().all(|peers| peers.len() == 6));
    add(&mut world, 1, 6);
    world.until(SECOND * 5, "the newcomer is in", |w| connections(w)[7].len() >= 3);
    let made_room =
        |event: &Event| matches!(event, Event::PeerGone { reason: CloseReason::MakingRoom, .. });
    assert!(world.peers.iter().any(|peer| peer.events.iter().any(made_room)));
    assert!(connections(&world).iter().all(|peers| (3..=6).contains(&peers.len())));
}

#[test]
fn nobody_gives_up_the_only_source_of_a_share_to_make_room() {
    let mut world = World::new(107);
    add(&mut world, 1, 1);
    add(&mut world, 1, 6);
    world.net.uplink = 1e6;
    let share = world.share(1, &[("file", data(13, 40 * PIECE))]);
    world.until(SECOND * 5, "on the shelf", |w| w.view(0, share).is_some());
    world.receive(0, share);
    world.run_for(SECOND);
    add(&mut world, 4, 6);
    world.until(MINUTE, "received", |w| w.is_complete(0, share));
    let gone = |event: &Event| matches!(event, Event::PeerGone { .. });
    assert!(!world.peers[0].events.iter().any(gone), "{:?}", world.peers[0].events);
}

/// Sets how many connections a peer may have.
fn limit(world: &mut World, peer: usize, connections: usize) {
    world.with(peer, |swarm, now| {
        let policy = Policy { connections, ..swarm.policy().clone() };
        swarm.set_policy(now, policy);
    });
}

#[test]
fn a_lowered_limit_holds_at_once_and_a_raised_one_too() {
    let mut world = World::new(106);
    add(&mut world, 12, 16);
    world.until(MINUTE, "a full mesh", |w| connections(w).iter().all(|peers| peers.len() == 11));
    limit(&mut world, 3, 4);
    let connected = |world: &World, peer: usize| {
        world.peers[peer].swarm.peers().filter(PeerView::is_connected).count()
    };
    assert_eq!(connected(&world, 3), 4);
    for _ in 0..120 {
        world.run_for(SECOND * 2);
        assert_eq!(connections(&world)[3].len(), 4, "and it stays so");
    }
    limit(&mut world, 3, 16);
    world
        .until(SECOND * 5, "a full mesh", |w| connections(w).iter().all(|peers| peers.len() == 11));
}

/// A room of nine, fully meshed. Peers 1 to `wanted` share a file each, which peer 4 wants and has
/// nothing of yet; the others fetch another from peer 4.
fn wanting(seed: u64, wanted: usize) -> (World, Vec<ShareId>) {
    let (mut world, busy) = crowd(seed, 9, 16, &data(8, 4 * PIECE));
    world.receive(4, busy);
    world.until(MINUTE, "received", |w| w.is_complete(4, busy));
    let shares: Vec<ShareId> = (1..=wanted)
        .map(|peer| world.share(peer, &[("file", data(20 + peer as u8, 30 * PIECE))]))
        .collect();
    world.until(SECOND * 5, "on the shelf", |w| {
        shares.iter().all(|&share| w.view(4, share).is_some())
    });
    for &share in &shares {
        world.receive(4, share);
        world.with(4, |swarm, now| swarm.pause(now, share)).unwrap();
    }
    world.net.uplink = 2e6;
    (wanted + 1..9).filter(|&peer| peer != 4).for_each(|peer| world.receive(peer, busy));
    world.run_for(SECOND / 2);
    (world, shares)
}

fn resume(world: &mut World, shares: &[ShareId]) {
    for &share in shares {
        world.with(4, |swarm, now| swarm.resume(now, share)).unwrap();
    }
    world.until(MINUTE * 5, "received", |w| shares.iter().all(|&share| w.is_complete(4, share)));
}

#[test]
fn the_only_source_of_a_share_is_the_last_to_be_given_up() {
    for seed in 150..154 {
        let (mut world, shares) = wanting(seed, 1);
        limit(&mut world, 4, 1);
        assert_eq!(connections(&world)[4], [1], "seed {seed}");
        resume(&mut world, &shares);
    }
}

#[test]
fn those_who_have_what_nobody_else_has_are_kept() {
    for seed in 160..164 {
        let (mut world, shares) = wanting(seed, 3);
        limit(&mut world, 4, 4);
        assert!([1, 2, 3].iter().all(|peer| connections(&world)[4].contains(peer)), "seed {seed}");
        resume(&mut world, &shares);
    }
}

#[test]
fn a_room_in_which_everybody_lowers_the_limit_goes_on() {
    for (seed, limited) in [(170, 6), (171, 8)] {
        let (mut world, share) = crowd(seed, 30, 32, &data(10, 60 * PIECE));
        world.net.uplink = 4e6;
        (1..30).for_each(|peer| world.receive(peer, share));
        world.run_for(SECOND * 3);
        (0..30).for_each(|peer| limit(&mut world, peer, limited));
        let other = world.share(11, &[("another", data(11, 10))]);
        let all: Vec<usize> = (0..30).collect();
        world.until(MINUTE, "one room", |w| is_one_piece(w, &all));
        world.until(MINUTE * 5, "received", |w| (1..30).all(|peer| w.is_complete(peer, share)));
        assert!(all.iter().all(|&peer| world.view(peer, other).is_some()));
        assert!(connections(&world).iter().all(|peers| (1..=limited).contains(&peers.len())));
    }
}

/// Who sent introductions, and how many members they named.
fn count_introductions(world: &mut World) -> Rc<RefCell<BTreeMap<usize, usize>>> {
    let told: Rc<RefCell<BTreeMap<usize, usize>>> = Rc::default();
    let count = Rc::clone(&told);
    world.net.tamper = Some(Box::new(move |from, transmit| {
        if transmit.channel == Channel::Control
            && let Ok(PeerMessage::Members { peers }) = PeerMessage::decode(&transmit.bytes)
        {
            *count.borrow_mut().entry(from).or_default() += peers.len();
        }
    }));
    told
}

#[test]
fn whoever_has_introductions_switched_off_names_nobody() {
    let introduce = |world: &mut World, peer: usize, introduce: bool| {
        world.with(peer, |swarm, now| {
            let mut policy = swarm.policy().clone();
            policy.services.introduce = introduce;
            swarm.set_policy(now, policy);
        });
    };
    let (mut world, share) = crowd(112, 40, 6, &data(12, 4 * PIECE));
    let quiet: Vec<usize> = (0..40).filter(|peer| peer % 2 == 0).collect();
    quiet.iter().for_each(|&peer| introduce(&mut world, peer, false));
    let told = count_introductions(&mut world);
    // Those who are asked because they are near, and those who get new neighbours.
    let neighbours = connections(&world)[0].clone();
    let far: Vec<usize> = (1..40).filter(|peer| !neighbours.contains(peer)).take(4).collect();
    far.iter().for_each(|&peer| world.receive(peer, share));
    world.until(MINUTE * 5, "received", |w| far.iter().all(|&peer| w.is_complete(peer, share)));
    add(&mut world, 8, 6);
    (1..10).for_each(|peer| world.crash(peer));
    world.run_for(MINUTE);
    for &peer in &quiet {
        assert_eq!(told.borrow().get(&peer), None, "peer {peer}");
    }
    let others = told.borrow().keys().filter(|peer| **peer < 40).count();
    assert!(others > 5, "only {others} named somebody");

    quiet.iter().filter(|&&peer| peer > 9).for_each(|&peer| introduce(&mut world, peer, true));
    add(&mut world, 8, 6);
    world.run_for(MINUTE);
    assert!(quiet.iter().any(|peer| told.borrow().contains_key(peer)));
}

/// A room too large for a full mesh, in which peer 0 shares a file.
fn crowd(seed: u64, count: usize, limit: usize, file: &[u8]) -> (World, ShareId) {
    let mut world = World::new(seed);
    add(&mut world, count, limit);
    let share = world.share(0, &[("file", file.to_vec())]);
    world.until(SECOND * 5, "everybody knows the share", |w| {
        (0..count).all(|peer| w.view(peer, share).is_some())
    });
    (world, share)
}

#[test]
fn everybody_knows_every_share_also_those_who_come_later() {
    let (mut world, share) = crowd(110, 40, 6, &data(1, 10));
    let other = world.share(17, &[("another", data(2, 10))]);
    add(&mut world, 5, 6);
    let late = world.share(44, &[("late", data(3, 10))]);
    world.until(SECOND * 10, "everybody knows all", |w| {
        (0..45).all(|peer| [share, other, late].iter().all(|&id| w.view(peer, id).is_some()))
    });
}

#[test]
fn a_share_that_nobody_has_any_more_is_gone_everywhere_and_stays_gone() {
    let (mut world, share) = crowd(111, 40, 6, &data(1, 10));
    let other = world.share(5, &[("another", data(2, 10))]);
    world.run_for(SECOND * 5);
    world.with(0, |swarm, now| swarm.stop(now, share, false)).unwrap();
    world.until(SECOND * 15, "gone", |w| (0..40).all(|peer| w.view(peer, share).is_none()));
    world.run_for(SECOND * 30);
    for peer in 0..40 {
        let told = |wanted: fn(ShareId) -> Event| {
            let events = &world.peers[peer].events;
            events.iter().filter(|&event| *event == wanted(share)).count()
        };
        assert_eq!(told(|share| Event::ShareAdded { share }), 1, "peer {peer}");
        assert_eq!(told(|share| Event::ShareRemoved { share }), 1, "peer {peer}");
        assert!(world.view(peer, other).is_some(), "peer {peer} forgot the other share");
    }
    // The same goes for a holder that crashes.
    world.crash(5);
    world.until(MINUTE, "gone", |w| {
        (0..40).filter(|&peer| peer != 5).all(|peer| w.view(peer, other).is_none())
    });
}

#[test]
fn those_far_from_any_holder_find_one_and_finish() {
    let file = data(4, 20 * PIECE);
    for seed in 0..5 {
        let (mut world, share) = crowd(120 + seed, 40, 6, &file);
        // Nobody between them takes part: they must find the origin themselves.
        let neighbours = connections(&world)[0].clone();
        let far: Vec<usize> = (1..40).filter(|peer| !neighbours.contains(peer)).take(3).collect();
        far.iter().for_each(|&peer| world.receive(peer, share));
        let what = format!("seed {seed}: received by {far:?}");
        world.until(MINUTE * 2, &what, |w| far.iter().all(|&peer| w.is_complete(peer, share)));
        assert!(connections(&world).iter().all(|peers| peers.len() <= 6));
    }
}

#[test]
fn everybody_in_a_crowd_receives_while_members_come_and_go() {
    let file = data(5, 40 * PIECE);
    let (mut world, share) = crowd(130, 36, 6, &file);
    world.net.uplink = 4e6;
    (1..36).for_each(|peer| world.receive(peer, share));
    for peer in 10..16 {
        world.run_for(SECOND);
        if peer % 2 == 0 {
            world.leave(peer);
        } else {
            world.crash(peer);
        }
        let newcomer = world.peers.len();
        add(&mut world, 1, 6);
        world.until(SECOND * 10, "on the shelf", |w| w.view(newcomer, share).is_some());
        world.receive(newcomer, share);
    }
    let rest: Vec<usize> = (1..42).filter(|peer| !(10..16).contains(peer)).collect();
    world.until(MINUTE * 5, "received", |w| rest.iter().all(|&peer| w.is_complete(peer, share)));
}

#[test]
fn receipts_say_who_holds_a_share_also_to_those_who_come_later() {
    let file = data(6, 10 * PIECE);
    let (mut world, share) = crowd(140, 12, 6, &file);
    (1..6).for_each(|peer| world.receive(peer, share));
    world.until(MINUTE, "received", |w| (1..6).all(|peer| w.is_complete(peer, share)));
    add(&mut world, 1, 6);
    let keys: Vec<_> = (1..6).map(|peer| world.peers[peer].swarm.public_key()).collect();
    world.until(SECOND * 10, "everybody knows who", |w| {
        w.peers.iter().all(|peer| {
            let copies = peer.swarm.copies(share);
            copies.is_some_and(|copies| {
                copies.holders.len() == 5
                    && copies.holders.iter().all(|holder| {
                        keys.contains(&holder.key) && holder.since_ms > 1_800_000_000_000
                    })
            })
        })
    });
    let copies = world.peers[12].swarm.copies(share).unwrap();
    assert!(copies.in_room >= 5.0 && copies.in_room <= 6.0, "{copies:?}");
}

#[test]
fn whoever_leaves_with_a_share_at_once_is_told_by_name_all_the_same() {
    let file = data(7, PIECE);
    let (mut world, share) = crowd(142, 2, 6, &file);
    world.receive(1, share);
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    world.leave(1);
    world.run_for(SECOND);
    let received = |event: &Event| match event {
        Event::Received { name, .. } => Some(name.clone()),
        _ => None,
    };
    assert_eq!(world.peers[0].events.iter().find_map(received).as_deref(), Some("peer 1"));
}

#[test]
fn a_forged_receipt_is_blamed_and_not_believed() {
    let file = data(7, PIECE);
    let (mut world, share) = crowd(141, 3, 6, &file);
    world.net.tamper = Some(Box::new(|from, transmit| {
        if let Ok(PeerMessage::Receipt { mut receipt, own }) = PeerMessage::decode(&transmit.bytes)
            && from == 1
        {
            receipt.since_ms += 1;
            transmit.bytes = PeerMessage::Receipt { receipt, own }.encode();
        }
    }));
    world.receive(1, share);
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    world.run_for(SECOND);
    for peer in [0, 2] {
        assert_eq!(world.peers[peer].banned(), ["peer 1"]);
        assert_eq!(world.peers[peer].swarm.copies(share).unwrap().holders, []);
        assert!(!world.peers[peer].events.iter().any(|e| matches!(e, Event::Received { .. })));
    }
}

#[test]
fn what_is_told_of_receipts_does_not_grow_with_the_room() {
    let (mut world, share) = crowd(142, 60, 8, &data(8, 1000));
    (1..60).for_each(|peer| world.receive(peer, share));
    world.until(MINUTE, "received", |w| (1..60).all(|peer| w.is_complete(peer, share)));
    world.run_for(SECOND * 5);
    for peer in &world.peers {
        let holders = peer.swarm.copies(share).unwrap().holders.len();
        assert!((20..=24).contains(&holders), "{holders} receipts");
    }
}

#[test]
fn the_origin_may_leave_when_the_others_hold_every_piece_between_them() {
    let file = data(9, 40 * PIECE);
    let (mut world, share) = crowd(143, 3, 6, &file);
    world.net.uplink = 4e6;
    let copies = |world: &World, peer: usize| world.peers[peer].swarm.copies(share).unwrap();
    for peer in 0..3 {
        let copies = copies(&world, peer);
        assert_eq!((copies.in_room, copies.origin_may_leave), (1.0, false));
        assert_eq!(copies.only_origin_bytes, file.len() as u64);
    }
    (1..3).for_each(|peer| world.receive(peer, share));
    world.until(MINUTE, "the origin may leave", |w| copies(w, 0).origin_may_leave);
    assert!((1..3).any(|peer| !world.is_complete(peer, share)), "not before both are done");
    assert!((2.0..3.0).contains(&copies(&world, 0).in_room));
    world.leave(0);
    world.until(MINUTE, "received", |w| (1..3).all(|peer| w.is_complete(peer, share)));
    world.until(SECOND, "two copies", |w| (1..3).all(|peer| copies(w, peer).in_room == 2.0));
}
