//! `shoal send`: shares paths in a new room and serves them.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use native_peer::storage::Storage;
use native_peer::{
    Event, FileIndex, Kept, Manifest, PieceIndex, ShareId, SignedManifest, Span, StorageError,
};
use native_peer::{HashBatch, sources};
use tokio::time::Instant;

use crate::SendArguments;
use crate::failure::{Code, Failure};
use crate::output::{Output, Progress, Wait};
use crate::room::{Room, Step};

/// Sends until received as often as asked, or until interrupted.
pub(crate) async fn run(arguments: SendArguments, output: &mut Output) -> Result<(), Failure> {
    let SendArguments { paths, server, until_received, common } = arguments;
    let found = tokio::task::spawn_blocking(move || sources::find(&paths))
        .await
        .map_err(|error| Failure::new(Code::Other, error.to_string()))?
        .map_err(|error| Failure::new(Code::Files, error.to_string()))?;
    if !found.skipped.is_empty() {
        output.skipped(&found.skipped);
    }
    let mut room = Room::enter(&common, server, None, Arc::new(NoStorage))?;
    let share = room
        .peer
        .share(found)
        .await
        .map_err(|error| Failure::new(Code::Files, error.to_string()))?;
    let result = serve(&mut room, share, until_received, output).await;
    output.clear();
    room.leave(output).await;
    match result {
        // Somebody has to end it, if it has no end of its own.
        Err(Failure { code: Code::Interrupted, .. }) if until_received.is_none() => Ok(()),
        result => result,
    }
}

async fn serve(
    room: &mut Room,
    share: ShareId,
    until_received: Option<u32>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut invited = false;
    let mut receivers = BTreeSet::new();
    let mut rate = Rate::default();
    loop {
        match room.next(output).await? {
            Step::Event(Event::Joined { .. }) if !invited => {
                invited = true;
                if let Some(view) = room.peer.snapshot().shares.iter().find(|v| v.id == share) {
                    output.share(view);
                }
                output.invite(&room.peer.link());
                output.waiting(Some(Wait::Receivers));
            }
            Step::Event(Event::Received { share: which, peer }) if which == share => {
                let snapshot = room.peer.snapshot();
                let view = snapshot.shares.iter().find(|view| view.id == share);
                let title = view.map(|view| view.manifest.title()).unwrap_or_default();
                output.received(share, &title, peer, room.name(peer));
                receivers.insert(peer);
                match until_received {
                    Some(wanted) if receivers.len() >= wanted as usize => return Ok(()),
                    Some(_) => {}
                    None => output.may_leave(),
                }
            }
            Step::Event(Event::Failed { share: which, reason }) if which == share => {
                return Err(reason.into());
            }
            Step::Tick if invited => show(room, share, &mut rate, output),
            Step::Event(_) | Step::Tick => {}
        }
    }
}

fn show(room: &Room, share: ShareId, rate: &mut Rate, output: &mut Output) {
    let snapshot = room.peer.snapshot();
    let Some(view) = snapshot.shares.iter().find(|view| view.id == share) else { return };
    let peers = snapshot.peers.iter().filter(|peer| peer.is_connected()).count();
    // How far each receiver is cannot be told from here; what was sent, to all together, can.
    let bytes = view.uploaded;
    let rate = rate.measure(bytes);
    output.waiting((peers == 0).then_some(Wait::Receivers));
    let total = view.manifest.total();
    let progress = Progress { bytes, total, uploaded: bytes, rate, peers };
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

/// Sending stores nothing.
struct NoStorage;

const NOTHING: &str = "this process only sends";

impl Storage for NoStorage {
    fn open(
        &self,
        _: ShareId,
        _: &Arc<Manifest>,
        _: &SignedManifest,
    ) -> Result<Kept, StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn read(&self, _: ShareId, _: Span) -> Result<Vec<u8>, StorageError> {
        Err(StorageError::Gone(io::ErrorKind::NotFound.to_string()))
    }

    fn write(&self, _: ShareId, _: PieceIndex, _: Span, _: &[u8]) -> Result<(), StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn commit(&self, _: ShareId, _: &[PieceIndex], _: &[HashBatch]) -> Result<(), StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn finish(&self, _: ShareId, _: &[FileIndex]) -> Result<(), StorageError> {
        Err(StorageError::Other(NOTHING.into()))
    }

    fn close(&self, _: ShareId, _: bool) {}

    fn places(&self, _: ShareId) -> Vec<(FileIndex, PathBuf)> {
        Vec::new()
    }
}
