//! Whether the page is what its source says: two clean builds in two folders must be the same to the byte,
//! and what a server serves must be what was built.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::page::{self, Profile};
use crate::run::{could_not_start, on_path, output, run};
use crate::workspace::Workspace;

/// Where the checkout is copied to: paths of different lengths, one of them deeper than the other.
const FOLDERS: [&str; 2] = ["target/reproduce/one", "target/reproduce/another/folder"];
/// Where the files that a server serves are kept.
const SERVED: &str = "target/reproduce/served";

/// Builds the page twice, from nothing, in different folders. Gives its files with their SHA-256, as
/// `sha256sum` prints them.
pub(crate) fn builds(workspace: &Workspace) -> Result<String> {
    let build = |folder: &str| {
        let copy = copy(workspace, &workspace.file(folder))?;
        page::build(&copy, Profile::Web)?;
        sums(&copy, &copy.page())
    };
    let [first, second] = FOLDERS.map(build);
    let (first, second) = (first?, second?);
    if first == second {
        return Ok(first);
    }
    let differ: Vec<&str> = first.lines().filter(|line| !second.contains(line)).collect();
    Err(format!(
        "two builds of the page differ; of {}:\n{}",
        FOLDERS.join(" and "),
        differ.join("\n")
    ))
}

/// Whether a server serves the files of the page that was built.
pub(crate) fn served(workspace: &Workspace, built: &str, address: &str) -> Result {
    let (address, folder) = (address.trim_end_matches('/'), workspace.file(SERVED));
    make_empty(&folder)?;
    for name in built.lines().filter_map(|line| Some(line.split_once("  ")?.1)) {
        let mut curl = workspace.command("curl");
        curl.args(["--fail", "--silent", "--show-error", "--create-dirs", "--output"]);
        run(curl.arg(folder.join(name)).arg(format!("{address}/{name}")))?;
    }
    let served = sums(workspace, &folder)?;
    if served == built {
        return Ok(());
    }
    let differ: Vec<&str> = built.lines().filter(|line| !served.contains(line)).collect();
    Err(format!("{address} serves something else than:\n{}", differ.join("\n")))
}

/// All files below a folder, in order, with their SHA-256.
fn sums(workspace: &Workspace, folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    list(folder, &mut files).map_err(|error| format!("could not read the page: {error}"))?;
    let mut names: Vec<&Path> =
        files.iter().map(|path| path.strip_prefix(folder).expect("it was found there")).collect();
    names.sort();
    let mut sha256 = if on_path("sha256sum") {
        workspace.command("sha256sum")
    } else {
        let mut shasum = workspace.command("shasum");
        shasum.args(["-a", "256"]);
        shasum
    };
    let sums = output(sha256.current_dir(folder).args(names));
    sums.ok_or_else(|| "neither sha256sum nor shasum can be run".into())
}

/// The checkout without what was built, in another folder.
fn copy(workspace: &Workspace, to: &Path) -> Result<Workspace> {
    make_empty(to)?;
    let mut git = workspace.command("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = git.output().map_err(|error| could_not_start(&git, &error))?;
    if !listed.status.success() {
        return Err("`git ls-files` failed: it is not known what the page is built from".into());
    }
    for name in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
        let (from, to) = (workspace.file(name), to.join(name));
        // Deleted, and not yet committed.
        if !from.is_file() {
            continue;
        }
        fs::create_dir_all(to.parent().expect("it is below a folder"))
            .and_then(|()| fs::copy(&from, &to))
            .map_err(|error| format!("could not copy {}: {error}", from.display()))?;
    }
    Ok(workspace.at(to.to_owned()))
}

fn make_empty(folder: &Path) -> Result {
    let emptied = match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    };
    emptied.map_err(|error| format!("could not make {}: {error}", folder.display()))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
