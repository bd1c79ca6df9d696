//! Set-up: what serving and testing need, whether it is here, and how to get it. The versions
//! of all tools are pinned in this file, except wasm-bindgen's, which must equal Cargo.lock's.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::time::Instant;

use crate::Result;
use crate::apt;
use crate::run::{find_on_path, on_path, output, run};
use crate::wasm;
use crate::workspace::Workspace;

/// 0.22 needs a newer compiler than ours and half an hour to build.
pub(crate) const TRUNK: &str = "0.21.14";
const BINARYEN: &str = "132.0.0";
const AXE_CORE: &str = "4.14.1";
const GECKODRIVER: &str = "0.37.1";
const CARGO_DENY: &str = "0.20.2";
const CARGO_FUZZ: &str = "0.13.2";

/// What the tools are for; testing includes serving.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Serve,
    Test,
    Fuzz,
}

/// One thing that has to be here.
struct Need<'a> {
    name: String,
    /// What it is for, to follow its name.
    why: &'static str,
    /// On two cores and an ordinary network.
    minutes: u32,
    present: bool,
    install: Box<dyn Fn() -> Result + 'a>,
}

/// Installs what is missing for `purpose`; quick when nothing is.
pub(crate) fn set_up(workspace: &Workspace, purpose: Purpose) -> Result {
    let mut missing = match purpose {
        Purpose::Fuzz => fuzz_needs(workspace),
        Purpose::Serve | Purpose::Test => serve_needs(workspace)?,
    };
    if purpose == Purpose::Test {
        missing.extend(test_needs(workspace));
    }
    missing.retain(|need| !need.present);
    if missing.is_empty() {
        eprintln!("set-up: nothing is missing");
        return Ok(());
    }

    let minutes: u32 = missing.iter().map(|need| need.minutes).sum();
    eprintln!("set-up: installing what is missing, about {minutes} minutes on 2 cores:");
    for need in &missing {
        eprintln!("  {:<26} {:>2} min  {}", need.name, need.minutes, need.why);
    }
    eprintln!("Tools go to {}", workspace.tools().display());
    for need in &missing {
        let start = Instant::now();
        eprintln!("\nset-up: {}", need.name);
        (need.install)().map_err(|error| format!("could not install {}: {error}", need.name))?;
        eprintln!("set-up: {} is here ({} s)", need.name, start.elapsed().as_secs());
    }
    // Intermediate results of the builds above, shared between them.
    let build = workspace.tools().join("build");
    if build.is_dir() {
        fs::remove_dir_all(&build)
            .map_err(|error| format!("could not remove {}: {error}", build.display()))?;
    }
    Ok(())
}

/// Whether the page can be made smaller once it is built.
pub(crate) fn has_wasm_opt(workspace: &Workspace) -> bool {
    workspace.npm_bin().join("wasm-opt").is_file()
}

fn serve_needs(workspace: &Workspace) -> Result<Vec<Need<'_>>> {
    let wasm_bindgen = workspace.locked_version("wasm-bindgen")?;
    let mut needs = vec![
        Need {
            name: "Rust for the browser".into(),
            why: "the standard library for wasm32-unknown-unknown",
            minutes: 1,
            present: wasm::Toolchain::find(workspace).is_some(),
            install: Box::new(|| wasm::Toolchain::install(workspace)),
        },
        cargo_tool(
            workspace,
            // Only this program, and without TLS, which its others need. Not `--locked`: its own
            // lock file asks for a version that the registry does not have.
            CargoTool {
                package: "wasm-bindgen-cli",
                program: "wasm-bindgen",
                flags: &["--bin=wasm-bindgen", "--no-default-features"],
            },
            wasm_bindgen,
            "makes the JavaScript that loads the page's code",
            2,
        ),
        cargo_tool(
            workspace,
            // Without the features that download: set-up is what installs tools.
            CargoTool {
                package: "trunk",
                program: "trunk",
                flags: &["--locked", "--no-default-features"],
            },
            TRUNK.into(),
            "bundles the page",
            4,
        ),
    ];
    if on_path("npm") {
        needs.push(Need {
            name: format!("binaryen {BINARYEN}"),
            why: "its wasm-opt makes the page a third smaller",
            minutes: 1,
            present: npm_version(workspace.npm(), "binaryen").as_deref() == Some(BINARYEN),
            install: Box::new(|| npm_install(workspace, workspace.npm(), "binaryen", BINARYEN)),
        });
    } else if !has_wasm_opt(workspace) {
        eprintln!("set-up: without npm there is no wasm-opt; the page works, a third larger");
    }
    Ok(needs)
}

