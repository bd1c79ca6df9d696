//! Rooms that are measured: one origin, many receivers, a share, and how long it takes until all have it.
//!
//! Tests assert on what comes out, `cargo xtask simulate` prints it: one way for both.

use super::{Border, Store, Traffic, World, data};
use crate::io::Channel;
use crate::manifest::ShareId;
use crate::policy::Policy;
use crate::time::{Duration, Instant};

/// The piece size of shares below 16 GiB, in bytes.
pub const PIECE_BYTES: u32 = 256 << 10;
/// Uplinks in [`Kind::Unequal`] differ by this.
const UNEQUAL: f64 = 10.0;
/// Nobody gets anything for so long: it will not go on.
const STUCK_AFTER: Duration = Duration::from_secs(180);
/// How fast peers of one site reach each other, in bytes per second.
const LAN_RATE: f64 = 50e6;

/// A room to be measured.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What everything follows from.
    pub seed: u64,
    /// What is special about it.
    pub kind: Kind,
    /// Receivers, beside the origin.
    pub receivers: usize,
    /// Bytes per second that each can send; of the border in [`Kind::Sites`].
    pub uplink: f64,
    /// Pieces of the share.
    pub pieces: u32,
    /// Bytes of each. The share is one file if these are [`PIECE_BYTES`], else a file for each.
    pub piece_bytes: u32,
    /// There and back.
    pub round_trip: Duration,
    /// What the users have set; everybody the same.
    pub policy: Policy,
}

/// What is special about a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: all begin at once, with equal uplinks, and stay.
    Equal,
    /// Every other receiver's uplink is a tenth.
    Unequal,
    /// Every other receiver comes when half of the time is over that all would take from the start.
    Late,
    /// Every third receiver leaves somewhere on the way; half of these without a word.
    Leavers,
    /// All receivers but the last have the share already, and lie to it. The origin does not.
    Liars,
    /// Every other receiver is at another site, beyond a border; within a site it is fast.
    Sites,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// No way of sharing could be faster, if uplinks are all that limits.
    pub bound: Duration,
    /// When all that stayed had it; `None` if some never got it.
    pub all_done: Option<Duration>,
    /// What the origin sent, in shares.
    pub origin_copies: f64,
    /// Pieces stored that are not what was shared.
    pub corrupt: usize,
    /// Receivers that stayed and never got it.
    pub stuck: usize,
    /// What a peer sent on its control channels, on average.
    pub control_bytes_per_peer: u64,
    /// How many signals a peer sent through the server, on average.
    pub signals_per_peer: f64,
    /// What arrived in vain, of all that was wanted.
    pub wasted: f64,
    /// What went over the border, in shares.
    pub crossed: f64,
    /// How many peers were shut out, counted by those who did it; and how many of these had not lied.
    pub banned: usize,
    /// See `banned`.
    pub wrongly_banned: usize,
    /// Everybody, the origin first.
    pub peers: Vec<PeerOutcome>,
}

/// How it went for one.
#[derive(Clone, Debug)]
pub struct PeerOutcome {
    /// When it had everything, from the beginning.
    pub done: Option<Duration>,
    /// What it sent and received.
    pub traffic: Traffic,
    /// How many pieces it had when.
    pub history: Vec<(Duration, u32)>,
}

/// Someone's part in the bound.
struct Uplink {
    rate: f64,
    /// Present from here …
    from: f64,
    /// … to here, in seconds.
    to: f64,
}

impl Kind {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 6] = [
        ("equal", Self::Equal),
        ("unequal", Self::Unequal),
        ("late", Self::Late),
        ("leavers", Self::Leavers),
        ("liars", Self::Liars),
        ("sites", Self::Sites),
    ];
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 1,
            kind: Kind::Equal,
            receivers: 12,
            uplink: f64::from(1 << 20),
            pieces: 1000,
            piece_bytes: PIECE_BYTES,
            round_trip: Duration::from_millis(50),
            policy: Policy::default(),
        }
    }
}

impl Outcome {
    /// How much longer than the bound it took.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.all_done?.as_secs_f64() / self.bound.as_secs_f64())
    }
}

impl Setup {
    /// Bytes of the share.
    pub fn bytes(&self) -> u64 {
        u64::from(self.pieces) * u64::from(self.piece_bytes)
    }

