//! Transfers over a path that is long, or long and lossy, or neither: two network namespaces of our own
//! with a link in user space between them. Ours beside one bare data channel in the same run.
//!
//! First the link is measured with plain sockets: what it does to packets must be what it was told to.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use tempfile::TempDir;
use tests::link::{Counts, Shape};
use tests::{Browser, BrowserKind, Network, Server, Shoal, files};
use tokio::time::{Instant, timeout};

use crate::bare::BareChannel;
use crate::{MIB, Report, fresh, median, rate};

/// 100 Mbit/s.
const RATE: u64 = 12_500_000;
pub(crate) const LONG: Shape = Shape {
    delay: Duration::from_millis(25),
    rate: Some(RATE),
    queue: Duration::from_millis(100),
    loss: 0.0,
};
const LOSSY: Shape = Shape { loss: 0.01, ..LONG };
const SEED: u64 = 0x5eed;

/// What ours must reach of the link on the long path.
const MIN_OF_LINK: f64 = 0.6;
/// By what factor ours must be faster than the bare channel where packets are lost.
const MIN_OF_BARE: f64 = 6.0;

/// What ours must reach on a short path of what it reaches there with one lane at most: the same, but no
/// two runs are.
const MIN_OF_ONE_LANE: f64 = 0.9;

/// For how long the bare channel is watched.
const BARE_TIME: Duration = Duration::from_secs(20);
const SIZE: u64 = 96 * MIB;
/// When a transfer is taken for measured, whether complete or not.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(report: &mut Report) {
    if crate::is_outside(report, "long-path") {
        return;
    }
    let place = Place::start(SIZE, PATIENCE).await;
    check_link(report, &place.network);

    let (bare, ours) = place.browsers(report, "long", LONG).await;
    report.ratio("long: Chromium to Chromium / link", ours / RATE as f64, MIN_OF_LINK);
    report.line("long: bare channel / link", format!("{:.3}", bare / RATE as f64), None);
    let (bare, ours) = place.browsers(report, "lossy", LOSSY).await;
    report.ratio("lossy: Chromium to Chromium / bare channel", ours / bare, MIN_OF_BARE);
    let (bare, ours) = place.browsers(report, "near", Shape::NONE).await;
    report.line("near: Chromium to Chromium / bare channel", format!("{:.2}", ours / bare), None);

    let (one, several) = place.lanes().await;
    report.rate("near: command to Chromium, one lane at most", one);
    report.rate("near: command to Chromium, several allowed", several);
    report.ratio("near: several lanes allowed / one", several / one, MIN_OF_ONE_LANE);

    for (name, shape) in [("long", LONG), ("lossy", LOSSY)] {
        place.network.link.reshape(shape);
        report.rate(&format!("{name}: command to command"), place.commands(name).await);
        report
            .rate(&format!("{name}: command to Chromium"), place.command_to_page(name, &[]).await);
        report.rate(&format!("{name}: Chromium to command"), place.page_to_command(name).await);
    }
    let overrun = place.network.left().overrun() + place.network.right().overrun();
    report.line("packets that the link was too slow to take", overrun.to_string(), None);
}

/// Where everything happens.
pub(crate) struct Place {
    folder: TempDir,
    server: Server,
    network: Network,
    left: Browser,
    right: Browser,
    /// What is sent each time.
    size: u64,
    /// When a transfer is taken for measured, whether complete or not.
    patience: Duration,
}

impl Place {
    pub(crate) async fn start(size: u64, patience: Duration) -> Self {
        let network = Network::start(2, LONG, SEED);
        let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
        let server = Server::start().await;
        network.left().reach(server.port());
        network.right().reach(server.port());
        let left = Browser::start_at(network.left(), BrowserKind::Chromium, &server).await;
        let right = Browser::start_at(network.right(), BrowserKind::Chromium, &server).await;
        Self { folder, server, network, left, right, size, patience }
    }

    /// Bytes per second of the bare channel and of ours.
    pub(crate) async fn browsers(
        &self,
        report: &mut Report,
        name: &str,
        shape: Shape,
    ) -> (f64, f64) {
        self.network.link.reshape(shape);
        let before = self.network.link.counts();
        let bare = BareChannel::open(&self.server, &self.left, &self.right).await;
        let bare = bare.rate_over(BARE_TIME).await;
        report.rate(&format!("{name}: bare data channel"), bare);
        self.tell_packets(report, name, before);
        let before = self.network.link.counts();
        let ours = self.pages(name).await;
        report.rate(&format!("{name}: Chromium to Chromium, saved"), ours);
        self.tell_packets(report, name, before);
        (bare, ours)
    }

