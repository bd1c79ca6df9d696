//! To choose the files of a share of ours once more, after a reload.

use leptos::prelude::*;
use web::front::picker::{choose_folders, picked};
use web::text::text;
use web_sys::Event;

use crate::session::Session;

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
