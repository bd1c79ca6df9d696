//! Whom to be connected to, when a room has more members than a peer has connections.
//!
//! While all known members fit into the limit, everybody is connected to everybody. Beyond that each
//! peer keeps some connections of its own dialling, to members picked at random, and accepts others up
//! to the limit: so the room becomes a random graph, in which everybody is a few steps from everybody.
//! A peer that is full answers an offer with *busy*, and whoever hears that tries others at once. A
//! peer with too few connections says so in its offer; then a full one closes another to make room. It
//! never closes one that it dialled and needs itself, so nobody can be cut off by being dialled much.
//!
//! Neighbours introduce each other to some of theirs: when they connect, when one has too few, and when
//! one receives a share and nobody it is connected to has what it lacks. Then it asks for those who are
//! nearest to a holder, connects to one of them, and asks again, until it has found one. Whoever has
//! introductions switched off answers nobody.
//!
//! `peers` makes and closes the connections; what is said on them is not known here.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use super::Swarm;
use super::download::Download;
use super::peers::Member;
use super::server::Server;
use super::shelf::State;
use crate::event::CloseReason;
use crate::io::{ConnectionId, Role};
use crate::manifest::ShareId;
use crate::message::{GONE, MAX_INTRODUCED, PeerMessage};
use crate::piece::PieceIndex;
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};

/// The most connections at once, whatever is set. A page in Chromium can have 495.
const MAX_CONNECTIONS: usize = 128;
/// The most members that are remembered; beyond that some that are not connected are forgotten.
const MAX_MEMBERS: usize = 512;
/// Of so many who are forgotten it is remembered which attempt to connect was the latest: 32 KiB.
const MAX_EPOCHS: usize = 1024;
/// A newcomer offers to those it was told of. If it does not within this time, we do.
pub(super) const NEWCOMER_PATIENCE: Duration = Duration::from_secs(20);
/// A member that had no room is not tried again before this.
pub(super) const BUSY_PATIENCE: Duration = Duration::from_secs(60);

/// One neighbour passes on signals of so many members that we have not heard of, within this time: whoever
/// makes members up keeps us busy with few connections to nobody.
const MAX_STRANGERS: usize = 8;
const STRANGERS_WITHIN: Duration = Duration::from_secs(60);
/// A neighbour is not introduced to others more often than this.
const ANSWER_INTERVAL: Duration = Duration::from_secs(1);
/// Nobody is asked for just any members more often than this.
const ASK_INTERVAL: Duration = Duration::from_secs(10);
/// How long nobody has what is lacking before others are sought; the wait doubles each time …
const SEEK_INTERVAL: Duration = Duration::from_secs(2);
/// … so many times …
const SEEK_DOUBLINGS: u32 = 4;
/// … but not for so many rounds while no holder is connected, since each round leads nearer to one.
const HOPEFUL_ROUNDS: u32 = 10;
/// Connections to others who may have what is lacking that are tried at once.
const MAX_SOUGHT: usize = 2;

/// What one neighbour and we tell each other of others.
#[derive(Debug)]
pub(super) struct Introductions {
    /// How many members it may still name: a few unasked, and as many again each time it is asked. So a
    /// liar costs a few attempts to connect.
    open: usize,
    /// Whether it was asked for those who are near to a holder, and has not answered.
    near: bool,
    /// When it was answered last.
    answered: Option<Instant>,
    /// When it last passed on signals of members that we had not heard of, the latest few times.
    strangers: VecDeque<Instant>,
}

/// The search for somebody who has what is lacking.
#[derive(Debug, Default)]
pub(super) struct Seek {
    /// When to look again whether that is so; `None` if nothing is being received.
    at: Option<Instant>,
    /// How often in a row it was so.
    rounds: u32,
    /// What was sought last.
    share: Option<ShareId>,
    /// When just any members were asked for.
    asked: Option<Instant>,
}

/// How useful a connection is: what counts most comes first.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Worth {
    /// Whether nobody else has anything that a share lacks which is being received.
    only_source: bool,
    /// How many pieces that are lacking nobody else has.
    only_here: usize,
    /// Whether it has any that are lacking.
    source: bool,
    /// Whether it is up, and not still coming about.
    confirmed: bool,
    in_use: bool,
    /// Bytes per second it brought lately.
    pace: u64,
}

impl Default for Introductions {
    fn default() -> Self {
        Self { open: MAX_INTRODUCED, near: false, answered: None, strangers: VecDeque::new() }
    }
}

