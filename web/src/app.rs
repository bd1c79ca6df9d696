//! The program for rooms: which screen is shown, what belongs to all of them (notices, announcements, the title),
//! and the events of the whole window that concern a room (an invite in the address bar, closing).

use std::cell::Cell;

use leptos::ev;
use leptos::prelude::*;
use wasm_peer::api::ServerState;
use web::front::frame::{self, Entering, Frame, Notice};
use web::front::given::share_what_is_given;
use web::front::home::Home;
use web::front::language::Spoken;
use web::front::window::{is_online, share_what_is_dropped};
use web::front::{Front, Wish, browser, theme};
use web::invite;
use web::text::causes::translated;
use web::text::text;
use web_sys::HtmlElement;

use crate::awake::keep_awake_while_moving;
use crate::room::Room;
use crate::session::{Screen, Session, server_state};
use crate::settings::Settings;
use crate::{status, tab};

/// Beside the light; not in the view itself, where an element of literals would be made from HTML.
const LIGHT_TEXT: &str = "light-text";
/// Connecting for longer than this is told.
const CONNECTING_LONG_SECONDS: f64 = 3.0;

thread_local! {
    /// Once we have the page.
    static FRONT: Cell<Option<Front>> = const { Cell::new(None) };
}

/// Does what people want; the first time, takes the place of what is on the page until then.
pub(crate) fn fulfil(wish: Wish) {
    match FRONT.get() {
        Some(front) => front.wish(wish),
        None => {
            let place = frame::place();
            mount_to(place.clone(), move || run(place, wish)).forget();
        }
    }
}

/// Sets up what lasts as long as the page, and draws the rest, anew in each language. That is mounted by
/// itself: as a part of a view, all of it would be compiled once more for that.
fn run(place: HtmlElement, wish: Wish) {
    let front = Front::set_up();
    FRONT.set(Some(front));
    provide_context(front);
    let session = Session::new(front);
    provide_context(session);
    front.lead(move |wish| session.fulfil(wish));
    let spoken = Spoken::now();
    provide_context(spoken);
    watch_window(session);
    share_what_is_dropped(front);
    tab::show_progress(session, spoken);
    keep_awake_while_moving(session);
    theme::watch_other_tabs();
    session.fulfil(wish);
    share_what_is_given(front);
    Effect::new(move |before: Option<_>| {
        spoken.tag();
        drop(before);
        untrack(|| mount_to(place.clone(), Page))
    });
}

#[component]
fn Page() -> impl IntoView {
    let session = Session::of_page();
    let body = view! {
        <Notices />
        {move || match session.screen.get() {
            Screen::Home => view! { <Home /> }.into_any(),
            Screen::Entering { ours } => view! { <Entering ours /> }.into_any(),
            Screen::Room { ours } => view! { <Room ours /> }.into_any(),
        }}
        <p class="unseen" role="status">{move || session.announcement.get()}</p>
    };
    view! { <Frame top=TopBar().into_any() body=body.into_any() /> }
}

#[component]
fn TopBar() -> impl IntoView {
    let session = Session::of_page();
    let server = server_state(session);
    let in_room = move || session.screen.with(|screen| *screen != Screen::Home);
    let light = move || match server.get() {
        Some(ServerState::Connected) => ("light is-good", text().connected),
        Some(ServerState::Lost) => ("light is-bad", text().lost_short),
        Some(ServerState::NetworkGone) => ("light is-bad", text().offline_short),
        Some(ServerState::Refused) => ("light is-bad", text().refused_short),
        Some(ServerState::Connecting) | None => ("light", text().connecting),
    };
    let waiting = move || {
        let connecting = matches!(server.get(), Some(ServerState::Connecting));
        let seconds = if connecting { session.server_for_ms() / 1e3 } else { 0.0 };
        (seconds >= CONNECTING_LONG_SECONDS).then(|| text().units.duration(seconds))
    };
    view! {
        <Show when=in_room>
            <p class=move || light().0><span class=LIGHT_TEXT>{move || light().1}</span> {waiting}</p>
            <button class="button is-quiet" on:click=move |_| session.leave()>{text().leave}</button>
        </Show>
        <Settings />
    }
}

/// What people can do about the connection to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Help {
    None,
    TryNow,
    Reload,
}

/// What went wrong, and what to do about it.
#[component]
fn Notices() -> impl IntoView {
    let session = Session::of_page();
    let server = server_state(session);
    let online = is_online();
    let cause = move || {
        let cause = session.state.with(|state| state.as_ref()?.server_message.clone());
        cause.map(|cause| translated(&cause)).unwrap_or_default()
    };
    let trouble = move || match server.get() {
        Some(ServerState::Refused) => Some(((text().server_refused)(&cause()), Help::Reload)),
        Some(ServerState::NetworkGone) => Some((text().offline.to_owned(), Help::TryNow)),
        _ if !online.get() => Some((text().offline.to_owned(), Help::None)),
        Some(ServerState::Lost) => Some(((text().server_lost)(&cause()), Help::TryNow)),
        _ => None,
    };
    let trouble = Memo::new(move |_| trouble());
    let next_try = move || {
        let next = session.state.with(|state| state.as_ref()?.server_retry_ms)?;
        Some(text().sentence(&status::next_try(next - session.passed_ms())))
    };
    let help = move |help| {
        match help {
        Help::Reload => Some(view! {
            <button class="button" on:click=move |_| browser::reload()>{text().reload}</button>
        }
        .into_any()),
        Help::TryNow => Some(view! {
            // It changes every second, which is not to be read out.
            <span class="timer" aria-live="off">{next_try}</span>
            <button class="button" on:click=move |_| session.retry_server()>{text().try_now}</button>
        }
        .into_any()),
        Help::None => None,
    }
    };
    view! {
        <div class="notices" role="alert">
            {move || {
                trouble.get().map(|(sentence, helps)| {
                    view! { <div class="notice"><span>{sentence}</span>{help(helps)}</div> }
                })
            }}
            <Notice />
        </div>
    }
}

/// The events of the whole window that concern a room.
fn watch_window(session: Session) {
    let _ = window_event_listener(ev::hashchange, move |_| {
        let fragment = browser::fragment();
        let current = session.invite_link();
        if fragment.is_empty() {
            session.leave();
        } else if fragment != invite::fragment(&current) {
            session.join(invite::link(&browser::origin(), &fragment));
        }
    });
    let _ = window_event_listener(ev::pagehide, move |_| session.note_room());
    let _ = window_event_listener(ev::beforeunload, move |event| {
        if session.would_lose() {
            event.prevent_default();
            // Older browsers ask only if there is a text; none shows it.
            event.set_return_value(" ");
        }
    });
}
