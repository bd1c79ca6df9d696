//! How fast files go from tab to tab, against a bare data channel between the same two browsers in the
//! same run, and from command to command.

use std::time::Duration;

use tempfile::TempDir;
use tests::proc::cpu_time;
use tests::{Browser, BrowserKind, Server, Shoal, files};
use tokio::time::Instant;

use crate::bare::BareChannel;
use crate::{LARGE, MIB, Report, fresh, median, rate};

const SIZE: u64 = 300 * MIB;
/// About as long as ours takes.
const BARE_TIME: Duration = Duration::from_secs(20);
/// What a transfer from tab to tab, disk and hashing included, must reach of a bare data channel.
const MIN_RATIO: f64 = 0.6;

pub(crate) async fn run(report: &mut Report) {
    let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
    let server = Server::start().await;
    let (one, other) =
        (Browser::start(BrowserKind::Chromium).await, Browser::start(BrowserKind::Chromium).await);

    // Before and after, since a machine is not equally fast all the time.
    let mut bare = vec![bare_rate(&server, &one, &other).await];
    let mut ours = Vec::new();
    for round in 0..3 {
        let name = format!("film {round}.bin");
        let file = folder.path().join(&name);
        files::make(&file, SIZE, &name);
        let origin = one.open(server.url()).await;
        origin.choose_files(&[&file]).await;
        let page = other.open(&origin.invite_link().await).await;
        page.article(&name).await;
        let start = Instant::now();
        page.press_on(&name, "Receive").await;
        page.complete(&name).await;
        ours.push(rate(SIZE, start.elapsed()));
        other.downloaded(&name, SIZE).await;
        origin.close().await;
        page.close().await;
        bare.push(bare_rate(&server, &one, &other).await);
    }
    let (bare, ours) = (median(bare), median(ours));
    report.rate("bare data channel, Chromium to Chromium", bare);
    report.rate("tab to tab, Chromium to Chromium, saved", ours);
    report.ratio("tab to tab / bare data channel", ours / bare, MIN_RATIO);
    drop((one, other));

    let file = folder.path().join("large.bin");
    files::make(&file, LARGE, "bench throughput");
    let mut sender = Shoal::send(&server, &[&file], &[]);
    let link = sender.invite_link().await;
    let before = cpu_time(sender.pid());
    let mut receiver = Shoal::receive(&link, &fresh(folder.path(), "command"), &[]);
    receiver.event("joined").await;
    let start = Instant::now();
    receiver.complete().await;
    report.rate("command to command", rate(LARGE, start.elapsed()));
    let gigabytes = LARGE as f64 / 1e9;
    let sender_cpu = (cpu_time(sender.pid()) - before).as_secs_f64() / gigabytes;
    report.line("command sends", format!("{sender_cpu:.1} CPU-s/GB"), None);
}

async fn bare_rate(server: &Server, one: &Browser, other: &Browser) -> f64 {
    BareChannel::open(server, one, other).await.rate_over(BARE_TIME).await
}
