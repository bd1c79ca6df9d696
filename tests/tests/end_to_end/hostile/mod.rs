//! A signaling server that is hostile in every way we know, and what comes of it: between two commands, a
//! command and Chromium, Chromium and Firefox. Of each of its behaviours ([`Behaviour`]) it is declared
//! (`expected`), and checked, that
//! - either the transfer completes with the right bytes, or nothing arrives;
//! - nobody is connected to anybody but the two who have the link;
//! - where nothing arrives both are told why, by the named wait and the exit code of the command, and in
//!   the text of the page;
//! - no peer panics, none takes more memory than a transfer needs, and none shows text of the server's that
//!   is more than text.
//!
//! With `SHOAL_LONG=1` all behaviours are tried between all pairs and the table of outcomes is printed;
//! otherwise browsers meet some.

mod browsers;
mod expected;
mod native;
mod text;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, stream};
use native_peer::storage::DiskStorage;
use native_peer::{DeviceKey, Event, Invite, Options, Peer, sources};
use tests::wait::SOON;
use tests::{Behaviour, Hostile, Server, Shoal};

use self::expected::Outcome;
use crate::{Made, Workbench};

/// Seconds that those wait who will not be connected.
const PATIENCE: &str = "8";
/// The same where the other is a page, which takes its time to load and is to see that somebody is there.
const PATIENCE_WITH_PAGES: &str = "12";
/// Who wants to meet whom, as they call themselves.
const SENDER: &str = "the sender";
const RECEIVER: &str = "the receiver";
/// Bytes per second where the transfer has to last, and bytes where it has to or not.
const SLOWLY: &str = "64KiB";
const LARGE: u64 = 320 << 10;
const SMALL: u64 = 5_000;

/// What all behaviours are tried with.
struct Setting {
    bench: Workbench,
    server: Server,
    pairing: &'static str,
    /// See [`PATIENCE`].
    patience: &'static str,
}

impl Setting {
    async fn new(pairing: &'static str, patience: &'static str) -> Self {
        Self { bench: Workbench::new(), server: Server::start().await, pairing, patience }
    }

    /// A hostile server, and who else is at it.
    async fn hostile(&self, behaviour: Behaviour) -> (Hostile, Vec<Peer>) {
        let hostile = Hostile::start(behaviour, &self.server).await;
        let strangers = match behaviour.needs_strangers() {
            true => strangers(&self.bench, behaviour, &hostile).await,
            false => Vec::new(),
        };
        (hostile, strangers)
    }

    /// A file for a behaviour to get at.
    fn file(&self, behaviour: Behaviour) -> Made {
        let size = if behaviour.takes_its_time() { LARGE } else { SMALL };
        self.bench.file(&format!("{behaviour:?} {}.bin", self.pairing), size)
    }

    /// `shoal send` at a hostile server.
    fn sender(&self, behaviour: Behaviour, hostile: &Hostile, file: &Made) -> Shoal {
        let mut flags = vec!["--until-received", "1", "--name", SENDER];
        if behaviour.takes_its_time() {
            flags.extend(["--upload-limit", SLOWLY]);
        }
        if expected::outcome(behaviour) != Outcome::Harmless {
            flags.extend(["--timeout", self.patience]);
        }
        Shoal::send_to(hostile.url(), &[&file.path], &flags)
    }

    /// Tries behaviours side by side, and gives a row for each.
    ///
    /// # Panics
    /// If one of them does what it must not, once all have been tried.
    async fn all(
        &self,
        behaviours: &[Behaviour],
        side_by_side: usize,
        attempt: impl AsyncFn(&Self, Behaviour),
    ) {
        let attempt = &attempt;
        let mut results: Vec<(usize, Behaviour, bool)> =
            stream::iter(behaviours.iter().enumerate())
                .map(|(place, &behaviour)| async move {
                    let tried = AssertUnwindSafe(attempt(self, behaviour)).catch_unwind().await;
                    if tried.is_err() {
                        eprintln!("--- that was {behaviour:?} between {}", self.pairing);
                    }
                    (place, behaviour, tried.is_ok())
                })
                .buffer_unordered(side_by_side)
                .collect()
                .await;
        results.sort_by_key(|(place, ..)| *place);
        for (_, behaviour, is_right) in &results {
            let outcome = expected::outcome(*behaviour);
            let told = if *is_right { outcome.in_words() } else { "NOT AS DECLARED".to_owned() };
            println!("| {} | {behaviour:?} | {told} |", self.pairing);
        }
        let wrong: Vec<_> = results.iter().filter(|(.., is_right)| !is_right).collect();
        assert!(wrong.is_empty(), "not as declared: {wrong:?}");
    }
}

/// Two members of another room at the same server, connected to each other before anybody else comes. They
/// share something, which nobody else may get.
async fn strangers(bench: &Workbench, behaviour: Behaviour, hostile: &Hostile) -> Vec<Peer> {
    let key = |n| DeviceKey::from_bytes([n; 32]);
    let invite = Invite::new([0x66; 32], &key(1).public());
    let mut peers = Vec::new();
    // An impostor is there alone.
    let count = if behaviour == Behaviour::Impostor { 1 } else { 2 };
    for n in 1..=count {
        let folder = bench.folder(&format!("of stranger {n} with {behaviour:?}"));
        let storage = DiskStorage::new(&folder).expect("a folder");
        let options = Options {
            invite: Some(invite.clone()),
            name: "a stranger".into(),
            ..Options::new(hostile.url(), key(n), Arc::new(storage))
        };
        let (peer, mut events) = Peer::start(options).expect("a peer starts");
        let found = sources::find(&["Cargo.toml".into()]).expect("the manifest of this crate");
        peer.share(found).await.expect("it can be shared");
        let is_there = async {
            while let Some(event) = events.recv().await {
                match event {
                    Event::Joined { .. } if n == 1 => return,
                    Event::PeerConnected { .. } => return,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(SOON, is_there).await.expect("strangers meet");
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        peers.push(peer);
    }
    peers
}

/// Asserts of a command that it was connected to nobody but one, and has not panicked.
fn assert_it_kept_to(shoal: &Shoal, other: &str) {
    for event in shoal.events().iter().filter(|event| event["event"] == "peer-connected") {
        assert_eq!(event["name"], other, "connected to somebody else: {event}");
    }
    let panicked = shoal.process.err.all().into_iter().find(|line| line.contains("panicked"));
    assert_eq!(panicked, None, "it panicked");
}
