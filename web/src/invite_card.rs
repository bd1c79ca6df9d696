//! The invite: its link to copy, its QR code to scan, and the system's own way to pass it on.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web::qr::qr;
use web::text::text;

use crate::browser;
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
        <section class="invite" aria-labelledby="invite-title">
            <h2 id="invite-title" class="section-title">{text().invite_title}</h2>
            <div class="invite-row">
                <label class="unseen" for="invite-link">{text().invite_link}</label>
                <input
                    id="invite-link"
                    class="field"
                    type="text"
                    readonly=true
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
            <details class="qr" open=ours && browser::is_wide()>
                <summary>{text().show_qr}</summary>
                <QrImage link=link.get_value() />
            </details>
        </section>
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
