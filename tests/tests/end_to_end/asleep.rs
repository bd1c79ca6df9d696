//! A tab that the browser put to sleep in mid-transfer, page and worker, goes on by itself when it is woken
//! (`--long`: after 60 s).

use std::time::Duration;

use tests::page::Article;
use tests::{Browser, BrowserKind, Server, Shoal, is_long, turn};

use crate::{MIB, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_slept_goes_on_by_itself() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("asleep.bin", 12 * MIB);
    let limit = ["--until-received", "1", "--upload-limit", "4MiB"];
    let mut sender = Shoal::send(&server, &[&file.path], &limit);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&sender.invite_link().await).await;
    page.execute("document.addEventListener('resume', () => window.slept = true)").await;
    page.press_on(&file.name, "Receive").await;
    let some = |article: &Article| article.progress.is_some_and(|now| now >= 20.0);
    let article = page.article_where(&file.name, "there in part", some).await;
    assert!(!article.is_complete(), "it was over before it could be put to sleep");

    page.freeze().await;
    // The sleep itself is what is tested.
    tokio::time::sleep(Duration::from_secs(if is_long() { 60 } else { 8 })).await;
    page.thaw().await;
    assert_eq!(page.execute("return window.slept ?? false").await, true, "it never slept");
    page.complete(&file.name).await;
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
    sender.success().await;
}
