//! A picture of a run: for each peer a line, how many pieces it had when; and the bound.

use std::fmt::Write;

use protocol::simulation::scenario::{Outcome, Setup};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 48.0;
/// Closer points than this would not be seen.
const STEP: f64 = 1.5;

/// Draws it, as a document by itself that is readable on light and dark ground.
pub(crate) fn draw(setup: &Setup, outcome: &Outcome) -> String {
    let last = outcome.peers.iter().flat_map(|peer| &peer.history).map(|(at, _)| at.as_secs_f64());
    let end = last.fold(outcome.bound.as_secs_f64(), f64::max) * 1.02;
    let pieces = f64::from(setup.pieces);
    let x = |seconds: f64| LEFT + seconds / end * (WIDTH - LEFT - RIGHT);
    let y = |count: f64| HEIGHT - BOTTOM - count / pieces * (HEIGHT - TOP - BOTTOM);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <style>text{{fill:#333}}.grid{{stroke:#ddd}}.bound{{stroke:#c33}}rect{{fill:#fff}}\
         @media(prefers-color-scheme:dark){{text{{fill:#ccc}}.grid{{stroke:#444}}rect{{fill:#181818}}}}\
         </style>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    let title = format!(
        "{} receivers, {} pieces, {:.2} MiB/s each, {} ms: all done after {}",
        setup.receivers,
        setup.pieces,
        setup.uplink / f64::from(1 << 20),
        setup.round_trip.as_millis(),
        outcome.all_done.map_or_else(
            || "-".to_owned(),
            |done| format!(
                "{:.1} s, {:.2} × the bound",
                done.as_secs_f64(),
                outcome.ratio().unwrap_or(0.0)
            )
        ),
    );
    text(&mut svg, LEFT, 24.0, "start", &title);
    text(&mut svg, LEFT, 44.0, "start", "pieces held, one line per receiver");

    for part in 0..=4 {
        let count = pieces * f64::from(part) / 4.0;
        line(&mut svg, "grid", (LEFT, y(count)), (WIDTH - RIGHT, y(count)));
        text(&mut svg, LEFT - 8.0, y(count) + 4.0, "end", &format!("{count:.0}"));
    }
    let tick = round_step(end / 8.0);
    let mut at = 0.0;
    while at <= end {
        line(&mut svg, "grid", (x(at), TOP), (x(at), HEIGHT - BOTTOM));
        text(&mut svg, x(at), HEIGHT - BOTTOM + 18.0, "middle", &format!("{at} s"));
        at += tick;
    }
    let receivers = outcome.peers.len().saturating_sub(1).max(1);
    for (i, peer) in outcome.peers.iter().enumerate().skip(1) {
        let mut points = String::new();
        let mut drawn = f64::NEG_INFINITY;
        for (n, &(at, count)) in peer.history.iter().enumerate() {
            let here = x(at.as_secs_f64());
            if here - drawn >= STEP || n + 1 == peer.history.len() {
                let _ = write!(points, "{here:.1},{:.1} ", y(f64::from(count)));
                drawn = here;
            }
        }
        let hue = 190 + 130 * (i - 1) / receivers;
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"hsl({hue},70%,50%)\" \
             stroke-width=\"1.2\" stroke-opacity=\"0.8\"><title>peer {i}</title></polyline>",
            points.trim_end()
        );
    }
    let bound = outcome.bound.as_secs_f64();
    line(&mut svg, "bound", (x(bound), TOP), (x(bound), HEIGHT - BOTTOM));
    text(&mut svg, x(bound) - 6.0, HEIGHT - BOTTOM - 8.0, "end", &format!("bound {bound:.1} s"));
    svg + "</svg>\n"
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let _ =
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

/// The next of 1, 2, 5, 10, 20, … (and their tenths) that is not below.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|&step| step >= least);
    step.unwrap_or(power * 10.0)
}
