//! Files: the seam behind which they lie, and the queues that carry the core's requests out on threads
//! that may wait for a disk.
//!
//! Requests about one share are carried out in order, except that reads run beside the rest, a few at a
//! time, and writing goes on during a commit. Where bytes lie on disk is [`DiskStorage`]'s business; what this peer shares itself is read
//! from where it is, by [`Sources`].

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use protocol::io::{Kept, StorageError, StorageRequest, StorageResponse};
use protocol::manifest::{HashBatch, Manifest, ShareId, SignedManifest};
use protocol::piece::{FileIndex, PieceIndex, Span};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinSet, spawn_blocking};
use tracing::{debug, warn};

#[cfg(feature = "misbehave")]
pub use self::audit::{Audit, audit};
pub(crate) use self::calls::Calls;
#[cfg(feature = "misbehave")]
pub use self::calls::{Fault, Faults};
pub use self::disk::DiskStorage;
pub(crate) use self::handles::Handles;
pub use self::origin::{Earlier, OriginError, OriginStorage, prune_origins};
pub(crate) use self::places::numbered;
use crate::sources::Sources;

#[cfg(feature = "misbehave")]
mod audit;
mod calls;
mod disk;
mod handles;
mod journal;
mod ledger;
mod origin;
mod places;

/// Reads that run at one time.
const PARALLEL_READS: usize = 4;

/// Where received shares are kept. Every method may block, and may be called from several threads at
/// once; but per share only one of `open`, `commit`, `finish` and `close` at a time, and writes only
/// beside a commit.
pub trait Storage: Send + Sync + 'static {
    /// Opens or makes the store of a share; says what an earlier run left there, verified.
    fn open(
        &self,
        share: ShareId,
        manifest: &Arc<Manifest>,
        signed: &SignedManifest,
    ) -> Result<Kept, StorageError>;

    /// Whether there is room for what is missing of these files, which are those wanted.
    /// [`StorageError::Full`] if there is none; `Ok` where that cannot be told.
    fn reserve(&self, share: ShareId, files: &[FileIndex]) -> Result<(), StorageError>;

    /// Reads all bytes of a span.
    fn read(&self, share: ShareId, span: Span) -> Result<Vec<u8>, StorageError>;

    /// Writes a piece.
    fn write(
        &self,
        share: ShareId,
        piece: PieceIndex,
        span: Span,
        bytes: &[u8],
    ) -> Result<(), StorageError>;

    /// Makes written pieces durable, then notes them and the batches that prove them.
    fn commit(
        &self,
        share: ShareId,
        pieces: &[PieceIndex],
        batches: &[HashBatch],
    ) -> Result<(), StorageError>;

    /// Brings files of a share, all of whose pieces are committed, to their final place. They are not
    /// there yet; others may follow, and with the last of all go the empty folders.
    fn finish(&self, share: ShareId, files: &[FileIndex]) -> Result<(), StorageError>;

    /// Lets go of a share; if `discard`, erases what is stored of it. Finished files are the user's.
    fn close(&self, share: ShareId, discard: bool);

    /// Bytes that can still be stored, where that is known.
    fn available(&self) -> Option<u64>;

    /// Keeps hash batches of a share of our own, so that another run of ours signs nothing else.
    fn keep(&self, share: ShareId, batches: &[HashBatch]) -> Result<(), StorageError>;

    /// Where the files of a share are that are in their final place, in manifest order, relative to
    /// the folder that holds all.
    fn places(&self, share: ShareId) -> Vec<(FileIndex, PathBuf)>;
}

/// Carries out storage requests.
pub(crate) struct Files {
    storage: Arc<dyn Storage>,
    /// What this peer shares itself.
    sources: HashMap<ShareId, Arc<Sources>>,
    /// Of shares that are being received: where requests that must keep their order wait. Bounded in
    /// bytes by the core, which counts what is not yet written as in flight.
    queues: HashMap<ShareId, mpsc::UnboundedSender<StorageRequest>>,
    responses: mpsc::Sender<StorageResponse>,
    reads: Arc<Semaphore>,
    tasks: JoinSet<()>,
    /// A look at how much can still be stored.
    capacity: JoinSet<Option<u64>>,
}

