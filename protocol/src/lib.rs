//! The pure core of Shoal. The interface stands; see [`swarm::Swarm`] and [`io`].
pub mod bitfield;
pub mod codec;
pub mod event;
pub mod identity;
pub mod invite;
pub mod io;
pub mod manifest;
pub mod piece;
pub mod rate;
pub mod signaling;
pub mod swarm;
pub mod time;
