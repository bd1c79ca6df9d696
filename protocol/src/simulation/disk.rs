//! Files to be shared and stores of what was received, in memory. A store panics when it is told to do
//! what must never happen: to commit what was not written, or to finish what is not whole.

use std::collections::BTreeSet;

use super::Peer;
use crate::bitfield::Bitfield;
use crate::io::*;
use crate::manifest::HashBatch;

/// What a disk holds of one share.
#[derive(Clone)]
pub struct Store {
    /// The files' bytes, in the order of the manifest.
    pub files: Vec<Vec<u8>>,
    /// The pieces that survive a crash.
    pub committed: Bitfield,
    pub(super) batches: Vec<HashBatch>,
    /// Whether the machine had the files brought to their place.
    pub finished: bool,
    /// Bytes of pieces written, to show that nothing else was.
    pub written: BTreeSet<u32>,
}

/// May give a storage request an error.
pub type Fault = Box<dyn FnMut(&StorageRequest) -> Option<StorageError>>;

impl Peer {
    /// Carries out a storage request.
    pub(super) fn store(&mut self, request: StorageRequest) -> Option<StorageResponse> {
        let fault = self.fault.as_mut().and_then(|fault| fault(&request));
        let outcome = fault.map_or(Ok(()), Err);
        Some(match request {
            StorageRequest::Read { read, share, span } => {
                let result = outcome.and_then(|()| {
                    let files = self
                        .sources
                        .get(&share)
                        .or(self.disk.get(&share).map(|store| &store.files));
                    let file = files.and_then(|files| files.get(span.file.0 as usize));
                    let start = span.file_offset as usize;
                    let bytes = file.and_then(|file| file.get(start..start + span.length as usize));
                    bytes
                        .map(<[u8]>::to_vec)
                        .ok_or_else(|| StorageError::Gone("no such file".into()))
                });
                StorageResponse::Read { read, result }
            }
            StorageRequest::Open { share, manifest, .. } => {
                let store = self.disk.entry(share).or_insert_with(|| Store {
                    files: manifest
                        .files()
                        .map(|(_, entry)| vec![0; entry.size() as usize])
                        .collect(),
                    committed: Bitfield::new(manifest.geometry().pieces()),
                    batches: Vec::new(),
                    finished: false,
                    written: BTreeSet::new(),
                });
                let kept = Kept {
                    pieces: store.committed.clone(),
                    batches: store.batches.clone(),
                    finished: store.finished,
                };
                StorageResponse::Opened { share, result: outcome.map(|()| kept) }
            }
            StorageRequest::Write { share, piece, span, bytes } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    let start = span.file_offset as usize;
                    store.files[span.file.0 as usize][start..start + bytes.len()]
                        .copy_from_slice(&bytes);
                    store.written.insert(piece.0);
                }
                StorageResponse::Written { share, piece, result: outcome }
            }
            StorageRequest::Commit { share, pieces, batches } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    for piece in pieces {
                        assert!(
                            store.written.contains(&piece.0),
                            "committed before it was written"
                        );
                        store.committed.insert(piece);
                    }
                    store.batches.extend(batches);
                }
                StorageResponse::Committed { share, result: outcome }
            }
            StorageRequest::Finish { share } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    assert!(store.committed.is_full(), "finished before all was committed");
                    store.finished = true;
                }
                StorageResponse::Finished { share, result: outcome }
            }
            StorageRequest::Close { share, discard } => {
                self.sources.remove(&share);
                if discard {
                    self.disk.remove(&share);
                } else if let Some(store) = self.disk.get_mut(&share) {
                    store.forget_uncommitted();
                }
                return None;
            }
        })
    }
}

impl Store {
    /// A crash: what was not committed may be anything.
    pub(super) fn forget_uncommitted(&mut self) {
        self.written = self.committed.iter().map(|piece| piece.0).collect();
    }
}
