//! One share on the shelf: what it is, how it stands, and what can be done with it.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_peer::api::{Access, Risk, ShareInfo, ShareState, Storage, Waiting};
use web::format;
use web::front::browser;
use web::paths;
use web::text::causes::translated;
use web::text::text;

use crate::choose_again::ChooseAgain;
use crate::file_tree::FileTree;
use crate::graph::ShareGraph;
use crate::piece_map::PieceMap;
use crate::session::Session;
use crate::share_wishes::ShareWishes;
use crate::shelf::Looked;
use crate::status;

/// Beyond this much, what is kept in memory may end the tab on common phones and computers. Browsers tell no
/// limit of theirs.
pub(crate) const MEMORY_COMFORTABLE_BYTES: u64 = 1_000_000_000;

/// A share as it is now, or as it last was if it just left the shelf.
pub(crate) type Share = Memo<ShareInfo>;

/// So far from what is in sight a card is still drawn whole where there are `many`, and so high is one that
/// never was.
const NEAR: &str = "1200px 0px";
const CARD_PX: f64 = 190.0;

#[component]
pub(crate) fn ShareCard(id: String, many: Memo<bool>) -> impl IntoView {
    let session = Session::of_page();
    // It was on the shelf a moment ago; if it is gone again there is nothing to draw.
    let first = untrack(|| session.share_info(&id))?;
    let share: Share = Memo::new(move |before: Option<&ShareInfo>| {
        session.share_info(&first.id).unwrap_or_else(|| before.unwrap_or(&first).clone())
    });
    let title = share.with_untracked(|share| share.title.clone());
    let title_id = share.with_untracked(|share| format!("share-{}", share.id));
    let labelled_by = title_id.clone();
    let tile = paths::tile(&title, share.with_untracked(|share| share.file_count));
    let risky = share.with_untracked(risky);
    let element = NodeRef::<html::Article>::new();
    let (is_near, high_px) = nearness(element);
    let is_open = RwSignal::new(false);
    let is_whole = Memo::new(move |_| !many.get() || is_near.get() || is_open.get());
    let is_complete = Memo::new(move |_| {
        share.with(|share| share.state == ShareState::Complete && share.saved)
            && !share.with(|share| session.is_saving(share))
    });
    Some(view! {
        <article
            class="share"
            class:is-moving=move || share.with(|share| status::is_moving(share.state))
            class:is-complete=is_complete
            aria-labelledby=labelled_by
            node_ref=element
            style:min-block-size=move || (!is_whole.get()).then(|| format!("{}px", high_px.get()))
        >
            <p class="tile" aria-hidden="true">{tile}</p>
            <div class="share-head">
                <h2 id=title_id class="share-title" dir="auto">{title}</h2>
                <p class="share-facts">{move || facts(session, share)}</p>
                {risky.map(|why| view! { <p class="risk">{why}</p> })}
            </div>
            <Show when=move || is_whole.get()>
                <Body share is_open />
            </Show>
        </article>
    })
}

/// Whether a card is near to what is in sight, and how high it was when it last was.
fn nearness(element: NodeRef<html::Article>) -> (RwSignal<bool>, RwSignal<f64>) {
    let (is_near, high_px) = (RwSignal::new(false), RwSignal::new(CARD_PX));
    let watch = StoredValue::new_local(None);
    Effect::new(move |_| {
        let Some(element) = element.get() else { return };
        let card = element.clone();
        let noted = move |now: bool| {
            if !now && is_near.get_untracked() {
                high_px.set(f64::from(card.offset_height()));
            }
            is_near.set(now);
        };
        watch.set_value(browser::watch_nearness(&element, NEAR, noted));
    });
    (is_near, high_px)
}

