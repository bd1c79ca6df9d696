//! Received shares, in the origin-private file system or in memory: the core's storage requests, done.
//!
//! ```text
//! <store>/<share>/manifest    signature and manifest, as they travel
//! <store>/<share>/payload0    the files that were wanted first, end to end; payload1 and so on are
//!                             those that were wanted later (layout.rs)
//! <store>/<share>/hashes      hash batches     (journal.rs)
//! <store>/<share>/journal     committed pieces (journal.rs)
//! <store>/<share>/saved       is there if the share is complete and was saved
//! <store>/own/                shares of ours (records.rs)
//! <store>/wishes/             what is wanted of shares (wishes.rs)
//! <store>/archives            what saving puts together (archive.rs)
//! ```
//!
//! A commit makes the payload durable before it adds to the journal, so that after a crash at any
//! point the journal claims nothing that is not there. It is not believed all the same: when a share is
//! opened, and again when files are finished, the pieces are read back and compared with what their
//! origin signed. A journal that is damaged, or of another version, costs no more than that: then pieces
//! are looked for wherever files have room, or would have it first.
//!
//! While files are received their payload is open for writing in place; once they are finished it is a
//! `Blob`, read and saved by slices, and never written to again. Without a file system every piece is a
//! blob of its own, which the browser keeps where it sees fit.
//!
//! Each share has a task that carries out its requests in order. Files that *we* share are
//! [`crate::source`]'s, saving is [`crate::save`]'s.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::mpsc;
use futures_util::StreamExt;
use js_sys::Array;
use protocol::bitfield::Bitfield;
use protocol::io::{Kept, ReadId, StorageError, StorageRequest, StorageResponse};
use protocol::manifest::{HashBatch, KnownHashes, Manifest, ShareId, SignedManifest};
use protocol::piece::{FileIndex, Geometry, PieceIndex, Span};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, BlobPropertyBag, FileSystemDirectoryHandle};

use crate::archive::Scratch;
use crate::layout::{Layout, MAX_PARTS, Room, Slice};
use crate::log::Log;
use crate::payload::Payload;
use crate::profile::{self, Store};
use crate::source::{Reader, Respond};
use crate::{buffer, clock, error, journal, left, opfs, source};

pub(crate) const MANIFEST: &str = "manifest";
pub(crate) const HASHES: &str = "hashes";
pub(crate) const JOURNAL: &str = "journal";
pub(crate) const SAVED: &str = "saved";
const PAYLOAD: &str = "payload";

/// Bytes that are read back at once. In between everything else has its turn.
const READ_BACK_BYTES: u64 = 1 << 20;

/// The stores of all shares that are or were received.
pub(crate) struct Storage {
    shared: Rc<Shared>,
    /// As long as what the core asks for at once, which it bounds.
    tasks: BTreeMap<ShareId, mpsc::UnboundedSender<Job>>,
}

/// What the task of a share does.
enum Job {
    CarryOut(StorageRequest),
    MarkSaved,
}

/// What the task of a share has to do, in order; but reads need not wait for what takes long.
struct Jobs {
    coming: mpsc::UnboundedReceiver<Job>,
    waiting: VecDeque<Job>,
}

impl Jobs {
    async fn next(&mut self) -> Option<Job> {
        match self.waiting.pop_front() {
            Some(job) => Some(job),
            None => self.coming.next().await,
        }
    }

    /// The next read, if there is one now.
    fn next_read(&mut self) -> Option<(ReadId, Span)> {
        while let Ok(job) = self.coming.try_recv() {
            match job {
                Job::CarryOut(StorageRequest::Read { read, span, .. }) => {
                    return Some((read, span));
                }
                job => self.waiting.push_back(job),
            }
        }
        None
    }
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
    /// Where the stores of all tabs are.
    root: Option<FileSystemDirectoryHandle>,
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
    /// Records of batches that were handed over and are not durable yet.
    proofs: Vec<u8>,
    /// Records of room that was made, to be written before the pieces that are there.
    rooms: Vec<u8>,
}

