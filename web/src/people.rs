//! Who is in the room, and how each is connected to us.

use leptos::prelude::*;
use wasm_peer::api::{PathKind, PeerInfo, PeerLink, ShareState};
use web::text::text;

use crate::session::Session;

#[component]
pub(crate) fn People() -> impl IntoView {
    let session = Session::of_page();
    let us = Memo::new(move |_| session.state.with(|state| Some(state.as_ref()?.name.clone())));
    let ids = Memo::new(move |_| {
        session.state.with(|state| {
            state
                .iter()
                .flat_map(|state| &state.peers)
                .map(|peer| peer.id.clone())
                .collect::<Vec<_>>()
        })
    });
    let sharing = Memo::new(move |_| {
        session.state.with(|state| {
            state
                .iter()
                .flat_map(|state| &state.shares)
                .any(|share| share.state == ShareState::Shared)
        })
    });
    let alone = move || if sharing.get() { text().alone_with_share } else { text().alone };
    view! {
        <section class="people" aria-labelledby="people-title">
            <h2 id="people-title" class="section-title">{text().people_title}</h2>
            <ul class="people-list">
                <li class="person">
                    <span class="dot is-us" aria-hidden="true"></span>
                    <span class="person-name">{move || (text().you)(&us.get().unwrap_or_default())}</span>
                </li>
                <For each=move || ids.get() key=String::clone let:id>
                    <Person id />
                </For>
            </ul>
            <Show when=move || ids.with(Vec::is_empty)>
                <p class="hint">{alone}</p>
            </Show>
            <Show when=move || sharing.get()>
                <p class="hint">{text().keep_open}</p>
            </Show>
        </section>
    }
}

#[component]
fn Person(id: String) -> impl IntoView {
    let session = Session::of_page();
    let tone = {
        let id = id.clone();
        move || format!("dot tone-{}", session.tone(&id))
    };
    let name = {
        let id = id.clone();
        move || session.peer_name(&id)
    };
    let peer = Memo::new(move |before: Option<&Option<PeerInfo>>| {
        let now = session
            .state
            .with(|state| state.as_ref()?.peers.iter().find(|peer| peer.id == id).cloned());
        // One who just left is shown as they were until the list is without them.
        now.or_else(|| before.cloned().flatten())
    });
    view! {
        <li class="person">
            <span class=tone aria-hidden="true"></span>
            <bdi class="person-name">{name}</bdi>
            <span class="person-facts">
                {move || peer.with(|peer| peer.as_ref().map(facts).unwrap_or_default().join(" · "))}
            </span>
        </li>
    }
}

fn facts(peer: &PeerInfo) -> Vec<String> {
    let text = text();
    let mut facts = Vec::new();
    if peer.is_creator {
        facts.push(text.made_room.to_owned());
    }
    match peer.link {
        PeerLink::Waiting => facts.push(text.peer_waiting.to_owned()),
        PeerLink::Connecting => facts.push(text.peer_connecting.to_owned()),
        PeerLink::Reviving => facts.push(text.peer_reviving.to_owned()),
        PeerLink::Connected => {}
    }
    facts.extend(peer.path.map(|path| {
        match path {
            PathKind::Lan => text.path_lan,
            PathKind::Direct => text.path_direct,
            PathKind::Relayed => text.path_relayed,
        }
        .to_owned()
    }));
    facts.extend(peer.round_trip_ms.map(text.round_trip));
    facts.extend(peer.available.map(|room| (text.peer_room)(&text.units.size(room))));
    if peer.sent > 0 {
        facts.push((text.sent)(&text.units.size(peer.sent)));
    }
    if peer.received > 0 {
        facts.push((text.received)(&text.units.size(peer.received)));
    }
    facts
}
