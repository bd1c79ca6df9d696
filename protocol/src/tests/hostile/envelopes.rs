//! Signals that are changed on the way, replayed, reflected, reordered, or from elsewhere: what a hostile
//! server or neighbour can do to an envelope without the room's secret. None has any effect at all.
//!
//! The machine has joined, knows of one other member, and hears nothing but what these tests give it.

use crate::envelope::{self, Route, Signal};
use crate::event::PeerView;
use crate::identity::DeviceKey;
use crate::invite::{Invite, SignalingKey};
use crate::io::{
    Candidate, ConnectionEvent, ConnectionId, ConnectionRequest, Description, SignalingEvent,
    SignalingRequest,
};
use crate::policy::Policy;
use crate::rng::Rng;
use crate::signaling::{
    ClientMessage, Envelope, MAX_ENVELOPE_BYTES, PeerId, ResumeToken, RoomId, ServerMessage,
};
use crate::swarm::{Config, Swarm};
use crate::time::{Duration, Instant};

const US: PeerId = PeerId(1);
const THEM: PeerId = PeerId(2);
const SOMEBODY: PeerId = PeerId(3);
const NOW: Instant = Instant::from_micros(1_000_000);

fn our_key() -> DeviceKey {
    DeviceKey::from_bytes([1; 32])
}

fn their_key() -> DeviceKey {
    DeviceKey::from_bytes([2; 32])
}

fn invite() -> Invite {
    Invite::new([3; 32], &our_key().public())
}

fn route() -> Route {
    Route { room: invite().room_id(), from: THEM, to: US }
}

/// A machine that has joined the room, and that they have joined after.
fn machine() -> Swarm {
    let config = Config {
        invite: invite(),
        key: our_key(),
        name: String::new(),
        unix_ms: 0,
        seed: [4; 32],
        policy: Policy::default(),
    };
    let mut swarm = Swarm::new(NOW, config);
    swarm.join(NOW);
    let token = ResumeToken([0; 16]);
    let joined = ServerMessage::Joined { peer: US, members: vec![], ice_servers: vec![], token };
    let they_joined = ServerMessage::PeerJoined { peer: THEM };
    swarm.handle_signaling(NOW, SignalingEvent::Opened);
    for message in [joined, they_joined] {
        swarm.handle_signaling(NOW, SignalingEvent::Message(message));
    }
    outputs(&mut swarm);
    swarm
}

/// What they seal for us, in the order of sequence numbers.
fn seal_as(key: &SignalingKey, route: Route, epoch: u64, signals: &[Signal]) -> Vec<Envelope> {
    let seal = |(sequence, signal): (u32, &Signal)| {
        let nonce = std::array::from_fn(|i| epoch.wrapping_add(sequence.into()) as u8 ^ i as u8);
        envelope::seal(key, &their_key(), route, epoch, sequence, signal, nonce).unwrap()
    };
    (0..).zip(signals).map(seal).collect()
}

fn seal(epoch: u64, signals: &[Signal]) -> Vec<Envelope> {
    seal_as(&invite().signaling_key(), route(), epoch, signals)
}

fn offer() -> Signal {
    Signal::Description(Description::Offer("v=0\r\n".repeat(300)))
}

fn candidate(n: u16) -> Signal {
    Signal::Candidate(Some(Candidate {
        candidate: format!("candidate:{n} 1 udp 1 192.0.2.1 9 typ host"),
        sdp_mid: Some("0".into()),
        sdp_mline_index: Some(n),
    }))
}

fn give(swarm: &mut Swarm, from: PeerId, envelope: &Envelope) {
    give_at(swarm, NOW, from, envelope);
}

fn give_at(swarm: &mut Swarm, now: Instant, from: PeerId, envelope: &Envelope) {
    let message = ServerMessage::Signal { from, envelope: envelope.clone() };
    swarm.handle_signaling(now, SignalingEvent::Message(message));
}

