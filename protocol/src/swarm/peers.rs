//! The members of the room, and the connections to them: who is let in, and when a connection is closed.
//! What the server and sealed signals say comes from `server`. Whom to connect to is decided in `mesh`; what is said on a confirmed connection
//! goes on to `shelf`, `fetch` and `serve`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tracing::debug;

use super::Swarm;
use super::alive::Alive;
use super::chat::Hearing;
use super::effort::Effort;
use super::fetch::Asked;
use super::lanes::Extra;
use super::mesh::{BUSY_PATIENCE, Introductions, NEWCOMER_PATIENCE};
use super::serve::Serving;
use super::server::LAST_RETRY;
use super::shelf::PeerShare;
use crate::confirm::{Side, Transcript};
use crate::envelope::Signal;
use crate::event::{CloseReason, Event, Halt, PeerLink, Proof};
use crate::identity::{PublicKey, Signature};
use crate::io::{
    Channel, ConnectionEvent, ConnectionId, ConnectionRequest, ConnectionState, Description,
    HIGH_WATER_BYTES, Opened, Path, Role, Transmit,
};
use crate::manifest::ShareId;
use crate::message::{INITIAL_CREDIT_BYTES, PEER_VERSION, PeerMessage, RequestId};
use crate::negotiation::{CONNECT_TIMEOUT, Negotiation, Overdue};
use crate::policy::PathPolicy;
use crate::rate::{Flow, TokenBucket};
use crate::scheduler::{SILENCE, Window};
use crate::signaling::PeerId;
use crate::time::{Duration, Instant};

/// A member that the server does not know (any more) is tried so often by way of neighbours.
const MAX_ATTEMPTS_UNSEEN: u32 = 8;
/// Whoever had offered has this long to offer again, once a connection that was up is lost.
const OFFERER_PATIENCE: Duration = Duration::from_secs(1);
/// The first attempts to connect to whom we were connected to may take this long; the time doubles with
/// every so many attempts, so often.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RECONNECT_DOUBLING: u32 = 4;
const MAX_RECONNECT_DOUBLINGS: u32 = 3;
/// Attempts to connect that only began anew for this long are told of as in vain.
const IN_VAIN_AFTER: Duration = Duration::from_secs(10);
/// A peer that lets control messages pile up this far is as good as gone.
const MAX_CONTROL_QUEUE_BYTES: usize = 8 << 20;
/// What a queued message takes besides its bytes.
const QUEUED_MESSAGE_BYTES: usize = 64;

/// Which attempts to connect there were to somebody, by their numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Epochs {
    /// Of the latest, be it ours or theirs; earlier ones are stale.
    pub(super) latest: u64,
    /// Of the latest of theirs that we heard of. What is later and stale all the same is no repetition: they know
    /// nothing of ours.
    pub(super) heard: u64,
}

/// Another member of the room.
#[derive(Debug)]
pub(super) struct Member {
    /// Whose envelopes are accepted under this id: the first key that signed one.
    pub(super) key: Option<PublicKey>,
    /// Whether the server passed on something that this key signed under this id. Else nobody vouches for it
    /// but the member itself: it came by way of neighbours, or says that it moved here.
    pub(super) vouched: bool,
    pub(super) name: String,
    /// Whether the server says that it is here.
    pub(super) present: bool,
    pub(super) epochs: Epochs,
    /// The main connection.
    pub(super) lane: Option<ConnectionId>,
    /// Further ones.
    pub(super) extra: Extra,
    /// When an attempt to connect was last made anew because it came in again.
    pub(super) replaced: Option<Instant>,
    /// It answered that the room is locked.
    pub(super) has_locked_us_out: bool,
    /// Since when it is tried to connect to it, and whether it was told that this is in vain.
    trying: Option<Instant>,
    told: bool,
    /// Attempts since it was last connected.
    attempts: u32,
    /// Whether it ever was.
    was_connected: bool,
    /// When to connect to it unless it connects to us before; `None` if never.
    pub(super) dial_at: Option<Instant>,
    /// Whether we were introduced to it as somebody who may have what we lack.
    pub(super) sought: bool,
    /// What it says it has.
    pub(super) shares: BTreeMap<ShareId, PeerShare>,
    /// With which shares it says it is stuck, and why.
    pub(super) halts: BTreeMap<ShareId, Halt>,
    /// Bytes that it says it can still store.
    pub(super) available: Option<u64>,
    /// What it was sent and what it sent.
    pub(super) traffic: Flow,
    /// The caps on what it is sent and what it sends, over all connections to it.
    pub(super) upload: TokenBucket,
    pub(super) download: TokenBucket,
}

