//! Answering requests: reading pieces, checking them once more, signing hashes, sending blocks.
//!
//! Requests of a lane are answered in order, and lanes take turns: each turn reads and sends one
//! *group*, a large piece or neighbouring small ones that go into one signature and few messages. Groups
//! are sent one after the other, not side by side, so that whoever gets a piece can serve it on soon.
//! As many peers as the policy has upload slots are served at once; one that takes no
//! more for now does not count. Per peer [`READ_AHEAD_BYTES`] are read ahead: this bounds memory.
//!
//! What was read is hashed before it is sent, ours to sign the hash, others' to see that the disk still
//! holds what was verified: so a peer whose files changed is never taken for a liar.

use std::collections::BTreeSet;

use tracing::debug;

use super::Swarm;
use super::seed::Promise;
use super::shelf::{Share, State};
use crate::codec::Writer;
use crate::event::{CloseReason, Failure};
use crate::io::{
    Channel, ConnectionId, HIGH_WATER_BYTES, ReadId, StorageError, StorageRequest, Transmit,
};
use crate::manifest::{HashBatch, ShareId};
use crate::message::{
    BLOCK_BYTES, BLOCK_HEADER_BYTES, Block, Instead, PeerMessage, RequestId, Run,
};
use crate::piece::{PieceHash, PieceIndex};
use crate::scheduler::{QUEUED_INTERVAL, SILENCE};
use crate::signaling::PeerId;
use crate::time::Instant;

/// The most requests of one lane that wait.
const MAX_REQUESTS: usize = 1024;
/// Neighbouring pieces are read and signed together up to this many bytes.
const GROUP_BYTES: u64 = 256 << 10;
/// Read ahead of what is being sent, per peer; and at least one group for each lane.
const READ_AHEAD_BYTES: u64 = 1 << 20;
/// Under a cap of so many bytes per second a message carries 1/[`MESSAGES_PER_SECOND`] of it.
const MESSAGES_PER_SECOND: u64 = 8;
/// … but never less than this, and nothing is sent on credit for less.
const MIN_BLOCK_BYTES: usize = 4 << 10;
/// What is left of a request that is being answered.
#[derive(Debug)]
pub(super) struct Serving {
    request: RequestId,
    pub(super) share: ShareId,
    rest: Run,
    with_hashes: bool,
    /// Whether we may choose other pieces; settled when its first turn comes.
    pub(super) flexible: bool,
}

/// Pieces that are being read, or wait to be sent.
#[derive(Debug)]
pub(super) struct Group {
    connection: ConnectionId,
    request: RequestId,
    share: ShareId,
    with_hashes: bool,
    /// What to say ahead of the first block.
    instead: Option<Instead>,
    pieces: Vec<Loaded>,
    bytes: u64,
    /// Pieces not yet read.
    unread: usize,
    /// How far it has been sent: piece within the group, and byte within that.
    at: (usize, usize),
}

/// A read that is under way.
#[derive(Debug)]
pub(super) struct Reading {
    /// For whom.
    peer: PeerId,
    bytes: u64,
    /// Whether what comes of it is of no use any more. Until it is done it counts nevertheless: or somebody
    /// who asks and cancels could have any number of them made.
    cancelled: bool,
}

#[derive(Debug)]
struct Loaded {
    piece: PieceIndex,
    read: ReadId,
    bytes: Vec<u8>,
}

impl Group {
    /// Bytes that were not sent yet.
    fn rest(&self) -> u64 {
        let pieces = self.pieces.iter().skip(self.at.0);
        pieces.map(|loaded| loaded.bytes.len() as u64).sum::<u64>() - self.at.1 as u64
    }
}

impl Swarm {
    // ---- requests ----

    pub(super) fn on_request(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        share: ShareId,
        run: Run,
        with_hashes: bool,
        flexible: bool,
    ) {
        let serves = self.shelf.get(&share).is_some_and(|share| {
            share.is_served() && run.iter().all(|piece| share.have.contains(piece))
        });
        if !serves {
            return self.tell(connection, &PeerMessage::Reject { request });
        }
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        if lane.serving.len() >= MAX_REQUESTS {
            return self.close_lane(connection, CloseReason::ProtocolViolation, true);
        }
        if lane.serving.is_empty() {
            self.turns.push_back(connection);
            lane.attended = lane.attended.max(self.now);
        }
        lane.serving.push_back(Serving { request, share, rest: run, with_hashes, flexible });
        self.start_groups();
    }

