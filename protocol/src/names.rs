//! Names as data: what a name from elsewhere becomes before it touches a file system or an eye.
//!
//! [`SharePath`](crate::manifest::SharePath) already rules out empty names, `.`, `..`, `/` and NUL.
//! Here names lose what could still mislead a person or a program, on this machine or on the next one
//! that the files are copied to. Ordinary names, in whatever script, stay as they are to the byte where
//! the file system can hold them; so what only Windows refuses (`:`, `CON`, a dot at the end) is changed
//! only for it. [`places()`] does this for a whole share, [`readable`] for what is shown, and [`risk()`] says
//! what opening a file may do. What exists already is the adapter's.

use std::borrow::Cow;

use crate::manifest::MAX_NAME_BYTES;

pub use self::places::places;
pub use self::risk::{Risk, risk};

#[cfg(test)]
mod generated;
mod places;
mod risk;

/// What a file system makes of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// It refuses or rewrites what Windows does: `a?`, `CON`, `a.`.
    pub windows: bool,
    /// Names that differ only in case or in their normal form are one name.
    pub folds: bool,
}

impl FileSystem {
    /// Any name but `/` and NUL, each for itself.
    pub const EXACT: Self = Self { windows: false, folds: false };
    /// As macOS has it by default.
    pub const MACOS: Self = Self { windows: false, folds: true };
    /// As Windows has it, and FAT and exFAT anywhere.
    pub const WINDOWS: Self = Self { windows: true, folds: true };
}

/// Makes a name safe to be that of a file or folder inside another. Characters that end a path, drive a
/// terminal, turn the direction of text or cannot be seen become `_`, and so do the colons of drives
/// (`C:`) and of Windows' types of streams (`::$DATA`). Never gives an empty name, one of dots and
/// spaces only, or a longer one than [`MAX_NAME_BYTES`].
pub fn safe_component(name: &str, file_system: FileSystem) -> Cow<'_, str> {
    fit(portable(name), file_system)
}

/// The same for a name that lands in a folder of the user's, beside what is theirs: one that begins with a
/// dot also gets a `_` in front. Else it could not be seen, and in a home folder a new `.bash_profile` or
/// `.xprofile` runs at the next login.
pub fn safe_top(name: &str, file_system: FileSystem) -> Cow<'_, str> {
    let mut safe = portable(name);
    if safe.starts_with('.') {
        safe.to_mut().insert(0, '_');
    }
    fit(safe, file_system)
}

/// `name` for 0, else `name (1).ext`, `folder (1)`: shortened to what file systems take.
pub fn numbered(name: &str, number: u32, directory: bool) -> String {
    if number == 0 {
        return name.to_owned();
    }
    let extension_at = |name: &str| name.rfind('.').filter(|&at| at > 0 && !directory);
    let mut split = extension_at(name).unwrap_or(name.len());
    if name[..split].ends_with(".tar") && split > 4 {
        split -= 4;
    }
    let (stem, extension) = name.split_at(split);
    let suffix = format!(" ({number})");
    let room = MAX_NAME_BYTES.saturating_sub(suffix.len() + extension.len());
    if room == 0 {
        // All extension: then it is none.
        return numbered(name, number, true);
    }
    let stem = &stem[..stem.floor_char_boundary(room)];
    format!("{stem}{suffix}{extension}")
}

/// Text from elsewhere, fit to be shown on a page or a terminal: what would drive it, turn the direction of
/// what follows, or hide, becomes U+FFFD. All else is as it was.
pub fn readable(text: &str) -> Cow<'_, str> {
    replaced(text, char::REPLACEMENT_CHARACTER, |_| false)
}

/// The same for text of several lines: line breaks and tabs stay.
pub fn readable_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let shown = text.split_inclusive(['\n', '\t']).map(|part| {
        let end = part.trim_end_matches(['\n', '\t']).len();
        [&*readable(&part[..end]), &part[end..]].concat()
    });
    shown.collect()
}

fn portable(name: &str) -> Cow<'_, str> {
    match name {
        "" | "." => return Cow::Borrowed("_"),
        ".." => return Cow::Borrowed("__"),
        _ => {}
    }
    let mut safe = replaced(name, '_', |c| matches!(c, '/' | '\\'));
    // A drive is one letter before a colon.
    if safe.find(':') == Some(1) && safe.as_bytes()[0].is_ascii_alphabetic() {
        safe.to_mut().replace_range(1..2, "_");
    }
    while let Some(last) = safe.find(":$") {
        let first = safe[..=last].trim_end_matches(':').len();
        safe.to_mut().replace_range(first..=last, &"_".repeat(last + 1 - first));
    }
    // Systems that drop dots and spaces at the end make `..` of `.. `.
    if safe.chars().all(|c| c == '.' || c.is_whitespace()) {
        safe.to_mut().insert(0, '_');
    }
    safe
}