    /// Lets it happen.
    pub fn run(&self) -> Outcome {
        let mut world = World::new(self.seed);
        let share = self.furnish(&mut world);
        let start = world.now;
        let origin_sent = world.view(0, share).map_or(0, |view| view.uploaded);
        let (bound, staying) = self.play(&mut world, share);
        let since = |at: Instant| at.saturating_since(start);

        let done = |peer: usize| world.peers[peer].completed.get(&share).map(|&at| since(at));
        let stuck = staying.iter().filter(|&&peer| done(peer).is_none()).count();
        let views = || staying.iter().filter_map(|&peer| world.view(peer, share));
        let wasted: u64 = views().map(|view| view.wasted).sum();
        let wanted = self.bytes() * staying.len() as u64;
        let all = || 0..world.peers.len();
        let banned: Vec<String> = all().flat_map(|peer| world.peers[peer].banned()).collect();
        let is_liar = |name: &String| {
            let index = name.strip_prefix("peer ").and_then(|index| index.parse().ok());
            index.is_some_and(|index| self.is_liar(index))
        };
        let control: u64 = world.peers.iter().map(|peer| peer.traffic.control_sent).sum();
        let signals: u64 = world.peers.iter().map(|peer| peer.signals).sum();
        let sent = world.view(0, share).map_or(0, |view| view.uploaded) - origin_sent;
        Outcome {
            bound,
            all_done: staying
                .iter()
                .map(|&peer| done(peer))
                .collect::<Option<Vec<_>>>()
                .map(|times| times.into_iter().max().unwrap_or_default()),
            origin_copies: sent as f64 / self.bytes() as f64,
            corrupt: all()
                .flat_map(|peer| world.peers[peer].disk.values())
                .map(Store::corrupt)
                .sum(),
            stuck,
            control_bytes_per_peer: control / world.peers.len() as u64,
            signals_per_peer: signals as f64 / world.peers.len() as f64,
            wasted: wasted as f64 / wanted as f64,
            crossed: world.crossed as f64 / self.bytes() as f64,
            banned: banned.len(),
            wrongly_banned: banned.iter().filter(|name| !is_liar(name)).count(),
            peers: all()
                .map(|peer| PeerOutcome {
                    done: done(peer),
                    traffic: world.peers[peer].traffic,
                    history: world.peers[peer].disk.get(&share).map_or_else(Vec::new, |store| {
                        store.history.iter().map(|&(at, count)| (since(at), count)).collect()
                    }),
                })
                .collect(),
        }
    }

    /// The bytes that each machine holds, the origin's first, so long after all began to receive; see
    /// [`World::weigh`].
    pub fn weigh(&self, after: Duration, in_use: impl Fn() -> usize) -> Vec<usize> {
        let mut world = World::new(self.seed);
        let share = self.furnish(&mut world);
        if !after.is_zero() {
            (1..=self.receivers).for_each(|peer| world.receive(peer, share));
            world.run_for(after);
        }
        world.weigh(in_use)
    }

    /// Whether a peer lies.
    fn is_liar(&self, peer: usize) -> bool {
        self.kind == Kind::Liars && peer > 0 && peer < self.receivers
    }

    fn comes_late(&self, peer: usize) -> bool {
        self.kind == Kind::Late && peer > 0 && peer.is_multiple_of(2)
    }

    fn leaves(&self, peer: usize) -> bool {
        self.kind == Kind::Leavers && peer > 0 && peer.is_multiple_of(3)
    }

    /// Everybody who is there from the beginning comes, and the share is on their shelves.
    fn furnish(&self, world: &mut World) -> ShareId {
        world.policy = self.policy.clone();
        world.net.latency = self.round_trip / 2;
        world.net.uplink = self.uplink;
        if self.kind == Kind::Sites {
            world.net.uplink = LAN_RATE;
            world.net.latency = Duration::from_micros(250);
            let latency = (self.round_trip / 2).saturating_sub(world.net.latency);
            world.net.border = Some(Border { rate: self.uplink, latency });
        }
        for peer in 0..=self.receivers {
            world.add();
            if self.kind == Kind::Unequal && peer > 0 && peer.is_multiple_of(2) {
                world.peers[peer].uplink = Some(self.uplink / UNEQUAL);
            }
            if self.kind == Kind::Sites {
                world.peers[peer].site = peer % 2;
            }
            if self.comes_late(peer) {
                world.leave(peer);
            }
        }
        let here: Vec<usize> =
            (0..=self.receivers).filter(|&peer| !self.comes_late(peer)).collect();
        world.run_for(Duration::from_secs(20));
        let share = self.put_on_shelf(world);
        settle(world, "everyone sees the share", |world| {
            here.iter().all(|&peer| world.peers[peer].swarm.share_view(share).is_some())
        });
        if self.kind == Kind::Liars {
            let liars: Vec<usize> =
                here.iter().copied().filter(|&peer| self.is_liar(peer)).collect();
            world.net.uplink = LAN_RATE;
            liars.iter().for_each(|&peer| world.receive(peer, share));
            settle(world, "the liars have it", |world| {
                liars.iter().all(|&peer| world.peers[peer].completed.contains_key(&share))
            });
            world.net.uplink = self.uplink;
            let setup = self.clone();
            world.net.tamper = Some(Box::new(move |from, transmit| {
                if transmit.channel == Channel::Blocks
                    && setup.is_liar(from)
                    && let Some(last) = transmit.bytes.last_mut()
                {
                    *last ^= 1;
                }
            }));
        }
        share
    }

