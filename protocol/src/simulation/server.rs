//! The signaling server: introduces peers, passes envelopes, and can go away.

use std::collections::BTreeMap;

use super::{Happening, World};
use crate::io::*;
use crate::signaling::{ClientMessage, PeerId, ServerMessage};
use crate::time::Duration;

pub(super) struct Server {
    pub(super) up: bool,
    pub(super) next_id: u64,
    pub(super) members: BTreeMap<PeerId, (usize, u32)>,
}

impl World {
    /// The server ends; everybody notices at once.
    pub fn stop_server(&mut self) {
        self.server.up = false;
        for (_, (peer, run)) in std::mem::take(&mut self.server.members) {
            let closed = SignalingEvent::Closed { reason: "server gone".into() };
            self.later(Duration::ZERO, Happening::Signaling(peer, run, closed));
        }
    }

    /// The server runs again, knowing nobody.
    pub fn start_server(&mut self) {
        self.server.up = true;
    }

    pub(super) fn signal(&mut self, index: usize, request: SignalingRequest) {
        let run = self.peers[index].run;
        let up = self.server.up;
        match request {
            SignalingRequest::Open => {
                let event = if up {
                    SignalingEvent::Opened
                } else {
                    SignalingEvent::Closed { reason: "nobody listens".into() }
                };
                self.later(self.net.latency, Happening::Signaling(index, run, event));
            }
            SignalingRequest::Send(message) if up => {
                self.later(self.net.latency, Happening::ToServer(index, run, message));
            }
            SignalingRequest::Send(_) => {}
            SignalingRequest::Close => {
                if let Some(id) = self.peers[index].server_id.take() {
                    self.server.members.remove(&id);
                    self.tell_members(&ServerMessage::PeerLeft { peer: id });
                }
            }
        }
    }

    pub(super) fn serve(&mut self, index: usize, run: u32, message: ClientMessage) {
        if !self.server.up || !self.is_current(index, run) {
            return;
        }
        match message {
            ClientMessage::Join { .. } => {
                let peer = PeerId(self.server.next_id);
                self.server.next_id += 1;
                let members = self.server.members.keys().copied().collect();
                self.tell_members(&ServerMessage::PeerJoined { peer });
                self.server.members.insert(peer, (index, run));
                self.peers[index].server_id = Some(peer);
                self.tell_member(
                    peer,
                    ServerMessage::Joined { peer, members, ice_servers: vec![] },
                );
            }
            ClientMessage::Signal { to, envelope } => {
                let Some(from) = self.peers[index].server_id else { return };
                if self.server.members.contains_key(&to) {
                    self.tell_member(to, ServerMessage::Signal { from, envelope });
                } else {
                    self.tell_member(from, ServerMessage::Undeliverable { to });
                }
            }
            ClientMessage::Leave => {}
        }
    }

    pub(super) fn tell_members(&mut self, message: &ServerMessage) {
        let members: Vec<PeerId> = self.server.members.keys().copied().collect();
        for member in members {
            self.tell_member(member, message.clone());
        }
    }

    fn tell_member(&mut self, to: PeerId, mut message: ServerMessage) {
        if self.net.meddle.as_mut().is_some_and(|meddle| !meddle(&mut message)) {
            return;
        }
        if let Some(&(peer, run)) = self.server.members.get(&to) {
            self.later(
                self.net.latency,
                Happening::Signaling(peer, run, SignalingEvent::Message(message)),
            );
        }
    }
}
