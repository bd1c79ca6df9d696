//! Lanes: several connections to one member, where one does not carry what the path would.
//!
//! One SCTP association on a long path is held back by its loss recovery, and by the receiver's socket,
//! which loses whatever comes in a burst larger than its buffer. Several associations with a window each
//! fill the path. On a short path they only cost. So whoever fetches over a long path tries more lanes,
//! keeps them if that pays, and takes them back if it does not, or when nothing is fetched any more.
//!
//! A lane is a source like any other to `ask`, and a receiver like any other to `serve`. Only the first
//! connection to a member, the *main* lane, carries news; when it goes, the others go with it.

use tracing::debug;

use super::Swarm;
use super::peers::{Lane, Member};
use super::shelf::State;
use crate::event::CloseReason;
use crate::io::{ConnectionId, Role};
use crate::manifest::ShareId;
use crate::scheduler::MAX_WINDOW_BYTES;
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};

/// A path on which answers take at least so long is a long one.
const LONG_PATH: Duration = Duration::from_millis(25);
/// What may be on its way over one lane, as a multiple of the receiving socket's buffer: the path itself
/// and the queues along it hold the rest.
const ALONE_BUFFERS: u64 = 4;
/// The same for all lanes to a member together.
const TOGETHER_BUFFERS: u64 = 6;
/// The numbers of lanes that are tried, one after the other.
const STEPS: [usize; 3] = [1, 4, 8];
/// How often it is looked at what the lanes bring.
const REVIEW: Duration = Duration::from_secs(1);
/// How many reviews new lanes have to come about: where packets are lost, a handshake takes seconds.
const PATIENCE: u32 = 5;
/// How many reviews they have to get going once they are up, before one that counts.
const SETTLING: u32 = 1;
/// More lanes are kept if that much more arrives.
const PAYS: f64 = 1.1;
/// After a try that did not pay.
const REST: Duration = Duration::from_secs(60);
/// With less than this to fetch, more lanes would come too late.
const WORTH_BYTES: u64 = 8 << 20;
/// Where so many connected members take part in a share, there are several connections already.
const MANY_SOURCES: usize = 4;
/// Lanes that bring nothing for so many reviews are closed.
const IDLE_REVIEWS: u32 = 20;

/// What is tried, and how it goes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    review_at: Option<Instant>,
    /// What had been received by the last review, from everybody.
    received: u64,
    trial: Option<Trial>,
}

/// A member is given more lanes for a trial.
#[derive(Debug)]
struct Trial {
    peer: PeerId,
    /// How many it had, and bytes per second that arrived with them, from everybody.
    before: usize,
    rate: f64,
    /// Reviews that are waited for the lanes to be up, and then until the one that counts.
    patience: u32,
    settling: u32,
}

/// How a member stands with regard to lanes.
#[derive(Debug)]
pub(super) struct Extra {
    /// Connections besides the main one.
    pub(super) lanes: Vec<ConnectionId>,
    /// The latest attempt of theirs to open one; earlier ones are stale.
    pub(super) epoch: u64,
    /// How many lanes we want in all.
    wanted: usize,
    /// No new trial before this.
    rest_until: Instant,
    idle: u32,
}

impl Extra {
    pub(super) fn new(now: Instant) -> Self {
        Self { lanes: Vec::new(), epoch: 0, wanted: 1, rest_until: now, idle: 0 }
    }
}

impl Member {
    /// Whether it has or fetches some of a share.
    fn takes_part(&self, id: ShareId) -> bool {
        self.shares.get(&id).is_some_and(|told| told.pieces.is_some())
    }
}

impl Lane {
    /// Whether more than one lane may pay, whatever its addresses look like: a VPN has those of a LAN. ICE
    /// measures the path itself; how long answers take tells also of slow disks and uplinks.
    pub(super) fn is_long(&self) -> bool {
        let round_trip = self.path.and_then(|path| path.round_trip);
        round_trip.or(self.window.response()).is_some_and(|time| time >= LONG_PATH)
    }
}

impl Swarm {
    // ---- coming and going ----

    fn connect_lane(&mut self, peer: PeerId) {
        let Some(epoch) = self.next_epoch(peer) else { return };
        self.make_extra(peer, Role::Offerer, epoch);
    }

    /// How many connections to a member are up.
    pub(super) fn confirmed_to(&self, peer: PeerId) -> usize {
        let Some(member) = self.members.get(&peer) else { return 0 };
        let lanes = member.lane.iter().chain(&member.extra.lanes);
        lanes.filter(|lane| self.lanes.get(lane).is_some_and(|lane| lane.confirmed)).count()
    }

