//! The journal of a share that is being received: which pieces are durable, and the signed batches that
//! prove them.
//!
//! A header with a version, then records that are only ever appended: length, kind, contents, and the
//! first bytes of their hash. Whatever is no record (the last one torn by a crash, bytes that a disk
//! spoiled, what another version wrote) is skipped; the journal then counts as damaged, which costs a
//! check of everything that may be there. What came of that is noted, and the damage is of no more matter.

use protocol::manifest::HashBatch;
use protocol::piece::PieceIndex;

/// Ends in the version.
const HEADER: &[u8; 8] = b"shoalj\x00\x01";
const BATCH: u8 = 1;
const PIECES: u8 = 2;
/// What came before was checked, damage and all: the pieces that follow are all there are.
const MENDED: u8 = 3;
/// Bytes of the BLAKE3 hash that guard a record against tearing. Not against people: what the journal
/// claims is checked against signatures and the pieces themselves.
const CHECK_BYTES: usize = 8;

/// What a journal holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) pieces: Vec<PieceIndex>,
    pub(super) batches: Vec<HashBatch>,
    /// Some of it could not be read, so there may be more pieces.
    pub(super) damaged: bool,
}

/// Reads all whole records.
pub(super) fn read(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    let mut rest = bytes.strip_prefix(HEADER).unwrap_or(bytes);
    contents.damaged = rest.len() == bytes.len() && !bytes.is_empty();
    while !rest.is_empty() {
        let Some((kind, body, after)) = next_record(rest) else {
            contents.damaged = true;
            rest = &rest[1..];
            continue;
        };
        rest = after;
        match kind {
            BATCH => match HashBatch::from_bytes(body) {
                Ok(batch) => contents.batches.push(batch),
                Err(_) => contents.damaged = true,
            },
            PIECES => {
                let (pieces, _) = body.as_chunks();
                contents.pieces.extend(pieces.iter().map(|&p| PieceIndex(u32::from_le_bytes(p))));
            }
            MENDED => {
                contents.damaged = false;
                contents.pieces.clear();
            }
            _ => {}
        }
    }
    contents
}

fn next_record(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (check, rest) = rest.split_first_chunk()?;
    let (&kind, body) = record.split_first()?;
    // Looked at first: among damage a hash is rarely worth its while.
    let known = (BATCH..=MENDED).contains(&kind);
    (known && *check == checksum(record)).then_some((kind, body, rest))
}

/// What a journal of so many bytes needs before anything is added.
pub(super) fn header(bytes: u64) -> &'static [u8] {
    if bytes < HEADER.len() as u64 { HEADER } else { &[] }
}

/// The bytes that note these batches and pieces.
pub(super) fn records(batches: &[HashBatch], pieces: &[PieceIndex]) -> Vec<u8> {
    let mut out = Vec::new();
    for batch in batches {
        record(&mut out, BATCH, &batch.to_bytes());
    }
    if !pieces.is_empty() {
        let body: Vec<u8> = pieces.iter().flat_map(|piece| piece.0.to_le_bytes()).collect();
        record(&mut out, PIECES, &body);
    }
    out
}

/// The bytes that note that a damaged journal was looked through, and that these pieces are there.
pub(super) fn mended(pieces: &[PieceIndex]) -> Vec<u8> {
    let mut out = Vec::new();
    record(&mut out, MENDED, &[]);
    out.extend(records(&[], pieces));
    out
}

fn record(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32 + 1).to_le_bytes());
    let start = out.len();
    out.push(kind);
    out.extend_from_slice(body);
    let check = checksum(&out[start..]);
    out.extend_from_slice(&check);
}

fn checksum(record: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = blake3::hash(record);
    std::array::from_fn(|i| hash.as_bytes()[i])
}

#[cfg(test)]
mod tests {
    use protocol::identity::DeviceKey;
    use protocol::manifest::ShareId;
    use protocol::piece::PieceHash;

    use super::*;

    fn batch(first: u32) -> HashBatch {
        let key = DeviceKey::from_bytes([1; 32]);
        let hashes = vec![PieceHash([first as u8; 32]); 3];
        HashBatch::sign(ShareId([2; 32]), PieceIndex(first), hashes, &key)
    }

    /// A journal of three commits, and where each ended.
    fn journal() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = HEADER.to_vec();
        let mut ends = vec![];
        for i in 0..3 {
            let pieces = [PieceIndex(i * 2), PieceIndex(i * 2 + 1)];
            bytes.extend(records(&[batch(i)], &pieces));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn what_was_written_is_read() {
        let (bytes, _) = journal();
        let contents = read(&bytes);
        assert_eq!(contents.pieces, (0..6).map(PieceIndex).collect::<Vec<_>>());
        assert_eq!(contents.batches, (0..3).map(batch).collect::<Vec<_>>());
        assert!(!contents.damaged);
        assert_eq!(read(&[]), Contents::default());
        assert_eq!((header(0), header(8)), (&HEADER[..], &[][..]));
    }

    #[test]
    fn a_torn_tail_costs_what_it_held_and_a_check() {
        let (bytes, ends) = journal();
        for cut in 1..bytes.len() {
            let mut torn = bytes[..cut].to_vec();
            let contents = read(&torn);
            let whole = ends.iter().filter(|&&end| end <= cut).count();
            assert_eq!(contents.pieces.len() / 2, whole, "cut at {cut}");
            let between =
                cut == HEADER.len() || ends.contains(&cut) || contents.batches.len() > whole;
            assert!(contents.damaged || between, "cut at {cut}");
            torn.extend(header(cut as u64));
            torn.extend(mended(&[PieceIndex(99)]));
            torn.extend(records(&[], &[PieceIndex(100)]));
            let contents = read(&torn);
            assert_eq!(contents.pieces, [PieceIndex(99), PieceIndex(100)], "cut at {cut}");
            assert!(!contents.damaged, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_one_record_and_a_check() {
        let (bytes, _) = journal();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let contents = read(&damaged);
            assert!(contents.damaged, "at {at}");
            assert!(contents.pieces.len() / 2 + contents.batches.len() >= 5, "at {at}");
        }
    }

    #[test]
    fn of_another_version_what_is_understood_is_taken() {
        let (mut bytes, _) = journal();
        bytes[7] = 2;
        let contents = read(&bytes);
        assert!(contents.damaged);
        assert_eq!(contents.batches.len(), 3);
        assert!(read(b"#!").damaged);
    }
}
