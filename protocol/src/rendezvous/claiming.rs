//! The guest's end of a code: claims the nameplate, shows that it knows the words, and gets the invite.

use std::collections::VecDeque;

use super::{EXCHANGE_PATIENCE, Keys, SERVER_PATIENCE, Said, is_right, start};
use crate::code::Code;
use crate::invite::{Invite, InviteError};
use crate::io::SignalingEvent;
use crate::pake::{Pake, Side, Spake2};
use crate::signaling::{ClientMessage, ErrorCode, Nameplate, SIGNALING_VERSION, ServerMessage};
use crate::time::Instant;

/// One code being claimed, from the moment its connection to the server is being opened. See the
/// [module](super).
pub struct Claiming<P: Pake = Spake2> {
    code: Code,
    /// For the key exchange.
    random: [u8; 32],
    stage: Stage<P>,
    until: Instant,
    outgoing: VecDeque<ClientMessage>,
    outcome: Option<Result<Invite, ClaimError>>,
}

enum Stage<P> {
    /// The connection is being opened.
    Opening,
    /// The server asked for the one who offers the code.
    Asked,
    /// We gave our share.
    Shared(P),
    /// We have shown that we know the words.
    Confirmed(Keys),
    Over,
}

/// Why a code gave no invite, fit to follow "could not receive: ". Each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The server knows of no such code, or not any more.
    #[error(
        "no code with the number {0} is waiting at this server: it may have expired (they live for 10 minutes) \
         or been used, or the number or the server is another; ask for a new code"
    )]
    NoSuchCode(Nameplate),
    /// The other side says that the words are wrong.
    #[error(
        "the words are not those of this code, which is used up now: each can be tried once; ask for a new \
         code. If you are sure that they were right, somebody may have tried to get in between"
    )]
    WrongWords,
    /// What answered does not know the words, yet pretended.
    #[error(
        "what answered does not know the words of this code: the server or somebody on the way tried to get in \
         between, and got nothing; pass the link on in another way"
    )]
    Impostor,
    /// Whoever made the code is not there any more.
    #[error("whoever made this code is gone, or has closed their page; ask for a new code")]
    CreatorLeft,
    /// Whoever made the code does not answer.
    #[error("whoever made this code does not answer; ask for a new code")]
    CreatorSilent,
    /// The server, or whoever made the code, said what makes no sense.
    #[error(
        "the other side does not go by the rules; it may be of another version: update here and there"
    )]
    Broke,
    /// The right one answered, and what it sent is no invite that we know.
    #[error("{0}")]
    Invite(InviteError),
    /// The server is older than codes.
    #[error("this server has no codes; ask for the link instead")]
    NoCodes,
    /// The server will not.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server cannot be reached.
    #[error(
        "the server cannot be reached ({0}); check its address and your network, and try again"
    )]
    Unreachable(String),
}

impl<P: Pake> Claiming<P> {
    /// Goes to claim a code. `random` must be 32 secret random bytes, never used before.
    pub fn new(now: Instant, code: Code, random: [u8; 32]) -> Self {
        let until = now + SERVER_PATIENCE;
        let outgoing = VecDeque::new();
        Self { code, random, stage: Stage::Opening, until, outgoing, outcome: None }
    }

    /// Something happened on the connection to the server.
    pub fn handle_signaling(&mut self, now: Instant, event: SignalingEvent) {
        match event {
            SignalingEvent::Opened => {
                if matches!(self.stage, Stage::Opening) {
                    let nameplate = self.code.nameplate;
                    let version = SIGNALING_VERSION;
                    self.outgoing.push_back(ClientMessage::ClaimCode { version, nameplate });
                    self.stage = Stage::Asked;
                }
            }
            SignalingEvent::Message(message) => self.handle_message(now, message),
            SignalingEvent::Closed { reason, .. } => {
                self.end(Err(ClaimError::Unreachable(reason)));
            }
        }
    }

    /// It is as late as [`Claiming::poll_timeout`] said.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        self.end(Err(match self.stage {
            Stage::Opening | Stage::Asked => ClaimError::Unreachable("it does not answer".into()),
            _ => ClaimError::CreatorSilent,
        }));
    }

    /// The next message for the server.
    pub fn poll_transmit(&mut self) -> Option<ClientMessage> {
        self.outgoing.pop_front()
    }

    /// What came of it, once.
    pub fn poll_outcome(&mut self) -> Option<Result<Invite, ClaimError>> {
        self.outcome.take()
    }

    /// When [`Claiming::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!matches!(self.stage, Stage::Over)).then_some(self.until)
    }

    fn handle_message(&mut self, now: Instant, message: ServerMessage) {
        match message {
            ServerMessage::CodeClaimed => self.claimed(now),
            ServerMessage::CodeMessage { body } => match Said::read(&body) {
                Ok(said) => self.handle_creator(said),
                Err(_) => self.end(Err(ClaimError::Broke)),
            },
            ServerMessage::CodeEnded { .. } => self.end(Err(ClaimError::CreatorLeft)),
            ServerMessage::Error { code, message } => {
                let asked = matches!(self.stage, Stage::Asked);
                self.end(Err(match code {
                    ErrorCode::NoSuchCode => ClaimError::NoSuchCode(self.code.nameplate),
                    ErrorCode::BadMessage if asked => ClaimError::NoCodes,
                    _ => ClaimError::Refused(message),
                }));
            }
            // Of rooms, or to our own pings.
            _ => {}
        }
    }

    fn claimed(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Asked) {
            return self.end(Err(ClaimError::Broke));
        }
        let Code { nameplate, words } = self.code;
        let (pake, share) = start(Side::Guest, nameplate, words, self.random);
        self.outgoing.push_back(Said::Share(share).message());
        self.stage = Stage::Shared(pake);
        self.until = now + EXCHANGE_PATIENCE;
    }

    fn handle_creator(&mut self, said: Said) {
        match (std::mem::replace(&mut self.stage, Stage::Over), said) {
            (Stage::Over, _) => {}
            (Stage::Shared(pake), Said::Share(theirs)) => match pake.finish(&theirs) {
                Ok(shared) => {
                    let keys = Keys::new(&shared);
                    let confirmation = Said::Confirmation(keys.guest_confirms);
                    self.outgoing.push_back(confirmation.message());
                    self.stage = Stage::Confirmed(keys);
                }
                Err(_) => self.finish(Err(ClaimError::Broke)),
            },
            (Stage::Confirmed(_), Said::Wrong) => self.finish(Err(ClaimError::WrongWords)),
            (Stage::Confirmed(keys), Said::Invite { confirmation, sealed }) => {
                let invite = is_right(confirmation, keys.creator_confirms)
                    .then(|| keys.open(self.code.nameplate, &sealed))
                    .flatten();
                self.finish(match invite.map(|text| text.parse::<Invite>()) {
                    Some(Ok(invite)) => Ok(invite),
                    Some(Err(error)) => Err(ClaimError::Invite(error)),
                    None => Err(ClaimError::Impostor),
                });
            }
            _ => self.finish(Err(ClaimError::Broke)),
        }
    }

    fn end(&mut self, outcome: Result<Invite, ClaimError>) {
        if !matches!(self.stage, Stage::Over) {
            self.finish(outcome);
        }
    }

    fn finish(&mut self, outcome: Result<Invite, ClaimError>) {
        self.stage = Stage::Over;
        self.outcome = Some(outcome);
    }
}
