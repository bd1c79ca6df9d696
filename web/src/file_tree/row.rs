//! One row of the tree: a file or a folder, on two lines.

use leptos::prelude::*;
use leptos::tachys::html::attribute::custom::custom_attribute;
use wasm_peer::api::Risk;
use web::format;
use web::text::text;
use web::tree::{Part, Row, split_name};

use super::Files;
use crate::share_card::{risk, short_risk};

/// The deepest folder that is set in further than the one around it.
const MAX_DEPTH: u16 = 8;
const STEP_REM: f64 = 1.1;

#[component]
pub(super) fn FileRow(files: Files, row: Row) -> impl IntoView {
    let text = text();
    let node = row.node;
    let (name, path, depth, is_folder, places, size) = files.tree.with_value(|tree| {
        let it = tree.node(node);
        (it.name.clone(), tree.path(node), it.depth, it.is_folder, it.files.clone(), it.size as u64)
    });
    let file = places.start;
    let size_text = text.units.size(size);
    let why = if is_folder {
        None
    } else {
        files.risks.with_value(|risks| Risk::from_number(*risks.get(file as usize)?))
    };
    let part = Memo::new(move |_| files.part(node));
    let checked = move || {
        files.can_choose.get().then(|| match part.get() {
            Part::All => "true",
            Part::Some => "mixed",
            Part::None => "false",
        })
    };
    let expanded = move || is_folder.then(|| files.is_open(node).to_string());
    let is_active = Memo::new(move |_| files.active.get() == Some(node));
    let urgency = Memo::new(move |_| {
        files.tree.with_value(|tree| files.priorities.with(|it| tree.priority(node, it)))
    });
    let urgency = move || match urgency.get().filter(|_| files.can_choose.get()) {
        Some(1) => Some(text.priority_low),
        Some(3) => Some(text.priority_high),
        _ => None,
    };
    let detail = Memo::new(move |_| if is_folder { None } else { files.detail(file) });
    let progress = move || {
        let detail = detail.get()?;
        if detail.saveable {
            return Some(text.file_complete.to_owned());
        }
        let part = detail.have > 0 && files.can_choose.get();
        part.then(|| text.units.percentage(format::percent(detail.have, size)))
    };
    let count = is_folder.then(|| (text.files)(places.len() as u32));
    // Drawn by the style: nobody wants to hear it with every row, and it is text in the pane.
    let hash = move || {
        let hash = || detail.get().and_then(|detail| detail.hash);
        (!is_folder).then(|| hash().unwrap_or_else(|| text.hash_unknown.to_owned()))
    };
    let (stem, extension) = split_name(&name);
    let label = {
        let (name, size, count) = (name.clone(), size_text.clone(), count.clone());
        move || {
            // What is seen, in the order in which it is seen, and more.
            let seen = [
                Some(name.clone()),
                Some(size.clone()),
                progress(),
                why.map(|why| short_risk(why).to_owned()),
                urgency().map(str::to_owned),
                count.clone(),
            ];
            let mut label = seen.into_iter().flatten().collect::<Vec<_>>().join(", ");
            if let Some(why) = why {
                label.push_str(". ");
                label.push_str(risk(why));
            }
            label
        }
    };
    let press = move || {
        let was_active = is_active.get_untracked();
        files.active.set(Some(node));
        if is_folder {
            files.set_open(node, !files.open.with_untracked(|open| open[node as usize]));
        } else if was_active {
            // Once more closes the pane.
            files.active.set(None);
        }
    };
    view! {
        <div
            class="file"
            class:is-active=is_active
            class:is-folder=is_folder
            class:is-unwanted=move || files.can_choose.get() && part.get() == Part::None
            role="treeitem"
            id=files.element_id(node)
            title=path
            aria-label=label
            aria-posinset=row.position.to_string()
            aria-setsize=row.of.to_string()
            aria-expanded=expanded
            aria-checked=checked
            style:padding-inline-start=format!("{}rem", f64::from(depth.min(MAX_DEPTH)) * STEP_REM)
            on:click=move |_| press()
            // Leptos has no name for it.
            {..custom_attribute("aria-level", (depth + 1).to_string())}
        >
            <span class="caret" class:is-open=move || files.is_open(node)></span>
            {move || files.can_choose.get().then(|| view! {
                <span
                    class="check"
                    class:is-all=move || part.get() == Part::All
                    class:is-some=move || part.get() == Part::Some
                    on:click=move |event| {
                        event.stop_propagation();
                        files.toggle(node);
                    }
                ></span>
            })}
            <bdi class="file-name" dir="auto">
                <span class="stem">{stem.to_owned()}</span>
                <span class="extension">{extension.to_owned()}</span>
            </bdi>
            // Spaces are for those who read the row as one text.
            " "
            <span class="file-size">{size_text}</span>
            " "
            <span class="file-progress">{progress}</span>
            " "
            <span class="file-second">
                {why.map(|why| view! { <span class="risk">{short_risk(why)}</span> })}
                " "
                {move || urgency().map(|urgency| view! { <span class="urgency">{urgency}</span> })}
                " "
                {count.map(|count| view! { <span class="hint">{count}</span> })}
                <span class="hash" dir="ltr" data-hash=hash></span>
            </span>
        </div>
    }
}
