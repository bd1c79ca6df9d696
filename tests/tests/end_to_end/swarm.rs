//! A room of four Chromium tabs and two commands. One tab shares, another has received everything; then
//! two tabs and both commands begin together:
//! - all four fetch from several, latecomers included, and all four tell from whom how much;
//! - they serve on while they are still fetching;
//! - all have the same bytes in the end, and no one was banned on the way.

use std::time::Duration;

use tests::wait::until;
use tests::{Browser, BrowserKind, Server, Shoal, turn};

use crate::{MIB, Workbench};

/// Of the five others in the room, from how many each latecomer has something in the end, at least.
const FEWEST_SOURCES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn latecomers_fetch_from_all_who_have_pieces_and_serve_on_while_fetching() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("for the shoal.bin", 96 * MIB);
    let (one, other) =
        (Browser::start(BrowserKind::Chromium).await, Browser::start(BrowserKind::Chromium).await);

    let origin = one.open(server.url()).await;
    origin.choose_files(&[&file.path]).await;
    let link = origin.invite_link().await;
    let first = other.open(&link).await;
    first.press_on(&file.name, "Receive").await;
    first.complete(&file.name).await;
    file.assert_arrived(&other.downloaded(&file.name, file.size).await);

    // Two tabs of one browser are two peers.
    let tabs = [one.open(&link).await, other.open(&link).await];
    for tab in &tabs {
        tab.article(&file.name).await;
        tab.open_details(&file.name).await;
    }
    let folders = [bench.folder("into one"), bench.folder("into two")];
    let mut commands = folders
        .each_ref()
        .map(|into| Shoal::receive(&link, into, &["--stay", "--name", "terminal"]));
    for command in &mut commands {
        command.event("joined").await;
    }
    for tab in &tabs {
        tab.press_on(&file.name, "Receive").await;
    }

    // While it is under way, the tabs have already got something from latecomers.
    until(
        "the last tabs to fetch from commands while they go on",
        Duration::from_secs(120),
        async || {
            for tab in &tabs {
                let shelf = tab.shelf().await;
                let article = shelf.into_iter().find(|article| article.title == file.name)?;
                let complete = article.is_complete();
                let contributions = article.contributions;
                if !contributions.iter().any(|line| line.starts_with("terminal:")) {
                    assert!(!complete, "a tab is complete without commands: {contributions:?}");
                    return None;
                }
            }
            Some(())
        },
    )
    .await;

    for (tab, (browser, name)) in
        tabs.iter().zip([(&one, "for the shoal.bin"), (&other, "for the shoal (1).bin")])
    {
        tab.complete(&file.name).await;
        file.assert_arrived(&browser.downloaded(name, file.size).await);
        let contributions = tab.contributions(&file.name).await;
        assert!(contributions.len() >= FEWEST_SOURCES, "a tab fetched from {contributions:?}");
    }
    for (command, into) in commands.iter_mut().zip(&folders) {
        let complete = command.complete().await;
        file.assert_arrived(&into.join(&file.name));
        let sources = &complete.sources;
        assert!(sources.len() >= FEWEST_SOURCES, "a command fetched from {sources:?}");
        assert!(sources.iter().all(|(_, bytes)| *bytes > 0), "{sources:?}");
        assert_eq!(sources.iter().map(|(_, bytes)| bytes).sum::<u64>(), file.size, "{sources:?}");
        assert!(command.events().iter().all(|event| event["event"] != "banned"));
    }
    for browser in [&one, &other] {
        browser.assert_no_complaints().await;
    }
}