impl Files {
    /// Responses go to `responses`.
    pub(crate) fn new(storage: Arc<dyn Storage>, responses: mpsc::Sender<StorageResponse>) -> Self {
        Self {
            storage,
            sources: HashMap::new(),
            queues: HashMap::new(),
            responses,
            reads: Arc::new(Semaphore::new(PARALLEL_READS)),
            tasks: JoinSet::new(),
            capacity: JoinSet::new(),
        }
    }

    /// Looks how much can still be stored, unless that is under way: a disk may take its time.
    pub(crate) fn look_at_capacity(&mut self) {
        if self.capacity.is_empty() {
            let storage = self.storage.clone();
            self.capacity.spawn_blocking(move || storage.available());
        }
    }

    /// What the next look finds.
    pub(crate) async fn capacity(&mut self) -> Option<u64> {
        match self.capacity.join_next().await {
            Some(found) => found.unwrap_or_default(),
            None => std::future::pending().await,
        }
    }

    /// Reads of `share` come from these files from now on.
    pub(crate) fn add_sources(&mut self, share: ShareId, sources: Arc<Sources>) {
        self.sources.insert(share, sources);
    }

    /// Carries out a request; its response comes later.
    pub(crate) fn request(&mut self, request: StorageRequest) {
        while self.tasks.try_join_next().is_some() {}
        let share = match &request {
            StorageRequest::Read { read, share, span } => {
                let (read, share, span) = (*read, *share, *span);
                return self
                    .read(share, span, move |result| StorageResponse::Read { read, result });
            }
            StorageRequest::Open { share, .. }
            | StorageRequest::Keep { share, .. }
            | StorageRequest::Reserve { share, .. }
            | StorageRequest::Write { share, .. }
            | StorageRequest::Commit { share, .. }
            | StorageRequest::Finish { share, .. }
            | StorageRequest::Close { share, .. } => *share,
        };
        let last = matches!(request, StorageRequest::Close { .. });
        if last && self.sources.remove(&share).is_some() {
            return;
        }
        let queue = self.queues.entry(share).or_insert_with(|| {
            let (queue, waiting) = mpsc::unbounded_channel();
            let carrier =
                Carrier { storage: self.storage.clone(), responses: self.responses.clone() };
            self.tasks.spawn(carrier.run(waiting));
            queue
        });
        if queue.send(request).is_err() {
            debug!("a storage queue has ended before its share was closed");
        }
    }

    /// Waits until all that was asked for is done. There must be nobody waiting for responses.
    pub(crate) async fn finish(mut self) {
        self.queues.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    fn read(
        &mut self,
        share: ShareId,
        span: Span,
        response: impl FnOnce(Result<Vec<u8>, StorageError>) -> StorageResponse + Send + 'static,
    ) {
        let (storage, source) = (self.storage.clone(), self.sources.get(&share).cloned());
        let (responses, reads) = (self.responses.clone(), self.reads.clone());
        self.tasks.spawn(async move {
            let _permit = reads.acquire().await.expect("the semaphore is never closed");
            let read = move || match source {
                Some(source) => source.read(span),
                None => storage.read(share, span),
            };
            let result = spawn_blocking(move || guarded(read)).await;
            if let Ok(result) = result {
                // Fails only when the driver is gone.
                let _ = responses.send(response(result)).await;
            }
        });
    }
}

/// Carries out the requests of one share in order, except that writing goes on during a commit: a
/// commit is about pieces that are written already, and a disk may take a second over it.
#[derive(Clone)]
struct Carrier {
    storage: Arc<dyn Storage>,
    responses: mpsc::Sender<StorageResponse>,
}

impl Carrier {
    async fn run(self, mut waiting: mpsc::UnboundedReceiver<StorageRequest>) {
        let mut commit = JoinSet::new();
        while let Some(request) = waiting.recv().await {
            if !matches!(request, StorageRequest::Write { .. }) {
                while commit.join_next().await.is_some() {}
            }
            if matches!(request, StorageRequest::Commit { .. }) {
                let this = self.clone();
                commit.spawn(async move { this.respond(request).await });
            } else {
                self.respond(request).await;
            }
        }
        while commit.join_next().await.is_some() {}
    }

