//! Running other programs: shown, checked, and with an error that says what failed.

use std::env;
use std::io::stderr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Result;

/// Shows the command, runs it, and fails unless it succeeds. All it prints goes to standard error:
/// standard output is for what we were asked for.
pub(crate) fn run(command: &mut Command) -> Result {
    show(command);
    let status =
        command.stdout(stderr()).status().map_err(|error| could_not_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", line(command))) }
}

/// Prints the command that is about to run.
pub(crate) fn show(command: &Command) {
    eprintln!("$ {}", line(command));
}

/// Runs the command without showing it; `None` unless it can be started and succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Whether a program of this name is on the user's `PATH`.
pub(crate) fn on_path(program: &str) -> bool {
    find_on_path(program).is_some()
}

/// The first file of this name on the user's `PATH`.
pub(crate) fn find_on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The text for a program that the system would not start.
pub(crate) fn could_not_start(command: &Command, error: &std::io::Error) -> String {
    format!("could not start `{}`: {error}", line(command))
}

fn line(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().map_or_else(
        || command.get_program().to_string_lossy().into_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let words = command.get_args().map(|arg| arg.to_string_lossy());
    std::iter::once(program.into()).chain(words).collect::<Vec<_>>().join(" ")
}
