//! A room: the shelf of shares, the invite, who is here, what they say, and a place to drop more.

use leptos::html;
use leptos::prelude::*;
use wasm_peer::api::Storage;
use web::text::text;

use crate::app::{Working, focus_when_shown};
use crate::chat::{Chat, Unread};
use crate::invite_card::InviteCard;
use crate::people::People;
use crate::picker::Picker;
use crate::sections::Sections;
use crate::session::Session;
use crate::share_card::{MEMORY_COMFORTABLE_BYTES, ShareCard, is_ours};

/// Whoever opened a link and meets nobody for so long may have a wrong one.
const ALONE_FOR_LONG_MS: f64 = 20_000.0;

/// Whoever made the room sees the invite first, whoever came for files the files. The order is that of the
/// document, so that the keyboard follows it too.
#[component]
pub(crate) fn Room(ours: bool) -> impl IntoView {
    let heading = NodeRef::new();
    focus_when_shown(heading);
    view! {
        <main class="room" class:is-ours=ours>
            <NewRoom />
            {ours.then(|| view! { <InviteCard ours /> })}
            <Shelf heading />
            <People />
            <Chat />
            {(!ours).then(|| view! { <InviteCard ours /> })}
            <Unread />
        </main>
        <Sections />
    }
}

/// The creator started the room anew: one click leads there.
#[component]
fn NewRoom() -> impl IntoView {
    let session = Session::of_page();
    move || {
        session.new_room.get().map(|link| {
            view! {
                <section class="note new-room" role="alert">
                    <p>{text().started_anew}</p>
                    <button class="button is-main" on:click=move |_| session.join(link.clone())>
                        {text().go_to_new_room}
                    </button>
                </section>
            }
        })
    }
}

#[component]
fn Shelf(heading: NodeRef<html::H1>) -> impl IntoView {
    let session = Session::of_page();
    let ids = Memo::new(move |_| {
        session.state.with(|state| {
            state
                .iter()
                .flat_map(|state| &state.shares)
                .map(|share| share.id.clone())
                .collect::<Vec<_>>()
        })
    });
    let connecting = Memo::new(move |_| {
        session.state.with(|state| {
            let peers = state.as_ref().map_or(&[][..], |state| &state.peers);
            !peers.is_empty() && peers.iter().all(|peer| !peer.connected)
        })
    });
    let nothing = Memo::new(move |_| match session.alone_for_ms() {
        Some(ms) if ms > ALONE_FOR_LONG_MS => text().shelf_empty_long,
        Some(_) => text().shelf_empty_alone,
        None if connecting.get() => text().shelf_connecting,
        None => text().shelf_empty,
    });
    view! {
        <section class="shelf" aria-labelledby="shelf-title">
            <h1 id="shelf-title" class="section-title" tabindex="-1" node_ref=heading>
                {text().shelf_title}
            </h1>
            <MemoryNote />
            <Show
                when=move || !ids.with(Vec::is_empty)
                fallback=move || view! { <p class="nothing" role="status">{nothing}</p> }
            >
                <For each=move || ids.get() key=String::clone let:id>
                    <ShareCard id />
                </For>
            </Show>
            <div class="pool is-small">
                <p class="pool-title">{text().drop_more}</p>
                <Picker />
                <Working />
            </div>
        </section>
    }
}

/// Where received files go into memory, people hear of it before they accept anything.
#[component]
fn MemoryNote() -> impl IntoView {
    let session = Session::of_page();
    let note = Memo::new(move |_| {
        session.state.with(|state| {
            let state = state.as_ref()?;
            let theirs = state.shares.iter().any(|share| !is_ours(share.state));
            let limit = text().units.size(MEMORY_COMFORTABLE_BYTES);
            (theirs && state.storage == Storage::Memory).then(|| (text().memory_only)(&limit))
        })
    });
    move || note.get().map(|note| view! { <p class="note" role="note">{note}</p> })
}
