//! The whole machine, driven by a string of bytes: what a peer, the server, the disk, the network and people
//! do to it, in any order.
//!
//! There is one other member, connected at first, whose key the bytes may use. It shares some small
//! files, which the machine receives, and the machine shares others. Nothing may panic, and nothing may be
//! written that is not what was shared.

use std::collections::VecDeque;

use crate::bitfield::Bitfield;
use crate::codec::Writer;
use crate::confirm::{Side, Transcript};
use crate::envelope::{self, Route, Signal};
use crate::identity::DeviceKey;
use crate::invite::Invite;
use crate::io::*;
use crate::manifest::{Entry, EntryKind, HashBatch, Manifest, ShareId, SharePath, SignedManifest};
use crate::message::{Block, Holding, PEER_VERSION, PeerMessage, RequestId, Run};
use crate::piece::PieceIndex;
use crate::policy::{Accept, PathPolicy, Policy};
use crate::signaling::{Envelope, PeerId, ResumeToken, ServerMessage};
use crate::swarm::{Config, Swarm};
use crate::time::{Duration, Instant};

const US: PeerId = PeerId(1);
const THEM: PeerId = PeerId(2);

/// The sizes of the files in each share.
const SIZES: [usize; 6] = [0, 1, 40, 300, 5000, 20_000];

/// Feeds a machine what the bytes say.
pub fn machine(bytes: &[u8]) {
    let mut it = Driven::new();
    let mut input = Input(bytes);
    // What is longer shows nothing new, and takes long.
    for _ in 0..400 {
        let Some(action) = input.byte() else { return };
        it.act(action, &mut input);
        it.drain();
    }
}

/// Bytes, taken from the front. Where there are none left, zeros.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> usize {
        self.byte().unwrap_or_default().into()
    }

    fn flag(&mut self) -> bool {
        self.number().is_multiple_of(2)
    }

    /// A string with its length before it.
    fn string(&mut self) -> &'a [u8] {
        let len = self.number() | self.number() << 8;
        let (string, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        string
    }
}

struct Driven {
    swarm: Swarm,
    now: Instant,
    invite: Invite,
    epoch: u64,
    connection: ConnectionId,
    ours: ShareId,
    theirs: ShareId,
    manifest: Manifest,
    requests: VecDeque<StorageRequest>,
    /// What it asked the other member for, and how much of that was answered.
    asked: VecDeque<(RequestId, Run)>,
}

fn us() -> DeviceKey {
    DeviceKey::from_bytes([1; 32])
}

fn them() -> DeviceKey {
    DeviceKey::from_bytes([2; 32])
}

/// A share of small files by this key.
fn manifest(key: &DeviceKey) -> Manifest {
    let entry = |(i, &size): (usize, &usize)| Entry {
        path: SharePath::new(&format!("folder/{i}")).expect("it is a path"),
        kind: EntryKind::File { size: size as u64 },
        modified_ms: None,
    };
    let entries = SIZES.iter().enumerate().map(entry).collect();
    Manifest::new(key.public(), entries).expect("it is a manifest")
}

/// The bytes of a piece, in either share.
fn content(manifest: &Manifest, piece: PieceIndex) -> Vec<u8> {
    let span = manifest.geometry().span(piece);
    let span =
        span.map_or(0..0, |span| span.payload_offset..span.payload_offset + u64::from(span.length));
    span.map(|i| (i % 251) as u8).collect()
}

