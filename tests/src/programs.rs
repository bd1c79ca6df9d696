//! Where the programs under test and the browsers' drivers are. Building and installing them is left to
//! `cargo xtask`.

use std::env;
use std::path::{Path, PathBuf};

/// A program of ours in `target/release`.
///
/// # Panics
/// If it has not been built.
pub fn ours(name: &str) -> PathBuf {
    let program = target_dir().join("release").join(name);
    assert!(program.is_file(), "{} is missing: run `cargo xtask build`", program.display());
    program
}

/// A program that `cargo xtask test` installs, or that the system has: a browser's driver.
///
/// # Panics
/// If there is none.
pub fn installed(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(tools().map(|tools| tools.join("bin")))
        .map(|dir| dir.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is neither on the PATH nor among Shoal's tools: run `cargo xtask test`, which installs it")
        })
}

/// A file of a package that `cargo xtask test` installs from npm for the tests.
///
/// # Panics
/// If it is not there.
pub fn npm(file: &str) -> PathBuf {
    let path = tools().map(|tools| tools.join("npm-tests/node_modules").join(file));
    path.filter(|path| path.is_file()).unwrap_or_else(|| {
        panic!("{file} is not among Shoal's tools: run `cargo xtask test`, which installs it")
    })
}

/// The target directory of this checkout.
pub fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(
        || {
            let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
            crate_dir.parent().expect("tests is a folder of the workspace").join("target")
        },
        PathBuf::from,
    )
}

/// Where `cargo xtask` installs tools: `SHOAL_TOOLS`, or `shoal` in the user's cache directory.
fn tools() -> Option<PathBuf> {
    let tools = env::var_os("SHOAL_TOOLS").map(PathBuf::from);
    let cache = || {
        let xdg = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        xdg.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cache")))
    };
    tools.or_else(|| Some(cache()?.join("shoal")))
}
