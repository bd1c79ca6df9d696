//! A room in one thread: any number of machines, a signaling server, connections, disks, and a clock
//! that jumps to whatever happens next. Everything follows from a seed, so a failing run replays.
//!
//! What it simulates: latency and jitter, one uplink rate per peer shared by its connections, bounded
//! channel buffers, connections that break, disks that fail or lose what was not committed, peers that
//! crash and come back with their disk, a server that goes away. What it leaves out: SDP, ICE and DTLS;
//! a description here only says which end it comes from and which certificate it shows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::bitfield::Bitfield;
use crate::event::{Event, ShareState, ShareView};
use crate::identity::DeviceKey;
use crate::invite::Invite;
use crate::io::*;
use crate::manifest::{Entry, EntryKind, HashBatch, Manifest, ShareId, SharePath};
use crate::rate::Limits;
use crate::rng::Rng;
use crate::signaling::{ClientMessage, PeerId, ServerMessage};
use crate::swarm::{Config, Swarm};
use crate::time::{Duration, Instant};

/// The machines of a room and all that is between them.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) peers: Vec<Peer>,
    pub(crate) net: Network,
    rng: Rng,
    invite: Invite,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next: u64,
    server: Server,
    links: BTreeMap<End, Link>,
}

/// How the network is.
pub(crate) struct Network {
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    /// Bytes per second that each peer can send, all connections together.
    pub(crate) uplink: f64,
    /// May change what a peer sends on a data channel, like a peer that lies.
    pub(crate) tamper: Option<Tamper>,
    /// May change or drop what the server passes on, like a server that lies.
    pub(crate) meddle: Option<Meddle>,
    /// How much later the answerer's channels open than the offerer's; and the other way round if it is
    /// not [`Role::Answerer`]. What arrives before is lost, as with real libraries.
    pub(crate) opens_late: (Role, Duration),
    /// Connections whose ends see certificates that are not each other's.
    pub(crate) spliced: bool,
}

/// One machine with its adapter: files, disk, and what it told.
pub(crate) struct Peer {
    pub(crate) swarm: Swarm,
    pub(crate) events: Vec<Event>,
    pub(crate) sources: BTreeMap<ShareId, Vec<Vec<u8>>>,
    pub(crate) disk: BTreeMap<ShareId, Store>,
    /// May fail a storage request.
    pub(crate) fault: Option<Fault>,
    /// Bytes of blocks sent.
    pub(crate) sent: u64,
    running: bool,
    /// Counts restarts: what was under way for an earlier run is void.
    run: u32,
    key: DeviceKey,
    server_id: Option<PeerId>,
    uplink_free: Instant,
    wake: Option<Instant>,
}

/// What a disk holds of one share.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) files: Vec<Vec<u8>>,
    pub(crate) committed: Bitfield,
    batches: Vec<HashBatch>,
    pub(crate) finished: bool,
    /// Bytes of pieces written, to show that nothing else was.
    pub(crate) written: BTreeSet<u32>,
}

/// Sees and may change what a peer sends.
type Tamper = Box<dyn FnMut(usize, &mut Transmit)>;
/// Sees and may change what the server passes on; false drops it.
type Meddle = Box<dyn FnMut(&mut ServerMessage) -> bool>;
/// May give a storage request an error.
type Fault = Box<dyn FnMut(&StorageRequest) -> Option<StorageError>>;
/// One end of a connection: peer, run, connection.
type End = (usize, u32, ConnectionId);

struct Link {
    other: Option<End>,
    open: bool,
    buffered: [usize; 2],
    last_arrival: Instant,
    certificate: [u8; 32],
    /// Silently drops everything while true.
    stalled: bool,
}

struct Server {
    up: bool,
    next_id: u64,
    members: BTreeMap<PeerId, (usize, u32)>,
}

