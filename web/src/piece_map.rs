//! The map of a share's pieces: which are here and who sent them, which are on their way, how rare the
//! others are. Of a share of ours: how many others have each piece.
//!
//! It asks the worker for a map with every state that is told, and only while people can see it; cells that
//! have not changed are not drawn again. What the picture shows is also said below it, in words.

mod paint;

use js_sys::Array;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_peer::api::{PieceMap as Map, ShareInfo};
use web::grid::Grid;
use web::text::text;
use web_sys::{
    Element, IntersectionObserver, IntersectionObserverEntry, ResizeObserver, ResizeObserverEntry,
};

use crate::session::{Session, TONES};
use crate::share_card::is_ours;
use crate::status;
use paint::{Ink, Painter};

#[component]
pub(crate) fn PieceMap(share: Memo<ShareInfo>) -> impl IntoView {
    let session = Session::of_page();
    let id = share.with_untracked(|share| share.id.clone());
    let ours = Memo::new(move |_| share.with(|share| is_ours(share.state)));
    let label = move || share.with(|share| (text().map_of)(&share.title));
    let facts_id = format!("map-{id}");
    let described_by = facts_id.clone();
    let canvas = NodeRef::<html::Canvas>::new();
    let inks = NodeRef::<html::Span>::new();
    let (width, in_sight) = watch(canvas);
    let map = RwSignal::new_local(None::<Map>);
    pull(session, id, width, in_sight, map);

    let painter = StoredValue::new_local(Painter::default());
    Effect::new(move |_| {
        // The theme may have changed since the last state: a clock ticks here too.
        session.now_ms();
        let (Some(canvas), Some(inks)) = (canvas.get(), inks.get()) else { return };
        let tone = |peer: &String| session.tone(peer);
        map.with(|map| {
            let Some(map) = map else { return };
            let tones: Vec<usize> = map.sources.iter().map(tone).collect();
            painter.update_value(|painter| {
                painter.paint(&canvas, &inks, map, width.get(), &tones, ours.get());
            });
        });
    });

    let facts = Memo::new(move |_| {
        let facts = |map: &Map| share.with(|share| facts(map, share, ours.get()));
        map.with(|map| map.as_ref().map(facts)).unwrap_or_default()
    });
    let cell = Memo::new(move |_| share.with(|share| map.with(|map| cell(map.as_ref()?, share))));
    view! {
        <div class="map" hidden=move || share.with(|share| share.pieces == 0)>
            <h3 class="details-title">{text().map_title}</h3>
            <canvas
                class="map-cells"
                role="img"
                aria-label=label
                aria-describedby=described_by
                node_ref=canvas
            ></canvas>
            <span class="map-inks" hidden=true node_ref=inks>
                {Ink::all().map(|ink| view! { <i class=ink.class()></i> }).collect_view()}
            </span>
            <ul id=facts_id class="map-legend">
                {move || facts.get().into_iter().map(|(ink, line)| view! {
                    <li><span class=format!("swatch {}", ink.class()) aria-hidden="true"></span>{line}</li>
                }).collect_view()}
            </ul>
            {move || cell.get().map(|line| view! { <p class="hint">{line}</p> })}
        </div>
    }
}

/// What the map shows, in words beside the colours.
fn facts(map: &Map, share: &ShareInfo, ours: bool) -> Vec<(Ink, String)> {
    let text = text();
    let [alone, one, two, more] = map.held;
    let some =
        |ink: Ink, count: u32, fact: fn(u32) -> String| (count > 0).then(|| (ink, fact(count)));
    if ours {
        let lines = [
            some(Ink::Rare, alone, text.map_alone),
            some(Ink::Spread(1), one, text.map_held_by_one),
            some(Ink::Spread(2), two, text.map_held_by_two),
            some(Ink::Spread(3), more, text.map_held_by_more),
        ];
        return lines.into_iter().flatten().collect();
    }
    let several = map.missing.saturating_sub(map.rare + map.nowhere);
    let is_moving = status::is_moving(share.state);
    let lines = [
        Some((Ink::Tone(0), (text.map_here)(map.here, map.pieces))),
        // It comes and goes: its line stays, so that the others do not jump.
        is_moving.then(|| (Ink::Asked, (text.map_asked)(map.asked))),
        some(Ink::Missing, several, text.map_missing),
        some(Ink::Rare, map.rare, text.map_rare),
        some(Ink::Nowhere, map.nowhere, text.map_nowhere),
        some(Ink::Alone, alone, text.map_alone),
        some(Ink::Unwanted, map.pieces - map.wanted.min(map.pieces), text.map_unwanted),
    ];
    lines.into_iter().flatten().collect()
}

