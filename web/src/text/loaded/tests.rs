//! Every language is complete, in itself and beside English.

use std::collections::BTreeSet;

use super::super::causes::translated;
use super::super::language::LANGUAGES;
use super::super::message::{braced, choices};
use super::super::text;
use super::*;

/// What is put into a text to see what it says.
pub(crate) trait Sample {
    const SAMPLE: Self;
}

macro_rules! samples {
    ($($type:ty: $sample:expr),*) => {$(
        impl Sample for $type {
            const SAMPLE: Self = $sample;
        }
    )*};
}

samples!(&str: "X", Option<&str>: Some("X"), u8: 3, u32: 3, u64: 3, usize: 3, f64: 3.0);

fn others() -> impl Iterator<Item = &'static Language> {
    LANGUAGES.iter().filter(|language| language.tag != "en")
}

fn plain(text: &str) -> String {
    text.replace(['\u{2068}', '\u{2069}'], "").replace(['\u{a0}', '\u{202f}'], " ")
}

/// Speaks a language on this thread, as the page does.
fn spoken(tag: &str) -> &'static Catalogue {
    let language = super::super::language::of(tag).expect("a language of ours");
    if language.tag != "en" {
        keep(language, file(language));
    }
    speak(language);
    text()
}

#[test]
fn every_language_has_every_text_once_and_no_other() {
    // A cause that only one language has lacks in the others.
    let causes = others().flat_map(|language| lines(file(language)));
    let causes = causes.map(|(name, _)| name).filter(|name| name.contains(' '));
    let texts = ENGLISH.samples().into_iter().map(|(name, ..)| name);
    let wanted: BTreeSet<&str> = texts.chain(causes).collect();
    for language in others() {
        let names: Vec<&str> = lines(file(language)).map(|(name, _)| name).collect();
        let found: BTreeSet<&str> = names.iter().copied().collect();
        let missing: Vec<_> = wanted.difference(&found).collect();
        let unknown: Vec<_> = found.difference(&wanted).collect();
        assert!(missing.is_empty(), "{}.txt lacks {missing:#?}", language.tag);
        assert!(unknown.is_empty(), "{}.txt has {unknown:#?}, which nothing says", language.tag);
        assert_eq!(names.len(), found.len(), "{}.txt has something twice", language.tag);
    }
}

/// Places that a message has, and for each plural in it the numbers that it tells apart.
fn anatomy(message: &str, places: &mut BTreeSet<usize>, plurals: &mut Vec<BTreeSet<String>>) {
    let mut rest = message;
    while let Some(at) = rest.find(['{', '}']) {
        let (place, after) = braced(&rest[at..]).unwrap_or_else(|| panic!("braces: {message}"));
        let parts: Vec<&str> = place.splitn(3, ',').map(str::trim).collect();
        places.insert(parts[0].parse().unwrap_or_else(|_| panic!("no place: {message}")));
        match parts[..] {
            [_] | [_, "sentence"] => {}
            [_, kind @ ("plural" | "select"), all] => {
                let names: BTreeSet<String> =
                    choices(all).map(|(name, _)| name.to_owned()).collect();
                assert!(names.contains("other"), "no {kind} for all others: {message}");
                if kind == "plural" {
                    plurals.push(names);
                }
                choices(all).for_each(|(_, message)| anatomy(message, places, plurals));
            }
            _ => panic!("no such kind of place: {message}"),
        }
        rest = after;
    }
}

#[test]
fn every_text_has_the_places_and_plurals_that_it_needs() {
    let arguments: Vec<(&str, usize)> = ENGLISH
        .samples()
        .into_iter()
        .map(|(name, kind, _)| {
            let arguments = kind.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
            let count = arguments.map_or(0, |(list, _)| list.split(',').count());
            (name, count)
        })
        .collect();
    for language in others() {
        let needed: &[&str] = match language.tag {
            "es" | "fr" => &["one", "many", "other"],
            "de" => &["one", "other"],
            "zh-Hans" => &["other"],
            "ar" => &["zero", "one", "two", "few", "many", "other"],
            tag => panic!("which plurals has {tag}?"),
        };
        for (name, message) in lines(file(language)) {
            let (mut places, mut plurals) = (BTreeSet::new(), Vec::new());
            anatomy(message, &mut places, &mut plurals);
            let known = arguments.iter().find(|(known, _)| *known == name);
            // A cause says itself which places it has.
            let count = known.map_or_else(|| name.matches('{').count(), |(_, count)| *count);
            let expected: BTreeSet<usize> = (0..count).collect();
            assert_eq!(places, expected, "the places of {name} in {}.txt", language.tag);
            for plural in plurals {
                for needed in needed {
                    // All that is one number may be said of that number.
                    let exactly = match *needed {
                        "zero" => "=0",
                        "two" => "=2",
                        needed => needed,
                    };
                    // `1 000 000 ms` is no round trip, and units have no plural.
                    let is_there = plural.contains(*needed) || plural.contains(exactly);
                    assert!(
                        is_there || name == "round_trip",
                        "{name} in {}.txt has no plural for {needed}",
                        language.tag
                    );
                }
            }
        }
    }
}

