//! The first screen: drop files, or enter with an invite.

use leptos::prelude::*;
use protocol::code::{self, Code};

use super::frame::{Working, focus_when_shown};
use super::picker::Picker;
use super::recent::Recent;
use super::scan::Scan;
use super::{Front, browser};
use crate::invite::{self, Entry};
use crate::text::causes::translated;
use crate::text::text;

/// The first screen, within the frame.
#[component]
pub fn Home() -> impl IntoView {
    let heading = NodeRef::new();
    // The very first screen leaves the focus where the browser puts it.
    if !browser::fragment().is_empty() || browser::now_ms() > 5_000.0 {
        focus_when_shown(heading);
    }
    view! {
        <main class="home">
            <h1 class="headline" tabindex="-1" node_ref=heading>{text().headline}</h1>
            <p class="about">{text().about}</p>
            <section class="pool" aria-labelledby="drop-title">
                <h2 id="drop-title" class="pool-title">{text().drop_here}</h2>
                <Picker />
                <p class="pool-note">{text().drop_note}</p>
                <Working />
            </section>
            <Recent />
            <JoinForm />
        </main>
    }
}

#[component]
fn JoinForm() -> impl IntoView {
    let front = Front::of_page();
    let typed = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let completions =
        Memo::new(move |_| typed.with(|typed| code::complete(typed, code::MAX_COMPLETIONS)));
    let enter = move |typed: String| {
        problem.set(None);
        if Code::is_meant(&typed) {
            match typed.parse::<Code>() {
                Ok(_) => front.enter(typed),
                Err(wrong) => problem.set(Some(text().sentence(&translated(&wrong.to_string())))),
            }
            return;
        }
        match invite::read(&typed, &browser::origin()) {
            Entry::Here(link) => front.enter(link),
            Entry::Elsewhere(link) => browser::go_to(&link),
            Entry::Other => problem.set(Some(text().not_an_invite.to_owned())),
            Entry::Empty => problem.set(Some(text().nothing_typed.to_owned())),
        }
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        enter(typed.get());
    };
    let scanned = Callback::new(move |said: String| {
        typed.set(said.clone());
        enter(said);
    });
    view! {
        <section class="join" aria-labelledby="join-title">
            <h2 id="join-title" class="join-title">{text().join_title}</h2>
            <form class="join-form" novalidate=true on:submit=submit>
                <label for="join-text">{text().join_label}</label>
                <input
                    id="join-text"
                    class="field"
                    type="text"
                    dir="ltr"
                    autocomplete="off"
                    autocapitalize="off"
                    // Only then: with a list it is another kind of field to assistive technology.
                    list=move || completions.with(|it| !it.is_empty()).then_some("join-completions")
                    spellcheck="false"
                    aria-describedby="join-hint"
                    aria-invalid=move || problem.with(Option::is_some).then_some("true")
                    prop:value=typed
                    on:input:target=move |event| typed.set(event.target().value())
                />
                <datalist id="join-completions">
                    {move || {
                        let completions = completions.get().into_iter();
                        completions.map(|text| view! { <option value=text></option> }).collect_view()
                    }}
                </datalist>
                <button class="button" type="submit">{text().join}</button>
                <Scan found=scanned />
                <p id="join-hint" class="hint" aria-live="polite" class:is-problem=move || problem.with(Option::is_some)>
                    {move || problem.get().unwrap_or_else(|| text().join_hint.to_owned())}
                </p>
            </form>
        </section>
    }
}
