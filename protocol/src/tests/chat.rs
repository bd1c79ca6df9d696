//! What members say to the room.

use crate::chat::{MAX_LINE_BYTES, SayError};
use crate::event::{Event, PeerView};
use crate::message::PeerMessage;
use crate::policy::Policy;
use crate::simulation::World;
use crate::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A room of so many, each with at most so many connections.
fn room(seed: u64, count: usize, connections: usize) -> World {
    let mut world = World::new(seed);
    world.policy = Policy { connections, ..Policy::default() };
    for _ in 0..count {
        world.add();
        world.run_for(Duration::from_millis(50));
    }
    let least = connections.min(count - 1).div_ceil(3);
    world.until(MINUTE, "connected", |w| (0..count).all(|peer| connected(w, peer) >= least));
    // And all have said that they listen.
    world.run_for(SECOND);
    world
}

fn connected(world: &World, peer: usize) -> usize {
    world.peers[peer].swarm.peers().filter(PeerView::is_connected).count()
}

fn say(world: &mut World, peer: usize, text: &str) {
    world.with(peer, |swarm, now| swarm.say(now, text)).expect("it may be said");
}

fn switch_chat(world: &mut World, peer: usize, on: bool) {
    world.with(peer, |swarm, now| {
        let mut policy = swarm.policy().clone();
        policy.services.chat = on;
        swarm.set_policy(now, policy);
    });
}

/// What a peer was shown, since it was there first.
fn heard(world: &World, peer: usize) -> Vec<&str> {
    let said = world.peers[peer].events.iter().filter_map(|event| match event {
        Event::Said { line } => Some(&line.text[..]),
        _ => None,
    });
    said.collect()
}

#[test]
fn everybody_hears_each_line_once_with_who_said_it_and_when() {
    let mut world = room(500, 4, 8);
    say(&mut world, 1, "hello\nall");
    world.until(SECOND, "heard", |w| (0..4).all(|peer| !heard(w, peer).is_empty()));
    say(&mut world, 2, "hello");
    world.run_for(SECOND);
    for peer in 0..4 {
        assert_eq!(heard(&world, peer), ["hello\nall", "hello"], "peer {peer}");
    }
    let line = world.peers[3].swarm.chat().next().unwrap();
    assert_eq!(line.author, world.peers[1].swarm.public_key());
    assert_eq!(line.name, "peer 1");
    assert!((1_800_000_000_000..1_800_000_100_000).contains(&line.sent_ms), "{}", line.sent_ms);
}

#[test]
fn where_not_all_are_connected_everybody_hears_each_line_once_all_the_same() {
    let mut world = room(501, 40, 6);
    for round in 0..3 {
        for peer in [0, 17, 39] {
            say(&mut world, peer, &format!("{round} from {peer}"));
        }
        world.run_for(SECOND / 10);
    }
    world.run_for(SECOND * 5);
    for peer in 0..40 {
        assert!(connected(&world, peer) <= 6);
        let mut lines = heard(&world, peer);
        assert_eq!(lines.len(), 9, "peer {peer} heard {lines:?}");
        for author in [0, 17, 39] {
            let by = format!("from {author}");
            let order: Vec<&&str> = lines.iter().filter(|line| line.ends_with(&by)).collect();
            assert!(order.is_sorted(), "peer {peer}: {order:?}");
        }
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 9, "peer {peer}");
    }
}

#[test]
fn what_was_said_with_nobody_there_is_heard_by_whoever_comes() {
    let mut world = World::new(502);
    let alone = world.add();
    say(&mut world, alone, "is anybody there?");
    let newcomer = world.add();
    world.until(MINUTE, "heard", |w| heard(w, newcomer) == ["is anybody there?"]);
    world.leave(alone);
    let later = world.add();
    world.until(MINUTE, "heard", |w| heard(w, later) == ["is anybody there?"]);
}

#[test]
fn whoever_comes_back_hears_what_was_said_and_is_heard_again() {
    let mut world = room(503, 3, 8);
    say(&mut world, 1, "before");
    world.run_for(SECOND);
    world.crash(1);
    say(&mut world, 0, "meanwhile");
    world.peers[1].events.clear();
    world.restart(1);
    world.until(MINUTE, "heard", |w| heard(w, 1) == ["before", "meanwhile"]);
    say(&mut world, 1, "after");
    world.run_for(SECOND);
    for peer in [0, 2] {
        assert_eq!(heard(&world, peer), ["before", "meanwhile", "after"]);
    }
}

#[test]
fn two_tabs_with_one_key_are_both_heard() {
    let mut world = room(504, 2, 8);
    let twin = world.add_twin_of(1);
    world.until(MINUTE, "connected", |w| connected(w, twin) == 2);
    world.run_for(SECOND);
    for _ in 0..2 {
        say(&mut world, 1, "tab one");
        say(&mut world, twin, "tab two");
    }
    world.run_for(SECOND);
    assert_eq!(heard(&world, 0).len(), 4);
    assert_eq!(heard(&world, 1).len(), 4);
}

