//! Received shares, in the origin-private file system or in memory: the core's storage requests, done.
//!
//! ```text
//! <store>/<share>/manifest    signature and manifest, as they travel
//! <store>/<share>/payload     all files laid end to end; names never touch the file system
//! <store>/<share>/hashes      hash batches     (journal.rs)
//! <store>/<share>/journal     committed pieces (journal.rs)
//! ```
//!
//! A commit makes the payload durable before it adds to the journal, so that after a crash at any
//! point the journal claims nothing that is not there. While a share is received its payload is open
//! for writing in place; once finished it is a `Blob`, read and saved by slices. Without a file system
//! every piece is a blob of its own, which the browser keeps where it sees fit.
//!
//! Each share has a task that carries out its requests in order. Files that *we* share are
//! [`crate::source`]'s, saving is [`crate::save`]'s.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::mpsc;
use futures_util::StreamExt;
use js_sys::{Array, Uint8Array};
use protocol::bitfield::Bitfield;
use protocol::io::{Kept, StorageError, StorageRequest, StorageResponse};
use protocol::manifest::{HashBatch, Manifest, ShareId, SignedManifest};
use protocol::piece::{PieceIndex, Span};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, FileSystemDirectoryHandle};

use crate::opfs::{self, SyncFile};
use crate::profile::Store;
use crate::source::{Reader, Respond};
use crate::{error, journal};

const MANIFEST: &str = "manifest";
const PAYLOAD: &str = "payload";
const HASHES: &str = "hashes";
const JOURNAL: &str = "journal";

/// The stores of all shares that are or were received.
pub(crate) struct Storage {
    shared: Rc<Shared>,
    /// As long as what the core asks for at once, which it bounds.
    tasks: BTreeMap<ShareId, mpsc::UnboundedSender<StorageRequest>>,
}

/// A finished share.
pub(crate) struct Finished {
    /// What it consists of.
    pub(crate) manifest: Arc<Manifest>,
    /// All files laid end to end.
    pub(crate) payload: Blob,
    /// The CRC-32 of each piece.
    pub(crate) crcs: Vec<u32>,
}

struct Shared {
    /// Where shares are kept; in memory without.
    store: Option<Store>,
    respond: Respond,
    reader: Reader,
    finished: RefCell<BTreeMap<ShareId, Rc<Finished>>>,
}

/// A share that is open, in the hands of its task.
struct OpenShare {
    manifest: Arc<Manifest>,
    /// The CRC-32 of each piece that was written.
    crcs: Vec<u32>,
    payload: Payload,
}

enum Payload {
    Disk(Disk),
    /// Pieces by their offset in the payload.
    Memory(BTreeMap<u64, Blob>),
    Finished(Rc<Finished>),
}

struct Disk {
    directory: FileSystemDirectoryHandle,
    payload: SyncFile,
    hashes: Log,
    journal: Log,
}

/// A file that only grows.
struct Log {
    file: SyncFile,
    length: u64,
}

impl Storage {
    pub(crate) fn new(store: Option<Store>, reader: Reader, respond: Respond) -> Self {
        let shared = Shared { store, respond, reader, finished: RefCell::default() };
        Self { shared: Rc::new(shared), tasks: BTreeMap::new() }
    }

    /// A share that is complete and in place.
    pub(crate) fn finished(&self, share: ShareId) -> Option<Rc<Finished>> {
        self.shared.finished.borrow().get(&share).cloned()
    }

    /// Carries a request out and responds when that is done.
    pub(crate) fn handle(&mut self, request: StorageRequest) {
        let share = match &request {
            StorageRequest::Read { share, .. }
            | StorageRequest::Open { share, .. }
            | StorageRequest::Write { share, .. }
            | StorageRequest::Commit { share, .. }
            | StorageRequest::Finish { share, .. }
            | StorageRequest::Close { share, .. } => *share,
        };
        let task = self.tasks.entry(share).or_insert_with(|| {
            let (requests, queue) = mpsc::unbounded();
            spawn_local(self.shared.clone().serve(share, queue));
            requests
        });
        task.unbounded_send(request).expect("a share's task runs as long as the worker");
    }
}

