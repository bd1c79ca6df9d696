//! What a room must do, shown with real machines and a simulated world.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::assert_nobody_confirmed;
use crate::event::{CloseReason, Event, Failure, Halt, PeerView, ShareState, Waiting};
use crate::io::{Channel, Role, StorageError, StorageRequest};
use crate::manifest::ShareId;
use crate::message::PeerMessage;
use crate::piece::FileIndex;
use crate::policy::Policy;
use crate::signaling::{Envelope, ServerMessage};
use crate::simulation::{World, data};
use crate::time::Duration;

const PIECE: usize = 256 << 10;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A room of `count` peers where peer 0 shares one file.
fn room(seed: u64, count: usize, file: &[u8]) -> (World, ShareId) {
    let mut world = World::new(seed);
    for _ in 0..count {
        world.add();
    }
    let share = world.share(0, &[("file", file.to_vec())]);
    world.until(MINUTE, "everyone sees the share", |w| {
        (0..count).all(|peer| w.view(peer, share).is_some())
    });
    (world, share)
}

fn assert_has(world: &World, peer: usize, share: ShareId, files: &[&[u8]]) {
    let store = &world.peers[peer].disk[&share];
    assert!(store.finished, "peer {peer} did not finish");
    for (file, bytes) in (0..).map(FileIndex).zip(files) {
        assert!(store.file(file) == *bytes, "peer {peer} has other bytes");
    }
}

#[test]
fn files_of_every_size_arrive_as_they_are() {
    for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 17] {
        let file = data(1, len);
        let (mut world, share) = room(len as u64, 2, &file);
        world.receive(1, share);
        world.until(MINUTE, "received", |w| w.is_complete(1, share));
        assert_has(&world, 1, share, &[&file]);
        let hash = world.peers[1].swarm.file_hash(share, FileIndex(0)).unwrap();
        assert_eq!(hash.to_string(), blake3::hash(&file).to_string());
        let view = world.view(1, share).unwrap();
        assert_eq!((view.fetched, view.reused, view.wasted), (len as u64, 0, 0));
        world.until(MINUTE, "the origin hears of it", |w| w.view(0, share).unwrap().receivers == 1);
    }
}

#[test]
fn a_folder_of_many_small_files_takes_few_requests() {
    let mut world = World::new(3);
    world.add();
    world.add();
    let names: Vec<String> = (0..2000).map(|i| format!("folder/{}/{i}", i % 7)).collect();
    let files: Vec<(&str, Vec<u8>)> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), data(i as u8, i % 3000)))
        .collect();
    let share = world.share(0, &files);
    let requests = Rc::new(Cell::new(0));
    let counter = Rc::clone(&requests);
    world.net.tamper = Some(Box::new(move |from, transmit| {
        let is_request =
            |bytes: &[u8]| matches!(PeerMessage::decode(bytes), Ok(PeerMessage::Request { .. }));
        if from == 1 && transmit.channel == Channel::Control && is_request(&transmit.bytes) {
            counter.set(counter.get() + 1);
        }
    }));
    world.until(MINUTE, "the manifest arrives", |w| w.view(1, share).is_some());
    world.receive(1, share);
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    let manifest = world.view(1, share).unwrap().manifest;
    for (index, entry) in manifest.files() {
        let original = &files.iter().find(|(name, _)| *name == entry.path.as_str()).unwrap().1;
        assert!(world.peers[1].disk[&share].file(index) == *original, "{}", entry.path);
    }
    assert!(requests.get() < 60, "{} requests for 2000 files", requests.get());
}

#[test]
fn thousands_of_tiny_files_are_no_flood_of_requests() {
    let names: Vec<String> = (0..6000).map(|i| format!("folder/{i}")).collect();
    let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), vec![1])).collect();
    let mut world = World::new(19);
    world.add();
    world.add();
    let share = world.share(0, &files);
    world.until(MINUTE, "the manifest arrives", |w| w.view(1, share).is_some());
    world.receive(1, share);
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    assert!(
        world.peers.iter().all(|p| !p.events.iter().any(|e| matches!(e, Event::PeerGone { .. })))
    );
}

