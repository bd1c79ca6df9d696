//! Draws the cells of a piece map on a canvas. Its colours are those that the style sheets give to the
//! swatches of the legend, so that both agree in every theme, with forced colours too.

use leptos::prelude::window;
use wasm_bindgen::JsCast;
use wasm_peer::api::{CELL_BYTES, PieceMap};
use web::grid::Grid;
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement};

use super::TONES;

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// Here, and sent by a peer of this tone.
    Tone(usize),
    /// Here, and of nobody known.
    Before,
    Asked,
    /// Missing here, and several have it.
    Missing,
    /// Only one has it; of a share of ours, only we.
    Rare,
    Nowhere,
    Unwanted,
    /// Here and nowhere else.
    Alone,
    /// Ours, and so many others have it, from 1.
    Spread(usize),
}

/// Shades of [`Ink::Spread`].
const SPREADS: usize = 3;

impl Ink {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let others = [
            Self::Before,
            Self::Asked,
            Self::Missing,
            Self::Rare,
            Self::Nowhere,
            Self::Unwanted,
            Self::Alone,
        ];
        (0..TONES).map(Self::Tone).chain(others).chain((1..=SPREADS).map(Self::Spread))
    }

    pub(super) fn class(self) -> String {
        match self {
            Self::Tone(tone) => format!("ink-tone-{tone}"),
            Self::Before => "ink-before".to_owned(),
            Self::Asked => "ink-asked".to_owned(),
            Self::Missing => "ink-missing".to_owned(),
            Self::Rare => "ink-rare".to_owned(),
            Self::Nowhere => "ink-nowhere".to_owned(),
            Self::Unwanted => "ink-unwanted".to_owned(),
            Self::Alone => "ink-alone".to_owned(),
            Self::Spread(others) => format!("ink-spread-{others}"),
        }
    }

    fn place(self) -> usize {
        Self::all().position(|ink| ink == self).expect("all inks are listed")
    }
}

/// What is on the canvas, so that only what changes is drawn.
#[derive(Default)]
pub(super) struct Painter {
    look: Look,
    cells: Vec<u8>,
}

/// What all cells depend on.
#[derive(Default, PartialEq)]
struct Look {
    grid: Option<Grid>,
    /// Device pixels in a CSS pixel.
    scale: f64,
    width: f64,
    from_right: bool,
    ours: bool,
    /// The tones of the sources.
    tones: Vec<usize>,
    /// In the order of [`Ink::all`].
    colours: Vec<String>,
}

impl Painter {
    pub(super) fn paint(
        &mut self,
        canvas: &HtmlCanvasElement,
        inks: &Element,
        map: &PieceMap,
        width: f64,
        tones: &[usize],
        ours: bool,
    ) {
        let cells = map.cells.to_vec();
        let grid = Grid::fit(width, cells.len() / CELL_BYTES);
        let (colours, from_right) = styles(canvas, inks);
        let scale = window().device_pixel_ratio().max(1.0);
        let tones = tones.to_vec();
        let look = Look { grid: Some(grid), scale, width, from_right, ours, tones, colours };
        let afresh = look != self.look || cells.len() != self.cells.len();
        if !afresh && cells == self.cells {
            return;
        }
        if afresh {
            canvas.set_width((width * scale).round() as u32);
            canvas.set_height((grid.rows as f64 * grid.pitch * scale).round() as u32);
            let _ = canvas.style().set_property("block-size", &height(&grid));
        }
        let context = canvas.get_context("2d").ok().flatten();
        let Some(context) = context.and_then(|it| it.dyn_into().ok()) else { return };
        for (i, cell) in cells.chunks_exact(CELL_BYTES).enumerate() {
            let at = i * CELL_BYTES..(i + 1) * CELL_BYTES;
            if afresh || self.cells[at] != *cell {
                look.draw(&context, &grid, i, cell);
            }
        }
        (self.look, self.cells) = (look, cells);
    }
}

