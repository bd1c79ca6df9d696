//! `cargo xtask simulate`: measures one room in the simulation, prints a table, and draws it.
//!
//! What happens in the room is in `protocol::simulation::scenario`; here is the command line around it,
//! which `cargo xtask simulate --help` explains.

mod chart;

use std::process::ExitCode;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use protocol::simulation::faults::go_through;
use protocol::simulation::scenario::{Kind, Outcome, Setup};

/// Counts, for `--memory`.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match simulate(&words) {
        Ok(fine) if fine => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}; see `cargo xtask simulate --help`");
            ExitCode::FAILURE
        }
    }
}

/// False if somebody ended without the share, or with something else.
fn simulate(words: &[String]) -> Result<bool, String> {
    let mut setup = Setup::default();
    let (mut json, mut svg, mut faults, mut memory) = (false, None, None, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        if name == "--json" {
            json = true;
            continue;
        }
        let value = inline
            .or_else(|| words.next().map(String::as_str))
            .ok_or_else(|| format!("{name} takes a value"))?;
        match name {
            "--peers" => setup.receivers = number(name, value, 1..=10_000)? as usize,
            "--uplink" => setup.uplink = bytes(name, value)?,
            "--pieces" => setup.pieces = number(name, value, 1..=100_000)? as u32,
            "--piece" => setup.piece_bytes = bytes(name, value)?.clamp(1.0, 262_144.0) as u32,
            "--rtt" => setup.round_trip = time(name, value)?,
            "--seed" => setup.seed = number(name, value, 0..=u64::MAX)?,
            "--scenario" => {
                let found = Kind::ALL.into_iter().find(|(known, _)| *known == value);
                setup.kind = found.ok_or_else(|| format!("no scenario {value}"))?.1;
            }
            "--faults" => faults = Some(number(name, value, 1..=u64::MAX)?),
            "--connections" => setup.policy.connections = number(name, value, 1..=1000)? as usize,
            "--slots" => setup.policy.upload_slots = number(name, value, 1..=1000)? as usize,
            "--cap" => setup.policy.upload = Some(bytes(name, value)? as u64),
            "--memory" => memory = Some(time(name, value)?),
            "--svg" => svg = Some(value.to_owned()),
            _ => return Err(format!("not understood: {word}")),
        }
    }
    if let Some(count) = faults {
        return Ok(go_through_faults(setup.seed, count));
    }
    if let Some(after) = memory {
        let mut held = setup.weigh(after, || MEMORY.current_usage());
        println!("origin {} bytes", held.remove(0));
        let (all, most) = (held.iter().sum::<usize>(), held.iter().max().copied());
        println!("receivers {} bytes, the most {}", all / held.len(), most.unwrap_or_default());
        return Ok(true);
    }
    let outcome = setup.run();
    print!("{}", table(&setup, &outcome));
    if let Some(file) = svg {
        let picture = chart::draw(&setup, &outcome);
        std::fs::write(&file, picture)
            .map_err(|error| format!("could not write {file}: {error}"))?;
    }
    if json {
        println!("{}", line(&outcome));
    }
    Ok(outcome.stuck == 0 && outcome.corrupt == 0)
}

/// Rooms in which everything goes wrong, one for each seed; those that end badly say so themselves.
fn go_through_faults(first: u64, count: u64) -> bool {
    let mut failed = 0;
    for seed in first..first.saturating_add(count) {
        match std::panic::catch_unwind(|| go_through(seed)) {
            Ok(story) if count == 1 => {
                println!("{:?}, {:.1} s", story.faults, story.took.as_secs_f64());
            }
            Ok(_) => {}
            Err(_) => {
                println!("seed {seed} failed");
                failed += 1;
            }
        }
    }
    println!("{count} rooms, {failed} failed");
    failed == 0
}

fn table(setup: &Setup, outcome: &Outcome) -> String {
    let mut text = format!(
        "{:>5}  {:>9}  {:>10}  {:>10}  {:>10}\n",
        "peer", "done", "sent", "received", "control"
    );
    for (i, peer) in outcome.peers.iter().enumerate() {
        let done = match peer.done {
            _ if i == 0 => "origin".to_owned(),
            Some(done) => format!("{:.2} s", done.as_secs_f64()),
            None => "-".to_owned(),
        };
        let traffic = &peer.traffic;
        text += &format!(
            "{i:>5}  {done:>9}  {:>10}  {:>10}  {:>10}\n",
            mebibytes(traffic.blocks_sent),
            mebibytes(traffic.blocks_received),
            mebibytes(traffic.control_sent),
        );
    }
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let mut say = |what: &str, value: String| text += &format!("{what:<28} {value}\n");
    say("share", mebibytes(setup.bytes()));
    say("bound", seconds(outcome.bound));
    say("all done", outcome.all_done.map_or_else(|| "never".into(), seconds));
    say("all done / bound", outcome.ratio().map_or_else(|| "-".into(), |r| format!("{r:.3}")));
    say("the origin sent", format!("{:.3} shares", outcome.origin_copies));
    if setup.kind == Kind::Sites {
        say("over the border", format!("{:.3} shares", outcome.crossed));
    }
    say("arrived in vain", format!("{:.2} %", outcome.wasted * 100.0));
    say("control per peer", format!("{} bytes", outcome.control_bytes_per_peer));
    say("signals per peer", format!("{:.1}", outcome.signals_per_peer));
    say("stuck, corrupt, banned", {
        format!("{}, {}, {}", outcome.stuck, outcome.corrupt, outcome.banned)
    });
    text
}

