//! Room for what is received: it is reserved before anything is asked for, waited for while the disk is
//! full or the budget used up, and made by erasing what was saved elsewhere. Others are told how much there
//! is, and who is stuck.
//!
//! A share without room is not given up: what it has stays, is served on, and counts. It asks for
//! nothing until there is room, which is tried again by itself, and at once when people say so.

use super::download::Download;
use super::shelf::{Share, State};
use super::{NoSuchShare, Swarm};
use crate::event::Halt;
use crate::io::{ConnectionId, StorageError, StorageRequest};
use crate::manifest::ShareId;
use crate::message::PeerMessage;
use crate::piece::PieceIndex;
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};

/// How long after the disk was found full it is tried again; the wait doubles each time …
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// … up to this. To ask costs little, and people who made room are looking.
const LAST_RETRY: Duration = Duration::from_secs(15);

/// A change of what we can store by less than this is not told.
const LEAST_TOLD_BYTES: u64 = 64 << 20;
/// Shares with which one member may say to be stuck.
const MAX_HALTS: usize = 1024;

/// A share has no room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortage {
    pub(super) since: Instant,
    /// When it is tried again; `None` while it is.
    pub(super) retry_at: Option<Instant>,
    /// Bytes that could still be stored, as far as is known.
    pub(super) available: Option<u64>,
    /// It is not the disk but the policy's budget that has no room: for so many bytes.
    pub(super) over_budget: Option<u64>,
}

impl Download {
    /// Whether there is room for what is asked for.
    pub(super) fn has_room(&self) -> bool {
        self.reserving == 0 && self.shortage.is_none()
    }
}

impl Swarm {
    /// Makes room for what is wanted of a share, or finds that there is none.
    pub(super) fn reserve(&mut self, id: ShareId) {
        while let Some(needed) = self.over_budget() {
            if !self.evict() {
                return self.run_short(id, None, Some(needed));
            }
        }
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let files = share.wanted_files().collect();
        let Some(download) = share.download() else { return };
        download.reserving += 1;
        self.storage_out.push_back(StorageRequest::Reserve { share: id, files });
    }

    pub(super) fn on_reserved(&mut self, id: ShareId, result: Result<(), StorageError>) {
        let Some(download) = self.shelf.get_mut(&id).and_then(Share::download) else { return };
        if download.reserving == 0 {
            return; // of an earlier attempt to receive the share
        }
        download.reserving -= 1;
        if result.is_ok() && download.reserving == 0 {
            download.shortage = None;
            download.commit_soon(self.now);
            self.commit_if_due(id);
            self.finish_if_whole(id);
            self.may_ask = true;
        }
        match result {
            Ok(()) => {}
            Err(StorageError::Full { .. }) if self.evict() => self.reserve(id),
            Err(StorageError::Full { available }) => self.run_short(id, available, None),
            Err(error) => self.fail_share(id, error.into()),
        }
    }

    /// There is no room for a share: it waits until there is.
    pub(super) fn run_short(
        &mut self,
        id: ShareId,
        available: Option<u64>,
        over_budget: Option<u64>,
    ) {
        let now = self.now;
        let Some(download) = self.shelf.get_mut(&id).and_then(Share::download) else { return };
        if download.shortage.is_some_and(|shortage| shortage.retry_at.is_some()) {
            return; // several writes failed together
        }
        let wait = FIRST_RETRY.saturating_mul(1 << download.shortages.min(8)).min(LAST_RETRY);
        let since = download.shortage.map_or(now, |shortage| shortage.since);
        let retry_at = Some(now + wait);
        download.shortage = Some(Shortage { since, retry_at, available, over_budget });
        download.shortages += 1;
        self.cancel_share(id);
        self.look_at_waits();
    }

    /// By how many bytes all that is stored, or is to be, exceeds the budget.
    fn over_budget(&self) -> Option<u64> {
        let budget = self.policy.storage?;
        let stored = self.shelf.values().map(|share| match (&share.state, share.recalled) {
            (State::Receiving(_) | State::Complete(_), _) => {
                share.wanted_bytes().max(share.have_bytes())
            }
            (_, recalled) => recalled.map_or(0, |recalled| recalled.bytes),
        });
        let excess = stored.sum::<u64>().saturating_sub(budget);
        (excess > 0).then_some(excess)
    }

