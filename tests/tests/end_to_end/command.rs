//! The command alone, from process to process:
//! - files at the edges of pieces, and a large one, arrive with the same bytes, and both ends exit well;
//! - the receiver may be in the room first (the sharing side then makes the offer);
//! - nothing that is there already is overwritten;
//! - what goes wrong is told as an `error` event, and by an exit code that is not 0.

use std::sync::Arc;
use std::time::Duration;

use native_peer::storage::DiskStorage;
use native_peer::{DeviceKey, Options, Peer, sources};
use tests::{Server, Shoal, files, turn_to_wait};

use crate::{MIB, Workbench, link_to_an_empty_room};

#[tokio::test(flavor = "multi_thread")]
async fn files_of_all_sizes_go_from_command_to_command() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let mut files = bench.edges();
    files.push(bench.file("large.bin", 300 * MIB));
    for file in &files {
        let mut sender = Shoal::send(&server, &[&file.path], &["--until-received", "1"]);
        let link = sender.invite_link().await;
        let into = bench.folder(&format!("for {}", file.name));
        let mut receiver = Shoal::receive(&link, &into, &[]);
        let complete = receiver.complete().await;
        receiver.success().await;
        sender.success().await;
        file.assert_arrived(&into.join(&file.name));
        assert_eq!((complete.fetched, complete.reused), (file.size, 0));
        let told = (file.name.clone(), file.size, file.hash.to_hex().to_string());
        assert_eq!(complete.files, [told]);
        assert_eq!(files::tree(&into).len(), 1, "something else was left in the folder");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_waits_in_the_room_receives_what_a_later_peer_shares() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("late.bin", 7 * MIB);
    let (invite, link) = link_to_an_empty_room(&server);
    let into = bench.folder("into");
    let mut receiver = Shoal::receive(&link, &into, &[]);
    receiver.event("joined").await;

    let storage = DiskStorage::new(&bench.folder("of the late peer")).expect("a folder");
    let options = Options {
        invite: Some(invite),
        ..Options::new(server.url(), DeviceKey::from_bytes([5; 32]), Arc::new(storage))
    };
    let (peer, _events) = Peer::start(options).expect("a peer starts");
    let found = sources::find(std::slice::from_ref(&file.path)).expect("the file is there");
    peer.share(found).await.expect("the file can be shared");

    receiver.complete().await;
    receiver.success().await;
    file.assert_arrived(&into.join(&file.name));
    peer.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_there_already_is_overwritten() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("report.pdf", MIB);
    let into = bench.folder("into");
    std::fs::write(into.join("report.pdf"), "mine").expect("the folder can be written");

    let mut sender = Shoal::send(&server, &[&file.path], &[]);
    let mut receiver = Shoal::receive(&sender.invite_link().await, &into, &[]);
    receiver.complete().await;
    receiver.success().await;

    let before = std::fs::read(into.join("report.pdf")).expect("it is still there");
    assert_eq!(before, b"mine");
    file.assert_arrived(&into.join("report (1).pdf"));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_no_invite_is_an_error_and_not_success() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let mut receiver =
        Shoal::receive("http://127.0.0.1:9/#not-an-invite", &bench.folder("into"), &[]);
    let status = receiver.process.exit(Duration::from_secs(30)).await;
    assert!(status.code().is_some_and(|code| code != 0), "it ended with {status}");
    let events = receiver.events();
    let error = events.iter().find(|event| event["event"] == "error");
    let error = error.unwrap_or_else(|| panic!("there is no error event: {events:?}"));
    assert!(error["code"].is_string() || error["code"].is_number(), "{error}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
}
