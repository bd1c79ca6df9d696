//! What failed tests said, to be told once more at the end: between them and the sum lie thousands of lines.

/// Lines of a message that are told.
const LINES: usize = 3;
/// What follows a message.
const ENDS: [&str; 3] = ["stack backtrace:", "note: ", "----"];

/// What was said so far.
#[derive(Debug, Default)]
pub(crate) struct Panics {
    /// Where, and the first lines of what.
    pub(crate) told: Vec<String>,
    /// How many lines of the last are still to come.
    to_come: usize,
}

impl Panics {
    /// Takes in a line of a harness.
    pub(crate) fn read(&mut self, line: &str) {
        // `thread 'wait::until' (27405) panicked at tests/src/wait.rs:24:9:`
        if let Some((name, _)) = line.strip_prefix("thread '").and_then(|it| it.split_once('\''))
            && line.contains(" panicked at ")
        {
            self.told.push(format!("{name}:"));
            self.to_come = LINES;
        } else if self.to_come > 0 {
            let is_end = line.trim().is_empty() || ENDS.iter().any(|end| line.starts_with(end));
            self.to_come = if is_end { 0 } else { self.to_come - 1 };
            if let Some(last) = self.told.last_mut().filter(|_| !is_end) {
                last.push(' ');
                last.push_str(line.trim());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_up_to_what_follows_them() {
        let mut panics = Panics::default();
        for line in [
            "running 2 tests",
            "thread 'app::one' (27405) panicked at tests/src/wait.rs:24:9:",
            "waited 60s in vain for: a notification",
            "stack backtrace:",
            "   0: begin_unwind",
            "thread 'two' panicked at src/lib.rs:1:1:",
            "assertion `left == right` failed",
            "  left: 1",
            " right: 2",
            "and more",
        ] {
            panics.read(line);
        }
        let told = [
            "app::one: waited 60s in vain for: a notification",
            "two: assertion `left == right` failed left: 1 right: 2",
        ];
        assert_eq!(panics.told, told);
    }
}
