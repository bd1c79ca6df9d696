//! Finished files as one blob of few parts, however many files there are: headers and small files are
//! copied together, large files are slices of what is stored and never read. What the headers say is
//! [`crate::zip`]'s.
//!
//! A blob of 40 000 parts takes Chromium half a minute to make and to read, while its bytes take a second
//! to copy. The copies go into a file of the origin-private file system: in memory, the browser would
//! hold them as long as somebody may save them. Only where there is no disk, or too little of it, and for
//! what is small altogether, memory has to do.

use std::cell::Cell;

use js_sys::Array;
use protocol::piece::FileIndex;
use wasm_bindgen::JsValue;
use web_sys::{Blob, BlobPropertyBag, FileSystemDirectoryHandle, FileSystemFileHandle};

use crate::layout::Slice;
use crate::opfs::{self, SyncFile};
use crate::storage::Finished;
use crate::{buffer, error, source};

/// The directory of a store in which archives are made.
const SCRATCH: &str = "archives";
/// Files of so many bytes and more are slices. To copy fewer takes less time than another part does.
const LARGE: u64 = 1 << 20;
/// Bytes that are read and written together: what archives take of memory, twice.
const BATCH_BYTES: usize = 1 << 20;

/// Room on disk for archives, as long as the page is there.
pub(crate) struct Scratch {
    directory: FileSystemDirectoryHandle,
    /// The name of the next file. None is written to again: somebody may be saving it.
    next: Cell<u32>,
}

impl Scratch {
    /// Makes room in a store, and gives back what an earlier load of the page took.
    pub(crate) async fn new(store: &FileSystemDirectoryHandle) -> Result<Self, JsValue> {
        // There need not be any.
        let _ = opfs::remove(store, SCRATCH).await;
        let directory = opfs::directory(store, SCRATCH, true).await?;
        Ok(Self { directory, next: Cell::new(0) })
    }

    async fn file(&self) -> Result<OnDisk, JsValue> {
        let name = self.next.replace(self.next.get() + 1).to_string();
        let file = SyncFile::open(&self.directory, &name).await?;
        let handle = opfs::file(&self.directory, &name, false).await?;
        Ok(OnDisk { file, handle, length: 0 })
    }
}

/// Puts an archive together, from front to back.
pub(crate) struct Archive<'a> {
    finished: &'a Finished,
    parts: Vec<Part>,
    batch: Batch,
    copied: Copied<'a>,
}

/// A part of an archive.
enum Part {
    /// Of what is copied: so many bytes after those of the parts before.
    Copied { length: u64 },
    /// Of what is stored.
    Stored(Slice),
}

impl<'a> Archive<'a> {
    pub(crate) fn new(finished: &'a Finished) -> Self {
        Self {
            finished,
            parts: Vec::new(),
            batch: Batch::default(),
            copied: Copied { scratch: finished.scratch.as_deref(), disk: None, memory: Vec::new() },
        }
    }

    /// Adds bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.batch.bytes.extend_from_slice(bytes);
        self.grow(bytes.len() as u64);
    }

    /// Adds a file.
    pub(crate) async fn file(&mut self, file: FileIndex) -> Result<(), JsValue> {
        let slices = self.finished.slices(file)?;
        if slices.iter().map(|slice| slice.length).sum::<u64>() >= LARGE {
            self.parts.extend(slices.into_iter().map(Part::Stored));
            return Ok(());
        }
        for slice in slices {
            self.batch.slice(slice);
            self.grow(slice.length);
        }
        if self.batch.bytes.len() >= BATCH_BYTES {
            self.copy().await?;
        }
        Ok(())
    }

    /// The archive.
    pub(crate) async fn finish(mut self) -> Result<Blob, JsValue> {
        let copied = if self.copied.is_empty() {
            // All in one batch is not worth a file.
            let bytes = std::mem::take(&mut self.batch).fill(|it| self.finished.read(it)).await?;
            buffer::blob(&bytes)?
        } else {
            self.copy().await?;
            self.copied.finish().await?
        };
        let (blobs, mut at) = (Array::new(), 0);
        for part in self.parts {
            let blob = match part {
                Part::Copied { length } => {
                    at += length;
                    source::slice(&copied, at - length, length)?
                }
                Part::Stored(slice) => self.finished.slice(slice)?,
            };
            blobs.push(&blob);
        }
        let options = BlobPropertyBag::new();
        options.set_type(source::ANY_BYTES);
        Blob::new_with_blob_sequence_and_options(&blobs, &options)
    }

    /// Counts bytes that the batch was given.
    fn grow(&mut self, by: u64) {
        match self.parts.last_mut() {
            Some(Part::Copied { length }) => *length += by,
            _ => self.parts.push(Part::Copied { length: by }),
        }
    }

    async fn copy(&mut self) -> Result<(), JsValue> {
        let bytes = std::mem::take(&mut self.batch).fill(|it| self.finished.read(it)).await?;
        self.copied.append(&bytes).await
    }
}

