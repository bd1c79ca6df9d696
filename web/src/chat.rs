//! What members say to the room: lines of text with who said them and when, a field to say something, and
//! how many lines came that nobody has seen yet.
//!
//! Lines are text and nothing else: an address in one is not made a link, so nobody is led anywhere by a
//! click. New lines are announced together and briefly; the list itself is silent to screen readers.

use std::sync::Arc;
use std::time::Duration;

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_peer::api::{Line, MAX_LINE_BYTES, Standing};
use web::excerpt::{excerpt, is_snippet};
use web::front::browser;
use web::text::text;
use web_sys::{IntersectionObserver, IntersectionObserverEntry};

use crate::session::Session;

/// The most lines that are shown; earlier ones go.
const MAX_SHOWN: usize = 200;
/// Lines that come within so long are announced together.
const ANNOUNCED_TOGETHER: Duration = Duration::from_millis(1000);
/// How much of a line is announced.
const ANNOUNCED_CHARS: usize = 160;
/// So much of a line is shown until people ask for all of it.
const FOLDED_CHARS: usize = 1200;
const FOLDED_LINES: usize = 12;
/// Whoever has scrolled up further than this is not taken to the end when a line comes.
const AT_THE_END_PX: i32 = 48;

/// What was said in the room that the page is in. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Talk {
    lines: RwSignal<Vec<Shown>>,
    /// Lines of others that came while nobody could see them.
    pub(crate) unread: RwSignal<u32>,
    heard: StoredValue<u64>,
    is_seen: StoredValue<bool>,
    to_announce: StoredValue<Vec<Arc<Line>>>,
}

/// A line, and the how-manieth it is.
#[derive(Clone)]
struct Shown {
    number: u64,
    line: Arc<Line>,
}

impl Talk {
    pub(crate) fn new() -> Self {
        Self {
            lines: RwSignal::new(Vec::new()),
            unread: RwSignal::new(0),
            heard: StoredValue::new(0),
            is_seen: StoredValue::new(false),
            to_announce: StoredValue::new(Vec::new()),
        }
    }

    /// Another room.
    pub(crate) fn clear(self) {
        self.lines.set(Vec::new());
        self.unread.set(0);
        self.to_announce.set_value(Vec::new());
    }

    pub(crate) fn hear(self, session: Session, line: Line) {
        let line = Arc::new(line);
        self.heard.update_value(|heard| *heard += 1);
        let shown = Shown { number: self.heard.get_value(), line: Arc::clone(&line) };
        self.lines.update(|lines| {
            lines.push(shown);
            let too_many = lines.len().saturating_sub(MAX_SHOWN);
            lines.drain(..too_many);
        });
        if line.own {
            return;
        }
        if !self.is_seen.get_value() {
            self.unread.update(|unread| *unread += 1);
        }
        let is_first = self.to_announce.with_value(Vec::is_empty);
        self.to_announce.update_value(|lines| lines.push(line));
        if is_first {
            set_timeout(move || self.announce(session), ANNOUNCED_TOGETHER);
        }
    }

    /// Says one line, or how many there are.
    fn announce(self, session: Session) {
        let lines = self.to_announce.try_update_value(std::mem::take).unwrap_or_default();
        let sentence = match &lines[..] {
            [] => return,
            [line] => {
                let name = untrack(|| Author::of(session, line).name);
                let said = excerpt(&line.text, ANNOUNCED_CHARS, 1).unwrap_or(&line.text);
                (text().chat_said)(&name, said)
            }
            many => (text().chat_new)(many.len()),
        };
        session.notify(&sentence);
        session.announce(sentence);
    }

    fn note_seen(self, is_seen: bool) {
        self.is_seen.set_value(is_seen);
        if is_seen && self.unread.get_untracked() > 0 {
            self.unread.set(0);
        }
    }
}

/// Who said a line, as far as it is known now.
#[derive(Clone, PartialEq, Eq)]
struct Author {
    name: String,
    tone: Option<usize>,
    facts: Vec<String>,
    /// Who the author is not, although it calls itself so.
    is_not: Option<String>,
}

