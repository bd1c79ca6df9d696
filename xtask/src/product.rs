//! What we build for the host: the server, which carries the page, and the command `shoal`; and
//! running the server. The page itself is built in `page`.

use std::io::{self, BufRead, Write};
use std::process::{Command, Stdio};

use crate::Result;
use crate::page;
use crate::run::{could_not_start, run, show};
use crate::workspace::Workspace;

/// Builds the page and the server that carries it.
pub(crate) fn server(workspace: &Workspace) -> Result {
    page::build(workspace, page::Profile::Web)?;
    run(workspace.cargo().args(["build", "--release", "-p", "signaling-server"]))
}

/// Builds `target/release/signaling-server`, page inside, and `target/release/shoal`: what people
/// run, without the seams that tests ask for.
pub(crate) fn all(workspace: &Workspace) -> Result {
    page::build(workspace, page::Profile::Web)?;
    let products = ["-p", "signaling-server", "-p", "native-peer"];
    run(workspace.cargo().args(["build", "--release"]).args(products))
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
}
