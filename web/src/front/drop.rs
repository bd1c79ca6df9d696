//! From what people drop, paste or pick to what is shared: folders are walked, empty ones kept, equal
//! names told apart, and pictures from the clipboard named. Nothing is read here but names.

use futures::future::try_join_all;
use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
    FileSystemFileHandle,
};

use super::browser;
use crate::paths;
use crate::text::text;

/// Whoever pastes a picture made it, or copied it, not longer ago than this before the browser gave it a date.
const MADE_JUST_NOW_MS: f64 = 10_000.0;

/// A file to be shared, or an empty folder.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Names joined by `/`; for one file just its name.
    pub path: String,
    /// None for a folder.
    pub file: Option<File>,
    /// Where it came from, if the browser tells: then it can be read again after a reload.
    pub handle: Option<FileSystemFileHandle>,
}

impl Chosen {
    /// As the peer takes it (`SharedFile`).
    pub fn to_js(&self) -> JsValue {
        let object = Object::new();
        let parts = [
            ("path", Some(self.path.as_str().into())),
            ("file", self.file.as_ref().map(JsValue::from)),
            ("handle", self.handle.as_ref().map(JsValue::from)),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                // A new object takes whatever it is given.
                let _ = Reflect::set(&object, &name.into(), &value);
            }
        }
        object.into()
    }
}

/// What was dropped, before it is walked. Must be taken while the event is handled: browsers forget it after.
#[derive(Debug)]
pub struct Dropped {
    /// With the promise of a handle for each, where the browser has such.
    entries: Vec<(FileSystemEntry, Option<Promise>)>,
    files: Vec<File>,
}

impl Dropped {
    /// What a drop or paste brings; `None` if there is no file in it.
    pub fn take(transfer: &DataTransfer) -> Option<Self> {
        let items = transfer.items();
        let mut entries = Vec::new();
        let mut files = Vec::new();
        for i in 0..items.length() {
            let Some(item) = items.get(i).filter(|item| item.kind() == "file") else { continue };
            match item.webkit_get_as_entry().ok().flatten() {
                Some(entry) => entries.push((entry, browser::handle_of(&item))),
                // What programs make up, such as a pasted image, is on no file system.
                None => files.extend(item.get_as_file().ok().flatten()),
            }
        }
        (!entries.is_empty() || !files.is_empty()).then_some(Self { entries, files })
    }

    /// Walks the folders; `found` is told how many files there are so far. The error is a sentence.
    pub async fn walk(self, found: impl Fn(usize)) -> Result<Vec<Chosen>, String> {
        let mut groups: Vec<Vec<Chosen>> = self.files.into_iter().map(|f| vec![alone(f)]).collect();
        let mut count = groups.len();
        for (entry, handle) in self.entries {
            let mut group = Vec::new();
            let mut folders = Vec::new();
            let is_file = entry.is_file();
            visit(vec![entry], "", &mut group, &mut folders).await?;
            // Of folders, the files in them would each have to be permitted again.
            if let (true, [file], Some(handle)) = (is_file, &mut *group, handle) {
                let handle = JsFuture::from(handle).await.ok();
                file.handle = handle.and_then(|handle| handle.dyn_into().ok());
            }
            while let Some((folder, path)) = folders.pop() {
                let reader = FileSystemDirectoryEntry::create_reader(&folder);
                let mut empty = true;
                // A reader gives a hundred or so at a time, and nothing at the end.
                loop {
                    let batch = called_back(|good, bad| {
                        reader.read_entries_with_callback_and_callback(good, bad)
                    })
                    .await
                    .map_err(|error| unreadable(&path, &error))?;
                    let batch: Vec<FileSystemEntry> =
                        Array::from(&batch).iter().map(JsCast::unchecked_into).collect();
                    if batch.is_empty() {
                        break;
                    }
                    empty = false;
                    visit(batch, &path, &mut group, &mut folders).await?;
                    found(count + group.len());
                }
                if empty {
                    group.push(Chosen { path, file: None, handle: None });
                }
            }
            count += group.len();
            groups.push(group);
        }
        groups.iter_mut().flatten().for_each(name_by_date);
        Ok(apart(groups))
    }
}