impl Swarm {
    /// How many connections there may be.
    pub(super) fn connection_limit(&self) -> usize {
        self.policy.connections.clamp(1, MAX_CONNECTIONS)
    }

    /// How many connections of our own dialling to keep where not all members fit.
    fn dial_target(&self) -> usize {
        self.connection_limit() / 3 + 1
    }

    /// Whether we cannot do well without this connection, so that room should be made for it.
    pub(super) fn is_needy(&self, connection: ConnectionId) -> bool {
        self.lanes.get(&connection).is_some_and(|lane| lane.sought)
            || self.neighbours().count() < self.dial_target()
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
        if self.server != Server::Joined && self.neighbours().next().is_none() {
            return;
        }
        let limit = self.connection_limit();
        let free = limit.saturating_sub(self.connected());
        let wanted = if self.members.len() <= limit {
            free
        } else {
            // Whoever is dialled by few dials more: with few neighbours it would be slow to receive. A
            // quarter of the limit stays free for newcomers.
            let own = self.dial_target().saturating_sub(self.dialled());
            free.min(own.max((limit * 3 / 4).saturating_sub(self.connected())))
        };
        if wanted == 0 {
            return;
        }
        let mut ready = self.undialled(|_| true);
        for _ in 0..wanted.min(ready.len()) {
            let peer = ready.swap_remove(self.rng.below(ready.len() as u32) as usize);
            self.connect(peer);
        }
        let waiting = self.members.values().filter(|member| member.lane.is_none());
        self.dial_at =
            waiting.filter_map(|member| member.dial_at).filter(|&at| at > self.now).min();
        if self.connected() < self.dial_target() {
            self.ask_for_members();
        }
    }

    /// Members without a connection that may be tried now.
    fn undialled(&self, which: impl Fn(&Member) -> bool) -> Vec<PeerId> {
        self.members
            .iter()
            .filter(|(_, member)| member.lane.is_none() && which(member))
            .filter(|(_, member)| member.dial_at.is_some_and(|at| at <= self.now))
            .map(|(&peer, _)| peer)
            .filter(|&peer| self.can_signal(peer))
            .collect()
    }

