//! A link between network devices, in user space: it takes IP packets from each and hands them on to the
//! one they are addressed to, as a long, narrow, lossy or broken path would. It knows no more of packets
//! than length and destination; who is at the devices, and in which network namespaces those are, is left
//! to [`crate::network`].
//!
//! From each device to each other leads a [`Pipe`]: a packet is lost by chance, or dropped because too
//! much waits already (drop-tail), or waits for its turn at the path's rate and then travels for the
//! path's delay. Chance follows from a seed; which packet meets it does not, since that is a matter of the
//! systems' timing.

// The link is a clock of its own.
#![allow(clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::io;
use std::iter::Sum;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tun_rs::SyncDevice;

/// While packets are under way they are looked after this often: at 100 Mbit/s some six at once, few
/// enough for any receive buffer, and a small part of one core.
const TICK: Duration = Duration::from_micros(500);
/// Without packets, how long until the link notices that it is to end.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// The longest packet a device can give.
const MAX_PACKET: usize = 65_536;

/// What a path does to packets, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// How long a packet travels; the round trip takes twice that.
    pub delay: Duration,
    /// Bytes per second, IP headers included; `None` for no limit.
    pub rate: Option<u64>,
    /// A packet that would wait longer than this for its turn is dropped.
    pub queue: Duration,
    /// The probability with which a packet is lost, wherever the queue stands.
    pub loss: f64,
}

impl Shape {
    /// A path that does nothing to packets.
    pub const NONE: Self =
        Self { delay: Duration::ZERO, rate: None, queue: Duration::ZERO, loss: 0.0 };
    /// No path.
    pub const CUT: Self = Self { loss: 1.0, ..Self::NONE };
}

/// What happened to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that were handed on.
    pub delivered: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets dropped for want of room in the queue.
    pub dropped: u64,
    /// Packets lost by chance.
    pub lost: u64,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            delivered: sum.delivered + one.delivered,
            bytes: sum.bytes + one.bytes,
            dropped: sum.dropped + one.dropped,
            lost: sum.lost + one.lost,
        })
    }
}

/// A link between devices, as a thread that goes on until this is dropped.
#[derive(Debug)]
pub struct Link {
    addresses: Vec<Ipv4Addr>,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// By where packets come from, and then by where they go.
    shapes: Vec<Vec<Shape>>,
    counts: Counts,
    ended: bool,
}

impl Link {
    /// Joins devices, each with the address of whoever is there.
    ///
    /// # Errors
    /// If a device cannot be switched to reading without waiting.
    pub fn start(
        devices: Vec<(Ipv4Addr, SyncDevice)>,
        shape: Shape,
        seed: u64,
    ) -> io::Result<Self> {
        for (_, device) in &devices {
            device.set_nonblocking(true)?;
        }
        let addresses: Vec<Ipv4Addr> = devices.iter().map(|(address, _)| *address).collect();
        let shapes = vec![vec![shape; devices.len()]; devices.len()];
        let shared = Shared { shapes, counts: Counts::default(), ended: false };
        let shared = Arc::new(Mutex::new(shared));
        let thread = std::thread::Builder::new().name("link".to_owned()).spawn({
            let shared = shared.clone();
            move || forward(&devices, seed, &shared)
        })?;
        Ok(Self { addresses, shared, thread: Some(thread) })
    }

    /// Makes all paths other ones; what is under way arrives as it would have.
    pub fn reshape(&self, shape: Shape) {
        self.lock().shapes.iter_mut().flatten().for_each(|one| *one = shape);
    }

    /// The same for the path between two.
    ///
    /// # Panics
    /// If one of them is not at this link.
    pub fn reshape_between(&self, one: Ipv4Addr, other: Ipv4Addr, shape: Shape) {
        let place = |address| self.addresses.iter().position(|known| *known == address);
        let (one, other) = place(one).zip(place(other)).expect("both are at this link");
        let mut shared = self.lock();
        shared.shapes[one][other] = shape;
        shared.shapes[other][one] = shape;
    }

