//! A data channel that stays in the window because the browser cannot transfer it: what happens on it
//! is reported to the worker, whose [`crate::channel`] stands in for it there.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use protocol::io::LOW_WATER_BYTES;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, RtcDataChannel, RtcDataChannelType};

use crate::connection::Report;
use crate::wire::ConnectionReport;

/// One such channel. Closed and silent once dropped.
pub(crate) struct Forwarded {
    shared: Rc<Shared>,
    _handlers: [Closure<dyn FnMut()>; 3],
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

struct Shared {
    connection: u32,
    id: u16,
    channel: RtcDataChannel,
    report: Report,
    /// Bytes handed to the channel.
    sent: Cell<f64>,
}

impl Forwarded {
    /// Reports what happens on the channel with the stream id `id` from now on.
    pub(crate) fn new(connection: u32, id: u16, channel: RtcDataChannel, report: Report) -> Self {
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(LOW_WATER_BYTES as u32);
        let shared = Rc::new(Shared { connection, id, channel, report, sent: Cell::new(0.0) });
        let handler = |react: fn(&Shared)| {
            let shared = Rc::downgrade(&shared);
            Closure::<dyn FnMut()>::new(move || {
                if let Some(shared) = shared.upgrade() {
                    react(&shared);
                }
            })
        };
        let opened =
            handler(|shared| shared.tell(ConnectionReport::ChannelOpened { channel: shared.id }));
        let closed =
            handler(|shared| shared.tell(ConnectionReport::ChannelClosed { channel: shared.id }));
        let low = handler(Shared::tell_buffered_amount);
        let for_message = Rc::downgrade(&shared);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(shared) = for_message.upgrade() {
                let (channel, data) = (shared.id, event.data());
                shared.tell(ConnectionReport::Message { channel, data });
            }
        });
        let channel = &shared.channel;
        channel.set_onopen(Some(opened.as_ref().unchecked_ref()));
        channel.set_onclose(Some(closed.as_ref().unchecked_ref()));
        channel.set_onbufferedamountlow(Some(low.as_ref().unchecked_ref()));
        channel.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Self { shared, _handlers: [opened, closed, low], _on_message: on_message }
    }

    /// Sends a message, and reports what is buffered then.
    pub(crate) fn send(&self, bytes: &Uint8Array) {
        let shared = &self.shared;
        if shared.channel.send_with_js_u8_array(bytes).is_err() {
            shared.tell(ConnectionReport::ChannelClosed { channel: shared.id });
            return;
        }
        shared.sent.set(shared.sent.get() + f64::from(bytes.length()));
        shared.tell_buffered_amount();
    }

    /// Goes silent, and closes once what was sent has gone out.
    pub(crate) fn close(&self) {
        let channel = &self.shared.channel;
        channel.set_onopen(None);
        channel.set_onclose(None);
        channel.set_onbufferedamountlow(None);
        channel.set_onmessage(None);
        channel.close();
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn tell_buffered_amount(&self) {
        self.tell(ConnectionReport::BufferedAmount {
            channel: self.id,
            sent: self.sent.get(),
            buffered: self.channel.buffered_amount(),
        });
    }

    fn tell(&self, report: ConnectionReport) {
        // Nobody listens once the worker has ended.
        let _ = (self.report)(self.connection, report, &Array::new());
    }
}
