//! Codes to be spoken, between commands and browsers:
//! - whoever is told the code has the same bytes as whoever opens the link;
//! - a wrong word is told at both ends, and the code is dead afterwards, whatever is entered then;
//! - a code that expired is told at both ends;
//! - another code can be made for the same room, by the command and by the page;
//! - the page completes words, and says what is wrong with a code before it is tried.

use serde_json::Value;
use tests::{Browser, BrowserKind, Page, Server, Shoal, turn_to_wait};

use crate::{MIB, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_leads_from_command_to_command_once() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("spoken of.bin", 3 * MIB + 1);
    let mut sender = Shoal::send(&server, &[&file.path], &["--code", "--until-received", "1"]);
    let link = sender.invite_link().await;
    let code = told(&sender.event("code").await, "code");
    let into = bench.folder("into");
    let mut receiver = receive(&code.replace('-', " ").to_uppercase(), &server, &into);
    assert_eq!(receiver.invite_link().await, link, "what goes on after an interruption");
    receiver.complete().await;
    receiver.success().await;
    file.assert_arrived(&into.join(&file.name));
    sender.event("code-tried").await;
    sender.event("code-taken").await;
    sender.success().await;

    let mut late = receive(&code, &server, &into);
    let error = fails(&mut late, 10).await;
    assert!(told(&error, "message").contains("ask for a new code"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_word_is_told_at_both_ends_and_another_code_can_be_made() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("guessed at.bin", MIB);
    let mut sender = Shoal::send(&server, &[&file.path], &["--code", "--until-received", "1"]);
    let link = sender.invite_link().await;
    let code = told(&sender.event("code").await, "code");
    let into = bench.folder("into");

    let error = fails(&mut receive(&with_a_wrong_word(&code), &server, &into), 10).await;
    assert_eq!(error["code"], "code");
    assert!(told(&error, "message").contains("not those of this code"), "{error}");
    sender.event("code-tried").await;
    let burnt = sender.event("code-burnt").await;
    assert_eq!(burnt["reason"], "wrong-words");

    // The right words come too late.
    fails(&mut receive(&code, &server, &into), 10).await;
    assert!(std::fs::read_dir(&into).expect("the folder is there").next().is_none());

    let mut another = Shoal::code(&link);
    let code = told(&another.event("code").await, "code");
    let mut receiver = receive(&code, &server, &into);
    receiver.complete().await;
    receiver.success().await;
    file.assert_arrived(&into.join(&file.name));
    another.event("code-taken").await;
    another.success().await;
    sender.success().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_expired_says_so() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::with(&["--code-life", "1"]).await;
    let file = bench.file("too late.bin", MIB);
    let mut sender = Shoal::send(&server, &[&file.path], &["--code"]);
    let code = told(&sender.event("code").await, "code");
    sender.event("code-expired").await;
    let error = fails(&mut receive(&code, &server, &bench.folder("into")), 10).await;
    assert!(told(&error, "message").contains("expired"), "{error}");

    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.join(&code).await;
    page.says("it may have expired").await;
    page.close().await;
    let page = browser.open(server.url()).await;
    page.choose_files(&[&file.path]).await;
    page.press("Show a code").await;
    page.says("The code has expired; make a new one.").await;
    browser.assert_no_complaints().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_leads_from_the_command_to_chromium() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("to a tab.bin", 2 * MIB + 7);
    let mut sender = Shoal::send(&server, &[&file.path], &["--code", "--until-received", "1"]);
    let code = told(&sender.event("code").await, "code");
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.join(&code).await;
    receives(&page, &file).await;
    sender.event("code-taken").await;
    sender.success().await;
    // It is in the room as if by the link.
    page.reload().await;
    page.article(&file.name).await;
    browser.assert_no_complaints().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_leads_from_firefox_to_chromium_after_one_was_burnt() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("between tabs.bin", MIB + 3);
    let firefox = Browser::start(BrowserKind::Firefox).await;
    let shared = firefox.open(server.url()).await;
    shared.choose_files(&[&file.path]).await;
    shared.press("Show a code").await;
    let code = shared.code().await;
    shared.says("Good for another").await;

    let chromium = Browser::start(BrowserKind::Chromium).await;
    let page = chromium.open(server.url()).await;
    let [head, _] = split_last_word(&code);
    page.join(&format!("{head}-xyz")).await;
    page.says("No code has a word that begins with \"xyz\"").await;
    page.close().await;

    let page = chromium.open(server.url()).await;
    page.join(&with_a_wrong_word(&code)).await;
    page.says("The words are not those of this code").await;
    shared.says("Somebody entered wrong words, so the code is used up").await;
    page.close().await;

    let page = chromium.open(server.url()).await;
    page.join(&code).await;
    page.says("ask for a new code").await;
    page.close().await;

    shared.press("New code").await;
    let another = shared.code().await;
    assert_ne!(another, code);
    let page = chromium.open(server.url()).await;
    completes(&page, &another).await;
    page.press("Join").await;
    receives(&page, &file).await;
    shared.says("The code was used").await;
    firefox.assert_no_complaints().await;
    chromium.assert_no_complaints().await;
}

/// Types a code but for the end of its last word, and sees it completed.
async fn completes(page: &Page<'_>, code: &str) {
    let [head, word] = split_last_word(code);
    page.type_invite(&format!("{head}-{}", &word[..word.len().min(4) - 1])).await;
    let completion = format!("option[value=\"{code}\"]");
    let script = format!("return document.querySelector({completion:?}) && 1");
    page.until("the code among the completions", &script).await;
    page.type_invite(&word[word.len().min(4) - 1..]).await;
}

async fn receives(page: &Page<'_>, file: &crate::Made) {
    page.article(&file.name).await;
    page.press_on(&file.name, "Receive").await;
    page.complete(&file.name).await;
    file.assert_arrived(&page.browser().downloaded(&file.name, file.size).await);
}

fn receive(code: &str, server: &Server, into: &std::path::Path) -> Shoal {
    Shoal::receive(code, into, &["--server", server.url()])
}

/// Waits for the command to end with this code, and gives the error it told.
async fn fails(shoal: &mut Shoal, code: i32) -> Value {
    let error = shoal.event("error").await;
    let status = shoal.process.exit(tests::wait::SOON).await;
    assert_eq!(status.code(), Some(code), "{error}");
    error
}

fn told(event: &Value, field: &str) -> String {
    event[field].as_str().unwrap_or_else(|| panic!("no {field} in {event}")).to_owned()
}

fn split_last_word(code: &str) -> [&str; 2] {
    let (head, word) = code.rsplit_once('-').expect("a code has words");
    [head, word]
}

/// The same code with another last word.
fn with_a_wrong_word(code: &str) -> String {
    let [head, word] = split_last_word(code);
    format!("{head}-{}", if word == "lamp" { "otter" } else { "lamp" })
}
