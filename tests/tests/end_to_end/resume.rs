//! A transfer that was broken off goes on where it was:
//! - after Ctrl-C, and after the process was killed, a second `shoal receive` into the same folder fetches
//!   only what is missing, says so (`reused`), and the result has the same bytes;
//! - before that, nothing in the folder looks like the finished file, and the exit code is not 0;
//! - a tab that was reloaded in the middle of a folder of large and small files fetches only what is
//!   missing, and saves all of them.

use tests::page::Article;
use tests::wait::SOON;
use tests::{Browser, BrowserKind, Server, Shoal, files, turn};

use crate::{MIB, PIECE, Workbench};

const TOTAL: u64 = 48 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn what_ctrl_c_broke_off_is_resumed_without_fetching_again() {
    broken_off(|receiver| receiver.process.interrupt()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_broke_off_is_resumed_without_fetching_again() {
    broken_off(|receiver| receiver.process.kill_now()).await;
}

async fn broken_off(end: impl Fn(&Shoal)) {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("interrupted.bin", TOTAL);
    let into = bench.folder("into");
    let mut sender = Shoal::send(&server, &[&file.path], &[]);
    let link = sender.invite_link().await;

    let mut first = Shoal::receive(&link, &into, &["--download-limit", "8MiB"]);
    let so_far = first
        .event_where("progress", |event| event["bytes"].as_u64().is_some_and(|b| b >= TOTAL / 4))
        .await["bytes"]
        .as_u64()
        .expect("progress tells bytes");
    assert!(so_far < TOTAL, "it was over before it could be interrupted");
    end(&first);
    let status = first.process.exit(SOON).await;
    assert!(!status.success(), "a transfer that was broken off ended with {status}");
    assert!(!into.join(&file.name).exists(), "what is unfinished looks finished");

    let mut second = Shoal::receive(&link, &into, &[]);
    let complete = second.complete().await;
    second.success().await;
    file.assert_arrived(&into.join(&file.name));
    assert_eq!(complete.fetched + complete.reused, TOTAL);
    // `progress` counts what is durable.
    assert!(
        complete.reused >= so_far,
        "{so_far} bytes were there, but only {} were used again",
        complete.reused
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reload_of_chromium_broke_off_is_resumed_without_fetching_again() {
    reloaded(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reload_of_firefox_broke_off_is_resumed_without_fetching_again() {
    reloaded(BrowserKind::Firefox).await;
}

async fn reloaded(kind: BrowserKind) {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let folder = bench.folder("reloaded");
    let mut total = 0;
    for (count, size) in [(3, 8 * MIB + 1), (40, PIECE + 7), (200, 3_000)] {
        for number in 0..count {
            files::make(&folder.join(format!("{number} of {size}")), size, &number.to_string());
            total += size;
        }
    }
    // So slow that there is a middle.
    let limit = ["--until-received", "1", "--upload-limit", "6MiB"];
    let mut sender = Shoal::send(&server, &[&folder], &limit);
    let browser = Browser::start(kind).await;
    let page = browser.open(&sender.invite_link().await).await;
    page.article("reloaded").await;
    page.press_on("reloaded", "Receive").await;
    let half = |article: &Article| article.progress.is_some_and(|now| now >= 50.0);
    let article = page.article_where("reloaded", "half there", half).await;
    assert!(!article.is_complete(), "it was over before it could be interrupted");

    page.client().await.refresh().await.expect("the page loads again");
    page.article("reloaded").await;
    page.press_on("reloaded", "Receive").await;
    page.complete("reloaded").await;
    let unpacked = bench.folder("unpacked");
    files::unzip(&browser.downloaded_any("reloaded.zip").await, &unpacked);
    files::assert_same(&files::tree(&folder), &files::tree(&unpacked.join("reloaded")));
    sender.success().await;
    let left = sender.events().pop().expect("it said that it left");
    let uploaded = left["uploaded"].as_u64().expect("it tells what it sent");
    // Of what was on its way or not yet durable some is sent again.
    assert!(
        uploaded < total + total / 4,
        "{uploaded} bytes were sent for {total}, though half of them had been there"
    );
    browser.assert_no_complaints().await;
}