impl Shared {
    /// The task of one share.
    async fn serve(
        self: Rc<Self>,
        share: ShareId,
        mut requests: mpsc::UnboundedReceiver<StorageRequest>,
    ) {
        let mut open: Option<OpenShare> = None;
        while let Some(request) = requests.next().await {
            let response = match request {
                StorageRequest::Read { read, span, .. } => {
                    match open.as_mut().ok_or_else(not_open).and_then(|it| it.read(span)) {
                        Ok(Bytes::Here(bytes)) => StorageResponse::Read { read, result: Ok(bytes) },
                        Ok(Bytes::In(blob, offset)) => {
                            self.reader.read(read, &blob, offset, span.length);
                            continue;
                        }
                        Err(error) => StorageResponse::Read { read, result: Err(error) },
                    }
                }
                StorageRequest::Open { manifest, signed, .. } => {
                    // What may be open from before must let go of its files first.
                    drop(open.take());
                    let result = match OpenShare::open(self.store.as_ref(), manifest, &signed).await
                    {
                        Ok((opened, kept)) => {
                            if let Payload::Finished(finished) = &opened.payload {
                                self.finished.borrow_mut().insert(share, finished.clone());
                            }
                            open = Some(opened);
                            Ok(kept)
                        }
                        Err(error) => Err(error),
                    };
                    StorageResponse::Opened { share, result }
                }
                StorageRequest::Write { piece, span, bytes, .. } => {
                    let write = |it: &mut OpenShare| it.write(piece, span, &bytes);
                    let result = open.as_mut().ok_or_else(not_open).and_then(write);
                    StorageResponse::Written { share, piece, result }
                }
                StorageRequest::Commit { pieces, batches, .. } => {
                    let commit = |it: &mut OpenShare| it.commit(&pieces, &batches);
                    let result = open.as_mut().ok_or_else(not_open).and_then(commit);
                    StorageResponse::Committed { share, result }
                }
                StorageRequest::Finish { .. } => {
                    let result = match open.as_mut().ok_or_else(not_open) {
                        Ok(it) => it.finish().await,
                        Err(error) => Err(error),
                    };
                    if let Ok(finished) = &result {
                        self.finished.borrow_mut().insert(share, finished.clone());
                    }
                    StorageResponse::Finished { share, result: result.map(drop) }
                }
                StorageRequest::Close { discard, .. } => {
                    let was_finished =
                        open.take().is_some_and(|it| matches!(it.payload, Payload::Finished(_)));
                    if discard
                        && !was_finished
                        && let Some(store) = &self.store
                    {
                        // What cannot be removed now goes with the store.
                        let _ = opfs::remove(&store.directory, &share.to_string()).await;
                    }
                    continue;
                }
            };
            (self.respond)(response);
        }
    }
}

/// Where the bytes of a piece are.
enum Bytes {
    Here(Vec<u8>),
    In(Blob, u64),
}

impl OpenShare {
    async fn open(
        store: Option<&Store>,
        manifest: Arc<Manifest>,
        signed: &SignedManifest,
    ) -> Result<(Self, Kept), StorageError> {
        let pieces = manifest.geometry().pieces();
        let mut crcs = vec![0; pieces as usize];
        let mut kept =
            Kept { pieces: Bitfield::new(pieces), batches: Vec::new(), finished: Vec::new() };
        let Some(store) = store else {
            return Ok((Self { manifest, crcs, payload: Payload::Memory(BTreeMap::new()) }, kept));
        };
        let thrown = |thrown: JsValue| error::storage(&thrown);
        let name = signed.share().to_string();
        let directory = opfs::directory(&store.directory, &name, true).await.map_err(thrown)?;

        let journal = read_all(&directory, JOURNAL).await.map_err(thrown)?;
        let hashes = read_all(&directory, HASHES).await.map_err(thrown)?;
        let journal = journal::read(&journal);
        let (batches, hashes_length) = journal::read_batches(&hashes);
        kept.batches = batches;
        for &(piece, crc32) in &journal.pieces {
            if kept.pieces.insert(piece) {
                crcs[piece.0 as usize] = crc32;
            }
        }
        if journal.finished && kept.pieces.is_full() {
            let payload = opfs::file(&directory, PAYLOAD, false).await.map_err(thrown)?;
            let payload = opfs::snapshot(&payload).await.map_err(thrown)?;
            if payload.size() as u64 == manifest.total() {
                let finished =
                    Finished { manifest: manifest.clone(), payload: payload.into(), crcs };
                let payload = Payload::Finished(Rc::new(finished));
                kept.finished = manifest.files().map(|(file, _)| file).collect();
                return Ok((Self { manifest, crcs: Vec::new(), payload }, kept));
            }
        }

        let payload = SyncFile::open(&directory, PAYLOAD).await.map_err(thrown)?;
        // Its full length at once: a full disk shows now, and no write has to make room.
        payload.set_length(manifest.total())?;
        for piece in kept.pieces.clone().iter() {
            let span = manifest.geometry().span(piece);
            let bytes = span.and_then(|span| payload.read(span.payload_offset, span.length).ok());
            if bytes.is_none_or(|bytes| crc32fast::hash(&bytes) != crcs[piece.0 as usize]) {
                kept.pieces.remove(piece);
            }
        }
        let disk = Disk {
            payload,
            hashes: Log::open(&directory, HASHES, hashes_length).await?,
            journal: Log::open(&directory, JOURNAL, journal.length).await?,
            directory,
        };
        write_all(&disk.directory, MANIFEST, &signed.to_bytes()).await?;
        Ok((Self { manifest, crcs, payload: Payload::Disk(disk) }, kept))
    }

