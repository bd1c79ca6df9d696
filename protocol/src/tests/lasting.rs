//! What must outlast its cause: a server that is gone for good, a network that goes and comes, a disk that
//! fails or is full, a process that starts again, an origin that comes back.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use crate::event::{Event, Failure, Halt, PeerLink, Recalled, ServerView, ShareState, Waiting};
use crate::io::{LostCause, StorageError, StorageRequest};
use crate::manifest::{ShareId, SignedManifest};
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
    let share = world.share(0, &[("file", data(seed as u8, pieces * PIECE))]);
    world.until(MINUTE, "everyone sees the share and each other", |w| {
        (0..count).all(|peer| w.view(peer, share).is_some() && connected(w, peer) == count - 1)
    });
    (world, share)
}

fn connected(world: &World, peer: usize) -> usize {
    world.peers[peer].swarm.peers().filter(|peer| peer.link == PeerLink::Connected).count()
}

fn waits_for(world: &World, peer: usize, share: ShareId) -> Option<Waiting> {
    world.view(peer, share).and_then(|view| view.waits_for())
}

fn have(world: &World, peer: usize, share: ShareId) -> usize {
    world.view(peer, share).map_or(0, |view| view.have as usize)
}

/// The share of a peer in the form in which adapters keep it.
fn signed(world: &World, peer: usize, share: ShareId) -> SignedManifest {
    SignedManifest::clone(&world.peers[peer].disk[&share].signed)
}

fn gone(world: &World, peer: usize) -> usize {
    let events = world.peers[peer].events.iter();
    events.filter(|event| matches!(event, Event::PeerGone { .. })).count()
}

// ---- the server, and the network ----

#[test]
fn without_the_server_a_path_that_failed_carries_again_by_way_of_a_neighbour() {
    let (mut world, share) = room(1, 4, 200);
    world.net.uplink = 1e6;
    (1..4).for_each(|peer| world.receive(peer, share));
    world.run_for(SECOND);
    world.stop_server();
    world.block_path(1, 2);
    world.run_for(SECOND * 30);
    assert_eq!((connected(&world, 1), connected(&world, 2)), (2, 2), "ICE has failed");
    world.heal_path(1, 2);
    world.until(SECOND * 15, "connected", |w| connected(w, 1) == 3 && connected(w, 2) == 3);
    world.until(MINUTE * 4, "received", |w| (1..4).all(|peer| w.is_complete(peer, share)));
}

#[test]
fn without_the_server_a_connection_that_is_lost_is_made_anew_by_way_of_a_neighbour() {
    let (mut world, share) = room(2, 4, 100);
    world.net.uplink = 1e6;
    (1..4).for_each(|peer| world.receive(peer, share));
    world.run_for(SECOND);
    world.stop_server();
    world.break_path(1, 2, Duration::ZERO);
    world.run_for(SECOND / 10);
    assert_eq!(connected(&world, 1), 2);
    world.until(SECOND * 40, "connected", |w| connected(w, 1) == 3 && connected(w, 2) == 3);
    assert!(!world.peers[1].swarm.is_joined());
    world.until(MINUTE * 4, "received", |w| (1..4).all(|peer| w.is_complete(peer, share)));
}

#[test]
fn who_passes_on_nothing_for_others_does_not_pass_on_signals() {
    let (mut world, _) = room(3, 3, 1);
    let mut policy = world.peers[0].swarm.policy().clone();
    policy.services.introduce = false;
    world.with(0, |swarm, now| swarm.set_policy(now, policy));
    world.stop_server();
    world.break_path(1, 2, Duration::ZERO);
    world.run_for(MINUTE * 2);
    assert_eq!((connected(&world, 1), connected(&world, 2)), (1, 1));
    world.start_server();
    world.until(MINUTE * 2, "connected", |w| connected(w, 1) == 2 && connected(w, 2) == 2);
}