impl Author {
    fn of(session: Session, line: &Line) -> Self {
        let text = text();
        session.state.with(|state| {
            let (peers, people) =
                state.as_ref().map_or((&[][..], &[][..]), |it| (&it.peers[..], &it.people[..]));
            let is_author = |key: Option<&str>| key == Some(&line.author[..]);
            let peer = peers.iter().find(|peer| is_author(peer.public_key.as_deref()));
            let name = match peer {
                _ if line.own => (text.you)(&line.name),
                // Its name in the room may be known a moment later than what it says.
                Some(peer) if !peer.name.is_empty() => session.peer_name(&peer.id),
                _ if line.name.is_empty() => text.someone.to_owned(),
                _ => line.name.clone(),
            };
            let mut trusted = people.iter().filter(|it| it.standing == Standing::Trusted);
            let known = trusted.clone().find(|person| is_author(Some(&person.public_key)));
            let is_not = trusted.find(|person| {
                !line.own
                    && known.is_none()
                    && !person.name.is_empty()
                    && person.name.to_lowercase() == line.name.to_lowercase()
            });
            let mut facts = Vec::new();
            facts.extend(known.map(|known| {
                if known.name.is_empty() || known.name == line.name {
                    text.trusted.to_owned()
                } else {
                    (text.trusted_as)(&known.name)
                }
            }));
            if peer.is_none() && !line.own {
                // Names are not unique, and of somebody who is gone there is nothing else to go by.
                facts.push((text.chat_gone)(&line.key));
            }
            let tone = peer.map(|peer| session.tone(&peer.id));
            Self { name, tone, facts, is_not: is_not.map(|person| person.name.clone()) }
        })
    }
}

#[component]
pub(crate) fn Chat() -> impl IntoView {
    let session = Session::of_page();
    let talk = session.talk;
    let section = NodeRef::<html::Section>::new();
    let list = NodeRef::<html::Div>::new();
    notice_when_seen(talk, section);
    keep_at_the_end(talk, list);
    let is_on = Memo::new(move |_| {
        session.state.with(|state| state.as_ref().is_none_or(|state| state.chat))
    });
    let is_silent = Memo::new(move |_| talk.lines.with(Vec::is_empty));
    view! {
        <section id="chat" class="chat side" aria-labelledby="chat-title" node_ref=section>
            <h2 id="chat-title" class="section-title">{text().chat_title}</h2>
            <Show
                when=move || is_on.get()
                fallback=|| view! { <p class="hint">{text().chat_off}</p> }
            >
                <Show when=move || is_silent.get()>
                    <p class="hint">{text().chat_empty}</p>
                </Show>
                // People scroll in it with the keyboard.
                <div
                    class="chat-log"
                    role="log"
                    aria-live="off"
                    aria-label=text().chat_log
                    tabindex="0"
                    hidden=move || is_silent.get()
                    node_ref=list
                >
                    <ul class="chat-lines">
                        <For
                            each=move || talk.lines.get()
                            key=|shown: &Shown| shown.number
                            children=|shown: Shown| view! { <SaidLine line=shown.line /> }
                        />
                    </ul>
                </div>
                <Say />
            </Show>
        </section>
    }
}

/// Leads to lines that came while the chat could not be seen.
#[component]
pub(crate) fn Unread() -> impl IntoView {
    let session = Session::of_page();
    let unread = session.talk.unread;
    let go = move |_| {
        if let Some(field) = document().get_element_by_id(FIELD) {
            field.scroll_into_view();
            let _ = field.unchecked_into::<web_sys::HtmlElement>().focus();
        }
    };
    view! {
        <Show when=move || { unread.get() > 0 }>
            <button class="button is-main chat-unread" on:click=go>
                {move || (text().chat_new)(unread.get() as usize)}
            </button>
        </Show>
    }
}

#[component]
fn SaidLine(line: Arc<Line>) -> impl IntoView {
    let session = Session::of_page();
    let author = {
        let line = Arc::clone(&line);
        Memo::new(move |_| Author::of(session, &line))
    };
    let own = line.own;
    let tone = move || match author.with(|author| author.tone) {
        _ if own => "dot is-us".to_owned(),
        Some(tone) => format!("dot tone-{tone}"),
        None => "dot is-none".to_owned(),
    };
    let time = browser::time_of_day(line.sent_ms as f64);
    let machine_time = browser::iso_time(line.sent_ms as f64);
    let class = if own { "line is-ours" } else { "line" };
    let class = if is_snippet(&line.text) { format!("{class} is-snippet") } else { class.into() };
    let folded = excerpt(&line.text, FOLDED_CHARS, FOLDED_LINES).map(str::to_owned);
    let is_long = folded.is_some();
    let is_open = RwSignal::new(false);
    let words = NodeRef::<html::P>::new();
    let copied = RwSignal::new(false);
    let copy_label = {
        let time = time.clone();
        move || author.with(|author| (text().chat_copy)(&author.name, &time))
    };
    let whole = line.text.clone();
    let copy = move |_| {
        let whole = whole.clone();
        spawn_local(async move {
            let done = browser::copy(&whole).await;
            if done {
                copied.try_set(true);
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    Duration::from_secs(2),
                );
            } else {
                is_open.try_set(true);
                if let Some(words) = words.get_untracked() {
                    browser::select(&words);
                }
            }
            session.announce(if done { text().copied } else { text().copy_by_hand });
        });
    };
    let whole = line.text.clone();
    let said = move || match &folded {
        Some(folded) if !is_open.get() => format!("{folded}…"),
        _ => whole.clone(),
    };
    view! {
        <li class=class>
            <p class="line-head">
                <span class=tone aria-hidden="true"></span>
                <bdi class="person-name">{move || author.with(|author| author.name.clone())}</bdi>
                <span class="line-facts">
                    {move || author.with(|author| author.facts.join(" · "))}
                </span>
                <time class="line-time" datetime=machine_time>{time}</time>
                <button class="button is-quiet line-copy" aria-label=copy_label on:click=copy>
                    {move || if copied.get() { text().copied } else { text().copy }}
                </button>
            </p>
            {move || {
                let is_not = author.with(|author| author.is_not.clone());
                is_not.map(|name| view! { <p class="risk">{(text().chat_impostor)(&name)}</p> })
            }}
            <p class="line-text" dir="auto" node_ref=words>{said}</p>
            {is_long.then(|| view! {
                <button
                    class="button is-quiet line-more"
                    aria-expanded=move || is_open.get().to_string()
                    on:click=move |_| is_open.update(|open| *open = !*open)
                >
                    {move || if is_open.get() { text().chat_fold } else { text().chat_unfold }}
                </button>
            })}
        </li>
    }
}

