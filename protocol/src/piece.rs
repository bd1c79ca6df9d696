//! Pieces: how the files of a share are cut, and how their hashes combine.
//!
//! Every file is cut into pieces of one power-of-two size; the last piece of a file is short, and an
//! empty file has none. A piece never crosses a file border. Indices run through the files in order.
//!
//! A piece's hash is its BLAKE3 subtree value, so the pieces of a file combine to the ordinary BLAKE3
//! hash of the file, the one that `b3sum` prints (BLAKE3 specification, section 2.4; `blake3::hazmat`).

use std::fmt;
use std::sync::Arc;

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};
use data_encoding::HEXLOWER;

/// The smallest piece size: 256 KiB.
pub const MIN_PIECE_SIZE: PieceSize = PieceSize(18);
/// The largest piece size: 16 MiB, reached by shares of 512 GiB and more.
pub const MAX_PIECE_SIZE: PieceSize = PieceSize(24);
/// Piece sizes grow with the share so that whole pieces stay about this many.
const PIECES_AIMED_AT: u64 = 1 << 16;
/// A share with more pieces than this is refused: its bitfield must fit one message (32 KiB).
pub const MAX_PIECES: u32 = 1 << 18;

/// A piece of a share, counted through all its files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(pub u32);

/// A file of a share, counted through the manifest without its directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIndex(pub u32);

/// A piece size, kept as its base-2 logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PieceSize(u8);

/// A piece's BLAKE3 subtree value; for a file of one piece, the file's hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PieceHash(pub [u8; 32]);

/// A file's BLAKE3 hash; displays as `b3sum` prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FileHash(pub [u8; 32]);

/// Where a piece lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file it is part of.
    pub file: FileIndex,
    /// Bytes from the start of that file.
    pub file_offset: u64,
    /// Bytes from the start of all files laid end to end, for stores that keep a share in one file.
    pub payload_offset: u64,
    /// Length in bytes: a piece size, or less for the last piece of a file.
    pub length: u32,
}

/// The shape of a share: sizes in, arithmetic out.
#[derive(Clone, Debug)]
pub struct Geometry {
    piece_size: PieceSize,
    /// Per file, its first piece; one more at the end for the number of pieces.
    first_piece: Arc<[u32]>,
    /// Per file, its offset in the payload; one more at the end for the total.
    payload: Arc<[u64]>,
}

/// A share that cannot be cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// More than [`MAX_PIECES`].
    #[error("more than {MAX_PIECES} pieces; share fewer files at once")]
    TooManyPieces,
    /// The sizes add up to more than a file system can hold (2^63 bytes).
    #[error("the sizes add up to more than 8 EiB")]
    TooLarge,
    /// A piece size that this version does not use.
    #[error("a piece size of 2^{0} bytes is not supported")]
    PieceSize(u8),
}

impl PieceSize {
    /// The piece size for a share of `total` bytes.
    pub fn for_total(total: u64) -> Self {
        let mut size = MIN_PIECE_SIZE;
        while total.div_ceil(size.bytes()) > PIECES_AIMED_AT && size < MAX_PIECE_SIZE {
            size.0 += 1;
        }
        size
    }

    /// From the base-2 logarithm of the size in bytes.
    pub fn from_log2(log2: u8) -> Result<Self, GeometryError> {
        let size = Self(log2);
        if (MIN_PIECE_SIZE..=MAX_PIECE_SIZE).contains(&size) {
            Ok(size)
        } else {
            Err(GeometryError::PieceSize(log2))
        }
    }

    /// The base-2 logarithm of the size in bytes.
    pub fn log2(self) -> u8 {
        self.0
    }

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        1 << self.0
    }
}

