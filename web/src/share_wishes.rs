//! What people want of a share as a whole: how urgent it is among several, and whether it is passed on.

use leptos::prelude::*;
use wasm_peer::api::{Priority, ShareState, Withheld};
use web::text::text;

use crate::session::Session;
use crate::share_card::{Share, is_ours};

#[component]
pub(crate) fn ShareWishes(share: Share) -> impl IntoView {
    let session = Session::of_page();
    let id = move || share.with_untracked(|share| share.id.clone());
    let state = Memo::new(move |_| share.with(|share| share.state));
    let withheld = Memo::new(move |_| share.with(|share| share.withheld));
    let priority = Memo::new(move |_| share.with(|share| share.priority));
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
    let options = [
        (Priority::High, text().priority_high),
        (Priority::Normal, text().priority_normal),
        (Priority::Low, text().priority_low),
    ];
    view! {
        <div class="wishes">
            <Show when=can_wait>
                <label class="choice">
                    {text().share_priority}
                    <select
                        class="select"
                        on:change=move |event| {
                            let number = event_target_value(&event).parse().unwrap_or(0);
                            if let Some(priority) = Priority::from_number(number) {
                                session.set_priority(id(), priority);
                            }
                        }
                    >
                        {options.map(|(it, label)| view! {
                            <option
                                value=Priority::number(Some(it)).to_string()
                                prop:selected=move || priority.get() == it
                            >
                                {label}
                            </option>
                        }).into_iter().collect_view()}
                    </select>
                </label>
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
