//! `shoal send`: shares paths in a room and serves them. An earlier run of the same command, however it
//! ended, is gone on with: the same room, the same link.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use native_peer::codes::OfferEvent;
use native_peer::storage::{Earlier, OriginError, OriginStorage, prune_origins};
use native_peer::{DeviceKey, Event, Invite, Manifest, PeerId, ShareId, SignedManifest, sources};
use tokio::time::Instant;

use crate::SendArguments;
use crate::code::Shown;
use crate::failure::{Code, Failure};
use crate::identity;
use crate::output::{Output, Progress};
use crate::room::{Room, Step};
use crate::waits;

/// Below the configuration folder: what is needed to go on, one folder for each set of paths.
const SENT: &str = "sent";
/// What was not gone on with for this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Sends until received as often as asked, or until interrupted.
pub(crate) async fn run(arguments: SendArguments, output: &mut Output) -> Result<(), Failure> {
    let SendArguments { paths, server, code, until_received, new_room, lock_after, common } =
        arguments;
    let config = identity::folder(common.config_dir.clone())?;
    let all_sent = config.join(SENT);
    let folder = all_sent.join(name_of(&paths, &server));
    let found = tokio::task::spawn_blocking(move || {
        // What cannot be removed does no harm.
        let _ = prune_origins(&all_sent, FORGET_AFTER);
        sources::find(&paths)
    })
    .await
    .map_err(|error| Failure::new(Code::Other, error.to_string()))?
    .map_err(|error| Failure::new(Code::Files, error.to_string()))?;
    if !found.skipped.is_empty() {
        output.skipped(&found.skipped);
    }
    let key = identity::device_key(&config)?;
    let manifest = Manifest::new(key.public(), found.entries.clone())
        .map_err(|error| Failure::new(Code::Files, error.to_string()))?;
    let (storage, earlier) = open(&folder, new_room)?;
    let earlier = earlier.filter(|earlier| !new_room && earlier.origin() == key.public());
    let again = earlier.is_some();
    let (invite, known) = match earlier {
        Some(earlier) => go_on(earlier, &manifest)?,
        None => (begin(&storage, &server, &manifest, &key)?, Vec::new()),
    };
    let storage = Arc::new(storage);
    let mut room = Room::enter(&common, server.clone(), Some(invite.clone()), storage.clone())?;
    let share = room
        .peer
        .share_again(found, known)
        .await
        .map_err(|error| Failure::new(Code::Files, error.to_string()))?;
    let code = code.then_some((server.as_str(), invite));
    let ends = Ends { until_received, lock_after };
    let result = serve(&mut room, share, ends, again, code, output).await;
    output.clear();
    room.leave(output).await;
    match result {
        Ok(()) => storage.remove().map_err(Failure::from),
        // Somebody has to end it, if it has no end of its own.
        Err(Failure { code: Code::Interrupted, .. }) if until_received.is_none() => {
            output.can_go_on();
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}

/// What stands for these paths and this server from one run to the next.
fn name_of(paths: &[PathBuf], server: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(server.trim_end_matches('/').as_bytes());
    for path in paths {
        // What does not exist is told about elsewhere.
        let resolved = path.canonicalize().unwrap_or_else(|_| path.clone());
        hasher.update(&[0]).update(resolved.as_os_str().as_encoded_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// What an earlier run left. For a new room another place is found while a process uses this one.
fn open(folder: &Path, new_room: bool) -> Result<(OriginStorage, Option<Earlier>), OriginError> {
    let mut number = 0;
    loop {
        match OriginStorage::open(&folder.with_extension(number.to_string())) {
            Err(OriginError::InUse) if new_room => number += 1,
            opened => return opened,
        }
    }
}

/// The room of an earlier run, if what is there is what was shared then.
fn go_on(
    earlier: Earlier,
    now: &Manifest,
) -> Result<(Invite, Vec<native_peer::HashBatch>), Failure> {
    if let Some(difference) = earlier.difference(now) {
        let message = format!(
            "{difference} since this was shared under a link that was given out; put it back as it was, \
             or share what is there now under a new link with --new-room"
        );
        return Err(Failure::new(Code::Changed, message));
    }
    Ok((earlier.link.invite, earlier.known))
}

/// A new room.
fn begin(
    storage: &OriginStorage,
    server: &str,
    manifest: &Manifest,
    key: &DeviceKey,
) -> Result<Invite, Failure> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| {
        Failure::new(Code::Other, format!("the system gives no random bytes: {error}"))
    })?;
    let invite = Invite::new(secret, &key.public());
    let signed = SignedManifest::sign(manifest, invite.room_id(), key)
        .map_err(|error| Failure::new(Code::Files, error.to_string()))?;
    storage.begin(&invite.to_link(server), &signed)?;
    Ok(invite)
}

/// When the sender is done, with some of it.
#[derive(Clone, Copy)]
struct Ends {
    /// So many have everything: then it ends.
    until_received: Option<u32>,
    /// So many have come: then the room is locked.
    lock_after: Option<u32>,
}

async fn serve(
    room: &mut Room,
    share: ShareId,
    ends: Ends,
    again: bool,
    code: Option<(&str, Invite)>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut code = code;
    let mut shown = None;
    let mut invited = false;
    // Those who came before the room is locked.
    let mut guests = BTreeSet::new();
    // Those whose capacity was told.
    let mut told: BTreeSet<PeerId> = BTreeSet::new();
    let mut receivers = BTreeSet::new();
    let mut rate = Rate::default();
    loop {
        let step = tokio::select! {
            step = room.next(output) => step?,
            event = next_of_code(&mut shown) => {
                if let Some(shown) = &mut shown {
                    shown.tell(&event, output);
                }
                continue;
            }
        };
        match step {
            Step::Event(Event::Joined { .. }) if !invited => {
                invited = true;
                if let Some(view) = room.peer.snapshot().shares.iter().find(|v| v.id == share) {
                    output.share(view);
                }
                output.invite(&room.peer.link(), again);
                if let Some((server, invite)) = code.take() {
                    shown = Some(Shown::start(server, invite)?);
                }
            }
            Step::Event(Event::Received { share: which, peer, name }) if which == share => {
                let snapshot = room.peer.snapshot();
                let view = snapshot.shares.iter().find(|view| view.id == share);
                let title = view.map(|view| view.manifest.title()).unwrap_or_default();
                output.received(share, &title, peer, &name);
                receivers.insert(peer);
                match ends.until_received {
                    Some(wanted) if receivers.len() >= wanted as usize => return Ok(()),
                    Some(_) => {}
                    None => output.may_leave(),
                }
            }
            Step::Event(Event::Failed { share: which, reason }) if which == share => {
                return Err(reason.into());
            }
            Step::Event(Event::PeerConnected { peer, .. }) => {
                guests.insert(peer);
                if ends.lock_after == Some(guests.len() as u32) {
                    room.peer.set_locked(true).await?;
                }
            }
            Step::Tick => show(room, share, invited, &mut rate, &mut told, output),
            Step::Event(_) => {}
        }
    }
}

async fn next_of_code(shown: &mut Option<Shown>) -> OfferEvent {
    match shown {
        Some(shown) => shown.next().await,
        None => std::future::pending().await,
    }
}

fn show(
    room: &Room,
    share: ShareId,
    invited: bool,
    rate: &mut Rate,
    told: &mut BTreeSet<PeerId>,
    output: &mut Output,
) {
    let snapshot = room.peer.snapshot();
    output.waiting(waits::for_receivers(&room.peer, &snapshot, room.barred));
    let Some(view) = snapshot.shares.iter().find(|view| view.id == share) else { return };
    if !invited {
        return;
    }
    let total = view.manifest.total();
    let connected = || snapshot.peers.iter().filter(|peer| peer.is_connected());
    for peer in connected() {
        if let Some(available) = peer.available
            && told.insert(peer.id)
        {
            output.capacity(peer, available, total);
        }
    }
    output.halted(&view.halted);
    // How far each receiver is cannot be told from here; what was sent, to all together, can.
    let bytes = view.uploaded;
    let rate = rate.measure(bytes);
    let progress = Progress { bytes, total, uploaded: bytes, rate, peers: connected().count() };
    output.sent(progress, &snapshot.peers, snapshot.copies.get(&share));
}

/// Bytes per second, smoothed over a few measurements.
#[derive(Default)]
struct Rate {
    last: Option<(u64, Instant)>,
    rate: f64,
}

impl Rate {
    fn measure(&mut self, bytes: u64) -> f64 {
        let now = Instant::now();
        if let Some((before, then)) = self.last {
            let seconds = now.duration_since(then).as_secs_f64();
            if seconds > 0.0 {
                let current = bytes.saturating_sub(before) as f64 / seconds;
                self.rate += (current - self.rate) * (seconds / 2.0).min(1.0);
            }
        }
        self.last = Some((bytes, now));
        self.rate
    }
}
