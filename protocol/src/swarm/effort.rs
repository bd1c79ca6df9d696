//! What one connection may cost us.
//!
//! Control messages are small, and some of them make much work: a few bytes say that somebody has all of a
//! share, a receipt has to be verified, a request may have to be chosen for. Whatever an honest peer has
//! to say takes a small part of one core; whoever keeps us busy beyond that is let go.

use super::Swarm;
use crate::event::CloseReason;
use crate::io::ConnectionId;
use crate::manifest::ShareId;
use crate::message::PeerMessage;
use crate::time::{Duration, Instant};

/// So much of each second may go on what one connection says …
const PER_SECOND: Duration = Duration::from_millis(500);
/// … and so much more at a time: a new neighbour tells all that it knows at once, and after an outage
/// everything comes together.
const AT_ONCE: Duration = Duration::from_secs(5);

/// To take in any message, roughly.
const MESSAGE: Duration = Duration::from_micros(10);
/// To verify a signature, to open an envelope, or to look for a place on the shelf.
const VERIFY: Duration = Duration::from_micros(100);
/// To look at so many pieces one by one.
const PIECES_PER_MICRO: u32 = 256;

/// What was spent on a connection and not yet forgotten.
#[derive(Debug)]
pub(super) struct Effort {
    spent: Duration,
    at: Instant,
}

impl Effort {
    pub(super) fn new(now: Instant) -> Self {
        Self { spent: Duration::ZERO, at: now }
    }

    /// Notes some more; false if that is too much.
    fn spend(&mut self, now: Instant, effort: Duration) -> bool {
        let elapsed = now.saturating_since(self.at);
        self.at = self.at.max(now);
        self.spent = self.spent.saturating_sub(elapsed.mul_f64(PER_SECOND.as_secs_f64())) + effort;
        self.spent <= AT_ONCE
    }
}

impl Swarm {
    /// Whether what a connection says is not too much; it is closed if it is.
    pub(super) fn spend(&mut self, connection: ConnectionId, message: &PeerMessage) -> bool {
        let effort = self.effort(message);
        let now = self.now;
        let within =
            self.lanes.get_mut(&connection).is_some_and(|lane| lane.effort.spend(now, effort));
        if !within {
            self.close_lane(connection, CloseReason::ProtocolViolation, true);
        }
        within
    }

    fn effort(&self, message: &PeerMessage) -> Duration {
        let all = |share: &ShareId| {
            let pieces = self.shelf.get(share).map_or(0, |share| share.geometry().pieces());
            Duration::from_micros(u64::from(pieces / PIECES_PER_MICRO))
        };
        MESSAGE
            + match message {
                PeerMessage::Share { share, .. } => VERIFY + all(share),
                PeerMessage::Unshare { share }
                | PeerMessage::Request { share, flexible: true, .. } => all(share),
                PeerMessage::Have { runs, .. } => {
                    let pieces: u32 = runs.iter().map(|run| run.count).sum();
                    Duration::from_micros(u64::from(pieces / PIECES_PER_MICRO))
                }
                PeerMessage::Confirm { .. }
                | PeerMessage::Hashes(_)
                | PeerMessage::Receipt { .. }
                | PeerMessage::Line(_)
                | PeerMessage::Relay { .. } => VERIFY,
                _ => Duration::ZERO,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_forgotten_at_its_rate() {
        let at = Instant::from_micros;
        let mut effort = Effort::new(at(0));
        assert!(effort.spend(at(0), AT_ONCE));
        assert!(!effort.spend(at(0), MESSAGE));
        assert!(effort.spend(at(1_000_000), PER_SECOND - MESSAGE));
        assert!(!effort.spend(at(1_000_000), MESSAGE));
        // Time that runs backwards gives nothing back.
        assert!(!effort.spend(at(0), MESSAGE));
        assert!(effort.spend(at(100_000_000), AT_ONCE));
    }
}
