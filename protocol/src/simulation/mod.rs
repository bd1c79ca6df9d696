//! A room in one thread: any number of machines, a signaling server, connections, disks, and a clock
//! that jumps to whatever happens next. Everything follows from a seed, so a failing run replays.
//!
//! What it simulates: latency and jitter, uplinks shared by a peer's connections, a border between two
//! sites, bounded channel buffers, paths that break or are blocked for a while, ICE restarts, disks that
//! fail or lose what was not committed, peers that crash and come back with their disk, freeze, or find
//! that their clock has jumped, a server that goes away or delays, repeats and reorders signals. What it
//! leaves out: SDP, ICE's candidates, DTLS, congestion control, loss of single packets; a description here
//! only says which end it comes from and which certificate it shows.
//!
//! | file | concern |
//! |---|---|
//! | `mod.rs` | the world: its clock, and the adapter's loop of each peer |
//! | `queue.rs` | what happens when |
//! | `peer.rs` | one machine with what belongs to it |
//! | `network.rs` | connections, and how messages travel on them |
//! | `pipe.rs` | what goes through an uplink or border next |
//! | `server.rs` | the signaling server |
//! | `disk.rs` | files, stores, and what they must never be told to do |
//! | `scenario.rs` | rooms that are measured |
//! | `faults.rs` | rooms in which everything goes wrong |
//!
//! Compiled for tests, and with the feature `simulation` for tools.

mod disk;
pub mod faults;
mod network;
mod peer;
mod pipe;
mod queue;
pub mod scenario;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{Event, PeerView, ShareState, ShareView};
use crate::identity::DeviceKey;
use crate::invite::Invite;
use crate::io::*;
use crate::manifest::{Entry, EntryKind, Manifest, ShareId, SharePath, SignedManifest};
use crate::policy::Policy;
use crate::rng::Rng;
use crate::signaling::ClientMessage;
use crate::swarm::{Config, Swarm};
use crate::time::{Duration, Instant};

pub use disk::{Fault, Files, Storage, Store};
pub use network::{Border, Meddle, Network, Tamper};
pub use peer::{Peer, Traffic};

use network::Place;
use pipe::{End, Parcel, Pipe};
use queue::Queue;
use server::Server;

/// The machines of a room and all that is between them.
pub struct World {
    /// The world's time.
    pub now: Instant,
    /// Everybody, crashed or not, by index.
    pub peers: Vec<Peer>,
    /// How the network is, at the moment.
    pub net: Network,
    /// What the users have set on machines that start from now on.
    pub policy: Policy,
    /// Bytes of blocks that went from one site to the other.
    pub crossed: u64,
    rng: Rng,
    invite: Invite,
    /// What was shared, as it was when it was shared first.
    contents: BTreeMap<ShareId, Files>,
    queue: Queue<Happening>,
    server: Server,
    /// The border, one pipe each way.
    border: [Pipe; 2],
    /// Pairs of peers between which nothing passes.
    blocked: BTreeSet<(usize, usize)>,
}

