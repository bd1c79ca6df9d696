//! Super-seeding: what to send to whoever leaves the choice to us.
//!
//! A flexible request is answered with pieces that nobody else in the room has or is being sent, chosen
//! when its turn comes; if there are none, it is rejected, and the pieces are had from others. Those who
//! pass on soon what they were given come first. So an origin uploads little more than one copy, whatever
//! the number of receivers.

use tracing::debug;

use super::Swarm;
use super::shelf::Share;
use crate::bitfield::Bitfield;
use crate::io::ConnectionId;
use crate::manifest::ShareId;
use crate::message::Run;
use crate::piece::PieceIndex;
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};

/// Whoever has passed on to nobody so many of the pieces it was given waits for those who have.
const MAX_UNSPREAD: usize = 8;
/// Whoever was sent a piece has this long to say so, before somebody else is sent it of our own choice:
/// much may wait in the sockets of a slow uplink. Who asks for it outright gets it at any time.
const PROMISE: Duration = Duration::from_secs(60);

/// A piece that a member is being sent, or was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise {
    pub(super) to: ConnectionId,
    /// When the last of it was sent.
    pub(super) sent: Option<Instant>,
}

impl Share {
    /// How many pieces a peer was given of our choice and nobody else has come to have.
    fn unspread(&self, peer: PeerId) -> usize {
        self.given.values().filter(|given| **given == peer).count()
    }
}

impl Swarm {
    /// What to send for a flexible request: of the pieces that nobody else has or is being sent, those
    /// asked for if possible, else the next ones after them; no more bytes than were asked for.
    /// `None` if there are none, or if somebody waits who passed on sooner what it was sent before.
    pub(super) fn choose(&self, connection: ConnectionId, id: ShareId, asked: Run) -> Option<Run> {
        let share = self.shelf.get(&id)?;
        let peer = self.lanes.get(&connection)?.peer;
        if share.unspread(peer) >= MAX_UNSPREAD && self.somebody_spreads(share, id) {
            return None;
        }
        let origin = self.origin_of(share);
        let lacking = |piece: PieceIndex| {
            let at_origin = origin.is_some_and(|pieces| pieces.contains(piece));
            share.availability[piece.0 as usize] == u16::from(at_origin)
                && !share.promised.get(&piece).is_some_and(|promise| {
                    promise.sent.is_none_or(|sent| sent + PROMISE > self.now)
                        && self.lanes.contains_key(&promise.to)
                })
        };
        let length = |piece| u64::from(share.geometry().length(piece));
        let room = asked.bytes(share.geometry());
        let pieces = share.have.len();
        let first = (asked.first.0..pieces)
            .chain(0..asked.first.0)
            .map(PieceIndex)
            .find(|&piece| share.have.contains(piece) && length(piece) <= room && lacking(piece))?;
        let mut run = Run { first, count: 1 };
        let mut bytes = length(first);
        while run.count < asked.count {
            let next = PieceIndex(first.0 + run.count);
            bytes += length(next);
            if !share.have.contains(next) || bytes > room || !lacking(next) {
                break;
            }
            run.count += 1;
        }
        debug!(?connection, ?asked, ?run, "chosen");
        Some(run)
    }

    /// Whether a peer waits for our choice that has passed on most of what it was given.
    fn somebody_spreads(&self, share: &Share, id: ShareId) -> bool {
        self.turns.iter().filter_map(|turn| self.lanes.get(turn)).any(|lane| {
            let next = lane.serving.front();
            next.is_some_and(|next| next.flexible && next.share == id)
                && share.unspread(lane.peer) < MAX_UNSPREAD
        })
    }

    /// The pieces of a share's origin, where that is a member we are connected to: it has them to give
    /// once, so to the others they are as good as nowhere else.
    pub(super) fn origin_of(&self, share: &Share) -> Option<&Bitfield> {
        let origin = share.manifest.origin();
        let member = self.members.values().find(|member| member.key == Some(origin))?;
        member.shares.get(&share.signed.share())?.pieces.as_ref()
    }
}