    /// What happened so far to all packets.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.lock().ended = true;
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn forward(devices: &[(Ipv4Addr, SyncDevice)], seed: u64, shared: &Mutex<Shared>) {
    let start = Instant::now();
    let count = devices.len();
    // As the shapes: by where packets come from, and then by where they go.
    let mut pipes: Vec<Vec<Pipe>> = (0..count as u64)
        .map(|from| (0..count as u64).map(|to| Pipe::new(seed ^ (from << 32 | to))).collect())
        .collect();
    let mut buffer = vec![0; MAX_PACKET];
    loop {
        let shapes = {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.counts = pipes.iter().flatten().map(|pipe| pipe.counts).sum();
            if shared.ended {
                return;
            }
            shared.shapes.clone()
        };
        for (from, (_, device)) in devices.iter().enumerate() {
            // An error is the end of what there is to read, or of the device.
            while let Ok(length) = device.recv(&mut buffer) {
                let packet = &buffer[..length];
                for (to, (address, _)) in devices.iter().enumerate() {
                    if to != from && is_for(packet, *address) {
                        pipes[from][to].take(start.elapsed(), packet, &shapes[from][to]);
                    }
                }
            }
        }
        for pipes in &mut pipes {
            for (pipe, (_, device)) in pipes.iter_mut().zip(devices) {
                while let Some(packet) = pipe.give(start.elapsed()) {
                    // Like any network, it does not care whether somebody is there.
                    let _nobody_there = device.send(&packet);
                }
            }
        }
        if pipes.iter().flatten().all(Pipe::is_empty) {
            let mut waits: Vec<PollFd<'_>> =
                devices.iter().map(|(_, device)| PollFd::new(device, PollFlags::IN)).collect();
            let _interrupted = poll(&mut waits, Some(&IDLE));
        } else {
            std::thread::sleep(TICK);
        }
    }
}

/// Whether an IPv4 packet is addressed to this device, or to all: browsers find each other by multicast
/// DNS. There is no other protocol here.
fn is_for(packet: &[u8], address: Ipv4Addr) -> bool {
    const IPV4: u8 = 4;
    let Some(header) = packet.first_chunk::<20>() else { return false };
    let [.., a, b, c, d] = *header;
    let destination = Ipv4Addr::new(a, b, c, d);
    header[0] >> 4 == IPV4 && (destination == address || destination.is_multicast())
}

/// One direction of a link. Times count from any one moment.
#[derive(Debug)]
struct Pipe {
    random: u64,
    /// When the last packet that was accepted will have left the queue.
    free_at: Duration,
    /// Packets, and when each arrives.
    under_way: VecDeque<(Duration, Box<[u8]>)>,
    counts: Counts,
}

impl Pipe {
    fn new(seed: u64) -> Self {
        let under_way = VecDeque::new();
        Self { random: seed, free_at: Duration::ZERO, under_way, counts: Counts::default() }
    }

    fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Accepts a packet, or not.
    fn take(&mut self, now: Duration, packet: &[u8], shape: &Shape) {
        if self.chance() < shape.loss {
            self.counts.lost += 1;
            return;
        }
        let turn = self.free_at.max(now);
        if let Some(rate) = shape.rate {
            if turn - now > shape.queue {
                self.counts.dropped += 1;
                return;
            }
            self.free_at = turn + Duration::from_secs_f64(packet.len() as f64 / rate as f64);
        } else {
            self.free_at = turn;
        }
        // In order, also where the path has just become shorter.
        let before = self.under_way.back().map_or(Duration::ZERO, |(at, _)| *at);
        self.under_way.push_back(((self.free_at + shape.delay).max(before), packet.into()));
    }

    /// Gives the next packet that has arrived by now.
    fn give(&mut self, now: Duration) -> Option<Box<[u8]>> {
        let (_, packet) = self.under_way.pop_front_if(|(at, _)| *at <= now)?;
        self.counts.delivered += 1;
        self.counts.bytes += packet.len() as u64;
        Some(packet)
    }

