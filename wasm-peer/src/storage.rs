//! Received shares, in the origin-private file system or in memory: the core's storage requests, done.
//!
//! ```text
//! <store>/<share>/manifest    signature and manifest, as they travel
//! <store>/<share>/payload0    the files that were wanted first, end to end; payload1 and so on are
//!                             those that were wanted later (layout.rs)
//! <store>/<share>/hashes      hash batches     (journal.rs)
//! <store>/<share>/journal     committed pieces (journal.rs)
//! <store>/archives            what saving puts together (archive.rs)
//! ```
//!
//! A commit makes the payload durable before it adds to the journal, so that after a crash at any
//! point the journal claims nothing that is not there. While files are received their payload is open
//! for writing in place; once they are finished it is a `Blob`, read and saved by slices, and never
//! written to again. Without a file system every piece is a blob of its own, which the browser keeps
//! where it sees fit.
//!
//! Each share has a task that carries out its requests in order. Files that *we* share are
//! [`crate::source`]'s, saving is [`crate::save`]'s.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::mpsc;
use futures_util::StreamExt;
use js_sys::Array;
use protocol::bitfield::Bitfield;
use protocol::io::{Kept, StorageError, StorageRequest, StorageResponse};
use protocol::manifest::{HashBatch, Manifest, ShareId, SignedManifest};
use protocol::piece::{FileIndex, Geometry, PieceIndex, Span};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, BlobPropertyBag, FileSystemDirectoryHandle};

use crate::archive::Scratch;
use crate::layout::{Layout, MAX_PARTS, Slice};
use crate::opfs::{self, SyncFile};
use crate::payload::Payload;
use crate::profile::Store;
use crate::source::{Reader, Respond};
use crate::{buffer, error, journal, source};

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

/// The finished files of a share.
pub(crate) struct Finished {
    /// What the share consists of.
    pub(crate) manifest: Arc<Manifest>,
    /// Its files that are finished.
    pub(crate) files: BTreeSet<FileIndex>,
    layout: Layout,
    parts: Vec<Blob>,
    crcs: Vec<u32>,
    /// Where archives of them are made; in memory without.
    pub(crate) scratch: Option<Rc<Scratch>>,
    /// All of them as one archive, once somebody wanted to have that.
    pub(crate) archive: OnceCell<Blob>,
}

impl Finished {
    /// Whether these are all files of the share.
    pub(crate) fn is_whole(&self) -> bool {
        self.files.len() == self.manifest.files().len()
    }

    /// A finished file; nothing is read.
    pub(crate) fn file(&self, file: FileIndex) -> Result<Blob, JsValue> {
        match self.slices(file)?.as_slice() {
            &[one] => self.slice(one),
            several => {
                let parts = Array::new();
                for &it in several {
                    let blob = self.slice(it)?;
                    parts.push(&blob);
                }
                // Without a type Chromium would save a file of no bytes as a text, with `.txt` behind its name.
                let options = BlobPropertyBag::new();
                options.set_type(source::ANY_BYTES);
                Blob::new_with_blob_sequence_and_options(&parts, &options)
            }
        }
    }

    /// Where a finished file lies.
    pub(crate) fn slices(&self, file: FileIndex) -> Result<Vec<Slice>, JsValue> {
        self.layout.file(self.manifest.geometry(), file).ok_or_else(gone)
    }

    /// What lies there; nothing is read.
    pub(crate) fn slice(&self, it: Slice) -> Result<Blob, JsValue> {
        source::slice(self.parts.get(it.part).ok_or_else(gone)?, it.offset, it.length)
    }

    /// The bytes that lie there.
    pub(crate) async fn read(&self, it: Slice) -> Result<Vec<u8>, JsValue> {
        opfs::bytes(&self.slice(it)?).await
    }

    /// The CRC-32 of a finished file, from those of its pieces.
    pub(crate) fn crc32(&self, file: FileIndex) -> u32 {
        crc32(self.manifest.geometry(), file, &self.crcs)
    }
}

fn gone() -> JsValue {
    error::to_js("a part of the share is gone")
}

struct Shared {
    /// Where shares are kept; in memory without.
    store: Option<Store>,
    scratch: Option<Rc<Scratch>>,
    respond: Respond,
    reader: Reader,
    finished: RefCell<BTreeMap<ShareId, Rc<Finished>>>,
}

