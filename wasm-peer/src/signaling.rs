//! The WebSocket to the signaling server, in the worker. It carries the core's messages as JSON and
//! knows nothing of what they mean; when to connect again is the core's business.
//!
//! In Firefox the server is asked with a plain request whether it is there before it is connected to again:
//! it delays each WebSocket half as long again as the one before while they fail, up to a minute, for all
//! tabs together.

use std::cell::OnceCell;
use std::rc::Rc;

use protocol::io::{LostCause, SignalingEvent};
use protocol::signaling::ClientMessage;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    AbortController, CloseEvent, MessageEvent, RequestCache, RequestInit, WebSocket,
    WorkerGlobalScope,
};

use crate::error;

/// A server message longer than this is none of ours, in UTF-16 units. 64 members and a list of ICE
/// servers need a tenth.
const MAX_MESSAGE_UNITS: u32 = 256 << 10;

/// The way to the server, open or opening. Closed and silent once dropped.
pub(crate) struct Signaling {
    socket: Rc<OnceCell<Socket>>,
    probe: Option<AbortController>,
}

/// An open or opening WebSocket. Closed and silent once dropped.
struct Socket {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Signaling {
    /// Connects to the server of the page at `server`, an address ending in a slash, and reports from
    /// then on what happens. `again` says that it was tried before.
    pub(crate) fn open(
        server: &str,
        again: bool,
        report: impl Fn(SignalingEvent) + Clone + 'static,
    ) -> Result<Self, String> {
        // Others than the page's own do not let themselves be asked.
        let is_asked =
            again && delays_sockets() && server.starts_with(&scope().location().origin());
        if !is_asked {
            let socket = Rc::new(Socket::open(server, report)?.into());
            return Ok(Self { socket, probe: None });
        }
        let probe = AbortController::new().map_err(|thrown| error::message(&thrown))?;
        let signaling = Self { socket: Rc::default(), probe: Some(probe.clone()) };
        let (server, socket) = (server.to_owned(), Rc::downgrade(&signaling.socket));
        spawn_local(async move {
            let answer = ask(&server, &probe).await;
            // Nobody is interested any more.
            let Some(socket) = socket.upgrade() else { return };
            match answer.and_then(|()| Socket::open(&server, report.clone())) {
                Ok(opened) => drop(socket.set(opened)),
                Err(reason) => report(SignalingEvent::Closed { cause: cause(), reason }),
            }
        });
        Ok(signaling)
    }

    /// Sends a message. If the socket is closing, it is lost: the close is reported anyway.
    pub(crate) fn send(&self, message: &ClientMessage) {
        let text = serde_json::to_string(message).expect("client messages are plain JSON");
        if let Some(it) = self.socket.get() {
            let _ = it.socket.send_with_str(&text);
        }
    }
}

impl Drop for Signaling {
    fn drop(&mut self) {
        if let Some(probe) = &self.probe {
            probe.abort();
        }
    }
}

/// Whether the browser delays a WebSocket after others have failed, ever longer, for all tabs together: as
/// Firefox does. Elsewhere nothing goes before one: Chromium would have a request wait for a connection that
/// was begun during the outage, and which the system tries again only after half a minute.
fn delays_sockets() -> bool {
    scope().navigator().user_agent().is_ok_and(|name| name.contains("Firefox/"))
}

/// Whether the server answers at all.
async fn ask(server: &str, probe: &AbortController) -> Result<(), String> {
    let how = RequestInit::new();
    how.set_cache(RequestCache::NoStore);
    how.set_signal(Some(&probe.signal()));
    let answer = scope().fetch_with_str_and_init(&format!("{server}healthz"), &how);
    JsFuture::from(answer).await.map(drop).map_err(|_| unreachable())
}

impl Socket {
    fn open(
        server: &str,
        report: impl Fn(SignalingEvent) + Clone + 'static,
    ) -> Result<Self, String> {
        // `http` becomes `ws`, and `https` `wss`.
        let address = format!("ws{}ws", server.strip_prefix("http").unwrap_or(server));
        let socket = WebSocket::new(&address).map_err(|thrown| error::message(&thrown))?;
        let on_open = {
            let report = report.clone();
            Closure::<dyn FnMut()>::new(move || report(SignalingEvent::Opened))
        };
        let on_message = {
            let report = report.clone();
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                report(parse(&event.data()));
            })
        };
        let on_close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            let reason = match (event.reason(), event.code()) {
                (reason, _) if !reason.is_empty() => reason,
                // The browser tells pages nothing about connections that fail.
                (_, 1006) => unreachable(),
                (_, code) => format!("the server closed the connection (code {code})"),
            };
            report(SignalingEvent::Closed { cause: cause(), reason });
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Self { socket, _on_open: on_open, _on_message: on_message, _on_close: on_close })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // What was sent before still goes out.
        let _ = self.socket.close();
    }
}

/// Whether the browser believes that this machine has a network. If it does not, there is none.
pub(crate) fn is_online() -> bool {
    scope().navigator().on_line()
}

/// What it is that is not there when the server cannot be reached.
fn cause() -> LostCause {
    if is_online() { LostCause::Server } else { LostCause::Network }
}

/// The same in words.
fn unreachable() -> String {
    match cause() {
        LostCause::Network => "this device has no network".to_owned(),
        LostCause::Server => "the server cannot be reached".to_owned(),
    }
}

fn scope() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

fn parse(data: &JsValue) -> SignalingEvent {
    let text = data.dyn_ref().filter(|text: &&js_sys::JsString| text.length() <= MAX_MESSAGE_UNITS);
    let message = text.and_then(|text| serde_json::from_str(&String::from(text)).ok());
    message.map_or_else(
        || SignalingEvent::Closed {
            cause: LostCause::Server,
            reason: "the server said something that this version does not understand".to_owned(),
        },
        SignalingEvent::Message,
    )
}
