//! Names that somebody hostile would choose, in the repository as `corpus/names.tsv`: 5 000 paths, each
//! with the family it belongs to. `cargo run -p tests --bin names` writes the file anew out of
//! [`generate`], and a test holds the two together.

// Tables, laid out by hand.
#[rustfmt::skip]
pub mod generate;
mod script;

/// The corpus: lines of a family, a tabulator, and a path as a JSON string, so that nothing in it can do
/// harm to whoever looks at it.
pub const CORPUS: &str = include_str!("../corpus/names.tsv");
/// How many paths it has.
pub const COUNT: usize = 5_000;

/// The families and paths of the corpus.
///
/// # Panics
/// If the file is not as it should be.
pub fn corpus() -> impl Iterator<Item = (&'static str, String)> {
    CORPUS.lines().map(|line| {
        let (family, path) = line.split_once('\t').expect("a tabulator is in every line");
        (family, serde_json::from_str(path).expect("paths are JSON strings"))
    })
}

/// The paths of a family.
pub fn family(name: &str) -> Vec<String> {
    corpus().filter(|(family, _)| *family == name).map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_corpus_is_what_is_generated() {
        assert!(CORPUS == generate::corpus(), "run `cargo run -p tests --bin names`");
    }

    #[test]
    fn the_corpus_has_five_thousand_different_paths_of_many_families() {
        let paths: BTreeSet<String> = corpus().map(|(_, path)| path).collect();
        assert_eq!(paths.len(), COUNT);
        let mut families = BTreeMap::<_, usize>::new();
        for (family, _) in corpus() {
            *families.entry(family).or_default() += 1;
        }
        assert!(
            families.len() >= 24 && families.values().all(|&count| count >= 20),
            "{families:?}"
        );
        assert!(families["script"] >= 200, "{families:?}");
        // Nothing in the file itself drives a terminal or turns text.
        assert!(CORPUS.chars().all(|c| matches!(c, '\n' | '\t' | ' '..='~')));
    }
}
