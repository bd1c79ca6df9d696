//! Behaviours between a command and Chromium, and between Chromium and Firefox. The browsers stay; each
//! behaviour gets fresh tabs, at an address of its own and so with a store of its own.

use tests::page::Page;
use tests::wait::{SOON, until};
use tests::{Behaviour, Browser, BrowserKind, is_long, turn};

use super::expected::{self, Outcome, Told};
use super::native::link_to_nowhere;
use super::{PATIENCE_WITH_PAGES, Setting};
use crate::Made;

/// How many behaviours are tried at once.
const SIDE_BY_SIDE: usize = 3;
/// Who is not let in has tried so often before that counts.
const ATTEMPTS: u64 = 2;
/// Those that differ most in what a browser has to do about them.
const SOME: [Behaviour; 9] = [
    Behaviour::Replay,
    Behaviour::FlipBits,
    Behaviour::Splice,
    Behaviour::Withhold,
    Behaviour::RepeatedJoins,
    Behaviour::Binary,
    Behaviour::RefuseWithMarkup,
    Behaviour::NonsenseIceServers,
    Behaviour::ManyIceServers,
];

fn behaviours() -> &'static [Behaviour] {
    if is_long() { &Behaviour::ALL } else { &SOME }
}

#[tokio::test(flavor = "multi_thread")]
async fn between_a_command_and_chromium_a_hostile_server_achieves_nothing() {
    let _turn = turn().await;
    let setting = Setting::new("command and Chromium", PATIENCE_WITH_PAGES).await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let attempt = async |setting: &Setting, behaviour| {
        from_command_to_page(setting, &browser, behaviour).await;
    };
    setting.all(behaviours(), SIDE_BY_SIDE, attempt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_chromium_and_firefox_a_hostile_server_achieves_nothing() {
    let _turn = turn().await;
    let setting = Setting::new("Chromium and Firefox", PATIENCE_WITH_PAGES).await;
    let chromium = Browser::start(BrowserKind::Chromium).await;
    let firefox = Browser::start(BrowserKind::Firefox).await;
    let attempt = async |setting: &Setting, behaviour| {
        from_page_to_page(setting, &chromium, &firefox, behaviour).await;
    };
    setting.all(behaviours(), SIDE_BY_SIDE, attempt).await;
}

async fn from_command_to_page(setting: &Setting, browser: &Browser, behaviour: Behaviour) {
    let (hostile, _strangers) = setting.hostile(behaviour).await;
    let file = setting.file(behaviour);
    let mut sender = setting.sender(behaviour, &hostile, &file);
    let link = match sender.invite_link_unless_it_fails().await {
        Some(link) => link,
        None => link_to_nowhere(&hostile, &setting.server),
    };
    let page = browser.open(&link).await;
    match expected::outcome(behaviour) {
        Outcome::Harmless => {
            assert_received(&page, &file).await;
            sender.success().await;
        }
        Outcome::Refused(told) => {
            assert_told(&page, told).await;
            let status = sender.process.exit(SOON).await;
            assert_eq!(status.code(), Some(told.exit_code()), "of the sender");
            assert_nothing_arrived(&page).await;
        }
    }
    let is_ours = |name: &str| !name.contains("stranger");
    for event in sender.events().iter().filter(|event| event["event"] == "peer-connected") {
        assert!(event["name"].as_str().is_some_and(is_ours), "a stranger: {event}");
    }
    let misdeeds = hostile.misdeeds();
    assert_eq!(misdeeds > 0, behaviour != Behaviour::Honest, "{misdeeds} misdeeds");
    page.close().await;
}

async fn from_page_to_page(
    setting: &Setting,
    chromium: &Browser,
    firefox: &Browser,
    behaviour: Behaviour,
) {
    let (mut hostile, _strangers) = setting.hostile(behaviour).await;
    let file = setting.file(behaviour);
    let sender = chromium.open(hostile.url()).await;
    sender.choose_files(&[&file.path]).await;
    let outcome = expected::outcome(behaviour);
    let link = match outcome {
        Outcome::Refused(Told::NoServer | Told::TurnedAway) => {
            link_to_nowhere(&hostile, &setting.server)
        }
        _ => sender.invite_link().await,
    };
    let receiver = firefox.open(&link).await;
    match outcome {
        Outcome::Harmless => {
            if behaviour.takes_its_time() {
                // A page has no rate to keep to: it would be done before.
                hostile.has_misbehaved(1, SOON).await;
            }
            assert_received(&receiver, &file).await;
        }
        Outcome::Refused(told) => {
            assert_told(&receiver, told).await;
            hostile.has_misbehaved(ATTEMPTS, SOON).await;
            assert_nothing_arrived(&receiver).await;
        }
    }
    let misdeeds = hostile.misdeeds();
    assert_eq!(misdeeds > 0, behaviour != Behaviour::Honest, "{misdeeds} misdeeds");
    receiver.close().await;
    sender.close().await;
}

async fn assert_received(page: &Page<'_>, file: &Made) {
    page.article(&file.name).await;
    let shelf = page.shelf().await;
    assert_eq!(shelf.len(), 1, "more is on the shelf than was shared: {shelf:?}");
    page.press_on(&file.name, "Receive").await;
    page.complete(&file.name).await;
    file.assert_arrived(&page.browser().downloaded(&file.name, file.size).await);
}

async fn assert_told(page: &Page<'_>, told: Told) {
    let texts = told.on_the_page();
    until(&format!("the page to say one of {texts:?}"), SOON, async || {
        let text = page.text().await;
        texts.iter().any(|it| text.contains(it)).then_some(())
    })
    .await;
}

async fn assert_nothing_arrived(page: &Page<'_>) {
    let shelf = page.shelf().await;
    assert!(shelf.is_empty(), "something is on the shelf: {shelf:?}");
}