/// What a file system needs beyond [`portable`]: what Windows reserves, and names that have become longer
/// than a name can be.
fn fit(mut name: Cow<'_, str>, file_system: FileSystem) -> Cow<'_, str> {
    if file_system.windows && name.contains(refused_by_windows) {
        name = Cow::Owned(name.replace(refused_by_windows, "_"));
    }
    if file_system.windows && is_device(&name) {
        name.to_mut().insert(0, '_');
    }
    if name.len() > MAX_NAME_BYTES {
        let dot = name.rfind('.').filter(|&dot| name.len() - dot < MAX_NAME_BYTES / 2);
        let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
        let stem = &stem[..stem.floor_char_boundary(MAX_NAME_BYTES - extension.len())];
        name = Cow::Owned(format!("{stem}{extension}"));
    }
    if file_system.windows && name.ends_with(['.', ' ']) {
        name.to_mut().pop();
        name.to_mut().push('_');
    }
    name
}

fn refused_by_windows(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

/// Whether Windows takes it for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    let is_digit = |port: &str| {
        matches!(port, "¹" | "²" | "³") || (port.len() == 1 && port.as_bytes()[0].is_ascii_digit())
    };
    DEVICES.contains(&stem.as_str()) || port.is_some_and(is_digit)
}

/// Replaces what misleads, and what `also` says.
fn replaced(text: &str, by: char, also: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains(&also) {
        return Cow::Borrowed(text);
    }
    let mut before = None;
    let mut is_same = true;
    let keep = |c: char| {
        let kept = !is_misleading(c, before) && !also(c);
        before = kept.then_some(c);
        is_same &= kept;
        if kept { c } else { by }
    };
    let made = text.chars().map(keep).collect();
    if is_same { Cow::Borrowed(text) } else { Cow::Owned(made) }
}

/// Characters that drive a terminal, turn the direction of what follows, so that `exe.txt` can be made to
/// read `txt.exe`, or cannot be seen (Unicode Technical Report 36, section 3). Those that join or shape
/// letters and emoji mislead only where there are none: `before` is the character before, unless it was
/// replaced.
fn is_misleading(c: char, before: Option<char>) -> bool {
    let after = |fits: fn(char) -> bool| before.is_some_and(fits);
    match c {
        '\u{200c}' | '\u{200d}' => {
            !after(|c| !c.is_ascii() && !matches!(c, '\u{200c}' | '\u{200d}'))
        }
        // Also a digit in a box is a digit and one of these, before the box.
        '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            !after(|c| !c.is_ascii() || matches!(c, '0'..='9' | '#'))
        }
        // The flags of England, Scotland and Wales.
        '\u{e0020}'..='\u{e007f}' => {
            !after(|c| matches!(c, '\u{1f3f4}' | '\u{e0020}'..='\u{e007e}'))
        }
        _ => c.is_control() || turns(c) || is_unseen(c),
    }
}

/// Whether it ends lines or sets the direction of text.
fn turns(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
    )
}

