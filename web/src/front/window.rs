//! The events of the whole window that both programs heed: what is dropped or pasted anywhere, and whether there
//! is a network.

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{DataTransfer, HtmlInputElement, HtmlTextAreaElement};

use super::drop::Dropped;
use super::{Adding, Front, browser};
use crate::text::text;

/// Shares what is dropped or pasted, until the owner that this is called under ends.
pub fn share_what_is_dropped(front: Front) {
    let listeners = [
        window_event_listener(ev::dragover, move |event| {
            // Without this the browser would open the file in place of the page.
            event.prevent_default();
            front.dragging.set(event.data_transfer().is_some_and(|transfer| has_files(&transfer)));
        }),
        window_event_listener(ev::dragleave, move |event| {
            // Only leaving the window has nothing it goes to.
            if event.related_target().is_none() {
                front.dragging.set(false);
            }
        }),
        window_event_listener(ev::drop, move |event| {
            event.prevent_default();
            front.dragging.set(false);
            match event.data_transfer().as_ref().and_then(Dropped::take) {
                Some(dropped) => share_dropped(front, dropped),
                None => front.complain(text().nothing_found.to_owned()),
            }
        }),
        window_event_listener(ev::paste, move |event| {
            let Some(transfer) = event.clipboard_data() else { return };
            // Where there is both, as from a table, people who write mean the text.
            let is_text = transfer.types().includes(&"text/plain".into(), 0);
            let into_text = event.target().is_some_and(|target| {
                target.has_type::<HtmlInputElement>()
                    || is_text && target.has_type::<HtmlTextAreaElement>()
            });
            if let (Some(dropped), false) = (Dropped::take(&transfer), into_text) {
                event.prevent_default();
                share_dropped(front, dropped);
            }
        }),
    ];
    on_cleanup(move || listeners.into_iter().for_each(WindowListenerHandle::remove));
}

/// Whether the browser believes in a network, until the owner that this is called under ends.
pub fn is_online() -> ReadSignal<bool> {
    let online = RwSignal::new(browser::is_online());
    let update = move |_: web_sys::Event| online.set(browser::is_online());
    let listeners = [
        window_event_listener_untyped("online", update),
        window_event_listener_untyped("offline", update),
    ];
    on_cleanup(move || listeners.into_iter().for_each(WindowListenerHandle::remove));
    online.read_only()
}

fn share_dropped(front: Front, dropped: Dropped) {
    front.adding.set(Some(Adding::Reading(0)));
    spawn_local(async move {
        match dropped.walk(|n| front.adding.set(Some(Adding::Reading(n)))).await {
            Ok(files) => front.share(files),
            Err(cause) => {
                front.adding.set(None);
                front.complain((text().not_added)(&cause));
            }
        }
    });
}

fn has_files(transfer: &DataTransfer) -> bool {
    transfer.types().includes(&"Files".into(), 0)
}
