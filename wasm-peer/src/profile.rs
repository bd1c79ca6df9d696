//! What a browser profile keeps for Shoal in the origin-private file system: the device key, which all
//! tabs share, and the stores, each held by one tab.
//!
//! ```text
//! shoal/device-key            32 secret bytes
//! shoal/people                whom the user trusts and avoids (see people.rs)
//! shoal/<room>.<number>/      a store (see storage.rs), held through a Web Lock of the same name
//! shoal/<room>.<number>/device-key    the key of this room alone, where people wanted one
//! ```
//!
//! Two tabs of one browser are two peers, often in one room: each has a store of its own. A tab that is
//! reloaded knows the name of its store and takes it again. Any other tab takes one of its room that
//! nobody holds, as a tab leaves it that was closed or has crashed; if there is none it makes one. What
//! is in stores, and when it is erased, is [`crate::left`]'s.

use data_encoding::HEXLOWER;
use js_sys::Reflect;
use protocol::identity::DeviceKey;
use protocol::signaling::RoomId;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{FileSystemDirectoryHandle, StorageEstimate, StorageManager, WorkerGlobalScope};

use crate::left;
use crate::lock::{Lock, Patience};
use crate::opfs::{self, SyncFile};
use crate::people;

/// The folder of everything.
const ROOT: &str = "shoal";
const DEVICE_KEY: &str = "device-key";
/// A file of every store, written when a tab takes it: its time tells when that was.
const USED: &str = "used";
/// How long a reloaded tab waits for the page that it was to let go of its store, in milliseconds. It
/// takes a few; a tab that was duplicated waits in vain.
const RELEASED_WITHIN_MS: i32 = 2_000;
/// What Chromium says can be stored is how much is stored plus this, or the size of the disk in whole
/// GiB if that is less: it tells pages nothing about the disk.
const MADE_UP_UNIT: u64 = 1 << 30;
const MADE_UP_MAX: u64 = 10 << 30;

/// A store that this worker holds as long as it runs.
pub(crate) struct Store {
    /// What it is called.
    pub(crate) name: String,
    /// Where its shares are.
    pub(crate) directory: FileSystemDirectoryHandle,
    _lock: Lock,
}

/// The profile's folder, or `None` where the browser has none to give, as in private windows of
/// Firefox, or outside of secure contexts.
pub(crate) async fn root() -> Option<FileSystemDirectoryHandle> {
    let storage = storage_manager()?;
    has_function(&storage, "getDirectory").then_some(())?;
    Lock::are_there().then_some(())?;
    let root = JsFuture::from(storage.get_directory()).await.ok()?;
    let root = opfs::directory(&root.unchecked_into(), ROOT, true).await.ok()?;
    // Some browsers have the file system but not the handles that write in place.
    let probe = opfs::file(&root, DEVICE_KEY, true).await.ok()?;
    has_function(&probe, "createSyncAccessHandle").then_some(root)
}

/// The profile's device key, made if there is none; a fresh one where it cannot be kept.
pub(crate) async fn device_key(root: Option<&FileSystemDirectoryHandle>) -> DeviceKey {
    if let Some(root) = root {
        // Tabs that start at the same time must agree on one key.
        let _lock = Lock::take(&lock_name(DEVICE_KEY), Patience::Endless).await;
        if let Ok(key) = kept_key(root, random()).await {
            return DeviceKey::from_bytes(key);
        }
    }
    DeviceKey::from_bytes(random())
}

/// The key of a store's room alone: the one that is kept in the store, else `fresh`, kept from now on.
pub(crate) async fn room_key(store: &Store, fresh: [u8; 32]) -> DeviceKey {
    DeviceKey::from_bytes(kept_key(&store.directory, fresh).await.unwrap_or(fresh))
}

