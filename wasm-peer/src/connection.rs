//! The broker in the window: `RTCPeerConnection` exists nowhere else, so the worker has its
//! connections made here.
//!
//! The broker creates both negotiated channels and transfers them to the worker in the same task
//! (later no browser allows it); where the browser cannot transfer channels, it passes messages on
//! instead ([`crate::forward`]). It decides nothing: who offers and when to restart ICE or give up is
//! the core's business.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use js_sys::{Array, Function, Reflect};
use protocol::io::{BLOCKS_CHANNEL_ID, CONTROL_CHANNEL_ID};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    RtcConfiguration, RtcDataChannel, RtcDataChannelInit, RtcIceCandidateInit, RtcIceServer,
    RtcIceTransportPolicy, RtcOfferOptions, RtcPeerConnection, RtcPeerConnectionIceEvent,
    RtcPeerConnectionState, RtcSdpType, RtcSessionDescription, RtcSessionDescriptionInit,
};

use crate::error;
use crate::forward::Forwarded;
use crate::stats;
use crate::wire::{
    Candidate, ConnectionReport, ConnectionRequest, ConnectionState, Description, IceServer,
};

/// How often paths are looked at, in milliseconds.
const PATH_INTERVAL_MS: i32 = 2_000;
/// How long a closed connection may still send what its channels hold, in milliseconds.
const LINGER_MS: i32 = 1_000;
/// The largest message that every browser takes; more is allowed to nobody.
const MAX_MESSAGE_SIZE: u32 = 262_144;
/// What a description that names no size means (RFC 8841, section 6.1).
const DEFAULT_MAX_MESSAGE_SIZE: u32 = 65_536;

/// Reports to the worker, with what is to be transferred.
pub(crate) type Report = Rc<dyn Fn(u32, ConnectionReport, &Array) -> Result<(), JsValue>>;

/// All connections of one peer.
pub(crate) struct Broker {
    report: Report,
    connections: Rc<RefCell<BTreeMap<u32, Rc<Connection>>>>,
    path_timer: i32,
    _on_path_timer: Closure<dyn FnMut()>,
}

struct Connection {
    id: u32,
    pc: RtcPeerConnection,
    report: Report,
    /// Only where channels cannot be transferred.
    forwarded: Option<[Forwarded; 2]>,
    /// Candidates found while a description is being applied: they must not be told before it.
    held: RefCell<Option<Vec<Option<Candidate>>>>,
    secured: Cell<bool>,
    handlers: RefCell<Option<Handlers>>,
}

struct Handlers {
    candidate: Closure<dyn FnMut(RtcPeerConnectionIceEvent)>,
    state: Closure<dyn FnMut()>,
}

impl Broker {
    pub(crate) fn new(report: Report) -> Self {
        let connections: Rc<RefCell<BTreeMap<u32, Rc<Connection>>>> = Rc::default();
        let watched = connections.clone();
        let on_path_timer = Closure::<dyn FnMut()>::new(move || {
            for connection in watched.borrow().values() {
                if connection.pc.connection_state() == RtcPeerConnectionState::Connected {
                    spawn_local(connection.clone().tell_path());
                }
            }
        });
        let path_timer = web_sys::window()
            .and_then(|window| {
                window
                    .set_interval_with_callback_and_timeout_and_arguments_0(
                        on_path_timer.as_ref().unchecked_ref(),
                        PATH_INTERVAL_MS,
                    )
                    .ok()
            })
            .unwrap_or_default();
        Self { report, connections, path_timer, _on_path_timer: on_path_timer }
    }

