//! How text that people wrote is shown: how much of it at first, and whether it looks like a piece of a
//! program or of a table, in which spaces count.

/// The beginning of `text`, if that has more characters or lines than these; cut between characters.
pub fn excerpt(text: &str, chars: usize, lines: usize) -> Option<&str> {
    let by_chars = text.char_indices().nth(chars).map(|(at, _)| at);
    let mut breaks = text.match_indices('\n').map(|(at, _)| at);
    let by_lines = breaks.nth(lines.saturating_sub(1));
    let end = by_chars.into_iter().chain(by_lines).min()?;
    Some(text[..end].trim_end())
}

/// Whether spaces and line breaks seem to matter: some line is indented, or has columns.
pub fn is_snippet(text: &str) -> bool {
    let is_aligned = |line: &str| {
        !line.trim().is_empty() && (line.starts_with([' ', '\t']) || line.trim().contains('\t'))
    };
    text.lines().any(is_aligned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_where_too_many_characters_or_lines_begin() {
        assert_eq!(excerpt("short", 5, 1), None);
        assert_eq!(excerpt("longer", 5, 1), Some("longe"));
        assert_eq!(excerpt("ééé", 2, 1), Some("éé"));
        assert_eq!(excerpt("a\nb\nc", 99, 3), None);
        assert_eq!(excerpt("a\nb\nc", 99, 2), Some("a\nb"));
        assert_eq!(excerpt("a \nb", 99, 1), Some("a"));
        assert_eq!(excerpt("\n\n", 9, 1), Some(""));
    }

    #[test]
    fn what_is_indented_or_has_columns_is_a_snippet() {
        assert!(is_snippet("fn main() {\n    run();\n}"));
        assert!(is_snippet("a\tb\nc\td"));
        assert!(!is_snippet("hello\n\nworld \n"));
        assert!(!is_snippet("https://example.org/"));
    }
}
