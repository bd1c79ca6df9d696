//! The pure core of Shoal. The interface stands; see [`swarm::Swarm`] and [`io`].
pub mod bitfield;
pub mod codec;
pub(crate) mod confirm;
pub mod envelope;
pub mod event;
pub mod identity;
pub mod invite;
pub mod io;
pub mod manifest;
pub mod message;
pub mod names;
pub mod piece;
pub mod rate;
pub(crate) mod rng;
pub mod signaling;
pub mod swarm;
pub mod time;
