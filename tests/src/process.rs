//! A process that a test started: its lines as they come, and its end.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::proc;

/// How many lines, without repetitions, are printed of each stream when a test fails.
const TAIL: usize = 60;

/// A running process and what it printed so far. Dropping it ends it with all its descendants, and
/// prints the end of what it said if the test is failing.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// From its standard output.
    pub out: Lines,
    /// From its standard error.
    pub err: Lines,
}

/// The lines of a stream, growing.
#[derive(Clone, Debug)]
pub struct Lines(watch::Receiver<Vec<String>>);

impl Process {
    /// Starts a command, called `name` in what we print.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let program = command.as_std().get_program().to_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {}: {error}", program.display()));
        let out = Lines::of(child.stdout.take().expect("standard output is piped"));
        let err = Lines::of(child.stderr.take().expect("standard error is piped"));
        Self { name: name.to_owned(), child, out, err }
    }

    /// A command without what the environment might change about it.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for name in ["RUST_LOG", "RUST_BACKTRACE", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(name);
        }
        command
    }

    /// Its process id.
    ///
    /// # Panics
    /// If its end was already waited for.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the process has not been waited for")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub async fn exit(&mut self, limit: Duration) -> ExitStatus {
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(status) => status.expect("a child can be waited for"),
            Err(_) => panic!("waited {limit:?} in vain for: the end of {}", self.name),
        }
    }

    /// Whether it runs or how it ended, in words.
    pub fn standing(&mut self) -> String {
        match self.child.try_wait() {
            Ok(Some(status)) => format!("ended ({status})"),
            _ => "runs".to_owned(),
        }
    }

    /// Sends it what Ctrl-C sends.
    pub fn interrupt(&self) {
        signal(self.pid(), Signal::INT);
    }

    /// Lets it stand still until [`Process::go_on`].
    pub fn freeze(&self) {
        signal(self.pid(), Signal::STOP);
    }

    /// Ends what [`Process::freeze`] began.
    pub fn go_on(&self) {
        signal(self.pid(), Signal::CONT);
    }

    /// Ends it at once, without a chance to say goodbye.
    pub fn kill_now(&self) {
        signal(self.pid(), Signal::KILL);
    }
}

impl Lines {
    /// Reads a stream until it ends.
    fn of(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, receiver) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).split(b'\n');
            while let Ok(Some(line)) = lines.next_segment().await {
                let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
                sender.send_modify(|lines| lines.push(line));
            }
        });
        Self(receiver)
    }

    /// The first line, now or later, of which `pick` makes something. `None` if the stream ends or
    /// `limit` passes before.
    pub async fn find<T>(
        &mut self,
        limit: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.find_after(0, limit, pick).await.map(|(_, found)| found)
    }

    /// The same, without the first `skip` lines; with the number of lines up to and with the found one.
    pub async fn find_after<T>(
        &mut self,
        skip: usize,
        limit: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> Option<(usize, T)> {
        let mut seen = skip;
        let mut found = None;
        let wait = self.0.wait_for(|lines| {
            while found.is_none() && seen < lines.len() {
                found = pick(&lines[seen]);
                seen += 1;
            }
            found.is_some()
        });
        let _ended_or_late = tokio::time::timeout(limit, wait).await;
        found.map(|found| (seen, found))
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    /// Prints the last lines, equal ones in a row once.
    fn print_tail(&self, name: &str) {
        let lines = self.0.borrow();
        if lines.is_empty() {
            return;
        }
        eprintln!("--- of {} lines of {name} the last:", lines.len());
        let runs: Vec<&[String]> = lines.chunk_by(|one, next| one == next).collect();
        for run in &runs[runs.len().saturating_sub(TAIL)..] {
            let shown: String = run[0].chars().take(600).collect();
            let times =
                if run.len() > 1 { format!(" ({} times)", run.len()) } else { String::new() };
            eprintln!("    {shown}{times}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.out.print_tail(&format!("{}'s output", self.name));
            self.err.print_tail(&format!("{}'s errors", self.name));
        }
        let Some(pid) = self.child.id() else { return };
        let family = proc::family(pid);
        for &pid in &family {
            signal(pid, Signal::KILL);
        }
        // Their directories are about to be deleted: wait until nobody writes there any more.
        for _ in 0..200 {
            let _reaped = self.child.try_wait();
            if !family.iter().any(|&pid| proc::is_running(pid)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself meanwhile.
        let _gone = kill_process(pid, signal);
    }
}
