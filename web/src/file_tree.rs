//! The files of a share, as a tree to choose from. Of a hundred thousand rows only those in sight are
//! drawn. It follows the Tree View pattern of the ARIA Authoring Practices: the tree has the focus, one of
//! its items is the active one, and what there is to know and to do about that is in a pane below it.

mod pane;
mod row;

use std::collections::HashMap;
use std::sync::Arc;

use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_peer::api::FileDetail;
use web::front::browser;
use web::text::text;
use web::tree::{NodeIndex, Part, Row, Tree};

use self::pane::Pane;
use self::row::FileRow;
use crate::session::Session;
use crate::share_card::{Share, is_ours};
use crate::shelf::Looked;

/// The height of a row, and the most that is seen of the tree, as in `style/files.css`.
const ROW_REM: f64 = 3.25;
const TREE_REM: f64 = 36.0;
/// Up to so many rows are drawn all; of more only those in sight, and so many above and below them.
const ALL_ROWS: usize = 200;
const ROWS_AROUND: usize = 8;
/// What is typed within so many milliseconds is one word.
const TYPED_TOGETHER_MS: f64 = 700.0;
/// A number of a priority: of files that are wanted and were not before.
const NORMAL: u8 = 2;

#[component]
pub(crate) fn FileTree(share: Share) -> impl IntoView {
    let session = Session::of_page();
    let files = RwSignal::new(None);
    let id = share.with_untracked(|share| share.id.clone());
    spawn_local(async move {
        if let Some(listed) = session.files(id).await {
            let tree = Arc::new(Tree::new(&listed.paths, &listed.sizes));
            // Nobody looks any more if it was closed meanwhile.
            let _ = files.try_set(Some((tree, Arc::new(listed.risks), listed.priorities)));
        }
    });
    view! {
        <h3 class="details-title">{text().files_title}</h3>
        {move || match files.get() {
            None => view! { <p class="hint" role="status">{text().listing_files}</p> }.into_any(),
            Some((tree, risks, priorities)) => {
                let files = Files::new(share, tree, risks, priorities);
                if files.tree.with_value(|tree| tree.nodes().len()) == 1 {
                    view! { <Pane files node=0 /> }.into_any()
                } else {
                    view! { <Listing files /> }.into_any()
                }
            }
        }}
    }
}

/// The files of a share as they are shown. A handle: copies are the same.
#[derive(Clone, Copy)]
struct Files {
    session: Session,
    share: Share,
    tree: StoredValue<Arc<Tree>>,
    risks: StoredValue<Arc<Vec<u8>>>,
    /// A number for each file, 0 if it is not wanted.
    priorities: RwSignal<Vec<u8>>,
    open: RwSignal<Vec<bool>>,
    rows: Memo<Vec<Row>>,
    active: RwSignal<Option<NodeIndex>>,
    /// How files in sight are.
    details: RwSignal<HashMap<u32, FileDetail>>,
    /// Whether people can choose: not what they share themselves.
    can_choose: Memo<bool>,
}

impl Files {
    fn new(share: Share, tree: Arc<Tree>, risks: Arc<Vec<u8>>, priorities: Vec<u8>) -> Self {
        let looked: Looked = expect_context();
        let open = RwSignal::new(tree.open_at_first());
        let tree = StoredValue::new(tree);
        // The nodes that are looked for; all without.
        let matching = Memo::new(move |_| {
            looked
                .text_in(&share.with_untracked(|share| share.id.clone()))
                .and_then(|text| tree.with_value(|tree| tree.matching(&text)))
        });
        Effect::new(move |before: Option<bool>| {
            // What is found is shown, and when nothing is looked for any more it is as it was.
            let looking = matching.with(Option::is_some);
            if looking || before == Some(true) {
                tree.with_value(|tree| {
                    open.set(if looking {
                        vec![true; tree.nodes().len()]
                    } else {
                        tree.open_at_first()
                    });
                });
            }
            looking
        });
        let rows = Memo::new(move |_| {
            tree.with_value(|tree| {
                open.with(|open| matching.with(|matching| tree.rows(open, matching.as_deref())))
            })
        });
        Self {
            session: Session::of_page(),
            share,
            tree,
            risks: StoredValue::new(risks),
            priorities: RwSignal::new(priorities),
            open,
            rows,
            active: RwSignal::new(None),
            details: RwSignal::new(HashMap::new()),
            can_choose: Memo::new(move |_| share.with(|share| !is_ours(share.state))),
        }
    }

