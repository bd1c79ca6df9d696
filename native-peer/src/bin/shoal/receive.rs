//! `shoal receive`: fetches every share of a room into a folder, and serves on what it has meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use native_peer::codes::{self, Code as SpokenCode};
use native_peer::storage::{DiskStorage, Storage};
use native_peer::{Event, InviteLink, Selection, ShareId, ShareView};
use protocol::names::risk;
use tokio::time::Instant;

use crate::failure::{Code, Failure};
use crate::only::Only;
use crate::output::{Landed, Output, Progress};
use crate::room::{Room, Step};
use crate::waits;
use crate::{DEFAULT_SERVER, ReceiveArguments, SERVER_VARIABLE};

/// When everything known is complete, this long is waited for more: several shares of one room become
/// known one after the other.
const SETTLE: Duration = Duration::from_millis(300);
/// When everything was here already, this long is waited for somebody to connect to: they may have more,
/// and senders want to know that it was received.
const ALONE: Duration = Duration::from_secs(10);

/// Receives until everything is complete; with `--stay`, until interrupted.
pub(crate) async fn run(arguments: ReceiveArguments, output: &mut Output) -> Result<(), Failure> {
    let ReceiveArguments { invite, output: folder, server, only, trusted, stay, common } =
        arguments;
    let wanted = Wanted { only: Only::new(only), trusted, stay };
    let entry = read(&invite.join(" "))?;
    // What is wrong with the folder is told before a code is used up.
    let storage = Arc::new(DiskStorage::new(&folder)?);
    let InviteLink { server, invite } = enter(entry, server, output).await?;
    let mut room = Room::enter(&common, server, Some(invite.clone()), storage.clone())?;
    for (signed, recalled) in storage.left(invite.room_id()) {
        // Of another room, if it fails: then it is not what was asked for.
        let _ = room.peer.recall(signed, recalled).await;
    }
    let mut shares = Shares::default();
    let result = fetch(&mut room, &mut shares, &folder, &*storage, &wanted, output).await;
    output.clear();
    room.leave(output).await;
    match result {
        Err(Failure { code: Code::Interrupted, .. }) if stay && shares.complete() => Ok(()),
        result => result,
    }
}

/// What is to be received, and for how long.
struct Wanted {
    only: Only,
    /// Only what trusted people share.
    trusted: bool,
    /// Not only until everything is here.
    stay: bool,
}

/// What people were given.
enum Entry {
    Link(InviteLink),
    Code(SpokenCode),
}

fn read(text: &str) -> Result<Entry, Failure> {
    if SpokenCode::is_meant(text) {
        return Ok(Entry::Code(text.parse()?));
    }
    let link = text.parse().map_err(|error| Failure::new(Code::Invite, format!("{error}")))?;
    Ok(Entry::Link(link))
}

/// Where an invite leads; a code is used up for that.
async fn enter(
    entry: Entry,
    server: Option<String>,
    output: &mut Output,
) -> Result<InviteLink, Failure> {
    let code = match entry {
        Entry::Link(link) => {
            return Ok(InviteLink { server: server.unwrap_or(link.server), ..link });
        }
        Entry::Code(code) => code,
    };
    let of_environment = || std::env::var(SERVER_VARIABLE).ok();
    let server = server.or_else(of_environment).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    let invite = codes::claim(&server, code).await?;
    output.came_by_code(&invite.to_link(&server));
    Ok(InviteLink { server, invite })
}

/// The shares that are wanted, and whether each is complete.
#[derive(Default)]
struct Shares {
    complete: BTreeMap<ShareId, bool>,
    /// When the last one became known, or the first peer that may have more.
    latest: Option<Instant>,
    /// Whether somebody was connected.
    met: bool,
    /// When the last one was complete.
    completed: Option<Instant>,
}

impl Shares {
    /// Whether there is at least one, and all are complete.
    fn complete(&self) -> bool {
        !self.complete.is_empty() && self.complete.values().all(|&complete| complete)
    }