    async fn pages(&self, name: &str) -> f64 {
        let (path, title) = self.file(name, "pages");
        let origin = self.left.open(self.server.url()).await;
        origin.choose_files(&[&path]).await;
        let page = self.right.open(&origin.invite_link().await).await;
        page.article(&title).await;
        let start = Instant::now();
        page.press_on(&title, "Receive").await;
        let rate = self.received(&page, &title, start).await;
        origin.close().await;
        page.close().await;
        rate
    }

    /// On a path that does nothing, the rates with one lane at most and with as many as there are without
    /// being told: medians of three, taken in turns.
    async fn lanes(&self) -> (f64, f64) {
        self.network.link.reshape(Shape::NONE);
        let (mut one, mut several) = (Vec::new(), Vec::new());
        for round in 0..3 {
            one.push(self.command_to_page(&format!("one lane {round}"), &["--lanes", "1"]).await);
            several.push(self.command_to_page(&format!("lanes {round}"), &[]).await);
        }
        (median(one), median(several))
    }

    async fn commands(&self, name: &str) -> f64 {
        let (path, title) = self.file(name, "commands");
        let mut sender = Shoal::send_at(Some(self.network.left()), &self.server, &[&path], &[]);
        let link = sender.invite_link().await;
        self.receive(&link, &title).await
    }

    async fn page_to_command(&self, name: &str) -> f64 {
        let (path, title) = self.file(name, "page to command");
        let origin = self.left.open(self.server.url()).await;
        origin.choose_files(&[&path]).await;
        let rate = self.receive(&origin.invite_link().await, &title).await;
        origin.close().await;
        rate
    }

    async fn command_to_page(&self, name: &str, options: &[&str]) -> f64 {
        let (path, title) = self.file(name, "command to page");
        let mut sender = Shoal::send_at(Some(self.network.left()), &self.server, &[&path], options);
        let page = self.right.open(&sender.invite_link().await).await;
        page.article(&title).await;
        let start = Instant::now();
        page.press_on(&title, "Receive").await;
        let rate = self.received(&page, &title, start).await;
        page.close().await;
        rate
    }

    /// Receives by command on the right; starting and connecting do not count.
    async fn receive(&self, link: &str, title: &str) -> f64 {
        let into = fresh(self.folder.path(), &format!("into {title}"));
        let mut receiver = Shoal::receive_at(Some(self.network.right()), link, &into, &[]);
        receiver.event("share").await;
        let start = Instant::now();
        match timeout(self.patience, receiver.complete()).await {
            Ok(_) => rate(self.size, start.elapsed()),
            Err(_) => {
                let events = receiver.events();
                let bytes = events.iter().rev().find_map(|event| event["bytes"].as_u64());
                rate(bytes.unwrap_or(0), start.elapsed())
            }
        }
    }

    fn file(&self, name: &str, how: &str) -> (std::path::PathBuf, String) {
        let title = format!("{name} {how}.bin");
        let path = self.folder.path().join(&title);
        files::make(&path, self.size, &title);
        (path, title)
    }

    /// Waits for a share that was just asked for, but not too long, and gives bytes per second.
    async fn received(&self, page: &tests::Page<'_>, title: &str, start: Instant) -> f64 {
        if timeout(self.patience, page.complete(title)).await.is_ok() {
            return rate(self.size, start.elapsed());
        }
        let shelf = page.shelf().await;
        let article = shelf.into_iter().find(|article| article.title == title);
        let percent = article.and_then(|article| article.progress).unwrap_or(0.0);
        rate((self.size as f64 * percent / 100.0) as u64, start.elapsed())
    }

    fn tell_packets(&self, report: &mut Report, name: &str, before: Counts) {
        let now = self.network.link.counts();
        let text = format!(
            "{} delivered, {} dropped, {} lost",
            now.delivered - before.delivered,
            now.dropped - before.dropped,
            now.lost - before.lost
        );
        report.line(&format!("{name}:   packets"), text, None);
    }
}

