//! A room in one thread: any number of machines, a signaling server, connections, disks, and a clock
//! that jumps to whatever happens next. Everything follows from a seed, so a failing run replays.
//!
//! What it simulates: latency and jitter, one uplink rate per peer shared by its connections, bounded
//! channel buffers, connections that break, disks that fail or lose what was not committed, peers that
//! crash and come back with their disk, a server that goes away. What it leaves out: SDP, ICE and DTLS;
//! a description here only says which end it comes from and which certificate it shows.
//!
//! | file | concern |
//! |---|---|
//! | `mod.rs` | the world: its clock, its queue, and the adapter's loop of each peer |
//! | `peer.rs` | one machine with what belongs to it |
//! | `network.rs` | connections, and how messages travel on them |
//! | `server.rs` | the signaling server |
//! | `disk.rs` | files, stores, and what they must never be told to do |
//!
//! Compiled for tests, and with the feature `simulation` for tools.

mod disk;
mod network;
mod peer;
mod server;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::event::{ShareState, ShareView};
use crate::identity::DeviceKey;
use crate::invite::Invite;
use crate::io::*;
use crate::manifest::{Entry, EntryKind, Manifest, ShareId, SharePath};
use crate::policy::Policy;
use crate::rng::Rng;
use crate::signaling::{ClientMessage, ServerMessage};
use crate::swarm::{Config, Swarm};
use crate::time::{Duration, Instant};

pub use disk::{Fault, Store};
pub use network::{Meddle, Network, Tamper};
pub use peer::Peer;

use network::{End, Link};
use server::Server;

/// The machines of a room and all that is between them.
pub struct World {
    /// The world's time.
    pub now: Instant,
    /// Everybody, crashed or not, by index.
    pub peers: Vec<Peer>,
    /// How the network is, at the moment.
    pub net: Network,
    rng: Rng,
    invite: Invite,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next: u64,
    server: Server,
    links: BTreeMap<End, Link>,
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
    /// A world without peers, all of whose chances follow from a seed.
    pub fn new(seed: u64) -> Self {
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
    pub fn below(&mut self, bound: u32) -> u32 {
        self.rng.below(bound)
    }

    /// Adds a peer and lets it join. Peer 0 made the invite.
    pub fn add(&mut self) -> usize {
        self.add_with(DeviceKey::from_bytes([self.peers.len() as u8; 32]))
    }

    /// Adds a peer with the key of another, like a second tab of one browser.
    pub fn add_twin_of(&mut self, peer: usize) -> usize {
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
            policy: Policy::default(),
        };
        Swarm::new(self.now, config)
    }

    /// Shares files from a peer.
    pub fn share(&mut self, peer: usize, files: &[(&str, Vec<u8>)]) -> ShareId {
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

    /// Lets a peer fetch a share that is on its shelf.
    pub fn receive(&mut self, peer: usize, share: ShareId) {
        let now = self.now;
        self.peers[peer].swarm.receive(now, share).unwrap();
        self.drain(peer);
    }

    /// Gives a command to a machine and does what follows.
    pub fn with<T>(&mut self, peer: usize, command: impl FnOnce(&mut Swarm, Instant) -> T) -> T {
        let result = command(&mut self.peers[peer].swarm, self.now);
        self.drain(peer);
        result
    }

    /// The peer leaves properly.
    pub fn leave(&mut self, peer: usize) {
        self.with(peer, Swarm::leave);
    }

    /// The peer's process ends without a word. Its disk keeps what was committed.
    pub fn crash(&mut self, peer: usize) {
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
    pub fn restart(&mut self, peer: usize) {
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

    /// A share as a peer sees it.
    pub fn view(&self, peer: usize, share: ShareId) -> Option<ShareView> {
        self.peers[peer].swarm.share_view(share)
    }

    /// Whether a peer says that it has all of a share.
    pub fn is_complete(&self, peer: usize, share: ShareId) -> bool {
        self.view(peer, share).is_some_and(|view| view.state == ShareState::Complete)
    }

    /// Lets things happen until `done`, at most for `limit` of the world's time. Panics with how
    /// things stand if it is not done by then.
    pub fn until(&mut self, limit: Duration, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let end = self.now + limit;
        while !done(self) {
            assert!(self.step(end), "{what}: not after {limit:?}; {}", self.describe());
        }
    }

    /// Lets things happen for so long.
    pub fn run_for(&mut self, time: Duration) {
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
}

/// Bytes that follow from a number and are nowhere equal.
pub fn data(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}
