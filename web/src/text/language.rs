//! The languages that the page speaks: how each writes numbers, and which plural a number takes (Unicode
//! CLDR 47). Their texts are elsewhere ([`super`]).

use crate::format::Units;

/// A language.
pub struct Language {
    /// Its BCP 47 tag, which is also the name of its file and the `lang` of the document.
    pub tag: &'static str,
    /// For what the browser itself writes in it, such as times: with the same digits as here.
    pub locale: &'static str,
    /// What it calls itself.
    pub name: &'static str,
    /// Whether it is written from right to left.
    pub is_rtl: bool,
    /// At the end of a sentence.
    pub full_stop: &'static str,
    /// How it writes quantities.
    pub units: Units,
    /// The plural that a number takes.
    pub(crate) plural: fn(f64) -> Plural,
}

/// CLDR's plural categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plural {
    Zero,
    One,
    Two,
    Few,
    Many,
    Other,
}

impl Plural {
    /// What it is called in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::One => "one",
            Self::Two => "two",
            Self::Few => "few",
            Self::Many => "many",
            Self::Other => "other",
        }
    }
}

const LATIN_BYTES: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

/// All of them; English, in which everything is there without a file, is first. `start.js` and `sw.js` have the tags too.
pub static LANGUAGES: [Language; 6] = [
    Language {
        tag: "en",
        locale: "en",
        name: "English",
        is_rtl: false,
        full_stop: ".",
        units: Units {
            zero: '0',
            decimal: ".",
            group: "\u{202f}",
            grouped_from: 5,
            bytes: LATIN_BYTES,
            per_second: "/s",
            time: ["s", "min", "h", "d"],
            percent: "%",
        },
        plural: one_is_single,
    },
    Language {
        tag: "es",
        locale: "es",
        name: "Español",
        is_rtl: false,
        full_stop: ".",
        units: Units {
            zero: '0',
            decimal: ",",
            group: "\u{202f}",
            grouped_from: 5,
            bytes: LATIN_BYTES,
            per_second: "/s",
            time: ["s", "min", "h", "d"],
            percent: "\u{a0}%",
        },
        plural: |n| if is_millions(n) { Plural::Many } else { one_is_single(n) },
    },
    Language {
        tag: "fr",
        locale: "fr",
        name: "Français",
        is_rtl: false,
        full_stop: ".",
        units: Units {
            zero: '0',
            decimal: ",",
            group: "\u{202f}",
            grouped_from: 4,
            bytes: ["o", "ko", "Mo", "Go", "To", "Po"],
            per_second: "/s",
            time: ["s", "min", "h", "j"],
            percent: "\u{202f}%",
        },
        plural: |n| match n {
            n if is_millions(n) => Plural::Many,
            n if n < 2.0 => Plural::One,
            _ => Plural::Other,
        },
    },
    Language {
        tag: "de",
        locale: "de",
        name: "Deutsch",
        is_rtl: false,
        full_stop: ".",
        units: Units {
            zero: '0',
            decimal: ",",
            group: ".",
            grouped_from: 4,
            bytes: LATIN_BYTES,
            per_second: "/s",
            time: ["s", "min", "Std.", "T."],
            percent: "\u{a0}%",
        },
        plural: one_is_single,
    },
    Language {
        tag: "zh-Hans",
        locale: "zh-Hans",
        name: "简体中文",
        is_rtl: false,
        full_stop: "。",
        units: Units {
            zero: '0',
            decimal: ".",
            group: ",",
            grouped_from: 4,
            bytes: LATIN_BYTES,
            per_second: "/秒",
            time: ["秒", "分钟", "小时", "天"],
            percent: "%",
        },
        plural: |_| Plural::Other,
    },
    Language {
        tag: "ar",
        locale: "ar-u-nu-arab",
        name: "العربية",
        is_rtl: true,
        full_stop: ".",
        units: Units {
            zero: '٠',
            decimal: "٫",
            group: "٬",
            grouped_from: 4,
            bytes: ["بايت", "ك.ب", "م.ب", "غ.ب", "ت.ب", "ب.ب"],
            per_second: "/ث",
            time: ["ث", "د", "س", "ي"],
            // The mark keeps the sign on the left of its number.
            percent: "٪\u{61c}",
        },
        plural: arabic,
    },
];

impl Language {
    /// The direction of what is written in it, as `dir`. Sentences that begin with a name from elsewhere
    /// have it, too, lest the name decide.
    pub fn direction(&self) -> &'static str {
        if self.is_rtl { "rtl" } else { "ltr" }
    }
}

/// The language with this tag.
pub fn of(tag: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.tag == tag)
}

