//! The pure core of Shoal: what peers say to each other, and a state machine that says it.
//!
//! # Participants
//! - **Peers** are members of a room. Each can share, fetch and serve on; there are no other roles.
//! - **The origin** of a share is the peer that put it into the room. Its device key signs the
//!   manifest and the piece hashes, so that trust in bytes never depends on who passed them on.
//! - **The signaling server** introduces peers: it passes sealed envelopes and sees nothing else.
//!
//! # Goals
//! - No byte is stored, served or handed on before it was verified.
//! - A file is fetched in pieces from everyone who has some of it.
//! - Nobody waits for hashing: a share is on the shelf once its names and sizes are known.
//! - Neither the server nor anybody on the path can read, alter, or get between two peers.
//! - Whatever a peer, server or disk does: no panic, no wait without an end, no unbounded memory.
//!
//! # Not here
//! No I/O, no clock, no threads or async, no randomness of its own. Sockets, disks and time are an
//! adapter's: `native-peer` or `wasm-peer`, which have the same file names for the same duties.
//!
//! # The ladder
//! 1. An [`invite`] gives the room's secret; from it follow the room's id for the server and the key
//!    that seals signals. Whoever was told a [`code`] gets the invite by a [`rendezvous`] first.
//! 2. [`signaling`]: *join*; the server names members, some if there are many. The newcomer offers to
//!    each of them, or to a few if they are more than it wants to be connected to.
//! 3. Descriptions and candidates pass the server in sealed, signed [`envelope`]s.
//! 4. Once DTLS is up, both sides *confirm*: they sign the certificates that they observed. Until
//!    then nothing else is said or believed.
//! 5. [`message`]: each tells the shares it knows, how far away they are, and which pieces it has.
//!    Manifests are asked for and sent.
//! 6. *Request* names a run of pieces; *Hashes* come first where they are wanted, then the blocks.
//!    A piece is hashed, written, made durable, and announced with *Have*.
//! 7. A signed [`receipt`] tells that all of a share is verified and in place. *Goodbye* ends a
//!    connection.
//!
//! Beside it: *Capacity* tells how much a peer can still store, *Halt* that it is stuck with a share, and
//! *Relay* passes a sealed signal on where the server cannot. *Ping* asks whether the other side is still
//! there, and *Pong* says so. The creator's signed [`roster`] locks a room,
//! and *Anew* tells its members of the room that takes its place. *Listen* and *Line* are the room's [`chat`].
//!
//! # The poll loop
//! An adapter owns one [`swarm::Swarm`] and runs one loop: wait for one thing; hand it to a
//! `handle_*` method, or give a command; drain every `poll_*` until `None`, `poll_transmit` first, and
//! do what they say; sleep until `poll_timeout`. All that goes in and out is plain data, in [`io`]
//! and [`event`]. The simulated network in `simulation/` is the smallest adapter there is.

pub mod bitfield;
pub mod chat;
pub mod code;
pub mod codec;
mod confirm;
pub mod envelope;
pub mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod identity;
pub mod invite;
pub mod io;
pub mod manifest;
pub mod message;
pub mod names;
mod negotiation;
pub mod pake;
pub mod piece;
pub mod piece_map;
pub mod policy;
pub mod rate;
pub mod receipt;
pub mod rendezvous;
mod rng;
pub mod roster;
mod scheduler;
pub mod signaling;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
pub mod swarm;
pub mod time;
mod wanted;

#[cfg(test)]
mod tests;
