//! Token buckets: how much may be sent or asked for per second.
//!
//! A bucket may be overdrawn by one message, and then waits until the debt is paid: so a cap holds
//! over time whatever the size of messages, and a cap below one message per burst still makes progress.

use crate::event::Traffic;
use crate::time::{Duration, Instant};

/// A bucket that fills at a rate and is emptied by use.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Bytes per second; `None` never runs dry.
    rate: Option<u64>,
    /// Bytes, negative while in debt.
    tokens: f64,
    updated: Instant,
}

/// A bucket holds what its rate brings in this time; more would let bursts through after a pause.
const BURST: Duration = Duration::from_millis(250);

impl TokenBucket {
    /// A full bucket with a rate in bytes per second; `None` is unlimited, 0 lets nothing through.
    pub fn new(now: Instant, rate: Option<u64>) -> Self {
        let mut bucket = Self { rate, tokens: 0.0, updated: now };
        bucket.tokens = bucket.capacity();
        bucket
    }

    /// Bytes per second; `None` is unlimited.
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Changes the rate from now on; debts stay.
    pub fn set_rate(&mut self, now: Instant, rate: Option<u64>) {
        if rate == self.rate {
            return;
        }
        self.refill(now);
        self.rate = rate;
        self.tokens = self.tokens.min(self.capacity());
    }

    /// Whether something may pass now.
    pub fn is_ready(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.rate.is_none() || self.tokens > 0.0
    }

    /// Notes that so many bytes passed.
    pub fn take(&mut self, now: Instant, bytes: usize) {
        if self.rate.is_some() {
            self.refill(now);
            self.tokens -= bytes as f64;
        }
    }

    /// When something may pass; `None` if now, or never at a rate of zero.
    pub fn ready_at(&mut self, now: Instant) -> Option<Instant> {
        if self.is_ready(now) {
            return None;
        }
        let rate = self.rate.filter(|&rate| rate > 0)?;
        // One byte's time more, so that rounding never leaves the bucket a hair short of ready.
        let wait = (1.0 - self.tokens) / rate as f64;
        Some(now + Duration::from_secs_f64(wait.min(86_400.0)) + Duration::from_micros(1))
    }

    fn capacity(&self) -> f64 {
        self.rate.unwrap_or(0) as f64 * BURST.as_secs_f64()
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_since(self.updated).as_secs_f64();
        self.updated = self.updated.max(now);
        let filled = self.tokens + elapsed * self.rate.unwrap_or(0) as f64;
        self.tokens = filled.min(self.capacity()).max(self.tokens);
    }
}

/// How fast bytes come, smoothed over a few seconds.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    since: Instant,
    updated: Instant,
    /// Bytes, of which a share fades with time.
    weight: f64,
    /// After so many seconds a byte counts for 1/e of what it did.
    fade: f64,
}

/// Steady enough to reckon with.
const FADE_SECONDS: f64 = 3.0;
/// For people to look at: what ended is soon seen to have ended.
const LIVELY_FADE_SECONDS: f64 = 1.0;

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, updated: now, weight: 0.0, fade: FADE_SECONDS }
    }

    /// One that follows changes sooner, and is less steady.
    pub(crate) fn lively(now: Instant) -> Self {
        Self { fade: LIVELY_FADE_SECONDS, ..Self::new(now) }
    }

    pub(crate) fn add(&mut self, now: Instant, bytes: u64) {
        self.weight = self.faded(now) + bytes as f64;
        self.updated = self.updated.max(now);
    }

    /// Bytes per second.
    pub(crate) fn rate(&self, now: Instant) -> f64 {
        // Shortly after the start there is less to average over.
        let age = now.saturating_since(self.since).as_secs_f64().max(0.25);
        let span = self.fade * (1.0 - (-age / self.fade).exp());
        self.faded(now) / span
    }

    fn faded(&self, now: Instant) -> f64 {
        let elapsed = now.saturating_since(self.updated).as_secs_f64();
        self.weight * (-elapsed / self.fade).exp()
    }
}

/// What goes to somebody and comes from them.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// Bytes.
    pub(crate) sent: u64,
    /// Bytes.
    pub(crate) received: u64,
    upload: Meter,
    download: Meter,
}

