//! A connection whose certificate is not the one that was announced:
//! - with the WebRTC library's own comparison on, it does not come about;
//! - with that comparison off, the machine's own refuses it before anything is said, and tells that it was
//!   not confirmed;
//! - whoever offers, whichever side is the server of the DTLS handshake, whoever lies;
//! - the same peers, telling the truth, do connect.
//!
//! A peer that signs other certificates than were observed is not let in, and people are told: in the
//! command by `peer-gone` and a named wait, on the page by a sentence that stays. A browser's comparison cannot be switched off: there, the browser refuses.
//!
//! The first of these tests waits more than it does, so it takes no turn.

use std::path::Path;
use std::sync::Arc;

use native_peer::storage::DiskStorage;
use native_peer::{
    Certificates, CloseReason, DeviceKey, Event, Invite, Options, Peer, Transmit, sources,
};
use protocol::io::Channel;
use protocol::message::PeerMessage;
use tests::wait::SOON;
use tests::{Browser, BrowserKind, Server, Shoal, turn};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Workbench;

/// A connection between two peers of which one may lie.
#[derive(Clone, Copy, Debug)]
struct Case {
    liar: Option<Role>,
    /// Whether the library compares.
    checked: bool,
    /// Who is the server of the DTLS handshake; the other is the client.
    dtls_server: Role,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Offerer,
    Answerer,
}

/// What a side is told first of the other: that it is connected, or why it is not.
type Told = Result<(), CloseReason>;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_not_announced_never_connects_whatever_the_library_checks() {
    let bench = Workbench::new();
    let server = Server::start().await;
    let mut attempts = JoinSet::new();
    for liar in [Some(Role::Offerer), Some(Role::Answerer), None] {
        for checked in [true, false] {
            for dtls_server in [Role::Offerer, Role::Answerer] {
                let case = Case { liar, checked, dtls_server };
                let (folder, url) = (bench.folder(&format!("{case:?}")), server.url().to_owned());
                attempts.spawn(async move { (case, attempt(case, &folder, &url).await) });
            }
        }
    }
    let mut wrong = Vec::new();
    while let Some(ended) = attempts.join_next().await {
        let (case, (offerer, answerer)) = ended.expect("no attempt panics");
        println!("{case:?}: the offerer is told {offerer:?}, the answerer {answerer:?}");
        let (victim, liar) = match case.liar {
            Some(Role::Offerer) => (answerer, offerer),
            _ => (offerer, answerer),
        };
        let is_right = match (case.liar, case.checked) {
            (None, _) => (victim, liar) == (Ok(()), Ok(())),
            // The library ends the handshake, and leaves it at that.
            (Some(_), true) => victim == Err(CloseReason::Unreachable) && liar.is_err(),
            (Some(_), false) => victim == Err(CloseReason::NotConfirmed) && liar.is_err(),
        };
        if !is_right {
            wrong.push(case);
        }
    }
    assert!(wrong.is_empty(), "not as it must be: {wrong:?}");
}

/// Lets two peers meet, and gives what the offerer and the answerer are told.
async fn attempt(case: Case, folder: &Path, url: &str) -> (Told, Told) {
    let creator = DeviceKey::from_bytes([1; 32]);
    let secret = *blake3::hash(format!("{case:?}").as_bytes()).as_bytes();
    let invite = Invite::new(secret, &creator.public());
    let side = |role: Role, key: u8| {
        let certificates = Certificates {
            announces_another: case.liar == Some(role),
            unchecked: !case.checked,
            answers_as_server: case.dtls_server == Role::Answerer,
        };
        start(&invite, url, key, &folder.join(format!("{role:?}")), certificates)
    };
    // Who comes last offers.
    let (_first, mut answerer) = side(Role::Answerer, 1);
    while !matches!(answerer.recv().await, Some(Event::Joined { .. })) {}
    let (_second, mut offerer) = side(Role::Offerer, 2);
    tokio::join!(told(&mut offerer), told(&mut answerer))
}