    /// Does what the worker asks. What goes wrong is reported as [`ConnectionReport::Closed`].
    pub(crate) fn handle(&self, id: u32, request: ConnectionRequest) {
        if let ConnectionRequest::Open { offer, ice_servers, relay_only } = request {
            match Connection::open(id, &ice_servers, relay_only, self.report.clone()) {
                Ok(connection) => {
                    if offer {
                        spawn_local(connection.clone().offer(false));
                    }
                    self.connections.borrow_mut().insert(id, connection);
                }
                Err(thrown) => {
                    let reason = error::message(&thrown);
                    let _ = (self.report)(id, ConnectionReport::Closed { reason }, &Array::new());
                }
            }
            return;
        }
        if matches!(request, ConnectionRequest::Close) {
            if let Some(connection) = self.connections.borrow_mut().remove(&id) {
                connection.close_later();
            }
            return;
        }
        let Some(connection) = self.connections.borrow().get(&id).cloned() else { return };
        match request {
            ConnectionRequest::Open { .. } | ConnectionRequest::Close => {}
            ConnectionRequest::SetRemoteDescription(description) => {
                spawn_local(connection.set_remote(description));
            }
            ConnectionRequest::AddCandidate(candidate) => {
                spawn_local(connection.add_candidate(candidate));
            }
            ConnectionRequest::RestartIce => spawn_local(connection.offer(true)),
            ConnectionRequest::Send { channel, bytes } => {
                if let Some([control, blocks]) = &connection.forwarded {
                    let forwarded = if channel == CONTROL_CHANNEL_ID { control } else { blocks };
                    forwarded.send(&bytes);
                }
            }
        }
    }

    /// Closes everything at once.
    pub(crate) fn close_all(&self) {
        for connection in self.connections.take().into_values() {
            connection.detach();
            connection.pc.close();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(window) = web_sys::window() {
            window.clear_interval_with_handle(self.path_timer);
        }
        self.close_all();
    }
}

impl Connection {
    fn open(
        id: u32,
        ice_servers: &[IceServer],
        relay_only: bool,
        report: Report,
    ) -> Result<Rc<Self>, JsValue> {
        let pc = with_servers(ice_servers, relay_only)?;
        let control = negotiated_channel(&pc, "control", CONTROL_CHANNEL_ID);
        let blocks = negotiated_channel(&pc, "blocks", BLOCKS_CHANNEL_ID);
        // In the same task as their creation, or DataCloneError.
        let transfer = Array::of2(&control, &blocks);
        let channels =
            ConnectionReport::Channels { control: control.clone(), blocks: blocks.clone() };
        let forwarded = match report(id, channels, &transfer) {
            Ok(()) => None,
            Err(thrown) if error::name(&thrown) == "DataCloneError" => {
                report(id, ConnectionReport::ChannelsStay, &Array::new())?;
                Some([
                    Forwarded::new(id, CONTROL_CHANNEL_ID, control, report.clone()),
                    Forwarded::new(id, BLOCKS_CHANNEL_ID, blocks, report.clone()),
                ])
            }
            Err(thrown) => return Err(thrown),
        };
        let connection = Rc::new(Self {
            id,
            pc,
            report,
            forwarded,
            held: RefCell::default(),
            secured: Cell::new(false),
            handlers: RefCell::default(),
        });
        let handlers = Handlers::new(&Rc::downgrade(&connection));
        connection.pc.set_onicecandidate(Some(handlers.candidate.as_ref().unchecked_ref()));
        connection.pc.set_onconnectionstatechange(Some(handlers.state.as_ref().unchecked_ref()));
        connection.handlers.replace(Some(handlers));
        Ok(connection)
    }

    async fn offer(self: Rc<Self>, restart_ice: bool) {
        let options = RtcOfferOptions::new();
        options.set_ice_restart(restart_ice);
        let offer = self.pc.create_offer_with_rtc_offer_options(&options);
        if let Err(thrown) = self.set_local(offer).await {
            self.failed(&thrown);
        }
    }

    async fn set_remote(self: Rc<Self>, description: Description) {
        let kind = if description.offer { RtcSdpType::Offer } else { RtcSdpType::Answer };
        let init = RtcSessionDescriptionInit::new(kind);
        init.set_sdp(&description.sdp);
        // Called before the first await, so candidates that follow queue up behind it.
        let applied = JsFuture::from(self.pc.set_remote_description(&init)).await;
        let done = match applied {
            Ok(_) if description.offer => self.set_local(self.pc.create_answer()).await,
            Ok(_) => Ok(()),
            Err(thrown) => Err(thrown),
        };
        if let Err(thrown) = done {
            self.failed(&thrown);
        }
    }

