//! Whatever the page waits for has a name, a timer and something that helps:
//! - an invite that was cut off is refused with a sentence, and an empty room says what may be wrong;
//! - a paused share says who paused it, for how long, and goes on when it is resumed;
//! - a server that is gone is named, with the time of the next try, while what is under way goes on;
//! - the device is kept awake while something moves, and only then.

use tests::page::Article;
use tests::{Browser, BrowserKind, Server, Shoal, turn_to_wait};

use crate::{MIB, Workbench, link_to_an_empty_room};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_waited_for_has_a_name_a_timer_and_something_that_helps() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let (_, link) = link_to_an_empty_room(&server);
    let empty = browser.open(&link).await;
    let cut_off = browser.open(&link[..link.len() - 5]).await;
    cut_off.says("The invite is incomplete or damaged").await;
    cut_off.close().await;

    // So large that it is not over before the end.
    let file = bench.file("waits.bin", 96 * MIB);
    let mut sender = Shoal::send(&server, &[&file.path], &["--upload-limit", "2MiB"]);
    let page = browser.open(&sender.invite_link().await).await;
    page.run_at_every_load(COUNT_LOCKS).await;
    page.reload().await;
    page.article(&file.name).await;
    assert_eq!(page.execute("return window.locks").await, 0, "awake though nothing moves");
    page.press_on(&file.name, "Receive").await;
    page.until("the device to be kept awake", "return window.locks === 1 || null").await;
    page.press_on(&file.name, "Pause").await;
    let paused = |article: &Article| {
        let says = |what: &str| article.text.contains(what);
        says("Paused") && says("You paused it.") && says("For ")
    };
    page.article_where(&file.name, "paused, and to say since when", paused).await;
    page.until("the device to be let sleep", "return window.locks === 0 || null").await;
    page.press_on(&file.name, "Resume").await;
    page.until("the device to be kept awake again", "return window.locks === 1 || null").await;

    // The room of nobody says more after a while.
    empty.says("Still nobody here.").await;
    server.stop().await;
    for page in [&empty, &page] {
        page.says("Server lost").await;
        page.says("ext try in").await;
        page.press("Try now").await;
    }
    let before = page.article(&file.name).await.progress;
    page.article_where(&file.name, "further on, without a server", |now| now.progress > before)
        .await;
}

/// Counts the screen wake locks that the page holds.
const COUNT_LOCKS: &str = "
    window.locks = 0;
    navigator.wakeLock.request = async () => {
        window.locks += 1;
        return { release: async () => { window.locks -= 1; } };
    };";