/// Measures the link with plain UDP and TCP sockets.
fn check_link(report: &mut Report, network: &Network) {
    const HALF: u64 = RATE / 2;
    network.link.reshape(LONG);
    let calm = flood(network, HALF, Duration::from_secs(1));
    let delay = calm.least.as_secs_f64() * 1e3;
    let right = (25.0..28.0).contains(&delay);
    report.line("link: least one-way delay", format!("{delay:.1} ms (25 set)"), Some(right));
    let lost = calm.sent - calm.received;
    report.line("link: lost at half its rate", format!("{lost} of {}", calm.sent), Some(lost == 0));

    let flooded = flood(network, 2 * RATE, Duration::from_secs(2));
    let rate = flooded.rate / RATE as f64;
    let right = (0.95..1.02).contains(&rate);
    report.line("link: rate, when flooded, of what was set", format!("{rate:.3}"), Some(right));
    let delay = flooded.most.as_secs_f64() * 1e3;
    let right = (120.0..130.0).contains(&delay);
    report.line("link: greatest delay", format!("{delay:.1} ms (125 set)"), Some(right));

    network.link.reshape(LOSSY);
    let lossy = flood(network, HALF, Duration::from_secs(4));
    let share = (lossy.sent - lossy.received) as f64 / lossy.sent as f64 * 100.0;
    let right = (0.8..1.2).contains(&share);
    report.line("link: lost at 1 %", format!("{share:.2} % of {}", lossy.sent), Some(right));

    network.link.reshape(LONG);
    let tcp = tcp_rate(network, Duration::from_secs(5)) / RATE as f64;
    report.line("link: one TCP connection / rate", format!("{tcp:.2}"), Some(tcp > 0.6));
}

/// What became of datagrams from left to right.
struct Flood {
    sent: u64,
    received: u64,
    /// Bytes per second with headers, from the first that arrived to the last.
    rate: f64,
    least: Duration,
    most: Duration,
}

/// Sends datagrams at a rate, headers included, from left to right.
fn flood(network: &Network, rate: u64, time: Duration) -> Flood {
    const SIZE: usize = 1172;
    const HEADERS: usize = 28;
    const SILENCE: Duration = Duration::from_millis(500);
    let sink = network.right().run(|| UdpSocket::bind((network.right().address(), 0)));
    let sink = sink.expect("a port is free");
    rustix::net::sockopt::set_socket_recv_buffer_size(&sink, 4 << 20)
        .expect("the system allows it");
    sink.set_read_timeout(Some(SILENCE)).expect("a time to wait");
    let to = sink.local_addr().expect("it is bound");
    let source = network.left().run(|| UdpSocket::bind((network.left().address(), 0)));
    let source = source.expect("a port is free");

    let start = Instant::now();
    let receiving = std::thread::spawn(move || receive(&sink, start));
    let gap = (SIZE + HEADERS) as f64 / rate as f64;
    let mut datagram = [0; SIZE];
    let mut sent = 0;
    while start.elapsed() < time {
        // As many as are due by now.
        while (sent as f64) * gap < start.elapsed().as_secs_f64() {
            datagram[..8].copy_from_slice(&(start.elapsed().as_micros() as u64).to_be_bytes());
            source.send_to(&datagram, to).expect("the path is up");
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    let (received, least, most, first, last) = receiving.join().expect("receiving does not panic");
    let bytes = received.saturating_sub(1) * (SIZE + HEADERS) as u64;
    Flood { sent, received, rate: bytes as f64 / (last - first).as_secs_f64(), least, most }
}

/// Counts datagrams until none comes; gives their number, the least and greatest delay, and when the
/// first and the last came.
fn receive(sink: &UdpSocket, start: Instant) -> (u64, Duration, Duration, Duration, Duration) {
    let mut buffer = [0; 2048];
    let (mut count, mut least, mut most) = (0, Duration::MAX, Duration::ZERO);
    let (mut first, mut last) = (Duration::ZERO, Duration::ZERO);
    while sink.recv_from(&mut buffer).is_ok() {
        let now = start.elapsed();
        let sent = u64::from_be_bytes(buffer[..8].try_into().expect("eight bytes"));
        let delay = now.saturating_sub(Duration::from_micros(sent));
        (least, most) = (least.min(delay), most.max(delay));
        if count == 0 {
            first = now;
        }
        last = now;
        count += 1;
    }
    (count, least, most, first, last)
}

/// Bytes per second that one TCP connection brings from left to right.
fn tcp_rate(network: &Network, time: Duration) -> f64 {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    let listener = network.right().run(|| TcpListener::bind((network.right().address(), 0)));
    let listener = listener.expect("a port is free");
    let to: SocketAddr = listener.local_addr().expect("it is bound");
    let receiving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let (start, mut bytes, mut buffer) = (Instant::now(), 0, vec![0; 1 << 16]);
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            bytes += read as u64;
        }
        rate(bytes, start.elapsed())
    });
    let mut stream = network.left().run(|| TcpStream::connect(to)).expect("the path is up");
    let start = Instant::now();
    let block = vec![0; 1 << 16];
    while start.elapsed() < time {
        stream.write_all(&block).expect("somebody reads");
    }
    drop(stream);
    receiving.join().expect("receiving does not panic")
}