enum Happening {
    /// To the WebSocket of this number.
    Signaling(usize, u32, SignalingEvent),
    ToServer(usize, u32, ClientMessage),
    Connection(End, ConnectionEvent),
    IceCheck(End, Instant),
    /// A parcel has gone through a pipe.
    Left(Place, Parcel),
    /// A channel's buffer has run low.
    Low(End, Channel),
    Arrive(Parcel),
    Storage(usize, u32, StorageResponse),
    Wake(usize, u32),
    Thaw(usize),
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
            net: Network::default(),
            policy: Policy::default(),
            crossed: 0,
            rng,
            invite,
            contents: BTreeMap::new(),
            queue: Queue::new(),
            server: Server::new(),
            border: Default::default(),
            blocked: BTreeSet::new(),
        }
    }

    /// A number below `bound`, from the world's seed.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.rng.below(bound)
    }

    /// Adds a peer and lets it join. Peer 0 made the invite.
    pub fn add(&mut self) -> usize {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(self.peers.len() as u64).to_le_bytes());
        self.add_with(DeviceKey::from_bytes(bytes))
    }

    /// Adds a peer with the key of another, like a second tab of one browser.
    pub fn add_twin_of(&mut self, peer: usize) -> usize {
        self.add_with(self.peers[peer].key.clone())
    }

    fn add_with(&mut self, key: DeviceKey) -> usize {
        let index = self.peers.len();
        let swarm = self.machine(index, &key);
        self.peers.push(Peer::new(swarm, key));
        self.with(index, Swarm::join);
        index
    }

    fn machine(&mut self, index: usize, key: &DeviceKey) -> Swarm {
        let config = Config {
            invite: self.invite.clone(),
            key: key.clone(),
            name: format!("peer {index}"),
            unix_ms: 1_800_000_000_000 + self.now.as_micros() / 1000,
            seed: self.rng.bytes(),
            policy: self.policy.clone(),
        };
        Swarm::new(self.clock(index), config)
    }

    /// Shares files from a peer.
    pub fn share(&mut self, peer: usize, files: &[(&str, Vec<u8>)]) -> ShareId {
        let by_path: BTreeMap<&str, &Vec<u8>> = files.iter().map(|(name, f)| (*name, f)).collect();
        let entries = files
            .iter()
            .map(|(path, data)| Entry {
                path: SharePath::new(path).expect("the path is valid"),
                kind: EntryKind::File { size: data.len() as u64 },
                modified_ms: None,
            })
            .collect();
        let key = self.peers[peer].key.public();
        let manifest = Manifest::new(key, entries).expect("the files make a manifest");
        let files = manifest.files().map(|(_, entry)| by_path[entry.path.as_str()].clone());
        let sources: Files = Arc::new(files.collect());
        let clock = self.clock(peer);
        let id = self.peers[peer].swarm.share(clock, manifest, vec![]).expect("it is ours");
        self.contents.entry(id).or_insert_with(|| Arc::clone(&sources));
        self.peers[peer].sources.insert(id, sources);
        self.drain(peer);
        id
    }

    /// Shares again from a peer what was shared before, as if it had kept its files.
    pub fn share_again(&mut self, peer: usize, share: ShareId, manifest: &Manifest) {
        let files = Arc::clone(&self.contents[&share]);
        self.peers[peer].sources.insert(share, files);
        let kept = self.peers[peer].kept.get(&share).cloned().unwrap_or_default();
        let again = self.with(peer, |swarm, now| swarm.share(now, manifest.clone(), kept));
        assert_eq!(again, Ok(share), "the same files are the same share");
    }

    /// Lets a peer fetch a share that is on its shelf.
    pub fn receive(&mut self, peer: usize, share: ShareId) {
        self.with(peer, |swarm, now| swarm.receive(now, share)).expect("it is on the shelf");
    }

    /// Gives a command to a machine and does what follows.
    pub fn with<T>(&mut self, peer: usize, command: impl FnOnce(&mut Swarm, Instant) -> T) -> T {
        let clock = self.clock(peer);
        let result = command(&mut self.peers[peer].swarm, clock);
        self.drain(peer);
        result
    }

    /// The peer leaves properly.
    pub fn leave(&mut self, peer: usize) {
        self.with(peer, Swarm::leave);
        self.peers[peer].running = false;
    }

    /// The peer's process ends without a word. Its disk keeps what was committed.
    pub fn crash(&mut self, peer: usize) {
        let run = self.peers[peer].run;
        let links: Vec<ConnectionId> = self.peers[peer].links.keys().copied().collect();
        for connection in links {
            self.cut((peer, run, connection), network::GONE_AFTER);
        }
        let it = &mut self.peers[peer];
        it.running = false;
        it.run += 1;
        it.links.clear();
        it.pipe.clear();
        it.sources.clear();
        for store in it.disk.values_mut() {
            store.crash(self.rng.below(2) == 0);
        }
        self.forget_at_server(peer);
    }

    /// A crashed peer starts again with its disk, or one that left comes back. It tells its machine what the
    /// disk holds of shares.
    pub fn restart(&mut self, peer: usize) {
        let key = self.peers[peer].key.clone();
        let swarm = self.machine(peer, &key);
        let it = &mut self.peers[peer];
        it.run += 1;
        it.links.clear();
        it.swarm = swarm;
        it.running = true;
        it.wake = None;
        let stores =
            it.disk.values().map(|store| (SignedManifest::clone(&store.signed), store.recalled()));
        for (signed, recalled) in stores.collect::<Vec<_>>() {
            let back = self.with(peer, |swarm, now| swarm.recall(now, signed, recalled));
            back.expect("it was verified before it was stored");
        }
        self.with(peer, Swarm::join);
    }

    /// The peer's process stands still and its packets with it; then it goes on as if nothing was.
    pub fn freeze(&mut self, peer: usize, time: Duration) {
        let until = self.now + time;
        self.peers[peer].frozen_until = until;
        for other in (0..self.peers.len()).filter(|&other| other != peer) {
            self.block_path(peer, other);
        }
        self.at(until, Happening::Thaw(peer));
    }

    /// The peer's clock jumps ahead, as after a computer has slept.
    pub fn jump_clock(&mut self, peer: usize, by: Duration) {
        self.peers[peer].clock_ahead += by;
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

    /// The bytes of memory that each machine holds, by what is `in_use` before and after it is dropped. What
    /// only the simulation holds is not counted; what storage shares with a machine is.
    pub fn weigh(self, in_use: impl Fn() -> usize) -> Vec<usize> {
        let Self { peers, queue, contents, .. } = self;
        let machines: Vec<Box<Swarm>> =
            peers.into_iter().map(|peer| Box::new(peer.swarm)).collect();
        drop((queue, contents));
        let weigh = |machine: Box<Swarm>| {
            let before = in_use();
            drop(machine);
            before - in_use()
        };
        machines.into_iter().map(weigh).collect()
    }

    /// How things stand.
    pub fn describe(&self) -> String {
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
            let connected = peer.swarm.peers().filter(PeerView::is_connected).count();
            format!(
                "peer {i}: joined {}, {connected} connected, {shares:?}",
                peer.swarm.is_joined()
            )
        });
        peers.collect::<Vec<_>>().join("\n")
    }

    /// One happening, if there is one until `end`; false if there is none.
    pub fn step(&mut self, end: Instant) -> bool {
        let Some((at, happening)) = self.queue.pop(end) else { return false };
        self.now = self.now.max(at);
        self.happen(happening);
        true
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.at(self.now + after, happening);
    }

    fn at(&mut self, at: Instant, happening: Happening) {
        self.queue.push(at, happening);
    }

    /// What a peer's clock shows.
    fn clock(&self, peer: usize) -> Instant {
        self.now + self.peers.get(peer).map_or(Duration::ZERO, |peer| peer.clock_ahead)
    }

    fn is_current(&self, peer: usize, run: u32) -> bool {
        self.peers[peer].running && self.peers[peer].run == run
    }

    fn happen(&mut self, happening: Happening) {
        let (peer, run) = match &happening {
            Happening::ToServer(..) | Happening::Left(..) | Happening::IceCheck(..) => {
                return self.happen_outside(happening);
            }
            Happening::Thaw(_) => return self.happen_outside(happening),
            // Sockets have numbers of their own.
            Happening::Signaling(peer, ..) => (*peer, self.peers[*peer].run),
            Happening::Storage(peer, run, _) | Happening::Wake(peer, run) => (*peer, *run),
            Happening::Connection(end, _) | Happening::Low(end, _) => (end.0, end.1),
            Happening::Arrive(parcel) => (parcel.to.0, parcel.to.1),
        };
        if !self.is_current(peer, run) {
            return;
        }
        let thaws = self.peers[peer].frozen_until;
        if thaws > self.now {
            return self.at(thaws, happening);
        }
        if self.happen_to(peer, happening) {
            self.drain(peer);
        }
    }

    /// What machines do not notice at once.
    fn happen_outside(&mut self, happening: Happening) {
        match happening {
            Happening::ToServer(peer, socket, message) => self.serve(peer, socket, message),
            Happening::Left(place, parcel) => self.left(place, parcel),
            Happening::IceCheck(end, since) => self.check_ice(end, since),
            Happening::Thaw(peer) if self.peers[peer].frozen_until <= self.now => {
                for other in (0..self.peers.len()).filter(|&other| other != peer) {
                    self.heal_path(peer, other);
                }
            }
            _ => {}
        }
    }

    /// Tells a machine what happened; false if it was of no interest any more.
    fn happen_to(&mut self, peer: usize, happening: Happening) -> bool {
        let (now, clock) = (self.now, self.clock(peer));
        match happening {
            Happening::Signaling(_, socket, event) => {
                if self.peers[peer].socket != socket {
                    return false;
                }
                self.peers[peer].swarm.handle_signaling(clock, event);
            }
            Happening::Connection(end, event) => {
                if let ConnectionEvent::Closed { .. } = event {
                    self.peers[peer].links.remove(&end.2);
                }
                if let (ConnectionEvent::Open(_), Some(link)) = (&event, self.link_mut(end)) {
                    link.open = true;
                    if let Some(other) = link.other
                        && self.is_blocked(end.0, other.0)
                    {
                        self.block(end);
                    }
                }
                self.peers[peer].swarm.handle_connection(clock, end.2, event);
            }
            Happening::Arrive(Parcel { to, channel, message, .. }) => {
                let Some(bytes) = message else {
                    self.peers[peer].links.remove(&to.2);
                    let reason = "closed by the other side".into();
                    let event = ConnectionEvent::Closed { reason };
                    self.peers[peer].swarm.handle_connection(clock, to.2, event);
                    return true;
                };
                if !self.link(to).is_some_and(|link| link.open) {
                    return false;
                }
                let it = &mut self.peers[peer];
                match channel {
                    Channel::Control => it.traffic.control_received += bytes.len() as u64,
                    Channel::Blocks => it.traffic.blocks_received += bytes.len() as u64,
                }
                it.swarm.handle_message(clock, to.2, channel, &bytes);
            }
            Happening::Low(end, channel) => {
                let Some(link) = self.link(end) else { return false };
                let amount = link.buffered[channel as usize];
                self.peers[peer].swarm.handle_buffered_amount(clock, end.2, channel, amount);
            }
            Happening::Storage(_, _, response) => {
                if let StorageResponse::Committed { share, .. } = &response
                    && let Some(store) = self.peers[peer].disk.get_mut(share)
                {
                    store.answered();
                }
                self.peers[peer].swarm.handle_storage(clock, response);
            }
            Happening::Wake(..) => {
                // Another was set for earlier, and this one is of no use any more; or it was frozen.
                if self.peers[peer].wake.is_none_or(|wake| wake > now) {
                    return false;
                }
                self.peers[peer].wake = None;
                self.peers[peer].swarm.handle_timeout(clock);
            }
            _ => return false,
        }
        true
    }

    /// The adapter's loop: does what the machine wants, until it wants nothing.
    fn drain(&mut self, index: usize) {
        let (now, clock) = (self.now, self.clock(index));
        let run = self.peers[index].run;
        while let Some(transmit) = self.peers[index].swarm.poll_transmit(clock) {
            self.transmit((index, run, transmit.connection), transmit);
        }
        while let Some(request) = self.peers[index].swarm.poll_signaling() {
            self.signal(index, request);
        }
        while let Some(request) = self.peers[index].swarm.poll_connection() {
            self.connect(index, request);
        }
        while let Some(request) = self.peers[index].swarm.poll_storage() {
            if let Some(response) = self.peers[index].store(now, request, &self.contents) {
                let longest = self.peers[index].disk_delay.as_micros() as u32;
                let after = Duration::from_micros(200 + u64::from(self.rng.below(longest)));
                self.later(after, Happening::Storage(index, run, response));
            }
        }
        while let Some(event) = self.peers[index].swarm.poll_event() {
            if let Event::Completed { share } = event {
                self.peers[index].completed.entry(share).or_insert(now);
            }
            self.peers[index].events.push(event);
        }
        let peer = &mut self.peers[index];
        let wake = peer.swarm.poll_timeout().map(|at| now + at.saturating_since(clock));
        if let Some(at) = wake.filter(|&at| peer.wake.is_none_or(|wake| at < wake || wake < now)) {
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
