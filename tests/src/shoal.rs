//! The command `shoal`, as a process that prints one JSON object per line (`--json`). Each has a
//! configuration directory of its own, and so a device key of its own.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
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
    _config: TempDir,
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
        let mut arguments: Vec<&OsStr> = vec!["send".as_ref()];
        arguments.extend(paths.iter().map(|path| path.as_os_str()));
        arguments.extend([OsStr::new("--server"), server.url().as_ref()]);
        arguments.extend(flags.iter().map(OsStr::new));
        Self::start(side, "shoal send", &arguments)
    }

    /// Receives what is shared in the room of an invite, into a directory.
    pub fn receive(link: &str, directory: &Path, flags: &[&str]) -> Self {
        Self::receive_at(None, link, directory, flags)
    }

    /// The same, at a side of a network of ours if one is given.
    pub fn receive_at(side: Option<&Side>, link: &str, directory: &Path, flags: &[&str]) -> Self {
        let mut arguments: Vec<&OsStr> =
            vec!["receive".as_ref(), link.as_ref(), "-o".as_ref(), directory.as_os_str()];
        arguments.extend(flags.iter().map(OsStr::new));
        Self::start(side, "shoal receive", &arguments)
    }

    fn start(side: Option<&Side>, name: &str, arguments: &[&OsStr]) -> Self {
        let config = TempDir::new().expect("a temporary directory can be made");
        let path = programs::ours("shoal");
        let mut command = side.map_or_else(|| Process::command(&path), |side| side.command(&path));
        command.args(arguments).arg("--json").arg("--config-dir").arg(config.path());
        command.env("SHOAL_LOG", "warn,native_peer=debug,protocol=debug");
        Self { process: Process::start(name, &mut command), read: 0, _config: config }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The link that `send` prints.
    pub async fn invite_link(&mut self) -> String {
        let event = self.event("invite").await;
        event["link"].as_str().expect("an invite event has a link").to_owned()
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
        found.unwrap_or_else(|| panic!("waited {SOON:?} in vain for: a {name} event of shoal"))
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

fn parse(line: &str) -> Value {
    serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("with --json a line is no JSON ({error}): {line}"))
}
