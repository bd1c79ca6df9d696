//! Connections: how they come about, break, and carry messages.
//!
//! A message waits in its sender's uplink (see `pipe.rs`), passes the border if the two are at
//! different sites, takes the latency of the path, and arrives behind what was sent before on its
//! channel. Where a path is blocked it waits until the path heals, as packets would be sent again; ICE
//! notices after some seconds, and a connection that it gave up is revived only by an ICE restart.

use super::pipe::{End, Parcel, Pipe};
use super::{Happening, World};
use crate::io::*;
use crate::message::PeerMessage;
use crate::signaling::ServerMessage;
use crate::time::{Duration, Instant};

/// When ICE calls a blocked path disconnected, as measured of Chromium …
const DISCONNECTED_AFTER: Duration = Duration::from_secs(6);
/// … and when failed.
const FAILED_AFTER: Duration = Duration::from_secs(16);
/// How long an end goes unnoticed that went without a word.
pub(super) const GONE_AFTER: Duration = Duration::from_secs(15);

/// How the network is.
pub struct Network {
    /// From one end to the other, besides what the peers' own ways and the border add.
    pub latency: Duration,
    /// At most so much more, at random.
    pub jitter: Duration,
    /// Bytes per second that a peer can send, all connections together, unless it has a rate of its own.
    pub uplink: f64,
    /// The kind of paths, except within a site or where a peer wants none but relayed ones.
    pub path: PathKind,
    /// What lies between peers of different sites.
    pub border: Option<Border>,
    /// May change what a peer sends on a data channel, like a peer that lies.
    pub tamper: Option<Tamper>,
    /// May change or drop what the server passes on, like a server that lies.
    pub meddle: Option<Meddle>,
    /// Signals of the server take up to so much longer, each for itself, so that they overtake another.
    pub signal_delay: Duration,
    /// Of a thousand signals, so many come twice.
    pub doubled_signals: u32,
    /// How much later the answerer's channels open than the offerer's; and the other way round if it is
    /// not [`Role::Answerer`]. What arrives before is lost, as with real libraries.
    pub opens_late: (Role, Duration),
    /// What a socket is said to hold; nothing is lost here if more comes.
    pub receive_buffer: usize,
    /// Connections whose ends see certificates that are not each other's.
    pub spliced: bool,
    /// Descriptions name certificates that are not used.
    pub lies_of_certificates: bool,
}

/// What lies between two sites, shared by all who cross it.
#[derive(Clone, Copy, Debug)]
pub struct Border {
    /// Bytes per second, each way.
    pub rate: f64,
    /// What it adds to a path's latency.
    pub latency: Duration,
}

/// Sees and may change what a peer sends.
pub type Tamper = Box<dyn FnMut(usize, &mut Transmit)>;
/// Sees and may change what the server passes on; false drops it.
pub type Meddle = Box<dyn FnMut(&mut ServerMessage) -> bool>;

/// One end's view of a connection.
pub(super) struct Link {
    pub(super) other: Option<End>,
    pub(super) open: bool,
    pub(super) buffered: [usize; 2],
    /// When the last message of each channel arrives here.
    last_arrival: [Instant; 2],
    certificate: [u8; 32],
    relay_only: bool,
    /// Broken for good: what is sent is lost.
    cut: bool,
    /// Since when its path is blocked, and what ICE has said of that.
    blocked: Option<Instant>,
    ice: ConnectionState,
    /// What it sent and the path did not let through.
    held: Vec<Parcel>,
}

/// Where a parcel leaves.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Uplink(usize),
    Border(usize),
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            uplink: 100e6,
            path: PathKind::Direct,
            border: None,
            tamper: None,
            meddle: None,
            signal_delay: Duration::ZERO,
            doubled_signals: 0,
            opens_late: (Role::Answerer, Duration::ZERO),
            receive_buffer: 4 << 20,
            spliced: false,
            lies_of_certificates: false,
        }
    }
}

impl World {
    // ---- what can happen to paths ----

    /// All connections between two peers break for good; both notice after `after`.
    pub fn break_path(&mut self, a: usize, b: usize, after: Duration) {
        for end in self.ends_between(a, b) {
            self.cut(end, after);
        }
    }

    /// Nothing passes between two peers until [`World::heal_path`].
    pub fn block_path(&mut self, a: usize, b: usize) {
        if a == b || !self.blocked.insert((a.min(b), a.max(b))) {
            return;
        }
        let (from, to) = (self.ends_between(a, b), self.ends_between(b, a));
        for end in from.into_iter().chain(to) {
            self.block(end);
        }
    }

