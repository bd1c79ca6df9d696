//! What a browser profile keeps for Shoal in the origin-private file system: the device key, which all
//! tabs share, and the stores, each held by one tab.
//!
//! ```text
//! shoal/device-key            32 secret bytes
//! shoal/<room>.<number>/      a store (see storage.rs), held through a Web Lock of the same name
//! ```
//!
//! Two tabs of one browser are two peers, often in one room: each has a store of its own. A tab that
//! starts takes a store of its room that nobody holds, as a reload or crash leaves it, or makes one.

use std::cell::RefCell;
use std::rc::Rc;

use data_encoding::HEXLOWER;
use futures_channel::oneshot;
use js_sys::{Function, Promise, Reflect};
use protocol::identity::DeviceKey;
use protocol::signaling::RoomId;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{FileSystemDirectoryHandle, StorageEstimate, StorageManager, WorkerGlobalScope};

use crate::opfs::{self, SyncFile};

/// The folder of everything.
const ROOT: &str = "shoal";
const DEVICE_KEY: &str = "device-key";
/// A file of every store, written when a tab takes it: its time tells when that was.
const USED: &str = "used";
/// A store of another room that nobody has taken for so long is erased, in milliseconds: three days.
const STORE_KEPT_MS: f64 = 3.0 * 86_400_000.0;

/// A store that this worker holds as long as it runs.
pub(crate) struct Store {
    /// Where its shares are.
    pub(crate) directory: FileSystemDirectoryHandle,
    _lock: Lock,
}

/// The profile's folder, or `None` where the browser has none to give, as in private windows of
/// Firefox, or outside of secure contexts.
pub(crate) async fn root() -> Option<FileSystemDirectoryHandle> {
    let storage = storage_manager()?;
    has_function(&storage, "getDirectory").then_some(())?;
    locks()?;
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
        let _lock = Lock::take(&format!("{ROOT}/{DEVICE_KEY}"), true).await;
        if let Ok(key) = kept_key(root).await {
            return DeviceKey::from_bytes(key);
        }
    }
    DeviceKey::from_bytes(random())
}

/// Takes a store of a room that nobody holds, or makes one. `None` if neither is possible.
pub(crate) async fn take_store(root: &FileSystemDirectoryHandle, room: RoomId) -> Option<Store> {
    let prefix = format!("{}.", HEXLOWER.encode(&room.0));
    let mut names = opfs::names(root).await.ok()?;
    names.sort_unstable();
    let ours: Vec<&String> = names.iter().filter(|name| name.starts_with(&prefix)).collect();
    for name in ours {
        if let Some(store) = hold(root, name).await {
            return Some(store);
        }
    }
    let number: [u8; 8] = random();
    hold(root, &format!("{prefix}{}", HEXLOWER.encode(&number))).await
}

/// Erases, in its own time, stores of other rooms that nobody has used for a while.
pub(crate) fn erase_old_stores(root: FileSystemDirectoryHandle, room: RoomId) {
    spawn_local(async move {
        let prefix = format!("{}.", HEXLOWER.encode(&room.0));
        for name in opfs::names(&root).await.unwrap_or_default() {
            if name == DEVICE_KEY || name.starts_with(&prefix) {
                continue;
            }
            // Whoever holds a store is using it.
            let Some(_lock) = Lock::take(&lock_name(&name), false).await else { continue };
            let used = last_used(&root, &name).await.unwrap_or(0.0);
            if js_sys::Date::now() - used > STORE_KEPT_MS {
                // It is tried again when the next tab starts.
                let _ = opfs::remove(&root, &name).await;
            }
        }
    });
}

/// Bytes that the browser says can still be stored, if it says anything.
pub(crate) async fn available() -> Option<u64> {
    let estimate = JsFuture::from(storage_manager()?.estimate().ok()?).await.ok()?;
    let estimate: StorageEstimate = estimate.unchecked_into();
    Some((estimate.get_quota()? - estimate.get_usage()?).max(0.0) as u64)
}

/// Secret random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("every browser has a source of randomness");
    bytes
}

async fn kept_key(root: &FileSystemDirectoryHandle) -> Result<[u8; 32], JsValue> {
    let handle = opfs::file(root, DEVICE_KEY, true).await?;
    let kept = opfs::bytes(&*opfs::snapshot(&handle).await?).await?;
    if let Ok(key) = kept.try_into() {
        return Ok(key);
    }
    let key: [u8; 32] = random();
    let file = SyncFile::open(root, DEVICE_KEY).await?;
    let written = file.set_length(0).and_then(|()| file.write(0, &key)).and_then(|()| file.flush());
    written.map_err(|error| crate::error::to_js(&error.to_string()))?;
    Ok(key)
}

async fn hold(root: &FileSystemDirectoryHandle, name: &str) -> Option<Store> {
    let lock = Lock::take(&lock_name(name), false).await?;
    let directory = opfs::directory(root, name, true).await.ok()?;
    let used = SyncFile::open(&directory, USED).await.ok()?;
    used.write(0, &[1]).and_then(|()| used.flush()).ok()?;
    Some(Store { directory, _lock: lock })
}

fn lock_name(store: &str) -> String {
    format!("{ROOT}/{store}")
}

async fn last_used(root: &FileSystemDirectoryHandle, store: &str) -> Option<f64> {
    let store = opfs::directory(root, store, false).await.ok()?;
    let used = opfs::file(&store, USED, false).await.ok()?;
    Some(opfs::snapshot(&used).await.ok()?.last_modified())
}

fn storage_manager() -> Option<StorageManager> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let storage = Reflect::get(&scope.navigator(), &"storage".into()).ok()?;
    storage.is_object().then(|| storage.unchecked_into())
}

fn has_function(object: &JsValue, name: &str) -> bool {
    Reflect::get(object, &name.into()).is_ok_and(|member| member.is_function())
}

// web-sys counts the Web Locks API as unstable and hides it.
#[wasm_bindgen]
extern "C" {
    type LockManager;

    #[wasm_bindgen(method)]
    fn request(this: &LockManager, name: &str, options: &JsValue, callback: &Function) -> Promise;
}

fn locks() -> Option<LockManager> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let locks = Reflect::get(&scope.navigator(), &"locks".into()).ok()?;
    locks.is_object().then(|| locks.unchecked_into())
}

/// A Web Lock. Released once dropped, and when the worker ends in whatever way.
struct Lock {
    release: Function,
}

impl Lock {
    /// Takes a lock; if somebody has it, waits for it or gives up. `None` also where there are no locks.
    async fn take(name: &str, wait: bool) -> Option<Self> {
        let options = js_sys::Object::new();
        Reflect::set(&options, &"ifAvailable".into(), &(!wait).into()).ok()?;
        let (sender, taken) = oneshot::channel();
        let sender = Rc::new(RefCell::new(Some(sender)));
        let granted = sender.clone();
        let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
            if lock.is_null() {
                return JsValue::UNDEFINED;
            }
            // The lock is held until this promise resolves.
            let mut release = None;
            let held = Promise::new(&mut |resolve, _| release = Some(resolve));
            if let (Some(granted), Some(release)) = (granted.take(), release) {
                let _ = granted.send(Self { release });
            }
            held.into()
        });
        let asked = locks()?.request(name, &options, callback.unchecked_ref());
        spawn_local(async move {
            let _ = JsFuture::from(asked).await;
            // Nobody answered: not available, or refused.
            sender.take();
        });
        taken.await.ok()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}
