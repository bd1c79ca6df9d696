//! Rooms that have more members than a peer has connections.

use std::collections::BTreeMap;

use crate::event::{CloseReason, Event};
use crate::policy::Policy;
use crate::simulation::World;
use crate::time::Duration;

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
            let connected = peer.swarm.peers().filter(|peer| peer.connected);
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