#[test]
fn late_comers_fetch_from_everyone_who_has_pieces_and_serve_on() {
    let file = data(2, 64 * PIECE);
    let (mut world, share) = room(4, 4, &file);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "half is there", |w| w.view(1, share).unwrap().have > 32 * PIECE as u64);
    world.receive(2, share);
    world.receive(3, share);
    world.until(MINUTE, "all received", |w| (1..4).all(|peer| w.is_complete(peer, share)));
    for peer in 1..4 {
        assert_has(&world, peer, share, &[&file]);
    }
    for peer in [2, 3] {
        let view = world.view(peer, share).unwrap();
        assert_eq!(view.sources.iter().map(|source| source.bytes).sum::<u64>(), file.len() as u64);
        assert_eq!(view.sources.len(), 3, "peer {peer} fetched from {:?}", view.sources);
        assert!(view.uploaded > 0, "peer {peer} served nothing on");
    }
}

#[test]
fn a_peer_that_sends_a_wrong_byte_is_named_and_shut_out() {
    let file = data(3, 20 * PIECE);
    let (mut world, share) = room(5, 3, &file);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "peer 1 has it", |w| w.is_complete(1, share));
    world.net.tamper = Some(Box::new(|from, transmit| {
        if from == 1 && transmit.channel == Channel::Blocks {
            *transmit.bytes.last_mut().unwrap() ^= 1;
        }
    }));
    world.receive(2, share);
    world.until(MINUTE, "peer 2 has it", |w| w.is_complete(2, share));
    assert_has(&world, 2, share, &[&file]);
    assert_eq!(world.peers[2].banned(), ["peer 1"]);
    let view = world.view(2, share).unwrap();
    assert_eq!(view.sources.len(), 1, "only the origin's bytes were kept");
    assert!(view.wasted >= PIECE as u64);
    let told = |event: &Event| matches!(event, Event::PeerGone { reason: CloseReason::Banned, .. });
    assert!(world.peers[1].events.iter().any(told), "the culprit is told why");
}

#[test]
fn a_connection_that_breaks_is_made_again_and_the_transfer_goes_on() {
    let file = data(4, 40 * PIECE);
    let (mut world, share) = room(6, 2, &file);
    world.net.uplink = 2e6;
    world.receive(1, share);
    for part in 1..4 {
        world.until(MINUTE, "going on", |w| {
            w.view(1, share).unwrap().have > part * 10 * PIECE as u64
        });
        world.break_path(0, 1, SECOND);
    }
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    assert_has(&world, 1, share, &[&file]);
    assert_eq!(world.peers[1].banned().len() + world.peers[0].banned().len(), 0);
    assert!(world.view(1, share).unwrap().fetched == file.len() as u64);
}

#[test]
fn the_origin_may_leave_once_others_have_all_pieces() {
    let file = data(5, 30 * PIECE);
    let (mut world, share) = room(7, 3, &file);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "one copy", |w| w.is_complete(1, share));
    world.receive(2, share);
    world.run_for(Duration::from_millis(500));
    world.leave(0);
    world.until(MINUTE, "received", |w| w.is_complete(2, share));
    assert_has(&world, 2, share, &[&file]);
}

#[test]
fn without_a_source_it_waits_says_so_and_goes_on_when_one_comes_back() {
    let file = data(6, 30 * PIECE);
    let (mut world, share) = room(8, 2, &file);
    world.net.uplink = 2e6;
    world.receive(1, share);
    world.run_for(SECOND);
    world.crash(0);
    let waits = |w: &World| w.view(1, share).unwrap().waits_for() == Some(Waiting::Source);
    world.until(MINUTE, "waiting", waits);
    let before = world.view(1, share).unwrap().have;
    assert!(before > 0);
    world.restart(0);
    assert_eq!(
        world.share(0, &[("file", file.clone())]),
        share,
        "the same files are the same share"
    );
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    assert_has(&world, 1, share, &[&file]);
}

#[test]
fn a_restarted_receiver_fetches_only_what_is_missing() {
    let file = data(7, 40 * PIECE);
    let (mut world, share) = room(9, 2, &file);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "half", |w| w.view(1, share).unwrap().have > 20 * PIECE as u64);
    world.crash(1);
    let kept = u64::from(world.peers[1].disk[&share].committed.count()) * PIECE as u64;
    world.restart(1);
    world.until(MINUTE, "on the shelf again", |w| w.view(1, share).is_some());
    world.receive(1, share);
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    assert_has(&world, 1, share, &[&file]);
    let view = world.view(1, share).unwrap();
    assert_eq!((view.reused, view.fetched), (kept, file.len() as u64 - kept));
}

