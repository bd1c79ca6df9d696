//! Whom to ask for which pieces, and when: what `scheduler` computes, applied to the lanes there are.
//!
//! One request at a time is given to the best lane that has something to ask for, until the budget is
//! used up. The order: first what only the origin has, of the origin, which chooses itself what to send
//! (see `serve`); then from near peers before far ones (see `near`), from others before the origin, and
//! from those who answer soonest. The last few pieces are asked of a second peer.

use std::collections::BTreeSet;

use super::Swarm;
use super::download::Download;
use super::fetch::Asked;
use super::near::Near;
use super::peers::Lane;
use super::shelf::{Share, State};
use crate::bitfield::Bitfield;
use crate::io::ConnectionId;
use crate::manifest::ShareId;
use crate::message::{PeerMessage, RequestId, Run};
use crate::piece::PieceIndex;
use crate::scheduler::{AHEAD, SILENCE, pick_run};
use crate::time::{Duration, Instant};

/// What is asked for at once at least, and so many pieces: enough for a start, and for peers that got
/// little so far to keep their place in the queues of others.
const MIN_BUDGET_BYTES: u64 = 512 << 10;
const MIN_BUDGET_PIECES: u64 = 8;
/// A lane so many times slower than the best one is slow.
const SLOW: f64 = 4.0;
/// Requests under way on one lane; far fewer than a peer puts up with.
const MAX_ASKED: usize = 256;
/// While a share has so much that is not durable, its disk is slower than its sources …
const SLOW_DISK_BYTES: u64 = 1 << 20;
/// … and with all that was asked for it comes to no more than this, which a crash would cost.
const MAX_UNDURABLE_BYTES: u64 = 4 << 20;
/// Only when so few pieces are missing, a piece is asked of a second peer …
const ENDGAME_PIECES: u32 = 8;
/// … and only if the first has had at least so long, and longer than the second will take.
const ENDGAME_AFTER: Duration = Duration::from_millis(500);
/// Before that, only if the first has had as long as one that is silent: however little it sends, it cannot
/// hold up the rest.
const OVERDUE_AFTER: Duration = SILENCE;

/// A lane that may be asked. The least is asked first.
struct Candidate {
    connection: ConnectionId,
    silent: bool,
    far: bool,
    is_origin: bool,
    /// Seconds until it has brought what it was asked for, if it is asked now.
    wait: f64,
}

/// What a lane is to be asked for.
#[derive(Clone, Copy)]
enum Ask<'a> {
    /// What nobody else has; it may choose. So many bytes at most.
    Rare { free: u64 },
    /// The rarest of what it has but these, and so many bytes at most.
    Rarest { skip: Option<&'a Bitfield>, free: u64 },
    /// One of the last pieces, or one that is overdue, which somebody else was asked for already.
    Again,
}

impl Swarm {
    /// Asks for as much as there is budget and lanes with room for, the best choice first.
    pub(super) fn ask_for_pieces(&mut self) {
        let receiving: Vec<ShareId> = self
            .shelf
            .iter()
            .filter(|(_, share)| matches!(&share.state, State::Receiving(d) if d.opened && !d.finishing && d.has_room()))
            .filter(|(_, share)| self.may_receive(share))
            .map(|(&id, _)| id)
            .collect();
        while self.in_turn(&receiving).into_iter().any(|id| self.ask_somebody(id)) {}
    }

    /// Asks one lane for one run of a share's pieces; false if nobody can be asked for any.
    fn ask_somebody(&mut self, id: ShareId) -> bool {
        let Some(share) = self.shelf.get(&id) else { return false };
        let memory = self.free_memory(id, 2 * piece_bytes(share)).min(self.free_to_lose(id, share));
        if memory < piece_bytes(share) {
            return false;
        }
        let free = self.free_budget(id, share).min(memory);
        let has_budget = free >= piece_bytes(share).min(MIN_BUDGET_BYTES);
        let candidates = self.candidates(id);
        let rare = |c: &Candidate| c.is_origin && !c.silent;
        let ask_rare = Ask::Rare { free: memory };
        if candidates.iter().any(|c| rare(c) && self.ask_lane(c.connection, id, ask_rare)) {
            return true;
        }
        if !has_budget {
            return false;
        }
        let near = self.near(id);
        candidates.iter().any(|c| {
            let skip = near.as_ref().and_then(|near| near.skip(c.far));
            self.ask_lane(c.connection, id, Ask::Rarest { skip, free })
        }) || near.is_some_and(|near| self.ask_far(&candidates, id, &near, free))
            || self.is_late(id)
                && candidates.iter().any(|c| self.ask_lane(c.connection, id, Ask::Again))
    }

