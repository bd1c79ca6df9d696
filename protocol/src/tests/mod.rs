//! Whole rooms in the simulated network.

mod control;
mod lanes;
mod room;
