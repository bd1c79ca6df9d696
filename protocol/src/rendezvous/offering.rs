//! The creator's end of a code: makes the words, shows the code, answers one guest, and tells what became
//! of it.

use std::collections::VecDeque;

use super::{EXCHANGE_PATIENCE, Keys, MAX_LIFE, SERVER_PATIENCE, Said, is_right, start};
use crate::code::{Code, Words};
use crate::invite::Invite;
use crate::io::SignalingEvent;
use crate::pake::{Pake, Side, Spake2};
use crate::rng::Rng;
use crate::signaling::{
    ClientMessage, CodeEnd, ErrorCode, Nameplate, SIGNALING_VERSION, ServerMessage,
};
use crate::time::{Duration, Instant};

/// One code on offer, from the moment its connection to the server is being opened. See the
/// [module](super).
pub struct Offering<P: Pake = Spake2> {
    invite: Invite,
    words: Words,
    /// For the key exchange.
    random: [u8; 32],
    stage: Stage<P>,
    outgoing: VecDeque<ClientMessage>,
    events: VecDeque<OfferEvent>,
}

enum Stage<P> {
    /// The connection is being opened, or the server asked for a nameplate.
    Asking {
        asked: bool,
        until: Instant,
    },
    /// The code is shown.
    Offered {
        nameplate: Nameplate,
        until: Instant,
    },
    /// Somebody is there.
    Claimed {
        nameplate: Nameplate,
        pake: P,
        share: Vec<u8>,
        until: Instant,
    },
    /// It gave its share and has ours. What comes next decides.
    Exchanged {
        nameplate: Nameplate,
        keys: Keys,
        until: Instant,
    },
    Over,
}

/// What the creator of a code is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferEvent {
    /// Here is the code, good until then and for one guest.
    Offered {
        /// To be shown.
        code: Code,
        /// When it expires.
        until: Instant,
    },
    /// Somebody came with the nameplate. Whether they know the words shows in a moment; nobody else can
    /// come any more.
    Tried,
    /// The code is of no use any more.
    Ended(OfferEnd),
}

/// What became of a code: a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferEnd {
    /// Whoever came knew the words, and has the invite.
    #[error("the code was used, and whoever used it has the invite")]
    Taken,
    /// Whoever came had other words.
    #[error(
        "somebody entered wrong words, so the code is used up and nobody got in; make a new one"
    )]
    WrongWords,
    /// Whoever came went away before they showed that they know the words.
    #[error("somebody entered its number and left, so the code is used up; make a new one")]
    GuestLeft,
    /// Whoever came did not go on.
    #[error("somebody entered its number and fell silent, so the code is used up; make a new one")]
    GuestSilent,
    /// Whoever came, or the server, said what makes no sense.
    #[error(
        "somebody tried to get in by breaking the rules, so the code is used up; make a new one"
    )]
    GuestBroke,
    /// Nobody came in time.
    #[error("the code has expired; make a new one")]
    Expired,
    /// There is no code, as the server did not answer.
    #[error(
        "the server cannot be reached ({0}); check your network and try again, or pass on the link"
    )]
    Unreachable(String),
    /// The connection to the server ended, and the code with it.
    #[error("the connection to the server is lost, and the code with it: {0}; make a new one")]
    Lost(String),
    /// The server is older than codes.
    #[error("this server has no codes; pass on the link instead")]
    NoCodes,
    /// The server will not.
    #[error("the server refused: {0}")]
    Refused(String),
}

impl OfferEnd {
    /// Whether somebody came who did not get in: the code is burnt.
    pub fn is_burnt(&self) -> bool {
        use OfferEnd::*;
        matches!(self, WrongWords | GuestLeft | GuestSilent | GuestBroke)
    }
}

impl<P: Pake> Offering<P> {
    /// A new code for an invite. `seed` must be 32 secret random bytes, never used before: the words follow
    /// from it.
    pub fn new(now: Instant, invite: Invite, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let words = Words::new(rng.bytes());
        Self::with_words(now, invite, words, rng.bytes())
    }

    pub(super) fn with_words(now: Instant, invite: Invite, words: Words, random: [u8; 32]) -> Self {
        let stage = Stage::Asking { asked: false, until: now + SERVER_PATIENCE };
        let (outgoing, events) = (VecDeque::new(), VecDeque::new());
        Self { invite, words, random, stage, outgoing, events }
    }

    /// Whether there is nothing more to come; what is to be sent is sent before the connection is closed.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Something happened on the connection to the server.
    pub fn handle_signaling(&mut self, now: Instant, event: SignalingEvent) {
        match event {
            SignalingEvent::Opened => self.ask(),
            SignalingEvent::Message(message) => self.handle_message(now, message),
            SignalingEvent::Closed { reason, .. } => self.end(match self.stage {
                Stage::Asking { .. } => OfferEnd::Unreachable(reason),
                Stage::Claimed { .. } | Stage::Exchanged { .. } => OfferEnd::GuestLeft,
                Stage::Offered { .. } | Stage::Over => OfferEnd::Lost(reason),
            }),
        }
    }

