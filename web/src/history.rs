//! The last minute of something that is measured: what small graphs are drawn from.

use std::collections::VecDeque;

/// Points of a graph, one a second.
pub const SAMPLES: usize = 60;
/// Somewhat less than a second, since clocks of pages tick a little early or late.
const SAMPLE_MS: f64 = 900.0;

/// One value a second, the newest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    values: VecDeque<f64>,
    noted_ms: Option<f64>,
}

impl History {
    /// Takes a value if it is time for one, by a clock in milliseconds; whether it was.
    pub fn note(&mut self, now_ms: f64, value: f64) -> bool {
        if self.noted_ms.is_some_and(|noted| now_ms - noted < SAMPLE_MS) {
            return false;
        }
        self.noted_ms = Some(now_ms);
        if self.values.len() == SAMPLES {
            self.values.pop_front();
        }
        self.values.push_back(value);
        true
    }

    /// The greatest of the values that are remembered; 0 if there is none.
    pub fn most(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max)
    }

    /// The line through the values as points of an SVG, [`SAMPLES`] - 1 wide, with the newest at the end.
    /// `most` is at the top, 0 at `height`.
    pub fn line(&self, height: f64, most: f64) -> String {
        let start = SAMPLES - self.values.len();
        let points = self.values.iter().enumerate().map(|(i, value)| {
            let part = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
            format!("{},{:.1}", start + i, height * (1.0 - part))
        });
        points.collect::<Vec<_>>().join(" ")
    }

    /// The same line with what is under it.
    pub fn area(&self, height: f64, most: f64) -> String {
        let start = SAMPLES - self.values.len();
        match self.values.len() {
            0 => String::new(),
            _ => {
                let line = self.line(height, most);
                format!("{start},{height} {line} {},{height}", SAMPLES - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_takes_one_value_a_second_and_remembers_a_minute() {
        let mut history = History::default();
        for quarter in 0..400 {
            let taken = history.note(f64::from(quarter) * 250.0, f64::from(quarter));
            assert_eq!(taken, quarter % 4 == 0, "{quarter}");
        }
        assert_eq!(history.values.len(), SAMPLES);
        assert_eq!((history.values[0], history.most()), (160.0, 396.0));
    }

    #[test]
    fn the_newest_value_is_at_the_end_and_the_greatest_on_top() {
        let mut history = History::default();
        assert_eq!(
            (history.line(10.0, 1.0), history.area(10.0, 1.0)),
            (String::new(), String::new())
        );
        for (second, value) in [0.0, 5.0, 20.0].into_iter().enumerate() {
            history.note(second as f64 * 1e3, value);
        }
        assert_eq!(history.line(10.0, 20.0), "57,10.0 58,7.5 59,0.0");
        assert_eq!(history.area(10.0, 20.0), "57,10 57,10.0 58,7.5 59,0.0 59,10");
        assert_eq!(history.line(10.0, 0.0), "57,10.0 58,10.0 59,10.0");
        assert_eq!(history.line(10.0, 10.0), "57,10.0 58,5.0 59,0.0");
    }
}
