//! Reads from files that people picked, and from blobs in general: `File.slice`, a few at a time.

use std::rc::Rc;

use futures_channel::mpsc;
use futures_util::StreamExt;
use protocol::io::{ReadId, StorageError, StorageResponse};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Blob;

use crate::{error, opfs};

/// Reads under way at once. One at a time leaves the disk idle between them; more than a few gain
/// nothing.
const READS_AT_ONCE: usize = 4;

/// Where answers of the storage go.
pub(crate) type Respond = Rc<dyn Fn(StorageResponse)>;

/// Carries out reads, in no particular order.
#[derive(Clone)]
pub(crate) struct Reader {
    /// As long as what the core asks for at once, which it bounds.
    reads: mpsc::UnboundedSender<Read>,
}

struct Read {
    read: ReadId,
    blob: Blob,
    offset: u64,
    length: u32,
}

impl Reader {
    pub(crate) fn new(respond: Respond) -> Self {
        let (reads, queue) = mpsc::unbounded::<Read>();
        spawn_local(queue.for_each_concurrent(READS_AT_ONCE, move |read| {
            let respond = respond.clone();
            async move {
                let result = read_slice(&read).await;
                respond(StorageResponse::Read { read: read.read, result });
            }
        }));
        Self { reads }
    }

    /// Reads a part of a blob and responds with [`StorageResponse::Read`].
    pub(crate) fn read(&self, read: ReadId, blob: &Blob, offset: u64, length: u32) {
        let read = Read { read, blob: blob.clone(), offset, length };
        self.reads.unbounded_send(read).expect("the reader runs as long as the worker");
    }
}

async fn read_slice(read: &Read) -> Result<Vec<u8>, StorageError> {
    let all = read.offset == 0 && read.blob.size() == f64::from(read.length);
    // A slice is a blob of its own to the browser: of small files, Chromium reads whole ones three times
    // as fast.
    let slice = if all {
        read.blob.clone()
    } else {
        slice(&read.blob, read.offset, u64::from(read.length)).map_err(|e| source(&e))?
    };
    let bytes = opfs::bytes(&slice).await.map_err(|thrown| source(&thrown))?;
    if bytes.len() == read.length as usize { Ok(bytes) } else { Err(StorageError::Changed) }
}

/// The type of all blobs that are saved as files: their names say what they are.
pub(crate) const ANY_BYTES: &str = "application/octet-stream";

/// A part of a blob; reads nothing.
pub(crate) fn slice(blob: &Blob, offset: u64, length: u64) -> Result<Blob, JsValue> {
    let (start, end) = (offset as f64, (offset + length) as f64);
    blob.slice_with_f64_and_f64_and_content_type(start, end, ANY_BYTES)
}

/// What browsers throw when a picked file is not what it was (File API, section 8.1).
fn source(thrown: &JsValue) -> StorageError {
    match error::name(thrown).as_str() {
        "NotReadableError" => StorageError::Changed,
        _ => error::storage(thrown),
    }
}
