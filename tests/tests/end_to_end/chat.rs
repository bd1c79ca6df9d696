//! What people say in a room:
//! - Chromium, Firefox and the command hear each other, each line once, with who said it;
//! - whoever comes later, or loads the page again, is told what was said;
//! - lines are text: markup does nothing, and an address is no link;
//! - what comes while nobody sees the chat is counted, and a picture pasted beside it is shared as a file.

use serde_json::Value;
use tests::page::Page;
use tests::wait::{SOON, until};
use tests::{Browser, BrowserKind, Server, Shoal, turn_to_wait};

use crate::{PIECE, Workbench};

/// As hostile as a line can be: it would run, load something, and lead away.
const MARKUP: &str = "<img src=x onerror=\"document.title='gone'\"> <a href=\"https://example.org/\">https://example.org/</a>";

#[tokio::test(flavor = "multi_thread")]
async fn browsers_and_the_command_hear_each_other_and_so_does_whoever_comes_later() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let chromium = Browser::start(BrowserKind::Chromium).await;
    let firefox = Browser::start(BrowserKind::Firefox).await;
    let file = bench.file("to talk about.bin", PIECE);
    let first = chromium.open(server.url()).await;
    first.choose_files(&[&file.path]).await;
    let link = first.invite_link().await;
    // With nobody there yet.
    first.say("hello\nfrom Chromium").await;

    let second = firefox.open(&link).await;
    heard(&second, &["hello\nfrom Chromium"]).await;
    second.say(MARKUP).await;
    let flags = ["--stay", "--name", "Anna", "--say", "from the command"];
    let mut command = Shoal::receive(&link, &bench.path("command"), &flags);
    let all = ["hello\nfrom Chromium", MARKUP, "from the command"];
    heard(&first, &all).await;
    heard(&second, &all).await;
    until("the command to hear all", SOON, async || told(&command, &all)).await;
    let by_anna = first.lines().await.pop().expect("there are lines");
    assert!(by_anna.head.starts_with("Anna"), "{by_anna:?}");
    let script = "return document.querySelectorAll('[role=log] :is(a, img)').length";
    assert_eq!(second.execute(script).await, 0);

    let mut late = Shoal::receive_saying(&link, &bench.path("late"), &["one", "two"]);
    let all = [&all[..], &["one", "two"]].concat();
    until("the late one to hear all", SOON, async || told(&late, &all)).await;
    late.complete().await;
    heard(&first, &all).await;
    first.keep_picture("chat").await;

    second.reload().await;
    until("what was said, after a reload", SOON, async || {
        (second.lines().await.len() == all.len()).then_some(())
    })
    .await;
    second.say("back").await;
    command.event_where("said", |said| said["text"] == "back").await;
    for page in [&first, &second] {
        page.browser().assert_no_complaints().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_sees_is_counted_and_a_pasted_picture_is_shared() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let file = bench.file("there.bin", PIECE);
    let page = browser.open(server.url()).await;
    page.choose_files(&[&file.path]).await;
    let link = page.invite_link().await;
    page.until("the chat", "return document.getElementById('chat') && true").await;
    page.execute("document.getElementById('chat').hidden = true").await;
    let _talks = Shoal::receive_saying(&link, &bench.path("talks"), &["one", "two"]);
    page.until("two new messages", &button("2 new messages")).await;
    page.until("their number on the tab", "return /^\\(2\\) /.test(document.title) || null").await;
    page.execute("document.getElementById('chat').hidden = false").await;
    page.press("2 new messages").await;
    page.until("them to be seen", "return /^\\(/.test(document.title) ? null : true").await;
    page.until(
        "no button",
        &format!("return (() => {{ {} }})() ? null : true", button("2 new messages")),
    )
    .await;

    // As a browser does for a screenshot on the clipboard.
    page.execute(
        "const clipboardData = new DataTransfer();
         clipboardData.items.add(new File(['picture'], 'image.png', { type: 'image/png' }));
         const field = document.querySelector('textarea');
         field.focus();
         field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));",
    )
    .await;
    until("the picture on the shelf", SOON, async || {
        let shelf = page.shelf().await;
        let picture = shelf.iter().find(|it| it.title.starts_with("Pasted 20"))?;
        picture.title.ends_with(".png").then_some(())
    })
    .await;
    browser.assert_no_complaints().await;
}

/// A script that gives whether there is a button of this name.
fn button(name: &str) -> String {
    format!(
        "return [...document.querySelectorAll('button')]
             .some(button => button.textContent.trim() === {}) || null;",
        Value::from(name)
    )
}

/// Whether a command told these lines, each once.
fn told(shoal: &Shoal, expected: &[&str]) -> Option<()> {
    let events = shoal.events().into_iter().filter(|event| event["event"] == "said");
    let said: Vec<Value> = events.collect();
    let has = |text: &str| said.iter().any(|event| event["text"] == text);
    (said.len() == expected.len() && expected.iter().all(|text| has(text))).then_some(())
}

/// Waits until a page shows these lines and no others, in this order.
async fn heard(page: &Page<'_>, expected: &[&str]) {
    until(&format!("the lines {expected:?}"), SOON, async || {
        let lines = page.lines().await;
        let texts = lines.iter().map(|line| &line.text[..]);
        texts.eq(expected.iter().copied()).then_some(())
    })
    .await;
}
