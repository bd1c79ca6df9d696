//! Whom to be connected to, when a room has more members than a peer has connections.
//!
//! While all known members fit into the limit, everybody is connected to everybody. Beyond that each
//! peer keeps some connections of its own dialling, to members picked at random, and accepts others up
//! to the limit: so the room becomes a random graph, in which everybody is a few steps from everybody.
//! A peer that is full answers an offer with *busy*, and whoever hears that tries others at once. A
//! peer with too few connections says so in its offer; then a full one closes another to make room. It
//! never closes one that it dialled and needs itself, so nobody can be cut off by being dialled much.
//!
//! `peers` makes and closes the connections; what is said on them is not known here.

use super::Swarm;
use super::peers::{Member, Server};
use crate::event::CloseReason;
use crate::io::{ConnectionId, Role};
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};

/// The most connections at once, whatever is set. A page in Chromium can have 495.
const MAX_CONNECTIONS: usize = 128;
/// The most members that are remembered; beyond that some that are not connected are forgotten.
const MAX_MEMBERS: usize = 512;
/// A newcomer offers to those it was told of. If it does not within this time, we do.
pub(super) const NEWCOMER_PATIENCE: Duration = Duration::from_secs(20);
/// A member that had no room is not tried again before this.
pub(super) const BUSY_PATIENCE: Duration = Duration::from_secs(60);

impl Swarm {
    /// How many connections there may be.
    pub(super) fn connection_limit(&self) -> usize {
        self.policy.connections.clamp(1, MAX_CONNECTIONS)
    }

    /// How many connections of our own dialling to keep where not all members fit.
    fn dial_target(&self) -> usize {
        self.connection_limit() / 3 + 1
    }

    /// Whether we have too few connections to do without the next one.
    pub(super) fn is_needy(&self) -> bool {
        self.lanes.values().filter(|lane| lane.confirmed && !lane.is_extra).count() < self.dial_target()
    }

    /// How many members we are connected to, or connecting.
    pub(super) fn connected(&self) -> usize {
        self.lanes.values().filter(|lane| !lane.is_extra).count()
    }

    fn dialled(&self) -> usize {
        self.lanes.values().filter(|lane| !lane.is_extra && lane.role() == Role::Offerer).count()
    }

    /// Connects to as many more members as there should be, of those that may be tried now.
    pub(super) fn dial(&mut self) {
        self.dial_at = None;
        if self.server != Server::Joined {
            return;
        }
        let limit = self.connection_limit();
        let free = limit.saturating_sub(self.connected());
        let wanted = if self.members.len() <= limit {
            free
        } else {
            free.min(self.dial_target().saturating_sub(self.dialled()))
        };
        if wanted == 0 {
            return;
        }
        let (now, mut ready, mut later) = (self.now, Vec::new(), Vec::new());
        for (&peer, member) in self.members.iter().filter(|(_, member)| member.lane.is_none()) {
            match member.dial_at {
                Some(at) if at <= now => ready.push(peer),
                Some(at) => later.push(at),
                None => {}
            }
        }
        for _ in 0..wanted.min(ready.len()) {
            let peer = ready.swap_remove(self.rng.below(ready.len() as u32) as usize);
            self.connect(peer);
        }
        self.dial_at = later.into_iter().min();
    }

    /// The member of this id, to be dialled at `dial_at` if it is new. `None` if there are too many.
    pub(super) fn remember(&mut self, peer: PeerId, dial_at: Instant) -> Option<&mut Member> {
        if self.members.len() >= MAX_MEMBERS && !self.members.contains_key(&peer) {
            let from = PeerId(u64::from_le_bytes(self.rng.bytes()));
            let forgotten = self
                .members
                .range(from..)
                .chain(self.members.range(..from))
                .find_map(|(&id, member)| member.lane.is_none().then_some(id))?;
            self.members.remove(&forgotten);
        }
        self.may_dial = true;
        let now = self.now;
        Some(self.members.entry(peer).or_insert_with(|| Member::new(now, dial_at)))
    }

    /// Closes a connection at random for the sake of a peer that has too few; false if none can be
    /// spared.
    pub(super) fn make_room(&mut self) -> bool {
        let spare_own = self.dialled() > self.dial_target();
        let candidates: Vec<ConnectionId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.confirmed && !lane.is_extra && (spare_own || lane.role() == Role::Answerer))
            .map(|(&connection, _)| connection)
            .collect();
        if candidates.is_empty() {
            return false;
        }
        let chosen = candidates[self.rng.below(candidates.len() as u32) as usize];
        self.close_lane(chosen, CloseReason::MakingRoom, true);
        true
    }
}
