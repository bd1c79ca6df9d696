//! A place through which messages go one after the other at some rate: a peer's uplink, or the border
//! between two sites.
//!
//! Control messages go first, connections with blocks take turns by message. Real packets of many
//! connections interleave much finer than our messages; this is how that looks from a message's
//! length away: bulk shares evenly, and what is small hardly waits.

use std::collections::{BTreeMap, VecDeque};

use crate::io::{Channel, ConnectionId};

/// One end of a connection: peer, its run, connection.
pub(super) type End = (usize, u32, ConnectionId);

/// Something on its way from one end of a connection to the other.
pub(super) struct Parcel {
    pub(super) from: End,
    pub(super) to: End,
    pub(super) channel: Channel,
    /// `None` says that the connection was closed.
    pub(super) message: Option<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Pipe {
    control: VecDeque<Parcel>,
    blocks: BTreeMap<End, VecDeque<Parcel>>,
    /// The ends that have blocks here, next first.
    turns: VecDeque<End>,
    /// Whether something is going through.
    pub(super) busy: bool,
}

impl Parcel {
    /// In bytes.
    pub(super) fn len(&self) -> usize {
        self.message.as_ref().map_or(0, Vec::len)
    }
}

impl Pipe {
    pub(super) fn push(&mut self, parcel: Parcel) {
        if parcel.channel == Channel::Control {
            return self.control.push_back(parcel);
        }
        let waiting = self.blocks.entry(parcel.from).or_default();
        if waiting.is_empty() {
            self.turns.push_back(parcel.from);
        }
        waiting.push_back(parcel);
    }

    /// What goes through next.
    pub(super) fn next(&mut self) -> Option<Parcel> {
        if let Some(parcel) = self.control.pop_front() {
            return Some(parcel);
        }
        let end = self.turns.pop_front()?;
        let waiting = self.blocks.get_mut(&end)?;
        let parcel = waiting.pop_front();
        if waiting.is_empty() {
            self.blocks.remove(&end);
        } else {
            self.turns.push_back(end);
        }
        parcel
    }

    /// All that waits is lost.
    pub(super) fn clear(&mut self) {
        self.control.clear();
        self.blocks.clear();
        self.turns.clear();
    }

    /// The connection was closed: its blocks are not sent any more.
    pub(super) fn drop_blocks(&mut self, end: End) {
        self.blocks.remove(&end);
        self.turns.retain(|turn| *turn != end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_goes_first_and_connections_take_turns() {
        let mut pipe = Pipe::default();
        let mut push = |connection: u32, channel, name: u8| {
            let end = (0, 0, ConnectionId(connection));
            pipe.push(Parcel { from: end, to: end, channel, message: Some(vec![name]) });
        };
        for name in [1, 2, 3] {
            push(0, Channel::Blocks, name);
        }
        push(1, Channel::Blocks, 4);
        push(2, Channel::Blocks, 5);
        push(1, Channel::Control, 6);
        pipe.drop_blocks((0, 0, ConnectionId(2)));
        let order = std::iter::from_fn(|| Some(pipe.next()?.message.expect("all are messages")[0]));
        assert_eq!(order.collect::<Vec<_>>(), [6, 1, 4, 2, 3]);
    }
}
