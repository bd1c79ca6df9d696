//! Numbers as people read them: sizes, rates, durations, percentages. The words and signs come from the
//! language ([`Units`]); which unit and how many digits is decided here.

/// How a language writes numbers and quantities.
#[derive(Clone, Copy, Debug)]
pub struct Units {
    /// The first of its ten digits.
    pub zero: char,
    /// Between whole and fraction.
    pub decimal: &'static str,
    /// Between groups of three digits.
    pub group: &'static str,
    /// Numbers with fewer digits are not grouped.
    pub grouped_from: usize,
    /// Byte, and its multiples by 1000.
    pub bytes: [&'static str; 6],
    /// After a size to make it a rate.
    pub per_second: &'static str,
    /// Second, minute, hour, day.
    pub time: [&'static str; 4],
    /// After a number out of a hundred, with its space if it has one.
    pub percent: &'static str,
}

/// Keeps a number and its unit on one line.
const NO_BREAK_SPACE: char = '\u{a0}';

impl Units {
    /// A whole number, in groups of three digits if it is long: `20 000`.
    pub fn whole(&self, number: u64) -> String {
        let ascii = number.to_string();
        if ascii.len() < self.grouped_from {
            return self.digits(&ascii);
        }
        let mut grouped = String::new();
        for (i, digit) in ascii.chars().enumerate() {
            if i > 0 && (ascii.len() - i).is_multiple_of(3) {
                grouped.push_str(self.group);
            }
            grouped.push(self.digit(digit));
        }
        grouped
    }

    /// A number that is rarely whole, rounded down to a tenth below ten and to a whole above: `2.4`.
    pub fn number(&self, number: f64) -> String {
        let tenths = (number.max(0.0) * 10.0).floor();
        if tenths >= 100.0 || tenths % 10.0 == 0.0 {
            return self.whole((tenths / 10.0) as u64);
        }
        self.digits(&format!("{:.1}", tenths / 10.0))
    }

    /// The digits of a number as Rust writes it, in those of the language.
    pub fn digits(&self, ascii: &str) -> String {
        let mut text = String::new();
        for c in ascii.chars() {
            match c {
                '.' => text.push_str(self.decimal),
                c => text.push(self.digit(c)),
            }
        }
        text
    }

    fn digit(&self, ascii: char) -> char {
        let digit =
            ascii.to_digit(10).and_then(|digit| char::from_u32(u32::from(self.zero) + digit));
        digit.unwrap_or(ascii)
    }

    /// A size in bytes in the largest fitting unit of 1000, as file managers and shops count: `3.2 MB`.
    pub fn size(&self, bytes: u64) -> String {
        let mut unit = 0;
        let mut scale = 1u64;
        // 999 500 B would read "1000 kB": it is 1 MB.
        while unit + 1 < self.bytes.len() && bytes >= 1000 && bytes >= scale * 999 + scale / 2 {
            scale *= 1000;
            unit += 1;
        }
        let tenths = (u128::from(bytes) * 10 + u128::from(scale) / 2) / u128::from(scale);
        let number = if tenths < 100 && tenths % 10 != 0 {
            format!("{}.{}", tenths / 10, tenths % 10)
        } else {
            ((u128::from(bytes) + u128::from(scale) / 2) / u128::from(scale)).to_string()
        };
        format!("{}{NO_BREAK_SPACE}{}", self.digits(&number), self.bytes[unit])
    }

    /// A rate in bytes per second: `3.2 MB/s`.
    pub fn rate(&self, bytes_per_second: f64) -> String {
        format!("{}{}", self.size(bytes_per_second.max(0.0) as u64), self.per_second)
    }

    /// A duration in one or two units, rounded up, coarser the longer it is so that it does not flicker:
    /// `12 s`, `1 min 20 s`, `7 min`, `2 h 5 min`, `3 d`.
    pub fn duration(&self, seconds: f64) -> String {
        let [second, minute, hour, day] = self.time;
        let whole = seconds.max(0.0).ceil().min(1e9) as u64;
        let one = |n: u64, unit| format!("{}{NO_BREAK_SPACE}{unit}", self.digits(&n.to_string()));
        let two = |n, unit, m, smaller| match m {
            0 => one(n, unit),
            m => format!("{} {}", one(n, unit), one(m, smaller)),
        };
        match whole {
            0..60 => one(whole.max(1), second),
            60..300 => {
                let tens = whole.div_ceil(10) * 10;
                two(tens / 60, minute, tens % 60, second)
            }
            300..3_600 => one(whole.div_ceil(60), minute),
            3_600..86_400 => {
                let fives = whole.div_ceil(300) * 5;
                two(fives / 60, hour, fives % 60, minute)
            }
            _ => one(whole.div_ceil(86_400), day),
        }
    }

    /// A part of a hundred: `42 %`.
    pub fn percentage(&self, percent: u8) -> String {
        format!("{}{}", self.digits(&percent.to_string()), self.percent)
    }
}

/// How much of `total` is there, 0 to 100, rounded down: 100 only when all is there. Nothing of nothing is
/// 100.
pub fn percent(have: u64, total: u64) -> u8 {
    if have >= total {
        return 100;
    }
    (u128::from(have) * 100 / u128::from(total)) as u8
}

/// Seconds until the rest of `total` is there at `bytes_per_second`, or `None` if that cannot be told.
pub fn time_left(have: u64, total: u64, bytes_per_second: f64) -> Option<f64> {
    (bytes_per_second >= 1.0).then(|| total.saturating_sub(have) as f64 / bytes_per_second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::ENGLISH;

    fn size(bytes: u64) -> String {
        ENGLISH.units.size(bytes).replace(NO_BREAK_SPACE, " ")
    }

    fn duration(seconds: f64) -> String {
        ENGLISH.units.duration(seconds).replace(NO_BREAK_SPACE, " ")
    }

    #[test]
    fn a_size_has_the_largest_unit_and_few_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1, "1 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_049, "1 kB"),
            (1_050, "1.1 kB"),
            (9_949, "9.9 kB"),
            (9_999, "10 kB"),
            (262_144, "262 kB"),
            (999_499, "999 kB"),
            (999_500, "1 MB"),
            (3_240_000, "3.2 MB"),
            (2 << 30, "2.1 GB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn a_duration_gets_coarser_and_never_says_zero() {
        for (seconds, text) in [
            (0.0, "1 s"),
            (11.2, "12 s"),
            (59.5, "1 min"),
            (61.0, "1 min 10 s"),
            (299.0, "5 min"),
            (301.0, "6 min"),
            (3_600.0, "1 h"),
            (7_260.0, "2 h 5 min"),
            (86_399.0, "24 h"),
            (100_000.0, "2 d"),
            (f64::INFINITY, "11575 d"),
            (f64::NAN, "1 s"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn a_hundred_percent_is_said_only_when_all_is_there() {
        assert_eq!(percent(0, 10), 0);
        assert_eq!(percent(999_999, 1_000_000), 99);
        assert_eq!(percent(1_000_000, 1_000_000), 100);
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
    }

    #[test]
    fn time_left_is_unknown_while_nothing_comes() {
        assert_eq!(time_left(0, 100, 0.0), None);
        assert_eq!(time_left(50, 100, 10.0), Some(5.0));
        assert_eq!(time_left(150, 100, 10.0), Some(0.0));
    }
}