    fn settled(&self) -> bool {
        let long_ago = |at: Option<Instant>, time| at.is_some_and(|at| at.elapsed() >= time);
        let heard = self.met || long_ago(self.completed, ALONE);
        heard && long_ago(self.latest, SETTLE)
    }
}

async fn fetch(
    room: &mut Room,
    shares: &mut Shares,
    folder: &Path,
    storage: &dyn Storage,
    &Wanted { ref only, trusted, stay }: &Wanted,
    output: &mut Output,
) -> Result<(), Failure> {
    loop {
        match room.next(output).await? {
            Step::Event(Event::ShareAdded { share }) => {
                let view = view(room, share);
                let is_wanted = |view: &ShareView| !trusted || room.trusts_origin_of(view);
                if !view.as_ref().is_none_or(is_wanted) {
                    continue;
                }
                let selection = view
                    .as_ref()
                    .map_or(Some(Selection::all()), |view| only.selection(&view.manifest));
                if let (Some(selection), false) = (selection, shares.complete.contains_key(&share))
                {
                    shares.complete.insert(share, false);
                    shares.latest = Some(Instant::now());
                    if let Some(view) = view {
                        output.share(&view);
                    }
                    room.peer.select(share, selection).await?;
                    room.peer.receive(share).await?;
                }
            }
            Step::Event(Event::Completed { share }) => {
                tell_complete(room, share, folder, storage, output).await?;
                shares.complete.insert(share, true);
                shares.completed = Some(Instant::now());
            }
            Step::Event(Event::PeerConnected { .. }) if !shares.met => {
                shares.met = true;
                shares.latest = shares.latest.map(|_| Instant::now());
            }
            Step::Event(Event::Failed { share, reason })
                if shares.complete.contains_key(&share) =>
            {
                return Err(reason.into());
            }
            Step::Event(_) => {}
            Step::Tick => show(room, shares, output),
        }
        if shares.complete() && shares.settled() && !stay {
            return Ok(());
        }
    }
}

fn view(room: &Room, share: ShareId) -> Option<ShareView> {
    room.peer.snapshot().shares.iter().find(|view| view.id == share).cloned()
}

async fn tell_complete(
    room: &Room,
    share: ShareId,
    folder: &Path,
    storage: &dyn Storage,
    output: &mut Output,
) -> Result<(), Failure> {
    let other = |what: &str| Failure::new(Code::Other, format!("{what} of a complete share"));
    let view = view(room, share).ok_or_else(|| other("nothing is known"))?;
    let hashes = room.peer.file_hashes(share).await.map_err(|e| other(&e.to_string()))?;
    let places = storage.places(share);
    let mut files = Vec::with_capacity(places.len());
    for (file, path) in &places {
        let hash = hashes.get(file.0 as usize).copied().flatten();
        let hash = hash.ok_or_else(|| other("a hash is not known"))?;
        let entry = view.manifest.file(*file);
        let risk = risk(entry.path.as_str());
        files.push(Landed { path, size: entry.size(), blake3: hash.to_string(), risk });
    }
    let folder = folder.canonicalize().unwrap_or_else(|_| PathBuf::from(folder));
    output.complete(&view, &folder, &files);
    Ok(())
}

fn show(room: &Room, shares: &Shares, output: &mut Output) {
    let snapshot = room.peer.snapshot();
    if shares.complete.is_empty() {
        return output.waiting(Some(waits::for_share(&room.peer, &snapshot, room.barred)));
    }
    let mut progress = Progress {
        peers: snapshot.peers.iter().filter(|peer| peer.is_connected()).count(),
        ..Progress::default()
    };
    let mut wait = None;
    for view in snapshot.shares.iter().filter(|view| shares.complete.contains_key(&view.id)) {
        progress.bytes += view.have.min(view.wanted);
        progress.total += view.wanted;
        progress.uploaded += view.uploaded;
        progress.rate += view.rate;
        wait = wait.or_else(|| waits::for_data(&room.peer, &snapshot, view, room.barred));
    }
    output.waiting(wait);
    if !shares.complete() {
        output.progress(progress);
    }
}
