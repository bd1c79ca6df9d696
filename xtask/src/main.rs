//! `cargo xtask`: everything one does with this repository, each as one command that also
//! sets up what it needs. It knows no details of Shoal: it runs cargo, Trunk and the browsers'
//! drivers, and uses no crate of ours. This file reads the command line; see `setup` for what
//! gets installed, `wasm` for the browser's compiler, `product` for what is built and
//! `checks` for what `test` runs.

// Steps are timed; there is no other clock here.
#![allow(clippy::disallowed_methods)]

mod apt;
mod checks;
mod fuzz;
mod page;
mod panics;
mod product;
mod reproduce;
mod run;
mod setup;
mod stamp;
mod tally;
mod wasm;
mod workspace;

use std::env;
use std::process::ExitCode;

use crate::checks::Selection;
use crate::setup::{Purpose, set_up};
use crate::workspace::Workspace;

/// An error is a message for the person at the terminal that says what to do next. It is empty
/// where everything has been said.
type Result<T = ()> = std::result::Result<T, String>;

struct Command {
    name: &'static str,
    /// Its first line says how to call it, the second what it does.
    help: &'static str,
    run: fn(&Workspace, &mut Arguments) -> Result,
}

const COMMANDS: [Command; 10] = [
    Command {
        name: "serve",
        help: "\
cargo xtask serve [--listen ADDR:PORT]
Build the page and the server, and run it on http://localhost:8080

  --listen ADDR:PORT   listen elsewhere (port 0 takes a free one)

The last line printed is the address.
",
        run: serve,
    },
    Command {
        name: "test",
        help: "\
cargo xtask test [--long] [FILTER]
Run every check and every test, in browsers too

  --long   also tests that take long (they see SHOAL_LONG=1)
  FILTER   only build, then run the tests whose names contain FILTER

The last line is `N passed, N failed`; the exit code is 0 only if nothing failed.
",
        run: test,
    },
    Command {
        name: "build",
        help: "\
cargo xtask build
Build target/release/signaling-server, page inside, and target/release/shoal
",
        run: build,
    },
    Command {
        name: "page",
        help: "\
cargo xtask page [--debug]
Build only the page, to target/page

  --debug   compile quickly and keep names for stack traces; far larger
",
        run: build_page,
    },
    Command {
        name: "bench",
        help: "\
cargo xtask bench [NAME]
Build everything and run the benchmarks, or the one called NAME
",
        run: bench,
    },
    Command {
        name: "screenshots",
        help: "\
cargo xtask screenshots
Build everything and take the pictures in docs/screens anew
",
        run: screenshots,
    },
    Command {
        name: "fuzz",
        help: "\
cargo xtask fuzz [SECONDS] [TARGET]
Fuzz every decoder and the whole machine, each for a minute, or only TARGET

  SECONDS   for each target (60)
  TARGET    a file in fuzz/fuzz_targets

Ends with what it found first, or with the exit code 0 if that was nothing.
",
        run: run_fuzz,
    },
    Command {
        name: "reproduce",
        help: "\
cargo xtask reproduce [--against URL]
Build the page twice from nothing, in different folders, and compare; print the SHA-256 of its files

  --against URL   also compare with what the server at this address serves (with curl)

See docs/security.md.
",
        run: run_reproduce,
    },
    Command {
        name: "simulate",
        help: "\
cargo xtask simulate [OPTIONS]
Simulate a room in which everybody receives what one shares, and say how long it takes

  --peers N          receivers, beside the origin (12)
  --uplink RATE      what each can send per second, such as 512KiB (1MiB)
  --pieces N         pieces of the share (1000)
  --piece SIZE       bytes of a piece: 256KiB, or less for as many small files (256KiB)
  --rtt TIME         round trip (50ms)
  --seed S           another number, another run; the same number, the same run (1)
  --scenario NAME    equal, unequal, late, leavers, liars or sites (equal)
  --faults COUNT     instead, go through everything that can go wrong in COUNT small rooms,
                     with seeds from S on
  --connections N    the most connections that each has
  --slots N          the most peers that each sends blocks to at a time
  --cap RATE         what each lets itself send, besides what it can
  --memory TIME      instead, say how much memory each has allocated so long after all began to
                     receive; 0ms is before
  --svg FILE         also draw who had how much when
  --json             end with one line of JSON

The exit code is 0 only if everybody got it, and as it was. See docs/simulation.md.
",
        run: simulate,
    },
    Command {
        name: "setup",
        help: "\
cargo xtask setup [--for serve|test]
Install what serving (default) or testing needs and is missing

Tools go to a directory of their own, $SHOAL_TOOLS or ~/.cache/shoal, in the versions this
repository pins. The standard library for the browser is added by rustup; where that is not
possible, and for browsers, apt-get is used (as root or through sudo).
The other commands do this by themselves.
",
        run: setup,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_empty() {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[String]) -> Result {
    let Some((name, rest)) = words.split_first() else {
        return Err(format!("say which command\n\n{}", usage()));
    };
    match name.as_str() {
        product::ANNOUNCE => return product::announce(),
        "help" | "--help" | "-h" => {
            print!("{}", usage());
            return Ok(());
        }
        _ => {}
    }
    let command = COMMANDS
        .iter()
        .find(|command| command.name == name)
        .ok_or_else(|| format!("there is no command {name}\n\n{}", usage()))?;
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        print!("{}", command.help);
        return Ok(());
    }
    let mut arguments = Arguments { rest: rest.to_vec(), help: command.help };
    (command.run)(&Workspace::find()?, &mut arguments)
}

fn usage() -> String {
    let mut usage = "Each of these first installs what it finds missing, and says so.\n".to_owned();
    for command in &COMMANDS {
        let mut lines = command.help.lines();
        let (call, what) = (lines.next(), lines.next());
        usage += &format!("\n{}\n    {}\n", call.unwrap_or_default(), what.unwrap_or_default());
    }
    usage
}

fn serve(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    let listen = arguments.value("--listen")?;
    arguments.finish()?;
    set_up(workspace, Purpose::Serve)?;
    product::server(workspace)?;
    product::serve(workspace, listen.as_deref().unwrap_or("127.0.0.1:8080"))
}

fn test(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    let long = arguments.flag("--long");
    let filter = arguments.word();
    arguments.finish()?;
    set_up(workspace, Purpose::Test)?;
    if long {
        set_up(workspace, Purpose::Fuzz)?;
    }
    checks::test(workspace, &Selection { filter, long })
}

fn build(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    arguments.finish()?;
    set_up(workspace, Purpose::Serve)?;
    product::all(workspace)
}

fn build_page(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    let debug = arguments.flag("--debug");
    arguments.finish()?;
    set_up(workspace, Purpose::Serve)?;
    let profile = if debug { page::Profile::Debug } else { page::Profile::Web };
    page::build(workspace, profile)
}

fn bench(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    let name = arguments.word();
    arguments.finish()?;
    set_up(workspace, Purpose::Test)?;
    checks::bench(workspace, name)
}

fn screenshots(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    arguments.finish()?;
    set_up(workspace, Purpose::Test)?;
    checks::screenshots(workspace)
}

fn run_fuzz(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    let words = [arguments.word(), arguments.word()].into_iter().flatten();
    arguments.finish()?;
    let (mut seconds, mut targets) = (fuzz::SECONDS, fuzz::targets(workspace)?);
    for word in words {
        match word.parse() {
            Ok(number) => seconds = number,
            Err(_) if targets.contains(&word) => targets = vec![word],
            Err(_) => {
                return Err(format!("there is no target {word}, only {}", targets.join(", ")));
            }
        }
    }
    set_up(workspace, Purpose::Fuzz)?;
    fuzz::build(workspace)?;
    targets.iter().try_for_each(|target| fuzz::target(workspace, target, seconds))
}

fn run_reproduce(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    let against = arguments.value("--against")?;
    arguments.finish()?;
    set_up(workspace, Purpose::Serve)?;
    let sums = reproduce::builds(workspace)?;
    println!("{sums}");
    against.map_or(Ok(()), |address| reproduce::served(workspace, &sums, &address))
}

fn simulate(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    checks::simulate(workspace, std::mem::take(&mut arguments.rest))
}

fn setup(workspace: &Workspace, arguments: &mut Arguments) -> Result {
    let purpose = match arguments.value("--for")?.as_deref() {
        None | Some("serve") => Purpose::Serve,
        Some("test") => Purpose::Test,
        Some(other) => return Err(format!("--for takes serve or test, not {other}")),
    };
    arguments.finish()?;
    set_up(workspace, purpose)
}

/// The words after the command, taken out one by one.
struct Arguments {
    rest: Vec<String>,
    help: &'static str,
}

impl Arguments {
    /// Takes out `name` if it is there.
    fn flag(&mut self, name: &str) -> bool {
        let place = self.rest.iter().position(|word| word == name);
        place.map(|place| self.rest.remove(place)).is_some()
    }

    /// Takes out `name VALUE` or `name=VALUE`.
    fn value(&mut self, name: &str) -> Result<Option<String>> {
        let prefix = format!("{name}=");
        let Some(place) =
            (self.rest.iter()).position(|word| word == name || word.starts_with(&prefix))
        else {
            return Ok(None);
        };
        let word = self.rest.remove(place);
        if let Some(value) = word.strip_prefix(&prefix) {
            return Ok(Some(value.to_owned()));
        }
        if place == self.rest.len() {
            return Err(format!("{name} takes a value\n\n{}", self.help));
        }
        Ok(Some(self.rest.remove(place)))
    }

    /// Takes out the first word that is not an option.
    fn word(&mut self) -> Option<String> {
        let place = self.rest.iter().position(|word| !word.starts_with('-'))?;
        Some(self.rest.remove(place))
    }

    /// Nothing may be left.
    fn finish(&self) -> Result {
        match self.rest.first() {
            None => Ok(()),
            Some(word) => Err(format!("not understood: {word}\n\n{}", self.help)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments { rest: words.iter().map(|word| (*word).to_owned()).collect(), help: "" }
    }

    #[test]
    fn options_are_found_in_any_order_and_both_spellings() {
        let mut words = arguments(&["--long", "resume", "--for=test", "--listen", "[::1]:0"]);
        assert!(words.flag("--long"));
        assert!(!words.flag("--long"));
        assert_eq!(words.value("--for").unwrap().as_deref(), Some("test"));
        assert_eq!(words.value("--listen").unwrap().as_deref(), Some("[::1]:0"));
        assert_eq!(words.word().as_deref(), Some("resume"));
        assert!(words.finish().is_ok());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(arguments(&["--lnog"]).finish().is_err());
        assert!(arguments(&["--listen"]).value("--listen").is_err());
    }
}
