//! Codes to be spoken: reading and completing what is typed, for the window; and for the worker the
//! connection of its own that each code has to the server, for as long as it is on offer or being claimed.
//! What is said on it is [`protocol::rendezvous`]'s business.

use std::pin::pin;

use futures_channel::mpsc::{self, UnboundedReceiver};
use futures_util::future::{AbortHandle, Either, abortable, select};
use futures_util::{FutureExt, StreamExt};
use protocol::code::{self, Code, CodeError};
use protocol::invite::Invite;
use protocol::io::{LostCause, SignalingEvent};
use protocol::rendezvous::{ClaimError, Claiming, OfferEnd, OfferEvent, Offering};
use protocol::time::Instant;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::api::{CodeInfo, CodeState};
use crate::signaling::Signaling;
use crate::{clock, error, profile};

/// Whether a text is meant to be a code, be it that there are mistakes in it; else it may be a link.
#[wasm_bindgen(js_name = isCode)]
pub fn is_code(text: &str) -> bool {
    Code::is_meant(text)
}

/// Says what is wrong with a code that was typed, before it is tried.
///
/// # Errors
/// An `Error` with a sentence for people.
#[wasm_bindgen(js_name = checkCode)]
pub fn check_code(text: &str) -> Result<(), JsValue> {
    let checked: Result<Code, CodeError> = text.parse();
    checked.map(drop).map_err(|wrong| error::to_js(&wrong.to_string()))
}

/// What a code that is being typed can go on with: the whole text so far, with its last word completed.
#[wasm_bindgen(js_name = completeCode)]
pub fn complete_code(text: &str) -> Vec<String> {
    code::complete(text, code::MAX_COMPLETIONS)
}

/// A code on offer, or what became of it. Dropping it takes the code back.
pub(crate) struct Offer {
    state: CodeState,
    code: Option<Code>,
    until: Option<Instant>,
    end: Option<OfferEnd>,
    driver: AbortHandle,
}

impl Offer {
    /// Makes a code for an invite; what happens to it is reported, for [`Offer::note`].
    pub(crate) fn start(
        server: &str,
        invite: Invite,
        report: impl Fn(OfferEvent) + 'static,
    ) -> Self {
        let offering = Offering::new(clock::now(), invite, profile::random());
        let (drive, driver) = abortable(drive(server.to_owned(), offering, report));
        spawn_local(drive.map(drop));
        Self { state: CodeState::Asking, code: None, until: None, end: None, driver }
    }

    /// Takes in what was reported.
    pub(crate) fn note(&mut self, event: OfferEvent) {
        match event {
            OfferEvent::Offered { code, until } => {
                (self.code, self.until) = (Some(code), Some(until));
                self.state = CodeState::Offered;
            }
            OfferEvent::Tried => self.state = CodeState::Tried,
            OfferEvent::Ended(end) => {
                self.state = match &end {
                    OfferEnd::Taken => CodeState::Taken,
                    OfferEnd::Expired => CodeState::Expired,
                    end if end.is_burnt() => CodeState::Burnt,
                    _ => CodeState::Failed,
                };
                self.end = Some(end);
            }
        }
    }

    /// Whether somebody tried it and did not get in.
    pub(crate) fn is_burnt(&self) -> bool {
        self.state == CodeState::Burnt
    }

    /// How it stands, as embedders see it.
    pub(crate) fn info(&self, now: Instant, burnt: u32) -> CodeInfo {
        let left = self.until.map(|until| until.saturating_since(now).as_secs_f64() * 1e3);
        CodeInfo {
            state: self.state,
            code: self.code.as_ref().map(Code::to_string),
            left_ms: left.filter(|_| self.state == CodeState::Offered),
            message: self.end.as_ref().map(OfferEnd::to_string),
            burnt,
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Gets the invite that a code stands for, which uses the code up. `server` ends in a slash.
pub(crate) async fn claim(server: &str, code: Code) -> Result<Invite, ClaimError> {
    let mut claiming: Claiming = Claiming::new(clock::now(), code, profile::random());
    let mut line = Line::open(server);
    loop {
        while let Some(message) = claiming.poll_transmit() {
            line.send(&message);
        }
        if let Some(outcome) = claiming.poll_outcome() {
            return outcome;
        }
        match line.next(claiming.poll_timeout()).await {
            Some(event) => claiming.handle_signaling(clock::now(), event),
            None => claiming.handle_timeout(clock::now()),
        }
    }
}

async fn drive(server: String, mut offering: Offering, report: impl Fn(OfferEvent)) {
    let mut line = Line::open(&server);
    loop {
        // Before the end is told: whoever hears of it may drop us.
        while let Some(message) = offering.poll_transmit() {
            line.send(&message);
        }
        while let Some(event) = offering.poll_event() {
            report(event);
        }
        if offering.is_over() {
            return;
        }
        match line.next(offering.poll_timeout()).await {
            Some(event) => offering.handle_signaling(clock::now(), event),
            None => offering.handle_timeout(clock::now()),
        }
    }
}

/// A connection to the server, as something to wait for.
struct Line {
    signaling: Option<Signaling>,
    events: UnboundedReceiver<SignalingEvent>,
}

impl Line {
    fn open(server: &str) -> Self {
        let (sender, events) = mpsc::unbounded();
        let report = {
            let sender = sender.clone();
            move |event| drop(sender.unbounded_send(event))
        };
        let signaling = match Signaling::open(server, false, report) {
            Ok(signaling) => Some(signaling),
            Err(reason) => {
                let closed = SignalingEvent::Closed { cause: LostCause::Server, reason };
                drop(sender.unbounded_send(closed));
                None
            }
        };
        Self { signaling, events }
    }

    fn send(&self, message: &protocol::signaling::ClientMessage) {
        if let Some(signaling) = &self.signaling {
            signaling.send(message);
        }
    }

    /// The next event; `None` if it is `until` before there is one.
    async fn next(&mut self, until: Option<Instant>) -> Option<SignalingEvent> {
        let wait = until.map_or(0, |until| until.saturating_since(clock::now()).as_millis() + 1);
        let sleep = pin!(clock::sleep(i32::try_from(wait).unwrap_or(i32::MAX)));
        match select(self.events.next(), sleep).await {
            Either::Left((event, _)) => event,
            Either::Right(_) => None,
        }
    }
}
