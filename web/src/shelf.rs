//! The shelf: all shares of the room, searched, sorted and filtered, and a place to drop more. Where there
//! are many, only those near to what is in sight are drawn whole.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_peer::api::{Found, ShareInfo, ShareState, Storage};
use web::front::frame::Working;
use web::front::picker::Picker;
use web::text::text;

use crate::session::Session;
use crate::share_card::{MEMORY_COMFORTABLE_BYTES, ShareCard, is_ours};
use crate::status;

/// Whoever opened a link and meets nobody for so long may have a wrong one.
const ALONE_FOR_LONG_MS: f64 = 20_000.0;
/// There are tools to find something where there are so many shares, or files.
const SHARES_TO_SEARCH: usize = 3;
const FILES_TO_SEARCH: u32 = 20;
/// Of more shares than this only those near to what is in sight are drawn whole.
const SHARES_DRAWN: usize = 100;
/// After the last key.
const SEARCH_AFTER: Duration = Duration::from_millis(200);

#[component]
pub(crate) fn Shelf(heading: NodeRef<html::H1>) -> impl IntoView {
    let session = Session::of_page();
    let looked = Looked::new(session);
    provide_context(looked);
    let order = RwSignal::new(Order::Newest);
    let only = RwSignal::new(Only::All);
    // When each came, in the order in which they came.
    let arrivals = StoredValue::new(HashMap::<String, usize>::new());
    let ids = Memo::new(move |_| {
        session.state.with(|state| {
            let shares = state.as_ref().map_or(&[][..], |state| &state.shares);
            arrivals.update_value(|arrivals| {
                for share in shares {
                    let next = arrivals.len();
                    arrivals.entry(share.id.clone()).or_insert(next);
                }
            });
            let only = only.get();
            let mut shown: Vec<&ShareInfo> =
                shares.iter().filter(|it| only.holds(it) && looked.is_found(&it.id)).collect();
            arrivals.with_value(|arrivals| order.get().sort(&mut shown, arrivals));
            shown.into_iter().map(|share| share.id.clone()).collect::<Vec<_>>()
        })
    });
    let is_empty = Memo::new(move |_| {
        session.state.with(|state| state.as_ref().is_none_or(|state| state.shares.is_empty()))
    });
    let has_tools = Memo::new(move |_| {
        session.state.with(|state| {
            let shares = state.as_ref().map_or(&[][..], |state| &state.shares);
            shares.len() >= SHARES_TO_SEARCH
                || shares.iter().any(|share| share.file_count >= FILES_TO_SEARCH)
        })
    });
    let connecting = Memo::new(move |_| {
        session.state.with(|state| {
            let peers = state.as_ref().map_or(&[][..], |state| &state.peers);
            !peers.is_empty() && peers.iter().all(|peer| !peer.connected)
        })
    });
    let nothing = Memo::new(move |_| match session.alone_for_ms() {
        Some(ms) if ms > ALONE_FOR_LONG_MS => text().shelf_empty_long,
        Some(_) => text().shelf_empty_alone,
        None if connecting.get() => text().shelf_connecting,
        None => text().shelf_empty,
    });
    let many = Memo::new(move |_| ids.with(Vec::len) > SHARES_DRAWN);
    view! {
        <section class="shelf" aria-labelledby="shelf-title">
            <h1 id="shelf-title" class="section-title" tabindex="-1" node_ref=heading>
                {text().shelf_title}
            </h1>
            <MemoryNote />
            <Show when=move || has_tools.get()>
                <Tools looked order only />
            </Show>
            <Show
                when=move || !is_empty.get()
                fallback=move || view! { <p class="nothing" role="status">{nothing}</p> }
            >
                <For each=move || ids.get() key=String::clone let:id>
                    <ShareCard id many />
                </For>
                <Show when=move || ids.with(Vec::is_empty)>
                    <p class="nothing" role="status">{text().nothing_matches}</p>
                </Show>
            </Show>
            <div class="pool is-small">
                <p class="pool-title">{text().drop_more}</p>
                <Picker />
                <Working />
            </div>
        </section>
    }
}

/// To find shares and files.
#[component]
fn Tools(looked: Looked, order: RwSignal<Order>, only: RwSignal<Only>) -> impl IntoView {
    // Those who come back to a search must find its words in the field.
    let before = looked.text.get_untracked();
    on_cleanup(move || {
        // Without the field nobody could end the search.
        let _ = looked.text.try_set(String::new());
        let _ = only.try_set(Only::All);
    });
    view! {
        <div class="shelf-tools" role="search" aria-label=text().shelf_tools>
            <input
                class="field"
                type="search"
                aria-label=text().search
                placeholder=text().search
                prop:value=before
                on:input=move |event| looked.text.set(event_target_value(&event))
            />
            <label class="choice">
                {text().sort_by}
                <select
                    class="select"
                    on:change=move |event| order.set(chosen(&Order::ALL, &event))
                >
                    {options(&Order::ALL, order, Order::label)}
                </select>
            </label>
            <label class="choice">
                {text().show_only}
                <select class="select" on:change=move |event| only.set(chosen(&Only::ALL, &event))>
                    {options(&Only::ALL, only, Only::label)}
                </select>
            </label>
            <p class="hint" role="status">{move || looked.summary()}</p>
        </div>
    }
}

fn options<T: Copy + PartialEq + Send + Sync + 'static>(
    all: &'static [T],
    now: RwSignal<T>,
    label: fn(T) -> &'static str,
) -> impl IntoView {
    (0..)
        .zip(all)
        .map(|(number, &it)| {
            let number: usize = number;
            view! {
                <option value=number.to_string() prop:selected=move || now.get() == it>
                    {label(it)}
                </option>
            }
        })
        .collect_view()
}

