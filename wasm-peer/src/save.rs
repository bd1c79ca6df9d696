//! Finished files on their way out: as a blob for a download, or as files in a picked directory. Their
//! names are what [`protocol::names`] makes of those in the manifest. Nothing is ever opened or shown:
//! blobs have the type of plain bytes.

use std::collections::{BTreeMap, BTreeSet};

use js_sys::{JsString, Reflect};
use protocol::manifest::{EntryKind, Manifest};
use protocol::names::{self, FileSystem, numbered, safe_top};
use protocol::piece::{FileHash, FileIndex, Geometry, PieceIndex};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemWritableFileStream,
};

use crate::archive::Archive;
use crate::storage::Finished;
use crate::zip::{Content, Member, ZipWriter};
use crate::{error, opfs, source};

/// Bytes of a written file that are read back at once. In smaller pieces browsers take far longer.
const READ_BACK_BYTES: u64 = 4 << 20;

/// A blob with the name it should be saved under.
#[derive(Serialize, Deserialize)]
pub(crate) struct SaveableBlob {
    #[serde(with = "serde_wasm_bindgen::preserve")]
    blob: Blob,
    name: String,
}

/// One file as it is, the one that is asked for or the only one there is; anything else as a ZIP, with empty
/// directories if all files are there. Nothing large is read.
pub(crate) async fn saveable(
    finished: &Finished,
    file: Option<FileIndex>,
) -> Result<SaveableBlob, JsValue> {
    let manifest = &finished.manifest;
    if let Some(file) = file {
        return one(finished, file);
    }
    let alone = finished.files.len() == 1
        && match manifest.entries() {
            [entry] => entry.path.components().count() == 1,
            _ => !finished.is_whole(),
        };
    if let (Some(&file), true) = (finished.files.first(), alone) {
        return one(finished, file);
    }
    let name = safe_top(&format!("{}.zip", manifest.title()), here()).into_owned();
    if let Some(blob) = finished.archive.get() {
        return Ok(SaveableBlob { blob: blob.clone(), name });
    }
    let blob = archive(finished).await?;
    Ok(SaveableBlob { blob: finished.archive.get_or_init(|| blob).clone(), name })
}

fn one(finished: &Finished, file: FileIndex) -> Result<SaveableBlob, JsValue> {
    let name = finished.manifest.file(file).path.components().last().unwrap_or_default();
    let name = safe_top(name, here()).into_owned();
    Ok(SaveableBlob { blob: finished.file(file)?, name })
}

/// A ZIP of the finished files.
async fn archive(finished: &Finished) -> Result<Blob, JsValue> {
    let manifest = &finished.manifest;
    let mut archive = Archive::new(finished);
    let mut zip = ZipWriter::default();
    let mut files = manifest.files();
    for (entry, path) in manifest.entries().iter().zip(places(manifest, here())) {
        let (content, file) = match entry.kind {
            EntryKind::Directory if !finished.is_whole() => continue,
            EntryKind::Directory => (Content::Directory, None),
            EntryKind::File { size } => {
                let (file, _) =
                    files.next().expect("every entry that is a file is among the files");
                if !finished.files.contains(&file) {
                    continue;
                }
                (Content::File { size, crc32: finished.crc32(file) }, Some(file))
            }
        };
        archive.bytes(&zip.member(&Member {
            path: &path,
            content,
            modified_ms: entry.modified_ms,
        }));
        if let Some(file) = file {
            archive.file(file).await?;
        }
    }
    archive.bytes(&zip.finish());
    archive.finish().await
}

/// What was written into a picked directory so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    files: BTreeSet<FileIndex>,
    /// What the outermost folders of the share are called there.
    tops: BTreeMap<String, String>,
}

