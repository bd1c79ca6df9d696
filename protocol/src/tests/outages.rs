//! What outages do to transfers: of a path, of the way to the server, of both. All times are those of the
//! simulated world.

use crate::event::{Event, PeerView};
use crate::manifest::ShareId;
use crate::simulation::{World, data};
use crate::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A room in which everybody but peer 0 receives from it, slowly.
fn room(seed: u64, count: usize) -> (World, ShareId) {
    let mut world = World::new(seed);
    for _ in 0..count {
        world.add();
    }
    let share = world.share(0, &[("file", data(1, 8 << 20))]);
    world.until(MINUTE, "everyone sees the share", |w| {
        (0..count).all(|peer| w.view(peer, share).is_some())
    });
    world.net.uplink = 200e3;
    for peer in 1..count {
        world.receive(peer, share);
    }
    world.until(MINUTE, "going on", |w| (1..count).all(|peer| have(w, peer, share) > 0));
    (world, share)
}

fn have(world: &World, peer: usize, share: ShareId) -> u64 {
    world.view(peer, share).expect("it is on the shelf").have
}

/// How long until a peer has more than now.
fn moving(world: &mut World, peer: usize, share: ShareId) -> Duration {
    let (start, before) = (world.now, have(world, peer, share));
    world.until(5 * MINUTE, "going on", |w| have(w, peer, share) > before);
    world.now - start
}

/// Cuts the path between 0 and 1 for so long, and perhaps theirs to the server.
fn outage(world: &mut World, time: Duration, with_server: bool) {
    world.block_path(0, 1);
    for peer in 0..2 {
        world.block_server(peer, with_server);
    }
    world.run_for(time);
    for peer in 0..2 {
        world.block_server(peer, false);
    }
    world.heal_path(0, 1);
}

#[test]
fn after_an_outage_the_transfer_goes_on_within_seconds() {
    for (outage_time, bound) in [(5, 5), (12, 5), (20, 5), (40, 15), (60, 15), (150, 30)] {
        for with_server in [false, true] {
            for seed in 0..4 {
                let (mut world, share) = room(seed, 2);
                outage(&mut world, outage_time * SECOND, with_server);
                let took = moving(&mut world, 1, share);
                assert!(
                    took <= bound * SECOND,
                    "{took:?} after {outage_time} s, with the server: {with_server}"
                );
            }
        }
    }
}

#[test]
fn whoever_comes_back_first_tries_anew_when_the_other_is_back() {
    // The longer one of them is there alone, the more often it has tried, which the other knows nothing of.
    let alone = [1, 5, 15, 25].map(|seconds| seconds * SECOND);
    for (alone, first, seed) in alone.iter().flat_map(|&alone| {
        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(first, seed)| (alone, first, seed))
    }) {
        let (mut world, share) = room(seed, 2);
        world.block_path(0, 1);
        (0..2).for_each(|peer| world.block_server(peer, true));
        world.run_for(60 * SECOND);
        world.heal_path(0, 1);
        world.block_server(first, false);
        world.until(MINUTE, "joined", |w| w.peers[first].swarm.is_joined());
        world.run_for(alone);
        world.block_server(1 - first, false);
        world.until(MINUTE, "joined", |w| w.peers[1 - first].swarm.is_joined());
        let took = moving(&mut world, 1, share);
        let case = format!("after {first} was there alone for {alone:?}, seed {seed}");
        assert!(took <= 3 * SECOND, "{took:?} {case}");
    }
}

#[test]
fn who_comes_back_to_the_server_after_an_outage_is_who_it_was() {
    let (mut world, _) = room(1, 3);
    let ids: Vec<_> = world.peers.iter().map(|peer| peer.swarm.peer_id()).collect();
    outage(&mut world, 30 * SECOND, true);
    world.until(MINUTE, "all are back", |w| {
        w.peers.iter().all(|peer| {
            peer.swarm.is_joined() && peer.swarm.peers().filter(PeerView::is_connected).count() == 2
        })
    });
    assert_eq!(world.peers.iter().map(|peer| peer.swarm.peer_id()).collect::<Vec<_>>(), ids);
    assert!(world.peers.iter().all(|peer| peer.swarm.peers().count() == 2));
}