/// The id of the field, to which other parts of the page lead.
const FIELD: &str = "chat-field";

/// Where people write. Enter says it; with Shift it begins a new line.
#[component]
fn Say() -> impl IntoView {
    let session = Session::of_page();
    let draft = RwSignal::new(String::new());
    let trouble = RwSignal::new(None::<String>);
    let say = move || {
        let said = draft.with_untracked(|draft| draft.trim_end().to_owned());
        if said.trim().is_empty() {
            return;
        }
        if said.len() > MAX_LINE_BYTES {
            return trouble
                .set(Some((text().chat_too_long)(&text().units.size(MAX_LINE_BYTES as u64))));
        }
        draft.set(String::new());
        trouble.set(None);
        spawn_local(async move {
            if let Err(error) = session.say(said.clone()).await {
                trouble.try_set(Some(text().sentence(&browser::sentence(&error))));
                draft.try_update(|draft| {
                    if draft.is_empty() {
                        *draft = said;
                    }
                });
            }
        });
    };
    let on_key = move |event: ev::KeyboardEvent| {
        // While letters are composed, Enter takes what was composed.
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            say();
        }
    };
    let on_submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        say();
    };
    view! {
        <form class="chat-form" on:submit=on_submit>
            <label class="unseen" for=FIELD>{text().chat_field}</label>
            <textarea
                id=FIELD
                class="field chat-field"
                rows="2"
                aria-describedby="chat-note"
                aria-invalid=move || trouble.with(|it| it.is_some().then_some("true"))
                prop:value=draft
                on:input=move |event| {
                    draft.set(event_target_value(&event));
                    trouble.set(None);
                }
                on:keydown=on_key
            ></textarea>
            <button class="button" type="submit">{text().chat_say}</button>
            <p class="is-problem chat-trouble" role="alert">{trouble}</p>
            <p id="chat-note" class="hint">{text().chat_note}</p>
        </form>
    }
}

/// Tells whether people can see the chat at the moment.
fn notice_when_seen(talk: Talk, section: NodeRef<html::Section>) {
    let is_in_view = StoredValue::new(false);
    let look = move || talk.note_seen(is_in_view.get_value() && browser::is_visible());
    let listener = window_event_listener_untyped("visibilitychange", move |_| look());
    let observing = StoredValue::new_local(None);
    Effect::new(move |_| {
        let Some(section) = section.get() else { return };
        let on_change = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
            if let Some(last) = entries.iter().last() {
                let entry: IntersectionObserverEntry = last.unchecked_into();
                is_in_view.try_update_value(|seen| *seen = entry.is_intersecting());
                look();
            }
        });
        if let Ok(observer) = IntersectionObserver::new(on_change.as_ref().unchecked_ref()) {
            observer.observe(&section);
            observing.set_value(Some((observer, on_change)));
        }
    });
    on_cleanup(move || {
        listener.remove();
        if let Some((observer, _)) = observing.try_update_value(Option::take).flatten() {
            observer.disconnect();
        }
        talk.note_seen(false);
    });
}

/// Shows the last line, unless people have scrolled up to read another.
fn keep_at_the_end(talk: Talk, list: NodeRef<html::Div>) {
    Effect::new(move |_| {
        let is_ours = talk.lines.with(|lines| lines.last().is_some_and(|last| last.line.own));
        let Some(list) = list.get() else { return };
        let left = list.scroll_height() - list.client_height() - list.scroll_top();
        let is_at_the_end = left <= AT_THE_END_PX;
        if is_ours || is_at_the_end {
            // Once the line is there.
            request_animation_frame(move || list.set_scroll_top(list.scroll_height()));
        }
    });
}
