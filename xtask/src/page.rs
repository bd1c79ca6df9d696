//! Building the page: three programs for the browser (the first screen, rooms, and the worker) and what goes
//! with them, bundled by Trunk into `target/page`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::Result;
use crate::run::{output, run};
use crate::setup::{TRUNK, has_wasm_opt};
use crate::stamp::Stamp;
use crate::wasm::{self, Toolchain};
use crate::workspace::Workspace;

/// How the page is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Small and fast: what people get.
    Web,
    /// Quick to compile and with names in its stack traces.
    Debug,
}

/// Builds the page, unless nothing it is made of has changed.
pub(crate) fn build(workspace: &Workspace, profile: Profile) -> Result {
    let wasm = Toolchain::find(workspace)
        .ok_or("the compiler for the browser is missing: run `cargo xtask setup`")?;
    // Trunk is kept from the network below, and keeps cargo from it too.
    run(workspace.cargo().args(["fetch", "--quiet"]))?;

    // "Release" is what Trunk calls running wasm-opt; the profile is named by itself.
    let (name, release) = match profile {
        Profile::Web => ("web", has_wasm_opt(workspace)),
        Profile::Debug => ("dev", false),
    };
    let mut trunk = wasm.command(workspace, workspace.tools_bin().join("trunk"));
    trunk.args(["build", "--offline", "--skip-version-check", "--cargo-profile", name]);
    trunk.arg(format!("--release={release}"));
    // Its own stack says nothing of what is wrong with ours.
    trunk.env("RUST_BACKTRACE", "0");

    let versions = output(wasm.cargo(workspace).arg("-vV")).unwrap_or_default();
    let heading = format!("{name} {release} trunk {TRUNK}\n{versions}");
    let said = |error| format!("could not see what the page is made of: {error}");
    fs::create_dir_all(workspace.wasm_target()).map_err(said)?;
    let stamp = workspace.wasm_target().join("page.stamp");
    let stamp = Stamp::take(stamp, &heading, &inputs(workspace)?).map_err(said)?;
    if stamp.is_current() && workspace.has_page() {
        eprintln!("target/page is up to date");
        return Ok(());
    }
    run(&mut trunk)?;
    stamp.keep().map_err(said)
}

/// Our crates that the page is built from, and the settings it is built with.
fn inputs(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut tree = workspace.cargo();
    tree.args(["tree", "--offline", "--quiet", "--target", wasm::TARGET]);
    tree.args(["--edges", "normal,build", "--prefix", "none", "-p", "web", "-p", "wasm-peer"]);
    let tree = output(&mut tree).ok_or("`cargo tree` failed for the page's crates")?;
    // `protocol v0.1.0 (/checkout/protocol)`; crates from a registry have no path.
    let ours: BTreeSet<PathBuf> = tree
        .lines()
        .filter_map(|line| Some(line.split_once(" (")?.1.split_once(')')?.0))
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .collect();
    let settings = ["Cargo.toml", "Cargo.lock", "Trunk.toml", ".cargo/config.toml"];
    Ok(ours.into_iter().chain(settings.map(|name| workspace.file(name))).collect())
}