/// What a machine wants done, and how many things.
fn outputs(swarm: &mut Swarm) -> (Vec<ConnectionRequest>, usize) {
    let sent = std::iter::from_fn(|| swarm.poll_transmit(NOW)).count();
    let signaling = std::iter::from_fn(|| swarm.poll_signaling()).count();
    let connections: Vec<_> = std::iter::from_fn(|| swarm.poll_connection()).collect();
    let storage = std::iter::from_fn(|| swarm.poll_storage()).count();
    let events = std::iter::from_fn(|| swarm.poll_event()).count();
    let count = sent + signaling + connections.len() + storage + events;
    (connections, count)
}

/// Gives a machine what must have no effect.
fn assert_nothing(swarm: &mut Swarm, from: PeerId, envelope: &Envelope, what: &str) {
    let before: Vec<PeerView> = swarm.peers().collect();
    let timeout = swarm.poll_timeout();
    give(swarm, from, envelope);
    assert_eq!(outputs(swarm), (vec![], 0), "{what}");
    assert_eq!(swarm.peers().collect::<Vec<_>>(), before, "{what}");
    assert_eq!(swarm.poll_timeout(), timeout, "{what}");
}

/// Gives a machine what it should act on, and gives what it wants done.
fn assert_heard(swarm: &mut Swarm, envelope: &Envelope) -> Vec<ConnectionRequest> {
    give(swarm, THEM, envelope);
    let (connections, _) = outputs(swarm);
    assert!(!connections.is_empty(), "what is as it should be is heard");
    connections
}

#[test]
fn a_replayed_signal_is_refused() {
    let mut swarm = machine();
    let first = seal(3, &[offer(), candidate(1)]);
    for envelope in &first {
        assert_heard(&mut swarm, envelope);
    }
    for envelope in &first {
        assert_nothing(&mut swarm, THEM, envelope, "at once");
    }
    // A later attempt takes its place; then the earlier one is no offer of a new connection.
    let second = seal(5, &[offer(), candidate(1)]);
    for envelope in &second {
        assert_heard(&mut swarm, envelope);
    }
    for envelope in first.iter().chain(&second) {
        assert_nothing(&mut swarm, THEM, envelope, "later");
    }
    // Nor after the connection is gone.
    let closed = ConnectionEvent::Closed { reason: String::new() };
    swarm.handle_connection(NOW, ConnectionId(1), closed);
    outputs(&mut swarm);
    for envelope in first.iter().chain(&second) {
        assert_nothing(&mut swarm, THEM, envelope, "when the connection is gone");
    }
    assert_heard(&mut swarm, &seal(7, &[offer()])[0]);
}

#[test]
fn a_reflected_signal_is_refused() {
    let mut swarm = machine();
    assert_heard(&mut swarm, &seal(3, &[offer()])[0]);
    let answer = Description::Answer("v=0\r\n".into());
    swarm.handle_connection(NOW, ConnectionId(0), ConnectionEvent::LocalDescription(answer));
    let own = std::iter::from_fn(|| swarm.poll_signaling()).find_map(|request| match request {
        SignalingRequest::Send(ClientMessage::Signal { envelope, .. }) => Some(envelope),
        _ => None,
    });
    let own = own.expect("an answer was given");
    outputs(&mut swarm);
    for from in [THEM, US, SOMEBODY] {
        assert_nothing(&mut swarm, from, &own, "reflected");
    }
}

#[test]
fn a_rerouted_signal_is_refused() {
    let (key, route) = (invite().signaling_key(), route());
    let to_somebody = seal_as(&key, Route { to: SOMEBODY, ..route }, 3, &[offer()]);
    let by_somebody = seal_as(&key, Route { from: SOMEBODY, ..route }, 3, &[offer()]);
    let mut swarm = machine();
    assert_nothing(&mut swarm, THEM, &to_somebody[0], "meant for somebody else");
    assert_nothing(&mut swarm, THEM, &by_somebody[0], "from somebody else");
    assert_nothing(&mut swarm, SOMEBODY, &seal(3, &[offer()])[0], "said to be from somebody else");
    assert_heard(&mut swarm, &seal(3, &[offer()])[0]);
}

