//! The two file inputs. They are real inputs, reachable by their labels, that lie invisibly over what looks
//! like a button: keyboards, screen readers and drivers find what they expect.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web::text::text;
use web_sys::{Event, HtmlInputElement};

use crate::drop;
use crate::session::Session;

#[component]
pub(crate) fn Picker() -> impl IntoView {
    let session = Session::of_page();
    let folder = NodeRef::new();
    Effect::new(move |_| {
        if let Some(input) = folder.get() {
            let input: HtmlInputElement = input;
            // Not in the standard, yet in every browser; those on phones ignore it.
            let _ = input.set_attribute("webkitdirectory", "");
        }
    });
    view! {
        <div class="picker">
            <div class="button is-main">
                <label for="choose-files">{text().choose_files}</label>
                <input id="choose-files" type="file" multiple=true on:change=move |event| share_picked(session, &event) />
            </div>
            <div class="button">
                <label for="choose-folder">{text().choose_folder}</label>
                <input id="choose-folder" type="file" multiple=true node_ref=folder on:change=move |event| share_picked(session, &event) />
            </div>
        </div>
    }
}

fn share_picked(session: Session, event: &Event) {
    let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok())
    else {
        return;
    };
    let files = input.files().map(|list| drop::picked(&list)).unwrap_or_default();
    // So that the same files can be chosen once more.
    input.set_value("");
    session.share(files);
}
