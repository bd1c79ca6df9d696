//! A network of machines with a link between them, on this one: network namespaces, each with one
//! interface besides loopback, joined by a [`Link`]. The path between any two of them can be shaped, cut
//! and restored by itself.
//!
//! Programs are started at a [`Side`] by [`Side::command`]. What is not part of what is looked at goes
//! past the link: what listens on one namespace's loopback is made reachable on another's by
//! [`Side::reach`] and [`Side::publish`], such as the browsers' drivers.
//!
//! It takes the rights of a namespace's administrator: a program enters one by [`enter`], a test by
//! [`isolated`]. Namespaces and devices have no names outside; they end with the processes that use them,
//! whatever ends those.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tun_rs::DeviceBuilder;

use crate::link::{Link, Shape};
use crate::process::Process;

/// Set for the program that [`enter`] starts.
const INSIDE: &str = "SHOAL_TEST_INSIDE";
/// Packets that a device keeps until the link takes them: far more than come between two looks.
const DEVICE_QUEUE: u32 = 4000;

/// Whether this process was started by [`enter`].
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this program again with these arguments, in namespaces of its own for network, processes and
/// mounts, and waits for its end. All that it starts ends with it, and it ends with us. Where we are not
/// root it is made the root of a user namespace of its own; /dev/net/tun must be open to it then.
///
/// # Errors
/// If this program does not know itself or `unshare` and `setpriv` (of util-linux) cannot be run.
pub fn enter(arguments: &[&str]) -> io::Result<ExitStatus> {
    inside(arguments)?.status()
}

fn inside(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--pid", "--fork", "--mount-proc", "--kill-child"]);
    command.arg(std::env::current_exe()?).args(arguments).env(INSIDE, "1");
    Ok(command)
}

/// Runs a test where it can make a [`Network`]: the test program runs this one test again, inside. To be
/// called by a test with all that it does, with nothing before it and nothing after.
///
/// # Panics
/// If the test does, inside; what it said there is said again.
pub fn isolated(test: impl Future<Output = ()>) {
    if is_inside() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        return runtime.expect("a runtime can be started").block_on(test);
    }
    let thread = thread::current();
    let name = thread.name().filter(|name| *name != "main");
    let name = name.expect("each test has a thread of its own: leave out --test-threads=1");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let _turn = runtime.expect("a runtime can be started").block_on(crate::turn_to_wait());
    let mut command = inside(&[name, "--exact", "--nocapture"]).expect("this program knows itself");
    let output = command.output().expect("setpriv and unshare are installed (util-linux)");
    for line in [output.stdout, output.stderr].concat().split(|byte| *byte == b'\n') {
        // Marked, so that nobody takes its summary for ours.
        println!("| {}", String::from_utf8_lossy(line));
    }
    assert!(output.status.success(), "inside, the test ended with {}", output.status);
}

/// Machines and the link between them.
#[derive(Debug)]
pub struct Network {
    /// The machines.
    pub sides: Vec<Side>,
    /// Between them.
    pub link: Link,
}

/// A machine: a network namespace with the interface `eth0`.
#[derive(Debug)]
pub struct Side {
    address: Ipv4Addr,
    namespace: Arc<File>,
    /// Keeps the namespace; ends when its input does, and so with us.
    holder: Child,
}

impl Network {
    /// Makes so many namespaces and joins them.
    ///
    /// # Panics
    /// If the rights for that are missing; see [`enter`].
    pub fn start(sides: u8, shape: Shape, seed: u64) -> Self {
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        let started = (1..=sides).map(|number| {
            let address = Ipv4Addr::new(10, 77, 0, number);
            let (side, device) = Side::start(&format!("side{number}"), address);
            (side, (address, device))
        });
        let (sides, devices) = started.unzip();
        let link = Link::start(devices, shape, seed).expect("the devices are open");
        Self { sides, link }
    }

    /// The first machine.
    pub fn left(&self) -> &Side {
        &self.sides[0]
    }

    /// The second.
    pub fn right(&self) -> &Side {
        &self.sides[1]
    }