fn start(
    invite: &Invite,
    url: &str,
    key: u8,
    folder: &Path,
    certificates: Certificates,
) -> (Peer, mpsc::Receiver<Event>) {
    let storage = DiskStorage::new(folder).expect("a folder");
    let options = Options {
        invite: Some(invite.clone()),
        certificates,
        ..Options::new(url, DeviceKey::from_bytes([key; 32]), Arc::new(storage))
    };
    Peer::start(options).expect("a peer starts")
}

async fn told(events: &mut mpsc::Receiver<Event>) -> Told {
    let first = async {
        loop {
            match events.recv().await.expect("a peer goes on") {
                Event::PeerConnected { .. } => return Ok(()),
                Event::PeerGone { reason, .. } => return Err(reason),
                _ => {}
            }
        }
    };
    tokio::time::timeout(SOON, first).await.expect("waited in vain for: a word on the other side")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_and_the_page_say_that_somebody_could_not_be_confirmed() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let (invite, link) = crate::link_to_an_empty_room(&server);
    // As if there were other certificates on its side: what it signs does not fit.
    let folder = bench.path("of who signs something else");
    let storage = DiskStorage::new(&folder).expect("a folder");
    let options = Options {
        invite: Some(invite),
        tamper: Some(Box::new(sign_something_else)),
        ..Options::new(server.url(), DeviceKey::from_bytes([9; 32]), Arc::new(storage))
    };
    let (other, mut events) = Peer::start(options).expect("a peer starts");
    let found = sources::find(&["Cargo.toml".into()]).expect("the manifest of this crate");
    other.share(found).await.expect("it can be shared");
    while !matches!(events.recv().await, Some(Event::Joined { .. })) {}
    tokio::spawn(async move { while events.recv().await.is_some() {} });

    let mut shoal = Shoal::receive(&link, &bench.folder("into"), &["--timeout", "3"]);
    shoal.event_where("peer-gone", |event| event["reason"] == "not-confirmed").await;
    let wait = shoal.event_where("waiting", |event| event["for"] == "not-confirmed").await;
    assert!(wait["action"].as_str().is_some_and(|it| it.contains("new link")), "{wait}");
    assert_eq!(shoal.process.exit(SOON).await.code(), Some(6));
    let said = |name: &str| shoal.events().iter().any(|event| event["event"] == name);
    assert!(!said("peer-connected") && !said("share"), "it was let in");

    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&link).await;
    page.says("could not prove that nobody sits in between").await;
    assert!(page.shelf().await.is_empty(), "something is on the shelf");
}

fn sign_something_else(transmit: &mut Transmit) {
    if let Ok(PeerMessage::Confirm { version, mut signature, name }) =
        PeerMessage::decode(&transmit.bytes)
        && transmit.channel == Channel::Control
    {
        signature.0[0] ^= 1;
        transmit.bytes = PeerMessage::Confirm { version, signature, name }.encode();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_refuse_a_certificate_that_was_not_announced() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let browser = Browser::start(kind).await;
        let (invite, link) = crate::link_to_an_empty_room(&server);
        let page = browser.open(&link).await;
        page.says("Connected").await;
        let folder = bench.path(&format!("{kind:?}"));
        let (_liar, mut events) = lying_peer(&invite, &server, &folder);
        let told = told(&mut events).await;
        assert!(told.is_err(), "{kind:?} let somebody in who lies");
        assert!(page.shelf().await.is_empty(), "something is on the shelf");
    }
}

/// A peer that names another certificate than it uses.
fn lying_peer(invite: &Invite, server: &Server, folder: &Path) -> (Peer, mpsc::Receiver<Event>) {
    let certificates = Certificates { announces_another: true, ..Certificates::default() };
    start(invite, server.url(), 9, folder, certificates)
}
