//! Near before far: what somebody on the same LAN has or will have is not fetched over a longer path, so
//! that a share crosses a slow border about once.
//!
//! Where a machine is connected to some members over a LAN and to others not, far lanes are not asked
//! for what near members have. What none of them has is divided up among those on the LAN who receive the
//! share: for each piece all of them compute the same one who is to fetch it over the border (rendezvous
//! hashing of piece and peer, so nothing need be said about it, and a change moves only what it must). Who
//! gets nothing for a while is left out of the division.

use super::Swarm;
use super::peers::Lane;
use crate::bitfield::Bitfield;
use crate::io::PathKind;
use crate::manifest::ShareId;
use crate::piece::PieceIndex;
use crate::signaling::PeerId;
use crate::time::Duration;

/// A near peer that came to have nothing this long is not waited for.
const STUCK: Duration = Duration::from_secs(30);
/// Only if what is near would take this many seconds, it is looked for far away as well.
const LONG_SECONDS: f64 = 20.0;

/// How a share stands between near and far.
pub(super) struct Near {
    /// What not to ask far lanes for.
    skip: Bitfield,
    /// How many bytes of what we lack are near, and how many come from there per second.
    bytes: f64,
    pace: f64,
}

/// The pieces of a share that others on the LAN are to fetch over the border, and who these and we are.
#[derive(Debug, Default)]
pub(super) struct Division {
    mates: Vec<PeerId>,
    us: Option<PeerId>,
    theirs: Bitfield,
}

impl Near {
    /// The pieces not to ask of a lane.
    pub(super) fn skip(&self, far: bool) -> Option<&Bitfield> {
        far.then_some(&self.skip)
    }

    /// Whether a far lane is to be asked for what is near, too: it is faster, or was never tried.
    pub(super) fn is_outdone_by(&self, far_pace: Option<f64>) -> bool {
        self.bytes > self.pace * LONG_SECONDS && far_pace.is_none_or(|far| far > self.pace)
    }
}

impl Lane {
    /// Whether it does not stay on the LAN, or is not known to, or takes as long as if it did not.
    pub(super) fn is_far(&self) -> bool {
        self.path.is_none_or(|path| path.kind != PathKind::Lan) || self.is_long()
    }
}

impl Swarm {
    /// What is near; `None` where all lanes are alike.
    pub(super) fn near(&mut self, id: ShareId) -> Option<Near> {
        let lanes = || self.lanes.values().filter(|lane| lane.confirmed && !lane.silent);
        if !lanes().any(Lane::is_far) || lanes().all(Lane::is_far) {
            return None;
        }
        let share = self.shelf.get_mut(&id)?;
        let mut skip = Bitfield::new(share.geometry().pieces());
        let (mut pace, mut mates) = (0.0, Vec::new());
        for lane in lanes().filter(|lane| !lane.is_far()) {
            let Some(member) = self.members.get(&lane.peer) else { continue };
            let Some(told) = member.shares.get(&id) else { continue };
            let Some(pieces) = &told.pieces else { continue };
            skip.add_all(pieces);
            pace += lane.window.pace().unwrap_or_default();
            if !pieces.is_full() && told.heard + STUCK > self.now {
                mates.push(lane.peer);
            }
        }
        let piece = share.manifest.total() as f64 / f64::from(skip.len().max(1));
        let bytes = f64::from(skip.count_not_in(&share.have)) * piece;
        let download = share.download()?;
        download.division.update(mates, self.peer_id, skip.len());
        skip.add_all(&download.division.theirs);
        Some(Near { skip, bytes, pace })
    }
}

impl Division {
    /// Divides again if somebody came or went.
    fn update(&mut self, mut mates: Vec<PeerId>, us: Option<PeerId>, pieces: u32) {
        mates.sort_unstable();
        mates.dedup();
        if (&self.mates, self.us, self.theirs.len()) == (&mates, us, pieces) {
            return;
        }
        let mut theirs = Bitfield::new(pieces);
        for piece in (0..pieces).map(PieceIndex) {
            if us.is_some_and(|us| mates.iter().any(|&mate| outranks(piece, mate, us))) {
                theirs.insert(piece);
            }
        }
        *self = Self { mates, us, theirs };
    }
}

/// Whether one peer rather than the other is to fetch a piece over the border.
fn outranks(piece: PieceIndex, a: PeerId, b: PeerId) -> bool {
    let rank = |peer: PeerId| {
        // The finalizer of MurmurHash3: every bit of the input changes half of the output's.
        let mut x = peer.0 ^ u64::from(piece.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        x ^ (x >> 33)
    };
    (rank(a), a) > (rank(b), b)
}
