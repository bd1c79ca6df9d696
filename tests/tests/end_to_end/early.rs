//! Nobody waits for hashing. With a share of 2 GiB:
//! - it is on the other side's shelf before its origin has read more than a little of it;
//! - first pieces have arrived, verified, when most of it has still not been read;
//! - so from the command to a page, and from a page to the command.
//!
//! What the origin has read is what the system counts for its processes.

use std::path::PathBuf;

use tests::proc::bytes_read;
use tests::{Browser, BrowserKind, Server, Shoal, files, turn};

use crate::{MIB, Workbench};

const TOTAL: u64 = 2048 * MIB;
/// What an origin may have read when its share appears elsewhere: enough for a program to load itself.
const LITTLE: u64 = 256 * MIB;
const HALF: u64 = TOTAL / 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_share_of_the_command_is_received_while_it_is_being_read() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = sparse(&bench);
    let mut sender = Shoal::send(&server, &[&file], &[]);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&sender.invite_link().await).await;

    page.article("large.img").await;
    let read = bytes_read(sender.pid());
    assert!(read < LITTLE, "it was on the shelf only after {read} bytes were read");

    page.press_on("large.img", "Receive").await;
    let is_moving = |article: &tests::page::Article| article.progress.is_some_and(|now| now > 0.0);
    page.article_where("large.img", "under way", is_moving).await;
    let read = bytes_read(sender.pid());
    assert!(read < HALF, "nothing arrived before {read} bytes were read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_share_of_a_page_is_received_while_it_is_being_read() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = sparse(&bench);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    let read = || browser.processes().iter().map(|(pid, _)| bytes_read(*pid)).sum::<u64>();
    let before = read();
    page.choose_files(&[&file]).await;
    let mut receiver = Shoal::receive(&page.invite_link().await, &bench.folder("into"), &[]);

    receiver.event_where("progress", |event| event["bytes"].as_u64() > Some(0)).await;
    let read = read() - before;
    assert!(read < HALF, "nothing arrived before {read} bytes were read");
}

/// It takes no room, and reads as zeros.
fn sparse(bench: &Workbench) -> PathBuf {
    let file = bench.path("large.img");
    files::make_sparse(&file, TOTAL);
    file
}
