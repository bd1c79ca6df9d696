//! Files that the system gives to the installed page: opened with it (`launchQueue`), or shared to it (the
//! manifest's `share_target`, by way of the service worker). They become a share.

use js_sys::{Array, Function, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use web_sys::{File, FileSystemFileHandle, MessageEvent};

use super::drop::Chosen;
use super::{Adding, Front, browser, drop};
use crate::text::text;

/// What the service worker puts behind the address of the page for which it has files (`sw.js`).
const GIVEN: &str = "?given";

/// Shares what is given from now on.
pub fn share_what_is_given(front: Front) {
    listen_to_system(front);
    if browser::query() == GIVEN {
        browser::set_fragment(None);
        ask_service_worker(front);
    }
}

fn listen_to_system(front: Front) {
    let Ok(queue) = Reflect::get(&window(), &"launchQueue".into()) else { return };
    let Ok(set) = Reflect::get(&queue, &"setConsumer".into()) else { return };
    let Some(set) = set.dyn_ref::<Function>() else { return };
    let consume = Closure::<dyn Fn(JsValue)>::new(move |launch: JsValue| {
        let files: Vec<FileSystemFileHandle> = list(&launch, "files");
        if !files.is_empty() {
            open(front, files);
        }
    });
    // The page listens as long as it is there.
    let _ = set.call1(&queue, &consume.into_js_value());
}

fn ask_service_worker(front: Front) {
    let Some(worker) = browser::service_worker() else { return };
    let container = window().navigator().service_worker();
    let take = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        let files: Vec<File> = list(&event.data(), "given");
        let files = drop::loose(files.into_iter());
        if !files.is_empty() {
            front.share(files);
        }
    });
    container.set_onmessage(Some(take.into_js_value().unchecked_ref()));
    let _ = worker.post_message(&"give".into());
}

/// What of a kind is in a list that belongs to an object.
fn list<T: JsCast>(object: &JsValue, name: &str) -> Vec<T> {
    let list = Reflect::get(object, &name.into()).ok().and_then(|it| it.dyn_into::<Array>().ok());
    list.unwrap_or_default().iter().filter_map(|it| it.dyn_into().ok()).collect()
}

/// Shares what people opened or picked as handles.
pub fn open(front: Front, handles: Vec<FileSystemFileHandle>) {
    front.adding.set(Some(Adding::Sharing(handles.len())));
    spawn_local(async move {
        let opened: Result<Vec<Chosen>, String> = drop::opened(handles).await;
        match opened {
            Ok(files) => front.share(files),
            Err(cause) => {
                front.adding.set(None);
                front.complain((text().not_added)(&cause));
            }
        }
    });
}
