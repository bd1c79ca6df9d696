//! The payload file that is open: pieces that follow each other are written at once, as every write is
//! a call into the system, and small files are small pieces. What is where is [`crate::layout`]'s.

use protocol::io::StorageError;
use web_sys::FileSystemDirectoryHandle;

use crate::error;
use crate::opfs::SyncFile;

/// What is gathered before it is written.
const GATHERED_BYTES: usize = 1 << 20;

/// A file that holds some of the last writes back until [`Payload::flush`]. Dropped before, it forgets
/// them: nothing may count on what was not flushed.
pub(crate) struct Payload {
    file: SyncFile,
    /// Bytes that it has room for.
    length: u64,
    gathered: Vec<u8>,
    /// Where that goes.
    offset: u64,
}

impl Payload {
    pub(crate) async fn open(
        parent: &FileSystemDirectoryHandle,
        name: &str,
    ) -> Result<Self, StorageError> {
        let file = SyncFile::open(parent, name).await.map_err(|e| error::storage(&e))?;
        let length = file.length()?;
        Ok(Self { file, length, gathered: Vec::new(), offset: 0 })
    }

    /// Makes room for so many bytes, which browsers count from then on.
    pub(crate) fn make_room(&mut self, length: u64) -> Result<(), StorageError> {
        if length > self.length {
            self.file.set_length(length)?;
            self.length = length;
        }
        Ok(())
    }

    /// Cuts it to so many bytes, and makes what was written durable.
    pub(crate) fn cut(&mut self, length: u64) -> Result<(), StorageError> {
        self.settle()?;
        if length != self.length {
            self.file.set_length(length)?;
            self.length = length;
        }
        self.file.flush()
    }

    /// Writes all bytes, sooner or later; an error may be that of an earlier write.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let follows = offset == self.offset + self.gathered.len() as u64;
        if !follows || self.gathered.len() + bytes.len() > GATHERED_BYTES {
            self.settle()?;
            self.offset = offset;
        }
        if bytes.len() >= GATHERED_BYTES {
            return self.file.write(offset, bytes);
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads so many bytes.
    pub(crate) fn read(&mut self, offset: u64, length: u32) -> Result<Vec<u8>, StorageError> {
        self.settle()?;
        self.file.read(offset, length)
    }

    /// Makes what was written durable.
    pub(crate) fn flush(&mut self) -> Result<(), StorageError> {
        self.settle()?;
        self.file.flush()
    }

    /// Writes what was held back. If that fails it is held back on: whoever wrote it counts on it.
    fn settle(&mut self) -> Result<(), StorageError> {
        if !self.gathered.is_empty() {
            self.file.write(self.offset, &self.gathered)?;
            self.gathered.clear();
        }
        Ok(())
    }
}
