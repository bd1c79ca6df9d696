//! One connection to one peer: descriptions and candidates in and out, two negotiated data channels,
//! and what is known of the path. Each runs as a task of its own and speaks to the driver over queues.
//!
//! Who offers, when ICE is restarted and when to give up is the core's business; moving messages is
//! left to [`crate::channel`].

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use protocol::io::{
    BLOCKS_CHANNEL_ID, CONTROL_CHANNEL_ID, Candidate, Channel, ConnectionEvent, ConnectionId,
    ConnectionRequest, ConnectionState, Description, Fingerprint, Opened, Path, PathKind, Role,
};
use protocol::signaling::IceServer;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::setting_engine::{
    SctpMaxMessageSize, SettingEngineBuilder,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, trace};
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceCandidateInit, RTCIceCandidateType, RTCIceServer, RTCIceTransportPolicy,
    RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription, RTCStatsReport,
    RTCStatsReportEntry, StatsSelector,
};
use webrtc::runtime::default_runtime;

use crate::channel::{ChannelSender, Outgoing, queue, receive_all, send_all};
use crate::misbehave::Certificates;
use crate::sockets::Sockets;

/// The largest message we take, in bytes: what Chromium takes too.
const MAX_MESSAGE_BYTES: u32 = 262_144;
/// Bytes per channel that the library holds unacknowledged before it makes us wait.
pub(crate) const SEND_BUFFER_BYTES: usize = 1 << 20;
/// Requests that may wait for a connection. More means that it is stuck.
const MAX_WAITING_REQUESTS: usize = 256;
/// How often a way to the other side is checked, and how often before it is given up: 20 s in all. The
/// library's own 1.4 s are over before a path that was gone for a moment is back.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
const MAX_CHECKS: u16 = 100;
/// After so long without a packet, and without an answer to what ICE asks every two seconds, a connection
/// counts as disconnected. A second sooner than is usual: an outage of five seconds shows, after which the
/// other side may wait longer than that before it goes on.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(4);
/// How often path and round trip are looked at.
const PATH_INTERVAL: Duration = Duration::from_secs(2);
/// How long closing waits for what was handed out before.
const LINGER: Duration = Duration::from_secs(1);

/// The driver's end of a connection. Letting go of it closes the connection.
pub(crate) struct Connection {
    requests: mpsc::Sender<ConnectionRequest>,
    control: ChannelSender,
    blocks: ChannelSender,
}

/// Where a connection puts what it has for the driver.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) id: ConnectionId,
    pub(crate) news: mpsc::Sender<(ConnectionId, News)>,
}

// Telling fails only when the driver is gone; then everything here comes to its end.
impl Inbox {
    async fn event(&self, event: ConnectionEvent) {
        let _ = self.news.send((self.id, News::Event(event))).await;
    }

    pub(crate) async fn buffered_amount_low(&self, channel: Channel, bytes: usize) {
        let _ = self.news.send((self.id, News::BufferedAmountLow(channel, bytes))).await;
    }

    pub(crate) async fn message(&self, channel: Channel, message: BytesMut) {
        trace!(connection = self.id.0, ?channel, bytes = message.len(), "message received");
        let _ = self.news.send((self.id, News::Message(channel, message))).await;
    }
}

/// What a connection has to tell.
pub(crate) enum News {
    /// For [`handle_connection`](protocol::swarm::Swarm::handle_connection).
    Event(ConnectionEvent),
    /// A message came.
    Message(Channel, BytesMut),
    /// The bytes that wait on a channel fell to the low-water mark.
    BufferedAmountLow(Channel, usize),
}

/// What a new connection needs to know.
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) ice_servers: Vec<IceServer>,
    /// Whether to use relayed candidates only.
    pub(crate) relay_only: bool,
    /// Whether to offer this machine's loopback address too.
    pub(crate) loopback: bool,
    pub(crate) certificates: Certificates,
    pub(crate) inbox: Inbox,
    /// Set once the channels are open; see [`Sockets`].
    pub(crate) settled: Arc<AtomicBool>,
}

