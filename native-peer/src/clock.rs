//! The clock that the core is told: time since this peer was started. The only file here that reads
//! a clock for the core's sake.

// What is disallowed elsewhere is this file's duty.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, SystemTime};

use protocol::time::Instant;

/// The time of day in milliseconds since 1970; 0 if the clock is set to before that.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// The time of day.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Time since a peer was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    /// Now, as the core counts.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// The moment the core calls `at`, as timers count.
    pub(crate) fn deadline(&self, at: Instant) -> tokio::time::Instant {
        self.start + Duration::from_micros(at.as_micros())
    }
}
