//! Which piece to ask of whom, and how much at once. Pure arithmetic; `swarm` does the asking.
//!
//! **Windows.** A data channel has no back-pressure towards the receiver, and a long path collapses
//! when more is sent at once than its buffers hold. So each lane has a window: the bytes that its
//! source may have sent and that have not arrived. It is sized from what was measured, delivery rate ×
//! shortest response time × [`GAIN`], and told to the source as *credit*. While the path is not full the
//! rate follows the window, so the window grows with each round; once it is full the window stays at
//! some twice what the path holds. Requests run ahead of the credit by up to a window and a run, so that
//! the source always knows what to read next.
//!
//! **Budget.** What is asked of all lanes together is what arrives in [`AHEAD`]. In a room of many,
//! where everybody's uplink is shared by all, short queues mean that choices are made late, on what is
//! known now, and that a slow peer holds little of what is missing.
//!
//! **Rarest first.** Of the pieces a source has and nobody was asked for, one of those that the fewest
//! peers have; among equals the first after a place that differs from peer to peer, so that peers who
//! start together fetch different parts and can trade. Pieces next to it are asked for along with
//! it, so that small files do not cost a message each.

use std::collections::VecDeque;

use crate::bitfield::Bitfield;
use crate::message::{INITIAL_CREDIT_BYTES, MAX_RUN, Run};
use crate::piece::{Geometry, PieceIndex};
use crate::time::{Duration, Instant};

/// The least a window allows: two full messages.
pub(crate) const MIN_WINDOW_BYTES: u64 = 128 << 10;
/// The least that a window is bounded to: seven connections of this size still fill a long path.
pub(crate) const MIN_LANE_BYTES: u64 = 96 << 10;
/// The window of a lane that has not been measured: what keeps a LAN busy between two messages.
const FIRST_WINDOW_BYTES: u64 = 512 << 10;
/// The most a window allows: 80 ms at 400 Mbit/s. Also bounds memory, at one window per lane.
pub(crate) const MAX_WINDOW_BYTES: u64 = 4 << 20;
/// Windows are this many times what the path was measured to hold.
const GAIN: f64 = 2.0;
/// Response times below this are noise of scheduling, not of the path.
const MIN_RESPONSE: Duration = Duration::from_millis(25);
/// How many recent measurements count.
const SAMPLES: usize = 16;
/// How far ahead to ask, all lanes together.
pub(crate) const AHEAD: Duration = Duration::from_millis(1500);
/// A lane that says nothing of what was asked for this long loses its requests to others.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);
/// … and twice as long, up to this, when it turns out that the answer was only late: else whoever is
/// slower than that would send in vain for ever.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(240);
/// A source with more to do than it can says so this often, and is not taken for silent.
pub(crate) const QUEUED_INTERVAL: Duration = Duration::from_secs(5);

/// The request window of one lane.
#[derive(Debug)]
pub(crate) struct Window {
    /// Bytes asked for and not yet received.
    outstanding: u64,
    /// Bytes received since the beginning that were asked for.
    delivered: u64,
    /// All bytes of blocks that came, and the most that may have come: the credit given.
    arrived: u64,
    granted: u64,
    /// Bytes per second over recent requests.
    rates: VecDeque<f64>,
    /// The same, smoothed, to compare lanes by.
    pace: Option<f64>,
    /// The most that may be on its way.
    limit: u64,
    /// The shortest response ever: later ones hold our own queue, and following those up would let
    /// the window feed itself.
    shortest: Option<Duration>,
}

/// What a request remembers, to be measured when its answer comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    sent: Instant,
    delivered: u64,
}

/// The source sent more than it had credit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overdrawn;

impl Stamp {
    pub(crate) fn sent(&self) -> Instant {
        self.sent
    }
}

impl Window {
    pub(crate) fn new() -> Self {
        Self {
            outstanding: 0,
            delivered: 0,
            arrived: 0,
            granted: INITIAL_CREDIT_BYTES,
            rates: VecDeque::with_capacity(SAMPLES),
            pace: None,
            limit: MAX_WINDOW_BYTES,
            shortest: None,
        }
    }

    /// Bounds the window from now on, never below [`MIN_LANE_BYTES`].
    pub(crate) fn set_limit(&mut self, bytes: u64) {
        self.limit = bytes.clamp(MIN_LANE_BYTES, MAX_WINDOW_BYTES);
    }

    /// The shortest time from a request to the first block of its answer, once measured.
    pub(crate) fn response(&self) -> Option<Duration> {
        self.shortest
    }

