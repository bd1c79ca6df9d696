//! Whole rooms in the simulated network.

mod control;
mod room;
