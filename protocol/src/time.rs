//! Points in time as the core sees them.
//!
//! The core never reads a clock. Adapters measure time since a moment of their own choosing
//! (`std::time::Instant` does not work in a browser) and pass it in as an [`Instant`].

use std::ops::{Add, Sub};
pub use std::time::Duration;

/// A point in time: microseconds since an arbitrary moment that the adapter chose.
///
/// Only differences between two instants of one adapter mean anything. Time that runs backwards is
/// harmless: differences saturate at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment from which the adapter measures.
    pub const ZERO: Self = Self(0);

    /// The point in time `micros` microseconds after the adapter's moment.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the adapter's moment.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.saturating_since(rhs)
    }
}