    /// A member wants one more lane to us.
    pub(super) fn on_lane_offer(&mut self, from: PeerId, epoch: u64) {
        let takes = self.takes_lane(from);
        let Some(member) = self.members.get_mut(&from) else { return };
        if takes && epoch > member.extra.epoch {
            member.extra.epoch = epoch;
            member.epochs.latest = member.epochs.latest.max(epoch);
            self.make_extra(from, Role::Answerer, epoch);
        }
    }

    fn make_extra(&mut self, peer: PeerId, role: Role, epoch: u64) {
        let Some(connection) = self.make_lane(peer, role, epoch) else { return };
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.is_extra = true;
        }
        if let Some(member) = self.members.get_mut(&peer) {
            member.extra.lanes.push(connection);
        }
    }

    /// A lane besides the main one is closed.
    pub(super) fn forget_extra(&mut self, connection: ConnectionId, peer: PeerId, confirmed: bool) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.extra.lanes.retain(|&extra| extra != connection);
        if !confirmed {
            // It did not come about, so one more is not to be had.
            member.extra.wanted = member.extra.lanes.len() + 1;
            member.extra.rest_until = self.now + REST;
        }
    }

    /// The main lane is gone.
    pub(super) fn close_extras(&mut self, peer: PeerId) {
        if self.extras.trial.as_ref().is_some_and(|trial| trial.peer == peer) {
            self.extras.trial = None;
        }
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.extra.wanted = 1;
        for lane in std::mem::take(&mut member.extra.lanes) {
            self.close_lane(lane, CloseReason::Replaced, true);
        }
    }

    /// Which of a member's connections a signal is about.
    pub(super) fn lane_of_epoch(&self, peer: PeerId, epoch: u64) -> Option<ConnectionId> {
        let member = self.members.get(&peer)?;
        let mut lanes = member.lane.iter().chain(&member.extra.lanes);
        lanes.find(|lane| self.lanes.get(lane).is_some_and(|lane| lane.epoch() == epoch)).copied()
    }

    // ---- what pays ----

    /// Looks whether more or fewer lanes are of use.
    pub(super) fn on_lane_timeouts(&mut self) {
        if self.extras.review_at.is_none_or(|at| at > self.now) {
            return;
        }
        let arrived = self.traffic.received - self.extras.received;
        self.extras.received = self.traffic.received;
        self.extras.review_at = Some(self.now + REVIEW);
        self.judge(arrived as f64 / REVIEW.as_secs_f64());
        self.close_idle();
        if self.extras.trial.is_none() {
            self.try_more(arrived as f64 / REVIEW.as_secs_f64());
        }
        self.open_wanted();
        self.limit_windows();
        let is_of_use = |lane: &Lane| !lane.asked.is_empty() || lane.is_extra;
        if !self.lanes.values().any(is_of_use) {
            self.extras.review_at = None;
        }
    }

    /// Something is fetched: lanes are looked at from now on.
    pub(super) fn watch_lanes(&mut self) {
        if self.extras.review_at.is_none() && self.policy.lanes > 1 {
            self.extras.received = self.traffic.received;
            self.extras.review_at = Some(self.now + REVIEW);
        }
    }

    pub(super) fn next_lane_timeout(&self) -> Option<Instant> {
        self.extras.review_at
    }

    /// Whether a member may have one more connection to us.
    pub(super) fn takes_lane(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| {
            member.extra.lanes.len() + 1 < self.policy.lanes
                && member.lane.and_then(|main| self.lanes.get(&main)).is_some_and(|l| l.confirmed)
                && self.lanes.len() < self.policy.connections
        })
    }

    /// Ends a trial whose time has come: keeps what paid, takes back what did not.
    fn judge(&mut self, rate: f64) {
        let Some(peer) = self.extras.trial.as_ref().map(|trial| trial.peer) else { return };
        let wanted = self.members.get(&peer).map_or(0, |member| member.extra.wanted);
        let are_up = self.confirmed_to(peer) >= wanted;
        let Some(trial) = &mut self.extras.trial else { return };
        if !are_up && trial.patience > 0 {
            trial.patience -= 1;
            return;
        }
        if trial.settling > 0 {
            trial.settling -= 1;
            return;
        }
        let Some(Trial { peer, before, rate: rate_before, .. }) = self.extras.trial.take() else {
            return;
        };
        let Some(member) = self.members.get_mut(&peer) else { return };
        let pays = rate >= rate_before * PAYS;
        debug!(%peer, before, wanted = member.extra.wanted, rate_before, rate, pays, "tried more lanes");
        if !pays {
            member.extra.wanted = before;
            member.extra.rest_until = self.now + REST;
            self.close_surplus(peer);
        }
    }

    /// Closes lanes over which nothing has been fetched for a while.
    fn close_idle(&mut self) {
        let mut idle = Vec::new();
        for (&peer, member) in &mut self.members {
            let lanes = member.extra.lanes.iter().chain(&member.lane);
            let is_used =
                lanes.filter_map(|lane| self.lanes.get(lane)).any(|l| !l.asked.is_empty());
            member.extra.idle = if is_used { 0 } else { member.extra.idle + 1 };
            if member.extra.idle >= IDLE_REVIEWS && member.extra.wanted > 1 {
                member.extra.wanted = 1;
                idle.push(peer);
            }
        }
        for peer in idle {
            self.close_surplus(peer);
        }
    }

    /// Closes the lanes of ours to a member that are not wanted any more; theirs are theirs to close.
    fn close_surplus(&mut self, peer: PeerId) {
        let Some(member) = self.members.get(&peer) else { return };
        let keep = member.extra.wanted.saturating_sub(1);
        let surplus: Vec<ConnectionId> = member
            .extra
            .lanes
            .iter()
            .copied()
            .filter(|lane| self.lanes.get(lane).is_some_and(|lane| lane.role() == Role::Offerer))
            .skip(keep)
            .collect();
        for lane in surplus {
            self.close_lane(lane, CloseReason::Replaced, true);
        }
    }

    /// Gives one member more lanes, for a trial: one from whom much is fetched over a long path.
    fn try_more(&mut self, rate: f64) {
        let is_worth_it =
            self.shelf.iter().filter(|(_, share)| matches!(share.state, State::Receiving(_))).any(
                |(&id, share)| {
                    let sources = self.members.values().filter(|member| member.takes_part(id));
                    share.manifest.total().saturating_sub(share.have_bytes()) >= WORTH_BYTES
                        && sources.count() < MANY_SOURCES
                },
            );
        if !is_worth_it {
            return;
        }
        let now = self.now;
        let most = self.policy.lanes;
        let candidate = self
            .members
            .iter()
            .filter(|(_, member)| member.extra.rest_until <= now)
            .filter_map(|(&peer, member)| {
                let lane = self.lanes.get(&member.lane?)?;
                let next = STEPS.into_iter().find(|&step| step > member.extra.wanted)?.min(most);
                let is_busy =
                    lane.is_long() && !lane.asked.is_empty() && next > member.extra.wanted;
                is_busy.then_some((member.traffic.received, peer, next))
            })
            .max();
        let Some((_, peer, next)) = candidate else { return };
        let Some(member) = self.members.get_mut(&peer) else { return };
        let before = std::mem::replace(&mut member.extra.wanted, next);
        self.extras.trial =
            Some(Trial { peer, before, rate, patience: PATIENCE, settling: SETTLING });
    }

    fn open_wanted(&mut self) {
        let peers: Vec<PeerId> = self
            .members
            .iter()
            .filter(|(_, member)| member.extra.lanes.len() + 1 < member.extra.wanted)
            .map(|(&peer, _)| peer)
            .collect();
        for peer in peers {
            let wanted = self.members.get(&peer).map_or(1, |member| member.extra.wanted);
            let there = |swarm: &Self| {
                swarm.members.get(&peer).map_or(1, |member| member.extra.lanes.len() + 1)
            };
            while there(self) < wanted && self.takes_lane(peer) {
                self.connect_lane(peer);
            }
        }
    }

    /// Bounds what may be on its way over long paths.
    fn limit_windows(&mut self) {
        for member in self.members.values() {
            let lanes: Vec<ConnectionId> =
                member.lane.iter().chain(&member.extra.lanes).copied().collect();
            let is_long =
                member.lane.and_then(|main| self.lanes.get(&main)).is_some_and(Lane::is_long);
            for connection in &lanes {
                let Some(lane) = self.lanes.get_mut(connection) else { continue };
                let buffer = lane.opened.as_ref().map_or(0, |opened| opened.receive_buffer as u64);
                let limit = match lanes.len() as u64 {
                    _ if !is_long => MAX_WINDOW_BYTES,
                    1 => buffer * ALONE_BUFFERS,
                    count => buffer * TOGETHER_BUFFERS / count,
                };
                lane.window.set_limit(limit);
            }
        }
    }
}