impl Connection {
    /// Starts a connection as a task of `tasks`.
    pub(crate) fn open(setup: Setup, tasks: &mut JoinSet<()>) -> Self {
        let (requests, waiting) = mpsc::channel(MAX_WAITING_REQUESTS);
        let (control, control_outgoing) = queue();
        let (blocks, blocks_outgoing) = queue();
        tasks.spawn(async move {
            let inbox = setup.inbox.clone();
            let run = Box::pin(run(setup, waiting, [control_outgoing, blocks_outgoing]));
            if let Err(reason) = run.await {
                debug!(connection = inbox.id.0, reason, "connection ended");
                inbox.event(ConnectionEvent::Closed { reason }).await;
            }
        });
        Self { requests, control, blocks }
    }

    /// Passes a request on; false if the connection is stuck or gone.
    #[must_use]
    pub(crate) fn request(&self, request: ConnectionRequest) -> bool {
        self.requests.try_send(request).is_ok()
    }

    /// Queues a message; gives the bytes that now wait on that channel.
    pub(crate) fn send(&self, channel: Channel, message: Vec<u8>) -> usize {
        match channel {
            Channel::Control => self.control.send(message),
            Channel::Blocks => self.blocks.send(message),
        }
    }
}

/// What the library and the channel tasks tell the connection's task.
enum Happening {
    Candidate(Candidate),
    State(RTCPeerConnectionState),
    ChannelClosed,
}

/// Lives as long as the connection. An error is why it is of no more use.
async fn run(
    setup: Setup,
    requests: mpsc::Receiver<ConnectionRequest>,
    outgoing: [Outgoing; 2],
) -> Result<(), String> {
    let (happened, happenings) = mpsc::channel(MAX_WAITING_REQUESTS);
    let connection = connect(&setup, happened.clone()).await.map_err(|e| e.to_string())?;
    let channels = Channels::create(&*connection, &setup.inbox, happened, outgoing).await;
    let result = match channels {
        Ok(channels) => drive(&setup, &*connection, channels, requests, happenings).await,
        Err(reason) => Err(reason),
    };
    // Letting go of the object would leave the library's own task running.
    if let Err(error) = connection.close().await {
        debug!(connection = setup.inbox.id.0, %error, "closing failed");
    }
    result
}

async fn drive(
    setup: &Setup,
    connection: &dyn PeerConnection,
    mut channels: Channels,
    mut requests: mpsc::Receiver<ConnectionRequest>,
    mut happenings: mpsc::Receiver<Happening>,
) -> Result<(), String> {
    let inbox = &setup.inbox;
    if setup.role == Role::Offerer {
        inbox.event(offer(connection).await?).await;
    }
    let mut look = interval(PATH_INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut open = false;
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                None | Some(ConnectionRequest::Close { .. }) => break,
                Some(request) => {
                    if let Some(event) = apply(connection, request).await? {
                        inbox.event(event).await;
                    }
                }
            },
            Some(happening) = happenings.recv() => match happening {
                Happening::Candidate(candidate) => {
                    inbox.event(ConnectionEvent::LocalCandidate(Some(candidate))).await;
                }
                Happening::State(state) => {
                    if let Some(state) = connection_state(state) {
                        inbox.event(ConnectionEvent::State(state)).await;
                    }
                }
                Happening::ChannelClosed => {
                    return Err("the other side closed the connection".to_owned());
                }
            },
            () = channels.all_open(), if !open => {
                open = true;
                setup.settled.store(true, Ordering::Release);
                inbox.event(ConnectionEvent::Open(opened(connection).await?)).await;
                channels.start();
                look.reset_immediately();
            }
            _ = look.tick(), if open => {
                if let Some(path) = path(connection).await {
                    inbox.event(ConnectionEvent::Path(path)).await;
                }
            }
        }
    }
    drop(requests);
    channels.linger().await;
    Ok(())
}

