//! How a share stands, in words: one short state, which is announced when it changes, and figures that
//! change all the time and are not.

use wasm_peer::api::{ShareInfo, ShareState, Waiting};
use web::format::time_left;
use web::text::text;

/// The state of a share in a word or two. `Complete` only once everything is verified and saved.
pub(crate) fn word(share: &ShareInfo, saving: bool) -> &'static str {
    let text = text();
    match (share.state, share.waiting.as_ref().map(|wait| wait.cause)) {
        (ShareState::Shared | ShareState::Detached, _) => text.shared,
        (ShareState::Available, _) if share.holders == 0 => text.waiting_source,
        (ShareState::Available, _) => text.available,
        (ShareState::Opening, _) => text.opening,
        (ShareState::Receiving, Some(Waiting::Source)) => text.waiting_source,
        (ShareState::Receiving, Some(Waiting::Silence)) => text.waiting_silence,
        (ShareState::Receiving, Some(Waiting::Paused)) => text.paused,
        (ShareState::Receiving, Some(Waiting::ServiceOff)) => text.receiving_off,
        (ShareState::Receiving, _) => text.receiving,
        (ShareState::Finishing, _) => text.finishing,
        (ShareState::Complete, _) if saving => text.saving,
        (ShareState::Complete, _) if share.saved => text.complete,
        (ShareState::Complete, _) => text.ready_to_save,
        (ShareState::Failed, _) => text.failed,
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
            let copies = (share.copies > 1.0).then(|| (text.copies)(share.copies));
            let may_leave = share.origin_may_leave.then(|| text.may_close.to_owned());
            [Some(received), sent, copies, may_leave].into_iter().flatten().collect()
        }
        ShareState::Available | ShareState::Opening | ShareState::Failed => {
            (share.have > 0).then(|| (text.already_here)(&size(share.have))).into_iter().collect()
        }
        ShareState::Receiving if let Some(waiting) = &share.waiting => {
            let hint = match waiting.cause {
                Waiting::Source if share.nowhere > 0 => (text.nobody_has)(&size(share.nowhere)),
                Waiting::Source | Waiting::Connecting | Waiting::SourceUnreadable => {
                    text.waiting_source_hint.to_owned()
                }
                Waiting::PausedByThem | Waiting::DiskFull | Waiting::Budget => String::new(),
                Waiting::Silence => text.waiting_silence_hint.to_owned(),
                Waiting::Paused => text.paused_hint.to_owned(),
                Waiting::ServiceOff => text.receiving_off_hint.to_owned(),
            };
            vec![part(share), hint]
        }
        ShareState::Receiving => {
            let mut figures = vec![part(share)];
            if let Some(left) = time_left(share.have, share.total, share.rate) {
                figures.push(text.units.rate(share.rate));
                figures.push((text.time_left)(&text.units.duration(left)));
            }
            if share.holders > 0 {
                figures.push((text.from_peers)(share.holders as usize));
            }
            figures
        }
        ShareState::Complete => {
            let sent = (share.uploaded > 0).then(|| (text.serving_on)(&size(share.uploaded)));
            let copies = (share.copies > 1.0).then(|| (text.copies)(share.copies));
            [sent, copies].into_iter().flatten().collect()
        }
        ShareState::Finishing => Vec::new(),
    }
}

/// How much is there, 0 to 100. A share that is not here is at 0 even if it is empty.
pub(crate) fn percent(share: &ShareInfo) -> u8 {
    match share.state {
        ShareState::Shared | ShareState::Detached | ShareState::Complete => 100,
        _ if share.total == 0 => 0,
        _ => web::format::percent(share.have, share.total),
    }
}

/// Whether something is under way, so that a bar is worth looking at.
pub(crate) fn is_moving(state: ShareState) -> bool {
    matches!(state, ShareState::Opening | ShareState::Receiving | ShareState::Finishing)
}

fn part(share: &ShareInfo) -> String {
    let text = text();
    (text.part_of)(&text.units.size(share.have), &text.units.size(share.total))
}
