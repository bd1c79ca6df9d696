//! What people are shown while things go on: the map of a share's pieces, and rates.

use std::collections::BTreeMap;

use crate::manifest::ShareId;
use crate::piece_map::PieceMap;
use crate::policy::Selection;
use crate::simulation::{World, data};
use crate::swarm::Swarm;
use crate::time::Duration;

const PIECE: usize = 256 << 10;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A room of `count` peers where peer 0 shares one file of so many pieces.
fn room(seed: u64, count: usize, pieces: usize) -> (World, ShareId) {
    let mut world = World::new(seed);
    for _ in 0..count {
        world.add();
    }
    let share = world.share(0, &[("file", data(1, pieces * PIECE))]);
    world.net.uplink = 4e6;
    world.until(MINUTE, "everyone sees the share", |w| {
        (0..count).all(|peer| w.view(peer, share).is_some())
    });
    (world, share)
}

fn map(world: &World, peer: usize, share: ShareId) -> PieceMap {
    world.peers[peer].swarm.piece_map(share, 1 << 16).expect("it is on the shelf")
}

/// How many pieces the map says each peer sent.
fn sent(map: &PieceMap) -> BTreeMap<String, u64> {
    let mut sent = BTreeMap::new();
    for cell in map.cells.iter().filter(|cell| cell.here == u8::MAX && cell.source > 0) {
        *sent.entry(map.sources[usize::from(cell.source) - 1].to_string()).or_default() += 1;
    }
    sent
}

#[test]
fn the_map_tells_who_sent_which_pieces() {
    let (mut world, share) = room(71, 3, 64);
    world.receive(1, share);
    world.until(MINUTE, "half is there", |w| w.view(1, share).unwrap().have > 32 * PIECE as u64);
    world.receive(2, share);
    world.until(MINUTE, "some of it from both", |w| map(w, 2, share).sources.len() == 2);
    let going = map(&world, 2, share);
    assert!(going.asked > 0 && going.here < 64, "{going:?}");

    world.until(MINUTE, "all received", |w| w.is_complete(2, share));
    let done = map(&world, 2, share);
    assert_eq!((done.wanted, done.here, done.missing, done.asked), (64, 64, 0, 0));
    let view = world.view(2, share).unwrap();
    let pieces: BTreeMap<String, u64> = view
        .sources
        .iter()
        .map(|source| (source.peer.to_string(), source.bytes / PIECE as u64))
        .collect();
    assert_eq!(sent(&done), pieces);
}

#[test]
fn the_map_tells_what_is_rare_and_what_nobody_has() {
    let (mut world, share) = room(72, 3, 40);
    let ours = map(&world, 0, share);
    assert_eq!((ours.here, ours.held[0]), (40, 40), "nobody else has any of it yet");
    let theirs = map(&world, 1, share);
    assert_eq!((theirs.here, theirs.rare, theirs.nowhere), (0, 40, 0));

    world.receive(1, share);
    world.until(MINUTE, "a part is there", |w| w.view(1, share).unwrap().have > 9 * PIECE as u64);
    world.with(1, |swarm, now| swarm.pause(now, share)).unwrap();
    world.run_for(SECOND);
    let have = map(&world, 1, share).here;
    let ours = map(&world, 0, share);
    assert_eq!(ours.held, [40 - have, have, 0, 0]);
    let passed_on = ours.cells.iter().filter(|cell| cell.holders == 1).count();
    assert_eq!(passed_on as u32, have);
    let theirs = map(&world, 2, share);
    assert_eq!((theirs.rare, theirs.nowhere), (40 - have, 0));

    world.leave(0);
    world.run_for(SECOND);
    let theirs = map(&world, 2, share);
    assert_eq!((theirs.rare, theirs.nowhere), (have, 40 - have));
    assert_eq!(map(&world, 1, share).held, [have, 0, 0, 0]);
}

#[test]
fn what_is_not_wanted_is_not_missing_on_the_map() {
    let (mut world, share) = room(73, 2, 12);
    world.with(1, |swarm, now| swarm.select(now, share, Selection::only([]))).unwrap();
    world.receive(1, share);
    world.run_for(SECOND);
    let map = map(&world, 1, share);
    assert_eq!((map.pieces, map.wanted, map.missing), (12, 0, 0));
    assert!(map.cells.iter().all(|cell| cell.wanted == 0 && cell.asked == 0));
}

#[test]
fn rates_are_told_while_something_passes_and_totals_after_they_have_left() {
    let (mut world, share) = room(74, 2, 100);
    let all = 100 * PIECE as u64;
    world.receive(1, share);
    world.until(MINUTE, "a part is there", |w| w.view(1, share).unwrap().have > all / 2);
    let traffic = |world: &World, peer: usize| {
        let swarm = &world.peers[peer].swarm;
        (swarm.traffic(), swarm.peers().next().map(|other| other.traffic))
    };
    let (from, to) = (traffic(&world, 0), traffic(&world, 1));
    let near = |rate: f64| (0.7..1.3).contains(&(rate / world.net.uplink));
    assert!(near(from.0.upload_rate) && near(from.1.unwrap().upload_rate), "{from:?}");
    assert!(near(to.0.download_rate) && near(to.1.unwrap().download_rate), "{to:?}");
    assert!(near(world.view(0, share).unwrap().upload_rate));
    assert_eq!((from.0.download_rate, to.0.upload_rate), (0.0, 0.0));

    world.until(MINUTE, "all received", |w| w.is_complete(1, share));
    world.run_for(20 * SECOND);
    // Whoever looks at rates wakes the machine up for that: by itself it has nothing to do.
    (0..2).for_each(|peer| world.with(peer, Swarm::handle_timeout));
    let (from, to) = (traffic(&world, 0), traffic(&world, 1));
    assert_eq!((from.0.sent, from.1.unwrap().sent), (all, all));
    assert_eq!((to.0.received, to.1.unwrap().received), (all, all));
    assert!(from.0.upload_rate < 1.0 && to.0.download_rate < 1.0, "{from:?} {to:?}");
    assert!(world.view(0, share).unwrap().upload_rate < 1.0);

    world.leave(1);
    world.until(MINUTE, "they are gone", |w| w.peers[0].swarm.peers().next().is_none());
    assert_eq!(traffic(&world, 0).0.sent, all);
}
