//! What we build: the page, the server that carries it, and the command `shoal`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;
use crate::run::{could_not_start, run, show};
use crate::setup::has_wasm_opt;
use crate::wasm::Toolchain;
use crate::workspace::Workspace;

/// What is built and tested on the host; the page's crate holds parts that need no browser. One
/// selection for all of cargo's commands: for another it would compile dependencies again, with
/// other features.
pub(crate) const HOST: [&str; 3] = ["--workspace", "--exclude", "wasm-peer"];

/// How the page is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageProfile {
    /// Small and fast: what people get.
    Web,
    /// Quick to compile and with names in its stack traces.
    Debug,
}

/// Builds the page to `target/page`.
pub(crate) fn page(workspace: &Workspace, profile: PageProfile) -> Result {
    let wasm = Toolchain::find(workspace)
        .ok_or("the compiler for the browser is missing: run `cargo xtask setup`")?;
    // Trunk is kept from the network below, and keeps cargo from it too.
    run(workspace.cargo().args(["fetch", "--quiet"]))?;

    let fresh = workspace.wasm_target().join("page");
    let mut trunk = wasm.command(workspace, workspace.tools_bin().join("trunk"));
    trunk.args(["build", "--offline", "--skip-version-check", "--dist"]);
    trunk.arg(&fresh);
    // "Release" is what Trunk calls running wasm-opt; the profile is named by itself.
    let (name, release) = match profile {
        PageProfile::Web => ("web", has_wasm_opt(workspace)),
        PageProfile::Debug => ("dev", false),
    };
    trunk.arg(format!("--release={release}"));
    trunk.args(["--cargo-profile", name]);
    // Its own stack says nothing of what is wrong with ours.
    trunk.env("RUST_BACKTRACE", "0");
    run(&mut trunk)?;
    mirror(&fresh, &workspace.page())
        .map_err(|error| format!("could not put the page into target/page: {error}"))
}

/// Builds the page and the server that carries it.
pub(crate) fn server(workspace: &Workspace) -> Result {
    page(workspace, PageProfile::Web)?;
    run(workspace.cargo().args(["build", "--release", "-p", "signaling-server"]))
}

/// Builds `target/release/signaling-server`, page inside, and `target/release/shoal`.
pub(crate) fn all(workspace: &Workspace) -> Result {
    page(workspace, PageProfile::Web)?;
    host(workspace)
}

/// Builds the host's crates.
pub(crate) fn host(workspace: &Workspace) -> Result {
    run(workspace.cargo().args(["build", "--release"]).args(HOST))
}

/// Becomes the server, so that signals and exit code are its own. Its address is the last
/// line on standard output; a helper process that outlives nothing prints it.
#[cfg(unix)]
pub(crate) fn serve(workspace: &Workspace, listen: &str) -> Result {
    use std::os::unix::process::CommandExt;

    let xtask = std::env::current_exe().map_err(|error| format!("who am I? {error}"))?;
    let mut helper = Command::new(xtask);
    helper
        .arg(ANNOUNCE)
        .stdin(Stdio::piped())
        // Not in our group: Ctrl-C is for the server, whose last words it passes on.
        .process_group(0);
    let mut helper = helper.spawn().map_err(|error| could_not_start(&helper, &error))?;
    let pipe = helper.stdin.take().expect("standard input is piped");

    let mut server = workspace.command(workspace.product("signaling-server"));
    server.args(["--listen", listen]).stdout(pipe);
    show(&server);
    let error = server.exec();
    Err(could_not_start(&server, &error))
}

/// The word by which `serve` starts its helper; not for people.
pub(crate) const ANNOUNCE: &str = "announce";

/// Passes on what the server prints, with `listening on URL` shortened to the URL a person
/// opens.
pub(crate) fn announce() -> Result {
    let said = |error: io::Error| format!("could not pass on the server's output: {error}");
    let mut out = io::stdout();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(said)?;
        let line = address(&line).unwrap_or(line);
        writeln!(out, "{line}").map_err(said)?;
        out.flush().map_err(said)?;
    }
    Ok(())
}

/// `localhost` rather than a number: browsers treat both as secure, people remember one.
fn address(line: &str) -> Option<String> {
    let url = line.strip_prefix("listening on ")?.trim_end();
    Some(url.replacen("//127.0.0.1:", "//localhost:", 1))
}

/// Makes `to` equal `from`, leaving files alone that already are: the server's build looks at
/// their times.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut wanted = BTreeSet::<OsString>::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        wanted.insert(entry.file_name());
        if entry.file_type()?.is_dir() {
            if target.is_file() {
                fs::remove_file(&target)?;
            }
            mirror(&entry.path(), &target)?;
            continue;
        }
        if target.is_dir() {
            fs::remove_dir_all(&target)?;
        }
        let bytes = fs::read(entry.path())?;
        if !fs::read(&target).is_ok_and(|old| old == bytes) {
            fs::write(&target, bytes)?;
        }
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if wanted.contains(&entry.file_name()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_shown_is_one_a_person_can_open() {
        assert_eq!(
            address("listening on http://127.0.0.1:8080").as_deref(),
            Some("http://localhost:8080")
        );
        assert_eq!(address("listening on http://0.0.0.0:80").as_deref(), Some("http://0.0.0.0:80"));
        assert_eq!(address("drained"), None);
    }

    #[test]
    fn mirroring_adds_replaces_and_removes_but_leaves_equal_files_alone() {
        let dir = std::env::temp_dir().join(format!("xtask-mirror-{}", std::process::id()));
        let (from, to) = (dir.join("from"), dir.join("to"));
        fs::create_dir_all(from.join("kept")).unwrap();
        fs::create_dir_all(to.join("gone")).unwrap();
        fs::create_dir_all(to.join("kept")).unwrap();
        fs::write(from.join("kept/same"), "same").unwrap();
        fs::write(from.join("changed"), "new").unwrap();
        fs::write(to.join("kept/same"), "same").unwrap();
        fs::write(to.join("changed"), "old").unwrap();
        fs::write(to.join("stale"), "x").unwrap();
        let before = fs::metadata(to.join("kept/same")).unwrap().modified().unwrap();

        mirror(&from, &to).unwrap();

        assert_eq!(fs::read_to_string(to.join("changed")).unwrap(), "new");
        assert!(!to.join("stale").exists());
        assert!(!to.join("gone").exists());
        let after = fs::metadata(to.join("kept/same")).unwrap().modified().unwrap();
        assert_eq!(before, after);
        fs::remove_dir_all(dir).unwrap();
    }
}
