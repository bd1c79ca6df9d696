//! The signaling server: joining, whom it tells of, and the sealed signals that pass through it. When it
//! is gone, connections stay, signals go by way of neighbours (`relay`), and it is tried again.

use tracing::debug;

use super::mesh::{BUSY_PATIENCE, NEWCOMER_PATIENCE};
use super::{Swarm, ice};
use crate::envelope::{self, Route, Signal};
use crate::event::{CloseReason, Event, ServerView};
use crate::identity::PublicKey;
use crate::io::{ConnectionId, Description, LostCause, Role, SignalingEvent, SignalingRequest};
use crate::message::PeerMessage;
use crate::names::readable;
use crate::signaling::{
    ClientMessage, Envelope, ErrorCode, MAX_MEMBERS_TOLD, PeerId, Resume, SIGNALING_VERSION,
    ServerMessage,
};
use crate::time::{Duration, Instant};

/// The first wait before trying again, at the server or at a peer; it doubles each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest wait before trying again.
pub(super) const LAST_RETRY: Duration = Duration::from_secs(30);
/// The server has this long to let us in.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// The same where it has let us in before, as long as that may be expected to go quickly. A system that
/// connects repeats itself ever more rarely: where a path is gone for a while, one that begins anew is
/// sooner there after it is back.
const REJOIN_TIMEOUT: Duration = Duration::from_millis(2_500);
/// The last of so many attempts has longer: perhaps the server is slow. Rarely, as it may be the one that is on
/// its way when the path comes back.
const PATIENT_EACH: u32 = 6;
const PATIENT_REJOIN_TIMEOUT: Duration = Duration::from_secs(8);
/// What refuses does so before this: what ends later was not heard.
const NO_REFUSAL_AFTER: Duration = Duration::from_secs(2);
/// A server that does not answer for this long, asked whether it is there, is lost.
const PONG_TIMEOUT: Duration = Duration::from_secs(4);

/// Who comes in again and again has an attempt to connect made anew no more often than this. Between peers
/// near each other one takes a second or two.
const REPLACE_INTERVAL: Duration = Duration::from_secs(5);
/// Messages per second that a server has reason to send, and more: with 128 connections that all come about
/// in one second there are some 2 000. Each costs a little time, and a browser keeps what is not read yet.
pub(super) const MAX_MESSAGES_PER_SECOND: u64 = 4_000;
/// Of what a server says of itself, people are shown so many letters.
const MAX_SHOWN: usize = 200;

/// Who is said to be gone, and sends nothing of what it was asked for this long, is taken for silent.
const ABSENT_SILENCE: Duration = Duration::from_secs(3);

/// The last epoch that is believed: later ones of ours must still be numbers.
const LAST_EPOCH: u64 = u64::MAX / 2;

/// How we stand with the signaling server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// Not asked yet, or left.
    Idle,
    /// Opening, or waiting to be let in.
    Joining { attempt: u32, since: Instant, give_up: Instant },
    /// In the room.
    Joined,
    /// Trying again later.
    Waiting { attempt: u32, until: Instant },
    /// It will not have us.
    Refused { code: ErrorCode, message: String },
}

/// Why the server is not there, while that is so.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    cause: LostCause,
    reason: String,
    since: Instant,
}

impl Lost {
    pub(super) fn view(&self, retry_at: Instant) -> ServerView {
        let Self { cause, reason, since } = self.clone();
        ServerView::Lost { cause, reason, since, retry_at }
    }
}

impl Swarm {
    // ---- the server ----

    pub(super) fn open_signaling(&mut self) {
        if self.server == Server::Idle {
            self.try_server(0);
        }
    }

    fn try_server(&mut self, attempt: u32) {
        let since = self.now;
        let patience = match self.peer_id {
            Some(_) if attempt % PATIENT_EACH == PATIENT_EACH - 1 => PATIENT_REJOIN_TIMEOUT,
            Some(_) => REJOIN_TIMEOUT,
            None => JOIN_TIMEOUT,
        };
        self.server = Server::Joining { attempt, since, give_up: since + patience };
        self.signaling_out.push_back(SignalingRequest::Open);
    }