fn one_is_single(n: f64) -> Plural {
    if n == 1.0 { Plural::One } else { Plural::Other }
}

/// Whole millions are nouns in Romance languages: `1 000 000 de fichiers`.
fn is_millions(n: f64) -> bool {
    n != 0.0 && n % 1e6 == 0.0
}

fn arabic(n: f64) -> Plural {
    // A fraction is in none of the ranges.
    match (n, n % 100.0) {
        (0.0, _) => Plural::Zero,
        (1.0, _) => Plural::One,
        (2.0, _) => Plural::Two,
        (n, _) if n.fract() != 0.0 => Plural::Other,
        (_, 3.0..=10.0) => Plural::Few,
        (_, 11.0..=99.0) => Plural::Many,
        _ => Plural::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples of CLDR's `plurals.xml`.
    #[test]
    fn numbers_take_the_plurals_of_cldr() {
        for (tag, plural, numbers) in [
            ("en", Plural::One, &[1.0][..]),
            ("en", Plural::Other, &[0.0, 2.0, 16.0, 1_000_000.0, 1.5]),
            ("de", Plural::One, &[1.0]),
            ("de", Plural::Other, &[0.0, 0.1, 2.0, 1_000_000.0]),
            ("es", Plural::One, &[1.0]),
            ("es", Plural::Many, &[1_000_000.0, 2_000_000.0]),
            ("es", Plural::Other, &[0.0, 2.0, 16.0, 1_000_001.0, 1.1]),
            ("fr", Plural::One, &[0.0, 1.0, 1.5]),
            ("fr", Plural::Many, &[1_000_000.0, 5_000_000.0]),
            ("fr", Plural::Other, &[2.0, 17.0, 1_000.0, 2.1]),
            ("zh-Hans", Plural::Other, &[0.0, 1.0, 2.0, 1.5]),
            ("ar", Plural::Zero, &[0.0]),
            ("ar", Plural::One, &[1.0]),
            ("ar", Plural::Two, &[2.0]),
            ("ar", Plural::Few, &[3.0, 10.0, 103.0, 110.0, 1_003.0]),
            ("ar", Plural::Many, &[11.0, 26.0, 99.0, 111.0, 1_011.0]),
            ("ar", Plural::Other, &[100.0, 102.0, 200.0, 202.0, 1_000_000.0, 0.1, 10.1]),
        ] {
            let language = of(tag).unwrap();
            for &number in numbers {
                assert_eq!((language.plural)(number), plural, "{tag} {number}");
            }
        }
    }

    #[test]
    fn each_language_writes_numbers_its_own_way() {
        let units = |tag| of(tag).unwrap().units;
        for (tag, long, size, percent) in [
            ("en", "1234567", "3.2 MB", "42%"),
            ("es", "1234567", "3,2 MB", "42 %"),
            ("fr", "1234567", "3,2 Mo", "42 %"),
            ("de", "1.234.567", "3,2 MB", "42 %"),
            ("zh-Hans", "1,234,567", "3.2 MB", "42%"),
            ("ar", "١٬٢٣٤٬٥٦٧", "٣٫٢ م.ب", "٤٢٪"),
        ] {
            let plain =
                |text: String| text.replace('\u{a0}', " ").replace(['\u{202f}', '\u{61c}'], "");
            assert_eq!(plain(units(tag).whole(1_234_567)), long);
            assert_eq!(plain(units(tag).size(3_240_000)), size);
            assert_eq!(plain(units(tag).percentage(42)).replace(' ', ""), percent.replace(' ', ""));
        }
        assert_eq!(units("ar").duration(80.0).replace('\u{a0}', " "), "١ د ٢٠ ث");
        assert_eq!(units("de").number(2.46), "2,4");
        assert_eq!(units("de").number(12.9), "12");
        assert_eq!(units("es").whole(1_234), "1234");
    }

    /// Whoever changes one must change the others.
    #[test]
    fn the_scripts_that_choose_and_keep_languages_know_the_same_ones() {
        let script = include_str!("../../start.js");
        let (_, list) = script.split_once("const languages = [").unwrap();
        let tags: Vec<_> = list.split_once(']').unwrap().0.split('"').skip(1).step_by(2).collect();
        assert_eq!(tags, LANGUAGES.each_ref().map(|language| language.tag));

        let script = include_str!("../../sw.js");
        let (before, _) = script.split_once("].map((tag) => `/languages/").unwrap();
        let (_, list) = before.rsplit_once('[').unwrap();
        let tags: Vec<_> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(tags, LANGUAGES.each_ref().map(|language| language.tag)[1..]);
    }
}
