//! How things stand, for people: built when asked for, kept nowhere.

use super::Swarm;
use super::download::Download;
use super::peers::Member;
use super::shelf::{Share, State};
use super::sources::Sources;
use crate::bitfield::Bitfield;
use crate::event::{Halted, Nowhere, PeerLink, PeerView, ShareState, ShareView};
use crate::manifest::ShareId;
use crate::piece_map::{PieceMap, Survey};
use crate::signaling::PeerId;

/// The most files that are named as not to be had from anybody.
const MAX_FILES_NAMED: usize = 16;

impl Swarm {
    pub(super) fn view_peer(&self, id: PeerId, member: &Member) -> PeerView {
        let lane = member.lane.and_then(|lane| self.lanes.get(&lane));
        let link = lane.map(|lane| lane.negotiation.link());
        let lane = lane.filter(|lane| lane.confirmed);
        PeerView {
            id,
            key: member.key,
            name: member.name.clone(),
            link: link.unwrap_or(PeerLink::Waiting { next: member.dial_at }),
            available: member.available,
            is_creator: member.key.is_some_and(|key| self.invite.is_creator(&key)),
            path: lane.and_then(|lane| lane.path),
            lanes: self.confirmed_to(id),
            traffic: member.traffic.traffic(self.now),
        }
    }

    /// The neighbours who are stuck with a share.
    fn halted(&self, id: ShareId) -> Vec<Halted> {
        let halted = |(_, peer, member): (_, PeerId, &Member)| {
            let halt = *member.halts.get(&id)?;
            Some(Halted { peer, name: member.name.clone(), halt })
        };
        self.neighbours().filter_map(halted).collect()
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
                State::Detached => ShareState::Detached,
                State::Available => ShareState::Available,
                State::Receiving(download) if !download.opened => ShareState::Opening,
                State::Receiving(download) if download.finishing => ShareState::Finishing,
                State::Receiving(_) => ShareState::Receiving,
                State::Complete(_) => ShareState::Complete,
                State::Failed(failure) => ShareState::Failed(failure.clone()),
            },
            waiting: share.wait.filter(|_| matches!(share.state, State::Receiving(_))),
            recalled: share.recalled,
            saved: share.saved,
            halted: self.halted(id),
            wanted: share.wanted_bytes(),
            selection: share.wishes.selection.clone(),
            priority: share.wishes.priority,
            withheld: share.withheld,
            have: share.have_bytes(),
            fetched: download.map_or(0, |download| download.fetched),
            reused: download.map_or(0, |download| download.reused),
            wasted: download.map_or(0, |download| download.wasted),
            uploaded: share.uploaded,
            upload_rate: share.uploads.rate(self.now),
            rate: download.map_or(0.0, |download| download.meter.rate(self.now)),
            sources: download.map_or_else(Vec::new, |it| it.sources.senders().to_vec()),
            holders: pieces().filter(|pieces| pieces.count() > 0 || pieces.is_empty()).count(),
            full_holders: pieces().filter(|pieces| pieces.is_full()).count(),
            receivers: told().filter(|told| told.received).count(),
            nowhere: match &share.state {
                State::Receiving(download) if download.opened => nowhere(share, download),
                _ => Nowhere::default(),
            },
        }
    }

    pub(super) fn view_pieces(&self, share: &Share, cells: u32) -> PieceMap {
        let pieces = share.geometry().pieces();
        let mut asked = Bitfield::new(pieces);
        let (wanted, sources) = match &share.state {
            State::Receiving(download) | State::Complete(download) => {
                let waiting = download.asked.keys().copied().chain(download.unproven.pieces());
                waiting.for_each(|piece| {
                    asked.insert(piece);
                });
                (download.wanted.pieces().clone(), Some(&download.sources))
            }
            _ => (Bitfield::full(pieces), None),
        };
        let survey = Survey {
            here: &share.have,
            wanted: &wanted,
            asked: &asked,
            holders: &share.availability,
            senders: sources.map_or(&[], Sources::of_pieces),
        };
        let senders = sources.map_or(&[][..], Sources::senders);
        PieceMap::draw(&survey, senders.iter().map(|source| source.peer).collect(), cells)
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