#[test]
fn a_signal_from_another_room_is_refused() {
    let mut swarm = machine();
    let elsewhere = Invite::new([5; 32], &our_key().public());
    let room = elsewhere.room_id();
    let route_there = Route { room, ..route() };
    for envelope in [
        seal_as(&elsewhere.signaling_key(), route_there, 3, &[offer()]),
        seal_as(&elsewhere.signaling_key(), route(), 3, &[offer()]),
        seal_as(&invite().signaling_key(), route_there, 3, &[offer()]),
    ] {
        assert_nothing(&mut swarm, THEM, &envelope[0], "another room");
    }
    assert_heard(&mut swarm, &seal(3, &[offer()])[0]);
}

#[test]
fn a_signal_of_another_epoch_is_refused() {
    let mut swarm = machine();
    assert_heard(&mut swarm, &seal(5, &[offer()])[0]);
    let answer = Signal::Description(Description::Answer("v=0\r\n".into()));
    for epoch in [1, 3, 4, 6, 7, u64::MAX] {
        for signal in [candidate(1), answer.clone(), Signal::Candidate(None), Signal::Busy] {
            let envelope = &seal(epoch, &[offer(), signal])[1];
            assert_nothing(&mut swarm, THEM, envelope, &format!("epoch {epoch}"));
        }
    }
    assert_nothing(&mut swarm, THEM, &seal(3, &[offer()])[0], "an earlier attempt");
    assert_nothing(&mut swarm, THEM, &seal(u64::MAX, &[offer()])[0], "the last epoch there is");
    assert_heard(&mut swarm, &seal(5, &[offer(), candidate(1)])[1]);
}

#[test]
fn reordered_signals_are_heard_once_or_not_at_all() {
    let signals = [offer(), candidate(1), candidate(2), candidate(3)];
    let envelopes = seal(3, &signals);
    let mut swarm = machine();
    assert_nothing_but_who(&mut swarm, &envelopes[1]);
    assert_heard(&mut swarm, &envelopes[0]);
    assert_heard(&mut swarm, &envelopes[3]);
    // Candidates may overtake each other, and each is heard once.
    assert_heard(&mut swarm, &envelopes[2]);
    assert_heard(&mut swarm, &envelopes[1]);
    for envelope in &envelopes {
        assert_nothing(&mut swarm, THEM, envelope, "a replay");
    }
}

/// A signal of theirs that belongs to no connection shows whose key theirs is, and no more.
fn assert_nothing_but_who(swarm: &mut Swarm, envelope: &Envelope) {
    give(swarm, THEM, envelope);
    assert_eq!(outputs(swarm), (vec![], 0));
    let keys: Vec<_> = swarm.peers().map(|peer| (peer.id, peer.key)).collect();
    assert_eq!(keys, [(THEM, Some(their_key().public()))]);
}

/// Changed in every way that needs no key; fifty thousand of them, and a million with `SHOAL_LONG=1`: before anything was heard from their alleged sender, and in the middle of a negotiation.
#[test]
fn of_a_million_changed_envelopes_none_is_heard() {
    let count = if std::env::var_os("SHOAL_LONG").is_some() { 1_000_000 } else { 50_000 };
    let genuine = genuine();
    let (mut fresh, mut busy) = (machine(), machine());
    assert_heard(&mut busy, &seal(3, &[offer()])[0]);
    let states = |swarm: &mut Swarm| (swarm.peers().collect::<Vec<_>>(), swarm.poll_timeout());
    let before = [states(&mut fresh), states(&mut busy)];
    let mut rng = Rng::new([6; 32]);
    let mut changed = [0; CHANGES];
    for n in 0..count {
        let (kind, from, envelope) = change(&mut rng, &genuine);
        changed[kind] += 1;
        let opened =
            envelope::open(&invite().signaling_key(), Route { from, ..route() }, &envelope);
        assert!(opened.is_err(), "{n}: change {kind} was not noticed: {opened:?}");
        // A server that says more in so short a time is left.
        let now = NOW + Duration::from_micros(300 * n);
        for swarm in [&mut fresh, &mut busy] {
            give_at(swarm, now, from, &envelope);
            assert_eq!(outputs(swarm), (vec![], 0), "{n}: change {kind} had an effect");
        }
    }
    assert_eq!([states(&mut fresh), states(&mut busy)], before);
    assert!(changed.iter().all(|&count| count > 100), "{changed:?}");
    // Both hear what is not changed.
    assert_heard(&mut fresh, &genuine[0]);
    assert_heard(&mut busy, &genuine[1]);
}

