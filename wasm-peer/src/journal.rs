//! What is kept beside the pieces of a share, as bytes: the journal of where files have room, which
//! pieces are committed and which files are finished; and the hash batches that prove the pieces.
//!
//! Both only grow, and every record is checked by itself. What a crash cut short or a disk damaged is
//! left out and the rest is read; whoever reads is told that something is missing, and looks at the
//! pieces themselves. The same holds for a journal of another version.

use protocol::manifest::{HashBatch, MAX_BATCH};
use protocol::piece::{FileIndex, PieceIndex};

use crate::layout::{MAX_PARTS, Room};

/// What every journal begins with; the last byte is the version of what follows.
pub(crate) const HEADER: [u8; 8] = *b"shoaljn\x02";

const RECORD_BYTES: usize = 20;
/// The first field of a record holds its kind in two bits, and a piece or file in the others.
const KIND_SHIFT: u32 = 30;
const PIECE: u32 = 0;
const ROOM: u32 = 1;
const FINISHED: u32 = 2;

/// Bytes of a hash batch as it is kept, without its hashes and with as many as there may be.
const BATCH_BYTES: std::ops::RangeInclusive<usize> = 96..=128 + 32 * MAX_BATCH as usize;

/// What a journal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Journal {
    /// Which files got room.
    pub(crate) rooms: Vec<Room>,
    /// Committed pieces with the part that they are in.
    pub(crate) pieces: Vec<(PieceIndex, usize)>,
    /// The files that were finished.
    pub(crate) finished: Vec<FileIndex>,
    /// Whether that is all it ever said, as far as can be seen.
    pub(crate) whole: bool,
}

/// The record of a file that gets room.
pub(crate) fn room(room: Room) -> [u8; RECORD_BYTES] {
    record(ROOM, room.file.0, room.part as u32, room.offset)
}

/// The record of a piece that is committed.
pub(crate) fn piece(piece: PieceIndex, part: usize) -> [u8; RECORD_BYTES] {
    record(PIECE, piece.0, part as u32, 0)
}

/// The record that says that a file is finished.
pub(crate) fn finished(file: FileIndex) -> [u8; RECORD_BYTES] {
    record(FINISHED, file.0, 0, 0)
}

/// Reads a journal, leaving out what is damaged.
pub(crate) fn read(bytes: &[u8]) -> Journal {
    let mut journal = Journal::default();
    let Some(records) = bytes.strip_prefix(&HEADER) else { return journal };
    let (records, rest) = records.as_chunks::<RECORD_BYTES>();
    journal.whole = rest.is_empty();
    for chunk in records {
        let field = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| chunk[at + i]));
        let (kind, number) = (field(0) >> KIND_SHIFT, field(0) & !(3 << KIND_SHIFT));
        let (part, offset) = (field(4), u64::from(field(8)) | u64::from(field(12)) << 32);
        let sound = *chunk == record(kind, number, part, offset);
        let part = part as usize;
        match kind {
            PIECE if sound && part < MAX_PARTS => journal.pieces.push((PieceIndex(number), part)),
            ROOM if sound && part < MAX_PARTS => {
                journal.rooms.push(Room { file: FileIndex(number), part, offset });
            }
            FINISHED if sound => journal.finished.push(FileIndex(number)),
            _ => journal.whole = false,
        }
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

/// Reads hash batches, leaving out what is damaged, and tells whether nothing is. Their signatures are
/// the core's to check.
pub(crate) fn read_batches(bytes: &[u8]) -> (Vec<HashBatch>, bool) {
    let (mut batches, mut rest, mut whole) = (Vec::new(), bytes, true);
    while !rest.is_empty() {
        if let Some((batch, after)) = read_batch(rest) {
            batches.push(batch);
            rest = after;
        } else {
            // The next record may begin anywhere.
            whole = false;
            rest = &rest[1..];
        }
    }
    (batches, whole)
}

fn read_batch(bytes: &[u8]) -> Option<(HashBatch, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    if !BATCH_BYTES.contains(&length) {
        return None;
    }
    let (batch, rest) = rest.split_at_checked(length)?;
    let (check, rest) = rest.split_first_chunk()?;
    if crc32fast::hash(batch) != u32::from_le_bytes(*check) {
        return None;
    }
    Some((HashBatch::from_bytes(batch).ok()?, rest))
}

