//! What a signaling server may say that an honest one does not, and how little comes of it. What it may do
//! with envelopes is tried in [`crate::envelope`], and by a real server in `tests`.

use std::cell::RefCell;
use std::rc::Rc;

use super::assert_nobody_confirmed;
use crate::event::{CloseReason, Event, PeerLink, ServerView};
use crate::io::SignalingEvent;
use crate::message::PeerMessage;
use crate::signaling::{ErrorCode, PeerId, ResumeToken, ServerMessage};
use crate::simulation::{World, data};
use crate::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Two peers that hear of each other; the second offers. No path leads from one to the other.
fn two_apart(seed: u64) -> (World, [PeerId; 2]) {
    let mut world = World::new(seed);
    world.add();
    world.add();
    world.block_path(0, 1);
    world.until(MINUTE, "they hear of each other", |w| {
        w.peers.iter().all(|peer| peer.swarm.peers().count() == 1)
    });
    let ids = [0, 1].map(|peer| world.peers[peer].swarm.peer_id().expect("it has joined"));
    (world, ids)
}

/// The server says something to one peer.
fn say(world: &mut World, peer: usize, message: ServerMessage) {
    let event = SignalingEvent::Message(message);
    world.with(peer, |swarm, now| swarm.handle_signaling(now, event));
}

#[test]
fn a_server_that_lets_us_in_twice_is_left() {
    let (mut world, [first, _]) = two_apart(1);
    let (members, ice_servers) = (vec![PeerId(8)], vec![]);
    let token = ResumeToken([0; 16]);
    say(&mut world, 0, ServerMessage::Joined { peer: PeerId(7), members, ice_servers, token });
    assert_eq!(world.peers[0].swarm.peer_id(), Some(first));
    assert!(matches!(world.peers[0].swarm.server(), ServerView::Lost { .. }));
    world.until(MINUTE, "back", |w| w.peers[0].swarm.is_joined());
}

#[test]
fn a_server_that_says_too_much_is_left() {
    let (mut world, _) = two_apart(6);
    for _ in 0..2_000 {
        say(&mut world, 0, ServerMessage::Pong);
    }
    assert!(matches!(world.peers[0].swarm.server(), ServerView::Lost { .. }));
    world.until(MINUTE, "back", |w| w.peers[0].swarm.is_joined());
}

#[test]
fn who_comes_in_again_and_again_costs_few_attempts_to_connect() {
    let (mut world, [first, _]) = two_apart(2);
    let before = world.peers[1].signals;
    for _ in 0..1000 {
        say(&mut world, 1, ServerMessage::PeerJoined { peer: first });
        world.run_for(Duration::from_millis(10));
    }
    let signals = world.peers[1].signals - before;
    assert!((1..=4).contains(&signals), "{signals} signals in ten seconds");
}

#[test]
fn an_offer_of_before_is_stale_even_if_its_sender_was_said_to_have_left() {
    let mut world = World::new(3);
    let offers = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&offers);
    world.net.meddle = Some(Box::new(move |message| {
        if matches!(message, ServerMessage::Signal { .. }) {
            heard.borrow_mut().push(message.clone());
        }
        true
    }));
    world.add();
    world.add();
    world.block_path(0, 1);
    let link = |w: &World| w.peers[0].swarm.peers().next().map(|peer| peer.link);
    let is_connecting = |w: &World| matches!(link(w), Some(PeerLink::Connecting { .. }));
    world.until(MINUTE, "an offer has come", is_connecting);
    let peer = world.peers[1].swarm.peer_id().expect("it has joined");
    let offer = offers.borrow().first().cloned().expect("it was heard");
    assert!(matches!(offer, ServerMessage::Signal { from, .. } if from == peer));

    say(&mut world, 0, ServerMessage::PeerLeft { peer });
    assert_eq!(link(&world), None, "it is believed that it left");
    say(&mut world, 0, ServerMessage::PeerJoined { peer });
    say(&mut world, 0, offer);
    assert!(matches!(link(&world), Some(PeerLink::Waiting { .. })), "{:?}", link(&world));
}

#[test]
fn what_a_server_says_of_itself_is_shown_short_and_on_one_line() {
    let (mut world, _) = two_apart(4);
    let message = format!("\u{1b}[2J\r\n\u{202e}<b>{}", "no ".repeat(1000));
    say(&mut world, 0, ServerMessage::Error { code: ErrorCode::Other, message });
    let refused = world.peers[0].events.iter().find_map(|event| match event {
        Event::Refused { message, .. } => Some(message.clone()),
        _ => None,
    });
    let refused = refused.expect("it is told");
    assert!(refused.starts_with("\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}<b>no no"), "{refused:?}");
    assert_eq!(refused.chars().count(), 201);
}

#[test]
fn a_certificate_that_was_not_announced_is_refused_before_anything_is_said() {
    let mut world = World::new(5);
    world.net.lies_of_certificates = true;
    world.net.tamper = Some(Box::new(|_, transmit| {
        let message = PeerMessage::decode(&transmit.bytes).unwrap();
        assert!(matches!(message, PeerMessage::Goodbye { .. }), "{message:?}");
    }));
    world.add();
    world.share(0, &[("secret", data(0, 10))]);
    world.add();
    world.run_for(MINUTE);
    assert_nobody_confirmed(&world);
}

#[test]
fn attempts_that_the_other_side_begins_anew_again_and_again_are_told_of_as_in_vain() {
    let (mut world, [first, _]) = two_apart(7);
    for _ in 0..10 {
        world.run_for(Duration::from_secs(6));
        // For this the second dials anew.
        say(&mut world, 1, ServerMessage::PeerJoined { peer: first });
    }
    for peer in &world.peers {
        let told = peer.events.iter().filter(|event| {
            matches!(event, Event::PeerGone { reason: CloseReason::Unreachable, .. })
        });
        assert_eq!(told.count(), 1, "{:?}", peer.events);
    }
}
