//! Chromium and Firefox, headless, each with a fresh profile and a folder for downloads, driven through
//! WebDriver (chromedriver, geckodriver). What a page shows is left to [`crate::page`], and so are the
//! hard things done to a single page (crash, freeze, small quota).
//!
//! A browser in which a page broke its Content Security Policy, with or without Trusted Types, fails the
//! test when it is dropped, whatever else the test looks at.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WindowHandle};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};

use crate::network::Side;
use crate::page::Page;
use crate::process::Process;
use crate::server::Server;
use crate::wait::{Look, SOON, while_progressing};
use crate::{proc, programs};

mod console;
mod trace;

pub use trace::{MainThread, Task};

/// Which browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrowserKind {
    /// Through chromedriver.
    Chromium,
    /// Through geckodriver.
    Firefox,
}

/// A running browser. Dropping it ends it with its driver; if the test is failing, what its windows
/// show is kept first.
///
/// # Panics
/// When dropped, if a page broke its policy and [`Browser::breaches`] was not asked.
#[derive(Debug)]
pub struct Browser {
    kind: BrowserKind,
    /// A driver talks to one window at a time: who holds this has switched to theirs.
    client: Mutex<Client>,
    driver: Process,
    directory: TempDir,
    /// Where Chromium's own DevTools server listens, as `host:port`.
    devtools: Option<String>,
}

impl Browser {
    /// Starts a browser on this machine's network.
    ///
    /// # Panics
    /// If it or its driver cannot be started.
    pub async fn start(kind: BrowserKind) -> Self {
        Self::launch(kind, None, None).await
    }

    /// Starts a browser at a side of a network of ours. It takes the server for as safe as one behind
    /// TLS, wherever on that network it is.
    ///
    /// # Panics
    /// If it or its driver cannot be started.
    pub async fn start_at(side: &Side, kind: BrowserKind, server: &Server) -> Self {
        Self::launch(kind, Some((side, server)), None).await
    }

    /// Starts a Firefox in which each site may store `room` bytes, 10 MiB or more. In Chromium that can be
    /// set while a page is open: [`Page::set_quota`].
    ///
    /// # Panics
    /// If it or its driver cannot be started.
    pub async fn start_firefox_with_room(room: u64) -> Self {
        Self::launch(BrowserKind::Firefox, None, Some(room)).await
    }

    async fn launch(kind: BrowserKind, at: Option<(&Side, &Server)>, room: Option<u64>) -> Self {
        let (side, server) = at.unzip();
        let directory = TempDir::with_prefix("shoal-browser-").expect("a temporary directory");
        let downloads = directory.path().join("downloads");
        let profile = directory.path().join("profile");
        for dir in [&downloads, &profile] {
            fs::create_dir(dir).expect("a directory can be made");
        }
        let (program, ready) = match kind {
            BrowserKind::Chromium => ("chromedriver", "started successfully on port "),
            BrowserKind::Firefox => ("geckodriver", "Listening on 127.0.0.1:"),
        };
        let path = programs::installed(program);
        let mut command = side.map_or_else(|| Process::command(&path), |side| side.command(&path));
        command.args(["--port=0"]);
        if kind == BrowserKind::Firefox {
            command.arg("--websocket-port=0").arg("--profile-root").arg(&profile);
            // For what Firefox writes to its own console.
            command.arg("--allow-system-access");
        }
        let mut driver = Process::start(program, &mut command);
        let port: u16 = driver
            .out
            .find(SOON, |line| line.split_once(ready)?.1.trim_end_matches('.').parse().ok())
            .await
            .unwrap_or_else(|| panic!("{program} says which port it listens on"));
        if let Some(side) = side {
            side.publish(port);
        }

        let capabilities = match kind {
            BrowserKind::Chromium => chromium(&profile, &downloads, server),
            BrowserKind::Firefox => firefox(directory.path(), &downloads, server, room),
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap_or_else(|error| panic!("{kind:?} cannot be started: {error}"));
        let devtools = client.capabilities().and_then(|capabilities| {
            let address = capabilities.get("goog:chromeOptions")?.get("debuggerAddress")?;
            address.as_str().map(str::to_owned)
        });
        Self { kind, client: Mutex::new(client), driver, directory, devtools }
    }

    /// Which browser this is.
    pub fn kind(&self) -> BrowserKind {
        self.kind
    }

    /// Opens a page in a window of its own.
    pub async fn open(&self, url: &str) -> Page<'_> {
        let client = self.client.lock().await;
        // The window it was last switched to may be closed by now.
        let open = client.windows().await.expect("a browser tells its windows").into_iter().next();
        let open = open.expect("the first window stays open");
        client.switch_to_window(open).await.expect("the window is open");
        let window = client.new_window(false).await.expect("a window can be opened");
        let window = window.handle;
        drop(client);
        let page = Page::new(self, window);
        let client = page.client().await;
        client.goto(url).await.expect("the page loads");
        let title = client.title().await.expect("a document has a title");
        assert!(
            !title.contains("no page"),
            "the server has no page inside: run `cargo xtask build`"
        );
        drop(client);
        page
    }