impl Flow {
    pub(crate) fn new(now: Instant) -> Self {
        let meter = Meter::lively(now);
        Self { sent: 0, received: 0, upload: meter.clone(), download: meter }
    }

    pub(crate) fn send(&mut self, now: Instant, bytes: u64) {
        self.sent += bytes;
        self.upload.add(now, bytes);
    }

    pub(crate) fn receive(&mut self, now: Instant, bytes: u64) {
        self.received += bytes;
        self.download.add(now, bytes);
    }

    pub(crate) fn traffic(&self, now: Instant) -> Traffic {
        Traffic {
            sent: self.sent,
            received: self.received,
            upload_rate: self.upload.rate(now),
            download_rate: self.download.rate(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    /// Bytes that pass in `seconds` when every chance is taken.
    fn passed(bucket: &mut TokenBucket, message: usize, seconds: u64) -> usize {
        let (mut now, mut passed) = (at(0), 0);
        while now < at(seconds * 1000) {
            match bucket.ready_at(now) {
                Some(later) => now = later,
                None if bucket.is_ready(now) => {
                    bucket.take(now, message);
                    passed += message;
                }
                None => break,
            }
        }
        passed
    }

    #[test]
    fn a_cap_holds_whatever_the_size_of_messages() {
        for message in [100, 16_384, 262_144] {
            let mut bucket = TokenBucket::new(at(0), Some(100_000));
            let passed = passed(&mut bucket, message, 100);
            let allowed = 100 * 100_000 + 25_000 + message;
            assert!(
                (9_990_000..=allowed).contains(&passed),
                "{passed} bytes in messages of {message}"
            );
        }
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_through_and_no_rate_everything() {
        let mut closed = TokenBucket::new(at(0), Some(0));
        assert!(!closed.is_ready(at(1_000_000)));
        assert_eq!(closed.ready_at(at(1_000_000)), None);
        let mut open = TokenBucket::new(at(0), None);
        open.take(at(0), usize::MAX);
        assert!(open.is_ready(at(0)));
    }

    #[test]
    fn a_pause_does_not_save_up_more_than_a_burst() {
        let mut bucket = TokenBucket::new(at(0), Some(1000));
        bucket.take(at(0), 250);
        let mut sent = 0;
        while bucket.is_ready(at(3_600_000)) {
            bucket.take(at(3_600_000), 10);
            sent += 10;
        }
        assert_eq!(sent, 250);
    }

    #[test]
    fn a_clock_that_jumps_back_neither_fills_nor_blocks_the_bucket() {
        let mut bucket = TokenBucket::new(at(1000), Some(1000));
        bucket.take(at(1000), 1250);
        assert!(!bucket.is_ready(at(0)));
        assert!(bucket.is_ready(at(2100)));
    }

    #[test]
    fn a_meter_shows_a_steady_rate_soon_and_fades_when_nothing_comes() {
        let mut meter = Meter::new(at(0));
        for tenth in 1..=100 {
            meter.add(at(tenth * 100), 100_000);
            if tenth > 5 {
                let rate = meter.rate(at(tenth * 100));
                assert!((0.8e6..1.3e6).contains(&rate), "{rate} after {tenth} tenths");
            }
        }
        assert!(meter.rate(at(30_000)) < 2_000.0);
    }

    #[test]
    fn a_flow_counts_for_good_and_its_rates_end_soon_after_it() {
        let mut flow = Flow::new(at(0));
        for tenth in 1..=100 {
            flow.receive(at(tenth * 100), 100_000);
        }
        flow.send(at(10_000), 7);
        let going = flow.traffic(at(10_000));
        assert_eq!((going.sent, going.received), (7, 10_000_000));
        assert!((0.8e6..1.3e6).contains(&going.download_rate), "{going:?}");
        let later = flow.traffic(at(20_000));
        assert_eq!((later.sent, later.received), (7, 10_000_000));
        assert!(later.download_rate < 100.0 && later.upload_rate < 1.0, "{later:?}");
    }

    #[test]
    fn a_changed_rate_takes_effect_at_once() {
        let mut bucket = TokenBucket::new(at(0), Some(1000));
        bucket.take(at(0), 2250);
        bucket.set_rate(at(0), Some(1_000_000));
        assert!(bucket.is_ready(at(3)));
    }
}
