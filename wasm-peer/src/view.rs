//! How the core's views and events look to embedders ([`crate::api`]).

use protocol::code::spoken;
use protocol::event::{
    CloseReason, Copies, Event, Halt as CoreHalt, PeerLink as CoreLink, PeerView, ServerView,
    ShareState as CoreState, ShareView, Wait as CoreWait, Waiting as CoreWaiting,
    Withheld as CoreWithheld,
};
use protocol::identity::{PublicKey, comparison};
use protocol::io::{LostCause, PathKind as CorePath};
use protocol::manifest::Manifest;
use protocol::names::{Risk as CoreRisk, readable, readable_lines};
use protocol::piece::FileIndex;
use protocol::piece_map::{PieceCell, PieceMap as CoreMap};
use protocol::policy::Priority as CorePriority;
use protocol::time::{Duration, Instant};

use crate::api::{
    Access, CELL_BYTES, EventKind, FileList, Halt, Halted, Left, Line, PathKind, PeerEvent,
    PeerInfo, PeerLink, Person, PieceMap, Priority, Risk, Risky, ServerState, ShareInfo,
    ShareState, SourceInfo, Standing, Wait, Waiting, Withheld,
};

/// A peer as embedders see it; `own` is our key, `people` are those whom the user trusts and avoids.
pub(crate) fn peer(view: PeerView, own: &PublicKey, people: &[Person]) -> PeerInfo {
    let (path, connected) = (view.path, view.is_connected());
    let public_key = view.key.map(|key| key.to_string());
    let known = people.iter().find(|person| Some(&person.public_key) == public_key.as_ref());
    let has_name_of = |person: &Person| {
        person.standing == Standing::Trusted
            && Some(&person.public_key) != public_key.as_ref()
            && !person.name.is_empty()
            && person.name.to_lowercase() == view.name.to_lowercase()
    };
    PeerInfo {
        id: view.id.to_string(),
        name: shown(&view.name),
        key: view.key.map(|key| key.short()),
        standing: known.map(|person| person.standing).unwrap_or_default(),
        known_as: known.map(|person| person.name.clone()),
        is_namesake: people.iter().any(has_name_of),
        words: view.key.map(|key| spoken(&comparison(own, &key))),
        public_key,
        connected,
        link: match view.link {
            CoreLink::Waiting { .. } => PeerLink::Waiting,
            CoreLink::Connecting { .. } => PeerLink::Connecting,
            CoreLink::Connected => PeerLink::Connected,
            CoreLink::Reviving { .. } => PeerLink::Reviving,
        },
        is_creator: view.is_creator,
        path: path.map(|path| path_kind(path.kind)),
        round_trip_ms: path.and_then(|path| path.round_trip).map(milliseconds),
        sent: view.traffic.sent,
        received: view.traffic.received,
        upload_rate: view.traffic.upload_rate,
        download_rate: view.traffic.download_rate,
        available: view.available,
    }
}

/// What a share waits for, as embedders see it.
fn waiting(wait: CoreWait, now: Instant) -> Wait {
    let (cause, needed, available) = match wait.cause {
        CoreWaiting::Connecting => (Waiting::Connecting, None, None),
        CoreWaiting::Source => (Waiting::Source, None, None),
        CoreWaiting::SourceUnreadable => (Waiting::SourceUnreadable, None, None),
        CoreWaiting::Silence => (Waiting::Silence, None, None),
        CoreWaiting::Paused => (Waiting::Paused, None, None),
        CoreWaiting::PausedByThem => (Waiting::PausedByThem, None, None),
        CoreWaiting::ServiceOff => (Waiting::ServiceOff, None, None),
        CoreWaiting::DiskFull { needed, available } => (Waiting::DiskFull, Some(needed), available),
        CoreWaiting::Budget { needed } => (Waiting::Budget, Some(needed), None),
    };
    let since_ms = milliseconds(now.saturating_since(wait.since));
    let next_ms = wait.next.map(|next| milliseconds(next.saturating_since(now)));
    Wait { cause, since_ms, next_ms, needed, available }
}

