//! Which pieces of a share are wanted, how urgently, and which of them are taken care of already.
//!
//! The search for a piece to ask for skips what is in a bitfield. So there is one bitfield for each
//! degree of urgency, in which everything is set that is taken or not of that degree; and the search goes
//! through them from the most urgent on.

use crate::bitfield::Bitfield;
use crate::piece::{FileIndex, Geometry, PieceIndex};
use crate::policy::{Priority, Selection};

/// The pieces of a share, as its receiver wants them.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The pieces of all wanted files.
    pieces: Bitfield,
    /// Pieces that need not be asked for (again), wanted or not.
    taken: Bitfield,
    /// The most urgent first; none that is empty.
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    pieces: Bitfield,
    /// What is not of this level, and what is taken.
    closed: Bitfield,
}

impl Wanted {
    /// Nothing is taken yet.
    pub(crate) fn new(geometry: &Geometry, selection: &Selection) -> Self {
        let taken = Bitfield::new(geometry.pieces());
        let mut wanted = Self { pieces: taken.clone(), taken, levels: Vec::new() };
        wanted.select(geometry, selection);
        wanted
    }

    /// Something else is wanted from now on; what is taken stays so.
    pub(crate) fn select(&mut self, geometry: &Geometry, selection: &Selection) {
        let none = Bitfield::new(geometry.pieces());
        self.pieces = none.clone();
        self.levels.clear();
        for priority in [Priority::High, Priority::Normal, Priority::Low] {
            let mut pieces = none.clone();
            let files = (0..geometry.files()).map(FileIndex);
            for file in files.filter(|&file| selection.of(file) == Some(priority)) {
                for piece in geometry.pieces_of(file) {
                    pieces.insert(piece);
                    self.pieces.insert(piece);
                }
            }
            if pieces.count() > 0 {
                let mut closed = Bitfield::full(geometry.pieces());
                for piece in pieces.iter().filter(|&piece| !self.taken.contains(piece)) {
                    closed.remove(piece);
                }
                self.levels.push(Level { pieces, closed });
            }
        }
    }

    /// What is not to be asked for, by urgency: the most urgent level first.
    pub(crate) fn closed(&self) -> impl Iterator<Item = &Bitfield> {
        self.levels.iter().map(|level| &level.closed)
    }

    /// Whether all pieces are wanted alike, so that a source may choose among them.
    pub(crate) fn is_uniform(&self) -> bool {
        self.pieces.is_full() && self.levels.len() <= 1
    }

    pub(crate) fn contains(&self, piece: PieceIndex) -> bool {
        self.pieces.contains(piece)
    }

    /// The pieces of all wanted files.
    pub(crate) fn pieces(&self) -> &Bitfield {
        &self.pieces
    }

    /// How many wanted pieces are not in `have`.
    pub(crate) fn missing(&self, have: &Bitfield) -> u32 {
        self.pieces.count_not_in(have)
    }

    /// Whether `have` holds every wanted piece.
    pub(crate) fn is_met(&self, have: &Bitfield) -> bool {
        !self.pieces.has_any_not_in(have)
    }

    /// A piece need not be asked for any more.
    pub(crate) fn take(&mut self, piece: PieceIndex) {
        self.taken.insert(piece);
        for level in &mut self.levels {
            level.closed.insert(piece);
        }
    }

    /// A piece must be asked for again, if it is wanted.
    pub(crate) fn release(&mut self, piece: PieceIndex) {
        self.taken.remove(piece);
        for level in &mut self.levels {
            if level.pieces.contains(piece) {
                level.closed.remove(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::piece::MIN_PIECE_SIZE;

    /// Three files of two pieces each.
    fn geometry() -> Geometry {
        Geometry::new(MIN_PIECE_SIZE, [2 * MIN_PIECE_SIZE.bytes(); 3]).unwrap()
    }

    /// The pieces that may be asked for, the most urgent level first.
    fn open(wanted: &Wanted) -> Vec<Vec<u32>> {
        let all = Bitfield::full(6);
        let free = |closed: &Bitfield| {
            all.iter().filter(|&piece| !closed.contains(piece)).map(|piece| piece.0).collect()
        };
        wanted.closed().map(free).collect()
    }

    #[test]
    fn the_urgent_comes_first_and_the_unwanted_not_at_all() {
        let mut selection = Selection::all();
        selection.files.insert(FileIndex(0), None);
        selection.files.insert(FileIndex(2), Some(Priority::High));
        let wanted = Wanted::new(&geometry(), &selection);
        assert_eq!(open(&wanted), [[4, 5], [2, 3]]);
        assert!(!wanted.is_uniform());
        let mut have = Bitfield::new(6);
        assert_eq!((wanted.missing(&have), wanted.is_met(&have)), (4, false));
        (2..6).for_each(|piece| assert!(have.insert(PieceIndex(piece))));
        assert_eq!((wanted.missing(&have), wanted.is_met(&have)), (0, true));
        assert!(Wanted::new(&geometry(), &Selection::only([])).is_met(&Bitfield::new(6)));
        assert!(Wanted::new(&geometry(), &Selection::all()).is_uniform());
    }

    #[test]
    fn what_is_taken_stays_so_when_something_else_is_wanted() {
        let mut wanted = Wanted::new(&geometry(), &Selection::all());
        [0, 3, 5].into_iter().for_each(|piece| wanted.take(PieceIndex(piece)));
        wanted.release(PieceIndex(5));
        assert_eq!(open(&wanted), [[1, 2, 4, 5]]);
        wanted.select(&geometry(), &Selection::only([FileIndex(1)]));
        assert_eq!(open(&wanted), [[2]]);
        wanted.release(PieceIndex(0));
        wanted.release(PieceIndex(3));
        assert_eq!(open(&wanted), [[2, 3]]);
        wanted.select(&geometry(), &Selection::all());
        assert_eq!(open(&wanted), [[0, 1, 2, 3, 4, 5]]);
    }
}
