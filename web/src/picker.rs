//! The file inputs. They are real inputs, reachable by their labels, that lie invisibly over what looks
//! like a button: keyboards, screen readers and drivers find what they expect. Where the browser has file
//! handles, a click on the input for files asks for those instead, so that they can be read again after a
//! reload.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_peer::api::SharedFile;
use web::text::text;
use web_sys::{Event, HtmlInputElement, MouseEvent};

use crate::session::Session;
use crate::{browser, drop, given};

#[component]
pub(crate) fn Picker() -> impl IntoView {
    let session = Session::of_page();
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
                    on:click=move |event| open_instead(session, &event)
                    on:change=move |event| session.share(picked(&event))
                />
            </div>
            <div class="button">
                <label for="choose-folder">{text().choose_folder}</label>
                <input
                    id="choose-folder"
                    type="file"
                    multiple=true
                    node_ref=folder
                    on:change=move |event| session.share(picked(&event))
                />
            </div>
        </div>
    }
}

/// To choose the files of a share of ours once more: loose ones, those in a folder, or both.
#[component]
pub(crate) fn ChooseAgain(
    share: String,
    loose: bool,
    folders: bool,
    /// Whether nothing else would help.
    is_main: bool,
) -> impl IntoView {
    let session = Session::of_page();
    let share = StoredValue::new(share);
    let folder = NodeRef::new();
    choose_folders(folder);
    let choose = move |event: Event| session.choose_again(share.get_value(), picked(&event));
    let files_id = format!("again-files-{}", share.get_value());
    let folder_id = format!("again-folder-{}", share.get_value());
    view! {
        {loose.then(|| view! {
            <div class="button" class:is-main=is_main>
                <label for=files_id.clone()>{text().choose_files_again}</label>
                <input id=files_id type="file" multiple=true on:change=choose />
            </div>
        })}
        {folders.then(|| view! {
            <div class="button" class:is-main=is_main>
                <label for=folder_id.clone()>{text().choose_folder_again}</label>
                <input id=folder_id type="file" multiple=true node_ref=folder on:change=choose />
            </div>
        })}
    }
}

/// Makes an input choose folders. Not in the standard, yet in every browser; those on phones ignore it.
fn choose_folders(input: NodeRef<leptos::html::Input>) {
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            let _ = input.set_attribute("webkitdirectory", "");
        }
    });
}

fn picked(event: &Event) -> Vec<SharedFile> {
    let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok())
    else {
        return Vec::new();
    };
    let files = input.files().map(|list| drop::picked(&list)).unwrap_or_default();
    // So that the same files can be chosen once more.
    input.set_value("");
    files
}

fn open_instead(session: Session, event: &MouseEvent) {
    if !browser::can_pick_files() {
        return;
    }
    event.prevent_default();
    spawn_local(async move {
        let handles = browser::pick_files().await;
        if !handles.is_empty() {
            given::open(session, handles);
        }
    });
}
