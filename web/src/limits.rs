//! What holds for one person: how much is sent to and received from them at most, in every room, and whether
//! we are connected to them in this one.

use leptos::prelude::*;
use web::text::text;

use crate::preferences::{Caps, RATES};
use crate::session::Session;
use crate::settings::Number;

#[component]
pub(crate) fn Limits(public_key: String, name: String) -> impl IntoView {
    let session = Session::of_page();
    let text = text();
    let id = public_key.get(..16).unwrap_or_default().to_owned();
    let note = format!("caps-{id}");
    let key = StoredValue::new(public_key);
    let caps = move || session.preferences.with(|it| key.with_value(|key| it.caps(key)));
    let shown = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / 1e6);
    let bytes = |rate: Option<f64>| rate.map(|rate| (rate * 1e6).round() as u64);
    let set = move |change: &dyn Fn(&mut Caps)| {
        let mut now = untrack(caps);
        change(&mut now);
        session.prefer(|preferences| key.with_value(|key| preferences.set_caps(key, now)));
    };
    let rate = |label: &str| format!("{label} ({}{})", text.units.bytes[2], text.units.per_second);
    let (up, down) = (format!("cap-up-{id}"), format!("cap-down-{id}"));
    let is_shut = Memo::new(move |_| key.with_value(|key| session.is_shut(key)));
    view! {
        <div class="limits" role="group" aria-label=(text.limits_title)(&name)>
            <div class="limit">
                <label for=up.clone()>{rate(text.send_at_most)}</label>
                <Number
                    id=up
                    note=note.clone()
                    usual=text.as_everybody.to_owned()
                    bounds=RATES
                    value=Signal::derive(move || shown(caps().upload))
                    set=Callback::new(move |value| set(&|caps| caps.upload = bytes(value)))
                />
            </div>
            <div class="limit">
                <label for=down.clone()>{rate(text.receive_at_most)}</label>
                <Number
                    id=down
                    note=note.clone()
                    usual=text.as_everybody.to_owned()
                    bounds=RATES
                    value=Signal::derive(move || shown(caps().download))
                    set=Callback::new(move |value| set(&|caps| caps.download = bytes(value)))
                />
            </div>
            <p id=note class="hint">{text.limits_note}</p>
            <button
                class="button"
                aria-pressed=move || is_shut.get().to_string()
                on:click=move |_| session.set_shut(key.get_value(), !is_shut.get_untracked())
            >
                {text.disconnect}
            </button>
            <p class="hint">
                {move || if is_shut.get() { text.disconnected_note } else { text.disconnect_note }}
            </p>
        </div>
    }
}
