//! QR codes as the outline of an SVG path: one path is one element, however large the code.

use qrcode::{Color, EcLevel, QrCode};

/// A QR code to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qr {
    /// Modules along one side, with the quiet zone of four on both sides (ISO/IEC 18004).
    pub side: usize,
    /// The dark modules as SVG path data, one unit a module.
    pub path: String,
}

const QUIET: usize = 4;

/// The code for `text`, or `None` if it is too long for one.
pub fn qr(text: &str) -> Option<Qr> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        while x < width {
            let run = row[x..].iter().take_while(|&&module| module == row[x]).count();
            if row[x] == Color::Dark {
                path.push_str(&format!("M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET));
            }
            x += run;
        }
    }
    Some(Qr { side: width + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_finder_patterns_and_quiet_zone() {
        let qr = qr("https://shoal.example/#invite").unwrap();
        // The top edge of the finder pattern in the upper left corner.
        assert!(qr.path.starts_with("M4 4h7v1h-7z"), "{}", qr.path);
        // Every side is 17 + 4·version modules and twice the quiet zone.
        assert!((qr.side - 8 - 17).is_multiple_of(4));
    }

    #[test]
    fn what_does_not_fit_is_no_code() {
        assert_eq!(qr(&"x".repeat(3_000)), None);
    }
}
