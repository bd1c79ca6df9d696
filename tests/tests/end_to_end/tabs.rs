//! From tab to tab, in every pair of browsers:
//! - files of no byte, one byte, one piece and its neighbours, and 300 MiB arrive as the browser's own
//!   downloads, under their names, with the same bytes (without `SHOAL_LONG=1`, 64 MiB between two of a kind);
//! - whoever comes first and whoever comes last can share, so that each side has made the offer once;
//! - the sharing side says that they were received;
//! - Chromium's console has no error, none of the content security policy among them.

use tests::{Browser, BrowserKind, Server, is_long, turn};

use crate::{MIB, PIECE, Workbench, link_to_an_empty_room};

#[tokio::test(flavor = "multi_thread")]
async fn files_of_all_sizes_go_from_chromium_to_chromium() {
    files_of_all_sizes_go(BrowserKind::Chromium, BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_all_sizes_go_from_chromium_to_firefox() {
    files_of_all_sizes_go(BrowserKind::Chromium, BrowserKind::Firefox).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_all_sizes_go_from_firefox_to_chromium() {
    files_of_all_sizes_go(BrowserKind::Firefox, BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_all_sizes_go_from_firefox_to_firefox() {
    files_of_all_sizes_go(BrowserKind::Firefox, BrowserKind::Firefox).await;
}

async fn files_of_all_sizes_go(from: BrowserKind, to: BrowserKind) {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let (sharing, receiving) = (Browser::start(from).await, Browser::start(to).await);

    let mut files = bench.edges();
    let large = if is_long() || from != to { 300 * MIB } else { 64 * MIB };
    files.push(bench.file("film.mkv", large));
    let origin = sharing.open(server.url()).await;
    origin.choose_files(&[&files[0].path]).await;
    let receiver = receiving.open(&origin.invite_link().await).await;
    for file in &files[1..] {
        origin.choose_files(&[&file.path]).await;
        origin.article(&file.name).await;
    }
    for file in &files {
        receiver.article(&file.name).await;
        receiver.press_on(&file.name, "Receive").await;
        receiver.complete(&file.name).await;
        file.assert_arrived(&receiving.downloaded(&file.name, file.size).await);
        origin
            .article_where(&file.name, "received by 1", |article| {
                article.texts.iter().any(|text| text.contains("received by 1"))
            })
            .await;
    }
    origin.close().await;
    receiver.close().await;

    // Now the receiver is there first, and the sharing side makes the offer.
    let (_, link) = link_to_an_empty_room(&server);
    let receiver = receiving.open(&link).await;
    receiver.says("Connected").await;
    let origin = sharing.open(&link).await;
    let file = bench.file("latecomer.bin", 3 * PIECE + 1);
    origin.choose_files(&[&file.path]).await;
    receiver.article(&file.name).await;
    receiver.press_on(&file.name, "Receive").await;
    receiver.complete(&file.name).await;
    file.assert_arrived(&receiving.downloaded(&file.name, file.size).await);

    for browser in [&sharing, &receiving] {
        browser.assert_no_complaints().await;
    }
}
