//! How many bytes of files went out and came in, from what the peer tells of each member. Those who leave
//! take their figures with them, so what was added is counted as it shows.

use std::collections::BTreeMap;

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
        Self { sent: self.sent + other.sent, received: self.received + other.received }
    }

    fn since(self, before: Self) -> Self {
        // Whoever comes back begins at nothing.
        if self.sent < before.sent || self.received < before.received {
            return self;
        }
        Self { sent: self.sent - before.sent, received: self.received - before.received }
    }
}

/// Counts what passes between us and the members of one room.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    members: BTreeMap<String, Usage>,
}

impl Meter {
    /// Takes in how it stands with each member, by their ids, and gives what is new.
    pub fn read<'a>(&mut self, now: impl Iterator<Item = (&'a str, Usage)>) -> Usage {
        let mut new = Usage::default();
        let mut members = BTreeMap::new();
        for (id, usage) in now {
            let before = self.members.get(id).copied().unwrap_or_default();
            new = new.and(usage.since(before));
            members.insert(id.to_owned(), usage);
        }
        self.members = members;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_counted_once_whoever_comes_and_goes() {
        let mut meter = Meter::default();
        let mut read = |now: &[(&'static str, u64, u64)]| {
            let now = now.iter().map(|&(id, sent, received)| (id, Usage { sent, received }));
            let Usage { sent, received } = meter.read(now);
            (sent, received)
        };
        assert_eq!(read(&[("a", 10, 0), ("b", 0, 5)]), (10, 5));
        assert_eq!(read(&[("a", 10, 0), ("b", 0, 5)]), (0, 0));
        assert_eq!(read(&[("b", 1, 9)]), (1, 4));
        assert_eq!(read(&[("a", 3, 0), ("b", 1, 9)]), (3, 0));
        assert_eq!(read(&[("a", 2, 0), ("b", 1, 9)]), (2, 0));
    }
}