    async fn respond(&self, request: StorageRequest) {
        let storage = self.storage.clone();
        let work = spawn_blocking(move || carry_out(&*storage, request));
        if let Ok(Some(response)) = work.await {
            // Fails only when the driver is gone. What it asked for is done all the same.
            let _ = self.responses.send(response).await;
        }
    }
}

/// Carries out a request, and gives the answer if there is to be one. It may block.
pub fn carry_out(storage: &dyn Storage, request: StorageRequest) -> Option<StorageResponse> {
    Some(match request {
        StorageRequest::Read { read, share, span } => {
            StorageResponse::Read { read, result: guarded(|| storage.read(share, span)) }
        }
        StorageRequest::Open { share, manifest, signed } => {
            let result = guarded(|| storage.open(share, &manifest, &signed));
            StorageResponse::Opened { share, result }
        }
        StorageRequest::Reserve { share, files } => {
            let result = guarded(|| storage.reserve(share, &files));
            StorageResponse::Reserved { share, result }
        }
        StorageRequest::Write { share, piece, span, bytes } => {
            let result = guarded(|| storage.write(share, piece, span, &bytes));
            StorageResponse::Written { share, piece, result }
        }
        StorageRequest::Commit { share, pieces, batches } => {
            let result = guarded(|| storage.commit(share, &pieces, &batches));
            StorageResponse::Committed { share, result }
        }
        StorageRequest::Finish { share, files } => {
            let result = guarded(|| storage.finish(share, &files));
            StorageResponse::Finished { share, result }
        }
        StorageRequest::Keep { share, batches } => {
            if let Err(error) = guarded(|| storage.keep(share, &batches)) {
                warn!(%error, "what was signed could not be kept");
            }
            return None;
        }
        StorageRequest::Close { share, discard } => {
            let close = || {
                storage.close(share, discard);
                Ok(())
            };
            if let Err(error) = guarded(close) {
                debug!(%error, "closing a share failed");
            }
            return None;
        }
    })
}

/// Does `work`. If it panics, that is this share's misfortune only.
fn guarded<T>(work: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(StorageError::Other("storing failed unexpectedly; try again, and report it".into()))
    })
}

/// What a failure to read `name` is to the core.
pub(crate) fn read_failed(name: impl std::fmt::Display, error: &io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            StorageError::Gone(format!("{name}: {error}"))
        }
        io::ErrorKind::UnexpectedEof => StorageError::Gone(format!("{name} is too short")),
        _ => failed(name, "read", error),
    }
}

/// What a failure to write `name` is to the core.
fn write_failed(name: impl std::fmt::Display, error: &io::Error) -> StorageError {
    failed(name, "written", error)
}