impl Storage {
    pub(crate) async fn new(
        root: Option<FileSystemDirectoryHandle>,
        store: Option<Store>,
        reader: Reader,
        respond: Respond,
    ) -> Self {
        let scratch = match &store {
            Some(store) => Scratch::new(&store.directory).await.ok().map(Rc::new),
            None => None,
        };
        let finished = RefCell::default();
        let shared = Shared { store, root, scratch, respond, reader, finished };
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
        self.send(share, Job::CarryOut(request));
    }

    /// Remembers that a share is complete and was saved.
    pub(crate) fn mark_saved(&mut self, share: ShareId) {
        self.send(share, Job::MarkSaved);
    }

    fn send(&mut self, share: ShareId, job: Job) {
        let task = self.tasks.entry(share).or_insert_with(|| {
            let (jobs, coming) = mpsc::unbounded();
            let queue = Jobs { coming, waiting: VecDeque::new() };
            spawn_local(self.shared.clone().serve(share, queue));
            jobs
        });
        task.unbounded_send(job).expect("a share's task runs as long as the worker");
    }
}

impl Shared {
    /// The task of one share.
    async fn serve(self: Rc<Self>, share: ShareId, mut jobs: Jobs) {
        let mut open: Option<OpenShare> = None;
        while let Some(job) = jobs.next().await {
            match job {
                Job::CarryOut(request) => {
                    let done = self.carry_out(share, &mut open, request, &mut jobs).await;
                    if let Some(response) = done {
                        (self.respond)(response);
                    }
                }
                Job::MarkSaved => {
                    if let Some(Medium::Disk(disk)) = open.as_ref().map(|it| &it.medium) {
                        // Without the mark it is kept for longer.
                        let _ = opfs::file(&disk.directory, SAVED, true).await;
                    }
                }
            }
        }
    }

    async fn carry_out(
        &self,
        share: ShareId,
        open: &mut Option<OpenShare>,
        request: StorageRequest,
        jobs: &mut Jobs,
    ) -> Option<StorageResponse> {
        Some(match request {
            StorageRequest::Read { read, span, .. } => {
                self.read(open.as_mut(), read, span);
                return None;
            }
            StorageRequest::Open { manifest, signed, .. } => {
                // What may be open from before must let go of its files first.
                drop(open.take());
                let opened = OpenShare::open(self.store.as_ref(), manifest, &signed).await;
                let result = opened.map(|(opened, kept)| {
                    self.tell(share, &opened);
                    *open = Some(opened);
                    kept
                });
                StorageResponse::Opened { share, result }
            }
            StorageRequest::Reserve { files, .. } => {
                let reserve = async |it: &mut OpenShare| it.reserve(&files).await;
                StorageResponse::Reserved { share, result: self.with_room(open, reserve).await }
            }
            StorageRequest::Write { piece, span, bytes, .. } => {
                let write = async |it: &mut OpenShare| it.write(piece, span, &bytes).await;
                StorageResponse::Written { share, piece, result: self.with_room(open, write).await }
            }
            StorageRequest::Commit { pieces, batches, .. } => {
                let mut batches = Some(batches);
                let commit = async |it: &mut OpenShare| {
                    it.commit(&pieces, &batches.take().unwrap_or_default())
                };
                StorageResponse::Committed { share, result: self.with_room(open, commit).await }
            }
            StorageRequest::Finish { files, .. } => {
                let finish = async |it: &mut OpenShare| {
                    let mut check = it.check(&files)?;
                    while it.check_on(&mut check).await? {
                        // To read a large share back takes seconds.
                        while let Some((read, span)) = jobs.next_read() {
                            self.read(Some(&mut *it), read, span);
                        }
                    }
                    it.finish(&files).await
                };
                let result = self.with_room(open, finish).await;
                if let (Ok(()), Some(open)) = (&result, open) {
                    self.tell(share, open);
                }
                StorageResponse::Finished { share, result }
            }
            StorageRequest::Close { discard, .. } => {
                drop(open.take());
                self.finished.borrow_mut().remove(&share);
                if discard && let Some(store) = &self.store {
                    // What cannot be removed now goes with the store.
                    let _ = opfs::remove(&store.directory, &share.to_string()).await;
                }
                return None;
            }
            // Of shares of ours, and so not of those that are stored.
            StorageRequest::Keep { .. } => return None,
        })
    }

