//! The frame of the page: which screen is shown, what belongs to all of them (notices, announcements, the
//! title), and the events of the whole window (drop, paste, an invite in the address bar, closing).

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_peer::api::ServerState;
use web::invite;
use web::text::causes::translated;
use web::text::text;
use web_sys::{DataTransfer, HtmlElement, HtmlInputElement, HtmlTextAreaElement};

use crate::awake::keep_awake_while_moving;
use crate::drop::Dropped;
use crate::given::share_what_is_given;
use crate::home::Home;
use crate::language::{LanguageChoice, Spoken};
use crate::room::Room;
use crate::session::{Adding, Screen, Session, server_state};
use crate::settings::Settings;
use crate::{browser, status, tab, theme};

/// Beside the light; not in the view itself, where an element of literals would be made from HTML.
const LIGHT_TEXT: &str = "light-text";
/// Connecting for longer than this is told.
const CONNECTING_LONG_SECONDS: f64 = 3.0;

/// Puts the page in place of what `index.html` shows until then.
pub(crate) fn mount() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        reveal("broken");
    }));
    let place = document().get_element_by_id("app").expect("index.html has the element `app`");
    let place = place.unchecked_into::<HtmlElement>();
    place.set_text_content(None);
    mount_to(place.clone(), move || run(place)).forget();
}

/// Sets up what lasts as long as the page, and draws the rest, anew in each language. That is mounted by
/// itself: as a part of a view, all of it would be compiled once more for that.
fn run(place: HtmlElement) {
    let session = Session::new();
    provide_context(session);
    let spoken = Spoken::new();
    provide_context(spoken);
    let dragging = RwSignal::new(false);
    watch_window(session, dragging);
    tab::show_progress(session, spoken);
    keep_awake_while_moving(session);
    theme::watch_other_tabs();
    if !browser::fragment().is_empty() {
        session.join(invite::link(&browser::origin(), &browser::fragment()));
    }
    share_what_is_given(session);
    Effect::new(move |before: Option<_>| {
        spoken.tag();
        drop(before);
        untrack(|| mount_to(place.clone(), move || view! { <Frame dragging /> }))
    });
}

#[component]
fn Frame(dragging: RwSignal<bool>) -> impl IntoView {
    let session = Session::of_page();
    view! {
        <div class="frame" class:is-dragging=dragging>
            <TopBar />
            <Notices />
            {move || match session.screen.get() {
                Screen::Home => view! { <Home /> }.into_any(),
                Screen::Entering { ours } => view! { <Entering ours /> }.into_any(),
                Screen::Room { ours } => view! { <Room ours /> }.into_any(),
            }}
            <footer class="foot">
                <p>{text().server_sees}</p>
                <LanguageChoice />
            </footer>
            <p class="unseen" role="status">{move || session.announcement.get()}</p>
            <p class="drop-now" aria-hidden="true">{text().drop_now}</p>
        </div>
    }
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
        <header class="top">
            <a class="brand" href="/">
                <Mark />
                {text().product}
            </a>
            <Show when=in_room>
                <p class=move || light().0><span class=LIGHT_TEXT>{move || light().1}</span> {waiting}</p>
                <button class="button is-quiet" on:click=move |_| session.leave()>{text().leave}</button>
            </Show>
            <Settings />
        </header>
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
    let online = RwSignal::new(browser::is_online());
    let update = move |_: web_sys::Event| online.set(browser::is_online());
    let listeners = [
        window_event_listener_untyped("online", update),
        window_event_listener_untyped("offline", update),
    ];
    on_cleanup(move || listeners.into_iter().for_each(WindowListenerHandle::remove));

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
            {move || {
                session.notice.get().map(|sentence| {
                    view! {
                        <p class="notice">
                            <span>{sentence}</span>
                            <button class="button is-quiet" on:click=move |_| session.notice.set(None)>
                                {text().dismiss}
                            </button>
                        </p>
                    }
                })
            }}
        </div>
    }
}

#[component]
fn Entering(ours: bool) -> impl IntoView {
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
pub(crate) fn Working() -> impl IntoView {
    let session = Session::of_page();
    let sentence = move || match session.adding.get() {
        Some(Adding::Reading(n)) => (text().reading_files)(n),
        Some(Adding::Sharing(n)) => (text().adding_files)(n),
        None => String::new(),
    };
    view! {
        <p class="working" role="status">{sentence}</p>
    }
}

/// Moves the keyboard and screen readers to the start of a new screen.
pub(crate) fn focus_when_shown(heading: NodeRef<leptos::html::H1>) {
    Effect::new(move |_| {
        let Some(heading) = heading.get() else { return };
        // Whatever has the keyboard by now keeps it, as after a change of language; what is gone has none.
        let elsewhere = document().active_element().is_some_and(|it| it.local_name() != "body");
        if !elsewhere {
            let _ = heading.focus();
        }
    });
}

/// The events of the whole window.
fn watch_window(session: Session, dragging: RwSignal<bool>) {
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
    let _ = window_event_listener(ev::dragover, move |event| {
        // Without this the browser would open the file in place of the page.
        event.prevent_default();
        dragging.set(event.data_transfer().is_some_and(|transfer| has_files(&transfer)));
    });
    let _ = window_event_listener(ev::dragleave, move |event| {
        // Only leaving the window has nothing it goes to.
        if event.related_target().is_none() {
            dragging.set(false);
        }
    });
    let _ = window_event_listener(ev::drop, move |event| {
        event.prevent_default();
        dragging.set(false);
        match event.data_transfer().as_ref().and_then(Dropped::take) {
            Some(dropped) => share_dropped(session, dropped),
            None => session.complain(text().nothing_found.to_owned()),
        }
    });
    let _ = window_event_listener(ev::paste, move |event| {
        let Some(transfer) = event.clipboard_data() else { return };
        // Where there is both, as from a table, people who write mean the text.
        let is_text = transfer.types().includes(&"text/plain".into(), 0);
        let into_text = event.target().is_some_and(|target| {
            target.has_type::<HtmlInputElement>()
                || is_text && target.has_type::<HtmlTextAreaElement>()
        });
        if let (Some(dropped), false) = (Dropped::take(&transfer), into_text) {
            event.prevent_default();
            share_dropped(session, dropped);
        }
    });
}

fn share_dropped(session: Session, dropped: Dropped) {
    session.adding.set(Some(Adding::Reading(0)));
    spawn_local(async move {
        match dropped.walk(|n| session.adding.set(Some(Adding::Reading(n)))).await {
            Ok(files) => session.share(files),
            Err(cause) => {
                session.adding.set(None);
                session.complain((text().not_added)(&cause));
            }
        }
    });
}

fn has_files(transfer: &DataTransfer) -> bool {
    transfer.types().includes(&"Files".into(), 0)
}

/// Shows one of the messages that `index.html` holds ready for when the program cannot.
fn reveal(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        let _ = element.remove_attribute("hidden");
    }
}
