//! The frame of the page, as far as it is the same in both programs.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::language::LanguageChoice;
use super::{Adding, Front};
use crate::text::text;

/// The element that all of the page is in, emptied: until then it has what `index.html` shows, or the other
/// program's part.
///
/// # Panics
/// If `index.html` lacks it.
pub fn place() -> HtmlElement {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        reveal("broken");
    }));
    let place = document().get_element_by_id("app").expect("index.html has the element `app`");
    place.set_text_content(None);
    place.unchecked_into()
}

/// Shows one of the messages that `index.html` holds ready for when the program cannot.
fn reveal(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        let _ = element.remove_attribute("hidden");
    }
}

/// All of the page: what is the same everywhere, and in it what is not.
#[component]
pub fn Frame(
    /// What is at the top, beside the name of the page.
    top: AnyView,
    /// What is below.
    body: AnyView,
) -> impl IntoView {
    let front = Front::of_page();
    view! {
        <div class="frame" class:is-dragging=front.dragging>
            <header class="top">
                <a class="brand" href="/">
                    <Mark />
                    {text().product}
                </a>
                {top}
            </header>
            {body}
            <footer class="foot">
                <p>{text().server_sees}</p>
                <LanguageChoice />
            </footer>
            <p class="drop-now" aria-hidden="true">{text().drop_now}</p>
        </div>
    }
}

/// Three fish of a shoal.
#[component]
fn Mark() -> impl IntoView {
    const FISH: &str = "M2 9c4-5 10-5 13 0c-3 5-9 5-13 0zM15 9l4-3v6z\
                        M9 20c4-5 10-5 13 0c-3 5-9 5-13 0zM22 20l4-3v6z\
                        M17 11.500c3-4 8-4 10.500 0c-2.500 4-7.500 4-10.500 0zM27.500 11.500l3-2.500v5z";
    view! {
        <svg class="mark" viewBox="0 0 32 28" aria-hidden="true">
            <path d=FISH />
        </svg>
    }
}

/// What went wrong, until people have read it.
#[component]
pub fn Notice() -> impl IntoView {
    let front = Front::of_page();
    move || {
        front.notice.get().map(|sentence| {
            view! {
                <p class="notice">
                    <span>{sentence}</span>
                    <button class="button is-quiet" on:click=move |_| front.notice.set(None)>
                        {text().dismiss}
                    </button>
                </p>
            }
        })
    }
}

/// On the way into a room.
#[component]
pub fn Entering(
    /// Whether we make it.
    ours: bool,
) -> impl IntoView {
    view! {
        <main class="entering">
            <h1 tabindex="-1" class="entering-title">
                {if ours { text().making_room } else { text().joining }}
            </h1>
            <Working />
        </main>
    }
}

/// Files on their way into a share.
#[component]
pub fn Working() -> impl IntoView {
    let front = Front::of_page();
    let sentence = move || match front.adding.get() {
        Some(Adding::Reading(n)) => (text().reading_files)(n),
        Some(Adding::Sharing(n)) => (text().adding_files)(n),
        None => String::new(),
    };
    view! {
        <p class="working" role="status">{sentence}</p>
    }
}

/// Moves the keyboard and screen readers to the start of a new screen.
pub fn focus_when_shown(heading: NodeRef<leptos::html::H1>) {
    Effect::new(move |_| {
        let Some(heading) = heading.get() else { return };
        // Whatever has the keyboard by now keeps it, as after a change of language; what is gone has none.
        let elsewhere = document().active_element().is_some_and(|it| it.local_name() != "body");
        if !elsewhere {
            let _ = heading.focus();
        }
    });
}