    /// It is as late as [`Offering::poll_timeout`] said.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        self.end(match self.stage {
            Stage::Asking { .. } => OfferEnd::Unreachable("it does not answer".into()),
            Stage::Claimed { .. } | Stage::Exchanged { .. } => OfferEnd::GuestSilent,
            Stage::Offered { .. } | Stage::Over => OfferEnd::Expired,
        });
    }

    /// The next message for the server.
    pub fn poll_transmit(&mut self) -> Option<ClientMessage> {
        self.outgoing.pop_front()
    }

    /// The next thing to tell.
    pub fn poll_event(&mut self) -> Option<OfferEvent> {
        self.events.pop_front()
    }

    /// When [`Offering::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Asking { until, .. }
            | Stage::Offered { until, .. }
            | Stage::Claimed { until, .. }
            | Stage::Exchanged { until, .. } => Some(until),
            Stage::Over => None,
        }
    }

    fn ask(&mut self) {
        if let Stage::Asking { asked, .. } = &mut self.stage
            && !*asked
        {
            *asked = true;
            self.outgoing.push_back(ClientMessage::OfferCode { version: SIGNALING_VERSION });
        }
    }

    fn handle_message(&mut self, now: Instant, message: ServerMessage) {
        match message {
            ServerMessage::CodeOffered { nameplate, life_seconds } => {
                self.offered(now, nameplate, Duration::from_secs(life_seconds.into()));
            }
            ServerMessage::CodeClaimed => self.claimed(now),
            ServerMessage::CodeMessage { body } => match Said::read(&body) {
                Ok(said) => self.handle_guest(said),
                Err(_) => self.end(OfferEnd::GuestBroke),
            },
            ServerMessage::CodeEnded { reason } => self.end(match (&self.stage, reason) {
                (Stage::Claimed { .. } | Stage::Exchanged { .. }, _) => OfferEnd::GuestLeft,
                (_, CodeEnd::Expired) => OfferEnd::Expired,
                (_, CodeEnd::Left | CodeEnd::Other) => {
                    OfferEnd::Lost("the server has ended it".into())
                }
            }),
            ServerMessage::Error { code, message } => {
                let asking = matches!(self.stage, Stage::Asking { .. });
                self.end(match code {
                    ErrorCode::BadMessage if asking => OfferEnd::NoCodes,
                    _ if asking => OfferEnd::Refused(message),
                    _ => OfferEnd::Lost(message),
                });
            }
            // Of rooms, or to our own pings.
            _ => {}
        }
    }

    fn offered(&mut self, now: Instant, nameplate: Nameplate, life: Duration) {
        if !matches!(self.stage, Stage::Asking { .. }) {
            return self.end(OfferEnd::GuestBroke);
        }
        let until = now + life.min(MAX_LIFE);
        let code = Code { nameplate, words: self.words };
        self.stage = Stage::Offered { nameplate, until };
        self.events.push_back(OfferEvent::Offered { code, until });
    }

    fn claimed(&mut self, now: Instant) {
        let Stage::Offered { nameplate, .. } = self.stage else {
            return self.end(OfferEnd::GuestBroke);
        };
        let (pake, share) = start(Side::Creator, nameplate, self.words, self.random);
        let until = now + EXCHANGE_PATIENCE;
        self.stage = Stage::Claimed { nameplate, pake, share, until };
        self.events.push_back(OfferEvent::Tried);
    }

    fn handle_guest(&mut self, said: Said) {
        match (std::mem::replace(&mut self.stage, Stage::Over), said) {
            (Stage::Over, _) => {}
            (Stage::Claimed { nameplate, pake, share, until }, Said::Share(theirs)) => {
                match pake.finish(&theirs) {
                    Ok(shared) => {
                        let keys = Keys::new(&shared);
                        self.stage = Stage::Exchanged { nameplate, keys, until };
                        self.outgoing.push_back(Said::Share(share).message());
                    }
                    Err(_) => self.finish(OfferEnd::GuestBroke),
                }
            }
            // The one try.
            (Stage::Exchanged { nameplate, keys, .. }, Said::Confirmation(theirs)) => {
                if is_right(theirs, keys.guest_confirms) {
                    let confirmation = keys.creator_confirms;
                    let sealed = keys.seal(nameplate, &self.invite);
                    self.outgoing.push_back(Said::Invite { confirmation, sealed }.message());
                    self.finish(OfferEnd::Taken);
                } else {
                    self.outgoing.push_back(Said::Wrong.message());
                    self.finish(OfferEnd::WrongWords);
                }
            }
            _ => self.finish(OfferEnd::GuestBroke),
        }
    }

    fn end(&mut self, end: OfferEnd) {
        if !self.is_over() {
            self.finish(end);
        }
    }

    fn finish(&mut self, end: OfferEnd) {
        self.stage = Stage::Over;
        self.events.push_back(OfferEvent::Ended(end));
    }
}
