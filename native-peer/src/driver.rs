//! The one loop of a peer: it owns the core, waits for one thing, hands it to the core, does what the
//! core says, and sleeps until the core wants to be woken.
//!
//! Sockets, disks and people are reached through queues; nothing here waits for any of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::chat::SayError;
use protocol::event::{Event, Recalled};
use protocol::identity::PublicKey;
use protocol::invite::Invite;
use protocol::io::{
    ConnectionEvent, ConnectionId, ConnectionRequest, LostCause, SignalingEvent, SignalingRequest,
    StorageResponse,
};
use protocol::manifest::{HashBatch, Manifest, ManifestError, ShareId, SignedManifest};
use protocol::piece::FileHash;
use protocol::policy::Policy;
use protocol::swarm::{NoSuchShare, NotCreator, Swarm};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use crate::Snapshot;
use crate::clock::Clock;
use crate::connection::{Connection, Inbox, News, Setup};
use crate::misbehave::{Certificates, Tamper};
use crate::signaling::Signaling;
use crate::sources::Sources;
use crate::storage::{Files, Storage};

/// Messages and other news of all connections that may wait for the driver: 8 MiB at most. Beyond that
/// they stay with the library, and the senders' windows close.
const MAX_NEWS: usize = 32;
/// Events kept for somebody who is slow to take them. After that the oldest go: snapshots tell how
/// things stand.
const MAX_EVENTS: usize = 4096;
/// How often a snapshot is made while something changes.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(200);
/// How long leaving waits for goodbyes to go out.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often it is looked how much can still be stored, for others to know.
const CAPACITY_INTERVAL: Duration = Duration::from_secs(5);

/// What a [`Peer`](crate::Peer) asks of its driver.
pub(crate) enum Command {
    Share(Shared, oneshot::Sender<Result<ShareId, ManifestError>>),
    Recall(SignedManifest, Recalled, oneshot::Sender<Result<ShareId, ManifestError>>),
    AboutShare(AboutShare, oneshot::Sender<Result<(), NoSuchShare>>),
    SetPolicy(Policy),
    SetLocked(bool, oneshot::Sender<Result<(), NotCreator>>),
    StartAnew(Invite, Vec<PublicKey>, oneshot::Sender<Result<(), NotCreator>>),
    Say(String, oneshot::Sender<Result<(), SayError>>),
    RetryServer,
    FileHashes(ShareId, oneshot::Sender<Vec<Option<FileHash>>>),
}

/// What is to be shared.
pub(crate) struct Shared {
    pub(crate) manifest: Manifest,
    pub(crate) sources: Arc<Sources>,
    /// The hashes that an earlier run signed.
    pub(crate) known: Vec<HashBatch>,
}

/// A command of the core about a share.
pub(crate) type AboutShare =
    Box<dyn FnOnce(&mut Swarm, protocol::time::Instant) -> Result<(), NoSuchShare> + Send>;

/// The driver's ends of the queues to whoever uses the peer.
pub(crate) struct Outside {
    /// Ends when the peer is to leave.
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) snapshots: watch::Sender<Arc<Snapshot>>,
}

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) swarm: Swarm,
    pub(crate) storage: Arc<dyn Storage>,
    /// The WebSocket address of the signaling server.
    pub(crate) server: String,
    pub(crate) loopback: bool,
    pub(crate) tamper: Tamper,
    pub(crate) certificates: Certificates,
    pub(crate) outside: Outside,
}

/// Runs a peer until its commands end; then leaves the room.
pub(crate) async fn run(parts: Parts) {
    let (news_sender, news) = mpsc::channel(MAX_NEWS);
    let (responses_sender, responses) = mpsc::channel(MAX_NEWS);
    let driver = Driver {
        clock: parts.clock,
        swarm: parts.swarm,
        server: parts.server,
        loopback: parts.loopback,
        tamper: parts.tamper,
        certificates: parts.certificates,
        outside: parts.outside,
        signaling: None,
        connections: HashMap::new(),
        files: Files::new(parts.storage, responses_sender),
        tasks: JoinSet::new(),
        news_sender,
        news,
        responses,
        events: VecDeque::new(),
        snapshot_due: None,
        last_snapshot: Instant::now(),
        capacity_due: Instant::now(),
    };
    Box::pin(driver.run()).await;
}

struct Driver {
    clock: Clock,
    swarm: Swarm,
    server: String,
    loopback: bool,
    tamper: Tamper,
    certificates: Certificates,
    outside: Outside,

    signaling: Option<Signaling>,
    connections: HashMap<ConnectionId, Connection>,
    files: Files,
    /// Connections and WebSockets, which end by themselves once let go of.
    tasks: JoinSet<()>,