#[test]
fn a_server_that_is_silent_is_left_only_if_it_does_not_answer() {
    let (mut world, share) = room(1, 2);
    world.block_path(0, 1);
    world.run_for(30 * SECOND);
    assert!(world.peers.iter().all(|peer| peer.swarm.is_joined()), "it answers");
    world.block_server(1, true);
    world.run_for(30 * SECOND);
    assert!(world.peers[0].swarm.is_joined());
    assert!(!world.peers[1].swarm.is_joined());
    world.block_server(1, false);
    world.heal_path(0, 1);
    moving(&mut world, 1, share);
}

#[test]
fn a_server_that_does_not_answer_is_tried_every_few_seconds_however_long_each_try_took() {
    let (mut world, _) = room(1, 2);
    world.block_server(1, true);
    world.break_signaling(1);
    // Systems give up by themselves as well, sooner or later than we do.
    for seconds in [3, 5, 7, 5, 8, 6, 5, 7, 5, 8, 6, 5] {
        world.run_for(seconds * SECOND);
        world.give_up_connecting(1);
    }
    world.block_server(1, false);
    world.until(10 * SECOND, "joined", |w| w.peers[1].swarm.is_joined());
}

#[test]
fn a_connection_that_carries_nothing_though_ice_sees_nothing_is_replaced() {
    let (mut world, share) = room(1, 2);
    let gone =
        |w: &World| w.peers[1].events.iter().any(|event| matches!(event, Event::PeerGone { .. }));
    world.net.uplink = 500e3;
    world.run_for(4 * SECOND);
    world.mute(0, true);
    world.run_for(5 * SECOND);
    assert!(!gone(&world), "it was given up at once");
    world.until(4 * SECOND, "replaced", gone);
    world.mute(0, false);
    assert!(moving(&mut world, 1, share) < 5 * SECOND);
}

#[test]
fn a_connection_that_carries_nothing_is_kept_while_no_signal_gets_through() {
    let (mut world, share) = room(1, 2);
    world.net.uplink = 500e3;
    world.run_for(4 * SECOND);
    world.mute(0, true);
    (0..2).for_each(|peer| world.block_server(peer, true));
    world.run_for(20 * SECOND);
    let lost = world.peers[1].events.iter().any(|event| matches!(event, Event::PeerGone { .. }));
    assert!(!lost, "there is nothing to replace it with");
    world.mute(0, false);
    assert!(moving(&mut world, 1, share) < 5 * SECOND);
}

#[test]
fn a_connection_that_comes_back_and_carries_nothing_is_replaced_once_the_other_has_the_server_again()
 {
    let (mut world, share) = room(1, 2);
    let gone =
        |w: &World| w.peers[1].events.iter().any(|event| matches!(event, Event::PeerGone { .. }));
    world.block_path(0, 1);
    (0..2).for_each(|peer| world.block_server(peer, true));
    world.run_for(20 * SECOND);
    world.mute(0, true);
    world.heal_path(0, 1);
    world.run_for(3 * SECOND);
    assert!(!gone(&world), "there is nothing to replace it with");
    (0..2).for_each(|peer| world.block_server(peer, false));
    world.until(MINUTE, "joined", |w| (0..2).all(|peer| w.peers[peer].swarm.is_joined()));
    world.until(3 * SECOND, "replaced", gone);
    world.mute(0, false);
    assert!(moving(&mut world, 1, share) < 5 * SECOND);
}

#[test]
fn a_connection_to_a_slow_disk_is_kept() {
    let (mut world, share) = room(1, 2);
    world.peers[0].disk_delay = 14 * SECOND;
    world.run_for(MINUTE);
    world.peers[0].disk_delay = Duration::from_millis(2);
    moving(&mut world, 1, share);
    let lost = world.peers[1].events.iter().any(|event| matches!(event, Event::PeerGone { .. }));
    assert!(!lost, "it answered all the time");
}

#[test]
fn a_connection_that_comes_back_and_carries_nothing_is_replaced() {
    let (mut world, share) = room(1, 2);
    let gone =
        |w: &World| w.peers[1].events.iter().any(|event| matches!(event, Event::PeerGone { .. }));
    world.block_path(0, 1);
    world.run_for(7 * SECOND);
    world.mute(0, true);
    world.heal_path(0, 1);
    world.run_for(SECOND);
    assert!(!gone(&world), "it was revived");
    world.until(3 * SECOND, "replaced", gone);
    world.mute(0, false);
    assert!(moving(&mut world, 1, share) < 5 * SECOND);
}
