//! The data channels of one connection, in the worker: transferred ones, or stand-ins for channels
//! that had to stay in the window ([`crate::forward`]). Bytes only; what they mean is the core's.

use std::rc::Rc;

use js_sys::Uint8Array;
use protocol::io::{BLOCKS_CHANNEL_ID, CONTROL_CHANNEL_ID, Channel, LOW_WATER_BYTES};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

use crate::wire::ConnectionRequest;

/// What happens on a channel.
pub(crate) enum ChannelEvent {
    /// It may be sent on.
    Open,
    /// A message came: an ArrayBuffer, or something that no peer of ours sends.
    Message(JsValue),
    /// What is buffered fell to [`LOW_WATER_BYTES`] or was learned anew.
    BufferedAmount,
    /// It closed.
    Closed,
}

/// One data channel. Closed and silent once dropped.
pub(crate) enum DataChannel {
    Transferred(Transferred),
    StandIn(StandIn),
}

/// A channel that lives in this worker.
pub(crate) struct Transferred {
    channel: RtcDataChannel,
    _handlers: [Closure<dyn FnMut()>; 3],
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

/// What stands in for a channel in the window.
pub(crate) struct StandIn {
    id: u16,
    request: Rc<dyn Fn(ConnectionRequest)>,
    /// Bytes given to the window.
    posted: f64,
    /// Bytes that the window has given to the channel, and its buffered amount then.
    sent: f64,
    buffered: u32,
}

impl DataChannel {
    /// Takes over a transferred channel and reports what happens on it.
    pub(crate) fn transferred(
        channel: RtcDataChannel,
        report: impl Fn(ChannelEvent) + Clone + 'static,
    ) -> Self {
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(LOW_WATER_BYTES as u32);
        let handler = |event: fn() -> ChannelEvent| {
            let report = report.clone();
            Closure::<dyn FnMut()>::new(move || report(event()))
        };
        let open = handler(|| ChannelEvent::Open);
        let low = handler(|| ChannelEvent::BufferedAmount);
        let closed = handler(|| ChannelEvent::Closed);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            report(ChannelEvent::Message(event.data()));
        });
        channel.set_onopen(Some(open.as_ref().unchecked_ref()));
        channel.set_onbufferedamountlow(Some(low.as_ref().unchecked_ref()));
        channel.set_onclose(Some(closed.as_ref().unchecked_ref()));
        channel.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let handlers = [open, low, closed];
        Self::Transferred(Transferred { channel, _handlers: handlers, _on_message: on_message })
    }

    /// Stands in for a channel that stayed in the window.
    pub(crate) fn stand_in(channel: Channel, request: Rc<dyn Fn(ConnectionRequest)>) -> Self {
        let id = match channel {
            Channel::Control => CONTROL_CHANNEL_ID,
            Channel::Blocks => BLOCKS_CHANNEL_ID,
        };
        Self::StandIn(StandIn { id, request, posted: 0.0, sent: 0.0, buffered: 0 })
    }

    /// Whether it is open already: in Firefox a channel may arrive that way, without an event.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Transferred(it) => it.channel.ready_state() == RtcDataChannelState::Open,
            Self::StandIn(_) => false,
        }
    }

    /// Sends a message; false if the channel is not open.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        match self {
            // A view of our memory: the browser copies it once.
            Self::Transferred(it) => it.channel.send_with_u8_array(bytes).is_ok(),
            Self::StandIn(it) => {
                it.posted += bytes.len() as f64;
                let bytes = Uint8Array::from(bytes);
                (it.request)(ConnectionRequest::Send { channel: it.id, bytes });
                true
            }
        }
    }

    /// Bytes that were sent but have not left yet.
    pub(crate) fn buffered_amount(&self) -> usize {
        match self {
            Self::Transferred(it) => it.channel.buffered_amount() as usize,
            Self::StandIn(it) => (it.posted - it.sent) as usize + it.buffered as usize,
        }
    }

    /// Notes what the window says of a channel that stayed there.
    pub(crate) fn note_buffered_amount(&mut self, sent: f64, buffered: u32) {
        if let Self::StandIn(it) = self {
            (it.sent, it.buffered) = (sent, buffered);
        }
    }
}

impl Drop for Transferred {
    fn drop(&mut self) {
        self.channel.set_onopen(None);
        self.channel.set_onbufferedamountlow(None);
        self.channel.set_onclose(None);
        self.channel.set_onmessage(None);
        // Now rather than with the worker: Chromium leaves the channels of an ended worker open.
        self.channel.close();
    }
}
