//! What is logged, and above all what is not.

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Client, TestServer};
use protocol::signaling::{
    ClientMessage, CodeBody, Envelope, ErrorCode, PeerId, ResumeToken, RoomId, SIGNALING_VERSION,
    ServerMessage,
};
use signaling_server::{IceServers, Options};
use tracing::level_filters::LevelFilter;

/// Where a log is kept for a test.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ROOM: RoomId = RoomId(*b"canary of a room");
const CODE_BODY: &[u8] = b"canary of what two say who meet by a code";
const ENVELOPE: &[u8] = b"canary of an envelope: candidate, file name";

/// Everything that can happen, on one thread, with its log. Returns the log, the peers' ids, and what
/// brings one of them back.
async fn log_of_a_busy_hour(level: LevelFilter) -> (String, Vec<PeerId>, ResumeToken) {
    let captured = Captured::default();
    let writer = captured.clone();
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(log);

    let urls = ["turn:turn.example".to_owned()];
    let ice_servers =
        IceServers::new(&urls, Some("canary of a secret"), Duration::from_secs(60)).unwrap();
    let mut server =
        TestServer::start(Options { ice_servers, trust_forwarded_for: true, ..Options::default() });
    let from = "X-Forwarded-For: 203.0.113.77";
    let mut alice = Client::connect(server.address, from).await.join(ROOM).await;
    let bob = Client::connect(server.address, from).await.join(ROOM).await;
    assert_eq!(alice.next().await, ServerMessage::PeerJoined { peer: bob.peer });
    let resume = bob.resume();
    let mut bob = Client::connect(server.address, from).await.join_as(ROOM, Some(resume)).await;
    assert_eq!(alice.next().await, ServerMessage::PeerJoined { peer: bob.peer });
    let peers = vec![alice.peer, bob.peer];
    bob.signal(alice.peer, ENVELOPE).await;
    assert!(matches!(alice.next().await, ServerMessage::Signal { .. }));
    bob.signal(PeerId(1), ENVELOPE).await;
    assert!(matches!(bob.next().await, ServerMessage::Undeliverable { .. }));
    bob.client.send_text(format!("{{\"type\":\"{ROOM}\"}}")).await;
    assert_eq!(bob.client.refusal().await.0, ErrorCode::BadMessage);
    server.http("GET", &format!("/{ROOM}"), "").await;
    meet_by_a_code(&server, from).await;
    drop((alice, bob));
    server.stop().await;

    drop(guard);
    let log = captured.0.lock().unwrap().clone();
    (String::from_utf8(log).unwrap(), peers, resume.token)
}

async fn meet_by_a_code(server: &TestServer, from: &str) {
    let version = SIGNALING_VERSION;
    let mut creator = Client::connect(server.address, from).await;
    creator.send(&ClientMessage::OfferCode { version }).await;
    let ServerMessage::CodeOffered { nameplate, .. } = creator.next().await else { panic!() };
    let mut guest = Client::connect(server.address, from).await;
    guest.send(&ClientMessage::ClaimCode { version, nameplate }).await;
    let body = CodeBody::new(CODE_BODY.to_vec()).unwrap();
    guest.send(&ClientMessage::CodeMessage { body: body.clone() }).await;
    assert_eq!(creator.next().await, ServerMessage::CodeClaimed);
    assert_eq!(creator.next().await, ServerMessage::CodeMessage { body });
}

#[tokio::test]
async fn no_level_logs_rooms_envelopes_or_secrets() {
    let (log, peers, token) = log_of_a_busy_hour(LevelFilter::TRACE).await;
    // The log is really that of what happened.
    assert!(log.contains("TRACE") && log.contains(&peers[0].to_string()), "{log}");
    assert!(log.contains("code claimed"), "{log}");
    let envelope = Envelope::new(ENVELOPE.to_vec()).unwrap().to_string();
    let body = CodeBody::new(CODE_BODY.to_vec()).unwrap().to_string();
    let (room, token) = (ROOM.to_string(), token.to_string());
    for canary in ["canary", &room, &envelope, &body, &token, "turn.example", "nameplate"] {
        assert!(!log.contains(canary), "{canary} in\n{log}");
    }
}

#[tokio::test]
async fn the_usual_level_logs_no_peers_or_addresses_either() {
    let (log, peers, _) = log_of_a_busy_hour(LevelFilter::INFO).await;
    assert!(log.contains("INFO") && log.contains("shutting down"), "{log}");
    for peer in peers {
        assert!(!log.contains(&peer.to_string()), "{log}");
    }
    for canary in ["203.0.113.77", "127.0.0.1", "canary"] {
        assert!(!log.contains(canary), "{canary} in\n{log}");
    }
}
