//! The compiler for `wasm32-unknown-unknown`. Where rustup can add the target to the
//! toolchain in use, that is all. Where it cannot (no rustup, or only package registries are
//! reachable), Debian's own compiler is taken and its standard library built from the source
//! that Debian ships, into a sysroot of ours.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::apt;
use crate::run::{on_path, output, run};
use crate::workspace::{RUSTDOC_FLAGS, Workspace};

/// The target's name in Rust.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Compiler, cargo, library source and linker for the second way; compiler and source come from
/// one source package and so fit each other.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const DEBIAN_CLIPPY: &str = "rust-web-clippy";
const DEBIAN_BIN: &str = "/usr/bin";
const DEBIAN_LINKER: &str = "wasm-ld-22";

/// A compiler with a standard library for the browser.
pub(crate) enum Toolchain {
    /// The host's own, with the target added.
    Host,
    /// Debian's, with our build of its standard library.
    Debian { sysroot: PathBuf },
}

impl Toolchain {
    /// What is installed, if anything.
    pub(crate) fn find(workspace: &Workspace) -> Option<Self> {
        if host_has_target(workspace) {
            return Some(Self::Host);
        }
        let sysroot = sysroot(workspace, &debian_version(workspace)?);
        (sysroot.is_dir() && on_path(DEBIAN_LINKER)).then_some(Self::Debian { sysroot })
    }

    /// Installs one: by rustup if it can, else from Debian.
    pub(crate) fn install(workspace: &Workspace) -> Result {
        if on_path("rustup") {
            let mut rustup = workspace.command("rustup");
            rustup.args(["target", "add", TARGET]).env("RUST_BACKTRACE", "0");
            if run(&mut rustup).is_ok() && host_has_target(workspace) {
                return Ok(());
            }
            eprintln!(
                "rustup could not add {TARGET}: taking Debian's compiler instead (about 3 minutes)"
            );
        }
        apt::install(&DEBIAN_PACKAGES).map_err(|error| {
            format!(
                "{error}\nThe page needs Rust's standard library for {TARGET}. With rustup and a \
                 network, `rustup target add {TARGET}` is all."
            )
        })?;
        build_std(workspace)
    }

    /// Whether `cargo clippy` works with this compiler.
    pub(crate) fn has_clippy(&self, workspace: &Workspace) -> bool {
        output(self.cargo(workspace).args(["clippy", "--version"])).is_some()
    }

    /// Installs clippy for this compiler.
    pub(crate) fn install_clippy(&self, workspace: &Workspace) -> Result {
        match self {
            Self::Host => run(workspace.command("rustup").args(["component", "add", "clippy"])),
            Self::Debian { .. } => apt::install(&[DEBIAN_CLIPPY]),
        }
    }

    /// Cargo with this compiler; the caller names the target.
    pub(crate) fn cargo(&self, workspace: &Workspace) -> Command {
        let program = match self {
            Self::Host => env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            Self::Debian { .. } => Path::new(DEBIAN_BIN).join("cargo").into(),
        };
        self.command(workspace, program)
    }

    /// Any program that runs cargo, such as Trunk, made to use this compiler.
    pub(crate) fn command(
        &self,
        workspace: &Workspace,
        program: impl Into<std::ffi::OsString>,
    ) -> Command {
        let mut command = workspace.command(program);
        let mut rustdoc_flags = RUSTDOC_FLAGS.to_owned();
        command.env("CARGO_TARGET_DIR", workspace.wasm_target());
        let mut flags = portable_paths(workspace);
        if let Self::Debian { sysroot } = self {
            let bin = Path::new(DEBIAN_BIN);
            let flag = format!("--sysroot={}", sysroot.display());
            command
                .env("PATH", workspace.path(&[bin]))
                .env("CARGO", bin.join("cargo"))
                .env("RUSTC", bin.join("rustc"))
                .env("RUSTDOC", bin.join("rustdoc"))
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
                // Paths of the host's toolchain, which `cargo run` adds for its own child.
                .env_remove("LD_LIBRARY_PATH");
            rustdoc_flags = format!("{rustdoc_flags} {flag}");
            flags.push(flag);
        }
        // Cargo joins these flags to those of .cargo/config.toml, and applies both to the target only: build
        // scripts and procedural macros use the compiler's own library.
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags.join(" "));
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTDOCFLAGS", rustdoc_flags);
        command
    }
}

/// Flags that keep this machine's folders out of what is built: it is to be the same wherever it is built.
fn portable_paths(workspace: &Workspace) -> Vec<String> {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags = vec![remap(&workspace.file(""), "")];
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    // One folder for each registry, named after its address.
    let registries = home.map(|home| home.join("registry/src")).map(fs::read_dir);
    let mut folders: Vec<PathBuf> = registries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.sort();
    flags.extend(folders.iter().map(|folder| remap(folder, "/registry")));
    flags
}

fn host_has_target(workspace: &Workspace) -> bool {
    let mut rustc = workspace.command("rustc");
    let libdir = output(rustc.args(["--print", "target-libdir", "--target", TARGET]));
    libdir.is_some_and(|dir| Path::new(&dir).is_dir())
}

fn debian_version(workspace: &Workspace) -> Option<String> {
    let rustc = Path::new(DEBIAN_BIN).join("rustc");
    let version = output(workspace.command(rustc).arg("--version"))?;
    Some(version.split_whitespace().nth(1)?.to_owned())
}

fn sysroot(workspace: &Workspace, version: &str) -> PathBuf {
    workspace.tools().join(format!("sysroot-{version}"))
}

/// Builds the standard library in a scratch crate and keeps its parts as a sysroot. Cargo calls
/// `-Zbuild-std` unstable, hence `RUSTC_BOOTSTRAP`; the compiler and source are one release, so
/// nothing else unstable gets in.
fn build_std(workspace: &Workspace) -> Result {
    let version =
        debian_version(workspace).ok_or("Debian's rustc was installed but does not run")?;
    let scratch = workspace.tools().join("build/std");
    let said = |error: std::io::Error| format!("could not build the standard library: {error}");
    fs::create_dir_all(scratch.join("src")).map_err(said)?;
    fs::write(
        scratch.join("Cargo.toml"),
        "[package]\nname = \"scratch\"\nedition = \"2024\"\n[workspace]\n",
    )
    .map_err(said)?;
    fs::write(scratch.join("src/lib.rs"), "#![no_std]\n").map_err(said)?;

    let bin = Path::new(DEBIAN_BIN);
    let mut cargo = workspace.command(bin.join("cargo"));
    cargo
        .current_dir(&scratch)
        .args(["build", "--quiet", "--release", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,proc_macro,test")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", bin.join("rustc"))
        .env("CARGO_TARGET_DIR", scratch.join("target"))
        // Without bitcode in the library, link-time optimisation of the page fails.
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            "-Cembed-bitcode=yes -Ctarget-feature=+simd128",
        )
        .env_remove("LD_LIBRARY_PATH");
    run(&mut cargo)?;

    // Assembled aside and renamed, so that a sysroot that exists is whole.
    let sysroot = sysroot(workspace, &version);
    let parts = scratch.join("sysroot");
    let libraries = parts.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&libraries).map_err(said)?;
    let built = scratch.join("target").join(TARGET).join("release/deps");
    for entry in fs::read_dir(built).map_err(said)? {
        let entry = entry.map_err(said)?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.ends_with(".rlib") && !text.starts_with("libscratch-") {
            fs::copy(entry.path(), libraries.join(&name)).map_err(said)?;
        }
    }
    fs::rename(&parts, &sysroot).map_err(said)?;
    fs::remove_dir_all(&scratch).map_err(said)
}
