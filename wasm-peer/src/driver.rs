//! The worker: owns the core, and everything the core asks for is done from here.
//!
//! There is one way in, [`Worker::handle`]: whatever happened (a message from the window, from the
//! server, on a channel; a finished file operation; the timer) is handed to the core, then every
//! `poll_*` is drained and obeyed, then the timer is set to the core's timeout. The browser's event loop
//! does the waiting, and nothing here blocks it but writes in place.
//!
//! What the window asks for is done in `commands`; what wakes the worker up is in `wakeups`.

mod commands;
mod wakeups;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::StreamExt;
use js_sys::Array;
use protocol::code::{Code, CodeError};
use protocol::event::Event;
use protocol::identity::DeviceKey;
use protocol::invite::{Invite, InviteError, InviteLink};
use protocol::io::{
    Candidate, Channel, ConnectionEvent, ConnectionId, ConnectionRequest, ConnectionState,
    Description, Fingerprint, LostCause, Opened, Path, PathKind, Role, SignalingEvent,
    SignalingRequest, StorageRequest, StorageResponse,
};
use protocol::manifest::ShareId;
use protocol::piece::FileIndex;
use protocol::rendezvous::OfferEvent;
use protocol::signaling::RoomId;
use protocol::swarm::{Config, Swarm};
use protocol::time::Instant;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, FileSystemDirectoryHandle, MessageEvent};

use self::wakeups::{ASLEEP_MS, Timer, watch_network, watch_sleep};
use crate::api::{self, Access, PeerOptions, Person, State};
use crate::channel::{ChannelEvent, DataChannel};
use crate::codes;
use crate::lane::{Lane, Told};
use crate::left::{self, Left};
use crate::records::{self, Record, Records};
use crate::search::Searches;
use crate::signaling::{self, Signaling};
use crate::source::{Reader, Source};
use crate::storage::{Finished, Storage};
use crate::wire::{self, Command, ConnectionReport, ToWindow, ToWorker};
use crate::wishes::Wishes;
use crate::{clock, handles, people, policy, profile, save, view};

/// What a browser's socket holds. Chromium asks for 128 KiB whatever the system would give; page scripts
/// cannot see or change it.
const RECEIVE_BUFFER_BYTES: usize = 128 << 10;

/// States are told at most this often.
const STATE_INTERVAL: Duration = Duration::from_millis(250);
/// … and at least this often while rates are not 0.
const RATE_INTERVAL: Duration = Duration::from_secs(1);
/// How long after a sleep what came meanwhile is heard first.
const HEARD_WITHIN: Duration = Duration::from_millis(250);
/// What we are called if nobody says.
const DEFAULT_NAME: &str = "Browser";

/// Runs the worker; returns at once, and lives on in the browser's event loop.
pub fn run() {
    std::panic::set_hook(Box::new(|panic| {
        post(&ToWindow::Crashed { message: panic.to_string() });
    }));
    let worker = Worker::default();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        match serde_wasm_bindgen::from_value(event.data()) {
            Ok(message) => worker.handle_window(message),
            Err(error) => post(&ToWindow::Crashed { message: error.to_string() }),
        }
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // It is needed as long as the worker is there.
    on_message.forget();
    post(&ToWindow::Ready);
}

/// The driver, once there is one, for everything that calls back.
#[derive(Clone, Default)]
struct Worker(Rc<RefCell<Option<Driver>>>);

