//! A room of three tabs and one command. One tab shares, another has received everything; then the third
//! tab and the command begin together:
//! - both fetch from all who have pieces, each other included, as both of them tell;
//! - both serve on while they are still fetching;
//! - all have the same bytes in the end, and no one was banned on the way.

use std::time::Duration;

use tests::wait::until;
use tests::{Browser, BrowserKind, Server, Shoal, turn};

use crate::{MIB, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn latecomers_fetch_from_all_who_have_pieces_and_serve_on_while_fetching() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("for the shoal.bin", 192 * MIB);
    let (one, other) =
        (Browser::start(BrowserKind::Chromium).await, Browser::start(BrowserKind::Firefox).await);

    let origin = one.open(server.url()).await;
    origin.choose_files(&[&file.path]).await;
    let link = origin.invite_link().await;
    let first = other.open(&link).await;
    first.press_on(&file.name, "Receive").await;
    first.complete(&file.name).await;
    file.assert_arrived(&other.downloaded(&file.name, file.size).await);

    // Two tabs of one browser are two peers.
    let last = one.open(&link).await;
    last.article(&file.name).await;
    last.open_details(&file.name).await;
    let into = bench.folder("into");
    let mut shoal = Shoal::receive(&link, &into, &["--name", "terminal"]);
    shoal.event("joined").await;
    last.press_on(&file.name, "Receive").await;

    // While it is under way, each has already got something from the other.
    until(
        "the last tab to fetch from the command while it goes on",
        Duration::from_secs(120),
        async || {
            let shelf = last.shelf().await;
            let article = shelf.into_iter().find(|article| article.title == file.name)?;
            assert!(
                !article.is_complete(),
                "the last tab is complete: {:?}",
                article.contributions
            );
            let from_terminal =
                article.contributions.iter().any(|line| line.starts_with("terminal:"));
            from_terminal.then_some(())
        },
    )
    .await;

    let complete = shoal.complete().await;
    last.complete(&file.name).await;
    shoal.success().await;
    file.assert_arrived(&into.join(&file.name));
    file.assert_arrived(&one.downloaded(&file.name, file.size).await);

    let sources = &complete.sources;
    assert_eq!(sources.len(), 3, "the command did not fetch from all three tabs: {sources:?}");
    assert!(sources.iter().all(|(_, bytes)| *bytes > 0), "{sources:?}");
    assert_eq!(sources.iter().map(|(_, bytes)| bytes).sum::<u64>(), file.size, "{sources:?}");
    let contributions = last.contributions(&file.name).await;
    assert_eq!(contributions.len(), 3, "the tab did not fetch from all: {contributions:?}");
    for browser in [&one, &other] {
        browser.assert_no_complaints().await;
    }
}
