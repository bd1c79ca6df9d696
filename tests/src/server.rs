//! The signaling server, as a process on a free port of the loopback interface, or of a machine of its
//! own in a network of ours.

use std::process::ExitStatus;

use rustix::process::Signal;
use tokio::process::Command;

use crate::network::Side;
use crate::process::Process;
use crate::programs;
use crate::wait::SOON;

/// A running server, with the page inside.
#[derive(Debug)]
pub struct Server {
    process: Process,
    url: String,
}

impl Server {
    /// Starts a server without further flags.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with further flags.
    ///
    /// # Panics
    /// If it does not say where it listens.
    pub async fn with(flags: &[&str]) -> Self {
        let mut command = Process::command(programs::ours("signaling-server"));
        command.args(["--listen", "127.0.0.1:0"]).args(flags);
        Self::run(command).await
    }

    /// Starts a server at a side of a network of ours, where others reach it over the link.
    ///
    /// # Panics
    /// If it does not say where it listens.
    pub async fn start_at(side: &Side) -> Self {
        let mut command = side.command(programs::ours("signaling-server"));
        command.arg("--listen").arg(format!("{}:0", side.address()));
        Self::run(command).await
    }

    async fn run(mut command: Command) -> Self {
        let mut process = Process::start("the server", &mut command);
        let url = process
            .out
            .find(SOON, |line| {
                let (_, url) = line.split_once("listening on ")?;
                Some(url.trim().trim_end_matches('/').to_owned())
            })
            .await
            .expect("the server says `listening on http://…`");
        Self { process, url }
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port that it listens on.
    ///
    /// # Panics
    /// Never: its address ends with it.
    pub fn port(&self) -> u16 {
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("it listens on ADDRESS:PORT")
    }

    /// The address that it listens on, without the port.
    pub(crate) fn host(&self) -> String {
        self.url.trim_start_matches("http://").rsplit_once(':').map_or("", |(host, _)| host).into()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All that it printed so far.
    pub fn log(&self) -> Vec<String> {
        [self.process.out.all(), self.process.err.all()].concat()
    }

    /// Ends it at once, without a chance to say goodbye.
    pub fn kill_now(&self) {
        self.process.kill_now();
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        crate::process::signal(self.process.pid(), Signal::TERM);
        self.process.exit(SOON).await
    }
}
