//! What fuzzing calls outside the core: the journals of both adapters. Their files are taken as they are, since
//! neither adapter shows them to others, and the browser's can be compiled for a browser only.

// Written to be used whole, by their adapters.
#![allow(dead_code)]

#[path = "../../wasm-peer/src/journal.rs"]
mod browser;
#[path = "../../wasm-peer/src/layout.rs"]
mod layout;
#[path = "../../native-peer/src/storage/journal.rs"]
mod native;

use protocol::piece::PieceIndex;

/// The journal that the native peer keeps beside a share.
pub fn native_journal(bytes: &[u8]) {
    let contents = native::read(bytes);
    // What it says is understood once more when it is written anew.
    let mut again = native::header(0).to_vec();
    again.extend(native::records(&contents.batches, &contents.pieces));
    let read = native::read(&again);
    assert!(!read.damaged);
    assert_eq!((read.pieces, read.batches), (contents.pieces, contents.batches));

    // Of a journal that was written, and then damaged in one place, no piece is read that is not there.
    let Some((at, said)) = bytes.split_first_chunk() else { return };
    let pieces: Vec<PieceIndex> =
        said.as_chunks().0.iter().map(|&piece| PieceIndex(u32::from_le_bytes(piece))).collect();
    let mut journal = native::header(0).to_vec();
    pieces.chunks(3).for_each(|pieces| journal.extend(native::records(&[], pieces)));
    let at = u16::from_le_bytes(*at) as usize % journal.len();
    journal[at] ^= 1 + (at as u8 & 0x7f);
    let read = native::read(&journal);
    assert!(read.damaged);
    assert!(read.pieces.iter().all(|piece| pieces.contains(piece)));
}

/// The journal and the hash batches that a tab keeps.
pub fn browser_journal(bytes: &[u8]) {
    let journal = browser::read(bytes);
    let records = journal.rooms.iter().map(|&room| browser::room(room));
    let pieces = journal.pieces.iter().map(|&(piece, part)| browser::piece(piece, part));
    let finished = journal.finished.iter().map(|&file| browser::finished(file));
    let records: Vec<_> = records.chain(pieces).chain(finished).collect();
    let again = browser::read(&[&browser::HEADER[..], &records.concat()].concat());
    assert!(again.whole);
    assert_eq!(again.rooms, journal.rooms);
    assert_eq!(again.pieces, journal.pieces);
    assert_eq!(again.finished, journal.finished);
    let (batches, _) = browser::read_batches(bytes);
    let records: Vec<Vec<u8>> = batches.iter().map(browser::batch).collect();
    assert_eq!(browser::read_batches(&records.concat()), (batches, true));
}
