//! Every check of `cargo xtask test`: cheap ones first, and a failed one does not keep the
//! others from running, except those that need what it should have built.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::fuzz;
use crate::page;
use crate::panics::Panics;
use crate::reproduce;
use crate::run::{could_not_start, output, run, show};
use crate::tally::Tally;
use crate::wasm::{self, Toolchain};
use crate::workspace::Workspace;

/// What runs in the browser.
const BROWSER: [&str; 6] = ["-p", "protocol", "-p", "wasm-peer", "-p", "web"];

/// What is checked and tested on the host; the page's crate holds parts that need no browser. One
/// selection for all of cargo's commands: for another it would compile dependencies again, with
/// other features.
const HOST: [&str; 3] = ["--workspace", "--exclude", "wasm-peer"];

/// The simulation as a tool. Not among [`HOST`]: the products are built without it.
const SIMULATOR: [&str; 6] = ["-p", "protocol", "--features", "simulation", "--bin", "simulate"];

/// Tests that count what is allocated, beside those of the simulator.
const COUNTED: [&str; 2] = ["--test", "floods"];

/// What of the module needs no browser: formats, layouts, names. Not among [`HOST`], which would then
/// build its workers for a machine that cannot run them.
const MODULE: [&str; 3] = ["-p", "wasm-peer", "--lib"];

/// Which tests to run.
pub(crate) struct Selection {
    /// Only tests whose name contains this; then the static checks are left out.
    pub(crate) filter: Option<String>,
    /// Also those that take long; they see `SHOAL_LONG=1`.
    pub(crate) long: bool,
}

/// Runs the checks and ends with the line `N passed, N failed`.
pub(crate) fn test(workspace: &Workspace, selection: &Selection) -> Result {
    let wasm = Toolchain::find(workspace).ok_or("the compiler for the browser is missing")?;
    let everything = selection.filter.is_none();
    let mut report = Report::default();

    if everything {
        report.check("format", || run(workspace.cargo().args(["fmt", "--all", "--check"])));
        report.check("licences and sources", || licences(workspace));
        // In the page's profile, and below in the release profile, so that build scripts and
        // macros compile once for checks and builds.
        report.check("clippy, browser", || {
            let mut cargo = wasm.cargo(workspace);
            cargo.args(["clippy", "--profile", "web", "--target", wasm::TARGET]).args(BROWSER);
            run(cargo.args(["--", "-D", "warnings"]))
        });
        report.check("documentation, browser", || {
            let mut cargo = wasm.cargo(workspace);
            cargo.args(["doc", "--no-deps", "--document-private-items", "--profile", "web"]);
            run(cargo.args(["--target", wasm::TARGET]).args(BROWSER))
        });
    }
    // Before anything that compiles the server, which embeds it.
    let page = report.check("page", || page::build(workspace, page::Profile::Web));
    if everything {
        report.check("clippy", || {
            let mut cargo = workspace.cargo();
            cargo.args(["clippy", "--release", "--all-targets"]).args(HOST);
            run(cargo.args(["--", "-D", "warnings"]))
        });
        report.check("clippy, simulator", || {
            let mut cargo = workspace.cargo();
            cargo.args(["clippy", "--release"]).args(SIMULATOR).args(COUNTED);
            run(cargo.args(["--", "-D", "warnings"]))
        });
        report.check("documentation", || {
            let mut cargo = workspace.cargo();
            cargo.args(["doc", "--no-deps", "--document-private-items", "--release"]).args(HOST);
            run(&mut cargo)
        });
    }
    let built = report.check("build", || build(workspace));

    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release", "--no-fail-fast"]).args(HOST);
    if !(page && built) {
        // End to end there is nothing new to test; the rest can still tell something.
        cargo.args(["--exclude", "tests"]);
    }
    if selection.long {
        cargo.env("SHOAL_LONG", "1");
    }
    report.harness("tests", cargo.args(&selection.filter));
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release"]).args(SIMULATOR).args(COUNTED);
    if selection.long {
        cargo.env("SHOAL_LONG", "1");
    }
    report.harness("tests of the simulator", cargo.args(&selection.filter));
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--release"]).args(MODULE);
    report.harness("tests of the module", cargo.args(&selection.filter));
    if selection.long && everything {
        report.check("two builds of the page", || reproduce::builds(workspace).map(drop));
        fuzz_all(workspace, &mut report);
    }
    report.close()
}

/// Fuzzes every target for a while; each counts as a test.
fn fuzz_all(workspace: &Workspace, report: &mut Report) {
    let mut targets = Vec::new();
    let built = report.check("fuzzing, build", || {
        targets = fuzz::targets(workspace)?;
        fuzz::build(workspace)
    });
    for target in targets.iter().filter(|_| built) {
        report.check(&format!("fuzzing, {target}"), || {
            fuzz::target(workspace, target, fuzz::SECONDS)
        });
    }
}

