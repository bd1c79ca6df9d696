//! The machine for one room: members, connections, shares, downloads and uploads.
//!
//! It holds no socket, file or clock. An adapter calls `handle_*` with what happened and when, gives
//! commands, then drains every `poll_*` until `None`, does what they say, and calls
//! [`Swarm::handle_timeout`] when [`Swarm::poll_timeout`] says so.
//!
//! | file | concern |
//! |---|---|
//! | `mod.rs` | the interface, and the machine's state |
//! | `server.rs` | the signaling server, and sealed signals |
//! | `ice.rs` | which STUN and TURN servers are used |
//! | `relay.rs` | signals by way of neighbours |
//! | `peers.rs` | members, connections coming and going, who is let in |
//! | `effort.rs` | what one connection may cost us |
//! | `alive.rs` | whether a connection still carries anything |
//! | `mesh.rs` | whom to connect to, where not everybody fits |
//! | `gossip.rs` | how shares come to be known to everybody |
//! | `copies.rs` | receipts, and how many copies the room holds |
//! | `chat.rs` | what members say to the room |
//! | `shelf.rs` | which shares there are, manifests, who has which pieces |
//! | `ask.rs` | whom to ask for which pieces |
//! | `lanes.rs` | several connections to one member |
//! | `near.rs` | near peers before far ones |
//! | `fetch.rs` | checking what comes |
//! | `unproven.rs` | pieces that wait for their hash |
//! | `download.rs` | getting it stored, and files in their place |
//! | `sources.rs` | who sent which pieces |
//! | `space.rs` | room for what is received |
//! | `serve.rs` | answering requests, signing hashes |
//! | `seed.rs` | what to send to whoever leaves the choice to us |
//! | `control.rs` | the user's policy, and what follows from changing it |
//! | `waits.rs` | what is waited for, since when and until when |
//! | `view.rs` | how things stand, for people |

mod alive;
mod ask;
mod chat;
mod control;
mod copies;
mod download;
mod effort;
mod fetch;
mod gossip;
mod ice;
mod lanes;
mod membership;
mod mesh;
mod near;
mod peers;
mod relay;
mod seed;
mod serve;
mod server;
mod shelf;
mod sources;
mod space;
mod unproven;
mod view;
mod waits;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::chat::SayError;
use crate::event::{Event, PeerView, Recalled, ServerView, ShareView, Traffic};
use crate::identity::{DeviceKey, PublicKey};
use crate::invite::{Invite, SignalingKey};
use crate::io::{
    Channel, ConnectionEvent, ConnectionId, ConnectionRequest, ReadId, SignalingEvent,
    SignalingRequest, StorageRequest, StorageResponse, Transmit,
};
use crate::manifest::{HashBatch, KnownHashes, Manifest, ManifestError, ShareId, SignedManifest};
use crate::piece::{FileHash, FileIndex, PieceIndex};
use crate::piece_map::PieceMap;
use crate::policy::{Policy, Priority, Selection};
use crate::rate::{Flow, Meter, TokenBucket};
use crate::receipt::Receipt;
use crate::rng::Rng;
use crate::roster::Roster;
use crate::signaling::{IceServer, PeerId, ResumeToken, RoomId};
use crate::time::Instant;

use chat::Chat;
use lanes::Lanes;
use mesh::Seek;
use peers::{Epochs, Lane, Member};
use serve::{Group, Reading};
use server::Server;
use shelf::{PendingManifest, Share};

/// What a machine is made of.
#[derive(Clone)]
pub struct Config {
    /// What lets us into the room.
    pub invite: Invite,
    /// Who we are.
    pub key: DeviceKey,
    /// What we call ourselves; cut to 64 bytes.
    pub name: String,
    /// What the clock says when the machine is made, in milliseconds since 1970: for receipts, which say
    /// since when a share is complete. The machine counts on from there by the instants it is given.
    pub unix_ms: u64,
    /// 32 secret random bytes, from which all randomness of the machine follows.
    pub seed: [u8; 32],
    /// What we may do, with whom, and how much of it.
    pub policy: Policy,
}

/// A command named a share that is not on the shelf, or not in a state in which it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such share in this room any more")]
pub struct NoSuchShare;

/// Only the creator of a room may do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only whoever made the invite to this room can do this")]
pub struct NotCreator;

/// The machine for one room.
pub struct Swarm {
    invite: Invite,
    room: RoomId,
    signaling_key: SignalingKey,
    key: DeviceKey,
    name: String,
    rng: Rng,
    policy: Policy,
    /// The latest time that was passed in.
    now: Instant,
    started: Instant,
    unix_ms_at_start: u64,