    /// Asks a far lane for what a near one has too, where that is so slow that it pays.
    fn ask_far(&mut self, candidates: &[Candidate], id: ShareId, near: &Near, free: u64) -> bool {
        candidates.iter().any(|c| {
            let pace = self.lanes.get(&c.connection).and_then(|lane| lane.window.pace());
            c.far
                && near.is_outdone_by(pace)
                && self.ask_lane(c.connection, id, Ask::Rarest { skip: None, free })
        })
    }

    /// The lanes that take requests for a share, best first.
    fn candidates(&mut self, id: ShareId) -> Vec<Candidate> {
        let Some(share) = self.shelf.get(&id) else { return Vec::new() };
        let (origin, piece) = (share.manifest.origin(), piece_bytes(share));
        let ready: Vec<ConnectionId> = self.lanes.keys().copied().collect();
        let ready: BTreeSet<ConnectionId> =
            ready.into_iter().filter(|&connection| self.may_fetch(connection)).collect();
        let best = self.best_pace();
        let mut candidates = Vec::new();
        for (&connection, lane) in &self.lanes {
            let enough = if lane.silent { 1 } else { MAX_ASKED };
            let may_be_asked = lane.confirmed
                && ready.contains(&connection)
                && (lane.asked.is_empty() || !lane.is_slow(best));
            if !may_be_asked || lane.asked.len() >= enough || lane.window.room(piece) == 0 {
                continue;
            }
            let member = self.members.get(&lane.peer);
            // Equals in random order, so that not everybody turns to the same peer.
            let fuzz = 1.0 + f64::from(self.rng.below(256)) / 256.0;
            candidates.push(Candidate {
                connection,
                silent: lane.silent,
                far: lane.is_far(),
                is_origin: member.is_some_and(|member| member.key == Some(origin)),
                wait: (lane.window.wait(piece) + 1e-3) * fuzz,
            });
        }
        candidates.sort_unstable_by(|a, b| {
            (a.silent, a.far, a.is_origin)
                .cmp(&(b.silent, b.far, b.is_origin))
                .then_with(|| a.wait.total_cmp(&b.wait))
        });
        candidates
    }

    /// How much more of a share may be asked for, besides what a source may choose freely: that waits
    /// for its turn with nothing decided, and says nothing about what others may be asked for.
    fn free_budget(&self, id: ShareId, share: &Share) -> u64 {
        let ahead = (self.arrivals.rate(self.now) * AHEAD.as_secs_f64()) as u64;
        let pieces = u64::from(share.geometry().pieces()).max(1);
        let least = MIN_BUDGET_BYTES.max(MIN_BUDGET_PIECES * share.manifest.total() / pieces);
        let best = self.best_pace();
        let aside: u64 = self.lanes.values().map(|lane| lane.aside(None, best)).sum();
        let free = ahead.max(least).saturating_sub(self.in_flight() - aside);
        // What other shares wait for must not keep this one from going on, unless they go first.
        if !self.is_most_urgent(share) {
            return free;
        }
        let aside: u64 = self.lanes.values().map(|lane| lane.aside(Some(id), best)).sum();
        free.max(least.saturating_sub(self.in_flight_of(id) - aside))
    }

    /// How much more of a share may be asked for so that a crash does not cost much: while the disk keeps
    /// up with the sources, what they and the way to them need; else, less the longer it takes.
    fn free_to_lose(&self, id: ShareId, share: &Share) -> u64 {
        let State::Receiving(download) = &share.state else { return 0 };
        let undurable = self.unwritten_of(id) + download.uncommitted_bytes();
        let piece = piece_bytes(share);
        if undurable < SLOW_DISK_BYTES.max(2 * piece) {
            return u64::MAX;
        }
        let most = MAX_UNDURABLE_BYTES.max(4 * piece);
        most.saturating_sub(undurable + self.asked_of(id))
    }

