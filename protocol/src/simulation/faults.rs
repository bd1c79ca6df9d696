//! Small rooms in which everything goes wrong: sixteen kinds of faults, begun and ended at random,
//! while everybody fetches one share. When all has passed, everybody must end with the right bytes.
//!
//! People are part of it: whoever's disk was full makes room and tries again, an origin that crashed
//! comes back and shares the same files, whoever came back asks for the share again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Peer, World};
use crate::event::{Event, ShareState, Waiting};
use crate::io::{Channel, StorageError, StorageRequest};
use crate::manifest::{Manifest, ShareId};
use crate::time::{Duration, Instant};

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection of two breaks for good; they make another.
    ConnectionLost,
    /// Nothing passes between two for a moment, then all at once.
    Burst,
    /// What is in no order overtakes: signals, and the answers of disks.
    Reorder,
    /// Signals come twice.
    Duplicate,
    /// The room falls into two parts, and one of them loses the server.
    Partition,
    /// A process ends, and its disk is lost with it.
    Crash,
    /// A process ends, and comes back with what its disk holds.
    Restart,
    /// A process stands still.
    Freeze,
    /// A clock jumps ahead.
    ClockJump,
    /// An uplink and a disk become slow.
    Slow,
    /// A peer sends wrong bytes from now on.
    Liar,
    /// A disk has no room.
    FullDisk,
    /// A disk fails in the middle of a write; then the power fails.
    TornWrite,
    /// The server goes away, and comes back knowing nobody.
    ServerLost,
    /// A peer loses its connection to the server, which keeps its place.
    SocketLost,
    /// A peer's network goes, as its system says, and comes back.
    NetworkLost,
}

/// How a room was, to say so when something is wrong, and to see that everything happened.
#[derive(Clone, Debug)]
pub struct Story {
    /// What went wrong, in order.
    pub faults: Vec<Fault>,
    /// How long it took.
    pub took: Duration,
    /// How many peers lied.
    pub liars: usize,
    /// How often somebody was shut out.
    pub banned: usize,
    /// Bytes that came in vain to those who did not lie: late answers, answers to what was cancelled,
    /// what broke off, and lies.
    pub wasted: u64,
    /// How many connections were made again.
    pub reconnected: usize,
}

/// When all faults are over, it takes no longer than this: some thirty tries to connect.
const LIMIT: Duration = Duration::from_secs(1200);
/// How often people look, and act.
const LOOK: Duration = Duration::from_secs(3);

struct Room {
    world: World,
    share: ShareId,
    manifest: Manifest,
    bytes: u64,
    uplink: f64,
    /// Who lies.
    liars: BTreeSet<usize>,
    /// What ends when: a number tells apart what ends at the same time.
    endings: BTreeMap<(Instant, usize), Ending>,
    story: Vec<Fault>,
}

enum Ending {
    Heal(usize, usize),
    Calm,
    Return(usize),
    Recover(usize),
    Serve,
    Network(usize),
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::ConnectionLost,
        Self::Burst,
        Self::Reorder,
        Self::Duplicate,
        Self::Partition,
        Self::Crash,
        Self::Restart,
        Self::Freeze,
        Self::ClockJump,
        Self::Slow,
        Self::Liar,
        Self::FullDisk,
        Self::TornWrite,
        Self::ServerLost,
        Self::SocketLost,
        Self::NetworkLost,
    ];
}

/// Lets a room go through some faults. Panics, with the cause, where anything is not as it must be.
pub fn go_through(seed: u64) -> Story {
    let mut room = Room::new(seed);
    let start = room.world.now;
    for _ in 0..3 + room.world.below(6) {
        let pause = room.time(2500);
        room.run_for(pause);
        let fault = Fault::ALL[room.world.below(16) as usize];
        room.begin(fault);
    }
    room.end_all();
    let wasted = room.finish();
    Story {
        took: room.world.now - start,
        liars: room.liars.len(),
        banned: room.world.peers.iter().map(|peer| peer.banned().len()).sum(),
        wasted,
        reconnected: room.world.peers.iter().map(reconnected).sum(),
        faults: room.story,
    }
}

