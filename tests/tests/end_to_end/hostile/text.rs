//! Text that a hostile server sends is text wherever it is shown: it drives no terminal, runs in no page,
//! and does not fill either.

use tests::process::Process;
use tests::wait::SOON;
use tests::{Behaviour, Browser, BrowserKind, Hostile, Server, programs, turn, turn_to_wait};

use super::native::link_to_nowhere;
use crate::Workbench;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_does_not_drive_the_terminal_or_fill_it() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    for behaviour in [Behaviour::RefuseWithMarkup, Behaviour::RefuseAtLength] {
        let hostile = Hostile::start(behaviour, &server).await;
        let link = link_to_nowhere(&hostile, &server);
        let mut command = Process::command(programs::ours("shoal"));
        command.args(["receive", &link, "-o"]).arg(bench.folder(&format!("{behaviour:?}")));
        command.arg("--config-dir").arg(bench.path("config"));
        let mut shoal = Process::start("shoal receive", &mut command);
        assert_eq!(shoal.exit(SOON).await.code(), Some(5));
        let refused = shoal
            .err
            .find(SOON, |line| line.contains("the server refused").then(|| line.to_owned()));
        let refused = refused.await.expect("it says that the server refused");
        assert!(refused.chars().count() < 400, "too long: {refused}");
        for line in shoal.err.all().iter().chain(&shoal.out.all()) {
            assert!(!line.chars().any(char::is_control), "it drives the terminal: {line:?}");
            assert!(!line.contains('\u{202e}'), "it turns the line around: {line:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_is_no_markup_in_the_page() {
    let _turn = turn().await;
    let server = Server::start().await;
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let browser = Browser::start(kind).await;
        let hostile = Hostile::start(Behaviour::RefuseWithMarkup, &server).await;
        let page = browser.open(&link_to_nowhere(&hostile, &server)).await;
        page.says("<img src=x").await;
        page.says("<script>").await;
        let made = page.execute("return document.querySelectorAll('[src=x]').length").await;
        assert_eq!(made, 0, "it became elements");
        let title = page.execute("return document.title").await;
        assert_ne!(title, "owned", "it ran");
        browser.assert_no_complaints().await;
    }
}
