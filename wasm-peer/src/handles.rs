//! The file handles behind shares of ours, remembered in IndexedDB, the one place where browsers keep
//! them: windows, which may ask for permission, and workers read it alike. Only Chromium has handles of
//! files that people picked.

use futures_util::{StreamExt, stream};
use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    FileSystemFileHandle, IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbRequest,
    IdbTransactionMode,
};

use crate::{error, opfs};

const DATABASE: &str = "shoal";
const VERSION: u32 = 1;
/// Of arrays of handles, by the names of store and share.
const HANDLES: &str = "handles";
/// Files asked for at once.
const FILES_AT_ONCE: usize = 16;

/// Remembers the handles of all files of a share, in the order of its manifest.
pub(crate) async fn keep(store: &str, share: &str, handles: &Array) -> Result<(), JsValue> {
    let handles_of = open(IdbTransactionMode::Readwrite).await?;
    done(&handles_of.put_with_key(handles, &key(store, share))?).await.map(drop)
}

/// The handles that are remembered for a share, if any are.
pub(crate) async fn recall(store: &str, share: &str) -> Option<Array> {
    let handles = open(IdbTransactionMode::Readonly).await.ok()?;
    done(&handles.get(&key(store, share)).ok()?).await.ok()?.dyn_into().ok()
}

/// Forgets the handles of a share.
pub(crate) async fn forget(store: &str, share: &str) {
    if let Ok(handles) = open(IdbTransactionMode::Readwrite).await
        && let Ok(request) = handles.delete(&key(store, share))
    {
        // Without their share they are of no use to anybody.
        let _ = done(&request).await;
    }
}

/// Forgets the handles of all shares of a store.
pub(crate) async fn forget_all(store: &str) {
    let Ok(range) = IdbKeyRange::bound(&key(store, ""), &key(store, "~")) else { return };
    if let Ok(handles) = open(IdbTransactionMode::Readwrite).await
        && let Ok(request) = handles.delete(&range)
    {
        let _ = done(&request).await;
    }
}

/// Whether all files may be read; with `ask`, people are asked where that is needed, which browsers do
/// only upon a click in a window.
pub(crate) async fn are_readable(handles: &Array, ask: bool) -> bool {
    for handle in handles.iter() {
        // One answer of people's may hold for all, so each is looked at before they are asked.
        let mut readable = is_granted(handle.unchecked_ref::<Asked>().query_permission()).await;
        if !readable && ask {
            readable = is_granted(handle.unchecked_ref::<Asked>().request_permission()).await;
        }
        if !readable {
            return false;
        }
    }
    true
}

/// The files as they are now; `undefined` in place of those that are gone.
pub(crate) async fn files(handles: &Array) -> Array {
    let files = stream::iter(handles.iter().collect::<Vec<_>>())
        .map(|handle| async move {
            let handle: FileSystemFileHandle = handle.unchecked_into();
            opfs::snapshot(&handle).await.map_or(JsValue::UNDEFINED, JsValue::from)
        })
        .buffered(FILES_AT_ONCE);
    files.collect::<Vec<_>>().await.into_iter().collect()
}

async fn is_granted(answer: Result<Promise, JsValue>) -> bool {
    match answer {
        Ok(answer) => JsFuture::from(answer).await.is_ok_and(|answer| answer == "granted"),
        // Where nobody is asked, nothing is withheld.
        Err(thrown) => error::name(&thrown) == "TypeError",
    }
}

async fn open(mode: IdbTransactionMode) -> Result<IdbObjectStore, JsValue> {
    let factory: IdbFactory = Reflect::get(&js_sys::global(), &"indexedDB".into())?.dyn_into()?;
    let request = factory.open_with_u32(DATABASE, VERSION)?;
    let opening = request.clone();
    let make = Closure::once(move || {
        let database: IdbDatabase = opening.result()?.unchecked_into();
        database.create_object_store(HANDLES).map(drop)
    });
    request.set_onupgradeneeded(Some(make.as_ref().unchecked_ref()));
    let database: IdbDatabase = done(&request).await?.unchecked_into();
    let transaction = database.transaction_with_str_and_mode(HANDLES, mode)?;
    let handles = transaction.object_store(HANDLES);
    // It waits until the transaction is over.
    database.close();
    handles
}

/// What a request gives once it is done.
async fn done(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let answered = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(answered).await?;
    request.result()
}

fn key(store: &str, share: &str) -> JsValue {
    format!("{store}/{share}").into()
}

// web-sys does not know them: they are Chromium's alone (File System Access, section 2.3).
#[wasm_bindgen]
extern "C" {
    type Asked;

    #[wasm_bindgen(method, catch, js_name = queryPermission)]
    fn query_permission(this: &Asked) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch, js_name = requestPermission)]
    fn request_permission(this: &Asked) -> Result<Promise, JsValue>;
}