#[test]
fn a_silent_peer_loses_its_requests_to_others() {
    let file = data(8, 40 * PIECE);
    let (mut world, share) = room(10, 3, &file);
    world.net.uplink = 4e6;
    world.receive(1, share);
    world.until(MINUTE, "one copy", |w| w.is_complete(1, share));
    world.receive(2, share);
    world.run_for(Duration::from_millis(300));
    world.mute(1, true);
    world.until(MINUTE, "received", |w| w.is_complete(2, share));
    assert_has(&world, 2, share, &[&file]);
    assert!(world.peers[2].banned().is_empty());
}

#[test]
fn an_uplink_slower_than_anybody_is_patient_still_gets_it_across() {
    let file = data(24, 40_000);
    let (mut world, share) = room(24, 6, &file);
    // What all ask for takes it more than a minute; asked again and again it would never be done.
    world.net.uplink = 3000.0;
    (1..6).for_each(|peer| world.receive(peer, share));
    world.until(MINUTE * 10, "received", |w| (1..6).all(|peer| w.is_complete(peer, share)));
}

#[test]
fn caps_hold_to_the_byte_over_time() {
    let file = data(9, 40 * PIECE);
    for (upload, download) in [(Some(1_000_000), None), (None, Some(1_000_000))] {
        let (mut world, share) = room(11, 2, &file);
        world.with(0, |swarm, now| swarm.set_policy(now, Policy { upload, ..Policy::default() }));
        world.with(1, |swarm, now| swarm.set_policy(now, Policy { download, ..Policy::default() }));
        let start = world.now;
        world.receive(1, share);
        world.until(MINUTE, "received", |w| w.is_complete(1, share));
        let seconds = (world.now - start).as_secs_f64();
        let least = (file.len() as f64 - 1_000_000.0) / 1e6;
        assert!(seconds > least && seconds < file.len() as f64 / 1e6 + 2.0, "{seconds} s");
    }
}

#[test]
fn a_lost_server_stops_nothing_and_is_found_again() {
    let file = data(10, 40 * PIECE);
    let (mut world, share) = room(12, 3, &file);
    world.net.uplink = 2e6;
    world.receive(1, share);
    world.run_for(SECOND);
    world.stop_server();
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    assert!(!world.peers[1].swarm.is_joined());
    world.start_server();
    world.until(MINUTE, "all back", |w| w.peers.iter().all(|peer| peer.swarm.is_joined()));
    world.run_for(MINUTE);
    for peer in &world.peers {
        // Everybody got a new id, and nobody sees anybody twice.
        assert_eq!(peer.swarm.peers().filter(PeerView::is_connected).count(), 2);
        assert_eq!(peer.swarm.peers().count(), 2);
    }
    let newcomer = world.add();
    world.until(MINUTE, "the newcomer sees it", |w| w.view(newcomer, share).is_some());
    world.receive(newcomer, share);
    world.until(MINUTE, "received", |w| w.is_complete(newcomer, share));
}

#[test]
fn a_server_that_loses_and_changes_signals_only_delays() {
    let mut world = World::new(18);
    let signals = Rc::new(Cell::new(0));
    let counter = Rc::clone(&signals);
    world.net.meddle = Some(Box::new(move |message| {
        let ServerMessage::Signal { envelope, .. } = message else { return true };
        counter.set(counter.get() + 1);
        let mut bytes = envelope.as_bytes().to_vec();
        let at = counter.get() * 31 % bytes.len();
        bytes[at] ^= 1;
        *envelope = Envelope::new(bytes).unwrap();
        !counter.get().is_multiple_of(2)
    }));
    world.add();
    world.add();
    world.run_for(MINUTE * 2);
    assert!(signals.get() > 1, "it is tried again");
    assert!(world.peers.iter().all(|peer| peer.swarm.peers().all(|peer| !peer.is_connected())));
    world.net.meddle = None;
    world.until(MINUTE * 2, "connected", |w| {
        w.peers.iter().all(|p| p.swarm.peers().any(|peer| peer.is_connected()))
    });
}

#[test]
fn a_library_that_loses_what_comes_before_its_channel_opens_does_no_harm() {
    for late in [Role::Offerer, Role::Answerer] {
        let mut world = World::new(21);
        world.net.opens_late = (late, Duration::from_millis(300));
        world.add();
        let share = world.share(0, &[("file", data(21, PIECE))]);
        world.add();
        world.until(MINUTE, "on the shelf", |w| w.view(1, share).is_some());
        let back = world.share(1, &[("back", data(22, PIECE))]);
        world.receive(1, share);
        world.until(MINUTE, "received", |w| w.is_complete(1, share));
        world.until(MINUTE, "on the shelf", |w| w.view(0, back).is_some());
        world.receive(0, back);
        world.until(MINUTE, "received", |w| w.is_complete(0, back));
    }
}