/// What a cell is, if it is more than one piece.
fn cell(map: &Map, share: &ShareInfo) -> Option<String> {
    let bytes = share.total as f64 * f64::from(map.per_cell) / f64::from(map.pieces.max(1));
    (map.per_cell > 1).then(|| (text().map_cell)(map.per_cell, &text().units.size(bytes as u64)))
}

/// Asks for a map with every state that is told, one after the other, while it can be seen.
fn pull(
    session: Session,
    id: String,
    width: RwSignal<f64>,
    in_sight: RwSignal<bool>,
    map: RwSignal<Option<Map>, LocalStorage>,
) {
    let asking = StoredValue::new(false);
    Effect::new(move |_| {
        session.told_ms();
        let cells = Grid::most_cells(width.get()) as u32;
        if !in_sight.get() || width.get() < 1.0 || asking.get_value() {
            return;
        }
        asking.set_value(true);
        let id = id.clone();
        spawn_local(async move {
            loop {
                let asked_ms = untrack(|| session.told_ms());
                let answer = session.pieces(id.clone(), cells).await;
                // It fails once the share, the room or the worker is gone: then the last map stays.
                let gone = match answer {
                    Some(answer) => map.try_set(Some(answer)).is_some(),
                    None => true,
                };
                // What was told meanwhile may be the last for a long time.
                if gone || asked_ms == untrack(|| session.told_ms()) {
                    break;
                }
            }
            asking.try_update_value(|asking| *asking = false);
        });
    });
}

/// The width of an element in CSS pixels, and whether it can be seen.
fn watch(canvas: NodeRef<html::Canvas>) -> (RwSignal<f64>, RwSignal<bool>) {
    let (width, in_sight) = (RwSignal::new(0.0), RwSignal::new(false));
    let observers = StoredValue::new_local(None::<Observers>);
    Effect::new(move |_| {
        let Some(canvas) = canvas.get() else { return };
        observers.set_value(Observers::new(&canvas, width, in_sight));
    });
    on_cleanup(move || {
        observers.try_update_value(Option::take);
    });
    (width, in_sight)
}

/// What tells of an element's size and whether it is in sight, until it is dropped.
struct Observers {
    resize: ResizeObserver,
    intersection: IntersectionObserver,
    _on_resize: Closure<dyn FnMut(Array)>,
    _on_intersection: Closure<dyn FnMut(Array)>,
}

impl Observers {
    /// `None` where the browser cannot, and then there is no map.
    fn new(element: &Element, width: RwSignal<f64>, in_sight: RwSignal<bool>) -> Option<Self> {
        let on_resize = Closure::<dyn FnMut(Array)>::new(move |entries: Array| {
            if let Ok(entry) = entries.at(-1).dyn_into::<ResizeObserverEntry>() {
                width.try_set(entry.content_rect().width());
            }
        });
        let on_intersection = Closure::<dyn FnMut(Array)>::new(move |entries: Array| {
            if let Ok(entry) = entries.at(-1).dyn_into::<IntersectionObserverEntry>() {
                in_sight.try_set(entry.is_intersecting());
            }
        });
        let resize = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok()?;
        let intersection =
            IntersectionObserver::new(on_intersection.as_ref().unchecked_ref()).ok()?;
        resize.observe(element);
        intersection.observe(element);
        let (_on_resize, _on_intersection) = (on_resize, on_intersection);
        Some(Self { resize, intersection, _on_resize, _on_intersection })
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        self.resize.disconnect();
        self.intersection.disconnect();
    }
}