    /// How fast the fastest lane is, in bytes per second.
    fn best_pace(&self) -> f64 {
        self.lanes.values().filter_map(|lane| lane.window.pace()).fold(0.0, f64::max)
    }

    /// Bytes of a share that were asked for and are not yet written.
    pub(super) fn in_flight_of(&self, id: ShareId) -> u64 {
        let unproven = self.shelf.get(&id).map_or(0, Share::unproven_bytes);
        self.asked_of(id) + unproven + self.unwritten_of(id)
    }

    /// Bytes of a share that were asked for and have not come.
    fn asked_of(&self, id: ShareId) -> u64 {
        let asked = self.lanes.values().flat_map(|lane| lane.asked.values());
        asked.filter(|asked| asked.share == id).map(|asked| asked.left).sum()
    }

    /// Bytes of a share that were verified and are not yet written.
    fn unwritten_of(&self, id: ShareId) -> u64 {
        let of_share = (id, PieceIndex(0))..=(id, PieceIndex(u32::MAX));
        self.unwritten.range(of_share).map(|(_, bytes)| bytes).sum()
    }

    /// Bytes that were asked for and are not yet written.
    pub(super) fn in_flight(&self) -> u64 {
        self.unwritten_bytes
            + self.shelf.values().map(Share::unproven_bytes).sum::<u64>()
            + self.lanes.values().map(|lane| lane.window.outstanding()).sum::<u64>()
    }

    /// Asks a lane for one run of a share's pieces; false if there is nothing to ask.
    fn ask_lane(&mut self, connection: ConnectionId, id: ShareId, what: Ask<'_>) -> bool {
        let Some(lane) = self.lanes.get(&connection) else { return false };
        let Some(share) = self.shelf.get(&id) else { return false };
        let Share { state: State::Receiving(download), hashes, availability, .. } = share else {
            return false;
        };
        let member = self.members.get(&lane.peer).and_then(|member| member.shares.get(&id));
        let Some(have) = member.and_then(|told| told.pieces.as_ref()) else { return false };
        let (geometry, piece_bytes) = (share.geometry(), piece_bytes(share));
        let room = lane.window.room(piece_bytes);
        let room = if lane.silent { room.min(piece_bytes) } else { room };
        // Under a cap, no more at once than the cap lets in soon.
        let cap = self.download_cap(connection);
        let room = cap.map_or(room, |rate| room.min((rate / 4).max(piece_bytes)));
        let known = |piece| hashes.hash(piece).is_some();
        // To others than the origin, what only it and they have is as rare as what only they have.
        let is_origin = |key| key == Some(share.manifest.origin());
        let to_origin = self.members.get(&lane.peer).is_some_and(|member| is_origin(member.key));
        let origin = if to_origin { None } else { self.origin_of(share) };
        let is_rare = |run: &Run| {
            let at_origin = origin.is_some_and(|pieces| pieces.contains(run.first));
            availability[run.first.0 as usize] <= 1 + u16::from(at_origin)
        };
        let may_choose = lane.flexible_again <= self.now && download.wanted.is_uniform();
        let pick = |closed: &Bitfield, room| {
            pick_run(have, closed, availability, geometry, download.start, room, known)
        };
        let picked = match what {
            Ask::Rare { .. } if !may_choose => None,
            Ask::Rare { free } => {
                let room = room.min(free);
                download.wanted.closed().find_map(|closed| pick(closed, room)).filter(is_rare)
            }
            Ask::Rarest { skip, free } => {
                let room = room.min(free.max(piece_bytes));
                download.wanted.closed().find_map(|closed| match skip {
                    Some(skip) => pick(&closed.union(skip), room),
                    None => pick(closed, room),
                })
            }
            Ask::Again => self.endgame(lane, id, download, have),
        };
        let Some(run) = picked else { return false };
        let flexible = is_rare(&run) && may_choose && !matches!(what, Ask::Again);
        let with_hashes = !known(run.first);
        self.request(connection, id, run, with_hashes, flexible);
        true
    }

