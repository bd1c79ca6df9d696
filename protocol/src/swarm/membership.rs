//! Who is let in: the creator's roster, and the room that takes the place of this one.
//!
//! Members enforce the roster, each for itself: to an offer from a key that is not on it they answer *Locked*
//! and nothing else, no address of theirs. The creator names those whom it has met; in a room with more
//! members than connections that may be fewer than are there.

use super::{NotCreator, Swarm};
use crate::envelope::{Opened, Signal};
use crate::event::{CloseReason, Event};
use crate::identity::PublicKey;
use crate::invite::Invite;
use crate::io::{ConnectionId, Description};
use crate::message::PeerMessage;
use crate::roster::{MAX_ROSTER, Roster};
use crate::signaling::PeerId;

impl Swarm {
    /// A key was proven in this room.
    pub(super) fn meet(&mut self, key: PublicKey) {
        if self.met.len() < MAX_ROSTER {
            self.met.insert(key);
        }
    }

    // ---- the roster ----

    pub(super) fn change_lock(&mut self, locked: bool) -> Result<(), NotCreator> {
        if !self.is_creator() {
            return Err(NotCreator);
        }
        let before = self.roster.as_ref();
        let made_ms = self.unix_ms().max(before.map_or(0, |roster| roster.made_ms + 1));
        let only = locked.then(|| {
            let listed = before.and_then(|roster| roster.only.as_ref()).into_iter().flatten();
            let wanted =
                |key: &&PublicKey| !self.banned.contains(key) && !self.is_avoided(Some(**key));
            self.met.iter().chain(listed).filter(wanted).copied().collect()
        });
        self.adopt(Roster::sign(self.room, made_ms, only, &self.key));
        Ok(())
    }

    /// A neighbour tells the creator's word. Nobody honest passes on what is not.
    pub(super) fn on_roster(&mut self, connection: ConnectionId, roster: Roster) {
        let known = self.roster.as_ref().map_or(0, |roster| roster.made_ms);
        if roster.made_ms <= known && self.roster.is_some() {
            return;
        }
        if roster.verify(&self.invite).is_err() {
            return self.close_lane(connection, CloseReason::ProtocolViolation, true);
        }
        self.adopt(roster);
    }

    fn adopt(&mut self, roster: Roster) {
        let was_locked = self.is_locked();
        self.tell_all(&PeerMessage::Roster(roster.clone()));
        self.roster = Some(roster);
        let locked = self.is_locked();
        if locked != was_locked {
            self.events.push_back(Event::Locked { locked });
            self.connect_again();
        }
        let locked_out = |lane: &&super::Lane| {
            let key = self.members.get(&lane.peer).and_then(|member| member.key);
            !lane.is_extra && key.is_some_and(|key| self.is_locked_out(&key))
        };
        let unwanted: Vec<ConnectionId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| locked_out(lane))
            .map(|(&connection, _)| connection)
            .collect();
        for connection in unwanted {
            self.close_lane(connection, CloseReason::Locked, true);
        }
    }

    /// Tells a new neighbour the creator's word.
    pub(super) fn pass_on_roster(&mut self, connection: ConnectionId) {
        if let Some(roster) = self.roster.clone() {
            self.tell(connection, &PeerMessage::Roster(roster));
        }
    }

    /// Whether the creator does not let this key in.
    pub(super) fn is_locked_out(&self, key: &PublicKey) -> bool {
        self.roster.as_ref().is_some_and(|roster| !roster.lets_in(key))
    }

    /// Tells somebody who is not let in why nobody answers.
    pub(super) fn lock_out(&mut self, from: PeerId, opened: &Opened) {
        let is_offer = matches!(
            opened.signal,
            Signal::Description(Description::Offer(_)) | Signal::NeedyOffer(_)
        );
        if is_offer && opened.sequence == 0 {
            self.seal(from, opened.epoch, 0, &Signal::Locked);
        }
    }

    // ---- a new room ----

    pub(super) fn tell_of_new_room(
        &mut self,
        invite: &Invite,
        without: &[PublicKey],
    ) -> Result<(), NotCreator> {
        if !self.is_creator() {
            return Err(NotCreator);
        }
        let invited = |key: Option<PublicKey>| key.is_some_and(|key| !without.contains(&key));
        let invited: Vec<ConnectionId> = self
            .neighbours()
            .filter(|(_, _, member)| invited(member.key))
            .map(|(connection, ..)| connection)
            .collect();
        for connection in invited {
            self.tell(connection, &PeerMessage::Anew { invite: invite.clone() });
        }
        Ok(())
    }

    /// Only the creator may lead people elsewhere.
    pub(super) fn on_anew(&mut self, connection: ConnectionId, peer: PeerId, invite: Invite) {
        let key = self.members.get(&peer).and_then(|member| member.key);
        if !key.is_some_and(|key| self.invite.is_creator(&key)) {
            return self.close_lane(connection, CloseReason::ProtocolViolation, true);
        }
        self.events.push_back(Event::StartedAnew { invite });
    }
}