    server: Server,
    /// Why the server is not there, while that is so.
    server_lost: Option<server::Lost>,
    /// When it was asked whether it is there; it has said nothing since.
    server_asked: Option<Instant>,
    /// What bounds the messages that are taken from it; its unit is a message.
    server_allowance: TokenBucket,
    peer_id: Option<PeerId>,
    /// What brings our id back when the connection to the server broke.
    resume_token: Option<ResumeToken>,
    ice_servers: Vec<IceServer>,
    members: BTreeMap<PeerId, Member>,
    /// Of those who are no members any more.
    epochs: BTreeMap<PeerId, Epochs>,
    lanes: BTreeMap<ConnectionId, Lane>,
    /// Lanes besides the main ones: what is tried.
    extras: Lanes,
    banned: BTreeSet<PublicKey>,
    /// Keys that were proven in this room.
    met: BTreeSet<PublicKey>,
    /// The creator's latest word on who is let in.
    roster: Option<Roster>,

    shelf: BTreeMap<ShareId, Share>,
    manifests: BTreeMap<ShareId, PendingManifest>,
    /// Who holds a share in full, by share; of shares on the shelf, or soon to be there.
    receipts: BTreeMap<ShareId, Vec<Receipt>>,
    /// Shares whose distance may have changed, and when that is told.
    heard_of: BTreeSet<ShareId>,
    gossip_at: Option<Instant>,
    chat: Chat,

    upload: TokenBucket,
    download: TokenBucket,
    /// Verified pieces handed to storage and not yet written, with their lengths, and the sum of these.
    unwritten: BTreeMap<(ShareId, PieceIndex), u64>,
    unwritten_bytes: u64,
    /// How fast blocks come, from everybody.
    arrivals: Meter,
    /// What came and went in all, members who are gone included.
    traffic: Flow,
    /// Lanes with requests that wait, in the order of their turns.
    turns: VecDeque<ConnectionId>,
    /// What is being read and sent, in order.
    work: VecDeque<Group>,
    /// The reads under way.
    reads: BTreeMap<ReadId, Reading>,
    /// When a block was last sent to anybody.
    sent_at: Instant,
    /// Whether something happened that may allow new requests.
    may_ask: bool,
    /// Whether something happened that may call for another connection.
    may_dial: bool,
    /// When a member may be dialled that we would have dialled by now.
    dial_at: Option<Instant>,
    seek: Seek,
    /// When to look at what is waited for.
    waits_at: Option<Instant>,
    /// Bytes that we can still store, as others were told.
    capacity: Option<u64>,

    next_connection: u32,
    next_read: u64,
    next_request: u32,