/// What was picked as handles.
pub async fn opened(handles: Vec<FileSystemFileHandle>) -> Result<Vec<Chosen>, String> {
    let open = |handle: FileSystemFileHandle| async move {
        let file = JsFuture::from(handle.get_file()).await;
        let file: File = file.map_err(|error| unreadable(&handle.name(), &error))?.unchecked_into();
        let path = file.name();
        Ok::<_, String>(vec![Chosen { path, file: Some(file), handle: Some(handle) }])
    };
    Ok(apart(try_join_all(handles.into_iter().map(open)).await?))
}

/// What was picked with a file input.
pub fn picked(list: &FileList) -> Vec<Chosen> {
    let files = (0..list.length()).filter_map(|i| list.get(i)).map(|file| Chosen {
        // In a picked folder: the path from it on.
        path: Reflect::get(&file, &"webkitRelativePath".into())
            .ok()
            .and_then(|path| path.as_string())
            .filter(|path| !path.is_empty())
            .unwrap_or_else(|| file.name()),
        file: Some(file),
        handle: None,
    });
    let (folder, loose): (Vec<_>, Vec<_>) = files.partition(|file| file.path.contains('/'));
    // Phones let people pick files of one name from many places.
    apart(std::iter::once(folder).chain(loose.into_iter().map(|file| vec![file])).collect())
}

/// Files that came one by one, from many places.
pub fn loose(files: impl Iterator<Item = File>) -> Vec<Chosen> {
    apart(files.map(|file| vec![alone(file)]).collect())
}

/// Sorts entries of the folder at `parent` into files, which are opened, and folders still to be walked.
async fn visit(
    entries: Vec<FileSystemEntry>,
    parent: &str,
    files: &mut Vec<Chosen>,
    folders: &mut Vec<(FileSystemDirectoryEntry, String)>,
) -> Result<(), String> {
    let mut opening = Vec::new();
    for entry in entries {
        let path = match parent {
            "" => entry.name(),
            parent => format!("{parent}/{}", entry.name()),
        };
        if entry.is_directory() {
            folders.push((entry.unchecked_into(), path));
        } else {
            opening.push(open(entry.unchecked_into(), path));
        }
    }
    files.extend(try_join_all(opening).await?);
    Ok(())
}

async fn open(entry: FileSystemFileEntry, path: String) -> Result<Chosen, String> {
    let file = called_back(|good, bad| {
        entry.file_with_callback_and_callback(good, bad);
        Ok(())
    })
    .await
    .map_err(|error| unreadable(&path, &error))?;
    Ok(Chosen { path, file: Some(file.unchecked_into()), handle: None })
}

fn alone(file: File) -> Chosen {
    Chosen { path: file.name(), file: Some(file), handle: None }
}

/// A picture that never was a file, like a screenshot on the clipboard, is `image.png` in all browsers, and of
/// this moment. Its date tells more.
fn name_by_date(shared: &mut Chosen) {
    let Some(file) = &shared.file else { return };
    let Some(("image", extension)) = shared.path.rsplit_once('.') else { return };
    let modified = file.last_modified();
    let is_new = js_sys::Date::now() - modified < MADE_JUST_NOW_MS;
    if is_new && file.type_().starts_with("image/") {
        let name = (text().pasted)(&browser::date_for_name(modified));
        shared.path = format!("{name}.{extension}");
    }
}

fn apart(groups: Vec<Vec<Chosen>>) -> Vec<Chosen> {
    let paths = groups.iter().map(|group| group.iter().map(|file| file.path.clone()).collect());
    let paths = paths::tell_apart(paths.collect());
    let files = groups.into_iter().flatten();
    files.zip(paths.into_iter().flatten()).map(|(file, path)| Chosen { path, ..file }).collect()
}

fn unreadable(path: &str, error: &JsValue) -> String {
    format!("{path}: {}", browser::sentence(error))
}

/// Awaits a function that takes a callback for success and one for failure.
async fn called_back(
    call: impl FnOnce(&Function, &Function) -> Result<(), JsValue>,
) -> Result<JsValue, JsValue> {
    let mut call = Some(call);
    let promise = Promise::new(&mut |good, bad| {
        let call = call.take().expect("a promise calls its executor once");
        if let Err(error) = call(&good, &bad) {
            let _ = bad.call1(&JsValue::NULL, &error);
        }
    });
    JsFuture::from(promise).await
}
