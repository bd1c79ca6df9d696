//! Codes to be spoken: which nameplate leads to whom. The words of a code are none of the server's business;
//! what the two say to each other it passes on unread.
//!
//! A nameplate is given to one connection and can be claimed by one other, once. When it has ended, in
//! whatever way, it rests before it is given out again, so that a code that was heard late leads nowhere
//! rather than to somebody else. All that is here is gone when its time is over; nothing is stored.
//!
//! To whoever tries numbers: at most one in ten of those in question is in use, a number that is used up looks
//! like one that never was, and an address has a few tries per minute. Who claims a nameplate burns the code
//! behind it, and its owner is told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use protocol::signaling::{CodeBody, CodeEnd, MAX_NAMEPLATE, Nameplate, ServerMessage};
use rand::RngExt;
use tokio::time::Instant;

use crate::admission::network;
use crate::options::{Limits, Timeouts};
use crate::outbox::Outbox;
use crate::rate::Bucket;
use crate::rooms::encode;

/// What each of the two may say. The whole exchange is two messages from each.
const MAX_MESSAGES: u32 = 8;
/// How many times as many numbers there are as are in use, at least.
const SPARSENESS: u32 = 10;
/// Addresses whose claims are remembered; beyond that there are none for new ones until some are forgotten.
const MAX_ADDRESSES: usize = 1 << 16;

/// All nameplates in use or at rest.
pub(crate) struct Nameplates {
    limits: Limits,
    life: Duration,
    exchange: Duration,
    rest: Duration,
    plates: Mutex<Plates>,
}

#[derive(Default)]
struct Plates {
    by_number: HashMap<Nameplate, Plate>,
    /// How many of them each address has offered, those at rest included.
    offered: HashMap<IpAddr, usize>,
    /// What each address may still claim. Those that may claim all again are forgotten when there are
    /// `forget_at`.
    claims: HashMap<IpAddr, Bucket>,
    forget_at: usize,
}

struct Plate {
    /// Who offered it.
    address: IpAddr,
    stage: Stage,
}

enum Stage {
    Offered { creator: Arc<Outbox>, until: Instant },
    Claimed { creator: Arc<Outbox>, guest: Arc<Outbox> },
    Resting { until: Instant },
}

/// One end of a nameplate; dropping it ends that, and tells the other.
pub(crate) struct Party {
    nameplates: Arc<Nameplates>,
    nameplate: Nameplate,
    /// Ours: what this end is recognised by.
    outbox: Arc<Outbox>,
    /// When it is to be ended, and whether that can be put off.
    until: Instant,
    may_extend: bool,
    messages: u32,
}

/// Why no nameplate is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfferError {
    /// The server has as many as it may.
    Full,
    /// This address has.
    AddressFull,
}

/// Why a nameplate cannot be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimError {
    /// It was claimed, expired, left, or never given out.
    NoSuchCode,
    /// This address has tried too many.
    TooFast,
}

/// More messages than two who meet have to say to each other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyMessages;

impl Nameplates {
    pub(crate) fn new(limits: Limits, timeouts: &Timeouts) -> Arc<Self> {
        Arc::new(Self {
            limits,
            life: timeouts.code_life,
            exchange: timeouts.code_exchange,
            rest: timeouts.code_rest,
            plates: Mutex::default(),
        })
    }

    /// How many nameplates lead somewhere.
    pub(crate) fn count(&self) -> usize {
        let plates = self.lock();
        plates.by_number.values().filter(|plate| !plate.stage.is_resting()).count()
    }

    /// How long a nameplate can be claimed.
    pub(crate) fn life(&self) -> Duration {
        self.life
    }

    /// Gives a nameplate out.
    pub(crate) fn offer(
        self: &Arc<Self>,
        now: Instant,
        address: IpAddr,
        creator: Arc<Outbox>,
    ) -> Result<Party, OfferError> {
        let address = network(address);
        let mut plates = self.lock();
        plates.wake(now);
        let max_codes = self.limits.max_codes.min((MAX_NAMEPLATE / SPARSENESS) as usize);
        if plates.by_number.len() >= max_codes {
            return Err(OfferError::Full);
        }
        if plates.offered.get(&address).copied().unwrap_or(0) >= self.limits.max_codes_per_address {
            return Err(OfferError::AddressFull);
        }
        let nameplate = plates.free_number();
        let until = now + self.life;
        let stage = Stage::Offered { creator: creator.clone(), until };
        plates.by_number.insert(nameplate, Plate { address, stage });
        *plates.offered.entry(address).or_default() += 1;
        let mut party = self.party(nameplate, creator, until);
        party.may_extend = true;
        Ok(party)
    }

