//! What the command says: sentences and a progress bar for people, one JSON object per line for scripts.
//!
//! For people, results (the link, the paths of what was received) go to standard output and everything
//! else to standard error. For scripts everything goes to standard output. The events and their fields
//! are listed in this crate's README and are kept stable.
//!
//! Much of what is said comes from elsewhere: names of files and people, words of servers. Nothing of it can
//! drive a terminal: that is seen to in the three methods at the end through which everything goes.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use native_peer::codes::{Code as SpokenCode, OfferEnd};
use native_peer::{
    ChatError, CloseReason, Copies, Halt, Halted, Line, LostCause, PeerId, PeerView, Proof,
    PublicKey, ShareId, ShareState, ShareView, Standing,
};
use protocol::names::{Risk, readable};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::failure::{Code, Failure};
use crate::people::{self, People, Person};
use crate::size::size;
use crate::waits::Wait;

/// Without a terminal, people get a line of progress this often.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The most files of a share that are named because of what they may do when opened.
const MAX_RISKY_TOLD: usize = 100;

/// Where everything is said.
pub(crate) struct Output {
    json: bool,
    bar: Option<ProgressBar>,
    terminal: bool,
    /// Bytes that the last line of progress told, and when that was.
    last_line: Option<(u64, Instant)>,
    waiting: Option<Wait>,
    halted: Vec<Halted>,
    /// What goes on with a room that was entered by a code.
    link: Option<String>,
}

/// How far things are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Bytes that are done: verified and on disk, or sent.
    pub(crate) bytes: u64,
    /// Bytes there are.
    pub(crate) total: u64,
    /// Bytes that were sent to others.
    pub(crate) uploaded: u64,
    /// Bytes per second.
    pub(crate) rate: f64,
    /// Others that are connected.
    pub(crate) peers: usize,
}