/// What can happen.
enum Input {
    Call {
        call: u32,
        command: Command,
    },
    Report {
        connection: ConnectionId,
        report: ConnectionReport,
    },
    Channel {
        connection: ConnectionId,
        channel: Channel,
        event: ChannelEvent,
    },
    Signaling(SignalingEvent),
    Storage(StorageResponse),
    Saved {
        share: ShareId,
        written: save::Written,
        result: Result<(), String>,
    },
    Available(Option<u64>),
    /// Whom the user trusts and avoids.
    People(Vec<Person>),
    /// Of the code with this number, counted from the first one made here.
    Code {
        number: u32,
        event: OfferEvent,
    },
    /// The files of a share of ours cannot be read any more.
    Lost {
        share: ShareId,
    },
    /// The handles of all its files are remembered; here are the files if they may be read.
    Remembered {
        share: ShareId,
        files: Option<Array>,
    },
    /// The browser says that the network came or went.
    Network {
        up: bool,
    },
    /// The machine slept, or the page was frozen.
    Woken,
    Wake,
}

struct Driver {
    worker: Worker,
    swarm: Swarm,
    room: RoomId,
    invite: Invite,
    key: DeviceKey,
    /// Address of the server, ending in a slash.
    server: String,
    name: String,
    invite_link: String,
    /// The profile's folder, where there is one.
    root: Option<FileSystemDirectoryHandle>,
    /// The policy as the embedder said it, and whom the user trusts and avoids.
    said: api::Policy,
    people: Vec<Person>,
    signaling: Option<Signaling>,
    /// Whether the server was tried before.
    signaling_tried: bool,
    lanes: BTreeMap<ConnectionId, Lane>,
    reader: Reader,
    /// The name of our store; none in memory.
    store: Option<String>,
    storage: Storage,
    records: Records,
    /// Calls for blobs of all that is finished of a share, or of one file.
    blobs: mpsc::UnboundedSender<(u32, Rc<Finished>, Option<FileIndex>)>,
    /// The files of our own shares, by their index in the manifest.
    sources: BTreeMap<ShareId, Vec<Rc<Source>>>,
    /// Shares of ours whose files cannot be read, and what helps.
    detached: BTreeMap<ShareId, Access>,
    received: BTreeMap<ShareId, Received>,
    wishes: Wishes,
    searches: Searches,
    /// Hashes that were shown before, so that they need not be combined again.
    hashes: BTreeMap<(ShareId, FileIndex), String>,
    available: Option<u64>,
    /// The code that was made last, unless it was taken back; how many were made, and burnt.
    code: Option<codes::Offer>,
    codes_made: u32,
    codes_burnt: u32,
    timer: Timer,
    /// After a sleep: until then what came meanwhile is heard, before the core hears how late it is and
    /// takes peers for gone.
    hears_until: Instant,
    /// Whether anything happened since the last state, and when that was told.
    changed: bool,
    told_state: Option<Instant>,
}

/// What becomes of a share that somebody wanted to have.
#[derive(Default)]
struct Received {
    directory: Option<FileSystemDirectoryHandle>,
    written: save::Written,
    error: Option<String>,
}

impl Worker {
    fn handle_window(&self, message: ToWorker) {
        match message {
            ToWorker::Call { call, command: Command::Start { link, options, stores } } => {
                let worker = self.clone();
                spawn_local(async move {
                    let started = Driver::start(&worker, link, *options, &stores).await;
                    reply(call, started.map(|started| wire::to_js(&started)));
                    worker.handle(Input::Wake);
                });
            }
            ToWorker::Call { call, command } => self.handle(Input::Call { call, command }),
            ToWorker::Connection { connection, report } => {
                self.handle(Input::Report { connection: ConnectionId(connection), report });
            }
        }
    }

    /// The one way in. Everything that calls back is called by the browser, never by the driver, so
    /// the driver is not borrowed yet.
    fn handle(&self, input: Input) {
        if let Some(driver) = &mut *self.0.borrow_mut() {
            driver.handle(clock::now(), input);
            driver.drain(clock::now());
            driver.tell_state(clock::now());
            driver.set_timer();
        }
    }

    fn reporter(
        &self,
        connection: ConnectionId,
        channel: Channel,
    ) -> impl Fn(ChannelEvent) + Clone + use<> {
        let worker = self.clone();
        move |event| worker.handle(Input::Channel { connection, channel, event })
    }
}

