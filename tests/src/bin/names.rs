//! Writes the corpus of hostile names anew ([`tests::names`]).

use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/names.tsv");
    std::fs::write(path, tests::names::generate::corpus())
}
