//! The signaling server, as a process on a free port of the loopback interface.

use std::process::ExitStatus;

use rustix::process::Signal;

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

    /// The port of the loopback interface that it listens on.
    ///
    /// # Panics
    /// Never: it was started there.
    pub fn port(&self) -> u16 {
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("it listens on 127.0.0.1:PORT")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All that it printed so far.
    pub fn log(&self) -> Vec<String> {
        [self.process.out.all(), self.process.err.all()].concat()
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        crate::process::signal(self.process.pid(), Signal::TERM);
        self.process.exit(SOON).await
    }
}
