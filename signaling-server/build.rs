//! Puts the built page into the program: the folder named by the environment variable `SHOAL_PAGE`
//! (`cargo xtask build` sets it; without it `no-page` is taken, which says so), each file as it is and compressed.
//!
//! Writes `page.rs` into OUT_DIR, a list of `EmbeddedFile` for `src/page/embedded.rs`. Compressed files
//! are kept under the hash of their content, so only what changed is compressed anew. How the files are
//! served is left to `src/page`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io, thread};

use sha2::{Digest, Sha256};

/// Names of files that are compressed already.
const COMPRESSED: [&str; 8] = [".png", ".jpg", ".webp", ".avif", ".woff2", ".gz", ".br", ".zip"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SHOAL_PAGE");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let manifest = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let folder = match env::var_os("SHOAL_PAGE") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&manifest).join("no-page"),
    };
    println!("cargo::rerun-if-changed={}", folder.display());
    let files = match embed(&folder, &out.join("page")) {
        Ok(files) => files,
        Err(error) => {
            println!("cargo::error=cannot put the page {} in: {error}", folder.display());
            return;
        }
    };
    let mut source = String::from("&[\n");
    for file in &files {
        writeln!(source, "    {file},").expect("strings can be written to");
    }
    source.push_str("]\n");
    fs::write(out.join("page.rs"), source).expect("OUT_DIR can be written to");
}

/// Brings the store up to date and returns the Rust expression of each file.
pub(crate) fn embed(folder: &Path, store: &Path) -> io::Result<Vec<String>> {
    if !folder.is_absolute() {
        return Err(io::Error::other("must be an absolute path"));
    }
    if !folder.join("index.html").is_file() {
        return Err(io::Error::other("there is no index.html in it; build the page first"));
    }
    let mut names = BTreeSet::new();
    list(folder, "", &mut names)?;
    fs::create_dir_all(store)?;
    let names: Vec<_> = names.into_iter().collect();
    let files: Vec<_> = thread::scope(|scope| {
        let tasks: Vec<_> =
            names.iter().map(|name| scope.spawn(move || embed_file(folder, name, store))).collect();
        tasks.into_iter().map(|task| task.join().expect("compression does not panic")).collect()
    });
    let files = files.into_iter().collect::<io::Result<Vec<_>>>()?;
    // What no file refers to any more is from an older page.
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        if !files.iter().any(|file| file.contains(&literal(&path))) {
            fs::remove_file(path)?;
        }
    }
    Ok(files)
}

fn list(folder: &Path, prefix: &str, names: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| {
            io::Error::other(format!("{} is not Unicode", Path::new(&name).display()))
        })?;
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{prefix}{name}/"), names)?;
        } else {
            names.insert(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

fn embed_file(folder: &Path, name: &str, store: &Path) -> io::Result<String> {
    let content = fs::read(folder.join(name))?;
    let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    let stored = |extension: &str, make: &dyn Fn() -> io::Result<Vec<u8>>| {
        let path = store.join(format!("{hash}.{extension}"));
        if !path.exists() {
            // Under another name first: a build that is interrupted leaves no half of a file.
            // (Two files of the same content differ in their temporary names.)
            let unfinished = store.join(format!("{hash}.{extension}.{}", name.replace('/', ",")));
            fs::write(&unfinished, make()?)?;
            fs::rename(&unfinished, &path)?;
        }
        Ok::<_, io::Error>(path)
    };
    let identity = stored("raw", &|| Ok(content.clone()))?;
    let mut brotli_file = None;
    let mut gzip_file = None;
    if !COMPRESSED.iter().any(|end| name.ends_with(end)) {
        brotli_file = Some(stored("br", &|| brotli(&content))?);
        gzip_file = Some(stored("gz", &|| gzip(&content))?);
    }
    let include = |path: PathBuf| format!("include_bytes!({})", literal(&path));
    let option = |path: Option<PathBuf>| match path {
        Some(path) => format!("Some({})", include(path)),
        None => "None".to_owned(),
    };
    Ok(format!(
        "EmbeddedFile {{ name: {name:?}, identity: {}, brotli: {}, gzip: {} }}",
        include(identity),
        option(brotli_file),
        option(gzip_file),
    ))
}

fn literal(path: &Path) -> String {
    format!("{:?}", path.to_str().expect("OUT_DIR is Unicode"))
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: 11,
        size_hint: content.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut compressed, &params)?;
    Ok(compressed)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}
