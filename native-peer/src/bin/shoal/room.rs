//! What `send` and `receive` have in common: entering a room, waiting for what happens in it, telling
//! about everybody there, giving up, and leaving.

use std::sync::Arc;
use std::time::Duration;

use native_peer::storage::Storage;
use native_peer::{
    CloseReason, ErrorCode, Event, Invite, Options, Peer, Policy, Services, ShareView, Standing,
    Waiting,
};
#[cfg(unix)]
use tokio::signal::unix;
#[cfg(windows)]
use tokio::signal::windows;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use crate::Common;
use crate::failure::{Code, Failure};
use crate::identity;
use crate::output::Output;
use crate::people::People;
use crate::say::Words;
use crate::size::size;

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(500);

/// A room that this process is in.
pub(crate) struct Room {
    pub(crate) peer: Peer,
    events: mpsc::Receiver<Event>,
    tick: Interval,
    signals: Signals,
    patience: Patience,
    /// Why somebody cannot be connected to at all, if nobody was since: another version, or no proof that
    /// nobody sits in between.
    pub(crate) barred: Option<CloseReason>,
    people: People,
    words: Words,
    server: String,
}

/// What the wait in a room was for.
pub(crate) enum Step {
    Event(Event),
    /// Time to show progress.
    Tick,
}

/// When to give up.
struct Patience {
    /// Until when the server must be reached; `None` once it was.
    server: Option<Instant>,
    /// Why it was not, so far.
    reason: String,
    address: String,
    /// How long nothing may move, if the user has set it.
    silence: Option<Duration>,
    /// Bytes moved in both directions, and when that last grew.
    moved: (u64, Instant),
}

