//! Connections: how they come about, break, and carry messages.

use super::{Happening, World};
use crate::io::*;
use crate::signaling::ServerMessage;
use crate::time::{Duration, Instant};

/// How the network is.
pub struct Network {
    /// From one end to the other.
    pub latency: Duration,
    /// At most so much more, at random.
    pub jitter: Duration,
    /// Bytes per second that each peer can send, all connections together.
    pub uplink: f64,
    /// May change what a peer sends on a data channel, like a peer that lies.
    pub tamper: Option<Tamper>,
    /// May change or drop what the server passes on, like a server that lies.
    pub meddle: Option<Meddle>,
    /// How much later the answerer's channels open than the offerer's; and the other way round if it is
    /// not [`Role::Answerer`]. What arrives before is lost, as with real libraries.
    pub opens_late: (Role, Duration),
    /// Connections whose ends see certificates that are not each other's.
    pub spliced: bool,
}

/// Sees and may change what a peer sends.
pub type Tamper = Box<dyn FnMut(usize, &mut Transmit)>;
/// Sees and may change what the server passes on; false drops it.
pub type Meddle = Box<dyn FnMut(&mut ServerMessage) -> bool>;
/// One end of a connection: peer, run, connection.
pub(super) type End = (usize, u32, ConnectionId);

pub(super) struct Link {
    pub(super) other: Option<End>,
    pub(super) open: bool,
    pub(super) buffered: [usize; 2],
    pub(super) last_arrival: Instant,
    pub(super) certificate: [u8; 32],
    /// Silently drops everything while true.
    pub(super) stalled: bool,
}

impl World {
    /// All connections between two peers break; both notice after `after`.
    pub fn break_path(&mut self, a: usize, b: usize, after: Duration) {
        let ends: Vec<End> = self
            .links
            .iter()
            .filter(|(end, link)| end.0 == a && link.other.is_some_and(|other| other.0 == b))
            .map(|(&end, _)| end)
            .collect();
        for end in ends {
            self.cut(end, after);
        }
    }

    /// A peer takes in everything and sends no blocks any more, as if it were frozen.
    pub fn stall(&mut self, peer: usize, stalled: bool) {
        for (_, link) in self.links.iter_mut().filter(|(end, _)| end.0 == peer) {
            link.stalled = stalled;
        }
    }

    fn delay(&mut self) -> Duration {
        let jitter = self.net.jitter.as_micros() as u32;
        self.net.latency + Duration::from_micros(u64::from(self.rng.below(jitter.max(1))))
    }

    pub(super) fn connect(&mut self, index: usize, request: ConnectionRequest) {
        let run = self.peers[index].run;
        let end = (index, run, request.connection());
        let describe = |certificate: &[u8; 32]| {
            format!("{index} {run} {} {}", end.2.0, data_encoding::HEXLOWER.encode(certificate))
        };
        match request {
            ConnectionRequest::Open { role, .. } => {
                let certificate = self.rng.bytes();
                let link = Link {
                    other: None,
                    open: false,
                    buffered: [0; 2],
                    last_arrival: self.now,
                    certificate,
                    stalled: false,
                };
                self.links.insert(end, link);
                if role == Role::Offerer {
                    let offer = Description::Offer(describe(&certificate));
                    self.later(
                        Duration::from_millis(2),
                        Happening::Connection(end, ConnectionEvent::LocalDescription(offer)),
                    );
                }
            }
            ConnectionRequest::SetRemoteDescription { description, .. } => {
                let fields: Vec<&str> = description.sdp().split(' ').collect();
                let other: End = (
                    fields[0].parse().unwrap(),
                    fields[1].parse().unwrap(),
                    ConnectionId(fields[2].parse().unwrap()),
                );
                let Some(link) = self.links.get_mut(&end) else { return };
                link.other = Some(other);
                let certificate = link.certificate;
                match description {
                    Description::Offer(_) => {
                        let answer = Description::Answer(describe(&certificate));
                        self.later(
                            Duration::from_millis(2),
                            Happening::Connection(end, ConnectionEvent::LocalDescription(answer)),
                        );
                    }
                    Description::Answer(_) => self.open_both(end, other),
                }
            }
            ConnectionRequest::AddCandidate { .. } | ConnectionRequest::RestartIce { .. } => {}
            ConnectionRequest::Close { .. } => {
                let other = self.links.remove(&end).and_then(|link| link.other);
                if let Some(other) = other.filter(|other| self.links.contains_key(other)) {
                    // Behind whatever is still on its way.
                    let at = self.links[&other].last_arrival.max(self.now + self.net.latency);
                    let closed =
                        ConnectionEvent::Closed { reason: "closed by the other side".into() };
                    self.at(at + Duration::from_micros(1), Happening::Connection(other, closed));
                }
            }
        }
    }

    fn open_both(&mut self, offerer: End, answerer: End) {
        let (a, b) = (offerer, answerer);
        let (Some(link_a), Some(link_b)) = (self.links.get(&a), self.links.get(&b)) else { return };
        let (cert_a, cert_b) = (link_a.certificate, link_b.certificate);
        let middle = [0xaa; 32];
        for (end, local, remote) in [(a, cert_a, cert_b), (b, cert_b, cert_a)] {
            let (late, by) = self.net.opens_late;
            let is_late = end == if late == Role::Offerer { offerer } else { answerer };
            let after = self.net.latency * 3 + if is_late { by } else { Duration::ZERO };
            let remote_fingerprint = Fingerprint(if self.net.spliced { middle } else { remote });
            let opened = Opened {
                max_message_size: 262_144,
                local_fingerprint: Fingerprint(local),
                remote_fingerprint,
            };
            self.later(after, Happening::Connection(end, ConnectionEvent::Open(opened)));
        }
    }

    pub(super) fn cut(&mut self, end: End, after: Duration) {
        for end in
            [Some(end), self.links.get(&end).and_then(|link| link.other)].into_iter().flatten()
        {
            if let Some(link) = self.links.get_mut(&end) {
                link.stalled = true;
                let closed = ConnectionEvent::Closed { reason: "path broken".into() };
                self.later(after, Happening::Connection(end, closed));
            }
        }
    }

    pub(super) fn transmit(&mut self, end: End, mut transmit: Transmit) {
        let channel = transmit.channel;
        let Some(link) = self.links.get(&end) else { return };
        let (Some(other), false) = (link.other, link.stalled) else { return };
        assert!(link.open, "sent on a channel that is not open");
        if let Some(tamper) = &mut self.net.tamper {
            tamper(end.0, &mut transmit);
        }
        let len = transmit.bytes.len();
        let peer = &mut self.peers[end.0];
        if channel == Channel::Blocks {
            peer.sent += len as u64;
        }
        peer.uplink_free =
            peer.uplink_free.max(self.now) + Duration::from_secs_f64(len as f64 / self.net.uplink);
        let sent = peer.uplink_free;
        let arrival = sent + self.delay();
        let now = self.now;
        let link = self.links.get_mut(&end).expect("checked above");
        link.buffered[channel as usize] += len;
        let amount = link.buffered[channel as usize];
        // Ordered delivery: never before what was sent earlier.
        let arrival = arrival.max(link.last_arrival + Duration::from_micros(1));
        link.last_arrival = arrival;
        self.peers[end.0].swarm.handle_buffered_amount(now, end.2, channel, amount);
        self.at(sent, Happening::Sent(end, channel, len));
        self.at(arrival, Happening::Arrive(other, channel, transmit.bytes));
    }
}
