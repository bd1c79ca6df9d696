//! The command `signaling-server`: reads its arguments, starts the server, and stops it on a signal.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use signaling_server::{IceError, IceServers, Limits, Options, Server, Timeouts};
use tracing::level_filters::LevelFilter;

/// Introduces Shoal's peers to each other, and carries the page.
///
/// It never sees a file, a file name, or anything it could use to get between two peers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// STUN or TURN server that clients should use, such as stun:stun.example.org or
    /// turn:turn.example.org:3478; may be given several times. A LAN needs none
    #[arg(long = "ice-server", value_name = "URL")]
    ice_servers: Vec<String>,
    /// Secret shared with the TURN server (coturn: static-auth-secret). Others on this machine can see
    /// arguments: prefer the file or the environment variable
    #[arg(long, value_name = "SECRET", env = "SHOAL_TURN_SECRET", hide_env_values = true)]
    turn_secret: Option<String>,
    /// File with the secret shared with the TURN server
    #[arg(long, value_name = "FILE", conflicts_with = "turn_secret")]
    turn_secret_file: Option<PathBuf>,
    /// How long TURN credentials are good for, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 6 * 60 * 60, value_parser = clap::value_parser!(u32).range(60..))]
    turn_lifetime: u32,
    /// Serve the page from this folder instead of the one inside the program (for development)
    #[arg(long, value_name = "FOLDER")]
    page: Option<PathBuf>,
    /// Take clients' addresses from X-Forwarded-For. Only behind a reverse proxy that sets it
    #[arg(long)]
    trust_forwarded_for: bool,
    /// Connections to the signaling service at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_sockets)]
    max_sockets: usize,
    /// The same from one address (IPv6: from one /64 network)
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_sockets_per_address)]
    max_sockets_per_address: usize,
    /// Rooms at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_rooms)]
    max_rooms: usize,
    /// Members of one room
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_members)]
    max_members: usize,
    /// How long a code to be spoken can be used, in seconds; clients hold to ten minutes at most
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=600))]
    code_life: u32,
    /// How the log on standard error looks
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// How much is logged: off, error, warn, info, debug or trace. Addresses appear from debug on
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(&arguments);
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signaling-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::new(options(&arguments)?)?;
    allow_open_files(server.max_connections());
    let listener = server.bind(arguments.listen)?;
    let stop = stop_signal()?;
    // Programs wait for this line, through a pipe, where it would otherwise stay in a buffer.
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {}", listener.url())?;
    stdout.flush()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "listening");

    let stopper = server.clone();
    tokio::spawn(async move {
        stop.await;
        stopper.shutdown();
    });
    server.listen(listener).await;
    Ok(())
}

fn options(arguments: &Arguments) -> Result<Options, SettingError> {
    let secret = match &arguments.turn_secret_file {
        Some(file) => Some(
            std::fs::read_to_string(file)
                .map_err(|source| SettingError::SecretFile { path: file.clone(), source })?,
        ),
        None => arguments.turn_secret.clone(),
    };
    let lifetime = Duration::from_secs(arguments.turn_lifetime.into());
    Ok(Options {
        limits: Limits {
            max_sockets: arguments.max_sockets,
            max_sockets_per_address: arguments.max_sockets_per_address,
            max_rooms: arguments.max_rooms,
            max_members: arguments.max_members,
            ..Limits::default()
        },
        timeouts: Timeouts {
            code_life: Duration::from_secs(arguments.code_life.into()),
            ..Timeouts::default()
        },
        ice_servers: IceServers::new(&arguments.ice_servers, secret.as_deref(), lifetime)?,
        page: arguments.page.clone(),
        trust_forwarded_for: arguments.trust_forwarded_for,
    })
}

#[derive(Debug, thiserror::Error)]
enum SettingError {
    #[error(transparent)]
    Ice(#[from] IceError),
    #[error("could not read the TURN secret from {}: {source}", path.display())]
    SecretFile { path: PathBuf, source: io::Error },
}

fn start_log(arguments: &Arguments) {
    let log = tracing_subscriber::fmt()
        .with_max_level(arguments.log_level)
        .with_writer(io::stderr)
        .with_ansi(false);
    match arguments.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Raises the soft limit of open files to what the connections need, as far as the hard limit allows:
/// most systems start programs with 1024.
#[cfg(unix)]
fn allow_open_files(connections: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    const OTHER_FILES: u64 = 64;
    let needed = (connections as u64).saturating_add(OTHER_FILES);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
    let raised = setrlimit(Resource::Nofile, limit);
    if raised.is_err() || limit.current != Some(needed) {
        tracing::warn!(
            needed,
            allowed = getrlimit(Resource::Nofile).current,
            "fewer open files are allowed than connections; raise the limit (ulimit -n) or lower --max-sockets"
        );
    }
}

#[cfg(not(unix))]
fn allow_open_files(_connections: usize) {}

/// Resolves at the first SIGTERM or SIGINT.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves at Ctrl+C.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
