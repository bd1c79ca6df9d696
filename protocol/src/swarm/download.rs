//! A share on its way here: its store is opened, verified pieces are written, committed and announced,
//! and the files are brought to their place.

use std::collections::{BTreeMap, BTreeSet};

use super::near::Division;
use super::shelf::{Share, State};
use super::sources::Sources;
use super::space::Shortage;
use super::unproven::Unproven;
use super::{NoSuchShare, Swarm};
use crate::bitfield::Bitfield;
use crate::event::{Event, Failure};
use crate::io::{Kept, StorageError, StorageRequest};
use crate::manifest::{KnownHashes, ShareId};
use crate::message::PeerMessage;
use crate::piece::{FileIndex, PieceIndex};
use crate::rate::Meter;
use crate::time::{Duration, Instant};
use crate::wanted::Wanted;

/// Written pieces are committed when they come to this much …
const COMMIT_BYTES: u64 = 1 << 20;
/// … or have waited this long.
const COMMIT_DELAY: Duration = Duration::from_millis(200);
/// How often a share is opened anew because what was read back was not what was written.
const MAX_DAMAGED: u32 = 3;

/// A share being received, or received.
pub(super) struct Download {
    /// Whether the store is open; until then nothing is asked for.
    pub(super) opened: bool,
    /// Whether all is committed and the files are being put in place.
    pub(super) finishing: bool,
    /// Requests to make room that are under way; until they are answered nothing is asked for.
    pub(super) reserving: u32,
    /// There is no room; and how often that was so since something was last committed.
    pub(super) shortage: Option<Shortage>,
    pub(super) shortages: u32,
    /// Pieces whose hash held, durable or on the way there.
    pub(super) verified: Bitfield,
    /// What is wanted; taken are pieces that were verified or asked for.
    pub(super) wanted: Wanted,
    /// Files that are in their place, and those that are being brought there.
    placed: BTreeSet<FileIndex>,
    placing: Vec<FileIndex>,
    /// How many lanes were asked for a piece.
    pub(super) asked: BTreeMap<PieceIndex, u32>,
    /// Where the search for a piece begins: differs from peer to peer.
    pub(super) start: u32,
    /// Which pieces others near us are to fetch from afar.
    pub(super) division: Division,
    /// Whole pieces whose hash is not known yet, and who sent them.
    pub(super) unproven: Unproven,
    written: Vec<PieceIndex>,
    written_bytes: u64,
    commit_at: Option<Instant>,
    committing: Vec<PieceIndex>,
    committing_bytes: u64,
    /// How many of the known batches were handed to storage, and how many were before the last commit.
    batches_kept: usize,
    batches_kept_before: usize,
    pub(super) fetched: u64,
    pub(super) reused: u64,
    pub(super) wasted: u64,
    pub(super) meter: Meter,
    pub(super) sources: Sources,
}

impl Download {
    fn new(now: Instant, start: u32, pieces: u32, wanted: Wanted) -> Self {
        Self {
            opened: false,
            finishing: false,
            reserving: 0,
            shortage: None,
            shortages: 0,
            verified: Bitfield::new(pieces),
            wanted,
            placed: BTreeSet::new(),
            placing: Vec::new(),
            asked: BTreeMap::new(),
            start,
            division: Division::default(),
            unproven: Unproven::default(),
            written: Vec::new(),
            written_bytes: 0,
            commit_at: None,
            committing: Vec::new(),
            committing_bytes: 0,
            batches_kept: 0,
            batches_kept_before: 0,
            fetched: 0,
            reused: 0,
            wasted: 0,
            meter: Meter::new(now),
            sources: Sources::default(),
        }
    }

    /// When written pieces are to be committed, if nothing is being committed.
    pub(super) fn commit_due(&self) -> Option<Instant> {
        self.commit_at.filter(|_| self.committing.is_empty())
    }

    /// Bytes that are written and not yet durable.
    pub(super) fn uncommitted_bytes(&self) -> u64 {
        self.written_bytes + self.committing_bytes
    }

    /// What was written is committed without waiting for more.
    pub(super) fn commit_soon(&mut self, now: Instant) {
        if !self.written.is_empty() {
            self.commit_at = Some(now);
        }
    }

    /// Wanted pieces that are missing, in order.
    pub(super) fn missing(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.wanted.pieces().iter_not_in(&self.verified)
    }

