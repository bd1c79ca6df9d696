//! A room of real processes whose uplinks are the bottleneck: how close to the least possible time all of
//! them have the file, and how often the origin had to send it.

use std::time::Duration;

use tempfile::TempDir;
use tests::{Server, Shoal, files};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{MIB, Report, fresh};

const RECEIVERS: u32 = 8;
const SIZE: u64 = 64 * MIB;
/// What each of them, the origin included, may send per second.
const UPLINK: u64 = 2 * MIB;
const UPLOAD_LIMIT: &str = "2MiB";

/// Of the least possible time, starting processes and connecting included.
const MAX_TIME: f64 = 1.3;
/// Copies of the file that the origin may send in sum.
const MAX_COPIES: f64 = 1.2;

pub(crate) async fn run(report: &mut Report) {
    let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
    let file = folder.path().join("film.bin");
    let hash = files::make(&file, SIZE, "bench swarm");
    let server = Server::start().await;
    let mut origin = Shoal::send(&server, &[&file], &["--upload-limit", UPLOAD_LIMIT]);
    let link = origin.invite_link().await;

    let start = Instant::now();
    let mut running = JoinSet::new();
    for number in 1..=RECEIVERS {
        let name = format!("receiver {number}");
        let into = fresh(folder.path(), &name);
        let flags = ["--stay", "--upload-limit", UPLOAD_LIMIT, "--name", &name];
        let mut receiver = Shoal::receive(&link, &into, &flags);
        running.spawn(async move {
            let complete = receiver.complete().await;
            (start.elapsed(), receiver, into, complete)
        });
    }
    let mut receivers = running.join_all().await;
    receivers.sort_by_key(|(took, ..)| *took);

    let bound = bound(RECEIVERS);
    let took = |index: usize| receivers[index].0.as_secs_f64();
    report.line("swarm: the least possible time", format!("{:.1} s", bound.as_secs_f64()), None);
    report.line("swarm: the first had everything after", format!("{:.1} s", took(0)), None);
    let last = took(receivers.len() - 1);
    report.line("swarm: the last had everything after", format!("{last:.1} s"), None);
    report.at_most("swarm: time / least possible time", last / bound.as_secs_f64(), MAX_TIME);

    let sent = leave(origin).await;
    report.at_most("swarm: copies that the origin sent", sent as f64 / SIZE as f64, MAX_COPIES);
    let mut wasted = 0;
    for (_, receiver, into, complete) in receivers {
        assert_eq!(files::hash(&into.join("film.bin")), hash);
        assert_eq!(complete.fetched, SIZE);
        wasted += complete.wasted;
        let sent = leave(receiver).await as f64 / SIZE as f64;
        let sources = complete.sources.len();
        let into = into.file_name().unwrap_or_default().to_string_lossy().into_owned();
        report.line(
            &format!("swarm: {into}"),
            format!("{sources} sources, sent {sent:.2} copies"),
            None,
        );
    }
    report.line("swarm: wasted by all", format!("{:.2} MiB", wasted as f64 / MIB as f64), None);
}

/// The least time in which the origin and `receivers` with the same uplink can give everyone the file,
/// were it a fluid: the origin must send it once, and together they must send it to each.
fn bound(receivers: u32) -> Duration {
    let once = SIZE as f64 / UPLINK as f64;
    let n = f64::from(receivers);
    Duration::from_secs_f64(once.max(n * once / (1.0 + n)))
}

/// Ends a process as Ctrl-C does, and gives the bytes it had sent.
async fn leave(mut shoal: Shoal) -> u64 {
    shoal.process.interrupt();
    let left = shoal.event("left").await;
    shoal.success().await;
    left["uploaded"].as_u64().expect("bytes that were sent")
}