/// One connection to a member: its negotiation, its queues, what was asked and what is served on it.
pub(super) struct Lane {
    pub(super) peer: PeerId,
    /// Whether it is one besides the main connection.
    pub(super) is_extra: bool,
    /// Our own id when the connection was made; the server may have given another since.
    us: PeerId,
    pub(super) negotiation: Negotiation,
    pub(super) opened: Option<Opened>,
    /// It has proven that nobody sits between us; only then anything else is believed.
    pub(super) confirmed: bool,
    pub(super) path: Option<Path>,
    /// Whether blocks may pass on this path.
    pub(super) allowed: bool,
    /// Whether it was made for relayed candidates alone.
    pub(super) relay_only: bool,
    /// Whether caps do not count on this path.
    pub(super) exempt: bool,

    /// What was spent on what it says.
    pub(super) effort: Effort,
    control: VecDeque<Vec<u8>>,
    /// Bytes of memory that these take.
    control_bytes: usize,
    pub(super) control_buffered: usize,
    pub(super) blocks_buffered: usize,

    pub(super) introductions: Introductions,
    pub(super) chat: Hearing,
    /// What bounds the signals that are passed on for it.
    pub(super) relayed: TokenBucket,
    /// Whether it was made to get what nobody else around has.
    pub(super) sought: bool,

    // What we ask of it (`fetch`).
    pub(super) window: Window,
    pub(super) asked: BTreeMap<RequestId, Asked>,
    /// When what it sends last made progress, or when something was asked after nothing was outstanding.
    pub(super) heard: Instant,
    /// Bytes of blocks since then.
    pub(super) trickled: u64,
    /// Whether it still carries anything.
    pub(super) alive: Alive,
    /// It did not answer in time; it is asked for one piece at a time until it does.
    pub(super) silent: bool,
    /// How often it sent pieces and left out their hashes, since a piece of it was last found good.
    pub(super) rounds_without_hashes: u32,
    /// How long it may send nothing of what it was asked for.
    pub(super) patience: Duration,
    /// Bytes that may still come although they were cancelled.
    pub(super) cancelled: u64,
    /// When it may be asked again to choose what it sends.
    pub(super) flexible_again: Instant,

    // What it asks of us (`serve`).
    pub(super) serving: VecDeque<Serving>,
    /// Bytes of blocks that may be sent, and were sent, since the beginning.
    pub(super) credit: u64,
    pub(super) sent: u64,
    /// When it was last sent a block, or told that its requests wait their turn.
    pub(super) attended: Instant,
    /// Batches it was sent already: share, and place among its known batches.
    pub(super) told: BTreeSet<(ShareId, usize)>,
}

impl Lane {
    pub(super) fn role(&self) -> Role {
        self.negotiation.role()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.negotiation.epoch()
    }

    /// Whether something was asked on it, by us or by them, that has not come.
    pub(super) fn is_in_use(&self) -> bool {
        !self.asked.is_empty() || !self.serving.is_empty()
    }
}

impl Member {
    pub(super) fn new(now: Instant, dial_at: Instant) -> Self {
        Self {
            key: None,
            vouched: false,
            name: String::new(),
            present: true,
            epochs: Epochs::default(),
            lane: None,
            extra: Extra::new(now),
            replaced: None,
            has_locked_us_out: false,
            trying: None,
            told: false,
            attempts: 0,
            was_connected: false,
            dial_at: Some(dial_at),
            sought: false,
            shares: BTreeMap::new(),
            halts: BTreeMap::new(),
            available: None,
            traffic: Flow::new(now),
            upload: TokenBucket::new(Instant::ZERO, None),
            download: TokenBucket::new(Instant::ZERO, None),
        }
    }
}