    fn put_on_shelf(&self, world: &mut World) -> ShareId {
        let bytes = data(self.seed as u8, self.bytes() as usize);
        if self.piece_bytes == PIECE_BYTES {
            return world.share(0, &[("file", bytes)]);
        }
        let files = bytes.chunks(self.piece_bytes as usize).enumerate();
        let files: Vec<(String, Vec<u8>)> =
            files.map(|(i, part)| (format!("folder/{i}"), part.to_vec())).collect();
        let files: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, part)| (name.as_str(), part.clone())).collect();
        world.share(0, &files)
    }

    /// Everybody receives, and comes and goes as planned. Gives the bound, and who is to have it.
    fn play(&self, world: &mut World, share: ShareId) -> (Duration, Vec<usize>) {
        let start = world.now;
        let least = self.bytes() as f64 / self.uplink;
        let mut uplinks: Vec<Uplink> = (0..=self.receivers)
            .map(|peer| Uplink {
                rate: world.peers[peer].uplink.unwrap_or(self.uplink),
                from: if self.comes_late(peer) { least / 2.0 } else { 0.0 },
                to: f64::INFINITY,
            })
            .collect();
        for peer in (1..=self.receivers).filter(|&peer| self.leaves(peer)) {
            uplinks[peer].to = least * f64::from(100 + world.below(700)) / 1000.0;
        }
        let to_receive: Vec<usize> =
            (1..=self.receivers).filter(|&peer| !self.is_liar(peer)).collect();
        let staying: Vec<usize> =
            to_receive.iter().copied().filter(|&peer| !self.leaves(peer)).collect();

        for &peer in to_receive.iter().filter(|&&peer| !self.comes_late(peer)) {
            world.receive(peer, share);
        }
        // What is planned, in the order of time.
        let mut plan: Vec<(Instant, usize)> = Vec::new();
        for (peer, uplink) in uplinks.iter().enumerate() {
            let at = if uplink.from > 0.0 { uplink.from } else { uplink.to };
            if at.is_finite() && at > 0.0 {
                plan.push((start + Duration::from_secs_f64(at), peer));
            }
        }
        plan.sort_unstable();
        for (at, peer) in plan {
            world.run_for(at.saturating_since(world.now));
            if self.leaves(peer) {
                if peer.is_multiple_of(2) { world.leave(peer) } else { world.crash(peer) }
            } else {
                world.restart(peer);
                world.until(Duration::from_secs(60), "a late comer sees the share", |world| {
                    world.peers[peer].swarm.share_view(share).is_some()
                });
                world.receive(peer, share);
            }
        }
        self.wait(world, share, &staying);
        let bound = match self.kind {
            // The border is the slowest uplink; what crosses it once need not do so again.
            Kind::Sites => least,
            _ => fluid_bound(self.bytes() as f64, staying.len(), &uplinks),
        };
        (Duration::from_secs_f64(bound), staying)
    }

    /// Until all are done, or nothing goes on.
    fn wait(&self, world: &mut World, share: ShareId, who: &[usize]) {
        let stands = |world: &World| {
            let count = |peer: &usize| {
                let peer = &world.peers[*peer];
                peer.disk.get(&share).map_or(0, |store| u64::from(store.committed.count()))
                    + u64::from(peer.completed.contains_key(&share))
            };
            who.iter().map(count).sum::<u64>()
        };
        let (mut before, mut look) = (stands(world), world.now + STUCK_AFTER);
        loop {
            let slice = world.now + Duration::from_secs(1);
            while world.step(slice) {}
            world.now = world.now.max(slice);
            if who.iter().all(|&peer| world.peers[peer].completed.contains_key(&share)) {
                return;
            }
            if world.now >= look {
                let now = stands(world);
                if now == before {
                    return;
                }
                (before, look) = (now, world.now + STUCK_AFTER);
            }
        }
    }
}

/// Lets things happen until `done`, looking now and then: a look at everybody after every message would
/// cost more than all else.
fn settle(world: &mut World, what: &str, done: impl Fn(&World) -> bool) {
    let end = world.now + Duration::from_secs(300);
    while !done(world) {
        assert!(world.now < end, "{what}: not in time; {}", world.describe());
        world.run_for(Duration::from_millis(100));
    }
}

/// Nobody can have it before the origin has sent each byte once, nor all before all uplinks together
/// have sent each byte to each of them.
fn fluid_bound(bytes: f64, receivers: usize, uplinks: &[Uplink]) -> f64 {
    let sent = |until: f64| -> f64 {
        uplinks.iter().map(|u| u.rate * (until.min(u.to) - u.from).max(0.0)).sum()
    };
    let least = bytes / uplinks[0].rate;
    let needed = bytes * receivers as f64;
    let (mut low, mut high) = (0.0, needed / uplinks[0].rate);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if sent(middle) < needed { low = middle } else { high = middle }
    }
    high.max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_books_where_all_stay() {
        let uplinks = |rates: &[f64]| -> Vec<Uplink> {
            rates.iter().map(|&rate| Uplink { rate, from: 0.0, to: f64::INFINITY }).collect()
        };
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * b;
        assert!(close(fluid_bound(100.0, 3, &uplinks(&[1.0; 4])), 100.0));
        assert!(close(fluid_bound(100.0, 3, &uplinks(&[2.0, 1.0, 1.0, 0.0])), 75.0));
        let mut late = uplinks(&[1.0, 1.0]);
        late[1].from = 50.0;
        assert!(close(fluid_bound(100.0, 2, &late), 125.0));
    }
}
