//! A transfer that was broken off goes on where it was:
//! - after Ctrl-C, and after the process was killed, a second `shoal receive` into the same folder fetches
//!   only what is missing, says so (`reused`), and the result has the same bytes;
//! - before that, nothing in the folder looks like the finished file, and the exit code is not 0.

use tests::wait::SOON;
use tests::{Server, Shoal, turn};

use crate::{MIB, Workbench};

const TOTAL: u64 = 48 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn what_ctrl_c_broke_off_is_resumed_without_fetching_again() {
    broken_off(|receiver| receiver.process.interrupt()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_broke_off_is_resumed_without_fetching_again() {
    broken_off(|receiver| receiver.process.kill_now()).await;
}

async fn broken_off(end: impl Fn(&Shoal)) {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("interrupted.bin", TOTAL);
    let into = bench.folder("into");
    let mut sender = Shoal::send(&server, &[&file.path], &[]);
    let link = sender.invite_link().await;

    let mut first = Shoal::receive(&link, &into, &["--download-limit", "8MiB"]);
    let so_far = first
        .event_where("progress", |event| event["bytes"].as_u64().is_some_and(|b| b >= TOTAL / 4))
        .await["bytes"]
        .as_u64()
        .expect("progress tells bytes");
    assert!(so_far < TOTAL, "it was over before it could be interrupted");
    end(&first);
    let status = first.process.exit(SOON).await;
    assert!(!status.success(), "a transfer that was broken off ended with {status}");
    assert!(!into.join(&file.name).exists(), "what is unfinished looks finished");

    let mut second = Shoal::receive(&link, &into, &[]);
    let complete = second.complete().await;
    second.success().await;
    file.assert_arrived(&into.join(&file.name));
    assert_eq!(complete.fetched + complete.reused, TOTAL);
    // `progress` counts what is durable.
    assert!(
        complete.reused >= so_far,
        "{so_far} bytes were there, but only {} were used again",
        complete.reused
    );
}