impl Driver {
    /// Opens what the profile keeps, enters the room, and gives its link.
    async fn start(
        worker: &Worker,
        link: Option<String>,
        options: PeerOptions,
        stores: &[String],
    ) -> Result<wire::Started, String> {
        // A bad invite shows before anything is touched.
        let link = match link {
            Some(text) if Code::is_meant(&text) => Some(claim(&text, &options).await?),
            Some(text) => Some(text.parse().map_err(|error: InviteError| error.to_string())?),
            None => None,
        };
        let root = profile::root().await;
        // The key of a room alone, unless the room's store has one from before.
        let fresh: Option<[u8; 32]> = options.fresh_key.then(profile::random);
        let key = match fresh {
            Some(fresh) => DeviceKey::from_bytes(fresh),
            None => profile::device_key(root.as_ref()).await,
        };
        let people = match &root {
            Some(root) => people::load(root).await,
            None => Vec::new(),
        };
        let InviteLink { server, invite } = match link {
            Some(link) => link,
            None => {
                let server = options.server.as_deref().unwrap_or_default();
                let invite = Invite::new(profile::random(), &key.public());
                // One place decides what an address of a server is.
                invite.to_link(server).parse().map_err(|_: InviteError| {
                    format!("{server:?} is not a server's address, such as https://example.org/")
                })?
            }
        };
        let store = match &root {
            Some(root) => {
                let store = profile::take_store(root, invite.room_id(), stores).await;
                // After that, so that ours is not among them.
                left::erase_old(root.clone());
                store
            }
            None => None,
        };
        let wishes = Wishes::recall(store.as_ref()).await;
        let key = match (fresh, &store) {
            (Some(fresh), Some(store)) => profile::room_key(store, fresh).await,
            _ => key,
        };
        let (left, records) = match &store {
            Some(store) => {
                let room = invite.room_id();
                (left::shares(store, room, &wishes).await, records::recall(store, room).await)
            }
            None => Default::default(),
        };
        let respond: Rc<dyn Fn(StorageResponse)> = {
            let worker = worker.clone();
            Rc::new(move |response| worker.handle(Input::Storage(response)))
        };
        let lost: Rc<dyn Fn(ShareId)> = {
            let worker = worker.clone();
            Rc::new(move |share| worker.handle(Input::Lost { share }))
        };
        let reader = Reader::new(respond.clone(), lost);
        let name = options.name.filter(|name| !name.trim().is_empty());
        let name = name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let invite_link = invite.to_link(&server);
        let room = invite.room_id();
        let config = Config {
            invite: invite.clone(),
            key: key.clone(),
            name: name.clone(),
            unix_ms: clock::unix_ms(),
            seed: profile::random(),
            policy: policy::policy(&options.policy, &people)?,
        };
        let mut swarm = Swarm::new(clock::now(), config);
        swarm.join(clock::now());
        let store_name = store.as_ref().map(|store| store.name.clone());
        let records_kept = Records::new(store.as_ref());
        let mut driver = Self {
            worker: worker.clone(),
            swarm,
            room,
            invite,
            key,
            server,
            name,
            invite_link: invite_link.clone(),
            root: root.clone(),
            said: options.policy,
            people,
            signaling: None,
            signaling_tried: false,
            lanes: BTreeMap::new(),
            store: store_name.clone(),
            storage: Storage::new(root, store, reader.clone(), respond).await,
            records: records_kept,
            blobs: make_blobs(),
            reader,
            sources: BTreeMap::new(),
            detached: BTreeMap::new(),
            received: BTreeMap::new(),
            wishes,
            searches: Searches::default(),
            hashes: BTreeMap::new(),
            available: None,
            code: None,
            codes_made: 0,
            codes_burnt: 0,
            timer: Timer::new(worker),
            hears_until: clock::now(),
            changed: true,
            told_state: None,
        };
        driver.recall(left, records);
        driver.estimate();
        worker.0.replace(Some(driver));
        watch_network(worker);
        watch_sleep(worker.clone());
        Ok(wire::Started { invite_link, store: store_name })
    }

