//! A peer that sends wrong bytes, beside an honest one:
//! - both the command and a page complete, from the honest one, with the right bytes;
//! - both name the culprit: in a `banned` event, and in words on the page;
//! - with nobody but the culprit to fetch from, nothing of what it sends is stored or counted.

use std::path::Path;
use std::sync::Arc;

use native_peer::storage::DiskStorage;
use native_peer::{DeviceKey, InviteLink, Options, Peer, ShareState};
use protocol::io::Channel;
use tests::proc::contains;
use tests::wait::{SOON, until};
use tests::{Browser, BrowserKind, Server, Shoal, turn_to_wait};

use crate::{Made, PIECE, Workbench};

const CULPRIT: &str = "Mallory";

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_wrong_bytes_is_named_and_the_transfer_completes_from_another() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("wanted.bin", 64 * PIECE);
    // Slow enough that the culprit is asked, too.
    let mut honest = Shoal::send(&server, &[&file.path], &["--upload-limit", "4MiB"]);
    let link = honest.invite_link().await;
    let _culprit = culprit(&bench, &link).await;

    let into = bench.folder("into");
    let mut receiver = Shoal::receive(&link, &into, &[]);
    let banned = receiver.event("banned").await;
    assert_eq!(banned["name"], CULPRIT, "{banned}");
    let complete = receiver.complete().await;
    receiver.success().await;
    file.assert_arrived(&into.join(&file.name));
    assert!(
        complete.sources.iter().all(|(name, _)| name != CULPRIT),
        "wrong bytes count as received: {:?}",
        complete.sources
    );

    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&link).await;
    page.article(&file.name).await;
    page.press_on(&file.name, "Receive").await;
    page.says(&format!("{CULPRIT} sent wrong data")).await;
    page.complete(&file.name).await;
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
    browser.assert_no_complaints().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_peer_sends_wrong_is_stored() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("wanted.bin", 64 * PIECE);
    let mut honest = Shoal::send(&server, &[&file.path], &[]);
    let link = honest.invite_link().await;
    let _culprit = culprit(&bench, &link).await;
    drop(honest);

    let into = bench.folder("into");
    let mut receiver = Shoal::receive(&link, &into, &[]);
    assert_eq!(receiver.event("banned").await["name"], CULPRIT);
    let last = receiver.events().into_iter().rfind(|event| event["event"] == "progress");
    assert!(last.is_none_or(|event| event["bytes"] == 0), "wrong bytes are counted");
    drop(receiver);
    assert!(!into.join(&file.name).exists(), "a file appeared");
    assert_nothing_stored(&into, &file);
}

/// A native peer that has received everything properly, and spoils every block it passes on.
async fn culprit(bench: &Workbench, link: &str) -> Peer {
    let link: InviteLink = link.parse().expect("the command prints a link");
    let storage = DiskStorage::new(&bench.folder("of the culprit")).expect("a folder");
    let options = Options {
        invite: Some(link.invite),
        name: CULPRIT.into(),
        tamper: Some(Box::new(|transmit| {
            if transmit.channel == Channel::Blocks
                && let Some(last) = transmit.bytes.last_mut()
            {
                *last ^= 1;
            }
        })),
        ..Options::new(link.server.clone(), DeviceKey::from_bytes([66; 32]), Arc::new(storage))
    };
    let (peer, mut events) = Peer::start(options).expect("a peer starts");
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let share = until("a share on the culprit's shelf", SOON, async || {
        peer.snapshot().shares.first().map(|share| share.id)
    })
    .await;
    peer.receive(share).await.expect("it is on the shelf");
    until("the culprit to have everything", SOON, async || {
        let state = peer.snapshot().shares.first()?.state.clone();
        (state == ShareState::Complete).then_some(())
    })
    .await;
    peer
}

/// Asserts that no file in a folder has the beginning of any piece in it.
fn assert_nothing_stored(folder: &Path, file: &Made) {
    let content = std::fs::read(&file.path).expect("it was just made");
    for path in tests::files::tree(folder).into_keys().map(|path| folder.join(path)) {
        let Ok(stored) = std::fs::read(&path) else { continue };
        for piece in content.chunks(PIECE as usize) {
            assert!(!contains(&stored, &piece[..64]), "{} holds wrong bytes", path.display());
        }
    }
}
