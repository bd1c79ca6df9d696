//! Checking what comes. Whom to ask for what is chosen in `ask`; verified pieces are `download`'s.
//!
//! A piece's way: asked of a lane → assembled in memory, in order → held until its signed hash is here
//! → hashed → written → committed → announced. Nothing unverified leaves this file.

use std::collections::BTreeMap;

use tracing::debug;

use super::Swarm;
use super::peers::Lane;
use super::shelf::{Share, State};
use crate::event::{CloseReason, Failure, Proof};
use crate::io::{ConnectionId, StorageRequest};
use crate::manifest::{HashBatch, MAX_BATCH, ShareId};
use crate::message::{Block, BlockItem, Instead, PeerMessage, RequestId, Run, decode_blocks};
use crate::piece::PieceIndex;
use crate::scheduler::{LONGEST_SILENCE, SILENCE, Stamp};
use crate::time::{Duration, Instant};

/// An origin that lost what it signed signs again, cut otherwise; but hardly so often. It could make us keep
/// two hundred hashes for each piece.
const MAX_SIGNED: usize = 8;
/// So many bytes, or a whole piece, are progress. Whoever sends less at a time is as good as silent: else a
/// byte now and then would hold for ever what it was asked for.
const PROGRESS_BYTES: u64 = 4 << 10;
/// A source that had nothing the room lacks is not asked to choose again this long.
const FLEXIBLE_PAUSE: Duration = Duration::from_millis(500);
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

    fn covers(&self, piece: PieceIndex) -> bool {
        (self.run.first.0..self.run.first.0 + self.run.count).contains(&piece.0)
    }

    /// The pieces that have not come in full.
    pub(super) fn missing(&self) -> impl Iterator<Item = PieceIndex> {
        (self.next().0..self.run.first.0 + self.run.count).map(PieceIndex)
    }
}

