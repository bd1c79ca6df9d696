//! How a share stands, in words: one short state, which is announced when it changes; a sentence on what it
//! waits for and what helps; and figures and timers that change all the time and are not announced.

use leptos::prelude::With;
use wasm_peer::api::{Access, Halt, ShareInfo, ShareState, Wait, Waiting};
use web::format::time_left;
use web::text::text;

use crate::session::Session;

/// The state of a share in a word or two. `Complete` only once everything is verified and saved.
pub(crate) fn word(share: &ShareInfo, saving: bool) -> &'static str {
    let text = text();
    match share.state {
        ShareState::Shared => text.shared,
        ShareState::Detached => text.detached,
        ShareState::Available if is_whole(share) => text.received_before,
        ShareState::Available if is_unfinished(share) => text.unfinished,
        ShareState::Available if share.holders == 0 => text.waiting_source,
        ShareState::Available => text.available,
        ShareState::Opening | ShareState::Receiving if let Some(wait) = &share.waiting => {
            match wait.cause {
                Waiting::Connecting => text.waiting_connecting,
                Waiting::Source => text.waiting_source,
                Waiting::SourceUnreadable => text.source_unreadable,
                Waiting::Silence => text.waiting_silence,
                Waiting::Paused => text.paused,
                Waiting::PausedByThem => text.paused_by_them,
                Waiting::ServiceOff => text.receiving_off,
                Waiting::DiskFull => text.disk_full,
                Waiting::Budget => text.budget,
            }
        }
        ShareState::Opening => text.opening,
        ShareState::Receiving => text.receiving,
        ShareState::Finishing => text.finishing,
        ShareState::Complete if saving => text.saving,
        ShareState::Complete if share.saved => text.complete,
        ShareState::Complete => text.ready_to_save,
        ShareState::Failed => text.failed,
    }
}

/// Why it does not move, and what helps.
pub(crate) fn hint(share: &ShareInfo) -> Option<String> {
    let text = text();
    let size = |bytes: u64| text.units.size(bytes);
    let hint = match share.state {
        ShareState::Detached => match share.access {
            Some(Access::Permission) => text.detached_permission_hint,
            Some(Access::ChooseAgain) | None => text.detached_choose_hint,
        },
        ShareState::Available if is_whole(share) => text.received_before_hint,
        ShareState::Available if is_unfinished(share) => text.unfinished_hint,
        ShareState::Available if share.holders == 0 => text.waiting_source_hint,
        _ => {
            let wait = waiting(share)?;
            let needed = wait.needed.map(size);
            match wait.cause {
                Waiting::Connecting => text.waiting_connecting_hint,
                Waiting::Source if share.nowhere > 0 => {
                    return Some((text.nobody_has)(&size(share.nowhere)));
                }
                Waiting::Source => text.waiting_source_hint,
                Waiting::SourceUnreadable => text.source_unreadable_hint,
                Waiting::Silence => text.waiting_silence_hint,
                Waiting::Paused => text.paused_hint,
                Waiting::PausedByThem => text.paused_by_them_hint,
                Waiting::ServiceOff => text.receiving_off_hint,
                Waiting::DiskFull => {
                    let available = wait.available.map(size);
                    return Some((text.disk_full_hint)(needed.as_deref(), available.as_deref()));
                }
                Waiting::Budget => return Some((text.budget_hint)(needed.as_deref())),
            }
        }
    };
    Some(hint.to_owned())
}

/// For how long a share has been waiting, and when something is tried again by itself; `passed_ms` is how
/// long ago that was told.
pub(crate) fn timer(wait: &Wait, passed_ms: f64) -> String {
    let text = text();
    let duration = |ms: f64| text.units.duration(ms / 1e3);
    let since = (text.waiting_for)(&duration(wait.since_ms + passed_ms));
    match wait.next_ms.map(|next| next - passed_ms) {
        Some(next) => format!("{since} · {}", next_try(next)),
        None => since,
    }
}

/// When something is tried again.
pub(crate) fn next_try(ms: f64) -> String {
    let text = text();
    if ms > 0.0 {
        (text.next_try)(&text.units.duration(ms / 1e3))
    } else {
        text.next_try_now.to_owned()
    }
}

