//! Every limit, and what a client that breaks it is told.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Client, PATIENCE, ROOM, TestServer};
use futures_util::SinkExt;
use protocol::signaling::{
    ClientMessage, ErrorCode, MAX_CLIENT_MESSAGE_BYTES, MAX_ENVELOPE_BYTES, PeerId, RoomId,
    SIGNALING_VERSION, ServerMessage,
};
use signaling_server::{BindError, Limits, Options, Server, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const SOON: Duration = Duration::from_millis(100);

fn limited(limits: Limits) -> TestServer {
    TestServer::start(Options { limits, ..Options::default() })
}

fn timed(timeouts: Timeouts) -> TestServer {
    TestServer::start(Options { timeouts, ..Options::default() })
}

const JOIN: ClientMessage =
    ClientMessage::Join { version: SIGNALING_VERSION, room: ROOM, resume: None };

#[tokio::test]
async fn what_is_not_join_at_first_or_join_again_is_a_bad_message() {
    let server = TestServer::start(Options::default());
    for first in [r#"{"type":"leave"}"#, "{}", "", "\0", r#"{"type":"join"}"#, "[1,2"] {
        let mut client = server.connect().await;
        client.send_text(first.into()).await;
        assert_eq!(client.refusal().await.0, ErrorCode::BadMessage, "{first}");
    }
    let mut binary = server.connect().await;
    binary.socket.send(Message::Binary(vec![1].into())).await.unwrap();
    assert_eq!(binary.refusal().await.0, ErrorCode::BadMessage);
    let mut again = server.join(ROOM).await;
    again.client.send(&JOIN).await;
    assert_eq!(again.client.refusal().await.0, ErrorCode::BadMessage);
}

#[tokio::test]
async fn who_does_not_join_in_time_is_dropped() {
    let server = timed(Timeouts { join: SOON, ..Timeouts::default() });
    let mut client = server.connect().await;
    assert_eq!(client.refusal().await.0, ErrorCode::BadMessage);
    // Pings do not count.
    let mut client = server.connect().await;
    client.socket.send(Message::Ping(vec![].into())).await.unwrap();
    loop {
        match client.frame().await.unwrap() {
            Message::Pong(_) => {}
            Message::Text(text) => break assert!(text.contains("bad-message")),
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[tokio::test]
async fn another_version_is_refused() {
    let server = TestServer::start(Options::default());
    let mut client = server.connect().await;
    let version = SIGNALING_VERSION + 1;
    client.send(&ClientMessage::Join { version, room: ROOM, resume: None }).await;
    assert_eq!(client.refusal().await.0, ErrorCode::UnsupportedVersion);
}

#[tokio::test]
async fn messages_and_envelopes_may_not_be_too_large() {
    let server = TestServer::start(Options::default());
    let mut message = server.join(ROOM).await.client;
    message.send_text(" ".repeat(MAX_CLIENT_MESSAGE_BYTES + 1)).await;
    let (code, close) = message.refusal().await;
    assert_eq!((code, close.code), (ErrorCode::TooLarge, CloseCode::Size));

    let mut huge = server.join(ROOM).await.client;
    // The server gives up at the frame's head; it may close before all of this was taken.
    let _ = huge.socket.send(Message::Text(" ".repeat(256 << 10).into())).await;
    assert_eq!(huge.refusal().await.0, ErrorCode::TooLarge);

    let mut envelope = server.join(ROOM).await.client;
    let text = "A".repeat((MAX_ENVELOPE_BYTES + 3) / 3 * 4);
    let to = PeerId(1);
    envelope.send_text(format!(r#"{{"type":"signal","to":"{to}","envelope":"{text}"}}"#)).await;
    assert_eq!(envelope.refusal().await.0, ErrorCode::TooLarge);
}

#[tokio::test]
async fn a_client_that_breaks_the_websocket_protocol_is_dropped() {
    let server = TestServer::start(Options::default());
    let mut client = server.join(ROOM).await.client;
    // A frame without mask, and with bits that mean nothing.
    client.socket.get_mut().write_all(&[0xf1, 0x01, b'x']).await.unwrap();
    assert_eq!(client.refusal().await.0, ErrorCode::BadMessage);
}

#[tokio::test]
async fn who_sends_too_many_messages_is_dropped() {
    let server = limited(Limits { message_burst: 5, messages_per_second: 0, ..Limits::default() });
    let mut client = server.join(ROOM).await;
    for _ in 0..4 {
        client.signal(PeerId(1), b"x").await;
        assert_eq!(client.next().await, ServerMessage::Undeliverable { to: PeerId(1) });
    }
    client.signal(PeerId(1), b"x").await;
    assert_eq!(client.client.refusal().await.0, ErrorCode::TooFast);

    // Pings cost as much as messages.
    let mut pinging = server.join(ROOM).await.client;
    for _ in 0..5 {
        pinging.socket.send(Message::Ping(vec![].into())).await.unwrap();
    }
    loop {
        match pinging.frame().await.unwrap() {
            Message::Pong(_) => {}
            Message::Text(text) => break assert!(text.contains("too-fast")),
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[tokio::test]
async fn who_sends_too_many_bytes_is_dropped() {
    let server = limited(Limits { byte_burst: 2_000, bytes_per_second: 0, ..Limits::default() });
    let mut client = server.join(ROOM).await;
    client.signal(PeerId(1), &[0; 1_000]).await;
    assert_eq!(client.next().await, ServerMessage::Undeliverable { to: PeerId(1) });
    client.signal(PeerId(1), &[0; 1_000]).await;
    assert_eq!(client.client.refusal().await.0, ErrorCode::TooFast);
}

#[tokio::test]
async fn rooms_fill_up() {
    let server = limited(Limits { max_members: 2, max_rooms: 1, ..Limits::default() });
    let _members = [server.join(ROOM).await, server.join(ROOM).await];
    let mut third = server.connect().await;
    third.send(&JOIN).await;
    assert_eq!(third.refusal().await.0, ErrorCode::RoomFull);
    let mut elsewhere = server.connect().await;
    let room = RoomId([2; 16]);
    elsewhere.send(&ClientMessage::Join { version: SIGNALING_VERSION, room, resume: None }).await;
    assert_eq!(elsewhere.refusal().await.0, ErrorCode::Busy);
}

#[tokio::test]
async fn sockets_are_limited_in_all_and_per_address_and_places_are_given_back() {
    for limits in [
        Limits { max_sockets: 2, ..Limits::default() },
        Limits { max_sockets_per_address: 2, ..Limits::default() },
    ] {
        let server = limited(limits);
        let mut members = vec![server.join(ROOM).await, server.join(ROOM).await];
        assert_eq!(server.connect().await.refusal().await.0, ErrorCode::Busy);
        members.pop();
        server.metric_reaches("shoal_sockets", 1).await;
        server.join(ROOM).await;
    }
}

#[tokio::test]
async fn behind_a_proxy_the_forwarded_address_counts() {
    let limits = Limits { max_sockets_per_address: 1, ..Limits::default() };
    let server = TestServer::start(Options {
        limits: limits.clone(),
        trust_forwarded_for: true,
        ..Options::default()
    });
    let connect = |address: SocketAddr, from: &'static str| async move {
        Client::connect(address, &format!("X-Forwarded-For: 10.9.9.9, {from}")).await
    };
    let _first = connect(server.address, "10.0.0.1").await.join(ROOM).await;
    let _other = connect(server.address, "10.0.0.2").await.join(ROOM).await;
    let again = connect(server.address, "10.0.0.1").await.refusal().await;
    assert_eq!(again.0, ErrorCode::Busy);

    // Without leave to trust it the header says nothing.
    let server = limited(limits);
    let _first = connect(server.address, "10.0.0.1").await.join(ROOM).await;
    let other = connect(server.address, "10.0.0.2").await.refusal().await;
    assert_eq!(other.0, ErrorCode::Busy);
}

#[tokio::test]
async fn connections_that_say_nothing_are_limited_too() {
    let server = limited(Limits {
        max_sockets_per_address: 0,
        spare_connections_per_address: 2,
        ..Limits::default()
    });
    let _idle =
        [TcpStream::connect(server.address).await, TcpStream::connect(server.address).await];
    let mut third = TcpStream::connect(server.address).await.unwrap();
    let closed = timeout(PATIENCE, third.read(&mut [0])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "closed without an answer");
}

#[tokio::test]
async fn a_request_whose_head_does_not_end_is_given_up() {
    let server = timed(Timeouts { header: SOON, ..Timeouts::default() });
    let (mut read, mut write) = TcpStream::connect(server.address).await.unwrap().into_split();
    write.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    // Another line again and again: what arrives does not extend the time.
    let trickle = tokio::spawn(async move {
        while write.write_all(b"X-Slow: 1\r\n").await.is_ok() {
            tokio::time::sleep(SOON / 10).await;
        }
    });
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect("the server gives up");
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    timeout(PATIENCE, trickle).await.expect("the connection is closed").unwrap();
}

#[tokio::test]
async fn a_connection_that_never_becomes_a_websocket_is_ended() {
    let timeouts = Timeouts { connection: SOON, ..Timeouts::default() };
    let server = timed(timeouts);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut answer = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is ended");
    assert!(end.is_ok() && answer.is_empty());
}

#[tokio::test]
async fn a_socket_that_answers_no_ping_is_taken_for_dead() {
    let server = timed(Timeouts { ping: SOON, goodbye: SOON, ..Timeouts::default() });
    // This one answers: tungstenite does while it is read.
    let mut alive = server.join(ROOM).await;
    let dead = server.join(ROOM).await;
    assert_eq!(alive.next().await, ServerMessage::PeerJoined { peer: dead.peer });
    assert_eq!(alive.next().await, ServerMessage::PeerLeft { peer: dead.peer });
    server.metric_reaches("shoal_sockets_ended_total{reason=\"silent\"}", 1).await;
    // Were it not dropped for being silent, `alive` would be next.
    drop(dead);
}

#[tokio::test]
async fn a_slow_reader_is_dropped_and_others_do_not_notice() {
    let server = limited(Limits {
        queued_bytes: 256 << 10,
        message_burst: u32::MAX,
        byte_burst: u32::MAX,
        ..Limits::default()
    });
    let mut sender = server.join(ROOM).await;
    let slow = Client::connect_narrow(server.address).await.join(ROOM).await;
    let mut quick = server.join(ROOM).await;
    let slow_id = slow.peer;
    assert_eq!(sender.next().await, ServerMessage::PeerJoined { peer: slow_id });
    assert_eq!(sender.next().await, ServerMessage::PeerJoined { peer: quick.peer });

    // What the kernel takes for the slow one is bounded, so this ends.
    let envelope = [0; 8 << 10];
    let mut sent = 0;
    loop {
        sender.signal(slow_id, &envelope).await;
        sender.signal(quick.peer, &envelope).await;
        sent += 1;
        assert!(sent < 10_000, "nobody was dropped");
        match quick.next().await {
            ServerMessage::Signal { .. } => {}
            ServerMessage::PeerLeft { peer } if peer == slow_id => break,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(sent > 32, "the queue holds what it should");
    assert_eq!(sender.next().await, ServerMessage::PeerLeft { peer: slow_id });
    assert_eq!(server.metric("shoal_sockets_ended_total{reason=\"too-slow\"}").await, 1);
    server.metric_reaches("shoal_queued_bytes", 0).await;
    drop(slow);
}

#[tokio::test]
async fn a_slow_reader_that_wakes_up_learns_why_it_was_dropped() {
    let server = TestServer::start(Options {
        limits: Limits { queued_messages: 4, ..Limits::default() },
        timeouts: Timeouts { goodbye: PATIENCE, ..Timeouts::default() },
        ..Options::default()
    });
    let mut sender = server.join(ROOM).await;
    let mut slow = Client::connect_narrow(server.address).await.join(ROOM).await;
    let _joined = sender.next().await;
    let envelope = [0; 16 << 10];
    let mut sent = 0;
    while server.metric("shoal_sockets_ended_total{reason=\"too-slow\"}").await == 0 {
        sender.signal(slow.peer, &envelope).await;
        sent += 1;
        assert!(sent < 10_000, "nobody was dropped");
    }
    // All that was sent before the overflow is still whole.
    let last = loop {
        match slow.next().await {
            ServerMessage::Signal { .. } => {}
            other => break other,
        }
    };
    assert!(matches!(last, ServerMessage::Error { code: ErrorCode::TooSlow, .. }), "{last:?}");
}

#[tokio::test]
async fn clients_are_told_of_a_shutdown_and_the_drain_ends() {
    let mut server = TestServer::start(Options::default());
    let mut member = server.join(ROOM).await.client;
    let mut joining = server.connect().await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    server.metric_reaches("shoal_sockets", 2).await;
    server.server.shutdown();
    for client in [&mut member, &mut joining] {
        let (code, close) = client.refusal().await;
        assert_eq!((code, close.code), (ErrorCode::ShuttingDown, CloseCode::Restart));
    }
    assert_eq!(timeout(PATIENCE, idle.read(&mut [0])).await.unwrap().unwrap(), 0);
    server.stop().await;
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn clients_that_do_not_leave_are_cut_off() {
    let timeouts =
        Timeouts { goodbye: Duration::from_secs(3600), drain: SOON, ..Timeouts::default() };
    let mut server = timed(timeouts);
    let member = server.join(ROOM).await; // Does not read, and so does not close.
    server.stop().await;
    drop(member);
}

#[tokio::test]
async fn a_taken_port_is_named_with_a_way_out() {
    let server = TestServer::start(Options::default());
    let other = Server::new(Options::default()).unwrap();
    let error = other.bind(server.address).err().unwrap();
    assert!(matches!(error, BindError::InUse(address) if address == server.address));
    assert!(error.to_string().contains("--listen"));
}
