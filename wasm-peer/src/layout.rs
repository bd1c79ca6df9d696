//! Where the pieces of a share lie in its store: in *parts*, each of which is one payload file, or one
//! blob. Names never touch the file system.
//!
//! Files get room in a part in the order in which they are wanted. When what was wanted so far is
//! finished, the part is closed for good, because a browser's view of a file dies at the next write to
//! it; whatever comes later goes into a new part. So a file that was half there when its part was closed
//! lies in two.

use std::collections::BTreeMap;

use protocol::piece::{FileIndex, Geometry, PieceIndex};

/// The most parts of one share: each is a file that is open, or a blob.
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

/// Where a file has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) file: FileIndex,
    pub(crate) part: usize,
    /// Bytes from the start of the part.
    pub(crate) offset: u64,
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

    /// Makes room for a file of so many bytes at the end of a part and tells where; nowhere if it has
    /// room there already.
    pub(crate) fn make_room(&mut self, part: usize, file: FileIndex, size: u64) -> Option<u64> {
        let offset = self.length(part);
        (self.start(part, file).is_none() && self.make_room_at(part, file, offset, size))
            .then_some(offset)
    }

    /// A file of so many bytes has room at this place; false if it cannot be.
    pub(crate) fn make_room_at(
        &mut self,
        part: usize,
        file: FileIndex,
        offset: u64,
        size: u64,
    ) -> bool {
        let Some(end) = offset.checked_add(size) else { return false };
        if self.parts.len() <= part {
            self.parts.resize_with(part + 1, Part::default);
        }
        let part = &mut self.parts[part];
        part.offsets.insert(file, offset);
        part.length = part.length.max(end);
        true
    }

    /// Files that have room nowhere have it where they usually do, when all of a share is wanted at once:
    /// end to end in the first part, as far as nothing else has room there.
    pub(crate) fn assume(&mut self, geometry: &Geometry) {
        let files = (0..geometry.files()).map(FileIndex);
        let mut taken: Vec<(u64, u64)> = files
            .clone()
            .filter_map(|file| Some((self.start(0, file)?, geometry.file_size(file))))
            .map(|(start, size)| (start, start + size))
            .collect();
        taken.sort_unstable();
        let homeless: Vec<FileIndex> = files
            .filter(|&file| (0..self.parts()).all(|part| self.start(part, file).is_none()))
            .collect();
        for file in homeless {
            let (start, size) = (geometry.payload_offset(file), geometry.file_size(file));
            let next = taken.partition_point(|&(_, to)| to <= start);
            if taken.get(next).is_none_or(|&(from, _)| from >= start + size) {
                self.make_room_at(0, file, start, size);
            }
        }
    }

    /// A piece is in a part, in which its file has room.
    pub(crate) fn put(&mut self, piece: PieceIndex, part: usize) {
        self.pieces.insert(piece, part);
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
        self.place_in(geometry, piece, self.part(piece)?)
    }

    /// Where a piece is if it is in this part, and its file has room there.
    pub(crate) fn place_in(
        &self,
        geometry: &Geometry,
        piece: PieceIndex,
        part: usize,
    ) -> Option<Slice> {
        let span = geometry.span(piece)?;
        let start = self.start(part, span.file)?;
        let length = u64::from(span.length);
        Some(Slice { part, offset: start + span.file_offset, length })
    }

    /// Where files have room.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = Room> {
        self.parts.iter().enumerate().flat_map(|(part, it)| {
            it.offsets.iter().map(move |(&file, &offset)| Room { file, part, offset })
        })
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
        assert_eq!(room(&mut layout, 0, 2), Some(0));
        assert_eq!(room(&mut layout, 0, 0), Some(7));
        assert_eq!(room(&mut layout, 0, 2), None);
        assert_eq!(layout.length(0), 3 * P + 12);
        for piece in [4, 0, 1] {
            layout.put(PieceIndex(piece), 0);
        }
        assert_eq!(layout.file(&geometry, FileIndex(0)), None);
        assert_eq!(layout.file(&geometry, FileIndex(1)), Some(vec![]));
        let small = Slice { part: 0, offset: 0, length: 7 };
        assert_eq!(layout.file(&geometry, FileIndex(2)), Some(vec![small]));

        assert_eq!(room(&mut layout, 1, 0), Some(0));
        layout.put(PieceIndex(2), 1);
        layout.put(PieceIndex(3), 1);
        let first = Slice { part: 0, offset: 7, length: 2 * P };
        let second = Slice { part: 1, offset: 2 * P, length: P + 5 };
        assert_eq!(layout.file(&geometry, FileIndex(0)), Some(vec![first, second]));
        assert_eq!((layout.parts(), layout.length(1)), (2, 3 * P + 5));
        assert_eq!(layout.place(&geometry, PieceIndex(5)), None);
        assert_eq!(
            layout.place_in(&geometry, PieceIndex(2), 0).map(|it| it.offset),
            Some(7 + 2 * P)
        );
    }

    #[test]
    fn files_without_room_are_looked_for_where_nothing_else_is() {
        let sizes = [10, 20, 30, 40];
        let geometry = Geometry::new(MIN_PIECE_SIZE, sizes).unwrap();
        let rooms = |layout: &Layout| {
            layout.rooms().map(|room| (room.file.0, room.part, room.offset)).collect::<Vec<_>>()
        };
        let mut nothing = Layout::default();
        nothing.assume(&geometry);
        assert_eq!(rooms(&nothing), [(0, 0, 0), (1, 0, 10), (2, 0, 30), (3, 0, 60)]);
        assert_eq!(nothing.length(0), 100);
        let mut some = Layout::default();
        some.make_room_at(0, FileIndex(1), 10, 20);
        some.make_room_at(1, FileIndex(2), 0, 30);
        some.assume(&geometry);
        assert_eq!(rooms(&some), [(0, 0, 0), (1, 0, 10), (3, 0, 60), (2, 1, 0)]);
        // The last came first, and lies where the first two would.
        let mut other = Layout::default();
        other.make_room_at(0, FileIndex(3), 0, 40);
        other.assume(&geometry);
        assert_eq!(rooms(&other), [(3, 0, 0)]);
        assert!(!other.make_room_at(0, FileIndex(0), u64::MAX, 10));
    }
}
