//! Whole pieces whose signed hash is not here yet.
//!
//! A source sends the hashes ahead of the pieces, on the other channel, so such a piece waits a moment at
//! most. What waits counts in what is in flight: a source that sends pieces and never their hashes
//! fills no memory. It is not waited for either, and when it has done so a few times it is let go.

use std::collections::{BTreeMap, BTreeSet};

use super::Swarm;
use super::shelf::{Share, State};
use crate::event::CloseReason;
use crate::io::ConnectionId;
use crate::piece::PieceIndex;
use crate::scheduler::SILENCE;
use crate::time::Instant;

/// How often a source may leave out the hashes before it is let go. More than once, since a clock that
/// jumps ahead looks the same.
const MAX_ROUNDS: u32 = 3;

/// Pieces that wait for their hash.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    pieces: BTreeMap<PieceIndex, Waiting>,
    bytes: u64,
}

#[derive(Debug)]
struct Waiting {
    from: ConnectionId,
    bytes: Vec<u8>,
    since: Instant,
}

impl Unproven {
    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn contains(&self, piece: PieceIndex) -> bool {
        self.pieces.contains_key(&piece)
    }

    /// Which they are.
    pub(super) fn pieces(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.pieces.keys().copied()
    }

    pub(super) fn insert(
        &mut self,
        now: Instant,
        piece: PieceIndex,
        from: ConnectionId,
        bytes: Vec<u8>,
    ) {
        self.bytes += bytes.len() as u64;
        self.pieces.insert(piece, Waiting { from, bytes, since: now });
    }

    /// A piece, to be checked or forgotten, with whoever sent it.
    pub(super) fn take(&mut self, piece: PieceIndex) -> Option<(ConnectionId, Vec<u8>)> {
        let Waiting { from, bytes, .. } = self.pieces.remove(&piece)?;
        self.bytes -= bytes.len() as u64;
        Some((from, bytes))
    }

    /// When the first of them has waited too long.
    fn overdue_at(&self) -> Option<Instant> {
        self.pieces.values().map(|waiting| waiting.since + SILENCE).min()
    }
}

impl Swarm {
    /// A lane is gone, or not waited for: pieces from it whose hash never came are asked of others.
    pub(super) fn drop_unproven(&mut self, connection: ConnectionId) {
        for download in self.shelf.values_mut().filter_map(Share::download) {
            let waiting = download.unproven.pieces.iter();
            let orphans: Vec<PieceIndex> = waiting
                .filter(|(_, waiting)| waiting.from == connection)
                .map(|(&piece, _)| piece)
                .collect();
            for piece in orphans {
                download.unproven.take(piece);
                if !download.asked.contains_key(&piece) {
                    download.wanted.release(piece);
                }
            }
        }
    }

    /// Lanes that owe hashes for too long and are not to be waited for. Those that do so again and again
    /// are closed.
    pub(super) fn owing_hashes(&mut self) -> Vec<ConnectionId> {
        let mut owing = BTreeSet::new();
        for share in self.shelf.values() {
            let State::Receiving(download) = &share.state else { continue };
            let waiting = download.unproven.pieces.values();
            let overdue = waiting.filter(|waiting| waiting.since + SILENCE <= self.now);
            owing.extend(overdue.map(|waiting| waiting.from));
        }
        let mut left = Vec::new();
        for connection in owing {
            let Some(lane) = self.lanes.get_mut(&connection) else { continue };
            lane.rounds_without_hashes += 1;
            if lane.rounds_without_hashes < MAX_ROUNDS {
                left.push(connection);
            } else {
                self.close_lane(connection, CloseReason::ProtocolViolation, true);
            }
        }
        left
    }

    pub(super) fn next_unproven_timeout(&self) -> Option<Instant> {
        let receiving = self.shelf.values().filter_map(|share| match &share.state {
            State::Receiving(download) => download.unproven.overdue_at(),
            _ => None,
        });
        receiving.min()
    }
}