    /// We have too few connections, and know nobody else: asks a neighbour.
    fn ask_for_members(&mut self) {
        let neighbours: Vec<ConnectionId> = self.neighbours().map(|(id, ..)| id).collect();
        if neighbours.is_empty() {
            return;
        }
        if let Some(next) = self.seek.asked.map(|at| at + ASK_INTERVAL)
            && next > self.now
        {
            self.dial_at = Some(self.dial_at.map_or(next, |at| at.min(next)));
            return;
        }
        self.seek.asked = Some(self.now);
        let chosen = neighbours[self.rng.below(neighbours.len() as u32) as usize];
        self.want_members(chosen, None);
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
            self.forget(forgotten);
        }
        self.may_dial = true;
        let now = self.now;
        let epochs = self.epochs.get(&peer).copied().unwrap_or_default();
        Some(self.members.entry(peer).or_insert_with(|| {
            let mut member = Member::new(now, dial_at);
            member.epochs = epochs;
            member
        }))
    }

    /// Forgets a member, but not which attempts to connect were the latest: the server can say of anybody that
    /// they have left, and come, and what it then repeats of before must stay stale.
    pub(super) fn forget(&mut self, peer: PeerId) {
        let Some(member) = self.members.remove(&peer) else { return };
        if member.epochs.latest == 0 {
            return;
        }
        self.epochs.insert(peer, member.epochs);
        if self.epochs.len() > MAX_EPOCHS {
            let from = PeerId(u64::from_le_bytes(self.rng.bytes()));
            let next = self.epochs.range(from..).chain(self.epochs.range(..from)).next();
            if let Some((&forgotten, _)) = next {
                self.epochs.remove(&forgotten);
            }
        }
    }

    /// Closes a connection to make room for another: one on which nothing is going on, if there is such;
    /// if we seek a share, one that is far from it; else one at random. False if none can be spared: the
    /// only source of what is being received never is.
    pub(super) fn make_room(&mut self, sought: Option<ShareId>) -> bool {
        let spare_own = self.dialled() > self.dial_target();
        let rank = |connection: ConnectionId| {
            let lane = self.lanes.get(&connection)?;
            let told = self.members.get(&lane.peer).and_then(|member| member.shares.get(&sought?));
            Some((
                lane.is_in_use(),
                sought.map(|_| Reverse(told.map_or(GONE, |told| told.distance))),
            ))
        };
        let spare: Vec<ConnectionId> = self
            .neighbours()
            .map(|(connection, ..)| connection)
            .filter(|id| {
                self.lanes.get(id).is_some_and(|l| spare_own || l.role() == Role::Answerer)
            })
            .filter(|&id| !self.worth(id).only_source)
            .collect();
        let Some(least) = spare.iter().map(|&id| rank(id)).min() else { return false };
        let spare: Vec<ConnectionId> = spare.into_iter().filter(|&id| rank(id) == least).collect();
        let chosen = spare[self.rng.below(spare.len() as u32) as usize];
        self.close_lane(chosen, CloseReason::MakingRoom, true);
        true
    }

    /// Closes what is more than the limit allows, after it was lowered.
    pub(super) fn keep_to_limit(&mut self) {
        let main: Vec<ConnectionId> =
            self.lanes.iter().filter(|(_, lane)| !lane.is_extra).map(|(&id, _)| id).collect();
        let mut ranked: BTreeSet<(Worth, u32, ConnectionId)> = BTreeSet::new();
        for connection in main {
            let chance = self.rng.below(u32::MAX);
            ranked.insert((self.worth(connection), chance, connection));
        }
        while self.connected() > self.connection_limit() {
            let Some((before, chance, connection)) = ranked.pop_first() else { return };
            // What others have too is worth more once these are gone.
            let worth = self.worth(connection);
            if worth > before {
                ranked.insert((worth, chance, connection));
            } else {
                self.close_lane(connection, CloseReason::TooManyConnections, true);
            }
        }
    }

    /// What a connection is worth to us, now.
    fn worth(&self, connection: ConnectionId) -> Worth {
        let Some(lane) = self.lanes.get(&connection) else { return Worth::default() };
        let mut worth = Worth {
            confirmed: lane.confirmed,
            in_use: lane.is_in_use(),
            pace: lane.window.pace().unwrap_or_default() as u64,
            ..Worth::default()
        };
        let Some(member) = self.members.get(&lane.peer) else { return worth };
        for (&id, share) in &self.shelf {
            let State::Receiving(download) = &share.state else { continue };
            let Some(pieces) = member.shares.get(&id).and_then(|told| told.pieces.as_ref()) else {
                continue;
            };
            let is_rare = |piece: &PieceIndex| share.availability[piece.0 as usize] <= 1;
            let useful: Vec<PieceIndex> = download.lacking(pieces).collect();
            let rare = useful.iter().copied().filter(is_rare).count();
            worth.only_here += rare;
            worth.source |= !useful.is_empty();
            let others = self.neighbours().filter(|&(other, ..)| other != connection);
            worth.only_source |= rare > 0
                && rare == useful.len()
                && !others.map(|(_, _, other)| other).any(|m| Self::is_source(m, id, download));
        }
        worth
    }

    // ---- introductions ----

    fn want_members(&mut self, connection: ConnectionId, near: Option<ShareId>) {
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.introductions.open += MAX_INTRODUCED;
            lane.introductions.near |= near.is_some();
            self.tell(connection, &PeerMessage::WantMembers { near });
        }
    }

    pub(super) fn on_want_members(&mut self, connection: ConnectionId, near: Option<ShareId>) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        if lane.introductions.answered.is_some_and(|at| at + ANSWER_INTERVAL > self.now) {
            return;
        }
        lane.introductions.answered = Some(self.now);
        self.introduce(connection, near);
    }

    /// Tells a neighbour of some others: those who are nearest to a holder of a share, or at random.
    pub(super) fn introduce(&mut self, connection: ConnectionId, near: Option<ShareId>) {
        if !self.policy.services.introduce {
            return;
        }
        let others: Vec<(u8, PeerId)> = self
            .neighbours()
            .filter(|&(other, ..)| other != connection)
            .filter_map(|(_, peer, member)| match near {
                Some(share) => Some((member.shares.get(&share)?.distance, peer)),
                None => Some((0, peer)),
            })
            .collect();
        let Some(nearest) = others.iter().map(|&(distance, _)| distance).min() else { return };
        let mut peers: Vec<PeerId> = others
            .into_iter()
            .filter(|&(distance, _)| distance == nearest)
            .map(|(_, peer)| peer)
            .collect();
        while peers.len() > MAX_INTRODUCED {
            peers.swap_remove(self.rng.below(peers.len() as u32) as usize);
        }
        self.tell(connection, &PeerMessage::Members { peers });
    }

    pub(super) fn on_members(&mut self, connection: ConnectionId, peers: &[PeerId]) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let believed = peers.len().min(lane.introductions.open);
        lane.introductions.open -= believed;
        let seeking = std::mem::take(&mut lane.introductions.near) && self.seek.rounds > 0;
        let us = self.peer_id;
        for &peer in peers[..believed].iter().filter(|&&peer| Some(peer) != us) {
            let now = self.now;
            let Some(member) = self.remember(peer, now) else { continue };
            if seeking && member.lane.is_none() {
                // That it had no room before does not matter now: it will make some.
                member.dial_at = member.dial_at.map(|at| at.min(now));
                member.sought = true;
            }
        }
        if seeking {
            self.dial_sought();
        }
    }

    /// Whether a neighbour may pass on a signal of one more member that we have not heard of.
    pub(super) fn takes_stranger(&mut self, way: ConnectionId) -> bool {
        let now = self.now;
        let Some(lane) = self.lanes.get_mut(&way) else { return false };
        let strangers = &mut lane.introductions.strangers;
        strangers.retain(|&at| at + STRANGERS_WITHIN > now);
        let takes = strangers.len() < MAX_STRANGERS;
        if takes {
            strangers.push_back(now);
        }
        takes
    }

    // ---- looking for what nobody around has ----

    /// Whether a member has some of what a download lacks.
    pub(super) fn is_source(member: &Member, id: ShareId, download: &Download) -> bool {
        let pieces = member.shares.get(&id).and_then(|told| told.pieces.as_ref());
        pieces.is_some_and(|pieces| download.lacks_any_of(pieces))
    }

    /// Shares being received of which no neighbour has anything that is missing.
    fn starving(&self) -> Vec<ShareId> {
        self.shelf
            .iter()
            .filter(|&(&id, share)| match &share.state {
                State::Receiving(download)
                    if download.opened && !download.wanted.is_met(&download.verified) =>
                {
                    !self.neighbours().any(|(_, _, member)| Self::is_source(member, id, download))
                }
                _ => false,
            })
            .map(|(&id, _)| id)
            .collect()
    }

    fn seek(&mut self) {
        let starving = self.starving();
        if starving.is_empty() {
            self.seek.rounds = 0;
            self.seek.at = None;
            return;
        }
        let share = starving[self.rng.below(starving.len() as u32) as usize];
        let hopeful = self.nearest(share) > 0 && self.seek.rounds < HOPEFUL_ROUNDS;
        let doublings = if hopeful { 0 } else { self.seek.rounds.min(SEEK_DOUBLINGS) };
        self.seek.at = Some(self.now + SEEK_INTERVAL * (1 << doublings));
        self.seek.rounds += 1;
        self.seek.share = Some(share);
        let neighbours: Vec<ConnectionId> = self.neighbours().map(|(id, ..)| id).collect();
        for connection in neighbours {
            self.want_members(connection, Some(share));
        }
    }

    /// Connects to members that may have what is lacking, if need be in place of others who do not.
    fn dial_sought(&mut self) {
        let under_way = |lane: &&super::Lane| lane.sought && !lane.confirmed;
        let mut ready = self.undialled(|member| member.sought);
        while !ready.is_empty() && self.lanes.values().filter(under_way).count() < MAX_SOUGHT {
            if self.connected() >= self.connection_limit() && !self.make_room(self.seek.share) {
                return;
            }
            let peer = ready.swap_remove(self.rng.below(ready.len() as u32) as usize);
            self.connect(peer);
            let lane = self.members.get(&peer).and_then(|member| member.lane);
            if let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(&lane)) {
                lane.sought = true;
            }
        }
    }

    // ---- time ----

    /// When a holder of what is lacking is sought next.
    pub(super) fn next_seek(&self) -> Option<Instant> {
        self.seek.at
    }

    pub(super) fn on_mesh_timeouts(&mut self) {
        if self.dial_at.is_some_and(|at| at <= self.now) {
            self.dial();
        }
        if self.seek.at.is_some_and(|at| at <= self.now) {
            self.seek();
        }
    }

    pub(super) fn next_mesh_timeout(&mut self) -> Option<Instant> {
        let receiving =
            || self.shelf.values().any(|share| matches!(share.state, State::Receiving(_)));
        if self.seek.at.is_none() && receiving() {
            self.seek.at = Some(self.now + SEEK_INTERVAL);
        }
        [self.dial_at, self.seek.at].into_iter().flatten().min()
    }
}
