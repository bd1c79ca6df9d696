//! Whole rooms in the simulated network.

mod control;
mod faults;
mod lanes;
mod room;
mod scale;
