//! The WebSocket to the signaling server, in the worker. It carries the core's messages as JSON and
//! knows nothing of what they mean; when to connect again is the core's business.

use protocol::io::{LostCause, SignalingEvent};
use protocol::signaling::ClientMessage;
use wasm_bindgen::prelude::*;
use web_sys::{CloseEvent, MessageEvent, WebSocket, WorkerGlobalScope};

use crate::error;

/// A server message longer than this is none of ours, in UTF-16 units. 64 members and a list of ICE
/// servers need a tenth.
const MAX_MESSAGE_UNITS: u32 = 256 << 10;

/// An open or opening WebSocket. Closed and silent once dropped.
pub(crate) struct Signaling {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Signaling {
    /// Connects to the server of the page at `server`, an address ending in a slash, and reports from
    /// then on what happens.
    pub(crate) fn open(
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
                (_, 1006) if !is_online() => "this device has no network".to_owned(),
                // The browser tells pages nothing about connections that fail.
                (_, 1006) => "the server cannot be reached".to_owned(),
                (_, code) => format!("the server closed the connection (code {code})"),
            };
            let cause = if is_online() { LostCause::Server } else { LostCause::Network };
            report(SignalingEvent::Closed { cause, reason });
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Self { socket, _on_open: on_open, _on_message: on_message, _on_close: on_close })
    }

    /// Sends a message. If the socket is closing, it is lost: the close is reported anyway.
    pub(crate) fn send(&self, message: &ClientMessage) {
        let text = serde_json::to_string(message).expect("client messages are plain JSON");
        let _ = self.socket.send_with_str(&text);
    }
}

impl Drop for Signaling {
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
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    scope.navigator().on_line()
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