    pub(super) fn on_cancel(&mut self, connection: ConnectionId, request: RequestId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        lane.serving.retain(|serving| serving.request != request);
        self.drop_groups(|group| group.connection == connection && group.request == request);
        self.start_groups();
    }

    /// The source may send more.
    pub(super) fn on_credit(&mut self, connection: ConnectionId, bytes: u64) {
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.credit = lane.credit.max(bytes);
        }
    }

    /// A share is not served any more: what was asked of it is rejected.
    pub(super) fn stop_serving(&mut self, id: ShareId) {
        for connection in self.confirmed_lanes() {
            self.reject(connection, |_, share| share == id);
        }
    }

    /// A lane is gone, and with it what it was sent.
    pub(super) fn stop_serving_lane(&mut self, connection: ConnectionId) {
        self.turns.retain(|&turn| turn != connection);
        self.drop_groups(|group| group.connection == connection);
        let members = &self.members;
        for share in self.shelf.values_mut() {
            share.promised.retain(|_, promise| promise.to != connection);
            share
                .given
                .retain(|_, peer| members.get(peer).is_some_and(|member| member.lane.is_some()));
        }
        self.start_groups();
    }

    fn reject(&mut self, connection: ConnectionId, which: impl Fn(RequestId, ShareId) -> bool) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let waiting = lane.serving.iter().map(|serving| (serving.request, serving.share));
        let read = self
            .work
            .iter()
            .filter(|group| group.connection == connection)
            .map(|group| (group.request, group.share));
        let mut requests: Vec<RequestId> = waiting
            .chain(read)
            .filter(|&(request, share)| which(request, share))
            .map(|(request, _)| request)
            .collect();
        lane.serving.retain(|serving| !which(serving.request, serving.share));
        self.drop_groups(|group| {
            group.connection == connection && which(group.request, group.share)
        });
        requests.sort_unstable();
        requests.dedup();
        for request in requests {
            self.tell(connection, &PeerMessage::Reject { request });
        }
        self.start_groups();
    }

    fn drop_groups(&mut self, which: impl Fn(&Group) -> bool) {
        self.work.retain(|group| {
            if !which(group) {
                return true;
            }
            for loaded in &group.pieces {
                if let Some(reading) = self.reads.get_mut(&loaded.read) {
                    reading.cancelled = true;
                }
                if let Some(share) = self.shelf.get_mut(&group.share) {
                    share.promised.remove(&loaded.piece);
                }
            }
            false
        });
    }

    // ---- turns ----

    /// Starts groups while there are slots and requests.
    fn start_groups(&mut self) {
        loop {
            let served: BTreeSet<PeerId> = self
                .work
                .iter()
                .filter_map(|group| Some((group, self.lanes.get(&group.connection)?)))
                .filter(|(group, lane)| group.unread > 0 || lane.takes(group))
                .map(|(_, lane)| lane.peer)
                .collect();
            let is_free = served.len() < self.policy.upload_slots;
            let Some(turn) = self.turns.iter().position(|&connection| {
                let Some(lane) = self.lanes.get(&connection) else { return false };
                (is_free || served.contains(&lane.peer))
                    && self.may_read_ahead(connection, lane.peer)
            }) else {
                return;
            };
            let connection = self.turns.remove(turn).expect("just found");
            self.start_group(connection);
            if self.lanes.get(&connection).is_some_and(|lane| !lane.serving.is_empty()) {
                self.turns.push_back(connection);
            }
        }
    }

    /// Whether a lane may have one more group in work: its first, or while there is little for its peer.
    fn may_read_ahead(&self, connection: ConnectionId, peer: PeerId) -> bool {
        let is_to = |group: &&Group| {
            self.lanes.get(&group.connection).is_some_and(|lane| lane.peer == peer)
        };
        let ahead: u64 = self.work.iter().filter(is_to).map(|group| group.bytes).sum();
        let in_vain =
            self.reads.values().filter(|reading| reading.cancelled && reading.peer == peer);
        let in_vain: u64 = in_vain.map(|reading| reading.bytes).sum();
        let has_none = || !self.work.iter().any(|group| group.connection == connection);
        ahead + in_vain < READ_AHEAD_BYTES || in_vain == 0 && has_none()
    }

    /// Has the next group of a lane read.
    fn start_group(&mut self, connection: ConnectionId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let Some(mut serving) = lane.serving.pop_front() else { return };
        let peer = lane.peer;
        let mut instead = None;
        let chosen = serving.flexible;
        if std::mem::take(&mut serving.flexible) {
            match self.choose(connection, serving.share, serving.rest) {
                Some(run) if run == serving.rest => {}
                Some(run) => {
                    instead = Some(Instead { request: serving.request, run });
                    (serving.rest, serving.with_hashes) = (run, true);
                }
                None if !matches!(self.shelf.get(&serving.share), Some(s) if s.ours) => {}
                None => {
                    return self
                        .tell(connection, &PeerMessage::Reject { request: serving.request });
                }
            }
        }
        let Some(share) = self.shelf.get_mut(&serving.share) else { return };
        let mut group = Group {
            connection,
            request: serving.request,
            share: serving.share,
            with_hashes: serving.with_hashes,
            instead,
            pieces: Vec::new(),
            bytes: 0,
            unread: 0,
            at: (0, 0),
        };
        let chosen = chosen.then_some(peer);
        while serving.rest.count > 0 {
            let piece = serving.rest.first;
            let Some(span) = share.geometry().span(piece) else { break };
            if group.unread > 0 && group.bytes + u64::from(span.length) > GROUP_BYTES {
                break;
            }
            let read = ReadId(self.next_read);
            self.next_read += 1;
            let bytes = u64::from(span.length);
            self.reads.insert(read, Reading { peer, bytes, cancelled: false });
            self.storage_out.push_back(StorageRequest::Read { read, share: group.share, span });
            if let Some(peer) = chosen {
                share.given.insert(piece, peer);
            }
            share.promised.insert(piece, Promise { to: connection, sent: None });
            group.pieces.push(Loaded { piece, read, bytes: Vec::new() });
            group.bytes += u64::from(span.length);
            group.unread += 1;
            serving.rest = Run { first: PieceIndex(piece.0 + 1), count: serving.rest.count - 1 };
        }
        self.work.push_back(group);
        if serving.rest.count > 0
            && let Some(lane) = self.lanes.get_mut(&connection)
        {
            lane.serving.push_front(serving);
        }
    }

    // ---- reading ----

    pub(super) fn on_read(&mut self, read: ReadId, result: Result<Vec<u8>, StorageError>) {
        let Some(reading) = self.reads.remove(&read) else { return };
        if reading.cancelled {
            return self.start_groups();
        }
        let (at, i) = self
            .work
            .iter()
            .enumerate()
            .find_map(|(at, group)| {
                Some((at, group.pieces.iter().position(|loaded| loaded.read == read)?))
            })
            .expect("a read is forgotten with its group");
        let group = &mut self.work[at];
        let (id, piece) = (group.share, group.pieces[i].piece);
        match result {
            Ok(bytes) => {
                group.pieces[i].bytes = bytes;
                group.unread -= 1;
                if group.unread == 0 {
                    self.check_group(at);
                }
            }
            Err(error) => self.lose_piece(id, piece, error),
        }
    }

    /// A group was read in full: hashes it, signs what was not signed before, and tells the hashes.
    fn check_group(&mut self, at: usize) {
        let group = &self.work[at];
        let id = group.share;
        let Some(share) = self.shelf.get_mut(&id) else { return };
        let ours = matches!(share.state, State::Shared);
        let mut unsigned: Vec<(PieceIndex, PieceHash)> = Vec::new();
        for loaded in &group.pieces {
            let hash = share.geometry().hash(loaded.piece, &loaded.bytes);
            match (hash, share.hashes.hash(loaded.piece)) {
                (Some(hash), Some(known)) if hash == known => {}
                (Some(hash), None) if ours => unsigned.push((loaded.piece, hash)),
                _ => {
                    let (piece, name) = (loaded.piece, share.name_of(loaded.piece));
                    return self.lose_piece(id, piece, StorageError::Changed(name));
                }
            }
        }
        let batches = signed_batches(id, &unsigned, &self.key);
        for batch in batches.iter().cloned() {
            share.hashes.insert(batch).expect("only pieces without a hash were signed");
        }
        if !batches.is_empty() {
            self.storage_out.push_back(StorageRequest::Keep { share: id, batches });
        }
        if group.with_hashes {
            self.tell_hashes(at);
        }
    }

    fn tell_hashes(&mut self, at: usize) {
        let group = &self.work[at];
        let connection = group.connection;
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let Some(share) = self.shelf.get(&group.share) else { return };
        let mut batches = Vec::new();
        for loaded in &group.pieces {
            let Some((place, batch)) = share.hashes.batch(loaded.piece) else { continue };
            if lane.told.insert((group.share, place)) {
                batches.push(PeerMessage::Hashes(batch.clone()));
            }
        }
        for batch in batches {
            self.tell(connection, &batch);
        }
    }

    /// A piece that we said we have cannot be read, or is not what it was.
    fn lose_piece(&mut self, id: ShareId, piece: PieceIndex, error: StorageError) {
        debug!(?id, ?piece, %error, "a piece cannot be served");
        let Some(share) = self.shelf.get_mut(&id) else { return };
        if matches!(share.state, State::Shared) {
            return self.fail_share(id, Failure::Storage(error));
        }
        share.have.remove(piece);
        let requests: Vec<(ConnectionId, RequestId)> = self
            .work
            .iter()
            .filter(|group| group.share == id)
            .filter(|group| group.pieces.iter().any(|loaded| loaded.piece == piece))
            .map(|group| (group.connection, group.request))
            .collect();
        for (connection, request) in requests {
            self.reject(connection, |rejected, _| rejected == request);
        }
    }

    // ---- sending ----

    /// The next message of blocks: of the first group in work that can be sent.
    pub(super) fn next_blocks(&mut self) -> Option<Transmit> {
        let now = self.now;
        let sendable = self.sendable();
        let (at, _) = sendable.into_iter().find(|&(_, connection)| self.may_send(connection))?;
        let connection = self.work[at].connection;
        let limit = self.block_limit(connection);
        let lane = self.lanes.get_mut(&connection)?;
        let credit = usize::try_from(lane.credit - lane.sent).unwrap_or(usize::MAX);
        let group = &mut self.work[at];
        let mut message =
            Writer::with_capacity((limit + BLOCK_HEADER_BYTES).min(group.bytes as usize + 4096));
        if let Some(instead) = group.instead.take() {
            instead.write(&mut message);
        }
        let mut sent = 0;
        while let Some(loaded) = group.pieces.get(group.at.0) {
            let room = limit.saturating_sub(message.len() + BLOCK_HEADER_BYTES).min(credit - sent);
            let rest = &loaded.bytes[group.at.1..];
            let take = rest.len().min(room);
            // A stump at the end of a message would only cost a header.
            if take == 0 || (take < rest.len() && message.len() > limit / 2) {
                break;
            }
            let (piece, offset) = (loaded.piece, group.at.1 as u32);
            Block { request: group.request, piece, offset, bytes: &rest[..take] }
                .write(&mut message);
            sent += take;
            group.at = if take == rest.len() {
                (group.at.0 + 1, 0)
            } else {
                (group.at.0, group.at.1 + take)
            };
        }
        let share = group.share;
        let finished = group.at.0 == group.pieces.len();
        lane.blocks_buffered += message.len();
        lane.sent += sent as u64;
        lane.attended = now;
        self.sent_at = now;
        if let Some(member) = self.members.get_mut(&lane.peer) {
            member.traffic.send(now, sent as u64);
        }
        self.traffic.send(now, sent as u64);
        if let Some(share) = self.shelf.get_mut(&share) {
            share.uploaded += sent as u64;
            share.uploads.add(now, sent as u64);
        }
        self.note_sent(connection, sent);
        if finished {
            self.finish_group(at);
        }
        Some(Transmit { connection, channel: Channel::Blocks, bytes: message.finish() })
    }

    fn finish_group(&mut self, at: usize) {
        let Some(group) = self.work.remove(at) else { return };
        if let Some(share) = self.shelf.get_mut(&group.share) {
            for loaded in &group.pieces {
                let promise = share.promised.get_mut(&loaded.piece);
                if let Some(promise) = promise.filter(|promise| promise.to == group.connection) {
                    promise.sent = Some(self.now);
                }
            }
        }
        self.start_groups();
    }

    /// The groups that could be sent now but for caps, in their order: each lane's first, if it was
    /// read and the lane takes more.
    fn sendable(&self) -> Vec<(usize, ConnectionId)> {
        let mut seen: Vec<ConnectionId> = Vec::new();
        let mut sendable = Vec::new();
        for (at, group) in self.work.iter().enumerate() {
            if seen.contains(&group.connection) {
                continue;
            }
            seen.push(group.connection);
            let lane = self.lanes.get(&group.connection);
            if group.unread == 0 && lane.is_some_and(|lane| lane.takes(group)) {
                sendable.push((at, group.connection));
            }
        }
        sendable
    }

    /// The most bytes that a message of blocks may have on a connection.
    fn block_limit(&self, connection: ConnectionId) -> usize {
        let capped = self.upload_cap(connection).map_or(BLOCK_BYTES, |rate| {
            ((rate / MESSAGES_PER_SECOND) as usize).max(MIN_BLOCK_BYTES)
        });
        let allowed = self
            .lanes
            .get(&connection)
            .and_then(|lane| lane.opened.as_ref())
            .map_or(BLOCK_BYTES, |opened| opened.max_message_size);
        (capped.min(BLOCK_BYTES) + BLOCK_HEADER_BYTES).min(allowed)
    }

    // ---- time ----

    /// When a cap lets the next message through, if something waits for that.
    pub(super) fn next_upload(&mut self) -> Option<Instant> {
        let sendable = self.sendable().into_iter();
        sendable.filter_map(|(_, connection)| self.may_send_at(connection)).min()
    }

    /// Those who wait long for their turn are told that they are not forgotten.
    pub(super) fn on_serve_timeouts(&mut self) {
        let now = self.now;
        let waiting: Vec<ConnectionId> = self
            .lanes
            .iter_mut()
            .filter(|(_, lane)| lane.queued_due().is_some_and(|at| at <= now))
            .map(|(&connection, lane)| {
                lane.attended = now;
                connection
            })
            .collect();
        // Where nothing is sent to anybody it is no queue: a disk may be stuck, and others should know.
        if self.sent_at + SILENCE < now {
            return;
        }
        for connection in waiting {
            self.tell(connection, &PeerMessage::Queued);
        }
    }

    pub(super) fn next_serve_timeout(&self) -> Option<Instant> {
        self.lanes.values().filter_map(super::Lane::queued_due).min()
    }
}

