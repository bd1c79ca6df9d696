//! Negotiation of one connection: who offers, when ICE is restarted, when to give up.
//!
//! There is no glare by construction: the newcomer offers, and whoever offered first restarts ICE and
//! tries again. `disconnected` is transient. A connection is given up when it did not come about in
//! time, or when it was lost and restarts have not brought it back in time. Long before that a new one is
//! made in its place, if signals come through: after a long outage it is sooner there than what was lost
//! goes on, since whoever sends on that has backed off, and some implementations close it.
//!
//! Within an epoch (one attempt to connect two peers) signals count up; a signal that does not is a
//! replay and is dropped. What opens a new epoch is decided in `swarm`.

use crate::envelope::Signal;
use crate::event::PeerLink;
use crate::io::{
    Candidate, ConnectionId, ConnectionRequest, ConnectionState, Description, Fingerprint, Role,
};
use crate::time::{Duration, Instant};

/// How long a connection may take to come about. Browsers give up on ICE after 15 to 30 s.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long `disconnected` may last before ICE is restarted: short outages heal by themselves.
const GRACE: Duration = Duration::from_secs(2);
/// How long after a restart the next one is made, if the first brought nothing.
const RESTART_INTERVAL: Duration = Duration::from_secs(3);
/// How long a restart waits that would not get through.
const POSTPONED: Duration = Duration::from_millis(500);
/// A connection that was lost for longer is replaced rather than revived. By now some 15 s have passed
/// since it carried anything, and SCTP doubles its wait with every retransmission, up to a minute
/// (RFC 9260, section 6.3.3).
const REVIVABLE: Duration = Duration::from_secs(8);
/// How long a lost connection is kept, in case that nothing can take its place.
const REVIVE_TIMEOUT: Duration = Duration::from_secs(75);
/// Signals that may overtake one.
const WINDOW: u32 = u64::BITS;
/// Candidates that may arrive before the description they belong to.
const MAX_EARLY_CANDIDATES: usize = 64;

/// The negotiation of one connection.
#[derive(Debug)]
pub(crate) struct Negotiation {
    connection: ConnectionId,
    role: Role,
    epoch: u64,
    next_sequence: u32,
    /// One more than the highest sequence number that was seen.
    seen_below: u32,
    /// Which of the [`WINDOW`] numbers below that were seen, the highest in the lowest bit.
    seen: u64,
    /// Descriptions with lower sequence numbers are of before.
    described_below: u32,
    described: bool,
    /// The certificate that their description announces, if it names one.
    announced: Option<Fingerprint>,
    early: Vec<Option<Candidate>>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting { since: Instant, give_up: Instant },
    Up,
    Lost { since: Instant, restart: Option<Instant>, give_up: Instant },
}

/// What a negotiation wants when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// Make an offer that restarts ICE.
    RestartIce,
    /// Make a new connection in its place, if that is possible.
    Replace,
    /// Close it: it never came about.
    Unreachable,
    /// Close it: it was lost and did not come back.
    Lost,
}

