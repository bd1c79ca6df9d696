//! Some files of a share, and later the rest, as those who build on the page's program can have them
//! (`Peer.select`):
//! - one chosen file of a folder is all that is fetched, and is saved as it is under its own name;
//! - when the rest is chosen, only that is fetched, and a ZIP of everything is saved;
//! - with everything complete, it is saved again.

use tests::{Browser, BrowserKind, Server, Shoal, files, turn_to_wait};

use crate::{MIB, PIECE, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn one_file_of_a_folder_is_received_by_chromium_and_then_the_rest() {
    one_file_and_then_the_rest(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_of_a_folder_is_received_by_firefox_and_then_the_rest() {
    one_file_and_then_the_rest(BrowserKind::Firefox).await;
}

async fn one_file_and_then_the_rest(kind: BrowserKind) {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let folder = bench.folder("folder");
    std::fs::create_dir_all(folder.join("inner/empty")).expect("a folder can be made");
    // More small files than are put together at a time, around one that is large.
    for number in 0..500 {
        files::make(&folder.join(format!("inner/{number}.txt")), 16_000 + number, "small");
    }
    files::make(&folder.join("large.bin"), 2 * MIB + 3, "large");
    files::make(&folder.join("nothing"), 0, "nothing");
    let chosen = folder.join("chosen.bin");
    let hash = files::make(&chosen, 2 * PIECE + 1, "chosen");

    let mut sender = Shoal::send(&server, &[&folder], &[]);
    let browser = Browser::start(kind).await;
    let page = browser.open(server.url()).await;
    let link = sender.invite_link().await;
    page.enter(&link, "{ name: 'Embedder' }").await;
    page.becomes("share.state === 'available'").await;

    page.execute(
        "peer.files(share.id).then(async ({ paths }) => {
             const file = paths.split('\\n').indexOf('folder/chosen.bin');
             await peer.select(share.id, { files: [{ file, priority: 'normal' }] });
             await peer.receive(share.id);
         });",
    )
    .await;
    page.becomes("share.state === 'complete'").await;
    let fetched = page.execute("return share.fetched").await.as_u64();
    assert_eq!(fetched, Some(2 * PIECE + 1), "something else was fetched");
    page.execute("peer.save(share.id);").await;
    let saved = browser.downloaded("chosen.bin", 2 * PIECE + 1).await;
    assert_eq!(files::hash(&saved), hash);
    page.becomes("share.saved").await;

    page.execute("peer.select(share.id, { rest: 'normal' });").await;
    page.becomes("share.state === 'complete' && share.have === share.total").await;
    let fetched = page.execute("return share.fetched === share.total").await;
    assert_eq!(fetched, true, "something was fetched twice");
    for _ in 0..2 {
        page.execute("peer.save(share.id);").await;
        let zip = browser.downloaded_any("folder.zip").await;
        let unpacked = tempfile::TempDir::new().expect("a temporary directory");
        files::unzip(&zip, unpacked.path());
        files::assert_same(&files::tree(&folder), &files::tree(&unpacked.path().join("folder")));
        std::fs::remove_file(&zip).expect("the download is ours");
    }
    browser.assert_no_complaints().await;
}
