//! Whole rooms in the simulated network.

mod control;
mod corpora;
mod faults;
mod hostile;
mod lanes;
mod lasting;
mod membership;
mod mesh;
mod outages;
mod room;
mod scale;
mod server;
mod vectors;