impl Member {
    /// How long to try to connect to it anew, if it was connected until lately. Short attempts that come
    /// often are soon there when a path is back; attempts that were in vain make for longer ones, since
    /// connecting may take its time.
    fn reconnect_timeout(&self) -> Option<Duration> {
        let doublings = self.attempts / RECONNECT_DOUBLING;
        let is_late = !self.was_connected || doublings > MAX_RECONNECT_DOUBLINGS;
        (!is_late).then(|| RECONNECT_TIMEOUT.saturating_mul(1 << doublings))
    }
}

impl Swarm {
    // ---- connections ----

    pub(super) fn connect(&mut self, peer: PeerId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        member.dial_at = None;
        member.sought = false;
        let key = member.key;
        let is_unwanted = |key: PublicKey| self.banned.contains(&key) || self.is_locked_out(&key);
        if self.is_avoided(key) || key.is_some_and(is_unwanted) {
            return;
        }
        let Some(epoch) = self.next_epoch(peer) else { return };
        self.open_lane(peer, Role::Offerer, epoch);
    }

    /// Begins another attempt to connect to a member. Even for one of the two and odd for the other: when
    /// both dial at the same time the later of the two attempts holds on both sides.
    pub(super) fn next_epoch(&mut self, peer: PeerId) -> Option<u64> {
        let us = self.peer_id?;
        let member = self.members.get_mut(&peer)?;
        member.epochs.latest += 1;
        member.epochs.latest += u64::from(member.epochs.latest % 2 == u64::from(us < peer));
        Some(member.epochs.latest)
    }

    /// Everybody who is not connected is tried again at once.
    pub(super) fn connect_again(&mut self) {
        for member in self.members.values_mut().filter(|member| member.lane.is_none()) {
            member.dial_at = Some(self.now);
        }
        self.may_dial = true;
    }

    pub(super) fn open_lane(&mut self, peer: PeerId, role: Role, epoch: u64) {
        let connection = self.make_lane(peer, role, epoch);
        if let Some(member) = self.members.get_mut(&peer) {
            member.lane = connection;
        }
    }

    /// A new connection to a member, main or not.
    pub(super) fn make_lane(
        &mut self,
        peer: PeerId,
        role: Role,
        epoch: u64,
    ) -> Option<ConnectionId> {
        let us = self.peer_id?;
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let relay_only = self.policy.path == PathPolicy::RelayOnly;
        // Whoever answers has as long as the other side takes.
        let reconnect = self.members.get(&peer).filter(|_| role == Role::Offerer);
        let patience = reconnect.and_then(Member::reconnect_timeout).unwrap_or(CONNECT_TIMEOUT);
        let lane = Lane {
            peer,
            is_extra: false,
            us,
            negotiation: Negotiation::new(self.now, connection, role, epoch, patience),
            opened: None,
            confirmed: false,
            path: None,
            effort: Effort::new(self.now),
            control: VecDeque::new(),
            control_bytes: 0,
            control_buffered: 0,
            blocks_buffered: 0,
            introductions: Introductions::default(),
            chat: Hearing::default(),
            relayed: Self::relay_allowance(self.now),
            sought: false,
            window: Window::new(),
            asked: BTreeMap::new(),
            heard: self.now,
            trickled: 0,
            alive: Alive::new(self.now),
            silent: false,
            rounds_without_hashes: 0,
            patience: SILENCE,
            cancelled: 0,
            flexible_again: self.now,
            exempt: false,
            allowed: self.policy.path.allows(None),
            relay_only,
            serving: VecDeque::new(),
            credit: INITIAL_CREDIT_BYTES,
            sent: 0,
            attended: self.now,
            told: BTreeSet::new(),
        };
        self.lanes.insert(connection, lane);
        let ice_servers = self.policy.path.servers(&self.ice_servers);
        let open = ConnectionRequest::Open { connection, role, ice_servers, relay_only };
        self.connections_out.push_back(open);
        Some(connection)
    }

