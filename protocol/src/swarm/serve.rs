//! Answering requests: reading pieces, checking them once more, signing hashes, sending blocks.
//!
//! Requests of a lane are answered in order. They are read in groups: one large piece, or neighbouring
//! small pieces that go into one signature and few messages. How much is read ahead per lane is
//! bounded. What was read is hashed before it is sent, ours to sign the hash, others' to see that the
//! disk still holds what was verified: so a peer whose files changed is never taken for a liar.

use tracing::debug;

use super::Swarm;
use super::shelf::{Share, State};
use crate::codec::Writer;
use crate::event::{CloseReason, Failure};
use crate::io::{
    Channel, ConnectionId, HIGH_WATER_BYTES, ReadId, StorageError, StorageRequest, Transmit,
};
use crate::manifest::{HashBatch, ShareId};
use crate::message::{BLOCK_BYTES, BLOCK_HEADER_BYTES, Block, PeerMessage, RequestId, Run};
use crate::piece::{PieceHash, PieceIndex};
use crate::time::Instant;

/// The most requests of one lane that wait.
const MAX_REQUESTS: usize = 1024;
/// Neighbouring pieces are read and signed together up to this many bytes.
const GROUP_BYTES: u64 = 256 << 10;
/// Read ahead of what is being sent, per lane; and at least one group.
const READ_AHEAD_BYTES: u64 = 1 << 20;
/// Under a cap of so many bytes per second a message carries 1/[`MESSAGES_PER_SECOND`] of it.
const MESSAGES_PER_SECOND: u64 = 8;
/// … but never less than this.
const MIN_BLOCK_BYTES: u64 = 4 << 10;

/// What is left of a request that is being answered.
#[derive(Debug)]
pub(super) struct Serving {
    request: RequestId,
    share: ShareId,
    rest: Run,
    with_hashes: bool,
}

/// Pieces that are being read, or wait to be sent.
#[derive(Debug)]
pub(super) struct Group {
    request: RequestId,
    share: ShareId,
    with_hashes: bool,
    pieces: Vec<Loaded>,
    bytes: u64,
    /// Pieces not yet read.
    unread: usize,
    /// How far it has been sent: piece within the group, and byte within that.
    at: (usize, usize),
}

