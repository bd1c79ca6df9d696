//! Whether a connection that seems to be up still carries anything.
//!
//! ICE notices an outage of a few seconds late or not at all. SCTP does, and waits before it repeats what was
//! lost, twice as long each time (RFC 9260, section 6.3.3): after five seconds it may stand still for as
//! long again, though the path is back. So where nothing comes of what was asked for, the other side is
//! asked whether it is there. A busy one, or one with a slow disk, answers; a connection that does not even
//! bring that is replaced by a new one, which has not backed off. The server is asked with it: a new one cannot
//! come about where no signal gets through, and the old one may come back by itself.

use super::Swarm;
use super::peers::Lane;
use crate::io::ConnectionId;
use crate::message::{BLOCK_BYTES, PeerMessage};
use crate::time::{Duration, Instant};

/// When nothing came for so long, the other side is asked whether it is there; if as long again brings nothing,
/// the connection is replaced. Long enough for people to be told before ([`NOTICEABLE`](super::waits)).
const QUIET: Duration = Duration::from_secs(3);
/// Where fewer bytes come per second, blocks may be that long apart, and what we ask waits behind them.
const LEAST_PACE: f64 = BLOCK_BYTES as f64;
/// A connection that came back after it was lost, and on which nothing comes of what was asked for so long, is
/// replaced without asking.
const MUTE_AFTER_REVIVAL: Duration = Duration::from_secs(1);

/// What is known of it.
#[derive(Debug)]
pub(super) struct Alive {
    /// When anything came.
    heard: Instant,
    /// Whether the other side was asked since.
    asked: bool,
    /// When the connection came back after it was lost.
    revived: Option<Instant>,
}

/// What to do about a connection that is quiet.
#[derive(Clone, Copy)]
enum Doubt {
    Ask,
    Replace,
}

impl Alive {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, asked: false, revived: None }
    }

    /// Something came.
    pub(super) fn handle_heard(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, false);
    }

    /// It is to be looked at again after as long.
    fn begin_anew(&mut self, now: Instant) {
        *self = Self { revived: self.revived.map(|_| now), ..Self::new(now) };
    }

    /// The connection was lost, and is back.
    pub(super) fn handle_revived(&mut self, now: Instant) {
        self.handle_heard(now);
        self.revived = Some(now);
    }
}

impl Lane {
    /// What to do about it, and when, if nothing comes until then.
    fn doubt(&self) -> Option<(Instant, Doubt)> {
        if self.asked.is_empty() || !self.negotiation.is_up() {
            return None;
        }
        if let Some(revived) = self.alive.revived.filter(|&at| self.heard <= at) {
            return Some((revived + MUTE_AFTER_REVIVAL, Doubt::Replace));
        }
        self.window.pace().filter(|&pace| pace >= LEAST_PACE)?;
        let quiet = self.alive.heard.max(self.heard) + QUIET;
        Some(if self.alive.asked { (quiet + QUIET, Doubt::Replace) } else { (quiet, Doubt::Ask) })
    }
}

impl Swarm {
    pub(super) fn on_ping(&mut self, connection: ConnectionId) {
        self.tell(connection, &PeerMessage::Pong);
    }

    pub(super) fn on_quiet_timeouts(&mut self) {
        let now = self.now;
        let due: Vec<(ConnectionId, Doubt)> = self
            .lanes
            .iter()
            .filter_map(|(&connection, lane)| Some((connection, lane.doubt()?)))
            .filter_map(|(connection, (at, doubt))| (at <= now).then_some((connection, doubt)))
            .collect();
        for (connection, doubt) in due {
            let Some(lane) = self.lanes.get_mut(&connection) else { continue };
            match doubt {
                Doubt::Ask => {
                    lane.alive.asked = true;
                    self.tell(connection, &PeerMessage::Ping);
                    self.ask_server();
                }
                Doubt::Replace => {
                    lane.alive.begin_anew(now);
                    let peer = lane.peer;
                    if self.has_answering_server(peer) || self.has_way_around(peer) {
                        self.replace_now(connection);
                    }
                }
            }
        }
    }

    pub(super) fn next_quiet_timeout(&self) -> Option<Instant> {
        self.lanes.values().filter_map(|lane| Some(lane.doubt()?.0)).min()
    }
}
