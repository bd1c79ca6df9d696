//! Whole rooms in the simulated network.

mod room;
