//! Where things are: the checkout, its target directories, and the directory that holds
//! the tools set-up has installed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// For all our `cargo doc`: documentation of modules is for those who work on them, so it may link
/// to what is private.
pub(crate) const RUSTDOC_FLAGS: &str = "-Dwarnings -Arustdoc::private_intra_doc_links";

/// The checkout this command belongs to, and its tools.
pub(crate) struct Workspace {
    root: PathBuf,
    tools: PathBuf,
}

impl Workspace {
    /// Finds the checkout, and the tools under `SHOAL_TOOLS` or the user's cache directory.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("xtask is a folder of the workspace")
            .to_owned();
        let tools = match env::var_os("SHOAL_TOOLS") {
            Some(tools) => PathBuf::from(tools),
            None => cache_dir()?.join("shoal"),
        };
        let tools = std::path::absolute(&tools)
            .map_err(|error| format!("SHOAL_TOOLS is not a usable path: {error}"))?;
        Ok(Self { root, tools })
    }

    /// The same, as another checkout with the same tools.
    pub(crate) fn at(&self, root: PathBuf) -> Self {
        Self { root, tools: self.tools.clone() }
    }

    /// Where set-up installs; safe to delete, it is filled again.
    pub(crate) fn tools(&self) -> &Path {
        &self.tools
    }

    /// Programs that `cargo install` put there.
    pub(crate) fn tools_bin(&self) -> PathBuf {
        self.tools.join("bin")
    }

    /// Where npm puts what the page is built with.
    pub(crate) fn npm(&self) -> PathBuf {
        self.tools.join("npm")
    }

    /// Where npm puts what the page is tested with; tests/src/programs.rs looks there.
    pub(crate) fn npm_for_tests(&self) -> PathBuf {
        self.tools.join("npm-tests")
    }

    /// Programs that npm put there.
    pub(crate) fn npm_bin(&self) -> PathBuf {
        self.npm().join("node_modules/.bin")
    }

    /// The built page, which the server's build embeds.
    pub(crate) fn page(&self) -> PathBuf {
        self.root.join("target/page")
    }

    /// Whether there is a page to embed.
    pub(crate) fn has_page(&self) -> bool {
        self.page().join("index.html").is_file()
    }

    /// A product of the release build.
    pub(crate) fn product(&self, name: &str) -> PathBuf {
        self.root.join("target/release").join(name)
    }

    /// Target directory of everything compiled for the browser. Its own, since the compiler
    /// may be another one than the host's (see `wasm.rs`).
    pub(crate) fn wasm_target(&self) -> PathBuf {
        self.root.join("target/wasm")
    }

    /// A file at the top of the checkout.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A command that runs at the top of the checkout and finds our tools first.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command
            .current_dir(&self.root)
            .env("PATH", self.path(&[]))
            .env("CARGO_TARGET_DIR", self.root.join("target"));
        // What cargo tells the program it runs. Left in, some build scripts would take it for
        // a change and rebuild on every switch between `cargo` and `cargo xtask`.
        for (name, _) in env::vars_os() {
            let ours = name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
            });
            if ours {
                command.env_remove(name);
            }
        }
        command
    }

    /// The host's cargo. It is always told where the page is, once there is one, so that no two
    /// of our commands build the server differently.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.env("RUSTDOCFLAGS", RUSTDOC_FLAGS);
        if self.has_page() {
            command.env("SHOAL_PAGE", self.page());
        }
        command
    }

    /// `PATH` with our tools, then `first`, then the user's own.
    pub(crate) fn path(&self, first: &[&Path]) -> OsString {
        let own = env::var_os("PATH").unwrap_or_default();
        let dirs = [self.tools_bin(), self.npm_bin()]
            .into_iter()
            .chain(first.iter().map(PathBuf::from))
            .chain(env::split_paths(&own));
        env::join_paths(dirs).expect("directories taken from a PATH join to one")
    }

    /// The version of `package` in Cargo.lock.
    pub(crate) fn locked_version(&self, package: &str) -> Result<String> {
        let lock = fs::read_to_string(self.file("Cargo.lock"))
            .map_err(|error| format!("could not read Cargo.lock: {error}"))?;
        version_in_lock(&lock, package)
            .ok_or_else(|| format!("Cargo.lock does not have {package}, which the page needs"))
    }
}

fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    match env::var_os("HOME") {
        Some(home) => Ok(Path::new(&home).join(".cache")),
        None => Err("neither XDG_CACHE_HOME nor HOME is set: set SHOAL_TOOLS to a directory \
                     where tools may be installed"
            .into()),
    }
}

fn version_in_lock(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_version_is_that_of_the_package_with_exactly_this_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"9.9.9\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in_lock(lock, "bindgen"), None);
    }
}
