//! Languages from files: lines `name = text`, where a name is a field of the [`Catalogue`], or the English form
//! of a cause ([`super::causes`]), and a text is a `message`. Lines that begin with `#` are for translators.

use std::cell::RefCell;

use super::language::Language;
use super::message::{Argument, fill};
use super::{Catalogue, ENGLISH, NAMES, SPOKEN};
use crate::format::Units;

/// The texts of one file.
pub(crate) struct Table {
    pub(crate) language: &'static Language,
    /// In the order of [`NAMES`].
    texts: Vec<Option<&'static str>>,
    /// By their English forms, which are told from names by their spaces.
    pub(crate) causes: Vec<(&'static str, &'static str)>,
}

thread_local! {
    /// Every language that was loaded: they stay, for texts of theirs may still be shown.
    static LOADED: RefCell<Vec<(&'static Table, &'static Catalogue)>> = const { RefCell::new(Vec::new()) };
}

/// Whether a language can be spoken at once.
pub fn is_here(language: &Language) -> bool {
    language.tag == ENGLISH.language.tag || find(language.tag).is_some()
}

/// Keeps the texts of a language's file.
pub fn keep(language: &'static Language, file: &str) {
    if is_here(language) {
        return;
    }
    let table: &Table = Box::leak(Box::new(Table::read(language, file)));
    let catalogue: &Catalogue = Box::leak(Box::new(Catalogue::of(table)));
    LOADED.with_borrow_mut(|loaded| loaded.push((table, catalogue)));
}

/// Speaks a language from now on; English if the texts of that one are not here.
pub fn speak(language: &Language) {
    SPOKEN.set(find(language.tag).map_or(&ENGLISH, |(_, catalogue)| catalogue));
}

/// The texts of what is spoken, unless that is English.
pub(crate) fn spoken() -> Option<&'static Table> {
    find(SPOKEN.get().language.tag).map(|(table, _)| table)
}

fn find(tag: &str) -> Option<(&'static Table, &'static Catalogue)> {
    LOADED.with_borrow(|loaded| loaded.iter().find(|(table, _)| table.language.tag == tag).copied())
}

impl Table {
    fn read(language: &'static Language, file: &str) -> Self {
        let file: &str = Box::leak(file.to_owned().into_boxed_str());
        let mut table = Self { language, texts: vec![None; NAMES.len()], causes: Vec::new() };
        for (name, text) in lines(file) {
            if name.contains(' ') {
                table.causes.push((name, text));
            } else if let Some(at) = NAMES.iter().position(|it| *it == name) {
                table.texts[at] = Some(text);
            }
            // What is in the file and not here is of another version of the page.
        }
        table
    }
}

/// Names and texts of a file.
pub(crate) fn lines(file: &str) -> impl Iterator<Item = (&str, &str)> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, text)| (name.trim(), text.trim()))
}

/// A type of the catalogue's fields, made from the text that stands at `FIELD` in the table.
pub(super) trait Loaded: Sized {
    fn load<const FIELD: usize>(table: &'static Table) -> Option<Self>;

    /// What it says of samples, if it says anything.
    #[cfg(test)]
    fn sample(self) -> Option<String> {
        None
    }
}

impl Loaded for &'static Language {
    fn load<const FIELD: usize>(table: &'static Table) -> Option<Self> {
        Some(table.language)
    }
}

impl Loaded for Units {
    fn load<const FIELD: usize>(table: &'static Table) -> Option<Self> {
        Some(table.language.units)
    }
}

impl Loaded for &'static str {
    fn load<const FIELD: usize>(table: &'static Table) -> Option<Self> {
        table.texts[FIELD]
    }

    #[cfg(test)]
    fn sample(self) -> Option<String> {
        Some(self.to_owned())
    }
}

/// Functions capture nothing: what they say is of the language that is spoken when they are called.
macro_rules! messages {
    ($(fn($($name:ident: $type:ty),+))*) => {$(
        impl Loaded for fn($($type),+) -> String {
            fn load<const FIELD: usize>(table: &'static Table) -> Option<Self> {
                table.texts[FIELD]?;
                Some(|$($name: $type),+| say(FIELD, &[$($name.into()),+]))
            }

            #[cfg(test)]
            fn sample(self) -> Option<String> {
                Some(self($(<$type as tests::Sample>::SAMPLE),+))
            }
        }
    )*};
}

messages! {
    fn(a: &str)
    fn(a: u8)
    fn(a: u32)
    fn(a: u64)
    fn(a: usize)
    fn(a: f64)
    fn(a: Option<&str>)
    fn(a: &str, b: &str)
    fn(a: &str, b: u32)
    fn(a: &str, b: usize)
    fn(a: u32, b: &str)
    fn(a: usize, b: &str)
    fn(a: u32, b: u32)
    fn(a: usize, b: u32)
    fn(a: usize, b: usize)
    fn(a: Option<&str>, b: Option<&str>)
    fn(a: &str, b: &str, c: &str)
    fn(a: u32, b: u32, c: &str)
}

fn say(field: usize, arguments: &[Argument<'_>]) -> String {
    let message = spoken().and_then(|table| table.texts[field]).unwrap_or_default();
    fill(message, arguments, SPOKEN.get())
}

/// The file of a language, for tests.
#[cfg(test)]
fn file(language: &Language) -> &'static str {
    match language.tag {
        "es" => include_str!("../../languages/es.txt"),
        "fr" => include_str!("../../languages/fr.txt"),
        "de" => include_str!("../../languages/de.txt"),
        "zh-Hans" => include_str!("../../languages/zh-Hans.txt"),
        "ar" => include_str!("../../languages/ar.txt"),
        tag => panic!("no file for {tag}"),
    }
}

#[cfg(test)]
mod tests;
