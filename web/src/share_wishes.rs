//! What people want of a share as a whole: how urgent it is among several, and whether it is passed on.

use leptos::prelude::*;
use wasm_peer::api::{ShareState, Withheld};
use web::text::text;

use crate::session::Session;
use crate::share_card::{Share, is_ours};
use crate::urgency::Urgency;

#[component]
pub(crate) fn ShareWishes(share: Share) -> impl IntoView {
    let session = Session::of_page();
    let id = move || share.with_untracked(|share| share.id.clone());
    let state = Memo::new(move |_| share.with(|share| share.state));
    let withheld = Memo::new(move |_| share.with(|share| share.withheld));
    let priority = Memo::new(move |_| share.with(|share| Some(share.priority)));
    let now = Signal::from(priority);
    // Of what is not here nothing can be passed on, and what is complete is not waited for.
    let can_serve = move || !matches!(state.get(), ShareState::Available | ShareState::Failed);
    let can_wait = move || !is_ours(state.get()) && state.get() != ShareState::Complete;
    let serves = move || withheld.get() != Some(Withheld::ByUser);
    let note = move || match withheld.get() {
        None => text().serving_note,
        Some(Withheld::ByUser) => text().withheld_by_user,
        Some(Withheld::ServiceOff) => text().withheld_service_off,
        Some(Withheld::Ratio) => text().withheld_ratio,
        Some(Withheld::Time) => text().withheld_time,
    };
    let note_id = format!("serving-{}", id());
    let described_by = note_id.clone();
    let choose = Callback::new(move |priority| session.set_priority(id(), priority));
    view! {
        <div class="wishes">
            <Show when=can_wait>
                <Urgency label=text().share_priority now=now choose=choose />
            </Show>
            <div class="serving" hidden=move || !can_serve()>
                <label class="tick">
                    <input
                        type="checkbox"
                        role="switch"
                        aria-describedby=described_by
                        prop:checked=serves
                        on:change=move |event| session.set_serving(id(), event_target_checked(&event))
                    />
                    {text().serve_on}
                </label>
                <p id=note_id class="hint">{note}</p>
            </div>
        </div>
    }
}
