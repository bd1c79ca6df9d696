//! Sizes and rates as people write them: `2MiB`, `500kB`, `1.5M`.

use std::fmt::Write as _;

/// Reads a rate per second; `/s` may follow. Zero is refused: nothing would ever arrive.
pub(crate) fn parse_rate(text: &str) -> Result<u64, String> {
    match parse_size(text.strip_suffix("/s").unwrap_or(text))? {
        0 => Err("a rate of zero would never finish".into()),
        rate => Ok(rate),
    }
}

/// Reads bytes: a number, which may have a fraction, and a unit. `kB`, `MB`, … are powers of 1000;
/// `KiB`, `MiB`, … and the single letters are powers of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let bad = || format!("{text:?} is not a size such as 2MiB");
    let factor = factor(unit.trim()).ok_or_else(bad)?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(bad);
    }
    let size = number.parse::<f64>().map_err(|_| bad())? * factor as f64;
    if size.is_finite() && size < u64::MAX as f64 { Ok(size as u64) } else { Err(bad()) }
}

fn factor(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let power = |letter| 1 + "kmgt".find(letter).expect("one of these") as u32;
    let mut letters = unit.chars();
    Some(match (letters.next(), letters.as_str()) {
        (None, _) | (Some('b'), "") => 1,
        (Some(letter @ ('k' | 'm' | 'g' | 't')), "" | "ib" | "i") => 1024u64.pow(power(letter)),
        (Some(letter @ ('k' | 'm' | 'g' | 't')), "b") => 1000u64.pow(power(letter)),
        _ => return None,
    })
}

/// Bytes for people: three digits that matter, in powers of 1024.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    let mut text = String::new();
    let digits = if unit == "B" || value >= 100.0 { 0 } else { 1 };
    write!(text, "{value:.digits$} {unit}").expect("writing to a string cannot fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("1048576", 1 << 20),
            ("7B", 7),
            ("2MiB", 2 << 20),
            ("2 MiB/s", 2 << 20),
            ("2mib", 2 << 20),
            ("3M", 3 << 20),
            ("500kB", 500_000),
            ("500KB/s", 500_000),
            ("1.5GiB", 3 << 29),
            ("0.5k", 512),
            ("1TB", 1_000_000_000_000),
        ] {
            assert_eq!(parse_rate(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in
            ["", "fast", "MiB", "2 parsecs", "-1", "1..5", "0", "0.1", "99999999999TiB", "1e9"]
        {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (300 << 20, "300 MiB"),
            (2 << 30, "2.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
