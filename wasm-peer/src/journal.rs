//! What is kept beside the pieces of a share, as bytes: the journal of committed pieces and the hash
//! batches that prove them. Both only grow; a record that a crash cut short ends the reading.

use protocol::manifest::HashBatch;
use protocol::piece::PieceIndex;

/// In place of a piece: the share is finished.
const FINISHED: u32 = u32::MAX;
const RECORD_BYTES: usize = 12;

/// What a journal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Journal {
    /// Committed pieces with the CRC-32 of their bytes.
    pub(crate) pieces: Vec<(PieceIndex, u32)>,
    /// Whether the share was finished.
    pub(crate) finished: bool,
    /// Bytes that were whole records; the next is to be written there.
    pub(crate) length: usize,
}

/// The record of a committed piece.
pub(crate) fn piece(piece: PieceIndex, crc32: u32) -> [u8; RECORD_BYTES] {
    record(piece.0, crc32)
}

/// The record that says that a share is finished.
pub(crate) fn finished() -> [u8; RECORD_BYTES] {
    record(FINISHED, 0)
}

/// Reads a journal as far as its records are whole.
pub(crate) fn read(bytes: &[u8]) -> Journal {
    let mut journal = Journal::default();
    for chunk in bytes.chunks_exact(RECORD_BYTES) {
        let field = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| chunk[at + i]));
        let (index, crc32) = (field(0), field(4));
        if chunk != record(index, crc32) {
            break;
        }
        if index == FINISHED {
            journal.finished = true;
        } else {
            journal.pieces.push((PieceIndex(index), crc32));
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
        let records = [piece(PieceIndex(7), 99), piece(PieceIndex(0), 0), finished()].concat();
        let whole = read(&records);
        assert_eq!(whole.pieces, [(PieceIndex(7), 99), (PieceIndex(0), 0)]);
        assert!(whole.finished);
        assert_eq!(whole.length, 36);
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
