//! The machine for one room.
use std::collections::VecDeque;

use crate::event::{Event, PeerView, ShareView};
use crate::identity::DeviceKey;
use crate::invite::Invite;
use crate::io::*;
use crate::manifest::{Manifest, ManifestError, ShareId};
use crate::piece::{FileHash, FileIndex};
use crate::rate::Limits;
use crate::signaling::PeerId;
use crate::time::Instant;

/// What a machine is made of.
pub struct Config {
    /// What lets us into the room.
    pub invite: Invite,
    /// Who we are.
    pub key: DeviceKey,
    /// What we call ourselves; shortened to 64 bytes.
    pub name: String,
    /// 32 secret random bytes, from which all randomness of the machine follows.
    pub seed: [u8; 32],
    /// How much to send and receive.
    pub limits: Limits,
}

/// A command named a share that is not on the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such share in this room")]
pub struct NoSuchShare;

/// One room.
pub struct Swarm {
    signaling: VecDeque<SignalingRequest>,
}

#[allow(unused_variables, missing_docs, clippy::missing_errors_doc)]
impl Swarm {
    pub fn new(now: Instant, config: Config) -> Self {
        Self { signaling: VecDeque::new() }
    }

    // getters
    pub fn invite(&self) -> &Invite {
        unimplemented!()
    }
    pub fn peer_id(&self) -> Option<PeerId> {
        None
    }
    pub fn is_joined(&self) -> bool {
        false
    }
    pub fn peers(&self) -> Vec<PeerView> {
        vec![]
    }
    pub fn shares(&self) -> Vec<ShareView> {
        vec![]
    }
    pub fn share_view(&self, share: ShareId) -> Option<ShareView> {
        None
    }
    /// The hash of a file, once the hashes of all its pieces are known.
    pub fn file_hash(&self, share: ShareId, file: FileIndex) -> Option<FileHash> {
        None
    }

    // handle
    pub fn handle_signaling(&mut self, now: Instant, event: SignalingEvent) {}
    pub fn handle_connection(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        event: ConnectionEvent,
    ) {
    }
    pub fn handle_message(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        channel: Channel,
        bytes: &[u8],
    ) {
    }
    /// To be called after every send with the channel's buffered amount, and when it falls to LOW_WATER_BYTES.
    pub fn handle_buffered_amount(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        channel: Channel,
        bytes: usize,
    ) {
    }
    pub fn handle_storage(&mut self, now: Instant, response: StorageResponse) {}
    pub fn handle_timeout(&mut self, now: Instant) {}

    // commands
    /// Enter the room (the first poll_signaling is then Open).
    pub fn join(&mut self, now: Instant) {}
    /// Put files into the room. Reads of this share come as StorageRequest::Read with Span::file (a FileIndex of this manifest).
    pub fn share(&mut self, now: Instant, manifest: Manifest) -> Result<ShareId, ManifestError> {
        Err(ManifestError::Empty)
    }
    /// Withdraw a share of ours.
    pub fn unshare(&mut self, now: Instant, share: ShareId) -> Result<(), NoSuchShare> {
        Err(NoSuchShare)
    }
    /// Fetch a share (or try again after a failure).
    pub fn receive(&mut self, now: Instant, share: ShareId) -> Result<(), NoSuchShare> {
        Err(NoSuchShare)
    }
    /// Stop fetching; `discard` erases what was stored.
    pub fn stop(&mut self, now: Instant, share: ShareId, discard: bool) -> Result<(), NoSuchShare> {
        Err(NoSuchShare)
    }
    pub fn set_limits(&mut self, now: Instant, limits: Limits) {}
    /// Say goodbye, close all connections. Drain the polls once more afterwards.
    pub fn leave(&mut self, now: Instant) {}

    // poll
    pub fn poll_signaling(&mut self) -> Option<SignalingRequest> {
        self.signaling.pop_front()
    }
    pub fn poll_connection(&mut self) -> Option<ConnectionRequest> {
        None
    }
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        None
    }
    pub fn poll_storage(&mut self) -> Option<StorageRequest> {
        None
    }
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    /// When to call handle_timeout next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