#[test]
fn a_peer_that_never_confirms_is_given_up_in_time() {
    let mut world = World::new(23);
    world.net.opens_late = (Role::Answerer, MINUTE * 60);
    world.add();
    world.add();
    world.run_for(Duration::from_secs(40));
    let gave_up =
        |event: &Event| matches!(event, Event::PeerGone { reason: CloseReason::Unreachable, .. });
    assert!(world.peers[1].events.iter().any(gave_up), "{:?}", world.peers[1].events);
}

#[test]
fn a_spliced_connection_is_refused_and_nothing_is_said_on_it() {
    let mut world = World::new(13);
    world.net.spliced = true;
    world.net.tamper = Some(Box::new(|_, transmit| {
        let message = PeerMessage::decode(&transmit.bytes).unwrap();
        assert!(
            matches!(message, PeerMessage::Confirm { .. } | PeerMessage::Goodbye { .. }),
            "{message:?}"
        );
    }));
    world.add();
    world.share(0, &[("secret", data(0, 10))]);
    world.add();
    world.run_for(MINUTE);
    assert_nobody_confirmed(&world);
}

#[test]
fn a_full_disk_pauses_with_its_cause_and_goes_on_when_there_is_room() {
    let file = data(14, 20 * PIECE);
    let (mut world, share) = room(14, 2, &file);
    let written = Rc::new(Cell::new(0));
    let counter = Rc::clone(&written);
    world.peers[1].fault = Some(Box::new(move |request| {
        let StorageRequest::Write { .. } = request else { return None };
        counter.set(counter.get() + 1);
        (counter.get() > 7).then_some(StorageError::Full { available: Some(5) })
    }));
    world.receive(1, share);
    let full = |w: &World| {
        let view = w.view(1, share).unwrap();
        let needed = view.wanted - view.have;
        view.waits_for() == Some(Waiting::DiskFull { needed, available: Some(5) })
    };
    world.until(MINUTE, "full", full);
    // Others see who is stuck, and it asks for no more than what shows that the disk is still full.
    world.run_for(SECOND);
    let halted = world.view(0, share).unwrap().halted;
    assert_eq!(halted.iter().map(|it| it.halt).collect::<Vec<_>>(), [Halt::DiskFull]);
    let before = world.view(1, share).unwrap();
    assert_eq!(before.have, 7 * PIECE as u64, "what was written is kept and served on");
    world.run_for(MINUTE);
    let after = world.view(1, share).unwrap();
    assert_eq!((after.have, after.state), (before.have, ShareState::Receiving));
    world.peers[1].fault = None;
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    assert_has(&world, 1, share, &[&file]);
    assert_eq!(world.view(1, share).unwrap().fetched, file.len() as u64);
    world.run_for(SECOND);
    assert_eq!(world.view(0, share).unwrap().halted, []);
}

#[test]
fn an_origin_whose_file_changes_stops_sharing_and_is_not_taken_for_a_liar() {
    let file = data(15, 40 * PIECE);
    let (mut world, share) = room(15, 3, &file);
    world.net.uplink = 2e6;
    world.receive(1, share);
    world.run_for(SECOND);
    // What peer 1 has cannot be had from it any more.
    world.leave(1);
    let files = world.peers[0].sources.get_mut(&share).unwrap();
    Arc::make_mut(files)[0] = data(99, file.len());
    world.receive(2, share);
    let changed = StorageError::Changed("file".into());
    let changed = ShareState::Failed(Failure::Storage(changed));
    world.until(MINUTE, "noticed", |w| w.view(0, share).unwrap().state == changed);
    world.run_for(MINUTE);
    assert!(world.peers[2].banned().is_empty());
    assert!(!world.is_complete(2, share));
}

#[test]
fn another_tab_of_the_same_browser_receives_and_tries_again_like_anybody() {
    let mut world = World::new(20);
    world.add();
    let share = world.share(0, &[("file", data(20, 3 * PIECE))]);
    let twin = world.add_twin_of(0);
    world.until(MINUTE, "on the shelf", |w| w.view(twin, share).is_some());
    world.peers[twin].fault = Some(Box::new(|request| match request {
        StorageRequest::Write { .. } => Some(StorageError::Other("out of order".into())),
        _ => None,
    }));
    world.receive(twin, share);
    let failed = StorageError::Other("out of order".into());
    let failed = ShareState::Failed(Failure::Storage(failed));
    world.until(MINUTE, "failed", |w| w.view(twin, share).unwrap().state == failed);
    world.peers[twin].fault = None;
    world.receive(twin, share);
    world.until(MINUTE, "received", |w| w.is_complete(twin, share));
}