    fn id(self) -> String {
        self.share.with_untracked(|share| share.id.clone())
    }

    /// What the element of a node is called.
    fn element_id(self, node: NodeIndex) -> String {
        self.share.with_untracked(|share| format!("node-{}-{node}", share.id))
    }

    fn is_folder(self, node: NodeIndex) -> bool {
        self.tree.with_value(|tree| tree.node(node).is_folder)
    }

    fn is_open(self, node: NodeIndex) -> bool {
        self.open.with(|open| open[node as usize])
    }

    fn part(self, node: NodeIndex) -> Part {
        self.tree.with_value(|tree| self.priorities.with(|it| tree.part(node, it)))
    }

    /// Opens a folder or closes it.
    fn set_open(self, node: NodeIndex, is_open: bool) {
        if self.is_folder(node) {
            self.open.update(|open| open[node as usize] = is_open);
        }
    }

    /// Wants a node, or does not any more.
    fn toggle(self, node: NodeIndex) {
        let wants = untrack(|| self.part(node)) != Part::All;
        self.choose(node, move |before| match (wants, before) {
            (false, _) => 0,
            (true, 0) => NORMAL,
            (true, before) => before,
        });
    }

    /// Wants what is wanted of a node this urgently, or else a node of which nothing is.
    fn prioritise(self, node: NodeIndex, number: u8) {
        let nothing = untrack(|| self.part(node)) == Part::None;
        self.choose(node, move |before| if before == 0 && !nothing { 0 } else { number });
    }

    fn choose(self, node: NodeIndex, wanted: impl Fn(u8) -> u8) {
        let files = self.tree.with_value(|tree| tree.node(node).files.clone());
        self.change(|priorities| {
            for priority in &mut priorities[files.start as usize..files.end as usize] {
                *priority = wanted(*priority);
            }
        });
    }

    /// Wants all files, or none.
    fn choose_all(self, wanted: bool) {
        self.change(|priorities| {
            for priority in priorities {
                *priority = if wanted { (*priority).max(NORMAL) } else { 0 };
            }
        });
    }

    fn change(self, change: impl FnOnce(&mut Vec<u8>)) {
        if !self.can_choose.get_untracked() {
            return;
        }
        self.priorities.update(change);
        self.priorities.with_untracked(|priorities| self.session.select(self.id(), priorities));
    }

    /// What is known of a file.
    fn detail(self, file: u32) -> Option<FileDetail> {
        self.details.with(|details| details.get(&file).cloned())
    }

    /// Keeps an eye on some files, as long as the caller's view is shown.
    fn watch(self, files: Memo<Vec<u32>>) {
        let progress = Memo::new(move |_| self.share.with(|share| (share.have, share.state)));
        // Whether an answer is awaited, and whether there was a reason to ask again meanwhile.
        let (asking, again) = (StoredValue::new(false), StoredValue::new(false));
        Effect::new(move |_| {
            progress.track();
            let is_unknown = |file: &u32| {
                self.details.with_untracked(|it| it.get(file).is_none_or(|it| it.hash.is_none()))
            };
            if files.with(|files| files.iter().any(is_unknown)) {
                self.session.every_second();
            }
            if asking.get_value() {
                return again.set_value(true);
            }
            asking.set_value(true);
            spawn_local(async move {
                // The view may go while an answer is awaited.
                while let Some(wanted) = files.try_get_untracked() {
                    let told = self.session.look(self.id(), wanted.clone()).await;
                    let _ = self.details.try_update(|details| {
                        *details = wanted.into_iter().zip(told).collect();
                    });
                    if again.try_update_value(std::mem::take) != Some(true) {
                        break;
                    }
                }
                let _ = asking.try_set_value(false);
            });
        });
    }
}