#[test]
fn whoever_loses_the_server_comes_back_as_the_same_peer() {
    let (mut world, _) = room(4, 3, 1);
    let before: Vec<_> = world.peers.iter().map(|peer| peer.swarm.peer_id()).collect();
    world.break_signaling(1);
    world.run_for(SECOND / 10);
    let lost = world.peers[1].swarm.server();
    assert!(matches!(lost, ServerView::Lost { cause: LostCause::Server, .. }), "{lost:?}");
    world.until(MINUTE, "joined", |w| w.peers[1].swarm.is_joined());
    let after: Vec<_> = world.peers.iter().map(|peer| peer.swarm.peer_id()).collect();
    assert_eq!(before, after);
    world.run_for(MINUTE);
    for peer in 0..3 {
        assert_eq!((connected(&world, peer), gone(&world, peer)), (2, 0));
        assert_eq!(world.peers[peer].swarm.peers().count(), 2, "nobody is there twice");
    }
    // A server that knows nobody any more gives other ids, and they go on.
    world.stop_server();
    world.start_server();
    world.until(MINUTE, "joined", |w| w.peers.iter().all(|peer| peer.swarm.is_joined()));
    world.run_for(MINUTE);
    assert!((0..3).all(|peer| connected(&world, peer) == 2 && gone(&world, peer) == 0));
}

#[test]
fn a_network_that_is_gone_has_a_name_and_when_it_is_back_all_is_tried_at_once() {
    let (mut world, _) = room(5, 2, 1);
    world.with(1, |swarm, now| swarm.handle_network(now, false));
    let gone = world.peers[1].swarm.server();
    assert!(matches!(gone, ServerView::Lost { cause: LostCause::Network, .. }), "{gone:?}");
    world.block_path(0, 1);
    world.run_for(SECOND * 25);
    world.heal_path(0, 1);
    world.with(1, |swarm, now| swarm.handle_network(now, true));
    world.until(SECOND * 2, "joined", |w| w.peers[1].swarm.is_joined());
    world.until(SECOND * 10, "revived", |w| connected(w, 0) == 1 && connected(w, 1) == 1);
}

#[test]
fn the_server_is_tried_at_once_when_people_say_so() {
    let (mut world, _) = room(6, 2, 1);
    world.stop_server();
    world.run_for(MINUTE * 3);
    let ServerView::Lost { retry_at, .. } = world.peers[1].swarm.server() else {
        panic!("it is lost");
    };
    assert!(retry_at > world.now);
    world.start_server();
    world.with(1, Swarm::retry_server);
    world.run_for(SECOND);
    assert!(world.peers[1].swarm.is_joined());
}

// ---- room ----

#[test]
fn a_store_without_room_for_all_of_a_share_says_so_before_a_byte_is_fetched() {
    let (mut world, share) = room(7, 2, 20);
    let full = Rc::new(Cell::new(true));
    let is_full = Rc::clone(&full);
    world.peers[1].fault = Some(Box::new(move |request| match request {
        StorageRequest::Reserve { .. } if is_full.get() => {
            Some(StorageError::Full { available: Some(1000) })
        }
        _ => None,
    }));
    world.receive(1, share);
    let needed = (20 * PIECE) as u64;
    let waits = Some(Waiting::DiskFull { needed, available: Some(1000) });
    world.until(SECOND * 3, "full", |w| waits_for(w, 1, share) == waits);
    world.run_for(MINUTE);
    assert_eq!(world.view(1, share).unwrap().fetched, 0);
    let wait = world.view(1, share).unwrap().waiting.unwrap();
    assert!(wait.since < wait.next.unwrap() && wait.next.unwrap() > world.now);
    full.set(false);
    world.with(1, |swarm, now| swarm.resume(now, share)).unwrap();
    world.run_for(SECOND / 2);
    assert_eq!(waits_for(&world, 1, share), None, "it looks at once when it is told to");
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
}

#[test]
fn a_budget_is_kept_by_erasing_what_is_complete_and_saved_and_by_waiting() {
    let (mut world, first) = room(8, 2, 4);
    let second = world.share(0, &[("second", data(81, 4 * PIECE))]);
    let third = world.share(0, &[("third", data(82, 4 * PIECE))]);
    let mut policy = world.peers[1].swarm.policy().clone();
    policy.storage = Some((9 * PIECE) as u64);
    world.with(1, |swarm, now| swarm.set_policy(now, policy.clone()));
    for share in [first, second] {
        world.until(MINUTE, "there", |w| w.view(1, share).is_some());
        world.receive(1, share);
        world.until(MINUTE, "received", |w| w.is_complete(1, share));
    }
    world.receive(1, third);
    let over = Some(Waiting::Budget { needed: 3 * PIECE as u64 });
    world.until(MINUTE, "over", |w| waits_for(w, 1, third) == over);
    world.run_for(MINUTE);
    assert!(world.is_complete(1, first) && world.is_complete(1, second), "nothing was saved");
    world.with(1, |swarm, now| swarm.mark_saved(now, second)).unwrap();
    world.until(MINUTE, "received", |w| w.is_complete(1, third));
    assert!(world.is_complete(1, first) && !world.is_complete(1, second));
    assert!(!world.peers[1].disk.contains_key(&second), "it was erased");
    // More budget, and it comes again.
    policy.storage = None;
    world.with(1, |swarm, now| swarm.set_policy(now, policy));
    world.receive(1, second);
    world.until(MINUTE, "received again", |w| w.is_complete(1, second));
}

