//! Rooms of many: how close they come to what their uplinks allow. The rooms are those of
//! `cargo xtask simulate`, which shows each of them as a table and a picture.

use crate::event::Waiting;
use crate::manifest::ShareId;
use crate::piece::PieceIndex;
use crate::simulation::scenario::{Kind, Outcome, PIECE_BYTES, Setup};
use crate::simulation::{World, data};
use crate::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Runs a room and checks what must hold in every one.
fn run(setup: &Setup) -> Outcome {
    let outcome = setup.run();
    assert_eq!((outcome.stuck, outcome.corrupt, outcome.wrongly_banned), (0, 0, 0), "{setup:?}");
    outcome
}

/// The ratio to the bound, and how often the origin sent the share.
fn ratio(setup: &Setup) -> (f64, f64) {
    let outcome = run(setup);
    (outcome.ratio().expect("all have it"), outcome.origin_copies)
}

#[test]
fn one_receiver_takes_hardly_longer_than_the_uplink_needs() {
    for piece_bytes in [16 << 10, PIECE_BYTES] {
        let (ratio, _) = ratio(&Setup { receivers: 1, piece_bytes, ..Setup::default() });
        assert!(ratio <= 1.05, "{ratio} times the bound with pieces of {piece_bytes} bytes");
    }
}

/// Pieces are as in large shares; a smaller share takes a room of fifty longer than its bound, because
/// pieces go from hand to hand.
#[test]
fn rooms_of_four_twelve_and_fifty_take_hardly_longer_than_one() {
    for receivers in [4, 12, 50] {
        let (ratio, copies) = ratio(&Setup { receivers, ..Setup::default() });
        assert!(ratio <= 1.15, "{ratio} times the bound with {receivers} receivers");
        assert!(copies <= 1.15, "the origin sent {copies} copies to {receivers} receivers");
    }
}

#[test]
fn the_same_holds_where_a_cap_and_not_the_line_is_the_limit() {
    for receivers in [4, 12] {
        let mut setup = Setup { receivers, uplink: 12.5e6, ..Setup::default() };
        setup.policy.upload = Some(1 << 20);
        let outcome = run(&setup);
        let bound = setup.bytes() as f64 / f64::from(1 << 20);
        let ratio = outcome.all_done.expect("all have it").as_secs_f64() / bound;
        assert!(ratio <= 1.15, "{ratio} times the bound with {receivers} receivers");
        assert!(outcome.origin_copies <= 1.15, "the origin sent {}", outcome.origin_copies);
    }
}

/// Twelve connections for each, in rooms of up to 1 000 with `SHOAL_LONG=1`. Pieces are small, or so many
/// peers would not fit into memory.
#[test]
fn with_twelve_connections_for_each_a_large_room_is_soon_done_and_says_little_more_than_a_small_one()
 {
    let sizes: &[usize] =
        if std::env::var_os("SHOAL_LONG").is_some() { &[30, 100, 300, 1000] } else { &[30, 100] };
    let mut control = Vec::new();
    for &peers in sizes {
        let mut setup = Setup { receivers: peers - 1, piece_bytes: 16 << 10, ..Setup::default() };
        setup.uplink = f64::from(256 << 10);
        setup.policy.connections = 12;
        let outcome = run(&setup);
        let ratio = outcome.ratio().expect("all have it");
        assert!(ratio <= 1.5, "{ratio} times the bound with {peers} peers");
        control.push((peers as f64, outcome.control_bytes_per_peer as f64));
    }
    let (fewest, least) = control[0];
    for (peers, bytes) in control {
        let (grown, log) = (bytes / least, peers.ln() / fewest.ln());
        assert!(grown <= log, "{grown} times what {fewest} peers say with {peers}; {log} allowed");
    }
}

#[test]
fn unequal_uplinks_late_comers_and_leavers_cost_little() {
    for kind in [Kind::Unequal, Kind::Late, Kind::Leavers] {
        for seed in 1..=2 {
            let (ratio, _) = ratio(&Setup { kind, seed, ..Setup::default() });
            assert!(ratio <= 1.3, "{kind:?}, seed {seed}: {ratio} times the bound");
        }
    }
}

