//! The controls: what this peer may do, who it is, and how the page looks and behaves. Each has a line on what
//! it does and a default that suits most people; what is changed holds at once, and is kept.
//!
//! What a group holds is in `groups`, what a control looks like in `control`, and what is told rather than
//! set, in `told`.

mod control;
mod groups;
mod told;

pub(crate) use control::Rate;

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web::front::theme::Theme;
use web::text::text;
use web_sys::{HtmlDialogElement, MouseEvent};

use crate::preferences::Preferences;
use crate::session::Session;

/// The button that opens them, and the dialog.
#[component]
pub(crate) fn Settings() -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let open = RwSignal::new(false);
    let button = NodeRef::<html::Button>::new();
    let wanted = Session::of_page().settings_wanted;
    Effect::new(move |_| {
        let (Some(dialog), Some(button)) = (dialog.get(), button.get()) else { return };
        if wanted.get() {
            wanted.set(false);
            open.set(true);
            // Where the keyboard is when it is closed.
            let _ = button.focus();
            // It fails only if it is open already.
            let _ = dialog.show_modal();
        }
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <button class="button is-quiet" aria-haspopup="dialog" node_ref=button on:click=move |_| wanted.set(true)>
            {text().settings}
        </button>
        <dialog
            class="dialog settings"
            aria-labelledby="settings-title"
            node_ref=dialog
            on:close=move |_| open.set(false)
            on:click=move |event| {
                if is_beside(&event) {
                    close();
                }
            }
        >
            <div class="dialog-head">
                <h2 id="settings-title" class="section-title">{text().settings}</h2>
                <button class="button" on:click=move |_| close()>{text().close}</button>
            </div>
            // Made when it is opened, so that the first screen is there sooner.
            <Show when=move || open.get()>
                <Content />
            </Show>
        </dialog>
    }
}

#[component]
fn Content() -> impl IntoView {
    let session = Session::of_page();
    let reset = move |_| {
        session.prefer(|preferences| *preferences = Preferences::default());
        Theme::System.choose();
        session.announce(text().settings_reset_event);
    };
    view! {
        <div class="dialog-body">
            <p class="hint">{text().settings_about}</p>
            {groups::identity()}
            {told::seen()}
            {groups::services()}
            {groups::connections()}
            {groups::systems()}
            {told::people()}
            {groups::resources()}
            {told::usage()}
            {groups::appearance()}
            <div class="setting">
                <button class="button" on:click=reset>{text().settings_reset}</button>
                <p class="hint">{text().settings_reset_note}</p>
            </div>
        </div>
    }
}

/// Whether a click was on what is behind the dialog, which counts as the dialog itself.
fn is_beside(event: &MouseEvent) -> bool {
    event.target().is_some_and(|target| {
        target.dyn_ref::<HtmlDialogElement>().is_some_and(|dialog| {
            let edge = dialog.get_bounding_client_rect();
            let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
            let within = (edge.left()..=edge.right()).contains(&x)
                && (edge.top()..=edge.bottom()).contains(&y);
            // A press of a key has no place.
            event.detail() > 0 && !within
        })
    })
}