    /// Tells the core what an earlier load of the page left.
    fn recall(&mut self, left: Vec<Left>, records: Vec<Record>) {
        let now = clock::now();
        for Left { signed, what } in left {
            // Its signature was checked before, so it is the room's.
            let Ok(share) = self.swarm.recall(now, signed, what) else { continue };
            self.apply_wish(now, share);
            if what.complete {
                // All that is wanted is here: opened, it is served on and can be saved.
                let _ = self.swarm.receive(now, share);
            }
        }
        for Record { signed, known } in records {
            if let Ok(share) = self.swarm.recall_own(now, signed, known) {
                self.detached.insert(share, Access::ChooseAgain);
                self.look_for_handles(share);
            }
        }
    }

    /// Finds out whether the files of a share of ours are remembered, and goes on with it if they may be
    /// read without asking.
    fn look_for_handles(&self, share: ShareId) {
        let (worker, store) = (self.worker.clone(), self.store.clone());
        spawn_local(async move {
            let Some(store) = store else { return };
            let Some(handles) = handles::recall(&store, &share.to_string()).await else { return };
            let files = match handles::are_readable(&handles, false).await {
                true => Some(handles::files(&handles).await),
                false => None,
            };
            worker.handle(Input::Remembered { share, files });
        });
    }

    fn handle(&mut self, now: Instant, input: Input) {
        // A question that is asked whenever a state is told must not bring about the next one.
        self.changed |= !matches!(&input, Input::Call { command, .. } if command.is_question());
        match input {
            Input::Call { call, command } => {
                let answer = self.handle_command(now, call, command);
                // What the command brought about is done before the caller goes on.
                self.drain(now);
                if let Some(answer) = answer.transpose() {
                    reply(call, answer);
                }
            }
            Input::Report { connection, report } => self.handle_report(now, connection, report),
            Input::Channel { connection, channel, event } => {
                self.handle_channel(now, connection, channel, event);
            }
            Input::Signaling(event) => self.handle_signaling(now, event),
            Input::Storage(response) => self.swarm.handle_storage(now, response),
            Input::Saved { share, written, result } => {
                let received = self.received.entry(share).or_default();
                received.written = written;
                received.error = result.err();
                if let Some(message) = &received.error {
                    post(&ToWindow::Event(api::PeerEvent {
                        kind: api::EventKind::Failed,
                        share: Some(share.to_string()),
                        peer: None,
                        name: None,
                        message: Some(message.clone()),
                        link: None,
                        line: None,
                    }));
                } else {
                    self.note_saved(now, share);
                }
            }
            Input::Available(available) => {
                self.available = available;
                self.swarm.set_capacity(now, available);
            }
            Input::People(people) => {
                self.people = people;
                self.apply_policy(now);
            }
            Input::Code { number, event } => self.note_code(number, event),
            Input::Lost { share } => {
                if self.sources.remove(&share).is_some() && self.swarm.detach(now, share).is_ok() {
                    self.detached.insert(share, Access::ChooseAgain);
                    self.look_for_handles(share);
                }
            }
            Input::Remembered { share, files } => {
                if let Some(access) = self.detached.get_mut(&share) {
                    *access = Access::Permission;
                }
                if let Some(files) = files {
                    // If they have changed people hear of it when they act.
                    let _ = self.reattach(now, share, &files);
                }
            }
            Input::Network { up } => self.swarm.handle_network(now, up),
            // What was lost meanwhile is tried at once, as if the network had come.
            Input::Woken => self.swarm.handle_network(now, signaling::is_online()),
            Input::Wake => {
                let due = self.timer.fired();
                if due.is_some_and(|due| now - due > Duration::from_millis(ASLEEP_MS)) {
                    self.hears_until = now + HEARD_WITHIN;
                }
                let timeout = self.swarm.poll_timeout();
                if now >= self.hears_until && timeout.is_some_and(|timeout| timeout <= now) {
                    self.swarm.handle_timeout(now);
                }
            }
        }
    }

