//! A Shoal peer outside a browser: the pure core of [`protocol`] with sockets, disks and a clock.
//!
//! [`Peer::start`] enters a room. Commands are methods, what happens comes as [`Event`]s, and how things
//! stand can be seen in [`Snapshot`]s at any time. The command `shoal` uses nothing but this.
//!
//! | module | its duty |
//! |---|---|
//! | `driver` | the one loop that owns the core |
//! | `signaling` | the WebSocket to the server that introduces peers |
//! | `connection`, `channel` | one WebRTC connection and its two data channels |
//! | `sockets` | what the WebRTC library needs of UDP sockets |
//! | [`storage`], [`sources`] | what is received, and what is shared |
//! | [`codes`] | invites by codes to be spoken |
//! | `clock` | the time that the core is told |
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use native_peer::{DeviceKey, Options, Peer, sources, storage::DiskStorage};
//!
//! let key = DeviceKey::from_bytes([7; 32]); // in earnest: secret, random, and kept
//! let storage = Arc::new(DiskStorage::new("downloads".as_ref())?);
//! let options = Options::new("http://localhost:8080", key, storage);
//! let (peer, mut events) = Peer::start(options)?;
//! peer.share(sources::find(&["holiday".into()])?).await?;
//! println!("{}", peer.link());
//! while let Some(event) = events.recv().await {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

pub use protocol::chat::{Line, SayError};
use protocol::code::spoken;
pub use protocol::event::{
    CloseReason, Copies, Event, Failure, Halt, Halted, PeerLink, PeerView, Proof, Recalled,
    ServerView, ShareState, ShareView, Source, Wait, Waiting, Withheld,
};
use protocol::identity::comparison;
pub use protocol::identity::{DeviceKey, PublicKey};
pub use protocol::invite::{Invite, InviteLink};
pub use protocol::io::{Kept, LostCause, PathKind, StorageError, Transmit};
pub use protocol::manifest::{HashBatch, Manifest, ManifestError, ShareId, SignedManifest};
pub use protocol::piece::{FileHash, FileIndex, PieceIndex, Span};
pub use protocol::policy::{
    Accept, PathPolicy, PeerPolicy, Policy, Priority, Selection, Services, Standing,
};
pub use protocol::signaling::{ErrorCode, PeerId};
pub use protocol::swarm::NotCreator;
use protocol::swarm::{Config, NoSuchShare, Swarm};
use protocol::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::driver::{Command, Outside, Parts, Shared};
#[cfg(not(feature = "misbehave"))]
use crate::misbehave::Certificates;
use crate::misbehave::Tamper;
#[cfg(feature = "misbehave")]
pub use crate::misbehave::{Certificates, TamperWith};
pub use crate::signaling::BadServer;
use crate::storage::Storage;

mod channel;
mod clock;
pub mod codes;
mod connection;
mod driver;
mod misbehave;
mod signaling;
mod sockets;
pub mod sources;
pub mod storage;

/// Events that may wait to be taken before the driver keeps them itself.
const WAITING_EVENTS: usize = 64;
/// Commands that may wait for the driver.
const WAITING_COMMANDS: usize = 16;

/// What a peer needs to know.
pub struct Options {
    /// The address of the page, such as `https://example.org`: the WebSocket is beside it.
    pub server: String,
    /// The room to enter; a new one if `None`.
    pub invite: Option<Invite>,
    /// Who we are.
    pub key: DeviceKey,
    /// What we call ourselves; shortened to 64 bytes.
    pub name: String,
    /// What we may do, with whom, and how much of it.
    pub policy: Policy,
    /// Where to keep what is received.
    pub storage: Arc<dyn Storage>,
    /// Whether to offer the loopback address to peers, which only serves those on this machine.
    /// Otherwise that is done only where there is no other network.
    pub loopback: bool,
    /// Changes messages before they are sent.
    #[cfg(feature = "misbehave")]
    pub tamper: Option<TamperWith>,
    /// What it does wrong with certificates.
    #[cfg(feature = "misbehave")]
    pub certificates: Certificates,
}

/// A member of a room. Dropping it leaves the room, without waiting; see [`Peer::leave`].
pub struct Peer {
    invite: Invite,
    server: String,
    key: PublicKey,
    clock: Clock,
    commands: mpsc::Sender<Command>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    driver: JoinHandle<()>,
}

/// How things stand.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Our id for this stay, once introduced.
    pub peer: Option<PeerId>,
    /// How we stand with the server.
    pub server: ServerView,
    /// The others.
    pub peers: Vec<PeerView>,
    /// The shelf.
    pub shares: Vec<ShareView>,
    /// How many copies of each of them the room holds.
    pub copies: BTreeMap<ShareId, Copies>,
    /// Whether the room is locked: nobody new is let in.
    pub locked: bool,
    /// Whether it is locked and we are not let in.
    pub shut_out: bool,
}

