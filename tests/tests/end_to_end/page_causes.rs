//! Whatever a transfer can wait for in the page is brought about once, by its real cause, and is named there
//! with what helps:
//!
//! | cause | here, or where else |
//! |---|---|
//! | a wrong invite, and one of another version | here |
//! | connecting | here |
//! | a source that is silent, one that leaves, one that paused, one that cannot read its files | here |
//! | no network, and a server that refuses | here |
//! | paused by you; no server | `page_waits` |
//! | a full disk | `full` |
//! | permission for files that was lost | `origin` |

use std::sync::Arc;

use native_peer::storage::DiskStorage;
use native_peer::{Options, Peer, sources};
use protocol::identity::DeviceKey;
use tests::page::Article;
use tests::{Browser, BrowserKind, Page, Server, Shoal, turn_to_wait};

use crate::{MIB, Workbench, link_to_an_empty_room};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_invite_no_network_and_a_refusal_say_what_to_do() {
    let _turn = turn_to_wait().await;
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let (_, link) = link_to_an_empty_room(&server);

    let (address, fragment) = link.split_once('#').expect("the invite is the fragment");
    // The first digit holds the upper bits of the version.
    let newer = browser.open(&format!("{address}#Z{}", &fragment[1..])).await;
    newer.says("made by a newer version of Shoal").await;
    newer.says("update and try again").await;
    newer.close().await;
    let other = browser.open(&format!("{address}#not-an-invite")).await;
    other.says("The invite is incomplete or damaged").await;
    other.close().await;

    let page = browser.open(&link).await;
    page.says("Nobody is here at the moment.").await;
    page.set_offline(true).await;
    page.says("This device is offline. Check its network").await;
    page.set_offline(false).await;
    page.says("Connected").await;
    page.close().await;

    let strict = Server::with(&["--max-members", "1"]).await;
    let (_, link) = link_to_an_empty_room(&strict);
    let first = browser.open(&link).await;
    first.says("Nobody is here at the moment.").await;
    let second = browser.open(&link).await;
    second.says("Leave this room, or reload the page to try once more.").await;
    first.close().await;
    // There is room again.
    second.press("Reload").await;
    second.says("Nobody is here at the moment.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_silent_leaves_or_is_out_of_reach_is_told_as_that() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let file = bench.file("slow.bin", 24 * MIB);
    let config = bench.folder("config");
    let limit = ["--upload-limit", "1MiB"];
    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &limit);
    let link = sender.invite_link().await;

    sender.process.freeze();
    let page = browser.open(&link).await;
    page.says("Connecting to who is here.").await;
    sender.process.go_on();

    page.press_on(&file.name, "Receive").await;
    let moves = |article: &Article| article.progress > Some(0.0);
    page.article_where(&file.name, "on its way", moves).await;
    sender.process.freeze();
    waits(&page, &file.name, "Waiting for an answer", "The connection may have broken").await;
    sender.process.go_on();
    page.article_where(&file.name, "on its way again", |it| it.text.contains("Receiving")).await;

    sender.process.interrupt();
    waits(
        &page,
        &file.name,
        "Waiting for someone who has it",
        "ask whoever shared it to open this room.",
    )
    .await;
    let before = page.article(&file.name).await.progress;
    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &limit);
    sender.event_where("invite", |event| event["again"] == true).await;
    page.article_where(&file.name, "further on by itself", |now| now.progress > before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_paused_or_lost_its_files_is_told_as_that() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let (invite, link) = link_to_an_empty_room(&server);
    let file = bench.file("held.bin", 16 * MIB);
    let storage = Arc::new(DiskStorage::new(&bench.folder("of the origin")).expect("a folder"));
    let mut options = Options {
        invite: Some(invite),
        ..Options::new(server.url(), DeviceKey::from_bytes([5; 32]), storage)
    };
    options.policy.upload = Some(MIB);
    let (origin, mut events) = Peer::start(options).expect("a peer starts");
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let found = sources::find(std::slice::from_ref(&file.path)).expect("it is there");
    let share = origin.share(found).await.expect("it can be shared");

    let page = browser.open(&link).await;
    page.press_on(&file.name, "Receive").await;
    page.article_where(&file.name, "on its way", |article| article.progress > Some(0.0)).await;
    origin.set_serving(share, false).await.expect("it is shared");
    waits(&page, &file.name, "Paused by the sender", "goes on by itself when they do").await;
    origin.set_serving(share, true).await.expect("it is shared");
    page.article_where(&file.name, "on its way again", |it| it.text.contains("Receiving")).await;
    std::fs::write(&file.path, "something else").expect("the file can be written");
    waits(&page, &file.name, "The sender cannot read the files", "Ask them to").await;
}

/// Waits until a share names a cause, for how long it has been so, and what helps.
async fn waits(page: &Page<'_>, title: &str, cause: &str, help: &str) {
    let says = |article: &Article| {
        article.texts.iter().any(|text| text == cause)
            && article.text.contains(help)
            && article.text.contains("For ")
    };
    page.article_where(title, &format!("waiting ({cause})"), says).await;
}
