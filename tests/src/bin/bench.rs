//! `cargo xtask bench [memory|throughput|swarm|long-path|small-files]`: measures the built products, prints a table, and fails where a
//! promised bound does not hold. The figures of our machines are in docs/performance.md.
//!
//! Rates depend on the machine and on what else it does: only ratios within one run are bounded.

#[path = "bench/bare.rs"]
mod bare;
#[path = "bench/long_path.rs"]
mod long_path;
#[path = "bench/small_files.rs"]
mod small_files;
#[path = "bench/swarm.rs"]
mod swarm;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tests::proc::{cpu_time, own_memory};
use tests::wait::{Look, while_progressing};
use tests::{Browser, BrowserKind, Page, Server, Shoal, files, network};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const MIB: u64 = 1 << 20;
/// By how much a process may grow while it sends or receives, whatever the size.
const MAX_GROWTH: u64 = 64 * MIB;
const LARGE: u64 = 2048 * MIB;
const MEDIUM: u64 = 300 * MIB;
/// What a transfer from tab to tab, disk and hashing included, must reach of a bare data channel.
const MIN_RATIO: f64 = 0.6;

#[tokio::main]
async fn main() -> ExitCode {
    let name = std::env::args().nth(1);
    let mut report = Report::default();
    match name.as_deref() {
        None => {
            memory(&mut report).await;
            throughput(&mut report).await;
            swarm::run(&mut report).await;
            long_path::run(&mut report).await;
            small_files::run(&mut report).await;
        }
        Some("memory") => memory(&mut report).await,
        Some("throughput") => throughput(&mut report).await,
        Some("swarm") => swarm::run(&mut report).await,
        Some("long-path") => long_path::run(&mut report).await,
        Some("small-files") => small_files::run(&mut report).await,
        Some(other) => {
            eprintln!(
                "there is no benchmark {other}; there are memory, throughput, swarm, long-path and small-files"
            );
            return ExitCode::FAILURE;
        }
    }
    report.print()
}

/// For a benchmark that needs a network of its own: whether this process is not yet inside one. If so, it
/// has been run in another process that is.
fn is_outside(report: &mut Report, name: &str) -> bool {
    if network::is_inside() {
        return false;
    }
    let (value, held) = match network::enter(&[name]) {
        Ok(status) => ("see above".to_owned(), status.success()),
        Err(error) => (format!("no network of our own: {error}"), false),
    };
    report.line(name, value, Some(held));
    true
}

/// How much memory sending and receiving 2 GiB takes: by command on both sides, then with Chromium on
/// either side.
async fn memory(report: &mut Report) {
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
    report.growth("command sends 2 GiB", &sending);
    report.growth("command receives 2 GiB", &receiving);
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
    report.growth("Chromium receives 2 GiB", &grown);
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
    report.growth("Chromium sends 2 GiB", &grown);
}