impl Negotiation {
    /// One that is given up if it has not come about after `patience`.
    pub(crate) fn new(
        now: Instant,
        connection: ConnectionId,
        role: Role,
        epoch: u64,
        patience: Duration,
    ) -> Self {
        Self {
            connection,
            role,
            epoch,
            next_sequence: 0,
            seen_below: 0,
            seen: 0,
            described_below: 0,
            described: false,
            announced: None,
            early: Vec::new(),
            phase: Phase::Connecting { since: now, give_up: now + patience },
        }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The certificate that the other side announced.
    pub(crate) fn announced(&self) -> Option<Fingerprint> {
        self.announced
    }

    /// How the connection stands.
    pub(crate) fn link(&self) -> PeerLink {
        match self.phase {
            Phase::Connecting { since, give_up } => PeerLink::Connecting { since, give_up },
            Phase::Up => PeerLink::Connected,
            Phase::Lost { since, give_up, .. } => PeerLink::Reviving { since, give_up },
        }
    }

    /// Whether it is confirmed and, as far as is known, working.
    pub(crate) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Whether it was lost so long ago that it should be replaced.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Lost { since, .. } if since + REVIVABLE <= now)
    }

    /// The number for the next signal of ours.
    pub(crate) fn take_sequence(&mut self) -> u32 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    /// Whether a signal of theirs is new; notes that it was seen. Signals may overtake each other a little
    /// (as packets may in RFC 4303, appendix A2), but no description may be followed by an earlier one.
    pub(crate) fn is_fresh(&mut self, sequence: u32, signal: &Signal) -> bool {
        let is_candidate = matches!(signal, Signal::Candidate(_));
        if sequence == u32::MAX || !is_candidate && sequence < self.described_below {
            return false;
        }
        if sequence >= self.seen_below {
            let ahead = sequence - self.seen_below + 1;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.seen_below = sequence + 1;
        } else {
            let behind = self.seen_below - 1 - sequence;
            if behind >= WINDOW || self.seen >> behind & 1 == 1 {
                return false;
            }
            self.seen |= 1 << behind;
        }
        if !is_candidate {
            self.described_below = sequence + 1;
        }
        true
    }

    pub(crate) fn handle_signal(&mut self, signal: Signal) -> Vec<ConnectionRequest> {
        let connection = self.connection;
        match signal {
            Signal::LaneOffer(sdp) => {
                self.handle_signal(Signal::Description(Description::Offer(sdp)))
            }
            Signal::Description(description) => {
                // Each role has one kind of description to give; the other makes no sense from it.
                let expected = match self.role {
                    Role::Offerer => matches!(description, Description::Answer(_)),
                    Role::Answerer => matches!(description, Description::Offer(_)),
                };
                if !expected {
                    return Vec::new();
                }
                self.described = true;
                self.announced = description.fingerprint();
                let early = std::mem::take(&mut self.early);
                std::iter::once(ConnectionRequest::SetRemoteDescription { connection, description })
                    .chain(
                        early.into_iter().map(|candidate| ConnectionRequest::AddCandidate {
                            connection,
                            candidate,
                        }),
                    )
                    .collect()
            }
            Signal::Candidate(candidate) if self.described => {
                vec![ConnectionRequest::AddCandidate { connection, candidate }]
            }
            Signal::Candidate(candidate) => {
                if self.early.len() < MAX_EARLY_CANDIDATES {
                    self.early.push(candidate);
                }
                Vec::new()
            }
            // What these say is heard in `swarm`.
            Signal::NeedyOffer(sdp) => {
                self.handle_signal(Signal::Description(Description::Offer(sdp)))
            }
            Signal::Busy | Signal::Locked => Vec::new(),
        }
    }

    /// The channels are open, and the other side has proven who it is. Until then the connection has
    /// only as long as it was given.
    pub(crate) fn handle_confirmed(&mut self) {
        self.phase = Phase::Up;
    }

    pub(crate) fn handle_state(&mut self, now: Instant, state: ConnectionState) {
        match (state, self.phase) {
            (ConnectionState::Connected, Phase::Lost { .. }) => self.phase = Phase::Up,
            (ConnectionState::Disconnected, Phase::Up) => self.lose(now, now + GRACE),
            (ConnectionState::Failed, Phase::Up) => self.lose(now, now),
            (ConnectionState::Failed, Phase::Connecting { since, .. }) => {
                self.phase = Phase::Connecting { since, give_up: now };
            }
            // ICE gave up before the grace was over, or a restart failed at once.
            (ConnectionState::Failed, Phase::Lost { restart: Some(at), .. }) => {
                self.restart_at(at.min(now + GRACE));
            }
            _ => {}
        }
    }

    /// A restart would not get through; soon perhaps.
    pub(crate) fn postpone(&mut self, now: Instant) {
        self.restart_at(now + POSTPONED);
    }

    /// Signals have a way again: what was lost is tried at once.
    pub(crate) fn handle_way(&mut self, now: Instant) {
        self.restart_at(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Connecting { give_up, .. } => Some(give_up),
            Phase::Up => None,
            Phase::Lost { restart, give_up, .. } => {
                Some(restart.map_or(give_up, |at| at.min(give_up)))
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Overdue> {
        match &mut self.phase {
            Phase::Connecting { give_up, .. } if *give_up <= now => Some(Overdue::Unreachable),
            Phase::Lost { give_up, .. } if *give_up <= now => Some(Overdue::Lost),
            Phase::Lost { since, restart: Some(at), .. } if *at <= now => {
                *at = now + RESTART_INTERVAL;
                let stale = *since + REVIVABLE <= now;
                Some(if stale { Overdue::Replace } else { Overdue::RestartIce })
            }
            _ => None,
        }
    }

    fn lose(&mut self, now: Instant, restart: Instant) {
        // The answerer waits to be offered a restart.
        let restart = (self.role == Role::Offerer).then_some(restart);
        self.phase = Phase::Lost { since: now, restart, give_up: now + REVIVE_TIMEOUT };
    }

    /// If it is up to us to restart ICE, when that is done.
    fn restart_at(&mut self, at: Instant) {
        if let Phase::Lost { restart: Some(restart), .. } = &mut self.phase {
            *restart = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn negotiation(role: Role) -> Negotiation {
        Negotiation::new(at(0), ConnectionId(0), role, 1, CONNECT_TIMEOUT)
    }

    fn open(role: Role) -> Negotiation {
        let mut negotiation = negotiation(role);
        negotiation.handle_confirmed();
        negotiation
    }

    #[test]
    fn a_short_outage_heals_without_a_restart() {
        let mut n = open(Role::Offerer);
        n.handle_state(at(10), ConnectionState::Disconnected);
        assert_eq!(n.handle_timeout(at(11)), None);
        n.handle_state(at(11), ConnectionState::Connected);
        assert_eq!(n.poll_timeout(), None);
    }

    #[test]
    fn the_offerer_restarts_ice_and_then_replaces_what_was_lost_while_the_answerer_waits() {
        let mut offerer = open(Role::Offerer);
        let mut answerer = open(Role::Answerer);
        for n in [&mut offerer, &mut answerer] {
            n.handle_state(at(10), ConnectionState::Disconnected);
        }
        let wanted: Vec<Overdue> =
            std::iter::from_fn(|| offerer.handle_timeout(offerer.poll_timeout()?))
                .take_while(|wanted| *wanted != Overdue::Lost)
                .collect();
        // At 12, 15, 18, then every three seconds.
        let restarts = wanted.iter().take_while(|wanted| **wanted == Overdue::RestartIce).count();
        assert_eq!((restarts, wanted.len()), (2, 25));
        assert!(wanted[restarts..].iter().all(|wanted| *wanted == Overdue::Replace));
        assert_eq!(answerer.poll_timeout(), Some(at(85)));
        assert_eq!(answerer.handle_timeout(at(85)), Some(Overdue::Lost));
    }

    #[test]
    fn when_signals_come_through_again_what_was_lost_is_tried_at_once() {
        let mut n = open(Role::Offerer);
        n.handle_state(at(10), ConnectionState::Disconnected);
        assert_eq!(n.handle_timeout(at(12)), Some(Overdue::RestartIce));
        n.handle_way(at(13));
        assert_eq!(n.handle_timeout(at(13)), Some(Overdue::RestartIce));
        assert!(!n.is_stale(at(13)));
        n.handle_way(at(20));
        assert!(n.is_stale(at(20)));
        assert_eq!(n.handle_timeout(at(20)), Some(Overdue::Replace));
    }

    #[test]
    fn failing_before_it_was_ever_up_gives_up_at_once() {
        let mut n = negotiation(Role::Offerer);
        n.handle_state(at(5), ConnectionState::Failed);
        assert_eq!(n.handle_timeout(at(5)), Some(Overdue::Unreachable));
        let mut n = negotiation(Role::Answerer);
        assert_eq!(n.handle_timeout(at(29)), None);
        assert_eq!(n.handle_timeout(at(30)), Some(Overdue::Unreachable));
    }

    #[test]
    fn candidates_wait_for_the_description() {
        let mut n = negotiation(Role::Answerer);
        assert_eq!(n.handle_signal(Signal::Candidate(None)), []);
        let wrong = Signal::Description(Description::Answer(String::new()));
        assert_eq!(n.handle_signal(wrong), []);
        let offer = Description::Offer(String::new());
        let connection = ConnectionId(0);
        assert_eq!(
            n.handle_signal(Signal::Description(offer.clone())),
            [
                ConnectionRequest::SetRemoteDescription { connection, description: offer },
                ConnectionRequest::AddCandidate { connection, candidate: None },
            ]
        );
    }

    #[test]
    fn each_signal_is_fresh_once_and_few_may_overtake_it() {
        let mut n = negotiation(Role::Answerer);
        let candidate = Signal::Candidate(None);
        let mut is_fresh = |sequence| n.is_fresh(sequence, &candidate);
        for (sequence, expected) in [
            (0, true),
            (0, false),
            (5, true),
            (3, true),
            (3, false),
            (5, false),
            (1, true),
            (68, true),
            (5, false),
            (4, false),
            (6, true),
            (1000, true),
            (68, false),
            (936, false),
            (937, true),
            (u32::MAX, false),
            (u32::MAX - 1, true),
            (u32::MAX - 1, false),
        ] {
            assert_eq!(is_fresh(sequence), expected, "{sequence}");
        }
    }

    #[test]
    fn a_description_is_never_followed_by_an_earlier_one() {
        let mut n = negotiation(Role::Answerer);
        let offer = Signal::Description(Description::Offer(String::new()));
        assert!(n.is_fresh(4, &Signal::Candidate(None)));
        assert!(n.is_fresh(3, &offer));
        assert!(!n.is_fresh(2, &offer));
        assert!(n.is_fresh(2, &Signal::Candidate(None)));
        assert!(n.is_fresh(5, &offer));
        assert!(!n.is_fresh(4, &offer));
    }
}