    /// People want the server tried now.
    pub(super) fn try_server_again(&mut self) {
        if matches!(self.server, Server::Waiting { .. } | Server::Refused { .. }) {
            self.try_server(0);
        }
    }

    /// The network is back, perhaps another one: what went through the old one is void, even if nobody has
    /// noticed yet.
    pub(super) fn on_network_up(&mut self) {
        if matches!(self.server, Server::Joined | Server::Joining { .. }) {
            self.signaling_out.push_back(SignalingRequest::Close);
        }
        if !matches!(self.server, Server::Idle | Server::Refused { .. }) {
            self.try_server(0);
        }
        self.connect_again();
        self.look_at_waits();
    }

    pub(super) fn on_network_down(&mut self) {
        let reason = "this device has no network".to_owned();
        match self.server {
            Server::Idle | Server::Refused { .. } => {}
            // It is closed when that is noticed; until then nothing comes of trying.
            Server::Joined | Server::Joining { .. } => {
                self.signaling_out.push_back(SignalingRequest::Close);
                self.on_server_lost(LostCause::Network, reason);
            }
            Server::Waiting { .. } => {
                let since = self.server_lost.as_ref().map_or(self.now, |lost| lost.since);
                self.server_lost = Some(Lost { cause: LostCause::Network, reason, since });
            }
        }
    }

    pub(super) fn on_signaling(&mut self, event: SignalingEvent) {
        match event {
            SignalingEvent::Opened => {
                let resume = self.peer_id.zip(self.resume_token);
                let resume = resume.map(|(peer, token)| Resume { peer, token });
                let join =
                    ClientMessage::Join { version: SIGNALING_VERSION, room: self.room, resume };
                self.signaling_out.push_back(SignalingRequest::Send(join));
            }
            SignalingEvent::Closed { cause, reason } => self.on_server_lost(cause, reason),
            SignalingEvent::Message(message) => self.on_server_message(message),
        }
    }

    fn on_server_lost(&mut self, cause: LostCause, reason: String) {
        let reason = shown(&reason);
        let (attempt, in_vain) = match self.server {
            Server::Idle | Server::Refused { .. } | Server::Waiting { .. } => return,
            // Whoever gave up, the system or we: it was not there to say no.
            Server::Joining { attempt, since, .. } => {
                (attempt, since + NO_REFUSAL_AFTER <= self.now)
            }
            Server::Joined => (0, false),
        };
        self.server_asked = None;
        // What does not come through burdens nobody.
        let retry_in = self.backoff(if in_vain { 0 } else { attempt });
        let attempt = if in_vain { (attempt + 1) % PATIENT_EACH } else { attempt + 1 };
        self.server = Server::Waiting { attempt, until: self.now + retry_in };
        let since = self.server_lost.as_ref().map_or(self.now, |lost| lost.since);
        self.server_lost = Some(Lost { cause, reason: reason.clone(), since });
        self.events.push_back(Event::ServerLost { cause, reason, retry_in });
    }