#[test]
fn others_know_how_much_a_peer_can_store_before_they_send_it_anything() {
    let (mut world, _) = room(9, 2, 1);
    let told = |w: &World| w.peers[0].swarm.peers().next().unwrap().available;
    assert_eq!(told(&world), None);
    world.with(1, |swarm, now| swarm.set_capacity(now, Some(5_000_000_000)));
    world.run_for(SECOND);
    assert_eq!(told(&world), Some(5_000_000_000));
    // Not every byte is worth a message.
    let before = world.peers[1].traffic.control_sent;
    world.with(1, |swarm, now| swarm.set_capacity(now, Some(4_999_000_000)));
    world.run_for(SECOND);
    assert_eq!(world.peers[1].traffic.control_sent, before);
    world.with(1, |swarm, now| swarm.set_capacity(now, Some(1000)));
    world.run_for(SECOND);
    assert_eq!(told(&world), Some(1000));
    let newcomer = world.add();
    world.until(MINUTE, "the newcomer is told", |w| {
        w.peers[newcomer].swarm.peers().any(|peer| peer.available == Some(1000))
    });
}

// ---- disks that fail ----

#[test]
fn whatever_storage_call_fails_it_pauses_or_fails_with_a_cause_and_goes_on() {
    let errors = [
        StorageError::Full { available: None },
        StorageError::Other("input/output error".into()),
        StorageError::Gone("it is gone".into()),
        StorageError::Damaged("file".into()),
    ];
    let (mut paused, mut failed) = (0, 0);
    for (n, error) in (0..60).flat_map(|n| errors.iter().map(move |error| (n, error))) {
        let mut world = World::new(n);
        world.add();
        world.add();
        let files: Vec<_> = (0..12).map(|i| data(i, 3000 + 90 * usize::from(i))).collect();
        let names: Vec<String> = (0..12).map(|i| format!("{i}")).collect();
        let files: Vec<(&str, Vec<u8>)> = names.iter().map(String::as_str).zip(files).collect();
        let share = world.share(0, &files);
        world.until(MINUTE, "on the shelf", |w| w.view(1, share).is_some());
        let (calls, failing) = (Rc::new(Cell::new(0)), error.clone());
        let count = Rc::clone(&calls);
        world.peers[1].fault = Some(Box::new(move |request| {
            let may_fail = !matches!(request, StorageRequest::Close { .. });
            count.set(count.get() + u64::from(may_fail));
            (may_fail && count.get() == n + 1).then(|| failing.clone())
        }));
        world.receive(1, share);
        let settled = |w: &World| {
            let view = w.view(1, share).unwrap();
            matches!(view.state, ShareState::Complete | ShareState::Failed(_))
        };
        world.until(MINUTE * 2, "it ends somehow", settled);
        if let ShareState::Failed(why) = world.view(1, share).unwrap().state {
            assert_eq!(why, Failure::Storage(error.clone()), "call {n}");
            world.receive(1, share);
            world.until(MINUTE, "received after all", |w| w.is_complete(1, share));
            failed += 1;
        }
        let waits = |event: &&Event| {
            let Event::Waiting { wait: Some(wait), .. } = event else { return false };
            matches!(wait.cause, Waiting::DiskFull { .. })
        };
        paused += world.peers[1].events.iter().filter(waits).count();
        let store = &world.peers[1].disk[&share];
        assert!(store.finished && store.corrupt() == 0, "call {n}, {error}: false complete");
    }
    assert!(paused >= 10 && failed >= 20, "{paused} paused, {failed} failed");
}

#[test]
fn what_is_not_stored_as_it_was_written_is_fetched_again_three_times_at_most() {
    for (lies, ends_well) in [(1, true), (3, true), (4, false)] {
        let (mut world, share) = room(11, 2, 3);
        let left = Cell::new(lies);
        world.peers[1].fault = Some(Box::new(move |request| {
            let StorageRequest::Finish { .. } = request else { return None };
            left.set(left.get() - 1);
            (left.get() >= 0).then(|| StorageError::Damaged("file".into()))
        }));
        world.receive(1, share);
        let damaged = ShareState::Failed(Failure::Storage(StorageError::Damaged("file".into())));
        let end = if ends_well { ShareState::Complete } else { damaged };
        world.until(MINUTE, "the end", |w| w.view(1, share).unwrap().state == end);
    }
}