    /// Applies a description of ours and tells it, then the candidates found meanwhile.
    async fn set_local(&self, created: js_sys::Promise) -> Result<(), JsValue> {
        let description: RtcSessionDescriptionInit =
            JsFuture::from(created).await?.unchecked_into();
        self.held.borrow_mut().get_or_insert_with(Vec::new);
        let applied = JsFuture::from(self.pc.set_local_description(&description)).await;
        let held = self.held.take().unwrap_or_default();
        applied?;
        let offer = description.get_type() == RtcSdpType::Offer;
        let sdp = description.get_sdp().unwrap_or_default();
        self.tell(ConnectionReport::LocalDescription(Description { offer, sdp }));
        for candidate in held {
            self.tell(ConnectionReport::LocalCandidate(candidate));
        }
        Ok(())
    }

    async fn add_candidate(self: Rc<Self>, candidate: Option<Candidate>) {
        let init = candidate.map(|candidate| {
            let init = RtcIceCandidateInit::new(&candidate.candidate);
            init.set_sdp_mid(candidate.sdp_mid.as_deref());
            init.set_sdp_m_line_index(candidate.sdp_mline_index);
            init
        });
        let added = self.pc.add_ice_candidate_with_opt_rtc_ice_candidate_init(init.as_ref());
        // A candidate that this browser does not understand is one way less, not a failure.
        let _ = JsFuture::from(added).await;
    }

    fn on_candidate(&self, event: &RtcPeerConnectionIceEvent) {
        let candidate = event.candidate().map(|candidate| Candidate {
            candidate: candidate.candidate(),
            sdp_mid: candidate.sdp_mid(),
            sdp_mline_index: candidate.sdp_m_line_index(),
        });
        // Both an empty candidate and none at all say that there are no more.
        let candidate = candidate.filter(|candidate| !candidate.candidate.is_empty());
        if let Some(held) = &mut *self.held.borrow_mut() {
            held.push(candidate);
            return;
        }
        self.tell(ConnectionReport::LocalCandidate(candidate));
    }

    fn on_state(self: &Rc<Self>) {
        let state = match self.pc.connection_state() {
            RtcPeerConnectionState::Connected => ConnectionState::Connected,
            RtcPeerConnectionState::Disconnected => ConnectionState::Disconnected,
            RtcPeerConnectionState::Failed => ConnectionState::Failed,
            _ => return,
        };
        self.tell(ConnectionReport::State(state));
        if state == ConnectionState::Connected {
            if !self.secured.replace(true) {
                spawn_local(self.clone().tell_secured());
            }
            spawn_local(self.clone().tell_path());
        }
    }

    async fn tell_secured(self: Rc<Self>) {
        let observed = match JsFuture::from(self.pc.get_stats()).await {
            Ok(report) => stats::fingerprints(&report.unchecked_into()),
            Err(_) => None,
        };
        // A browser that shows no certificates enforces what the descriptions say.
        let described = || {
            let local = fingerprint(&self.pc.local_description()?)?;
            Some((local, fingerprint(&self.pc.remote_description()?)?))
        };
        let Some((local, remote)) = observed.or_else(described) else {
            let reason = "the browser does not tell which certificates are in use".to_owned();
            return self.tell(ConnectionReport::Closed { reason });
        };
        let max_message_size = self
            .pc
            .remote_description()
            .map_or(DEFAULT_MAX_MESSAGE_SIZE, |remote| max_message_size(&remote.sdp()));
        self.tell(ConnectionReport::Secured { max_message_size, local, remote });
    }

    async fn tell_path(self: Rc<Self>) {
        let Ok(report) = JsFuture::from(self.pc.get_stats()).await else { return };
        if let Some((kind, round_trip_ms)) = stats::path(&report.unchecked_into()) {
            self.tell(ConnectionReport::Path { kind, round_trip_ms });
        }
    }

    fn failed(&self, thrown: &JsValue) {
        self.tell(ConnectionReport::Closed { reason: error::message(thrown) });
    }

    fn tell(&self, report: ConnectionReport) {
        // Nobody listens once the worker has ended.
        let _ = (self.report)(self.id, report, &Array::new());
    }

    /// Closes when what the channels still hold had time to go out.
    fn close_later(self: Rc<Self>) {
        self.detach();
        let pc = self.pc.clone();
        let close = Closure::once_into_js(move || {
            pc.close();
            // Forwarded channels live until here.
            drop(self);
        });
        if let Some(window) = web_sys::window() {
            let close: &Function = close.unchecked_ref();
            let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(close, LINGER_MS);
        }
    }

