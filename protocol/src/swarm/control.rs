//! The user's controls: what follows when a policy changes, and the commands about single shares.
//! What is asked of a policy in passing (a cap, a limit) is read from it where it is needed.

use std::cmp::Reverse;

use tracing::debug;

use super::shelf::{Share, State};
use super::{NoSuchShare, Swarm};
use crate::event::{CloseReason, Withheld};
use crate::identity::PublicKey;
use crate::io::ConnectionId;
use crate::manifest::ShareId;
use crate::piece::FileIndex;
use crate::policy::{Accept, PathPolicy, Policy, Priority, Selection, Standing};
use crate::rate::TokenBucket;
use crate::signaling::PeerId;
use crate::time::Instant;

/// What the user wants of a share.
#[derive(Debug)]
pub(super) struct Wishes {
    /// Which of its files.
    pub(super) selection: Selection,
    /// How urgently, among several shares.
    pub(super) priority: Priority,
    /// The last request of it: whoever asked longest ago is next.
    pub(super) last_asked: u32,
    /// Not for now.
    pub(super) paused: bool,
    /// Whether it may be served.
    serve: bool,
    /// It was stopped: then it is not received again without being asked for.
    declined: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            selection: Selection::all(),
            priority: Priority::Normal,
            last_asked: 0,
            paused: false,
            serve: true,
            declined: false,
        }
    }
}

impl Swarm {
    // ---- the policy ----

    pub(super) fn change_policy(&mut self, policy: Policy) {
        self.upload.set_rate(self.now, policy.upload);
        self.download.set_rate(self.now, policy.download);
        let stops_receiving = self.policy.services.receive && !policy.services.receive;
        let changes_chat = self.policy.services.chat != policy.services.chat;
        let limit = self.connection_limit();
        let before = std::mem::replace(&mut self.policy, policy);
        if (before.path, &before.peers) != (self.policy.path, &self.policy.peers) {
            self.review_connections();
        }
        if self.connection_limit() > limit {
            self.connect_again();
        }
        self.keep_to_limit();
        let lanes: Vec<ConnectionId> = self.lanes.keys().copied().collect();
        lanes.into_iter().for_each(|connection| self.set_caps(connection));
        if stops_receiving {
            let shares: Vec<ShareId> = self.shelf.keys().copied().collect();
            shares.into_iter().for_each(|id| self.cancel_share(id));
        }
        if changes_chat {
            self.change_chat();
        }
        self.review_serving();
        self.accept_shares();
        self.may_ask = true;
        self.may_dial = true;
        self.look_at_waits();
    }

    /// Receives what the policy says is to be received without asking.
    pub(super) fn accept_shares(&mut self) {
        let policy = &self.policy;
        let accepted = |share: &Share| match policy.accept {
            Accept::Ask => false,
            Accept::Trusted => policy.standing(&share.manifest.origin()) == Standing::Trusted,
            Accept::All => true,
        };
        let waiting = |share: &Share| matches!(share.state, State::Available);
        let shares: Vec<ShareId> = self
            .shelf
            .iter()
            .filter(|(_, share)| waiting(share) && !share.wishes.declined && accepted(share))
            .map(|(&id, _)| id)
            .collect();
        for id in shares {
            self.start_receiving(id).expect("it is on the shelf");
        }
    }

    // ---- peers and paths ----

    pub(super) fn is_avoided(&self, key: Option<PublicKey>) -> bool {
        key.is_some_and(|key| self.policy.standing(&key) == Standing::Avoided)
    }

    /// A peer that we avoid wants to connect, or answers us.
    pub(super) fn shun(&mut self, peer: PeerId, key: PublicKey) {
        debug!(%peer, "avoided");
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.key.get_or_insert(key);
        if let Some(attempt) = member.lane {
            self.close_lane(attempt, CloseReason::Avoided, false);
        }
    }

