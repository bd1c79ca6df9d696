//! What members of a room see of each other.

mod common;

use std::time::Duration;

use common::{Client, ROOM, TestServer};
use protocol::signaling::{
    ClientMessage, Envelope, MAX_ENVELOPE_BYTES, MAX_MEMBERS_TOLD, PeerId, Resume, ResumeToken,
    RoomId, ServerMessage,
};
use signaling_server::{IceServers, Limits, Options};

#[tokio::test]
async fn members_meet_exchange_envelopes_and_part() {
    let server = TestServer::start(Options::default());
    let mut alice = server.join(ROOM).await;
    assert_eq!(alice.members, []);
    let mut bob = server.join(ROOM).await;
    assert_eq!(bob.members, [alice.peer]);
    assert_eq!(alice.next().await, ServerMessage::PeerJoined { peer: bob.peer });

    let largest = vec![7; MAX_ENVELOPE_BYTES];
    for envelope in [&b""[..], b"sealed", &largest] {
        bob.signal(alice.peer, envelope).await;
        let envelope = Envelope::new(envelope.to_vec()).unwrap();
        assert_eq!(alice.next().await, ServerMessage::Signal { from: bob.peer, envelope });
    }
    alice.client.send(&ClientMessage::Ping).await;
    assert_eq!(alice.next().await, ServerMessage::Pong);
    alice.signal(bob.peer, b"answer").await;
    let envelope = Envelope::new(b"answer".to_vec()).unwrap();
    assert_eq!(bob.next().await, ServerMessage::Signal { from: alice.peer, envelope });

    bob.client.send(&ClientMessage::Leave).await;
    assert_eq!(alice.next().await, ServerMessage::PeerLeft { peer: bob.peer });
    bob.client.closing().await;
    server.metric_reaches("shoal_sockets_ended_total{reason=\"left\"}", 1).await;
    assert_eq!(server.metric("shoal_signals_total").await, 4);
}

#[tokio::test]
async fn a_broken_connection_is_a_departure() {
    let server = TestServer::start(Options::default());
    let mut alice = server.join(ROOM).await;
    let bob = server.join(ROOM).await;
    let bob_id = bob.peer;
    assert_eq!(alice.next().await, ServerMessage::PeerJoined { peer: bob_id });
    drop(bob);
    assert_eq!(alice.next().await, ServerMessage::PeerLeft { peer: bob_id });
}

/// As after a change of network: the server has not noticed yet that the old connection is dead.
#[tokio::test]
async fn who_comes_back_with_its_token_is_who_it_was_and_nobody_sees_it_leave() {
    let server = TestServer::start(Options::default());
    let mut alice = server.join(ROOM).await;
    let mut bob = server.join(ROOM).await;
    assert_eq!(alice.next().await, ServerMessage::PeerJoined { peer: bob.peer });

    let mut again = server.connect().await.join_as(ROOM, Some(bob.resume())).await;
    assert_eq!((again.peer, again.members.as_slice()), (bob.peer, &[alice.peer][..]));
    assert_eq!(bob.client.closing().await.unwrap().reason.as_str(), "replaced");
    server.metric_reaches("shoal_sockets_ended_total{reason=\"replaced\"}", 1).await;
    assert_eq!(server.metric("shoal_resumes_total").await, 1);

    alice.signal(bob.peer, b"still there").await;
    assert!(matches!(again.next().await, ServerMessage::Signal { from, .. } if from == alice.peer));
    again.signal(alice.peer, b"here").await;
    // All that she hears.
    assert_eq!(alice.next().await, ServerMessage::PeerJoined { peer: bob.peer });
    assert!(matches!(alice.next().await, ServerMessage::Signal { from, .. } if from == bob.peer));
    again.client.send(&ClientMessage::Leave).await;
    assert_eq!(alice.next().await, ServerMessage::PeerLeft { peer: bob.peer });
}

#[tokio::test]
async fn who_claims_an_id_without_its_token_gets_another_and_disturbs_nobody() {
    let server = TestServer::start(Options::default());
    let alice = server.join(ROOM).await;
    let mut bob = server.join(ROOM).await;
    let elsewhere = server.join(RoomId([2; 16])).await;
    for token in [alice.token, elsewhere.token, ResumeToken([0; 16])] {
        let claim = Resume { peer: bob.peer, token };
        let mallory = server.connect().await.join_as(ROOM, Some(claim)).await;
        assert_ne!(mallory.peer, bob.peer);
        assert_eq!(bob.next().await, ServerMessage::PeerJoined { peer: mallory.peer });
        drop(mallory);
        assert!(matches!(bob.next().await, ServerMessage::PeerLeft { .. }));
    }
    let foreign = server.connect().await.join_as(RoomId([2; 16]), Some(bob.resume())).await;
    assert_ne!(foreign.peer, bob.peer);
    assert_eq!(server.metric("shoal_resumes_total").await, 0);
}

