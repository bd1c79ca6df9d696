//! The bar at the bottom of a narrow window: it leads to the parts of a room, which stand below each other
//! there. In a wide one they stand side by side, and the bar is not shown.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web::text::text;
use web_sys::HtmlElement;

use crate::icon::Icon;
use crate::session::Session;

#[component]
pub(crate) fn Sections() -> impl IntoView {
    let session = Session::of_page();
    let shares = Memo::new(move |_| {
        session.state.with(|state| state.as_ref().map_or(0, |state| state.shares.len()))
    });
    let people = Memo::new(move |_| {
        session.state.with(|state| state.as_ref().map_or(0, |state| state.peers.len() + 1))
    });
    let unread = Memo::new(move |_| session.talk.unread.get() as usize);
    view! {
        <nav class="sections" aria-label=text().sections>
            <Section heading="shelf-title" icon="files" label=text().sections_files count=shares />
            <Section heading="people-title" icon="users" label=text().sections_people count=people />
            <Section heading="chat-title" icon="message-square" label=text().chat_title count=unread />
        </nav>
    }
}

/// A button that leads to the section with a heading.
#[component]
fn Section(
    heading: &'static str,
    icon: &'static str,
    label: &'static str,
    count: Memo<usize>,
) -> impl IntoView {
    // Focus brings it into view, and keyboards and screen readers go on from there.
    let go = move |_| {
        let Some(heading) = document().get_element_by_id(heading) else { return };
        let heading = heading.unchecked_into::<HtmlElement>();
        heading.set_tab_index(-1);
        let _ = heading.focus();
    };
    let shown = move || {
        Some(count.get()).filter(|&count| count > 0).map(|count| text().units.whole(count as u64))
    };
    view! {
        <button class="section-button" on:click=go>
            <Icon name=icon />
            <span>{label} " " {shown}</span>
        </button>
    }
}
