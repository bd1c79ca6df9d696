//! The pure core of Shoal. The interface is still being laid down; see the modules.
pub mod signaling;
pub mod time;
