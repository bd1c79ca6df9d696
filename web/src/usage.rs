//! How many bytes of files went out and came in.

use serde::{Deserialize, Serialize};

/// Bytes sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Bytes of files sent.
    pub sent: u64,
    /// Bytes of files received.
    pub received: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let add = u64::saturating_add;
        Self { sent: add(self.sent, other.sent), received: add(self.received, other.received) }
    }

    /// What came to it since it was `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        let less = u64::saturating_sub;
        Self { sent: less(self.sent, before.sent), received: less(self.received, before.received) }
    }
}
