//! Where the pieces of a share lie in its store: in *parts*, each of which is one payload file, or one
//! blob. Names never touch the file system.
//!
//! Files get room in a part in the order in which they are wanted. When what was wanted so far is
//! finished, the part is closed for good, because a browser's view of a file dies at the next write to
//! it; whatever comes later goes into a new part. So a file that was half there when its part was closed
//! lies in two.

use std::collections::BTreeMap;

use protocol::piece::{FileIndex, Geometry, PieceIndex};

/// The most parts of one share; a journal can tell no more.
pub(crate) const MAX_PARTS: usize = 1 << 12;

/// Where things are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    parts: Vec<Part>,
    /// In which part each piece is.
    pieces: BTreeMap<PieceIndex, usize>,
}

#[derive(Clone, Debug, Default)]
struct Part {
    offsets: BTreeMap<FileIndex, u64>,
    length: u64,
}

/// A stretch of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) part: usize,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Layout {
    /// How many parts there are.
    pub(crate) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Bytes that files have room for in a part.
    pub(crate) fn length(&self, part: usize) -> u64 {
        self.parts.get(part).map_or(0, |part| part.length)
    }

    /// The files that have room in a part.
    pub(crate) fn files(&self, part: usize) -> impl Iterator<Item = FileIndex> {
        self.parts.get(part).into_iter().flat_map(|part| part.offsets.keys().copied())
    }

    /// Makes room for a file of so many bytes at the end of a part; false if it has room there already.
    pub(crate) fn make_room(&mut self, part: usize, file: FileIndex, size: u64) -> bool {
        if self.parts.len() <= part {
            self.parts.resize_with(part + 1, Part::default);
        }
        let part = &mut self.parts[part];
        if part.offsets.contains_key(&file) {
            return false;
        }
        part.offsets.insert(file, part.length);
        part.length += size;
        true
    }

    /// A piece is in a part, in which its file has room.
    pub(crate) fn put(&mut self, piece: PieceIndex, part: usize) {
        self.pieces.insert(piece, part);
    }

    /// A piece is nowhere.
    pub(crate) fn forget(&mut self, piece: PieceIndex) {
        self.pieces.remove(&piece);
    }

    /// All pieces that are somewhere, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = PieceIndex> {
        self.pieces.keys().copied()
    }

    /// Where a file begins in a part, if it has room there.
    pub(crate) fn start(&self, part: usize, file: FileIndex) -> Option<u64> {
        self.parts.get(part)?.offsets.get(&file).copied()
    }

    /// In which part a piece is.
    pub(crate) fn part(&self, piece: PieceIndex) -> Option<usize> {
        self.pieces.get(&piece).copied()
    }

    /// Where a piece is, if it is anywhere.
    pub(crate) fn place(&self, geometry: &Geometry, piece: PieceIndex) -> Option<Slice> {
        let (part, span) = (self.part(piece)?, geometry.span(piece)?);
        let start = self.start(part, span.file)?;
        let length = u64::from(span.length);
        Some(Slice { part, offset: start + span.file_offset, length })
    }

    /// The stretches that make up a file, as few as can be; `None` if a piece of it is nowhere.
    pub(crate) fn file(&self, geometry: &Geometry, file: FileIndex) -> Option<Vec<Slice>> {
        let mut slices: Vec<Slice> = Vec::new();
        for piece in geometry.pieces_of(file) {
            let next = self.place(geometry, piece)?;
            match slices.last_mut() {
                Some(last)
                    if (last.part, last.offset + last.length) == (next.part, next.offset) =>
                {
                    last.length += next.length;
                }
                _ => slices.push(next),
            }
        }
        Some(slices)
    }
}

#[cfg(test)]
mod tests {
    use protocol::piece::MIN_PIECE_SIZE;

    use super::*;

    const P: u64 = 256 << 10;

    #[test]
    fn a_file_is_as_few_stretches_as_there_are_parts_in_it() {
        let sizes = [3 * P + 5, 0, 7];
        let geometry = Geometry::new(MIN_PIECE_SIZE, sizes).unwrap();
        let mut layout = Layout::default();
        let room = |layout: &mut Layout, part, file: u32| {
            layout.make_room(part, FileIndex(file), sizes[file as usize])
        };
        assert!(room(&mut layout, 0, 2));
        assert!(room(&mut layout, 0, 0));
        assert!(!room(&mut layout, 0, 2));
        assert_eq!(layout.length(0), 3 * P + 12);
        for piece in [4, 0, 1] {
            layout.put(PieceIndex(piece), 0);
        }
        assert_eq!(layout.file(&geometry, FileIndex(0)), None);
        assert_eq!(layout.file(&geometry, FileIndex(1)), Some(vec![]));
        let small = Slice { part: 0, offset: 0, length: 7 };
        assert_eq!(layout.file(&geometry, FileIndex(2)), Some(vec![small]));

        assert!(room(&mut layout, 1, 0));
        layout.put(PieceIndex(2), 1);
        layout.put(PieceIndex(3), 1);
        let first = Slice { part: 0, offset: 7, length: 2 * P };
        let second = Slice { part: 1, offset: 2 * P, length: P + 5 };
        assert_eq!(layout.file(&geometry, FileIndex(0)), Some(vec![first, second]));
        assert_eq!((layout.parts(), layout.length(1)), (2, 3 * P + 5));
        layout.forget(PieceIndex(2));
        assert_eq!(layout.place(&geometry, PieceIndex(2)), None);
    }
}
