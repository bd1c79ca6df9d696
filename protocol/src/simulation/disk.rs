//! Files to be shared and stores of what was received, in memory.
//!
//! A store panics when it is told to do what must never happen: to write again what is committed, to
//! commit what was not written, to read what is not committed, to finish what is not whole. What it
//! is given is compared with what was shared, and only kept where it differs: so a room of fifty takes
//! no more memory than its files once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Peer;
use crate::bitfield::Bitfield;
use crate::event::Recalled;
use crate::io::*;
use crate::manifest::{HashBatch, Manifest, ShareId, SignedManifest};
use crate::piece::{FileIndex, PieceIndex, Span};
use crate::time::Instant;

/// The bytes of a share's files, in the order of its manifest.
pub type Files = Arc<Vec<Vec<u8>>>;

/// May give a storage request an error.
pub type Fault = Box<dyn FnMut(&StorageRequest) -> Option<StorageError>>;

/// Carries out storage requests.
pub type Storage = Box<dyn FnMut(StorageRequest) -> Option<StorageResponse>>;

/// What a disk holds of one share.
pub struct Store {
    manifest: Arc<Manifest>,
    /// The manifest as it is kept.
    pub signed: Arc<SignedManifest>,
    shared: Option<Files>,
    /// Pieces written that are not what was shared.
    other: BTreeMap<PieceIndex, Vec<u8>>,
    written: Bitfield,
    /// The pieces that survive a crash.
    pub committed: Bitfield,
    batches: Vec<HashBatch>,
    /// Commits whose answer has not been given: pieces, and batches before them.
    unanswered: Vec<(Vec<PieceIndex>, usize)>,
    /// The files that the machine had brought to their place.
    pub placed: BTreeSet<FileIndex>,
    /// Whether these are all there are.
    pub finished: bool,
    /// How many pieces were committed when.
    pub history: Vec<(Instant, u32)>,
}

