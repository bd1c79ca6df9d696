//! Whole rooms in the simulated network.

mod harness;
mod room;
