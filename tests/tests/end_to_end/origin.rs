//! Whoever shares can go, and come back:
//! - once the room holds one copy between three others, the origin's tab may be closed: all three finish;
//! - after a reload, files that Chromium remembers are shared on after one click;
//! - without that, and in Firefox, the same files chosen again are shared on, and one that has changed is
//!   refused by its name.

use tests::page::Article;
use tests::{Browser, BrowserKind, Server, Shoal, turn_to_wait};

use crate::{MIB, Workbench};

const SIZE: u64 = 12 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn all_finish_when_the_origin_leaves_one_copy_between_three_others() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("between three.bin", 24 * MIB);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let origin = browser.open(server.url()).await;
    origin.choose_files(&[&file.path]).await;
    let link = origin.invite_link().await;
    let folders = ["one", "two", "three"].map(|name| bench.folder(name));
    let limit = ["--stay", "--download-limit", "1536KiB"];
    let mut receivers = folders.each_ref().map(|into| Shoal::receive(&link, into, &limit));

    let may_close = |article: &Article| article.text.contains("you may close this tab");
    origin.article_where(&file.name, "in the room without its origin", may_close).await;
    let complete = |receiver: &Shoal| receiver.events().iter().any(|it| it["event"] == "complete");
    let early = receivers.iter().filter(|receiver| complete(receiver)).count();
    assert_eq!(early, 0, "some had all of it before the origin could leave");
    origin.close().await;
    for (receiver, into) in receivers.iter_mut().zip(&folders) {
        receiver.complete().await;
        file.assert_arrived(&into.join(&file.name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_remembered_files_are_shared_on_with_one_click() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let origin = browser.open(server.url()).await;
    origin.run_at_every_load(PICKER).await;
    origin.reload().await;
    origin.press_choose_files().await;
    let into = bench.folder("into");
    let mut receiver =
        Shoal::receive(&origin.invite_link().await, &into, &["--download-limit", "3MiB"]);
    in_part(&mut receiver).await;

    origin.reload().await;
    origin.press_on("picked.bin", "Allow access").await;
    let complete = receiver.complete().await;
    receiver.success().await;
    assert_eq!(complete.fetched, SIZE, "it was not the same share that went on");
    let asked = origin.execute("return window.asked").await;
    assert_eq!(asked, 1, "permission was asked for {asked} times");
    let bytes = std::fs::read(into.join("picked.bin")).expect("it is complete");
    let right = |(i, byte): (usize, &u8)| *byte == content(i);
    assert!(bytes.len() as u64 == SIZE && bytes.iter().enumerate().all(right), "wrong bytes");
    browser.assert_no_complaints().await;
}

/// Stands in for the system's dialog, which a headless browser has not, with a file in the browser's own
/// file system, and for the browser's question after a reload, in the window and in its worker.
const PICKER: &str = "
    const RealWorker = Worker;
    window.Worker = function (url, options) {
        const code = `
            FileSystemHandle.prototype.queryPermission = async () => 'prompt';
            await import('${new URL(url, location.href)}');`;
        const blob = new Blob([code], { type: 'text/javascript' });
        return new RealWorker(URL.createObjectURL(blob), options);
    };
    Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => false });
    window.showOpenFilePicker = async () => {
        const root = await navigator.storage.getDirectory();
        const handle = await root.getFileHandle('picked.bin', { create: true });
        const writer = await handle.createWritable();
        const bytes = new Uint8Array(12 << 20).map((_, i) => Math.imul(i, 2654435761) >>> 21);
        await writer.write(bytes);
        await writer.close();
        return [handle];
    };
    window.asked = 0;
    FileSystemHandle.prototype.queryPermission = async () => window.asked ? 'granted' : 'prompt';
    FileSystemHandle.prototype.requestPermission = async () => { window.asked += 1; return 'granted'; };";

/// The byte at a place of the file that [`PICKER`] picks.
fn content(i: usize) -> u8 {
    ((i as u32).wrapping_mul(2_654_435_761) >> 21) as u8
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_of_chromium_files_chosen_again_are_shared_on() {
    chosen_again(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reload_of_firefox_files_chosen_again_are_shared_on() {
    chosen_again(BrowserKind::Firefox).await;
}

async fn chosen_again(kind: BrowserKind) {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("again.bin", SIZE);
    bench.folder("changed");
    let changed = bench.file("changed/again.bin", SIZE + 1);
    let browser = Browser::start(kind).await;
    let origin = browser.open(server.url()).await;
    origin.choose_files(&[&file.path]).await;
    let into = bench.folder("into");
    let mut receiver =
        Shoal::receive(&origin.invite_link().await, &into, &["--download-limit", "3MiB"]);
    in_part(&mut receiver).await;

    origin.reload().await;
    origin.choose_again(&[&changed.path]).await;
    let refused =
        |article: &Article| article.text.contains("hanged since it was shared: again.bin");
    origin.article_where(&file.name, "refused, with the name of what changed", refused).await;
    origin.choose_again(&[&file.path]).await;
    let complete = receiver.complete().await;
    receiver.success().await;
    assert_eq!(complete.fetched, SIZE, "it was not the same share that went on");
    file.assert_arrived(&into.join(&file.name));
    browser.assert_no_complaints().await;
}

/// Waits until a receiver has some of it, and not all.
async fn in_part(receiver: &mut Shoal) {
    let some = |bytes: &serde_json::Value| bytes.as_u64().is_some_and(|bytes| bytes >= SIZE / 5);
    let event = receiver.event_where("progress", |event| some(&event["bytes"])).await;
    assert!(event["bytes"].as_u64().is_some_and(|bytes| bytes < SIZE), "it was over already");
}
