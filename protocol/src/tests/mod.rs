//! Whole rooms in the simulated network.

mod chat;
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
mod view;

use crate::event::{CloseReason, Event};
use crate::simulation::World;

/// Asserts that nobody is connected, and that all were told of somebody who could not be confirmed.
fn assert_nobody_confirmed(world: &World) {
    for peer in &world.peers {
        assert!(peer.swarm.peers().all(|peer| !peer.is_connected()));
        let refused = |event: &Event| {
            matches!(event, Event::PeerGone { reason: CloseReason::NotConfirmed, .. })
        };
        assert!(peer.events.iter().any(refused), "{:?}", peer.events);
    }
}
