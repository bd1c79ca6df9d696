//! The command `shoal`, as a process that prints one JSON object per line (`--json`). Each has a
//! configuration directory of its own, and so a device key of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use crate::network::Side;
use crate::process::Process;
use crate::programs;
use crate::server::Server;
use crate::wait::{SOON, STALL};

/// A running `shoal`. Events are taken in order: each wait begins after the last event it found.
#[derive(Debug)]
pub struct Shoal {
    /// The process.
    pub process: Process,
    read: usize,
    link: String,
    _config: Option<TempDir>,
}

/// What the `complete` event says.
#[derive(Clone, Debug)]
pub struct Complete {
    /// Path, size in bytes, and BLAKE3 hash in hexadecimal digits, of each file.
    pub files: Vec<(String, u64, String)>,
    /// Bytes that this process fetched.
    pub fetched: u64,
    /// Bytes that it found already verified.
    pub reused: u64,
    /// Bytes that came in vain.
    pub wasted: u64,
    /// Verified bytes by the name of who sent them.
    pub sources: Vec<(String, u64)>,
}

impl Shoal {
    /// Shares paths in a new room.
    pub fn send(server: &Server, paths: &[&Path], flags: &[&str]) -> Self {
        Self::send_at(None, server, paths, flags)
    }

    /// The same, at a side of a network of ours if one is given.
    pub fn send_at(side: Option<&Side>, server: &Server, paths: &[&Path], flags: &[&str]) -> Self {
        Self::start(program(side), "shoal send", &to_send(server.url(), paths, flags))
    }

    /// The same, at whatever is at an address.
    pub fn send_to(url: &str, paths: &[&Path], flags: &[&str]) -> Self {
        Self::start(program(None), "shoal send", &to_send(url, paths, flags))
    }

    /// The same, with a configuration directory that others had before or will have.
    pub fn send_from(config: &Path, server: &Server, paths: &[&Path], flags: &[&str]) -> Self {
        Self::start_with(config, program(None), "shoal send", &to_send(server.url(), paths, flags))
    }

    /// Makes a code for an invite link.
    pub fn code(link: &str) -> Self {
        let mut command = program(None);
        command.args(["code", link, "--json"]);
        let process = Process::start("shoal code", &mut command);
        Self { process, read: 0, link: String::new(), _config: None }
    }

    /// Receives what is shared in the room of an invite, be it a link or a code, into a directory.
    pub fn receive(link: &str, directory: &Path, flags: &[&str]) -> Self {
        Self::receive_at(None, link, directory, flags)
    }

    /// The same, at a side of a network of ours if one is given.
    pub fn receive_at(side: Option<&Side>, link: &str, directory: &Path, flags: &[&str]) -> Self {
        let mut arguments: Vec<&OsStr> =
            vec!["receive".as_ref(), link.as_ref(), "-o".as_ref(), directory.as_os_str()];
        arguments.extend(flags.iter().map(OsStr::new));
        Self::start(program(side), "shoal receive", &arguments)
    }

    /// The same, with lines to be said on standard input; it stays.
    pub fn receive_saying(link: &str, directory: &Path, lines: &[&str]) -> Self {
        let mut command = Process::command("sh");
        let script = "printf '%s\\n' \"$0\" | exec \"$@\"";
        command.args(["-c", script, &lines.join("\n")]).arg(programs::ours("shoal"));
        let arguments: [&OsStr; 7] = [
            "receive".as_ref(),
            link.as_ref(),
            "-o".as_ref(),
            directory.as_os_str(),
            "--stay".as_ref(),
            "--say".as_ref(),
            "-".as_ref(),
        ];
        Self::start(command, "shoal receive", &arguments)
    }

    /// The same with a configuration of its own.
    pub fn receive_from(config: &Path, link: &str, directory: &Path, flags: &[&str]) -> Self {
        let into: [&OsStr; 4] =
            ["receive".as_ref(), link.as_ref(), "-o".as_ref(), directory.as_os_str()];
        let arguments = into.into_iter().chain(flags.iter().map(OsStr::new)).collect::<Vec<_>>();
        Self::start_with(config, program(None), "shoal receive", &arguments)
    }

    /// Shows or changes the list of people of a configuration.
    pub fn people(config: &Path, arguments: &[&str]) -> Self {
        let arguments: Vec<&OsStr> =
            ["people"].iter().chain(arguments).map(|it| OsStr::new(*it)).collect();
        Self::start_with(config, program(None), "shoal people", &arguments)
    }

