//! A file that only grows, and of which nothing that was once added may be lost or stand twice. What is
//! in it is [`crate::journal`]'s.

use protocol::io::StorageError;
use web_sys::FileSystemDirectoryHandle;

use crate::error;
use crate::opfs::SyncFile;

/// A file open for adding to it.
pub(crate) struct Log {
    file: SyncFile,
    /// Bytes that count.
    length: u64,
    /// Whether there may be others after those, of what could not be added.
    torn: bool,
    /// What is to be added before anything else.
    owed: Vec<u8>,
}

impl Log {
    /// Opens a file of a directory, made if need be.
    pub(crate) async fn open(
        directory: &FileSystemDirectoryHandle,
        name: &str,
    ) -> Result<Self, StorageError> {
        let file = SyncFile::open(directory, name).await.map_err(|e| error::storage(&e))?;
        let length = file.length()?;
        Ok(Self { file, length, torn: false, owed: Vec::new() })
    }

    /// All that it says.
    pub(crate) fn read(&self) -> Result<Vec<u8>, StorageError> {
        // No log of ours is longer than 4 GiB: a share has no more than 2^18 pieces.
        self.file.read(0, u32::try_from(self.length).unwrap_or(u32::MAX))
    }

    /// Has it say something else. If that fails it says nothing before it says that.
    pub(crate) fn replace(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        (self.length, self.torn, self.owed) = (0, true, bytes.to_vec());
        self.settle()
    }

    /// Adds to the end and makes it durable. What could not be added is as if it had never been tried.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let before = self.owed.len();
        self.owed.extend_from_slice(bytes);
        let added = self.settle();
        if added.is_err() {
            self.owed.truncate(before);
        }
        added
    }

    fn settle(&mut self) -> Result<(), StorageError> {
        if self.torn {
            self.file.set_length(self.length)?;
            self.torn = false;
        }
        if self.owed.is_empty() {
            return Ok(());
        }
        self.torn = true;
        self.file.write(self.length, &self.owed)?;
        self.file.flush()?;
        self.torn = false;
        self.length += self.owed.len() as u64;
        self.owed.clear();
        Ok(())
    }
}
