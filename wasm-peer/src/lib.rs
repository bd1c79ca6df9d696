//! A Shoal peer in a browser.
pub mod api;
mod connection;
pub mod error;
mod forward;
pub mod peer;
mod stats;
pub mod wire;