    /// Bytes that may be on their way.
    pub(crate) fn size(&self) -> u64 {
        let Some(response) = self.shortest else { return FIRST_WINDOW_BYTES.min(self.limit) };
        let best = self.rates.iter().copied().fold(0.0, f64::max);
        let holds = best * response.max(MIN_RESPONSE).as_secs_f64();
        ((holds * GAIN) as u64).max(MIN_WINDOW_BYTES).min(self.limit)
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// How many bytes may be asked for now. None while a window of them is outstanding; then a window's
    /// worth, and at least a piece. Small change is saved up, so that tiny pieces are asked for many at
    /// a time.
    pub(crate) fn room(&self, piece: u64) -> u64 {
        let size = self.size();
        let room = size.saturating_sub(self.outstanding);
        if room < size / 8 { 0 } else { room.max(piece) }
    }

    /// How fast it brought what was asked for lately, in bytes per second.
    pub(crate) fn pace(&self) -> Option<f64> {
        self.pace
    }

    /// How long what is outstanding and `bytes` more will take, in seconds; nothing if not known.
    pub(crate) fn wait(&self, bytes: u64) -> f64 {
        self.pace.map_or(0.0, |pace| (self.outstanding + bytes) as f64 / pace)
    }

    pub(crate) fn asked(&mut self, now: Instant, bytes: u64) -> Stamp {
        self.outstanding += bytes;
        Stamp { sent: now, delivered: self.delivered }
    }

    /// Bytes of blocks came, asked for or not.
    pub(crate) fn arrived(&mut self, bytes: u64) -> Result<(), Overdrawn> {
        self.arrived += bytes;
        if self.arrived <= self.granted { Ok(()) } else { Err(Overdrawn) }
    }

    /// They were asked for.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.delivered += bytes;
        self.outstanding = self.outstanding.saturating_sub(bytes);
    }

    /// The credit to tell the source now, if it needs more and there is enough to tell of.
    pub(crate) fn grant(&mut self) -> Option<u64> {
        let (size, flying) = (self.size(), self.granted.saturating_sub(self.arrived));
        if flying >= self.outstanding || flying > size - size / 4 {
            return None;
        }
        self.granted = self.arrived + size;
        Some(self.granted)
    }

    /// What was asked for will not come: cancelled, rejected, or the lane fell silent.
    pub(crate) fn forgiven(&mut self, bytes: u64) {
        self.outstanding = self.outstanding.saturating_sub(bytes);
    }

    /// The answer to a request is complete; `first` is when its first block came.
    pub(crate) fn measured(&mut self, now: Instant, stamp: Stamp, first: Instant) {
        let took = now.saturating_since(stamp.sent).max(Duration::from_micros(100));
        let rate = (self.delivered - stamp.delivered) as f64 / took.as_secs_f64();
        if self.rates.len() == SAMPLES {
            self.rates.pop_front();
        }
        self.rates.push_back(rate);
        self.pace = Some(self.pace.map_or(rate, |pace| 0.7 * pace + 0.3 * rate).max(1.0));
        let response = first.saturating_since(stamp.sent);
        self.shortest = Some(self.shortest.map_or(response, |shortest| shortest.min(response)));
    }

    /// The lane fell silent or took another path: what was measured says nothing any more.
    pub(crate) fn reset(&mut self) {
        self.rates.clear();
        self.pace = None;
        self.shortest = None;
    }
}

/// Chooses what to ask one source for: a run that begins with one of the rarest pieces in `have` and
/// not in `taken`, of at most `room` bytes.
///
/// `availability` counts for each piece the peers that have it. `is_hash_known` splits runs, because
/// a request asks for hashes for all of its pieces or none.
pub(crate) fn pick_run(
    have: &Bitfield,
    taken: &Bitfield,
    availability: &[u16],
    geometry: &Geometry,
    start: u32,
    room: u64,
    is_hash_known: impl Fn(PieceIndex) -> bool,
) -> Option<Run> {
    let first = rarest(have, taken, availability, start)
        .filter(|&first| u64::from(geometry.length(first)) <= room)?;
    let rarity = availability[first.0 as usize];
    let with_hashes = is_hash_known(first);
    let mut count = 1;
    let mut bytes = u64::from(geometry.length(first));
    while count < MAX_RUN {
        let piece = PieceIndex(first.0 + count);
        let fits = have.contains(piece)
            && !taken.contains(piece)
            && availability[piece.0 as usize] == rarity
            && is_hash_known(piece) == with_hashes;
        bytes += u64::from(geometry.length(piece));
        if !fits || bytes > room {
            break;
        }
        count += 1;
    }
    Some(Run { first, count })
}

