//! Rumours: how everybody comes to know every share, also those who are not connected to its origin.
//!
//! A peer tells its neighbours how far each share on its shelf is: 0 if it has some of it itself, else
//! one more than the nearest of its neighbours says. Only changes are told, and together. When the last
//! holder is gone each peer hears of a nearest holder only from others who heard it from others, so the
//! distances grow, and at [`GONE`] the rumour is dead: no message need say so, and none can be lost.
//!
//! Manifests are asked of whoever tells of a share (`shelf`); pieces only of those who have them.

use super::Swarm;
use super::shelf::{Share, State};
use crate::event::Event;
use crate::io::ConnectionId;
use crate::manifest::ShareId;
use crate::message::{GONE, Holding, PeerMessage};
use crate::time::{Duration, Instant};

/// Changes are told this long after the first of them: most come in bursts.
const COALESCE: Duration = Duration::from_millis(100);

impl Swarm {
    /// How far the nearest holder of a share is, as we tell it.
    fn distance(&self, id: ShareId, share: &Share) -> u8 {
        if share.is_served() && (share.have.count() > 0 || share.have.is_full()) {
            return 0;
        }
        self.nearest(id).saturating_add(1).min(GONE)
    }

    /// The least distance that a neighbour tells, [`GONE`] if none does.
    pub(super) fn nearest(&self, id: ShareId) -> u8 {
        let told = self.neighbours().filter_map(|(_, _, member)| member.shares.get(&id));
        told.map(|told| told.distance).min().unwrap_or(GONE)
    }

    /// What we tell of a share, unless it is gone.
    fn announcement(&self, id: ShareId, share: &Share) -> Option<PeerMessage> {
        let distance = self.distance(id, share);
        (distance < GONE).then(|| PeerMessage::Share {
            share: id,
            manifest_bytes: share.manifest_bytes.len() as u32,
            distance,
            holding: share.holding_told(),
        })
    }

    /// Tells a new neighbour what is on the shelf.
    pub(super) fn announce_shelf(&mut self, connection: ConnectionId) {
        let messages: Vec<PeerMessage> =
            self.shelf.iter().filter_map(|(&id, share)| self.announcement(id, share)).collect();
        for message in messages {
            self.tell(connection, &message);
        }
    }

    /// Tells everybody how a share stands with us, at once.
    pub(super) fn announce(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get(&id) else { return };
        let distance = self.distance(id, share);
        let message = self.announcement(id, share).unwrap_or(PeerMessage::Unshare { share: id });
        if let Some(share) = self.shelf.get_mut(&id) {
            share.told_distance = distance;
        }
        self.tell_all(&message);
    }

    /// Takes back what we told of a share.
    pub(super) fn withdraw(&mut self, id: ShareId) {
        if let Some(share) = self.shelf.get_mut(&id) {
            share.told_distance = GONE;
        }
        self.tell_all(&PeerMessage::Unshare { share: id });
        self.hear_of(id);
    }

    /// What a neighbour tells of a share has changed, or the neighbour is gone.
    pub(super) fn hear_of(&mut self, id: ShareId) {
        self.heard_of.insert(id);
        self.gossip_at.get_or_insert(self.now + COALESCE);
    }

    pub(super) fn on_gossip_timeouts(&mut self) {
        if self.gossip_at.is_some_and(|at| at <= self.now) {
            self.gossip_at = None;
            for id in std::mem::take(&mut self.heard_of) {
                self.pass_on(id);
            }
        }
    }

    pub(super) fn next_gossip_timeout(&self) -> Option<Instant> {
        self.gossip_at
    }

    /// Tells a changed distance, and takes off the shelf what nobody has.
    fn pass_on(&mut self, id: ShareId) {
        let Some(share) = self.shelf.get(&id) else {
            if !self.manifests.contains_key(&id) {
                self.receipts.remove(&id);
            }
            return;
        };
        let (distance, told) = (self.distance(id, share), share.told_distance);
        let changed = match (told, distance) {
            // That we came to have some of it was told with the pieces.
            (1..GONE, 0) => false,
            _ => told != distance,
        };
        let kept = share.recalled.is_some();
        let gone = distance == GONE && matches!(share.state, State::Available) && !kept;
        if changed {
            self.announce(id);
        } else if let Some(share) = self.shelf.get_mut(&id) {
            share.told_distance = distance;
        }
        if gone {
            self.shelf.remove(&id);
            self.receipts.remove(&id);
            self.events.push_back(Event::ShareRemoved { share: id });
        }
    }
}

impl Share {
    /// What we say to have of it, if we take part in it.
    fn holding_told(&self) -> Option<Holding> {
        match &self.state {
            _ if self.is_served() => Some(Holding::of(&self.have)),
            State::Receiving(_) | State::Complete(_) => Some(Holding::Nothing),
            State::Shared | State::Detached | State::Available | State::Failed(_) => None,
        }
    }
}
