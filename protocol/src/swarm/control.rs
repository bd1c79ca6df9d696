//! The user's controls: what follows when a policy changes, and the commands about single shares.
//! What is asked of a policy in passing (a cap, a limit) is read from it where it is needed.

use std::cmp::Reverse;

use super::shelf::{Share, State};
use super::{NoSuchShare, Swarm};
use crate::event::Withheld;
use crate::manifest::ShareId;
use crate::message::PeerMessage;
use crate::piece::FileIndex;
use crate::policy::{Accept, Policy, Priority, Selection, Standing};
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
        for lane in self.lanes.values_mut() {
            lane.upload.set_rate(self.now, policy.upload_per_peer);
        }
        let stops_receiving = self.policy.services.receive && !policy.services.receive;
        self.policy = policy;
        if stops_receiving {
            let shares: Vec<ShareId> = self.shelf.keys().copied().collect();
            shares.into_iter().for_each(|id| self.cancel_share(id));
        }
        self.review_serving();
        self.accept_shares();
        self.may_ask = true;
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
                self.tell_all(&PeerMessage::Unshare { share: id });
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
        Ok(())
    }

    pub(super) fn change_serving(&mut self, id: ShareId, serve: bool) -> Result<(), NoSuchShare> {
        self.shelf.get_mut(&id).ok_or(NoSuchShare)?.wishes.serve = serve;
        self.review_serving();
        Ok(())
    }

    /// The user said that a share is to be received, or that it is not.
    pub(super) fn note_wanted(&mut self, id: ShareId, wanted: bool) -> Result<(), NoSuchShare> {
        let wishes = &mut self.shelf.get_mut(&id).ok_or(NoSuchShare)?.wishes;
        wishes.declined = !wanted;
        wishes.paused = false;
        self.may_ask = true;
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