/// How we stand with the server as embedders see it: what is known of the cause if it is not there, and
/// in how many milliseconds it is tried again.
pub(crate) fn server(view: ServerView, now: Instant) -> (ServerState, Option<String>, Option<f64>) {
    match view {
        ServerView::Idle | ServerView::Connecting { .. } => (ServerState::Connecting, None, None),
        ServerView::Joined => (ServerState::Connected, None, None),
        ServerView::Lost { cause, reason, retry_at, .. } => {
            let state = match cause {
                LostCause::Network => ServerState::NetworkGone,
                LostCause::Server => ServerState::Lost,
            };
            (state, Some(shown(&reason)), Some(milliseconds(retry_at.saturating_since(now))))
        }
        ServerView::Refused { message, .. } => {
            (ServerState::Refused, Some(format!("the server refused: {}", shown(&message))), None)
        }
    }
}

/// A share as embedders see it; `access` says what helps if it is detached, `save_error` why it could
/// not be saved.
pub(crate) fn share(
    view: ShareView,
    copies: Option<Copies>,
    access: Option<Access>,
    save_error: Option<&str>,
    now: Instant,
) -> ShareInfo {
    let manifest = &view.manifest;
    let files = manifest.geometry().files();
    let (state, error) = match &view.state {
        CoreState::Shared => (ShareState::Shared, None),
        CoreState::Detached => (ShareState::Detached, None),
        CoreState::Available => (ShareState::Available, None),
        CoreState::Opening => (ShareState::Opening, None),
        CoreState::Receiving => (ShareState::Receiving, None),
        CoreState::Finishing => (ShareState::Finishing, None),
        CoreState::Complete => (ShareState::Complete, None),
        CoreState::Failed(reason) => (ShareState::Failed, Some(shown(&reason.to_string()))),
    };
    ShareInfo {
        id: view.id.to_string(),
        title: shown(&manifest.title()),
        file_count: files,
        directory_count: count(manifest.entries().len()) - files,
        total: manifest.total(),
        state,
        waiting: view.waiting.map(|wait| waiting(wait, now)),
        left: view.recalled.map(|it| Left {
            bytes: it.bytes,
            complete: it.complete,
            saved: it.saved,
        }),
        access,
        halted: view
            .halted
            .iter()
            .map(|it| Halted {
                peer: it.peer.to_string(),
                name: shown(&it.name),
                why: match it.halt {
                    CoreHalt::Paused => Halt::Paused,
                    CoreHalt::DiskFull => Halt::DiskFull,
                    CoreHalt::Unreadable => Halt::Unreadable,
                },
            })
            .collect(),
        error: error.or_else(|| save_error.map(str::to_owned)),
        saved: view.saved,
        wanted: view.wanted,
        wanted_files: wanted_files(&view),
        priority: priority(view.priority),
        withheld: view.withheld.map(|why| match why {
            CoreWithheld::ByUser => Withheld::ByUser,
            CoreWithheld::ServiceOff => Withheld::ServiceOff,
            CoreWithheld::Ratio => Withheld::Ratio,
            CoreWithheld::Time => Withheld::Time,
        }),
        have: view.have,
        fetched: view.fetched,
        reused: view.reused,
        wasted: view.wasted,
        uploaded: view.uploaded,
        upload_rate: view.upload_rate,
        rate: view.rate,
        holders: count(view.holders),
        full_holders: count(view.full_holders),
        receivers: count(view.receivers),
        nowhere: view.nowhere.bytes,
        copies: copies.as_ref().map_or(0.0, |copies| copies.in_room),
        origin_may_leave: copies.is_some_and(|copies| copies.origin_may_leave),
        sources: view
            .sources
            .iter()
            .map(|source| SourceInfo {
                peer: source.peer.to_string(),
                name: shown(&source.name),
                bytes: source.bytes,
            })
            .collect(),
        from_creator: view.from_creator,
        origin: manifest.origin().short(),
        pieces: manifest.geometry().pieces(),
        has_loose_files: manifest.loose_files() > 0,
        has_folders: manifest.loose_files() < files,
        risky: risky(manifest),
    }
}