    /// What was held back between two peers arrives, unless ICE has given up: then it waits for a
    /// restart.
    pub fn heal_path(&mut self, a: usize, b: usize) {
        if !self.blocked.remove(&(a.min(b), a.max(b))) {
            return;
        }
        let (from, to) = (self.ends_between(a, b), self.ends_between(b, a));
        for end in from.into_iter().chain(to) {
            let there = self.link(end).and_then(|link| link.other);
            if there.is_some_and(|there| self.link(there).is_some())
                && self.link(end).is_some_and(|link| link.ice != ConnectionState::Failed)
            {
                self.unblock(end);
            }
        }
    }

    /// What a peer sends is held back until it is unmuted: it takes in everything and looks frozen.
    pub fn mute(&mut self, peer: usize, muted: bool) {
        self.peers[peer].muted = muted;
        if !muted {
            let run = self.peers[peer].run;
            let links: Vec<ConnectionId> = self.peers[peer].links.keys().copied().collect();
            for connection in links {
                self.release((peer, run, connection));
            }
        }
    }

    /// A peer says to another what its machine never would; false if there is no connection.
    pub fn say(&mut self, from: usize, to: usize, message: &PeerMessage) -> bool {
        self.send(from, to, Channel::Control, message.encode())
    }

    /// A peer sends another any bytes, past its machine; false if there is no connection.
    pub fn send(&mut self, from: usize, to: usize, channel: Channel, bytes: Vec<u8>) -> bool {
        let ends = self.ends_between(from, to);
        let open = ends.into_iter().find(|&end| self.link(end).is_some_and(|link| link.open));
        let Some(end) = open else { return false };
        self.transmit(end, Transmit { connection: end.2, channel, bytes });
        true
    }

    // ---- how connections come about ----

    pub(super) fn connect(&mut self, index: usize, request: ConnectionRequest) {
        let run = self.peers[index].run;
        let end = (index, run, request.connection());
        match request {
            ConnectionRequest::Open { role, relay_only, .. } => {
                let link = Link {
                    other: None,
                    open: false,
                    buffered: [0; 2],
                    last_arrival: [self.now; 2],
                    certificate: self.rng.bytes(),
                    relay_only,
                    cut: false,
                    blocked: None,
                    ice: ConnectionState::Connected,
                    held: Vec::new(),
                };
                self.peers[index].links.insert(end.2, link);
                if role == Role::Offerer {
                    self.give_description(end, Description::Offer);
                }
            }
            ConnectionRequest::RestartIce { .. } => self.give_description(end, Description::Offer),
            ConnectionRequest::SetRemoteDescription { description, .. } => {
                let Some(other) = described(description.sdp()) else { return };
                let Some(link) = self.link_mut(end) else { return };
                let restart = link.other == Some(other) && link.open;
                link.other = Some(other);
                match description {
                    Description::Offer(_) => self.give_description(end, Description::Answer),
                    Description::Answer(_) if restart => self.revive(end, other),
                    Description::Answer(_) => self.open_both(end, other),
                }
            }
            ConnectionRequest::AddCandidate { .. } => {}
            ConnectionRequest::Close { .. } => {
                let Some(link) = self.peers[index].links.remove(&end.2) else { return };
                self.peers[index].pipe.drop_blocks(end);
                if let (Some(to), false) = (link.other, link.cut) {
                    let parcel = Parcel { from: end, to, channel: Channel::Control, message: None };
                    self.enter(Place::Uplink(index), parcel);
                }
            }
        }
    }

    /// A description only says which end it is of, and shows its certificate.
    fn give_description(&mut self, end: End, kind: fn(String) -> Description) {
        let Some(link) = self.link(end) else { return };
        let certificate = data_encoding::HEXLOWER.encode(&link.certificate);
        let mut text = format!("{} {} {} {certificate}", end.0, end.1, end.2.0);
        if self.net.lies_of_certificates {
            let other = vec!["BB"; 32].join(":");
            text += &format!("\r\na=fingerprint:sha-256 {other}\r\n");
        }
        let event = ConnectionEvent::LocalDescription(kind(text));
        self.later(Duration::from_millis(2), Happening::Connection(end, event));
    }

