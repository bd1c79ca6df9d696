//! How fast one socket may send: a token bucket for messages and one for bytes. (`nameplates` counts with
//! buckets, too.)

use tokio::time::Instant;

use crate::options::Limits;

/// What one socket may still send.
pub(crate) struct Allowance {
    messages: Bucket,
    bytes: Bucket,
}

impl Allowance {
    pub(crate) fn new(now: Instant, limits: &Limits) -> Self {
        Self {
            messages: Bucket::new(now, limits.message_burst, limits.messages_per_second.into()),
            bytes: Bucket::new(now, limits.byte_burst, limits.bytes_per_second.into()),
        }
    }

    /// Takes one message of `bytes` off; `false` when that is more than there is.
    pub(crate) fn spend(&mut self, now: Instant, bytes: usize) -> bool {
        self.messages.take(now, 1.0) && self.bytes.take(now, bytes as f64)
    }
}

/// A token bucket, full at first.
pub(crate) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    pub(crate) fn new(now: Instant, capacity: u32, per_second: f64) -> Self {
        let capacity = f64::from(capacity);
        Self { capacity, per_second, level: capacity, filled_at: now }
    }

    /// Whether nothing was taken, or all of it has flowed in again.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.level_at(now) >= self.capacity
    }

    /// Takes an amount off; `false` when that is more than there is.
    pub(crate) fn take(&mut self, now: Instant, amount: f64) -> bool {
        self.level = self.level_at(now);
        self.filled_at = now;
        if self.level < amount {
            return false;
        }
        self.level -= amount;
        true
    }

    fn level_at(&self, now: Instant) -> f64 {
        let gained = now.duration_since(self.filled_at).as_secs_f64() * self.per_second;
        (self.level + gained).min(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_allowed_then_only_what_flows_in() {
        let limits = Limits { message_burst: 3, messages_per_second: 2, ..Limits::default() };
        let start = Instant::now();
        let mut allowance = Allowance::new(start, &limits);
        assert!((0..3).all(|_| allowance.spend(start, 10)));
        assert!(!allowance.spend(start, 10));
        let later = start + Duration::from_millis(500);
        assert!(allowance.spend(later, 10));
        assert!(!allowance.spend(later, 10));
        let much_later = start + Duration::from_secs(3600);
        assert!((0..3).all(|_| allowance.spend(much_later, 10)), "never more than a burst");
        assert!(!allowance.spend(much_later, 10));
    }

    #[test]
    fn bytes_are_limited_apart_from_messages() {
        let limits = Limits { byte_burst: 100, bytes_per_second: 10, ..Limits::default() };
        let start = Instant::now();
        let mut allowance = Allowance::new(start, &limits);
        assert!(allowance.spend(start, 100));
        assert!(!allowance.spend(start, 1));
        assert!(allowance.spend(start + Duration::from_secs(1), 10));
    }
}
