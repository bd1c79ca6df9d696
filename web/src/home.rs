//! The first screen: drop files, or enter with an invite.

use leptos::prelude::*;
use web::invite::{self, Entry};
use web::text::text;

use crate::app::{Working, focus_when_shown};
use crate::browser;
use crate::picker::Picker;
use crate::session::Session;

#[component]
pub(crate) fn Home() -> impl IntoView {
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
            <JoinForm />
        </main>
    }
}

#[component]
fn JoinForm() -> impl IntoView {
    let session = Session::of_page();
    let typed = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<&'static str>);
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        problem.set(None);
        match typed.with(|typed| invite::read(typed, &browser::origin())) {
            Entry::Here(link) => session.join(link),
            Entry::Elsewhere(link) => browser::go_to(&link),
            Entry::Code => problem.set(Some(text().code_not_yet)),
            Entry::Other => problem.set(Some(text().not_an_invite)),
            Entry::Empty => problem.set(Some(text().nothing_typed)),
        }
    };
    view! {
        <section class="join" aria-labelledby="join-title">
            <h2 id="join-title" class="join-title">{text().join_title}</h2>
            <form class="join-form" novalidate=true on:submit=submit>
                <label for="join-text">{text().join_label}</label>
                <input
                    id="join-text"
                    class="field"
                    type="text"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    aria-describedby="join-hint"
                    aria-invalid=move || problem.get().map(|_| "true")
                    prop:value=typed
                    on:input:target=move |event| typed.set(event.target().value())
                />
                <button class="button" type="submit">{text().join}</button>
                <p id="join-hint" class="hint" aria-live="polite" class:is-problem=move || problem.get().is_some()>
                    {move || problem.get().unwrap_or(text().join_hint)}
                </p>
            </form>
        </section>
    }
}
