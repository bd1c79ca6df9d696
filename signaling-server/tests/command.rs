//! The command as scripts use it.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signaling-server"));
    command.args(arguments).env_remove("SHOAL_TURN_SECRET");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running server, killed when dropped.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child =
            command(&[&["--listen", "127.0.0.1:0"], arguments].concat()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://").expect(&line).trim_end();
        let address = address.parse().unwrap();
        Self { child, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command that is to fail, and returns what it says about it.
fn failure(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "it never listened");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn it_says_where_it_listens_serves_and_ends_well_on_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Running::start(&["--log-format", "json"]);
        assert!(server.get("/healthz").starts_with("HTTP/1.1 200 OK"));
        let idle = TcpStream::connect(server.address).unwrap();
        kill_process(Pid::from_child(&server.child), signal).unwrap();
        assert!(server.child.wait().unwrap().success());
        drop(idle);
        let mut log = String::new();
        server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        for line in log.lines() {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["level"], "INFO");
        }
        assert!(log.contains("shutting down"), "{log}");
    }
}

#[test]
fn a_taken_port_is_an_error_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = failure(&mut command(&["--listen", &address]));
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
}

#[test]
fn a_turn_secret_comes_from_a_file_or_the_environment_and_is_never_shown() {
    let turn = ["--ice-server", "turn:127.0.0.1"];
    let error = failure(&mut command(&turn));
    assert!(error.contains("--turn-secret-file"), "{error}");

    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("secret");
    let file_name = file.to_str().unwrap();
    let with_file = [&turn[..], &["--turn-secret-file", file_name]].concat();
    let error = failure(&mut command(&with_file));
    assert!(error.contains(file_name), "{error}");
    std::fs::write(&file, "canary\n").unwrap();
    assert!(Running::start(&with_file).get("/healthz").contains("200 OK"));

    let mut help = command(&["--help"]);
    let help = help.env("SHOAL_TURN_SECRET", "canary").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("canary"));
}

#[test]
fn a_page_that_is_not_there_is_named() {
    let error = failure(&mut command(&["--page", "no-such-folder"]));
    assert!(error.contains("no-such-folder"), "{error}");
}
