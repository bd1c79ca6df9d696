//! The page as a program of its own:
//! - it can be installed, and starts without its server; what it keeps for that is its own files, and no link;
//! - what the system shares to it becomes a share;
//! - the rooms that it was in are on the first screen, with what is unfinished, and can be resumed and
//!   forgotten;
//! - a QR code that the camera sees leads into its room;
//! - while nobody looks, notifications tell what happens, once people have asked for that;
//! - the title and the icon of the tab show progress.

use tests::{Browser, BrowserKind, Page, Server, Shoal, turn};

use crate::{MIB, PIECE, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn chromium_can_install_the_page_and_starts_it_without_its_server() {
    let _turn = turn().await;
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.kept_files().await;
    assert_eq!(page.hindrances().await, Vec::<serde_json::Value>::new());
    starts_without_its_server(&browser, page, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn firefox_starts_the_page_without_its_server() {
    let _turn = turn().await;
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Firefox).await;
    let page = browser.open(server.url()).await;
    starts_without_its_server(&browser, page, &server).await;
}

async fn starts_without_its_server(browser: &Browser, page: Page<'_>, server: &Server) {
    // In a room, whose link must not be kept.
    let bench = Workbench::new();
    page.choose_files(&[&bench.file("kept from nobody.bin", PIECE).path]).await;
    let link = page.invite_link().await;
    let kept = page.kept_files().await;
    for name in
        ["/room.js", "/room_bg.wasm", "/worker.js", "/worker_bg.wasm", "/manifest.webmanifest"]
    {
        assert!(kept.iter().any(|path| path == name), "{name} is not kept: {kept:?}");
    }
    assert!(kept.iter().any(|path| path.ends_with("_bg.wasm") && path.starts_with("/home-")));
    let secret = link.split_once('#').expect("a link has a fragment").1;
    assert!(kept.iter().all(|path| !path.contains(secret) && !path.contains('?')), "{kept:?}");

    page.close().await;
    server.kill_now();
    let page = browser.open(server.url()).await;
    page.says("Files, straight to the people you mean.").await;
    page.until("the page's program", "return window.wasmBindings ? true : null").await;
    // Its worker starts too: the page says what is missing.
    page.join(&link).await;
    page.says("Try now").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_system_shares_to_the_page_becomes_a_share() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.kept_files().await;
    // As Android's dialog does it. No script of the page may post a form: its policy is out of force here.
    page.run_at_every_load("").await;
    page.reload().await;
    page.execute(
        "const form = document.createElement('form');
         Object.assign(form, { method: 'POST', action: '/share-target', enctype: 'multipart/form-data' });
         const input = document.createElement('input');
         Object.assign(input, { type: 'file', name: 'files', multiple: true });
         const files = new DataTransfer();
         files.items.add(new File(['holiday'], 'photo.jpg', { type: 'image/jpeg' }));
         files.items.add(new File(['holiday too'], 'photo.jpg', { type: 'image/jpeg' }));
         input.files = files.files;
         form.append(input);
         document.body.append(form);
         form.submit();",
    )
    .await;
    page.article("2 files").await;
    let link = page.invite_link().await;
    assert!(!link.contains('?'), "the link leads to what was given once: {link}");
    let mut receiver = Shoal::receive(&link, &bench.path("received"), &[]);
    receiver.complete().await;
    let read = |name: &str| std::fs::read_to_string(bench.path("received").join(name)).ok();
    assert_eq!(read("photo.jpg").as_deref(), Some("holiday"));
    assert_eq!(
        read("photo (1).jpg").or_else(|| read("photo (2).jpg")).as_deref(),
        Some("holiday too")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_screen_leads_back_to_what_is_unfinished_and_forgets_it() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let file = bench.file("long film.mkv", 12 * MIB);
    let mut sender = Shoal::send(&server, &[&file.path], &["--upload-limit", "2MiB"]);
    let link = sender.invite_link().await;
    let page = browser.open(server.url()).await;

    // By the camera: a stand-in for what the browser makes of its picture.
    let camera = format!(
        "window.BarcodeDetector = class {{
             async detect(video) {{ return video.videoWidth ? [{{ rawValue: {link:?} }}] : []; }}
         }};
         navigator.mediaDevices.getUserMedia = async () => {{
             const canvas = document.createElement('canvas');
             canvas.getContext('2d').fillRect(0, 0, 9, 9);
             return window.camera = canvas.captureStream(5);
         }};"
    );
    page.run_at_every_load(&camera).await;
    page.reload().await;
    page.press("Scan a QR code").await;
    page.article(&file.name).await;
    let ended = "return window.camera.getTracks().every(it => it.readyState === 'ended') || null";
    page.until("the camera to be off", ended).await;

    let icon = "return document.querySelector('link[rel=icon]').getAttribute('href')";
    let usual = page.execute(icon).await;
    page.press_on(&file.name, "Receive").await;
    page.until("the title to show progress", "return /^[1-9]\\d?%/.test(document.title) || null")
        .await;
    page.until(
        "the icon to show progress",
        "return document.querySelector('link[rel=icon]').href.includes('/progress/') || null",
    )
    .await;
    page.press("Leave").await;
    page.says("Where you were").await;
    page.says(&file.name).await;
    page.until("the title to be usual", "return document.title === 'Shoal' || null").await;
    assert_eq!(page.execute(icon).await, usual);

    page.reload().await;
    page.keep_picture("recent").await;
    page.press(&format!("Resume: {}", file.name)).await;
    page.complete(&file.name).await;
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);

    page.press("Leave").await;
    page.says("Enter").await;
    assert!(!page.text().await.contains("% here"), "it is not unfinished any more");
    page.press(&format!("Enter again: {}", file.name)).await;
    page.article(&file.name).await;
    page.press("Leave").await;
    page.press(&format!("Forget: {}", file.name)).await;
    page.reload().await;
    page.says("Were you invited?").await;
    page.until("the page's program", "return window.wasmBindings ? true : null").await;
    assert!(!page.text().await.contains("Where you were"));
    let kept = page.execute("return JSON.stringify({ ...localStorage })").await.to_string();
    let secret = link.split_once('#').expect("a link has a fragment").1;
    assert!(!kept.contains(secret), "the room is not forgotten: {kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_nobody_sees_notifies_once_it_was_asked_to() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.kept_files().await;
    page.choose_files(&[&bench.file("news.txt", PIECE).path]).await;
    let link = page.invite_link().await;
    page.allow_notifications().await;
    page.press("Settings").await;
    page.switch("Notify me while I look elsewhere", true).await;
    page.press("Close").await;
    page.client().await.minimize_window().await.expect("a window can be minimised");
    page.until("nobody to see the page", "return document.hidden || null").await;
    let mut receiver = Shoal::receive(&link, &bench.path("received"), &["--name", "Anna"]);
    receiver.complete().await;
    page.notified("Anna is here").await;
    page.notified("Anna has received news.txt").await;
}