fn test_needs(workspace: &Workspace) -> Vec<Need<'_>> {
    let clippy = |wasm: &wasm::Toolchain| wasm.has_clippy(workspace);
    vec![
        Need {
            name: "rustfmt and clippy".into(),
            why: "formatting and lints",
            minutes: 1,
            present: output(workspace.cargo().args(["fmt", "--version"])).is_some()
                && output(workspace.cargo().args(["clippy", "--version"])).is_some(),
            install: Box::new(|| {
                run(workspace.command("rustup").args(["component", "add", "rustfmt", "clippy"]))
            }),
        },
        Need {
            name: "clippy for the browser".into(),
            why: "lints of what runs in the page",
            minutes: 1,
            // Where there is no compiler yet, serving's needs bring it first; Debian's has
            // clippy in a package of its own.
            present: wasm::Toolchain::find(workspace).as_ref().is_some_and(clippy),
            install: Box::new(|| match wasm::Toolchain::find(workspace) {
                Some(wasm) if !wasm.has_clippy(workspace) => wasm.install_clippy(workspace),
                _ => Ok(()),
            }),
        },
        Need {
            name: "browsers".into(),
            why: "the tests open the page in Chromium and Firefox",
            minutes: 1,
            present: on_path("chromium")
                && on_path("chromedriver")
                && (on_path("firefox-esr") || on_path("firefox")),
            install: Box::new(|| apt::install(&["chromium", "chromium-driver", "firefox-esr"])),
        },
        cargo_tool(
            workspace,
            CargoTool { package: "geckodriver", program: "geckodriver", flags: &["--locked"] },
            GECKODRIVER.into(),
            "drives Firefox",
            2,
        ),
        Need {
            name: format!("axe-core {AXE_CORE}"),
            why: "looks for what keeps people from using the page",
            minutes: 1,
            present: npm_version(workspace.npm_for_tests(), "axe-core").as_deref()
                == Some(AXE_CORE),
            install: Box::new(|| {
                if !on_path("npm") {
                    apt::install(&["npm"])?;
                }
                npm_install(workspace, workspace.npm_for_tests(), "axe-core", AXE_CORE)
            }),
        },
        cargo_tool(
            workspace,
            CargoTool { package: "cargo-deny", program: "cargo-deny", flags: &["--locked"] },
            CARGO_DENY.into(),
            "checks licences and sources of what we depend on",
            4,
        ),
    ]
}

fn fuzz_needs(workspace: &Workspace) -> Vec<Need<'_>> {
    vec![
        Need {
            name: "a C++ compiler".into(),
            why: "libFuzzer is written in C++",
            minutes: 1,
            present: on_path("c++"),
            install: Box::new(|| apt::install(&["g++"])),
        },
        cargo_tool(
            workspace,
            CargoTool { package: "cargo-fuzz", program: "cargo-fuzz", flags: &["--locked"] },
            CARGO_FUZZ.into(),
            "builds and runs what is fuzzed",
            1,
        ),
    ]
}

/// A program that `cargo install` builds.
#[derive(Clone, Copy)]
struct CargoTool {
    package: &'static str,
    program: &'static str,
    flags: &'static [&'static str],
}

fn cargo_tool<'a>(
    workspace: &'a Workspace,
    tool: CargoTool,
    version: String,
    why: &'static str,
    minutes: u32,
) -> Need<'a> {
    let program = workspace.tools_bin().join(tool.program);
    // `trunk 0.21.14`, `geckodriver 0.37.1 (…)`
    let here = output(workspace.command(program).arg("--version"));
    let here = here.as_deref().and_then(|text| text.split_whitespace().nth(1));
    Need {
        name: format!("{} {version}", tool.package),
        why,
        minutes,
        present: here == Some(&version),
        install: Box::new(move || install_cargo_tool(workspace, tool, &version)),
    }
}

/// Installs with a profile that builds in a fraction of the time and runs fast enough: some of
/// these tools ask for link-time optimisation of everything.
fn install_cargo_tool(workspace: &Workspace, tool: CargoTool, version: &str) -> Result {
    let mut cargo = workspace.cargo();
    cargo
        // Away from the checkout: its .cargo/config.toml is not for these.
        .current_dir(make_dir(workspace.tools().to_owned())?)
        .arg("install")
        .args(tool.flags)
        .arg("--root")
        .arg(workspace.tools())
        .arg(format!("{}@{version}", tool.package))
        .env("CARGO_TARGET_DIR", workspace.tools().join("build"))
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    if !stderr().is_terminal() {
        cargo.arg("--quiet");
    }
    run(&mut cargo).map_err(|error| {
        format!("{error}\nIs the crate registry reachable? Try again; what was built is kept.")
    })
}

fn npm_version(prefix: PathBuf, package: &str) -> Option<String> {
    let manifest = prefix.join("node_modules").join(package).join("package.json");
    let manifest = fs::read_to_string(manifest).ok()?;
    let (_, rest) = manifest.split_once("\"version\": \"")?;
    let (version, _) = rest.split_once('"')?;
    Some(version.to_owned())
}

/// Puts one package into a folder of its own: npm would take any other away.
fn npm_install(workspace: &Workspace, prefix: PathBuf, package: &str, version: &str) -> Result {
    let npm = find_on_path("npm").ok_or("npm is gone")?;
    let mut npm = workspace.command(npm);
    npm.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"])
        .args(["--omit-lockfile-registry-resolved=true", "--loglevel=error", "--prefix"])
        .arg(make_dir(prefix)?)
        .arg(format!("{package}@{version}"));
    run(&mut npm).map_err(|error| format!("{error}\nIs the npm registry reachable?"))
}

fn make_dir(dir: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&dir)
        .map_err(|error| format!("could not make {}: {error}", dir.display()))?;
    Ok(dir)
}