/// Does what the core asks; gives what is to be told.
async fn apply(
    connection: &dyn PeerConnection,
    request: ConnectionRequest,
) -> Result<Option<ConnectionEvent>, String> {
    match request {
        ConnectionRequest::SetRemoteDescription { description, .. } => {
            set_remote_description(connection, description).await
        }
        ConnectionRequest::AddCandidate { candidate, .. } => {
            add_candidate(connection, candidate).await;
            Ok(None)
        }
        ConnectionRequest::RestartIce { .. } => restart_ice(connection).await.map(Some),
        // The driver opens; closing ends the loop that calls this.
        ConnectionRequest::Open { .. } | ConnectionRequest::Close { .. } => Ok(None),
    }
}

async fn offer(connection: &dyn PeerConnection) -> Result<ConnectionEvent, String> {
    let failed = |e| format!("no offer could be made: {e}");
    let offer = connection.create_offer(None).await.map_err(failed)?;
    let sdp = offer.sdp.clone();
    connection.set_local_description(offer).await.map_err(failed)?;
    Ok(ConnectionEvent::LocalDescription(Description::Offer(sdp)))
}

async fn restart_ice(connection: &dyn PeerConnection) -> Result<ConnectionEvent, String> {
    connection.restart_ice().await.map_err(|e| format!("ICE could not be restarted: {e}"))?;
    offer(connection).await
}

async fn set_remote_description(
    connection: &dyn PeerConnection,
    description: Description,
) -> Result<Option<ConnectionEvent>, String> {
    let failed = |e| format!("the other side's description could not be used: {e}");
    match description {
        Description::Answer(sdp) => {
            let answer = RTCSessionDescription::answer(sdp).map_err(failed)?;
            connection.set_remote_description(answer).await.map_err(failed)?;
            Ok(None)
        }
        Description::Offer(sdp) => {
            let offer = RTCSessionDescription::offer(sdp).map_err(failed)?;
            connection.set_remote_description(offer).await.map_err(failed)?;
            let answer = connection.create_answer(None).await.map_err(failed)?;
            let sdp = answer.sdp.clone();
            connection.set_local_description(answer).await.map_err(failed)?;
            Ok(Some(ConnectionEvent::LocalDescription(Description::Answer(sdp))))
        }
    }
}

/// A candidate that cannot be used (another transport, a name that does not resolve) is one way less to
/// connect, not the end. The end of candidates changes nothing for this library.
async fn add_candidate(connection: &dyn PeerConnection, candidate: Option<Candidate>) {
    let Some(Candidate { candidate, sdp_mid, sdp_mline_index }) = candidate else { return };
    if candidate.is_empty() {
        return;
    }
    let candidate =
        RTCIceCandidateInit { candidate, sdp_mid, sdp_mline_index, ..Default::default() };
    if let Err(error) = connection.add_ice_candidate(candidate).await {
        debug!(%error, "a remote candidate was not used");
    }
}

/// The library's state, as far as the core acts on it. Whether the channels close shows by themselves.
fn connection_state(state: RTCPeerConnectionState) -> Option<ConnectionState> {
    match state {
        RTCPeerConnectionState::Connected => Some(ConnectionState::Connected),
        RTCPeerConnectionState::Disconnected => Some(ConnectionState::Disconnected),
        RTCPeerConnectionState::Failed => Some(ConnectionState::Failed),
        _ => None,
    }
}

/// Certificates as DTLS used them. The transport's statistics say which is whose.
async fn opened(connection: &dyn PeerConnection) -> Result<Opened, String> {
    let stats = statistics(connection).await;
    let (local_fingerprint, remote_fingerprint) =
        fingerprints(&stats).ok_or("the certificates of the connection are not known")?;
    let sctp = connection.sctp().await.ok_or("the connection has no data transport")?;
    let max_message_size = sctp.max_message_size().await.map_err(|e| e.to_string())?;
    Ok(Opened {
        max_message_size: max_message_size.min(MAX_MESSAGE_BYTES) as usize,
        receive_buffer: crate::sockets::SOCKET_BUFFER_BYTES,
        local_fingerprint,
        remote_fingerprint,
    })
}

