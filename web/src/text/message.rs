//! A text with places for what is put in: the part of ICU's MessageFormat that the languages need.
//!
//! - `{0}`: the first argument. Text is kept from turning what surrounds it (Unicode's isolates), numbers are
//!   written as the language writes them.
//! - `{0, plural, =0 {none} one {# file} other {# files}}`: by the plural that a number takes; `#` is the
//!   number, and `=0` is for this very number, rounded down.
//! - `{0, select, none {nobody} other {somebody}}`: whether there is any text.
//! - `{0, sentence}`: a cause as a sentence of its own.
//!
//! There is no quoting: texts have no braces, and `#` only within plurals.

use super::{Catalogue, language::Language};

/// What is put into a message.
#[derive(Clone, Copy)]
pub(crate) enum Argument<'a> {
    Text(&'a str),
    Number(f64),
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Argument<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.unwrap_or_default())
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl From<$type> for Argument<'_> {
            fn from(number: $type) -> Self {
                Self::Number(number as f64)
            }
        }
    )*};
}

numbers!(u8, u32, u64, usize, f64);

/// Puts the arguments into a message.
pub(crate) fn fill(message: &str, arguments: &[Argument<'_>], catalogue: &Catalogue) -> String {
    let mut text = String::with_capacity(message.len() + 32);
    write(&mut text, message, arguments, catalogue, None);
    text
}

fn write(
    text: &mut String,
    message: &str,
    arguments: &[Argument<'_>],
    catalogue: &Catalogue,
    counted: Option<f64>,
) {
    let mut rest = message;
    while let Some(at) = rest.find(['{', '#']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        rest = from;
        if let Some(after) = from.strip_prefix('#') {
            match counted {
                Some(number) => text.push_str(&catalogue.units.number(number)),
                None => text.push('#'),
            }
            rest = after;
            continue;
        }
        let Some((place, after)) = braced(from) else { break };
        let mut parts = place.splitn(3, ',').map(str::trim);
        let index: Option<usize> = parts.next().and_then(|index| index.parse().ok());
        if let Some(&argument) = index.and_then(|index| arguments.get(index)) {
            match (parts.next(), argument) {
                (None, Argument::Text(it)) => isolate(text, it),
                (None, Argument::Number(it)) => text.push_str(&catalogue.units.number(it)),
                (Some("sentence"), Argument::Text(it)) => text.push_str(&catalogue.sentence(it)),
                (Some(_), argument) => {
                    let choices = parts.next().unwrap_or_default();
                    let number = match argument {
                        Argument::Number(number) => Some(number),
                        Argument::Text(_) => counted,
                    };
                    if let Some(chosen) = choose(choices, argument, catalogue.language) {
                        write(text, chosen, arguments, catalogue, number);
                    }
                }
            }
        }
        rest = after;
    }
    text.push_str(rest);
}

/// First Strong Isolate and Pop Directional Isolate: a name from right to left does not turn the rest.
fn isolate(text: &mut String, it: &str) {
    text.push('\u{2068}');
    text.push_str(it);
    text.push('\u{2069}');
}

/// The choice that fits: the very number, then its plural; whether there is text; or `other`.
fn choose<'a>(choices: &'a str, argument: Argument<'_>, language: &Language) -> Option<&'a str> {
    let find = |wanted: &str| self::choices(choices).find(|(name, _)| *name == wanted);
    let found = match argument {
        Argument::Number(number) => {
            find(&format!("={}", number.floor())).or_else(|| find((language.plural)(number).name()))
        }
        Argument::Text("") => find("none"),
        Argument::Text(_) => None,
    };
    found.or_else(|| find("other")).map(|(_, message)| message)
}

/// Names and messages of `one {…} other {…}`.
pub(crate) fn choices(mut rest: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let (name, from) = rest.split_at(rest.find('{')?);
        let (message, after) = braced(from)?;
        rest = after;
        Some((name.trim(), message))
    })
}

/// What is between the brace that a text begins with and the one that closes it, and what follows.
pub(crate) fn braced(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::ENGLISH;

    fn filled(message: &str, arguments: &[Argument<'_>]) -> String {
        fill(message, arguments, &ENGLISH).replace(['\u{2068}', '\u{2069}'], "")
    }

    #[test]
    fn arguments_go_where_the_language_wants_them() {
        assert_eq!(filled("{1} of {0}", &["a".into(), 2_u32.into()]), "2 of a");
        assert_eq!(fill("({0})", &["a".into()], &ENGLISH), "(\u{2068}a\u{2069})");
        assert_eq!(filled("{0, sentence} So.", &["it broke".into()]), "It broke. So.");
        assert_eq!(filled("no. # {7}", &[]), "no. # ");
    }

    #[test]
    fn what_is_put_in_is_never_read_as_a_message() {
        assert_eq!(filled("{0} {1}", &["{1} #".into(), "b".into()]), "{1} # b");
        assert_eq!(filled("{1, plural, other {# {0}}}", &["#{1}".into(), 3_u32.into()]), "3 #{1}");
    }

    #[test]
    fn a_plural_prefers_the_very_number() {
        let message = "{0, plural, =0 {none} one {# file} other {# files of {1}}}";
        let files = |n: f64| filled(message, &[n.into(), "us".into()]);
        assert_eq!(files(0.0), "none");
        assert_eq!(files(0.9), "none");
        assert_eq!(files(1.0), "1 file");
        assert_eq!(files(20_000.0), "20\u{202f}000 files of us");
    }

    #[test]
    fn a_choice_can_depend_on_whether_there_is_text() {
        let message = "{0, select, none {gone} other {gone: {0}}}";
        assert_eq!(filled(message, &[None.into()]), "gone");
        assert_eq!(filled(message, &[Some("x").into()]), "gone: x");
    }

    #[test]
    fn a_message_with_a_brace_too_few_is_shown_as_it_is() {
        assert_eq!(filled("a {0, plural, one {b}", &[1_u32.into()]), "a {0, plural, one {b}");
    }
}