impl Peer {
    /// Carries out a storage request. `shared` is what the files were when they were shared.
    pub(super) fn store(
        &mut self,
        now: Instant,
        request: StorageRequest,
        shared: &BTreeMap<ShareId, Files>,
    ) -> Option<StorageResponse> {
        if let Some(storage) = &mut self.storage {
            return storage(request);
        }
        let fault = self.fault.as_mut().and_then(|fault| fault(&request));
        let outcome = fault.map_or(Ok(()), Err);
        Some(match request {
            StorageRequest::Read { read, share, span } => {
                let bytes = match (self.sources.get(&share), self.disk.get(&share)) {
                    (Some(files), _) => slice(files, &span).map(<[u8]>::to_vec),
                    (None, Some(store)) => store.read(&span),
                    (None, None) => None,
                };
                let gone = StorageError::Gone("no such file".into());
                let result = outcome.and_then(|()| bytes.ok_or(gone));
                StorageResponse::Read { read, result }
            }
            StorageRequest::Open { share, manifest, signed } => {
                let store = self
                    .disk
                    .entry(share)
                    .or_insert_with(|| Store::new(manifest, signed, shared.get(&share).cloned()));
                let kept = Kept {
                    pieces: store.committed.clone(),
                    batches: store.batches.clone(),
                    finished: store.placed.iter().copied().collect(),
                };
                StorageResponse::Opened { share, result: outcome.map(|()| kept) }
            }
            StorageRequest::Reserve { share, .. } => {
                StorageResponse::Reserved { share, result: outcome }
            }
            StorageRequest::Write { share, piece, span, bytes } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    store.write(piece, &span, bytes);
                }
                StorageResponse::Written { share, piece, result: outcome }
            }
            StorageRequest::Commit { share, pieces, batches } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    store.commit(now, pieces, batches);
                }
                StorageResponse::Committed { share, result: outcome }
            }
            StorageRequest::Finish { share, files } => {
                if let (Ok(()), Some(store)) = (&outcome, self.disk.get_mut(&share)) {
                    for file in files {
                        let mut pieces = store.manifest.geometry().pieces_of(file);
                        assert!(
                            pieces.all(|piece| store.committed.contains(piece)),
                            "finished before all was committed"
                        );
                        assert!(store.placed.insert(file), "finished twice");
                    }
                    store.finished = store.placed.len() == store.manifest.files().len();
                }
                StorageResponse::Finished { share, result: outcome }
            }
            StorageRequest::Keep { share, batches } => {
                self.kept.entry(share).or_default().extend(batches);
                return None;
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
    fn new(manifest: Arc<Manifest>, signed: Arc<SignedManifest>, shared: Option<Files>) -> Self {
        let pieces = manifest.geometry().pieces();
        Self {
            manifest,
            signed,
            shared,
            other: BTreeMap::new(),
            written: Bitfield::new(pieces),
            committed: Bitfield::new(pieces),
            batches: Vec::new(),
            unanswered: Vec::new(),
            placed: BTreeSet::new(),
            finished: false,
            history: Vec::new(),
        }
    }

    /// What an adapter that starts says of it.
    pub fn recalled(&self) -> Recalled {
        let geometry = self.manifest.geometry();
        let bytes = self.committed.iter().map(|piece| u64::from(geometry.length(piece))).sum();
        Recalled { bytes, complete: self.finished, saved: false }
    }

    /// The bytes of a file as they are on this disk; zero where nothing was written.
    pub fn file(&self, file: FileIndex) -> Vec<u8> {
        let geometry = self.manifest.geometry();
        let spans =
            geometry.pieces_of(file).filter_map(|piece| Some((piece, geometry.span(piece)?)));
        let mut bytes = Vec::new();
        for (piece, span) in spans {
            let part = self.written.contains(piece).then(|| self.bytes(piece, &span)).flatten();
            bytes.extend(part.unwrap_or_else(|| vec![0; span.length as usize]));
        }
        bytes
    }

    /// How many pieces are on this disk that are not what was shared.
    pub fn corrupt(&self) -> usize {
        self.other.len()
    }

    fn bytes(&self, piece: PieceIndex, span: &Span) -> Option<Vec<u8>> {
        let other = self.other.get(&piece).map(Vec::as_slice);
        other.or_else(|| slice(self.shared.as_ref()?, span)).map(<[u8]>::to_vec)
    }

    fn read(&self, span: &Span) -> Option<Vec<u8>> {
        let geometry = self.manifest.geometry();
        let nth = span.file_offset / geometry.piece_size().bytes();
        let piece = geometry.pieces_of(span.file).nth(usize::try_from(nth).ok()?)?;
        assert!(self.committed.contains(piece), "read before it was committed");
        self.bytes(piece, span)
    }

    fn write(&mut self, piece: PieceIndex, span: &Span, bytes: Vec<u8>) {
        assert!(!self.committed.contains(piece), "fetched although it was committed");
        assert_eq!(bytes.len(), span.length as usize, "a piece is written whole");
        let shared = self.shared.as_ref().and_then(|files| slice(files, span));
        if shared == Some(&bytes) {
            self.other.remove(&piece);
        } else {
            self.other.insert(piece, bytes);
        }
        self.written.insert(piece);
    }

    fn commit(&mut self, now: Instant, pieces: Vec<PieceIndex>, batches: Vec<HashBatch>) {
        for &piece in &pieces {
            assert!(self.written.contains(piece), "committed before it was written");
            self.committed.insert(piece);
        }
        self.unanswered.push((pieces, self.batches.len()));
        self.batches.extend(batches);
        self.history.push((now, self.committed.count()));
    }

    /// The machine is told that its oldest unanswered commit is durable.
    pub(super) fn answered(&mut self) {
        if !self.unanswered.is_empty() {
            self.unanswered.remove(0);
        }
    }

    /// A crash: what was not committed may be anything. `undo` says whether also the commits are void
    /// whose answer the machine never saw, as if power had failed before the journal was durable.
    pub(super) fn crash(&mut self, undo: bool) {
        if let (true, Some((_, batches))) = (undo && !self.finished, self.unanswered.first()) {
            self.batches.truncate(*batches);
            for (pieces, _) in &self.unanswered {
                pieces.iter().for_each(|&piece| {
                    self.committed.remove(piece);
                });
            }
        }
        self.unanswered.clear();
        self.forget_uncommitted();
    }

    fn forget_uncommitted(&mut self) {
        self.written = self.committed.clone();
        self.other.retain(|&piece, _| self.committed.contains(piece));
    }
}

fn slice<'a>(files: &'a Files, span: &Span) -> Option<&'a [u8]> {
    let start = usize::try_from(span.file_offset).ok()?;
    files.get(span.file.0 as usize)?.get(start..start + span.length as usize)
}
