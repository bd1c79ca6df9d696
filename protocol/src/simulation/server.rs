//! The signaling server: introduces peers, passes envelopes, and can go away.

use std::collections::{BTreeMap, BTreeSet};

use super::{Happening, World};
use crate::io::*;
use crate::signaling::{ClientMessage, MAX_MEMBERS_TOLD, PeerId, ResumeToken, ServerMessage};
use crate::time::{Duration, Instant};

pub(super) struct Server {
    up: bool,
    /// How often it was started.
    run: u8,
    next_id: u64,
    /// With their sockets.
    members: BTreeMap<PeerId, (usize, u32)>,
    /// Peers between whom and the server nothing passes.
    blocked: BTreeSet<usize>,
    /// Since when they have been opening a connection nevertheless.
    opening: BTreeMap<usize, Instant>,
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            up: true,
            run: 0,
            next_id: 1,
            members: BTreeMap::new(),
            blocked: BTreeSet::new(),
            opening: BTreeMap::new(),
        }
    }

    /// What brings an id back while this run lasts.
    fn token(&self, peer: PeerId) -> ResumeToken {
        let mut token = [self.run; 16];
        token[..8].copy_from_slice(&peer.0.to_le_bytes());
        ResumeToken(token)
    }
}

impl World {
    /// The server ends; everybody notices at once.
    pub fn stop_server(&mut self) {
        self.server.up = false;
        for (_, (peer, socket)) in std::mem::take(&mut self.server.members) {
            self.peers[peer].server_id = None;
            self.lose_server(peer, socket);
        }
    }

    /// The server runs again, knowing nobody.
    pub fn start_server(&mut self) {
        self.server.up = true;
        self.server.run += 1;
    }

    /// The connection of one peer to the server breaks, and the server notices.
    pub fn break_signaling(&mut self, peer: usize) {
        if self.peers[peer].server_id.is_some() {
            self.forget_at_server(peer);
            self.lose_server(peer, self.peers[peer].socket);
        }
    }

    /// The system of a peer that cannot get through to the server gives up connecting.
    pub fn give_up_connecting(&mut self, peer: usize) {
        if self.server.opening.remove(&peer).is_some() {
            self.lose_server(peer, self.peers[peer].socket);
        }
    }

    /// From now on nothing passes between a peer and the server, and neither notices; or again.
    pub fn block_server(&mut self, peer: usize, blocked: bool) {
        if blocked {
            self.server.blocked.insert(peer);
            return;
        }
        self.server.blocked.remove(&peer);
        // Systems repeat what opens a connection after one, three, seven seconds, and so on.
        if let Some(since) = self.server.opening.remove(&peer) {
            let mut repeats = (1..8).map(|n| since + Duration::from_secs((1 << n) - 1));
            let next = repeats.find(|&at| at >= self.now).unwrap_or(self.now);
            let socket = self.peers[peer].socket;
            self.at(next, Happening::Signaling(peer, socket, SignalingEvent::Opened));
        }
    }

    fn lose_server(&mut self, peer: usize, socket: u32) {
        let closed =
            SignalingEvent::Closed { cause: LostCause::Server, reason: "server gone".into() };
        self.later(Duration::ZERO, Happening::Signaling(peer, socket, closed));
    }

    /// A peer's connection to the server is gone.
    pub(super) fn forget_at_server(&mut self, peer: usize) {
        if let Some(id) = self.peers[peer].server_id.take()
            && self.server.members.remove(&id).is_some()
        {
            self.tell_members(&ServerMessage::PeerLeft { peer: id });
        }
    }