/// One of each kind of signal, of the attempt that the busy machine is in; none was given to anybody.
fn genuine() -> Vec<Envelope> {
    let answer = Signal::Description(Description::Answer("v=0\r\n".repeat(100)));
    let lane = Signal::LaneOffer("v=0\r\n".repeat(700));
    let needy = Signal::NeedyOffer("v=0\r\n".repeat(1500));
    let signals =
        [offer(), candidate(1), Signal::Candidate(None), answer, lane, needy, Signal::Busy];
    seal(3, &signals)
}

const CHANGES: usize = 9;

/// A changed envelope, with the kind of change and whom it is said to be from.
fn change(rng: &mut Rng, genuine: &[Envelope]) -> (usize, PeerId, Envelope) {
    let base = rng.below(genuine.len() as u32) as usize;
    let mut bytes = genuine[base].as_bytes().to_vec();
    let len = bytes.len() as u32;
    let mut from = THEM;
    let kind = rng.below(CHANGES as u32) as usize;
    match kind {
        0 => flip(rng, &mut bytes),
        1 => (0..2 + rng.below(9)).for_each(|_| {
            // So many that they cannot cancel each other out.
            let at = rng.below(len) as usize;
            bytes[at] = bytes[at].wrapping_add(1 + rng.below(25) as u8);
        }),
        2 => bytes.truncate(rng.below(len) as usize),
        3 => {
            let more = 1 + rng.below(64);
            (0..more).for_each(|_| bytes.push(rng.below(256) as u8));
        }
        4 => from = [US, SOMEBODY, PeerId(u64::from_le_bytes(rng.bytes()))][rng.below(3) as usize],
        5 => {
            // The head of one, and the rest of another.
            let other = (base + 1 + rng.below(genuine.len() as u32 - 1) as usize) % genuine.len();
            let other = genuine[other].as_bytes();
            let cut = 25.min(other.len());
            bytes.splice(..cut, other[..cut].iter().copied());
        }
        6 => {
            let at = rng.below(len - 16) as usize;
            bytes[at..at + 16].fill(rng.below(2) as u8 * 0xff);
        }
        7 => bytes.iter_mut().skip(1).for_each(|byte| *byte = rng.below(256) as u8),
        _ => {
            // Other rooms, other addressees, and keys that are not the room's.
            let elsewhere = Invite::new(rng.bytes(), &our_key().public());
            let routes = [
                (elsewhere.signaling_key(), route()),
                (invite().signaling_key(), Route { room: RoomId(rng.bytes()), ..route() }),
                (invite().signaling_key(), Route { to: SOMEBODY, ..route() }),
                (invite().signaling_key(), Route { from: US, to: THEM, ..route() }),
            ];
            let (key, route) = &routes[rng.below(4) as usize];
            bytes = seal_as(key, *route, 3, &[offer()])[0].as_bytes().to_vec();
        }
    }
    bytes.truncate(MAX_ENVELOPE_BYTES);
    let is_changed = from != THEM || genuine.iter().all(|genuine| genuine.as_bytes() != bytes);
    if !is_changed {
        flip(rng, &mut bytes);
    }
    (kind, from, Envelope::new(bytes).expect("it was cut"))
}

fn flip(rng: &mut Rng, bytes: &mut [u8]) {
    let at = rng.below(bytes.len() as u32) as usize;
    bytes[at] ^= 1 << rng.below(8);
}
