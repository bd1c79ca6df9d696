//! A Shoal peer in a browser: the adapter between the pure core (`protocol`) and what a page has.
//!
//! ```text
//!   window                                        dedicated worker
//!   peer.rs        calls, states, events   ◀────▶ driver.rs      owns the core: the one loop
//!   connection.rs  RTCPeerConnection       ◀────▶ lane.rs        what belongs to one connection
//!     stats.rs     certificates, paths    wire.rs   channel.rs   data channels, transferred
//!     forward.rs   channels that stay              signaling.rs  WebSocket
//!   codes.rs       codes that are typed           same        codes to be spoken
//!                                                  storage.rs    received shares on disk
//!                                                    layout.rs   where their pieces lie
//!                                                    payload.rs  the file they are written to
//!                                                  profile.rs    which store is ours
//!                                                    left.rs     what earlier loads left in it
//!                                                    wishes.rs   what people want of shares
//!                                                  source.rs     files that are shared
//!                                                    records.rs  what is remembered of them
//!     handles.rs   their handles             same    reattach.rs whether they are the same
//!                                                  save.rs       complete shares on their way out
//!                                                    archive.rs  many files as one blob
//! ```
//!
//! `RTCPeerConnection` exists only in windows; everything else lives in the worker, so that a transfer
//! at full speed does not touch the thread that draws. Embedders use [`peer::Peer`] with the values of
//! [`api`]; the worker is the binary `worker` of this crate, which calls [`driver::run`]. Nothing of the
//! worker is exported to JavaScript, so a page that links this library does not carry the core.

pub mod api;
pub mod codes;
pub mod driver;
pub mod error;
pub mod peer;

mod archive;
mod buffer;
mod channel;
mod clock;
mod connection;
mod forward;
mod handles;
mod journal;
mod lane;
mod layout;
mod left;
mod lock;
mod log;
mod opfs;
mod payload;
mod people;
mod policy;
mod profile;
mod reattach;
mod records;
mod save;
mod search;
mod signaling;
mod source;
mod stats;
mod storage;
mod trusted;
mod view;
mod wire;
mod wishes;
mod zip;