    /// Erases the share that is complete and saved elsewhere for the longest; false if there is none.
    fn evict(&mut self) -> bool {
        let oldest = self
            .shelf
            .iter()
            .filter(|(_, share)| match &share.state {
                State::Complete(_) => share.saved,
                State::Available => share.recalled.is_some_and(|it| it.complete && it.saved),
                _ => false,
            })
            .min_by_key(|(_, share)| share.whole_since)
            .map(|(&id, _)| id);
        oldest.is_some_and(|id| self.take_off_shelf(id, true).is_ok())
    }

    // ---- what others know ----

    /// How much we can still store, as the adapter says.
    pub(super) fn change_capacity(&mut self, bytes: Option<u64>) {
        let Some(now) = bytes else { return self.capacity = None };
        let told = self.capacity.replace(now);
        // Others need not hear of every byte.
        let worth_telling =
            told.is_none_or(|told| told.abs_diff(now) > (told / 8).max(LEAST_TOLD_BYTES));
        if worth_telling {
            self.tell_all(&PeerMessage::Capacity { bytes: now });
        } else {
            self.capacity = told;
        }
    }

    /// Tells a new neighbour how much we can store, and with what we are stuck.
    pub(super) fn announce_standing(&mut self, connection: ConnectionId) {
        if let Some(bytes) = self.capacity {
            self.tell(connection, &PeerMessage::Capacity { bytes });
        }
        let halted = self.shelf.iter().filter(|(_, share)| share.told_halt.is_some());
        let halts: Vec<PeerMessage> = halted
            .map(|(&id, share)| PeerMessage::Halt { share: id, halt: share.told_halt })
            .collect();
        for halt in halts {
            self.tell(connection, &halt);
        }
    }

    pub(super) fn on_capacity(&mut self, peer: PeerId, bytes: u64) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.available = Some(bytes);
        }
    }

    pub(super) fn on_halt(&mut self, peer: PeerId, share: ShareId, halt: Option<Halt>) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        match halt {
            None => drop(member.halts.remove(&share)),
            Some(halt) if member.halts.len() < MAX_HALTS => {
                member.halts.insert(share, halt);
            }
            Some(_) => {}
        }
        self.look_at_waits();
    }

    // ---- room again ----

    /// A piece could not be written for want of room: it has to come again.
    pub(super) fn unwrite(&mut self, id: ShareId, piece: PieceIndex) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let len = u64::from(share.geometry().length(piece));
        let Some(download) = share.download() else { return };
        download.verified.remove(piece);
        download.wanted.release(piece);
        download.fetched -= len;
        download.wasted += len;
    }

    /// People say that there is room, or that somebody should look.
    pub(super) fn retry_space(&mut self, id: ShareId) -> Result<(), NoSuchShare> {
        let now = self.now;
        let share = self.shelf.get_mut(&id).ok_or(NoSuchShare)?;
        let Some(download) = share.download() else { return Ok(()) };
        if let Some(Shortage { retry_at: Some(at), .. }) = &mut download.shortage {
            *at = now;
            download.shortages = 0;
            self.on_space_timeouts();
        }
        Ok(())
    }

    // ---- time ----

    pub(super) fn on_space_timeouts(&mut self) {
        let now = self.now;
        let mut due = Vec::new();
        for (&id, share) in &mut self.shelf {
            let State::Receiving(download) = &mut share.state else { continue };
            let Some(shortage) = &mut download.shortage else { continue };
            if shortage.retry_at.is_some_and(|at| at <= now) {
                shortage.retry_at = None;
                due.push((id, download.opened));
            }
        }
        for (id, opened) in due {
            if opened {
                self.reserve(id);
            } else {
                self.open_store(id);
            }
        }
    }

    pub(super) fn next_space_timeout(&self) -> Option<Instant> {
        let receiving = self.shelf.values().filter_map(|share| match &share.state {
            State::Receiving(download) => download.shortage?.retry_at,
            _ => None,
        });
        receiving.min()
    }
}
