//! Copies: how many of a share the room holds, and who holds it in full.
//!
//! Of its neighbours a peer sees every piece. Of others it knows the receipts that neighbours pass on:
//! each is passed on once to each neighbour, and only the first few of a share, so that what a peer
//! hears does not grow with the room.

use super::Swarm;
use super::shelf::State;
use crate::event::{Copies, Event, Holder, Proof};
use crate::identity::PublicKey;
use crate::io::ConnectionId;
use crate::manifest::ShareId;
use crate::message::PeerMessage;
use crate::receipt::Receipt;
use crate::signaling::PeerId;

/// The most receipts of one share that are kept and passed on.
const MAX_RECEIPTS: usize = 24;

impl Swarm {
    // ---- receipts ----

    /// We have all of a share, verified and in place: gives our word to all neighbours.
    pub(super) fn give_receipt(&mut self, id: ShareId) {
        let receipt = Receipt::sign(self.room, id, self.unix_ms(), &self.key);
        let kept = self.receipts.entry(id).or_default();
        kept.retain(|kept| kept.holder != receipt.holder);
        kept.truncate(MAX_RECEIPTS - 1);
        kept.push(receipt.clone());
        self.tell_all(&PeerMessage::Receipt { receipt, own: true });
    }

    /// We do not have all of a share any more.
    pub(super) fn drop_receipt(&mut self, id: ShareId) {
        let us = self.key.public();
        if let Some(kept) = self.receipts.get_mut(&id) {
            kept.retain(|receipt| receipt.holder != us);
        }
    }

    /// Receipts of a key that is not believed any more.
    pub(super) fn drop_receipts_of(&mut self, holder: PublicKey) {
        for kept in self.receipts.values_mut() {
            kept.retain(|receipt| receipt.holder != holder);
        }
    }

    /// Tells a new neighbour the receipts that we have.
    pub(super) fn pass_on_receipts(&mut self, connection: ConnectionId) {
        let messages: Vec<PeerMessage> = self
            .receipts
            .values()
            .flatten()
            .map(|receipt| PeerMessage::Receipt {
                own: self.is_own_receipt(receipt),
                receipt: receipt.clone(),
            })
            .collect();
        for message in messages {
            self.tell(connection, &message);
        }
    }

    /// Whether it is about our own copy, and not that of another tab with the same key.
    fn is_own_receipt(&self, receipt: &Receipt) -> bool {
        let complete = |state: &State| matches!(state, State::Complete(_));
        receipt.holder == self.key.public()
            && self
                .shelf
                .get(&receipt.share)
                .is_some_and(|share| complete(&share.state) && share.have.is_full())
    }

    /// A neighbour tells that it holds all of a share itself (`own`), or that somebody else does.
    pub(super) fn on_receipt(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        receipt: Receipt,
        own: bool,
    ) {
        let (id, holder) = (receipt.share, receipt.holder);
        let is_new = (self.shelf.contains_key(&id) || self.manifests.contains_key(&id))
            && !self.banned.contains(&holder)
            && self.receipts.get(&id).is_none_or(|kept| {
                kept.len() < MAX_RECEIPTS && kept.iter().all(|kept| kept.holder != holder)
            });
        if !is_new && !own {
            return;
        }
        let key = self.members.get(&peer).and_then(|member| member.key);
        if (own && key != Some(holder)) || receipt.verify(self.room).is_err() {
            return self.blame_sender(connection, Some(id), Proof::ForgedReceipt);
        }
        if own {
            self.on_received(peer, id);
        }
        if is_new {
            self.receipts.entry(id).or_default().push(receipt.clone());
            let others: Vec<ConnectionId> =
                self.neighbours().map(|(other, ..)| other).filter(|&o| o != connection).collect();
            for other in others {
                self.tell(other, &PeerMessage::Receipt { receipt: receipt.clone(), own: false });
            }
        }
    }

    fn on_received(&mut self, peer: PeerId, id: ShareId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        if let Some(told) = member.shares.get_mut(&id).filter(|told| !told.received) {
            told.received = true;
            self.events.push_back(Event::Received { share: id, peer, name: member.name.clone() });
        }
    }

    // ---- copies ----

    /// How many copies of a share there are, as far as we know. Takes a moment for a share of many pieces.
    pub fn copies(&self, id: ShareId) -> Option<Copies> {
        let share = self.shelf.get(&id)?;
        let origin = share.manifest.origin();
        let ours = matches!(share.state, State::Shared);
        let told = || {
            self.neighbours().filter_map(|(_, _, member)| Some((member, member.shares.get(&id)?)))
        };
        let origins: Vec<_> = told()
            .filter(|(member, _)| member.key == Some(origin))
            .filter_map(|(_, told)| told.pieces.as_ref())
            .collect();
        let seen = |key: PublicKey| {
            key == self.key.public() || told().any(|(member, _)| member.key == Some(key))
        };
        let receipts = self.receipts.get(&id).map(Vec::as_slice).unwrap_or_default();
        let unseen = receipts.iter().filter(|receipt| !seen(receipt.holder)).count() as u32;

        let pieces = share.geometry().pieces();
        let (mut least, mut more) = (u32::MAX, 0);
        let mut only_origin_bytes = 0;
        for piece in (0..pieces).map(crate::piece::PieceIndex) {
            let here = u32::from(share.is_served() && share.have.contains(piece));
            let holders = u32::from(share.availability[piece.0 as usize]) + here;
            let at_origin = if ours {
                here
            } else {
                origins.iter().filter(|held| held.contains(piece)).count() as u32
            };
            if holders <= at_origin {
                only_origin_bytes += u64::from(share.geometry().length(piece));
            }
            if holders < least {
                (least, more) = (holders, piece.0);
            } else if holders > least {
                more += 1;
            }
        }
        let in_room = match pieces {
            // Nothing to hold: whoever takes part has it.
            0 => {
                f64::from(u32::from(share.is_served()))
                    + told().filter(|(_, told)| told.pieces.is_some()).count() as f64
            }
            _ => f64::from(least) + f64::from(more) / f64::from(pieces),
        };
        Some(Copies {
            in_room: in_room + f64::from(unseen),
            only_origin_bytes,
            origin_may_leave: only_origin_bytes == 0 && (pieces > 0 || in_room > 1.0),
            holders: receipts
                .iter()
                .map(|receipt| Holder {
                    key: receipt.holder,
                    name: self.name_of(receipt.holder),
                    since_ms: receipt.since_ms,
                })
                .collect(),
        })
    }

    fn name_of(&self, key: PublicKey) -> Option<String> {
        if key == self.key.public() {
            return Some(self.name.clone());
        }
        let member = self.neighbours().find(|(_, _, member)| member.key == Some(key));
        member.map(|(_, _, member)| member.name.clone())
    }
}