impl super::Lane {
    /// Whether the channel and the other side's credit let blocks of a group through.
    fn takes(&self, group: &Group) -> bool {
        let credit = self.credit.saturating_sub(self.sent);
        self.blocks_buffered < HIGH_WATER_BYTES
            && credit >= group.rest().min(MIN_BLOCK_BYTES as u64)
    }

    /// When to tell that what was asked waits its turn.
    fn queued_due(&self) -> Option<Instant> {
        (!self.serving.is_empty()).then(|| self.attended + QUEUED_INTERVAL)
    }
}

/// Signs hashes, consecutive ones together.
fn signed_batches(
    share: ShareId,
    hashes: &[(PieceIndex, PieceHash)],
    key: &crate::identity::DeviceKey,
) -> Vec<HashBatch> {
    hashes
        .chunk_by(|(a, _), (b, _)| a.0 + 1 == b.0)
        .map(|run| {
            HashBatch::sign(share, run[0].0, run.iter().map(|&(_, hash)| hash).collect(), key)
        })
        .collect()
}

impl Share {
    /// The path of the file that a piece is of.
    pub(super) fn name_of(&self, piece: PieceIndex) -> String {
        let span = self.geometry().span(piece);
        span.map_or_else(String::new, |span| self.manifest.file(span.file).path.to_string())
    }

    /// Bytes of the pieces in `have`.
    pub(super) fn have_bytes(&self) -> u64 {
        if self.have.is_full() {
            return self.manifest.total();
        }
        self.have.iter().map(|piece| u64::from(self.geometry().length(piece))).sum()
    }
}
