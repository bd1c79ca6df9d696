//! What the peer tells, and what of it is kept for later: rooms, and how much was sent and received.

use leptos::prelude::*;
use wasm_peer::api::{EventKind, PeerEvent, ShareInfo, ShareState, State};
use web::front::{browser, kept};
use web::invite;
use web::rooms::{RecentRoom, Unfinished};
use web::text::causes::translated;
use web::text::text;
use web::usage::Usage;

use super::{Session, Uploads};
use crate::notify;

impl Session {
    pub(super) fn handle_state(self, state: State) {
        let now = browser::now_ms();
        self.told_ms.set(now);
        self.clock.set(now);
        let server = self.state.with_untracked(|before| before.as_ref().map(|it| it.server));
        if server != Some(state.server) {
            self.server_since_ms.set(now);
        }
        let alone = state.peer_id.is_some() && state.peers.is_empty();
        if alone != self.alone_since_ms.get_untracked().is_some() {
            self.alone_since_ms.set(alone.then_some(now));
        }
        let uploaded = state.shares.iter().map(|share| share.uploaded).sum();
        let uploads = self.uploads.get_untracked();
        if uploaded != uploads.bytes {
            let last_ms = if uploaded > uploads.bytes { now } else { uploads.last_ms };
            self.uploads.set(Uploads { bytes: uploaded, last_ms });
        }
        let mut roster = self.roster.get_untracked();
        let peers = state.peers.iter().map(|peer| (&*peer.id, &*peer.name));
        let sources = state.shares.iter().flat_map(|share| &share.sources);
        roster.update(peers.chain(sources.map(|source| (&*source.peer, &*source.name))));
        if self.roster.with_untracked(|before| *before != roster) {
            self.roster.set(roster);
        }
        let completed: Vec<String> = state
            .shares
            .iter()
            .filter(|share| share.state == ShareState::Complete)
            .filter(|share| {
                self.save_when_complete.try_update_value(|ids| ids.remove(&share.id)) == Some(true)
            })
            .map(|share| share.id.clone())
            .collect();
        self.note_usage(&state);
        self.to_note.set_value(true);
        let is_there = |share: &ShareInfo| {
            share.state == ShareState::Available
                && self.resume_when_there.try_update_value(|ids| ids.remove(&share.id))
                    == Some(true)
        };
        let there =
            state.shares.iter().filter(|share| is_there(share)).map(|share| share.id.clone());
        let there: Vec<String> = there.collect();
        self.state.set(Some(state));
        for id in there {
            self.receive(id, None);
        }
        for id in completed {
            self.save(id);
        }
    }

    pub(super) fn handle_event(self, event: PeerEvent) {
        let text = text();
        let name = untrack(|| match (event.peer, event.name) {
            // Who is known to the roster may not have a name there yet.
            (Some(peer), _)
                if self.roster.with(|it| it.name(&peer).is_some_and(|it| !it.0.is_empty())) =>
            {
                self.peer_name(&peer)
            }
            (_, Some(name)) if !name.is_empty() => name,
            _ => text.someone.to_owned(),
        });
        let share = event.share;
        let title = share
            .as_ref()
            .and_then(|id| untrack(|| self.share_info(id)))
            .map(|share| share.title)
            .unwrap_or_default();
        if let Some(sentence) = notify::of_event(event.kind, &name, &title) {
            self.notify(&sentence);
        }
        match event.kind {
            EventKind::PeerConnected => self.announce((text.joined_event)(&name)),
            EventKind::PeerGone => {
                let cause = event.message.as_deref().map(translated).unwrap_or_default();
                self.announce((text.left_event)(&name, &cause));
            }
            EventKind::Received => {
                self.received.update_value(|received| {
                    received.extend(share);
                });
                self.announce((text.received_event)(&name, &title));
            }
            EventKind::NotConfirmed => self.complain((text.not_confirmed_event)(&name)),
            EventKind::Locked => {
                let locked =
                    self.state.with_untracked(|it| it.as_ref().is_some_and(|it| it.locked));
                self.announce(if locked { text.locked_event } else { text.opened_event });
            }
            EventKind::StartedAnew => self.new_room.set(event.link),
            EventKind::Said => {
                if let Some(line) = event.line {
                    self.talk.hear(self, line);
                }
            }
            EventKind::Banned => self.complain((text.banned_event)(&name)),
            // These show as states, which are announced where they stand.
            EventKind::Joined
            | EventKind::ServerLost
            | EventKind::Refused
            | EventKind::ShareAdded
            | EventKind::ShareRemoved
            | EventKind::Waiting
            | EventKind::Completed
            | EventKind::Failed
            | EventKind::CodeTried
            | EventKind::CodeEnded => {}
        }
    }

    /// Keeps what is to be known of the room when people are back on the first screen.
    pub(crate) fn note_room(self) {
        let told = self.to_note.try_update_value(std::mem::take).unwrap_or_default();
        if !told || self.preferences.with_untracked(|it| it.forget_rooms) {
            return;
        }
        let now = self.state.with_untracked(|state| state.as_ref().map(recent_room));
        if let Some(now) = now {
            self.front.change_rooms(|rooms| rooms.note(now));
        }
    }
    /// Counts what was sent and received.
    fn note_usage(self, state: &State) {
        let now = Usage { sent: state.sent, received: state.received };
        let new = now.since(self.counted.get_value());
        self.counted.set_value(now);
        if new != Usage::default() {
            self.usage.update(|usage| *usage = usage.and(new));
            // Other tabs count too.
            let in_all = kept::load::<Usage>(kept::USAGE).and(new);
            kept::keep(kept::USAGE, &in_all);
            self.usage_in_all.set(in_all);
        }
    }
}

/// What is to be known of a room later.
fn recent_room(state: &State) -> RecentRoom {
    let unfinished = state.shares.iter().filter(|share| {
        share.left.is_some_and(|left| !left.complete)
            || matches!(share.state, ShareState::Opening | ShareState::Receiving)
    });
    RecentRoom {
        invite: invite::fragment(&state.invite_link).to_owned(),
        last_ms: js_sys::Date::now(),
        titles: state.shares.iter().map(|share| share.title.clone()).collect(),
        people: state.peers.iter().map(|peer| peer.name.clone()).collect(),
        unfinished: unfinished
            .map(|share| Unfinished {
                id: share.id.clone(),
                title: share.title.clone(),
                have: share.left.map_or(share.have, |left| left.bytes),
                total: share.wanted,
            })
            .collect(),
    }
}