/// Our and the other side's certificate.
fn fingerprints(stats: &RTCStatsReport) -> Option<(Fingerprint, Fingerprint)> {
    let transport = stats.transport()?;
    let certificate = |id: &str| match stats.get(id)? {
        RTCStatsReportEntry::Certificate(certificate) => {
            let sha256 = certificate.fingerprint_algorithm.eq_ignore_ascii_case("sha-256");
            sha256.then(|| certificate.fingerprint.parse().ok())?
        }
        _ => None,
    };
    Some((
        certificate(&transport.local_certificate_id)?,
        certificate(&transport.remote_certificate_id)?,
    ))
}

async fn path(connection: &dyn PeerConnection) -> Option<Path> {
    let ice = connection.sctp().await?.transport().ice_transport();
    let pair = ice.get_selected_candidate_pair().await.ok()??;
    let (local, remote) = (pair.local(), pair.remote());
    let kind = path_kind((local.typ, &local.address), (remote.typ, &remote.address));
    let stats = statistics(connection).await;
    let selected = &stats.transport()?.selected_candidate_pair_id;
    let round_trip = stats
        .candidate_pairs()
        .find(|pair| pair.stats.id == *selected)
        .map(|pair| pair.current_round_trip_time)
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .map(|seconds| Duration::from_secs_f64(seconds.min(60.0)));
    Some(Path { kind, round_trip })
}

/// The kind of a path. A page hides its addresses from us, so that it shows as peer reflexive even on
/// the same network; its address then tells.
fn path_kind(local: (RTCIceCandidateType, &str), remote: (RTCIceCandidateType, &str)) -> PathKind {
    use RTCIceCandidateType::{Host, Prflx, Relay};
    match (local.0, remote.0) {
        (Relay, _) | (_, Relay) => PathKind::Relayed,
        (Host, Host) => PathKind::Lan,
        (Host, Prflx) if local.1 == remote.1 || is_local(remote.1) => PathKind::Lan,
        _ => PathKind::Direct,
    }
}

fn is_local(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local()
        }
        Err(_) => false,
    }
}

// The clock lint guards the core; the library wants the time of its own statistics.
#[allow(clippy::disallowed_methods)]
async fn statistics(connection: &dyn PeerConnection) -> RTCStatsReport {
    connection.get_stats(Instant::now(), StatsSelector::None).await
}

/// Both data channels and the tasks that move their messages.
struct Channels {
    channels: Vec<Arc<dyn DataChannel>>,
    opened: Vec<oneshot::Receiver<()>>,
    start: Vec<oneshot::Sender<()>>,
    senders: JoinSet<()>,
    /// Ends with this.
    receivers: JoinSet<()>,
}

impl Channels {
    async fn create(
        connection: &dyn PeerConnection,
        inbox: &Inbox,
        happened: mpsc::Sender<Happening>,
        outgoing: [Outgoing; 2],
    ) -> Result<Self, String> {
        let mut this = Self {
            channels: Vec::new(),
            opened: Vec::new(),
            start: Vec::new(),
            senders: JoinSet::new(),
            receivers: JoinSet::new(),
        };
        for (kind, outgoing) in [Channel::Control, Channel::Blocks].into_iter().zip(outgoing) {
            let (label, stream) = match kind {
                Channel::Control => ("control", CONTROL_CHANNEL_ID),
                Channel::Blocks => ("blocks", BLOCKS_CHANNEL_ID),
            };
            let options = RTCDataChannelInit { negotiated: Some(stream), ..Default::default() };
            let channel = connection
                .create_data_channel(label, Some(options))
                .await
                .map_err(|e| format!("the {label} channel could not be made: {e}"))?;
            this.channels.push(channel.clone());

            this.senders.spawn(send_all(kind, channel.clone(), outgoing, inbox.clone()));
            let (opened, wait_open) = oneshot::channel();
            let (start, may_start) = oneshot::channel();
            this.opened.push(wait_open);
            this.start.push(start);
            let received = receive_all(kind, channel, opened, may_start, inbox.clone());
            let happened = happened.clone();
            this.receivers.spawn(async move {
                received.await;
                let _ = happened.send(Happening::ChannelClosed).await;
            });
        }
        Ok(this)
    }