#[test]
fn nine_liars_of_ten_sources_cost_a_piece_each_and_no_more() {
    for seed in 1..=5 {
        let (kind, piece_bytes) = (Kind::Liars, 64 << 10);
        let setup = Setup { kind, piece_bytes, receivers: 10, seed, ..Setup::default() };
        let outcome = run(&setup);
        assert_eq!(outcome.banned, 9, "seed {seed}: each liar is shut out");
        let pieces = outcome.wasted * f64::from(setup.pieces);
        assert!(pieces <= 0.05 * f64::from(setup.pieces) + 9.0, "{pieces} pieces came in vain");
    }
}

#[test]
fn a_share_crosses_a_slow_border_about_once() {
    for seed in 1..=2 {
        let setup = Setup { kind: Kind::Sites, receivers: 11, seed, ..Setup::default() };
        let outcome = run(&setup);
        assert!(outcome.crossed <= 1.2, "seed {seed}: {} shares crossed", outcome.crossed);
    }
}

/// Whenever all pieces are in the room, everybody finishes; else everybody waits and says for what, and
/// finishes when somebody comes back who has them: the origin, or somebody who had it all and left.
#[test]
fn the_origin_may_leave_at_any_time() {
    let (mut whole, mut not_whole) = (0, 0);
    for seed in 0..50 {
        let (mut world, share) = room_of(7, 60, seed);
        let manifest = world.view(0, share).expect("it was shared").manifest;
        world.receive(7, share);
        world.until(MINUTE, "somebody has it", |w| w.is_complete(7, share));
        world.leave(7);
        (1..=6).for_each(|peer| world.receive(peer, share));
        let wait = Duration::from_millis(u64::from(world.below(12_000)));
        world.run_for(wait);
        world.crash(0);
        let pieces = manifest.geometry().pieces();
        // What was on its way may still be stored.
        world.run_for(Duration::from_secs(3));
        let done = |world: &World| (1..=6).all(|peer| world.is_complete(peer, share));
        if absent(&world, share, pieces).is_empty() {
            whole += 1;
        } else {
            not_whole += 1;
            let what = format!("seed {seed}: everybody waits for all that they lack");
            world.until(MINUTE * 3, &what, |w| {
                (1..=6).filter_map(|peer| w.view(peer, share)).all(|view| {
                    view.waits_for() == Some(Waiting::Source)
                        && view.nowhere.bytes == view.wanted - view.have
                })
            });
            let absent: Vec<PieceIndex> = absent(&world, share, pieces);
            for peer in 1..=6 {
                let view = world.view(peer, share).expect("it is being received");
                // Every file is a piece of the same length.
                let files: Vec<u32> = view.nowhere.files.iter().map(|file| file.0).collect();
                let first: Vec<u32> = absent.iter().take(16).map(|piece| piece.0).collect();
                assert_eq!(files, first, "seed {seed}: peer {peer} says which files wait");
                assert_eq!(view.nowhere.pieces as usize, absent.len(), "seed {seed}, peer {peer}");
            }
            if seed % 2 == 0 {
                world.restart(0);
                world.share_again(0, share, &manifest);
            } else {
                world.restart(7);
                world.until(MINUTE, "it sees the share", |w| w.view(7, share).is_some());
                world.receive(7, share);
            }
        }
        world.until(MINUTE * 5, &format!("seed {seed}: all have it"), done);
    }
    assert!(whole >= 5 && not_whole >= 5, "{whole} rooms were whole, {not_whole} were not");
}

/// Pieces of a share that no receiver in a room of six has.
fn absent(world: &World, share: ShareId, pieces: u32) -> Vec<PieceIndex> {
    let has = |peer: usize, piece: PieceIndex| {
        world.peers[peer].disk.get(&share).is_some_and(|store| store.committed.contains(piece))
    };
    (0..pieces).map(PieceIndex).filter(|&piece| !(1..=6).any(|peer| has(peer, piece))).collect()
}

/// A room of so many receivers, all of whom see a share of small files that takes an uplink some four
/// seconds.
fn room_of(receivers: usize, files: usize, seed: u64) -> (World, ShareId) {
    let mut world = World::new(seed);
    world.net.uplink = files as f64 * 16384.0 / 4.0;
    world.net.latency = Duration::from_millis(25);
    (0..=receivers).for_each(|_| {
        world.add();
    });
    let names: Vec<String> = (0..files).map(|i| format!("folder/{i}")).collect();
    let files: Vec<(&str, Vec<u8>)> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), data(i as u8, 16384))).collect();
    let share = world.share(0, &files);
    world.until(MINUTE, "everybody sees the share", |w| {
        (0..=receivers).all(|peer| w.view(peer, share).is_some())
    });
    (world, share)
}