/// A file of a finished share.
pub(crate) struct Landed<'a> {
    pub(crate) path: &'a Path,
    pub(crate) size: u64,
    pub(crate) blake3: String,
    pub(crate) risk: Option<Risk>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let terminal = !json && std::io::stderr().is_terminal();
        let halted = Vec::new();
        Self { json, bar: None, terminal, last_line: None, waiting: None, halted, link: None }
    }

    /// The link to pass on; and whether it is one that was given out before.
    pub(crate) fn invite(&mut self, link: &str, again: bool) {
        self.event(&json!({ "event": "invite", "link": link, "again": again }));
        self.line(if again {
            "The room of before goes on, with the same link; keep this running:"
        } else {
            "Give this link to whoever is to have it, and keep this running:"
        });
        self.result(link);
    }

    /// A code to pass on, and how long it is good.
    pub(crate) fn code(&mut self, code: &SpokenCode, left: Duration) {
        let seconds = left.as_secs_f64().round() as u64;
        self.event(&json!({ "event": "code", "code": code.to_string(), "seconds": seconds }));
        if !self.json {
            let left = duration(left.as_secs_f64());
            self.line(&format!(
                "This code is the same invite, to be spoken: good for one other, and {left}:"
            ));
            self.result(&code.to_string());
        }
    }

    /// Somebody came with the number of the code.
    pub(crate) fn code_tried(&mut self) {
        self.event(&json!({ "event": "code-tried" }));
        self.line("Somebody enters the code…");
    }

    /// The code is of no use any more. Another can be made for the same link.
    pub(crate) fn code_ended(&mut self, end: &OfferEnd, link: &str) {
        let (event, reason) = match end {
            OfferEnd::Taken => ("code-taken", None),
            OfferEnd::WrongWords => ("code-burnt", Some("wrong-words")),
            OfferEnd::GuestLeft => ("code-burnt", Some("left")),
            OfferEnd::GuestSilent => ("code-burnt", Some("silent")),
            OfferEnd::GuestBroke => ("code-burnt", Some("broke-the-rules")),
            OfferEnd::Expired => ("code-expired", None),
            OfferEnd::Unreachable(_) => ("code-failed", Some("unreachable")),
            OfferEnd::Lost(_) => ("code-failed", Some("server-lost")),
            OfferEnd::NoCodes => ("code-failed", Some("no-codes")),
            OfferEnd::Refused(_) => ("code-failed", Some("refused")),
        };
        let mut told = json!({ "event": event, "message": end.to_string() });
        if let Some(reason) = reason {
            told["reason"] = json!(reason);
        }
        self.event(&told);
        let sentence = capitalized(&end.to_string());
        match end {
            OfferEnd::Taken
            | OfferEnd::Unreachable(_)
            | OfferEnd::NoCodes
            | OfferEnd::Refused(_) => {
                self.line(&format!("{sentence}."));
            }
            _ => self.line(&format!("{sentence}: shoal code {link}")),
        }
    }

    /// We were let in by a code, which is used up: the link is what goes on with it.
    pub(crate) fn came_by_code(&mut self, link: &str) {
        self.event(&json!({ "event": "invite", "link": link, "again": false }));
        self.line(
            "The code was right. It is used up now: to go on after an interruption, use its link:",
        );
        self.line(link);
        self.link = Some(link.to_owned());
    }

    pub(crate) fn joined(&mut self, peer: PeerId) {
        self.event(&json!({ "event": "joined", "peer": peer.to_string() }));
    }

    pub(crate) fn server_lost(&mut self, cause: LostCause, reason: &str, retry_in: Duration) {
        let seconds = retry_in.as_secs_f64();
        let cause = match cause {
            LostCause::Network => "network",
            LostCause::Server => "server",
        };
        self.event(&json!({
            "event": "server-lost",
            "cause": cause,
            "reason": reason,
            "retry_in": seconds,
        }));
        self.line(&format!(
            "The server cannot be reached ({}). Trying again in {} s; open connections go on.",
            reason,
            seconds.ceil()
        ));
    }

    /// Links and other things that were not shared.
    pub(crate) fn skipped(&mut self, paths: &[std::path::PathBuf]) {
        let shown: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
        self.event(&json!({ "event": "skipped", "paths": shown }));
        let first = shown.first().map_or("", |path| path);
        let count = paths.len();
        self.line(&format!("Not shared, being links or special files: {count}, such as {first}"));
    }

    /// A share of ours, or one that was found.
    pub(crate) fn share(&mut self, view: &ShareView) {
        let (title, files) = (view.manifest.title(), view.manifest.files().len());
        let risky = view.manifest.risky();
        let named =
            risky.iter().map(|&(file, risk)| (view.manifest.file(file).path.as_str(), risk));
        self.event(&json!({
            "event": "share",
            "share": view.id.to_string(),
            "title": title,
            "files": files,
            "total": view.manifest.total(),
            "from_creator": view.from_creator,
            "risky": named
                .clone()
                .take(MAX_RISKY_TOLD)
                .map(|(path, risk)| json!({ "path": path, "risk": risk.word() }))
                .collect::<Vec<_>>(),
        }));
        let total = size(view.manifest.total());
        let content = match (view.manifest.common_name(), files) {
            (Some(_), 0 | 2..) => format!("{title}: {files} files, {total}"),
            (Some(_), 1) | (None, _) => format!("{title}: {total}"),
        };
        self.line(&content);
        if let (Some((path, risk)), false) =
            (named.clone().next(), view.state == ShareState::Shared)
        {
            let others = match risky.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let word = risk.word();
            self.line(&format!("Risky, may run something when opened: {path} ({word}){others}."));
        }
    }

    /// `words` are those to compare with what the other side is shown.
    pub(crate) fn peer_connected(&mut self, view: &PeerView, people: &People, words: &str) {
        let known = view.key.and_then(|key| people.get(&key));
        let namesake = people.namesake(&view.name, view.key.as_ref());
        self.event(&json!({
            "event": "peer-connected",
            "peer": view.id.to_string(),
            "name": view.name,
            "key": view.key.map(|key| key.to_string()),
            "standing": people::word(known.map_or(Standing::Neutral, |person| person.standing)),
            "known_as": known.map(|person| &person.name),
            "namesake_of": namesake.map(ToString::to_string),
            "words": words,
        }));
        let name = named(&view.name);
        match known {
            Some(person) if person.name.is_empty() => {
                self.line(&format!("{name} is connected, whom you trust."));
            }
            Some(person) => {
                self.line(&format!("{name} is connected, whom you trust as {}.", person.name));
            }
            None => self.line(&format!("{name} is connected.")),
        }
        if let (Some(_), Some(key)) = (namesake, view.key) {
            self.line(&format!(
                "Careful: this is not the {name} whom you trust. Compare these words by telephone, and if \
                 they are the same on both sides, run shoal people trust {key}: {words}."
            ));
        }
    }

    /// The room was locked or opened.
    pub(crate) fn locked(&mut self, locked: bool) {
        self.event(&json!({ "event": "locked", "locked": locked }));
        self.line(if locked {
            "The room is locked: nobody new is let in."
        } else {
            "The room is open again to everybody with the link."
        });
    }

    /// The creator started the room anew.
    pub(crate) fn started_anew(&mut self, link: &str) {
        self.event(&json!({ "event": "started-anew", "link": link }));
        if !self.json {
            self.line(
                "The room was started anew by whoever made it. To go on there, use this link:",
            );
            self.result(link);
        }
    }

    /// Our own key, and everybody who is known.
    pub(crate) fn people<'a>(
        &mut self,
        own: &PublicKey,
        people: impl Iterator<Item = (&'a PublicKey, &'a Person)>,
    ) {
        self.event(&json!({ "event": "own-key", "key": own.to_string() }));
        self.result(&format!("you      {own}"));
        for (key, person) in people {
            self.event(&people::to_json(key, person));
            let (standing, name) = (people::word(person.standing), &person.name);
            self.result(format!("{standing:8} {key} {name}").trim_end());
        }
    }

    pub(crate) fn peer_gone(&mut self, peer: PeerId, name: &str, reason: CloseReason) {
        let why = close_reason(reason);
        let peer = peer.to_string();
        self.event(&json!({ "event": "peer-gone", "peer": peer, "name": name, "reason": why }));
        self.line(&format!("{} is gone: {}.", named(name), why.replace('-', " ")));
    }

    pub(crate) fn banned(
        &mut self,
        peer: PeerId,
        key: &PublicKey,
        name: &str,
        share: Option<ShareId>,
        proof: Proof,
    ) {
        self.event(&json!({
            "event": "banned",
            "peer": peer.to_string(),
            "key": key.to_string(),
            "name": name,
            "share": share.map(|share| share.to_string()),
            "proof": proof.name(),
        }));
        self.line(&format!(
            "{} (key {}) {proof} and is shut out. Nothing of it was kept.",
            named(name),
            key.short()
        ));
    }

    /// Somebody said something to the room; `person` is what we know of them.
    pub(crate) fn said(&mut self, line: &Line, own: bool, person: Option<&Person>) {
        self.event(&json!({
            "event": "said",
            "key": line.author.to_string(),
            "name": line.name,
            "known_as": person.map(|person| &person.name),
            "own": own,
            "sent_ms": line.sent_ms,
            "text": line.text,
        }));
        if own {
            return;
        }
        let known = person.filter(|person| person.standing == Standing::Trusted);
        let who = match known.map(|person| &person.name[..]) {
            Some(known) if !known.is_empty() => format!("{known}, whom you trust"),
            _ => format!("{} (key {})", named(&line.name), line.author.short()),
        };
        let text = line.text.replace('\t', "    ");
        let mut words = text.lines();
        self.line(&format!("{who}: {}", words.next().unwrap_or_default()));
        words.for_each(|words| self.line(&format!("    {words}")));
    }

    /// What was to be said was not.
    pub(crate) fn not_said(&mut self, error: &ChatError) {
        self.event(&json!({ "event": "not-said", "message": error.to_string() }));
        self.line(&format!("This was not said: {error}."));
    }

    /// Somebody has all of a share of ours.
    pub(crate) fn received(&mut self, share: ShareId, title: &str, peer: PeerId, name: &str) {
        self.event(&json!({
            "event": "received",
            "share": share.to_string(),
            "peer": peer.to_string(),
            "name": name,
        }));
        let name = named(name);
        self.line(&format!("{name} has all of {title}, verified and saved."));
    }

    pub(crate) fn may_leave(&mut self) {
        self.line("You may stop this (Ctrl-C), unless others still want it.");
    }

    /// What is waited for. People are told once, scripts also when it is tried again.
    pub(crate) fn waiting(&mut self, wait: Option<Wait>) {
        let before = std::mem::replace(&mut self.waiting, wait);
        let Some(wait) = self.waiting.clone() else { return };
        let is_same = before.as_ref().is_some_and(|before| before.is_same(&wait));
        if !is_same || before.is_some_and(|before| before.next < wait.next) {
            self.event(&wait.to_json());
        }
        if !is_same {
            self.line(&format!("{} {}", wait.sentence, wait.action));
        }
    }

    /// Members who cannot go on with a share of ours.
    pub(crate) fn halted(&mut self, halted: &[Halted]) {
        if self.halted == halted {
            return;
        }
        for it in halted {
            if self.halted.contains(it) {
                continue;
            }
            let name = named(&it.name);
            let (why, sentence) = match it.halt {
                Halt::Paused => ("paused", format!("{name} has paused.")),
                Halt::DiskFull => (
                    "disk-full",
                    format!("The disk of {name} is full; it goes on when there is room."),
                ),
                Halt::Unreadable => ("unreadable", format!("{name} cannot read its files.")),
            };
            let peer = it.peer.to_string();
            self.event(&json!({ "event": "halted", "peer": peer, "name": it.name, "why": why }));
            self.line(&sentence);
        }
        let over: Vec<Halted> = self
            .halted
            .iter()
            .filter(|it| !halted.iter().any(|now| now.peer == it.peer))
            .cloned()
            .collect();
        for it in over {
            let peer = it.peer.to_string();
            self.event(&json!({ "event": "goes-on", "peer": peer, "name": it.name }));
            self.line(&format!("{} goes on.", named(&it.name)));
        }
        self.halted = halted.to_vec();
    }

    /// How much somebody can still store, compared to what is sent.
    pub(crate) fn capacity(&mut self, peer: &PeerView, available: u64, total: u64) {
        let id = peer.id.to_string();
        self.event(&json!({
            "event": "capacity",
            "peer": id,
            "name": peer.name,
            "available": available,
        }));
        let only = if available < total {
            format!(" only; this is {}", size(total))
        } else {
            String::new()
        };
        self.line(&format!("{} can store {}{only}.", named(&peer.name), size(available)));
    }

    /// That and how an interrupted `send` can be gone on with.
    pub(crate) fn can_go_on(&mut self) {
        self.line("Run the same command again to go on with the same link.");
    }

    /// How far receiving is.
    pub(crate) fn progress(&mut self, progress: Progress) {
        self.event(&progress_event(progress));
        self.show(progress, &receiving(progress));
    }

    /// What was sent, and to whom how much.
    pub(crate) fn sent(&mut self, progress: Progress, peers: &[PeerView], copies: Option<&Copies>) {
        if self.json {
            let to = |peer: &PeerView| {
                json!({
                    "peer": peer.id.to_string(),
                    "name": peer.name,
                    "bytes": peer.traffic.sent,
                    "available": peer.available,
                })
            };
            let connected = peers.iter().filter(|peer| peer.is_connected());
            let mut event = progress_event(progress);
            event["to"] = connected.map(to).collect();
            if let Some(copies) = copies {
                event["copies"] = json!(copies.in_room);
                event["may_leave"] = json!(copies.origin_may_leave);
            }
            self.event(&event);
        }
        self.show(progress, &sending(progress));
    }

    fn show(&mut self, progress: Progress, text: &str) {
        let Progress { bytes, total, .. } = progress;
        if self.terminal {
            let bar = self.bar.get_or_insert_with(new_bar);
            bar.set_length(total.max(1));
            bar.set_position(bytes.min(total));
            bar.set_message(text.to_owned());
        } else if self
            .last_line
            .is_none_or(|(at, then)| at != bytes && then.elapsed() >= LINE_INTERVAL)
        {
            self.last_line = Some((bytes, Instant::now()));
            self.line(text);
        }
    }

    /// A share is verified and in its place.
    pub(crate) fn complete(&mut self, view: &ShareView, folder: &Path, files: &[Landed<'_>]) {
        let title = view.manifest.title();
        if self.json {
            let files: Vec<Value> = files
                .iter()
                .map(|file| {
                    let path = file.path.to_string_lossy();
                    let risky = file.risk.map(Risk::word);
                    json!({
                        "path": path,
                        "size": file.size,
                        "blake3": file.blake3,
                        "risky": risky,
                    })
                })
                .collect();
            let source = |source: &native_peer::Source| {
                let peer = source.peer.to_string();
                json!({ "peer": peer, "name": source.name, "bytes": source.bytes })
            };
            self.event(&json!({
                "event": "complete",
                "share": view.id.to_string(),
                "title": title,
                "folder": folder.to_string_lossy(),
                "files": files,
                "fetched": view.fetched,
                "reused": view.reused,
                "wasted": view.wasted,
                "uploaded": view.uploaded,
                "sources": view.sources.iter().map(source).collect::<Vec<_>>(),
            }));
            return;
        }
        let sources: Vec<_> = view
            .sources
            .iter()
            .map(|source| format!("{} from {}", size(source.bytes), named(&source.name)))
            .collect();
        let from =
            if sources.is_empty() { String::new() } else { format!(" ({})", sources.join(", ")) };
        self.line(&format!("{title} is complete and verified{from}."));
        let mut last = None;
        for file in files {
            let top = file.path.iter().next();
            if top != last {
                last = top;
                let path = folder.join(top.unwrap_or_default());
                self.result(&path.to_string_lossy());
            }
        }
    }

    /// We have left the room; what went over the network while we were there.
    pub(crate) fn left(&mut self, fetched: u64, uploaded: u64) {
        self.event(&json!({ "event": "left", "fetched": fetched, "uploaded": uploaded }));
    }

    /// The end, if it is not a good one.
    pub(crate) fn failed(&mut self, intent: &str, failure: &Failure) {
        self.clear();
        let Failure { code, message } = failure;
        self.event(&json!({ "event": "error", "code": code.word(), "message": message }));
        match (code, intent) {
            (Code::Interrupted, "receive") => {
                let how = if self.link.is_some() {
                    "use the link above in place of the code"
                } else {
                    "run the same command again"
                };
                self.line(&format!("Interrupted. What came is kept: {how} to go on."));
            }
            (Code::Interrupted, "give the invite") => {
                self.line("Interrupted; the code is of no use any more.");
            }
            // What became of the code was told as it happened.
            (Code::Spent | Code::Unreachable | Code::Refused, "give the invite") => {}
            (Code::Interrupted, _) => {
                self.line("Interrupted before it was received.");
                self.can_go_on();
            }
            _ => self.line(&format!("could not {intent}: {message}")),
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn event(&mut self, event: &Value) {
        if self.json {
            self.print(&escaped(&event.to_string()));
        }
    }

    /// To people, on standard output.
    fn result(&self, line: &str) {
        if !self.json {
            self.print(&readable(line));
        }
    }

    /// When nobody reads it, there is nobody to tell.
    fn print(&self, line: &str) {
        let print = || {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// To people.
    fn line(&self, line: &str) {
        if self.json {
            return;
        }
        let line = readable(line);
        let print = || {
            let _ = writeln!(std::io::stderr(), "{line}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr()).with_style(style)
}

fn progress_event(progress: Progress) -> Value {
    let Progress { bytes, total, uploaded, rate, peers } = progress;
    json!({
        "event": "progress",
        "bytes": bytes,
        "total": total,
        "uploaded": uploaded,
        "rate": rate.max(0.0) as u64,
        "peers": peers,
    })
}

fn receiving(progress: Progress) -> String {
    let Progress { bytes, total, rate, peers, .. } = progress;
    let mut text = format!("{} of {}, {}/s", size(bytes), size(total), size(rate.max(0.0) as u64));
    if rate >= 1.0 && bytes < total {
        let left = (total - bytes) as f64 / rate;
        text += &format!(", {} left", duration(left));
    }
    text + ", " + &connected(peers)
}

fn sending(progress: Progress) -> String {
    let Progress { bytes, rate, peers, .. } = progress;
    format!("{} sent, {}/s, {}", size(bytes), size(rate.max(0.0) as u64), connected(peers))
}

fn connected(peers: usize) -> String {
    format!("{peers} {}", if peers == 1 { "peer" } else { "peers" })
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil().min(1e12) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60),
    }
}

/// With a capital letter at the beginning.
fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), rest.as_str()))
}

/// A name that somebody gave themselves, or what to say instead.
fn named(name: &str) -> String {
    if name.trim().is_empty() { "Somebody".into() } else { name.to_owned() }
}

/// The same JSON, without what would drive the terminal of somebody who looks at it.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        let mut buffer = [0; 4];
        let text: &str = c.encode_utf8(&mut buffer);
        if readable(text) == text {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Left => "left",
        CloseReason::ConnectionLost => "connection-lost",
        CloseReason::Unreachable => "unreachable",
        CloseReason::Version => "another-version",
        CloseReason::ProtocolViolation => "broke-the-protocol",
        CloseReason::NotConfirmed => "not-confirmed",
        CloseReason::Banned => "banned",
        CloseReason::Replaced => "replaced",
        CloseReason::TooManyConnections => "too-many-connections",
        CloseReason::PathNotAllowed => "path-not-allowed",
        CloseReason::Avoided => "avoided",
        CloseReason::MakingRoom => "making-room",
        CloseReason::Locked => "locked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reads_well() {
        let progress = Progress {
            bytes: 1 << 20,
            total: 3 << 20,
            uploaded: 0,
            rate: 1024.0 * 1024.0,
            peers: 1,
        };
        assert_eq!(receiving(progress), "1.0 MiB of 3.0 MiB, 1.0 MiB/s, 2 s left, 1 peer");
        let done = Progress { bytes: 5, total: 5, uploaded: 5, rate: 0.0, peers: 2 };
        assert_eq!(receiving(done), "5 B of 5 B, 0 B/s, 2 peers");
        assert_eq!(sending(done), "5 B sent, 0 B/s, 2 peers");
        assert_eq!(duration(61.0), "1:01 min");
        assert_eq!(duration(7322.0), "2:02 h");
    }

    #[test]
    fn scripts_get_names_as_they_are_and_terminals_nothing_that_drives_them() {
        let name = "\u{1b}[2J\u{9b}31m\u{7f}\u{202e}é\u{e0041}\n";
        let json = escaped(&json!({ "name": name }).to_string());
        assert!(json.chars().all(|c| matches!(c, ' '..='~' | 'é')), "{json}");
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["name"], name);
        assert_eq!(named(" "), "Somebody");
    }
}