impl Swarm {
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
        if lane.window.arrived(len).is_err() {
            return false;
        }
        lane.trickled += len;
        let mut was_silent = false;
        if lane.trickled >= PROGRESS_BYTES {
            was_silent = lane.note_progress(self.now);
        }
        self.arrivals.add(self.now, len);
        if let Some(member) = self.members.get_mut(&lane.peer) {
            member.traffic.receive(self.now, len);
        }
        self.traffic.receive(self.now, len);
        let Some(asked) = lane.asked.get_mut(&block.request) else {
            // Late, after we cancelled: waste, never guilt. But only as much as was cancelled.
            let allowed = lane.cancelled >= len;
            lane.cancelled = lane.cancelled.saturating_sub(len);
            if allowed && lane.cancelled == 0 {
                was_silent |= lane.note_progress(self.now);
            }
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
        lane.trickled = 0;
        (lane.heard, lane.silent) = (self.now, false);
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
        lane.heard = self.now;
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
        if download.verified.contains(piece) || download.unproven.contains(piece) {
            download.wasted += bytes.len() as u64;
            download.unask(piece);
            return;
        }
        download.unproven.insert(self.now, piece, connection, bytes);
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
        let Some((connection, bytes)) = download.unproven.take(piece) else { return };
        let sender = self.lanes.get(&connection).map(|lane| lane.peer);
        if geometry.hash(piece, &bytes) != Some(expected) {
            download.wanted.release(piece);
            download.wasted += bytes.len() as u64;
            if let Some(peer) = sender {
                self.blame(peer, Some(id), Proof::WrongBytes(piece));
            }
            return;
        }
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.rounds_without_hashes = 0;
        }
        download.verified.insert(piece);
        let len = bytes.len() as u64;
        download.fetched += len;
        download.meter.add(self.now, len);
        if let Some((peer, member)) = sender.and_then(|peer| Some((peer, self.members.get(&peer)?)))
        {
            download.sources.add(geometry.pieces(), piece, peer, &member.name, len);
        }
        self.unwritten_bytes += len - self.unwritten.insert((id, piece), len).unwrap_or_default();
        self.storage_out.push_back(StorageRequest::Write { share: id, piece, span, bytes });
        self.cancel_duplicates(id, piece);
    }

    /// A piece is here: requests for it that would bring nothing else that is missing are of no use.
    fn cancel_duplicates(&mut self, id: ShareId, piece: PieceIndex) {
        let Some(Share { state: State::Receiving(download), .. }) = self.shelf.get(&id) else {
            return;
        };
        let in_vain = |asked: &Asked| {
            let mut missing = asked.missing();
            asked.share == id
                && asked.covers(piece)
                && missing.all(|piece| download.verified.contains(piece))
        };
        let requests = self.requests(in_vain);
        self.cancel_all(requests);
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
            return self.blame_sender(connection, Some(id), Proof::ForgedHashes);
        }
        let (first, signed) = (batch.first, share.hashes.signed() + batch.hashes.len());
        let too_much = signed > MAX_SIGNED * pieces as usize + MAX_BATCH as usize;
        let contradicts = match share.hashes.insert(batch) {
            Err(error) => Some(error.0),
            Ok(_) => too_much.then_some(first),
        };
        if let Some(piece) = contradicts {
            debug!(?piece, too_much, "a share contradicts itself");
            let name = share.name_of(piece);
            return self.fail_share(id, Failure::OriginChanged(name));
        }
        for piece in (first.0..end).map(PieceIndex) {
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

    /// What was asked waits its turn with somebody who is there.
    pub(super) fn on_queued(&mut self, connection: ConnectionId) {
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.heard = self.now;
        }
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

    /// Nothing of a share is wanted any more.
    pub(super) fn cancel_share(&mut self, id: ShareId) {
        self.cancel_where(|asked| asked.share == id);
    }

    /// Requests none of whose pieces are wanted any more.
    pub(super) fn cancel_unwanted(&mut self, id: ShareId) {
        let Some(download) = self.shelf.get_mut(&id).and_then(Share::download) else { return };
        let wanted = download.wanted.pieces().clone();
        self.cancel_where(|asked| {
            asked.share == id && !asked.missing().any(|piece| wanted.contains(piece))
        });
    }

    fn cancel_where(&mut self, unwanted: impl Fn(&Asked) -> bool) {
        let requests = self.requests(unwanted);
        self.cancel_all(requests);
    }

    fn requests(&self, which: impl Fn(&Asked) -> bool) -> Vec<(ConnectionId, RequestId)> {
        self.lanes
            .iter()
            .flat_map(|(&connection, lane)| {
                lane.asked.iter().map(move |(&request, asked)| (connection, request, asked))
            })
            .filter(|(_, _, asked)| which(asked))
            .map(|(connection, request, _)| (connection, request))
            .collect()
    }

    fn cancel_all(&mut self, requests: Vec<(ConnectionId, RequestId)>) {
        for (connection, request) in requests {
            self.cancel(connection, request);
        }
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
        for connection in self.owing_hashes().into_iter().chain(silent) {
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
            .filter_map(|download| download.commit_due())
            .min();
        let lanes = if receiving { self.confirmed_lanes() } else { Vec::new() };
        let cap = lanes.into_iter().filter_map(|connection| self.may_fetch_at(connection)).min();
        let again = self
            .lanes
            .values()
            .map(|lane| lane.flexible_again)
            .filter(|&at| receiving && at > self.now)
            .min();
        let unproven = self.next_unproven_timeout();
        [silence, commit, cap, again, unproven, self.next_endgame()].into_iter().flatten().min()
    }
}

impl Lane {
    /// It sends what it was asked for. Gives whether it had been taken for silent.
    fn note_progress(&mut self, now: Instant) -> bool {
        (self.heard, self.trickled) = (now, 0);
        std::mem::take(&mut self.silent)
    }

    /// When what was asked for is overdue: nothing came for too long.
    pub(super) fn silence_ends(&self) -> Option<Instant> {
        (!self.asked.is_empty()).then(|| self.heard + self.patience)
    }
}