    /// Wanted pieces that are missing and among these.
    pub(super) fn lacking<'a>(
        &'a self,
        pieces: &'a Bitfield,
    ) -> impl Iterator<Item = PieceIndex> + 'a {
        pieces.iter_not_in(&self.verified).filter(|&piece| self.wanted.contains(piece))
    }

    /// Whether a wanted piece that is missing is among these.
    pub(super) fn lacks_any_of(&self, pieces: &Bitfield) -> bool {
        self.lacking(pieces).next().is_some()
    }

    pub(super) fn ask(&mut self, piece: PieceIndex) {
        self.wanted.take(piece);
        *self.asked.entry(piece).or_default() += 1;
    }

    /// A lane will not bring a piece (any more).
    pub(super) fn unask(&mut self, piece: PieceIndex) {
        if let Some(lanes) = self.asked.get_mut(&piece) {
            *lanes -= 1;
            if *lanes == 0 {
                self.asked.remove(&piece);
                if !self.verified.contains(piece) && !self.unproven.contains(piece) {
                    self.wanted.release(piece);
                }
            }
        }
    }
}

impl Swarm {
    // ---- beginning and end ----

    pub(super) fn start_receiving(&mut self, id: ShareId) -> Result<(), NoSuchShare> {
        let share = self.shelf.get_mut(&id).ok_or(NoSuchShare)?;
        match share.state {
            State::Available => {}
            // Our own files are there or they are not; sharing them again is what helps.
            State::Failed(_) if share.ours => return Err(NoSuchShare),
            State::Failed(_) => {}
            State::Detached => return Err(NoSuchShare),
            State::Shared | State::Receiving(_) | State::Complete(_) => return Ok(()),
        }
        share.damaged = 0;
        self.begin_download(id);
        self.review_serving();
        Ok(())
    }

    /// Begins a download with nothing but what the store turns out to have.
    fn begin_download(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let pieces = share.geometry().pieces();
        let start = self.rng.below(pieces);
        share.have = Bitfield::new(pieces);
        share.hashes = KnownHashes::default();
        let wanted = Wanted::new(share.geometry(), &share.wishes.selection);
        let download = Download::new(self.now, start, pieces, wanted);
        share.state = State::Receiving(Box::new(download));
        share.recalled = None;
        self.open_store(id);
    }

    pub(super) fn open_store(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get(&id) else { return };
        let (manifest, signed) = (share.manifest.clone(), share.signed.clone());
        self.storage_out.push_back(StorageRequest::Open { share: id, manifest, signed });
    }

    pub(super) fn on_opened(&mut self, id: ShareId, result: Result<Kept, StorageError>) {
        let kept = match result {
            Ok(kept) => kept,
            Err(StorageError::Full { available }) => return self.run_short(id, available, None),
            Err(error) => return self.fail_share(id, error.into()),
        };
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let origin = share.manifest.origin();
        // What was kept is believed no more than what comes from a peer.
        share.hashes = KnownHashes::verified(id, &origin, kept.batches);
        let geometry = share.manifest.geometry().clone();
        let have = match kept.pieces {
            pieces if pieces.len() == geometry.pieces() => pieces,
            _ => Bitfield::new(geometry.pieces()),
        };
        let proven: Vec<PieceIndex> =
            have.iter().filter(|&piece| share.hashes.hash(piece).is_some()).collect();
        let Share { state: State::Receiving(download), hashes, have, .. } = share else { return };
        for piece in proven {
            have.insert(piece);
            download.verified.insert(piece);
            download.wanted.take(piece);
            download.reused += u64::from(geometry.length(piece));
        }
        download.opened = true;
        download.shortage = None;
        download.batches_kept = hashes.batches().len();
        let whole = |file: &FileIndex| {
            file.0 < geometry.files() && geometry.pieces_of(*file).all(|piece| have.contains(piece))
        };
        download.placed = kept.finished.into_iter().filter(whole).collect();
        let lacks = !download.wanted.is_met(have);
        self.announce(id);
        if lacks {
            self.reserve(id);
        }
        self.finish_if_whole(id);
        self.may_ask = true;
    }

    pub(super) fn finish_if_whole(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let Share { state: State::Receiving(download), have, .. } = &*share else { return };
        let ready = download.opened && !download.finishing && download.has_room();
        if !ready || !download.wanted.is_met(have) {
            return;
        }
        let missing: Vec<FileIndex> =
            share.wanted_files().filter(|file| !download.placed.contains(file)).collect();
        let Some(download) = share.download() else { return };
        download.finishing = true;
        if missing.is_empty() && !download.placed.is_empty() {
            return self.complete(id);
        }
        download.placing.clone_from(&missing);
        self.storage_out.push_back(StorageRequest::Finish { share: id, files: missing });
    }

