//! What waits to be sent to one socket: a queue that overflows rather than grow.
//!
//! Anyone may push; only the socket's own task takes out. A reader that is too slow loses everything
//! and is told so (`TooSlow`): it will have to join anew, since a signal lost in silence would leave its
//! peers waiting. The limits count messages and bytes per socket, and bytes over all sockets. A socket
//! that another took the place of is told through its outbox, too.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::options::Limits;

/// The queue of one socket.
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    changed: Notify,
    budget: Arc<Budget>,
}

/// What all outboxes hold together, and what each may hold.
pub(crate) struct Budget {
    queued_bytes: AtomicUsize,
    limits: Limits,
}

/// Why nothing more comes out. What was in the queue is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The queue grew beyond its limits.
    Overflowed,
    /// The member is on another socket now.
    Replaced,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Utf8Bytes>,
    bytes: usize,
    closed: Option<Closed>,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { queued_bytes: AtomicUsize::new(0), limits })
    }

    /// Bytes that wait in all outboxes.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    /// Whether a queue may hold this much, given what the others hold.
    fn allows(&self, messages: usize, bytes: usize) -> bool {
        messages <= self.limits.queued_messages
            && bytes <= self.limits.queued_bytes
            && (bytes <= self.limits.queued_bytes_assured
                || self.queued_bytes() <= self.limits.queued_bytes_total)
    }
}

impl Outbox {
    pub(crate) fn new(budget: Arc<Budget>) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), changed: Notify::new(), budget })
    }

    /// Adds a message, or gives the reader up when that is too much. Never waits.
    pub(crate) fn push(&self, message: Utf8Bytes) {
        let mut queue = self.queue.lock().expect("no panic while queueing");
        if queue.closed.is_some() {
            return;
        }
        let bytes = queue.bytes + message.len();
        if self.budget.allows(queue.messages.len() + 1, bytes) {
            self.budget.queued_bytes.fetch_add(message.len(), Ordering::Relaxed);
            queue.bytes = bytes;
            queue.messages.push_back(message);
        } else {
            self.close(&mut queue, Closed::Overflowed);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// The member goes on with another outbox.
    pub(crate) fn replace(&self) {
        let mut queue = self.queue.lock().expect("no panic while queueing");
        self.close(&mut queue, Closed::Replaced);
        drop(queue);
        self.changed.notify_one();
    }

    fn close(&self, queue: &mut Queue, why: Closed) {
        self.budget.queued_bytes.fetch_sub(queue.bytes, Ordering::Relaxed);
        *queue = Queue { closed: Some(why), ..Queue::default() };
    }

    /// The next message, once there is one. Losing this future loses no message.
    pub(crate) async fn next(&self) -> Result<Utf8Bytes, Closed> {
        loop {
            {
                let mut queue = self.queue.lock().expect("no panic while queueing");
                if let Some(closed) = queue.closed {
                    return Err(closed);
                }
                if let Some(message) = queue.messages.pop_front() {
                    self.budget.queued_bytes.fetch_sub(message.len(), Ordering::Relaxed);
                    queue.bytes -= message.len();
                    if queue.messages.is_empty() {
                        // An idle socket keeps no memory for the burst it once had.
                        queue.messages = VecDeque::new();
                    }
                    return Ok(message);
                }
            }
            self.changed.notified().await;
        }
    }

    /// Waits until nothing more will come out.
    pub(crate) async fn closed(&self) -> Closed {
        loop {
            if let Some(closed) = self.queue.lock().expect("no panic while queueing").closed {
                return closed;
            }
            self.changed.notified().await;
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let queue = self.queue.get_mut().expect("no panic while queueing");
        self.budget.queued_bytes.fetch_sub(queue.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            queued_messages: 3,
            queued_bytes: 10,
            queued_bytes_assured: 4,
            queued_bytes_total: 12,
            ..Limits::default()
        }
    }

    #[tokio::test]
    async fn messages_come_out_in_order_and_are_uncounted() {
        let budget = Budget::new(limits());
        let outbox = Outbox::new(budget.clone());
        outbox.push("one".into());
        outbox.push("two".into());
        assert_eq!(budget.queued_bytes(), 6);
        assert_eq!(outbox.next().await.unwrap().as_str(), "one");
        assert_eq!(outbox.next().await.unwrap().as_str(), "two");
        assert_eq!(budget.queued_bytes(), 0);
    }

    #[tokio::test]
    async fn too_many_messages_or_bytes_give_the_reader_up_and_free_the_queue() {
        for messages in [&["a", "b", "c", "d"][..], &["0123456789", "x"]] {
            let budget = Budget::new(limits());
            let outbox = Outbox::new(budget.clone());
            for message in messages {
                outbox.push((*message).into());
            }
            assert_eq!(outbox.closed().await, Closed::Overflowed);
            assert_eq!(outbox.next().await, Err(Closed::Overflowed));
            assert_eq!(budget.queued_bytes(), 0);
        }
    }

    #[tokio::test]
    async fn what_waits_for_a_replaced_socket_is_thrown_away() {
        let budget = Budget::new(limits());
        let outbox = Outbox::new(budget.clone());
        outbox.push("one".into());
        outbox.replace();
        outbox.push("two".into());
        assert_eq!(outbox.next().await, Err(Closed::Replaced));
        assert_eq!(budget.queued_bytes(), 0);
    }

    #[tokio::test]
    async fn when_all_is_used_up_each_still_has_its_assured_share() {
        let budget = Budget::new(limits());
        let hogs = [Outbox::new(budget.clone()), Outbox::new(budget.clone())];
        hogs.iter().for_each(|hog| hog.push("0123456".into()));
        let modest = Outbox::new(budget.clone());
        modest.push("four".into());
        assert_eq!(modest.next().await.unwrap().as_str(), "four");
        let greedy = Outbox::new(budget.clone());
        greedy.push("fives".into());
        assert_eq!(greedy.next().await, Err(Closed::Overflowed));
        drop(hogs);
        assert_eq!(budget.queued_bytes(), 0);
    }
}