impl Driven {
    fn new() -> Self {
        let invite = Invite::new([3; 32], &us().public());
        let now = Instant::from_micros(1_000_000);
        let config = Config {
            invite: invite.clone(),
            key: us(),
            name: "us".into(),
            unix_ms: 0,
            seed: [4; 32],
            policy: Policy::default(),
        };
        let manifest = manifest(&them());
        let signed = SignedManifest::sign(&manifest, invite.room_id(), &them())
            .expect("it is not too large");
        let mut it = Self {
            swarm: Swarm::new(now, config),
            now,
            invite,
            epoch: 1,
            connection: ConnectionId(0),
            ours: ShareId([0; 32]),
            theirs: signed.share(),
            manifest,
            requests: VecDeque::new(),
            asked: VecDeque::new(),
        };
        it.swarm.join(now);
        it.swarm.handle_signaling(now, SignalingEvent::Opened);
        it.say_as_server(ServerMessage::Joined {
            peer: US,
            members: vec![],
            ice_servers: vec![],
            token: ResumeToken([0; 16]),
        });
        it.ours = it.swarm.share(now, self::manifest(&us()), vec![]).expect("it is ours");
        it.connect();
        let bytes = signed.to_bytes();
        it.say(&PeerMessage::Share {
            share: it.theirs,
            manifest_bytes: bytes.len() as u32,
            distance: 0,
            holding: Some(Holding::Everything),
        });
        it.say(&PeerMessage::ManifestPart { share: it.theirs, offset: 0, bytes });
        it.swarm.receive(now, it.theirs).expect("it is on the shelf");
        it.drain();
        it
    }

    // ---- what the other member can do ----

    /// Offers, opens and confirms a connection.
    fn connect(&mut self) {
        self.epoch += 2;
        let offer = Signal::Description(Description::Offer("offer".into()));
        self.signal(self.epoch, 0, &offer, true);
        self.drain();
        let answer = Description::Answer("answer".into());
        let (local, remote) = (Fingerprint([5; 32]), Fingerprint([6; 32]));
        self.happen(ConnectionEvent::LocalDescription(answer));
        self.happen(ConnectionEvent::Open(Opened {
            max_message_size: 262_144,
            receive_buffer: 4 << 20,
            local_fingerprint: local,
            remote_fingerprint: remote,
        }));
        let transcript = Transcript {
            room: self.invite.room_id(),
            epoch: self.epoch,
            offerer: Side { peer: THEM, fingerprint: remote },
            answerer: Side { peer: US, fingerprint: local },
        };
        let signature = transcript.sign(Role::Offerer, &them());
        self.say(&PeerMessage::Confirm { version: PEER_VERSION, signature, name: "them".into() });
    }

    fn signal(&mut self, epoch: u64, sequence: u32, signal: &Signal, by_server: bool) {
        let route = Route { room: self.invite.room_id(), from: THEM, to: US };
        let key = self.invite.signaling_key();
        let sealed = envelope::seal(&key, &them(), route, epoch, sequence, signal, [7; 24]);
        let Ok(envelope) = sealed else { return };
        if by_server {
            self.say_as_server(ServerMessage::Signal { from: THEM, envelope });
        } else {
            self.say(&PeerMessage::Relay { from: THEM, to: US, envelope });
        }
    }

    fn say(&mut self, message: &PeerMessage) {
        self.send(Channel::Control, &message.encode());
    }

    fn send(&mut self, channel: Channel, bytes: &[u8]) {
        self.swarm.handle_message(self.now, self.connection, channel, bytes);
    }

    fn say_as_server(&mut self, message: ServerMessage) {
        self.swarm.handle_signaling(self.now, SignalingEvent::Message(message));
    }

    fn happen(&mut self, event: ConnectionEvent) {
        self.swarm.handle_connection(self.now, self.connection, event);
    }

    /// A message in which ids of shares that begin with a small number are those of real ones.
    fn say_of_share(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        for at in [1, 5] {
            if let Some(id) = bytes.get_mut(at..at + 32) {
                match id[0] {
                    1 => id.copy_from_slice(&self.ours.0),
                    2 => id.copy_from_slice(&self.theirs.0),
                    _ => continue,
                }
                break;
            }
        }
        self.send(Channel::Control, &bytes);
    }

