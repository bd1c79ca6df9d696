//! A room: the shelf of shares, the invite, who is here, and what they say.

use leptos::prelude::*;
use web::front::frame::focus_when_shown;
use web::text::text;

use crate::chat::{Chat, Unread};
use crate::invite_card::InviteCard;
use crate::people::People;
use crate::sections::Sections;
use crate::session::Session;
use crate::shelf::Shelf;

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