fn rarest(
    have: &Bitfield,
    taken: &Bitfield,
    availability: &[u16],
    start: u32,
) -> Option<PieceIndex> {
    let mut best: Option<(u16, PieceIndex)> = None;
    // From `start` to the end, then from the beginning: the first of equals wins.
    for (from, to) in [(start, u32::MAX), (0, start)] {
        let mut at = from;
        while let Some(piece) = have.next_not_in(taken, at).filter(|piece| piece.0 < to) {
            let count = availability[piece.0 as usize];
            if count <= 1 {
                // The source itself: nothing can be rarer.
                return Some(piece);
            }
            if best.is_none_or(|(least, _)| count < least) {
                best = Some((count, piece));
            }
            at = piece.0 + 1;
        }
    }
    best.map(|(_, piece)| piece)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::piece::MIN_PIECE_SIZE;

    const PIECE: u64 = 256 << 10;

    fn bits(len: u32, set: &[u32]) -> Bitfield {
        let mut bits = Bitfield::new(len);
        set.iter().for_each(|&piece| assert!(bits.insert(PieceIndex(piece))));
        bits
    }

    proptest! {
        #[test]
        fn rarest_agrees_with_a_plain_search(
            pieces in proptest::collection::vec((any::<bool>(), any::<bool>(), 1u16..5), 1..200),
            start in any::<proptest::sample::Index>(),
        ) {
            let len = pieces.len() as u32;
            let start = start.index(pieces.len()) as u32;
            let (mut have, mut taken) = (Bitfield::new(len), Bitfield::new(len));
            for (i, &(has, is_taken, _)) in pieces.iter().enumerate() {
                if has { have.insert(PieceIndex(i as u32)); }
                if is_taken { taken.insert(PieceIndex(i as u32)); }
            }
            let availability: Vec<u16> = pieces.iter().map(|p| p.2).collect();
            let expected = (0..len)
                .map(|i| (start + i) % len)
                .filter(|&i| pieces[i as usize].0 && !pieces[i as usize].1)
                .min_by_key(|&i| availability[i as usize]);
            prop_assert_eq!(rarest(&have, &taken, &availability, start).map(|p| p.0), expected);
        }
    }

    #[test]
    fn runs_end_where_something_changes_or_the_room_ends() {
        let geometry = Geometry::new(MIN_PIECE_SIZE, [10 * PIECE]).unwrap();
        let all = Bitfield::full(10);
        let pick = |taken: &[u32], availability: [u16; 10], room| {
            pick_run(&all, &bits(10, taken), &availability, &geometry, 2, room, |p| p.0 < 5)
                .map(|run| (run.first.0, run.count))
        };
        assert_eq!(pick(&[], [1; 10], u64::MAX), Some((2, 3)), "the hash of 5 is not known");
        assert_eq!(pick(&[], [1; 10], 2 * PIECE), Some((2, 2)));
        assert_eq!(pick(&[], [1; 10], PIECE - 1), None);
        assert_eq!(pick(&[4], [1; 10], u64::MAX), Some((2, 2)));
        assert_eq!(pick(&[], [2, 2, 2, 2, 2, 2, 2, 1, 1, 2], u64::MAX), Some((7, 2)));
        assert_eq!(pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1; 10], u64::MAX), None);
    }

    /// Runs a window against a path that holds `rate` bytes per second and answers after `delay`.
    fn settle(rate: f64, delay: Duration) -> u64 {
        let mut window = Window::new();
        let (mut now, mut free_at) = (Instant::ZERO, Instant::ZERO);
        let mut flying: VecDeque<(Instant, Instant, Stamp)> = VecDeque::new();
        for _ in 0..2000 {
            while window.room(PIECE) >= PIECE {
                let stamp = window.asked(now, PIECE);
                let begins = free_at.max(now + delay);
                free_at = begins + Duration::from_secs_f64(PIECE as f64 / rate);
                flying.push_back((begins, free_at, stamp));
            }
            let (first, done, stamp) = flying.pop_front().unwrap();
            now = done;
            window.received(PIECE);
            window.measured(now, stamp, first);
        }
        window.size()
    }

    #[test]
    fn a_window_settles_at_about_twice_what_the_path_holds() {
        for (rate, ms) in [(12.5e6, 50), (12.5e6, 100), (6e6, 150)] {
            let holds = rate * ms as f64 / 1000.0;
            let size = settle(rate, Duration::from_millis(ms)) as f64;
            let expected = (GAIN * holds).min(MAX_WINDOW_BYTES as f64);
            assert!(size > 0.9 * expected && size < 1.5 * expected, "{size} for {holds}");
        }
        assert_eq!(settle(1e6, Duration::from_millis(10)), MIN_WINDOW_BYTES);
    }

    #[test]
    fn what_is_asked_for_runs_ahead_of_the_window_by_no_more_than_a_piece() {
        let mut window = Window::new();
        let mut asked = 0;
        while window.room(PIECE) > 0 {
            window.asked(Instant::ZERO, PIECE);
            asked += PIECE;
        }
        assert!((FIRST_WINDOW_BYTES..FIRST_WINDOW_BYTES + PIECE).contains(&asked));
        window.received(100);
        assert_eq!(window.room(PIECE), 0, "small change is saved up");
        window.forgiven(window.outstanding());
        assert_eq!(window.room(PIECE), FIRST_WINDOW_BYTES);
    }

    #[test]
    fn a_source_may_send_a_window_and_not_a_byte_more() {
        let mut window = Window::new();
        assert_eq!(window.grant(), None, "nothing was asked for");
        window.asked(Instant::ZERO, 2 * FIRST_WINDOW_BYTES);
        assert_eq!(window.grant(), Some(FIRST_WINDOW_BYTES));
        assert_eq!(window.grant(), None, "told already");
        assert_eq!(window.arrived(FIRST_WINDOW_BYTES / 2), Ok(()));
        assert_eq!(window.grant(), Some(FIRST_WINDOW_BYTES + FIRST_WINDOW_BYTES / 2));
        assert_eq!(window.arrived(FIRST_WINDOW_BYTES), Ok(()));
        assert_eq!(window.arrived(1), Err(Overdrawn));
    }
}