    fn open_both(&mut self, offerer: End, answerer: End) {
        let (a, b) = (offerer, answerer);
        let (Some(link_a), Some(link_b)) = (self.link(a), self.link(b)) else { return };
        if self.is_blocked(a.0, b.0) {
            return;
        }
        let (cert_a, cert_b) = (link_a.certificate, link_b.certificate);
        let relayed = link_a.relay_only || link_b.relay_only;
        let latency = self.latency(a.0, b.0);
        let middle = [0xaa; 32];
        for (end, local, remote) in [(a, cert_a, cert_b), (b, cert_b, cert_a)] {
            let (late, by) = self.net.opens_late;
            let is_late = end == if late == Role::Offerer { offerer } else { answerer };
            let after = latency * 3 + if is_late { by } else { Duration::ZERO };
            let remote_fingerprint = Fingerprint(if self.net.spliced { middle } else { remote });
            let opened = Opened {
                max_message_size: 262_144,
                receive_buffer: self.net.receive_buffer,
                local_fingerprint: Fingerprint(local),
                remote_fingerprint,
            };
            self.later(after, Happening::Connection(end, ConnectionEvent::Open(opened)));
            let near = self.net.border.is_some() && self.peers[a.0].site == self.peers[b.0].site;
            let kind = match (relayed, near) {
                (true, _) => PathKind::Relayed,
                (false, true) => PathKind::Lan,
                (false, false) => self.net.path,
            };
            let path = ConnectionEvent::Path(Path { kind, round_trip: Some(latency * 2) });
            self.later(after, Happening::Connection(end, path));
        }
    }

    fn revive(&mut self, a: End, b: End) {
        if !self.is_blocked(a.0, b.0) && self.link(b).is_some() {
            self.unblock(a);
            self.unblock(b);
        }
    }

    // ---- how they break ----

    pub(super) fn cut(&mut self, end: End, after: Duration) {
        let other = self.link(end).and_then(|link| link.other);
        for end in [Some(end), other].into_iter().flatten() {
            if let Some(link) = self.link_mut(end) {
                link.cut = true;
                link.held.clear();
                let closed = ConnectionEvent::Closed { reason: "path broken".into() };
                self.later(after, Happening::Connection(end, closed));
            }
        }
    }

    pub(super) fn block(&mut self, end: End) {
        let now = self.now;
        let Some(link) = self.link_mut(end).filter(|link| link.open && link.blocked.is_none())
        else {
            return;
        };
        link.blocked = Some(now);
        self.later(DISCONNECTED_AFTER, Happening::IceCheck(end, now));
        self.later(FAILED_AFTER, Happening::IceCheck(end, now));
    }

    /// Time for ICE to notice that nothing comes since `since`.
    pub(super) fn check_ice(&mut self, end: End, since: Instant) {
        let failed = self.now >= since + FAILED_AFTER;
        let state = if failed { ConnectionState::Failed } else { ConnectionState::Disconnected };
        if let Some(link) = self.link_mut(end).filter(|link| link.blocked == Some(since)) {
            link.ice = state;
            self.later(Duration::ZERO, Happening::Connection(end, ConnectionEvent::State(state)));
        }
    }

    fn unblock(&mut self, end: End) {
        let Some(link) = self.link_mut(end) else { return };
        link.blocked = None;
        if link.ice != ConnectionState::Connected {
            link.ice = ConnectionState::Connected;
            let event = ConnectionEvent::State(ConnectionState::Connected);
            self.later(Duration::from_millis(1), Happening::Connection(end, event));
        }
        self.release(end);
    }

    fn release(&mut self, end: End) {
        let held = self.link_mut(end).map(|link| std::mem::take(&mut link.held));
        for parcel in held.into_iter().flatten() {
            self.travel(parcel);
        }
    }

    // ---- how messages travel ----

    pub(super) fn transmit(&mut self, end: End, mut transmit: Transmit) {
        let channel = transmit.channel;
        let Some(link) = self.link(end) else { return };
        let (Some(to), false) = (link.other, link.cut) else { return };
        assert!(link.open, "sent on a channel that is not open");
        if let Some(tamper) = &mut self.net.tamper {
            tamper(end.0, &mut transmit);
        }
        let len = transmit.bytes.len();
        let peer = &mut self.peers[end.0];
        match channel {
            Channel::Control => peer.traffic.control_sent += len as u64,
            Channel::Blocks => peer.traffic.blocks_sent += len as u64,
        }
        let link = self.link_mut(end).expect("found above");
        link.buffered[channel as usize] += len;
        let amount = link.buffered[channel as usize];
        let clock = self.clock(end.0);
        self.peers[end.0].swarm.handle_buffered_amount(clock, end.2, channel, amount);
        let parcel = Parcel { from: end, to, channel, message: Some(transmit.bytes) };
        self.enter(Place::Uplink(end.0), parcel);
    }

    fn enter(&mut self, place: Place, parcel: Parcel) {
        self.pipe(place).push(parcel);
        if !self.pipe(place).busy {
            self.go_on(place);
        }
    }

    /// The next message begins to go through a pipe, if there is one.
    fn go_on(&mut self, place: Place) {
        let rate = match place {
            Place::Uplink(peer) => self.peers[peer].uplink.unwrap_or(self.net.uplink),
            Place::Border(_) => self.net.border.map_or(f64::INFINITY, |border| border.rate),
        };
        let next = self.pipe(place).next();
        self.pipe(place).busy = next.is_some();
        if let Some(parcel) = next {
            let time = Duration::from_secs_f64(parcel.len() as f64 / rate);
            self.later(time, Happening::Left(place, parcel));
        }
    }