/// How fast 300 MiB go from tab to tab, against a bare data channel between the same two browsers, and
/// from command to command.
async fn throughput(report: &mut Report) {
    let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
    let server = Server::start().await;
    let (one, other) =
        (Browser::start(BrowserKind::Chromium).await, Browser::start(BrowserKind::Chromium).await);

    // Before and after, since a machine is not equally fast all the time.
    let mut bare = vec![bare_channel(&server, &one, &other).await];
    let mut ours = Vec::new();
    for round in 0..3 {
        let name = format!("film {round}.bin");
        let file = folder.path().join(&name);
        files::make(&file, MEDIUM, &name);
        let origin = one.open(server.url()).await;
        origin.choose_files(&[&file]).await;
        let page = other.open(&origin.invite_link().await).await;
        page.article(&name).await;
        let start = Instant::now();
        page.press_on(&name, "Receive").await;
        page.complete(&name).await;
        ours.push(rate(MEDIUM, start.elapsed()));
        other.downloaded(&name, MEDIUM).await;
        origin.close().await;
        page.close().await;
        bare.push(bare_channel(&server, &one, &other).await);
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

/// Sends 300 MiB over one plain data channel between two browsers, the way examples do it: messages of
/// 64 KiB, paused above 1 MiB of buffered bytes. Gives bytes per second.
async fn bare_channel(server: &Server, one: &Browser, other: &Browser) -> f64 {
    const PEER: &str = "
        const done = arguments[arguments.length - 1];
        const [offerer] = arguments;
        window.pc = new RTCPeerConnection();
        window.channel = pc.createDataChannel('bare', { negotiated: true, id: 0 });
        channel.binaryType = 'arraybuffer';
        window.received = 0;
        channel.onmessage = event => { received += event.data.byteLength; };
        const gathered = new Promise(resolve => {
            pc.onicecandidate = event => { if (!event.candidate) resolve(); };
        });
        window.describe = async () => {
            await pc.setLocalDescription();
            await gathered;
            return JSON.stringify(pc.localDescription);
        };
        offerer ? describe().then(done) : done(null);";
    const ANSWER: &str = "
        const done = arguments[arguments.length - 1];
        pc.setRemoteDescription(JSON.parse(arguments[0])).then(describe).then(done);";
    const CONNECT: &str = "
        const done = arguments[arguments.length - 1];
        pc.setRemoteDescription(JSON.parse(arguments[0]));
        channel.readyState === 'open' ? done() : channel.onopen = () => done();";
    const SEND: &str = "
        const [total, done] = arguments;
        done();
        const message = new Uint8Array(65536);
        channel.bufferedAmountLowThreshold = 262144;
        let left = total;
        const fill = () => {
            while (left > 0 && channel.bufferedAmount < 1048576) {
                channel.send(message);
                left -= message.length;
            }
            if (left <= 0) channel.onbufferedamountlow = null;
        };
        channel.onbufferedamountlow = fill;
        fill();";
    const RECEIVED: &str = "arguments[arguments.length - 1](received)";

    // A document of our origin without the page's own work.
    let quiet = format!("{}/healthz", server.url());
    let (a, b) = (one.open(&quiet).await, other.open(&quiet).await);
    let offer = call(&a, PEER, json!(true)).await;
    call(&b, PEER, json!(false)).await;
    let answer = call(&b, ANSWER, offer).await;
    call(&a, CONNECT, answer).await;
    let start = Instant::now();
    call(&a, SEND, json!(MEDIUM)).await;
    // A script that waits for it would have to be done in 30 seconds.
    while_progressing("300 MiB over a bare data channel", async || {
        match call(&b, RECEIVED, json!(null)).await.as_u64() {
            Some(MEDIUM) => Look::Done(()),
            received => Look::Progress(received),
        }
    })
    .await;
    let rate = rate(MEDIUM, start.elapsed());
    a.close().await;
    b.close().await;
    rate
}

async fn call(page: &Page<'_>, script: &str, argument: serde_json::Value) -> serde_json::Value {
    let client = page.client().await;
    client.execute_async(script, vec![argument]).await.expect("the script runs")
}

fn rate(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / took.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn fresh(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir(&path).expect("a folder can be made");
    path
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

/// What was measured, and whether it is within bounds.
#[derive(Default)]
struct Report {
    lines: Vec<(String, String, Option<bool>)>,
}

impl Report {
    fn growth(&mut self, what: &str, grown: &BTreeMap<String, u64>) {
        for (process, bytes) in grown {
            let process = process.split(' ').next().unwrap_or_default();
            let growth = format!("grew by {:.1} MiB", *bytes as f64 / MIB as f64);
            let held = *bytes < MAX_GROWTH;
            self.line(&format!("{what}: {process}"), growth, Some(held));
        }
    }

    fn rate(&mut self, what: &str, rate: f64) {
        self.line(what, format!("{:.1} MB/s", rate / 1e6), None);
    }

    fn ratio(&mut self, what: &str, ratio: f64, least: f64) {
        self.line(what, format!("{ratio:.2} (at least {least})"), Some(ratio >= least));
    }

    fn at_most(&mut self, what: &str, ratio: f64, most: f64) {
        self.line(what, format!("{ratio:.2} (at most {most})"), Some(ratio <= most));
    }

    fn line(&mut self, what: &str, value: String, held: Option<bool>) {
        println!("{what:<48} {value}");
        self.lines.push((what.to_owned(), value, held));
    }

    /// Prints the table, and succeeds if all bounds hold.
    fn print(self) -> ExitCode {
        println!();
        let mut all = true;
        for (what, value, held) in self.lines {
            let verdict = match held {
                None => "",
                Some(true) => "ok",
                Some(false) => "MISSED",
            };
            all &= held != Some(false);
            println!("{what:<48} {value:<28} {verdict}");
        }
        if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
