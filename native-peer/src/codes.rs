//! Codes to be spoken: each has a connection of its own to the server, for as long as it is on offer or
//! being claimed. What is said on it is [`protocol::rendezvous`]'s business.

pub use protocol::code::{Code, CodeError};
use protocol::invite::Invite;
pub use protocol::rendezvous::{ClaimError, OfferEnd, OfferEvent};
use protocol::rendezvous::{Claiming, Offering};
use protocol::time::Instant;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep_until;

use crate::clock::Clock;
use crate::signaling::{self, Signaling};
use crate::{StartError, random};

/// Events that may wait to be taken. There are three at most.
const WAITING_EVENTS: usize = 4;

/// A code on offer. Dropping it takes the code back.
pub struct Offer {
    clock: Clock,
    events: mpsc::Receiver<OfferEvent>,
    driver: JoinHandle<()>,
}

/// Why a code gave no invite, fit to follow "could not receive: ".
#[derive(Debug, thiserror::Error)]
pub enum ClaimFailure {
    /// It could not even be tried.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It was tried in vain.
    #[error(transparent)]
    Claim(#[from] ClaimError),
}

impl Offer {
    /// Makes a code that gives an invite to one guest. The room need not be entered for that.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn start(server: &str, invite: Invite) -> Result<Self, StartError> {
        let address = signaling::socket_address(server)?;
        let clock = Clock::start();
        let offering = Offering::new(clock.now(), invite, random()?);
        let (sender, events) = mpsc::channel(WAITING_EVENTS);
        let driver = tokio::spawn(drive(address, clock, offering, sender));
        Ok(Self { clock, events, driver })
    }

    /// The next thing that happens, `None` after [`OfferEvent::Ended`]. Losing this future loses nothing.
    pub async fn next(&mut self) -> Option<OfferEvent> {
        self.events.recv().await
    }

    /// When it is, by the clock of timers, what [`OfferEvent::Offered`] tells as `until`.
    pub fn time_of(&self, at: Instant) -> tokio::time::Instant {
        self.clock.deadline(at)
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Gets the invite that a code stands for, which uses the code up.
pub async fn claim(server: &str, code: Code) -> Result<Invite, ClaimFailure> {
    let address = signaling::socket_address(server).map_err(StartError::from)?;
    let clock = Clock::start();
    let random = random().map_err(StartError::from)?;
    let mut claiming: Claiming = Claiming::new(clock.now(), code, random);
    let mut tasks = JoinSet::new();
    let mut signaling = Signaling::open(address, &mut tasks);
    loop {
        while let Some(message) = claiming.poll_transmit() {
            // If the server does not read, it will not answer either.
            let _ = signaling.send(message);
        }
        if let Some(outcome) = claiming.poll_outcome() {
            return Ok(outcome?);
        }
        tokio::select! {
            event = signaling.next() => claiming.handle_signaling(clock.now(), event),
            () = due(&clock, claiming.poll_timeout()) => claiming.handle_timeout(clock.now()),
        }
    }
}

async fn drive(
    address: String,
    clock: Clock,
    mut offering: Offering,
    events: mpsc::Sender<OfferEvent>,
) {
    let mut tasks = JoinSet::new();
    let mut signaling = Signaling::open(address, &mut tasks);
    loop {
        while let Some(message) = offering.poll_transmit() {
            // If the server does not read, no guest will answer either.
            let _ = signaling.send(message);
        }
        if offering.is_over() {
            break;
        }
        tell(&mut offering, &events).await;
        tokio::select! {
            event = signaling.next() => offering.handle_signaling(clock.now(), event),
            () = due(&clock, offering.poll_timeout()) => offering.handle_timeout(clock.now()),
        }
    }
    // The end is told when the last message is sent: whoever hears of it may drop us.
    drop(signaling);
    while tasks.join_next().await.is_some() {}
    tell(&mut offering, &events).await;
}

async fn tell(offering: &mut Offering, events: &mpsc::Sender<OfferEvent>) {
    while let Some(event) = offering.poll_event() {
        // It fails if nobody listens any more, and then we are about to be dropped.
        let _ = events.send(event).await;
    }
}

async fn due(clock: &Clock, at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(clock.deadline(at)).await,
        None => std::future::pending().await,
    }
}
