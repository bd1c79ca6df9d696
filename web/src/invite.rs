//! Links that people type or paste into the invite box, or open in the address bar. Whether an invite is
//! whole, and what is a code, is for the core to say; this only tells where a link belongs.

/// What a text is, seen from the page at some address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An invite to a room of this page's server, as a link.
    Here(String),
    /// A link to the page of another server: to be opened there.
    Elsewhere(String),
    /// Nothing that could be an invite.
    Other,
    /// Nothing at all.
    Empty,
}

/// Reads `text` on the page whose address, up to and without the path, is `origin`.
pub fn read(text: &str, origin: &str) -> Entry {
    let text = text.trim();
    if text.is_empty() {
        return Entry::Empty;
    }
    match text.split_once('#') {
        Some((_, "")) => Entry::Other,
        Some((before, fragment)) if before.is_empty() || same_place(before, origin) => {
            Entry::Here(link(origin, fragment))
        }
        Some((before, _)) if before.starts_with("https://") || before.starts_with("http://") => {
            Entry::Elsewhere(text.to_owned())
        }
        Some(_) => Entry::Other,
        None if looks_like_fragment(text) => Entry::Here(link(origin, text)),
        None => Entry::Other,
    }
}

/// The link that a fragment makes on the page at `origin`.
pub fn link(origin: &str, fragment: &str) -> String {
    format!("{}/#{fragment}", origin.trim_end_matches('/'))
}

/// The part of an invite link that says which room.
pub fn fragment(link: &str) -> &str {
    link.split_once('#').map_or("", |(_, fragment)| fragment)
}

/// People copy addresses without `https://`, too.
fn same_place(before: &str, origin: &str) -> bool {
    let before = before.trim_end_matches('/');
    before == origin || origin.split_once("://").is_some_and(|(_, host)| before == host)
}

fn looks_like_fragment(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://shoal.example";
    const FRAGMENT: &str = "ASoqKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqVd7y_-0DdyM4oNV3FJ3GZQ";

    #[test]
    fn an_invite_to_this_server_is_recognised_however_it_was_copied() {
        let here = Entry::Here(format!("{ORIGIN}/#{FRAGMENT}"));
        for text in [
            format!("{ORIGIN}/#{FRAGMENT}"),
            format!("  {ORIGIN}#{FRAGMENT}\n"),
            format!("shoal.example/#{FRAGMENT}"),
            format!("#{FRAGMENT}"),
            FRAGMENT.to_owned(),
        ] {
            assert_eq!(read(&text, ORIGIN), here, "{text}");
        }
    }

    #[test]
    fn other_servers_and_nonsense_are_told_apart() {
        let elsewhere = format!("http://localhost:8080/#{FRAGMENT}");
        assert_eq!(read(&elsewhere, ORIGIN), Entry::Elsewhere(elsewhere));
        for text in ["hello", "https://shoal.example/", "https://shoal.example/#", "javascript:x#y"]
        {
            assert_eq!(read(text, ORIGIN), Entry::Other, "{text}");
        }
        assert_eq!(read("  ", ORIGIN), Entry::Empty);
    }

    #[test]
    fn a_damaged_invite_is_left_to_the_core_to_refuse() {
        assert_eq!(read("#x", ORIGIN), Entry::Here(format!("{ORIGIN}/#x")));
        assert_eq!(fragment(&link(ORIGIN, "x")), "x");
        assert_eq!(fragment(ORIGIN), "");
    }
}
