//! Chat: saying lines, passing on those of others, and telling newcomers what was said.
//!
//! Whoever has chat switched on asks each new neighbour to be told what is said (*Listen*). It is told the
//! last lines that the neighbour knows, once, and from then on every line that is new to the neighbour, like
//! receipts; so everybody hears of each line from several sides and takes it once. What is said with
//! nobody there is heard by whoever comes.
//!
//! What one member can do to the others by talking is bounded: lines that come too fast of one author, or
//! by way of one neighbour, are not taken, which is no guilt of whoever passes them on. Lines are signed, so
//! one that does not hold is. Kept are the last lines only; that a line was taken is remembered for
//! longer, else it could be brought up again and again.
//!
//! The last lines take `MAX_LOG_COST` bytes at most, and what is remembered of authors
//! `(MAX_ROSTER + MAX_UNMET) × MAX_STAYS × 32 B`.

use std::collections::{BTreeMap, VecDeque};

use super::Swarm;
use crate::chat::{Line, MAX_LINE_BYTES, SayError};
use crate::event::{Event, Proof};
use crate::identity::{PublicKey, Signature};
use crate::io::ConnectionId;
use crate::message::PeerMessage;
use crate::time::Instant;

/// The most lines that are kept for newcomers: as many as [`Stay`] can tell apart.
const MAX_LOG_LINES: usize = 128;
/// The most that they may cost together, in bytes.
const MAX_LOG_COST: u64 = 256 << 10;
/// What a line costs beside its text, in bytes: key, signature, and the work with it.
const LINE_COST: u64 = 256;

/// How fast we say things. Others let us do so with room to spare, whatever way our lines come to them.
const SAYING: Limit = Limit { at_once: 64 << 10, per_second: 4 << 10 };
/// How fast lines of one author are taken. All of the log may be its.
const FROM_AUTHOR: Limit = Limit { at_once: MAX_LOG_COST + (128 << 10), per_second: 8 << 10 };
/// How fast lines of many authors are taken from one neighbour.
const FROM_NEIGHBOUR: Limit = Limit { at_once: 2 * MAX_LOG_COST, per_second: 64 << 10 };

/// Of the number of a stay so many bits are random, the rest is a time.
const STAY_RANDOM_BITS: u32 = 16;

/// The most authors that are remembered and were never met: whoever has the invite can make up any number.
const MAX_UNMET: usize = 256;
/// The most stays of one author that are remembered, the latest ones.
const MAX_STAYS: usize = 8;

/// How much may be said.
struct Limit {
    at_once: u64,
    per_second: u64,
}

/// What was said and is not forgotten yet.
#[derive(Debug, Default)]
struct Spent {
    cost: u64,
    at: Instant,
}

/// What is known of the chat of the room.
#[derive(Debug, Default)]
pub(super) struct Chat {
    /// The last lines, in the order in which they were heard.
    log: VecDeque<Line>,
    log_cost: u64,
    authors: BTreeMap<PublicKey, Author>,
    /// Our own lines: the number of our stay, and how many there are.
    stay: Option<(u64, u64)>,
    said: Spent,
}

#[derive(Debug, Default)]
struct Author {
    stays: BTreeMap<u64, Stay>,
    spent: Spent,
}

/// Which lines of one stay were taken: the latest one, and by bits those before it. Lines that are further
/// back are in nobody's log any more.
#[derive(Debug)]
struct Stay {
    latest: u64,
    before: u128,
}

/// What a neighbour is told, and tells, of the chat.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// Whether it wants to be told.
    listens: bool,
    /// Whether it was told what was said before.
    is_told: bool,
    spent: Spent,
}

impl Spent {
    /// Notes some more, unless that is too much.
    fn spend(&mut self, now: Instant, cost: u64, limit: &Limit) -> bool {
        let elapsed = now.saturating_since(self.at).as_millis() as u64;
        let forgotten = elapsed.saturating_mul(limit.per_second) / 1000;
        let cost = self.cost.saturating_sub(forgotten) + cost;
        let within = cost <= limit.at_once;
        if within {
            (self.cost, self.at) = (cost, self.at.max(now));
        }
        within
    }
}

impl Stay {
    fn has(&self, sequence: u64) -> bool {
        match self.latest.checked_sub(sequence) {
            None => false,
            Some(back) => back == 0 || back > 128 || self.before & bit(back - 1) != 0,
        }
    }

