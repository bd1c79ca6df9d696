//! A folder of 2 000 files, nested, with empty directories, names in NFC and NFD, of emoji, from right to
//! left and of full length:
//! - arrives exactly from command to command, modification times included;
//! - arrives exactly in a browser's ZIP;
//! - arrives from a browser, which keeps empty directories to itself;
//! - the hashes that the command tells are those that `b3sum` prints.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use tests::{Browser, BrowserKind, Server, Shoal, files, turn};

use crate::Workbench;

const FILES: usize = 2000;
const FOLDER: &str = "fol\u{301}der \u{1f41f}";

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_2000_awkward_files_goes_from_command_to_command() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let folder = bench.path(FOLDER);
    files::make_awkward_folder(&folder, FILES);
    let into = bench.folder("into");
    let mut sender = Shoal::send(&server, &[&folder], &["--until-received", "1"]);
    let mut receiver = Shoal::receive(&sender.invite_link().await, &into, &[]);
    let complete = receiver.complete().await;
    receiver.success().await;
    sender.success().await;

    let expected = files::tree(&folder);
    files::assert_same(&expected, &files::tree(&into.join(FOLDER)));
    assert_eq!(times(&folder), times(&into.join(FOLDER)), "modification times differ");
    assert_hashes(&complete.files, &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_2000_awkward_files_comes_out_of_a_browsers_zip() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let folder = bench.path(FOLDER);
    files::make_awkward_folder(&folder, FILES);
    let mut sender = Shoal::send(&server, &[&folder], &["--until-received", "1"]);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&sender.invite_link().await).await;
    page.article(FOLDER).await;
    page.press_on(FOLDER, "Receive").await;
    page.complete(FOLDER).await;
    let unpacked = bench.folder("unpacked");
    files::unzip(&browser.downloaded_any(&format!("{FOLDER}.zip")).await, &unpacked);
    files::assert_same(&files::tree(&folder), &files::tree(&unpacked.join(FOLDER)));
    sender.success().await;
    browser.assert_no_complaints().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_2000_awkward_files_chosen_in_a_browser_reaches_the_command() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let folder = bench.path(FOLDER);
    files::make_awkward_folder(&folder, FILES);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.choose_folder(&folder).await;
    let into = bench.folder("into");
    let mut receiver = Shoal::receive(&page.invite_link().await, &into, &[]);
    let complete = receiver.complete().await;
    receiver.success().await;

    let expected = files::without_empty_directories(&files::tree(&folder));
    files::assert_same(&expected, &files::tree(&into.join(FOLDER)));
    assert_hashes(&complete.files, &expected);
    browser.assert_no_complaints().await;
}

/// Modification times of files in whole milliseconds, which is what travels.
fn times(root: &Path) -> BTreeMap<std::path::PathBuf, u128> {
    let is_file = |path: &Path| root.join(path).is_file();
    let time = |path: &Path| {
        let modified = root.join(path).metadata().and_then(|metadata| metadata.modified());
        let since = modified.expect("the system knows").duration_since(SystemTime::UNIX_EPOCH);
        since.expect("it was made after 1970").as_millis()
    };
    let paths = files::tree(root).into_keys().filter(|path| is_file(path));
    paths.map(|path| (path.clone(), time(&path))).collect()
}

/// Asserts that the hashes told are those of the files, and that none is missing.
fn assert_hashes(told: &[(String, u64, String)], expected: &files::Tree) {
    let told: BTreeMap<_, _> =
        told.iter().map(|(path, size, hash)| (path.clone(), (*size, hash.clone()))).collect();
    let expected: BTreeMap<_, _> = expected
        .iter()
        .filter_map(|(path, kind)| {
            let (size, hash) = (*kind)?;
            let path = Path::new(FOLDER).join(path);
            Some((path.to_str()?.to_owned(), (size, hash.to_hex().to_string())))
        })
        .collect();
    assert_eq!(told.len(), expected.len());
    assert!(told == expected, "the hashes told are not those of the files");
}