    news_sender: mpsc::Sender<(ConnectionId, News)>,
    news: mpsc::Receiver<(ConnectionId, News)>,
    responses: mpsc::Receiver<StorageResponse>,

    /// Not yet taken by whoever uses the peer.
    events: VecDeque<Event>,
    /// When to make the next snapshot, if anything may have changed.
    snapshot_due: Option<Instant>,
    last_snapshot: Instant,
    /// When to look how much can still be stored.
    capacity_due: Instant,
}

/// The one thing that was waited for.
enum Input {
    Command(Option<Command>),
    Signaling(SignalingEvent),
    News(ConnectionId, News),
    Storage(StorageResponse),
    Timeout,
    /// Somebody is ready for the next event.
    EventWanted,
    SnapshotDue,
    CapacityDue,
    /// Bytes that can still be stored.
    Capacity(Option<u64>),
}

impl Driver {
    async fn run(mut self) {
        self.swarm.join(self.clock.now());
        loop {
            self.do_as_told();
            match self.next_input().await {
                Input::Command(None) => break,
                Input::EventWanted => continue,
                Input::SnapshotDue => {
                    self.snapshot();
                    continue;
                }
                Input::CapacityDue => {
                    self.capacity_due = Instant::now() + CAPACITY_INTERVAL;
                    self.files.look_at_capacity();
                    continue;
                }
                input => self.handle(input),
            }
            self.snapshot_due.get_or_insert(self.last_snapshot + SNAPSHOT_INTERVAL);
        }
        self.leave().await;
    }

    async fn next_input(&mut self) -> Input {
        let wake = self.swarm.poll_timeout().map(|at| self.clock.deadline(at));
        tokio::select! {
            command = self.outside.commands.recv() => Input::Command(command),
            event = next_signaling(&mut self.signaling) => Input::Signaling(event),
            Some(response) = self.responses.recv() => Input::Storage(response),
            Some((id, news)) = self.news.recv() => Input::News(id, news),
            () = until(wake) => Input::Timeout,
            () = until(self.snapshot_due) => Input::SnapshotDue,
            () = sleep_until(self.capacity_due) => Input::CapacityDue,
            bytes = self.files.capacity() => Input::Capacity(bytes),
            Ok(permit) = self.outside.events.reserve(), if !self.events.is_empty() => {
                if let Some(event) = self.events.pop_front() {
                    permit.send(event);
                }
                Input::EventWanted
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        match input {
            Input::Command(Some(command)) => self.command(command),
            Input::Signaling(event) => {
                if matches!(event, SignalingEvent::Closed { .. }) {
                    self.signaling = None;
                }
                self.swarm.handle_signaling(now, event);
            }
            Input::News(id, News::Event(mut event)) => {
                self.certificates.announce(&mut event);
                if matches!(event, ConnectionEvent::Closed { .. }) {
                    self.connections.remove(&id);
                }
                self.swarm.handle_connection(now, id, event);
            }
            Input::News(id, News::Message(channel, message)) => {
                self.swarm.handle_message(now, id, channel, &message);
            }
            Input::News(id, News::BufferedAmountLow(channel, bytes)) => {
                self.swarm.handle_buffered_amount(now, id, channel, bytes);
            }
            Input::Storage(response) => self.swarm.handle_storage(now, response),
            Input::Timeout => self.swarm.handle_timeout(now),
            Input::Capacity(bytes) => self.swarm.set_capacity(now, bytes),
            Input::Command(None) | Input::EventWanted => {}
            Input::SnapshotDue | Input::CapacityDue => {}
        }
    }

    /// An answer that nobody waits for any more is dropped.
    fn command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Share(Shared { manifest, sources, known }, reply) => {
                let result = self.swarm.share(now, manifest, known);
                if let Ok(share) = result {
                    self.files.add_sources(share, sources);
                }
                let _ = reply.send(result);
            }
            Command::Recall(signed, recalled, reply) => {
                let _ = reply.send(self.swarm.recall(now, signed, recalled));
            }
            Command::AboutShare(order, reply) => {
                let _ = reply.send(order(&mut self.swarm, now));
            }
            Command::SetPolicy(policy) => self.swarm.set_policy(now, policy),
            Command::SetLocked(locked, reply) => {
                let _ = reply.send(self.swarm.set_locked(now, locked));
            }
            Command::StartAnew(invite, without, reply) => {
                let _ = reply.send(self.swarm.start_anew(now, &invite, &without));
            }
            Command::Say(text, reply) => {
                let _ = reply.send(self.swarm.say(now, &text));
            }
            Command::RetryServer => self.swarm.retry_server(now),
            Command::FileHashes(share, reply) => {
                let manifest = self.swarm.share_view(share).map(|view| view.manifest);
                let files = manifest.iter().flat_map(|manifest| manifest.files());
                let hashes = files.map(|(file, _)| self.swarm.file_hash(share, file)).collect();
                let _ = reply.send(hashes);
            }
        }
    }

