//! Icons, from the one file that has them all (`icons.svg`). They go with words and never stand for them, so
//! assistive technology does not hear of them.

use leptos::prelude::*;

/// One of the icons in `icons.svg`, by its name there.
#[component]
pub(crate) fn Icon(name: &'static str) -> impl IntoView {
    let href = format!("/icons.svg#{name}");
    view! {
        <svg class="icon" aria-hidden="true">
            <use href=href></use>
        </svg>
    }
}