    /// The client, switched to a window.
    pub(crate) async fn client(&self, window: &WindowHandle) -> MutexGuard<'_, Client> {
        let client = self.client.lock().await;
        client.switch_to_window(window.clone()).await.expect("the window is open");
        client
    }

    /// Waits for a download of `size` bytes and gives its path.
    ///
    /// # Panics
    /// If it does not come, does not grow, or has another size when it is finished.
    pub async fn downloaded(&self, name: &str, size: u64) -> PathBuf {
        let (path, length) = self.any_download(name, |length| length >= size).await;
        assert_eq!(length, size, "the download of {name} has a wrong size");
        path
    }

    /// Waits for a download of any size but none, and gives its path.
    ///
    /// # Panics
    /// If it does not come, or does not grow.
    pub async fn downloaded_any(&self, name: &str) -> PathBuf {
        self.any_download(name, |length| length > 0).await.0
    }

    /// A download that is `enough` in length and finished: nothing beside it is a part of one.
    async fn any_download(&self, name: &str, enough: impl Fn(u64) -> bool) -> (PathBuf, u64) {
        let folder = self.directory.path().join("downloads");
        let path = folder.join(name);
        while_progressing(&format!("the download of {name}"), async || {
            let entries = fs::read_dir(&folder).expect("the folder for downloads is there");
            let listing: Vec<(PathBuf, u64)> = entries
                .flatten()
                .map(|entry| (entry.path(), entry.metadata().map_or(0, |metadata| metadata.len())))
                .collect();
            let is_part = |path: &Path| {
                path.extension().is_some_and(|ext| ext == "part" || ext == "crdownload")
            };
            let parts = listing.iter().any(|(path, _)| is_part(path));
            match listing.iter().find(|(found, _)| *found == path) {
                Some((_, length)) if !parts && enough(*length) => {
                    Look::Done((path.clone(), *length))
                }
                _ => Look::Progress(listing),
            }
        })
        .await
    }

    /// Asserts that no page has complained on the console: errors, refused by the content security
    /// policy or not found. Of Firefox's, only what its policy refused counts.
    ///
    /// # Panics
    /// If one has.
    pub async fn assert_no_complaints(&self) {
        let complaints = self.complaints().await.expect("the driver tells what the browser logged");
        assert!(complaints.is_empty(), "the console has complaints: {complaints:#?}");
    }

    /// How pages and their workers broke their Content Security Policy since the last time, in the words
    /// of the browser.
    ///
    /// # Panics
    /// If the browser cannot tell.
    pub async fn breaches(&self) -> Vec<String> {
        let complaints = self.complaints().await.expect("the driver tells what the browser logged");
        complaints.into_iter().filter(|it| console::is_breach(it)).collect()
    }

    /// What was logged since the last time.
    async fn complaints(&self) -> Result<Vec<String>, CmdError> {
        let client = self.client.lock().await;
        match self.kind {
            BrowserKind::Chromium => console::of_chromium(&client).await,
            BrowserKind::Firefox => console::of_firefox(&client).await,
        }
    }

    /// Ids and command lines of the browser's processes.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let family = proc::family(self.driver.pid());
        family.into_iter().skip(1).map(|pid| (pid, proc::command_line(pid))).collect()
    }

    /// The processes that run a page's worker: one, and in Firefox another where the service worker has one.
    ///
    /// # Panics
    /// If there is none, or more.
    pub(crate) fn worker_processes(&self) -> Vec<u32> {
        let thread = match self.kind {
            BrowserKind::Chromium => "DedicatedWorker",
            BrowserKind::Firefox => "DOM Worker",
        };
        // Firefox's own windows have workers too, in other processes than its tabs.
        let is_tab = |command: &str| {
            self.kind == BrowserKind::Chromium || command.trim_end().ends_with(" tab")
        };
        let runs_worker =
            |pid: &u32| proc::thread_names(*pid).iter().any(|name| name.starts_with(thread));
        let tabs = self.processes().into_iter().filter(|(_, command)| is_tab(command));
        let found: Vec<u32> = tabs.map(|(pid, _)| pid).filter(runs_worker).collect();
        let most = if self.kind == BrowserKind::Chromium { 1 } else { 2 };
        let count = found.len();
        assert!((1..=most).contains(&count), "{count} processes of {:?} run a worker", self.kind);
        found
    }

    /// Takes a window away whose page has crashed.
    pub(crate) async fn forget(&self, window: &WindowHandle) {
        let Some(devtools) = &self.devtools else {
            let client = self.client(window).await;
            client.close_window().await.expect("the tab of a crashed page can be closed");
            return;
        };
        // chromedriver ends its session once it sees that a page of it has crashed: the tab must be gone
        // before the next command.
        let window = String::from(window.clone());
        let request = format!("GET /json/close/{window} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut stream = TcpStream::connect(devtools).await.expect("Chromium's DevTools listen");
        stream.write_all(request.as_bytes()).await.expect("Chromium's DevTools listen");
        // The connection stays open; this answer is a few words.
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).await.expect("Chromium's DevTools answer");
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.contains("200 OK"), "Chromium did not close the tab: {answer}");
    }

    /// Keeps a picture of every window, and prints what each shows.
    async fn keep_what_is_seen(&self, test: &str) {
        let Ok(client) = self.client.try_lock() else { return };
        for window in client.windows().await.unwrap_or_default() {
            if client.switch_to_window(window).await.is_err() {
                continue;
            }
            let Ok(url) = client.current_url().await else { continue };
            if url.scheme() != "http" {
                continue;
            }
            let text = client.execute("return document.body.innerText", Vec::new()).await;
            let text = text.ok().and_then(|text| Some(text.as_str()?.to_owned()));
            eprintln!("--- {:?} shows at {}:", self.kind, url.path());
            for line in text.unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
                eprintln!("    {line}");
            }
            if let Ok(picture) = client.screenshot().await {
                let path = keep_picture(test, &format!("{:?}", self.kind), &picture);
                eprintln!("    (picture: {})", path.display());
            }
        }
        drop(client);
        for complaint in self.complaints().await.unwrap_or_default() {
            eprintln!("--- {:?} complains: {complaint}", self.kind);
        }
    }

    /// Does something while this is dropped; `None` if it takes too long.
    fn at_last<T: Send>(&self, act: impl Future<Output = T> + Send) -> Option<T> {
        // The runtime's own thread may not block on it: another one does.
        let runtime = Handle::current();
        std::thread::scope(|scope| {
            let done = scope.spawn(|| {
                runtime.block_on(async {
                    tokio::time::timeout(Duration::from_secs(20), act).await.ok()
                })
            });
            done.join().ok().flatten()
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let test = test_name();
            if self.at_last(self.keep_what_is_seen(&test)).is_none() {
                eprintln!("--- {:?} could not say what it shows", self.kind);
            }
            return;
        }
        // A browser that a test has ended, or driven to its end, has nothing to say.
        let complaints = self.at_last(self.complaints()).and_then(Result::ok).unwrap_or_default();
        let breaches: Vec<String> =
            complaints.into_iter().filter(|it| console::is_breach(it)).collect();
        assert!(breaches.is_empty(), "a page broke its policy in {:?}: {breaches:#?}", self.kind);
    }
}

