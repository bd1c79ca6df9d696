//! What is kept beside the pieces of a share, as bytes: the journal of where files have room, which
//! pieces are committed and which files are finished; and the hash batches that prove the pieces. Both
//! only grow; a record that a crash cut short ends the reading.

use protocol::manifest::HashBatch;
use protocol::piece::{FileIndex, PieceIndex};

use crate::layout::MAX_PARTS;

const RECORD_BYTES: usize = 12;
/// The first field of a record holds its kind in two bits, and a piece or file in the others.
const KIND_SHIFT: u32 = 30;
const PIECE: u32 = 0;
const ROOM: u32 = 1;
const FINISHED: u32 = 2;
/// Of a piece's field these bits are the piece; those above, its part.
const PIECE_BITS: u32 = 18;

/// What a journal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Journal {
    /// Which files got room in which part, in this order.
    pub(crate) rooms: Vec<(FileIndex, usize)>,
    /// Committed pieces with their part and the CRC-32 of their bytes.
    pub(crate) pieces: Vec<(PieceIndex, usize, u32)>,
    /// The files that were finished.
    pub(crate) finished: Vec<FileIndex>,
    /// Bytes that were whole records; the next is to be written there.
    pub(crate) length: usize,
}

/// The record of a file that gets room at the end of a part.
pub(crate) fn room(file: FileIndex, part: usize) -> [u8; RECORD_BYTES] {
    record(ROOM << KIND_SHIFT | file.0, part as u32)
}

/// The record of a piece that is committed.
pub(crate) fn piece(piece: PieceIndex, part: usize, crc32: u32) -> [u8; RECORD_BYTES] {
    record(PIECE << KIND_SHIFT | (part as u32) << PIECE_BITS | piece.0, crc32)
}

/// The record that says that a file is finished.
pub(crate) fn finished(file: FileIndex) -> [u8; RECORD_BYTES] {
    record(FINISHED << KIND_SHIFT | file.0, 0)
}

/// Reads a journal as far as its records are whole.
pub(crate) fn read(bytes: &[u8]) -> Journal {
    let mut journal = Journal::default();
    for chunk in bytes.chunks_exact(RECORD_BYTES) {
        let field = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| chunk[at + i]));
        let (first, second) = (field(0), field(4));
        let number = first & !(3 << KIND_SHIFT);
        if chunk != record(first, second) {
            break;
        }
        match first >> KIND_SHIFT {
            PIECE => {
                let piece = PieceIndex(number & ((1 << PIECE_BITS) - 1));
                journal.pieces.push((piece, (number >> PIECE_BITS) as usize, second));
            }
            ROOM if (second as usize) < MAX_PARTS => {
                journal.rooms.push((FileIndex(number), second as usize));
            }
            FINISHED => journal.finished.push(FileIndex(number)),
            _ => break,
        }
        journal.length += RECORD_BYTES;
    }
    journal
}

/// The record of a hash batch.
pub(crate) fn batch(batch: &HashBatch) -> Vec<u8> {
    let bytes = batch.to_bytes();
    let mut record = (bytes.len() as u32).to_le_bytes().to_vec();
    record.extend_from_slice(&bytes);
    record.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    record
}

/// Reads hash batches as far as their records are whole, and gives the bytes that they took. Their
/// signatures are the core's to check.
pub(crate) fn read_batches(bytes: &[u8]) -> (Vec<HashBatch>, usize) {
    let (mut batches, mut rest) = (Vec::new(), bytes);
    while let Some((batch, after)) = read_batch(rest) {
        batches.push(batch);
        rest = after;
    }
    (batches, bytes.len() - rest.len())
}

fn read_batch(bytes: &[u8]) -> Option<(HashBatch, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (batch, rest) = rest.split_at_checked(length)?;
    let (check, rest) = rest.split_first_chunk()?;
    if crc32fast::hash(batch) != u32::from_le_bytes(*check) {
        return None;
    }
    Some((HashBatch::from_bytes(batch).ok()?, rest))
}

fn record(index: u32, crc32: u32) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..4].copy_from_slice(&index.to_le_bytes());
    record[4..8].copy_from_slice(&crc32.to_le_bytes());
    // Zeros, as a crash may leave them, must be no record.
    let check = !crc32fast::hash(&record[..8]);
    record[8..].copy_from_slice(&check.to_le_bytes());
    record
}

#[cfg(test)]
mod tests {
    use protocol::identity::DeviceKey;
    use protocol::manifest::ShareId;
    use protocol::piece::PieceHash;

    use super::*;

    #[test]
    fn a_journal_cut_or_damaged_anywhere_tells_only_what_was_whole() {
        let last = PieceIndex(protocol::piece::MAX_PIECES - 1);
        let records = [
            room(FileIndex(3), 4095),
            piece(last, 4095, 99),
            piece(PieceIndex(0), 0, 0),
            finished(FileIndex(3)),
        ];
        let records = records.concat();
        let whole = read(&records);
        assert_eq!(whole.rooms, [(FileIndex(3), 4095)]);
        assert_eq!(whole.pieces, [(last, 4095, 99), (PieceIndex(0), 0, 0)]);
        assert_eq!(whole.finished, [FileIndex(3)]);
        assert_eq!(whole.length, 48);
        for cut in 0..records.len() {
            assert_eq!(read(&records[..cut]).length, cut / 12 * 12);
            let mut damaged = records.clone();
            damaged[cut] ^= 0x20;
            assert_eq!(read(&damaged).length, cut / 12 * 12, "byte {cut}");
        }
        assert_eq!(read(&[0; 24]), Journal::default());
    }

    #[test]
    fn batches_come_back_up_to_the_damage() {
        let key = DeviceKey::from_bytes([1; 32]);
        let batches: Vec<HashBatch> = (0..3)
            .map(|i| {
                let hashes = vec![PieceHash([i as u8; 32]); 5];
                HashBatch::sign(ShareId([9; 32]), PieceIndex(i * 5), hashes, &key)
            })
            .collect();
        let bytes: Vec<u8> = batches.iter().flat_map(batch).collect();
        assert_eq!(read_batches(&bytes), (batches.clone(), bytes.len()));
        let one = bytes.len() / 3;
        for cut in 0..bytes.len() {
            assert_eq!(
                read_batches(&bytes[..cut]),
                (batches[..cut / one].to_vec(), cut / one * one)
            );
        }
        let mut damaged = bytes;
        damaged[one + 9] ^= 1;
        assert_eq!(read_batches(&damaged).0, batches[..1]);
    }
}
