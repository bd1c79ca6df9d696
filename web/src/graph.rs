//! Small graphs of the last minute: how fast something goes, and how long a round trip takes. One point a
//! second; drawn only while there is something to see.

use leptos::prelude::*;
use wasm_peer::api::{PeerInfo, ShareInfo};
use web::history::{History, SAMPLES};
use web::text::text;

use crate::session::Session;

/// Height of a graph, in units of its own.
const HEIGHT: f64 = 20.0;
/// A rate at which a graph is full at least, in bytes per second: less is noise.
const LEAST_RATE: f64 = 10_000.0;
/// The same for a round trip, in milliseconds.
const LEAST_ROUND_TRIP_MS: f64 = 20.0;
/// Less than this is nothing, in bytes per second.
const STILL: f64 = 500.0;

/// Bytes per second, in and out.
#[derive(Clone, Copy, Default, PartialEq)]
struct Rates {
    download: f64,
    upload: f64,
}

/// How fast it goes with somebody, and the round trip to them.
#[component]
pub(crate) fn PeerGraphs(
    peer: Memo<Option<PeerInfo>>,
    #[prop(into)] name: Signal<String>,
) -> impl IntoView {
    let rates = move || {
        peer.with(|peer| {
            peer.as_ref().map_or_else(Rates::default, |peer| Rates {
                download: peer.download_rate,
                upload: peer.upload_rate,
            })
        })
    };
    let round_trip_ms =
        move || peer.with(|peer| peer.as_ref().filter(|peer| peer.connected)?.round_trip_ms);
    view! {
        <RateGraph rates of=name />
        <RoundTripGraph round_trip_ms of=name />
    }
}

/// How fast a share comes and goes.
#[component]
pub(crate) fn ShareGraph(share: Memo<ShareInfo>) -> impl IntoView {
    let rates =
        move || share.with(|share| Rates { download: share.rate, upload: share.upload_rate });
    let title = Signal::derive(move || share.with(|share| share.title.clone()));
    view! { <RateGraph rates of=title /> }
}

#[component]
fn RateGraph(
    rates: impl Fn() -> Rates + Copy + Send + Sync + 'static,
    of: Signal<String>,
) -> impl IntoView {
    let session = Session::of_page();
    let histories = RwSignal::new((History::default(), History::default()));
    Effect::new(move |_| {
        let (now_ms, rates) = (session.now_ms(), rates());
        let seen = |rate: f64| if rate < STILL { 0.0 } else { rate };
        histories.maybe_update(|(download, upload)| {
            let is_time = download.note(now_ms, seen(rates.download));
            upload.note(now_ms, seen(rates.upload)) && is_time
        });
    });
    let most =
        Memo::new(move |_| histories.with(|(download, upload)| download.most().max(upload.most())));
    let scale = move || most.get().max(LEAST_RATE);
    let words = move || {
        let (text, rates) = (text(), rates());
        [(rates.download, text.rate_in), (rates.upload, text.rate_out)]
            .into_iter()
            .filter(|(rate, _)| *rate >= STILL)
            .map(|(rate, words)| words(&text.units.rate(rate)))
            .collect::<Vec<_>>()
            .join(" · ")
    };
    let label = move || (text().rate_graph)(&of.get(), &text().units.rate(most.get()));
    let download = move || histories.with(|(download, _)| download.line(HEIGHT, scale()));
    let under = move || histories.with(|(download, _)| download.area(HEIGHT, scale()));
    let upload = move || histories.with(|(_, upload)| upload.line(HEIGHT, scale()));
    view! {
        <Show when=move || { most.get() > 0.0 }>
            <span class="graph-line">
                <svg class="graph" role="img" aria-label=label viewBox=view_box() preserveAspectRatio="none">
                    <polygon points=under />
                    <polyline points=download />
                    <polyline class="is-upload" points=upload />
                </svg>
                <span>{words}</span>
            </span>
        </Show>
    }
}

#[component]
fn RoundTripGraph(
    round_trip_ms: impl Fn() -> Option<f64> + Copy + Send + Sync + 'static,
    of: Signal<String>,
) -> impl IntoView {
    let session = Session::of_page();
    let history = RwSignal::new(History::default());
    Effect::new(move |_| {
        let now_ms = session.now_ms();
        if let Some(ms) = round_trip_ms() {
            history.maybe_update(|history| history.note(now_ms, ms));
        }
    });
    let most = Memo::new(move |_| history.with(History::most));
    let label = move || (text().round_trip_graph)(&of.get(), &(text().round_trip)(most.get()));
    let line = move || history.with(|it| it.line(HEIGHT, most.get().max(LEAST_ROUND_TRIP_MS)));
    view! {
        <Show when=move || { round_trip_ms().is_some() && most.get() > 0.0 }>
            <span class="graph-line">
                <svg class="graph is-round-trip" role="img" aria-label=label viewBox=view_box() preserveAspectRatio="none">
                    <polyline points=line />
                </svg>
                <span>{move || round_trip_ms().map(text().round_trip)}</span>
            </span>
        </Show>
    }
}

fn view_box() -> String {
    format!("0 0 {} {HEIGHT}", SAMPLES - 1)
}