    fn handle_signaling(&mut self, now: Instant, event: SignalingEvent) {
        if matches!(event, SignalingEvent::Closed { .. }) {
            self.signaling = None;
        }
        self.swarm.handle_signaling(now, event);
    }

    fn handle_report(&mut self, now: Instant, id: ConnectionId, report: ConnectionReport) {
        // What comes for a connection that was closed meanwhile is late.
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let told = match report {
            ConnectionReport::Channels { control, blocks } => lane.set_channels([
                DataChannel::transferred(control, self.worker.reporter(id, Channel::Control)),
                DataChannel::transferred(blocks, self.worker.reporter(id, Channel::Blocks)),
            ]),
            ConnectionReport::ChannelsStay => {
                let request: Rc<dyn Fn(wire::ConnectionRequest)> =
                    Rc::new(move |request| post_connection(id, request));
                lane.set_channels([
                    DataChannel::stand_in(Channel::Control, request.clone()),
                    DataChannel::stand_in(Channel::Blocks, request),
                ])
            }
            ConnectionReport::Secured { max_message_size, local, remote } => {
                lane.set_secured(Opened {
                    max_message_size: max_message_size as usize,
                    receive_buffer: RECEIVE_BUFFER_BYTES,
                    local_fingerprint: Fingerprint(local),
                    remote_fingerprint: Fingerprint(remote),
                })
            }
            ConnectionReport::LocalDescription(wire::Description { offer, sdp }) => {
                let description =
                    if offer { Description::Offer(sdp) } else { Description::Answer(sdp) };
                vec![Told::Event(ConnectionEvent::LocalDescription(description))]
            }
            ConnectionReport::LocalCandidate(candidate) => {
                let candidate = candidate.map(|it| Candidate {
                    candidate: it.candidate,
                    sdp_mid: it.sdp_mid,
                    sdp_mline_index: it.sdp_mline_index,
                });
                vec![Told::Event(ConnectionEvent::LocalCandidate(candidate))]
            }
            ConnectionReport::State(state) => {
                vec![Told::Event(ConnectionEvent::State(match state {
                    wire::ConnectionState::Connected => ConnectionState::Connected,
                    wire::ConnectionState::Disconnected => ConnectionState::Disconnected,
                    wire::ConnectionState::Failed => ConnectionState::Failed,
                }))]
            }
            ConnectionReport::Path { kind, round_trip_ms } => {
                let kind = match kind {
                    api::PathKind::Lan => PathKind::Lan,
                    api::PathKind::Direct => PathKind::Direct,
                    api::PathKind::Relayed => PathKind::Relayed,
                };
                let round_trip = round_trip_ms.filter(|ms| (0.0..1e9).contains(ms));
                let round_trip = round_trip.map(|ms| Duration::from_secs_f64(ms / 1e3));
                vec![Told::Event(ConnectionEvent::Path(Path { kind, round_trip }))]
            }
            ConnectionReport::Closed { reason } => return self.closed(now, id, reason),
            ConnectionReport::ChannelOpened { channel } => {
                return self.handle_channel(now, id, channel_of(channel), ChannelEvent::Open);
            }
            ConnectionReport::ChannelClosed { channel } => {
                return self.handle_channel(now, id, channel_of(channel), ChannelEvent::Closed);
            }
            ConnectionReport::Message { channel, data } => {
                let event = ChannelEvent::Message(data);
                return self.handle_channel(now, id, channel_of(channel), event);
            }
            ConnectionReport::BufferedAmount { channel, sent, buffered } => {
                let channel = channel_of(channel);
                if let Some(it) = lane.channel(channel) {
                    it.note_buffered_amount(sent, buffered);
                }
                return self.handle_channel(now, id, channel, ChannelEvent::BufferedAmount);
            }
        };
        self.tell_core(now, id, told);
    }