/// How a share stands, and what can be done with it.
#[component]
fn Body(share: Share, is_open: RwSignal<bool>) -> impl IntoView {
    let session = Session::of_page();
    let looked: Looked = expect_context();
    let saving = Memo::new(move |_| share.with(|share| session.is_saving(share)));
    let word = Memo::new(move |_| share.with(|share| status::word(share, saving.get())));
    let figures = Memo::new(move |_| share.with(status::figures));
    let problem = Memo::new(move |_| {
        share.with(|share| {
            session
                .trouble(&share.id)
                .or_else(|| share.error.as_deref().map(|error| text().sentence(&translated(error))))
        })
    });
    let no_room = Memo::new(move |_| no_room(session, share));
    let state = Memo::new(move |_| share.with(|share| share.state));
    let hint = Memo::new(move |_| share.with(status::hint));
    let timer = move || {
        share.with(|share| status::waiting(share).map(|it| status::timer(it, session.passed_ms())))
    };
    let others = Memo::new(move |_| share.with(|share| status::others(session, share)));
    let copies = Memo::new(move |_| share.with(status::copies));
    let may_close = Memo::new(move |_| share.with(|it| is_ours(it.state) && it.origin_may_leave));
    let found = Memo::new(move |_| share.with(|share| looked.files_in(&share.id)));
    view! {
        <Bar share />
        <p class="share-status">
            <span class="share-word" role="status">{word}</span>
            <span class="figures">{move || figures.get().join(" · ")}</span>
        </p>
        <ShareGraph share />
        <p class="may-close" role="status" hidden=move || !may_close.get()>
            {move || may_close.get().then(|| text().may_close)}
        </p>
        {move || copies.get().map(|copies| view! { <p class="copies">{copies}</p> })}
        {move || found.get().map(|(count, first)| view! {
            <p class="share-found"><bdi dir=text().language.direction()>{(text().found_in)(count, &first.join(" · "))}</bdi></p>
        })}
        {move || hint.get().map(|hint| view! {
            <p class="share-hint">{hint} " " <span class="timer">{timer}</span></p>
        })}
        <Show when=move || !others.with(Vec::is_empty)>
            <ul class="share-others">
                {move || others.get().into_iter().map(|line| view! { <li><bdi dir=text().language.direction()>{line}</bdi></li> }).collect_view()}
            </ul>
        </Show>
        <div role="alert">
            {move || problem.get().map(|problem| view! { <p class="problem">{problem}</p> })}
            {move || no_room.get().map(|note| view! { <p class="problem">{note}</p> })}
        </div>
        <div class="share-foot">
            <Actions share state />
            <Details share is_open />
        </div>
    }
}

/// How much is here, coloured by who sent it.
#[component]
fn Bar(share: Share) -> impl IntoView {
    let session = Session::of_page();
    let percent = Memo::new(move |_| share.with(status::percent));
    let parts = Memo::new(move |_| share.with(|share| parts(session, share)));
    view! {
        <div
            class="bar"
            role="progressbar"
            aria-label=move || share.with(|share| (text().progress_of)(&share.title))
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=move || percent.get().to_string()
        >
            {move || parts.get().into_iter().map(|(tone, width)| view! {
                <span class=tone style:inline-size=width></span>
            }).collect_view()}
        </div>
    }
}

/// The class and width of each part of the bar. What came from nobody we know of was here before.
fn parts(session: Session, share: &ShareInfo) -> Vec<(String, String)> {
    if is_ours(share.state) {
        return vec![("bar-part is-ours".to_owned(), "100%".to_owned())];
    }
    let whole = status::goal(share).max(status::here(share));
    if whole == 0 {
        return Vec::new();
    }
    let width = |bytes: u64| format!("{:.2}%", bytes as f64 * 100.0 / whole as f64);
    let sent: u64 = share.sources.iter().map(|source| source.bytes).sum();
    let before = status::here(share).saturating_sub(sent);
    let mut parts = Vec::new();
    if before > 0 {
        parts.push(("bar-part is-before".to_owned(), width(before)));
    }
    parts.extend(share.sources.iter().map(|source| {
        (format!("bar-part tone-{}", session.tone(&source.peer)), width(source.bytes))
    }));
    parts
}

fn facts(session: Session, share: Share) -> String {
    let text = text();
    share.with(|share| {
        let mut facts = vec![text.units.size(share.total)];
        if share.file_count != 1 || share.directory_count > 0 {
            facts.push((text.files)(share.file_count));
        }
        if share.directory_count > 0 {
            facts.push((text.empty_folders)(share.directory_count));
        }
        if is_ours(share.state) {
            facts.push(text.from_you.to_owned());
        } else if let Some(name) = origin(session, share) {
            facts.push((text.from)(&name));
        }
        facts.join(" · ")
    })
}

/// Why what others share may do something when it is opened.
fn risky(share: &ShareInfo) -> Option<String> {
    let risky = share.risky.as_ref().filter(|_| !is_ours(share.state))?;
    Some(match share.file_count {
        1 => risk(risky.risk).to_owned(),
        _ => (text().risky_files)(risky.count, &risky.first),
    })
}

