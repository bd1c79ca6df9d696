//! How what embedders say of policies and choices ([`crate::api`]) looks to the core.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::identity::PublicKey;
use protocol::manifest::MAX_ENTRIES;
use protocol::piece::FileIndex;
use protocol::policy as core;

use crate::api;

/// An embedder's policy, and how the user stands to people where that says nothing; a sentence if a key in
/// it is none.
pub(crate) fn policy(said: &api::Policy, people: &[api::Person]) -> Result<core::Policy, String> {
    let usual = core::Policy::default();
    let is_on = |service| !said.off.contains(&service);
    let seconds = said.stop_after_seconds.filter(|seconds| (0.0..1e12).contains(seconds));
    let peers: Result<BTreeMap<_, _>, String> = said.peers.iter().map(peer).collect();
    let mut peers = peers?;
    for person in people {
        // The list was made by us; what is not legible any more counts for nothing.
        let Ok(key) = key(&person.public_key) else { continue };
        let policy: &mut core::PeerPolicy = peers.entry(key).or_default();
        if policy.standing == core::Standing::Neutral {
            policy.standing = standing(person.standing);
        }
    }
    Ok(core::Policy {
        connections: said.connections.map_or(usual.connections, |it| it as usize),
        upload_slots: said.upload_slots.map_or(usual.upload_slots, |it| it as usize),
        upload: said.upload,
        download: said.download,
        upload_per_peer: said.upload_per_peer,
        download_per_peer: said.download_per_peer,
        lan_exempt: said.lan_exempt,
        peers,
        path: match said.path {
            api::PathPolicy::Any => core::PathPolicy::Any,
            api::PathPolicy::LanOnly => core::PathPolicy::LanOnly,
            api::PathPolicy::DirectOnly => core::PathPolicy::DirectOnly,
            api::PathPolicy::RelayOnly => core::PathPolicy::RelayOnly,
        },
        services: core::Services {
            share: is_on(api::Service::Share),
            receive: is_on(api::Service::Receive),
            serve_on: is_on(api::Service::ServeOn),
            introduce: is_on(api::Service::Introduce),
            chat: is_on(api::Service::Chat),
        },
        accept: match said.accept {
            api::Accept::Ask => core::Accept::Ask,
            api::Accept::Trusted => core::Accept::Trusted,
            api::Accept::All => core::Accept::All,
        },
        memory_in_flight: said.memory_in_flight.unwrap_or(usual.memory_in_flight),
        stop_at_ratio: said.stop_at_ratio,
        stop_after: seconds.map(Duration::from_secs_f64),
        storage: said.storage,
        ..usual
    })
}

fn peer(said: &api::PeerPolicy) -> Result<(PublicKey, core::PeerPolicy), String> {
    let standing = standing(said.standing);
    let policy = core::PeerPolicy { standing, upload: said.upload, download: said.download };
    Ok((key(&said.public_key)?, policy))
}

/// A public key as embedders write it; a sentence if it is none.
pub(crate) fn key(said: &str) -> Result<PublicKey, String> {
    let wrong = |_| format!("{said:?} is not a public key; it has 64 hexadecimal digits");
    said.parse().map_err(wrong)
}

fn standing(said: api::Standing) -> core::Standing {
    match said {
        api::Standing::Neutral => core::Standing::Neutral,
        api::Standing::Trusted => core::Standing::Trusted,
        api::Standing::Avoided => core::Standing::Avoided,
    }
}

/// An embedder's choice of files.
pub(crate) fn selection(said: &api::Selection) -> core::Selection {
    let files = said.files.iter().flat_map(|it| {
        // More a share cannot have, whatever is said.
        let end = it.file.saturating_add(it.count).min(MAX_ENTRIES);
        (it.file..end).map(|file| (FileIndex(file), it.priority.map(priority)))
    });
    core::Selection { rest: said.rest.map(priority), files: files.collect() }
}

/// How urgent something is to the core.
pub(crate) fn priority(said: api::Priority) -> core::Priority {
    match said {
        api::Priority::Low => core::Priority::Low,
        api::Priority::Normal => core::Priority::Normal,
        api::Priority::High => core::Priority::High,
    }
}