fn line(outcome: &Outcome) -> String {
    let or_null = |number: Option<f64>| number.map_or_else(|| "null".into(), |n| format!("{n:.4}"));
    format!(
        "{{\"bound_s\":{:.4},\"all_done_s\":{},\"ratio\":{},\"origin_copies\":{:.4},\
         \"corrupt\":{},\"stuck\":{},\"control_bytes_per_peer\":{},\"signals_per_peer\":{:.1},\"wasted\":{:.4},\
         \"crossed\":{:.4},\"banned\":{},\"wrongly_banned\":{}}}",
        outcome.bound.as_secs_f64(),
        or_null(outcome.all_done.map(|time| time.as_secs_f64())),
        or_null(outcome.ratio()),
        outcome.origin_copies,
        outcome.corrupt,
        outcome.stuck,
        outcome.control_bytes_per_peer,
        outcome.signals_per_peer,
        outcome.wasted,
        outcome.crossed,
        outcome.banned,
        outcome.wrongly_banned,
    )
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}

fn number(name: &str, text: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    let bad = || format!("{name} takes a number from {} to {}", range.start(), range.end());
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(bad)
}

/// Reads `1MiB`, `500kB` or plain bytes, with or without `/s` behind it.
fn bytes(name: &str, text: &str) -> Result<f64, String> {
    let bare = text.trim_end_matches("/s");
    let digits = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
    let factor = match bare[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("{name} takes bytes such as 512KiB, not {text}")),
    };
    let number: Option<f64> = bare[..digits].parse().ok();
    number
        .map(|number| number * factor)
        .filter(|bytes| *bytes >= 1.0)
        .ok_or_else(|| format!("{name} takes bytes such as 512KiB, not {text}"))
}

/// Reads `50ms`, `1.5s` or `200us`.
fn time(name: &str, text: &str) -> Result<Duration, String> {
    let bad = || format!("{name} takes a time such as 50ms, not {text}");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
    let unit = match &text[digits..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return Err(bad()),
    };
    let number: f64 = text[..digits].parse().map_err(|_| bad())?;
    Ok(Duration::from_secs_f64((number * unit).min(3600.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a machine holds while nothing is in flight, as docs/simulation.md says it: of a share that
    /// is one file, all of which it has if `whole`.
    fn stated_bytes(members: usize, connections: usize, pieces: usize, whole: bool) -> usize {
        let counted = pieces * 9 / 4 + pieces * (3 + connections) / 8;
        let (connection, received) = if whole { (5_800, 441 * pieces) } else { (1_900, 0) };
        22_500 + 900 * members + connection * connections + counted + received
    }

    #[test]
    fn a_machine_holds_what_is_stated_and_not_much_less() {
        for (receivers, connections, pieces, whole) in [
            (1, 1, 1, false),
            (31, 31, 1, false),
            (60, 12, 1, false),
            (200, 12, 1, false),
            (4, 4, 200, true),
            (16, 16, 200, true),
            (4, 4, 400, true),
        ] {
            let mut setup = Setup { receivers, pieces, ..Setup::default() };
            setup.uplink = f64::from(20 << 20);
            setup.policy.connections = connections;
            let after = if whole { Duration::from_secs(300) } else { Duration::ZERO };
            let held = setup.weigh(after, || MEMORY.current_usage());
            let stated = stated_bytes(receivers.min(512), connections, pieces as usize, whole);
            let most = held.iter().max().copied().unwrap_or_default();
            assert!(most <= stated, "{most} bytes, {stated} stated: {setup:?}");
            // Not everybody knows everybody in a large room.
            let least = if receivers > 64 { stated / 3 } else { stated / 2 };
            let average = held.iter().sum::<usize>() / held.len();
            assert!(average >= least, "{average} bytes, {stated} stated: {setup:?}");
        }
    }

    #[test]
    fn rates_and_times_are_read_as_people_write_them() {
        assert_eq!(bytes("--uplink", "1MiB"), Ok(1_048_576.0));
        assert_eq!(bytes("--uplink", "1.5MB/s"), Ok(1_500_000.0));
        assert_eq!(bytes("--uplink", "700"), Ok(700.0));
        assert!(bytes("--uplink", "fast").is_err());
        assert!(bytes("--uplink", "0").is_err());
        assert_eq!(time("--rtt", "50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(time("--rtt", "1.5s"), Ok(Duration::from_millis(1500)));
        assert!(time("--rtt", "50").is_err());
    }
}