/// The tree, what is chosen of it, and the pane of the active item.
#[component]
fn Listing(files: Files) -> impl IntoView {
    let element = NodeRef::<html::Div>::new();
    let row_px = ROW_REM * browser::rem_px();
    let top_px = RwSignal::new(0.0);
    let count = Memo::new(move |_| files.rows.with(Vec::len));
    // The first row that is drawn, and the one after the last.
    let drawn = Memo::new(move |_| {
        let count = count.get();
        if count <= ALL_ROWS {
            return (0, count);
        }
        let in_sight = (TREE_REM / ROW_REM).ceil() as usize + 1;
        // In steps, so that not every row that comes or goes is a change.
        let first = (top_px.get() / row_px) as usize / ROWS_AROUND * ROWS_AROUND;
        let first = first.saturating_sub(ROWS_AROUND).min(count);
        (first, (first + in_sight + 3 * ROWS_AROUND).min(count))
    });
    let shown = move || {
        let (first, end) = drawn.get();
        files.rows.with(|rows| rows[first.min(rows.len())..end.min(rows.len())].to_vec())
    };
    let in_sight = Memo::new(move |_| {
        let rows = shown();
        files.tree.with_value(|tree| {
            let nodes = rows.iter().map(|row| tree.node(row.node));
            nodes.filter(|node| !node.is_folder).map(|node| node.files.start).collect::<Vec<_>>()
        })
    });
    files.watch(in_sight);
    let active = Memo::new(move |_| {
        let active = files.active.get()?;
        let (first, end) = drawn.get();
        let at = files.rows.with(|rows| rows.iter().position(|row| row.node == active))?;
        (first..end).contains(&at).then(|| files.element_id(active))
    });
    let go_to = move |at: usize| {
        let Some(row) = files.rows.with_untracked(|rows| rows.get(at).copied()) else { return };
        files.active.set(Some(row.node));
        let Some(element) = element.get_untracked() else { return };
        let (above, height) = (at as f64 * row_px, f64::from(element.client_height()));
        let now = f64::from(element.scroll_top());
        let wanted = now.min(above).max(above + row_px - height);
        element.set_scroll_top(wanted.ceil() as i32);
        top_px.set(wanted);
    };
    let keys = Keys { files, typed: StoredValue::new((String::new(), 0.0)) };
    let title = files.share.with_untracked(|share| (text().files_of)(&share.title));
    view! {
        <Choices files />
        <div
            class="tree"
            role="tree"
            tabindex="0"
            aria-label=title
            aria-activedescendant=move || active.get()
            node_ref=element
            on:scroll=move |_| {
                if let Some(element) = element.get_untracked() {
                    top_px.set(f64::from(element.scroll_top()));
                }
            }
            on:focus=move |_| {
                if files.active.get_untracked().is_none() {
                    go_to(0);
                }
            }
            on:keydown=move |event| {
                if let Some(at) = keys.press(&event) {
                    go_to(at);
                }
            }
        >
            <div
                class="tree-all"
                role="presentation"
                style:block-size=move || format!("{}px", count.get() as f64 * row_px)
            >
                <div
                    role="presentation"
                    style:transform=move || format!("translateY({}px)", drawn.get().0 as f64 * row_px)
                >
                    <For each=shown key=|row| *row let:row>
                        <FileRow files row />
                    </For>
                </div>
            </div>
        </div>
        <Show when=move || count.get() == 0>
            <p class="hint">{text().nothing_found_in_files}</p>
        </Show>
        {move || files.active.get().map(|node| view! { <Pane files node /> })}
    }
}

