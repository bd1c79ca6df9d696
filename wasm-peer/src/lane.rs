//! One connection as the worker holds it: its two channels, and what has to come together before the
//! core hears that it is open. The connection itself is the window's ([`crate::connection`]).

use std::mem;

use js_sys::ArrayBuffer;
use protocol::io::{Channel, ConnectionEvent, Opened};
use wasm_bindgen::{JsCast, JsValue};

use crate::buffer;
use crate::channel::DataChannel;

/// No message of a peer of ours is larger.
const MAX_MESSAGE_BYTES: u32 = 262_144;
/// Messages that may come before the connection counts as open. Until it is confirmed, a peer says
/// little.
const MAX_HELD: usize = 64;

/// One connection.
#[derive(Default)]
pub(crate) struct Lane {
    channels: Option<[DataChannel; 2]>,
    open: [bool; 2],
    secured: Option<Opened>,
    /// Whether the core knows that it is open.
    told_open: bool,
    closed: bool,
    held: Vec<(Channel, Vec<u8>)>,
}

/// What the core is to be told, in this order.
pub(crate) enum Told {
    Event(ConnectionEvent),
    Message(Channel, Vec<u8>),
}

impl Lane {
    /// Takes over its channels, `control` first.
    pub(crate) fn set_channels(&mut self, channels: [DataChannel; 2]) -> Vec<Told> {
        self.open = [channels[0].is_open(), channels[1].is_open()];
        self.channels = Some(channels);
        self.check_open()
    }

    /// One of its channels opened.
    pub(crate) fn set_open(&mut self, channel: Channel) -> Vec<Told> {
        self.open[index(channel)] = true;
        self.check_open()
    }

    /// DTLS is up, and this is what is known of it.
    pub(crate) fn set_secured(&mut self, opened: Opened) -> Vec<Told> {
        self.secured.get_or_insert(opened);
        self.check_open()
    }

    /// A message came; gives its bytes unless it has to wait. An error is a reason to close.
    pub(crate) fn receive(
        &mut self,
        channel: Channel,
        data: &JsValue,
    ) -> Result<Option<Vec<u8>>, &'static str> {
        let Some(buffer) = data.dyn_ref::<ArrayBuffer>() else {
            return Err("the other side sent text where only bytes belong");
        };
        if buffer.byte_length() > MAX_MESSAGE_BYTES {
            return Err("the other side sent a message that is too large");
        }
        let bytes = buffer::take(buffer);
        if self.told_open {
            return Ok(Some(bytes));
        }
        if self.held.len() >= MAX_HELD {
            return Err("the other side sent too much before the connection was confirmed");
        }
        self.held.push((channel, bytes));
        Ok(None)
    }

    /// Notes that it is of no more use; true the first time.
    pub(crate) fn close(&mut self) -> bool {
        !mem::replace(&mut self.closed, true)
    }

    /// Sends a message and gives what is buffered then, or nothing if the channel is closed.
    pub(crate) fn send(&mut self, channel: Channel, bytes: &[u8]) -> Option<usize> {
        let channel = self.channel(channel)?;
        channel.send(bytes).then(|| channel.buffered_amount())
    }

    /// One of its channels.
    pub(crate) fn channel(&mut self, channel: Channel) -> Option<&mut DataChannel> {
        Some(&mut self.channels.as_mut()?[index(channel)])
    }

    fn check_open(&mut self) -> Vec<Told> {
        if self.told_open || self.open != [true; 2] {
            return Vec::new();
        }
        let Some(opened) = &self.secured else { return Vec::new() };
        self.told_open = true;
        let mut told = vec![Told::Event(ConnectionEvent::Open(opened.clone()))];
        told.extend(self.held.drain(..).map(|(channel, bytes)| Told::Message(channel, bytes)));
        told
    }
}

fn index(channel: Channel) -> usize {
    match channel {
        Channel::Control => 0,
        Channel::Blocks => 1,
    }
}
