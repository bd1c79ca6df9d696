//! Checking what comes, and getting it stored. Whom to ask for what is chosen in `ask`.
//!
//! A piece's way: asked of a lane → assembled in memory, in order → held until its signed hash is here
//! → hashed → written → committed → announced. Nothing unverified leaves this file.

use std::collections::{BTreeMap, BTreeSet};

use tracing::debug;

use super::near::Division;
use super::peers::Lane;
use super::shelf::{Share, State};
use super::{NoSuchShare, Swarm};
use crate::bitfield::Bitfield;
use crate::event::{CloseReason, Event, Failure};
use crate::io::{ConnectionId, Kept, StorageError, StorageRequest};
use crate::manifest::{HashBatch, KnownHashes, ShareId};
use crate::message::{Block, BlockItem, Instead, PeerMessage, RequestId, Run, decode_blocks};
use crate::piece::{FileIndex, PieceIndex};
use crate::rate::Meter;
use crate::scheduler::{LONGEST_SILENCE, SILENCE, Stamp};
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};
use crate::wanted::Wanted;

/// A source that had nothing the room lacks is not asked to choose again this long.
const FLEXIBLE_PAUSE: Duration = Duration::from_millis(500);
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

/// A request that was sent and is not yet answered in full.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) share: ShareId,
    pub(super) run: Run,
    /// How many of its pieces have come.
    pub(super) done: u32,
    /// The piece that is coming.
    pub(super) buffer: Vec<u8>,
    /// Bytes still to come.
    pub(super) left: u64,
    /// Whether the source may choose other pieces.
    pub(super) flexible: bool,
    pub(super) stamp: Stamp,
    pub(super) first_block: Option<Instant>,
}

impl Asked {
    fn next(&self) -> PieceIndex {
        PieceIndex(self.run.first.0 + self.done)
    }

    /// The pieces that have not come in full.
    pub(super) fn missing(&self) -> impl Iterator<Item = PieceIndex> {
        (self.next().0..self.run.first.0 + self.run.count).map(PieceIndex)
    }
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

