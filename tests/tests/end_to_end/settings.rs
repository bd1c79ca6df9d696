//! The controls: what is set holds at once, after a reload, and until it is set back:
//! - switching receiving off stops what is under way, and on again goes on;
//! - the name is what others see; a fresh key makes somebody new of the same browser, who stays the same
//!   after a reload;
//! - somebody can be capped, disconnected and connected again, and be taken off the list of people;
//! - the light or the dark look is there before the program is.

use serde_json::Value;
use tests::{Browser, BrowserKind, Page, Server, Shoal, turn_to_wait};

use crate::{MIB, PIECE, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_in_chromium_holds_at_once_and_after_a_reload() {
    what_is_set_holds(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_in_firefox_holds_at_once_and_after_a_reload() {
    what_is_set_holds(BrowserKind::Firefox).await;
}

async fn what_is_set_holds(kind: BrowserKind) {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(kind).await;
    let file = bench.file("under way.bin", 12 * MIB);
    let mut sender = Shoal::send(&server, &[&file.path], &["--upload-limit", "1MiB"]);
    let page = browser.open(&sender.invite_link().await).await;
    page.press_on(&file.name, "Receive").await;
    let moves = |article: &tests::page::Article| article.progress.is_some_and(|it| it >= 1.0);
    page.article_where(&file.name, "under way", moves).await;

    page.press("Settings").await;
    page.keep_picture("settings").await;
    page.switch("Receive", false).await;
    let says = |what: &'static str| {
        move |article: &tests::page::Article| article.texts.iter().any(|text| text == what)
    };
    page.article_where(&file.name, "stopped", says("Receiving is off")).await;
    page.fill("Name of this device", "  Anna's telephone ").await;
    page.fill("Connections at once", "500").await;
    assert_eq!(page.written("Connections at once").await, "128");
    page.fill("Send at most (MB/s)", "0.5").await;
    page.choose_from("Light or dark", "Dark").await;
    const PAPER: &str = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(page.execute(PAPER).await, "rgb(7, 24, 30)");

    page.reload().await;
    page.says("Anna's telephone").await;
    let named = |event: &Value| event["name"] == "Anna's telephone";
    sender.event_where("peer-connected", named).await;
    assert_eq!(page.execute(PAPER).await, "rgb(7, 24, 30)");
    let first = "return document.documentElement.dataset.theme";
    assert_eq!(page.execute(first).await, "dark");
    page.press("Settings").await;
    assert!(!page.is_on("Receive").await);
    assert!(page.is_on("Serve on for others").await);
    assert_eq!(page.written("Name of this device").await, "Anna's telephone");
    assert_eq!(page.written("Send at most (MB/s)").await, "0.5");
    page.says("Your name: Anna's telephone.").await;
    page.says("In all: ").await;

    page.press("Set everything back").await;
    assert!(page.is_on("Receive").await);
    assert_eq!(page.written("Send at most (MB/s)").await, "");
    page.press("Close").await;
    page.press_on(&file.name, "Resume").await;
    page.complete(&file.name).await;
    assert_eq!(page.execute(first).await, Value::Null);
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_capped_disconnected_and_forgotten_one_by_one() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.choose_files(&[&bench.file("for members.bin", PIECE).path]).await;
    let link = page.invite_link().await;
    let mut anna = Shoal::receive(&link, &bench.path("anna"), &["--stay", "--name", "Anna"]);
    let met = anna.event("peer-connected").await;
    let before = met["key"].clone();
    anna.complete().await;

    open_person(&page, "Anna").await;
    page.keep_picture("person").await;
    page.fill("Send them at most (MB/s)", "2").await;
    page.press("Trust").await;
    page.says("trusted").await;
    open_person(&page, "Anna").await;
    assert_eq!(page.written("Send them at most (MB/s)").await, "2");
    page.press("Disconnect").await;
    anna.event("peer-gone").await;
    page.press("Disconnect").await;
    anna.event("peer-connected").await;

    page.press("Settings").await;
    page.press("Forget Anna").await;
    page.says("Nobody yet.").await;
    page.switch("Be somebody new in every room", true).await;
    page.press("Close").await;
    page.press("Leave").await;
    page.choose_files(&[&bench.file("from somebody new.bin", PIECE).path]).await;
    let link = page.invite_link().await;
    let mut bert = Shoal::receive(&link, &bench.path("bert"), &["--stay", "--name", "Bert"]);
    let fresh = bert.event("peer-connected").await["key"].clone();
    assert!(fresh.is_string() && fresh != before, "the same key: {fresh} and {before}");
    page.reload().await;
    assert_eq!(bert.event("peer-connected").await["key"], fresh, "a key for each load");
}

async fn open_person(page: &Page<'_>, name: &str) {
    let script = format!(
        "const li = [...document.querySelectorAll('li')]
             .find(li => li.querySelector('bdi')?.textContent === {name:?});
         const details = li?.querySelector('details');
         if (!details) return null;
         return details.open = true;"
    );
    page.until(&format!("the details of {name}"), &script).await;
}
