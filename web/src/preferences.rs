//! What people set for this browser: how they are called, what the peer may do, and how the page behaves. It
//! is kept, and holds in every room.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_peer::api::{PeerOptions, PeerPolicy, Policy, Standing};
use web::device::device_name;

use web::front::kept;

/// What is sent to and received from somebody at most, in bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caps {
    pub(crate) upload: Option<u64>,
    pub(crate) download: Option<u64>,
}

/// See the module. The default is what holds before anybody sets anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Preferences {
    /// What others see this device called; that of the browser while it is empty.
    pub(crate) name: String,
    /// Whether to be somebody new in every room.
    pub(crate) fresh_key: bool,
    /// Whether no room is remembered.
    pub(crate) forget_rooms: bool,
    /// Whether to tell people what happens while they do not look.
    pub(crate) notify: bool,
    /// What the peer may do. Single peers are in it for their caps; whom people trust and avoid the peer
    /// keeps itself.
    pub(crate) policy: Policy,
}

impl Preferences {
    pub(crate) fn load() -> Self {
        kept::load(kept::PREFERENCES)
    }

    pub(crate) fn keep(&self) {
        kept::keep(kept::PREFERENCES, self);
    }

    /// What others see this device called.
    pub(crate) fn shown_name(&self) -> String {
        match self.name.trim() {
            "" => own_name(),
            name => name.to_owned(),
        }
    }

    /// How to enter a room.
    pub(crate) fn options(&self) -> PeerOptions {
        PeerOptions {
            name: Some(self.shown_name()),
            fresh_key: self.fresh_key,
            policy: self.policy.clone(),
            ..PeerOptions::default()
        }
    }

    /// The caps for one person.
    pub(crate) fn caps(&self, public_key: &str) -> Caps {
        let peer = self.policy.peers.iter().find(|peer| peer.public_key == public_key);
        peer.map(|peer| Caps { upload: peer.upload, download: peer.download }).unwrap_or_default()
    }

    /// Sets the caps for one person.
    pub(crate) fn set_caps(&mut self, public_key: &str, caps: Caps) {
        self.policy.peers.retain(|peer| peer.public_key != public_key);
        if caps != Caps::default() {
            self.policy.peers.push(PeerPolicy {
                public_key: public_key.to_owned(),
                standing: Standing::Neutral,
                upload: caps.upload,
                download: caps.download,
            });
        }
    }
}

/// A policy without those from whom people disconnected for this visit.
pub(crate) fn without(policy: &Policy, shut: &[String]) -> Policy {
    let mut policy = policy.clone();
    for key in shut {
        match policy.peers.iter_mut().find(|peer| peer.public_key == *key) {
            Some(peer) => peer.standing = Standing::Avoided,
            None => policy.peers.push(PeerPolicy {
                public_key: key.clone(),
                standing: Standing::Avoided,
                upload: None,
                download: None,
            }),
        }
    }
    policy
}

/// What this browser is called until people choose.
pub(crate) fn own_name() -> String {
    device_name(&window().navigator().user_agent().unwrap_or_default())
}
