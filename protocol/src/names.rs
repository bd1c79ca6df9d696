//! Names as data: what a name from elsewhere becomes before it touches this machine's file system.
//!
//! [`SharePath`](crate::manifest::SharePath) already rules out empty names, `.`, `..`, `/` and NUL.
//! Here a single name loses what could still mislead a person or a program. Ordinary names, in
//! whatever script, stay as they are to the byte. Collisions and existing files are the adapter's.

use std::borrow::Cow;

/// Makes one name safe: control and direction-changing characters and backslashes become `_`; on
/// Windows also what that system reserves. Never gives an empty name, `.` or `..`.
pub fn safe_component(name: &str) -> Cow<'_, str> {
    if cfg!(windows) { windows(name) } else { portable(name) }
}

fn portable(name: &str) -> Cow<'_, str> {
    match name {
        "" | "." => return Cow::Borrowed("_"),
        ".." => return Cow::Borrowed("__"),
        _ => {}
    }
    if name.contains(is_misleading) {
        Cow::Owned(name.replace(is_misleading, "_"))
    } else {
        Cow::Borrowed(name)
    }
}

/// Characters that end a path, drive a terminal, or turn the direction of what follows, so that
/// `exe.txt` can be made to read `txt.exe` (Unicode Technical Report 36, section 3.1.1).
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

fn windows(name: &str) -> Cow<'_, str> {
    const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
    let mut name = portable(name).replace(['<', '>', ':', '"', '|', '?', '*'], "_");
    if name.ends_with(['.', ' ']) {
        name.push('_');
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let numbered = |stem: &str| {
        let digit = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
        digit.is_some_and(|d| {
            matches!(d, "¹" | "²" | "³") || (d.len() == 1 && d.as_bytes()[0].is_ascii_digit())
        })
    };
    if RESERVED.contains(&stem.as_str()) || numbered(&stem) {
        name.insert(0, '_');
    }
    Cow::Owned(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "a b.txt",
            "Ångström",
            "A\u{30a}ngstro\u{308}m",
            "🦀.rs",
            "שלום.doc",
            "مرحبا",
            "what? a:b*",
            "...",
        ] {
            assert_eq!(portable(name), name);
            assert!(matches!(portable(name), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn misleading_names_are_defused() {
        for (name, safe) in [
            ("..", "__"),
            (".", "_"),
            ("", "_"),
            ("a/b", "a_b"),
            ("..\\..\\evil", ".._.._evil"),
            ("invoice\u{202e}fdp.exe", "invoice_fdp.exe"),
            ("bell\u{7}\u{1b}[2J\n", "bell__[2J_"),
        ] {
            assert_eq!(portable(name), safe);
        }
        for (name, safe) in [
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("Com1", "_Com1"),
            ("COM¹.x", "_COM¹.x"),
            ("command", "command"),
            ("a.", "a._"),
            ("C:", "C_"),
            ("what?", "what_"),
        ] {
            assert_eq!(windows(name), safe);
        }
    }

    proptest! {
        #[test]
        fn nothing_gets_out_whatever_the_name(name in any::<String>()) {
            for safe in [portable(&name), windows(&name)] {
                prop_assert!(!safe.is_empty() && safe != "." && safe != "..");
                prop_assert!(!safe.contains(is_misleading));
                prop_assert_eq!(portable(&safe), safe.clone());
            }
        }
    }
}
