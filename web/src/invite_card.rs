//! The invite: its link to copy, its QR code to scan, the system's own way to pass it on, and a code to be
//! spoken.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_peer::api::CodeState;
use web::front::browser;
use web::qr::qr;
use web::text::causes::translated;
use web::text::text;

use crate::session::Session;

#[component]
pub(crate) fn InviteCard(ours: bool) -> impl IntoView {
    let session = Session::of_page();
    let link = StoredValue::new(session.invite_link());
    let field = NodeRef::<html::Input>::new();
    let copied = RwSignal::new(false);
    let select = move || {
        if let Some(field) = field.get_untracked() {
            let _ = field.focus();
            field.select();
        }
    };
    let copy = move |_| {
        spawn_local(async move {
            let done = browser::copy(&link.get_value()).await;
            if done {
                copied.set(true);
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    std::time::Duration::from_secs(2),
                );
            } else {
                select();
            }
            session.announce(if done { text().copied } else { text().copy_by_hand });
        });
    };
    view! {
        <section class="invite side" aria-labelledby="invite-title">
            <h2 id="invite-title" class="section-title">{text().invite_title}</h2>
            <div class="invite-row">
                <label class="unseen" for="invite-link">{text().invite_link}</label>
                <input
                    id="invite-link"
                    class="field"
                    type="text"
                    readonly=true
                    dir="ltr"
                    aria-describedby="invite-note"
                    prop:value=link.get_value()
                    node_ref=field
                    on:click=move |_| select()
                />
                <button class="button is-main" on:click=copy>
                    {move || if copied.get() { text().copied } else { text().copy }}
                </button>
                {browser::can_pass_on().then(|| {
                    view! {
                        <button
                            class="button"
                            on:click=move |_| spawn_local(async move {
                                browser::pass_on(&link.get_value()).await;
                            })
                        >
                            {text().share_link}
                        </button>
                    }
                })}
            </div>
            <p id="invite-note" class="hint">{text().invite_note}</p>
            <SpokenCode />
            <details class="qr" open=ours && browser::is_wide()>
                <summary>{text().show_qr}</summary>
                <QrImage link=link.get_value() />
            </details>
        </section>
    }
}

/// A code for one guest, for as long as it is good, and what became of it.
#[component]
fn SpokenCode() -> impl IntoView {
    let session = Session::of_page();
    let info = Memo::new(move |_| session.state.with(|state| state.as_ref()?.code.clone()));
    let state = Memo::new(move |_| info.with(|info| info.as_ref().map(|info| info.state)));
    let code = Memo::new(move |_| info.with(|info| info.as_ref()?.code.clone()));
    let is_of_use = move || {
        matches!(state.get(), Some(CodeState::Offered | CodeState::Tried)) && code.get().is_some()
    };
    let sentence = Memo::new(move |_| {
        let text = text();
        info.with(|info| match info {
            None => text.code_about.to_owned(),
            Some(info) => match (info.state, &info.message) {
                (CodeState::Asking, _) => text.code_asking.to_owned(),
                (CodeState::Offered, _) => text.code_note.to_owned(),
                (CodeState::Tried, _) => text.code_tried.to_owned(),
                (_, message) => {
                    let cause = message.as_deref().map(translated);
                    let ended = text.sentence(cause.as_deref().unwrap_or(text.unknown_error));
                    if info.burnt > 1 { (text.codes_burnt)(&ended, info.burnt) } else { ended }
                }
            },
        })
    });
    let left = move || {
        let left_ms = info.with(|info| info.as_ref()?.left_ms)?;
        let left = (left_ms - session.passed_ms()).max(0.0) / 1e3;
        Some((text().code_left)(&text().units.duration(left)))
    };
    let button = move || match state.get() {
        None => Some(text().show_code),
        Some(CodeState::Asking | CodeState::Offered | CodeState::Tried) => None,
        Some(_) => Some(text().new_code),
    };
    view! {
        <div class="spoken" role="group" aria-label=text().code_title>
            <Show when=is_of_use>
                <p class="code" dir="ltr" lang="en">{code}</p>
                // It changes every second, which is not to be read out.
                <p class="hint timer" aria-live="off">{left}</p>
            </Show>
            <p class="hint" role="status" class:is-problem=move || state.get() == Some(CodeState::Burnt)>
                {sentence}
            </p>
            {move || {
                button().map(|label| {
                    view! { <button class="button" on:click=move |_| session.offer_code()>{label}</button> }
                })
            }}
            <Show when=is_of_use>
                <button class="button is-quiet" on:click=move |_| session.withdraw_code()>
                    {text().withdraw_code}
                </button>
            </Show>
        </div>
    }
}

#[component]
fn QrImage(link: String) -> impl IntoView {
    qr(&link).map(|code| {
        let side = code.side;
        view! {
            <svg
                class="qr-image"
                role="img"
                aria-label=text().qr_alt
                viewBox=format!("0 0 {side} {side}")
                shape-rendering="crispEdges"
            >
                <path d=code.path />
            </svg>
        }
    })
}