/// Takes a store of a room: one that this tab had before, by the names that it remembers; else one
/// that nobody holds, an unfinished one first; else a new one. `None` if none can be had.
pub(crate) async fn take_store(
    root: &FileSystemDirectoryHandle,
    room: RoomId,
    remembered: &[String],
) -> Option<Store> {
    let prefix = format!("{}.", HEXLOWER.encode(&room.0));
    let names = opfs::names(root).await.ok()?;
    let known = |name: &&String| name.starts_with(&prefix) && names.contains(name);
    for name in remembered.iter().filter(known) {
        if let Some(store) = hold(root, name, Patience::Milliseconds(RELEASED_WITHIN_MS)).await {
            return Some(store);
        }
    }
    let mut others = Vec::new();
    for name in names.iter().filter(known) {
        let used = last_used(root, name).await.unwrap_or(0.0);
        others.push((!left::is_unfinished(root, name).await, used, name));
    }
    others.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    for (.., name) in others {
        if let Some(store) = hold(root, name, Patience::None).await {
            return Some(store);
        }
    }
    let number: [u8; 8] = random();
    hold(root, &format!("{prefix}{}", HEXLOWER.encode(&number)), Patience::None).await
}

/// The names of all stores.
pub(crate) async fn stores(root: &FileSystemDirectoryHandle) -> Vec<String> {
    let mut names = opfs::names(root).await.unwrap_or_default();
    names.retain(|name| name != DEVICE_KEY && name != people::FILE);
    names
}

/// Sees to it that nobody takes a store, if nobody has.
pub(crate) async fn lock(store: &str) -> Option<Lock> {
    Lock::take(&lock_name(store), Patience::None).await
}

/// When a tab took a store the last time, in milliseconds since 1970.
pub(crate) async fn last_used(root: &FileSystemDirectoryHandle, store: &str) -> Option<f64> {
    let store = opfs::directory(root, store, false).await.ok()?;
    let used = opfs::file(&store, USED, false).await.ok()?;
    Some(opfs::snapshot(&used).await.ok()?.last_modified())
}

/// Bytes that can still be stored, if the browser says anything that means something.
pub(crate) async fn available() -> Option<u64> {
    let estimate = JsFuture::from(storage_manager()?.estimate().ok()?).await.ok()?;
    let estimate: StorageEstimate = estimate.unchecked_into();
    meant((estimate.get_quota()? - estimate.get_usage()?).max(0.0) as u64)
}

/// Secret random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("every browser has a source of randomness");
    bytes
}

/// What an estimate says, unless it is made up.
fn meant(available: u64) -> Option<u64> {
    let made_up =
        available.is_multiple_of(MADE_UP_UNIT) && (MADE_UP_UNIT..=MADE_UP_MAX).contains(&available);
    (!made_up).then_some(available)
}

async fn kept_key(
    directory: &FileSystemDirectoryHandle,
    fresh: [u8; 32],
) -> Result<[u8; 32], JsValue> {
    let handle = opfs::file(directory, DEVICE_KEY, true).await?;
    let kept = opfs::bytes(&*opfs::snapshot(&handle).await?).await?;
    if let Ok(key) = kept.try_into() {
        return Ok(key);
    }
    let file = SyncFile::open(directory, DEVICE_KEY).await?;
    let written =
        file.set_length(0).and_then(|()| file.write(0, &fresh)).and_then(|()| file.flush());
    written.map_err(|error| crate::error::to_js(&error.to_string()))?;
    Ok(fresh)
}

async fn hold(root: &FileSystemDirectoryHandle, name: &str, patience: Patience) -> Option<Store> {
    let lock = Lock::take(&lock_name(name), patience).await?;
    let directory = opfs::directory(root, name, true).await.ok()?;
    // On a full disk it may fail, and the store is of use all the same: for what is in it.
    if let Ok(used) = SyncFile::open(&directory, USED).await {
        let _ = used.write(0, &[1]).and_then(|()| used.flush());
    }
    Some(Store { name: name.to_owned(), directory, _lock: lock })
}

fn lock_name(name: &str) -> String {
    format!("{ROOT}/{name}")
}

fn storage_manager() -> Option<StorageManager> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let storage = Reflect::get(&scope.navigator(), &"storage".into()).ok()?;
    storage.is_object().then(|| storage.unchecked_into())
}

fn has_function(object: &JsValue, name: &str) -> bool {
    Reflect::get(object, &name.into()).is_ok_and(|member| member.is_function())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_makes_up_is_not_told() {
        assert_eq!(meant(10 << 30), None);
        assert_eq!(meant(7 << 30), None);
        assert_eq!(meant((10 << 30) - 1), Some((10 << 30) - 1));
        assert_eq!(meant(11 << 30), Some(11 << 30));
        assert_eq!(meant(0), Some(0));
    }
}
