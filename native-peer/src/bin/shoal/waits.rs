//! What the command waits for, as people and scripts are told: a named cause, since when, when something is
//! done about it without anybody's help, and what people can do.

use std::time::Duration;

use native_peer::{
    CloseReason, LostCause, Peer, PeerLink, ServerView, ShareView, Snapshot, Waiting,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::size::size;

/// A wait.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// The cause in one word, which scripts rely on.
    pub(crate) cause: &'static str,
    /// The cause in a sentence.
    pub(crate) sentence: String,
    /// What people can do, in another.
    pub(crate) action: String,
    pub(crate) since: Instant,
    /// When it is tried again, if it is at a certain time.
    pub(crate) next: Option<Instant>,
    /// What else is known, for scripts.
    pub(crate) figures: Vec<(&'static str, Value)>,
}

impl Wait {
    fn new(cause: &'static str, sentence: impl Into<String>, action: impl Into<String>) -> Self {
        let (sentence, action) = (sentence.into(), action.into());
        Self { cause, sentence, action, since: Instant::now(), next: None, figures: Vec::new() }
    }

    /// Whether it is as it was, but for the time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.cause, &self.sentence) == (other.cause, &other.sentence)
    }

    pub(crate) fn to_json(&self) -> Value {
        let seconds = |time: Duration| (time.as_secs_f64() * 10.0).round() / 10.0;
        let next = self.next.map(|next| seconds(next.saturating_duration_since(Instant::now())));
        let mut event = json!({
            "event": "waiting",
            "for": self.cause,
            "since": seconds(self.since.elapsed()),
            "next": next,
            "action": self.action,
        });
        for (name, value) in &self.figures {
            event[*name] = value.clone();
        }
        event
    }
}

/// Nobody is there to receive.
pub(crate) fn for_receivers(
    peer: &Peer,
    snapshot: &Snapshot,
    barred: Option<CloseReason>,
) -> Option<Wait> {
    if snapshot.peers.iter().any(native_peer::PeerView::is_connected) {
        return None;
    }
    let nobody = || {
        Wait::new(
            "receivers",
            "Waiting for somebody to receive.",
            "Pass the link on, and keep this running.",
        )
    };
    Some(for_company(peer, snapshot, barred).unwrap_or_else(nobody))
}

/// Nothing is shared in the room that we want.
pub(crate) fn for_share(peer: &Peer, snapshot: &Snapshot, barred: Option<CloseReason>) -> Wait {
    for_company(peer, snapshot, barred).unwrap_or_else(|| {
        if snapshot.peers.is_empty() {
            let action = "Ask the sender to keep sharing open: it goes on by itself. \
                          If this stays so, check that the link is whole.";
            Wait::new("nobody", "Nobody else is in this room at the moment.", action)
        } else {
            let action = "Ask those who are there to share.";
            Wait::new("share", "Waiting for something to be shared in the room.", action)
        }
    })
}

/// What receiving a share waits for.
pub(crate) fn for_data(
    peer: &Peer,
    snapshot: &Snapshot,
    share: &ShareView,
    barred: Option<CloseReason>,
) -> Option<Wait> {
    let waiting = share.waiting?;
    let alone = !snapshot.peers.iter().any(native_peer::PeerView::is_connected);
    let elsewhere = matches!(waiting.cause, Waiting::Source | Waiting::Connecting);
    let mut wait = match for_company(peer, snapshot, barred) {
        Some(wait) if alone && elsewhere => return Some(wait),
        _ => describe(share, waiting.cause),
    };
    wait.cause = waiting.cause.name();
    wait.since = peer.time_of(waiting.since);
    wait.next = waiting.next.map(|at| peer.time_of(at));
    Some(wait)
}