/// Writes finished files into a picked directory, and with the last of all the empty directories. What
/// is there already is kept: the new gets another name. Each file is read back before it counts. An error
/// is a sentence that names the first path that could not be written.
pub(crate) async fn into_directory(
    finished: &Finished,
    directory: &FileSystemDirectoryHandle,
    hashes: &BTreeMap<FileIndex, FileHash>,
    written: &mut Written,
) -> Result<(), String> {
    let mut files = finished.manifest.files();
    // Chromium, which alone has such directories, refuses what Windows does wherever it runs.
    let places = places(&finished.manifest, FileSystem { windows: true, ..here() });
    let mut place = Place { root: directory.clone(), tops: &mut written.tops, parent: None };
    for (entry, path) in finished.manifest.entries().iter().zip(&places) {
        let file = match entry.kind {
            EntryKind::Directory if !finished.is_whole() => continue,
            EntryKind::Directory => None,
            EntryKind::File { .. } => files.next().map(|(file, _)| file),
        };
        if file.is_some_and(|f| !finished.files.contains(&f) || written.files.contains(&f)) {
            continue;
        }
        // One after the other: several at once take as long.
        let write = async {
            let handle = place.make(entry.kind, path).await?;
            let (Some(handle), Some(file)) = (handle, file) else { return Ok(()) };
            let done = match hashes.get(&file) {
                Some(hash) => write_file(&handle, finished, file, hash).await,
                None => Err(error::to_js("its hash is not known")),
            };
            if done.is_err() {
                place.discard(&handle).await;
            }
            done
        };
        let done: Result<(), JsValue> = write.await;
        done.map_err(|thrown| {
            let path = names::readable(entry.path.as_str());
            format!("could not write {path}: {}", error::message(&thrown))
        })?;
        written.files.extend(file);
    }
    Ok(())
}

/// Where in a picked directory the next entry goes. Entries of one folder follow each other.
struct Place<'a> {
    root: FileSystemDirectoryHandle,
    /// What outermost folders are called here.
    tops: &'a mut BTreeMap<String, String>,
    /// The folder of the last entry.
    parent: Option<(&'a str, FileSystemDirectoryHandle)>,
}

impl<'a> Place<'a> {
    /// Makes an entry under a free name: an empty file, whose handle is given, or a directory.
    async fn make(
        &mut self,
        kind: EntryKind,
        path: &'a str,
    ) -> Result<Option<FileSystemFileHandle>, JsValue> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = match &self.parent {
            Some((of, handle)) if *of == folder => handle.clone(),
            _ => {
                let handle = self.folder(folder).await?;
                self.parent = Some((folder, handle.clone()));
                handle
            }
        };
        let directory = kind == EntryKind::Directory;
        let name = free_name(&parent, name, directory).await?;
        if directory {
            return opfs::directory(&parent, &name, true).await.map(|_| None);
        }
        opfs::file(&parent, &name, true).await.map(Some)
    }

    /// Removes the file that was made last.
    async fn discard(&self, handle: &FileSystemFileHandle) {
        if let Some((_, parent)) = &self.parent {
            // If it cannot be removed it stays as it is, and the next attempt takes another name.
            let _ = opfs::remove(parent, &handle.name()).await;
        }
    }

    async fn folder(&mut self, path: &'a str) -> Result<FileSystemDirectoryHandle, JsValue> {
        let mut handle = self.root.clone();
        if path.is_empty() {
            return Ok(handle);
        }
        let (top, inner) = path.split_once('/').unwrap_or((path, ""));
        let given = match self.tops.get(top) {
            Some(given) => given.clone(),
            None => free_name(&self.root, top, true).await?,
        };
        handle = opfs::directory(&handle, &given, true).await?;
        self.tops.insert(top.to_owned(), given);
        for name in inner.split('/').filter(|name| !name.is_empty()) {
            handle = match opfs::directory(&handle, name, true).await {
                Err(thrown) if is_refusal(&thrown) => {
                    opfs::directory(&handle, &instead_of(name), true).await?
                }
                made => made?,
            };
        }
        Ok(handle)
    }
}