    /// Reads for others, and responds when that is done.
    fn read(&self, open: Option<&mut OpenShare>, read: ReadId, span: Span) {
        let result = match open.ok_or_else(not_open).and_then(|it| it.read(span)) {
            Ok(Bytes::Here(bytes)) => Ok(bytes),
            Ok(Bytes::In(blob, offset)) => {
                return self.reader.read_stored(read, &blob, offset, span.length);
            }
            Err(error) => Err(error),
        };
        (self.respond)(StorageResponse::Read { read, result });
    }

    /// Does something that needs room, and once more if there was none and some could be made. If that
    /// is not enough, the error says how much room there is.
    async fn with_room(
        &self,
        open: &mut Option<OpenShare>,
        mut work: impl AsyncFnMut(&mut OpenShare) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let open = open.as_mut().ok_or_else(not_open)?;
        let mut result = work(open).await;
        if let (Err(StorageError::Full { .. }), Some(root)) = (&result, &self.root)
            && left::erase_saved(root).await
        {
            result = work(open).await;
        }
        match result {
            Err(StorageError::Full { .. }) => {
                Err(StorageError::Full { available: profile::available().await })
            }
            result => result,
        }
    }

    /// Tells what is finished of a share now.
    fn tell(&self, share: ShareId, open: &OpenShare) {
        let mut finished = self.finished.borrow_mut();
        // Of a share without files everything is.
        if open.finished.is_empty() && open.manifest.geometry().files() > 0 {
            finished.remove(&share);
        } else {
            finished.insert(share, self.told(open));
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
    /// Opens a store, or makes one, and looks at everything that it claims to have.
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
        let name = signed.share().to_string();
        let directory = opfs::directory(&store.directory, &name, true).await;
        let directory = directory.map_err(|thrown| error::storage(&thrown))?;
        let signed = signed.to_bytes();
        let mut manifest = Log::open(&directory, MANIFEST).await?;
        if manifest.read()? != signed {
            manifest.replace(&signed)?;
        }
        drop(manifest);
        let mut hashes = Log::open(&directory, HASHES).await?;
        let mut journal = Log::open(&directory, JOURNAL).await?;
        let hashes_whole;
        (kept.batches, hashes_whole) = journal::read_batches(&hashes.read()?);
        let claimed = journal::read(&journal.read()?);
        let payload = this.recall(&directory, &claimed, &known(&kept.batches)).await?;
        // What is damaged is written anew without the damage. If there is no room for that, it will be
        // looked through again.
        if !hashes_whole {
            let whole: Vec<u8> = kept.batches.iter().flat_map(journal::batch).collect();
            let _ = hashes.replace(&whole);
        }
        if !claimed.whole {
            let _ = journal.replace(&this.journal());
        }
        for piece in this.layout.pieces() {
            kept.pieces.insert(piece);
        }
        kept.finished = this.finished.iter().copied().collect();
        let (proofs, rooms) = (Vec::new(), Vec::new());
        this.medium = Medium::Disk(Disk { directory, payload, hashes, journal, proofs, rooms });
        Ok((this, kept))
    }

    /// Takes in what the journal says, as far as it is true: every piece is read and compared with what
    /// was signed. Gives the payload that can still be written to, if there is one.
    async fn recall(
        &mut self,
        directory: &FileSystemDirectoryHandle,
        claimed: &journal::Journal,
        known: &KnownHashes,
    ) -> Result<Option<Payload>, StorageError> {
        let geometry = self.manifest.geometry().clone();
        for &Room { file, part, offset } in &claimed.rooms {
            if file.0 < geometry.files() {
                self.layout.make_room_at(part, file, offset, geometry.file_size(file));
            }
        }
        // Where pieces may be; some of them in several parts.
        let mut places = Vec::new();
        let mut assumed = self.layout.clone();
        if claimed.whole {
            for &(piece, part) in &claimed.pieces {
                places.extend(assumed.place_in(&geometry, piece, part).map(|place| (piece, place)));
            }
        } else {
            assumed.assume(&geometry);
            let pieces = (0..geometry.pieces()).map(PieceIndex);
            for piece in pieces.filter(|&piece| known.hash(piece).is_some()) {
                let parts = 0..assumed.parts();
                let found = parts.filter_map(|part| assumed.place_in(&geometry, piece, part));
                places.extend(found.map(|place| (piece, place)));
            }
        }
        places.sort_unstable_by_key(|&(piece, place)| (place.part, place.offset, piece));
        places.dedup();
        let mut places = places.as_slice();

        let files = claimed.finished.iter().copied();
        self.finished = files.filter(|file| file.0 < geometry.files()).collect();
        let mut last = None;
        for part in 0..assumed.parts() {
            let mut payload = Payload::open(directory, &payload_name(part)).await?;
            let mut source = Part::Open(&mut payload);
            while places.first().is_some_and(|(_, place)| place.part == part) {
                let (run, after) = places.split_at(run_length(places, READ_BACK_BYTES));
                places = after;
                for (piece, crc32) in read_back(&mut source, &geometry, known, run).await {
                    if let Some(span) = geometry.span(piece)
                        && let Some(start) = assumed.start(part, span.file)
                    {
                        let size = geometry.file_size(span.file);
                        self.layout.make_room_at(part, span.file, start, size);
                        self.layout.put(piece, part);
                        self.crcs[piece.0 as usize] = crc32;
                    }
                }
            }
            // The last is open for writing, unless a file in it is finished.
            let is_last = part + 1 == assumed.parts();
            if is_last && !assumed.files(part).any(|file| self.finished.contains(&file)) {
                last = Some(payload);
            } else {
                // Lets go of the file: no write may come after the snapshot.
                drop(payload);
                let blob = closed_part(directory, part).await;
                self.closed.push(blob.map_err(|thrown| error::storage(&thrown))?);
            }
        }
        let layout = &self.layout;
        self.finished.retain(|&file| layout.file(&geometry, file).is_some());
        Ok(last)
    }

    /// A journal that says how things stand.
    fn journal(&self) -> Vec<u8> {
        let mut journal = journal::HEADER.to_vec();
        journal.extend(self.layout.rooms().flat_map(journal::room));
        for piece in self.layout.pieces() {
            journal
                .extend(self.layout.part(piece).into_iter().flat_map(|p| journal::piece(piece, p)));
        }
        journal.extend(self.finished.iter().flat_map(|&file| journal::finished(file)));
        journal
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
        if let Medium::Disk(disk) = &self.medium
            && (disk.payload.is_none() || self.layout.start(self.closed.len(), span.file).is_none())
        {
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

    /// Makes room for files as far as they have none, so that a full disk shows before anything is
    /// fetched, and no write has to make room.
    async fn reserve(&mut self, files: &[FileIndex]) -> Result<(), StorageError> {
        let geometry = self.manifest.geometry();
        let known = |file: &FileIndex| file.0 < geometry.files() && !self.finished.contains(file);
        let missing: Vec<FileIndex> = files.iter().copied().filter(known).collect();
        if missing.is_empty() { Ok(()) } else { self.make_room(&missing).await }
    }

    /// Makes room for files in the part that is open, or in a new one.
    async fn make_room(&mut self, files: &[FileIndex]) -> Result<(), StorageError> {
        let Medium::Disk(disk) = &mut self.medium else { return Ok(()) };
        let part = self.closed.len();
        let payload = match &mut disk.payload {
            Some(payload) => payload,
            None => {
                if part >= MAX_PARTS {
                    let reason = "files were added too often; receive the share again".to_owned();
                    return Err(StorageError::Other(reason));
                }
                // It is not all that was wanted any more.
                let _ = opfs::remove(&disk.directory, SAVED).await;
                let payload = Payload::open(&disk.directory, &payload_name(part)).await?;
                disk.payload.insert(payload)
            }
        };
        let geometry = self.manifest.geometry();
        let mut layout = self.layout.clone();
        let mut rooms = Vec::new();
        for &file in files {
            if let Some(offset) = layout.make_room(part, file, geometry.file_size(file)) {
                rooms.extend(journal::room(Room { file, part, offset }));
            }
        }
        payload.make_room(layout.length(part))?;
        self.layout = layout;
        disk.rooms.extend(rooms);
        Ok(())
    }

    fn commit(&mut self, pieces: &[PieceIndex], batches: &[HashBatch]) -> Result<(), StorageError> {
        let Medium::Disk(disk) = &mut self.medium else { return Ok(()) };
        disk.proofs.extend(batches.iter().flat_map(journal::batch));
        if let Some(payload) = &mut disk.payload {
            payload.flush()?;
        }
        // Proofs first: a journaled piece without one would have to be fetched again.
        disk.hashes.append(&disk.proofs)?;
        disk.proofs.clear();
        let mut records = disk.rooms.clone();
        for &piece in pieces {
            let part = self.layout.part(piece).ok_or_else(not_open)?;
            records.extend(journal::piece(piece, part));
        }
        disk.journal.append(&records)?;
        disk.rooms.clear();
        Ok(())
    }

    /// These files are whole, which was [checked](Self::check); they are not written to any more.
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
                let mut records = disk.rooms.clone();
                records.extend(files.iter().flat_map(|&file| journal::finished(file)));
                disk.journal.append(&records)?;
                disk.rooms.clear();
                match disk.payload.take() {
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
            if blob.size() as u64 != self.layout.length(part) {
                return Err(StorageError::Damaged(self.manifest.title()));
            }
            self.closed.push(blob);
        }
        self.finished.extend(files);
        Ok(())
    }

    /// Makes these files durable and begins to read them back.
    fn check(&mut self, files: &[FileIndex]) -> Result<Check, StorageError> {
        let geometry = self.manifest.geometry();
        let mut check = Check { known: KnownHashes::default(), places: Vec::new(), done: 0 };
        let Medium::Disk(disk) = &mut self.medium else { return Ok(check) };
        if let Some(payload) = &mut disk.payload {
            payload.cut(self.layout.length(self.closed.len()))?;
        }
        for &file in files {
            for piece in geometry.pieces_of(file) {
                let Some(place) = self.layout.place(geometry, piece) else {
                    return Err(self.damaged(piece));
                };
                check.places.push((piece, place));
            }
        }
        check.places.sort_unstable_by_key(|&(piece, place)| (place.part, place.offset, piece));
        check.known = known(&journal::read_batches(&disk.hashes.read()?).0);
        Ok(check)
    }

    /// Reads some more back; false if that was all.
    async fn check_on(&mut self, check: &mut Check) -> Result<bool, StorageError> {
        let rest = &check.places[check.done..];
        let run = &rest[..run_length(rest, READ_BACK_BYTES)];
        let Some((_, first)) = run.first() else { return Ok(false) };
        check.done += run.len();
        let mut part = match (self.closed.get(first.part), &mut self.medium) {
            (Some(blob), _) => Part::Closed(blob),
            (None, Medium::Disk(Disk { payload: Some(payload), .. })) => Part::Open(payload),
            (None, _) => return Err(not_open()),
        };
        let sound = read_back(&mut part, self.manifest.geometry(), &check.known, run).await;
        let mut sound = sound.into_iter().map(|(piece, _)| piece).peekable();
        match run.iter().find(|(piece, _)| sound.next_if_eq(piece).is_none()) {
            Some(&(piece, _)) => Err(self.damaged(piece)),
            None => Ok(true),
        }
    }

    fn damaged(&self, piece: PieceIndex) -> StorageError {
        let file = self.manifest.geometry().span(piece).map(|span| self.manifest.file(span.file));
        StorageError::Damaged(file.map_or_else(String::new, |file| file.path.to_string()))
    }
}

/// Files being read back, to see whether they are what was signed.
struct Check {
    known: KnownHashes,
    places: Vec<(PieceIndex, Slice)>,
    /// How many of these were read.
    done: usize,
}

/// A part that is read back.
enum Part<'a> {
    Open(&'a mut Payload),
    Closed(&'a Blob),
}

impl Part<'_> {
    async fn read(&mut self, offset: u64, length: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length as usize);
        while (bytes.len() as u64) < length {
            let (at, more) = (bytes.len() as u64, length - bytes.len() as u64);
            let more = more.min(READ_BACK_BYTES);
            let read = match self {
                Self::Open(payload) => payload.read(offset + at, more as u32).ok()?,
                Self::Closed(blob) => {
                    let slice = source::slice(blob, offset + at, more).ok()?;
                    opfs::bytes(&slice).await.ok()?
                }
            };
            if read.len() as u64 != more {
                return None;
            }
            bytes.extend(read);
            clock::pause().await;
        }
        Some(bytes)
    }
}

/// Those of these pieces that are what was signed, with the CRC-32 of each. They lie end to end.
async fn read_back(
    part: &mut Part<'_>,
    geometry: &Geometry,
    known: &KnownHashes,
    run: &[(PieceIndex, Slice)],
) -> Vec<(PieceIndex, u32)> {
    let mut sound = Vec::new();
    let Some((_, first)) = run.first() else { return sound };
    let length = run.iter().map(|(_, place)| place.length).sum();
    let joined = part.read(first.offset, length).await;
    for &(piece, place) in run {
        let alone;
        let bytes = match &joined {
            Some(joined) => {
                let at = (place.offset - first.offset) as usize;
                &joined[at..at + place.length as usize]
            }
            // Another of them is beyond the end.
            None => match part.read(place.offset, place.length).await {
                Some(bytes) => {
                    alone = bytes;
                    &alone
                }
                None => continue,
            },
        };
        let hash = geometry.hash(piece, bytes);
        if hash.is_some() && hash == known.hash(piece) {
            sound.push((piece, crc32fast::hash(bytes)));
        }
    }
    sound
}

/// How many of these, from the first on, lie end to end and come to no more than so many bytes; at least
/// one, if there is one.
fn run_length(places: &[(PieceIndex, Slice)], bytes: u64) -> usize {
    let Some((_, first)) = places.first() else { return 0 };
    let ends_by = first.offset + bytes;
    let mut end = first.offset + first.length;
    let following = places[1..].iter().take_while(|(_, place)| {
        let follows = (place.part, place.offset) == (first.part, end);
        end = place.offset + place.length;
        follows && end <= ends_by
    });
    1 + following.count()
}

/// The hashes that batches tell. Whether they are signed is the core's to check.
fn known(batches: &[HashBatch]) -> KnownHashes {
    let mut known = KnownHashes::default();
    for batch in batches {
        // If there are two truths the first counts, and the core does without either.
        let _ = known.insert(batch.clone());
    }
    known
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
    fn what_lies_end_to_end_is_read_back_together_up_to_a_limit() {
        let place = |part, offset, length| (PieceIndex(0), Slice { part, offset, length });
        let places = [
            place(0, 0, 4),
            place(0, 4, 4),
            place(0, 8, 4),
            place(0, 13, 20),
            place(1, 33, 1),
            place(1, 34, 1),
        ];
        let mut runs = Vec::new();
        let mut rest = &places[..];
        while !rest.is_empty() {
            let (run, after) = rest.split_at(run_length(rest, 10));
            runs.push(run.len());
            rest = after;
        }
        // Two fit the limit; what is larger comes alone, as does what follows a gap or is elsewhere.
        assert_eq!(runs, [2, 1, 1, 2]);
    }

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
