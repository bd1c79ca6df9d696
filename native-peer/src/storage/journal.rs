//! The journal of a share that is being received: which pieces are durable, and the signed batches that
//! prove them.
//!
//! A header with a version, then records that are only ever appended: length, kind, contents, and the
//! first bytes of their hash. A crash can tear the last record; reading stops there, and the next
//! record is written over it.

use protocol::manifest::HashBatch;
use protocol::piece::PieceIndex;

/// Ends in the version.
const HEADER: &[u8; 8] = b"shoalj\x00\x01";
const BATCH: u8 = 1;
const PIECES: u8 = 2;
/// Bytes of the BLAKE3 hash that guard a record against tearing. Not against people: what the journal
/// claims is checked against signatures and the pieces themselves.
const CHECK_BYTES: usize = 8;

/// What a journal holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) pieces: Vec<PieceIndex>,
    pub(super) batches: Vec<HashBatch>,
    /// Bytes up to the end of the last whole record: where to go on writing.
    pub(super) end: u64,
}

/// Not a journal, or one of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OtherVersion;

/// Reads all whole records. A journal that was never begun, or torn in its header, is empty.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, OtherVersion> {
    let mut contents = Contents::default();
    let Some((header, mut rest)) = bytes.split_first_chunk() else {
        return if HEADER.starts_with(bytes) { Ok(contents) } else { Err(OtherVersion) };
    };
    if header != HEADER {
        return Err(OtherVersion);
    }
    while let Some((kind, body, after)) = next_record(rest) {
        match kind {
            BATCH => match HashBatch::from_bytes(body) {
                Ok(batch) => contents.batches.push(batch),
                Err(_) => break,
            },
            PIECES => {
                let (pieces, _) = body.as_chunks();
                contents.pieces.extend(pieces.iter().map(|&p| PieceIndex(u32::from_le_bytes(p))));
            }
            _ => break,
        }
        rest = after;
    }
    contents.end = (bytes.len() - rest.len()) as u64;
    Ok(contents)
}

fn next_record(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (check, rest) = rest.split_first_chunk()?;
    let (&kind, body) = record.split_first()?;
    (*check == checksum(record)).then_some((kind, body, rest))
}

/// The bytes to write at `end` of a journal ([`Contents::end`]) to note these batches and pieces.
pub(super) fn records(end: u64, batches: &[HashBatch], pieces: &[PieceIndex]) -> Vec<u8> {
    let mut out = Vec::new();
    if end == 0 {
        out.extend_from_slice(HEADER);
    }
    for batch in batches {
        record(&mut out, BATCH, &batch.to_bytes());
    }
    if !pieces.is_empty() {
        let body: Vec<u8> = pieces.iter().flat_map(|piece| piece.0.to_le_bytes()).collect();
        record(&mut out, PIECES, &body);
    }
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
        let mut bytes = Vec::new();
        let mut ends = vec![];
        for i in 0..3 {
            let pieces = [PieceIndex(i * 2), PieceIndex(i * 2 + 1)];
            bytes.extend(records(bytes.len() as u64, &[batch(i)], &pieces));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn what_was_written_is_read() {
        let (bytes, _) = journal();
        let contents = read(&bytes).unwrap();
        assert_eq!(contents.pieces, (0..6).map(PieceIndex).collect::<Vec<_>>());
        assert_eq!(contents.batches, (0..3).map(batch).collect::<Vec<_>>());
        assert_eq!(contents.end, bytes.len() as u64);
        assert_eq!(read(&[]).unwrap(), Contents::default());
    }

    #[test]
    fn a_torn_tail_is_ignored_and_written_over() {
        let (bytes, ends) = journal();
        for cut in 0..bytes.len() {
            let contents = read(&bytes[..cut]).unwrap();
            let whole = ends.iter().filter(|&&end| end <= cut).count();
            assert!(contents.pieces.len() / 2 >= whole, "cut at {cut}");
            assert!(contents.end as usize <= cut);
            let mut mended = bytes[..contents.end as usize].to_vec();
            mended.extend(records(contents.end, &[], &[PieceIndex(99)]));
            assert_eq!(read(&mended).unwrap().pieces.last(), Some(&PieceIndex(99)));
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_journal_there() {
        let (bytes, ends) = journal();
        let mut damaged = bytes.clone();
        damaged[ends[0] + 20] ^= 1;
        let contents = read(&damaged).unwrap();
        assert_eq!(contents.pieces, [PieceIndex(0), PieceIndex(1)]);
        assert_eq!(contents.end, ends[0] as u64);
    }

    #[test]
    fn another_version_is_told_from_an_empty_journal() {
        let (mut bytes, _) = journal();
        bytes[7] = 2;
        assert_eq!(read(&bytes), Err(OtherVersion));
        assert_eq!(read(b"#!"), Err(OtherVersion));
    }
}
