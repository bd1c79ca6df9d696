//! Whether the page stays quick while files pass at full speed and everything that is drawn of it is open:
//! what the main threads of two Chromium tabs do, the sending and the receiving one, for 30 s each.

use std::time::Duration;

use tempfile::TempDir;
use tests::browser::{MainThread, Task};
use tests::{Browser, BrowserKind, Server, files};

use crate::{LARGE, Report};

const LOOKED_AT: Duration = Duration::from_secs(30);
/// A task that takes longer than this on the main thread is felt (RAIL; the Long Tasks API). By the time that
/// the thread was running: with two browsers on few cores it also has to wait for its turn.
const MOST: Duration = Duration::from_millis(50);

pub(crate) async fn run(report: &mut Report) {
    let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
    let file = folder.path().join("large.bin");
    files::make(&file, LARGE, "bench page");
    let server = Server::start().await;
    let (one, other) =
        (Browser::start(BrowserKind::Chromium).await, Browser::start(BrowserKind::Chromium).await);
    let origin = one.open(server.url()).await;
    origin.choose_files(&[&file]).await;
    let page = other.open(&origin.invite_link().await).await;
    page.article("large.bin").await;
    for page in [&origin, &page] {
        page.open_details("large.bin").await;
    }
    page.press_on("large.bin", "Receive").await;
    page.article_where("large.bin", "on its way", |article| article.progress > Some(0.0)).await;

    let before = page.article("large.bin").await.progress.unwrap_or_default();
    let receiving = other.trace(LOOKED_AT).await;
    let after = page.article("large.bin").await.progress.unwrap_or_default();
    let sending = one.trace(LOOKED_AT).await;
    let last = page.article("large.bin").await;
    assert!(!last.is_complete(), "it was complete before all was looked at: share more");

    let rate = LARGE as f64 * (after - before) / 100.0 / LOOKED_AT.as_secs_f64();
    report.rate("page: received meanwhile", rate);
    tell(report, "receiving tab", &receiving);
    tell(report, "sending tab", &sending);
}

fn tell(report: &mut Report, tab: &str, threads: &[MainThread]) {
    let thread = threads.first().expect("a page has a main thread");
    let tasks = thread.tasks.len();
    let busy = thread.busy().as_secs_f64() * 100.0 / LOOKED_AT.as_secs_f64();
    report.line(&format!("{tab}: tasks"), format!("{tasks}, {busy:.1} % of the time"), None);
    let mut times: Vec<Duration> = thread.tasks.iter().map(|task| task.cpu).collect();
    times.sort();
    let of = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let parts = format!("{}, {}", ms(of(0.99)), ms(of(0.999)));
    report.line(&format!("{tab}: 99 % and 99.9 % of tasks within"), parts, None);
    let longest = thread.longest().expect("a page that is drawn has tasks");
    let what = longest.parts.first().map_or("many small things", |(name, _)| name);
    report.line(
        &format!("{tab}: longest task (at most {})", ms(MOST)),
        format!("{} ({what})", ms(longest.cpu)),
        Some(longest.cpu <= MOST),
    );
    let longer = |task: &&Task| task.wall > MOST;
    for task in thread.tasks.iter().filter(longer) {
        let parts: Vec<String> =
            task.parts.iter().take(4).map(|(name, wall)| format!("{name} {}", ms(*wall))).collect();
        println!("    {} ({} running): {}", ms(task.wall), ms(task.cpu), parts.join(", "));
    }
    let waited = thread.tasks.iter().filter(longer).count();
    report.line(&format!("{tab}: longer by the clock on the wall"), waited.to_string(), None);
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
