//! How the cells of a piece map are laid out: as large as they can be in the room there is.

/// The highest that a map may be, in CSS pixels.
const MOST_HEIGHT: f64 = 168.0;
/// From the start of one cell to that of the next, in CSS pixels, the largest first.
const PITCHES: [f64; 7] = [16.0, 14.0, 12.0, 10.0, 8.0, 7.0, 6.0];
const SMALLEST: f64 = PITCHES[PITCHES.len() - 1];

/// Rows of cells, filled from the top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Cells in a row.
    pub columns: usize,
    /// Rows that have cells.
    pub rows: usize,
    /// From the start of one cell to that of the next, in CSS pixels.
    pub pitch: f64,
}

impl Grid {
    /// How many cells there is room for at a width in CSS pixels.
    pub fn most_cells(width: f64) -> usize {
        columns(width, SMALLEST) * rows(SMALLEST)
    }

    /// The largest cells that fit.
    pub fn fit(width: f64, cells: usize) -> Self {
        let fits = |pitch: &f64| columns(width, *pitch) * rows(*pitch) >= cells;
        let pitch = PITCHES.into_iter().find(fits).unwrap_or(SMALLEST);
        let columns = columns(width, pitch);
        Self { columns, rows: cells.div_ceil(columns), pitch }
    }

    /// Between two cells, in CSS pixels.
    pub fn gap(&self) -> f64 {
        if self.pitch > 8.0 { 2.0 } else { 1.0 }
    }
}

fn columns(width: f64, pitch: f64) -> usize {
    ((width / pitch) as usize).max(1)
}

fn rows(pitch: f64) -> usize {
    (MOST_HEIGHT / pitch) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_cells_are_large_and_many_are_small() {
        let grid = |width, cells| {
            let grid = Grid::fit(width, cells);
            (grid.columns, grid.rows, grid.pitch)
        };
        assert_eq!(grid(640.0, 3), (40, 1, 16.0));
        assert_eq!(grid(640.0, 400), (40, 10, 16.0));
        assert_eq!(grid(640.0, 401), (45, 9, 14.0));
        assert_eq!(grid(640.0, 2_968), (106, 28, 6.0));
        assert_eq!(grid(0.0, 0), (1, 0, 16.0));
    }

    #[test]
    fn all_cells_that_there_is_room_for_fit() {
        for width in [1.0, 5.9, 240.0, 288.5, 640.0, 1_000.0] {
            let most = Grid::most_cells(width);
            for cells in [1, most / 2, most] {
                let grid = Grid::fit(width, cells);
                assert!(grid.columns * grid.rows >= cells, "{cells} of {width}: {grid:?}");
                assert!(
                    grid.rows as f64 * grid.pitch <= MOST_HEIGHT,
                    "{cells} of {width}: {grid:?}"
                );
            }
        }
    }
}