    pub(super) fn signal(&mut self, index: usize, request: SignalingRequest) {
        let up = self.server.up;
        let blocked = self.server.blocked.contains(&index);
        let mut socket = self.peers[index].socket;
        match request {
            SignalingRequest::Open if blocked => {
                self.peers[index].socket += 1;
                self.server.opening.insert(index, self.now);
            }
            SignalingRequest::Close if blocked => {
                self.peers[index].socket += 1;
                self.server.opening.remove(&index);
            }
            SignalingRequest::Send(_) if blocked => {}
            SignalingRequest::Open => {
                socket += 1;
                self.peers[index].socket = socket;
                let event = if up {
                    SignalingEvent::Opened
                } else {
                    SignalingEvent::Closed {
                        cause: LostCause::Server,
                        reason: "nobody listens".into(),
                    }
                };
                self.later(self.net.latency, Happening::Signaling(index, socket, event));
            }
            SignalingRequest::Send(message) if up => {
                self.later(self.net.latency, Happening::ToServer(index, socket, message));
            }
            SignalingRequest::Send(_) => {}
            SignalingRequest::Close => {
                self.forget_at_server(index);
                self.peers[index].socket += 1;
            }
        }
    }

    pub(super) fn serve(&mut self, index: usize, socket: u32, message: ClientMessage) {
        if !self.server.up || self.peers[index].socket != socket {
            return;
        }
        match message {
            ClientMessage::Join { resume, .. } => {
                let held = resume.filter(|resume| resume.token == self.server.token(resume.peer));
                let peer = held.map_or(PeerId(self.server.next_id), |resume| resume.peer);
                self.server.next_id += u64::from(held.is_none());
                self.server.members.remove(&peer);
                self.tell_members(&ServerMessage::PeerJoined { peer });
                let members = self.sample();
                self.server.members.insert(peer, (index, socket));
                self.peers[index].server_id = Some(peer);
                let token = self.server.token(peer);
                self.tell_member(
                    peer,
                    ServerMessage::Joined { peer, members, ice_servers: vec![], token },
                );
            }
            ClientMessage::Signal { to, envelope } => {
                let Some(from) = self.peers[index].server_id else { return };
                self.peers[index].signals += 1;
                if self.server.members.contains_key(&to) {
                    self.tell_member(to, ServerMessage::Signal { from, envelope });
                } else {
                    self.tell_member(from, ServerMessage::Undeliverable { to });
                }
            }
            ClientMessage::Ping => {
                let Some(peer) = self.peers[index].server_id else { return };
                self.tell_member(peer, ServerMessage::Pong);
            }
            // Codes have connections of their own, and tests of their own.
            ClientMessage::OfferCode { .. }
            | ClientMessage::ClaimCode { .. }
            | ClientMessage::CodeMessage { .. }
            | ClientMessage::Leave => {}
        }
    }

    /// Members at random, as many as a newcomer is told of.
    fn sample(&mut self) -> Vec<PeerId> {
        let mut members: Vec<PeerId> = self.server.members.keys().copied().collect();
        while members.len() > MAX_MEMBERS_TOLD {
            members.swap_remove(self.rng.below(members.len() as u32) as usize);
        }
        members
    }

    /// Tells everybody, unless they are too many to be told who comes and goes.
    fn tell_members(&mut self, message: &ServerMessage) {
        if self.server.members.len() > MAX_MEMBERS_TOLD {
            return;
        }
        let members: Vec<PeerId> = self.server.members.keys().copied().collect();
        for member in members {
            self.tell_member(member, message.clone());
        }
    }

    fn tell_member(&mut self, to: PeerId, mut message: ServerMessage) {
        if self.net.meddle.as_mut().is_some_and(|meddle| !meddle(&mut message)) {
            return;
        }
        let Some(&(peer, socket)) = self.server.members.get(&to) else { return };
        if self.server.blocked.contains(&peer) {
            return;
        }
        let mut after = self.net.latency;
        if let ServerMessage::Signal { .. } = message {
            let delay = self.net.signal_delay.as_micros() as u32;
            if self.rng.below(1000) < self.net.doubled_signals {
                let again = after + Duration::from_micros(u64::from(self.rng.below(delay.max(1))));
                let event = SignalingEvent::Message(message.clone());
                self.later(again, Happening::Signaling(peer, socket, event));
            }
            after += Duration::from_micros(u64::from(self.rng.below(delay.max(1))));
        }
        self.later(after, Happening::Signaling(peer, socket, SignalingEvent::Message(message)));
    }
}