#[tokio::test]
async fn an_envelope_for_nobody_in_the_room_is_undeliverable() {
    let server = TestServer::start(Options::default());
    let elsewhere = server.join(RoomId([2; 16])).await;
    let mut alice = server.join(ROOM).await;
    for to in [elsewhere.peer, PeerId(0)] {
        alice.signal(to, b"sealed").await;
        assert_eq!(alice.next().await, ServerMessage::Undeliverable { to });
    }
    assert_eq!(server.metric("shoal_undeliverable_total").await, 2);
}

#[tokio::test]
async fn rooms_are_forgotten_when_the_last_member_leaves() {
    let server = TestServer::start(Options::default());
    let alice = server.join(ROOM).await;
    assert_eq!(server.metric("shoal_rooms").await, 1);
    drop(alice);
    server.metric_reaches("shoal_rooms", 0).await;
    server.metric_reaches("shoal_sockets", 0).await;
    assert_eq!(server.metric("shoal_queued_bytes").await, 0);
}

#[tokio::test]
async fn a_newcomer_to_a_large_room_is_told_a_sample() {
    let server = TestServer::start(Options::default());
    let mut members = Vec::new();
    for _ in 0..MAX_MEMBERS_TOLD + 8 {
        members.push(server.join(ROOM).await);
    }
    let newcomer = server.join(ROOM).await;
    assert_eq!(newcomer.members.len(), MAX_MEMBERS_TOLD);
    let known: Vec<_> = members.iter().map(|member| member.peer).collect();
    assert!(newcomer.members.iter().all(|told| known.contains(told)));
}

#[tokio::test]
async fn newcomers_are_told_ice_servers_with_credentials_of_their_own() {
    let urls = ["stun:stun.example".to_owned(), "turn:turn.example:3478".to_owned()];
    let ice_servers = IceServers::new(&urls, Some("canary"), Duration::from_secs(3600)).unwrap();
    let server = TestServer::start(Options { ice_servers, ..Options::default() });
    let (alice, bob) = (server.join(ROOM).await, server.join(ROOM).await);
    assert_eq!(alice.ice_servers[0].urls, ["stun:stun.example"]);
    assert_eq!(alice.ice_servers[1].urls, ["turn:turn.example:3478"]);
    assert!(alice.ice_servers[1].credential.is_some());
    assert_ne!(alice.ice_servers[1].username, bob.ice_servers[1].username);

    let plain = TestServer::start(Options::default());
    assert_eq!(plain.join(ROOM).await.ice_servers, []);
}

/// Two rooms of very different shape at once: one that everyone is in, and many small ones.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_members_of_one_room_and_two_hundred_rooms() {
    const MEMBERS: usize = 500;
    const ROOMS: usize = 200;
    let limits = Limits { max_sockets_per_address: 1_000, ..Limits::default() };
    let server = TestServer::start(Options { limits, ..Options::default() });
    let mut large = Vec::new();
    for joined in 0..MEMBERS {
        let member = server.join(ROOM).await;
        assert_eq!(member.members.len(), joined.min(MAX_MEMBERS_TOLD));
        large.push(member);
    }
    let mut pairs = Vec::new();
    for room in 0..ROOMS {
        let mut id = [2; 16];
        id[..8].copy_from_slice(&room.to_be_bytes());
        pairs.push((server.join(RoomId(id)).await, server.join(RoomId(id)).await));
    }
    assert_eq!(server.metric("shoal_rooms").await, 1 + ROOMS as u64);
    assert_eq!(server.metric("shoal_sockets").await, (MEMBERS + 2 * ROOMS) as u64);

    for (first, second) in &mut pairs {
        assert_eq!(second.members, [first.peer]);
        second.signal(first.peer, b"hello").await;
        assert_eq!(first.next().await, ServerMessage::PeerJoined { peer: second.peer });
        assert!(matches!(first.next().await, ServerMessage::Signal { .. }));
    }
    // The last one in greets everyone it was told of, and each of them gets it.
    let mut newcomer = large.pop().unwrap();
    for to in newcomer.members.clone() {
        newcomer.signal(to, b"hello").await;
    }
    let envelope = Envelope::new(b"hello".to_vec()).unwrap();
    let greeting = ServerMessage::Signal { from: newcomer.peer, envelope };
    for member in large.iter_mut().filter(|member| newcomer.members.contains(&member.peer)) {
        while member.next().await != greeting {}
    }
}

#[tokio::test]
async fn a_client_that_asks_wrongly_is_told_how_to_ask() {
    let server = TestServer::start(Options::default());
    let answer = server.http("GET", "/ws", "").await;
    assert_eq!(answer.status, 426);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    // A foreign page may connect: there is nothing that it could borrow.
    Client::connect(server.address, "Origin: https://elsewhere.example").await.join(ROOM).await;
}