/// What is chosen, and everything or nothing at once.
#[component]
fn Choices(files: Files) -> impl IntoView {
    let summary = move || {
        files.share.with(|share| {
            (text().chosen_files)(
                share.wanted_files,
                share.file_count,
                &text().units.size(share.wanted),
            )
        })
    };
    let folders = files.tree.with_value(|tree| tree.nodes().iter().any(|node| node.is_folder));
    let open_all = move |is_open: bool| {
        files.tree.with_value(|tree| {
            let open = tree.nodes().iter().map(|node| node.is_folder && is_open).collect();
            files.open.set(open);
        });
    };
    view! {
        <div class="files-tools">
            {move || files.can_choose.get().then(|| view! {
                <button class="button is-small" on:click=move |_| files.choose_all(true)>{text().choose_all}</button>
                <button class="button is-small" on:click=move |_| files.choose_all(false)>{text().choose_none}</button>
                <span class="hint" role="status">{summary}</span>
            })}
            {folders.then(|| view! {
                <button class="button is-small is-quiet" on:click=move |_| open_all(true)>{text().open_folders}</button>
                <button class="button is-small is-quiet" on:click=move |_| open_all(false)>{text().close_folders}</button>
            })}
        </div>
    }
}

/// What keys do, as the Tree View pattern has it.
#[derive(Clone, Copy)]
struct Keys {
    files: Files,
    /// What was typed, and when.
    typed: StoredValue<(String, f64)>,
}

impl Keys {
    /// Does what a key is for, and gives the row to go to, if it is for that.
    fn press(self, event: &KeyboardEvent) -> Option<usize> {
        if event.ctrl_key() || event.alt_key() || event.meta_key() {
            return None;
        }
        let files = self.files;
        let key = event.key();
        let page = (TREE_REM / ROW_REM) as usize - 1;
        let rows = files.rows.get_untracked();
        let last = rows.len().checked_sub(1)?;
        let active = files.active.get_untracked();
        let at = rows.iter().position(|row| Some(row.node) == active);
        let here = at.unwrap_or(0);
        let node = rows[here].node;
        let is_folder = files.is_folder(node);
        let is_open = is_folder && files.open.with_untracked(|open| open[node as usize]);
        let to = match key.as_str() {
            "ArrowDown" => Some(if at.is_some() { (here + 1).min(last) } else { 0 }),
            "ArrowUp" => Some(here.saturating_sub(1)),
            "Home" => Some(0),
            "End" => Some(last),
            "PageDown" => Some((here + page).min(last)),
            "PageUp" => Some(here.saturating_sub(page)),
            // Towards what is in it, whichever way the language is written.
            "ArrowRight" | "ArrowLeft" => {
                let inward = (key == "ArrowRight") != browser::is_right_to_left();
                match (inward, is_folder, is_open) {
                    (true, true, true) => Some((here + 1).min(last)),
                    (true, true, false) | (false, true, true) => {
                        files.set_open(node, inward);
                        Some(here)
                    }
                    (true, false, _) => Some(here),
                    (false, ..) => {
                        let parent = files.tree.with_value(|tree| tree.node(node).parent);
                        let above = parent
                            .and_then(|parent| rows.iter().position(|row| row.node == parent));
                        Some(above.unwrap_or(here))
                    }
                }
            }
            " " => {
                files.toggle(node);
                Some(here)
            }
            "Enter" => {
                files.set_open(node, !is_open);
                Some(here)
            }
            "*" => {
                let parent = files.tree.with_value(|tree| tree.node(node).parent);
                for row in &rows {
                    if files.tree.with_value(|tree| tree.node(row.node).parent) == parent {
                        files.set_open(row.node, true);
                    }
                }
                files.rows.with_untracked(|rows| rows.iter().position(|row| row.node == node))
            }
            typed if typed.chars().count() == 1 => self.go_to_typed(typed, &rows, here),
            _ => return None,
        };
        event.prevent_default();
        to
    }

    fn go_to_typed(self, letter: &str, rows: &[Row], here: usize) -> Option<usize> {
        let now = browser::now_ms();
        let (typed, is_new) = self.typed.try_update_value(|(typed, last)| {
            let is_new = now - *last > TYPED_TOGETHER_MS;
            if is_new {
                typed.clear();
            }
            typed.push_str(letter);
            *last = now;
            (typed.clone(), is_new)
        })?;
        // The first letter leads away from here; those that follow may still mean where it led.
        let from = if is_new { here + 1 } else { here };
        self.files.tree.with_value(|tree| tree.row_named(rows, from, &typed))
    }
}
