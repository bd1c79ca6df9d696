//! The user's controls, changed while things go on.

use crate::event::{Event, ShareState};
use crate::manifest::ShareId;
use crate::piece::FileIndex;
use crate::policy::{Priority, Selection};
use crate::simulation::{World, data};
use crate::time::Duration;

const PIECE: usize = 256 << 10;
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
    assert!(matches!(world.view(1, share).unwrap().state, ShareState::Receiving { .. }));
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