#[test]
fn a_slow_disk_holds_the_sources_back_so_that_a_crash_costs_little() {
    let (mut world, share) = room(15, 3, 200);
    world.net.uplink = 40e6;
    world.peers[2].disk_delay = SECOND * 2;
    world.receive(2, share);
    let most = Cell::new(0);
    world.until(MINUTE * 4, "received", |w| {
        let view = w.view(2, share).expect("it is on the shelf");
        most.set(most.get().max(view.fetched - view.have));
        w.is_complete(2, share)
    });
    assert!(most.get() <= 4 << 20, "{} bytes were not durable", most.get());
    assert!(most.get() > 2 << 20, "the disk was no hindrance: {} bytes", most.get());
}

#[test]
fn a_source_whose_disk_never_answers_is_taken_for_silent() {
    let (mut world, share) = room(18, 2, 40);
    world.peers[0].disk_delay = Duration::from_secs(3600);
    world.receive(1, share);
    world.until(MINUTE, "named", |w| waits_for(w, 1, share) == Some(Waiting::Silence));
    world.peers[0].disk_delay = Duration::from_millis(2);
    world.until(MINUTE * 20, "received", |w| w.is_complete(1, share));
}

// ---- coming back ----

#[test]
fn a_peer_that_starts_again_alone_shows_what_is_left_and_can_go_on_or_erase_it() {
    for discard in [false, true] {
        let (mut world, share) = room(12, 2, 40);
        world.net.uplink = 4e6;
        world.receive(1, share);
        world.until(MINUTE, "half", |w| have(w, 1, share) > 20 * PIECE);
        world.crash(1);
        world.crash(0);
        world.restart(1);
        world.run_for(MINUTE);
        let view = world.view(1, share).expect("it stays on the shelf though nobody else has it");
        let kept = world.peers[1].disk[&share].recalled();
        assert_eq!((view.state, view.recalled), (ShareState::Available, Some(kept)));
        assert!(kept.bytes > 0 && !kept.complete);
        if discard {
            world.with(1, |swarm, now| swarm.stop(now, share, true)).unwrap();
            world.run_for(MINUTE);
            assert!(world.view(1, share).is_none() && world.peers[1].disk.is_empty());
            continue;
        }
        world.receive(1, share);
        world.until(MINUTE, "waits", |w| waits_for(w, 1, share) == Some(Waiting::Source));
        let manifest = (*world.view(1, share).unwrap().manifest).clone();
        world.restart(0);
        world.share_again(0, share, &manifest);
        world.until(MINUTE, "received", |w| w.is_complete(1, share));
        assert_eq!(world.view(1, share).unwrap().reused, kept.bytes);
    }
}

#[test]
fn what_was_stopped_half_way_is_still_left_and_what_is_forged_is_not_taken_back() {
    let (mut world, share) = room(13, 2, 30);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "some", |w| have(w, 1, share) > 10 * PIECE);
    world.with(1, |swarm, now| swarm.stop(now, share, false)).unwrap();
    let left = world.view(1, share).unwrap().recalled.unwrap();
    assert!(left.bytes > 10 * PIECE as u64 && !left.complete);
    let mut bytes = signed(&world, 1, share).to_bytes();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = SignedManifest::from_bytes(&bytes);
    let recalled = Recalled { bytes: 1, complete: false, saved: false };
    let taken = forged
        .map(|forged| world.with(1, |swarm, now| swarm.recall(now, forged, recalled)).is_ok());
    assert!(!taken.is_ok_and(|taken| taken));
}

#[test]
fn an_origin_that_comes_back_without_its_files_says_so_and_goes_on_when_it_has_them() {
    let (mut world, share) = room(14, 2, 40);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "some", |w| have(w, 1, share) > 10 * PIECE);
    let (record, manifest) =
        (signed(&world, 1, share), (*world.view(1, share).unwrap().manifest).clone());
    world.crash(0);
    world.restart(0);
    let kept = world.peers[0].kept[&share].clone();
    world.with(0, |swarm, now| swarm.recall_own(now, record, kept)).unwrap();
    assert_eq!(world.view(0, share).unwrap().state, ShareState::Detached);
    let unreadable = Some(Waiting::SourceUnreadable);
    world.until(MINUTE * 2, "told", |w| waits_for(w, 1, share) == unreadable);
    assert_eq!(world.view(1, share).unwrap().halted[0].halt, Halt::Unreadable);
    world.share_again(0, share, &manifest);
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    // And the other way round: it loses its files while it is there.
    world.with(0, |swarm, now| swarm.detach(now, share)).unwrap();
    assert_eq!(world.view(0, share).unwrap().state, ShareState::Detached);
    assert!(world.with(1, |swarm, now| swarm.detach(now, share)).is_err(), "only the origin can");
}