    fn on_server_message(&mut self, message: ServerMessage) {
        if !matches!(self.server, Server::Joining { .. } | Server::Joined) {
            return debug!("a message of a connection that was lost");
        }
        self.server_asked = None;
        if !self.server_allowance.is_ready(self.now) {
            self.signaling_out.push_back(SignalingRequest::Close);
            let reason = "the server sends more than it has reason to".to_owned();
            return self.on_server_lost(LostCause::Server, reason);
        }
        self.server_allowance.take(self.now, 1);
        match message {
            // Each time, attempts to connect would begin anew.
            ServerMessage::Joined { .. } if self.server == Server::Joined => {
                self.signaling_out.push_back(SignalingRequest::Close);
                let reason = "the server let us in twice; is it a Shoal server?".to_owned();
                self.on_server_lost(LostCause::Server, reason);
            }
            ServerMessage::Joined { peer, members, ice_servers, token } => {
                self.ice_servers = ice::usable(ice_servers);
                self.resume_token = Some(token);
                self.on_joined(peer, members);
            }
            ServerMessage::PeerJoined { peer } if Some(peer) != self.peer_id => {
                let now = self.now;
                let attempt = self.attempt_to(peer);
                let Some(member) = self.remember(peer, now + NEWCOMER_PATIENCE) else { return };
                member.present = true;
                // What it was sent while it was away is lost: an attempt to connect is made anew.
                let may_replace = member.replaced.is_none_or(|at| at + REPLACE_INTERVAL <= now);
                if let Some(attempt) = attempt.filter(|_| may_replace) {
                    member.replaced = Some(now);
                    self.close_lane(attempt, CloseReason::Replaced, false);
                }
                self.revive(peer);
            }
            ServerMessage::PeerJoined { .. } | ServerMessage::Pong => {}
            ServerMessage::CodeOffered { .. }
            | ServerMessage::CodeClaimed
            | ServerMessage::CodeMessage { .. }
            | ServerMessage::CodeEnded { .. } => debug!("a message about a code, in a room"),
            ServerMessage::PeerLeft { peer } | ServerMessage::Undeliverable { to: peer } => {
                self.on_absent(peer);
            }
            ServerMessage::Signal { from, envelope } => self.on_envelope(from, &envelope, None),
            ServerMessage::Error { code, message } if code.is_transient() => {
                self.signaling_out.push_back(SignalingRequest::Close);
                self.on_server_lost(LostCause::Server, message);
            }
            ServerMessage::Error { code, message } => {
                let message = shown(&message);
                self.server = Server::Refused { code, message: message.clone() };
                self.server_lost = None;
                self.signaling_out.push_back(SignalingRequest::Close);
                self.events.push_back(Event::Refused { code, message });
            }
        }
    }

    fn on_joined(&mut self, peer: PeerId, members: Vec<PeerId>) {
        let before = self.peer_id.replace(peer);
        self.server = Server::Joined;
        self.server_lost = None;
        self.events.push_back(Event::Joined { peer });
        if before.is_some_and(|before| before != peer) {
            // Whoever is connected must know where to send signals from now on.
            self.tell_all(&PeerMessage::Moved { peer });
        }
        // In a large room the server names only some of those who are there.
        if members.len() < MAX_MEMBERS_TOLD {
            let absent: Vec<PeerId> =
                self.members.keys().copied().filter(|id| !members.contains(id)).collect();
            for peer in absent {
                self.on_absent(peer);
            }
        }
        // What was said of attempts to connect may be lost, and their id void: they are made anew.
        let attempts: Vec<ConnectionId> =
            self.lanes.iter().filter(|(_, lane)| !lane.confirmed).map(|(&id, _)| id).collect();
        for attempt in attempts {
            self.close_lane(attempt, CloseReason::Replaced, false);
        }
        for id in members.into_iter().filter(|&id| id != peer) {
            if let Some(member) = self.remember(id, self.now) {
                member.present = true;
                self.replace_stale(id);
                self.revive(id);
            }
        }
        for member in self.members.values_mut().filter(|member| member.lane.is_none()) {
            member.dial_at = member.dial_at.map(|_| self.now);
        }
        self.may_dial = true;
    }

    /// A connection was lost: perhaps the one to the server is, too.
    pub(super) fn ask_server(&mut self) {
        if self.server == Server::Joined && self.server_asked.is_none() {
            self.server_asked = Some(self.now);
            self.signaling_out.push_back(SignalingRequest::Send(ClientMessage::Ping));
        }
    }

    /// Whether there is a confirmed connection to this member.
    pub(super) fn is_connected(&self, peer: PeerId) -> bool {
        let lane = self.members.get(&peer).and_then(|member| member.lane);
        lane.and_then(|lane| self.lanes.get(&lane)).is_some_and(|lane| lane.confirmed)
    }

    /// The connection to this member that is still coming about, if there is one.
    fn attempt_to(&self, peer: PeerId) -> Option<ConnectionId> {
        let lane = self.members.get(&peer)?.lane?;
        self.lanes.get(&lane).is_some_and(|it| !it.confirmed).then_some(lane)
    }