fn record(kind: u32, number: u32, part: u32, offset: u64) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..4].copy_from_slice(&(kind << KIND_SHIFT | number).to_le_bytes());
    record[4..8].copy_from_slice(&part.to_le_bytes());
    record[8..16].copy_from_slice(&offset.to_le_bytes());
    // Zeros, as a crash may leave them, must be no record.
    let check = !crc32fast::hash(&record[..16]);
    record[16..].copy_from_slice(&check.to_le_bytes());
    record
}

#[cfg(test)]
mod tests {
    use protocol::identity::DeviceKey;
    use protocol::manifest::ShareId;
    use protocol::piece::PieceHash;

    use super::*;

    const LAST: PieceIndex = PieceIndex(protocol::piece::MAX_PIECES - 1);

    fn journal() -> Vec<u8> {
        let at = Room { file: FileIndex(3), part: 4095, offset: 5 << 32 | 7 };
        let records = [room(at), piece(LAST, 4095), piece(PieceIndex(0), 0), finished(at.file)];
        [&HEADER[..], &records.concat()].concat()
    }

    #[test]
    fn a_journal_says_what_was_written() {
        let read = read(&journal());
        assert_eq!(read.rooms, [Room { file: FileIndex(3), part: 4095, offset: 5 << 32 | 7 }]);
        assert_eq!(read.pieces, [(LAST, 4095), (PieceIndex(0), 0)]);
        assert_eq!(read.finished, [FileIndex(3)]);
        assert!(read.whole);
    }

    #[test]
    fn damage_costs_a_journal_only_the_record_that_it_hits() {
        let said =
            |journal: &Journal| journal.rooms.len() + journal.pieces.len() + journal.finished.len();
        let bytes = journal();
        for at in 0..bytes.len() {
            let cut = read(&bytes[..at]);
            assert_eq!(said(&cut), at.saturating_sub(HEADER.len()) / RECORD_BYTES, "cut at {at}");
            let between = at >= HEADER.len() && (at - HEADER.len()).is_multiple_of(RECORD_BYTES);
            assert_eq!(cut.whole, between, "cut at {at}");
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x20;
            let damaged = read(&damaged);
            assert_eq!(said(&damaged), if at < HEADER.len() { 0 } else { 3 }, "byte {at}");
            assert!(!damaged.whole, "byte {at}");
        }
    }

    #[test]
    fn a_journal_of_another_version_says_nothing_and_zeros_say_nothing() {
        let mut other = journal();
        other[HEADER.len() - 1] += 1;
        assert_eq!(read(&other), Journal::default());
        assert_eq!(read(&[0; 40]), Journal::default());
        let zeros = [&HEADER[..], &[0; RECORD_BYTES]].concat();
        assert_eq!(read(&zeros), Journal::default());
        assert_eq!(read(&[]), Journal::default());
    }

    #[test]
    fn damage_costs_only_the_batch_that_it_hits() {
        let key = DeviceKey::from_bytes([1; 32]);
        let sizes = [MAX_BATCH, 1, 5];
        let batches: Vec<HashBatch> = (0u32..)
            .zip(sizes)
            .map(|(i, size)| {
                let hashes = vec![PieceHash([i as u8; 32]); size as usize];
                HashBatch::sign(ShareId([9; 32]), PieceIndex(i * 500), hashes, &key)
            })
            .collect();
        let records: Vec<Vec<u8>> = batches.iter().map(batch).collect();
        let bytes = records.concat();
        assert_eq!(read_batches(&bytes), (batches.clone(), true));
        assert_eq!(read_batches(&[]), (Vec::new(), true));
        let second = records[0].len()..records[0].len() + records[1].len();
        for at in second.clone() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let rest = vec![batches[0].clone(), batches[2].clone()];
            assert_eq!(read_batches(&damaged), (rest, false), "byte {at}");
            let cut = read_batches(&bytes[..at]);
            assert_eq!(cut, (batches[..1].to_vec(), at == second.start), "cut at {at}");
        }
    }
}
