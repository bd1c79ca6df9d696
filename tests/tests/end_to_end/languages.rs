//! The page speaks the language of whoever opens it:
//! - the one that their browser asks for, from the first paint on, in its direction and with its digits;
//! - another as soon as they choose it, in the room they are in, and from then on;
//! - causes from the core and from the server are in that language too;
//! - a language that cannot be fetched is told, and the page goes on in the one before.

use tests::{Browser, BrowserKind, Page, Server, turn_to_wait};

use crate::{MIB, Workbench};

const LANGUAGE_AND_DIRECTION: &str = "
    const { lang, dir } = document.documentElement;
    return `${lang} ${dir} ${getComputedStyle(document.body).direction}`;";

async fn speaks(page: &Page<'_>, wanted: &str) {
    let found = page.execute(LANGUAGE_AND_DIRECTION).await;
    assert_eq!(found, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_speaks_what_the_browser_asks_for() {
    let _turn = turn_to_wait().await;
    let server = Server::start().await;
    let chromium = Browser::start(BrowserKind::Chromium).await;
    let page = chromium.open(server.url()).await;
    speaks(&page, "en ltr ltr").await;
    for (asked, spoken, headline) in [
        ("es-AR,en", "es ltr ltr", "Archivos, directos"),
        ("pt,fr-CA,en", "fr ltr ltr", "Vos fichiers"),
        ("de", "de ltr ltr", "Dateien, geradewegs"),
        ("zh-CN", "zh-Hans ltr ltr", "文件直达"),
        ("ar-EG,en", "ar rtl rtl", "ملفاتك"),
        ("pt", "en ltr ltr", "Files, straight"),
    ] {
        page.ask_for_languages(asked).await;
        page.reload().await;
        page.says(headline).await;
        speaks(&page, spoken).await;
    }

    // An invite that is no good: the cause is the core's.
    page.ask_for_languages("de").await;
    page.reload().await;
    page.says("Bist du eingeladen?").await;
    page.execute("location.hash = '#ASoqKioq'").await;
    page.says("Die Einladung ist unvollständig oder beschädigt; kopiere den ganzen Link").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_language_is_spoken_at_once_and_remembered() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let browser = Browser::start(kind).await;
        let file = bench.file(&format!("{kind:?}.bin"), 2 * MIB);
        let origin = browser.open(server.url()).await;
        origin.choose_files(&[&file.path]).await;
        let page = browser.open(&origin.invite_link().await).await;
        page.article(&file.name).await;
        page.choose_language("ar").await;
        speaks(&page, "ar rtl rtl").await;
        let stays = "return document.activeElement.id === 'language' || null";
        page.until("the keyboard to be where it was", stays).await;
        let card = page.article(&file.name).await;
        assert!(card.text.contains("٢٫١\u{a0}م.ب"), "its size in Arabic: {}", card.text);
        page.press_on(&file.name, "استلام").await;
        page.says("مكتمل").await;
        file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
        // The room is the same one, with the same people in it.
        origin.says("received by 1").await;

        page.reload().await;
        page.says("ملفات هذه الغرفة").await;
        page.choose_language("zh-Hans").await;
        page.says("房间里的文件").await;
        speaks(&page, "zh-Hans ltr ltr").await;
        page.choose_language("en").await;
        page.says("Files in this room").await;
        page.choose_language("ar").await;
        page.close().await;
        // The other tab is of the same browser: from its next load on it speaks that too.
        speaks(&origin, "en ltr ltr").await;
        origin.choose_language("en").await;
        browser.assert_no_complaints().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_that_cannot_be_fetched_is_told() {
    let _turn = turn_to_wait().await;
    let server = Server::start().await;
    let chromium = Browser::start(BrowserKind::Chromium).await;
    let page = chromium.open(server.url()).await;
    page.choose_language("fr").await;
    server.stop().await;
    let choose = "
        const choice = document.getElementById('language');
        choice.value = 'es';
        choice.dispatchEvent(new Event('change', { bubbles: true }));";
    page.execute(choose).await;
    page.says("Impossible de charger \u{2068}Español\u{2069}").await;
    speaks(&page, "fr ltr ltr").await;
    let shown = page.execute("return document.getElementById('language').value").await;
    assert_eq!(shown, "fr", "the choice shows what is spoken");
}
