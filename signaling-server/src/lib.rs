//! The signaling server: introduces peers to each other, and carries the page.
//!
//! It knows rooms by an id derived from the invite, gives each member a [`PeerId`], and passes sealed
//! envelopes between members of a room. It gives nameplates to codes to be spoken, and passes what the two
//! say who meet by one. It stores nothing, sets no cookie, cannot open an envelope,
//! and never sees a file or a file name. What it says is [`protocol::signaling`]; how it is run is in
//! `docs/hosting.md`.
//!
//! ```text
//! Server::new(options) ── bind ── listen ─────────────── shutdown
//!                                   │ one task per connection
//!                                   ▼
//!               server: accept, limits, HTTP ──▶ page   the files of the page and their headers
//!                                   │ upgrade     metrics, healthz
//!                                   ▼
//!               socket: one WebSocket ◀── outbox: what waits to be sent to it
//!                                   │               ▲
//!                                   ├──▶ rooms ─────┤   who is in which room
//!                                   └──▶ nameplates ┘   who meets by which code
//! ```
//!
//! TLS is left to a reverse proxy and relaying to a TURN server, for which this server mints
//! short-lived credentials ([`IceServers`]).
//!
//! [`PeerId`]: protocol::signaling::PeerId
//!
//! # Running it inside another program, such as a test
//! ```
//! # use signaling_server::{Options, Server};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::new(Options::default())?;
//! let listener = server.bind("127.0.0.1:0".parse()?)?;
//! let url = listener.url(); // http://127.0.0.1:PORT
//! let running = tokio::spawn(server.clone().listen(listener));
//! server.shutdown();
//! running.await?;
//! # Ok(()) }
//! ```

mod admission;
mod ice;
mod metrics;
mod nameplates;
mod options;
mod outbox;
mod page;
mod rate;
mod rooms;
mod server;
mod socket;

pub use ice::{IceError, IceServers};
pub use options::{Limits, Options, Timeouts};
pub use page::PageError;
pub use server::{BindError, Listener, Server};
