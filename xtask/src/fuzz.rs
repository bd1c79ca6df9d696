//! Fuzzing: the targets of `fuzz/`, which cargo-fuzz builds with the compiler in use and runs under
//! libFuzzer. What they call is in `protocol/src/fuzzing`.
//!
//! No sanitizer is used: none of our code is unsafe, so what goes wrong ends in a panic, which needs none; and
//! with one a nightly compiler would be needed.

use std::fs;
use std::path::PathBuf;

use crate::Result;
use crate::run::run;
use crate::workspace::Workspace;

/// Seconds for each target unless told otherwise.
pub(crate) const SECONDS: u32 = 60;

/// The names of all targets, in order.
pub(crate) fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.file("fuzz/fuzz_targets");
    let said = |error| format!("could not list {}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(said)? {
        let name = entry.map_err(said)?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Builds all of them.
pub(crate) fn build(workspace: &Workspace) -> Result {
    run(&mut cargo_fuzz(workspace, "build"))
}

/// Runs one of them for so long, or until it has found something.
pub(crate) fn target(workspace: &Workspace, name: &str, seconds: u32) -> Result {
    // What it finds interesting goes beside the build; what is in the repository only grows by hand.
    let found = folder(workspace).join("corpus").join(name);
    fs::create_dir_all(&found)
        .map_err(|error| format!("could not make {}: {error}", found.display()))?;
    let mut fuzz = cargo_fuzz(workspace, "run");
    fuzz.arg(name).arg(found).arg(workspace.file("fuzz/corpus").join(name));
    fuzz.args(["--", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]);
    run(fuzz.arg(format!("-max_total_time={seconds}"))).map_err(|error| {
        format!(
            "{error}\nIt has found something, and says above in which file. Mend it, and keep the file in \
             fuzz/corpus/{name}, so that the tests try it from now on."
        )
    })
}

fn cargo_fuzz(workspace: &Workspace, what: &str) -> std::process::Command {
    let mut cargo = workspace.cargo();
    cargo.env("CARGO_TARGET_DIR", folder(workspace));
    cargo.args(["fuzz", what, "--fuzz-dir", "fuzz", "--sanitizer", "none"]);
    cargo
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.file("target/fuzz")
}