impl Geometry {
    /// Cuts files of these sizes (bytes, in manifest order).
    pub fn new(
        piece_size: PieceSize,
        sizes: impl IntoIterator<Item = u64>,
    ) -> Result<Self, GeometryError> {
        let (mut pieces, mut total) = (0u64, 0u64);
        let (mut first_piece, mut payload) = (vec![0], vec![0]);
        for size in sizes {
            pieces += size.div_ceil(piece_size.bytes());
            total = total
                .checked_add(size)
                .filter(|&t| t <= i64::MAX as u64)
                .ok_or(GeometryError::TooLarge)?;
            if pieces > u64::from(MAX_PIECES) {
                return Err(GeometryError::TooManyPieces);
            }
            first_piece.push(pieces as u32);
            payload.push(total);
        }
        Ok(Self { piece_size, first_piece: first_piece.into(), payload: payload.into() })
    }

    /// The size that pieces have unless they are the last of a file.
    pub fn piece_size(&self) -> PieceSize {
        self.piece_size
    }

    /// The number of pieces.
    pub fn pieces(&self) -> u32 {
        *self.first_piece.last().expect("there is one more entry than files")
    }

    /// The number of files, empty ones included.
    pub fn files(&self) -> u32 {
        self.first_piece.len() as u32 - 1
    }

    /// Bytes of all files together.
    pub fn total(&self) -> u64 {
        *self.payload.last().expect("there is one more entry than files")
    }

    /// Bytes of one file.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn file_size(&self, file: FileIndex) -> u64 {
        self.payload[file.0 as usize + 1] - self.payload[file.0 as usize]
    }

    /// Where a file begins when all are laid end to end.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn payload_offset(&self, file: FileIndex) -> u64 {
        self.payload[file.0 as usize]
    }

    /// The pieces of a file.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn pieces_of(&self, file: FileIndex) -> impl ExactSizeIterator<Item = PieceIndex> + use<> {
        (self.first_piece[file.0 as usize]..self.first_piece[file.0 as usize + 1])
            .map(PieceIndex as fn(u32) -> PieceIndex)
    }

    /// Where a piece lies, or `None` past the last.
    pub fn span(&self, piece: PieceIndex) -> Option<Span> {
        if piece.0 >= self.pieces() {
            return None;
        }
        // Empty files share their first piece with the next file: the last of equals is the one.
        let file = self.first_piece.partition_point(|&first| first <= piece.0) - 1;
        let file_offset = u64::from(piece.0 - self.first_piece[file]) * self.piece_size.bytes();
        let rest = self.payload[file + 1] - self.payload[file] - file_offset;
        Some(Span {
            file: FileIndex(file as u32),
            file_offset,
            payload_offset: self.payload[file] + file_offset,
            length: rest.min(self.piece_size.bytes()) as u32,
        })
    }

    /// A piece's length in bytes; zero past the last.
    pub fn length(&self, piece: PieceIndex) -> u32 {
        self.span(piece).map_or(0, |span| span.length)
    }

    /// The hash of a piece's bytes, or `None` if there is no such piece or it has another length.
    pub fn hash(&self, piece: PieceIndex, bytes: &[u8]) -> Option<PieceHash> {
        let span = self.span(piece).filter(|span| span.length as usize == bytes.len())?;
        if self.pieces_of(span.file).len() == 1 {
            return Some(PieceHash(*blake3::hash(bytes).as_bytes()));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(span.file_offset).update(bytes);
        Some(PieceHash(hasher.finalize_non_root()))
    }

    /// The hash of a whole file, from the hashes of its pieces; `None` while one is unknown.
    pub fn file_hash(
        &self,
        file: FileIndex,
        mut piece_hash: impl FnMut(PieceIndex) -> Option<PieceHash>,
    ) -> Option<FileHash> {
        let hashes: Option<Vec<ChainingValue>> =
            self.pieces_of(file).map(|piece| piece_hash(piece).map(|hash| hash.0)).collect();
        let hashes = hashes?;
        Some(FileHash(match hashes.as_slice() {
            [] => *blake3::hash(b"").as_bytes(),
            [only] => *only,
            several => {
                let (left, right) = several.split_at(left_subtree(several.len()));
                *merge_subtrees_root(&merge(left), &merge(right), Mode::Hash).as_bytes()
            }
        }))
    }
}

