//! The choice of how urgent something is: a share, a folder, a file.

use leptos::prelude::*;
use wasm_peer::api::Priority;
use web::text::text;

#[component]
pub(crate) fn Urgency(
    label: &'static str,
    /// None where not all that is in it is wanted alike.
    now: Signal<Option<Priority>>,
    choose: Callback<Priority>,
) -> impl IntoView {
    let text = text();
    let option = move |it: Priority, label: &'static str| {
        view! {
            <option value=Priority::number(Some(it)) prop:selected=move || now.get() == Some(it)>
                {label}
            </option>
        }
    };
    view! {
        <label class="choice">
            {label}
            <select
                class="select"
                on:change:target=move |event| {
                    let number = event.target().value().parse().unwrap_or_default();
                    if let Some(chosen) = Priority::from_number(number) {
                        choose.run(chosen);
                    }
                }
            >
                <option value="" hidden=true prop:selected=move || now.get().is_none()>{"–"}</option>
                {option(Priority::High, text.priority_high)}
                {option(Priority::Normal, text.priority_normal)}
                {option(Priority::Low, text.priority_low)}
            </select>
        </label>
    }
}