enum Happening {
    Signaling(usize, u32, SignalingEvent),
    ToServer(usize, u32, ClientMessage),
    Connection(End, ConnectionEvent),
    Arrive(End, Channel, Vec<u8>),
    Sent(End, Channel, usize),
    Storage(usize, u32, StorageResponse),
    Wake(usize, u32),
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = Rng::new(bytes);
        let creator = DeviceKey::from_bytes([0; 32]);
        let invite = Invite::new(rng.bytes(), &creator.public());
        Self {
            now: Instant::from_micros(1_000_000),
            peers: Vec::new(),
            net: Network {
                latency: Duration::from_millis(10),
                jitter: Duration::ZERO,
                uplink: 100e6,
                tamper: None,
                meddle: None,
                opens_late: (Role::Answerer, Duration::ZERO),
                spliced: false,
            },
            rng,
            invite,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            next: 0,
            server: Server { up: true, next_id: 1, members: BTreeMap::new() },
            links: BTreeMap::new(),
        }
    }

    /// A number below `bound`, from the world's seed.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.rng.below(bound)
    }

    /// Adds a peer and lets it join. Peer 0 made the invite.
    pub(crate) fn add(&mut self) -> usize {
        self.add_with(DeviceKey::from_bytes([self.peers.len() as u8; 32]))
    }

    /// Adds a peer with the key of another, like a second tab of one browser.
    pub(crate) fn add_twin_of(&mut self, peer: usize) -> usize {
        self.add_with(self.peers[peer].key.clone())
    }

    fn add_with(&mut self, key: DeviceKey) -> usize {
        let index = self.peers.len();
        let swarm = self.machine(index, &key);
        self.peers.push(Peer {
            swarm,
            events: Vec::new(),
            sources: BTreeMap::new(),
            disk: BTreeMap::new(),
            fault: None,
            sent: 0,
            running: true,
            run: 0,
            key,
            server_id: None,
            uplink_free: self.now,
            wake: None,
        });
        let now = self.now;
        self.peers[index].swarm.join(now);
        self.drain(index);
        index
    }

    fn machine(&mut self, index: usize, key: &DeviceKey) -> Swarm {
        let config = Config {
            invite: self.invite.clone(),
            key: key.clone(),
            name: format!("peer {index}"),
            seed: self.rng.bytes(),
            limits: Limits::default(),
        };
        Swarm::new(self.now, config)
    }

    /// Shares files from a peer.
    pub(crate) fn share(&mut self, peer: usize, files: &[(&str, Vec<u8>)]) -> ShareId {
        let entries = files
            .iter()
            .map(|(path, data)| Entry {
                path: SharePath::new(path).unwrap(),
                kind: EntryKind::File { size: data.len() as u64 },
                modified_ms: None,
            })
            .collect();
        let manifest = Manifest::new(self.peers[peer].key.public(), entries).unwrap();
        let find = |path: &SharePath| {
            files.iter().find(|(name, _)| *name == path.as_str()).unwrap().1.clone()
        };
        let sources = manifest.files().map(|(_, entry)| find(&entry.path)).collect();
        let now = self.now;
        let id = self.peers[peer].swarm.share(now, manifest).unwrap();
        self.peers[peer].sources.insert(id, sources);
        self.drain(peer);
        id
    }

    pub(crate) fn receive(&mut self, peer: usize, share: ShareId) {
        let now = self.now;
        self.peers[peer].swarm.receive(now, share).unwrap();
        self.drain(peer);
    }

    /// Gives a command to a machine and does what follows.
    pub(crate) fn with<T>(
        &mut self,
        peer: usize,
        command: impl FnOnce(&mut Swarm, Instant) -> T,
    ) -> T {
        let result = command(&mut self.peers[peer].swarm, self.now);
        self.drain(peer);
        result
    }

    /// The peer leaves properly.
    pub(crate) fn leave(&mut self, peer: usize) {
        self.with(peer, Swarm::leave);
    }

    /// The peer's process ends without a word. Its disk keeps what was committed.
    pub(crate) fn crash(&mut self, peer: usize) {
        let it = &mut self.peers[peer];
        it.running = false;
        it.run += 1;
        it.sources.clear();
        for store in it.disk.values_mut() {
            store.forget_uncommitted();
        }
        if let Some(id) = it.server_id.take() {
            self.server.members.remove(&id);
            self.tell_members(&ServerMessage::PeerLeft { peer: id });
        }
        let ends: Vec<End> = self.links.keys().copied().filter(|end| end.0 == peer).collect();
        for end in ends {
            self.cut(end, Duration::from_secs(15));
        }
    }

    /// A crashed peer starts again with its disk.
    pub(crate) fn restart(&mut self, peer: usize) {
        let key = self.peers[peer].key.clone();
        let swarm = self.machine(peer, &key);
        let now = self.now;
        let it = &mut self.peers[peer];
        it.swarm = swarm;
        it.running = true;
        it.wake = None;
        it.swarm.join(now);
        self.drain(peer);
    }

    /// All connections between two peers break; both notice after `after`.
    pub(crate) fn break_path(&mut self, a: usize, b: usize, after: Duration) {
        let ends: Vec<End> = self
            .links
            .iter()
            .filter(|(end, link)| end.0 == a && link.other.is_some_and(|other| other.0 == b))
            .map(|(&end, _)| end)
            .collect();
        for end in ends {
            self.cut(end, after);
        }
    }

    /// A peer takes in everything and sends no blocks any more, as if it were frozen.
    pub(crate) fn stall(&mut self, peer: usize, stalled: bool) {
        for (_, link) in self.links.iter_mut().filter(|(end, _)| end.0 == peer) {
            link.stalled = stalled;
        }
    }

    pub(crate) fn stop_server(&mut self) {
        self.server.up = false;
        for (_, (peer, run)) in std::mem::take(&mut self.server.members) {
            let closed = SignalingEvent::Closed { reason: "server gone".into() };
            self.later(Duration::ZERO, Happening::Signaling(peer, run, closed));
        }
    }

    pub(crate) fn start_server(&mut self) {
        self.server.up = true;
    }

    pub(crate) fn view(&self, peer: usize, share: ShareId) -> Option<ShareView> {
        self.peers[peer].swarm.share_view(share)
    }

    pub(crate) fn is_complete(&self, peer: usize, share: ShareId) -> bool {
        self.view(peer, share).is_some_and(|view| view.state == ShareState::Complete)
    }

    /// Lets things happen until `done`, at most for `limit` of the world's time. Panics with how
    /// things stand if it is not done by then.
    pub(crate) fn until(
        &mut self,
        limit: Duration,
        what: &str,
        mut done: impl FnMut(&Self) -> bool,
    ) {
        let end = self.now + limit;
        while !done(self) {
            assert!(self.step(end), "{what}: not after {limit:?}; {}", self.describe());
        }
    }

    /// Lets things happen for so long.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    fn describe(&self) -> String {
        let peers = self.peers.iter().enumerate().map(|(i, peer)| {
            let shares: Vec<_> = peer
                .swarm
                .shares()
                .map(|view| {
                    format!(
                        "{:?} {:?} have {} of {}",
                        view.id,
                        view.state,
                        view.have,
                        view.manifest.total()
                    )
                })
                .collect();
            let connected = peer.swarm.peers().filter(|peer| peer.connected).count();
            format!(
                "peer {i}: joined {}, {connected} connected, {shares:?}",
                peer.swarm.is_joined()
            )
        });
        peers.collect::<Vec<_>>().join("\n")
    }

    /// One happening, if there is one before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let Some(&Reverse((at, id))) = self.queue.peek() else { return false };
        if at > end {
            return false;
        }
        self.queue.pop();
        self.now = self.now.max(at);
        let happening = self.happenings.remove(&id).expect("queued with its number");
        self.happen(happening);
        true
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.at(self.now + after, happening);
    }

    fn at(&mut self, at: Instant, happening: Happening) {
        self.next += 1;
        self.queue.push(Reverse((at, self.next)));
        self.happenings.insert(self.next, happening);
    }

    fn is_current(&self, peer: usize, run: u32) -> bool {
        self.peers[peer].running && self.peers[peer].run == run
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Signaling(peer, run, event) if self.is_current(peer, run) => {
                if matches!(event, SignalingEvent::Closed { .. }) {
                    self.peers[peer].server_id = None;
                }
                self.peers[peer].swarm.handle_signaling(now, event);
                self.drain(peer);
            }
            Happening::ToServer(peer, run, message) => self.serve(peer, run, message),
            Happening::Connection(end, event) if self.is_current(end.0, end.1) => {
                if let ConnectionEvent::Closed { .. } = event {
                    self.links.remove(&end);
                }
                if let (ConnectionEvent::Open(_), Some(link)) = (&event, self.links.get_mut(&end)) {
                    link.open = true;
                }
                self.peers[end.0].swarm.handle_connection(now, end.2, event);
                self.drain(end.0);
            }
            Happening::Arrive(end, channel, bytes)
                if self.is_current(end.0, end.1)
                    && self.links.get(&end).is_some_and(|link| link.open) =>
            {
                self.peers[end.0].swarm.handle_message(now, end.2, channel, &bytes);
                self.drain(end.0);
            }
            Happening::Sent(end, channel, bytes) if self.is_current(end.0, end.1) => {
                if let Some(link) = self.links.get_mut(&end) {
                    link.buffered[channel as usize] -= bytes;
                    let amount = link.buffered[channel as usize];
                    if amount <= LOW_WATER_BYTES && amount + bytes > LOW_WATER_BYTES {
                        self.peers[end.0].swarm.handle_buffered_amount(now, end.2, channel, amount);
                        self.drain(end.0);
                    }
                }
            }
            Happening::Storage(peer, run, response) if self.is_current(peer, run) => {
                self.peers[peer].swarm.handle_storage(now, response);
                self.drain(peer);
            }
            Happening::Wake(peer, run)
                if self.is_current(peer, run) && self.peers[peer].wake == Some(now) =>
            {
                self.peers[peer].wake = None;
                self.peers[peer].swarm.handle_timeout(now);
                self.drain(peer);
            }
            _ => {}
        }
    }

    /// The adapter's loop: does what the machine wants, until it wants nothing.
    fn drain(&mut self, index: usize) {
        let now = self.now;
        let run = self.peers[index].run;
        while let Some(transmit) = self.peers[index].swarm.poll_transmit(now) {
            self.transmit((index, run, transmit.connection), transmit);
        }
        while let Some(request) = self.peers[index].swarm.poll_signaling() {
            self.signal(index, request);
        }
        while let Some(request) = self.peers[index].swarm.poll_connection() {
            self.connect(index, request);
        }
        while let Some(request) = self.peers[index].swarm.poll_storage() {
            if let Some(response) = self.peers[index].store(request) {
                let after = Duration::from_micros(200 + u64::from(self.rng.below(2000)));
                self.later(after, Happening::Storage(index, run, response));
            }
        }
        while let Some(event) = self.peers[index].swarm.poll_event() {
            self.peers[index].events.push(event);
        }
        let peer = &mut self.peers[index];
        if let Some(at) = peer.swarm.poll_timeout().map(|at| at.max(now))
            && peer.wake.is_none_or(|wake| at < wake || wake < now)
        {
            peer.wake = Some(at);
            self.at(at, Happening::Wake(index, run));
        }
    }

    // ---- the server ----

    fn delay(&mut self) -> Duration {
        let jitter = self.net.jitter.as_micros() as u32;
        self.net.latency + Duration::from_micros(u64::from(self.rng.below(jitter.max(1))))
    }

    fn signal(&mut self, index: usize, request: SignalingRequest) {
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

    fn serve(&mut self, index: usize, run: u32, message: ClientMessage) {
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

    fn tell_members(&mut self, message: &ServerMessage) {
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

    // ---- connections ----

    fn connect(&mut self, index: usize, request: ConnectionRequest) {
        let run = self.peers[index].run;
        let end = (index, run, request.connection());
        let describe = |certificate: &[u8; 32]| {
            format!("{index} {run} {} {}", end.2.0, data_encoding::HEXLOWER.encode(certificate))
        };
        match request {
            ConnectionRequest::Open { role, .. } => {
                let certificate = self.rng.bytes();
                let link = Link {
                    other: None,
                    open: false,
                    buffered: [0; 2],
                    last_arrival: self.now,
                    certificate,
                    stalled: false,
                };
                self.links.insert(end, link);
                if role == Role::Offerer {
                    let offer = Description::Offer(describe(&certificate));
                    self.later(
                        Duration::from_millis(2),
                        Happening::Connection(end, ConnectionEvent::LocalDescription(offer)),
                    );
                }
            }
            ConnectionRequest::SetRemoteDescription { description, .. } => {
                let fields: Vec<&str> = description.sdp().split(' ').collect();
                let other: End = (
                    fields[0].parse().unwrap(),
                    fields[1].parse().unwrap(),
                    ConnectionId(fields[2].parse().unwrap()),
                );
                let Some(link) = self.links.get_mut(&end) else { return };
                link.other = Some(other);
                let certificate = link.certificate;
                match description {
                    Description::Offer(_) => {
                        let answer = Description::Answer(describe(&certificate));
                        self.later(
                            Duration::from_millis(2),
                            Happening::Connection(end, ConnectionEvent::LocalDescription(answer)),
                        );
                    }
                    Description::Answer(_) => self.open_both(end, other),
                }
            }
            ConnectionRequest::AddCandidate { .. } | ConnectionRequest::RestartIce { .. } => {}
            ConnectionRequest::Close { .. } => {
                let other = self.links.remove(&end).and_then(|link| link.other);
                if let Some(other) = other.filter(|other| self.links.contains_key(other)) {
                    // Behind whatever is still on its way.
                    let at = self.links[&other].last_arrival.max(self.now + self.net.latency);
                    let closed =
                        ConnectionEvent::Closed { reason: "closed by the other side".into() };
                    self.at(at + Duration::from_micros(1), Happening::Connection(other, closed));
                }
            }
        }
    }

    fn open_both(&mut self, offerer: End, answerer: End) {
        let (a, b) = (offerer, answerer);
        let (Some(link_a), Some(link_b)) = (self.links.get(&a), self.links.get(&b)) else { return };
        let (cert_a, cert_b) = (link_a.certificate, link_b.certificate);
        let middle = [0xaa; 32];
        for (end, local, remote) in [(a, cert_a, cert_b), (b, cert_b, cert_a)] {
            let (late, by) = self.net.opens_late;
            let is_late = end == if late == Role::Offerer { offerer } else { answerer };
            let after = self.net.latency * 3 + if is_late { by } else { Duration::ZERO };
            let remote_fingerprint = Fingerprint(if self.net.spliced { middle } else { remote });
            let opened = Opened {
                max_message_size: 262_144,
                local_fingerprint: Fingerprint(local),
                remote_fingerprint,
            };
            self.later(after, Happening::Connection(end, ConnectionEvent::Open(opened)));
        }
    }

    fn cut(&mut self, end: End, after: Duration) {
        for end in
            [Some(end), self.links.get(&end).and_then(|link| link.other)].into_iter().flatten()
        {
            if let Some(link) = self.links.get_mut(&end) {
                link.stalled = true;
                let closed = ConnectionEvent::Closed { reason: "path broken".into() };
                self.later(after, Happening::Connection(end, closed));
            }
        }
    }

    fn transmit(&mut self, end: End, mut transmit: Transmit) {
        let channel = transmit.channel;
        let Some(link) = self.links.get(&end) else { return };
        let (Some(other), false) = (link.other, link.stalled) else { return };
        assert!(link.open, "sent on a channel that is not open");
        if let Some(tamper) = &mut self.net.tamper {
            tamper(end.0, &mut transmit);
        }
        let len = transmit.bytes.len();
        let peer = &mut self.peers[end.0];
        if channel == Channel::Blocks {
            peer.sent += len as u64;
        }
        peer.uplink_free =
            peer.uplink_free.max(self.now) + Duration::from_secs_f64(len as f64 / self.net.uplink);
        let sent = peer.uplink_free;
        let arrival = sent + self.delay();
        let now = self.now;
        let link = self.links.get_mut(&end).expect("checked above");
        link.buffered[channel as usize] += len;
        let amount = link.buffered[channel as usize];
        // Ordered delivery: never before what was sent earlier.
        let arrival = arrival.max(link.last_arrival + Duration::from_micros(1));
        link.last_arrival = arrival;
        self.peers[end.0].swarm.handle_buffered_amount(now, end.2, channel, amount);
        self.at(sent, Happening::Sent(end, channel, len));
        self.at(arrival, Happening::Arrive(other, channel, transmit.bytes));
    }
}

impl Peer {
    /// Carries out a storage request.
    fn store(&mut self, request: StorageRequest) -> Option<StorageResponse> {
        let fault = self.fault.as_mut().and_then(|fault| fault(&request));
        let outcome = fault.map_or(Ok(()), Err);
        Some(match request {
            StorageRequest::Read { read, share, span } => {
                let result = outcome.and_then(|()| {
                    let files = self
                        .sources
                        .get(&share)
                        .or(self.disk.get(&share).map(|store| &store.files));
                    let file = files.and_then(|files| files.get(span.file.0 as usize));
                    let start = span.file_offset as usize;
                    let bytes = file.and_then(|file| file.get(start..start + span.length as usize));
                    bytes
                        .map(<[u8]>::to_vec)
                        .ok_or_else(|| StorageError::Gone("no such file".into()))
                });
                StorageResponse::Read { read, result }
            }
            StorageRequest::Open { share, manifest, .. } => {
                let store = self.disk.entry(share).or_insert_with(|| Store {
                    files: manifest
                        .files()
                        .map(|(_, entry)| vec![0; entry.size() as usize])
                        .collect(),
                    committed: Bitfield::new(manifest.geometry().pieces()),
                    batches: Vec::new(),
                    finished: false,
                    written: BTreeSet::new(),
                });
                let kept = Kept {
                    pieces: store.committed.clone(),
                    batches: store.batches.clone(),
                    finished: store.finished,
                };
                StorageResponse::Opened { share, result: outcome.map(|()| kept) }
            }
            StorageRequest::Write { share, piece, span, bytes } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    let start = span.file_offset as usize;
                    store.files[span.file.0 as usize][start..start + bytes.len()]
                        .copy_from_slice(&bytes);
                    store.written.insert(piece.0);
                }
                StorageResponse::Written { share, piece, result: outcome }
            }
            StorageRequest::Commit { share, pieces, batches } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    for piece in pieces {
                        assert!(
                            store.written.contains(&piece.0),
                            "committed before it was written"
                        );
                        store.committed.insert(piece);
                    }
                    store.batches.extend(batches);
                }
                StorageResponse::Committed { share, result: outcome }
            }
            StorageRequest::Finish { share } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    assert!(store.committed.is_full(), "finished before all was committed");
                    store.finished = true;
                }
                StorageResponse::Finished { share, result: outcome }
            }
            StorageRequest::Close { share, discard } => {
                self.sources.remove(&share);
                if discard {
                    self.disk.remove(&share);
                } else if let Some(store) = self.disk.get_mut(&share) {
                    store.forget_uncommitted();
                }
                return None;
            }
        })
    }

    pub(crate) fn banned(&self) -> Vec<String> {
        let names = self.events.iter().filter_map(|event| match event {
            Event::Banned { name, .. } => Some(name.clone()),
            _ => None,
        });
        names.collect()
    }
}

impl Store {
    /// A crash: what was not committed may be anything.
    fn forget_uncommitted(&mut self) {
        self.written = self.committed.iter().map(|piece| piece.0).collect();
    }
}

/// Bytes that follow from a number and are nowhere equal.
pub(crate) fn data(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}
