//! Reads from files that people picked, and from blobs in general: `File.slice`, a few at a time. Small
//! reads that wait together are done as one. A file that cannot be read any more is told of, as people
//! may help; one that has changed makes the read fail with its name.

use std::rc::Rc;

use futures_channel::mpsc;
use futures_util::{StreamExt, stream};
use js_sys::Array;
use protocol::io::{ReadId, StorageError, StorageResponse};
use protocol::manifest::ShareId;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, File};

use crate::{error, opfs};

/// Reads under way at once. One at a time leaves the disk idle between them; more than a few gain
/// nothing.
const READS_AT_ONCE: usize = 4;
/// Reads looked at together.
const READS_TAKEN: usize = 256;

/// What small reads are joined up to. To a browser a read is messages between processes and a pipe: of
/// many files in one blob Chromium reads twice as many in the same time.
const JOINED_BYTES: u64 = 256 << 10;

/// Where answers of the storage go.
pub(crate) type Respond = Rc<dyn Fn(StorageResponse)>;

/// Carries out reads, in no particular order.
#[derive(Clone)]
pub(crate) struct Reader {
    /// As long as what the core asks for at once, which it bounds.
    reads: mpsc::UnboundedSender<Read>,
}

/// A file of a share of ours.
pub(crate) struct Source {
    pub(crate) share: ShareId,
    pub(crate) path: String,
    pub(crate) file: File,
}

/// Hears of shares of ours whose files cannot be read any more.
pub(crate) type Lost = Rc<dyn Fn(ShareId)>;

struct Read {
    read: ReadId,
    blob: Blob,
    offset: u64,
    length: u32,
    /// What it is a part of, unless it is of a store.
    source: Option<Rc<Source>>,
}

impl Read {
    fn end(&self) -> u64 {
        self.offset + u64::from(self.length)
    }
}

impl Reader {
    pub(crate) fn new(respond: Respond, lost: Lost) -> Self {
        let (reads, queue) = mpsc::unbounded::<Read>();
        let jobs = queue.ready_chunks(READS_TAKEN).map(|reads| stream::iter(join(reads))).flatten();
        spawn_local(jobs.for_each_concurrent(READS_AT_ONCE, move |reads| {
            let (respond, lost) = (respond.clone(), lost.clone());
            async move {
                for (read, result) in carry_out(reads, &lost).await {
                    respond(StorageResponse::Read { read, result });
                }
            }
        }));
        Self { reads }
    }

    /// Reads a part of a file of ours and responds with [`StorageResponse::Read`].
    pub(crate) fn read(&self, read: ReadId, source: &Rc<Source>, offset: u64, length: u32) {
        let blob = source.file.clone().into();
        self.send(Read { read, blob, offset, length, source: Some(source.clone()) });
    }

    /// Reads a part of a blob of a store and responds with [`StorageResponse::Read`].
    pub(crate) fn read_stored(&self, read: ReadId, blob: &Blob, offset: u64, length: u32) {
        self.send(Read { read, blob: blob.clone(), offset, length, source: None });
    }

    fn send(&self, read: Read) {
        self.reads.unbounded_send(read).expect("the reader runs as long as the worker");
    }
}

/// Puts reads together, those that wait next to each other.
fn join(reads: Vec<Read>) -> Vec<Vec<Read>> {
    let mut jobs: Vec<Vec<Read>> = Vec::new();
    let mut bytes = 0;
    for read in reads {
        bytes += u64::from(read.length);
        match jobs.last_mut() {
            Some(job) if bytes <= JOINED_BYTES => job.push(read),
            _ => {
                bytes = u64::from(read.length);
                jobs.push(vec![read]);
            }
        }
    }
    jobs
}

async fn carry_out(reads: Vec<Read>, lost: &Lost) -> Vec<(ReadId, Result<Vec<u8>, StorageError>)> {
    if let Ok(found) = read_joined(&reads).await {
        return reads.iter().map(|it| it.read).zip(found.into_iter().map(Ok)).collect();
    }
    // Which of them is it?
    let mut results = Vec::with_capacity(reads.len());
    for it in &reads {
        let found = read_joined(std::slice::from_ref(it)).await;
        let found = found.map(|mut found| found.pop().unwrap_or_default());
        results.push((it.read, found.map_err(|failed| failed.told(it.source.as_deref(), lost))));
    }
    results
}

/// Why a read failed.
enum Failed {
    /// There is less than there was.
    Shorter,
    Thrown(JsValue),
}

impl Failed {
    /// What the core is told. What browsers throw when a picked file is not what it was is in the File
    /// API, section 8.1; that people withdrew their permission, in File System Access.
    fn told(self, source: Option<&Source>, lost: &Lost) -> StorageError {
        match (source, self) {
            (None, Self::Shorter) => {
                StorageError::Gone("what was stored became shorter".to_owned())
            }
            (None, Self::Thrown(thrown)) => error::storage(&thrown),
            (Some(source), Self::Shorter) => StorageError::Changed(source.path.clone()),
            (Some(source), Self::Thrown(thrown)) => match error::name(&thrown).as_str() {
                "NotReadableError" => StorageError::Changed(source.path.clone()),
                "NotFoundError" | "NotAllowedError" | "SecurityError" => {
                    lost(source.share);
                    StorageError::Gone(source.path.clone())
                }
                _ => error::storage(&thrown),
            },
        }
    }
}

/// Reads all, or fails as a whole.
async fn read_joined(reads: &[Read]) -> Result<Vec<Vec<u8>>, Failed> {
    let blobs = Array::new();
    for run in reads.chunk_by(|a, b| a.blob == b.blob && a.end() == b.offset) {
        let (start, end) = (run[0].offset, run[run.len() - 1].end());
        let blob = &run[0].blob;
        let all = start == 0 && blob.size() == end as f64;
        // A slice is a blob of its own to the browser: of small files, Chromium reads whole ones three
        // times as fast.
        let part = if all {
            blob.clone()
        } else {
            slice(blob, start, end - start).map_err(Failed::Thrown)?
        };
        blobs.push(&part);
    }
    let blob = match blobs.length() {
        1 => blobs.get(0).unchecked_into(),
        _ => Blob::new_with_blob_sequence(&blobs).map_err(Failed::Thrown)?,
    };
    let bytes = opfs::bytes(&blob).await.map_err(Failed::Thrown)?;
    if bytes.len() as u64 != reads.iter().map(|it| u64::from(it.length)).sum::<u64>() {
        return Err(Failed::Shorter);
    }
    if reads.len() == 1 {
        return Ok(vec![bytes]);
    }
    let mut rest = bytes.as_slice();
    let mut take = |length: u32| {
        let (taken, after) = rest.split_at(length as usize);
        rest = after;
        taken.to_vec()
    };
    Ok(reads.iter().map(|it| take(it.length)).collect())
}

/// The type of all blobs that are saved as files, which browsers save and never show: their names say what
/// they are.
pub(crate) const ANY_BYTES: &str = "application/octet-stream";

/// A part of a blob; reads nothing.
pub(crate) fn slice(blob: &Blob, offset: u64, length: u64) -> Result<Blob, JsValue> {
    let (start, end) = (offset as f64, (offset + length) as f64);
    blob.slice_with_f64_and_f64_and_content_type(start, end, ANY_BYTES)
}