    signaling_out: VecDeque<SignalingRequest>,
    connections_out: VecDeque<ConnectionRequest>,
    storage_out: VecDeque<StorageRequest>,
    /// Last words on connections that are closed already.
    farewells: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Swarm {
    /// A machine that has not joined its room yet: see [`Swarm::join`].
    pub fn new(now: Instant, config: Config) -> Self {
        let Config { invite, key, mut name, unix_ms, seed, policy } = config;
        while name.len() > crate::message::MAX_NAME_BYTES {
            name.pop();
        }
        Self {
            room: invite.room_id(),
            signaling_key: invite.signaling_key(),
            invite,
            key,
            name,
            rng: Rng::new(seed),
            now,
            started: now,
            unix_ms_at_start: unix_ms,
            server: Server::Idle,
            server_lost: None,
            server_asked: None,
            server_allowance: TokenBucket::new(now, Some(server::MAX_MESSAGES_PER_SECOND)),
            peer_id: None,
            resume_token: None,
            ice_servers: Vec::new(),
            members: BTreeMap::new(),
            epochs: BTreeMap::new(),
            lanes: BTreeMap::new(),
            extras: Lanes::default(),
            banned: BTreeSet::new(),
            met: BTreeSet::new(),
            roster: None,
            shelf: BTreeMap::new(),
            manifests: BTreeMap::new(),
            upload: TokenBucket::new(now, policy.upload),
            download: TokenBucket::new(now, policy.download),
            unwritten: BTreeMap::new(),
            unwritten_bytes: 0,
            arrivals: Meter::new(now),
            traffic: Flow::new(now),
            turns: VecDeque::new(),
            work: VecDeque::new(),
            reads: BTreeMap::new(),
            sent_at: now,
            may_ask: false,
            may_dial: false,
            dial_at: None,
            seek: Seek::default(),
            waits_at: None,
            capacity: None,
            receipts: BTreeMap::new(),
            heard_of: BTreeSet::new(),
            gossip_at: None,
            chat: Chat::default(),
            next_connection: 0,
            next_read: 0,
            next_request: 0,
            signaling_out: VecDeque::new(),
            connections_out: VecDeque::new(),
            storage_out: VecDeque::new(),
            farewells: VecDeque::new(),
            events: VecDeque::new(),
            policy,
        }
    }

    /// What lets others into this room.
    pub fn invite(&self) -> &Invite {
        &self.invite
    }

    /// What the clock says, in milliseconds since 1970.
    fn unix_ms(&self) -> u64 {
        self.unix_ms_at_start + self.now.saturating_since(self.started).as_millis() as u64
    }

    /// Our id for this stay, once the server has given one.
    pub fn peer_id(&self) -> Option<PeerId> {
        self.peer_id
    }

    /// Our public key: the origin of what we share.
    pub fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    /// Whether the server knows that we are here.
    pub fn is_joined(&self) -> bool {
        matches!(self.server, Server::Joined)
    }

    /// How we stand with the server.
    pub fn server(&self) -> ServerView {
        self.view_server()
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether we made the invite of this room.
    pub fn is_creator(&self) -> bool {
        self.invite.is_creator(&self.key.public())
    }

    /// Whether the room is locked: whoever was not met by its creator before is not let in.
    pub fn is_locked(&self) -> bool {
        self.roster.as_ref().is_some_and(|roster| roster.only.is_some())
    }

    /// Whether the room is locked and we are not let in, as far as members have told.
    pub fn is_shut_out(&self) -> bool {
        self.neighbours().next().is_none()
            && self.members.values().any(|member| member.has_locked_us_out)
    }

    /// The other members, in the order of their ids.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> + '_ {
        self.members.iter().map(|(&id, member)| self.view_peer(id, member))
    }

    /// The shelf, in the order of the shares' ids.
    pub fn shares(&self) -> impl Iterator<Item = ShareView> + '_ {
        self.shelf.iter().map(|(&id, share)| self.view_share(id, share))
    }

    /// One share of the shelf.
    pub fn share_view(&self, share: ShareId) -> Option<ShareView> {
        self.shelf.get(&share).map(|entry| self.view_share(share, entry))
    }

    /// How the pieces of a share stand, in at most so many cells. Takes a moment for a share of many pieces.
    pub fn piece_map(&self, share: ShareId, cells: u32) -> Option<PieceMap> {
        self.shelf.get(&share).map(|share| self.view_pieces(share, cells))
    }

    /// What was sent and received since the machine was made.
    pub fn traffic(&self) -> Traffic {
        self.traffic.traffic(self.now)
    }

    /// The hash of a file, once those of all its pieces are known.
    pub fn file_hash(&self, share: ShareId, file: FileIndex) -> Option<FileHash> {
        let share = self.shelf.get(&share)?;
        if file.0 >= share.geometry().files() {
            return None;
        }
        share.geometry().file_hash(file, |piece| share.hashes.hash(piece))
    }

    /// Bytes of a file that are verified and durable here, or ours to share.
    pub fn file_have(&self, share: ShareId, file: FileIndex) -> Option<u64> {
        let share = self.shelf.get(&share)?;
        if file.0 >= share.geometry().files() {
            return None;
        }
        let pieces = share.geometry().pieces_of(file).filter(|&piece| share.have.contains(piece));
        Some(pieces.map(|piece| u64::from(share.geometry().length(piece))).sum())
    }

    /// The signaling connection opened, closed, or said something.
    pub fn handle_signaling(&mut self, now: Instant, event: SignalingEvent) {
        self.now = self.now.max(now);
        self.on_signaling(event);
    }

    /// Something happened to a connection. Unknown connections are ignored: they were closed.
    pub fn handle_connection(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        event: ConnectionEvent,
    ) {
        self.now = self.now.max(now);
        self.on_connection(connection, event);
    }

