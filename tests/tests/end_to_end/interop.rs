//! Between the command and browsers, Chromium and Firefox alike:
//! - a file goes either way, whoever came first: each side has been offerer and answerer while sending
//!   and while receiving;
//! - several files come out of a browser's ZIP, and out of the command, as they were;
//! - the command ends by itself once the page has everything (`--until-received`);
//! - the hash that either side shows is the one that `b3sum` prints.

use std::sync::Arc;

use native_peer::storage::DiskStorage;
use native_peer::{DeviceKey, Options, Peer, sources};
use tests::{Browser, BrowserKind, Server, Shoal, files, turn};

use crate::{EDGES, Made, PIECE, Workbench, edge_name, link_to_an_empty_room};

#[tokio::test(flavor = "multi_thread")]
async fn the_command_and_chromium_exchange_files_in_both_roles() {
    the_command_and_a_browser_exchange_files(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_and_firefox_exchange_files_in_both_roles() {
    the_command_and_a_browser_exchange_files(BrowserKind::Firefox).await;
}

async fn the_command_and_a_browser_exchange_files(kind: BrowserKind) {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(kind).await;

    command_to_page(&bench, &server, &browser).await;
    several_files_to_page(&bench, &server, &browser).await;
    late_native_peer_to_page(&bench, &server, &browser).await;
    page_to_command(&bench, &server, &browser).await;
    late_page_to_command(&bench, &server, &browser).await;

    browser.assert_no_complaints().await;
}

/// The page comes last, and offers.
async fn command_to_page(bench: &Workbench, server: &Server, browser: &Browser) {
    let file = bench.file("from the command.bin", 40 * PIECE + 1);
    let mut shoal = Shoal::send(server, &[&file.path], &["--until-received", "1"]);
    let page = browser.open(&shoal.invite_link().await).await;
    page.article(&file.name).await;
    page.press_on(&file.name, "Receive").await;
    page.complete(&file.name).await;
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
    page.open_details(&file.name).await;
    page.says(file.hash.to_hex().as_str()).await;
    shoal.success().await;
    page.close().await;
}

async fn several_files_to_page(bench: &Workbench, server: &Server, browser: &Browser) {
    let folder = bench.folder("several to the page");
    let made = edges_in(&folder);
    let paths: Vec<_> = made.iter().map(|file| file.path.as_path()).collect();
    let mut shoal = Shoal::send(server, &paths, &["--until-received", "1"]);
    let page = browser.open(&shoal.invite_link().await).await;
    let title = format!("{} files", EDGES.len());
    page.article(&title).await;
    page.press_on(&title, "Receive").await;
    page.complete(&title).await;
    let unpacked = bench.folder("several, unpacked");
    files::unzip(&browser.downloaded_any(&format!("{title}.zip")).await, &unpacked);
    files::assert_same(&files::tree(&folder), &files::tree(&unpacked));
    shoal.success().await;
    page.close().await;
}

/// The native peer comes last, and offers.
async fn late_native_peer_to_page(bench: &Workbench, server: &Server, browser: &Browser) {
    let file = bench.file("from a late peer.bin", 5 * PIECE);
    let (invite, link) = link_to_an_empty_room(server);
    let page = browser.open(&link).await;
    page.says("Connected").await;

    let storage = DiskStorage::new(&bench.folder("of the late peer")).expect("a folder");
    let key = DeviceKey::from_bytes([3; 32]);
    let options = Options {
        invite: Some(invite),
        name: "late".into(),
        ..Options::new(server.url(), key, Arc::new(storage))
    };
    let (peer, _events) = Peer::start(options).expect("a peer starts");
    let found = sources::find(std::slice::from_ref(&file.path)).expect("the file is there");
    peer.share(found).await.expect("the file can be shared");

    page.article(&file.name).await;
    page.press_on(&file.name, "Receive").await;
    page.complete(&file.name).await;
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
    peer.leave().await;
    page.close().await;
}

/// The command comes last, and offers.
async fn page_to_command(bench: &Workbench, server: &Server, browser: &Browser) {
    let folder = bench.folder("several from the page");
    let made = edges_in(&folder);
    let paths: Vec<_> = made.iter().map(|file| file.path.as_path()).collect();
    let page = browser.open(server.url()).await;
    page.choose_files(&paths).await;
    let link = page.invite_link().await;
    let into = bench.folder("several, by the command");
    let mut shoal = Shoal::receive(&link, &into, &[]);
    let complete = shoal.complete().await;
    shoal.success().await;

    files::assert_same(&files::tree(&folder), &files::tree(&into));
    let total: u64 = EDGES.iter().sum();
    assert_eq!((complete.fetched, complete.reused), (total, 0));
    for file in &made {
        let told = complete.files.iter().find(|(path, ..)| *path == file.name);
        let (_, size, hash) = told.unwrap_or_else(|| panic!("{} is not told of", file.name));
        assert_eq!((*size, hash.as_str()), (file.size, file.hash.to_hex().as_str()));
    }
    page.close().await;
}

/// The page comes last, and offers.
async fn late_page_to_command(bench: &Workbench, server: &Server, browser: &Browser) {
    let file = bench.file("from a late page.bin", 5 * PIECE - 1);
    let (_, link) = link_to_an_empty_room(server);
    let into = bench.folder("from a late page");
    let mut shoal = Shoal::receive(&link, &into, &[]);
    shoal.event("joined").await;
    let page = browser.open(&link).await;
    page.says("Connected").await;
    page.choose_files(&[&file.path]).await;
    shoal.complete().await;
    shoal.success().await;
    file.assert_arrived(&into.join(&file.name));
    page.close().await;
}

fn edges_in(folder: &std::path::Path) -> Vec<Made> {
    let make = |size: &u64| {
        let name = edge_name(*size);
        let path = folder.join(&name);
        let hash = files::make(&path, *size, &name);
        Made { path, name, size: *size, hash }
    };
    EDGES.iter().map(make).collect()
}