/// What opening a file may do, and what to do about that.
pub(crate) fn risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Program => text().risk_program,
        Risk::Script => text().risk_script,
        Risk::Shortcut => text().risk_shortcut,
        Risk::Macros => text().risk_macros,
        Risk::DiskImage => text().risk_disk_image,
        Risk::Disguised => text().risk_disguised,
    }
}

/// What opening a file may do, in a word.
pub(crate) fn short_risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Program => text().short_program,
        Risk::Script => text().short_script,
        Risk::Shortcut => text().short_shortcut,
        Risk::Macros => text().short_macros,
        Risk::DiskImage => text().short_disk_image,
        Risk::Disguised => text().short_disguised,
    }
}

/// Whether we share it.
pub(crate) fn is_ours(state: ShareState) -> bool {
    matches!(state, ShareState::Shared | ShareState::Detached)
}

/// The name of whoever shares it, while they are here.
fn origin(session: Session, share: &ShareInfo) -> Option<String> {
    session.state.with(|state| {
        let mut peers = state.as_ref()?.peers.iter();
        let origin = peers.find(|peer| peer.key.as_ref() == Some(&share.origin))?;
        Some(session.peer_name(&origin.id))
    })
}

/// A warning, before people accept, that the browser has too little room.
fn no_room(session: Session, share: Share) -> Option<String> {
    let (storage, available) = session.state.with(|state| {
        let state = state.as_ref()?;
        Some((state.storage, state.available))
    })?;
    share.with(|share| {
        let missing = status::goal(share).saturating_sub(status::here(share));
        let size = |bytes| text().units.size(bytes);
        match storage {
            _ if share.state != ShareState::Available => None,
            // What the browser calls available is of its disk.
            Storage::Memory => (missing > MEMORY_COMFORTABLE_BYTES)
                .then(|| (text().too_large_for_memory)(&size(missing))),
            Storage::Disk => available
                .filter(|&available| missing > available)
                .map(|available| (text().no_room)(&size(missing), &size(available))),
        }
    })
}