    /// The hashes of what was asked for, or with one of them wrong.
    fn answer_with_hashes(&mut self, wrong: bool) {
        let Some(&(_, run)) = self.asked.front() else { return };
        let geometry = self.manifest.geometry();
        let hash = |piece| geometry.hash(piece, &content(&self.manifest, piece));
        let Some(mut hashes) = run.iter().map(hash).collect::<Option<Vec<_>>>() else { return };
        hashes[0].0[0] ^= u8::from(wrong);
        let batch = HashBatch::sign(self.theirs, run.first, hashes, &them());
        self.say(&PeerMessage::Hashes(batch));
    }

    /// The blocks of what was asked for, of so many bytes each, or with a wrong byte.
    fn answer_with_blocks(&mut self, length: usize, wrong: bool) {
        let Some((request, run)) = self.asked.pop_front() else { return };
        for piece in run.iter() {
            let mut bytes = content(&self.manifest, piece);
            if let Some(last) = bytes.last_mut() {
                *last ^= u8::from(wrong);
            }
            for (i, part) in bytes.chunks(length).enumerate() {
                let mut w = Writer::new();
                let offset = (i * length) as u32;
                Block { request, piece, offset, bytes: part }.write(&mut w);
                self.send(Channel::Blocks, &w.finish());
            }
        }
    }

    // ---- what the bytes say ----

    fn act(&mut self, action: u8, input: &mut Input<'_>) {
        match action % 20 {
            0 => self.send(Channel::Control, input.string()),
            1 => self.say_of_share(input.string()),
            2 => self.send(Channel::Blocks, input.string()),
            3 => self.answer_with_hashes(false),
            4 => self.answer_with_hashes(true),
            5 => {
                let length = 1 + input.number() * 1024;
                self.answer_with_blocks(length, false);
            }
            6 => self.answer_with_blocks(64 << 10, true),
            7 => {
                self.now = self.now + Duration::from_millis((input.number() * 100) as u64);
                self.swarm.handle_timeout(self.now);
            }
            8 => self.answer_storage(None),
            9 => {
                let error = match input.number() % 4 {
                    0 => StorageError::Full { available: Some(5) },
                    1 => StorageError::Damaged("folder/1".into()),
                    2 => StorageError::Changed("folder/1".into()),
                    _ => StorageError::Other("broken".into()),
                };
                self.answer_storage(Some(error));
            }
            10 => {
                if let Ok(message) = serde_json::from_slice(input.string()) {
                    self.say_as_server(message);
                }
            }
            11 => {
                let epoch = match input.number() {
                    255 => u64::MAX,
                    n => n as u64,
                };
                let (sequence, by_server) = (input.number() as u32, input.flag());
                if let Ok(signal) = envelope::decode(input.string()) {
                    self.signal(epoch, sequence, &signal, by_server);
                }
            }
            12 => {
                let state = match input.number() % 4 {
                    0 => ConnectionState::Connected,
                    1 => ConnectionState::Disconnected,
                    2 => ConnectionState::Failed,
                    _ => return self.happen(ConnectionEvent::Closed { reason: "gone".into() }),
                };
                self.happen(ConnectionEvent::State(state));
            }
            13 => self.command(input),
            14 => {
                let channel = if input.flag() { Channel::Control } else { Channel::Blocks };
                let amount = input.number() << 14;
                self.swarm.handle_buffered_amount(self.now, self.connection, channel, amount);
            }
            15 => self.connect(),
            16 => self.swarm.handle_network(self.now, input.flag()),
            17 => {
                let (from, to) = (input.number() as u64, 1 + input.number() as u64 % 3);
                if let Ok(envelope) = Envelope::new(input.string().to_vec()) {
                    let (from, to) = (PeerId(from), PeerId(to));
                    self.say(&PeerMessage::Relay { from, to, envelope });
                }
            }
            18 => self.connection = ConnectionId(input.number() as u32 % 8),
            _ => {
                let reason = String::new();
                let closed = SignalingEvent::Closed { cause: LostCause::Server, reason };
                let event = if input.flag() { closed } else { SignalingEvent::Opened };
                self.swarm.handle_signaling(self.now, event);
            }
        }
    }