    /// Leads somebody to whoever offered this nameplate, who is told.
    pub(crate) fn claim(
        self: &Arc<Self>,
        now: Instant,
        address: IpAddr,
        nameplate: Nameplate,
        guest: Arc<Outbox>,
    ) -> Result<Party, ClaimError> {
        let mut plates = self.lock();
        if !plates.may_claim(now, network(address), &self.limits) {
            return Err(ClaimError::TooFast);
        }
        let plate = plates.by_number.get_mut(&nameplate).ok_or(ClaimError::NoSuchCode)?;
        let creator = match &plate.stage {
            Stage::Offered { creator, until } if now < *until => creator.clone(),
            _ => return Err(ClaimError::NoSuchCode),
        };
        let claimed = encode(&ServerMessage::CodeClaimed);
        creator.push(claimed.clone());
        guest.push(claimed);
        plate.stage = Stage::Claimed { creator, guest: guest.clone() };
        Ok(self.party(nameplate, guest, now + self.exchange))
    }

    fn party(self: &Arc<Self>, nameplate: Nameplate, outbox: Arc<Outbox>, until: Instant) -> Party {
        let nameplates = self.clone();
        Party { nameplates, nameplate, outbox, until, may_extend: false, messages: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Plates> {
        self.plates.lock().expect("no panic while looking up nameplates")
    }
}

impl Plates {
    /// Forgets those that have rested.
    fn wake(&mut self, now: Instant) {
        let Self { by_number, offered, .. } = self;
        by_number.retain(|_, plate| {
            let rested = matches!(plate.stage, Stage::Resting { until } if until <= now);
            if rested && let Some(count) = offered.get_mut(&plate.address) {
                *count -= 1;
                if *count == 0 {
                    offered.remove(&plate.address);
                }
            }
            !rested
        });
    }

    /// A number that is not in use, of as few digits as may be.
    fn free_number(&self) -> Nameplate {
        let wanted = (self.by_number.len() as u32 + 1).saturating_mul(SPARSENESS);
        let mut end = 10;
        while end < wanted {
            end *= 10;
        }
        let end = end.min(MAX_NAMEPLATE + 1);
        let mut random = rand::rng();
        std::iter::repeat_with(|| random.random_range(1..end))
            .filter_map(Nameplate::new)
            .find(|number| !self.by_number.contains_key(number))
            .expect("most numbers are free")
    }

    fn may_claim(&mut self, now: Instant, address: IpAddr, limits: &Limits) -> bool {
        if self.claims.len() >= self.forget_at {
            self.claims.retain(|_, bucket| !bucket.is_full(now));
            self.forget_at = (2 * self.claims.len()).clamp(64, MAX_ADDRESSES);
        }
        if self.claims.len() >= MAX_ADDRESSES && !self.claims.contains_key(&address) {
            return false;
        }
        let (burst, per_second) = (limits.claim_burst, f64::from(limits.claims_per_minute) / 60.0);
        let bucket =
            self.claims.entry(address).or_insert_with(|| Bucket::new(now, burst, per_second));
        bucket.take(now, 1.0)
    }
}

impl Stage {
    fn is_resting(&self) -> bool {
        matches!(self, Self::Resting { .. })
    }

    /// Whether this end is one of it.
    fn has(&self, end: &Arc<Outbox>) -> bool {
        match self {
            Self::Offered { creator, .. } => Arc::ptr_eq(creator, end),
            Self::Claimed { creator, guest } => {
                Arc::ptr_eq(creator, end) || Arc::ptr_eq(guest, end)
            }
            Self::Resting { .. } => false,
        }
    }

    /// The one at the other end, once somebody has come.
    fn other(&self, end: &Arc<Outbox>) -> Option<&Arc<Outbox>> {
        let Self::Claimed { creator, guest } = self else { return None };
        Some(if Arc::ptr_eq(creator, end) { guest } else { creator })
    }
}

impl Party {
    /// What both came by.
    pub(crate) fn nameplate(&self) -> Nameplate {
        self.nameplate
    }

    /// When it is to be ended; see [`Party::is_over`].
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Whether it is to be ended now that it is as late as [`Party::until`] said: not if somebody came just
    /// in time.
    pub(crate) fn is_over(&mut self) -> bool {
        let claimed = self.with_plate(|plate| matches!(plate.stage, Stage::Claimed { .. }));
        if claimed == Some(true) && self.may_extend {
            self.may_extend = false;
            self.until += self.nameplates.exchange;
            return false;
        }
        true
    }

    /// Passes something on to the other; if there is none, it is lost.
    pub(crate) fn pass_on(&mut self, body: CodeBody) -> Result<(), TooManyMessages> {
        self.messages += 1;
        if self.messages > MAX_MESSAGES {
            return Err(TooManyMessages);
        }
        let message = encode(&ServerMessage::CodeMessage { body });
        self.with_plate(|plate| plate.stage.other(&self.outbox).map(|other| other.push(message)));
        Ok(())
    }

    /// Ends it, and tells the other.
    fn end(&self, now: Instant) {
        self.with_plate(|plate| {
            if let Some(other) = plate.stage.other(&self.outbox) {
                other.push(encode(&ServerMessage::CodeEnded { reason: CodeEnd::Left }));
            }
            plate.stage = Stage::Resting { until: now + self.nameplates.rest };
        });
    }

    /// Does something to the plate, unless it has ended; by now its number may even be another's.
    fn with_plate<T>(&self, act: impl FnOnce(&mut Plate) -> T) -> Option<T> {
        let mut plates = self.nameplates.lock();
        let plate = plates.by_number.get_mut(&self.nameplate)?;
        plate.stage.has(&self.outbox).then(|| act(plate))
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.end(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::outbox::Budget;

    const LIFE: Duration = Duration::from_secs(600);
    const REST: Duration = Duration::from_secs(600);

    fn nameplates(limits: Limits) -> Arc<Nameplates> {
        Nameplates::new(limits, &Timeouts::default())
    }

    fn usual() -> Arc<Nameplates> {
        nameplates(Limits::default())
    }

    fn outbox() -> Arc<Outbox> {
        Outbox::new(Budget::new(Limits::default()))
    }

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn body() -> CodeBody {
        CodeBody::new(vec![1, 2, 3]).unwrap()
    }

    async fn next(outbox: &Outbox) -> ServerMessage {
        serde_json::from_str(&outbox.next().await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn two_who_have_the_same_nameplate_meet_and_hear_each_other_and_the_end() {
        let (nameplates, now) = (usual(), Instant::now());
        let (to_creator, to_guest) = (outbox(), outbox());
        let mut creator = nameplates.offer(now, address(1), to_creator.clone()).unwrap();
        creator.pass_on(body()).unwrap(); // To nobody yet.
        let mut guest =
            nameplates.claim(now, address(2), creator.nameplate(), to_guest.clone()).unwrap();
        for outbox in [&to_creator, &to_guest] {
            assert_eq!(next(outbox).await, ServerMessage::CodeClaimed);
        }
        guest.pass_on(body()).unwrap();
        assert_eq!(next(&to_creator).await, ServerMessage::CodeMessage { body: body() });
        creator.pass_on(body()).unwrap();
        assert_eq!(next(&to_guest).await, ServerMessage::CodeMessage { body: body() });
        drop(creator);
        let ended = ServerMessage::CodeEnded { reason: CodeEnd::Left };
        assert_eq!(next(&to_guest).await, ended);
        assert_eq!(nameplates.count(), 0);
    }

    #[tokio::test]
    async fn the_creator_hears_that_the_guest_left() {
        let (nameplates, now, to_creator) = (usual(), Instant::now(), outbox());
        let creator = nameplates.offer(now, address(1), to_creator.clone()).unwrap();
        drop(nameplates.claim(now, address(2), creator.nameplate(), outbox()).unwrap());
        assert_eq!(next(&to_creator).await, ServerMessage::CodeClaimed);
        let ended = ServerMessage::CodeEnded { reason: CodeEnd::Left };
        assert_eq!(next(&to_creator).await, ended);
    }

    #[test]
    fn a_nameplate_is_claimed_once_and_what_is_used_up_looks_like_what_never_was() {
        let (nameplates, now) = (usual(), Instant::now());
        let claim = |now, nameplate| nameplates.claim(now, address(2), nameplate, outbox()).err();
        let never = Nameplate::new(123_456).unwrap();
        assert_eq!(claim(now, never), Some(ClaimError::NoSuchCode));

        let claimed = nameplates.offer(now, address(1), outbox()).unwrap();
        let guest = nameplates.claim(now, address(2), claimed.nameplate(), outbox()).unwrap();
        assert_eq!(claim(now, claimed.nameplate()), Some(ClaimError::NoSuchCode));
        drop(guest);
        assert_eq!(claim(now, claimed.nameplate()), Some(ClaimError::NoSuchCode));

        let left = nameplates.offer(now, address(1), outbox()).unwrap();
        let nameplate = left.nameplate();
        drop(left);
        assert_eq!(claim(now, nameplate), Some(ClaimError::NoSuchCode));

        let expired = nameplates.offer(now, address(1), outbox()).unwrap();
        assert_eq!(claim(now + LIFE, expired.nameplate()), Some(ClaimError::NoSuchCode));
        let in_time = nameplates.offer(now, address(1), outbox()).unwrap();
        let just = now + LIFE - Duration::from_millis(1);
        assert_eq!(claim(just, in_time.nameplate()), None);
    }

    #[test]
    fn who_is_claimed_just_in_time_has_time_for_the_exchange() {
        let (nameplates, now) = (usual(), Instant::now());
        let mut creator = nameplates.offer(now, address(1), outbox()).unwrap();
        assert_eq!(creator.until(), now + LIFE);
        let just = creator.until() - Duration::from_millis(1);
        let mut guest = nameplates.claim(just, address(2), creator.nameplate(), outbox()).unwrap();
        assert!(!creator.is_over());
        assert!(creator.until() > guest.until());
        assert!(creator.is_over(), "it is put off once");
        assert!(guest.is_over());
        let mut alone = nameplates.offer(now, address(1), outbox()).unwrap();
        assert!(alone.is_over());
    }

    #[test]
    fn a_nameplate_rests_before_it_is_given_out_again() {
        let limits = Limits { max_codes_per_address: 1000, ..Limits::default() };
        let (nameplates, now) = (nameplates(limits), Instant::now());
        let first = nameplates.offer(now, address(1), outbox()).unwrap();
        let number = first.nameplate();
        first.end(now + LIFE);
        let offer = |now| nameplates.offer(now, address(1), outbox()).unwrap();
        let just = now + LIFE + REST - Duration::from_millis(1);
        let others: Vec<_> = (0..300).map(|_| offer(just)).collect();
        assert!(others.iter().all(|other| other.nameplate() != number));
        others.iter().for_each(|other| other.end(just));
        nameplates.lock().wake(now + LIFE + REST);
        assert!(!nameplates.lock().by_number.contains_key(&number));
        assert_eq!(nameplates.lock().by_number.len(), 300);
        assert_eq!(nameplates.lock().offered[&address(1)], 300);
        nameplates.lock().wake(just + REST);
        assert!(nameplates.lock().by_number.is_empty() && nameplates.lock().offered.is_empty());
    }

    #[tokio::test]
    async fn an_end_that_outlives_its_nameplate_has_no_part_in_the_next_one() {
        let (nameplates, now, to_next) = (usual(), Instant::now(), outbox());
        let creator = nameplates.offer(now, address(1), outbox()).unwrap();
        let number = creator.nameplate();
        let mut guest = nameplates.claim(now, address(2), number, outbox()).unwrap();
        creator.end(now);
        nameplates.lock().wake(now + REST);
        let mut next_creator = nameplates.offer(now + REST, address(3), to_next.clone()).unwrap();
        while next_creator.nameplate() != number {
            next_creator.end(now);
            nameplates.lock().wake(now + REST);
            next_creator = nameplates.offer(now + REST, address(3), to_next.clone()).unwrap();
        }
        guest.pass_on(body()).unwrap();
        drop((guest, creator));
        assert_eq!(nameplates.count(), 1);
        let claimed = nameplates.claim(now + REST, address(4), number, outbox()).unwrap();
        assert_eq!(next(&to_next).await, ServerMessage::CodeClaimed);
        drop(claimed);
    }

    #[test]
    fn nameplates_are_limited_for_the_server_and_for_an_address_at_rest_or_not() {
        let limits = Limits { max_codes: 3, max_codes_per_address: 2, ..Limits::default() };
        let (nameplates, now) = (nameplates(limits), Instant::now());
        let offer = |now, last| nameplates.offer(now, address(last), outbox());
        let first = offer(now, 1).unwrap();
        first.end(now);
        let _second = offer(now, 1).unwrap();
        assert_eq!(offer(now, 1).err(), Some(OfferError::AddressFull));
        let _third = offer(now, 2).unwrap();
        assert_eq!(offer(now, 3).err(), Some(OfferError::Full));
        let _fourth = offer(now + REST, 1).unwrap();
        assert_eq!(nameplates.count(), 3);
    }

    #[test]
    fn an_address_has_a_few_claims_a_minute_right_or_not() {
        let limits = Limits { claim_burst: 3, claims_per_minute: 6, ..Limits::default() };
        let (nameplates, now) = (nameplates(limits), Instant::now());
        let claim = |now, address: &str| {
            let never = Nameplate::new(123_456).unwrap();
            nameplates.claim(now, address.parse().unwrap(), never, outbox()).err().unwrap()
        };
        for _ in 0..3 {
            assert_eq!(claim(now, "2001:db8::1"), ClaimError::NoSuchCode);
        }
        assert_eq!(claim(now, "2001:db8::2"), ClaimError::TooFast, "the same network");
        assert_eq!(claim(now, "10.0.0.1"), ClaimError::NoSuchCode);
        let later = now + Duration::from_secs(10);
        assert_eq!(claim(later, "2001:db8::1"), ClaimError::NoSuchCode);
        assert_eq!(claim(later, "2001:db8::1"), ClaimError::TooFast);
    }

    #[test]
    fn addresses_that_may_claim_all_again_are_forgotten() {
        let (nameplates, now) = (usual(), Instant::now());
        let never = Nameplate::new(123_456).unwrap();
        for i in 0..10_000u32 {
            // Each long after the one before.
            let now = now + i * Duration::from_secs(60);
            let address = IpAddr::from((0x0a00_0000 + i).to_be_bytes());
            assert_eq!(
                nameplates.claim(now, address, never, outbox()).err(),
                Some(ClaimError::NoSuchCode)
            );
        }
        assert!(nameplates.lock().claims.len() <= 64);
    }

    #[test]
    fn two_who_meet_have_little_to_say() {
        let (nameplates, now) = (usual(), Instant::now());
        let mut creator = nameplates.offer(now, address(1), outbox()).unwrap();
        for _ in 0..MAX_MESSAGES {
            assert_eq!(creator.pass_on(body()), Ok(()));
        }
        assert_eq!(creator.pass_on(body()), Err(TooManyMessages));
    }

    #[test]
    fn numbers_are_short_and_at_most_one_in_ten_is_in_use() {
        let limits = Limits { max_codes_per_address: 1000, ..Limits::default() };
        let (nameplates, now) = (nameplates(limits), Instant::now());
        let mut parties = Vec::new();
        let mut seen = HashSet::new();
        for i in 0..1000 {
            let party = nameplates.offer(now, address(1), outbox()).unwrap();
            let number = party.nameplate().number();
            let below = match i {
                0 => 10,
                1..10 => 100,
                10..100 => 1000,
                _ => 10_000,
            };
            assert!(number < below, "{number} is the nameplate after {i}");
            assert!(seen.insert(number));
            parties.push(party);
        }
    }
}
