//! 20 000 small files in one share against one file of the same total, over the same link: what a file
//! costs beside its bytes. With a round trip for each, the link's 20 ms alone would make it minutes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tests::link::Shape;
use tests::{Browser, BrowserKind, Network, Server, Shoal, files};
use tokio::time::Instant;

use crate::{Report, fresh, rate};

const FILES: u64 = 20_000;
const IN_ONE_FOLDER: u64 = 200;
/// 100 Mbit/s.
const LINK: Shape = Shape {
    delay: Duration::from_millis(10),
    rate: Some(12_500_000),
    queue: Duration::from_millis(100),
    loss: 0.0,
};
const SEED: u64 = 0x5eed;

/// What many files must reach of the rate of one.
const MIN_RATIO: f64 = 0.5;
/// The part of the time that may pass without visible progress.
const MAX_PAUSE: f64 = 0.3;

pub(crate) async fn run(report: &mut Report) {
    if crate::is_outside(report, "small-files") {
        return;
    }
    let network = Network::start(2, LINK, SEED);
    let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
    let server = Server::start().await;
    network.left().reach(server.port());
    network.right().reach(server.port());
    let many = folder.path().join("many");
    let total = make_many(&many);
    let one = folder.path().join("one.bin");
    files::make(&one, total, "bench small files");

    let place = Place { folder: folder.path(), server, network, total };
    let (of_one, _) = place.by_command(&one).await;
    let (of_many, pause) = place.by_command(&many).await;
    assert_eq!(files::tree(&many), files::tree(&folder.path().join("into many/many")));
    report.rate("command to command: one file", of_one);
    report.rate("command to command: 20 000 files", of_many);
    report.ratio("command to command: 20 000 files / one", of_many / of_one, MIN_RATIO);
    report.at_most("command to command: longest pause / time", pause, MAX_PAUSE);

    let left = Browser::start_at(place.network.left(), BrowserKind::Chromium, &place.server).await;
    let right =
        Browser::start_at(place.network.right(), BrowserKind::Chromium, &place.server).await;
    let (of_one, _) = place.by_page(&left, &right, &one, "one.bin", "one.bin").await;
    let (of_many, pause) = place.by_page(&left, &right, &many, "many", "many.zip").await;
    let unpacked = fresh(folder.path(), "unpacked");
    files::unzip(&right.downloaded_any("many.zip").await, &unpacked);
    assert_eq!(files::tree(&many), files::tree(&unpacked.join("many")));
    report.rate("Chromium to Chromium: one file, saved", of_one);
    report.rate("Chromium to Chromium: 20 000 files, saved", of_many);
    report.ratio("Chromium to Chromium: 20 000 files / one", of_many / of_one, MIN_RATIO);
    report.at_most("Chromium to Chromium: longest pause / time", pause, MAX_PAUSE);
}

/// Fills a folder with files of 1 to 4 KiB, and gives their total.
pub(crate) fn make_many(root: &Path) -> u64 {
    let mut total = 0;
    for number in 0..FILES {
        let folder = root.join(format!("part {}", number / IN_ONE_FOLDER));
        if number % IN_ONE_FOLDER == 0 {
            fs::create_dir_all(&folder).expect("a folder can be made");
        }
        let size = 1024 + number * 7919 % 3073;
        files::make(&folder.join(format!("{number}.txt")), size, &number.to_string());
        total += size;
    }
    total
}

/// Where everything happens.
struct Place<'a> {
    folder: &'a Path,
    server: Server,
    network: Network,
    total: u64,
}

impl Place<'_> {
    /// Sends by command from left to right. Gives bytes per second and the greatest part of the time that
    /// passed without progress.
    async fn by_command(&self, path: &Path) -> (f64, f64) {
        let (left, right) = (Some(self.network.left()), Some(self.network.right()));
        let mut sender = Shoal::send_at(left, &self.server, &[path], &[]);
        let link = sender.invite_link().await;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let into = fresh(self.folder, &format!("into {name}"));
        let mut receiver = Shoal::receive_at(right, &link, &into, &[]);
        receiver.event("share").await;
        let mut progress = Progress::start();
        receiver.complete_seeing(|bytes| progress.saw(bytes as f64)).await;
        let ended = progress.end(self.total);
        receiver.success().await;
        ended
    }

    /// The same by page, saved.
    async fn by_page(
        &self,
        left: &Browser,
        right: &Browser,
        path: &Path,
        title: &str,
        saved: &str,
    ) -> (f64, f64) {
        let origin = left.open(self.server.url()).await;
        if path.is_dir() {
            origin.choose_folder(path).await;
        } else {
            origin.choose_files(&[path]).await;
        }
        let page = right.open(&origin.invite_link().await).await;
        page.article(title).await;
        page.press_on(title, "Receive").await;
        let mut progress = Progress::start();
        page.complete_seeing(title, |percent| progress.saw(percent)).await;
        let ended = progress.end(self.total);
        right.downloaded_any(saved).await;
        origin.close().await;
        page.close().await;
        ended
    }
}

/// How steadily something grows.
struct Progress {
    start: Instant,
    last: (f64, Instant),
    longest: Duration,
}

impl Progress {
    fn start() -> Self {
        let now = Instant::now();
        Self { start: now, last: (0.0, now), longest: Duration::ZERO }
    }

    fn saw(&mut self, value: f64) {
        if value != self.last.0 {
            self.longest = self.longest.max(self.last.1.elapsed());
            self.last = (value, Instant::now());
        }
    }

    /// Bytes per second, and the longest time without progress as a part of all.
    fn end(mut self, total: u64) -> (f64, f64) {
        self.longest = self.longest.max(self.last.1.elapsed());
        let took = self.start.elapsed();
        (rate(total, took), self.longest.as_secs_f64() / took.as_secs_f64())
    }
}