    fn command(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        let share = if input.flag() { self.ours } else { self.theirs };
        // Whether they make sense now is the machine's to say.
        let _ = match input.number() % 10 {
            0 => self.swarm.receive(now, share),
            1 => self.swarm.stop(now, share, false),
            2 => self.swarm.stop(now, share, true),
            3 => self.swarm.pause(now, share),
            4 => self.swarm.resume(now, share),
            5 => self.swarm.set_serving(now, share, input.flag()),
            6 => {
                let path = if input.flag() { PathPolicy::Any } else { PathPolicy::LanOnly };
                let connections = input.number();
                let upload = Some(input.number() as u64 * 1000);
                let accept = Accept::All;
                let policy = Policy { path, connections, upload, accept, ..Policy::default() };
                self.swarm.set_policy(now, policy);
                Ok(())
            }
            7 => {
                let manifest = manifest(&us());
                self.swarm
                    .share(now, manifest, vec![])
                    .map(drop)
                    .map_err(|_| crate::swarm::NoSuchShare)
            }
            8 => self.swarm.detach(now, share),
            _ => {
                let text = String::from_utf8_lossy(input.string());
                let _ = self.swarm.say(now, &text);
                Ok(())
            }
        };
    }

    /// Answers the oldest request to storage, well unless there is an error.
    fn answer_storage(&mut self, error: Option<StorageError>) {
        let Some(request) = self.requests.pop_front() else { return };
        let done = || error.clone().map_or(Ok(()), Err);
        let response = match request {
            StorageRequest::Read { read, span, .. } => {
                let range = span.payload_offset..span.payload_offset + u64::from(span.length);
                assert!(range.end <= self.manifest.total());
                let bytes = range.map(|i| (i % 251) as u8).collect();
                StorageResponse::Read { read, result: error.map_or(Ok(bytes), Err) }
            }
            StorageRequest::Open { share, manifest, .. } => {
                let pieces = Bitfield::new(manifest.geometry().pieces());
                let kept = Kept { pieces, batches: vec![], finished: vec![] };
                StorageResponse::Opened { share, result: error.map_or(Ok(kept), Err) }
            }
            StorageRequest::Reserve { share, .. } => {
                StorageResponse::Reserved { share, result: done() }
            }
            StorageRequest::Write { share, piece, .. } => {
                StorageResponse::Written { share, piece, result: done() }
            }
            StorageRequest::Commit { share, .. } => {
                StorageResponse::Committed { share, result: done() }
            }
            StorageRequest::Finish { share, .. } => {
                StorageResponse::Finished { share, result: done() }
            }
            StorageRequest::Keep { .. } | StorageRequest::Close { .. } => return,
        };
        self.swarm.handle_storage(self.now, response);
    }

    /// The adapter's loop.
    fn drain(&mut self) {
        while let Some(transmit) = self.swarm.poll_transmit(self.now) {
            if transmit.channel == Channel::Blocks {
                continue;
            }
            let message = PeerMessage::decode(&transmit.bytes).expect("we say what can be read");
            if let PeerMessage::Request { request, share, run, .. } = message
                && share == self.theirs
            {
                self.asked.push_back((request, run));
            }
        }
        while self.swarm.poll_signaling().is_some() {}
        while let Some(request) = self.swarm.poll_connection() {
            if let ConnectionRequest::Open { connection, .. } = request {
                self.connection = connection;
            }
        }
        while let Some(request) = self.swarm.poll_storage() {
            // Both shares are of the same bytes.
            if let StorageRequest::Write { piece, bytes, .. } = &request {
                assert!(*bytes == content(&self.manifest, *piece), "wrong bytes are to be stored");
            }
            self.requests.push_back(request);
        }
        while self.swarm.poll_event().is_some() {}
        let _ = self.swarm.poll_timeout();
        let shares: Vec<ShareId> = self.swarm.shares().map(|view| view.id).collect();
        shares.into_iter().for_each(|share| drop(self.swarm.copies(share)));
        let _ = self.swarm.peers().count();
    }
}
