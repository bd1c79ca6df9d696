//! The origin-private file system, as futures and results: directories, small files read and written
//! whole, and files written in place through a sync access handle (File System Standard).

use protocol::io::StorageError;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemReadWriteOptions, FileSystemRemoveOptions,
    FileSystemSyncAccessHandle,
};

use crate::{buffer, clock, error};

/// How often and after how many milliseconds it is looked whether a file was let go of.
const RELEASE_LOOKS: u32 = 40;
const RELEASE_LOOK_MS: i32 = 50;

/// A directory in a directory.
pub(crate) async fn directory(
    parent: &FileSystemDirectoryHandle,
    name: &str,
    create: bool,
) -> Result<FileSystemDirectoryHandle, JsValue> {
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(create);
    let handle = JsFuture::from(parent.get_directory_handle_with_options(name, &options)).await?;
    Ok(handle.unchecked_into())
}

/// A file in a directory.
pub(crate) async fn file(
    parent: &FileSystemDirectoryHandle,
    name: &str,
    create: bool,
) -> Result<FileSystemFileHandle, JsValue> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(create);
    let handle = JsFuture::from(parent.get_file_handle_with_options(name, &options)).await?;
    Ok(handle.unchecked_into())
}

/// What a file is at the moment. In Chromium it cannot be read any more once the file was written to.
pub(crate) async fn snapshot(handle: &FileSystemFileHandle) -> Result<File, JsValue> {
    Ok(JsFuture::from(handle.get_file()).await?.unchecked_into())
}

/// All bytes of a small blob.
pub(crate) async fn bytes(blob: &Blob) -> Result<Vec<u8>, JsValue> {
    let buffer = JsFuture::from(blob.array_buffer()).await?;
    Ok(buffer::take(buffer.unchecked_ref()))
}

/// Removes an entry with all that is in it.
pub(crate) async fn remove(parent: &FileSystemDirectoryHandle, name: &str) -> Result<(), JsValue> {
    let options = FileSystemRemoveOptions::new();
    options.set_recursive(true);
    JsFuture::from(parent.remove_entry_with_options(name, &options)).await.map(drop)
}

/// The names in a directory.
pub(crate) async fn names(directory: &FileSystemDirectoryHandle) -> Result<Vec<String>, JsValue> {
    let (keys, mut names) = (directory.keys(), Vec::new());
    loop {
        let next: js_sys::IteratorNext = JsFuture::from(keys.next()?).await?.unchecked_into();
        if next.done() {
            return Ok(names);
        }
        names.extend(next.value().as_string());
    }
}

/// A file open for reading and writing in place, by this worker alone. Closed once dropped.
pub(crate) struct SyncFile(FileSystemSyncAccessHandle);

impl SyncFile {
    /// Opens a file of a directory, made if need be.
    pub(crate) async fn open(
        parent: &FileSystemDirectoryHandle,
        name: &str,
    ) -> Result<Self, JsValue> {
        let handle = file(parent, name, true).await?;
        for _ in 0..RELEASE_LOOKS {
            match JsFuture::from(handle.create_sync_access_handle()).await {
                // A page that was reloaded may still have it.
                Err(thrown) if error::name(&thrown) == "NoModificationAllowedError" => {
                    clock::sleep(RELEASE_LOOK_MS).await;
                }
                opened => return opened.map(|access| Self(access.unchecked_into())),
            }
        }
        Err(error::to_js("another tab has the file open; close that tab and try again"))
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> Result<u64, StorageError> {
        self.0.get_size().map(|size| size as u64).map_err(|thrown| error::storage(&thrown))
    }

    /// Cuts it or fills it up with zeros.
    pub(crate) fn set_length(&self, length: u64) -> Result<(), StorageError> {
        self.0.truncate_with_f64(length as f64).map_err(|thrown| error::storage(&thrown))
    }

    /// Writes all bytes.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let written = self
            .0
            .write_with_u8_array_and_options(bytes, &at(offset))
            .map_err(|thrown| error::storage(&thrown))?;
        // Chromium throws on a full disk; Firefox writes what fits.
        let fits = written as usize == bytes.len();
        if fits { Ok(()) } else { Err(StorageError::Full { available: None }) }
    }

    /// Reads so many bytes.
    pub(crate) fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, StorageError> {
        let mut bytes = vec![0; length as usize];
        let read = self
            .0
            .read_with_u8_array_and_options(&mut bytes, &at(offset))
            .map_err(|thrown| error::storage(&thrown))?;
        if read as usize == bytes.len() {
            Ok(bytes)
        } else {
            Err(StorageError::Gone("what was stored has become shorter".to_owned()))
        }
    }

    /// Makes what was written durable.
    pub(crate) fn flush(&self) -> Result<(), StorageError> {
        self.0.flush().map_err(|thrown| error::storage(&thrown))
    }
}

impl Drop for SyncFile {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn at(offset: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(offset as f64);
    options
}