impl Room {
    /// Enters the room of `invite`, or a new one.
    pub(crate) fn enter(
        common: &Common,
        server: String,
        invite: Option<Invite>,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, Failure> {
        let folder = identity::folder(common.config_dir.clone())?;
        let key = identity::device_key(&folder)?;
        let people = People::load(&folder)?;
        let default = Policy::default();
        let policy = Policy {
            upload: common.upload_limit,
            download: common.download_limit,
            lanes: common.lanes.map_or(default.lanes, usize::from),
            peers: people.policy(),
            services: Services { chat: !common.no_chat, ..default.services },
            ..default
        };
        let name = common.name.clone().unwrap_or_else(identity::default_name);
        let loopback = common.loopback;
        let options =
            Options { invite, name, policy, loopback, ..Options::new(&server, key, storage) };
        let signals = Signals::new()?;
        let (peer, events) = Peer::start(options)?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let patience = Patience {
            server: Some(Instant::now() + common.patience_for_server()),
            reason: "it does not answer".into(),
            address: server.clone(),
            silence: common.timeout.map(Duration::from_secs),
            moved: (0, Instant::now()),
        };
        let words = Words::of(common.say.clone());
        let barred = None;
        Ok(Self { peer, events, tick, signals, patience, barred, people, words, server })
    }

    /// Waits for the next thing to happen. It is an error to be interrupted or refused, or to run out
    /// of patience.
    pub(crate) async fn next(&mut self, output: &mut Output) -> Result<Step, Failure> {
        loop {
            let said = tokio::select! {
                () = self.signals.next() => {
                    return Err(Failure::new(Code::Interrupted, "interrupted"));
                }
                event = self.events.recv() => {
                    let ended = || Failure::new(Code::Other, "the peer has ended by itself");
                    let event = event.ok_or_else(ended)?;
                    self.tell(&event, output)?;
                    return Ok(Step::Event(event));
                }
                _ = self.tick.tick() => {
                    self.patience.check_silence(&self.peer)?;
                    return Ok(Step::Tick);
                }
                () = until(self.patience.server) => return Err(self.patience.unreachable()),
                said = self.words.next() => said,
            };
            if let Err(error) = self.peer.say(said).await {
                output.not_said(&error);
            }
        }
    }

    /// Whether this user trusts the origin of a share.
    pub(crate) fn trusts_origin_of(&self, share: &ShareView) -> bool {
        let origin = self.people.get(&share.manifest.origin());
        origin.is_some_and(|person| person.standing == Standing::Trusted)
    }

    /// Leaves, unless another signal says that even that takes too long.
    pub(crate) async fn leave(mut self, output: &mut Output) {
        let shares = &self.peer.snapshot().shares;
        let fetched = shares.iter().map(|share| share.fetched).sum();
        let uploaded = shares.iter().map(|share| share.uploaded).sum();
        tokio::select! {
            () = self.peer.leave() => {}
            () = self.signals.next() => {}
        }
        output.left(fetched, uploaded);
    }

    /// Tells what is the same for everybody.
    fn tell(&mut self, event: &Event, output: &mut Output) -> Result<(), Failure> {
        match event {
            Event::Joined { peer } => {
                if self.patience.server.take().is_some() {
                    self.patience.moved.1 = Instant::now();
                }
                output.joined(*peer);
            }
            Event::ServerLost { cause, reason, retry_in } => {
                self.patience.reason.clone_from(reason);
                output.server_lost(*cause, reason, *retry_in);
            }
            Event::Refused { code, message } => {
                let what_helps = match code {
                    ErrorCode::UnsupportedVersion => "; update Shoal here or there",
                    ErrorCode::RoomFull => "; ask somebody to leave, and try again",
                    _ => "",
                };
                let message = format!("the server refused: {message}{what_helps}");
                return Err(Failure::new(Code::Refused, message));
            }
            Event::PeerConnected { peer, .. } => {
                let snapshot = self.peer.snapshot();
                if let Some(view) = snapshot.peers.iter().find(|view| view.id == *peer) {
                    self.barred = None;
                    let words = self.peer.words_to_compare(view).unwrap_or_default();
                    output.peer_connected(view, &self.people, &words);
                }
            }
            Event::PeerGone { peer, name, reason } => {
                if matches!(reason, CloseReason::Version | CloseReason::NotConfirmed) {
                    self.barred = Some(*reason);
                }
                output.peer_gone(*peer, name, *reason);
            }
            Event::Said { line } => {
                let own = line.author == self.peer.key();
                output.said(line, own, self.people.get(&line.author));
            }
            Event::Locked { locked } => output.locked(*locked),
            Event::StartedAnew { invite } => output.started_anew(&invite.to_link(&self.server)),
            Event::Banned { peer, key, name, share, proof } => {
                output.banned(*peer, key, name, *share, *proof);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Patience {
    fn check_silence(&mut self, peer: &Peer) -> Result<(), Failure> {
        let (Some(silence), None) = (self.silence, self.server) else { return Ok(()) };
        let shares = &peer.snapshot().shares;
        let moved = shares.iter().map(|share| share.fetched + share.uploaded).sum();
        if moved != self.moved.0 {
            self.moved = (moved, Instant::now());
        }
        if self.moved.1.elapsed() > silence {
            let full = |share: &ShareView| match share.waits_for() {
                Some(Waiting::DiskFull { needed, .. }) => Some(needed),
                _ => None,
            };
            if let Some(needed) = shares.iter().find_map(full) {
                let message = format!(
                    "the disk is full: {} are needed; make room and run the same command again, which \
                     goes on from there",
                    size(needed)
                );
                return Err(Failure::new(Code::DiskFull, message));
            }
            let message = format!(
                "nothing came for {} seconds; check that the other side runs, and try again",
                silence.as_secs()
            );
            return Err(Failure::new(Code::Timeout, message));
        }
        Ok(())
    }

    fn unreachable(&self) -> Failure {
        let Self { address, reason, .. } = self;
        let message = format!(
            "the server at {address} cannot be reached ({reason}); check the address and your network"
        );
        Failure::new(Code::Unreachable, message)
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Ctrl-C, and what else asks a process to end. Listens all the time, so that none is missed.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: unix::Signal,
    #[cfg(unix)]
    terminate: unix::Signal,
    #[cfg(windows)]
    interrupt: windows::CtrlC,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(Code::Other, error.to_string());
        Ok(Self {
            #[cfg(unix)]
            interrupt: unix::signal(unix::SignalKind::interrupt()).map_err(failed)?,
            #[cfg(unix)]
            terminate: unix::signal(unix::SignalKind::terminate()).map_err(failed)?,
            #[cfg(windows)]
            interrupt: windows::ctrl_c().map_err(failed)?,
        })
    }

    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(windows)]
    pub(crate) async fn next(&mut self) {
        let _ = self.interrupt.recv().await;
    }
}