fn wanted_files(view: &ShareView) -> u32 {
    let files = view.manifest.geometry().files();
    if view.selection.files.is_empty() {
        return if view.selection.rest.is_some() { files } else { 0 };
    }
    count((0..files).filter(|&file| view.selection.of(FileIndex(file)).is_some()).count())
}

/// The files of a share as embedders see them.
pub(crate) fn files(view: &ShareView) -> FileList {
    let (mut paths, mut sizes, mut priorities) = (String::new(), Vec::new(), Vec::new());
    for (file, entry) in view.manifest.files() {
        if !sizes.is_empty() {
            paths.push('\n');
        }
        paths.push_str(&readable(entry.path.as_str()));
        sizes.push(entry.size() as f64);
        priorities.push(Priority::number(view.selection.of(file).map(priority)));
    }
    let mut risks = vec![0; sizes.len()];
    for &(file, why) in view.manifest.risky() {
        risks[file.0 as usize] = Risk::number(Some(risk(why)));
    }
    FileList {
        paths,
        sizes: sizes.as_slice().into(),
        priorities: priorities.as_slice().into(),
        risks: risks.as_slice().into(),
    }
}

/// The map of a share's pieces as embedders see it.
pub(crate) fn piece_map(map: CoreMap) -> PieceMap {
    let cell = |cell: &PieceCell| -> [u8; CELL_BYTES] {
        [cell.here, cell.asked, cell.wanted, cell.source, cell.holders]
    };
    let cells: Vec<u8> = map.cells.iter().flat_map(cell).collect();
    PieceMap {
        pieces: map.pieces,
        per_cell: map.per_cell,
        cells: js_sys::Uint8Array::from(&cells[..]),
        sources: map.sources.iter().map(ToString::to_string).collect(),
        wanted: map.wanted,
        here: map.here,
        missing: map.missing,
        asked: map.asked,
        rare: map.rare,
        nowhere: map.nowhere,
        held: map.held,
    }
}

fn risky(manifest: &Manifest) -> Option<Risky> {
    let found = manifest.risky();
    let &(first, why) = found.first()?;
    let first = shown(manifest.file(first).path.as_str());
    Some(Risky { count: count(found.len()), first, risk: risk(why) })
}

fn risk(risk: CoreRisk) -> Risk {
    match risk {
        CoreRisk::Program => Risk::Program,
        CoreRisk::Script => Risk::Script,
        CoreRisk::Shortcut => Risk::Shortcut,
        CoreRisk::Macros => Risk::Macros,
        CoreRisk::DiskImage => Risk::DiskImage,
        CoreRisk::Disguised => Risk::Disguised,
    }
}

/// Text from elsewhere, as it may be shown.
pub(crate) fn shown(text: &str) -> String {
    readable(text).into_owned()
}

