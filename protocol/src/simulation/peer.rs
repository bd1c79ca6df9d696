//! One machine with what an adapter would hold for it.

use std::collections::BTreeMap;

use super::disk::{Fault, Files, Storage, Store};
use super::network::Link;
use super::pipe::Pipe;
use crate::event::Event;
use crate::identity::DeviceKey;
use crate::io::ConnectionId;
use crate::manifest::{HashBatch, ShareId};
use crate::signaling::PeerId;
use crate::swarm::Swarm;
use crate::time::{Duration, Instant};

/// One machine with its adapter: files, disk, network, and what it told.
pub struct Peer {
    /// The machine.
    pub swarm: Swarm,
    /// All that it told.
    pub events: Vec<Event>,
    /// When it told that a share is complete, for the first time.
    pub completed: BTreeMap<ShareId, Instant>,
    /// Files that it shares.
    pub sources: BTreeMap<ShareId, Files>,
    /// What it received; survives crashes.
    pub disk: BTreeMap<ShareId, Store>,
    /// What it signed as an origin and was told to keep; survives crashes.
    pub kept: BTreeMap<ShareId, Vec<HashBatch>>,
    /// Carries out storage requests in place of `disk`, if there is one. A crash does not end it.
    pub storage: Option<Storage>,
    /// May fail a storage request.
    pub fault: Option<Fault>,
    /// Storage answers take up to this long, each for itself.
    pub disk_delay: Duration,
    /// Bytes per second that it can send, all connections together; the network's if `None`.
    pub uplink: Option<f64>,
    /// What the way to it adds to the latency of its paths.
    pub latency: Duration,
    /// Where it is, if the network has a border.
    pub site: usize,
    /// What it sent and received.
    pub traffic: Traffic,
    /// How many signals it sent to others through the server.
    pub signals: u64,
    /// How far its clock is ahead of the world's.
    pub(super) clock_ahead: Duration,
    pub(super) running: bool,
    /// Until then nothing that happens reaches it.
    pub(super) frozen_until: Instant,
    /// What it sends is held back.
    pub(super) muted: bool,
    /// Counts restarts: what was under way for an earlier run is void.
    pub(super) run: u32,
    pub(super) key: DeviceKey,
    /// Its WebSocket: what happens on an earlier one is void.
    pub(super) socket: u32,
    pub(super) server_id: Option<PeerId>,
    pub(super) links: BTreeMap<ConnectionId, Link>,
    pub(super) pipe: Pipe,
    pub(super) wake: Option<Instant>,
}

/// Bytes that went through a peer's data channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent on `blocks`.
    pub blocks_sent: u64,
    /// Received on `blocks`.
    pub blocks_received: u64,
    /// Sent on `control`.
    pub control_sent: u64,
    /// Received on `control`.
    pub control_received: u64,
}

impl Peer {
    pub(super) fn new(swarm: Swarm, key: DeviceKey) -> Self {
        Self {
            swarm,
            events: Vec::new(),
            completed: BTreeMap::new(),
            sources: BTreeMap::new(),
            disk: BTreeMap::new(),
            kept: BTreeMap::new(),
            storage: None,
            fault: None,
            disk_delay: Duration::from_millis(2),
            uplink: None,
            latency: Duration::ZERO,
            site: 0,
            traffic: Traffic::default(),
            signals: 0,
            clock_ahead: Duration::ZERO,
            running: true,
            frozen_until: Instant::ZERO,
            muted: false,
            run: 0,
            key,
            socket: 0,
            server_id: None,
            links: BTreeMap::new(),
            pipe: Pipe::default(),
            wake: None,
        }
    }

    /// The names of those it shut out.
    pub fn banned(&self) -> Vec<String> {
        let names = self.events.iter().filter_map(|event| match event {
            Event::Banned { name, .. } => Some(name.clone()),
            _ => None,
        });
        names.collect()
    }

    /// Whether it neither crashed nor left.
    pub fn is_running(&self) -> bool {
        self.running
    }
}
