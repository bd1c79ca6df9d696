//! `shoal code`: makes a code for an invite link, and tells what becomes of it; and the same beside
//! `shoal send`.

use native_peer::codes::{Offer, OfferEnd, OfferEvent};
use native_peer::{Invite, InviteLink};
use tokio::time::Instant;

use crate::CodeArguments;
use crate::failure::{Code, Failure};
use crate::output::Output;
use crate::room::Signals;

/// A code on offer, and how people make another.
pub(crate) struct Shown {
    offer: Option<Offer>,
    link: String,
}

/// Shows a code until somebody has used it or it is of no use any more.
pub(crate) async fn run(arguments: CodeArguments, output: &mut Output) -> Result<(), Failure> {
    let CodeArguments { link, json: _ } = arguments;
    let link: InviteLink =
        link.parse().map_err(|error| Failure::new(Code::Invite, format!("{error}")))?;
    let mut signals = Signals::new()?;
    let mut shown = Shown::start(&link.server, link.invite)?;
    loop {
        let event = tokio::select! {
            () = signals.next() => {
                return Err(Failure::new(Code::Interrupted, "interrupted"));
            }
            event = shown.next() => event,
        };
        shown.tell(&event, output);
        if let OfferEvent::Ended(end) = event {
            return match end {
                OfferEnd::Taken => Ok(()),
                end => Err(end.into()),
            };
        }
    }
}

impl Shown {
    pub(crate) fn start(server: &str, invite: Invite) -> Result<Self, Failure> {
        let link = invite.to_link(server);
        Ok(Self { offer: Some(Offer::start(server, invite)?), link })
    }

    /// The next thing that happens to the code; waits for ever after its end.
    pub(crate) async fn next(&mut self) -> OfferEvent {
        if let Some(offer) = &mut self.offer
            && let Some(event) = offer.next().await
        {
            return event;
        }
        std::future::pending().await
    }

    /// Tells people what happened.
    pub(crate) fn tell(&mut self, event: &OfferEvent, output: &mut Output) {
        match (event, &self.offer) {
            (OfferEvent::Offered { code, until }, Some(offer)) => {
                let left = offer.time_of(*until).saturating_duration_since(Instant::now());
                output.code(code, left);
            }
            (OfferEvent::Ended(end), _) => {
                output.code_ended(end, &self.link);
                self.offer = None;
            }
            _ => output.code_tried(),
        }
    }
}