/// A share that is open, in the hands of its task.
struct OpenShare {
    manifest: Arc<Manifest>,
    /// The CRC-32 of each piece that was written.
    crcs: Vec<u32>,
    layout: Layout,
    /// Parts that nothing is written to any more. On disk there may be one more, which is open.
    closed: Vec<Blob>,
    finished: BTreeSet<FileIndex>,
    medium: Medium,
}

enum Medium {
    Disk(Disk),
    /// Pieces of files that are not finished.
    Memory(BTreeMap<PieceIndex, Blob>),
}

struct Disk {
    directory: FileSystemDirectoryHandle,
    /// The last part, if it is open.
    payload: Option<Payload>,
    hashes: Log,
    journal: Log,
    /// Records of room that was made, to be written before the pieces that are there.
    rooms: Vec<u8>,
}

/// A file that only grows.
struct Log {
    file: SyncFile,
    length: u64,
}

impl Storage {
    pub(crate) async fn new(store: Option<Store>, reader: Reader, respond: Respond) -> Self {
        let scratch = match &store {
            Some(store) => Scratch::new(&store.directory).await.ok().map(Rc::new),
            None => None,
        };
        let shared = Shared { store, scratch, respond, reader, finished: RefCell::default() };
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
            | StorageRequest::Reserve { share, .. }
            | StorageRequest::Keep { share, .. }
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
                    let opened = OpenShare::open(self.store.as_ref(), manifest, &signed).await;
                    let result = match opened {
                        Ok((opened, kept)) => {
                            if !opened.finished.is_empty() {
                                self.finished.borrow_mut().insert(share, self.told(&opened));
                            }
                            open = Some(opened);
                            Ok(kept)
                        }
                        Err(error) => Err(error),
                    };
                    StorageResponse::Opened { share, result }
                }
                StorageRequest::Reserve { files, .. } => {
                    let result = match open.as_mut().ok_or_else(not_open) {
                        Ok(it) => it.reserve(&files).await,
                        Err(error) => Err(error),
                    };
                    StorageResponse::Reserved { share, result }
                }
                // Not kept by this adapter yet.
                StorageRequest::Keep { .. } => continue,
                StorageRequest::Write { piece, span, bytes, .. } => {
                    let result = match open.as_mut().ok_or_else(not_open) {
                        Ok(it) => it.write(piece, span, &bytes).await,
                        Err(error) => Err(error),
                    };
                    StorageResponse::Written { share, piece, result }
                }
                StorageRequest::Commit { pieces, batches, .. } => {
                    let commit = |it: &mut OpenShare| it.commit(&pieces, &batches);
                    let result = open.as_mut().ok_or_else(not_open).and_then(commit);
                    StorageResponse::Committed { share, result }
                }
                StorageRequest::Finish { files, .. } => {
                    let result = match open.as_mut().ok_or_else(not_open) {
                        Ok(it) => it.finish(&files).await.map(|()| self.told(it)),
                        Err(error) => Err(error),
                    };
                    if let Ok(finished) = &result {
                        self.finished.borrow_mut().insert(share, finished.clone());
                    }
                    StorageResponse::Finished { share, result: result.map(drop) }
                }
                StorageRequest::Close { discard, .. } => {
                    drop(open.take());
                    self.finished.borrow_mut().remove(&share);
                    if discard && let Some(store) = &self.store {
                        // What cannot be removed now goes with the store.
                        let _ = opfs::remove(&store.directory, &share.to_string()).await;
                    }
                    continue;
                }
            };
            (self.respond)(response);
        }
    }

    /// What is finished so far of a share.
    fn told(&self, open: &OpenShare) -> Rc<Finished> {
        Rc::new(Finished {
            manifest: open.manifest.clone(),
            files: open.finished.clone(),
            layout: open.layout.clone(),
            parts: open.closed.clone(),
            crcs: open.crcs.clone(),
            scratch: self.scratch.clone(),
            archive: OnceCell::new(),
        })
    }
}

/// Where the bytes of a piece are.
enum Bytes {
    Here(Vec<u8>),
    In(Blob, u64),
}

