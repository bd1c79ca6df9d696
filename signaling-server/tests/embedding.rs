//! The part of `build.rs` that brings a page into the program.

#![allow(clippy::disallowed_methods, dead_code, unused_qualifications, missing_docs)]

#[path = "../build.rs"]
mod build;

use std::fs;
use std::io::Read;
use std::path::Path;

use tempfile::TempDir;

fn page(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// The stored files with this ending, by name.
fn stored(store: &Path, end: &str) -> Vec<String> {
    let names = fs::read_dir(store).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}

#[test]
fn files_are_embedded_with_compressed_forms_that_give_them_back() {
    let content = b"let a = 1; ".repeat(1000);
    let page = page(&[("index.html", b"<!doctype html>"), ("sub/a.js", &content)]);
    let store = TempDir::new().unwrap();
    let files = build::embed(page.path(), store.path()).unwrap();
    assert_eq!(files.len(), 2);
    assert!(files[0].contains("name: \"index.html\""), "{}", files[0]);
    assert!(files[1].contains("name: \"sub/a.js\""), "{}", files[1]);

    let file_in = |end: &str| {
        let all = stored(store.path(), end);
        assert_eq!(all.len(), 2, "one of each file");
        let name = all.into_iter().find(|name| files[1].contains(name.as_str())).unwrap();
        fs::read(store.path().join(name)).unwrap()
    };
    assert_eq!(file_in(".raw"), content);
    let mut back = Vec::new();
    brotli::BrotliDecompress(&mut &file_in(".br")[..], &mut back).unwrap();
    assert_eq!(back, content);
    let mut back = Vec::new();
    flate2::read::GzDecoder::new(&file_in(".gz")[..]).read_to_end(&mut back).unwrap();
    assert_eq!(back, content);
}

#[test]
fn only_what_changed_is_compressed_anew_and_what_is_gone_is_forgotten() {
    let page = page(&[("index.html", b"<!doctype html>"), ("a.js", b"one"), ("b.js", b"one")]);
    let store = TempDir::new().unwrap();
    build::embed(page.path(), store.path()).unwrap();
    let first = stored(store.path(), ".br");
    assert_eq!(first.len(), 2, "equal files are stored once");
    // A mark that a second compression would remove.
    for name in &first {
        fs::write(store.path().join(name), "kept").unwrap();
    }
    fs::write(page.path().join("b.js"), "two").unwrap();
    fs::remove_file(page.path().join("a.js")).unwrap();
    build::embed(page.path(), store.path()).unwrap();
    let second = stored(store.path(), ".br");
    assert_eq!(second.len(), 2);
    let kept = |name: &&String| fs::read(store.path().join(name)).unwrap() == b"kept";
    assert_eq!(second.iter().filter(kept).count(), 1, "index.html");
}

#[test]
fn what_is_no_page_is_refused_with_a_reason() {
    let store = TempDir::new().unwrap();
    let empty = page(&[("a.js", b"")]);
    let error = build::embed(empty.path(), store.path()).unwrap_err();
    assert!(error.to_string().contains("index.html"), "{error}");
    assert!(build::embed(Path::new("relative"), store.path()).is_err());
    assert!(build::embed(&empty.path().join("missing"), store.path()).is_err());
}
