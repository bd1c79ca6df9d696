//! What holds for one person: how much is sent to and received from them at most, in every room, and whether
//! we are connected to them in this one.

use leptos::prelude::*;
use web::text::text;

use crate::preferences::Caps;
use crate::session::Session;
use crate::settings::Rate;

#[component]
pub(crate) fn Limits(public_key: String, name: String) -> impl IntoView {
    let session = Session::of_page();
    let text = text();
    let id = public_key.get(..16).unwrap_or_default().to_owned();
    let note = format!("caps-{id}");
    let key = StoredValue::new(public_key);
    let caps = move || session.preferences.with(|it| key.with_value(|key| it.caps(key)));
    let set = move |change: &dyn Fn(&mut Caps)| {
        let mut now = untrack(caps);
        change(&mut now);
        session.prefer(|preferences| key.with_value(|key| preferences.set_caps(key, now)));
    };
    let (up, down) = (format!("cap-up-{id}"), format!("cap-down-{id}"));
    let is_shut = Memo::new(move |_| key.with_value(|key| session.is_shut(key)));
    view! {
        <div class="limits" role="group" aria-label=(text.limits_title)(&name)>
            <div class="limit">
                <Rate
                    id=up
                    label=text.send_at_most.to_owned()
                    note=note.clone()
                    usual=text.as_everybody.to_owned()
                    value=Signal::derive(move || caps().upload)
                    set=Callback::new(move |value| set(&|caps| caps.upload = value))
                />
            </div>
            <div class="limit">
                <Rate
                    id=down
                    label=text.receive_at_most.to_owned()
                    note=note.clone()
                    usual=text.as_everybody.to_owned()
                    value=Signal::derive(move || caps().download)
                    set=Callback::new(move |value| set(&|caps| caps.download = value))
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
