//! The command `shoal`: arguments in, exit code out. What it does is in [`send`], [`receive`] and [`code`];
//! what it says, in [`output`].

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use native_peer::PublicKey;
use tracing_subscriber::EnvFilter;

use crate::failure::{Code, Failure};
use crate::output::Output;

mod code;
mod failure;
mod identity;
mod only;
mod output;
mod people;
mod receive;
mod room;
mod say;
mod send;
mod size;
mod waits;

const EXIT_CODES: &str = "\
Exit codes:
    0  done: verified and on disk
    1  something unexpected
    2  the command line is wrong
    3  the text is no invite link or code, or a newer version's
    4  the server could not be reached in time
    5  the server refused
    6  nothing came within --timeout
    7  the disk is full, and stayed so for --timeout
    8  files changed since they were shared
    9  files could not be read or written
   10  the code is wrong, used up or expired
  130  stopped by a signal before it was done";

/// Where the server is if nobody says otherwise.
const DEFAULT_SERVER: &str = "http://localhost:8080";
/// Says otherwise.
const SERVER_VARIABLE: &str = "SHOAL_SERVER";

/// Send files straight from peer to peer. The server only introduces; it sees no file and no name.
#[derive(Debug, Parser)]
#[command(name = "shoal", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Share files and folders; prints a link for whoever is to have them
    #[command(after_help = EXIT_CODES)]
    Send(SendArguments),
    /// Receive everything that is shared in the room of an invite
    #[command(after_help = EXIT_CODES)]
    Receive(ReceiveArguments),
    /// Make a code to be spoken, such as 4-brave-otter-lamp, for an invite link
    #[command(after_help = EXIT_CODES)]
    Code(CodeArguments),
    /// Show and change whom you trust and avoid, in all rooms
    #[command(after_help = EXIT_CODES)]
    People(PeopleArguments),
}