    pub(super) fn on_finished(&mut self, id: ShareId, result: Result<(), StorageError>) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let Some(download) = share.download() else { return };
        match result {
            Ok(()) => {}
            Err(StorageError::Full { available }) => {
                download.finishing = false;
                return self.run_short(id, available, None);
            }
            Err(error @ StorageError::Damaged(_)) => return self.on_damaged(id, error),
            Err(error) => return self.fail_share(id, error.into()),
        }
        download.placed.extend(std::mem::take(&mut download.placing));
        // More may have been wanted meanwhile.
        let wanted: Vec<FileIndex> = share.wanted_files().collect();
        let Some(download) = share.download() else { return };
        if wanted.iter().all(|file| download.placed.contains(file)) {
            return self.complete(id);
        }
        download.finishing = false;
        self.finish_if_whole(id);
        self.may_ask = true;
    }

    /// Not all that was written is there: opening the store anew tells what is, and the rest comes again.
    fn on_damaged(&mut self, id: ShareId, error: StorageError) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        share.damaged += 1;
        if share.damaged > MAX_DAMAGED {
            return self.fail_share(id, Failure::Storage(error));
        }
        self.storage_out.push_back(StorageRequest::Close { share: id, discard: false });
        self.stop_serving(id);
        self.withdraw(id);
        self.begin_download(id);
    }

    /// All that is wanted of a share is in its place.
    fn complete(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let State::Receiving(mut download) = std::mem::replace(&mut share.state, State::Available)
        else {
            return;
        };
        download.finishing = false;
        share.state = State::Complete(download);
        let all = share.have.is_full();
        self.events.push_back(Event::Completed { share: id });
        self.review_serving();
        if all {
            self.give_receipt(id);
        }
    }

    /// Other files of a share are wanted than before, or with another urgency.
    pub(super) fn on_selected(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let geometry = share.geometry().clone();
        let selection = share.wishes.selection.clone();
        let files: Vec<FileIndex> = share.wanted_files().collect();
        let (State::Receiving(download) | State::Complete(download)) = &mut share.state else {
            return;
        };
        download.wanted.select(&geometry, &selection);
        let has_all = files.iter().all(|file| download.placed.contains(file));
        if matches!(share.state, State::Complete(_)) && !has_all {
            let State::Complete(download) = std::mem::replace(&mut share.state, State::Available)
            else {
                return;
            };
            share.state = State::Receiving(download);
            // What was saved is not all of it any more.
            share.saved = false;
        }
        let Some(download) = share.download() else { return };
        let lacks = download.opened && !download.wanted.is_met(&download.verified);
        if lacks {
            self.reserve(id);
        }
        self.cancel_unwanted(id);
        self.finish_if_whole(id);
        self.may_ask = true;
    }

    // ---- storing ----

    pub(super) fn on_written(
        &mut self,
        id: ShareId,
        piece: PieceIndex,
        result: Result<(), StorageError>,
    ) {
        let Some(len) = self.unwritten.remove(&(id, piece)) else { return };
        self.unwritten_bytes -= len;
        self.may_ask = true;
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let Some(download) = share.download() else { return };
        if !download.verified.contains(piece) {
            return; // of an earlier attempt to receive the share
        }
        match result {
            Ok(()) => {}
            Err(StorageError::Full { available }) => {
                self.unwrite(id, piece);
                return self.run_short(id, available, None);
            }
            Err(error) => return self.fail_share(id, error.into()),
        }
        download.written.push(piece);
        download.written_bytes += len;
        download.commit_at.get_or_insert(self.now + COMMIT_DELAY);
        self.commit_if_due(id);
    }

    pub(super) fn commit_if_due(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let Share { state: State::Receiving(download), hashes, .. } = share else { return };
        let due = download.written_bytes >= COMMIT_BYTES
            || download.wanted.is_met(&download.verified)
            || download.commit_at.is_some_and(|at| at <= self.now);
        if !due || download.written.is_empty() || !download.committing.is_empty() {
            return;
        }
        let mut pieces = std::mem::take(&mut download.written);
        pieces.sort_unstable();
        download.committing_bytes = std::mem::take(&mut download.written_bytes);
        download.commit_at = None;
        download.committing.clone_from(&pieces);
        let batches = hashes.batches()[download.batches_kept..].to_vec();
        download.batches_kept_before =
            std::mem::replace(&mut download.batches_kept, hashes.batches().len());
        self.storage_out.push_back(StorageRequest::Commit { share: id, pieces, batches });
    }

    pub(super) fn on_committed(&mut self, id: ShareId, result: Result<(), StorageError>) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let served = share.is_served();
        let Share { state: State::Receiving(download), have, .. } = share else { return };
        let pieces = std::mem::take(&mut download.committing);
        let bytes = std::mem::take(&mut download.committing_bytes);
        match result {
            Ok(()) => download.shortages = 0,
            Err(StorageError::Full { available }) => {
                // They are written, and are committed with the next ones.
                download.written_bytes += bytes;
                download.written.extend(pieces);
                download.batches_kept = download.batches_kept_before;
                return self.run_short(id, available, None);
            }
            Err(error) => return self.fail_share(id, error.into()),
        }
        pieces.iter().for_each(|&piece| {
            have.insert(piece);
        });
        if served {
            for message in PeerMessage::haves(id, &pieces) {
                self.tell_all(&message);
            }
        }
        self.may_ask = true;
        self.commit_if_due(id);
        self.finish_if_whole(id);
    }
}