fn failed(name: impl std::fmt::Display, done: &str, error: &io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StorageError::Full { available: None }
        }
        _ => StorageError::Other(format!(
            "{name} could not be {done} ({error}); check the disk and try again"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc as blocking_mpsc;

    use protocol::identity::DeviceKey;
    use protocol::io::ReadId;
    use protocol::manifest::{Entry, EntryKind, SharePath};

    use super::*;

    const SHARE: ShareId = ShareId([1; 32]);
    const SPAN: Span = Span { file: FileIndex(0), file_offset: 0, payload_offset: 0, length: 1 };

    /// Notes what it is asked, and commits only when it is let.
    struct Slow {
        calls: Mutex<Vec<&'static str>>,
        may_commit: Mutex<blocking_mpsc::Receiver<()>>,
    }

    impl Slow {
        fn note(&self, call: &'static str) {
            self.calls.lock().unwrap().push(call);
        }
    }

    impl Storage for Slow {
        fn open(
            &self,
            _: ShareId,
            _: &Arc<Manifest>,
            _: &SignedManifest,
        ) -> Result<Kept, StorageError> {
            panic!("a disk on fire");
        }

        fn read(&self, _: ShareId, _: Span) -> Result<Vec<u8>, StorageError> {
            self.note("read");
            Ok(vec![7])
        }

        fn write(&self, _: ShareId, _: PieceIndex, _: Span, _: &[u8]) -> Result<(), StorageError> {
            self.note("write");
            Ok(())
        }

        fn commit(
            &self,
            _: ShareId,
            _: &[PieceIndex],
            _: &[HashBatch],
        ) -> Result<(), StorageError> {
            self.may_commit.lock().unwrap().recv().unwrap();
            self.note("commit");
            Ok(())
        }

        fn finish(&self, _: ShareId, _: &[FileIndex]) -> Result<(), StorageError> {
            self.note("finish");
            Ok(())
        }

        fn close(&self, _: ShareId, _: bool) {
            self.note("close");
        }

        fn reserve(&self, _: ShareId, _: &[FileIndex]) -> Result<(), StorageError> {
            Ok(())
        }

        fn available(&self) -> Option<u64> {
            None
        }

        fn keep(&self, _: ShareId, _: &[HashBatch]) -> Result<(), StorageError> {
            Ok(())
        }

        fn places(&self, _: ShareId) -> Vec<(FileIndex, PathBuf)> {
            Vec::new()
        }
    }

    fn slow() -> (Arc<Slow>, Files, mpsc::Receiver<StorageResponse>, blocking_mpsc::Sender<()>) {
        let (let_commit, may_commit) = blocking_mpsc::channel();
        let calls = Mutex::default();
        let slow = Arc::new(Slow { calls, may_commit: Mutex::new(may_commit) });
        let (sender, responses) = mpsc::channel(16);
        (slow.clone(), Files::new(slow, sender), responses, let_commit)
    }

    fn write() -> StorageRequest {
        StorageRequest::Write { share: SHARE, piece: PieceIndex(0), span: SPAN, bytes: vec![7] }
    }

    fn commit() -> StorageRequest {
        StorageRequest::Commit { share: SHARE, pieces: vec![], batches: vec![] }
    }

    #[tokio::test]
    async fn a_slow_commit_holds_up_what_must_come_after_it_and_nothing_else() {
        let (slow, mut files, mut responses, let_commit) = slow();
        files.request(write());
        files.request(commit());
        files.request(write());
        for _ in 0..2 {
            let response = responses.recv().await.unwrap();
            assert!(matches!(response, StorageResponse::Written { .. }), "{response:?}");
        }
        files.request(StorageRequest::Read { read: ReadId(1), share: SHARE, span: SPAN });
        let response = responses.recv().await.unwrap();
        assert!(matches!(response, StorageResponse::Read { .. }), "{response:?}");
        files.request(commit());
        files.request(StorageRequest::Finish { share: SHARE, files: vec![] });
        let_commit.send(()).unwrap();
        let_commit.send(()).unwrap();
        for _ in 0..2 {
            let response = responses.recv().await.unwrap();
            assert!(matches!(response, StorageResponse::Committed { .. }), "{response:?}");
        }
        let response = responses.recv().await.unwrap();
        assert!(matches!(response, StorageResponse::Finished { .. }), "{response:?}");
        files.finish().await;
        let expected = ["write", "write", "read", "commit", "commit", "finish"];
        assert_eq!(*slow.calls.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn what_was_asked_for_is_done_before_leaving() {
        let (slow, mut files, responses, let_commit) = slow();
        files.request(write());
        files.request(commit());
        files.request(StorageRequest::Close { share: SHARE, discard: false });
        drop(responses);
        let_commit.send(()).unwrap();
        files.finish().await;
        assert_eq!(*slow.calls.lock().unwrap(), ["write", "commit", "close"]);
    }

    #[tokio::test]
    async fn a_storage_that_panics_is_an_answer_and_not_the_end() {
        let (_, mut files, mut responses, _let_commit) = slow();
        let entry = Entry {
            path: SharePath::new("a").unwrap(),
            kind: EntryKind::File { size: 1 },
            modified_ms: None,
        };
        let key = DeviceKey::from_bytes([1; 32]);
        let manifest = Arc::new(Manifest::new(key.public(), vec![entry]).unwrap());
        let room = protocol::signaling::RoomId([0; 16]);
        let signed = Arc::new(SignedManifest::sign(&manifest, room, &key).unwrap());
        files.request(StorageRequest::Open { share: SHARE, manifest, signed });
        let response = responses.recv().await.unwrap();
        assert!(matches!(response, StorageResponse::Opened { result: Err(_), .. }), "{response:?}");
        files.request(write());
        let response = responses.recv().await.unwrap();
        assert!(matches!(response, StorageResponse::Written { result: Ok(()), .. }));
    }
}
