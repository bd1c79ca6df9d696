//! Nobody is kept from using the page:
//! - axe-core finds nothing wrong with any screen in light, in dark, from right to left, and in colours of
//!   people's own;
//! - with the keyboard alone one gets from the home screen to a saved file, and always sees where one is;
//! - at a width of 320 pixels nothing lies beyond the edge, in the languages with the longest words and
//!   from right to left;
//! - what a screen reader reads out by itself during a transfer is a few short texts.

use fantoccini::key::Key;
use tests::{Browser, BrowserKind, Page, Server, turn};

use crate::{MIB, Workbench};

/// How people may have set their system: a name, and media features.
const LOOKS: [(&str, &[(&str, &str)]); 3] = [
    ("light", &[("prefers-color-scheme", "light")]),
    ("dark", &[("prefers-color-scheme", "dark")]),
    ("forced", &[("prefers-color-scheme", "dark"), ("forced-colors", "active")]),
];

/// What was found wrong, and where.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    /// Has axe-core look at what is shown, in every look and in Arabic.
    async fn of_screen(&mut self, page: &Page<'_>, screen: &str) {
        for (look, features) in LOOKS {
            page.prefer(features).await;
            page.unfold().await;
            self.look(page, &format!("{screen}-{look}")).await;
        }
        page.choose_language("ar").await;
        for (look, features) in &LOOKS[..2] {
            page.prefer(features).await;
            page.unfold().await;
            self.look(page, &format!("{screen}-arabic-{look}")).await;
        }
        page.choose_language("en").await;
        page.prefer(&[]).await;
    }

    /// The same for the controls, which are opened and closed by buttons of these names.
    async fn of_controls(&mut self, page: &Page<'_>) {
        for (language, open, close) in [("en", "Settings", "Close"), ("ar", "الإعدادات", "إغلاق")]
        {
            page.choose_language(language).await;
            page.press(open).await;
            for (look, features) in LOOKS {
                page.prefer(features).await;
                self.look(page, &format!("controls-{language}-{look}")).await;
            }
            page.press(close).await;
        }
        page.choose_language("en").await;
        page.prefer(&[]).await;
    }

    async fn look(&mut self, page: &Page<'_>, screen: &str) {
        page.keep_picture(screen).await;
        let found = page.violations().await;
        self.0.extend(found.into_iter().map(|it| format!("{screen}: {it}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_wrong_with_any_screen() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let chromium = Browser::start(BrowserKind::Chromium).await;
    let photo = bench.file("holiday.jpg", MIB);
    let script = bench.file("install.sh", 1000);

    let mut findings = Findings::default();
    let origin = chromium.open(server.url()).await;
    findings.of_screen(&origin, "home").await;
    findings.of_controls(&origin).await;
    origin.join("nonsense").await;
    origin.says("neither a link nor a code").await;
    origin.choose_files(&[&photo.path, &script.path]).await;
    let link = origin.invite_link().await;
    origin.article("2 files").await;
    origin.press("Show a code").await;
    origin.code().await;
    let receiver = chromium.open(&link).await;
    receiver.article("2 files").await;
    receiver.says("same network").await;
    origin.says("same network").await;
    findings.of_screen(&origin, "own-room").await;
    origin.say("Look at these").await;
    receiver.says("Look at these").await;
    receiver.press_on("2 files", "Receive").await;
    receiver.complete("2 files").await;
    server.stop().await;
    receiver.says("Server lost").await;
    findings.of_screen(&receiver, "room").await;
    assert!(findings.0.is_empty(), "{:#?}", findings.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_leads_from_the_first_screen_to_a_saved_file() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let chromium = Browser::start(BrowserKind::Chromium).await;
    let file = bench.file("letter.txt", 1000);
    let origin = chromium.open(server.url()).await;
    origin.choose_files(&[&file.path]).await;
    let link = origin.invite_link().await;

    let page = chromium.open(server.url()).await;
    let mut way = page.tab_to("Invite link or code").await;
    let order = ["Choose files", "Choose folder", "Invite link or code"];
    let met: Vec<&str> = way.iter().map(|focus| &*focus.name).collect();
    let place = |name| met.iter().position(|met| *met == name);
    let places: Vec<_> = order.iter().map(|&name| place(name)).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "the order of Tab: {met:?}");
    page.type_invite(&link).await;
    page.key(Key::Enter).await;
    page.article(&file.name).await;
    way.extend(page.tab_to("Receive").await);
    page.key(Key::Enter).await;
    page.complete(&file.name).await;
    file.assert_arrived(&chromium.downloaded(&file.name, file.size).await);
    way.extend(page.tab_to("Details").await);
    page.key(Key::Enter).await;
    page.says("Files and their BLAKE3 hashes").await;
    way.extend(page.tab_to("Copy").await);
    way.extend(page.tab_to("Language").await);
    // Beyond the last one the keyboard is with the browser itself.
    let unseen: Vec<_> =
        way.iter().filter(|focus| focus.element != "body" && !focus.is_seen).collect();
    assert!(unseen.is_empty(), "nothing shows that the keyboard is here: {unseen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_lies_beyond_the_edge_of_a_screen_of_320_pixels() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let chromium = Browser::start(BrowserKind::Chromium).await;
    let long = bench.file(&format!("{}.tar.gz", "Donaudampfschifffahrt".repeat(8)), 1000);
    let page = chromium.open(server.url()).await;
    page.set_width(320).await;
    let mut beyond = Vec::new();
    let mut narrow = async |screen: &str| {
        for tag in ["en", "de", "fr", "ar"] {
            page.choose_language(tag).await;
            page.unfold().await;
            page.keep_picture(&format!("{screen}-{tag}")).await;
            let found = page.overhang().await;
            beyond.extend(found.into_iter().map(|it| format!("{screen} in {tag}: {it}")));
        }
        page.choose_language("en").await;
    };
    narrow("home").await;
    page.choose_files(&[&long.path]).await;
    page.article(&long.name).await;
    page.press("Show a code").await;
    page.code().await;
    narrow("room").await;
    assert!(beyond.is_empty(), "{beyond:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn little_is_read_out_during_a_transfer() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let chromium = Browser::start(BrowserKind::Chromium).await;
    let file = bench.file("film.mkv", 64 * MIB);
    let origin = chromium.open(server.url()).await;
    origin.choose_files(&[&file.path]).await;
    let page = chromium.open(&origin.invite_link().await).await;
    page.article(&file.name).await;
    page.listen().await;
    page.press_on(&file.name, "Receive").await;
    page.complete(&file.name).await;
    let heard = page.heard().await;
    assert!(heard.iter().any(|text| text == "Receiving"), "the beginning is not told: {heard:?}");
    assert!(heard.iter().any(|text| text == "Complete"), "the end is not told: {heard:?}");
    assert!(heard.len() <= 8, "a screen reader chatters: {heard:#?}");
    assert!(heard.iter().all(|text| text.len() < 100), "it reads out too much: {heard:#?}");
}
