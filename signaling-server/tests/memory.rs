//! What a WebSocket that is idle costs the server, as the system counts it.
//!
//! `cargo test --release -p signaling-server --test memory -- --nocapture` prints the figure that is
//! given in docs/hosting.md.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use common::{Client, Member, ROOM};
use protocol::signaling::RoomId;

/// As many as the usual limit of 1024 open files leaves this process.
const SOCKETS: u64 = 900;
/// Twice what was measured, for other allocators and kernels.
const MAX_BYTES_PER_SOCKET: u64 = 16 << 10;

struct Server(Child);

impl Server {
    fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_idle_socket_costs_little() {
    let child = Command::new(env!("CARGO_BIN_EXE_signaling-server"))
        .args(["--listen", "127.0.0.1:0", "--max-sockets-per-address", "1000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = Server(child);
    let mut line = String::new();
    BufReader::new(server.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let join = async |room| Client::connect(address, "").await.join(room).await;

    // What is allocated once is not counted.
    let first: Member = join(ROOM).await;
    let before = server.resident_bytes();
    let mut members = vec![first];
    for n in 0..SOCKETS {
        let mut room = [0; 16];
        room[..8].copy_from_slice(&(n / 2).to_be_bytes());
        members.push(join(RoomId(room)).await);
    }
    let each = (server.resident_bytes() - before) / SOCKETS;
    println!("an idle socket costs {each} bytes ({SOCKETS} sockets in rooms of two)");
    assert!(each <= MAX_BYTES_PER_SOCKET, "{each} bytes");
    drop(members);
}