fn describe(share: &ShareView, cause: Waiting) -> Wait {
    let missing = share.nowhere.bytes;
    match cause {
        Waiting::Connecting => connecting(),
        Waiting::Source => {
            let what = match missing {
                0 => "what is missing".to_owned(),
                bytes => format!("the last {}", size(bytes)),
            };
            let mut wait = Wait::new(
                "",
                format!("Nobody here has {what}. Waiting for somebody who has it."),
                "Ask the sender to keep sharing open: it goes on by itself.",
            );
            wait.figures.push(("missing", json!(missing)));
            wait
        }
        Waiting::SourceUnreadable => {
            Wait::new("", "The sender cannot read its files.", "Ask the sender to open them again.")
        }
        Waiting::Silence => Wait::new(
            "",
            "What was asked for does not come. Waiting, and asking again.",
            "Check the network on both sides if this stays so.",
        ),
        Waiting::Paused => Wait::new("", "Paused.", "Resume it."),
        Waiting::PausedByThem => Wait::new(
            "",
            "Those who have it have paused it.",
            "Ask them to resume it: it goes on by itself.",
        ),
        Waiting::ServiceOff => Wait::new("", "Receiving is switched off.", "Switch it on."),
        Waiting::DiskFull { needed, available } => {
            let there =
                available.map_or(String::new(), |bytes| format!(", {} are free", size(bytes)));
            let mut wait = Wait::new(
                "",
                format!("The disk is full: {} are needed{there}.", size(needed)),
                "Make room: it goes on by itself.",
            );
            wait.figures.push(("needed", json!(needed)));
            wait.figures.push(("available", json!(available)));
            wait
        }
        Waiting::Budget { needed } => {
            let mut wait = Wait::new(
                "",
                format!("The storage budget is used up: {} are too many.", size(needed)),
                "Allow more, or discard something.",
            );
            wait.figures.push(("needed", json!(needed)));
            wait
        }
    }
}

/// Why nobody is connected, if it is not that nobody is there.
fn for_company(peer: &Peer, snapshot: &Snapshot, barred: Option<CloseReason>) -> Option<Wait> {
    match &snapshot.server {
        ServerView::Connecting { since, .. } => {
            let mut wait = Wait::new("server", "Connecting to the server.", "Wait a moment.");
            wait.since = peer.time_of(*since);
            return Some(wait);
        }
        ServerView::Lost { cause, reason, since, retry_at } => {
            let mut wait = match cause {
                LostCause::Network => Wait::new(
                    "network",
                    "This machine has no network.",
                    "Connect it: it goes on by itself.",
                ),
                LostCause::Server => Wait::new(
                    "server",
                    format!("The server cannot be reached ({reason})."),
                    "Check its address and your network; it is tried again by itself.",
                ),
            };
            wait.since = peer.time_of(*since);
            wait.next = Some(peer.time_of(*retry_at));
            return Some(wait);
        }
        ServerView::Idle | ServerView::Joined | ServerView::Refused { .. } => {}
    }
    let links = || snapshot.peers.iter().map(|peer| peer.link);
    if let Some((since, give_up)) = links().find_map(|link| match link {
        PeerLink::Connecting { since, give_up } => Some((since, give_up)),
        _ => None,
    }) {
        let mut wait = connecting();
        wait.since = peer.time_of(since);
        wait.next = Some(peer.time_of(give_up));
        return Some(wait);
    }
    if snapshot.shut_out {
        return Some(Wait::new(
            "locked",
            "The room is locked, and you are not let in.",
            "Ask whoever made the link to open it: it is tried again by itself.",
        ));
    }
    match barred {
        Some(CloseReason::Version) => {
            return Some(Wait::new(
                "version",
                "Those who are here use another version of Shoal.",
                "Update Shoal here and there.",
            ));
        }
        Some(CloseReason::NotConfirmed) => {
            return Some(Wait::new(
                "not-confirmed",
                "Somebody here could not prove that nobody sits in between. Nothing was sent or taken.",
                "Make a new link, and pass it on in another way.",
            ));
        }
        _ => {}
    }
    let next = links().find_map(|link| match link {
        PeerLink::Waiting { next } => Some(next),
        _ => None,
    })?;
    let mut wait = connecting();
    wait.next = next.map(|at| peer.time_of(at));
    Some(wait)
}

fn connecting() -> Wait {
    let action = "If this stays so, no direct path exists: let the server offer a relay (TURN), \
                  or try another network.";
    Wait::new("connecting", "Connecting to those who are here.", action)
}