/// What there is to add to the state.
pub(crate) fn figures(share: &ShareInfo) -> Vec<String> {
    let text = text();
    let size = |bytes| text.units.size(bytes);
    match share.state {
        ShareState::Shared | ShareState::Detached => {
            let received = match share.receivers {
                0 => text.not_received_yet.to_owned(),
                n => (text.received_by)(n),
            };
            let sent = (share.uploaded > 0).then(|| (text.sent)(&size(share.uploaded)));
            [Some(received), sent].into_iter().flatten().collect()
        }
        ShareState::Available | ShareState::Failed => {
            (here(share) > 0).then(|| part(share)).into_iter().collect()
        }
        ShareState::Opening if share.waiting.is_none() => Vec::new(),
        ShareState::Opening | ShareState::Receiving if share.waiting.is_some() => vec![part(share)],
        ShareState::Opening | ShareState::Receiving => {
            let mut figures = vec![part(share)];
            if let Some(left) = time_left(share.have, goal(share), share.rate) {
                figures.push(text.units.rate(share.rate));
                figures.push((text.time_left)(&text.units.duration(left)));
            }
            if share.holders > 0 {
                figures.push((text.from_peers)(share.holders as usize));
            }
            figures
        }
        ShareState::Complete => (share.uploaded > 0)
            .then(|| (text.serving_on)(&size(share.uploaded)))
            .into_iter()
            .collect(),
        ShareState::Finishing => Vec::new(),
    }
}

/// How many copies there are, where there is more than one.
pub(crate) fn copies(share: &ShareInfo) -> Option<String> {
    (share.copies > 1.0).then(|| (text().copies)(share.copies))
}

/// Who else is stuck with a share, and, before anything of ours is sent, who has too little room for it.
pub(crate) fn others(session: Session, share: &ShareInfo) -> Vec<String> {
    let text = text();
    let halted = share.halted.iter().map(|halted| {
        let name = session.peer_name(&halted.peer);
        match halted.why {
            Halt::Paused => (text.halted_paused)(&name),
            Halt::DiskFull => (text.halted_disk_full)(&name),
            Halt::Unreadable => (text.halted_unreadable)(&name),
        }
    });
    let mut lines: Vec<String> = halted.collect();
    if share.state == ShareState::Shared && share.uploaded == 0 {
        session.state.with(|state| {
            for peer in state.iter().flat_map(|state| &state.peers) {
                let is_halted = share.halted.iter().any(|halted| halted.peer == peer.id);
                if let Some(room) = peer.available.filter(|&room| room < share.total && !is_halted)
                {
                    let name = session.peer_name(&peer.id);
                    lines.push((text.too_little_room)(&name, &text.units.size(room)));
                }
            }
        });
    }
    lines
}

/// How much is there, 0 to 100. A share that is not here is at 0 even if it is empty.
pub(crate) fn percent(share: &ShareInfo) -> u8 {
    match share.state {
        ShareState::Shared | ShareState::Detached | ShareState::Complete => 100,
        _ if goal(share) == 0 => 0,
        // Of what is here some may not be wanted.
        _ if goal(share) < share.total => web::format::percent(here(share), goal(share)).min(99),
        _ => web::format::percent(here(share), goal(share)),
    }
}

/// Whether something is under way, so that a bar is worth looking at.
pub(crate) fn is_moving(state: ShareState) -> bool {
    matches!(state, ShareState::Opening | ShareState::Receiving | ShareState::Finishing)
}

/// What a share that is on its way waits for.
pub(crate) fn waiting(share: &ShareInfo) -> Option<&Wait> {
    is_moving(share.state).then_some(share.waiting.as_ref()).flatten()
}

/// Whether some of it is here, from this load of the page or an earlier one, and nothing is under way.
pub(crate) fn is_unfinished(share: &ShareInfo) -> bool {
    share.state == ShareState::Available && here(share) > 0
}

/// Whether an earlier load of the page left all of it.
pub(crate) fn is_whole(share: &ShareInfo) -> bool {
    share.state == ShareState::Available && share.left.is_some_and(|left| left.complete)
}

/// Bytes that are to be here: of the files that are wanted.
pub(crate) fn goal(share: &ShareInfo) -> u64 {
    share.wanted
}

/// Verified bytes that are here, of files wanted or not.
pub(crate) fn here(share: &ShareInfo) -> u64 {
    share.left.map_or(0, |left| left.bytes).max(share.have)
}

fn part(share: &ShareInfo) -> String {
    let text = text();
    (text.part_of)(&text.units.size(here(share)), &text.units.size(goal(share).max(here(share))))
}