/// Writes a file and reads it back.
async fn write_file(
    handle: &FileSystemFileHandle,
    finished: &Finished,
    file: FileIndex,
    hash: &FileHash,
) -> Result<(), JsValue> {
    let stream: FileSystemWritableFileStream =
        JsFuture::from(handle.create_writable()).await?.unchecked_into();
    JsFuture::from(stream.write_with_blob(&finished.file(file)?)?).await?;
    JsFuture::from(stream.close()).await?;
    let written = opfs::snapshot(handle).await?;
    check(&written, finished.manifest.geometry(), file, hash).await
}

/// Reads a file that was written and compares it with what its origin signed, length and hash.
async fn check(
    written: &File,
    geometry: &Geometry,
    file: FileIndex,
    hash: &FileHash,
) -> Result<(), JsValue> {
    let (length, wanted) = (written.size() as u64, geometry.file_size(file));
    if length != wanted {
        return Err(error::to_js(&format!("{length} of {wanted} bytes were written; try again")));
    }
    let mut hashes = BTreeMap::new();
    let pieces: Vec<PieceIndex> = geometry.pieces_of(file).collect();
    let at_once = (READ_BACK_BYTES / geometry.piece_size().bytes()).max(1) as usize;
    for run in pieces.chunks(at_once) {
        let Some(first) = geometry.span(run[0]) else { continue };
        let length = run.iter().map(|&piece| u64::from(geometry.length(piece))).sum();
        let bytes = opfs::bytes(&source::slice(written, first.file_offset, length)?).await?;
        for (&piece, bytes) in run.iter().zip(bytes.chunks(first.length as usize)) {
            hashes.insert(piece, geometry.hash(piece, bytes));
        }
    }
    if geometry.file_hash(file, |piece| hashes.get(&piece).copied().flatten()) == Some(*hash) {
        return Ok(());
    }
    Err(error::to_js("what was written is not what was received; the disk may be damaged"))
}

/// The name itself, or a numbered one if there is something of that name. The file system is asked
/// rather than names compared: some take `A` and `a` for one.
async fn free_name(
    parent: &FileSystemDirectoryHandle,
    name: &str,
    directory: bool,
) -> Result<String, JsValue> {
    let (mut name, mut number) = (name.to_owned(), 0);
    loop {
        let candidate = numbered(&name, number, directory);
        match opfs::file(parent, &candidate, false).await {
            Ok(_) => {}
            Err(thrown) if error::name(&thrown) == "NotFoundError" => return Ok(candidate),
            // A directory.
            Err(thrown) if error::name(&thrown) == "TypeMismatchError" => {}
            Err(thrown) if is_refusal(&thrown) && number == 0 && name != instead_of(&name) => {
                name = instead_of(&name);
                continue;
            }
            Err(thrown) => return Err(thrown),
        }
        number += 1;
    }
}

/// Whether a browser takes a name for none (File System Standard, section 2.4): which ones is its own
/// choice, such as those that end in `.lnk` or `~`.
fn is_refusal(thrown: &JsValue) -> bool {
    error::name(thrown) == "TypeError"
}

/// What a name that a browser refused is called instead.
fn instead_of(name: &str) -> String {
    format!("_{}_", name.trim_matches('_'))
}

fn places(manifest: &Manifest, file_system: FileSystem) -> Vec<String> {
    names::places(manifest, file_system, |text| String::from(JsString::from(text).normalize("NFD")))
}

/// What the system that the page runs on makes of names: the first that files are saved to.
fn here() -> FileSystem {
    let platform = Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"platform".into()));
    let platform = platform.ok().and_then(|platform| platform.as_string()).unwrap_or_default();
    if platform.starts_with("Win") {
        FileSystem::WINDOWS
    } else if ["Mac", "iP"].iter().any(|apple| platform.starts_with(apple)) {
        FileSystem::MACOS
    } else {
        FileSystem::EXACT
    }
}
