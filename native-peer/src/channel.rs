//! One data channel: messages from the driver to the library, and from the library to the driver.
//!
//! What is waiting to be sent is counted in bytes and told to the core, which stops at its high-water
//! mark; that bounds the queue here. Behind it the library takes
//! [`SEND_BUFFER_BYTES`](crate::connection::SEND_BUFFER_BYTES) more and then makes us wait. Opening
//! and closing channels is left to [`crate::connection`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use protocol::io::{Channel, LOW_WATER_BYTES};
use tokio::sync::{mpsc, oneshot};
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use crate::connection::Inbox;

/// Messages that may come before the channel counts as open: a peer has one thing to say before it has
/// heard from us.
const MAX_EARLY_MESSAGES: usize = 16;

/// The driver's end of a channel: where its messages wait.
pub(crate) struct ChannelSender {
    // Bounded in bytes by the core, which hands out nothing above `HIGH_WATER_BYTES`.
    messages: mpsc::UnboundedSender<Vec<u8>>,
    buffered: Arc<AtomicUsize>,
}

/// The other end, which [`send_all`] empties.
pub(crate) struct Outgoing {
    messages: mpsc::UnboundedReceiver<Vec<u8>>,
    buffered: Arc<AtomicUsize>,
}

/// A queue for a channel that may not exist yet.
pub(crate) fn queue() -> (ChannelSender, Outgoing) {
    let (sender, messages) = mpsc::unbounded_channel();
    let buffered = Arc::new(AtomicUsize::new(0));
    (
        ChannelSender { messages: sender, buffered: buffered.clone() },
        Outgoing { messages, buffered },
    )
}

impl ChannelSender {
    /// Queues a message, and gives the bytes that now wait. What is sent on a broken channel is lost,
    /// as it would be on the way.
    pub(crate) fn send(&self, message: Vec<u8>) -> usize {
        let bytes = message.len();
        let before = self.buffered.fetch_add(bytes, Ordering::Relaxed);
        if self.messages.send(message).is_err() {
            self.buffered.fetch_sub(bytes, Ordering::Relaxed);
            return before;
        }
        before + bytes
    }
}

/// Hands messages to the library until the driver lets go of its end or the channel breaks.
pub(crate) async fn send_all(
    kind: Channel,
    channel: Arc<dyn DataChannel>,
    mut outgoing: Outgoing,
    inbox: Inbox,
) {
    while let Some(message) = outgoing.messages.recv().await {
        let bytes = message.len();
        if channel.send(BytesMut::from(Bytes::from(message))).await.is_err() {
            return;
        }
        let before = outgoing.buffered.fetch_sub(bytes, Ordering::Relaxed);
        if before > LOW_WATER_BYTES && before - bytes <= LOW_WATER_BYTES {
            inbox.buffered_amount_low(kind, before - bytes).await;
        }
    }
}

/// Hands messages from the library to the driver until the channel closes. Says `opened` once it may be
/// sent on, and hands nothing over until `may_start`: the core must know of the connection first. What
/// nobody takes stays with the library, whose receive window then closes to the sender.
pub(crate) async fn receive_all(
    kind: Channel,
    channel: Arc<dyn DataChannel>,
    opened: oneshot::Sender<()>,
    may_start: oneshot::Receiver<()>,
    inbox: Inbox,
) {
    let mut opened = Some((opened, may_start));
    // The other side may be open a moment before the library says that we are.
    let mut early = Vec::new();
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => {
                if let Some((opened, may_start)) = opened.take()
                    && (opened.send(()).is_err() || may_start.await.is_err())
                {
                    return;
                }
                for message in early.drain(..) {
                    inbox.message(kind, message).await;
                }
            }
            DataChannelEvent::OnMessage(received) if opened.is_some() => {
                if early.len() == MAX_EARLY_MESSAGES {
                    return;
                }
                early.push(received.data);
            }
            DataChannelEvent::OnMessage(received) => inbox.message(kind, received.data).await,
            DataChannelEvent::OnClosing | DataChannelEvent::OnClose => return,
            _ => {}
        }
    }
}