#[test]
fn a_share_is_on_the_shelf_before_its_origin_has_read_a_byte() {
    let mut world = World::new(16);
    world.add();
    world.add();
    world.peers[0].fault = Some(Box::new(|request| panic!("the origin was asked to {request:?}")));
    let share = world.share(0, &[("large", vec![7; 100 * PIECE])]);
    world.until(MINUTE, "on the shelf", |w| w.view(1, share).is_some());
    let reads = Rc::new(Cell::new(0));
    let counter = Rc::clone(&reads);
    world.peers[0].fault = Some(Box::new(move |_| {
        counter.set(counter.get() + 1);
        None
    }));
    world.receive(1, share);
    world.until(MINUTE, "first piece", |w| w.view(1, share).unwrap().fetched > 0);
    assert!(reads.get() < 20, "{} of 100 pieces were read before the first arrived", reads.get());
}

#[test]
fn stopping_frees_everything_and_receiving_again_starts_anew() {
    let file = data(17, 20 * PIECE);
    let (mut world, share) = room(17, 2, &file);
    world.net.uplink = 2e6;
    world.receive(1, share);
    world.run_for(SECOND);
    world.with(1, |swarm, now| swarm.stop(now, share, true)).unwrap();
    assert!(world.peers[1].disk.is_empty());
    assert_eq!(world.view(1, share).unwrap().state, ShareState::Available);
    world.run_for(SECOND * 5);
    world.receive(1, share);
    world.until(MINUTE, "received", |w| w.is_complete(1, share));
    assert_has(&world, 1, share, &[&file]);
    world.with(0, |swarm, now| swarm.stop(now, share, false)).unwrap();
    world.until(MINUTE, "still there at peer 1", |w| {
        w.view(0, share).unwrap().state == ShareState::Available
    });
    world.leave(1);
    world.until(MINUTE, "nobody has it", |w| w.view(0, share).is_none());
}

/// Jitter, broken connections, crashes with the disk kept, a server that comes and goes, all at
/// random: whatever happens, everybody ends with the right bytes, and nobody is wrongly accused.
#[test]
fn whatever_breaks_at_random_everyone_ends_with_the_right_bytes() {
    // Any seed that fails, fails again alone: put it in place of the range.
    let seeds = if std::env::var_os("SHOAL_LONG").is_some() { 4000 } else { 150 };
    for seed in 0..seeds {
        let file = data(seed as u8, 24 * PIECE + 5);
        let count = 3 + seed as usize % 3;
        let (mut world, share) = room(1000 + seed, count, &file);
        world.net.uplink = 3e6;
        world.net.jitter = Duration::from_millis(u64::from(world.below(80)));
        (1..count).for_each(|peer| world.receive(peer, share));
        let mut server = true;
        for _ in 0..6 {
            let pause = Duration::from_millis(u64::from(world.below(2500)));
            world.run_for(pause);
            let (a, b) = (world.below(count as u32) as usize, world.below(count as u32) as usize);
            match world.below(4) {
                0 if a != b => world.break_path(a, b, Duration::from_millis(500)),
                1 if a != 0 => {
                    world.crash(a);
                    world.run_for(SECOND);
                    world.restart(a);
                }
                2 if server => {
                    world.stop_server();
                    server = false;
                }
                _ => {
                    world.start_server();
                    server = true;
                }
            }
            for peer in 1..count {
                let idle =
                    world.view(peer, share).is_some_and(|view| view.state == ShareState::Available);
                if idle {
                    world.receive(peer, share);
                }
            }
        }
        world.start_server();
        for peer in 1..count {
            world.until(MINUTE * 5, &format!("seed {seed}: on the shelf"), |w| {
                w.view(peer, share).is_some()
            });
            world.receive(peer, share);
        }
        let what = format!("seed {seed}: received");
        world.until(MINUTE * 10, &what, |w| (1..count).all(|peer| w.is_complete(peer, share)));
        for peer in 1..count {
            assert_has(&world, peer, share, &[&file]);
            assert!(world.peers[peer].banned().is_empty(), "seed {seed}: wrongly accused");
        }
    }
}