/// Names, numbers and signs, and words that are the same in some languages.
const EQUAL: [(&str, &str); 5] = [
    (
        "es",
        "product round_trip rate_in rate_out namesake source chat_said chat_title service_chat short_script",
    ),
    ("fr", "product round_trip rate_in rate_out namesake path_direct show_qr short_script"),
    ("de", "product round_trip rate_in rate_out namesake source chat_said"),
    ("zh-Hans", "product round_trip rate_in rate_out"),
    ("ar", "product rate_in rate_out source chat_said"),
];

#[test]
fn nothing_is_left_in_english() {
    let english = ENGLISH.samples();
    for language in others() {
        let theirs = spoken(language.tag).samples();
        assert_eq!(theirs.len(), english.len());
        let both = english.iter().zip(&theirs);
        let equal = both.filter(|((.., ours), (.., theirs))| plain(ours) == plain(theirs));
        let equal: BTreeSet<&str> = equal.map(|((name, ..), _)| *name).collect();
        let may_be = EQUAL.iter().filter(|(tag, _)| *tag == language.tag);
        let may_be: BTreeSet<&str> = may_be.flat_map(|(_, names)| names.split(' ')).collect();
        assert_eq!(equal, may_be, "what is as in English in {}.txt", language.tag);
        for (english, _) in lines(file(language)).filter(|(name, _)| name.contains(' ')) {
            let cause = english.replace("{0}", "X").replace("{1}", "Y");
            assert_ne!(plain(&translated(&cause)), cause, "in {}.txt", language.tag);
        }
    }
}

/// What has a script of its own has no English words either, but names.
#[test]
fn other_scripts_have_no_latin_words_but_names() {
    const NAMES: &str =
        "Shoal ZIP QR BLAKE Ctrl Firefox Chrome Edge Safari NUL EiB brave otter lamp ms Shift";
    for tag in ["zh-Hans", "ar"] {
        for (name, text) in lines(file(super::super::language::of(tag).unwrap())) {
            let (mut outside, mut depth) = (String::new(), 0);
            for c in text.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    // The words of a plural are between two places: `{0, plural, one {…}}`.
                    c if depth % 2 == 0 => outside.push(c),
                    _ => outside.push(' '),
                }
            }
            for word in outside.split(|c: char| !c.is_ascii_alphabetic()) {
                let known = word.len() < 2 || NAMES.split(' ').any(|it| it == word);
                assert!(known, "{word:?} in {name} of {tag}.txt");
            }
        }
    }
}

#[test]
fn numbers_decide_on_words_in_each_language() {
    for (tag, counted) in [
        ("en", &[(0, "0 files"), (1, "1 file"), (20_000, "20 000 files")][..]),
        ("es", &[(0, "0 archivos"), (1, "1 archivo"), (1_000_000, "1 000 000 de archivos")]),
        ("fr", &[(0, "0 fichier"), (1, "1 fichier"), (2, "2 fichiers"), (2_000, "2 000 fichiers")]),
        ("de", &[(0, "0 Dateien"), (1, "1 Datei"), (2_000, "2.000 Dateien")]),
        ("zh-Hans", &[(1, "1 个文件"), (2_000, "2,000 个文件")]),
        (
            "ar",
            &[
                (0, "لا ملفات"),
                (1, "ملف واحد"),
                (2, "ملفان"),
                (3, "٣ ملفات"),
                (11, "١١ ملفًا"),
                (100, "١٠٠ ملف"),
                (103, "١٠٣ ملفات"),
                (2_000, "٢٬٠٠٠ ملف"),
            ],
        ),
    ] {
        let catalogue = spoken(tag);
        for &(number, words) in counted {
            assert_eq!(plain(&(catalogue.files)(number)), words, "{tag} {number}");
        }
    }
}

#[test]
fn a_name_in_another_direction_does_not_turn_the_sentence() {
    let said = (spoken("de").joined_event)("שלום");
    assert_eq!(said, "\u{2068}שלום\u{2069} ist da.");
    let said = (spoken("ar").received_event)("Ann", "a.txt");
    assert_eq!(said, "استلم \u{2068}Ann\u{2069} ما يلي: \u{2068}a.txt\u{2069}.");
}

#[test]
fn what_a_file_lacks_is_english_and_what_is_unknown_is_left_alone() {
    let language = super::super::language::of("de").unwrap();
    let table: &Table =
        Box::leak(Box::new(Table::read(language, "leave = Weg\nnonsense = x\n# copy = y\nnoise")));
    let catalogue = Catalogue::of(table);
    assert_eq!(catalogue.leave, "Weg");
    assert_eq!(catalogue.copy, ENGLISH.copy);
    assert_eq!((catalogue.files)(2), "2 files");
    assert_eq!(catalogue.units.decimal, ",");
}

#[test]
fn a_share_that_is_called_by_its_number_of_files_is_called_so_in_every_language() {
    assert_eq!(ENGLISH.title("20000 files", 20_000), "20000 files");
    let german = spoken("de");
    assert_eq!(german.title("20000 files", 20_000), "20.000 Dateien");
    assert_eq!(german.title("3 files", 2), "3 files");
    assert_eq!(german.title("files", 2), "files");
}
