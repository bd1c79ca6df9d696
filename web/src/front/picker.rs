//! The file inputs. They are real inputs, reachable by their labels, that lie invisibly over what looks
//! like a button: keyboards, screen readers and drivers find what they expect. Where the browser has file
//! handles, a click on the input for files asks for those instead, so that they can be read again after a
//! reload.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{Event, HtmlInputElement, MouseEvent};

use super::drop::Chosen;
use super::{Front, browser, drop, given};
use crate::text::text;

/// To choose what is shared: files, or a folder.
#[component]
pub fn Picker() -> impl IntoView {
    let front = Front::of_page();
    let folder = NodeRef::new();
    choose_folders(folder);
    view! {
        <div class="picker">
            <div class="button is-main">
                <label for="choose-files">{text().choose_files}</label>
                <input
                    id="choose-files"
                    type="file"
                    multiple=true
                    on:click=move |event| open_instead(front, &event)
                    on:change=move |event| front.share(picked(&event))
                />
            </div>
            <div class="button">
                <label for="choose-folder">{text().choose_folder}</label>
                <input
                    id="choose-folder"
                    type="file"
                    multiple=true
                    node_ref=folder
                    on:change=move |event| front.share(picked(&event))
                />
            </div>
        </div>
    }
}

/// Makes an input choose folders. Not in the standard, yet in every browser; those on phones ignore it.
pub fn choose_folders(input: NodeRef<leptos::html::Input>) {
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            let _ = input.set_attribute("webkitdirectory", "");
        }
    });
}

/// What was picked with a file input that tells of it.
pub fn picked(event: &Event) -> Vec<Chosen> {
    let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok())
    else {
        return Vec::new();
    };
    let files = input.files().map(|list| drop::picked(&list)).unwrap_or_default();
    // So that the same files can be chosen once more.
    input.set_value("");
    files
}

fn open_instead(front: Front, event: &MouseEvent) {
    if !browser::can_pick_files() {
        return;
    }
    event.prevent_default();
    spawn_local(async move {
        let handles = browser::pick_files().await;
        if !handles.is_empty() {
            given::open(front, handles);
        }
    });
}