    fn handle_channel(
        &mut self,
        now: Instant,
        id: ConnectionId,
        channel: Channel,
        event: ChannelEvent,
    ) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match event {
            ChannelEvent::Open => {
                let told = lane.set_open(channel);
                self.tell_core(now, id, told);
            }
            ChannelEvent::Message(data) => match lane.receive(channel, &data) {
                Ok(Some(bytes)) => self.swarm.handle_message(now, id, channel, &bytes),
                Ok(None) => {}
                Err(reason) => self.closed(now, id, reason.to_owned()),
            },
            ChannelEvent::BufferedAmount => {
                if let Some(it) = lane.channel(channel) {
                    let amount = it.buffered_amount();
                    self.swarm.handle_buffered_amount(now, id, channel, amount);
                }
            }
            ChannelEvent::Closed => {
                self.closed(now, id, "the other side closed the channel".to_owned());
            }
        }
    }

    fn closed(&mut self, now: Instant, id: ConnectionId, reason: String) {
        if self.lanes.get_mut(&id).is_some_and(Lane::close) {
            self.swarm.handle_connection(now, id, ConnectionEvent::Closed { reason });
        }
    }

    fn tell_core(&mut self, now: Instant, id: ConnectionId, told: Vec<Told>) {
        for told in told {
            match told {
                Told::Event(event) => self.swarm.handle_connection(now, id, event),
                Told::Message(channel, bytes) => {
                    self.swarm.handle_message(now, id, channel, &bytes);
                }
            }
        }
    }

    /// Does everything that the core asks for.
    fn drain(&mut self, now: Instant) {
        loop {
            let mut idle = true;
            while let Some(request) = self.swarm.poll_signaling() {
                idle = false;
                self.do_signaling(now, request);
            }
            // Before connections, so that a goodbye is sent before its connection is closed.
            while let Some(transmit) = self.swarm.poll_transmit(now) {
                idle = false;
                let (id, channel) = (transmit.connection, transmit.channel);
                let lane = self.lanes.get_mut(&id);
                match lane.and_then(|lane| lane.send(channel, &transmit.bytes)) {
                    Some(amount) => self.swarm.handle_buffered_amount(now, id, channel, amount),
                    None => self.closed(now, id, "the channel is closed".to_owned()),
                }
            }
            while let Some(request) = self.swarm.poll_connection() {
                idle = false;
                self.do_connection(request);
            }
            while let Some(request) = self.swarm.poll_storage() {
                idle = false;
                self.do_storage(request);
            }
            while let Some(event) = self.swarm.poll_event() {
                idle = false;
                self.note_event(now, &event);
                let told = view::event(&event, &self.server, &self.key.public());
                post(&ToWindow::Event(told));
            }
            if idle {
                break;
            }
        }
    }

    fn do_signaling(&mut self, now: Instant, request: SignalingRequest) {
        match request {
            SignalingRequest::Open => {
                // A socket from before goes silent first: what it says must not count for this one.
                self.signaling = None;
                let worker = self.worker.clone();
                let report = move |event| worker.handle(Input::Signaling(event));
                let again = std::mem::replace(&mut self.signaling_tried, true);
                match Signaling::open(&self.server, again, report) {
                    Ok(signaling) => self.signaling = Some(signaling),
                    Err(reason) => {
                        let closed = SignalingEvent::Closed { cause: LostCause::Server, reason };
                        self.swarm.handle_signaling(now, closed);
                    }
                }
            }
            SignalingRequest::Send(message) => {
                if let Some(signaling) = &self.signaling {
                    signaling.send(&message);
                }
            }
            SignalingRequest::Close => self.signaling = None,
        }
    }

    fn do_connection(&mut self, request: ConnectionRequest) {
        let id = request.connection();
        let request = match request {
            ConnectionRequest::Open { role, ice_servers, relay_only, .. } => {
                self.lanes.insert(id, Lane::default());
                let ice_servers = ice_servers
                    .into_iter()
                    .map(|it| wire::IceServer {
                        urls: it.urls,
                        username: it.username,
                        credential: it.credential,
                    })
                    .collect();
                wire::ConnectionRequest::Open {
                    offer: role == Role::Offerer,
                    ice_servers,
                    relay_only,
                }
            }
            ConnectionRequest::SetRemoteDescription { description, .. } => {
                let offer = matches!(description, Description::Offer(_));
                let sdp = description.sdp().to_owned();
                wire::ConnectionRequest::SetRemoteDescription(wire::Description { offer, sdp })
            }
            ConnectionRequest::AddCandidate { candidate, .. } => {
                wire::ConnectionRequest::AddCandidate(candidate.map(|it| wire::Candidate {
                    candidate: it.candidate,
                    sdp_mid: it.sdp_mid,
                    sdp_mline_index: it.sdp_mline_index,
                }))
            }
            ConnectionRequest::RestartIce { .. } => wire::ConnectionRequest::RestartIce,
            ConnectionRequest::Close { .. } => {
                // Its channels close here; the window lets them send what they hold.
                self.lanes.remove(&id);
                wire::ConnectionRequest::Close
            }
        };
        post_connection(id, request);
    }

    fn do_storage(&mut self, request: StorageRequest) {
        match request {
            StorageRequest::Read { read, share, span } if self.sources.contains_key(&share) => {
                let files = &self.sources[&share];
                let file = files.get(span.file.0 as usize);
                let file = file.expect("the core reads files of the manifest it was given");
                self.reader.read(read, file, span.file_offset, span.length);
            }
            StorageRequest::Keep { share, batches } => self.records.add(share, batches),
            request => self.storage.handle(request),
        }
    }

    fn note_event(&mut self, now: Instant, event: &Event) {
        if let Event::ShareAdded { share } = event {
            self.apply_wish(now, *share);
        }
        match event {
            Event::Completed { share } => {
                self.write_out(*share);
                self.estimate();
            }
            Event::ShareAdded { .. } | Event::Waiting { .. } | Event::Failed { .. } => {
                self.estimate();
            }
            Event::ShareRemoved { share } => {
                self.hashes.retain(|(of, _), _| of != share);
                self.estimate();
            }
            _ => {}
        }
    }

    /// Writes a complete share into the directory that was picked for it, if one was.
    fn write_out(&self, share: ShareId) {
        let Some(received) = self.received.get(&share) else { return };
        let (directory, mut written) = (received.directory.clone(), received.written.clone());
        if let (Some(directory), Some(finished)) = (directory, self.storage.finished(share)) {
            let worker = self.worker.clone();
            let hash = |&file: &FileIndex| Some((file, self.swarm.file_hash(share, file)?));
            let hashes: BTreeMap<_, _> = finished.files.iter().filter_map(hash).collect();
            spawn_local(async move {
                let result =
                    save::into_directory(&finished, &directory, &hashes, &mut written).await;
                worker.handle(Input::Saved { share, written, result });
            });
        }
    }

    /// Asks the browser how much can still be stored.
    fn estimate(&self) {
        let worker = self.worker.clone();
        spawn_local(async move {
            let available = profile::available().await;
            worker.handle(Input::Available(available));
        });
    }

    fn tell_state(&mut self, now: Instant) {
        if !self.changed || self.told_state.is_some_and(|told| now - told < STATE_INTERVAL) {
            return;
        }
        (self.changed, self.told_state) = (false, Some(now));
        let state = self.state(now);
        post(&ToWindow::State(wire::to_js(&state)));
    }

    fn state(&mut self, now: Instant) -> State {
        let own = self.swarm.public_key();
        let mut shares = Vec::new();
        for view in self.swarm.shares() {
            let id = view.id;
            let received = self.received.get(&id);
            let access = self.detached.get(&id).copied();
            let error = received.and_then(|it| it.error.as_deref());
            let copies = self.swarm.copies(id);
            shares.push(view::share(view, copies, access, error, now));
        }
        let (server, server_message, server_retry_ms) = view::server(self.swarm.server(), now);
        let traffic = self.swarm.traffic();
        State {
            server,
            server_message,
            server_retry_ms,
            peer_id: self.swarm.peer_id().map(|id| id.to_string()),
            name: self.name.clone(),
            invite_link: self.invite_link.clone(),
            peers: self.swarm.peers().map(|it| view::peer(it, &own, &self.people)).collect(),
            shares,
            storage: if self.store.is_some() { api::Storage::Disk } else { api::Storage::Memory },
            available: self.available,
            public_key: own.to_string(),
            is_creator: self.swarm.is_creator(),
            locked: self.swarm.is_locked(),
            shut_out: self.swarm.is_shut_out(),
            chat: self.swarm.policy().services.chat,
            people: self.people.clone(),
            code: self.code.as_ref().map(|code| code.info(now, self.codes_burnt)),
            sent: traffic.sent,
            received: traffic.received,
            upload_rate: traffic.upload_rate,
            download_rate: traffic.download_rate,
        }
    }

    fn set_timer(&mut self) {
        let interval = if self.changed {
            Some(STATE_INTERVAL)
        } else {
            // Rates fall although nothing happens.
            let traffic = self.swarm.traffic();
            (traffic.upload_rate + traffic.download_rate >= 1.0).then_some(RATE_INTERVAL)
        };
        let state_due = self.told_state.zip(interval).map(|(told, interval)| told + interval);
        let wake = [self.swarm.poll_timeout(), state_due].into_iter().flatten().min();
        if let Some(wake) = wake {
            self.timer.wake_at(wake.max(self.hears_until));
        }
    }
}