    pub(super) fn verified(&self) -> &Bitfield {
        &self.verified
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
    fn unask(&mut self, piece: PieceIndex) {
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

    /// Requests none of whose pieces are wanted any more.
    fn cancel_unwanted(&mut self, id: ShareId) {
        let Some(download) = self.shelf.get_mut(&id).and_then(Share::download) else { return };
        let wanted = download.wanted.pieces().clone();
        self.cancel_where(|asked| {
            asked.share == id && !asked.missing().any(|piece| wanted.contains(piece))
        });
    }

    // ---- what comes ----

    /// Tells a source that it may send more, if that is due.
    pub(super) fn grant(&mut self, connection: ConnectionId) {
        let credit = self.lanes.get_mut(&connection).and_then(|lane| lane.window.grant());
        if let Some(bytes) = credit {
            self.tell(connection, &PeerMessage::Credit { bytes });
        }
    }

    pub(super) fn on_blocks(&mut self, connection: ConnectionId, bytes: &[u8]) {
        if !self.lanes.get(&connection).is_some_and(|lane| lane.confirmed) {
            return self.close_lane(connection, CloseReason::ProtocolViolation, true);
        }
        for item in decode_blocks(bytes) {
            let allowed = match item {
                Ok(BlockItem::Block(block)) => self.on_block(connection, &block),
                Ok(BlockItem::Instead(instead)) => self.on_instead(connection, instead),
                Err(_) => false,
            };
            if !allowed {
                return self.close_lane(connection, CloseReason::ProtocolViolation, true);
            }
            if !self.lanes.contains_key(&connection) {
                return; // closed over this block
            }
        }
        self.grant(connection);
        self.may_ask = true;
    }

    /// Takes in one block; false if it breaks the rules.
    fn on_block(&mut self, connection: ConnectionId, block: &Block<'_>) -> bool {
        let Some(lane) = self.lanes.get_mut(&connection) else { return true };
        let len = block.bytes.len() as u64;
        lane.heard = self.now;
        let was_silent = std::mem::take(&mut lane.silent);
        if lane.window.arrived(len).is_err() {
            return false;
        }
        self.arrivals.add(self.now, len);
        if let Some(member) = self.members.get_mut(&lane.peer) {
            member.received += len;
        }
        let Some(asked) = lane.asked.get_mut(&block.request) else {
            // Late, after we cancelled: waste, never guilt. But only as much as was cancelled.
            let allowed = lane.cancelled >= len;
            lane.cancelled = lane.cancelled.saturating_sub(len);
            if was_silent {
                // It was only slow, as an uplink may be of which many ask.
                lane.patience = lane.patience.saturating_mul(2).min(LONGEST_SILENCE);
            }
            return allowed;
        };
        let share = asked.share;
        let Some(length) =
            self.shelf.get(&share).map(|share| share.geometry().length(block.piece) as usize)
        else {
            return true; // taken off the shelf; its requests are cancelled elsewhere
        };
        let in_order = block.piece == asked.next() && block.offset as usize == asked.buffer.len();
        if !in_order || asked.buffer.len() + block.bytes.len() > length {
            return false;
        }
        if asked.buffer.is_empty() {
            asked.buffer.reserve_exact(length);
        }
        asked.buffer.extend_from_slice(block.bytes);
        asked.flexible = false;
        asked.left -= len;
        asked.first_block.get_or_insert(self.now);
        lane.window.received(len);
        if asked.buffer.len() < length {
            return true;
        }
        let bytes = std::mem::take(&mut asked.buffer);
        asked.done += 1;
        lane.patience = (lane.patience / 2).max(SILENCE);
        if asked.done == asked.run.count {
            let (stamp, first) = (asked.stamp, asked.first_block.unwrap_or(self.now));
            lane.asked.remove(&block.request);
            lane.window.measured(self.now, stamp, first);
        }
        self.on_piece(connection, share, block.piece, bytes);
        true
    }

    /// A source chose other pieces than were asked for; false if it may not.
    fn on_instead(&mut self, connection: ConnectionId, instead: Instead) -> bool {
        let Instead { request, run } = instead;
        let Some(lane) = self.lanes.get_mut(&connection) else { return true };
        lane.heard = self.now;
        let Some(asked) = lane.asked.get_mut(&request) else { return true }; // cancelled meanwhile
        let id = asked.share;
        let Some(share) = self.shelf.get_mut(&id) else { return true };
        let geometry = share.manifest.geometry().clone();
        let bytes = run.bytes(&geometry);
        let untouched = asked.done == 0 && asked.buffer.is_empty();
        let fits = run.iter().all(|piece| geometry.span(piece).is_some()) && bytes <= asked.left;
        if !asked.flexible || !untouched || !fits {
            return false;
        }
        let Some(download) = share.download() else { return true };
        asked.run.iter().for_each(|piece| download.unask(piece));
        run.iter().for_each(|piece| download.ask(piece));
        lane.window.forgiven(asked.left - bytes);
        (asked.run, asked.left, asked.flexible) = (run, bytes, false);
        // It cannot know yet what came from others just now.
        if run.iter().all(|piece| download.verified.contains(piece)) {
            self.cancel(connection, request);
        }
        true
    }

    /// A whole piece is here.
    fn on_piece(
        &mut self,
        connection: ConnectionId,
        id: ShareId,
        piece: PieceIndex,
        bytes: Vec<u8>,
    ) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let known = share.hashes.hash(piece).is_some();
        let Some(download) = share.download() else { return };
        if download.verified.contains(piece) || download.unproven.contains_key(&piece) {
            download.wasted += bytes.len() as u64;
            download.unask(piece);
            return;
        }
        download.unproven.insert(piece, (connection, bytes));
        download.unask(piece);
        if known {
            self.check_piece(id, piece);
        }
    }

    /// Checks a piece that is here whole and whose hash is known.
    fn check_piece(&mut self, id: ShareId, piece: PieceIndex) {
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let (Some(expected), Some(span)) = (share.hashes.hash(piece), share.geometry().span(piece))
        else {
            return;
        };
        let geometry = share.geometry().clone();
        let Some(download) = share.download() else { return };
        let Some((connection, bytes)) = download.unproven.remove(&piece) else { return };
        let sender = self.lanes.get(&connection).map(|lane| lane.peer);
        if geometry.hash(piece, &bytes) != Some(expected) {
            download.wanted.release(piece);
            download.wasted += bytes.len() as u64;
            if let Some(peer) = sender {
                self.on_wrong_bytes(peer, id, piece);
            }
            return;
        }
        download.verified.insert(piece);
        let len = bytes.len() as u64;
        download.fetched += len;
        download.meter.add(self.now, len);
        if let Some((peer, member)) = sender.and_then(|peer| Some((peer, self.members.get(&peer)?)))
        {
            download.sources.entry(peer).or_insert_with(|| (member.name.clone(), 0)).1 += len;
        }
        self.unwritten_bytes += len - self.unwritten.insert((id, piece), len).unwrap_or_default();
        self.storage_out.push_back(StorageRequest::Write { share: id, piece, span, bytes });
        self.cancel_duplicates(id, piece);
    }

    /// The bytes that a peer sent do not match the hash that the origin signed: proof against it.
    fn on_wrong_bytes(&mut self, peer: PeerId, share: ShareId, piece: PieceIndex) {
        let Some(member) = self.members.get(&peer) else { return };
        let (Some(key), name) = (member.key, member.name.clone()) else { return };
        self.events.push_back(Event::Banned { peer, key, name, share, piece });
        self.ban(key);
    }

    /// A piece is here: whoever was asked for it alone as well need not send it.
    fn cancel_duplicates(&mut self, id: ShareId, piece: PieceIndex) {
        self.cancel_where(|asked| {
            asked.share == id && asked.run.count == 1 && asked.run.first == piece
        });
    }

    pub(super) fn on_hashes(&mut self, connection: ConnectionId, batch: HashBatch) {
        let id = batch.share;
        let Some(share) = self
            .shelf
            .get_mut(&id)
            .filter(|share| matches!(&share.state, State::Receiving(d) if d.opened))
        else {
            return; // stopped meanwhile
        };
        let pieces = share.geometry().pieces();
        let end = batch.first.0 + batch.hashes.len() as u32;
        if batch.iter().all(|(piece, hash)| share.hashes.hash(piece) == Some(hash)) {
            return;
        }
        if end > pieces || batch.verify(&share.manifest.origin()).is_err() {
            return self.close_lane(connection, CloseReason::ProtocolViolation, true);
        }
        let first = batch.first.0;
        if let Err(error) = share.hashes.insert(batch) {
            debug!(%error, "a share contradicts itself");
            return self.fail_share(id, Failure::OriginChanged);
        }
        for piece in (first..end).map(PieceIndex) {
            self.check_piece(id, piece);
        }
        self.may_ask = true;
    }

    pub(super) fn on_reject(&mut self, connection: ConnectionId, request: RequestId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let Some(asked) = lane.asked.remove(&request) else { return };
        lane.window.forgiven(asked.left);
        // Blocks sent before this may come after it: they travel on the other channel.
        lane.cancelled += asked.left;
        if asked.flexible {
            // What it has, others have too, or are being sent; so much we did not know when we asked.
            lane.flexible_again = self.now + FLEXIBLE_PAUSE;
            self.release_requests([(request, asked)].into());
            self.may_ask = true;
            return;
        }
        let (id, piece, peer) = (asked.share, asked.next(), lane.peer);
        // It does not have the piece after all; do not ask it for that again.
        let told = self
            .members
            .get_mut(&peer)
            .and_then(|member| member.shares.get_mut(&id)?.pieces.as_mut());
        if told.is_some_and(|pieces| pieces.remove(piece))
            && let Some(share) = self.shelf.get_mut(&id)
        {
            share.count(piece, false);
        }
        self.release_requests([(request, asked)].into());
        self.may_ask = true;
    }

    // ---- giving up on requests ----

    /// Tells a lane that a request is not wanted any more, and makes its pieces free for others.
    fn cancel(&mut self, connection: ConnectionId, request: RequestId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let Some(asked) = lane.asked.remove(&request) else { return };
        lane.window.forgiven(asked.left);
        lane.cancelled += asked.left;
        self.release_requests([(request, asked)].into());
        self.tell(connection, &PeerMessage::Cancel { request });
    }

    /// Makes the pieces of requests that will not be answered free for others.
    pub(super) fn release_requests(&mut self, requests: BTreeMap<RequestId, Asked>) {
        for asked in requests.into_values() {
            let Some(download) = self.shelf.get_mut(&asked.share).and_then(Share::download) else {
                continue;
            };
            download.wasted += asked.buffer.len() as u64;
            asked.missing().for_each(|piece| download.unask(piece));
        }
    }

    /// A lane is gone: pieces from it whose hash never came are asked of others.
    pub(super) fn drop_unproven(&mut self, connection: ConnectionId) {
        for download in self.shelf.values_mut().filter_map(Share::download) {
            let orphans: Vec<PieceIndex> = download
                .unproven
                .iter()
                .filter(|(_, (from, _))| *from == connection)
                .map(|(&piece, _)| piece)
                .collect();
            for piece in orphans {
                download.unproven.remove(&piece);
                if !download.asked.contains_key(&piece) {
                    download.wanted.release(piece);
                }
            }
        }
    }

    /// Nothing of a share is wanted any more.
    pub(super) fn cancel_share(&mut self, id: ShareId) {
        self.cancel_where(|asked| asked.share == id);
    }

    fn cancel_where(&mut self, unwanted: impl Fn(&Asked) -> bool) {
        let requests: Vec<(ConnectionId, RequestId)> = self
            .lanes
            .iter()
            .flat_map(|(&connection, lane)| {
                lane.asked.iter().map(move |(&request, asked)| (connection, request, asked))
            })
            .filter(|(_, _, asked)| unwanted(asked))
            .map(|(connection, request, _)| (connection, request))
            .collect();
        for (connection, request) in requests {
            self.cancel(connection, request);
        }
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
        if let Err(error) = result {
            return self.fail_share(id, error.into());
        }
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let Some(download) = share.download() else { return };
        if !download.verified.contains(piece) {
            return; // of an earlier attempt to receive the share
        }
        download.written.push(piece);
        download.written_bytes += len;
        download.commit_at.get_or_insert(self.now + COMMIT_DELAY);
        self.commit_if_due(id);
    }

    fn commit_if_due(&mut self, id: ShareId) {
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

    // ---- time ----

    pub(super) fn on_fetch_timeouts(&mut self) {
        let now = self.now;
        let silent: Vec<ConnectionId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.silence_ends().is_some_and(|at| at <= now))
            .map(|(&connection, _)| connection)
            .collect();
        for connection in silent {
            let Some(lane) = self.lanes.get_mut(&connection) else { continue };
            debug!(?connection, "does not send what it was asked for");
            lane.silent = true;
            lane.heard = now;
            lane.window.reset();
            let requests: Vec<RequestId> = lane.asked.keys().copied().collect();
            for request in requests {
                self.cancel(connection, request);
            }
            self.drop_unproven(connection);
        }
        let receiving: Vec<ShareId> = self.shelf.keys().copied().collect();
        for id in receiving {
            self.commit_if_due(id);
        }
        self.may_ask = true;
    }

    pub(super) fn next_fetch_timeout(&mut self) -> Option<Instant> {
        let silence = self.lanes.values().filter_map(Lane::silence_ends).min();
        let mut receiving = false;
        let commit = self
            .shelf
            .values_mut()
            .filter_map(Share::download)
            .inspect(|_| receiving = true)
            .filter(|download| download.committing.is_empty())
            .filter_map(|download| download.commit_at)
            .min();
        let lanes = if receiving { self.confirmed_lanes() } else { Vec::new() };
        let cap = lanes.into_iter().filter_map(|connection| self.may_fetch_at(connection)).min();
        let again = self
            .lanes
            .values()
            .map(|lane| lane.flexible_again)
            .filter(|&at| receiving && at > self.now)
            .min();
        [silence, commit, cap, again, self.next_endgame()].into_iter().flatten().min()
    }
}

impl Swarm {
    /// What was asked waits its turn with somebody who is there.
    pub(super) fn on_queued(&mut self, connection: ConnectionId) {
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.heard = self.now;
        }
    }
}

impl Lane {
    /// When what was asked for is overdue: nothing came for too long.
    fn silence_ends(&self) -> Option<Instant> {
        (!self.asked.is_empty()).then(|| self.heard + self.patience)
    }
}