#[test]
fn an_origin_that_is_killed_and_comes_back_sends_little_twice_and_is_not_waited_for() {
    let (mut world, share) = room(19, 2, 100);
    world.net.uplink = 20e6;
    let manifest = (*world.view(0, share).unwrap().manifest).clone();
    world.receive(1, share);
    for part in 1..4 {
        world.until(MINUTE, "some", |w| have(w, 1, share) > part * 20 * PIECE);
        world.crash(0);
        world.restart(0);
        world.share_again(0, share, &manifest);
        let before = have(&world, 1, share);
        world.until(SECOND * 8, "it goes on", |w| have(w, 1, share) > before + 4 * PIECE);
    }
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    let wasted = world.view(1, share).unwrap().wasted;
    assert!(wasted <= 3 * (4 << 20), "{wasted} bytes came in vain");
}

#[test]
fn an_origin_that_comes_back_with_other_bytes_under_the_same_name_is_refused_by_name() {
    let (mut world, share) = room(15, 2, 40);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "some", |w| have(w, 1, share) > 10 * PIECE);
    // A second receiver, who needs what was signed already.
    world.crash(1);
    world.peers[1].disk.clear();
    world.restart(1);
    let manifest = (*world.view(0, share).unwrap().manifest).clone();
    world.crash(0);
    world.restart(0);
    world.share_again(0, share, &manifest);
    let files = world.peers[0].sources.get_mut(&share).unwrap();
    let len = files[0].len();
    Arc::make_mut(files)[0] = data(99, len);
    world.until(MINUTE, "on the shelf", |w| w.view(1, share).is_some());
    world.receive(1, share);
    let changed = Failure::Storage(StorageError::Changed("file".into()));
    let changed = ShareState::Failed(changed);
    world.until(MINUTE, "noticed", |w| w.view(0, share).unwrap().state == changed);
    let unreadable = Some(Waiting::SourceUnreadable);
    world.until(MINUTE, "told", |w| waits_for(w, 1, share) == unreadable);
    assert_eq!(world.peers[1].banned(), Vec::<String>::new());
}

#[test]
fn a_pause_on_the_other_side_has_a_name() {
    let (mut world, share) = room(16, 2, 40);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.run_for(SECOND);
    world.with(0, |swarm, now| swarm.set_serving(now, share, false)).unwrap();
    let paused = Some(Waiting::PausedByThem);
    world.until(MINUTE, "named", |w| waits_for(w, 1, share) == paused);
    world.with(0, |swarm, now| swarm.set_serving(now, share, true)).unwrap();
    world.until(MINUTE, "goes on", |w| waits_for(w, 1, share).is_none());
    world.with(1, |swarm, now| swarm.pause(now, share)).unwrap();
    world.until(MINUTE, "named there", |w| {
        w.view(0, share).unwrap().halted.iter().any(|it| it.halt == Halt::Paused)
    });
}

#[test]
fn every_wait_is_told_once_and_its_end_too() {
    let (mut world, share) = room(17, 2, 40);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.run_for(SECOND);
    world.with(1, |swarm, now| swarm.pause(now, share)).unwrap();
    world.run_for(MINUTE);
    world.with(1, |swarm, now| swarm.resume(now, share)).unwrap();
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    let told = world.peers[1].events.iter().filter_map(|event| match event {
        Event::Waiting { wait, .. } => Some(wait.map(|wait| wait.cause)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [Some(Waiting::Paused), None]);
    let names: BTreeSet<&str> = [
        Waiting::Connecting,
        Waiting::Source,
        Waiting::SourceUnreadable,
        Waiting::Silence,
        Waiting::Paused,
        Waiting::PausedByThem,
        Waiting::ServiceOff,
        Waiting::DiskFull { needed: 0, available: None },
        Waiting::Budget { needed: 0 },
    ]
    .map(Waiting::name)
    .into();
    assert_eq!(names.len(), 9, "each cause has a word of its own");
}