impl OpenShare {
    /// Opens a store, or makes one.
    async fn open(
        store: Option<&Store>,
        manifest: Arc<Manifest>,
        signed: &SignedManifest,
    ) -> Result<(Self, Kept), StorageError> {
        let pieces = manifest.geometry().pieces();
        let mut kept =
            Kept { pieces: Bitfield::new(pieces), batches: Vec::new(), finished: Vec::new() };
        let mut this = Self {
            manifest,
            crcs: vec![0; pieces as usize],
            layout: Layout::default(),
            closed: Vec::new(),
            finished: BTreeSet::new(),
            medium: Medium::Memory(BTreeMap::new()),
        };
        let Some(store) = store else { return Ok((this, kept)) };
        let thrown = |thrown: JsValue| error::storage(&thrown);
        let name = signed.share().to_string();
        let directory = opfs::directory(&store.directory, &name, true).await.map_err(thrown)?;

        let journal = read_all(&directory, JOURNAL).await.map_err(thrown)?;
        let hashes = read_all(&directory, HASHES).await.map_err(thrown)?;
        let journal = journal::read(&journal);
        let hashes_length;
        (kept.batches, hashes_length) = journal::read_batches(&hashes);
        this.recall(&journal);
        let mut payload = this.open_parts(&directory).await?;
        this.check(payload.as_mut()).await;
        for piece in this.layout.pieces() {
            kept.pieces.insert(piece);
        }
        kept.finished = this.finished.iter().copied().collect();
        write_all(&directory, MANIFEST, &signed.to_bytes()).await?;
        this.medium = Medium::Disk(Disk {
            payload,
            hashes: Log::open(&directory, HASHES, hashes_length).await?,
            journal: Log::open(&directory, JOURNAL, journal.length).await?,
            rooms: Vec::new(),
            directory,
        });
        Ok((this, kept))
    }