/// Stores a picture of a test under `target/screenshots` and gives its path.
///
/// # Panics
/// If it cannot be written.
pub fn keep_picture(test: &str, name: &str, png: &[u8]) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = programs::target_dir().join("screenshots");
    fs::create_dir_all(&folder).expect("the target directory can be written");
    let path = folder.join(format!("{test}-{count}-{name}.png"));
    fs::write(&path, png).expect("the target directory can be written");
    path
}

/// The name of the test that runs on this thread.
pub(crate) fn test_name() -> String {
    std::thread::current().name().unwrap_or("main").replace("::", "-")
}

fn chromium(profile: &Path, downloads: &Path, server: Option<&Server>) -> Capabilities {
    let profile = format!("--user-data-dir={}", profile.display());
    let origin = server.map_or("", Server::url);
    let trusted = format!("--unsafely-treat-insecure-origin-as-secure={origin}");
    capabilities(json!({
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-breakpad",
                "--window-size=1400,1000",
                profile,
                trusted,
            ],
            "prefs": {
                "download.default_directory": downloads,
                "download.prompt_for_download": false,
                "profile.default_content_setting_values.automatic_downloads": 1,
            },
        },
    }))
}

fn firefox(
    directory: &Path,
    downloads: &Path,
    server: Option<&Server>,
    room: Option<u64>,
) -> Capabilities {
    let host = server.map_or_else(String::new, Server::host);
    let program = directory.join("firefox");
    // geckodriver would have Firefox end once a page of it crashes.
    const SCRIPT: &str = "#!/bin/sh
unset MOZ_CRASHREPORTER_SHUTDOWN
exec \"$(command -v firefox-esr || command -v firefox)\" \"$@\"
";
    fs::write(&program, SCRIPT).expect("a script can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the script is ours");
    // One site may have a fifth of what all have, which is told in KiB; below 0 it depends on the disk.
    let limit = room.map_or(-1, |room| i64::try_from(room * 5 / 1024).expect("a small room"));
    capabilities(json!({
        "moz:firefoxOptions": {
            "binary": program,
            "args": ["-headless"],
            "prefs": {
                "dom.securecontext.allowlist": host,
                "dom.quotaManager.temporaryStorage.fixedLimit": limit,
                // It would look for news of its own on the network.
                "services.settings.server": "data:,#none",
                "app.normandy.enabled": false,
                "browser.download.folderList": 2,
                "browser.download.dir": downloads,
                "browser.download.useDownloadDir": true,
                "browser.download.always_ask_before_handling_new_types": false,
                "browser.download.manager.addToRecentDocs": false,
            },
        },
    }))
}

fn capabilities(value: Value) -> Capabilities {
    match value {
        Value::Object(map) => map,
        _ => unreachable!("capabilities are written as an object"),
    }
}
