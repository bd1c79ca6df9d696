//! A map of a share's pieces for people to look at: which are here and who sent them, which are on their
//! way, and how rare the others are. Drawn when asked for, in as many cells as there is room for.

use crate::bitfield::Bitfield;
use crate::piece::PieceIndex;
use crate::signaling::PeerId;

/// How the pieces of a share stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceMap {
    /// Pieces of the share.
    pub pieces: u32,
    /// Pieces in a cell; the last cell may have fewer.
    pub per_cell: u32,
    /// The cells, in the order of the pieces.
    pub cells: Vec<PieceCell>,
    /// Who sent pieces: what [`PieceCell::source`] counts.
    pub sources: Vec<PeerId>,
    /// Pieces of wanted files.
    pub wanted: u32,
    /// Pieces that are verified and durable here.
    pub here: u32,
    /// Wanted pieces that are not here.
    pub missing: u32,
    /// Those of them that are on their way here.
    pub asked: u32,
    /// Those of the missing that one connected peer has.
    pub rare: u32,
    /// Those of the missing that no connected peer has.
    pub nowhere: u32,
    /// Pieces that are here, by how many connected peers have them too: none, one, two, or more.
    pub held: [u32; 4],
}

/// How a piece stands, or a few in a row. Parts of a cell are of 255: nothing is 0 but none, and nothing
/// is 255 but all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PieceCell {
    /// The part that is here.
    pub here: u8,
    /// The part that is on its way.
    pub asked: u8,
    /// The part that is wanted.
    pub wanted: u8,
    /// Who sent most of what is here: a place in [`PieceMap::sources`] and one more; 0 is nobody known,
    /// [`OTHER_SOURCE`] one of many more.
    pub source: u8,
    /// How many connected peers have the rarest piece of those that are missing, or of all if none is; at
    /// most 255.
    pub holders: u8,
}

/// The [`PieceCell::source`] of all senders after the first 254.
pub const OTHER_SOURCE: u8 = u8::MAX;

/// What a map is drawn from.
pub(crate) struct Survey<'a> {
    pub(crate) here: &'a Bitfield,
    pub(crate) wanted: &'a Bitfield,
    pub(crate) asked: &'a Bitfield,
    /// For each piece, how many connected peers have it.
    pub(crate) holders: &'a [u16],
    /// For each piece, who sent it, as [`PieceCell::source`] tells it; may be empty.
    pub(crate) senders: &'a [u8],
}

impl PieceMap {
    /// A map with at most so many cells, and at least one.
    pub(crate) fn draw(survey: &Survey<'_>, sources: Vec<PeerId>, most_cells: u32) -> Self {
        let pieces = survey.here.len();
        let per_cell = pieces.div_ceil(most_cells.max(1)).max(1);
        let mut map = Self { pieces, per_cell, sources, ..Self::default() };
        let mut votes = [0u32; 256];
        for first in (0..pieces).step_by(per_cell as usize) {
            let end = pieces.min(first + per_cell);
            map.add_cell(survey, first..end, &mut votes);
        }
        map
    }

    fn add_cell(&mut self, survey: &Survey<'_>, run: std::ops::Range<u32>, votes: &mut [u32; 256]) {
        let length = run.len() as u32;
        let (mut here, mut asked, mut wanted) = (0, 0, 0);
        let (mut of_missing, mut of_all) = (u16::MAX, u16::MAX);
        let mut source = 0;
        for piece in run.clone().map(PieceIndex) {
            let holders = survey.holders.get(piece.0 as usize).copied().unwrap_or_default();
            of_all = of_all.min(holders);
            let is_wanted = survey.wanted.contains(piece);
            wanted += u32::from(is_wanted);
            if survey.here.contains(piece) {
                here += 1;
                self.held[usize::from(holders.min(3))] += 1;
                let sender = survey.senders.get(piece.0 as usize).copied().unwrap_or_default();
                votes[sender as usize] += 1;
                if votes[sender as usize] > votes[source as usize] {
                    source = sender;
                }
            } else if is_wanted {
                self.missing += 1;
                asked += u32::from(survey.asked.contains(piece));
                of_missing = of_missing.min(holders);
                self.rare += u32::from(holders == 1);
                self.nowhere += u32::from(holders == 0);
            }
        }
        for piece in run {
            votes[survey.senders.get(piece as usize).copied().unwrap_or_default() as usize] = 0;
        }
        self.wanted += wanted;
        self.here += here;
        self.asked += asked;
        let holders = if of_missing == u16::MAX { of_all } else { of_missing };
        self.cells.push(PieceCell {
            here: part(here, length),
            asked: part(asked, length),
            wanted: part(wanted, length),
            source,
            holders: u8::try_from(holders).unwrap_or(u8::MAX),
        });
    }
}