#[derive(Debug, Args)]
struct PeopleArguments {
    #[command(subcommand)]
    command: Option<PeopleCommand>,
    /// Print one JSON object per line on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Where the list is kept, beside the device key
    #[arg(long, global = true, value_name = "DIR", env = "SHOAL_CONFIG", hide_env_values = true)]
    config_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum PeopleCommand {
    /// Trust somebody: what they share can be received with --trusted, and their name is known
    Trust {
        /// Their key, as it is shown when they are connected: 64 hexadecimal digits
        key: PublicKey,
        /// What you call them
        #[arg(long)]
        name: Option<String>,
    },
    /// Avoid somebody: never connect to them
    Avoid {
        /// Their key
        key: PublicKey,
        /// What you call them
        #[arg(long)]
        name: Option<String>,
    },
    /// Take somebody off the list
    Forget {
        /// Their key
        key: PublicKey,
    },
}

#[derive(Debug, Args)]
struct SendArguments {
    /// Files and folders; a folder arrives as a folder of that name
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The server that introduces peers: the address of its page
    #[arg(
        long,
        value_name = "URL",
        env = SERVER_VARIABLE,
        default_value = DEFAULT_SERVER,
        hide_env_values = true
    )]
    server: String,
    /// Print a code to be spoken, too, such as 4-brave-otter-lamp: good for one other, and ten minutes
    #[arg(long)]
    code: bool,
    /// End when so many others have everything, verified and on their disk; otherwise serve until
    /// interrupted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    until_received: Option<u32>,
    /// Begin anew, with a new link. Otherwise the same command goes on with the room and link of its last
    /// run, if that was interrupted
    #[arg(long)]
    new_room: bool,
    /// Lock the room when so many others have come: nobody else is let in afterwards
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    lock_after: Option<u32>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct ReceiveArguments {
    /// The invite, as `shoal send` or the page shows it: a link, or a code such as 4-brave-otter-lamp
    #[arg(required = true)]
    invite: Vec<String>,
    /// The folder to receive into; nothing in it is overwritten. Run the same command again to go on
    /// after an interruption
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// The server where a code was made (SHOAL_SERVER or http://localhost:8080 unless given), or another than
    /// the link's
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Receive only what this names: a file or folder by its path in the share, or a file by its name;
    /// * and ? stand for any characters but /. May be given more than once
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Receive only what people whom you trust share (see shoal people)
    #[arg(long)]
    trusted: bool,
    /// When everything is here, stay and serve it to others until interrupted
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct CodeArguments {
    /// The invite link that whoever enters the code is to get
    link: String,
    /// Print one JSON object per line on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Common {
    /// Print one JSON object per line on standard output
    #[arg(long)]
    json: bool,
    /// Send at most so much per second, to all others together, such as 2MiB
    #[arg(long, value_name = "RATE", value_parser = size::parse_rate)]
    upload_limit: Option<u64>,
    /// Receive at most so much per second, such as 2MiB
    #[arg(long, value_name = "RATE", value_parser = size::parse_rate)]
    download_limit: Option<u64>,
    /// Use at most so many connections to one peer; over a long path several are faster (8 unless given)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    lanes: Option<u8>,
    /// Give up after so many seconds without reaching the server (30 unless given) or, once there,
    /// without a byte moved (never unless given)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// What others see you as (user@machine unless given)
    #[arg(long)]
    name: Option<String>,
    /// Say something to everybody in the room, and to whoever comes later; - says each line of standard input
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    say: Option<String>,
    /// Neither show nor pass on what people in the room say
    #[arg(long, conflicts_with = "say")]
    no_chat: bool,
    /// Where the device key is kept (shoal in the user's configuration folder unless given)
    #[arg(long, value_name = "DIR", env = "SHOAL_CONFIG", hide_env_values = true)]
    config_dir: Option<PathBuf>,
    /// Offer the loopback address too, for peers on this machine without a network
    #[arg(long, hide = true)]
    loopback: bool,
}

impl Common {
    /// How long to go without reaching the server for the first time.
    fn patience_for_server(&self) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(30))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("SHOAL_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let (json, intent) = match &arguments.command {
        Command::Send(arguments) => (arguments.common.json, "send"),
        Command::Receive(arguments) => (arguments.common.json, "receive"),
        Command::Code(arguments) => (arguments.json, "give the invite"),
        Command::People(arguments) => (arguments.json, "change the list"),
    };
    let mut output = Output::new(json);
    match run(arguments.command, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failed(intent, &failure);
            failure.exit_code()
        }
    }
}

fn run(command: Command, output: &mut Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Other, error.to_string()))?;
    match command {
        Command::Send(arguments) => runtime.block_on(send::run(arguments, output)),
        Command::Receive(arguments) => runtime.block_on(receive::run(arguments, output)),
        Command::Code(arguments) => runtime.block_on(code::run(arguments, output)),
        Command::People(arguments) => people::run(arguments, output),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_the_readme_shows_is_understood() {
        for line in [
            "shoal send a.txt folder",
            "shoal send a --server https://example.org --json --until-received 2 --upload-limit 2MiB",
            "shoal receive https://example.org/#abc",
            "shoal receive https://example.org/#abc -o downloads --json --download-limit 500kB/s",
            "shoal receive https://example.org/#abc --only album/*.jpg --only notes",
            "shoal send a.txt --code",
            "shoal receive 4-brave-otter-lamp",
            "shoal receive 4 brave otter lamp --server https://example.org -o downloads",
            "shoal code https://example.org/#abc --json",
            "shoal receive https://example.org/#abc --stay --timeout 60 --name nas --config-dir c",
            "shoal receive https://example.org/#abc --trusted",
            "shoal send a.txt --lock-after 1",
            "shoal send a.txt --say hello",
            "shoal receive https://example.org/#abc --say -",
            "shoal receive https://example.org/#abc --no-chat",
            "shoal people",
        ] {
            Arguments::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }

    #[test]
    fn wrong_command_lines_end_with_2() {
        for line in [
            "shoal",
            "shoal send",
            "shoal receive",
            "shoal send a --upload-limit fast",
            "shoal send a --until-received 0",
            "shoal people trust anna",
            "shoal send a --say hello --no-chat",
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), Code::Usage as i32, "{line}");
        }
    }
}