/// What was copied so far: on disk as long as there is room, and what comes after in memory.
struct Copied<'a> {
    scratch: Option<&'a Scratch>,
    disk: Option<OnDisk>,
    memory: Vec<Blob>,
}

struct OnDisk {
    file: SyncFile,
    handle: FileSystemFileHandle,
    length: u64,
}

impl Copied<'_> {
    fn is_empty(&self) -> bool {
        self.disk.is_none() && self.memory.is_empty()
    }

    async fn append(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        if let (Some(scratch), None) = (self.scratch, &self.disk) {
            self.disk = scratch.file().await.ok();
        }
        if let (Some(disk), []) = (&mut self.disk, self.memory.as_slice())
            && disk.file.write(disk.length, bytes).is_ok()
        {
            disk.length += bytes.len() as u64;
            return Ok(());
        }
        self.memory.push(buffer::blob(bytes)?);
        Ok(())
    }

    async fn finish(self) -> Result<Blob, JsValue> {
        let blobs = Array::new();
        if let Some(OnDisk { file, handle, length }) = self.disk {
            // Lets go of the file: no write may come after the snapshot.
            drop(file);
            let snapshot = opfs::snapshot(&handle).await?;
            if (snapshot.size() as u64) < length {
                return Err(error::to_js("what was put together became shorter"));
            }
            let written = source::slice(&snapshot, 0, length)?;
            blobs.push(&written);
        }
        for blob in &self.memory {
            blobs.push(blob);
        }
        Blob::new_with_blob_sequence(&blobs)
    }
}

/// Bytes that are copied together.
#[derive(Default)]
struct Batch {
    /// With zeros where slices go.
    bytes: Vec<u8>,
    /// What goes where.
    slices: Vec<(usize, Slice)>,
}

impl Batch {
    fn slice(&mut self, slice: Slice) {
        let at = self.bytes.len();
        self.slices.push((at, slice));
        self.bytes.resize(at + slice.length as usize, 0);
    }

    /// Reads the slices, those that lie end to end at once, and gives the bytes.
    async fn fill(
        mut self,
        read: impl AsyncFn(Slice) -> Result<Vec<u8>, JsValue>,
    ) -> Result<Vec<u8>, JsValue> {
        self.slices.sort_unstable_by_key(|(_, slice)| (slice.part, slice.offset));
        let touch = |a: &(usize, Slice), b: &(usize, Slice)| {
            (a.1.part, a.1.offset + a.1.length) == (b.1.part, b.1.offset)
        };
        for run in self.slices.chunk_by(touch) {
            let first = run[0].1;
            let length = run.iter().map(|(_, slice)| slice.length).sum();
            let found = read(Slice { length, ..first }).await?;
            if found.len() as u64 != length {
                return Err(error::to_js("what was stored became shorter"));
            }
            for (at, slice) in run {
                let from = (slice.offset - first.offset) as usize;
                let length = slice.length as usize;
                self.bytes[*at..at + length].copy_from_slice(&found[from..from + length]);
            }
        }
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_lies_end_to_end_is_read_at_once_and_ends_up_where_it_belongs() {
        let parts: [Vec<u8>; 2] = [(0..100).collect(), (100..200).collect()];
        let slice = |part, offset, length| Slice { part, offset, length };
        let mut batch = Batch::default();
        let mut expected = Vec::new();
        // In another order than they lie in, and one that stands apart.
        let slices =
            [slice(0, 20, 10), slice(1, 5, 5), slice(0, 0, 20), slice(0, 30, 1), slice(0, 40, 2)];
        for (i, it) in (200..).zip(slices) {
            batch.bytes.push(i);
            batch.slice(it);
            expected.push(i);
            expected.extend(&parts[it.part][it.offset as usize..(it.offset + it.length) as usize]);
        }
        let reads = RefCell::new(Vec::new());
        let read = async |it: Slice| {
            reads.borrow_mut().push(it);
            Ok(parts[it.part][it.offset as usize..(it.offset + it.length) as usize].to_vec())
        };
        let filled = batch.fill(read).now_or_never().expect("nothing waits");
        assert_eq!(filled.unwrap(), expected);
        assert_eq!(reads.into_inner(), [slice(0, 0, 31), slice(0, 40, 2), slice(1, 5, 5)]);
    }
}