    fn note(&mut self, sequence: u64) {
        match sequence.checked_sub(self.latest) {
            Some(0) => {}
            Some(ahead) => {
                let by = u32::try_from(ahead).unwrap_or(u32::MAX);
                self.before = self.before.checked_shl(by).unwrap_or(0) | bit(ahead - 1);
                self.latest = sequence;
            }
            None => self.before |= bit(self.latest - sequence - 1),
        }
    }
}

/// The bit of this number; none if there is none.
fn bit(at: u64) -> u128 {
    1u128.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0)
}

impl Author {
    fn has(&self, line: &Line) -> bool {
        match self.stays.get(&line.stay) {
            Some(stay) => stay.has(line.sequence),
            // Of a stay before those that are remembered.
            None => {
                let first = self.stays.first_key_value();
                self.stays.len() >= MAX_STAYS && first.is_some_and(|(&first, _)| line.stay < first)
            }
        }
    }

    fn note(&mut self, line: &Line) {
        let new = Stay { latest: line.sequence, before: 0 };
        self.stays.entry(line.stay).or_insert(new).note(line.sequence);
        if self.stays.len() > MAX_STAYS {
            self.stays.pop_first();
        }
    }
}

impl Chat {
    fn has(&self, line: &Line) -> bool {
        self.authors.get(&line.author).is_some_and(|author| author.has(line))
    }

    fn keep(&mut self, line: Line) {
        self.log_cost += cost(&line);
        self.log.push_back(line);
        while self.log.len() > MAX_LOG_LINES || self.log_cost > MAX_LOG_COST {
            self.log_cost -= self.log.pop_front().as_ref().map_or(0, cost);
        }
    }
}

fn cost(line: &Line) -> u64 {
    LINE_COST + line.text.len() as u64
}

impl Swarm {
    /// The last lines that were said in the room, as far as we heard, in the order in which we did.
    pub fn chat(&self) -> impl Iterator<Item = &Line> {
        self.chat.log.iter()
    }

    pub(super) fn say_line(&mut self, text: &str) -> Result<(), SayError> {
        if !self.policy.services.chat {
            return Err(SayError::Off);
        }
        if text.is_empty() {
            return Err(SayError::Empty);
        }
        if text.len() > MAX_LINE_BYTES {
            return Err(SayError::TooLong);
        }
        if !self.chat.said.spend(self.now, LINE_COST + text.len() as u64, &SAYING) {
            return Err(SayError::TooFast);
        }
        let sent_ms = self.unix_ms();
        let (stay, sequence) = self.chat.stay.unwrap_or_else(|| {
            let random = u64::from(self.rng.below(1 << STAY_RANDOM_BITS));
            (sent_ms << STAY_RANDOM_BITS | random, 0)
        });
        self.chat.stay = Some((stay, sequence + 1));
        let (author, name, text) = (self.key.public(), self.name.clone(), text.to_owned());
        let line =
            Line { author, stay, sequence, sent_ms, name, text, signature: Signature([0; 64]) };
        self.take_line(line.sign(self.room, &self.key), None);
        Ok(())
    }

    // ---- what neighbours are told ----

    /// Asks a new neighbour to be told what is said.
    pub(super) fn listen(&mut self, connection: ConnectionId) {
        if self.policy.services.chat {
            self.tell(connection, &PeerMessage::Listen { on: true });
        }
    }

    /// Chat was switched on or off.
    pub(super) fn change_chat(&mut self) {
        let on = self.policy.services.chat;
        self.tell_all(&PeerMessage::Listen { on });
        if on {
            let neighbours: Vec<ConnectionId> = self.neighbours().map(|(id, ..)| id).collect();
            neighbours.into_iter().for_each(|connection| self.tell_log(connection));
        }
    }

    pub(super) fn on_listen(&mut self, connection: ConnectionId, on: bool) {
        if let Some(lane) = self.lanes.get_mut(&connection) {
            lane.chat.listens = on;
        }
        self.tell_log(connection);
    }

    /// Tells a neighbour that listens what was said before, once.
    fn tell_log(&mut self, connection: ConnectionId) {
        let is_on = self.policy.services.chat;
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        if !is_on || !lane.chat.listens || std::mem::replace(&mut lane.chat.is_told, true) {
            return;
        }
        let lines: Vec<PeerMessage> = self.chat().cloned().map(PeerMessage::Line).collect();
        lines.iter().for_each(|line| self.tell(connection, line));
    }

    // ---- what they tell ----