    /// A message arrived on a data channel.
    pub fn handle_message(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        channel: Channel,
        bytes: &[u8],
    ) {
        self.now = self.now.max(now);
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.alive.handle_heard(self.now);
        }
        match channel {
            Channel::Control => self.on_control(connection, bytes),
            Channel::Blocks => self.on_blocks(connection, bytes),
        }
    }

    /// A channel has this many bytes buffered. To be told after every send, and when the amount falls
    /// to [`LOW_WATER_BYTES`](crate::io::LOW_WATER_BYTES).
    pub fn handle_buffered_amount(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        channel: Channel,
        bytes: usize,
    ) {
        self.now = self.now.max(now);
        if let Some(lane) = self.lanes.get_mut(&connection) {
            match channel {
                Channel::Control => lane.control_buffered = bytes,
                Channel::Blocks => lane.blocks_buffered = bytes,
            }
        }
    }

    /// A storage request was carried out, or failed.
    pub fn handle_storage(&mut self, now: Instant, response: StorageResponse) {
        self.now = self.now.max(now);
        match response {
            StorageResponse::Read { read, result } => self.on_read(read, result),
            StorageResponse::Opened { share, result } => self.on_opened(share, result),
            StorageResponse::Reserved { share, result } => self.on_reserved(share, result),
            StorageResponse::Written { share, piece, result } => {
                self.on_written(share, piece, result);
            }
            StorageResponse::Committed { share, result } => self.on_committed(share, result),
            StorageResponse::Finished { share, result } => self.on_finished(share, result),
        }
    }

    /// Time has passed. Harmless at any time; due when [`Swarm::poll_timeout`] says.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.on_server_timeouts();
        self.on_peer_timeouts();
        self.on_mesh_timeouts();
        self.on_gossip_timeouts();
        self.on_manifest_timeouts();
        self.on_fetch_timeouts();
        self.on_space_timeouts();
        self.on_wait_timeouts();
        self.review_serving();
        self.on_serve_timeouts();
        self.on_lane_timeouts();
    }

    /// The system says that the network went, or came back, perhaps as another one.
    pub fn handle_network(&mut self, now: Instant, up: bool) {
        self.now = self.now.max(now);
        if up { self.on_network_up() } else { self.on_network_down() }
    }

    /// Enters the room: the server is asked to introduce us, again and again until it does.
    pub fn join(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.open_signaling();
    }

    /// Puts files into the room, with this machine's key as their origin. Reads for it name files by
    /// their index in this manifest. Sharing the same again changes nothing. `known` are the hash batches
    /// that an earlier run was told to [keep](StorageRequest::Keep): what differs from them is not served.
    pub fn share(
        &mut self,
        now: Instant,
        manifest: Manifest,
        known: Vec<HashBatch>,
    ) -> Result<ShareId, ManifestError> {
        self.now = self.now.max(now);
        self.put_on_shelf(manifest, known)
    }

    /// Puts a share on the shelf that an earlier run left in the store. [`Swarm::receive`] goes on with it,
    /// [`Swarm::stop`] can erase it.
    pub fn recall(
        &mut self,
        now: Instant,
        signed: SignedManifest,
        recalled: Recalled,
    ) -> Result<ShareId, ManifestError> {
        self.now = self.now.max(now);
        let id = signed.share();
        let share = self.put_back_on_shelf(signed, shelf::State::Available)?;
        if matches!(share.state, shelf::State::Available) {
            (share.recalled, share.saved) = (Some(recalled), recalled.saved);
        }
        Ok(id)
    }

    /// Puts a share of ours on the shelf that an earlier run shared, although its files cannot be read until
    /// people act. [`Swarm::share`] with the same files attaches them. `known` are the hash batches that
    /// the earlier run was told to keep.
    pub fn recall_own(
        &mut self,
        now: Instant,
        signed: SignedManifest,
        known: Vec<HashBatch>,
    ) -> Result<ShareId, ManifestError> {
        self.now = self.now.max(now);
        let (id, key) = (signed.share(), self.key.public());
        let share = self.put_back_on_shelf(signed, shelf::State::Detached)?;
        if matches!(share.state, shelf::State::Detached) {
            share.hashes = KnownHashes::verified(id, &key, known);
        }
        Ok(id)
    }

    /// The files of a share of ours cannot be read any more until people act.
    pub fn detach(&mut self, now: Instant, share: ShareId) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.lose_files(share)
    }

    /// A complete share was saved elsewhere: it may be erased when room is needed.
    pub fn mark_saved(&mut self, now: Instant, share: ShareId) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.shelf.get_mut(&share).ok_or(NoSuchShare)?.saved = true;
        Ok(())
    }

    /// How many bytes the adapter can still store, if that is known: others are told.
    pub fn set_capacity(&mut self, now: Instant, bytes: Option<u64>) {
        self.now = self.now.max(now);
        self.change_capacity(bytes);
    }

    /// Tries the server now, also after it has refused us.
    pub fn retry_server(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.try_server_again();
    }

    /// Fetches what is wanted of a share that is available, or tries again after a failure. One that
    /// waits for room on the disk looks at once.
    pub fn receive(&mut self, now: Instant, share: ShareId) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.note_wanted(share, true)?;
        self.start_receiving(share)?;
        self.retry_space(share)
    }

    /// Chooses which files of a share are wanted and how urgently; before, all are. It holds for a
    /// share that is received now or later, and for one that is complete: if more is wanted, that is
    /// fetched too. What is here already stays and is served on.
    pub fn select(
        &mut self,
        now: Instant,
        share: ShareId,
        selection: Selection,
    ) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.change_selection(share, selection)
    }

    /// Stops sharing, fetching or serving on. `discard` also erases all that the store keeps of it.
    pub fn stop(&mut self, now: Instant, share: ShareId, discard: bool) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.note_wanted(share, false)?;
        self.take_off_shelf(share, discard)
    }

    /// Asks for no more pieces of a share until [`Swarm::resume`] or [`Swarm::receive`]. What is here
    /// stays and is served on.
    pub fn pause(&mut self, now: Instant, share: ShareId) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.change_paused(share, true)
    }

    /// Goes on where [`Swarm::pause`] stopped. What waits for room on the disk looks at once.
    pub fn resume(&mut self, now: Instant, share: ShareId) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.change_paused(share, false)?;
        self.retry_space(share)
    }

    /// How urgent a share is among several that are received at one time.
    pub fn set_priority(
        &mut self,
        now: Instant,
        share: ShareId,
        priority: Priority,
    ) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.change_priority(share, priority)
    }

    /// Whether a share, ours or received, is served to others. Receiving it is not affected.
    pub fn set_serving(
        &mut self,
        now: Instant,
        share: ShareId,
        serve: bool,
    ) -> Result<(), NoSuchShare> {
        self.now = self.now.max(now);
        self.change_serving(share, serve)
    }

    /// Puts another policy in force, at once.
    pub fn set_policy(&mut self, now: Instant, policy: Policy) {
        self.now = self.now.max(now);
        self.change_policy(policy);
    }

    /// Locks the room, so that only those are let in whom we have met in it, or opens it again. All members
    /// are told, and hold to it.
    pub fn set_locked(&mut self, now: Instant, locked: bool) -> Result<(), NotCreator> {
        self.now = self.now.max(now);
        self.change_lock(locked)
    }

    /// Tells all neighbours but those with these keys of the room that takes the place of this one. We are to
    /// leave this one afterwards.
    pub fn start_anew(
        &mut self,
        now: Instant,
        invite: &Invite,
        without: &[PublicKey],
    ) -> Result<(), NotCreator> {
        self.now = self.now.max(now);
        self.tell_of_new_room(invite, without)
    }

    /// Says something to the room. With nobody there it is heard by whoever comes.
    pub fn say(&mut self, now: Instant, text: &str) -> Result<(), SayError> {
        self.now = self.now.max(now);
        self.say_line(text)
    }

    /// Says goodbye and closes everything. What the polls give afterwards is still to be done.
    pub fn leave(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.say_goodbye();
    }

    /// What to do with the signaling connection.
    pub fn poll_signaling(&mut self) -> Option<SignalingRequest> {
        self.signaling_out.pop_front()
    }

    /// The next message for a data channel that has room for it. To be drained *before*
    /// [`Swarm::poll_connection`], which may close what these are sent on.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.now = self.now.max(now);
        if std::mem::take(&mut self.may_dial) {
            self.dial();
        }
        if std::mem::take(&mut self.may_ask) {
            self.ask_for_pieces();
        }
        if self.policy.stop_at_ratio.is_some() {
            self.review_serving();
        }
        self.farewells.pop_front().or_else(|| self.next_control()).or_else(|| self.next_blocks())
    }

    /// What to do with a connection.
    pub fn poll_connection(&mut self) -> Option<ConnectionRequest> {
        self.connections_out.pop_front()
    }

    /// What to do with files.
    pub fn poll_storage(&mut self) -> Option<StorageRequest> {
        self.storage_out.pop_front()
    }

    /// What to tell people.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Swarm::handle_timeout`] and drain the polls again.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        [
            self.next_server_timeout(),
            self.next_peer_timeout(),
            self.next_mesh_timeout(),
            self.next_gossip_timeout(),
            self.next_manifest_timeout(),
            self.next_fetch_timeout(),
            self.next_space_timeout(),
            self.next_wait_timeout(),
            self.next_serve_timeout(),
            self.next_lane_timeout(),
            self.next_upload(),
            self.next_review(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