    /// Stops listening.
    fn detach(&self) {
        self.pc.set_onicecandidate(None);
        self.pc.set_onconnectionstatechange(None);
        if let Some(channels) = &self.forwarded {
            channels.iter().for_each(Forwarded::close);
        }
        // Dropped at another time: this may be running inside one of them.
        if let Some(handlers) = self.handlers.take() {
            spawn_local(async move { drop(handlers) });
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.detach();
        self.pc.close();
    }
}

impl Handlers {
    fn new(connection: &Weak<Connection>) -> Self {
        let (for_candidate, for_state) = (connection.clone(), connection.clone());
        Self {
            candidate: Closure::new(move |event: RtcPeerConnectionIceEvent| {
                if let Some(connection) = for_candidate.upgrade() {
                    connection.on_candidate(&event);
                }
            }),
            state: Closure::new(move || {
                if let Some(connection) = for_state.upgrade() {
                    connection.on_state();
                }
            }),
        }
    }
}

/// A connection that uses those of the servers which the browser takes. For one that it refuses, as Firefox does
/// at ports that it blocks, it refuses them all.
fn with_servers(servers: &[IceServer], relay_only: bool) -> Result<RtcPeerConnection, JsValue> {
    let configuration = RtcConfiguration::new();
    if relay_only {
        configuration.set_ice_transport_policy(RtcIceTransportPolicy::Relay);
    }
    let servers: Array = servers.iter().map(ice_server).collect();
    configuration.set_ice_servers(&servers);
    RtcPeerConnection::new_with_configuration(&configuration).or_else(|_| {
        let is_taken = |server: &JsValue| {
            let alone = RtcConfiguration::new();
            alone.set_ice_servers(&Array::of1(server));
            RtcPeerConnection::new_with_configuration(&alone).map(|it| it.close()).is_ok()
        };
        configuration.set_ice_servers(&servers.iter().filter(is_taken).collect::<Array>());
        RtcPeerConnection::new_with_configuration(&configuration)
    })
}

fn ice_server(server: &IceServer) -> RtcIceServer {
    let js = RtcIceServer::new();
    js.set_urls(&server.urls.iter().map(JsValue::from).collect::<Array>());
    if let Some(username) = &server.username {
        js.set_username(username);
    }
    if let Some(credential) = &server.credential {
        js.set_credential(credential);
    }
    js
}

fn negotiated_channel(pc: &RtcPeerConnection, label: &str, id: u16) -> RtcDataChannel {
    let init = RtcDataChannelInit::new();
    init.set_negotiated(true);
    init.set_ordered(true);
    init.set_id(id);
    pc.create_data_channel_with_data_channel_dict(label, &init)
}

fn fingerprint(description: &RtcSessionDescription) -> Option<[u8; 32]> {
    // Offer or answer makes no difference to what it says of the certificate.
    let description = protocol::io::Description::Offer(description.sdp());
    description.fingerprint().map(|fingerprint| fingerprint.0)
}

/// The largest message that the other side takes, as its description says (RFC 8841), in bytes.
fn max_message_size(sdp: &str) -> u32 {
    let said = sdp.lines().find_map(|line| {
        line.trim().strip_prefix("a=max-message-size:")?.trim().parse::<u64>().ok()
    });
    match said {
        None => DEFAULT_MAX_MESSAGE_SIZE,
        // Zero is "any size".
        Some(0) => MAX_MESSAGE_SIZE,
        Some(size) => size.min(u64::from(MAX_MESSAGE_SIZE)) as u32,
    }
}

/// A property of a JavaScript object, or `undefined`.
pub(crate) fn property(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or(JsValue::UNDEFINED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_size_is_what_both_sides_take() {
        assert_eq!(max_message_size("v=0\r\na=max-message-size:1073741823\r\n"), 262_144);
        assert_eq!(max_message_size("v=0\r\na=max-message-size:65536\r\n"), 65_536);
        assert_eq!(max_message_size("a=max-message-size:0"), 262_144);
        assert_eq!(max_message_size("v=0\r\n"), 65_536);
        assert_eq!(max_message_size("a=max-message-size:99999999999999999999\r\n"), 65_536);
    }
}