#[test]
fn what_was_said_while_a_room_was_in_two_parts_is_heard_when_it_is_one_again() {
    let mut world = room(505, 4, 8);
    let across = [(0, 2), (0, 3), (1, 2), (1, 3)];
    across.iter().for_each(|&(a, b)| world.block_path(a, b));
    say(&mut world, 0, "here");
    say(&mut world, 3, "there");
    world.run_for(MINUTE * 2);
    assert_eq!((heard(&world, 1), heard(&world, 2)), (vec!["here"], vec!["there"]));
    across.iter().for_each(|&(a, b)| world.heal_path(a, b));
    world.until(MINUTE * 3, "heard", |w| (0..4).all(|peer| heard(w, peer).len() == 2));
    world.run_for(MINUTE);
    assert!((0..4).all(|peer| heard(&world, peer).len() == 2));
}

#[test]
fn with_chat_switched_off_nothing_is_said_heard_or_passed_on() {
    // Peers 0 and 2 are connected by way of peer 1 only.
    let mut world = World::new(506);
    (0..3).for_each(|_| {
        world.add();
    });
    world.block_path(0, 2);
    world.until(MINUTE, "connected", |w| {
        connected(w, 1) == 2 && connected(w, 0) == 1 && connected(w, 2) == 1
    });
    say(&mut world, 0, "one");
    world.until(MINUTE, "passed on", |w| heard(w, 2) == ["one"]);

    switch_chat(&mut world, 1, false);
    world.run_for(SECOND);
    let off = world.with(1, |swarm, now| swarm.say(now, "two"));
    assert_eq!(off, Err(SayError::Off));
    world.net.tamper = Some(Box::new(|from, transmit| {
        let line = matches!(PeerMessage::decode(&transmit.bytes), Ok(PeerMessage::Line(_)));
        assert!(!line, "{from} told a line");
    }));
    say(&mut world, 0, "three");
    world.run_for(SECOND);
    world.net.tamper = None;
    assert_eq!(heard(&world, 1), ["one"]);
    assert_eq!(heard(&world, 2), ["one"]);

    switch_chat(&mut world, 1, true);
    world.run_for(SECOND);
    say(&mut world, 0, "four");
    world.until(MINUTE, "passed on", |w| heard(w, 2) == ["one", "four"]);
}

#[test]
fn whoever_switches_chat_on_late_hears_what_was_said() {
    let mut world = World::new(507);
    world.policy.services.chat = false;
    let late = world.add();
    world.policy.services.chat = true;
    world.add();
    world.until(MINUTE, "connected", |w| connected(w, late) == 1);
    say(&mut world, 1, "hello");
    world.run_for(SECOND);
    assert!(heard(&world, late).is_empty());
    switch_chat(&mut world, late, true);
    world.until(MINUTE, "heard", |w| heard(w, late) == ["hello"]);
    say(&mut world, late, "hello you");
    world.until(MINUTE, "heard", |w| heard(w, 1) == ["hello", "hello you"]);
}

#[test]
fn nothing_too_much_and_too_often_cannot_be_said() {
    let mut world = room(508, 2, 8);
    let try_to_say =
        |world: &mut World, text: &str| world.with(0, |swarm, now| swarm.say(now, text));
    assert_eq!(try_to_say(&mut world, ""), Err(SayError::Empty));
    let longest = "x".repeat(MAX_LINE_BYTES);
    assert_eq!(try_to_say(&mut world, &(longest.clone() + "x")), Err(SayError::TooLong));
    let mut said = 0;
    while try_to_say(&mut world, &longest).is_ok() {
        said += 1;
    }
    assert_eq!(said, 3);
    assert_eq!(try_to_say(&mut world, &longest), Err(SayError::TooFast));
    world.run_for(SECOND * 4);
    assert_eq!(try_to_say(&mut world, &longest), Ok(()));
    world.run_for(SECOND);
    assert_eq!(heard(&world, 1).len(), 4, "others take what may be said");
}

#[test]
fn a_newcomer_is_told_as_much_as_is_kept_and_no_more() {
    let mut world = room(509, 2, 8);
    for n in 0..200 {
        say(&mut world, 0, &format!("line {n}"));
    }
    world.run_for(SECOND);
    assert_eq!(heard(&world, 1).len(), 200);
    let newcomer = world.add();
    world.until(MINUTE, "told", |w| heard(w, newcomer).len() == 128);
    world.run_for(SECOND);
    let lines = heard(&world, newcomer);
    assert_eq!((lines.len(), lines[0], lines[127]), (128, "line 72", "line 199"));

    for _ in 0..30 {
        say(&mut world, 1, &"x".repeat(MAX_LINE_BYTES));
        world.run_for(SECOND * 5);
    }
    let bytes: usize = world.peers[0].swarm.chat().map(|line| line.text.len()).sum();
    assert!((200 << 10..256 << 10).contains(&bytes), "{bytes} bytes are kept");
}
