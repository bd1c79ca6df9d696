//! Counting what a Rust test harness says of itself.

use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// The tally of one check that is not a test harness.
    pub(crate) fn of(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// Reads a harness's closing line, such as
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let count = |what: &str| {
            counts.split(';').find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
        };
        Some(Self { passed: count("passed")?, failed: count("failed")? })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_whether_good_or_bad() {
        let good = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s";
        let bad = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s";
        let mut sum = Tally::default();
        for line in [good, bad] {
            sum += Tally::parse(line).expect("a closing line");
        }
        assert_eq!(sum, Tally { passed: 17, failed: 3 });
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in ["test wire::result ... ok", "running 3 tests", "test result: ok.", ""] {
            assert_eq!(Tally::parse(line), None, "{line}");
        }
    }
}