/// Where a code leads, which it is used up for.
async fn claim(text: &str, options: &PeerOptions) -> Result<InviteLink, String> {
    let code: Code = text.parse().map_err(|error: CodeError| error.to_string())?;
    let server = options.server.as_deref().unwrap_or_default();
    let server = format!("{}/", server.trim_end_matches('/'));
    let invite = codes::claim(&server, code).await.map_err(|error| error.to_string())?;
    Ok(InviteLink { server, invite })
}

fn channel_of(id: u16) -> Channel {
    if id == protocol::io::CONTROL_CHANNEL_ID { Channel::Control } else { Channel::Blocks }
}

/// Answers calls for blobs, one after the other: so several take no more memory than one.
fn make_blobs() -> mpsc::UnboundedSender<(u32, Rc<Finished>, Option<FileIndex>)> {
    let (calls, queue) = mpsc::unbounded::<(u32, Rc<Finished>, _)>();
    spawn_local(queue.for_each(async |(call, finished, file)| {
        let blob = save::saveable(&finished, file).await;
        reply(call, blob.map(|blob| wire::to_js(&blob)).map_err(|e| crate::error::message(&e)));
    }));
    calls
}

fn reply(call: u32, answer: Result<JsValue, String>) {
    let (error, value) = match answer {
        Ok(value) => (None, value),
        Err(sentence) => (Some(sentence), JsValue::UNDEFINED),
    };
    post(&ToWindow::Reply { call, error, value });
}

fn post_connection(connection: ConnectionId, request: wire::ConnectionRequest) {
    post(&ToWindow::Connection { connection: connection.0, request });
}

fn post(message: &ToWindow) {
    // Refused only for what cannot be cloned, and all of `wire` can.
    let _ = scope().post_message(&wire::to_js(message));
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}