/// A part of 255.
fn part(some: u32, all: u32) -> u8 {
    match some {
        0 => 0,
        some if some >= all => u8::MAX,
        some => (u64::from(some) * 255 / u64::from(all)).clamp(1, 254) as u8,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(len: u32, pieces: impl IntoIterator<Item = u32>) -> Bitfield {
        let mut set = Bitfield::new(len);
        for piece in pieces {
            set.insert(PieceIndex(piece));
        }
        set
    }

    #[test]
    fn each_piece_has_a_cell_where_there_is_room() {
        let survey = Survey {
            here: &set(5, [0, 1]),
            wanted: &set(5, [0, 1, 2, 3]),
            asked: &set(5, [2]),
            holders: &[0, 2, 300, 0, 1],
            senders: &[2, 0, 0, 0, 0],
        };
        let map = PieceMap::draw(&survey, Vec::new(), 100);
        let cell = |here, asked, wanted, source, holders| PieceCell {
            here,
            asked,
            wanted,
            source,
            holders,
        };
        assert_eq!(
            map.cells,
            [
                cell(255, 0, 255, 2, 0),
                cell(255, 0, 255, 0, 2),
                cell(0, 255, 255, 0, 255),
                cell(0, 0, 255, 0, 0),
                cell(0, 0, 0, 0, 1),
            ]
        );
        assert_eq!((map.pieces, map.per_cell), (5, 1));
        assert_eq!((map.wanted, map.here, map.missing, map.asked), (4, 2, 2, 1));
        assert_eq!((map.rare, map.nowhere, map.held), (0, 1, [1, 0, 1, 0]));
    }

    #[test]
    fn a_cell_of_several_tells_the_rarest_that_is_missing_and_who_sent_most() {
        let survey = Survey {
            here: &set(7, [0, 1, 2]),
            wanted: &Bitfield::full(7),
            asked: &set(7, [3]),
            holders: &[0, 0, 0, 4, 3, 1, 1],
            senders: &[1, 9, 9, 0, 0, 0, 0],
        };
        let map = PieceMap::draw(&survey, Vec::new(), 2);
        assert_eq!((map.per_cell, map.cells.len()), (4, 2));
        let first = map.cells[0];
        assert_eq!((first.here, first.asked, first.source, first.holders), (191, 63, 9, 4));
        assert_eq!((map.cells[1].here, map.cells[1].source, map.cells[1].holders), (0, 0, 1));
        assert_eq!((map.rare, map.missing, map.held), (2, 4, [3, 0, 0, 0]));
    }

    #[test]
    fn a_share_without_pieces_has_an_empty_map() {
        let none = Bitfield::new(0);
        let survey =
            Survey { here: &none, wanted: &none, asked: &none, holders: &[], senders: &[] };
        let map = PieceMap::draw(&survey, Vec::new(), 10);
        assert_eq!((map.cells.len(), map.per_cell), (0, 1));
    }

    proptest! {
        #[test]
        fn cells_cover_all_pieces_and_say_none_and_all_only_when_it_is_so(
            here in proptest::collection::vec(any::<bool>(), 0..400),
            most_cells in 0u32..500,
        ) {
            let len = here.len() as u32;
            let pieces = set(len, (0..len).filter(|&piece| here[piece as usize]));
            let survey = Survey {
                here: &pieces,
                wanted: &Bitfield::full(len),
                asked: &Bitfield::new(len),
                holders: &vec![1; here.len()],
                senders: &[],
            };
            let map = PieceMap::draw(&survey, Vec::new(), most_cells);
            prop_assert!(map.cells.len() as u32 <= most_cells.max(1));
            let runs: Vec<&[bool]> = here.chunks(map.per_cell as usize).collect();
            prop_assert_eq!(map.cells.len(), runs.len());
            for (cell, run) in map.cells.iter().zip(runs) {
                prop_assert_eq!(cell.here == 0, run.iter().all(|here| !here));
                prop_assert_eq!(cell.here == 255, run.iter().all(|here| *here));
            }
            prop_assert_eq!(map.here, pieces.count());
            prop_assert_eq!(map.rare, len - pieces.count());
        }
    }
}