    /// Closes connections that are not allowed any more, and makes those that are again.
    fn review_connections(&mut self) {
        let path = self.policy.path;
        let relay_only = path == PathPolicy::RelayOnly;
        let mut unwanted = Vec::new();
        for (&connection, lane) in &mut self.lanes {
            lane.allowed = path.allows(lane.path);
            let key = self.members.get(&lane.peer).and_then(|member| member.key);
            if key.is_some_and(|key| self.policy.standing(&key) == Standing::Avoided) {
                unwanted.push((connection, CloseReason::Avoided));
            } else if lane.relay_only != relay_only || lane.path.is_some() && !lane.allowed {
                unwanted.push((connection, CloseReason::PathNotAllowed));
            }
        }
        for (connection, reason) in unwanted {
            self.close_lane(connection, reason, true);
        }
        self.connect_again();
    }

    /// It is known how packets travel.
    pub(super) fn on_path(&mut self, connection: ConnectionId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        lane.allowed = self.policy.path.allows(lane.path);
        if !lane.allowed {
            return self.close_lane(connection, CloseReason::PathNotAllowed, true);
        }
        self.set_caps(connection);
    }

    /// Sets the caps of a connection to what holds for its peer and path.
    pub(super) fn set_caps(&mut self, connection: ConnectionId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let key = self.members.get(&lane.peer).and_then(|member| member.key);
        lane.exempt = self.policy.is_exempt(lane.path);
        if let Some(member) = self.members.get_mut(&lane.peer) {
            member.upload.set_rate(self.now, self.policy.upload_to(key.as_ref()));
            member.download.set_rate(self.now, self.policy.download_from(key.as_ref()));
        }
        self.may_ask = true;
    }

    /// Whether path and caps let blocks out on a connection now.
    pub(super) fn may_send(&mut self, connection: ConnectionId) -> bool {
        let is_allowed = self.lanes.get(&connection).is_some_and(|lane| lane.allowed);
        let now = self.now;
        let ready = |bucket: &mut TokenBucket| bucket.is_ready(now);
        is_allowed && self.upload_buckets(connection).into_iter().flatten().all(ready)
    }

    /// When caps let blocks out on a connection, if they do not now.
    pub(super) fn may_send_at(&mut self, connection: ConnectionId) -> Option<Instant> {
        let now = self.now;
        let buckets = self.upload_buckets(connection).into_iter().flatten();
        buckets.filter_map(|bucket| bucket.ready_at(now)).max()
    }

    /// The cap that counts for what is sent on a connection.
    pub(super) fn upload_cap(&self, connection: ConnectionId) -> Option<u64> {
        let lane = self.lanes.get(&connection).filter(|lane| !lane.exempt)?;
        let member = self.members.get(&lane.peer)?;
        [self.upload.rate(), member.upload.rate()].into_iter().flatten().min()
    }

    pub(super) fn note_sent(&mut self, connection: ConnectionId, bytes: usize) {
        let now = self.now;
        let buckets = self.upload_buckets(connection).into_iter().flatten();
        buckets.for_each(|bucket| bucket.take(now, bytes));
    }

    /// Whether path and caps let blocks in on a connection now.
    pub(super) fn may_fetch(&mut self, connection: ConnectionId) -> bool {
        let is_allowed = self.lanes.get(&connection).is_some_and(|lane| lane.allowed);
        let now = self.now;
        let ready = |bucket: &mut TokenBucket| bucket.is_ready(now);
        is_allowed && self.download_buckets(connection).into_iter().flatten().all(ready)
    }

    /// When caps let blocks in on a connection, if they do not now.
    pub(super) fn may_fetch_at(&mut self, connection: ConnectionId) -> Option<Instant> {
        let now = self.now;
        let buckets = self.download_buckets(connection).into_iter().flatten();
        buckets.filter_map(|bucket| bucket.ready_at(now)).max()
    }

    /// The cap that counts for what is received on a connection.
    pub(super) fn download_cap(&self, connection: ConnectionId) -> Option<u64> {
        let lane = self.lanes.get(&connection).filter(|lane| !lane.exempt)?;
        let member = self.members.get(&lane.peer)?;
        [self.download.rate(), member.download.rate()].into_iter().flatten().min()
    }

