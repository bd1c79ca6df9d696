//! What the command waits for has a name, a beginning, a next attempt where there is one, and something that
//! people can do; and it goes on by itself when the cause is gone:
//! - a full disk: nothing is asked for, both sides say so, and it goes on once there is room; with
//!   `--timeout` it is given up with exit code 7;
//! - nobody here, nothing shared, a sender that left in the middle, one that stands still, one that has
//!   paused, one whose file has changed;
//! - no network, no server, a server that refuses.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use native_peer::storage::DiskStorage;
use native_peer::{DeviceKey, InviteLink, Options, Peer, ShareId, sources};
use serde_json::Value;
use tests::wait::{SOON, until};
use tests::{Server, Shoal, turn_to_wait};

use crate::{MIB, Workbench, link_to_an_empty_room};

/// The next `waiting` event with this cause, checked for what each of them has to say.
async fn waits(shoal: &mut Shoal, cause: &str) -> Value {
    let event = shoal.event_where("waiting", |event| event["for"] == cause).await;
    assert!(event["since"].is_number(), "it does not say since when: {event}");
    assert!(event["next"].is_number() || event["next"].is_null(), "{event}");
    assert!(event["action"].as_str().is_some_and(|it| it.len() > 4), "no action: {event}");
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_for_and_receiving_goes_on_once_there_is_room() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("large.bin", 16 * MIB);
    let into = bench.folder("into");
    let mut sender = Shoal::send(&server, &[&file.path], &[]);
    let link = sender.invite_link().await;
    let mut receiver = Shoal::receive_on_small_disk(&link, &into, [24, 16], &["--stay"]);

    let wait = waits(&mut receiver, "disk-full").await;
    assert_eq!(wait["needed"], file.size, "{wait}");
    let available = wait["available"].as_u64().expect("the system says how much is free");
    assert!((4 * MIB..=8 * MIB).contains(&available), "{wait}");
    assert!(wait["next"].is_number(), "{wait}");
    let halted = sender.event("halted").await;
    assert_eq!(halted["why"], "disk-full", "{halted}");
    let told = |event: &Value| event["to"][0]["available"].as_u64().is_some_and(|b| b <= 8 * MIB);
    sender.event_where("progress", told).await;

    let disk = receiver.disk(&into);
    std::fs::remove_file(disk.join("filler")).expect("the filler is ours");
    receiver.complete().await;
    file.assert_arrived(&disk.join(&file.name));
    sender.event("goes-on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stays_full_is_given_up_after_the_timeout() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("large.bin", 16 * MIB);
    let mut sender = Shoal::send(&server, &[&file.path], &[]);
    let link = sender.invite_link().await;
    let flags = ["--timeout", "3"];
    let mut receiver = Shoal::receive_on_small_disk(&link, &bench.folder("into"), [8, 1], &flags);
    let error = receiver.event("error").await;
    assert_eq!(error["code"], "disk-full", "{error}");
    assert!(error["message"].as_str().is_some_and(|it| it.contains("16.0 MiB")), "{error}");
    assert_eq!(receiver.process.exit(SOON).await.code(), Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_room_and_one_where_nothing_is_shared_are_told_apart() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let (_, link) = link_to_an_empty_room(&server);
    let mut first = Shoal::receive(&link, &bench.folder("first"), &[]);
    waits(&mut first, "nobody").await;
    let mut second = Shoal::receive(&link, &bench.folder("second"), &[]);
    waits(&mut second, "share").await;
    waits(&mut first, "share").await;
    let file = bench.file("file", 1);
    let mut sender = Shoal::send(&server, &[&file.path], &[]);
    waits(&mut sender, "receivers").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_stands_still_or_leaves_is_waited_for_by_name() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("slow.bin", 16 * MIB);
    let config = bench.folder("config");
    let limit = ["--upload-limit", "1MiB"];
    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &limit);
    let into = bench.folder("into");
    let mut receiver = Shoal::receive(&sender.invite_link().await, &into, &[]);
    receiver.event_where("progress", |event| event["bytes"].as_u64() > Some(0)).await;

    sender.process.freeze();
    waits(&mut receiver, "silence").await;
    sender.process.go_on();
    receiver.event_where("progress", |event| event["rate"].as_u64() > Some(0)).await;
    sender.process.interrupt();
    let wait = waits(&mut receiver, "source").await;
    assert!(wait["missing"].as_u64().is_some_and(|bytes| bytes > 0), "{wait}");

    // The same command again, and it goes on.
    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &[]);
    sender.event_where("invite", |event| event["again"] == true).await;
    receiver.complete().await;
    file.assert_arrived(&into.join(&file.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_it_was_shared_is_refused_by_name() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("letter.txt", 1000);
    let config = bench.folder("config");
    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &[]);
    let link = sender.invite_link().await;
    sender.process.kill_now();
    sender.process.exit(SOON).await;
    std::fs::write(&file.path, "other words").expect("the file can be written");

    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &[]);
    let error = sender.event("error").await;
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("letter.txt has changed"), "{error}");
    assert!(message.contains("--new-room"), "{error}");
    assert_eq!(sender.process.exit(SOON).await.code(), Some(8));
    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &["--new-room"]);
    assert_ne!(sender.invite_link().await, link);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_changed_in_secret_are_found_when_they_are_read() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("letter.bin", MIB);
    let config = bench.folder("config");
    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &[]);
    let link = sender.invite_link().await;
    let mut receiver = Shoal::receive(&link, &bench.folder("first"), &[]);
    receiver.complete().await;
    sender.process.kill_now();
    sender.process.exit(SOON).await;
    // The same length, the same time.
    let modified = std::fs::metadata(&file.path).and_then(|it| it.modified()).expect("it is there");
    let mut bytes = std::fs::read(&file.path).expect("it is there");
    bytes[5] ^= 1;
    std::fs::write(&file.path, bytes).expect("the file can be written");
    let written = std::fs::File::options().write(true).open(&file.path).expect("it is there");
    written.set_modified(modified).expect("times can be set");

    let mut sender = Shoal::send_from(&config, &server, &[&file.path], &[]);
    assert_eq!(sender.invite_link().await, link);
    let _receiver = Shoal::receive(&link, &bench.folder("second"), &[]);
    let error = sender.event("error").await;
    assert!(error["message"].as_str().is_some_and(|it| it.contains("letter.bin")), "{error}");
    assert_eq!(sender.process.exit(SOON).await.code(), Some(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_paused_and_files_that_changed_are_told_to_the_other_side() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let (invite, link) = link_to_an_empty_room(&server);
    let file = bench.file("held.bin", 4 * MIB);
    let storage = Arc::new(DiskStorage::new(&bench.folder("of the origin")).expect("a folder"));
    let options = Options {
        invite: Some(invite),
        ..Options::new(server.url(), DeviceKey::from_bytes([5; 32]), storage)
    };
    let (origin, mut events) = Peer::start(options).expect("a peer starts");
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let found = sources::find(std::slice::from_ref(&file.path)).expect("it is there");
    let share = origin.share(found).await.expect("it can be shared");

    let mut receiver =
        Shoal::receive(&link, &bench.folder("into"), &["--download-limit", "256KiB"]);
    receiver.event_where("progress", |event| event["bytes"].as_u64() > Some(0)).await;
    origin.set_serving(share, false).await.expect("it is shared");
    waits(&mut receiver, "paused-by-them").await;
    origin.set_serving(share, true).await.expect("it is shared");
    receiver.event_where("progress", |event| event["rate"].as_u64() > Some(0)).await;
    std::fs::write(&file.path, "something else").expect("the file can be written");
    waits(&mut receiver, "source-unreadable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_paused_is_told_to_the_sender() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("held.bin", 4 * MIB);
    let mut sender = Shoal::send(&server, &[&file.path], &["--upload-limit", "256KiB"]);
    let link = sender.invite_link().await;
    let (receiver, share) = receiving(&link, &bench.folder("into")).await;
    receiver.pause(share).await.expect("it is being received");
    assert_eq!(sender.event("halted").await["why"], "paused");
    receiver.resume(share).await.expect("it is being received");
    sender.event("goes-on").await;
}

/// A native peer that has begun to receive the only share of a room.
async fn receiving(link: &str, folder: &Path) -> (Peer, ShareId) {
    let link: InviteLink = link.parse().expect("the command prints a link");
    let storage = Arc::new(DiskStorage::new(folder).expect("a folder"));
    let options = Options {
        invite: Some(link.invite),
        ..Options::new(link.server, DeviceKey::from_bytes([6; 32]), storage)
    };
    let (peer, mut events) = Peer::start(options).expect("a peer starts");
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    let share = until("a share on the shelf", SOON, async || {
        peer.snapshot().shares.first().map(|share| share.id)
    });
    let share = share.await;
    peer.receive(share).await.expect("it is on the shelf");
    (peer, share)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_network_and_no_server_are_told_apart() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let (invite, link) = link_to_an_empty_room(&server);
    drop(server);
    let mut receiver = Shoal::receive(&link, &bench.folder("no server"), &["--timeout", "600"]);
    let wait = waits(&mut receiver, "server").await;
    assert!(wait["next"].is_number() || wait["next"].is_null(), "{wait}");
    let lost = receiver.event("server-lost").await;
    assert_eq!(lost["cause"], "server", "{lost}");

    // An address that is there in no network (RFC 5737), where there is none.
    let link = invite.to_link("http://192.0.2.1:8080");
    let mut receiver = Shoal::receive_without_network(&link, &bench.folder("no network"));
    let wait = waits(&mut receiver, "network").await;
    assert!(wait["next"].is_number(), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_an_error_that_says_what_to_do() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::with(&["--max-members", "1"]).await;
    let file = bench.file("file", 1);
    let mut sender = Shoal::send(&server, &[&file.path], &[]);
    let link = sender.invite_link().await;
    let mut receiver = Shoal::receive(&link, &bench.folder("into"), &[]);
    let error = receiver.event("error").await;
    assert_eq!(error["code"], "refused", "{error}");
    assert_eq!(receiver.process.exit(Duration::from_secs(30)).await.code(), Some(5));
}
