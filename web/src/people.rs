//! Who is in the room, how each is connected to us, and what we can do about it: compare words, trust and
//! avoid, lock the room, start it anew.

use leptos::html;
use leptos::prelude::*;
use wasm_peer::api::{PathKind, PeerInfo, PeerLink, ShareState, Standing};
use web::text::text;

use crate::graph::PeerGraphs;
use crate::limits::Limits;
use crate::session::Session;

/// Not in the view itself: there, an element of nothing but literals would be made from HTML (`main.rs`).
const OUR_DOT: &str = "dot is-us";

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
        <section class="people side" aria-labelledby="people-title">
            <h2 id="people-title" class="section-title">{text().people_title}</h2>
            <ul class="people-list">
                <li class="person">
                    <span class=OUR_DOT aria-hidden="true"></span>
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
            <RoomLock />
        </section>
    }
}

/// Whether anybody new is let in: for the creator a switch, for others a note.
#[component]
fn RoomLock() -> impl IntoView {
    let session = Session::of_page();
    let look = Memo::new(move |_| {
        session.state.with(|state| {
            let state = state.as_ref()?;
            Some((state.is_creator, state.locked, state.shut_out))
        })
    });
    move || {
        Some(match look.get()? {
            (.., true) => view! { <p class="note" role="status">{text().shut_out}</p> }.into_any(),
            (true, locked, _) => view! {
                <div class="room-lock">
                    <button
                        class="button"
                        aria-pressed=locked.to_string()
                        aria-describedby="lock-note"
                        on:click=move |_| session.set_locked(!locked)
                    >
                        {text().lock_room}
                    </button>
                    <p id="lock-note" class="hint">
                        {if locked { text().locked_note } else { text().open_note }}
                    </p>
                </div>
            }
            .into_any(),
            (false, true, _) => view! { <p class="hint">{text().locked_note}</p> }.into_any(),
            (false, false, _) => return None,
        })
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
        Signal::derive(move || session.peer_name(&id))
    };
    let peer = Memo::new(move |before: Option<&Option<PeerInfo>>| {
        let now = session
            .state
            .with(|state| state.as_ref()?.peers.iter().find(|peer| peer.id == id).cloned());
        // One who just left is shown as they were until the list is without them.
        now.or_else(|| before.cloned().flatten())
    });
    let stance = Memo::new(move |_| peer.with(|peer| peer.as_ref().and_then(Stance::of)));
    // Out here, as what is below is drawn anew when we stand otherwise to somebody.
    let is_open = RwSignal::new(false);
    view! {
        <li class="person">
            <span class=tone aria-hidden="true"></span>
            <bdi class="person-name">{name}</bdi>
            <span class="person-facts">
                {move || peer.with(|peer| peer.as_ref().map(facts).unwrap_or_default().join(" · "))}
            </span>
            <PeerGraphs peer name=name />
            {move || stance.get().map(|stance| view! { <Trust stance is_open /> })}
        </li>
    }
}

/// What decides how we stand to somebody.
#[derive(Clone, PartialEq, Eq)]
struct Stance {
    name: String,
    public_key: String,
    standing: Standing,
    words: String,
    is_namesake: bool,
}

impl Stance {
    /// Nothing can be said of somebody who has not shown a key.
    fn of(peer: &PeerInfo) -> Option<Self> {
        let (public_key, words) = peer.public_key.clone().zip(peer.words.clone())?;
        let (name, standing, is_namesake) = (peer.name.clone(), peer.standing, peer.is_namesake);
        Some(Self { name, public_key, standing, words, is_namesake })
    }
}

/// Words to compare, and whether to trust or avoid somebody.
#[component]
fn Trust(stance: Stance, is_open: RwSignal<bool>) -> impl IntoView {
    let session = Session::of_page();
    let Stance { name, public_key, standing, words, is_namesake } = stance;
    let is_creator = Memo::new(move |_| {
        session.state.with(|state| state.as_ref().is_some_and(|state| state.is_creator))
    });
    let shown = if name.is_empty() { text().someone.to_owned() } else { name.clone() };
    let choice = |to: Standing, label: &'static str| {
        let (public_key, name) = (public_key.clone(), name.clone());
        let is_on = standing == to;
        let next = if is_on { Standing::Neutral } else { to };
        view! {
            <button
                class="button"
                aria-pressed=is_on.to_string()
                on:click=move |_| session.set_standing(public_key.clone(), next, name.clone())
            >
                {label}
            </button>
        }
    };
    let without = public_key.clone();
    let limited = StoredValue::new((public_key.clone(), shown.clone()));
    let details = NodeRef::<html::Details>::new();
    view! {
        {is_namesake.then(|| view! { <p class="note person-more" role="alert">{(text().namesake_warning)(&shown)}</p> })}
        <details
            class="person-more"
            prop:open=is_open.get_untracked()
            node_ref=details
            on:toggle=move |_| is_open.set(details.get_untracked().is_some_and(|details| details.open()))
        >
            <summary>{(text().trust_title)(&shown)}</summary>
            <p class="hint">{(text().words_note)(&shown)}</p>
            <p class="words" dir="ltr" lang="en">{words}</p>
            <div class="person-choices">
                {choice(Standing::Trusted, text().trust)} {choice(Standing::Avoided, text().avoid)}
                {move || {
                    is_creator.get().then(|| {
                        let without = without.clone();
                        view! {
                            <button
                                class="button"
                                on:click=move |_| session.start_anew(vec![without.clone()])
                            >
                                {text().start_anew_without}
                            </button>
                        }
                    })
                }}
            </div>
            // Chromium leaves fields that were made in closed details out of what assistive technology sees, also
            // once they are open.
            <Show when=move || is_open.get()>
                <Limits public_key=limited.with_value(|it| it.0.clone()) name=limited.with_value(|it| it.1.clone()) />
            </Show>
        </details>
    }
}

fn facts(peer: &PeerInfo) -> Vec<String> {
    let text = text();
    let mut facts = Vec::new();
    if peer.standing == Standing::Trusted {
        facts.push(match peer.known_as.as_deref().unwrap_or_default() {
            known if known.is_empty() || known == peer.name => text.trusted.to_owned(),
            known => (text.trusted_as)(known),
        });
    }
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
    facts.extend(peer.available.map(|room| (text.peer_room)(&text.units.size(room))));
    if peer.sent > 0 {
        facts.push((text.sent)(&text.units.size(peer.sent)));
    }
    if peer.received > 0 {
        facts.push((text.received)(&text.units.size(peer.received)));
    }
    facts
}