/// Runs the benchmarks, or the one of this name.
pub(crate) fn bench(workspace: &Workspace, name: Option<String>) -> Result {
    page::build(workspace, page::Profile::Web)?;
    build(workspace)?;
    let mut bench = workspace.command(workspace.product("bench"));
    show(bench.args(name));
    let status = bench.status().map_err(|error| could_not_start(&bench, &error))?;
    // It has said what is wrong.
    if status.success() { Ok(()) } else { Err(String::new()) }
}

/// Takes the pictures of the page that the documentation shows.
pub(crate) fn screenshots(workspace: &Workspace) -> Result {
    page::build(workspace, page::Profile::Web)?;
    build(workspace)?;
    run(&mut workspace.command(workspace.product("screenshots")))
}

/// Runs the simulation with these options.
pub(crate) fn simulate(workspace: &Workspace, options: Vec<String>) -> Result {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release"]).args(SIMULATOR);
    run(&mut cargo)?;
    let mut simulate = workspace.command(workspace.product("simulate"));
    show(simulate.args(options));
    let status = simulate.status().map_err(|error| could_not_start(&simulate, &error))?;
    // It has said what is wrong.
    if status.success() { Ok(()) } else { Err(String::new()) }
}

/// Builds what the tests and benchmarks run, and those themselves.
fn build(workspace: &Workspace) -> Result {
    run(workspace.cargo().args(["build", "--release"]).args(HOST))
}

/// Licences, duplicates and sources always; known vulnerabilities where their list, a git
/// repository, can be fetched.
fn licences(workspace: &Workspace) -> Result {
    let deny = || {
        let mut deny = workspace.command("cargo-deny");
        deny.arg("--locked");
        deny
    };
    run(deny().args(["check", "bans", "licenses", "sources"]))?;
    if output(deny().args(["fetch", "db"])).is_none() {
        eprintln!("the list of known vulnerabilities is out of reach: not checked");
        return Ok(());
    }
    run(deny().args(["--offline", "check", "advisories"]))
}

/// What ran, how long it took and what came of it.
#[derive(Default)]
struct Report {
    steps: Vec<Step>,
    sum: Tally,
    /// What failed tests said.
    failures: Vec<String>,
}

struct Step {
    name: String,
    took: Duration,
    outcome: String,
}

impl Report {
    /// Runs a check that passes or fails as a whole.
    fn check(&mut self, name: &str, check: impl FnOnce() -> Result) -> bool {
        self.step(name, || {
            let result = check();
            if let Err(error) = &result {
                eprintln!("{name}: {error}");
            }
            (Tally::of(result.is_ok()), None)
        })
    }

    /// Runs a test harness, passes its output on and counts what it says.
    fn harness(&mut self, name: &str, command: &mut Command) {
        let mut panics = Panics::default();
        self.step(name, || match count(command, &mut panics) {
            Ok(tally) => (tally, Some(tally)),
            Err(error) => {
                eprintln!("{name}: {error}");
                (Tally::of(false), None)
            }
        });
        self.failures.extend(panics.told);
    }

    fn step(&mut self, name: &str, step: impl FnOnce() -> (Tally, Option<Tally>)) -> bool {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let (tally, counted) = step();
        let took = start.elapsed();
        let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
        let outcome = match counted {
            Some(Tally { passed, failed }) => {
                format!("{verdict}: {passed} passed, {failed} failed")
            }
            None => verdict.to_owned(),
        };
        self.sum += tally;
        self.steps.push(Step { name: name.to_owned(), took, outcome });
        tally.failed == 0
    }

    /// Prints what failed tests said, the table and, last, the sum.
    fn close(self) -> Result {
        eprintln!();
        for failure in &self.failures {
            eprintln!("{failure}");
        }
        for Step { name, took, outcome } in &self.steps {
            eprintln!("{:>8.1} s  {name:<24} {outcome}", took.as_secs_f64());
        }
        let Tally { passed, failed } = self.sum;
        println!("{passed} passed, {failed} failed");
        if failed == 0 { Ok(()) } else { Err(String::new()) }
    }
}

/// Runs a harness, notes what failed tests say, and sums its closing lines. One that fails without
/// naming a failed test (it did not compile, or died) counts as one failure.
fn count(command: &mut Command, panics: &mut Panics) -> Result<Tally> {
    show(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| could_not_start(command, &error))?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let mut sum = Tally::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|error| format!("could not read the tests' output: {error}"))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        panics.read(&line);
        if let Some(tally) = Tally::parse(&line) {
            sum += tally;
        }
    }
    let status = child.wait().map_err(|error| format!("could not wait for the tests: {error}"))?;
    if !status.success() && sum.failed == 0 {
        sum += Tally::of(false);
    }
    Ok(sum)
}
