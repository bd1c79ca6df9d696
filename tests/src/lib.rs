//! Shoal, end to end: what the tests in `tests/tests` and the bench in `src/bin` stand on.
//!
//! Nothing here knows how Shoal works inside. A [`Server`], a [`Shoal`] and a [`Browser`] are processes
//! that this crate starts, watches and ends; a [`Page`] is driven by the roles and names that the README
//! promises to scripts. What each process said is printed when a test fails, and what each page showed
//! is kept in `target/screenshots`.
//!
//! - Programs are taken as `cargo xtask build` leaves them ([`programs`]); nothing is built here.
//! - Nothing sleeps to let something happen: every wait is for an event, and gives up with a sentence
//!   about what did not happen ([`wait`]).
//! - Linux only, for `/proc`: the tests look at open memory, bytes read and process trees.
//! - Browsers are heavy: each test takes its [`turn`], so that one at a time runs, or two that mostly wait.

pub mod access;
pub mod browser;
pub mod files;
pub mod hostile;
pub mod link;
pub mod names;
pub mod network;
pub mod outage;
pub mod page;
pub mod proc;
pub mod process;
pub mod programs;
pub mod seed;
pub mod server;
pub mod shoal;
pub mod wait;

pub use browser::{Browser, BrowserKind};
pub use hostile::{Behaviour, Hostile};
pub use network::{Network, Side};
pub use page::Page;
pub use seed::Random;
pub use server::Server;
pub use shoal::Shoal;

use std::sync::OnceLock;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The machine, in halves.
static MACHINE: Semaphore = Semaphore::const_new(2);

/// Waits until no other test of this program runs; hold on to it until the test ends.
pub async fn turn() -> SemaphorePermit<'static> {
    MACHINE.acquire_many(2).await.expect("it is never closed")
}

/// The same for a test that mostly waits: another of that kind may run beside it.
pub async fn turn_to_wait() -> SemaphorePermit<'static> {
    MACHINE.acquire().await.expect("it is never closed")
}

/// Whether the long forms of tests were asked for: `cargo xtask test --long`, or `SHOAL_LONG=1`.
pub fn is_long() -> bool {
    static LONG: OnceLock<bool> = OnceLock::new();
    *LONG.get_or_init(|| std::env::var_os("SHOAL_LONG").is_some_and(|value| value == "1"))
}
