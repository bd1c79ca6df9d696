//! What everything waits for, since when, and when it is tried again by itself: looked at once a second
//! while something is received, and at once when people said something. What changed is told: to people
//! as an [`Event::Waiting`], and to the other members as a [`Halt`] where it concerns them.

use super::Swarm;
use super::download::Download;
use super::server::Server;
use super::shelf::{Share, State};
use crate::event::{Event, Halt, PeerLink, ServerView, Wait, Waiting, Withheld};
use crate::manifest::ShareId;
use crate::message::PeerMessage;
use crate::time::{Duration, Instant};

/// How often waits are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// When nothing came of what was asked for this long, people are told.
const NOTICEABLE: Duration = Duration::from_secs(5);

impl Swarm {
    /// How we stand with the signaling server.
    pub(super) fn view_server(&self) -> ServerView {
        let lost = self.server_lost.as_ref();
        match (&self.server, lost) {
            (Server::Idle, _) => ServerView::Idle,
            (Server::Joined, _) => ServerView::Joined,
            (Server::Refused { code, message }, _) => {
                ServerView::Refused { code: *code, message: message.clone() }
            }
            (Server::Waiting { until: retry_at, .. }, Some(lost)) => lost.view(*retry_at),
            (Server::Joining { .. }, Some(lost)) => lost.view(self.now),
            (Server::Joining { since, give_up, .. }, None) => {
                ServerView::Connecting { since: *since, give_up: *give_up }
            }
            (Server::Waiting { until, .. }, None) => {
                ServerView::Connecting { since: self.now, give_up: *until }
            }
        }
    }

    /// Something was said or done that may have changed what is waited for.
    pub(super) fn look_at_waits(&mut self) {
        self.waits_at = Some(self.now);
    }

    pub(super) fn on_wait_timeouts(&mut self) {
        if self.waits_at.is_none_or(|at| at > self.now) {
            return;
        }
        self.waits_at = None;
        let ids: Vec<ShareId> = self.shelf.keys().copied().collect();
        for id in ids {
            let Some(share) = self.shelf.get(&id) else { continue };
            let (wait, halt) = (self.wait_of(id, share), self.halt_of(share));
            let Some(share) = self.shelf.get_mut(&id) else { continue };
            let before = std::mem::replace(&mut share.wait, wait);
            if before.map(|wait| wait.cause.name()) != wait.map(|wait| wait.cause.name()) {
                self.events.push_back(Event::Waiting { share: id, wait });
            }
            if std::mem::replace(&mut share.told_halt, halt) != halt {
                self.tell_all(&PeerMessage::Halt { share: id, halt });
            }
        }
    }

    pub(super) fn next_wait_timeout(&mut self) -> Option<Instant> {
        let receiving = |share: &Share| matches!(share.state, State::Receiving(_));
        if self.waits_at.is_none() && self.shelf.values().any(receiving) {
            self.waits_at = Some(self.now + LOOK);
        }
        self.waits_at
    }

    /// What a share waits for, and since when.
    fn wait_of(&self, id: ShareId, share: &Share) -> Option<Wait> {
        let State::Receiving(download) = &share.state else { return None };
        let (cause, next) = self.cause(id, share, download)?;
        let before = share.wait.filter(|before| before.cause.name() == cause.name());
        let since = match (before, download.shortage) {
            (Some(before), _) => before.since,
            (None, Some(shortage)) => shortage.since,
            (None, None) => self.now,
        };
        Some(Wait { cause, since, next })
    }

    fn cause(
        &self,
        id: ShareId,
        share: &Share,
        download: &Download,
    ) -> Option<(Waiting, Option<Instant>)> {
        if share.wishes.paused {
            return Some((Waiting::Paused, None));
        } else if !self.policy.services.receive {
            return Some((Waiting::ServiceOff, None));
        } else if let Some(shortage) = download.shortage {
            let cause = match shortage.over_budget {
                Some(needed) => Waiting::Budget { needed },
                None => Waiting::DiskFull {
                    needed: share.missing_bytes(download),
                    available: shortage.available,
                },
            };
            return Some((cause, shortage.retry_at));
        } else if !download.opened || download.wanted.is_met(&download.verified) {
            return None;
        }
        let mut next = None;
        let mut sources = 0;
        for (connection, _, member) in self.neighbours() {
            if !Self::is_source(member, id, download) {
                continue;
            }
            let Some(lane) = self.lanes.get(&connection) else { continue };
            if !lane.silent && lane.heard + NOTICEABLE >= self.now && lane.negotiation.is_up() {
                return None;
            }
            sources += 1;
            next = [next, lane.silence_ends()].into_iter().flatten().min();
        }
        if sources > 0 {
            return Some((Waiting::Silence, next));
        }
        let halts = || self.neighbours().filter_map(|(_, _, member)| member.halts.get(&id));
        let cause = if halts().any(|halt| *halt == Halt::Unreadable) {
            Waiting::SourceUnreadable
        } else if halts().any(|halt| *halt == Halt::Paused) {
            Waiting::PausedByThem
        } else if self.neighbours().next().is_none() && !self.lanes.is_empty() {
            let connecting = self.lanes.values().map(|lane| lane.negotiation.link());
            next = connecting.filter_map(PeerLink::next).min();
            return Some((Waiting::Connecting, next));
        } else {
            Waiting::Source
        };
        Some((cause, self.next_seek()))
    }

    /// Why we neither fetch nor serve a share, as far as others should know.
    fn halt_of(&self, share: &Share) -> Option<Halt> {
        match &share.state {
            State::Receiving(download) if download.shortage.is_some() => Some(Halt::DiskFull),
            State::Receiving(_) if share.wishes.paused => Some(Halt::Paused),
            State::Shared if share.withheld == Some(Withheld::ByUser) => Some(Halt::Paused),
            State::Detached => Some(Halt::Unreadable),
            State::Failed(_) if share.ours => Some(Halt::Unreadable),
            _ => None,
        }
    }
}

impl Share {
    /// Bytes that are wanted and not durable here.
    pub(super) fn missing_bytes(&self, download: &Download) -> u64 {
        let missing = download.wanted.pieces().iter_not_in(&self.have);
        missing.map(|piece| u64::from(self.geometry().length(piece))).sum()
    }
}