    /// Makes the path between two another one, by their places.
    pub fn reshape(&self, one: usize, other: usize, shape: Shape) {
        self.link.reshape_between(self.sides[one].address, self.sides[other].address, shape);
    }
}

impl Side {
    fn start(name: &str, address: Ipv4Addr) -> (Self, tun_rs::SyncDevice) {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo there; read end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare can be run");
        let out = holder.stdout.take().expect("standard output is piped");
        let there = BufReader::new(out).lines().next();
        there.expect("a network namespace can be made").expect("it says so in a line");
        let namespace = File::open(namespace_of(holder.id())).expect("the namespace is there");

        // A device stays with whoever made it when it moves to another namespace.
        let device = DeviceBuilder::new()
            .name(name)
            .tx_queue_len(DEVICE_QUEUE)
            .enable(false)
            .build_sync()
            .expect("/dev/net/tun can be opened, and a device made");
        let pid = holder.id().to_string();
        run(Command::new("ip").args(["link", "set", name, "netns", &pid, "name", "eth0"]));
        let side = Self { address, namespace: Arc::new(namespace), holder };
        let configure: [&[&str]; 4] = [
            &["address", "add", &format!("{address}/24"), "dev", "eth0"],
            &["link", "set", "lo", "up"],
            &["link", "set", "eth0", "up"],
            // Browsers offer the address that leads to the rest of the world.
            &["route", "add", "default", "dev", "eth0"],
        ];
        for arguments in configure {
            run(side.command("ip").as_std_mut().args(arguments));
        }
        (side, device)
    }

    /// Its address on the link.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// A command that will run here.
    pub fn command(&self, program: impl AsRef<OsStr>) -> tokio::process::Command {
        let mut command = Process::command("nsenter");
        command.arg(format!("--net={}", namespace_of(self.holder.id()))).arg("--");
        command.arg(program);
        command
    }

    /// Runs something on a thread that is here: the sockets it makes are, too.
    pub fn run<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        run_in(&self.namespace, action)
    }

    /// Lets processes here reach a port of this process's loopback at the same port of theirs.
    pub fn reach(&self, port: u16) {
        let local = loopback(port);
        let listener = self.run(|| TcpListener::bind(local)).expect("the port is free here");
        relay(listener, move || TcpStream::connect(local));
    }

    /// Lets this process reach a port of this side's loopback at the same port of its own: a driver looks
    /// at the port that it is asked for.
    pub fn publish(&self, port: u16) {
        let listener = TcpListener::bind(loopback(port)).expect("the port is free here");
        let namespace = self.namespace.clone();
        relay(listener, move || run_in(&namespace, || TcpStream::connect(loopback(port))));
    }

    /// Packets that came faster than the link took them from the device. A run in which there are any
    /// has not measured what it meant to.
    pub fn overrun(&self) -> u64 {
        let mut command = self.command("ip");
        command.args(["-json", "-statistics", "link", "show", "eth0"]);
        let output = command.as_std_mut().output().expect("ip can be run");
        let links: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        links[0]["stats64"]["tx"]["dropped"].as_u64().expect("ip counts what was dropped")
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ended = self.holder.wait();
    }
}

fn namespace_of(pid: u32) -> String {
    format!("/proc/{pid}/ns/net")
}

fn run_in<T: Send>(namespace: &File, action: impl FnOnce() -> T + Send) -> T {
    let moved = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("we made the namespace");
        action()
    };
    thread::scope(|scope| scope.spawn(moved).join()).expect("the action does not panic")
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Passes on each connection to one of its own, for as long as this process runs.
fn relay(listener: TcpListener, connect: impl Fn() -> io::Result<TcpStream> + Send + 'static) {
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // A refused connection is passed on as a closed one.
            let Ok(far) = connect() else { continue };
            for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                let (Ok(mut from), Ok(mut to)) = (from, to) else { continue };
                thread::spawn(move || {
                    let _ended = io::copy(&mut from, &mut to);
                    let _closed = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
}

fn run(command: &mut Command) {
    let output = command.output().expect("iproute2 is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}", said.trim());
}