impl Default for Snapshot {
    /// As it is before anything happened.
    fn default() -> Self {
        Self {
            peer: None,
            server: ServerView::Idle,
            peers: Vec::new(),
            shares: Vec::new(),
            copies: BTreeMap::new(),
            locked: false,
            shut_out: false,
        }
    }
}

/// Why a peer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The server address is none.
    #[error(transparent)]
    Server(#[from] BadServer),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// Why files could not be shared, fit to follow "could not share: ".
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// They make no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The peer has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Why a command about a share failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such share.
    #[error(transparent)]
    NoSuchShare(#[from] NoSuchShare),
    /// The peer has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Why a command for the creator of a room failed.
#[derive(Debug, thiserror::Error)]
pub enum CreatorError {
    /// The creator is somebody else.
    #[error(transparent)]
    NotCreator(#[from] NotCreator),
    /// There are no random bytes for a new room.
    #[error("the system gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The peer has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Why something cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// It is too much or too little, or chat is switched off.
    #[error(transparent)]
    Say(#[from] SayError),
    /// The peer has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// The peer's driver has ended, which it only does of itself if something in it broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this peer has ended")]
pub struct Ended;

impl Options {
    /// A new room, the usual policy, and a name that says nothing.
    pub fn new(server: impl Into<String>, key: DeviceKey, storage: Arc<dyn Storage>) -> Self {
        Self {
            server: server.into(),
            invite: None,
            key,
            name: "shoal".into(),
            policy: Policy::default(),
            storage,
            loopback: false,
            #[cfg(feature = "misbehave")]
            tamper: None,
            #[cfg(feature = "misbehave")]
            certificates: Certificates::default(),
        }
    }
}

impl Peer {
    /// Enters a room; from now on there are events. Failing to reach the server is one of them: the
    /// peer tries again by itself.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start(options: Options) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let key = options.key.public();
        let invite = match options.invite {
            Some(invite) => invite,
            None => Invite::new(random()?, &key),
        };
        let socket = signaling::socket_address(&options.server)?;
        let clock = Clock::start();
        let config = Config {
            invite: invite.clone(),
            key: options.key,
            name: options.name,
            unix_ms: clock::unix_ms(),
            seed: random()?,
            policy: options.policy,
        };
        let (commands, waiting_commands) = mpsc::channel(WAITING_COMMANDS);
        let (event_sender, events) = mpsc::channel(WAITING_EVENTS);
        let (snapshot_sender, snapshots) = watch::channel(Arc::default());
        let driver = tokio::spawn(driver::run(Parts {
            clock,
            swarm: Swarm::new(clock.now(), config),
            storage: options.storage,
            server: socket,
            loopback: options.loopback,
            tamper: Tamper {
                #[cfg(feature = "misbehave")]
                change: options.tamper,
            },
            #[cfg(feature = "misbehave")]
            certificates: options.certificates,
            #[cfg(not(feature = "misbehave"))]
            certificates: Certificates::default(),
            outside: Outside {
                commands: waiting_commands,
                events: event_sender,
                snapshots: snapshot_sender,
            },
        }));
        let server = options.server;
        Ok((Self { invite, server, key, clock, commands, snapshots, driver }, events))
    }

    /// The link that lets others into this room.
    pub fn link(&self) -> String {
        self.invite.to_link(&self.server)
    }

    /// Our own key.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Words that two people compare, by telephone say, to be sure of each other: who sees the same ones as
    /// the other side holds its true key. `None` as long as it has shown none.
    pub fn words_to_compare(&self, other: &PeerView) -> Option<String> {
        Some(spoken(&comparison(&self.key, &other.key?)))
    }

    /// How things stand, as of a fifth of a second ago or less.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// Snapshots to wait for changes with.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Puts what was found into the room.
    pub async fn share(&self, found: sources::Found) -> Result<ShareId, ShareError> {
        self.share_again(found, Vec::new()).await
    }

    /// The same, when an earlier run has shared it and signed these hashes (see
    /// [`OriginStorage`](storage::OriginStorage)).
    pub async fn share_again(
        &self,
        mut found: sources::Found,
        known: Vec<HashBatch>,
    ) -> Result<ShareId, ShareError> {
        let manifest = Manifest::new(self.key, std::mem::take(&mut found.entries))?;
        let sources = Arc::new(found.sources(&manifest));
        let shared = Shared { manifest, sources, known };
        Ok(self.ask(|reply| Command::Share(shared, reply)).await??)
    }

    /// Puts a share of this room that an earlier run left in the store onto the shelf, to be received on,
    /// or stopped with `discard`. [`ManifestError`] if it is of another room.
    pub async fn recall(
        &self,
        signed: SignedManifest,
        recalled: Recalled,
    ) -> Result<ShareId, ShareError> {
        Ok(self.ask(|reply| Command::Recall(signed, recalled, reply)).await??)
    }

    /// Asks the server again now, if it is lost.
    pub async fn retry_server(&self) -> Result<(), Ended> {
        self.commands.send(Command::RetryServer).await.map_err(|_| Ended)
    }

    /// When it is, by the clock of timers, what the core tells as `at`.
    pub fn time_of(&self, at: Instant) -> tokio::time::Instant {
        self.clock.deadline(at)
    }

    /// Fetches a share, or tries again after a failure.
    pub async fn receive(&self, share: ShareId) -> Result<(), CommandError> {
        self.tell(move |swarm, now| swarm.receive(now, share)).await
    }

    /// Chooses which files of a share are wanted and how urgently; before, all are. More can be wanted
    /// at any time, even when what was wanted is complete.
    pub async fn select(&self, share: ShareId, selection: Selection) -> Result<(), CommandError> {
        self.tell(move |swarm, now| swarm.select(now, share, selection)).await
    }

    /// Asks for no more pieces of a share until [`Peer::resume`]; what is here is served on.
    pub async fn pause(&self, share: ShareId) -> Result<(), CommandError> {
        self.tell(move |swarm, now| swarm.pause(now, share)).await
    }

    /// Goes on where [`Peer::pause`] stopped.
    pub async fn resume(&self, share: ShareId) -> Result<(), CommandError> {
        self.tell(move |swarm, now| swarm.resume(now, share)).await
    }

    /// How urgent a share is among several.
    pub async fn set_priority(
        &self,
        share: ShareId,
        priority: Priority,
    ) -> Result<(), CommandError> {
        self.tell(move |swarm, now| swarm.set_priority(now, share, priority)).await
    }

    /// Whether a share, ours or received, is served to others.
    pub async fn set_serving(&self, share: ShareId, serve: bool) -> Result<(), CommandError> {
        self.tell(move |swarm, now| swarm.set_serving(now, share, serve)).await
    }

    /// Stops sharing, fetching or serving on a share; `discard` also erases what was stored of it,
    /// unless it is complete.
    pub async fn stop(&self, share: ShareId, discard: bool) -> Result<(), CommandError> {
        self.tell(move |swarm, now| swarm.stop(now, share, discard)).await
    }

    /// Puts another policy in force, at once.
    pub async fn set_policy(&self, policy: Policy) -> Result<(), Ended> {
        self.commands.send(Command::SetPolicy(policy)).await.map_err(|_| Ended)
    }

    /// The hashes of a share's files, in manifest order, as far as they are known.
    pub async fn file_hashes(&self, share: ShareId) -> Result<Vec<Option<FileHash>>, Ended> {
        self.ask(|reply| Command::FileHashes(share, reply)).await
    }

    /// Says something to the room. With nobody there it is heard by whoever comes.
    pub async fn say(&self, text: impl Into<String>) -> Result<(), ChatError> {
        let text = text.into();
        Ok(self.ask(|reply| Command::Say(text, reply)).await??)
    }

    /// Locks the room, so that only those are let in who have been here, or opens it again.
    pub async fn set_locked(&self, locked: bool) -> Result<(), CreatorError> {
        Ok(self.ask(|reply| Command::SetLocked(locked, reply)).await??)
    }

    /// Makes the room that is to take the place of this one, and tells everybody connected but those with
    /// these keys of it. This peer is to leave, and to enter the new room with the invite.
    pub async fn start_anew(&self, without: Vec<PublicKey>) -> Result<Invite, CreatorError> {
        let invite = Invite::new(random()?, &self.key);
        let told = invite.clone();
        self.ask(|reply| Command::StartAnew(told, without, reply)).await??;
        Ok(invite)
    }

    /// Says goodbye, and returns when everything is written and every connection closed.
    pub async fn leave(self) {
        drop(self.commands);
        // It only fails if the driver panicked, and then there is nothing to wait for.
        let _ = self.driver.await;
    }

    async fn tell(
        &self,
        order: impl FnOnce(&mut Swarm, Instant) -> Result<(), NoSuchShare> + Send + 'static,
    ) -> Result<(), CommandError> {
        Ok(self.ask(|reply| Command::AboutShare(Box::new(order), reply)).await??)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }
}

fn random() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