fn height(grid: &Grid) -> String {
    format!("{}px", grid.rows as f64 * grid.pitch)
}

/// The colours of all inks, and whether writing runs from the right.
fn styles(canvas: &HtmlCanvasElement, inks: &Element) -> (Vec<String>, bool) {
    let computed = |element: &Element, property: &str| {
        let style = window().get_computed_style(element).ok().flatten();
        style.and_then(|style| style.get_property_value(property).ok()).unwrap_or_default()
    };
    let inks = inks.children();
    let colours = (0..inks.length()).filter_map(|i| inks.item(i));
    let colours = colours.map(|ink| computed(&ink, "color")).collect();
    (colours, computed(canvas, "direction") == "rtl")
}

/// A rectangle in device pixels.
#[derive(Clone, Copy)]
struct Square {
    x: f64,
    y: f64,
    side: f64,
}

impl Look {
    fn draw(&self, context: &CanvasRenderingContext2d, grid: &Grid, i: usize, cell: &[u8]) {
        let &[here, asked, wanted, source, holders] = cell else { return };
        let (column, row) = (i % grid.columns, i / grid.columns);
        let pitch = grid.pitch * self.scale;
        let column = if self.from_right { grid.columns - 1 - column } else { column };
        let edge = |n: usize| (n as f64 * pitch).round();
        let (left, top) = (edge(column), edge(row));
        let side = (pitch - grid.gap() * self.scale).round().max(1.0);
        let square = Square { x: left, y: top, side };
        context.clear_rect(left, top, edge(column + 1) - left, edge(row + 1) - top);

        if self.ours {
            match usize::from(holders) {
                0 => self.outline(context, square, Ink::Rare),
                others => self.fill(context, square, Ink::Spread(others.min(SPREADS))),
            }
            return;
        }
        if wanted == 0 && here == 0 {
            let inner = side / 3.0;
            let (x, y) = (left + inner, top + inner);
            return self.fill(context, Square { x, y, side: inner.max(1.0) }, Ink::Unwanted);
        }
        if here < u8::MAX {
            match holders {
                0 => self.outline(context, square, Ink::Nowhere),
                1 => self.outline(context, square, Ink::Rare),
                _ => self.fill(context, square, Ink::Missing),
            }
        }
        let sender = match self.tones.get(usize::from(source).wrapping_sub(1)) {
            Some(&tone) => Ink::Tone(tone),
            None => Ink::Before,
        };
        self.fill_up(context, square, here, sender);
        if asked > 0 {
            let inner = (side / 2.0).round().max(1.0);
            let by = ((side - inner) / 2.0).floor();
            self.fill(context, Square { x: left + by, y: top + by, side: inner }, Ink::Asked);
        }
        if here == u8::MAX && holders == 0 {
            self.outline(context, square, Ink::Alone);
        }
    }

    fn colour(&self, ink: Ink) -> &str {
        self.colours.get(ink.place()).map_or("", String::as_str)
    }

    fn fill(&self, context: &CanvasRenderingContext2d, square: Square, ink: Ink) {
        context.set_fill_style_str(self.colour(ink));
        context.fill_rect(square.x, square.y, square.side, square.side);
    }

    /// Fills a part of a cell, of 255, from the bottom.
    fn fill_up(&self, context: &CanvasRenderingContext2d, square: Square, part: u8, ink: Ink) {
        if part > 0 {
            let height = (square.side * f64::from(part) / 255.0).round().max(1.0);
            context.set_fill_style_str(self.colour(ink));
            context.fill_rect(square.x, square.y + square.side - height, square.side, height);
        }
    }

    fn outline(&self, context: &CanvasRenderingContext2d, square: Square, ink: Ink) {
        let line = self.scale.round().max(1.0);
        context.set_stroke_style_str(self.colour(ink));
        context.set_line_width(line);
        let (x, y, side) = (square.x + line / 2.0, square.y + line / 2.0, square.side - line);
        context.stroke_rect(x, y, side, side);
    }
}