    /// Resolves once both channels are open; never, if one closes before. May be dropped and called
    /// again.
    async fn all_open(&mut self) {
        while let Some(wait) = self.opened.last_mut() {
            if wait.await.is_err() {
                // Its task ended, and says so itself.
                std::future::pending::<()>().await;
            }
            self.opened.pop();
        }
    }

    /// Lets received messages through.
    fn start(&mut self) {
        for start in self.start.drain(..) {
            // Fails only if the channel has closed since.
            let _ = start.send(());
        }
    }

    /// Waits until all that was handed over has arrived, within reason. The driver has let go of its
    /// ends by now, so the tasks that send come to their ends.
    async fn linger(&mut self) {
        let flushed = async {
            while self.senders.join_next().await.is_some() {}
            for channel in &self.channels {
                while channel.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        if timeout(LINGER, flushed).await.is_err() {
            debug!("closed with messages still on the way");
        }
    }
}

/// Makes the connection object, bound to this machine's addresses.
async fn connect(
    setup: &Setup,
    happened: mpsc::Sender<Happening>,
) -> Result<Arc<dyn PeerConnection>, webrtc::error::Error> {
    // Multicast DNS resolves the names behind which browsers hide their addresses. Without it (no
    // multicast here) they are still learnt as peer reflexive.
    match build(setup, happened.clone(), MulticastDnsMode::QueryOnly).await {
        Ok(connection) => Ok(connection),
        Err(error) => {
            debug!(%error, "no connection with multicast DNS; trying without");
            build(setup, happened, MulticastDnsMode::Disabled).await
        }
    }
}

async fn build(
    setup: &Setup,
    happened: mpsc::Sender<Happening>,
    mdns: MulticastDnsMode,
) -> Result<Arc<dyn PeerConnection>, webrtc::error::Error> {
    let ice_servers = setup.ice_servers.iter().map(|server| RTCIceServer {
        urls: server.urls.clone(),
        username: server.username.clone().unwrap_or_default(),
        credential: server.credential.clone().unwrap_or_default(),
    });
    let policy =
        if setup.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
    let configuration = RTCConfigurationBuilder::default()
        .with_ice_servers(ice_servers.collect())
        .with_ice_transport_policy(policy)
        .build();
    // Sockets are bound anew at an ICE restart, so that it can follow a change of network.
    let settings = SettingEngineBuilder::new()
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(MAX_MESSAGE_BYTES))
        .with_multicast_dns_mode(mdns)
        .with_ice_timeouts(Some(DISCONNECTED_AFTER), None, None)
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(MAX_CHECKS))
        .with_discard_local_candidates_during_ice_restart(true);
    let settings = setup.certificates.settings(settings).build();
    let runtime = default_runtime().ok_or_else(|| io::Error::other("no runtime"))?;
    let runtime = Sockets::new(runtime, setup.settled.clone());
    let building = PeerConnectionBuilder::new()
        .with_configuration(configuration)
        .with_setting_engine(settings)
        .with_handler(Arc::new(Handler { happened }))
        .with_runtime(Arc::new(runtime))
        .with_udp_addrs(addresses(setup.loopback))
        .with_data_channel_send_buffer_limit(SEND_BUFFER_BYTES)
        .build();
    // A large future: on the heap rather than in each that waits for it.
    Ok(Arc::new(Box::pin(building).await?))
}

/// Where to bind: every interface but loopback, which only serves peers on this machine. It is added
/// where that is likely: on request, or where this machine has no way to any other.
fn addresses(loopback: bool) -> Vec<&'static str> {
    let mut addresses = vec!["0.0.0.0:0", "[::]:0"];
    if loopback || !has_network() {
        addresses.push("127.0.0.1:0");
    }
    addresses
}

/// Whether the system knows a way to other machines. Connecting a UDP socket sends nothing.
fn has_network() -> bool {
    let way = |from: &str, to: &str| UdpSocket::bind(from).and_then(|s| s.connect(to)).is_ok();
    way("0.0.0.0:0", "192.0.2.1:9") || way("[::]:0", "[2001:db8::1]:9")
}