    /// Drains the core.
    fn do_as_told(&mut self) {
        // Reporting what is buffered may let the core send more.
        while let Some(mut transmit) = self.swarm.poll_transmit(self.clock.now()) {
            self.tamper.apply(&mut transmit);
            let id = transmit.connection;
            let Some(connection) = self.connections.get(&id) else { continue };
            let bytes = connection.send(transmit.channel, transmit.bytes);
            self.swarm.handle_buffered_amount(self.clock.now(), id, transmit.channel, bytes);
        }
        while let Some(request) = self.swarm.poll_signaling() {
            self.do_signaling(request);
        }
        while let Some(request) = self.swarm.poll_connection() {
            self.do_connection(request);
        }
        while let Some(request) = self.swarm.poll_storage() {
            self.files.request(request);
        }
        let mut news = false;
        while let Some(event) = self.swarm.poll_event() {
            debug!(?event, "event");
            news = true;
            if self.events.len() == MAX_EVENTS {
                warn!("nobody takes events; the oldest is dropped");
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
        if news {
            // Whoever is told something can look at once.
            self.snapshot();
        }
    }

    fn do_signaling(&mut self, request: SignalingRequest) {
        match request {
            SignalingRequest::Open => {
                self.signaling = Some(Signaling::open(self.server.clone(), &mut self.tasks));
            }
            SignalingRequest::Send(message) => {
                let sent = self.signaling.as_ref().is_some_and(|socket| socket.send(message));
                if !sent && self.signaling.take().is_some() {
                    let reason = "the server does not read what it is sent".to_owned();
                    let closed = SignalingEvent::Closed { cause: LostCause::Server, reason };
                    self.swarm.handle_signaling(self.clock.now(), closed);
                }
            }
            SignalingRequest::Close => self.signaling = None,
        }
    }

    fn do_connection(&mut self, request: ConnectionRequest) {
        let id = request.connection();
        match request {
            ConnectionRequest::Open { role, ice_servers, relay_only, .. } => {
                while self.tasks.try_join_next().is_some() {}
                let inbox = Inbox { id, news: self.news_sender.clone() };
                let (loopback, settled) = (self.loopback, Arc::default());
                let certificates = self.certificates;
                let setup =
                    Setup { role, ice_servers, relay_only, loopback, certificates, inbox, settled };
                self.connections.insert(id, Connection::open(setup, &mut self.tasks));
            }
            // Letting go closes it, once what was sent is out.
            ConnectionRequest::Close { .. } => {
                self.connections.remove(&id);
            }
            request => {
                let Some(connection) = self.connections.get(&id) else { return };
                if !connection.request(request) {
                    self.connections.remove(&id);
                    let reason = "the connection is stuck".to_owned();
                    let closed = ConnectionEvent::Closed { reason };
                    self.swarm.handle_connection(self.clock.now(), id, closed);
                }
            }
        }
    }

    fn snapshot(&mut self) {
        let shares: Vec<_> = self.swarm.shares().collect();
        let snapshot = Snapshot {
            peer: self.swarm.peer_id(),
            server: self.swarm.server(),
            peers: self.swarm.peers().collect(),
            copies: shares.iter().filter_map(|s| Some((s.id, self.swarm.copies(s.id)?))).collect(),
            shares,
            locked: self.swarm.is_locked(),
            shut_out: self.swarm.is_shut_out(),
        };
        self.outside.snapshots.send_replace(Arc::new(snapshot));
        self.snapshot_due = None;
        self.last_snapshot = Instant::now();
    }

    /// Says goodbye, and waits for what is under way to networks and disks.
    async fn leave(mut self) {
        self.swarm.leave(self.clock.now());
        self.do_as_told();
        self.signaling = None;
        self.connections.clear();
        // Nobody listens any more, so nothing that runs may wait to be heard.
        drop((self.news, self.responses));
        self.files.finish().await;
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(LEAVE_TIMEOUT, ended).await.is_err() {
            debug!("left before every goodbye was out");
        }
    }
}

async fn next_signaling(signaling: &mut Option<Signaling>) -> SignalingEvent {
    match signaling {
        Some(signaling) => signaling.next().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