/// How many connections a peer made to others with whom it had had one.
fn reconnected(peer: &Peer) -> usize {
    let mut gone = 0;
    let mut again = 0;
    for event in &peer.events {
        match event {
            Event::PeerGone { .. } => gone += 1,
            Event::PeerConnected { .. } if gone > again => again += 1,
            _ => {}
        }
    }
    again
}

impl Room {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let count = 3 + world.below(3) as usize;
        world.net.latency = Duration::from_micros(u64::from(500 + world.below(100_000)));
        world.net.jitter = Duration::from_millis(u64::from(world.below(60)));
        for _ in 0..count {
            world.add();
        }

        let names: Vec<String> = (0..6 + world.below(30)).map(|i| format!("folder/{i}")).collect();
        let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
        for (i, name) in names.iter().enumerate() {
            // Some rooms have a file of several pieces, and pieces of several blocks.
            let large = i == 0 && seed.is_multiple_of(8);
            let len = world.below(if large { 700_000 } else { 4000 }) as usize;
            files.push((name, super::data(seed as u8 ^ i as u8, len)));
        }
        let bytes: u64 = files.iter().map(|(_, file)| file.len() as u64).sum();
        let uplink = bytes as f64 / f64::from(1 + world.below(8));
        world.net.uplink = uplink;
        let share = world.share(0, &files);
        let manifest = world.view(0, share).expect("it was shared").manifest;
        Self {
            world,
            share,
            manifest: (*manifest).clone(),
            bytes,
            uplink,
            liars: BTreeSet::new(),
            endings: BTreeMap::new(),
            story: Vec::new(),
        }
    }

    /// Somebody.
    fn anybody(&mut self) -> usize {
        let count = self.world.peers.len() as u32;
        self.world.below(count) as usize
    }

    /// At most so many milliseconds.
    fn time(&mut self, at_most: u32) -> Duration {
        Duration::from_millis(u64::from(self.world.below(at_most)))
    }

    fn ends(&mut self, after: Duration, ending: Ending) {
        let key = (self.world.now + after, self.story.len() * 100 + self.endings.len());
        self.endings.insert(key, ending);
    }

    fn begin(&mut self, fault: Fault) {
        let (a, b) = (self.anybody(), self.anybody());
        if !self.is_possible(fault, a, b) {
            return;
        }
        self.story.push(fault);
        match fault {
            Fault::ConnectionLost => {
                let after = self.time(1000);
                self.world.break_path(a, b, after);
            }
            Fault::Burst => {
                self.world.block_path(a, b);
                let after = self.time(4000);
                self.ends(after, Ending::Heal(a, b));
            }
            Fault::Reorder => {
                self.world.net.signal_delay = Duration::from_secs(2);
                self.world.peers[a].disk_delay = Duration::from_millis(400);
                self.ends(Duration::from_secs(10), Ending::Calm);
            }
            Fault::Duplicate => {
                self.world.net.doubled_signals = 500;
                self.world.net.signal_delay = Duration::from_millis(50);
                self.ends(Duration::from_secs(20), Ending::Calm);
            }
            Fault::Partition => {
                let (after, sides) = (self.time(60_000), self.world.below(30));
                let count = self.world.peers.len();
                for (a, b) in (0..count).flat_map(|a| (0..a).map(move |b| (a, b))) {
                    if sides >> a & 1 != sides >> b & 1 {
                        self.world.block_path(a, b);
                        self.ends(after, Ending::Heal(a, b));
                    }
                }
                for peer in (0..count).filter(|peer| sides >> peer & 1 == 1) {
                    self.world.break_signaling(peer);
                }
            }
            Fault::Crash | Fault::Restart | Fault::TornWrite => {
                self.world.crash(a);
                if fault == Fault::Crash {
                    self.world.peers[a].disk.clear();
                }
                let after = self.time(20_000);
                self.ends(after, Ending::Return(a));
            }
            Fault::Freeze => {
                let time = self.time(40_000);
                self.world.freeze(a, time);
            }
            Fault::ClockJump => {
                let by = self.time(3_600_000);
                self.world.jump_clock(a, by);
            }
            Fault::Slow => {
                self.world.peers[a].uplink = Some(self.uplink / 20.0);
                self.world.peers[a].disk_delay = Duration::from_millis(700);
                let after = self.time(20_000);
                self.ends(after, Ending::Recover(a));
            }
            Fault::Liar => self.lie(a),
            Fault::FullDisk => {
                self.world.peers[a].fault = Some(Box::new(|request| match request {
                    StorageRequest::Reserve { .. }
                    | StorageRequest::Write { .. }
                    | StorageRequest::Commit { .. }
                    | StorageRequest::Finish { .. } => Some(StorageError::Full { available: None }),
                    _ => None,
                }));
                let after = self.time(8000);
                self.ends(after, Ending::Recover(a));
            }
            Fault::ServerLost => {
                self.world.stop_server();
                let after = self.time(30_000);
                self.ends(after, Ending::Serve);
            }
            Fault::SocketLost => self.world.break_signaling(a),
            Fault::NetworkLost => {
                let after = self.time(60_000);
                for other in (0..self.world.peers.len()).filter(|&other| other != a) {
                    self.world.block_path(a, other);
                    self.ends(after, Ending::Heal(a, other));
                }
                self.world.break_signaling(a);
                self.world.with(a, |swarm, now| swarm.handle_network(now, false));
                self.ends(after, Ending::Network(a));
            }
        }
        if fault == Fault::TornWrite {
            // What it finds when it comes back does not work at first, either.
            let mut count = 0;
            self.world.peers[a].fault = Some(Box::new(move |request| {
                let StorageRequest::Write { .. } = request else { return None };
                count += 1;
                (count == 3).then(|| StorageError::Other("the write was cut short".into()))
            }));
        }
    }

    fn is_possible(&self, fault: Fault, a: usize, b: usize) -> bool {
        match fault {
            Fault::ConnectionLost | Fault::Burst => a != b,
            Fault::Crash
            | Fault::Restart
            | Fault::TornWrite
            | Fault::Freeze
            | Fault::NetworkLost => self.world.peers[a].is_running(),
            Fault::Slow | Fault::FullDisk => {
                self.world.peers[a].is_running() && self.world.peers[a].fault.is_none()
            }
            // Where the origin lies there is no truth, and somebody is to receive it.
            Fault::Liar => a != 0 && self.liars.len() + 2 < self.world.peers.len(),
            _ => true,
        }
    }

    fn lie(&mut self, liar: usize) {
        self.liars.insert(liar);
        let liars = self.liars.clone();
        self.world.net.tamper = Some(Box::new(move |from, transmit| {
            if liars.contains(&from)
                && transmit.channel == Channel::Blocks
                && let Some(last) = transmit.bytes.last_mut()
            {
                *last ^= 0x40;
            }
        }));
    }

    fn end(&mut self, ending: Ending) {
        match ending {
            Ending::Heal(a, b) => self.world.heal_path(a, b),
            Ending::Calm => {
                self.world.net.signal_delay = Duration::ZERO;
                self.world.net.doubled_signals = 0;
                for peer in &mut self.world.peers {
                    peer.disk_delay = Duration::from_millis(2);
                }
            }
            Ending::Return(peer) => self.world.restart(peer),
            Ending::Recover(peer) => {
                let peer = &mut self.world.peers[peer];
                peer.uplink = None;
                peer.disk_delay = Duration::from_millis(2);
                peer.fault = None;
            }
            Ending::Serve => self.world.start_server(),
            Ending::Network(peer) => {
                if self.world.peers[peer].is_running() {
                    self.world.with(peer, |swarm, now| swarm.handle_network(now, true));
                }
            }
        }
    }

    fn end_all(&mut self) {
        while let Some((&(at, _), _)) = self.endings.first_key_value() {
            self.run_for(at.saturating_since(self.world.now));
        }
        for peer in &mut self.world.peers {
            peer.fault = None;
        }
    }

    /// Lets things happen, faults end, and people act.
    fn run_for(&mut self, time: Duration) {
        let end = self.world.now + time;
        loop {
            self.act();
            let next = self.endings.first_key_value().map(|(&(at, _), _)| at);
            let until = end.min(self.world.now + LOOK).min(next.unwrap_or(end));
            self.world.run_for(until.saturating_since(self.world.now));
            while let Some(entry) = self.endings.first_entry()
                && entry.key().0 <= self.world.now
            {
                let ending = entry.remove();
                self.end(ending);
            }
            if self.world.now >= end {
                return;
            }
        }
    }

    /// What people do: share again, ask for the share, try again after a failure.
    fn act(&mut self) {
        for peer in 0..self.world.peers.len() {
            if !self.world.peers[peer].is_running() {
                continue;
            }
            let state = self.world.view(peer, self.share).map(|view| view.state);
            match state {
                Some(ShareState::Shared) => {}
                _ if peer == 0 => self.world.share_again(0, self.share, &self.manifest),
                Some(ShareState::Available | ShareState::Failed(_)) => {
                    self.world.receive(peer, self.share);
                }
                _ => {}
            }
        }
    }

    /// All faults are over: everybody ends with the share, and as it was. Gives how many bytes came to
    /// them in vain.
    fn finish(&mut self) -> u64 {
        let receivers: Vec<usize> =
            (1..self.world.peers.len()).filter(|peer| !self.liars.contains(peer)).collect();
        let end = self.world.now + LIMIT;
        while !receivers.iter().all(|&peer| self.world.is_complete(peer, self.share)) {
            assert!(
                self.world.now < end,
                "stuck after {:?}, liars {:?}:\n{}",
                self.story,
                self.liars,
                self.world.describe()
            );
            self.run_for(LOOK);
        }
        let mut wasted = 0;
        for &peer in &receivers {
            let store = &self.world.peers[peer].disk[&self.share];
            assert!(store.finished && store.corrupt() == 0, "peer {peer} has other bytes");
            let view = self.world.view(peer, self.share).expect("it is complete");
            wasted += view.wasted;
            assert_eq!(
                view.fetched + view.reused,
                self.bytes,
                "peer {peer} fetched what it had, or has what it did not fetch; {:?}",
                self.story
            );
        }
        for (index, peer) in self.world.peers.iter().enumerate() {
            let wrongly = peer
                .banned()
                .into_iter()
                .find(|name| !self.liars.iter().any(|liar| *name == format!("peer {liar}")));
            assert_eq!(wrongly, None, "shut out by peer {index} after {:?}", self.story);
        }
        for liar in self.liars.clone() {
            self.explain(liar);
        }
        wasted
    }

    /// How the share stands with whoever lied has a name, too.
    fn explain(&mut self, liar: usize) {
        let Some(view) = self.world.view(liar, self.share) else { return };
        if !matches!(view.state, ShareState::Complete | ShareState::Available) {
            self.run_for(Duration::from_secs(120));
        }
        let Some(view) = self.world.view(liar, self.share) else { return };
        let explained = match view.state {
            ShareState::Available | ShareState::Complete | ShareState::Failed(_) => true,
            _ => matches!(view.waits_for(), Some(Waiting::Source | Waiting::Silence)),
        };
        let (state, waiting) = (view.state, view.waiting);
        assert!(explained, "peer {liar} shows {state:?}, {waiting:?} after {:?}", self.story);
    }
}