    /// Receives into a disk of its own, mounted at a directory that only this process sees (see
    /// [`Shoal::disk`]): so many MiB in memory, as many of them taken by a file called `filler`.
    pub fn receive_on_small_disk(
        link: &str,
        directory: &Path,
        [mib, taken]: [u64; 2],
        flags: &[&str],
    ) -> Self {
        let script = format!(
            "mount -t tmpfs -o size={mib}m tmpfs \"$0\" &&
             head -c {taken}M /dev/zero > \"$0/filler\" && exec \"$@\""
        );
        let mut command = Process::command("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(directory);
        command.arg(programs::ours("shoal"));
        let into: [&OsStr; 4] =
            ["receive".as_ref(), link.as_ref(), "-o".as_ref(), directory.as_os_str()];
        let arguments = into.into_iter().chain(flags.iter().map(OsStr::new)).collect::<Vec<_>>();
        Self::start(command, "shoal receive", &arguments)
    }

    /// A directory as this process sees it.
    pub fn disk(&self, directory: &Path) -> PathBuf {
        let inside = directory.strip_prefix("/").unwrap_or(directory);
        PathBuf::from(format!("/proc/{}/root", self.pid())).join(inside)
    }

    /// Receives on a machine without a network.
    pub fn receive_without_network(link: &str, directory: &Path) -> Self {
        let mut command = Process::command("unshare");
        command.args(["--map-root-user", "--net"]).arg(programs::ours("shoal"));
        let arguments = ["receive".as_ref(), link.as_ref(), "-o".as_ref(), directory.as_os_str()];
        Self::start(command, "shoal receive", &arguments)
    }

    fn start(command: Command, name: &str, arguments: &[&OsStr]) -> Self {
        let config = TempDir::new().expect("a temporary directory can be made");
        let shoal = Self::start_with(config.path(), command, name, arguments);
        Self { _config: Some(config), ..shoal }
    }

    fn start_with(config: &Path, mut command: Command, name: &str, arguments: &[&OsStr]) -> Self {
        command.args(arguments).arg("--json").arg("--config-dir").arg(config);
        command.env("SHOAL_LOG", "warn,native_peer=debug,protocol=debug");
        let process = Process::start(name, &mut command);
        Self { process, read: 0, link: String::new(), _config: None }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The link that `send` prints, and `receive` where it was given a code.
    pub async fn invite_link(&mut self) -> String {
        let event = self.event("invite").await;
        event["link"].as_str().expect("an invite event has a link").clone_into(&mut self.link);
        self.link.clone()
    }

    /// The link that [`Shoal::invite_link`] gave.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// The next event of this name.
    ///
    /// # Panics
    /// If none comes within [`SOON`].
    pub async fn event(&mut self, name: &str) -> Value {
        self.event_where(name, |_| true).await
    }

    /// The next event of this name that is as wanted.
    ///
    /// # Panics
    /// If none comes within [`SOON`].
    pub async fn event_where(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self
            .next(SOON, |event| (event["event"] == name && wanted(&event)).then_some(event))
            .await;
        found.unwrap_or_else(|| {
            let standing = self.process.standing();
            panic!("waited {SOON:?} in vain for: a {name} event of shoal, which {standing}")
        })
    }

    /// The link that `send` prints, or none if it fails before that.
    ///
    /// # Panics
    /// If neither comes within [`SOON`].
    pub async fn invite_link_unless_it_fails(&mut self) -> Option<String> {
        let is_either = |event: &Value| event["event"] == "invite" || event["event"] == "error";
        let found = self.next(SOON, |event| is_either(&event).then_some(event)).await;
        let found = found.expect("waited in vain for: an invite or an error event of shoal");
        found["link"].as_str().map(str::to_owned)
    }

    /// Waits for the share to be complete, for as long as it takes while there is progress.
    ///
    /// # Panics
    /// If progress stalls, or an `error` event comes.
    pub async fn complete(&mut self) -> Complete {
        self.complete_seeing(|_| ()).await
    }

    /// The same, passing on how many bytes are there, each time that is told.
    ///
    /// # Panics
    /// If progress stalls, or an `error` event comes.
    pub async fn complete_seeing(&mut self, mut see: impl FnMut(u64)) -> Complete {
        let mut last = (0, Instant::now());
        let event = loop {
            let next = self.next(STALL, |event| {
                let name = event["event"].as_str();
                assert!(name != Some("error"), "shoal failed: {event}");
                matches!(name, Some("complete" | "progress")).then_some(event)
            });
            let event = next.await.expect("shoal tells of progress while it is under way");
            if event["event"] == "complete" {
                break event;
            }
            let bytes = event["bytes"].as_u64().expect("progress tells bytes");
            see(bytes);
            if bytes != last.0 {
                last = (bytes, Instant::now());
            }
            assert!(last.1.elapsed() < STALL, "shoal is stalled at {event}");
        };
        Complete::read(&event)
    }

    /// Bytes that are there, as it told last.
    pub fn received(&self) -> u64 {
        let lines = self.process.out.all();
        let told = lines.iter().rev().map(|line| parse(line));
        let mut told = told.filter(|event| event["event"] == "progress");
        told.find_map(|event| event["bytes"].as_u64()).unwrap_or(0)
    }

    /// Waits for the end of the process, and asserts that it ended well.
    pub async fn success(&mut self) {
        let status = self.process.exit(SOON).await;
        assert!(status.success(), "shoal ended with {status}");
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        self.process.out.all().iter().map(|line| parse(line)).collect()
    }

    async fn next<T>(&mut self, limit: Duration, pick: impl Fn(Value) -> Option<T>) -> Option<T> {
        let found = self.process.out.find_after(self.read, limit, |line| pick(parse(line))).await;
        let (read, found) = found?;
        self.read = read;
        Some(found)
    }
}

impl Complete {
    fn read(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let number =
            |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number in {event}"));
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let file = |f: &Value| (text(&f["path"]), number(&f["size"]), text(&f["blake3"]));
        Self {
            files: list(&event["files"]).iter().map(file).collect(),
            fetched: number(&event["fetched"]),
            reused: number(&event["reused"]),
            wasted: number(&event["wasted"]),
            sources: list(&event["sources"])
                .iter()
                .map(|source| (text(&source["name"]), number(&source["bytes"])))
                .collect(),
        }
    }
}

/// The command, at a side of a network of ours if one is given.
fn program(side: Option<&Side>) -> Command {
    let path = programs::ours("shoal");
    side.map_or_else(|| Process::command(&path), |side| side.command(&path))
}

fn to_send<'a>(server: &'a str, paths: &'a [&Path], flags: &'a [&str]) -> Vec<&'a OsStr> {
    let mut arguments: Vec<&OsStr> = vec!["send".as_ref()];
    arguments.extend(paths.iter().map(|path| path.as_os_str()));
    arguments.extend(["--server", server].map(OsStr::new));
    arguments.extend(flags.iter().map(OsStr::new));
    arguments
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("with --json a line is no JSON ({error}): {line}"))
}