#[derive(Debug)]
struct Loaded {
    piece: PieceIndex,
    read: ReadId,
    bytes: Vec<u8>,
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
        lane.serving.push_back(Serving { request, share, rest: run, with_hashes });
        self.read_ahead(connection);
    }

    pub(super) fn on_cancel(&mut self, connection: ConnectionId, request: RequestId) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        lane.serving.retain(|serving| serving.request != request);
        lane.groups.retain(|group| group.request != request);
        self.read_ahead(connection);
    }

    /// A share is not served any more: what was asked of it is rejected.
    pub(super) fn stop_serving(&mut self, id: ShareId) {
        for connection in self.confirmed_lanes() {
            self.reject(connection, |_, share| share == id);
        }
    }

    fn reject(&mut self, connection: ConnectionId, which: impl Fn(RequestId, ShareId) -> bool) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let waiting = lane.serving.iter().map(|serving| (serving.request, serving.share));
        let read = lane.groups.iter().map(|group| (group.request, group.share));
        let mut requests: Vec<RequestId> = waiting
            .chain(read)
            .filter(|&(request, share)| which(request, share))
            .map(|(request, _)| request)
            .collect();
        lane.serving.retain(|serving| !which(serving.request, serving.share));
        lane.groups.retain(|group| !which(group.request, group.share));
        requests.sort_unstable();
        requests.dedup();
        for request in requests {
            self.tell(connection, &PeerMessage::Reject { request });
        }
        self.read_ahead(connection);
    }

    // ---- reading ----

    fn read_ahead(&mut self, connection: ConnectionId) {
        while let Some(lane) = self.lanes.get_mut(&connection) {
            let loaded: u64 = lane.groups.iter().map(|group| group.bytes).sum();
            if loaded >= READ_AHEAD_BYTES {
                return;
            }
            let Some(serving) = lane.serving.front_mut() else { return };
            let Some(share) = self.shelf.get(&serving.share) else {
                lane.serving.pop_front();
                continue;
            };
            let mut group = Group {
                request: serving.request,
                share: serving.share,
                with_hashes: serving.with_hashes,
                pieces: Vec::new(),
                bytes: 0,
                unread: 0,
                at: (0, 0),
            };
            while serving.rest.count > 0 {
                let piece = serving.rest.first;
                let Some(span) = share.geometry().span(piece) else { break };
                if group.unread > 0 && group.bytes + u64::from(span.length) > GROUP_BYTES {
                    break;
                }
                let read = ReadId(self.next_read);
                self.next_read += 1;
                self.reads.insert(read, connection);
                self.storage_out.push_back(StorageRequest::Read { read, share: group.share, span });
                group.pieces.push(Loaded { piece, read, bytes: Vec::new() });
                group.bytes += u64::from(span.length);
                group.unread += 1;
                serving.rest =
                    Run { first: PieceIndex(piece.0 + 1), count: serving.rest.count - 1 };
            }
            if serving.rest.count == 0 {
                lane.serving.pop_front();
            }
            lane.groups.push_back(group);
        }
    }

    pub(super) fn on_read(&mut self, read: ReadId, result: Result<Vec<u8>, StorageError>) {
        let Some(connection) = self.reads.remove(&read) else { return };
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let place = lane.groups.iter_mut().enumerate().find_map(|(i, group)| {
            Some((i, group.pieces.iter_mut().position(|loaded| loaded.read == read)?))
        });
        let Some((at, i)) = place else { return }; // cancelled meanwhile
        let group = &mut lane.groups[at];
        let (id, piece) = (group.share, group.pieces[i].piece);
        match result {
            Ok(bytes) => {
                group.pieces[i].bytes = bytes;
                group.unread -= 1;
                if group.unread == 0 {
                    self.check_group(connection, at);
                }
            }
            Err(error) => self.lose_piece(id, piece, error),
        }
    }

    /// A group was read in full: hashes it, signs what was not signed before, and tells the hashes.
    fn check_group(&mut self, connection: ConnectionId, at: usize) {
        let Some(group) = self.lanes.get(&connection).and_then(|lane| lane.groups.get(at)) else {
            return;
        };
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
                    let piece = loaded.piece;
                    return self.lose_piece(id, piece, StorageError::Changed);
                }
            }
        }
        for batch in signed_batches(id, &unsigned, &self.key) {
            share.hashes.insert(batch).expect("only pieces without a hash were signed");
        }
        if group.with_hashes {
            self.tell_hashes(connection, at);
        }
    }

    fn tell_hashes(&mut self, connection: ConnectionId, at: usize) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let Some(group) = lane.groups.get(at) else { return };
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
        for connection in self.confirmed_lanes() {
            let requests: Vec<RequestId> = self
                .lanes
                .get(&connection)
                .into_iter()
                .flat_map(|lane| &lane.groups)
                .filter(|group| {
                    group.share == id && group.pieces.iter().any(|loaded| loaded.piece == piece)
                })
                .map(|group| group.request)
                .collect();
            self.reject(connection, |request, _| requests.contains(&request));
        }
    }

    // ---- sending ----

    /// The next message of blocks, from the lanes in turn.
    pub(super) fn next_blocks(&mut self) -> Option<Transmit> {
        if !self.upload.is_ready(self.now) {
            return None;
        }
        let now = self.now;
        let is_next = |lane: &mut super::Lane| lane.can_send() && lane.upload.is_ready(now);
        let after = ConnectionId(self.served_last.0 + 1);
        let next =
            self.lanes.range_mut(after..).find_map(|(&id, lane)| is_next(lane).then_some(id));
        let connection = next.or_else(|| {
            self.lanes.range_mut(..after).find_map(|(&id, lane)| is_next(lane).then_some(id))
        })?;
        self.served_last = connection;

        let limit = self.block_limit(connection);
        let lane = self.lanes.get_mut(&connection)?;
        let group = lane.groups.front_mut()?;
        let mut message =
            Writer::with_capacity((limit + BLOCK_HEADER_BYTES).min(group.bytes as usize + 4096));
        let mut sent = 0;
        while let Some(loaded) = group.pieces.get(group.at.0) {
            let room = limit.saturating_sub(message.len() + BLOCK_HEADER_BYTES);
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
        if group.at.0 == group.pieces.len() {
            lane.groups.pop_front();
        }
        lane.blocks_buffered += message.len();
        lane.upload.take(now, sent);
        self.upload.take(now, sent);
        if let Some(member) = self.members.get_mut(&lane.peer) {
            member.sent += sent as u64;
        }
        if let Some(share) = self.shelf.get_mut(&share) {
            share.uploaded += sent as u64;
        }
        self.read_ahead(connection);
        Some(Transmit { connection, channel: Channel::Blocks, bytes: message.finish() })
    }

    /// The most bytes that a message of blocks may have on a connection.
    fn block_limit(&self, connection: ConnectionId) -> usize {
        let capped = [self.policy.upload, self.policy.upload_per_peer]
            .into_iter()
            .flatten()
            .map(|rate| (rate / MESSAGES_PER_SECOND).max(MIN_BLOCK_BYTES) as usize)
            .min()
            .unwrap_or(BLOCK_BYTES);
        let allowed = self
            .lanes
            .get(&connection)
            .and_then(|lane| lane.opened.as_ref())
            .map_or(BLOCK_BYTES, |opened| opened.max_message_size);
        (capped.min(BLOCK_BYTES) + BLOCK_HEADER_BYTES).min(allowed)
    }

    /// When a cap lets the next message through, if something waits for that.
    pub(super) fn next_upload(&mut self) -> Option<Instant> {
        let now = self.now;
        let mut waits = false;
        let lanes = self
            .lanes
            .values_mut()
            .filter(|lane| lane.can_send())
            .inspect(|_| waits = true)
            .filter_map(|lane| lane.upload.ready_at(now))
            .min();
        if waits { lanes.max(self.upload.ready_at(now)) } else { None }
    }
}

impl super::Lane {
    /// Whether blocks are read and the channel takes them.
    fn can_send(&self) -> bool {
        self.blocks_buffered < HIGH_WATER_BYTES
            && self.groups.front().is_some_and(|group| group.unread == 0)
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
    /// Bytes of the pieces in `have`.
    pub(super) fn have_bytes(&self) -> u64 {
        if self.have.is_full() {
            return self.manifest.total();
        }
        self.have.iter().map(|piece| u64::from(self.geometry().length(piece))).sum()
    }
}
