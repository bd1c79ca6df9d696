//! A share of 20 000 files in the page: how long it takes from the click on its details until its files are
//! listed and drawn, and the longest that one frame takes while they are scrolled through.

use serde_json::Value;
use tempfile::TempDir;
use tests::{Browser, BrowserKind, Server, Shoal};

use crate::{Report, small_files};

/// What is promised, in seconds; and a frame beyond this is seen as a stop.
const MAX_OPEN: f64 = 1.0;
const MAX_FRAME: f64 = 0.1;

/// Clicks, waits until rows are drawn, opens all folders, and scrolls from the first row to the last.
const MEASURE: &str = "
    const frame = () => new Promise(requestAnimationFrame);
    (async () => {
        const start = performance.now();
        document.querySelector('article summary').click();
        while (!document.querySelector('[role=treeitem]')) await frame();
        await frame();
        const open = performance.now() - start;
        [...document.querySelectorAll('button')].find(it => it.textContent === 'Open folders').click();
        await frame();
        await frame();
        const tree = document.querySelector('[role=tree]');
        const steps = 200;
        const step = tree.scrollHeight / steps;
        let longest = 0, before = performance.now();
        for (let i = 0; i <= steps; i++) {
            tree.scrollTop = i * step;
            await frame();
            const now = performance.now();
            longest = Math.max(longest, now - before);
            before = now;
        }
        const last = [...document.querySelectorAll('[role=treeitem]')].at(-1).title;
        window.measured = { open: open / 1000, longest: longest / 1000, last };
    })();";

pub(crate) async fn run(report: &mut Report) {
    let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
    let many = folder.path().join("many");
    small_files::make_many(&many);
    let server = Server::start().await;
    let mut sender = Shoal::send(&server, &[&many], &[]);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&sender.invite_link().await).await;
    page.article("many").await;
    page.execute(MEASURE).await;
    let measured = page.until("the last row", "return window.measured ?? null").await;
    let last = measured["last"].as_str().unwrap_or_default();
    assert!(last.starts_with("many/part 99/"), "the last row is {last:?}");
    let seconds = |value: &Value| value.as_f64().expect("it is measured");
    report.at_most("20 000 files: seconds until listed", seconds(&measured["open"]), MAX_OPEN);
    let longest = seconds(&measured["longest"]);
    report.at_most("20 000 files: longest frame of scrolling, s", longest, MAX_FRAME);
}
