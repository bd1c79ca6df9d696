//! Processes that are killed (SIGKILL) at random points of a transfer of 64 MiB, and started again with the
//! same command:
//! - a receiver goes on from what was durable and ends with the right bytes; what its journal claimed when
//!   it was killed has the hashes that the origin signed;
//! - a sender goes on in the same room under the same link, so that the receiver, which stayed, goes on by
//!   itself;
//! - each time at most 4 MiB are fetched twice: of what had arrived whole when it was killed, only what was
//!   not durable yet is fetched again. What was on its way to a process that was killed is lost as well; how
//!   much was sent in vain is printed beside it.
//!
//! The points follow from a seed that is printed. How far a process comes by then
//! is the machine's affair: a transfer that was over before does not count, and another is made.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use native_peer::InviteLink;
use native_peer::storage::audit;
use tests::wait::SOON;
use tests::{Random, Server, Shoal, is_long, turn, turn_to_wait};
use tokio::time::Instant;

use crate::{MIB, Made, PIECE, Workbench};

const TOTAL: u64 = 64 * MIB;
/// What may be fetched twice.
const TWICE: u64 = 4 * MIB;
/// Transfers side by side: while one pair connects, another moves bytes.
const SIDE_BY_SIDE: u32 = 3;

/// How one went.
struct Outcome {
    /// Bytes that were there already when it went on.
    kept: u64,
    /// Bytes that were fetched twice.
    twice: u64,
    /// Bytes that were sent in vain, to whoever was killed or by.
    in_vain: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_killed_anywhere_go_on_and_claim_nothing_false() {
    let _turn = turn().await;
    let setting = Setting::new("receivers").await;
    let outcomes = setting.many(async |n, delay| setting.kill_receiver(n, delay).await).await;
    setting.report(&outcomes);
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_killed_anywhere_go_on_under_the_same_link() {
    let _turn = turn_to_wait().await;
    let setting = Setting::new("senders").await;
    let outcomes = setting.many(async |n, delay| setting.kill_sender(n, delay).await).await;
    setting.report(&outcomes);
}

struct Setting {
    who: &'static str,
    bench: Workbench,
    server: Server,
    file: Made,
    random: Mutex<Random>,
    /// How long a transfer takes, about.
    duration: Duration,
}

impl Setting {
    async fn new(who: &'static str) -> Self {
        let random = Mutex::new(Random::announced());
        let bench = Workbench::new();
        let server = Server::start().await;
        let file = bench.file("killed.bin", TOTAL);
        let mut setting = Self { who, bench, server, file, random, duration: Duration::ZERO };
        // So long does it take from the first byte on when nobody is killed.
        let (mut sender, mut receiver) = setting.pair(u64::MAX).await;
        let start = Instant::now();
        receiver.complete().await;
        setting.duration = start.elapsed();
        sender.success().await;
        setting
    }

    /// Goes through it as often as asked for, some side by side.
    async fn many(&self, once: impl AsyncFn(u64, Duration) -> Option<Outcome>) -> Vec<Outcome> {
        let wanted = if is_long() { 200 } else { 6 };
        let (next, counted) = (AtomicU64::new(0), AtomicU64::new(0));
        let worker = async || {
            let mut outcomes = Vec::new();
            while counted.load(Ordering::Relaxed) < wanted {
                let n = next.fetch_add(1, Ordering::Relaxed);
                assert!(n < wanted * 10, "transfers are over before anybody can be killed");
                if let Some(outcome) = once(n, self.point()).await {
                    counted.fetch_add(1, Ordering::Relaxed);
                    outcomes.push(outcome);
                }
            }
            outcomes
        };
        let (a, b, c) = tokio::join!(worker(), worker(), worker());
        [a, b, c].into_iter().flatten().collect()
    }

    /// How long after the beginning one is killed.
    fn point(&self) -> Duration {
        let mut random = self.random.lock().expect("nobody panics with it");
        // Those side by side share the machine, though not all are moving bytes at one time.
        let longest = self.duration * SIDE_BY_SIDE / 2;
        Duration::from_micros(random.between(0, longest.as_micros() as u64))
    }

    /// A sender with a configuration of its own, and a receiver that has begun.
    async fn pair(&self, n: u64) -> (Shoal, Shoal) {
        let mut sender = self.send(n);
        let link = sender.invite_link().await;
        let mut receiver = Shoal::receive(&link, &self.into(n), &[]);
        receiver.event("share").await;
        (sender, receiver)
    }

    fn send(&self, n: u64) -> Shoal {
        let config = self.bench.path(&format!("config {n}"));
        let flags = ["--until-received", "1"];
        Shoal::send_from(&config, &self.server, &[&self.file.path], &flags)
    }

    fn into(&self, n: u64) -> std::path::PathBuf {
        self.bench.path(&format!("into {n}"))
    }

    async fn kill_receiver(&self, n: u64, delay: Duration) -> Option<Outcome> {
        let (mut sender, mut receiver) = self.pair(n).await;
        let link = sender.link().to_owned();
        if !kill_after(&mut receiver, delay, &self.into(n).join(&self.file.name)).await {
            return None;
        }
        let room = link.parse::<InviteLink>().expect("the command prints a link").invite.room_id();
        let audit = audit(&self.into(n), room).expect("the folder can be read");
        assert_eq!(audit.broken, 0, "{audit:?}");
        let arrived = self.arrived_so_far(n);

        let mut receiver = Shoal::receive(&link, &self.into(n), &[]);
        let complete = receiver.complete().await;
        receiver.success().await;
        self.arrived(n);
        assert_eq!(complete.fetched + complete.reused, TOTAL);
        sender.success().await;
        let left = sender.events().pop().expect("it said that it left");
        let sent = left["uploaded"].as_u64().expect("it tells what it sent");
        Some(Outcome {
            kept: complete.reused,
            twice: arrived.saturating_sub(complete.reused),
            in_vain: sent.saturating_sub(TOTAL),
        })
    }

    async fn kill_sender(&self, n: u64, delay: Duration) -> Option<Outcome> {
        let (mut sender, mut receiver) = self.pair(n).await;
        let link = sender.link().to_owned();
        if !kill_after(&mut sender, delay, &self.into(n).join(&self.file.name)).await {
            return None;
        }
        let so_far = receiver.events().into_iter().rfind(|event| event["event"] == "progress");
        let mut sender = self.send(n);
        let event = sender.event("invite").await;
        assert_eq!((event["link"].as_str(), &event["again"]), (Some(link.as_str()), &true.into()));
        let complete = receiver.complete().await;
        receiver.success().await;
        let met = receiver.events().into_iter().filter(|event| event["event"] == "peer-connected");
        if met.count() < 2 {
            // All was on its way when the first was killed, and the second is not needed any more.
            self.arrived(n);
            return None;
        }
        sender.success().await;
        self.arrived(n);
        let twice = complete.fetched + complete.reused + complete.wasted - TOTAL;
        assert!(twice <= TWICE, "{twice} bytes were fetched twice: {complete:?}");
        let kept = so_far.and_then(|event| event["bytes"].as_u64()).unwrap_or(0);
        Some(Outcome { kept, twice, in_vain: complete.wasted })
    }

    /// Bytes of whole pieces that are on disk, durable or not, where a receiver was killed.
    fn arrived_so_far(&self, n: u64) -> u64 {
        let shares = std::fs::read_dir(self.into(n).join(".shoal")).into_iter().flatten().flatten();
        let data = shares.filter_map(|share| std::fs::read(share.path().join("data/0")).ok());
        let original = std::fs::read(&self.file.path).expect("it was just made");
        let pieces = |bytes: &[u8]| {
            let both = bytes.chunks(PIECE as usize).zip(original.chunks(PIECE as usize));
            both.filter(|(found, right)| found == right)
                .map(|(found, _)| found.len() as u64)
                .sum::<u64>()
        };
        data.map(|bytes| pieces(&bytes)).sum()
    }

    /// The file is there as it was; then it goes, for there is not room for hundreds.
    fn arrived(&self, n: u64) {
        self.file.assert_arrived(&self.into(n).join(&self.file.name));
        std::fs::remove_dir_all(self.into(n)).expect("the folder is ours");
    }

    fn report(&self, outcomes: &[Outcome]) {
        let most = outcomes.iter().map(|outcome| outcome.twice).max().unwrap_or(0);
        let mean =
            outcomes.iter().map(|outcome| outcome.twice).sum::<u64>() / outcomes.len() as u64;
        let in_vain = outcomes.iter().map(|outcome| outcome.in_vain).max().unwrap_or(0);
        let mut tenths = [0; 10];
        for outcome in outcomes {
            tenths[(outcome.kept * 10 / (TOTAL + 1)) as usize] += 1;
        }
        println!(
            "{}: {} killed, all went on to the right hash; fetched twice at most {} KiB, on average {} KiB; \
             sent in vain at most {} KiB; by tenths that were there: {tenths:?}",
            self.who,
            outcomes.len(),
            most >> 10,
            mean >> 10,
            in_vain >> 10,
        );
        assert!(most <= TWICE, "{most} bytes were fetched twice");
    }
}

/// Kills a process so long from now; false if the transfer was over by then.
async fn kill_after(process: &mut Shoal, delay: Duration, arrived: &Path) -> bool {
    // The point in time is what is random here: there is no event to wait for.
    tokio::time::sleep(delay).await;
    process.process.kill_now();
    process.process.exit(SOON).await;
    !arrived.exists()
}