    pub(super) fn note_asked(&mut self, connection: ConnectionId, bytes: usize) {
        let now = self.now;
        let buckets = self.download_buckets(connection).into_iter().flatten();
        buckets.for_each(|bucket| bucket.take(now, bytes));
    }

    /// The caps that count on a connection: what all may be sent, and what this peer may.
    fn upload_buckets(&mut self, connection: ConnectionId) -> [Option<&mut TokenBucket>; 2] {
        match self.lanes.get(&connection).filter(|lane| !lane.exempt) {
            Some(lane) => {
                let member = self.members.get_mut(&lane.peer);
                [Some(&mut self.upload), member.map(|member| &mut member.upload)]
            }
            None => [None, None],
        }
    }

    /// The same for what is received.
    fn download_buckets(&mut self, connection: ConnectionId) -> [Option<&mut TokenBucket>; 2] {
        match self.lanes.get(&connection).filter(|lane| !lane.exempt) {
            Some(lane) => {
                let member = self.members.get_mut(&lane.peer);
                [Some(&mut self.download), member.map(|member| &mut member.download)]
            }
            None => [None, None],
        }
    }

    // ---- several shares at once ----

    /// The shares that are being received, in the order in which they may ask: the urgent first, and of
    /// equals the one whose turn was longest ago.
    pub(super) fn in_turn(&self, receiving: &[ShareId]) -> Vec<ShareId> {
        let mut turns = receiving.to_vec();
        if turns.len() > 1 {
            turns.sort_by_cached_key(|id| {
                let wishes = self.shelf.get(id).map(|share| &share.wishes);
                wishes.map(|wishes| (Reverse(wishes.priority), wishes.last_asked))
            });
        }
        turns
    }

    /// The shares that take their part of what may be in flight.
    fn receiving(&self) -> impl Iterator<Item = (ShareId, &Share)> {
        let shares = self.shelf.iter().map(|(&id, share)| (id, share));
        shares.filter(|(_, share)| {
            matches!(share.state, State::Receiving(_)) && self.may_receive(share)
        })
    }

    /// Whether no share that is being received is more urgent than this.
    pub(super) fn is_most_urgent(&self, share: &Share) -> bool {
        self.receiving().all(|(_, other)| other.wishes.priority <= share.wishes.priority)
    }

    /// How many bytes more may be in flight of a share. Half of the memory is for whoever comes first,
    /// the other half is kept for each in equal parts: so one that does not get on, because its disk
    /// is slow or nobody sends, cannot block the others.
    pub(super) fn free_memory(&self, id: ShareId, least: u64) -> u64 {
        let memory = self.policy.memory_in_flight.max(least);
        let shares: Vec<ShareId> = self.receiving().map(|(id, _)| id).collect();
        if shares.len() <= 1 {
            return memory.saturating_sub(self.in_flight());
        }
        let kept = (memory / (2 * shares.len() as u64)).max(least / 2);
        let beyond = |id| self.in_flight_of(id).saturating_sub(kept);
        let used: u64 = shares.into_iter().map(beyond).sum();
        kept.saturating_sub(self.in_flight_of(id)).max((memory / 2).saturating_sub(used))
    }

    // ---- serving ----

    /// Starts and stops serving shares as the policy, the user and what was sent so far demand.
    pub(super) fn review_serving(&mut self) {
        let mut changed = Vec::new();
        for (&id, share) in &mut self.shelf {
            share.whole_since = match share.state {
                State::Shared | State::Complete(_) => share.whole_since.or(Some(self.now)),
                _ => None,
            };
            let takes_part = share.takes_part();
            let withheld = share.why_withheld(&self.policy, self.now).filter(|_| takes_part);
            let before = std::mem::replace(&mut share.withheld, withheld);
            if takes_part && before.is_some() != withheld.is_some() {
                changed.push(id);
            }
        }
        for id in changed {
            let Some(share) = self.shelf.get(&id) else { continue };
            if share.withheld.is_some() && matches!(share.state, State::Shared) {
                self.withdraw(id);
            } else {
                self.announce(id);
            }
            if self.shelf.get(&id).is_some_and(|share| share.withheld.is_some()) {
                self.stop_serving(id);
            }
        }
    }

