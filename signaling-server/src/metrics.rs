//! What is counted, and its text for Prometheus (text exposition format 0.0.4).
//!
//! Only sums: nothing here names a room, a peer or an address.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::socket::End;

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount as u64, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What has happened since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) connections_accepted: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) joins: Counter,
    pub(crate) resumes: Counter,
    pub(crate) signals: Counter,
    pub(crate) signal_bytes: Counter,
    pub(crate) undeliverable: Counter,
    pub(crate) codes_offered: Counter,
    pub(crate) codes_claimed: Counter,
    pub(crate) claims_refused: Counter,
    pub(crate) code_messages: Counter,
    ends: [Counter; End::LABELS.len()],
}

/// What is the case now.
pub(crate) struct Gauges {
    pub(crate) connections: usize,
    pub(crate) sockets: usize,
    pub(crate) rooms: usize,
    pub(crate) codes: usize,
    pub(crate) queued_bytes: usize,
}

impl Metrics {
    pub(crate) fn ended(&self, end: &End) {
        let label = end.label();
        let index = End::LABELS.iter().position(|known| *known == label);
        self.ends[index.expect("every end has a label in the list")].increment();
    }

    pub(crate) fn to_text(&self, now: &Gauges) -> String {
        let mut text = String::with_capacity(4096);
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(&str, u64)]| {
            let name = format!("shoal_{name}");
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let gauges = [
            ("connections", "Open TCP connections.", now.connections),
            ("sockets", "Open WebSockets, in a room, at a code, or about to be.", now.sockets),
            ("rooms", "Rooms with somebody in them.", now.rooms),
            ("codes", "Codes that somebody offers or has claimed.", now.codes),
            ("queued_bytes", "Bytes that wait for slow readers.", now.queued_bytes),
        ];
        for (name, help, value) in gauges {
            family(name, "gauge", help, &[("", value as u64)]);
        }
        let counters = [
            ("connections_total", "Accepted TCP connections.", &self.connections_accepted),
            ("connections_refused_total", "Connections over a limit.", &self.connections_refused),
            ("joins_total", "Rooms entered.", &self.joins),
            ("resumes_total", "Rooms entered with the id of an earlier stay.", &self.resumes),
            ("signals_total", "Envelopes passed on.", &self.signals),
            ("signal_bytes_total", "Bytes of envelopes passed on.", &self.signal_bytes),
            ("undeliverable_total", "Envelopes for nobody in the room.", &self.undeliverable),
            ("codes_offered_total", "Nameplates given out.", &self.codes_offered),
            ("codes_claimed_total", "Nameplates claimed.", &self.codes_claimed),
            ("claims_refused_total", "Claims of no code, or too many.", &self.claims_refused),
            ("code_messages_total", "Messages of codes passed on.", &self.code_messages),
        ];
        for (name, help, counter) in counters {
            family(name, "counter", help, &[("", counter.value())]);
        }
        let labels = End::LABELS.map(|label| format!("{{reason=\"{label}\"}}"));
        let ends: Vec<_> =
            labels.iter().zip(&self.ends).map(|(l, count)| (l.as_str(), count.value())).collect();
        family("sockets_ended_total", "counter", "WebSockets that ended, by reason.", &ends);
        let version = concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
        family("build_info", "gauge", "The version of this server.", &[(version, 1)]);
        text
    }
}