    pub(super) fn on_connection(&mut self, connection: ConnectionId, event: ConnectionEvent) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        match event {
            ConnectionEvent::LocalDescription(description) => {
                let (extra, new) = (lane.is_extra, lane.opened.is_none());
                let signal = match description {
                    Description::Offer(sdp) if extra && new => Signal::LaneOffer(sdp),
                    Description::Offer(sdp) if new && self.is_needy(connection) => {
                        Signal::NeedyOffer(sdp)
                    }
                    other => Signal::Description(other),
                };
                self.send_signal(connection, &signal);
            }
            ConnectionEvent::LocalCandidate(candidate) => {
                self.send_signal(connection, &Signal::Candidate(candidate));
            }
            ConnectionEvent::State(state) => {
                let was_up = lane.negotiation.is_up();
                lane.negotiation.handle_state(self.now, state);
                let is_up = lane.negotiation.is_up();
                if is_up && !was_up {
                    lane.alive.handle_revived(self.now);
                }
                if lane.confirmed && !is_up {
                    self.ask_server();
                }
                if state == ConnectionState::Failed && self.is_absent(connection) {
                    self.close_lane(connection, CloseReason::ConnectionLost, false);
                }
            }
            ConnectionEvent::Open(opened) => self.on_open(connection, opened),
            ConnectionEvent::Path(path) => {
                if lane.path.is_some_and(|before| before.kind != path.kind) {
                    lane.window.reset();
                }
                lane.path = Some(path);
                self.on_path(connection);
            }
            ConnectionEvent::Closed { reason } => {
                debug!(?connection, %reason, "connection closed");
                self.close_lane(connection, CloseReason::ConnectionLost, false);
            }
        }
    }

    /// Whether no signal can reach the peer (any more) to which this connection leads.
    fn is_absent(&self, connection: ConnectionId) -> bool {
        let Some(peer) = self.lanes.get(&connection).map(|lane| lane.peer) else { return true };
        // While the server is away it may come back, and know the peer.
        let present = self.members.get(&peer).is_some_and(|member| member.present);
        !present && !self.can_signal(peer)
    }

    /// Whether signals get through to the peer to which this connection leads, as far as we know.
    fn is_heard(&self, connection: ConnectionId) -> bool {
        let Some(peer) = self.lanes.get(&connection).map(|lane| lane.peer) else { return false };
        self.has_answering_server(peer) || self.has_way(peer)
    }

    fn on_open(&mut self, connection: ConnectionId, opened: Opened) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        if lane.opened.is_some() {
            return;
        }
        // The library has compared the two already, unless it was told not to, or does not.
        let announced = lane.negotiation.announced();
        let is_other = announced.is_some_and(|announced| announced != opened.remote_fingerprint);
        lane.opened = Some(opened);
        if is_other {
            return self.close_lane(connection, CloseReason::NotConfirmed, true);
        }
        self.confirm(connection);
    }

    /// Says who we are, and proves that nobody sits between us.
    fn confirm(&mut self, connection: ConnectionId) {
        let (Some(lane), Some(transcript)) =
            (self.lanes.get(&connection), self.transcript(connection))
        else {
            return;
        };
        let signature = transcript.sign(lane.negotiation.role(), &self.key);
        let name = self.name.clone();
        self.tell(connection, &PeerMessage::Confirm { version: PEER_VERSION, signature, name });
    }

    /// What both sides of an open connection must have observed.
    fn transcript(&self, connection: ConnectionId) -> Option<Transcript> {
        let lane = self.lanes.get(&connection)?;
        let opened = lane.opened.as_ref()?;
        let us = Side { peer: lane.us, fingerprint: opened.local_fingerprint };
        let them = Side { peer: lane.peer, fingerprint: opened.remote_fingerprint };
        let (offerer, answerer) = match lane.negotiation.role() {
            Role::Offerer => (us, them),
            Role::Answerer => (them, us),
        };
        Some(Transcript { room: self.room, epoch: lane.negotiation.epoch(), offerer, answerer })
    }

    fn on_confirm(
        &mut self,
        connection: ConnectionId,
        version: u16,
        signature: &Signature,
        name: String,
    ) {
        if version != PEER_VERSION {
            return self.close_lane(connection, CloseReason::Version, true);
        }
        let Some(lane) = self.lanes.get(&connection).filter(|lane| !lane.confirmed) else {
            return; // said twice
        };
        let (peer, theirs) = match lane.negotiation.role() {
            Role::Offerer => (lane.peer, Role::Answerer),
            Role::Answerer => (lane.peer, Role::Offerer),
        };
        let key = self.members.get(&peer).and_then(|member| member.key);
        let holds = key
            .zip(self.transcript(connection))
            .is_some_and(|(key, transcript)| transcript.verify(theirs, &key, signature).is_ok());
        if !holds {
            return self.close_lane(connection, CloseReason::NotConfirmed, true);
        }
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.confirmed = true;
            lane.negotiation.handle_confirmed();
            if lane.is_extra {
                self.may_ask = true;
                return self.confirm(connection);
            }
        }
        self.set_caps(connection);
        key.into_iter().for_each(|key| self.meet(key));
        if let Some(member) = self.members.get_mut(&peer) {
            member.name.clone_from(&name);
            member.attempts = 0;
            member.has_locked_us_out = false;
            (member.trying, member.told) = (None, false);
            member.was_connected = true;
        }
        // Perhaps a way for signals to others.
        self.may_dial = true;
        self.events.push_back(Event::PeerConnected { peer, name });
        // Some WebRTC libraries lose a message that arrives before they have opened the channel on
        // their side. Having heard from the other side we know that it has: so say it once more, for
        // the case that the first was lost, and only then go on.
        self.confirm(connection);
        self.announce_shelf(connection);
        self.announce_standing(connection);
        self.pass_on_receipts(connection);
        self.pass_on_roster(connection);
        self.listen(connection);
        self.introduce(connection, None);
    }

    /// Closes a connection: what was asked on it is asked of others, and it may be tried again.
    pub(super) fn close_lane(&mut self, connection: ConnectionId, reason: CloseReason, tell: bool) {
        let Some(lane) = self.lanes.remove(&connection) else { return };
        debug!(?connection, ?reason, "closing connection");
        if tell && lane.opened.is_some() {
            let bytes = PeerMessage::Goodbye { reason: reason.to_u8() }.encode();
            self.farewells.push_back(Transmit { connection, channel: Channel::Control, bytes });
        }
        self.connections_out.push_back(ConnectionRequest::Close { connection });
        self.stop_serving_lane(connection);
        self.release_requests(lane.asked);
        self.drop_unproven(connection);
        self.may_ask = true;
        if lane.is_extra {
            return self.forget_extra(connection, lane.peer, lane.confirmed);
        }
        self.close_extras(lane.peer);
        self.forget_holdings(lane.peer);
        if let Some(member) = self.members.get_mut(&lane.peer) {
            member.halts.clear();
            member.available = None;
        }

        let attempts = self.members.get(&lane.peer).map_or(0, |member| member.attempts);
        let (wait, soon) = (self.backoff(attempts), self.backoff(0));
        let Some(member) = self.members.get_mut(&lane.peer) else { return };
        if member.lane == Some(connection) {
            member.lane = None;
        }
        member.attempts += 1;
        member.has_locked_us_out |= reason == CloseReason::Locked;
        let soon = if lane.confirmed { Duration::ZERO } else { soon };
        let reconnecting = member.reconnect_timeout().is_some();
        member.dial_at = match reason {
            // What was there is sought at once, again and again.
            CloseReason::ConnectionLost | CloseReason::Unreachable
                if reconnecting && lane.negotiation.role() == Role::Offerer =>
            {
                Some(self.now + soon)
            }
            // The other side may know nothing of us any more, and takes us for a newcomer, who offers.
            CloseReason::ConnectionLost if lane.confirmed => Some(self.now + OFFERER_PATIENCE),
            // Whoever offered tries again; the other side only if that does not happen.
            CloseReason::ConnectionLost | CloseReason::Unreachable => {
                let patience = match lane.negotiation.role() {
                    Role::Offerer => Duration::ZERO,
                    Role::Answerer => NEWCOMER_PATIENCE,
                };
                Some(self.now + wait + patience)
            }
            // It lowered its limit, as others may at this moment: whoever has too few now asks again.
            CloseReason::TooManyConnections if lane.confirmed => Some(self.now + wait),
            CloseReason::TooManyConnections | CloseReason::MakingRoom => {
                Some(self.now + wait + BUSY_PATIENCE)
            }
            // The creator may open it again.
            CloseReason::Locked => Some(self.now + wait + BUSY_PATIENCE),
            // Paths change, but not soon.
            CloseReason::PathNotAllowed => Some(self.now + LAST_RETRY),
            CloseReason::Replaced => Some(self.now),
            _ => None,
        };
        // An attempt that failed is told of once; one that the other side began anew, only if that has been
        // going on for a while.
        let mut in_vain = false;
        if let PeerLink::Connecting { since, .. } = lane.negotiation.link() {
            let since = *member.trying.get_or_insert(since);
            let first = attempts == 0 && reason != CloseReason::Replaced;
            let long = !member.told && since + IN_VAIN_AFTER <= self.now;
            let is_failure = !matches!(reason, CloseReason::Left | CloseReason::TooManyConnections);
            in_vain = is_failure && (first || long);
            member.told |= in_vain;
        }
        let lost = lane.confirmed && reason != CloseReason::Replaced;
        if lost || in_vain || reason == CloseReason::NotConfirmed {
            let replaced = reason == CloseReason::Replaced;
            let reason = if replaced { CloseReason::Unreachable } else { reason };
            let name = member.name.clone();
            self.events.push_back(Event::PeerGone { peer: lane.peer, name, reason });
        }
        let unseen = !member.present;
        let given_up = unseen && member.attempts > MAX_ATTEMPTS_UNSEEN;
        if reason == CloseReason::Left || given_up || unseen && !self.can_signal(lane.peer) {
            self.forget(lane.peer);
        }
        self.may_ask = true;
        self.may_dial = true;
    }

    /// Whoever is at the other end of a connection was proven to lie.
    pub(super) fn blame_sender(
        &mut self,
        connection: ConnectionId,
        share: Option<ShareId>,
        proof: Proof,
    ) {
        if let Some(peer) = self.lanes.get(&connection).map(|lane| lane.peer) {
            self.blame(peer, share, proof);
        }
    }

    /// A member was proven to lie: people are told, and its key is shut out.
    pub(super) fn blame(&mut self, peer: PeerId, share: Option<ShareId>, proof: Proof) {
        let Some(member) = self.members.get(&peer) else { return };
        let (Some(key), name) = (member.key, member.name.clone()) else { return };
        self.events.push_back(Event::Banned { peer, key, name, share, proof });
        self.ban(key);
    }

    /// Closes all connections to a key for good.
    fn ban(&mut self, key: PublicKey) {
        self.banned.insert(key);
        self.drop_receipts_of(key);
        let lanes: Vec<ConnectionId> = self
            .members
            .values()
            .filter(|member| member.key == Some(key))
            .filter_map(|member| member.lane)
            .collect();
        for lane in lanes {
            self.close_lane(lane, CloseReason::Banned, true);
        }
    }

    /// A connected peer joined the server anew and got another id. Whether that is so shows when the server
    /// passes on what somebody signs under this id (see `unseat`).
    fn on_moved(&mut self, connection: ConnectionId, to: PeerId) {
        let Some(from) = self.lanes.get(&connection).map(|lane| lane.peer) else { return };
        let Some(key) = self.members.get(&from).map(|member| member.key) else { return };
        let known = self.members.get(&to);
        // Under an id that somebody else has shown a key for, nobody can hide.
        let taken = known.is_some_and(|other| other.key.is_some() && other.key != key);
        if from == to || Some(to) == self.peer_id || taken || self.is_connected(to) {
            return;
        }
        let (epochs, vouched) =
            known.map_or(Default::default(), |member| (member.epochs, member.vouched));
        // An attempt to connect to the new id is of no use: this is the connection.
        if let Some(attempt) = known.and_then(|member| member.lane) {
            self.close_lane(attempt, CloseReason::Replaced, false);
        }
        if let Some(mut member) = self.members.remove(&from) {
            (member.present, member.vouched) = (true, vouched);
            member.epochs.latest = member.epochs.latest.max(epochs.latest);
            member.epochs.heard = member.epochs.heard.max(epochs.heard);
            for lane in member.extra.lanes.iter().chain(&member.lane) {
                if let Some(lane) = self.lanes.get_mut(lane) {
                    lane.peer = to;
                }
            }
            self.members.insert(to, member);
        }
    }

    // ---- control messages ----

    /// Queues a control message on one connection.
    pub(super) fn tell(&mut self, connection: ConnectionId, message: &PeerMessage) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let bytes = message.encode();
        lane.control_bytes += bytes.len() + QUEUED_MESSAGE_BYTES;
        lane.control.push_back(bytes);
        if lane.control_bytes > MAX_CONTROL_QUEUE_BYTES {
            self.close_lane(connection, CloseReason::ConnectionLost, false);
        }
    }

    /// Queues a control message for all connected members.
    pub(super) fn tell_all(&mut self, message: &PeerMessage) {
        for connection in self.confirmed_lanes() {
            if self.lanes.get(&connection).is_some_and(|lane| !lane.is_extra) {
                self.tell(connection, message);
            }
        }
    }

    /// Members that are connected and confirmed, with the connection.
    pub(super) fn neighbours(&self) -> impl Iterator<Item = (ConnectionId, PeerId, &Member)> {
        self.lanes
            .iter()
            .filter(|(_, lane)| lane.confirmed && !lane.is_extra)
            .filter_map(|(&id, lane)| Some((id, lane.peer, self.members.get(&lane.peer)?)))
    }

    /// Whose connection it is.
    pub(super) fn key_at(&self, connection: ConnectionId) -> Option<PublicKey> {
        self.members.get(&self.lanes.get(&connection)?.peer)?.key
    }

    /// Bytes of control messages waiting on a connection.
    pub(super) fn queued_control(&self, connection: ConnectionId) -> usize {
        self.lanes.get(&connection).map_or(0, |lane| lane.control_bytes)
    }

    pub(super) fn confirmed_lanes(&self) -> Vec<ConnectionId> {
        self.lanes
            .iter()
            .filter(|(_, lane)| lane.confirmed)
            .map(|(&connection, _)| connection)
            .collect()
    }

    pub(super) fn next_control(&mut self) -> Option<Transmit> {
        self.lanes
            .iter_mut()
            .filter(|(_, lane)| lane.opened.is_some() && lane.control_buffered < HIGH_WATER_BYTES)
            .find_map(|(&connection, lane)| {
                let bytes = lane.control.pop_front()?;
                lane.control_bytes -= bytes.len() + QUEUED_MESSAGE_BYTES;
                lane.control_buffered += bytes.len();
                Some(Transmit { connection, channel: Channel::Control, bytes })
            })
    }

    pub(super) fn on_control(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let Some(lane) = self.lanes.get(&connection) else { return };
        let (peer, confirmed) = (lane.peer, lane.confirmed);
        let message = match PeerMessage::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                debug!(?connection, %error, "a message does not decode");
                return self.close_lane(connection, CloseReason::ProtocolViolation, true);
            }
        };
        if !self.spend(connection, &message) {
            return debug!(?connection, "says too much");
        }
        match message {
            PeerMessage::Confirm { version, signature, name } => {
                self.on_confirm(connection, version, &signature, name);
            }
            PeerMessage::Goodbye { reason } => {
                self.close_lane(connection, CloseReason::from_u8(reason), false);
            }
            _ if !confirmed => self.close_lane(connection, CloseReason::ProtocolViolation, true),
            PeerMessage::Moved { peer } => self.on_moved(connection, peer),
            PeerMessage::Share { share, manifest_bytes, distance, holding } => {
                self.on_share(connection, peer, share, manifest_bytes, distance, holding);
            }
            PeerMessage::Unshare { share } => self.on_unshare(peer, share),
            PeerMessage::WantManifest { share, offset } => {
                self.on_want_manifest(connection, share, offset);
            }
            PeerMessage::ManifestPart { share, offset, bytes } => {
                self.on_manifest_part(connection, share, offset, &bytes);
            }
            PeerMessage::Have { share, runs } => self.on_have(connection, peer, share, &runs),
            PeerMessage::WantMembers { near } => self.on_want_members(connection, near),
            PeerMessage::Members { peers } => self.on_members(connection, &peers),
            PeerMessage::Receipt { receipt, own } => {
                self.on_receipt(connection, peer, receipt, own);
            }
            PeerMessage::Request { request, share, run, with_hashes, flexible } => {
                self.on_request(connection, request, share, run, with_hashes, flexible);
            }
            PeerMessage::Capacity { bytes } => self.on_capacity(peer, bytes),
            PeerMessage::Halt { share, halt } => self.on_halt(peer, share, halt),
            PeerMessage::Relay { from, to, envelope } => {
                self.on_relay(connection, from, to, envelope);
            }
            PeerMessage::Roster(roster) => self.on_roster(connection, roster),
            PeerMessage::Anew { invite } => self.on_anew(connection, peer, invite),
            PeerMessage::Listen { on } => self.on_listen(connection, on),
            PeerMessage::Line(line) => self.on_line(connection, line),
            PeerMessage::Credit { bytes } => self.on_credit(connection, bytes),
            PeerMessage::Queued => self.on_queued(connection),
            PeerMessage::Ping => self.on_ping(connection),
            // That it came is all it says.
            PeerMessage::Pong => {}
            PeerMessage::Cancel { request } => self.on_cancel(connection, request),
            PeerMessage::Reject { request } => self.on_reject(connection, request),
            PeerMessage::Hashes(batch) => self.on_hashes(connection, batch),
        }
    }

    // ---- time ----

    pub(super) fn on_peer_timeouts(&mut self) {
        let now = self.now;
        let overdue: Vec<(ConnectionId, Overdue)> = self
            .lanes
            .iter_mut()
            .filter_map(|(&connection, lane)| {
                Some((connection, lane.negotiation.handle_timeout(now)?))
            })
            .collect();
        self.on_quiet_timeouts();
        for (connection, overdue) in overdue {
            match overdue {
                // Nobody could pass a restart on to a peer that the server does not know any more.
                Overdue::RestartIce if self.is_absent(connection) => {
                    self.close_lane(connection, CloseReason::ConnectionLost, false);
                }
                // An offer that does not get through would only give up the path that there was.
                Overdue::RestartIce if !self.is_heard(connection) => {
                    if let Some(lane) = self.lanes.get_mut(&connection) {
                        lane.negotiation.postpone(now);
                    }
                }
                Overdue::RestartIce => {
                    self.ask_server();
                    self.connections_out.push_back(ConnectionRequest::RestartIce { connection });
                }
                Overdue::Replace => self.replace(connection),
                Overdue::Unreachable => {
                    self.ask_server();
                    self.close_lane(connection, CloseReason::Unreachable, false);
                }
                Overdue::Lost => self.close_lane(connection, CloseReason::ConnectionLost, false),
            }
        }
    }

    /// Makes a new connection in place of one that was lost long ago, if there is a way to.
    fn replace(&mut self, connection: ConnectionId) {
        self.ask_server();
        let Some(peer) = self.lanes.get(&connection).map(|lane| lane.peer) else { return };
        if self.can_signal(peer) {
            self.close_lane(connection, CloseReason::ConnectionLost, false);
        }
    }

    /// The same at once, whoever offered before: the other side may know nothing of it, or of us, any more.
    pub(super) fn replace_now(&mut self, connection: ConnectionId) {
        let Some(peer) = self.lanes.get(&connection).map(|lane| lane.peer) else { return };
        if !self.can_signal(peer) {
            return;
        }
        self.close_lane(connection, CloseReason::ConnectionLost, false);
        if let Some(member) = self.members.get_mut(&peer).filter(|member| member.lane.is_none()) {
            member.dial_at = Some(self.now);
        }
    }

    /// Signals come through to this member again: what was lost long ago is replaced.
    pub(super) fn replace_stale(&mut self, peer: PeerId) {
        let lane = self.members.get(&peer).and_then(|member| member.lane);
        let is_stale = |lane: &Lane| lane.negotiation.is_stale(self.now);
        if let Some(lane) = lane.filter(|lane| self.lanes.get(lane).is_some_and(is_stale)) {
            self.replace_now(lane);
        }
    }

    /// Signals come through to this member again: what was lost is restarted at once.
    pub(super) fn revive(&mut self, peer: PeerId) {
        let now = self.now;
        let lanes = self.lanes.values_mut().filter(|lane| lane.peer == peer);
        lanes.for_each(|lane| lane.negotiation.handle_way(now));
    }

    pub(super) fn next_peer_timeout(&self) -> Option<Instant> {
        let timeouts = self.lanes.values().filter_map(|lane| lane.negotiation.poll_timeout());
        timeouts.chain(self.next_quiet_timeout()).min()
    }

    pub(super) fn say_goodbye(&mut self) {
        let lanes: Vec<ConnectionId> = self.lanes.keys().copied().collect();
        for connection in lanes {
            self.close_lane(connection, CloseReason::Left, true);
        }
        self.members.clear();
        self.leave_server();
    }
}
