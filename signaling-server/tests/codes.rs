//! Codes to be spoken, over real sockets: two meet by a nameplate, once; what is refused, and how.

mod common;

use std::time::Duration;

use common::{Client, ROOM, TestServer};
use protocol::signaling::{
    ClientMessage, CodeBody, CodeEnd, ErrorCode, MAX_CODE_BODY_BYTES, Nameplate, PeerId,
    SIGNALING_VERSION, ServerMessage,
};
use signaling_server::{Limits, Options, Timeouts};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const OFFER: ClientMessage = ClientMessage::OfferCode { version: SIGNALING_VERSION };

fn claim(nameplate: Nameplate) -> ClientMessage {
    ClientMessage::ClaimCode { version: SIGNALING_VERSION, nameplate }
}

fn body(byte: u8) -> CodeBody {
    CodeBody::new(vec![byte; 40]).unwrap()
}

/// A client that has been given a nameplate, and that.
async fn offering(server: &TestServer) -> (Client, Nameplate) {
    let mut client = server.connect().await;
    client.send(&OFFER).await;
    match client.next().await {
        ServerMessage::CodeOffered { nameplate, life_seconds: 600 } => (client, nameplate),
        other => panic!("no nameplate but {other:?}"),
    }
}

async fn claiming(server: &TestServer, nameplate: Nameplate) -> Client {
    let mut client = server.connect().await;
    client.send(&claim(nameplate)).await;
    client
}

#[tokio::test]
async fn two_meet_by_a_nameplate_and_whoever_comes_later_finds_nothing() {
    let server = TestServer::start(Options::default());
    let (mut creator, nameplate) = offering(&server).await;
    assert_eq!(server.metric("shoal_codes").await, 1);
    let mut guest = claiming(&server, nameplate).await;
    assert_eq!(creator.next().await, ServerMessage::CodeClaimed);
    assert_eq!(guest.next().await, ServerMessage::CodeClaimed);
    guest.send(&ClientMessage::CodeMessage { body: body(1) }).await;
    assert_eq!(creator.next().await, ServerMessage::CodeMessage { body: body(1) });
    creator.send(&ClientMessage::CodeMessage { body: body(2) }).await;
    assert_eq!(guest.next().await, ServerMessage::CodeMessage { body: body(2) });
    guest.send(&ClientMessage::Ping).await;
    assert_eq!(guest.next().await, ServerMessage::Pong);

    let mut late = claiming(&server, nameplate).await;
    assert_eq!(late.refusal().await.0, ErrorCode::NoSuchCode);
    creator.send(&ClientMessage::Leave).await;
    assert_eq!(guest.next().await, ServerMessage::CodeEnded { reason: CodeEnd::Left });
    guest.send(&ClientMessage::Leave).await;
    server.metric_reaches("shoal_codes", 0).await;
    let mut later = claiming(&server, nameplate).await;
    assert_eq!(later.refusal().await.0, ErrorCode::NoSuchCode);
    for (metric, value) in [
        ("shoal_codes_offered_total", 1),
        ("shoal_codes_claimed_total", 1),
        ("shoal_claims_refused_total", 2),
        ("shoal_code_messages_total", 2),
    ] {
        assert_eq!(server.metric(metric).await, value, "{metric}");
    }
}

#[tokio::test]
async fn a_creator_that_is_cut_off_takes_its_code_along_and_hears_of_a_guest_that_is() {
    let server = TestServer::start(Options::default());
    let (creator, nameplate) = offering(&server).await;
    drop(creator);
    server.metric_reaches("shoal_codes", 0).await;
    let mut guest = claiming(&server, nameplate).await;
    assert_eq!(guest.refusal().await.0, ErrorCode::NoSuchCode);

    let (mut creator, nameplate) = offering(&server).await;
    drop(claiming(&server, nameplate).await);
    assert_eq!(creator.next().await, ServerMessage::CodeClaimed);
    assert_eq!(creator.next().await, ServerMessage::CodeEnded { reason: CodeEnd::Left });
}

#[tokio::test]
async fn a_code_that_nobody_claims_expires() {
    let timeouts = Timeouts { code_life: Duration::from_millis(50), ..Timeouts::default() };
    let server = TestServer::start(Options { timeouts, ..Options::default() });
    let mut creator = server.connect().await;
    creator.send(&OFFER).await;
    let ServerMessage::CodeOffered { nameplate, .. } = creator.next().await else { panic!() };
    assert_eq!(creator.next().await, ServerMessage::CodeEnded { reason: CodeEnd::Expired });
    let close = creator.closing().await.expect("a close frame with a reason");
    assert_eq!((close.code, close.reason.as_str()), (CloseCode::Normal, "expired"));
    let mut guest = claiming(&server, nameplate).await;
    assert_eq!(guest.refusal().await.0, ErrorCode::NoSuchCode);
}