    /// The next number of a sequence that looks random (SplitMix64), from 0 to below 1.
    fn chance(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// 1000 bytes take 1 ms; ten of them may wait.
    const SHAPE: Shape = Shape {
        delay: MS.saturating_mul(25),
        rate: Some(1_000_000),
        queue: MS.saturating_mul(10),
        loss: 0.0,
    };

    /// When each packet that is still under way arrives, in milliseconds.
    fn arrivals(pipe: &Pipe) -> Vec<u128> {
        pipe.under_way.iter().map(|(at, _)| at.as_millis()).collect()
    }

    #[test]
    fn packets_wait_for_their_turn_and_then_travel() {
        let mut pipe = Pipe::new(1);
        for _ in 0..3 {
            pipe.take(MS, &[0; 1000], &SHAPE);
        }
        assert_eq!(arrivals(&pipe), [27, 28, 29]);
        assert_eq!(pipe.give(MS * 26), None);
        assert!(pipe.give(MS * 27).is_some());
        assert_eq!(pipe.give(MS * 27), None);
        // An idle link saves nothing up.
        pipe.take(MS * 100, &[0; 2000], &SHAPE);
        assert_eq!(arrivals(&pipe), [28, 29, 127]);
    }

    #[test]
    fn what_would_wait_too_long_is_dropped() {
        let mut pipe = Pipe::new(1);
        for _ in 0..20 {
            pipe.take(MS, &[0; 1000], &SHAPE);
        }
        // The first goes at once, and the queue holds as many as leave it within its length.
        assert_eq!((pipe.under_way.len(), pipe.counts.dropped), (11, 9));
        pipe.take(MS * 2, &[0; 1000], &SHAPE);
        assert_eq!((pipe.under_way.len(), pipe.counts.dropped), (12, 9));
    }

    #[test]
    fn a_path_that_becomes_shorter_keeps_the_order() {
        let mut pipe = Pipe::new(1);
        pipe.take(MS, &[1], &SHAPE);
        pipe.take(MS * 2, &[2], &Shape::NONE);
        assert_eq!(pipe.give(MS * 2), None);
        let order: Vec<_> = std::iter::from_fn(|| pipe.give(MS * 30)).collect();
        assert_eq!(order, [Box::from([1]), Box::from([2])]);
    }

    #[test]
    fn a_cut_path_lets_nothing_through() {
        let mut pipe = Pipe::new(1);
        (0..1000).for_each(|_| pipe.take(MS, &[0], &Shape::CUT));
        assert!(pipe.is_empty());
        assert_eq!(pipe.counts.lost, 1000);
    }

    #[test]
    fn packets_go_to_whom_they_are_addressed_or_to_all() {
        let [us, other] = [1, 2].map(|last| Ipv4Addr::new(10, 77, 0, last));
        let to = |address: Ipv4Addr| {
            let mut packet = vec![0x45; 28];
            packet[16..20].copy_from_slice(&address.octets());
            packet
        };
        assert!(is_for(&to(us), us));
        assert!(!is_for(&to(other), us));
        assert!(is_for(&to(Ipv4Addr::new(224, 0, 0, 251)), us));
        let ipv6 = [&[0x60][..], &[0; 39]].concat();
        assert!(!is_for(&ipv6, us) && !is_for(&[], us));
    }

    #[test]
    fn as_many_are_lost_as_the_probability_says_and_the_seed_decides_which() {
        let lossy = Shape { loss: 0.01, ..Shape::NONE };
        let lost = |seed| {
            let mut pipe = Pipe::new(seed);
            let before: Vec<u64> = (0..100_000)
                .map(|_| {
                    pipe.take(MS, &[0], &lossy);
                    pipe.counts.lost
                })
                .collect();
            before
        };
        let total = *lost(7).last().unwrap();
        assert!((900..1100).contains(&total), "{total}");
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
    }
}
