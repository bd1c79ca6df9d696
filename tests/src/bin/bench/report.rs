//! What was measured, as a table: what is beyond its bound is said, and makes the run fail.

use std::process::ExitCode;

/// What was measured, and whether it is within bounds.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<(String, String, Option<bool>)>,
}

impl Report {
    pub(crate) fn rate(&mut self, what: &str, rate: f64) {
        self.line(what, format!("{:.1} MB/s", rate / 1e6), None);
    }

    pub(crate) fn ratio(&mut self, what: &str, ratio: f64, least: f64) {
        self.line(what, format!("{ratio:.2} (at least {least})"), Some(ratio >= least));
    }

    pub(crate) fn at_most(&mut self, what: &str, ratio: f64, most: f64) {
        self.line(what, format!("{ratio:.2} (at most {most})"), Some(ratio <= most));
    }

    pub(crate) fn line(&mut self, what: &str, value: String, held: Option<bool>) {
        println!("{what:<48} {value}");
        self.lines.push((what.to_owned(), value, held));
    }

    /// Prints the table, and succeeds if all bounds hold.
    pub(crate) fn print(self) -> ExitCode {
        println!();
        let mut all = true;
        for (what, value, held) in self.lines {
            let verdict = match held {
                None => "",
                Some(true) => "ok",
                Some(false) => "MISSED",
            };
            all &= held != Some(false);
            println!("{what:<48} {value:<28} {verdict}");
        }
        if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