    /// The server does not know this peer (any more). What is connected stays so.
    pub(super) fn on_absent(&mut self, peer: PeerId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.present = false;
        let lane = member.lane;
        if !self.is_connected(peer) {
            if let Some(lane) = lane {
                self.close_lane(lane, CloseReason::Left, false);
            }
            self.forget(peer);
            return;
        }
        // It may have lost the server, or it has ended: then what it was asked for should soon be asked of
        // others.
        for lane in self.lanes.values_mut().filter(|lane| lane.peer == peer) {
            lane.patience = lane.patience.min(ABSENT_SILENCE);
        }
    }

    pub(super) fn backoff(&mut self, attempt: u32) -> Duration {
        let wait = FIRST_RETRY.saturating_mul(1 << attempt.min(10)).min(LAST_RETRY);
        // Up to a quarter more, so that those who lost a server together do not come back together.
        wait + wait.mul_f64(f64::from(self.rng.below(250)) / 1000.0)
    }

    // ---- signals ----

    fn route(&self, from: PeerId, to: PeerId) -> Route {
        Route { room: self.room, from, to }
    }

    pub(super) fn send_signal(&mut self, connection: ConnectionId, signal: &Signal) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let (to, epoch) = (lane.peer, lane.negotiation.epoch());
        let sequence = lane.negotiation.take_sequence();
        self.seal(to, epoch, sequence, signal);
    }

    pub(super) fn seal(&mut self, to: PeerId, epoch: u64, sequence: u32, signal: &Signal) {
        let Some(us) = self.peer_id else { return };
        let nonce = self.rng.bytes();
        let route = self.route(us, to);
        match envelope::seal(&self.signaling_key, &self.key, route, epoch, sequence, signal, nonce)
        {
            Ok(envelope) => self.pass(to, envelope),
            Err(error) => debug!(%to, %error, "a signal cannot be sent"),
        }
    }

    /// An envelope came, by the server or by `way` of a neighbour.
    pub(super) fn on_envelope(
        &mut self,
        from: PeerId,
        envelope: &Envelope,
        way: Option<ConnectionId>,
    ) {
        let Some(us) = self.peer_id.filter(|&us| us != from) else { return };
        let opened = match envelope::open(&self.signaling_key, self.route(from, us), envelope) {
            Ok(opened) => opened,
            Err(error) => return debug!(%from, %error, "refused an envelope"),
        };
        if opened.epoch > LAST_EPOCH {
            return debug!(%from, "refused an epoch after which there is none");
        }
        if self.banned.contains(&opened.sender) {
            return debug!(%from, "refused an envelope from a banned key");
        }
        if self.is_avoided(Some(opened.sender)) {
            return self.shun(from, opened.sender);
        }
        if self.is_locked_out(&opened.sender) {
            return self.lock_out(from, &opened);
        }
        if let Some(way) = way
            && !self.members.contains_key(&from)
            && !self.takes_stranger(way)
        {
            return debug!(%from, "refused an envelope from one stranger too many");
        }
        if way.is_none() {
            self.unseat(from, opened.sender);
        }
        let now = self.now;
        let Some(member) = self.remember(from, now + NEWCOMER_PATIENCE) else { return };
        if *member.key.get_or_insert(opened.sender) != opened.sender {
            return debug!(%from, "refused an envelope signed by another key than before");
        }
        member.present |= way.is_none();
        member.vouched |= way.is_none();
        // A later offer restarts ICE on a connection that we gave up, perhaps under an id that it had
        // before: an answer from a new connection would be taken for one from the old.
        let needy = matches!(opened.signal, Signal::NeedyOffer(_));
        let is_offer = needy || matches!(opened.signal, Signal::Description(Description::Offer(_)));
        if is_offer && opened.sequence == 0 && opened.epoch > member.epochs.heard {
            member.epochs.heard = opened.epoch;
            if opened.epoch > member.epochs.latest {
                self.on_offer(from, opened.epoch, needy);
            } else if member.lane.is_none() {
                // It was away while we tried, and counts from where it was. An offer of ours counts on.
                member.dial_at = member.dial_at.map(|at| at.min(now));
                self.may_dial = true;
            }
        }
        if matches!(opened.signal, Signal::LaneOffer(_)) {
            self.on_lane_offer(from, opened.epoch);
        }
        let Some(connection) = self.lane_of_epoch(from, opened.epoch) else {
            return debug!(%from, "refused a stale signal");
        };
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        if !lane.negotiation.is_fresh(opened.sequence, &opened.signal) {
            return debug!(%from, "refused a stale signal");
        }
        let refusal = match opened.signal {
            Signal::Busy => Some(CloseReason::TooManyConnections),
            Signal::Locked => Some(CloseReason::Locked),
            _ => None,
        };
        if let Some(reason) = refusal
            && lane.role() == Role::Offerer
            && !lane.confirmed
        {
            return self.close_lane(connection, reason, false);
        }
        self.connections_out.extend(lane.negotiation.handle_signal(opened.signal));
    }

    /// The server passed on what `key` signed under this id. Whoever goes by the id with another key, and has
    /// nobody's word for that but its own, has to give way.
    fn unseat(&mut self, id: PeerId, key: PublicKey) {
        let Some(member) = self.members.get(&id) else { return };
        if member.vouched || member.key.is_none_or(|before| before == key) {
            return;
        }
        debug!(%id, "goes by the id of another");
        if let Some(lane) = member.lane {
            self.close_lane(lane, CloseReason::ProtocolViolation, true);
        }
        self.members.remove(&id);
        // What we had sent to the one whose id this is went with the impostor.
        self.remember(id, self.now);
    }

    /// A new attempt of theirs to connect: it takes the place of ours, or of what was there before.
    fn on_offer(&mut self, from: PeerId, epoch: u64, needy: bool) {
        let Some(member) = self.members.get_mut(&from) else { return };
        member.epochs.latest = epoch;
        if let Some(old) = member.lane {
            self.close_lane(old, CloseReason::Replaced, false);
        } else if self.connected() >= self.connection_limit() && !(needy && self.make_room(None)) {
            if let Some(member) = self.members.get_mut(&from) {
                member.dial_at = Some(self.now + BUSY_PATIENCE);
            }
            return self.seal(from, epoch, 0, &Signal::Busy);
        }
        self.open_lane(from, Role::Answerer, epoch);
    }

    // ---- time and leaving ----

    pub(super) fn on_server_timeouts(&mut self) {
        let is_silent = self.server_asked.is_some_and(|at| at + PONG_TIMEOUT <= self.now);
        match self.server {
            Server::Joined if is_silent => {
                self.signaling_out.push_back(SignalingRequest::Close);
                let reason = "the server has stopped answering".to_owned();
                self.on_server_lost(LostCause::Server, reason);
            }
            Server::Waiting { attempt, until } if until <= self.now => self.try_server(attempt),
            Server::Joining { give_up, .. } if give_up <= self.now => {
                self.signaling_out.push_back(SignalingRequest::Close);
                let reason = "the server does not answer".to_owned();
                self.on_server_lost(LostCause::Server, reason);
            }
            _ => {}
        }
    }

    pub(super) fn next_server_timeout(&self) -> Option<Instant> {
        match self.server {
            Server::Waiting { until, .. } => Some(until),
            Server::Joining { give_up, .. } => Some(give_up),
            Server::Joined => self.server_asked.map(|at| at + PONG_TIMEOUT),
            Server::Idle | Server::Refused { .. } => None,
        }
    }

    pub(super) fn leave_server(&mut self) {
        if self.server == Server::Joined {
            self.signaling_out.push_back(SignalingRequest::Send(ClientMessage::Leave));
        }
        if !matches!(self.server, Server::Idle | Server::Refused { .. }) {
            self.signaling_out.push_back(SignalingRequest::Close);
        }
        self.server = Server::Idle;
        self.server_lost = None;
    }
}

/// Text of a server as it may be shown: on one line, in the order in which it is written, and not long.
fn shown(text: &str) -> String {
    let end = text.char_indices().nth(MAX_SHOWN).map(|(end, _)| end);
    let mut shown = readable(&text[..end.unwrap_or(text.len())]).into_owned();
    if end.is_some() {
        shown.push('…');
    }
    shown
}
