//! One machine with what an adapter would hold for it.

use std::collections::BTreeMap;

use super::{Fault, Store};
use crate::event::Event;
use crate::identity::DeviceKey;
use crate::manifest::ShareId;
use crate::signaling::PeerId;
use crate::swarm::Swarm;
use crate::time::Instant;

/// One machine with its adapter: files, disk, and what it told.
pub struct Peer {
    /// The machine.
    pub swarm: Swarm,
    /// All that it told.
    pub events: Vec<Event>,
    /// Files that it shares.
    pub sources: BTreeMap<ShareId, Vec<Vec<u8>>>,
    /// What it received; survives crashes.
    pub disk: BTreeMap<ShareId, Store>,
    /// May fail a storage request.
    pub fault: Option<Fault>,
    /// Bytes of blocks sent.
    pub sent: u64,
    pub(super) running: bool,
    /// Counts restarts: what was under way for an earlier run is void.
    pub(super) run: u32,
    pub(super) key: DeviceKey,
    pub(super) server_id: Option<PeerId>,
    pub(super) uplink_free: Instant,
    pub(super) wake: Option<Instant>,
}

impl Peer {
    /// The names of those it shut out.
    pub fn banned(&self) -> Vec<String> {
        let names = self.events.iter().filter_map(|event| match event {
            Event::Banned { name, .. } => Some(name.clone()),
            _ => None,
        });
        names.collect()
    }
}
