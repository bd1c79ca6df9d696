//! On the first screen: the rooms that this browser was in, with what is unfinished in them.

use leptos::prelude::*;

use super::{Front, Wish, browser};
use crate::format::percent;
use crate::invite;
use crate::rooms::RecentRoom;
use crate::text::text;

/// The list of them; nothing if there is none.
#[component]
pub fn Recent() -> impl IntoView {
    let front = Front::of_page();
    let invites = Memo::new(move |_| {
        front
            .rooms
            .with(|rooms| rooms.rooms.iter().map(|room| room.invite.clone()).collect::<Vec<_>>())
    });
    view! {
        <Show when=move || !invites.with(Vec::is_empty)>
            <section class="recent" aria-labelledby="recent-title">
                <h2 id="recent-title" class="join-title">{text().recent_title}</h2>
                <ul class="recent-list">
                    <For each=move || invites.get() key=String::clone let:invite>
                        <Room invite />
                    </For>
                </ul>
                <p class="hint">{text().recent_note}</p>
            </section>
        </Show>
    }
}

#[component]
fn Room(invite: String) -> impl IntoView {
    let front = Front::of_page();
    let room = front
        .rooms
        .with_untracked(|rooms| rooms.rooms.iter().find(|room| room.invite == invite).cloned());
    let room = room.unwrap_or_default();
    let (label, time) = (label(&room), browser::date_and_time(room.last_ms));
    let link = invite::link(&browser::origin(), &room.invite);
    let shares: Vec<String> = room.unfinished.iter().map(|it| it.id.clone()).collect();
    let resume = (!shares.is_empty()).then(|| {
        let link = link.clone();
        view! {
            <button
                class="button is-main"
                aria-label=(text().resume_in)(&label)
                on:click=move |_| front.wish(Wish::Enter(link.clone(), shares.clone()))
            >
                {text().resume}
            </button>
        }
    });
    let unfinished = room.unfinished.into_iter().map(|it| {
        let part = text().units.percentage(percent(it.have, it.total));
        view! { <p class="recent-share"><bdi>{it.title}</bdi> " · " {(text().unfinished_part)(&part)}</p> }
    });
    view! {
        <li class="recent-room">
            <div class="recent-head">
                <p class="recent-name"><bdi>{label.clone()}</bdi></p>
                <p class="hint">{time}</p>
            </div>
            {unfinished.collect_view()}
            <div class="recent-actions">
                {resume}
                <button
                    class="button"
                    aria-label=(text().enter_again)(&label)
                    on:click=move |_| front.enter(link.clone())
                >
                    {text().enter}
                </button>
                <button
                    class="button is-quiet"
                    aria-label=(text().forget_room)(&label)
                    on:click=move |_| front.change_rooms(|rooms| rooms.forget(&invite))
                >
                    {text().forget}
                </button>
            </div>
        </li>
    }
}

/// What tells people which room it was: what was there, else who.
fn label(room: &RecentRoom) -> String {
    let seen = if room.titles.is_empty() { &room.people } else { &room.titles };
    if seen.is_empty() { text().empty_room.to_owned() } else { seen.join(", ") }
}