/// Passes on what the library calls. It runs on the library's own task, so it must never wait.
struct Handler {
    happened: mpsc::Sender<Happening>,
}

impl Handler {
    fn tell(&self, happening: Happening) {
        if self.happened.try_send(happening).is_err() {
            debug!("a connection is stuck or closed; what happened to it is not told");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        // Where there is no interface the library binds, and names, the wildcard address.
        let unusable = |ip: IpAddr| ip.is_unspecified();
        if event.candidate.address.parse().is_ok_and(unusable) {
            return;
        }
        let Ok(init) = event.candidate.to_json() else { return };
        // There is one media section. Its index is enough, and the library's mid is not its name.
        let candidate =
            Candidate { candidate: init.candidate, sdp_mid: None, sdp_mline_index: Some(0) };
        self.tell(Happening::Candidate(candidate));
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.tell(Happening::State(state));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// One end of a pair, with what has happened to it.
    struct End {
        connection: Connection,
        news: mpsc::Receiver<(ConnectionId, News)>,
        seen: VecDeque<ConnectionEvent>,
        received: Vec<(Channel, BytesMut)>,
        tasks: JoinSet<()>,
    }

    impl End {
        fn new(role: Role) -> Self {
            let id = ConnectionId(1);
            let (sender, news) = mpsc::channel(32);
            let inbox = Inbox { id, news: sender };
            let mut tasks = JoinSet::new();
            let settled = Arc::default();
            let setup = Setup {
                role,
                ice_servers: vec![],
                relay_only: false,
                loopback: true,
                certificates: Certificates::default(),
                inbox,
                settled,
            };
            let connection = Connection::open(setup, &mut tasks);
            Self { connection, news, seen: VecDeque::new(), received: vec![], tasks }
        }

        /// Takes one thing that happened.
        fn take(&mut self, news: News) -> Option<ConnectionRequest> {
            let connection = ConnectionId(1);
            match news {
                News::Event(ConnectionEvent::LocalDescription(description)) => {
                    Some(ConnectionRequest::SetRemoteDescription { connection, description })
                }
                News::Event(ConnectionEvent::LocalCandidate(candidate)) => {
                    Some(ConnectionRequest::AddCandidate { connection, candidate })
                }
                News::Event(event) => {
                    self.seen.push_back(event);
                    None
                }
                News::Message(channel, message) => {
                    self.received.push((channel, message));
                    None
                }
                News::BufferedAmountLow(..) => None,
            }
        }

        fn opened(&self) -> Option<Opened> {
            self.seen.iter().find_map(|event| match event {
                ConnectionEvent::Open(opened) => Some(opened.clone()),
                _ => None,
            })
        }
    }

    /// Passes signals between both ends until `done`.
    async fn drive(a: &mut End, b: &mut End, done: impl Fn(&End, &End) -> bool) {
        let driven = async {
            // Candidates that come before the description they belong to wait, as the core has it.
            while !done(a, b) {
                let (to, request) = tokio::select! {
                    Some((_, news)) = a.news.recv() => (&b.connection, a.take(news)),
                    Some((_, news)) = b.news.recv() => (&a.connection, b.take(news)),
                };
                if let Some(request) = request {
                    assert!(to.request(request), "the connection takes requests");
                }
            }
        };
        timeout(Duration::from_secs(60), driven).await.expect("the connections get there");
    }

    async fn pair() -> (End, End) {
        let (mut a, mut b) = (End::new(Role::Offerer), End::new(Role::Answerer));
        drive(&mut a, &mut b, |a, b| a.opened().is_some() && b.opened().is_some()).await;
        (a, b)
    }

    /// A message of the largest size that says where it belongs.
    fn message(number: u32) -> Vec<u8> {
        let mut message = vec![number as u8; MAX_MESSAGE_BYTES as usize];
        message[..4].copy_from_slice(&number.to_le_bytes());
        message
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_connections_observe_each_other_and_carry_the_largest_messages_both_ways() {
        let (mut a, mut b) = pair().await;
        let (from_a, from_b) = (a.opened().unwrap(), b.opened().unwrap());
        assert_ne!(from_a.local_fingerprint, from_a.remote_fingerprint);
        assert_eq!(from_a.local_fingerprint, from_b.remote_fingerprint);
        assert_eq!(from_a.remote_fingerprint, from_b.local_fingerprint);
        assert_eq!(from_a.max_message_size, MAX_MESSAGE_BYTES as usize);

        const COUNT: u32 = 24;
        for number in 0..COUNT {
            a.connection.send(Channel::Blocks, message(number));
            b.connection.send(Channel::Blocks, message(number));
        }
        a.connection.send(Channel::Control, b"hello".to_vec());
        let all = COUNT as usize;
        drive(&mut a, &mut b, |a, b| a.received.len() == all && b.received.len() == all + 1).await;
        for end in [&a, &b] {
            let blocks = end.received.iter().filter(|(channel, _)| *channel == Channel::Blocks);
            for (number, (_, block)) in (0..COUNT).zip(blocks) {
                assert!(block[..] == message(number), "whole, and in order");
            }
        }
        assert!(b.received.iter().any(|(c, m)| *c == Channel::Control && m[..] == *b"hello"));
        let lan = |event: &ConnectionEvent| {
            matches!(event, ConnectionEvent::Path(Path { kind: PathKind::Lan, .. }))
        };
        drive(&mut a, &mut b, |a, b| a.seen.iter().any(lan) && b.seen.iter().any(lan)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn channels_survive_an_ice_restart() {
        let (mut a, mut b) = pair().await;
        let id = ConnectionId(1);
        assert!(a.connection.request(ConnectionRequest::RestartIce { connection: id }));
        for number in 0..8 {
            a.connection.send(Channel::Blocks, message(number));
        }
        drive(&mut a, &mut b, |_, b| b.received.len() == 8).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_sent_before_closing_arrives_and_then_the_other_side_knows() {
        let (a, mut b) = pair().await;
        let End { connection, mut tasks, mut news, .. } = a;
        for number in 0..4 {
            connection.send(Channel::Control, message(number));
        }
        drop(connection);
        let mut closed = false;
        while !closed {
            tokio::select! {
                Some((_, news)) = b.news.recv() => {
                    closed = matches!(&news, News::Event(ConnectionEvent::Closed { .. }));
                    b.take(news);
                }
                Some(_) = news.recv() => {}
            }
        }
        assert_eq!(b.received.len(), 4);
        assert!(tasks.join_next().await.is_some_and(|ended| ended.is_ok()));
    }

    #[tokio::test]
    async fn nonsense_from_the_other_side_ends_the_connection_with_a_reason() {
        let mut end = End::new(Role::Answerer);
        let (connection, description) = (ConnectionId(1), Description::Offer("v=nonsense".into()));
        let request = ConnectionRequest::SetRemoteDescription { connection, description };
        assert!(end.connection.request(request));
        let (_, news) = end.news.recv().await.unwrap();
        let News::Event(ConnectionEvent::Closed { reason }) = news else { panic!("not closed") };
        assert!(reason.contains("description"), "{reason}");
    }

    #[test]
    fn the_kind_of_a_path_is_told_by_its_candidates() {
        use RTCIceCandidateType::{Host, Prflx, Relay, Srflx};
        let kind = |local, remote, address| path_kind((local, "192.0.2.2"), (remote, address));
        assert_eq!(kind(Host, Host, "198.51.100.1"), PathKind::Lan);
        assert_eq!(kind(Host, Prflx, "192.168.1.7"), PathKind::Lan);
        assert_eq!(kind(Host, Prflx, "fd00::7"), PathKind::Lan);
        assert_eq!(kind(Host, Prflx, "192.0.2.2"), PathKind::Lan);
        assert_eq!(kind(Host, Prflx, "198.51.100.1"), PathKind::Direct);
        assert_eq!(kind(Srflx, Srflx, "198.51.100.1"), PathKind::Direct);
        assert_eq!(kind(Host, Relay, "192.168.1.7"), PathKind::Relayed);
        assert_eq!(kind(Relay, Host, "192.168.1.7"), PathKind::Relayed);
    }
}