/// Whether there is nothing to be seen where it stands.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{2800}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e001f}'
            | '\u{e0080}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
    )
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
            "می\u{200c}خواهم.txt",
            "അവന\u{d4d}\u{200d}.txt",
            "👩\u{200d}🚀 🏳\u{fe0f}\u{200d}🌈 ❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "what? a:b*",
            "10:30 File::Spec.3pm",
            "aux.c",
            ".hidden",
            "-dash",
            "a..",
            "100% $HOME",
        ] {
            assert!(matches!(safe_component(name, FileSystem::EXACT), Cow::Borrowed(_)), "{name}");
            assert!(matches!(readable(name), Cow::Borrowed(_)), "{name}");
        }
    }

    #[test]
    fn misleading_names_are_defused() {
        for (name, safe) in [
            ("..", "__"),
            (".", "_"),
            ("", "_"),
            ("...", "_..."),
            (".. ", "_.. "),
            ("\u{3000}", "_\u{3000}"),
            ("a/b", "a_b"),
            ("..\\..\\evil", ".._.._evil"),
            ("C:", "C_"),
            ("c:evil.txt", "c_evil.txt"),
            ("a.txt::$DATA", "a.txt__$DATA"),
            ("a:$i30:$INDEX_ALLOCATION", "a_$i30_$INDEX_ALLOCATION"),
            ("invoice\u{202e}fdp.exe", "invoice_fdp.exe"),
            ("bell\u{7}\u{1b}[2J\n", "bell__[2J_"),
            ("\u{9b}31m", "_31m"),
            ("photo.jpg\u{200b}.exe", "photo.jpg_.exe"),
            ("pay\u{200d}pal", "pay_pal"),
            ("文\u{200d}\u{200d}\u{200d}", "文\u{200d}__"),
            ("a\u{fe0f}b", "a_b"),
            ("\u{feff}a\u{ad}b\u{2800}.hta", "_a_b_.hta"),
            ("a\u{e0061}\u{e0062}", "a__"),
        ] {
            assert_eq!(safe_component(name, FileSystem::EXACT), safe);
        }
        for (name, safe) in [
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("Com1", "_Com1"),
            ("COM¹.x", "_COM¹.x"),
            ("aux .c", "_aux .c"),
            ("command", "command"),
            ("a.", "a_"),
            ("a ", "a_"),
            ("what?", "what_"),
            ("a.txt:evil.exe", "a.txt_evil.exe"),
            ("\"<>|*", "_____"),
        ] {
            assert_eq!(safe_component(name, FileSystem::WINDOWS), safe);
        }
        for (name, safe) in [(".bashrc", "_.bashrc"), ("..", "__"), ("a.b", "a.b")] {
            assert_eq!(safe_top(name, FileSystem::EXACT), safe);
        }
    }

    #[test]
    fn what_is_shown_has_nothing_that_hides_or_turns() {
        assert_eq!(readable("a\\b/<b>&amp;"), "a\\b/<b>&amp;");
        assert_eq!(readable("\u{1b}]0;x\u{7}"), "\u{fffd}]0;x\u{fffd}");
        assert_eq!(readable("a\u{202e}b\u{2067}c\u{200b}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
    }

    #[test]
    fn lines_stay_lines_and_nothing_else_drives_anything() {
        assert_eq!(readable_lines("a\n\n\tb\r\nc\n"), "a\n\n\tb\nc\n");
        assert_eq!(readable_lines("\u{1b}[2J\n\u{202e}b\rc"), "\u{fffd}[2J\n\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn numbers_go_before_the_extension() {
        assert_eq!(numbered("a.txt", 0, false), "a.txt");
        assert_eq!(numbered("a.txt", 1, false), "a (1).txt");
        assert_eq!(numbered("a.tar.gz", 2, false), "a (2).tar.gz");
        assert_eq!(numbered(".profile", 1, false), ".profile (1)");
        assert_eq!(numbered("v1.0", 1, true), "v1.0 (1)");
        let long = format!("{}.txt", "é".repeat(125));
        let name = numbered(&long, 10, false);
        assert!(name.len() <= MAX_NAME_BYTES && name.ends_with("é (10).txt"), "{name}");
        let all_extension = format!("a.{}", "x".repeat(253));
        assert!(numbered(&all_extension, 1, false).len() <= MAX_NAME_BYTES);
    }

    #[test]
    fn a_name_that_grows_loses_letters_before_its_extension() {
        let name = format!(".{}.txt", "é".repeat(125));
        assert_eq!(name.len(), MAX_NAME_BYTES);
        let safe = safe_top(&name, FileSystem::EXACT);
        assert_eq!(safe, format!("_.{}.txt", "é".repeat(124)));
        let dots = ".".repeat(MAX_NAME_BYTES);
        assert_eq!(safe_top(&dots, FileSystem::WINDOWS).len(), MAX_NAME_BYTES);
    }

    proptest! {
        #[test]
        fn nothing_gets_out_whatever_the_name(name in any::<String>()) {
            for file_system in [FileSystem::EXACT, FileSystem::MACOS, FileSystem::WINDOWS] {
                let safe = safe_top(&name, file_system);
                prop_assert!(!safe.is_empty() && !safe.starts_with('.'));
                let leads_away = safe.contains(['/', '\\', '\0', '\u{1b}', '\u{202e}']);
                prop_assert!(!leads_away);
                prop_assert_eq!(safe_top(&safe, file_system), safe.clone());
            }
        }
    }
}