fn chosen<T: Copy>(all: &[T], event: &web_sys::Event) -> T {
    let number = event_target_value(event).parse().unwrap_or(0);
    all.get(number).copied().unwrap_or(all[0])
}

/// In which order shares stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Newest,
    Name,
    Size,
    State,
}

impl Order {
    const ALL: [Self; 4] = [Self::Newest, Self::Name, Self::Size, Self::State];

    fn label(self) -> &'static str {
        match self {
            Self::Newest => text().sort_newest,
            Self::Name => text().sort_name,
            Self::Size => text().sort_size,
            Self::State => text().sort_state,
        }
    }

    fn sort(self, shares: &mut [&ShareInfo], arrivals: &HashMap<String, usize>) {
        let arrival = |share: &ShareInfo| Reverse(arrivals.get(&share.id).copied());
        match self {
            Self::Newest => shares.sort_by_key(|share| arrival(share)),
            Self::Name => shares.sort_by_cached_key(|it| (it.title.to_lowercase(), arrival(it))),
            Self::Size => shares.sort_by_key(|share| (Reverse(share.total), arrival(share))),
            Self::State => shares.sort_by_key(|share| (place_of(share), arrival(share))),
        }
    }
}

/// What is under way comes first, then what people may want to do something about.
fn place_of(share: &ShareInfo) -> u8 {
    match share.state {
        ShareState::Opening | ShareState::Receiving | ShareState::Finishing => 0,
        ShareState::Failed | ShareState::Detached => 1,
        ShareState::Available if status::is_unfinished(share) => 2,
        ShareState::Available => 3,
        ShareState::Shared => 4,
        ShareState::Complete => 5,
    }
}

/// Which shares are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    All,
    New,
    UnderWay,
    Received,
    Ours,
}

impl Only {
    const ALL: [Self; 5] = [Self::All, Self::New, Self::UnderWay, Self::Received, Self::Ours];

    fn label(self) -> &'static str {
        match self {
            Self::All => text().only_all,
            Self::New => text().only_new,
            Self::UnderWay => text().only_under_way,
            Self::Received => text().only_received,
            Self::Ours => text().only_ours,
        }
    }

    fn holds(self, share: &ShareInfo) -> bool {
        match self {
            Self::All => true,
            Self::New => share.state == ShareState::Available && status::here(share) == 0,
            Self::UnderWay => {
                status::is_moving(share.state)
                    || share.state == ShareState::Failed
                    || (status::is_unfinished(share) && !status::is_whole(share))
            }
            Self::Received => share.state == ShareState::Complete || status::is_whole(share),
            Self::Ours => is_ours(share.state),
        }
    }
}

/// What is looked for on the shelf, and what was found. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Looked {
    text: RwSignal<String>,
    /// The text that was last looked for, and where it was found by share; `None` while there is none.
    found: RwSignal<Option<(String, HashMap<String, Found>)>>,
}

impl Looked {
    fn new(session: Session) -> Self {
        let looked = Self { text: RwSignal::new(String::new()), found: RwSignal::new(None) };
        let count = Memo::new(move |_| {
            session.state.with(|state| state.as_ref().map_or(0, |state| state.shares.len()))
        });
        let waiting = StoredValue::new(None::<TimeoutHandle>);
        Effect::new(move |_| {
            // What comes while something is looked for is looked at too.
            count.track();
            let text = looked.text.get().trim().to_owned();
            waiting.update_value(|waiting| {
                if let Some(before) = waiting.take() {
                    before.clear();
                }
            });
            if text.is_empty() {
                return looked.found.set(None);
            }
            let search = move || {
                spawn_local(async move {
                    let found = session.search(text.clone()).await;
                    // A later search says more, and the shelf may be gone.
                    if looked.text.try_get_untracked().is_some_and(|now| now.trim() == text) {
                        let found = found.into_iter().map(|it| (it.share.clone(), it)).collect();
                        let _ = looked.found.try_set(Some((text, found)));
                    }
                });
            };
            waiting.set_value(set_timeout_with_handle(search, SEARCH_AFTER).ok());
        });
        looked
    }

    /// Whether a share is among what was found, if something is looked for.
    fn is_found(self, share: &str) -> bool {
        self.found.with(|found| found.as_ref().is_none_or(|(_, found)| found.contains_key(share)))
    }

    /// The text that is looked for, if it was found in paths of this share.
    pub(crate) fn text_in(self, share: &str) -> Option<String> {
        self.found.with(|found| {
            let (text, found) = found.as_ref()?;
            found.get(share).filter(|it| it.files > 0).map(|_| text.clone())
        })
    }

    /// How many files were found in a share, and the first of them; `None` if that is clear from its title.
    pub(crate) fn files_in(self, share: &str) -> Option<(u32, Vec<String>)> {
        self.found.with(|found| {
            let found = found.as_ref()?.1.get(share).filter(|it| !it.title)?;
            Some((found.files, found.first.clone()))
        })
    }

    fn summary(self) -> String {
        self.found.with(|found| match found {
            None => String::new(),
            Some((_, found)) => {
                let files = found.values().map(|it| it.files).sum();
                (text().found)(found.len(), files)
            }
        })
    }
}

/// Where received files go into memory, people hear of it before they accept anything.
#[component]
fn MemoryNote() -> impl IntoView {
    let session = Session::of_page();
    let note = Memo::new(move |_| {
        session.state.with(|state| {
            let state = state.as_ref()?;
            let theirs = state.shares.iter().any(|share| !is_ours(share.state));
            let limit = text().units.size(MEMORY_COMFORTABLE_BYTES);
            (theirs && state.storage == Storage::Memory).then(|| (text().memory_only)(&limit))
        })
    });
    move || note.get().map(|note| view! { <p class="note" role="note">{note}</p> })
}
