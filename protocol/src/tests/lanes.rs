//! Several connections to one member: opened where that pays, closed where it does not.

use crate::manifest::ShareId;
use crate::policy::Policy;
use crate::simulation::{World, data};
use crate::time::Duration;

const MIB: usize = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Two peers with sockets like a browser's, `latency` apart; peer 0 shares a file.
fn pair(seed: u64, latency: Duration, file: &[u8]) -> (World, ShareId) {
    let mut world = World::new(seed);
    world.net.latency = latency;
    world.net.receive_buffer = 128 << 10;
    world.add();
    world.add();
    let share = world.share(0, &[("file", file.to_vec())]);
    world.until(MINUTE, "on the shelf", |w| w.view(1, share).is_some());
    (world, share)
}

/// How many connections a peer has to the other.
fn lanes(world: &World, peer: usize) -> usize {
    world.peers[peer].swarm.peers().map(|view| view.lanes).sum()
}

/// Receives to the end; the most lanes there were meanwhile.
fn receive(world: &mut World, share: ShareId) -> usize {
    let mut most = 0;
    world.receive(1, share);
    world.until(MINUTE * 10, "received", |w| {
        most = most.max(lanes(w, 1));
        w.is_complete(1, share)
    });
    most
}

#[test]
fn a_long_path_gets_more_lanes_as_long_as_they_pay() {
    let file = data(1, 150 * MIB);
    let (mut world, share) = pair(1, Duration::from_millis(50), &file);
    let start = world.now;
    assert!(receive(&mut world, share) >= 4);
    assert!(world.peers[1].disk[&share].file(crate::piece::FileIndex(0)) == file);
    let rate = file.len() as f64 / (world.now - start).as_secs_f64();
    // One lane may have 512 KiB on its way: 5.2 MB/s.
    assert!(rate > 1.15 * 5.2e6, "{rate}");
    world.until(MINUTE, "closed when idle", |w| (0..2).all(|peer| lanes(w, peer) == 1));
}

#[test]
fn a_short_path_keeps_to_one_lane_and_so_does_whoever_wants_that() {
    let file = data(2, 40 * MIB);
    let (mut world, share) = pair(2, Duration::from_millis(2), &file);
    world.net.uplink = 2e6;
    assert_eq!(receive(&mut world, share), 1);

    for unwilling in 0..2 {
        let (mut world, share) = pair(3, Duration::from_millis(50), &file);
        let policy = Policy { lanes: 1, ..Policy::default() };
        world.with(unwilling, |swarm, now| swarm.set_policy(now, policy));
        world.net.uplink = 4e6;
        world.receive(1, share);
        world.until(MINUTE, "received", |w| {
            assert!(lanes(w, 0) <= 1, "peer {unwilling} is not asked");
            w.is_complete(1, share)
        });
    }
}

#[test]
fn lanes_that_do_not_pay_are_taken_back() {
    let file = data(4, 60 * MIB);
    let (mut world, share) = pair(4, Duration::from_millis(50), &file);
    world.net.uplink = 2e6;
    world.receive(1, share);
    world.until(MINUTE, "tried", |w| lanes(w, 1) == 4);
    world.until(MINUTE, "taken back", |w| lanes(w, 1) == 1);
    world.until(MINUTE, "received", |w| {
        assert_eq!(lanes(w, 1), 1, "it is not tried again soon");
        w.is_complete(1, share)
    });
}

#[test]
fn a_path_that_breaks_takes_all_lanes_with_it_and_they_come_again() {
    let file = data(5, 150 * MIB);
    let (mut world, share) = pair(5, Duration::from_millis(50), &file);
    world.receive(1, share);
    for _ in 0..2 {
        world.until(MINUTE, "several lanes", |w| lanes(w, 1) >= 4);
        world.break_path(0, 1, SECOND);
        world.until(MINUTE, "broken", |w| lanes(w, 1) == 0);
    }
    world.until(MINUTE * 5, "received", |w| w.is_complete(1, share));
    assert!(world.peers[1].disk[&share].file(crate::piece::FileIndex(0)) == file);
    assert!(world.peers.iter().all(|peer| peer.banned().is_empty()));
}