/// Leaves on the left of a BLAKE3 tree: the largest power of two below their number.
fn left_subtree(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

fn merge(leaves: &[ChainingValue]) -> ChainingValue {
    match leaves {
        [only] => *only,
        several => {
            let (left, right) = several.split_at(left_subtree(several.len()));
            merge_subtrees_non_root(&merge(left), &merge(right), Mode::Hash)
        }
    }
}

impl fmt::Debug for PieceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PieceHash({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const P: u64 = 1 << 18;

    #[test]
    fn piece_hashes_combine_to_what_b3sum_prints() {
        for size in
            [0, 1, 1023, P - 1, P, P + 1, 2 * P, 3 * P, 3 * P + 5, 5 * P - 1, 8 * P, 9 * P + 1025]
        {
            let data: Vec<u8> =
                (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
            // A file before it shifts indices and payload, never the hash.
            let geometry = Geometry::new(MIN_PIECE_SIZE, [P + 3, size]).unwrap();
            let hash = geometry.file_hash(FileIndex(1), |piece| {
                let span = geometry.span(piece).unwrap();
                let start = span.file_offset as usize;
                geometry.hash(piece, &data[start..start + span.length as usize])
            });
            assert_eq!(hash.unwrap().to_string(), blake3::hash(&data).to_string(), "{size} bytes");
        }
    }

    proptest! {
        #[test]
        fn spans_tile_the_payload(sizes in proptest::collection::vec(prop_oneof![Just(0), 1..5u64, P-2..P+2, 3*P..4*P], 0..12)) {
            let geometry = Geometry::new(MIN_PIECE_SIZE, sizes.iter().copied()).unwrap();
            let mut end = 0;
            for piece in (0..geometry.pieces()).map(PieceIndex) {
                let span = geometry.span(piece).unwrap();
                prop_assert_eq!(span.payload_offset, end);
                prop_assert!(span.length > 0);
                prop_assert_eq!(geometry.payload_offset(span.file) + span.file_offset, end);
                prop_assert!(span.file_offset + u64::from(span.length) <= sizes[span.file.0 as usize]);
                prop_assert!(geometry.pieces_of(span.file).any(|p| p == piece));
                end += u64::from(span.length);
            }
            prop_assert_eq!(end, geometry.total());
            prop_assert_eq!(geometry.span(PieceIndex(geometry.pieces())), None);
        }
    }

    #[test]
    fn piece_size_grows_with_the_share() {
        assert_eq!(PieceSize::for_total(0).bytes(), 256 << 10);
        assert_eq!(PieceSize::for_total(16 << 30).bytes(), 256 << 10);
        assert_eq!(PieceSize::for_total((16 << 30) + 1).bytes(), 512 << 10);
        assert_eq!(PieceSize::for_total(u64::MAX).bytes(), 16 << 20);
    }

    #[test]
    fn impossible_shapes_are_refused() {
        let many = vec![1; MAX_PIECES as usize + 1];
        assert_eq!(Geometry::new(MIN_PIECE_SIZE, many).unwrap_err(), GeometryError::TooManyPieces);
        let huge = [i64::MAX as u64, 1];
        assert!(Geometry::new(MAX_PIECE_SIZE, huge).is_err());
        assert_eq!(PieceSize::from_log2(17), Err(GeometryError::PieceSize(17)));
    }

    #[test]
    fn bytes_of_the_wrong_length_have_no_hash() {
        let geometry = Geometry::new(MIN_PIECE_SIZE, [10]).unwrap();
        assert_eq!(geometry.hash(PieceIndex(0), &[0; 9]), None);
        assert_eq!(geometry.hash(PieceIndex(1), &[]), None);
    }
}