    /// When a share will have been served for long enough.
    pub(super) fn next_review(&self) -> Option<Instant> {
        let after = self.policy.stop_after?;
        let served = self.shelf.values().filter(|share| share.withheld.is_none());
        served.filter_map(|share| Some(share.whole_since? + after)).min()
    }

    // ---- single shares ----

    pub(super) fn change_selection(
        &mut self,
        id: ShareId,
        selection: Selection,
    ) -> Result<(), NoSuchShare> {
        let share = self.shelf.get_mut(&id).ok_or(NoSuchShare)?;
        if share.wishes.selection != selection {
            share.wishes.selection = selection;
            self.on_selected(id);
            self.review_serving();
        }
        Ok(())
    }

    pub(super) fn change_priority(
        &mut self,
        id: ShareId,
        priority: Priority,
    ) -> Result<(), NoSuchShare> {
        self.shelf.get_mut(&id).ok_or(NoSuchShare)?.wishes.priority = priority;
        self.may_ask = true;
        Ok(())
    }

    pub(super) fn change_paused(&mut self, id: ShareId, paused: bool) -> Result<(), NoSuchShare> {
        self.shelf.get_mut(&id).ok_or(NoSuchShare)?.wishes.paused = paused;
        if paused {
            self.cancel_share(id);
        }
        self.may_ask = true;
        self.look_at_waits();
        Ok(())
    }

    pub(super) fn change_serving(&mut self, id: ShareId, serve: bool) -> Result<(), NoSuchShare> {
        self.shelf.get_mut(&id).ok_or(NoSuchShare)?.wishes.serve = serve;
        self.review_serving();
        self.look_at_waits();
        Ok(())
    }

    /// The user said that a share is to be received, or that it is not.
    pub(super) fn note_wanted(&mut self, id: ShareId, wanted: bool) -> Result<(), NoSuchShare> {
        let wishes = &mut self.shelf.get_mut(&id).ok_or(NoSuchShare)?.wishes;
        wishes.declined = !wanted;
        wishes.paused = false;
        self.may_ask = true;
        self.look_at_waits();
        Ok(())
    }

    /// Whether pieces of a share are to be asked for, as far as the user is concerned.
    pub(super) fn may_receive(&self, share: &Share) -> bool {
        self.policy.services.receive && !share.wishes.paused
    }
}

impl Share {
    /// The files that are wanted.
    pub(super) fn wanted_files(&self) -> impl Iterator<Item = FileIndex> {
        let files = (0..self.geometry().files()).map(FileIndex);
        files.filter(|&file| self.wishes.selection.of(file).is_some())
    }

    /// Bytes of the files that are wanted.
    pub(super) fn wanted_bytes(&self) -> u64 {
        if self.wishes.selection.rest.is_some() && self.wishes.selection.files.is_empty() {
            return self.manifest.total();
        }
        self.wanted_files().map(|file| self.geometry().file_size(file)).sum()
    }

    /// Why it is not to be served, if it is not.
    fn why_withheld(&self, policy: &Policy, now: Instant) -> Option<Withheld> {
        let is_on = match self.state {
            State::Shared => policy.services.share,
            _ => policy.services.serve_on,
        };
        if !self.wishes.serve {
            return Some(Withheld::ByUser);
        } else if !is_on {
            return Some(Withheld::ServiceOff);
        }
        let since = self.whole_since?;
        let enough = |ratio: f64| self.uploaded as f64 >= ratio * self.wanted_bytes() as f64;
        if policy.stop_at_ratio.is_some_and(enough) {
            Some(Withheld::Ratio)
        } else if policy.stop_after.is_some_and(|after| since + after <= now) {
            Some(Withheld::Time)
        } else {
            None
        }
    }
}