/// An event as embedders see it, in a room of this server; `own` is our key.
pub(crate) fn event(event: &Event, server: &str, own: &PublicKey) -> PeerEvent {
    let mut told = PeerEvent {
        kind: kind(event),
        share: None,
        peer: None,
        name: None,
        message: None,
        link: None,
        line: None,
    };
    match event {
        Event::Joined { peer } => told.peer = Some(peer.to_string()),
        Event::PeerConnected { peer, name } => {
            told.peer = Some(peer.to_string());
            told.name = Some(shown(name));
        }
        Event::ServerLost { reason, .. } => told.message = Some(shown(reason)),
        Event::Refused { message, .. } => {
            told.message = Some(format!("the server refused: {}", shown(message)));
        }
        Event::PeerGone { peer, name, reason } => {
            told.peer = Some(peer.to_string());
            told.name = Some(shown(name));
            told.message = Some(close_reason(*reason).to_owned());
        }
        Event::ShareAdded { share }
        | Event::ShareRemoved { share }
        | Event::Completed { share } => told.share = Some(share.to_string()),
        Event::Failed { share, reason } => {
            told.share = Some(share.to_string());
            told.message = Some(shown(&reason.to_string()));
        }
        Event::Waiting { share, .. } => told.share = Some(share.to_string()),
        // The state says which.
        Event::Locked { .. } => {}
        Event::Said { line } => {
            told.line = Some(Line {
                author: line.author.to_string(),
                key: line.author.short(),
                own: line.author == *own,
                name: shown(&line.name),
                sent_ms: line.sent_ms,
                text: readable_lines(&line.text),
            });
        }
        Event::StartedAnew { invite } => told.link = Some(invite.to_link(server)),
        Event::Received { share, peer, name } => {
            told.share = Some(share.to_string());
            told.peer = Some(peer.to_string());
            told.name = Some(shown(name));
        }
        Event::Banned { peer, name, share, proof, .. } => {
            told.peer = Some(peer.to_string());
            let name = shown(name);
            told.share = share.map(|share| share.to_string());
            told.message = Some(format!("{name} {proof} and is shut out; nothing of it was kept"));
            told.name = Some(name);
        }
    }
    told
}

fn kind(event: &Event) -> EventKind {
    match event {
        Event::Joined { .. } => EventKind::Joined,
        Event::ServerLost { .. } => EventKind::ServerLost,
        Event::Refused { .. } => EventKind::Refused,
        Event::PeerConnected { .. } => EventKind::PeerConnected,
        Event::PeerGone { reason: CloseReason::NotConfirmed, .. } => EventKind::NotConfirmed,
        Event::PeerGone { .. } => EventKind::PeerGone,
        Event::ShareAdded { .. } => EventKind::ShareAdded,
        Event::ShareRemoved { .. } => EventKind::ShareRemoved,
        Event::Waiting { .. } => EventKind::Waiting,
        Event::Completed { .. } => EventKind::Completed,
        Event::Failed { .. } => EventKind::Failed,
        Event::Received { .. } => EventKind::Received,
        Event::Banned { .. } => EventKind::Banned,
        Event::Locked { .. } => EventKind::Locked,
        Event::StartedAnew { .. } => EventKind::StartedAnew,
        Event::Said { .. } => EventKind::Said,
    }
}

fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Left => "left the room",
        CloseReason::ConnectionLost => "the connection broke",
        CloseReason::Unreachable => "no connection came about; a firewall may be in the way",
        CloseReason::Version => "uses another version of Shoal; update and try again",
        CloseReason::ProtocolViolation => "did not keep to the rules and was disconnected",
        CloseReason::NotConfirmed => {
            "could not prove that nobody sits in between; make a new invite"
        }
        CloseReason::Banned => "was caught lying and is shut out",
        CloseReason::Replaced => "connected anew",
        CloseReason::TooManyConnections => "has as many connections as it wants",
        CloseReason::PathNotAllowed => "cannot be reached on a path that is allowed",
        CloseReason::Avoided => "is avoided",
        CloseReason::MakingRoom => "made room for somebody else",
        CloseReason::Locked => "the room is locked; whoever made it can let people in",
    }
}

fn path_kind(kind: CorePath) -> PathKind {
    match kind {
        CorePath::Lan => PathKind::Lan,
        CorePath::Direct => PathKind::Direct,
        CorePath::Relayed => PathKind::Relayed,
    }
}

fn priority(priority: CorePriority) -> Priority {
    match priority {
        CorePriority::Low => Priority::Low,
        CorePriority::Normal => Priority::Normal,
        CorePriority::High => Priority::High,
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
