//! A share on its way here: its store is opened, verified pieces are written, committed and announced,
//! and the files are brought to their place.

use std::collections::{BTreeMap, BTreeSet};

use super::near::Division;
use super::shelf::{Share, State};
use super::{NoSuchShare, Swarm};
use crate::bitfield::Bitfield;
use crate::event::Event;
use crate::io::{ConnectionId, Kept, StorageError, StorageRequest};
use crate::manifest::{KnownHashes, ShareId};
use crate::message::PeerMessage;
use crate::piece::{FileIndex, PieceIndex};
use crate::rate::Meter;
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};
use crate::wanted::Wanted;

/// Written pieces are committed when they come to this much …
const COMMIT_BYTES: u64 = 1 << 20;
/// … or have waited this long.
const COMMIT_DELAY: Duration = Duration::from_millis(200);

/// A share being received, or received.
pub(super) struct Download {
    /// Whether the store is open; until then nothing is asked for.
    pub(super) opened: bool,
    /// Whether all is committed and the files are being put in place.
    pub(super) finishing: bool,
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
    pub(super) unproven: BTreeMap<PieceIndex, (ConnectionId, Vec<u8>)>,
    written: Vec<PieceIndex>,
    written_bytes: u64,
    commit_at: Option<Instant>,
    committing: Vec<PieceIndex>,
    /// How many of the known batches were handed to storage.
    batches_kept: usize,
    pub(super) fetched: u64,
    pub(super) reused: u64,
    pub(super) wasted: u64,
    pub(super) meter: Meter,
    /// Verified bytes by sender, with the name it had.
    pub(super) sources: BTreeMap<PeerId, (String, u64)>,
}

impl Download {
    fn new(now: Instant, start: u32, pieces: u32, wanted: Wanted) -> Self {
        Self {
            opened: false,
            finishing: false,
            verified: Bitfield::new(pieces),
            wanted,
            placed: BTreeSet::new(),
            placing: Vec::new(),
            asked: BTreeMap::new(),
            start,
            division: Division::default(),
            unproven: BTreeMap::new(),
            written: Vec::new(),
            written_bytes: 0,
            commit_at: None,
            committing: Vec::new(),
            batches_kept: 0,
            fetched: 0,
            reused: 0,
            wasted: 0,
            meter: Meter::new(now),
            sources: BTreeMap::new(),
        }
    }

    /// When written pieces are to be committed, if nothing is being committed.
    pub(super) fn commit_due(&self) -> Option<Instant> {
        self.commit_at.filter(|_| self.committing.is_empty())
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
                if !self.verified.contains(piece) && !self.unproven.contains_key(&piece) {
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
            State::Shared | State::Receiving(_) | State::Complete(_) => return Ok(()),
        }
        let pieces = share.geometry().pieces();
        let start = self.rng.below(pieces);
        share.have = Bitfield::new(pieces);
        share.hashes = KnownHashes::default();
        let wanted = Wanted::new(share.geometry(), &share.wishes.selection);
        let download = Download::new(self.now, start, pieces, wanted);
        share.state = State::Receiving(Box::new(download));
        let (manifest, signed) = (share.manifest.clone(), share.signed.clone());
        let files = share.wanted_files().collect();
        self.storage_out.push_back(StorageRequest::Open { share: id, manifest, signed, files });
        self.review_serving();
        Ok(())
    }

    pub(super) fn on_opened(&mut self, id: ShareId, result: Result<Kept, StorageError>) {
        let kept = match result {
            Ok(kept) => kept,
            Err(error) => return self.fail_share(id, error.into()),
        };
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let origin = share.manifest.origin();
        for batch in kept.batches {
            // What was kept is believed no more than what comes from a peer.
            if batch.share == id && batch.verify(&origin).is_ok() {
                let _ = share.hashes.insert(batch);
            }
        }
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
        download.batches_kept = hashes.batches().len();
        let whole = |file: &FileIndex| {
            file.0 < geometry.files() && geometry.pieces_of(*file).all(|piece| have.contains(piece))
        };
        download.placed = kept.finished.into_iter().filter(whole).collect();
        self.announce(id);
        self.finish_if_whole(id);
        self.may_ask = true;
    }

    fn finish_if_whole(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let Share { state: State::Receiving(download), have, .. } = &*share else { return };
        if !download.opened || download.finishing || !download.wanted.is_met(have) {
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
        if let Err(error) = result {
            return self.fail_share(id, error.into());
        }
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let Some(download) = share.download() else { return };
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
        if let Err(error) = result {
            return self.fail_share(id, error.into());
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
        download.written_bytes = 0;
        download.commit_at = None;
        download.committing.clone_from(&pieces);
        let batches = hashes.batches()[download.batches_kept..].to_vec();
        download.batches_kept = hashes.batches().len();
        self.storage_out.push_back(StorageRequest::Commit { share: id, pieces, batches });
    }

    pub(super) fn on_committed(&mut self, id: ShareId, result: Result<(), StorageError>) {
        if let Err(error) = result {
            return self.fail_share(id, error.into());
        }
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let served = share.is_served();
        let Share { state: State::Receiving(download), have, .. } = share else { return };
        let pieces = std::mem::take(&mut download.committing);
        pieces.iter().for_each(|&piece| {
            have.insert(piece);
        });
        if served {
            for message in PeerMessage::haves(id, &pieces) {
                self.tell_all(&message);
            }
        }
        self.commit_if_due(id);
        self.finish_if_whole(id);
    }
}