#[tokio::test]
async fn two_who_met_and_do_not_come_to_an_end_are_ended() {
    let timeouts = Timeouts { code_exchange: Duration::from_millis(50), ..Timeouts::default() };
    let server = TestServer::start(Options { timeouts, ..Options::default() });
    let (mut creator, nameplate) = offering(&server).await;
    let mut guest = claiming(&server, nameplate).await;
    assert_eq!(guest.next().await, ServerMessage::CodeClaimed);
    assert_eq!(guest.next().await, ServerMessage::CodeEnded { reason: CodeEnd::Expired });
    assert_eq!(creator.next().await, ServerMessage::CodeClaimed);
    assert_eq!(creator.next().await, ServerMessage::CodeEnded { reason: CodeEnd::Left });
}

#[tokio::test]
async fn codes_and_rooms_do_not_mix() {
    let server = TestServer::start(Options::default());
    let join = ClientMessage::Join { version: SIGNALING_VERSION, room: ROOM, resume: None };
    let signal = ClientMessage::Signal {
        to: PeerId(1),
        envelope: protocol::signaling::Envelope::new(vec![1]).unwrap(),
    };
    for message in [join, signal, OFFER] {
        let (mut creator, _) = offering(&server).await;
        creator.send(&message).await;
        assert_eq!(creator.refusal().await.0, ErrorCode::BadMessage, "{message:?}");
    }
    let said = ClientMessage::CodeMessage { body: body(1) };
    for message in [OFFER, claim(Nameplate::new(4).unwrap()), said.clone()] {
        let mut member = server.join(ROOM).await;
        member.client.send(&message).await;
        assert_eq!(member.client.refusal().await.0, ErrorCode::BadMessage, "{message:?}");
    }
    let mut first = server.connect().await;
    first.send(&said).await;
    assert_eq!(first.refusal().await.0, ErrorCode::BadMessage);
}

#[tokio::test]
async fn another_version_and_numbers_that_are_none_are_refused() {
    let server = TestServer::start(Options::default());
    let version = SIGNALING_VERSION + 1;
    let nameplate = Nameplate::new(4).unwrap();
    let another =
        [ClientMessage::OfferCode { version }, ClientMessage::ClaimCode { version, nameplate }];
    for message in another {
        let mut client = server.connect().await;
        client.send(&message).await;
        assert_eq!(client.refusal().await.0, ErrorCode::UnsupportedVersion);
    }
    let mut client = server.connect().await;
    client.send_text(r#"{"type":"claim-code","version":1,"nameplate":0}"#.into()).await;
    assert_eq!(client.refusal().await.0, ErrorCode::BadMessage);
}

#[tokio::test]
async fn codes_of_one_address_and_tries_to_claim_are_limited() {
    let limits = Limits { max_codes_per_address: 2, claim_burst: 2, ..Limits::default() };
    let limits = Limits { claims_per_minute: 0, ..limits };
    let server = TestServer::start(Options { limits, ..Options::default() });
    let (_first, _) = offering(&server).await;
    let (_second, nameplate) = offering(&server).await;
    let mut third = server.connect().await;
    third.send(&OFFER).await;
    let (code, close) = third.refusal().await;
    assert_eq!((code, close.code), (ErrorCode::Busy, CloseCode::Again));

    let never = Nameplate::new(999_999).unwrap();
    for _ in 0..2 {
        let mut guess = claiming(&server, never).await;
        assert_eq!(guess.refusal().await.0, ErrorCode::NoSuchCode);
    }
    let mut right = claiming(&server, nameplate).await;
    assert_eq!(right.refusal().await.0, ErrorCode::TooFast);
    assert_eq!(server.metric("shoal_codes_claimed_total").await, 0, "nothing was burnt");
}

#[tokio::test]
async fn what_two_who_meet_say_is_small_and_little() {
    let server = TestServer::start(Options::default());
    let (mut creator, nameplate) = offering(&server).await;
    let mut guest = claiming(&server, nameplate).await;
    assert_eq!(guest.next().await, ServerMessage::CodeClaimed);
    let long = "A".repeat((MAX_CODE_BODY_BYTES + 3) / 3 * 4);
    guest.send_text(format!(r#"{{"type":"code-message","body":"{long}"}}"#)).await;
    assert_eq!(guest.refusal().await.0, ErrorCode::BadMessage);
    assert_eq!(creator.next().await, ServerMessage::CodeClaimed);
    assert_eq!(creator.next().await, ServerMessage::CodeEnded { reason: CodeEnd::Left });

    let (mut talkative, _) = offering(&server).await;
    for _ in 0..9 {
        talkative.send(&ClientMessage::CodeMessage { body: body(1) }).await;
    }
    assert_eq!(talkative.refusal().await.0, ErrorCode::TooFast);
}
