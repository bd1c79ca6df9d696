//! What there is to know and to do about one file or folder.

use leptos::prelude::*;
use wasm_peer::api::{Priority, Risk};
use web::text::text;
use web::tree::{NodeIndex, Part};

use super::Files;
use crate::share_card::risk;
use crate::urgency::Urgency;

#[component]
pub(super) fn Pane(files: Files, node: NodeIndex) -> impl IntoView {
    let text = text();
    let (path, is_folder, places, size, is_alone) = files.tree.with_value(|tree| {
        let it = tree.node(node);
        let is_alone = tree.nodes().len() == 1;
        (tree.path(node), it.is_folder, it.files.clone(), it.size as u64, is_alone)
    });
    let file = places.start;
    if is_alone {
        files.watch(Memo::new(move |_| vec![file]));
    }
    let why = if is_folder {
        None
    } else {
        files.risks.with_value(|risks| Risk::from_number(*risks.get(file as usize)?))
    };
    let facts = match is_folder {
        true => format!("{} · {}", (text.files)(places.len() as u32), text.units.size(size)),
        false => text.units.size(size),
    };
    let detail = Memo::new(move |_| if is_folder { None } else { files.detail(file) });
    let hash = move || match detail.get().and_then(|detail| detail.hash) {
        _ if is_folder => None,
        Some(hash) => Some(view! { <code class="hash">{hash}</code> }.into_any()),
        None => Some(view! { <span class="hint">{text.hash_unknown}</span> }.into_any()),
    };
    let saveable = Memo::new(move |_| detail.get().is_some_and(|detail| detail.saveable));
    let part = Memo::new(move |_| files.part(node));
    let urgency = Signal::derive(move || {
        let number =
            files.tree.with_value(|tree| files.priorities.with(|it| tree.priority(node, it)));
        number.and_then(Priority::from_number)
    });
    let choose =
        Callback::new(move |priority| files.prioritise(node, Priority::number(Some(priority))));
    let (named, label) = (path.clone(), path.clone());
    let save = move || {
        let label = (text.save_named)(&named);
        (saveable.get() && !is_alone).then(|| {
            view! {
                <button
                    class="button is-small"
                    aria-label=label
                    on:click=move |_| files.session.save_file(files.id(), file)
                >
                    {text.save}
                </button>
            }
        })
    };
    let want = move || {
        view! {
            <label class="tick">
                <input
                    type="checkbox"
                    prop:checked=move || part.get() == Part::All
                    prop:indeterminate=move || part.get() == Part::Some
                    on:change=move |_| files.toggle(node)
                />
                {if is_folder { text.want_folder } else { text.want_file }}
            </label>
        }
    };
    view! {
        <div class="file-pane" role="group" aria-label=label>
            <p class="file-path"><bdi>{path}</bdi></p>
            <p class="share-facts">{facts}</p>
            {why.map(|why| view! { <p class="risk">{risk(why)}</p> })}
            {hash}
            <div class="file-choices">
                {move || (files.can_choose.get() && !is_alone).then(|| view! {
                    {want}
                    <Urgency label=text.priority now=urgency choose=choose />
                })}
                {save}
            </div>
        </div>
    }
}
