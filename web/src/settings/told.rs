//! What is told among the controls: what others see of us, whom we trust and avoid, and how much was sent and
//! received.

use leptos::prelude::*;
use wasm_peer::api::{PathPolicy, Person, Standing};
use web::text::text;
use web::usage::Usage;

use crate::session::Session;

fn section(id: &'static str, title: &'static str, content: impl IntoView + 'static) -> AnyView {
    view! {
        <section class="settings-group" aria-labelledby=id>
            <h3 id=id class="settings-title">{title}</h3>
            {content.into_any()}
        </section>
    }
    .into_any()
}

/// What others, and the server, get to know of us.
pub(super) fn seen() -> AnyView {
    let session = Session::of_page();
    let lines = move || {
        let text = text();
        let key = session.state.with(|state| Some(state.as_ref()?.public_key.get(..8)?.to_owned()));
        session.preferences.with(|it| {
            let name = (text.seen_name)(&it.shown_name());
            let key = key.map(|key| (text.seen_key_here)(&key));
            let kind = if it.fresh_key { text.seen_fresh_key } else { text.seen_key };
            let address = match it.policy.path {
                PathPolicy::RelayOnly => text.seen_relay,
                PathPolicy::LanOnly => text.seen_lan,
                PathPolicy::Any | PathPolicy::DirectOnly => text.seen_address,
            };
            let key = key.map_or_else(|| kind.to_owned(), |key| format!("{key} {kind}"));
            [name, key, address.to_owned(), text.seen_shares.to_owned()]
        })
    };
    let content = view! {
        <ul class="settings-list">
            {move || lines().map(|line| view! { <li>{line}</li> }).into_iter().collect_view()}
        </ul>
        <p class="hint">{text().server_sees}</p>
    };
    section("seen-title", text().seen_title, content)
}

/// Whom people trust and avoid, in all rooms.
pub(super) fn people() -> AnyView {
    let session = Session::of_page();
    let people = Memo::new(move |_| {
        session.state.with(|state| state.as_ref().map(|state| state.people.clone()))
    });
    let list = move || match people.get() {
        None => view! { <p class="hint">{text().known_people_in_room}</p> }.into_any(),
        Some(people) if people.is_empty() => {
            view! { <p class="hint">{text().known_people_none}</p> }.into_any()
        }
        Some(people) => view! {
            <ul class="settings-list">
                {people.into_iter().map(|person| known(session, person)).collect_view()}
            </ul>
        }
        .into_any(),
    };
    section("known-title", text().known_people_title, list)
}

fn known(session: Session, person: Person) -> impl IntoView {
    let Person { public_key, standing, name } = person;
    let shown = if name.is_empty() { text().someone.to_owned() } else { name.clone() };
    let how = match standing {
        Standing::Avoided => text().avoided,
        Standing::Trusted | Standing::Neutral => text().trusted,
    };
    let label = (text().forget_person)(&shown);
    let key = public_key.get(..8).unwrap_or_default().to_owned();
    view! {
        <li class="known">
            <span>
                <bdi class="person-name">{shown}</bdi>
                " · "
                {how}
                " · "
                <code>{key}</code>
            </span>
            <button
                class="button is-quiet"
                aria-label=label
                on:click=move |_| {
                    session.set_standing(public_key.clone(), Standing::Neutral, name.clone());
                }
            >
                {text().forget}
            </button>
        </li>
    }
}

/// How much was sent and received, this time and in all.
pub(super) fn usage() -> AnyView {
    let session = Session::of_page();
    let line = |say: fn(&str, &str) -> String, usage: Usage| {
        let units = text().units;
        say(&units.size(usage.sent), &units.size(usage.received))
    };
    let content = view! {
        <p>{move || line(text().usage_now, session.usage.get())}</p>
        <p>{move || line(text().usage_in_all, session.usage_in_all.get())}</p>
        <button class="button is-quiet" on:click=move |_| session.forget_usage()>
            {text().usage_anew}
        </button>
    };
    section("usage-title", text().usage_title, content)
}