#[component]
fn Actions(share: Share, state: Memo<ShareState>) -> impl IntoView {
    let session = Session::of_page();
    let id = move || share.with_untracked(|share| share.id.clone());
    let several = share.with_untracked(|share| share.file_count != 1 || share.directory_count > 0);
    let saved = Memo::new(move |_| share.with(|share| share.saved));
    let some_here = Memo::new(move |_| share.with(|share| status::here(share) > 0));
    let whole = Memo::new(move |_| share.with(status::is_whole));
    let cause = Memo::new(move |_| share.with(|share| Some(status::waiting(share)?.cause)));
    let access = Memo::new(move |_| share.with(|share| share.access));
    let (loose, folders) = share.with_untracked(|share| (share.has_loose_files, share.has_folders));
    // What is chosen of it, if that is not everything.
    let chosen = Memo::new(move |_| {
        share.with(|share| {
            (share.wanted_files < share.file_count).then(|| {
                let size = text().units.size(share.wanted);
                (
                    share.wanted_files,
                    (text().chosen_files)(share.wanted_files, share.file_count, &size),
                )
            })
        })
    });
    let nothing_chosen =
        move || chosen.with(|it| it.as_ref().is_some_and(|(files, _)| *files == 0));
    let what_comes = move || {
        chosen
            .get()
            .map(|(_, sentence)| sentence)
            .or_else(|| several.then(|| text().zip_note.to_owned()))
    };
    let into_folder = move || {
        (several && browser::can_pick_directory()).then(|| {
            view! {
                <button
                    class="button"
                    disabled=nothing_chosen
                    on:click=move |_| spawn_local(async move {
                        if let Some(directory) = browser::pick_directory().await {
                            session.receive(id(), Some(directory));
                        }
                    })
                >
                    {text().receive_into_folder}
                </button>
            }
        })
    };
    let remove = move |label: &'static str| {
        view! {
            <button class="button is-quiet" on:click=move |_| session.stop(id(), true)>{label}</button>
        }
    };
    let stop_sharing = move || {
        view! {
            <button class="button" on:click=move |_| session.unshare(id())>{text().stop_sharing}</button>
        }
    };
    // Before a wait for room is over by itself, people may have made some.
    let going_on = move || {
        match cause.get() {
        Some(Waiting::Paused) => view! {
            <button class="button is-main" on:click=move |_| session.resume(id())>{text().resume}</button>
        }
        .into_any(),
        Some(Waiting::DiskFull | Waiting::Budget) => view! {
            <button class="button is-main" on:click=move |_| session.resume(id())>{text().try_now}</button>
        }
        .into_any(),
        _ => view! {
            <button class="button" on:click=move |_| session.pause(id())>{text().pause}</button>
        }
        .into_any(),
    }
    };
    let buttons = move || {
        match state.get() {
        ShareState::Shared => stop_sharing().into_any(),
        ShareState::Detached => view! {
            {(access.get() == Some(Access::Permission)).then(|| view! {
                <button class="button is-main" on:click=move |_| session.allow_access(id())>
                    {text().allow_access}
                </button>
            })}
            <ChooseAgain
                share=id()
                loose
                folders
                is_main=access.get() != Some(Access::Permission)
            />
            {stop_sharing()}
        }
        .into_any(),
        ShareState::Available if whole.get() => view! {
            <button class="button is-main" on:click=move |_| session.receive(id(), None)>
                {text().save}
            </button>
            {into_folder()}
            {remove(text().discard)}
        }
        .into_any(),
        ShareState::Available if some_here.get() => view! {
            <button class="button is-main" on:click=move |_| session.receive(id(), None)>
                {text().resume}
            </button>
            {into_folder()}
            {remove(text().discard)}
        }
        .into_any(),
        ShareState::Available => view! {
            <button
                class="button is-main"
                disabled=nothing_chosen
                on:click=move |_| session.receive(id(), None)
            >
                {text().receive}
            </button>
            {into_folder()}
            {move || what_comes().map(|it| view! { <span class="hint">{it}</span> })}
        }
        .into_any(),
        ShareState::Opening | ShareState::Receiving => view! {
            {going_on}
            <button class="button is-quiet" on:click=move |_| session.stop(id(), false)>{text().cancel}</button>
        }
        .into_any(),
        ShareState::Finishing => view! {
            <button class="button is-quiet" on:click=move |_| session.stop(id(), false)>{text().cancel}</button>
        }
        .into_any(),
        ShareState::Complete => view! {
            <button class="button" class:is-main=move || !saved.get() on:click=move |_| session.save(id())>
                {text().save}
            </button>
            {remove(text().remove)}
        }
        .into_any(),
        ShareState::Failed => view! {
            <button class="button is-main" on:click=move |_| session.receive(id(), None)>
                {text().try_again}
            </button>
            {into_folder()}
            {some_here.get().then(|| remove(text().remove))}
        }
        .into_any(),
    }
    };
    view! { <div class="actions">{buttons}</div> }
}

/// What is in it and who sent what; drawn only while open.
#[component]
fn Details(share: Share, is_open: RwSignal<bool>) -> impl IntoView {
    let element = NodeRef::<html::Details>::new();
    view! {
        <details
            class="details"
            node_ref=element
            on:toggle=move |_| is_open.set(element.get_untracked().is_some_and(|details| details.open()))
        >
            <summary>{text().details}</summary>
            <Show when=move || is_open.get()>
                <ShareWishes share />
                <PieceMap share />
                <Sources share />
                <FileTree share />
            </Show>
        </details>
    }
}

#[component]
fn Sources(share: Share) -> impl IntoView {
    let session = Session::of_page();
    let lines = Memo::new(move |_| {
        share.with(|share| {
            let text = text();
            let size = |bytes| text.units.size(bytes);
            let part = |bytes| text.units.percentage(format::percent(bytes, share.total));
            let mut lines: Vec<(String, String)> = share
                .sources
                .iter()
                .map(|source| {
                    let name = session.peer_name(&source.peer);
                    let line = (text.source)(&name, &size(source.bytes), &part(source.bytes));
                    (format!("dot tone-{}", session.tone(&source.peer)), line)
                })
                .collect();
            if share.reused > 0 {
                lines.push(("dot is-before".to_owned(), (text.found_here)(&size(share.reused))));
            }
            if share.wasted > 0 {
                lines.push(("dot is-none".to_owned(), (text.in_vain)(&size(share.wasted))));
            }
            lines
        })
    });
    view! {
        <Show when=move || !lines.with(Vec::is_empty)>
            <h3 class="details-title">{text().sources_title}</h3>
            <ul class="source-list">
                {move || lines.get().into_iter().map(|(dot, line)| view! {
                    <li><span class=dot aria-hidden="true"></span><bdi dir=text().language.direction()>{line}</bdi></li>
                }).collect_view()}
            </ul>
        </Show>
    }
}
