//! How things stand, for people: built when asked for, kept nowhere.

use super::Swarm;
use super::download::Download;
use super::peers::Member;
use super::shelf::{Share, State};
use crate::event::{Nowhere, PeerView, ShareState, ShareView, Source, Waiting};
use crate::manifest::ShareId;
use crate::signaling::PeerId;
use crate::time::Duration;

/// When nothing came of what was asked for this long, people are told.
const NOTICEABLE: Duration = Duration::from_secs(5);
/// The most files that are named as not to be had from anybody.
const MAX_FILES_NAMED: usize = 16;

impl Swarm {
    pub(super) fn view_peer(&self, id: PeerId, member: &Member) -> PeerView {
        let lane = member.lane.and_then(|lane| self.lanes.get(&lane)).filter(|lane| lane.confirmed);
        PeerView {
            id,
            key: member.key,
            name: member.name.clone(),
            connected: lane.is_some(),
            is_creator: member.key.is_some_and(|key| self.invite.is_creator(&key)),
            path: lane.and_then(|lane| lane.path),
            lanes: self.confirmed_to(id),
            sent: member.sent,
            received: member.received,
        }
    }

    pub(super) fn view_share(&self, id: ShareId, share: &Share) -> ShareView {
        let told = || self.members.values().filter_map(|member| member.shares.get(&id));
        let pieces = || told().filter_map(|told| told.pieces.as_ref());
        let download = match &share.state {
            State::Receiving(download) | State::Complete(download) => Some(download.as_ref()),
            _ => None,
        };
        ShareView {
            id,
            manifest: share.manifest.clone(),
            from_creator: self.invite.is_creator(&share.manifest.origin()),
            state: match &share.state {
                State::Shared => ShareState::Shared,
                State::Available => ShareState::Available,
                State::Receiving(download) if !download.opened => ShareState::Opening,
                State::Receiving(download) if download.finishing => ShareState::Finishing,
                State::Receiving(download) => {
                    ShareState::Receiving { waiting: self.waiting(id, share, download) }
                }
                State::Complete(_) => ShareState::Complete,
                State::Failed(failure) => ShareState::Failed(failure.clone()),
            },
            wanted: share.wanted_bytes(),
            selection: share.wishes.selection.clone(),
            priority: share.wishes.priority,
            withheld: share.withheld,
            have: share.have_bytes(),
            fetched: download.map_or(0, |download| download.fetched),
            reused: download.map_or(0, |download| download.reused),
            wasted: download.map_or(0, |download| download.wasted),
            uploaded: share.uploaded,
            rate: download.map_or(0.0, |download| download.meter.rate(self.now)),
            sources: download.map_or_else(Vec::new, |download| {
                let sources = download.sources.iter();
                sources
                    .map(|(&peer, (name, bytes))| Source {
                        peer,
                        name: name.clone(),
                        bytes: *bytes,
                    })
                    .collect()
            }),
            holders: pieces().filter(|pieces| pieces.count() > 0 || pieces.is_empty()).count(),
            full_holders: pieces().filter(|pieces| pieces.is_full()).count(),
            receivers: told().filter(|told| told.received).count(),
            nowhere: match &share.state {
                State::Receiving(download) if download.opened => nowhere(share, download),
                _ => Nowhere::default(),
            },
        }
    }

    fn waiting(&self, id: ShareId, share: &Share, download: &Download) -> Option<Waiting> {
        if share.wishes.paused {
            return Some(Waiting::Paused);
        } else if !self.policy.services.receive {
            return Some(Waiting::ServiceOff);
        }
        let mut sources = self
            .neighbours()
            .filter(|(_, _, member)| Self::is_source(member, id, download))
            .filter_map(|(connection, ..)| self.lanes.get(&connection))
            .peekable();
        if download.wanted.is_met(&download.verified) {
            None
        } else if sources.peek().is_none() {
            Some(Waiting::Source)
        } else if sources.all(|lane| lane.silent || lane.heard + NOTICEABLE < self.now) {
            Some(Waiting::Silence)
        } else {
            None
        }
    }
}

fn nowhere(share: &Share, download: &Download) -> Nowhere {
    let mut nowhere = Nowhere::default();
    for piece in download.missing().filter(|piece| share.availability[piece.0 as usize] == 0) {
        let Some(span) = share.geometry().span(piece) else { continue };
        nowhere.pieces += 1;
        nowhere.bytes += u64::from(span.length);
        if nowhere.files.last() != Some(&span.file) && nowhere.files.len() < MAX_FILES_NAMED {
            nowhere.files.push(span.file);
        }
    }
    nowhere
}
