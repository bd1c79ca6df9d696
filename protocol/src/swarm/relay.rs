//! Signals by way of neighbours. The server passes signals on while it is there and knows the addressee;
//! without it, those who are connected to both sides do. They see as little of a signal as the server:
//! an envelope that they cannot open.
//!
//! A signal goes through a few neighbours at once, since nobody knows who is connected to whom. Each
//! passes it one step and no further. What comes twice is dropped as a replay is; and what comes first
//! comes in order, since each of them keeps the order.

use tracing::trace;

use super::Swarm;
use crate::io::{ConnectionId, SignalingRequest};
use crate::message::PeerMessage;
use crate::rate::TokenBucket;
use crate::signaling::{ClientMessage, Envelope, PeerId};
use crate::time::Instant;

use super::server::Server;

/// Neighbours that a signal is given to.
const WAYS: usize = 3;
/// What one neighbour may have passed on, in bytes per second: a negotiation takes some 20 KB.
const RELAYED_PER_SECOND: u64 = 64 << 10;
/// Nothing is passed on to a neighbour for whom so many bytes of control messages wait.
const MAX_QUEUED: usize = 1 << 20;

impl Swarm {
    /// Whether a signal to this member has a way to go.
    pub(super) fn can_signal(&self, to: PeerId) -> bool {
        let present = self.members.get(&to).is_some_and(|member| member.present);
        (present && self.server == Server::Joined) || self.has_way(to)
    }

    /// Whether there is a neighbour who may pass a signal on to this member.
    pub(super) fn has_way(&self, to: PeerId) -> bool {
        !self.ways(to).is_empty()
    }

    /// Whether there is one that is not a connection to this member itself.
    pub(super) fn has_way_around(&self, to: PeerId) -> bool {
        self.neighbours().any(|(connection, peer, _)| peer != to && self.is_up(connection))
    }

    /// Whether the server passes signals on to this member, and has answered what it was asked last.
    pub(super) fn has_answering_server(&self, to: PeerId) -> bool {
        let present = self.members.get(&to).is_some_and(|member| member.present);
        present && self.server == Server::Joined && self.server_asked.is_none()
    }

    /// Sends an envelope the best way there is.
    pub(super) fn pass(&mut self, to: PeerId, envelope: Envelope) {
        let present = self.members.get(&to).is_none_or(|member| member.present);
        if present && self.server == Server::Joined {
            let message = ClientMessage::Signal { to, envelope };
            return self.signaling_out.push_back(SignalingRequest::Send(message));
        }
        let Some(from) = self.peer_id else { return };
        let ways = self.ways(to);
        if ways.is_empty() {
            trace!(%to, "nobody to pass a signal on");
        }
        for way in ways {
            self.tell(way, &PeerMessage::Relay { from, to, envelope: envelope.clone() });
        }
    }

    /// A neighbour has an envelope passed on, or passes one on to us.
    pub(super) fn on_relay(
        &mut self,
        connection: ConnectionId,
        from: PeerId,
        to: PeerId,
        envelope: Envelope,
    ) {
        if Some(to) == self.peer_id {
            return self.on_envelope(from, &envelope, Some(connection));
        }
        let now = self.now;
        let addressee = self.members.get(&to).and_then(|member| member.lane);
        let addressee = addressee.filter(|&lane| self.is_up(lane));
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let (Some(addressee), true) = (addressee, self.policy.services.introduce) else { return };
        // Only for itself, so that nothing goes in circles.
        if lane.peer != from || !lane.relayed.is_ready(now) {
            return;
        }
        lane.relayed.take(now, envelope.as_bytes().len());
        if self.queued_control(addressee) < MAX_QUEUED {
            self.tell(addressee, &PeerMessage::Relay { from, to, envelope });
        }
    }

    /// What bounds what is passed on for one connection.
    pub(super) fn relay_allowance(now: Instant) -> TokenBucket {
        TokenBucket::new(now, Some(RELAYED_PER_SECOND))
    }

    /// The neighbours that may be connected to a member. The same ones while the neighbours are the same.
    fn ways(&self, to: PeerId) -> Vec<ConnectionId> {
        let up: Vec<(ConnectionId, PeerId)> = self
            .neighbours()
            .filter(|&(connection, ..)| self.is_up(connection))
            .map(|(connection, peer, _)| (connection, peer))
            .collect();
        // To itself, if there is a way: more lanes are made to those who are connected.
        if let Some(&(straight, _)) = up.iter().find(|&&(_, peer)| peer == to) {
            return vec![straight];
        }
        let start = (to.0 % up.len().max(1) as u64) as usize;
        up.iter().cycle().skip(start).take(up.len().min(WAYS)).map(|&(way, _)| way).collect()
    }

    fn is_up(&self, connection: ConnectionId) -> bool {
        self.lanes.get(&connection).is_some_and(|lane| lane.confirmed && lane.negotiation.is_up())
    }
}
