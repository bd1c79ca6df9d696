//! Who sent which pieces of a share: for people, and for the map of its pieces.

use crate::event::Source;
use crate::piece::PieceIndex;
use crate::piece_map::OTHER_SOURCE;
use crate::signaling::PeerId;

/// What came of a share, by sender.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// In the order in which they sent their first piece.
    senders: Vec<Source>,
    /// For each piece its sender as [`PieceCell::source`](crate::piece_map::PieceCell::source) tells it.
    /// Empty until something came.
    of: Vec<u8>,
}

impl Sources {
    /// One of `pieces` came from a peer, with so many verified bytes.
    pub(super) fn add(
        &mut self,
        pieces: u32,
        piece: PieceIndex,
        peer: PeerId,
        name: &str,
        bytes: u64,
    ) {
        let place = match self.senders.iter().position(|source| source.peer == peer) {
            Some(place) => place,
            None => {
                self.senders.push(Source { peer, name: name.to_owned(), bytes: 0 });
                self.senders.len() - 1
            }
        };
        self.senders[place].bytes += bytes;
        self.of.resize(pieces as usize, 0);
        if let Some(of) = self.of.get_mut(piece.0 as usize) {
            *of = u8::try_from(place + 1).unwrap_or(OTHER_SOURCE);
        }
    }

    /// All who sent something, in the order in which they began.
    pub(super) fn senders(&self) -> &[Source] {
        &self.senders
    }

    /// For each piece its sender; empty if nothing came.
    pub(super) fn of_pieces(&self) -> &[u8] {
        &self.of
    }
}