    /// Makes room for files that are not finished, for all at once: a full disk shows now, and no write has
    /// to make room.
    async fn reserve(&mut self, files: &[FileIndex]) -> Result<(), StorageError> {
        let missing: Vec<FileIndex> =
            files.iter().copied().filter(|file| !self.finished.contains(file)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.make_room(&missing).await
    }

    /// Takes in what the journal says, as far as it fits the share.
    fn recall(&mut self, journal: &journal::Journal) {
        let geometry = self.manifest.geometry();
        for &(file, part) in journal.rooms.iter().filter(|(file, _)| file.0 < geometry.files()) {
            self.layout.make_room(part, file, geometry.file_size(file));
        }
        for &(piece, part, crc32) in &journal.pieces {
            if let Some(known) = self.crcs.get_mut(piece.0 as usize) {
                *known = crc32;
                self.layout.put(piece, part);
            }
        }
        let finished = journal.finished.iter().copied();
        self.finished = finished.filter(|file| file.0 < geometry.files()).collect();
    }

    /// Opens the parts: the last for writing, unless a file in it is finished.
    async fn open_parts(
        &mut self,
        directory: &FileSystemDirectoryHandle,
    ) -> Result<Option<Payload>, StorageError> {
        let thrown = |thrown: JsValue| error::storage(&thrown);
        for part in 0..self.layout.parts() {
            let is_last = part + 1 == self.layout.parts();
            if is_last && !self.layout.files(part).any(|file| self.finished.contains(&file)) {
                let payload = SyncFile::open(directory, &payload_name(part)).await;
                let payload = Payload::new(payload.map_err(thrown)?);
                payload.set_length(self.layout.length(part))?;
                return Ok(Some(payload));
            }
            self.closed.push(closed_part(directory, part).await.map_err(thrown)?);
        }
        Ok(None)
    }

    /// Forgets pieces that are not what was committed, and with them the finished files they are of.
    /// What a finished file holds was compared when it was written; here its length is.
    async fn check(&mut self, mut payload: Option<&mut Payload>) {
        let geometry = self.manifest.geometry().clone();
        let pieces: Vec<PieceIndex> = self.layout.pieces().collect();
        for piece in pieces {
            let finished =
                geometry.span(piece).is_some_and(|span| self.finished.contains(&span.file));
            let holds = match self.layout.place(&geometry, piece) {
                Some(place) if finished => self
                    .closed
                    .get(place.part)
                    .is_some_and(|part| part.size() as u64 >= place.offset + place.length),
                Some(place) => {
                    let bytes = match (self.closed.get(place.part), payload.as_deref_mut()) {
                        (Some(part), _) => read_slice(part, place).await.ok(),
                        (None, Some(payload)) => {
                            payload.read(place.offset, place.length as u32).ok()
                        }
                        (None, None) => None,
                    };
                    let crc32 = self.crcs.get(piece.0 as usize).copied();
                    bytes.is_some_and(|bytes| Some(crc32fast::hash(&bytes)) == crc32)
                }
                None => false,
            };
            if !holds {
                self.layout.forget(piece);
            }
        }
        let layout = &self.layout;
        self.finished.retain(|&file| layout.file(&geometry, file).is_some());
    }

    fn read(&mut self, span: Span) -> Result<Bytes, StorageError> {
        let geometry = self.manifest.geometry();
        let nth = (span.file_offset / geometry.piece_size().bytes()) as u32;
        let first = geometry.pieces_of(span.file).next().ok_or_else(not_open)?;
        let piece = PieceIndex(first.0 + nth);
        if let Medium::Memory(pieces) = &self.medium
            && let Some(blob) = pieces.get(&piece)
        {
            return Ok(Bytes::In(blob.clone(), 0));
        }
        let place = self.layout.place(geometry, piece).ok_or_else(not_open)?;
        match (self.closed.get(place.part), &mut self.medium) {
            (Some(part), _) => Ok(Bytes::In(part.clone(), place.offset)),
            (None, Medium::Disk(Disk { payload: Some(payload), .. })) => {
                payload.read(place.offset, span.length).map(Bytes::Here)
            }
            (None, _) => Err(not_open()),
        }
    }

    async fn write(
        &mut self,
        piece: PieceIndex,
        span: Span,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        if matches!(self.medium, Medium::Disk(_)) {
            self.make_room(&[span.file]).await?;
        }
        match &mut self.medium {
            Medium::Disk(disk) => {
                let payload = disk.payload.as_mut().ok_or_else(not_open)?;
                let part = self.closed.len();
                let start = self.layout.start(part, span.file).ok_or_else(not_open)?;
                payload.write(start + span.file_offset, bytes)?;
                self.layout.put(piece, part);
            }
            Medium::Memory(pieces) => {
                let blob = buffer::blob(bytes).map_err(|thrown| error::storage(&thrown))?;
                pieces.insert(piece, blob);
            }
        }
        if let Some(crc32) = self.crcs.get_mut(piece.0 as usize) {
            *crc32 = crc32fast::hash(bytes);
        }
        Ok(())
    }

    /// Makes room for files in the part that is open, or in a new one.
    async fn make_room(&mut self, files: &[FileIndex]) -> Result<(), StorageError> {
        let Medium::Disk(disk) = &mut self.medium else { return Ok(()) };
        let part = self.closed.len();
        if disk.payload.is_none() {
            if part >= MAX_PARTS {
                let reason = "files were added too often; receive the share again".to_owned();
                return Err(StorageError::Other(reason));
            }
            let payload = SyncFile::open(&disk.directory, &payload_name(part)).await;
            let payload = payload.map_err(|thrown| error::storage(&thrown))?;
            disk.payload = Some(Payload::new(payload));
        }
        let geometry = self.manifest.geometry();
        for &file in files {
            if self.layout.make_room(part, file, geometry.file_size(file)) {
                disk.rooms.extend(journal::room(file, part));
            }
        }
        match &disk.payload {
            Some(payload) => payload.set_length(self.layout.length(part)),
            None => Ok(()),
        }
    }

    fn commit(&mut self, pieces: &[PieceIndex], batches: &[HashBatch]) -> Result<(), StorageError> {
        let Medium::Disk(disk) = &mut self.medium else { return Ok(()) };
        if let Some(payload) = &mut disk.payload {
            payload.flush()?;
        }
        // Proofs first: a journaled piece without one would have to be fetched again.
        disk.hashes.append(&batches.iter().flat_map(journal::batch).collect::<Vec<u8>>())?;
        let mut records = std::mem::take(&mut disk.rooms);
        for &piece in pieces {
            let crc32 = self.crcs.get(piece.0 as usize).copied().unwrap_or(0);
            let part = self.layout.part(piece).ok_or_else(not_open)?;
            records.extend(journal::piece(piece, part, crc32));
        }
        disk.journal.append(&records)
    }

    /// These files are whole; they are not written to any more.
    async fn finish(&mut self, files: &[FileIndex]) -> Result<(), StorageError> {
        let geometry = self.manifest.geometry();
        let part = self.closed.len();
        let blob = match &mut self.medium {
            Medium::Memory(pieces) => {
                let blobs = Array::new();
                for &file in files {
                    self.layout.make_room(part, file, geometry.file_size(file));
                    for piece in geometry.pieces_of(file) {
                        let blob = pieces.remove(&piece).ok_or_else(not_open)?;
                        blobs.push(&blob);
                        self.layout.put(piece, part);
                    }
                }
                Some(Blob::new_with_blob_sequence(&blobs).map_err(|e| error::storage(&e))?)
            }
            Medium::Disk(disk) => {
                let mut payload = disk.payload.take();
                if let Some(payload) = &mut payload {
                    payload.flush()?;
                }
                let mut records = std::mem::take(&mut disk.rooms);
                records.extend(files.iter().flat_map(|&file| journal::finished(file)));
                disk.journal.append(&records)?;
                match payload {
                    Some(payload) => {
                        // Lets go of the file: no write may come after the snapshot.
                        drop(payload);
                        let blob = closed_part(&disk.directory, part).await;
                        Some(blob.map_err(|thrown| error::storage(&thrown))?)
                    }
                    None => None,
                }
            }
        };
        if let Some(blob) = blob {
            let (size, length) = (blob.size() as u64, self.layout.length(part));
            if size != length {
                return Err(StorageError::Other(format!(
                    "{size} bytes were stored instead of {length}; receive it again"
                )));
            }
            self.closed.push(blob);
        }
        self.finished.extend(files);
        Ok(())
    }
}

async fn read_slice(part: &Blob, place: Slice) -> Result<Vec<u8>, JsValue> {
    opfs::bytes(&source::slice(part, place.offset, place.length)?).await
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

/// A part that is not written to any more.
async fn closed_part(directory: &FileSystemDirectoryHandle, part: usize) -> Result<Blob, JsValue> {
    let handle = opfs::file(directory, &payload_name(part), true).await?;
    Ok(opfs::snapshot(&handle).await?.unchecked_into())
}

fn payload_name(part: usize) -> String {
    format!("{PAYLOAD}{part}")
}

/// The CRC-32 of a file from those of its pieces.
fn crc32(geometry: &Geometry, file: FileIndex, crcs: &[u32]) -> u32 {
    let mut whole = crc32fast::Hasher::new();
    for piece in geometry.pieces_of(file) {
        let crc32 = crcs.get(piece.0 as usize).copied().unwrap_or(0);
        let length = u64::from(geometry.length(piece));
        whole.combine(&crc32fast::Hasher::new_with_initial_len(crc32, length));
    }
    whole.finalize()
}

/// The core asks for nothing but open shares, unless it has closed them meanwhile.
fn not_open() -> StorageError {
    StorageError::Gone("its store is closed".to_owned())
}

#[cfg(test)]
mod tests {
    use protocol::piece::MIN_PIECE_SIZE;

    use super::*;

    #[test]
    fn the_checksum_of_a_file_is_made_of_those_of_its_pieces() {
        let data: Vec<u8> = (0..600_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
        let sizes = [5, 0, 599_995];
        let geometry = Geometry::new(MIN_PIECE_SIZE, sizes).unwrap();
        let crcs: Vec<u32> = (0..geometry.pieces())
            .map(|i| {
                let span = geometry.span(PieceIndex(i)).unwrap();
                let start = span.payload_offset as usize;
                crc32fast::hash(&data[start..start + span.length as usize])
            })
            .collect();
        let mut start = 0;
        for (i, size) in (0..).zip(sizes) {
            let bytes = &data[start..start + size as usize];
            assert_eq!(crc32(&geometry, FileIndex(i), &crcs), crc32fast::hash(bytes));
            start += size as usize;
        }
    }
}