    /// A message has gone through a pipe.
    pub(super) fn left(&mut self, place: Place, parcel: Parcel) {
        self.go_on(place);
        if let Place::Uplink(_) = place {
            let (from, channel, len) = (parcel.from, parcel.channel, parcel.len());
            if let Some(link) = self.link_mut(from) {
                let before = link.buffered[channel as usize];
                let amount = before - len;
                link.buffered[channel as usize] = amount;
                if amount <= LOW_WATER_BYTES && before > LOW_WATER_BYTES {
                    self.later(Duration::ZERO, Happening::Low(from, channel));
                }
            }
            if let Some(way) = self.way(&parcel).filter(|_| self.net.border.is_some()) {
                if parcel.channel == Channel::Blocks {
                    self.crossed += len as u64;
                }
                return self.enter(Place::Border(way), parcel);
            }
        }
        self.travel(parcel);
    }

    /// A message is on its way to the other end, unless the path is blocked.
    fn travel(&mut self, parcel: Parcel) {
        let (from, to) = (parcel.from, parcel.to);
        let is_cut = |end| self.link(end).is_some_and(|link| link.cut);
        if is_cut(from) || is_cut(to) {
            return;
        }
        let is_held = self.is_blocked(from.0, to.0)
            || self.peers[from.0].muted
            || self.link(from).is_some_and(|link| link.blocked.is_some());
        if is_held {
            // Of a closed connection the other end learns in its own time.
            if let Some(link) = self.link_mut(from) {
                link.held.push(parcel);
            }
            return;
        }
        let jitter = self.rng.below((self.net.jitter.as_micros() as u32).max(1));
        let arrival =
            self.now + self.latency(from.0, to.0) + Duration::from_micros(u64::from(jitter));
        let Some(link) = self.link_mut(to) else { return };
        // Ordered delivery: never before what was sent earlier; and nothing after the end.
        let last = &mut link.last_arrival;
        let before = match parcel.message {
            Some(_) => last[parcel.channel as usize],
            None => last[0].max(last[1]),
        };
        let arrival = arrival.max(before + Duration::from_micros(1));
        last[parcel.channel as usize] = arrival;
        self.at(arrival, Happening::Arrive(parcel));
    }

    /// Which way a parcel crosses the border, if it does.
    fn way(&self, parcel: &Parcel) -> Option<usize> {
        let (from, to) = (self.peers[parcel.from.0].site, self.peers[parcel.to.0].site);
        (from != to).then_some(usize::from(from > to))
    }

    fn pipe(&mut self, place: Place) -> &mut Pipe {
        match place {
            Place::Uplink(peer) => &mut self.peers[peer].pipe,
            Place::Border(way) => &mut self.border[way],
        }
    }

    /// One way, without jitter.
    fn latency(&self, a: usize, b: usize) -> Duration {
        let (here, there) = (&self.peers[a], &self.peers[b]);
        let border = self.net.border.filter(|_| here.site != there.site);
        self.net.latency
            + here.latency
            + there.latency
            + border.map_or(Duration::ZERO, |border| border.latency)
    }

    /// What `to` calls the connection by which `from` reaches it.
    ///
    /// # Panics
    /// If there is none.
    pub fn connection(&self, from: usize, to: usize) -> ConnectionId {
        self.ends_between(to, from).last().expect("they are connected").2
    }

    pub(super) fn is_blocked(&self, a: usize, b: usize) -> bool {
        self.blocked.contains(&(a.min(b), a.max(b)))
    }

    fn ends_between(&self, from: usize, to: usize) -> Vec<End> {
        let run = self.peers[from].run;
        let links = self.peers[from].links.iter();
        links
            .filter(|(_, link)| link.other.is_some_and(|other| other.0 == to))
            .map(|(&connection, _)| (from, run, connection))
            .collect()
    }

    pub(super) fn link(&self, end: End) -> Option<&Link> {
        self.peers[end.0].links.get(&end.2).filter(|_| self.peers[end.0].run == end.1)
    }

    pub(super) fn link_mut(&mut self, end: End) -> Option<&mut Link> {
        let peer = &mut self.peers[end.0];
        peer.links.get_mut(&end.2).filter(|_| peer.run == end.1)
    }
}

/// Which end a description is of.
fn described(text: &str) -> Option<End> {
    let mut fields = text.split(' ');
    let (peer, run, connection) = (fields.next()?, fields.next()?, fields.next()?);
    Some((peer.parse().ok()?, run.parse().ok()?, ConnectionId(connection.parse().ok()?)))
}