    fn request(
        &mut self,
        connection: ConnectionId,
        share: ShareId,
        run: Run,
        with_hashes: bool,
        flexible: bool,
    ) {
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        let Some(entry) = self.shelf.get_mut(&share) else { return };
        let bytes = run.bytes(entry.geometry());
        let Some(download) = entry.download() else { return };
        run.iter().for_each(|piece| download.ask(piece));
        if lane.asked.is_empty() {
            lane.heard = self.now;
        }
        let request = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        entry.wishes.last_asked = self.next_request;
        let asked = Asked {
            share,
            run,
            done: 0,
            buffer: Vec::new(),
            left: bytes,
            flexible,
            stamp: lane.window.asked(self.now, bytes),
            first_block: None,
        };
        lane.asked.insert(request, asked);
        self.watch_lanes();
        self.note_asked(connection, bytes as usize);
        self.tell(connection, &PeerMessage::Request { request, share, run, with_hashes, flexible });
        self.grant(connection);
    }

    // ---- endgame ----

    /// One of the last pieces, or one that is overdue, if this lane has nothing else to do and will be sooner
    /// than the one that was asked: so one slow peer does not hold up the rest.
    fn endgame(
        &self,
        lane: &Lane,
        id: ShareId,
        download: &Download,
        have: &Bitfield,
    ) -> Option<Run> {
        if !lane.asked.is_empty() || lane.silent {
            return None;
        }
        let geometry = self.shelf.get(&id)?.geometry();
        self.late(id, download)
            .flat_map(|asked| asked.missing().map(|piece| (piece, asked.stamp.sent())))
            .find(|&(piece, sent)| {
                let takes = lane.window.wait(u64::from(geometry.length(piece)));
                let waited = self.now.saturating_since(sent);
                have.contains(piece)
                    && download.asked.get(&piece) == Some(&1)
                    // A run of several is not cancelled when one of them came from elsewhere.
                    && !download.verified.contains(piece)
                    && !download.unproven.contains(piece)
                    && waited.as_secs_f64() >= takes
            })
            .map(|(first, _)| Run { first, count: 1 })
    }

    /// Requests for a share's pieces that took so long that others may be asked for the same.
    fn late<'a>(
        &'a self,
        id: ShareId,
        download: &Download,
    ) -> impl Iterator<Item = &'a Asked> + use<'a> {
        let least = if download.is_ending() { ENDGAME_AFTER } else { OVERDUE_AFTER };
        let asked = self.lanes.values().flat_map(|lane| lane.asked.values());
        asked.filter(move |asked| asked.share == id && asked.stamp.sent() + least <= self.now)
    }

    fn is_late(&self, id: ShareId) -> bool {
        match self.shelf.get(&id).map(|share| &share.state) {
            Some(State::Receiving(download)) => self.late(id, download).next().is_some(),
            _ => false,
        }
    }

    /// When to look again whether a last piece takes too long.
    pub(super) fn next_endgame(&self) -> Option<Instant> {
        let ending = |share: &Share| match &share.state {
            State::Receiving(download) => download.is_ending() && !download.asked.is_empty(),
            _ => false,
        };
        self.shelf.values().any(ending).then(|| self.now + ENDGAME_AFTER)
    }
}

impl Share {
    /// Bytes of whole pieces whose hash is not here yet.
    fn unproven_bytes(&self) -> u64 {
        match &self.state {
            State::Receiving(download) => download.unproven.bytes(),
            _ => 0,
        }
    }
}

impl Download {
    fn is_ending(&self) -> bool {
        self.wanted.missing(&self.verified) <= ENDGAME_PIECES
    }
}

impl Lane {
    /// Bytes that were asked for and do not count in the budget: those of which the source has not yet
    /// chosen what they will be, and those from a slow lane, which would fill it without bringing much.
    fn aside(&self, of: Option<ShareId>, best_pace: f64) -> u64 {
        let is_slow = self.is_slow(best_pace);
        let asked = self.asked.values().filter(|asked| of.is_none_or(|id| asked.share == id));
        asked.filter(|asked| asked.flexible || is_slow).map(|asked| asked.left).sum()
    }

    /// Whether it brings far less than the best one. It is asked for one run at a time.
    fn is_slow(&self, best_pace: f64) -> bool {
        self.window.pace().is_some_and(|pace| pace * SLOW < best_pace)
    }
}

/// The length of a share's pieces, or of its only one.
fn piece_bytes(share: &Share) -> u64 {
    share.geometry().piece_size().bytes().min(share.manifest.total())
}
