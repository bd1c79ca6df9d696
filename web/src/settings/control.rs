//! What a control looks like: its label, itself, and the line on what it does. All are of a few kinds; what
//! each shows and sets is a pair of functions on what people prefer.

use leptos::prelude::*;
use web::text::text;

use crate::preferences::Preferences;
use crate::session::Session;

pub(super) type Getter<T> = fn(&Preferences) -> T;
pub(super) type Setter<T> = fn(&mut Preferences, T);

/// What is said of a control.
pub(super) struct Said {
    /// Of the element, once in the page.
    pub(super) id: &'static str,
    pub(super) label: String,
    pub(super) note: &'static str,
}

pub(super) fn said(id: &'static str, label: &str, note: &'static str) -> Said {
    Said { id, label: label.to_owned(), note }
}

/// Several controls under one heading.
pub(super) fn group(title: &'static str, controls: Vec<AnyView>) -> AnyView {
    view! {
        <fieldset class="settings-group">
            <legend class="settings-title">{title}</legend>
            {controls}
        </fieldset>
    }
    .into_any()
}

/// On or off.
pub(super) fn switch(said: Said, get: Getter<bool>, set: Setter<bool>) -> AnyView {
    let session = Session::of_page();
    switched(said, Signal::derive(move || session.preferences.with(get)), move |on| {
        session.prefer(|preferences| set(preferences, on));
    })
}

/// On or off, with more to do than to keep it.
pub(super) fn switched(said: Said, is_on: Signal<bool>, set: impl Fn(bool) + 'static) -> AnyView {
    let Said { id, label, note } = said;
    view! {
        <div class="setting is-switch">
            <input
                id=id
                type="checkbox"
                aria-describedby=note_id(id)
                prop:checked=is_on
                on:change:target=move |event| {
                    set(event.target().checked());
                    // It stays as it was if that came to nothing.
                    event.target().set_checked(is_on.get_untracked());
                }
            />
            <label for=id>{label}</label>
            <p id=note_id(id) class="hint">{note}</p>
        </div>
    }
    .into_any()
}

/// A number within bounds, or none; `usual` is shown in place of none.
pub(super) fn number(
    said: Said,
    usual: String,
    bounds: (f64, f64),
    get: Getter<Option<f64>>,
    set: Setter<Option<f64>>,
) -> AnyView {
    let session = Session::of_page();
    let value = Signal::derive(move || session.preferences.with(get));
    let set = move |value| session.prefer(|preferences| set(preferences, value));
    let Said { id, label, note } = said;
    view! {
        <div class="setting">
            <label for=id>{label}</label>
            <Number id=id.to_owned() note=note_id(id) usual bounds value set=Callback::new(set) />
            <p id=note_id(id) class="hint">{note}</p>
        </div>
    }
    .into_any()
}

/// The field of a number.
#[component]
pub(crate) fn Number(
    id: String,
    /// The id of what describes it.
    note: String,
    usual: String,
    bounds: (f64, f64),
    value: Signal<Option<f64>>,
    set: Callback<Option<f64>>,
) -> impl IntoView {
    let (min, max) = bounds;
    let shown = move || value.get().map(|value| value.to_string()).unwrap_or_default();
    view! {
        <input
            id=id
            class="field"
            type="number"
            inputmode="decimal"
            step="any"
            min=min.to_string()
            max=max.to_string()
            placeholder=usual
            aria-describedby=note
            prop:value=shown
            on:change:target=move |event| {
                let typed = event.target().value().parse().ok();
                set.run(typed.filter(|it: &f64| it.is_finite()).map(|it| it.clamp(min, max)));
                event.target().set_value(&untrack(shown));
            }
        />
    }
}

/// A bound on bytes per second, or none.
pub(super) fn cap(said: Said, get: Getter<Option<u64>>, set: Setter<Option<u64>>) -> AnyView {
    let session = Session::of_page();
    let value = Signal::derive(move || session.preferences.with(get));
    let set = move |value| session.prefer(|preferences| set(preferences, value));
    let Said { id, label, note } = said;
    let usual = text().unlimited.to_owned();
    view! {
        <div class="setting">
            <Rate id=id.to_owned() label note=note_id(id) usual value set=Callback::new(set) />
            <p id=note_id(id) class="hint">{note}</p>
        </div>
    }
    .into_any()
}

/// The label and the field of a bound on bytes per second, which people give in megabytes.
#[component]
pub(crate) fn Rate(
    id: String,
    label: String,
    /// The id of what describes it.
    note: String,
    usual: String,
    value: Signal<Option<u64>>,
    set: Callback<Option<u64>>,
) -> impl IntoView {
    let units = text().units;
    let megabytes = Signal::derive(move || value.get().map(|bytes| bytes as f64 / 1e6));
    let set = move |typed: Option<f64>| set.run(typed.map(|it| (it * 1e6).round() as u64));
    view! {
        <label for=id.clone()>{format!("{label} ({}{})", units.bytes[2], units.per_second)}</label>
        <Number id note usual bounds=(0.001, 1e5) value=megabytes set=Callback::new(set) />
    }
}

/// One of several, each with its value and what it is called.
pub(super) fn choice(
    said: Said,
    options: &[(&'static str, &'static str)],
    get: Getter<&'static str>,
    set: Setter<&'static str>,
) -> AnyView {
    let session = Session::of_page();
    let value = Signal::derive(move || session.preferences.with(get));
    chosen(said, options, value, move |value| {
        session.prefer(|preferences| set(preferences, value));
    })
}

/// One of several that is kept elsewhere.
pub(super) fn chosen(
    said: Said,
    options: &[(&'static str, &'static str)],
    value: Signal<&'static str>,
    set: impl Fn(&'static str) + 'static,
) -> AnyView {
    let Said { id, label, note } = said;
    let values: Vec<&'static str> = options.iter().map(|(value, _)| *value).collect();
    let options = options.iter().map(|&(option, label)| {
        view! { <option value=option prop:selected=move || value.get() == option>{label}</option> }
    });
    let options = options.collect_view();
    view! {
        <div class="setting">
            <label for=id>{label}</label>
            <select
                id=id
                class="field"
                aria-describedby=note_id(id)
                on:change:target=move |event| {
                    let chosen = event.target().value();
                    if let Some(value) = values.iter().find(|value| **value == chosen) {
                        set(value);
                    }
                }
            >
                {options}
            </select>
            <p id=note_id(id) class="hint">{note}</p>
        </div>
    }
    .into_any()
}

pub(super) fn note_id(id: &str) -> String {
    format!("{id}-note")
}