    fn read(&mut self, span: Span) -> Result<Bytes, StorageError> {
        match &self.payload {
            Payload::Disk(disk) => {
                disk.payload.read(span.payload_offset, span.length).map(Bytes::Here)
            }
            Payload::Memory(pieces) => pieces
                .get(&span.payload_offset)
                .map(|piece| Bytes::In(piece.clone(), 0))
                .ok_or_else(not_open),
            Payload::Finished(it) => Ok(Bytes::In(it.payload.clone(), span.payload_offset)),
        }
    }

    fn write(&mut self, piece: PieceIndex, span: Span, bytes: &[u8]) -> Result<(), StorageError> {
        match &mut self.payload {
            Payload::Disk(disk) => disk.payload.write(span.payload_offset, bytes)?,
            Payload::Memory(pieces) => {
                let parts = Array::of1(&Uint8Array::from(bytes));
                let blob = Blob::new_with_u8_array_sequence(&parts)
                    .map_err(|thrown| error::storage(&thrown))?;
                pieces.insert(span.payload_offset, blob);
            }
            Payload::Finished(_) => return Err(not_open()),
        }
        if let Some(crc32) = self.crcs.get_mut(piece.0 as usize) {
            *crc32 = crc32fast::hash(bytes);
        }
        Ok(())
    }

    fn commit(&mut self, pieces: &[PieceIndex], batches: &[HashBatch]) -> Result<(), StorageError> {
        let Payload::Disk(disk) = &mut self.payload else { return Ok(()) };
        disk.payload.flush()?;
        // Proofs first: a journaled piece without one would have to be fetched again.
        disk.hashes.append(&batches.iter().flat_map(journal::batch).collect::<Vec<u8>>())?;
        let crc32 = |piece: PieceIndex| self.crcs.get(piece.0 as usize).copied().unwrap_or(0);
        let records: Vec<u8> =
            pieces.iter().flat_map(|&piece| journal::piece(piece, crc32(piece))).collect();
        disk.journal.append(&records)
    }

    async fn finish(&mut self) -> Result<Rc<Finished>, StorageError> {
        let total = self.manifest.total();
        let payload = match &mut self.payload {
            Payload::Finished(finished) => return Ok(finished.clone()),
            Payload::Memory(pieces) => {
                let parts: Array = pieces.values().collect();
                Blob::new_with_blob_sequence(&parts).map_err(|thrown| error::storage(&thrown))?
            }
            Payload::Disk(disk) => {
                disk.payload.flush()?;
                disk.journal.append(&journal::finished())?;
                let directory = disk.directory.clone();
                // Lets go of the files: no write may come after the snapshot.
                self.payload = Payload::Memory(BTreeMap::new());
                snapshot(&directory).await.map_err(|thrown| error::storage(&thrown))?
            }
        };
        if payload.size() as u64 != total {
            return Err(StorageError::Other(format!(
                "{} bytes were stored instead of {total}; receive it again",
                payload.size()
            )));
        }
        let crcs = std::mem::take(&mut self.crcs);
        let finished = Rc::new(Finished { manifest: self.manifest.clone(), payload, crcs });
        self.payload = Payload::Finished(finished.clone());
        Ok(finished)
    }
}

impl Log {
    /// Opens a file whose first `length` bytes count.
    async fn open(
        directory: &FileSystemDirectoryHandle,
        name: &str,
        length: usize,
    ) -> Result<Self, StorageError> {
        let file = SyncFile::open(directory, name).await.map_err(|e| error::storage(&e))?;
        let length = length as u64;
        file.set_length(length)?;
        Ok(Self { file, length })
    }

    /// Adds to the end and makes it durable.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file.write(self.length, bytes)?;
        self.file.flush()?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

async fn read_all(directory: &FileSystemDirectoryHandle, name: &str) -> Result<Vec<u8>, JsValue> {
    let handle = opfs::file(directory, name, true).await?;
    opfs::bytes(&*opfs::snapshot(&handle).await?).await
}

async fn write_all(
    directory: &FileSystemDirectoryHandle,
    name: &str,
    bytes: &[u8],
) -> Result<(), StorageError> {
    let file = SyncFile::open(directory, name).await.map_err(|e| error::storage(&e))?;
    file.set_length(bytes.len() as u64)?;
    file.write(0, bytes)?;
    file.flush()
}

async fn snapshot(directory: &FileSystemDirectoryHandle) -> Result<Blob, JsValue> {
    let handle = opfs::file(directory, PAYLOAD, false).await?;
    Ok(opfs::snapshot(&handle).await?.unchecked_into())
}

/// The core asks for nothing but open shares, unless it has closed them meanwhile.
fn not_open() -> StorageError {
    StorageError::Gone("its store is closed".to_owned())
}
