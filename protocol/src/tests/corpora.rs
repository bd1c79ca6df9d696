//! The corpora of `fuzz/`, replayed without libFuzzer, with some changes to each: a quick look at every
//! decoder in each run of the tests. What fuzzing has found stays found.
//!
//! `SHOAL_WRITE_VECTORS=1` also writes the seeds that follow from the test vectors.

use std::path::{Path, PathBuf};

use super::vectors;
use crate::fuzzing::TARGETS;
use crate::rng::Rng;

#[test]
fn no_target_fails_on_its_corpus_or_on_what_is_derived_from_it() {
    let changes = if std::env::var_os("SHOAL_LONG").is_some() { 20_000 } else { 300 };
    if std::env::var_os("SHOAL_WRITE_VECTORS").is_some() {
        write_seeds();
    }
    let mut rng = Rng::new([1; 32]);
    for (name, target) in TARGETS {
        let inputs = inputs(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in &inputs {
            target(input);
        }
        // The machine takes a thousand times longer than a decoder.
        let changes = if name == "machine" { changes / 10 } else { changes };
        for input in &inputs {
            for _ in 0..changes {
                let other = &inputs[rng.below(inputs.len() as u32) as usize];
                target(&changed(&mut rng, input, other));
            }
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    let names = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with("journal"));
    names.sort_unstable();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// What is in a corpus, in the order of the files' names.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder().join(target)).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn changed(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(bytes.len() as u32 + 1) as usize;
        match rng.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.below(256) as u8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0xff][rng.below(4) as usize],
            4 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            _ => {}
        }
    }
    bytes
}

fn write_seeds() {
    for (target, name, bytes) in vectors::seeds() {
        let folder = folder().join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}