    /// A neighbour passes on what somebody said, perhaps itself.
    pub(super) fn on_line(&mut self, connection: ConnectionId, line: Line) {
        let author = line.author;
        let is_unwanted = self.banned.contains(&author)
            || self.is_avoided(Some(author))
            || self.is_locked_out(&author);
        if !self.policy.services.chat || is_unwanted || self.chat.has(&line) {
            return;
        }
        let (now, cost) = (self.now, cost(&line));
        let Some(lane) = self.lanes.get_mut(&connection) else { return };
        if !lane.chat.spent.spend(now, cost, &FROM_NEIGHBOUR) {
            return;
        }
        if line.verify(self.room).is_err() {
            return self.blame_sender(connection, None, Proof::ForgedLine);
        }
        let author = self.chat.authors.entry(author).or_default();
        if author.spent.spend(now, cost, &FROM_AUTHOR) {
            self.take_line(line, Some(connection));
        }
        self.forget_authors();
    }

    /// Keeps a line that holds, and passes it on to all but its bearer.
    fn take_line(&mut self, line: Line, bearer: Option<ConnectionId>) {
        self.chat.authors.entry(line.author).or_default().note(&line);
        let listens = |connection: &ConnectionId| {
            let lane = self.lanes.get(connection);
            Some(*connection) != bearer && lane.is_some_and(|lane| lane.chat.listens)
        };
        let others: Vec<ConnectionId> =
            self.neighbours().map(|(other, ..)| other).filter(listens).collect();
        let message = PeerMessage::Line(line.clone());
        others.into_iter().for_each(|other| self.tell(other, &message));
        self.chat.keep(line.clone());
        self.events.push_back(Event::Said { line });
    }

    /// Forgets the author heard longest ago if too many are remembered whom we never met.
    fn forget_authors(&mut self) {
        let us = self.key.public();
        let is_unmet = |author: &PublicKey| *author != us && !self.met.contains(author);
        let unmet = || self.chat.authors.iter().filter(|(author, _)| is_unmet(author));
        if unmet().count() <= MAX_UNMET {
            return;
        }
        let oldest = unmet().min_by_key(|(_, author)| author.spent.at).map(|(&author, _)| author);
        if let Some(oldest) = oldest {
            self.chat.authors.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_forgotten_at_its_rate() {
        let at = Instant::from_micros;
        let limit = Limit { at_once: 1000, per_second: 100 };
        let mut spent = Spent::default();
        assert!(spent.spend(at(0), 1000, &limit));
        assert!(!spent.spend(at(0), 1, &limit));
        // What was refused costs nothing.
        assert!(spent.spend(at(1_000_000), 100, &limit));
        assert!(!spent.spend(at(0), 1, &limit));
        assert!(spent.spend(at(60_000_000), 1000, &limit));
    }

    #[test]
    fn each_line_of_a_stay_is_told_apart_and_what_is_far_back_counts_as_taken() {
        let mut taken = std::collections::BTreeSet::new();
        let mut stay = Stay { latest: 200, before: 0 };
        taken.insert(200);
        for sequence in [199, 201, 80, 330, 204, 331, 332, 203, 500, 628, 627, 630] {
            let too_old = stay.latest > sequence + 128;
            assert_eq!(stay.has(sequence), too_old || taken.contains(&sequence), "{sequence}");
            stay.note(sequence);
            taken.insert(sequence);
            for other in 0..700 {
                let known = taken.contains(&other) || stay.latest > other + 128;
                assert_eq!(stay.has(other), known, "{other} after {sequence}");
            }
        }
        stay.note(u64::MAX);
        assert!(stay.has(630) && stay.has(u64::MAX) && !stay.has(u64::MAX - 1));
    }

    #[test]
    fn stays_before_those_that_are_remembered_count_as_taken() {
        let line = |stay| Line {
            author: PublicKey([1; 32]),
            stay,
            sequence: 0,
            sent_ms: 0,
            name: String::new(),
            text: "x".into(),
            signature: Signature([0; 64]),
        };
        let mut author = Author::default();
        (10..10 + MAX_STAYS as u64).for_each(|stay| author.note(&line(stay)));
        assert!(author.has(&line(10)) && author.has(&line(9)));
        assert!(!author.has(&line(100)));
        author.note(&line(100));
        assert!(author.has(&line(10)), "it was the oldest");
        assert_eq!(author.stays.len(), MAX_STAYS);
    }
}
