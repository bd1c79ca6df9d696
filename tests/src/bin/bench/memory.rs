//! What memory sending and receiving takes: by command on both sides, then with Chromium on either side.
//! What a process grows by is looked at all the while, and its peak counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tests::proc::own_memory;
use tests::{Browser, BrowserKind, Server, Shoal, files};
use tokio::task::JoinHandle;

use crate::{LARGE, MIB, Report, fresh};

/// By how much a process may grow while it sends or receives, whatever the size.
const MAX_GROWTH: u64 = 64 * MIB;

pub(crate) async fn run(report: &mut Report) {
    let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
    let file = folder.path().join("large.bin");
    let hash = files::make(&file, LARGE, "bench memory");
    let server = Server::start().await;

    let mut sender = Shoal::send(&server, &[&file], &["--until-received", "1"]);
    let link = sender.invite_link().await;
    let into = fresh(folder.path(), "command");
    let sending = Watch::start(vec![("sender".into(), sender.pid())]);
    let mut receiver = Shoal::receive(&link, &into, &[]);
    receiver.event("joined").await;
    let receiving = Watch::start(vec![("receiver".into(), receiver.pid())]);
    receiver.complete().await;
    let (sending, receiving) = (sending.stop().await, receiving.stop().await);
    receiver.success().await;
    sender.success().await;
    assert_eq!(files::hash(&into.join("large.bin")), hash);
    growth(report, "command sends 2 GiB", &sending);
    growth(report, "command receives 2 GiB", &receiving);
    std::fs::remove_dir_all(into).expect("ours to delete");

    let mut sender = Shoal::send(&server, &[&file], &["--until-received", "1"]);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&sender.invite_link().await).await;
    page.article("large.bin").await;
    let watch = Watch::start(processes(&browser));
    page.press_on("large.bin", "Receive").await;
    page.complete("large.bin").await;
    let grown = watch.stop().await;
    let saved = browser.downloaded("large.bin", LARGE).await;
    assert_eq!(files::hash(&saved), hash);
    sender.success().await;
    growth(report, "Chromium receives 2 GiB", &grown);
    drop(browser);

    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.choose_files(&[&file]).await;
    let link = page.invite_link().await;
    let watch = Watch::start(processes(&browser));
    let into = fresh(folder.path(), "from the page");
    let mut receiver = Shoal::receive(&link, &into, &[]);
    receiver.complete().await;
    let grown = watch.stop().await;
    receiver.success().await;
    assert_eq!(files::hash(&into.join("large.bin")), hash);
    growth(report, "Chromium sends 2 GiB", &grown);
}

fn growth(report: &mut Report, what: &str, grown: &BTreeMap<String, u64>) {
    for (process, bytes) in grown {
        let process = process.split(' ').next().unwrap_or_default();
        let growth = format!("grew by {:.1} MiB", *bytes as f64 / MIB as f64);
        report.line(&format!("{what}: {process}"), growth, Some(*bytes < MAX_GROWTH));
    }
}

/// The browser's processes by what they are for: `renderer`, `network`, ….
fn processes(browser: &Browser) -> Vec<(String, u32)> {
    let kind = |line: &str| {
        let after = |key: &str| Some(line.split_once(key)?.1.split(' ').next()?.to_owned());
        match after("--utility-sub-type=") {
            Some(kind) => kind.split('.').next().unwrap_or_default().to_owned(),
            None => after("--type=").unwrap_or_else(|| "browser".to_owned()),
        }
    };
    browser.processes().into_iter().map(|(pid, line)| (kind(&line), pid)).collect()
}

/// Looks at the memory of processes until it is stopped.
struct Watch {
    stop: Arc<AtomicBool>,
    task: JoinHandle<BTreeMap<String, u64>>,
}

impl Watch {
    fn start(processes: Vec<(String, u32)>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let before: Vec<u64> = processes.iter().map(|(_, pid)| own_memory(*pid)).collect();
            let mut grown = BTreeMap::new();
            while !stopped.load(Ordering::Relaxed) {
                for ((name, pid), before) in processes.iter().zip(&before) {
                    let now = own_memory(*pid).saturating_sub(*before);
                    let most = grown.entry(format!("{name} {pid}")).or_insert(0);
                    *most = now.max(*most);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            grown
        });
        Self { stop, task }
    }

    /// The most that each process has grown by.
    async fn stop(self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the watch does not fail")
    }
}
