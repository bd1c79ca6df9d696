//! Two ends of a code and whatever is between them, without sockets and clocks.
//!
//! What is shown: the right words get the invite and wrong ones nothing, once; a code that was tried is
//! dead, whatever is said to it afterwards; both sides are told; the one in the middle has one guess at each
//! end; and what another implementation has to compute.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::code::Code;
use crate::identity::DeviceKey;
use crate::io::{LostCause, SignalingEvent};
use crate::pake::Spake2;
use crate::rng::Rng;
use crate::signaling::{CodeEnd, ErrorCode, ServerMessage};
use crate::time::Instant;

const START: Instant = Instant::ZERO;
const LIFE: Duration = Duration::from_secs(600);
/// Enough for every random code of these tests to be different.
type Seed = [u8; 32];

fn invite() -> Invite {
    Invite::new([7; 32], &DeviceKey::from_bytes([1; 32]).public())
}

fn nameplate() -> Nameplate {
    Nameplate::new(4).expect("it is a number of a code")
}

/// One of 256 codes: the space that guesses are tried in.
fn words(number: u8) -> Words {
    Words::new([number, 0, 0, 0, 0, 0])
}

fn message(message: ServerMessage) -> SignalingEvent {
    SignalingEvent::Message(message)
}

fn body(said: &Said) -> SignalingEvent {
    let ClientMessage::CodeMessage { body } = said.message() else { unreachable!() };
    message(ServerMessage::CodeMessage { body })
}

/// A code that is shown.
fn offered<P: Pake>(words: Words, random: Seed) -> Offering<P> {
    let mut offering = Offering::with_words(START, invite(), words, random);
    offering.handle_signaling(START, SignalingEvent::Opened);
    assert_eq!(offering.poll_transmit(), Some(ClientMessage::OfferCode { version: 1 }));
    let offer = ServerMessage::CodeOffered { nameplate: nameplate(), life_seconds: 600 };
    offering.handle_signaling(START, message(offer));
    let code = Code { nameplate: nameplate(), words };
    let event = OfferEvent::Offered { code, until: START + LIFE };
    assert_eq!(offering.poll_event(), Some(event));
    offering
}

/// A guest that has asked the server.
fn claiming<P: Pake>(words: Words, random: Seed) -> Claiming<P> {
    let code = Code { nameplate: nameplate(), words };
    let mut claiming = Claiming::new(START, code, random);
    claiming.handle_signaling(START, SignalingEvent::Opened);
    let claim = ClientMessage::ClaimCode { version: 1, nameplate: nameplate() };
    assert_eq!(claiming.poll_transmit(), Some(claim));
    claiming
}

/// Brings the two together, and passes on what they say until both are silent.
fn meet<P: Pake>(offering: &mut Offering<P>, claiming: &mut Claiming<P>) {
    offering.handle_signaling(START, message(ServerMessage::CodeClaimed));
    claiming.handle_signaling(START, message(ServerMessage::CodeClaimed));
    loop {
        let (from_guest, from_creator) = (claiming.poll_transmit(), offering.poll_transmit());
        let passed = from_guest.is_some() || from_creator.is_some();
        if let Some(ClientMessage::CodeMessage { body }) = from_guest {
            offering.handle_signaling(START, message(ServerMessage::CodeMessage { body }));
        }
        if let Some(ClientMessage::CodeMessage { body }) = from_creator {
            claiming.handle_signaling(START, message(ServerMessage::CodeMessage { body }));
        }
        if !passed {
            return;
        }
    }
}

/// How an offer ended, after somebody came.
fn end_after_try<P: Pake>(offering: &mut Offering<P>) -> OfferEnd {
    assert_eq!(offering.poll_event(), Some(OfferEvent::Tried));
    end(offering)
}

fn end<P: Pake>(offering: &mut Offering<P>) -> OfferEnd {
    let Some(OfferEvent::Ended(end)) = offering.poll_event() else { panic!("it has not ended") };
    assert_eq!(offering.poll_event(), None);
    assert!(offering.is_over());
    end
}

#[test]
fn the_right_words_get_the_invite_and_both_are_told() {
    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    let mut guest = claiming(words(9), [2; 32]);
    meet(&mut offering, &mut guest);
    assert_eq!(guest.poll_outcome(), Some(Ok(invite())));
    assert_eq!(end_after_try(&mut offering), OfferEnd::Taken);
}

#[test]
fn wrong_words_get_nothing_and_burn_the_code_for_good() {
    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    let mut guest = claiming(words(8), [2; 32]);
    meet(&mut offering, &mut guest);
    assert_eq!(guest.poll_outcome(), Some(Err(ClaimError::WrongWords)));
    let end = end_after_try(&mut offering);
    assert_eq!(end, OfferEnd::WrongWords);
    assert!(end.is_burnt());

    // Whatever a server says to it now, even with the right words.
    let mut late = claiming(words(9), [3; 32]);
    meet(&mut offering, &mut late);
    let again = ServerMessage::CodeOffered { nameplate: nameplate(), life_seconds: 600 };
    offering.handle_signaling(START, message(again));
    meet(&mut offering, &mut claiming(words(9), [4; 32]));
    offering.handle_timeout(START + 2 * LIFE);
    assert_eq!((offering.poll_event(), offering.poll_transmit()), (None, None));
    assert_eq!(late.poll_outcome(), None);
}

#[test]
fn a_code_is_good_for_one_guest() {
    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    meet(&mut offering, &mut claiming(words(9), [2; 32]));
    assert_eq!(end_after_try(&mut offering), OfferEnd::Taken);
    let mut second = claiming(words(9), [3; 32]);
    meet(&mut offering, &mut second);
    assert_eq!(second.poll_outcome(), None);
    assert_eq!(offering.poll_event(), None);
}

#[test]
fn the_one_in_the_middle_has_one_guess_at_each_end_and_both_are_told() {
    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    let mut guest = claiming::<Spake2>(words(9), [2; 32]);
    meet(&mut offered(words(1), [3; 32]), &mut guest);
    meet(&mut offering, &mut claiming(words(2), [4; 32]));
    assert_eq!(guest.poll_outcome(), Some(Err(ClaimError::WrongWords)));
    assert_eq!(end_after_try(&mut offering), OfferEnd::WrongWords);
}

#[test]
fn who_pretends_to_be_the_creator_is_found_out() {
    let shared = [5; 32];
    let keys = Keys::new(&shared);
    let sealed = keys.seal(nameplate(), &invite());
    let confirmation = keys.creator_confirms;
    let mut guest = claiming::<Spake2>(words(9), [2; 32]);
    guest.handle_signaling(START, message(ServerMessage::CodeClaimed));
    let (_, share) = start::<Spake2>(Side::Creator, nameplate(), words(1), [1; 32]);
    guest.handle_signaling(START, body(&Said::Share(share)));
    guest.handle_signaling(START, body(&Said::Invite { confirmation, sealed }));
    assert_eq!(guest.poll_outcome(), Some(Err(ClaimError::Impostor)));
}

#[test]
fn messages_of_another_nameplate_side_or_exchange_are_of_no_use() {
    // The server gives both the same words under different nameplates.
    let other = Code { nameplate: Nameplate::new(5).unwrap(), words: words(9) };
    let mut guest = Claiming::<Spake2>::new(START, other, [2; 32]);
    guest.handle_signaling(START, SignalingEvent::Opened);
    guest.poll_transmit();
    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    meet(&mut offering, &mut guest);
    assert_eq!(end_after_try(&mut offering), OfferEnd::WrongWords);

    // The creator's own share comes back to it.
    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    offering.handle_signaling(START, message(ServerMessage::CodeClaimed));
    let (_, own) = start::<Spake2>(Side::Creator, nameplate(), words(9), [1; 32]);
    offering.handle_signaling(START, body(&Said::Share(own)));
    assert_eq!(end_after_try(&mut offering), OfferEnd::GuestBroke);

    // The messages of a guest that got in, to another offer of the same words.
    let mut heard = Vec::new();
    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    let mut guest = claiming::<Spake2>(words(9), [2; 32]);
    offering.handle_signaling(START, message(ServerMessage::CodeClaimed));
    guest.handle_signaling(START, message(ServerMessage::CodeClaimed));
    for _ in 0..2 {
        let Some(ClientMessage::CodeMessage { body }) = guest.poll_transmit() else { panic!() };
        heard.push(body.clone());
        offering.handle_signaling(START, message(ServerMessage::CodeMessage { body }));
        let Some(ClientMessage::CodeMessage { body }) = offering.poll_transmit() else { panic!() };
        guest.handle_signaling(START, message(ServerMessage::CodeMessage { body }));
    }
    assert_eq!(end_after_try(&mut offering), OfferEnd::Taken);
    let mut next = offered::<Spake2>(words(9), [3; 32]);
    next.handle_signaling(START, message(ServerMessage::CodeClaimed));
    for body in heard {
        next.handle_signaling(START, message(ServerMessage::CodeMessage { body }));
    }
    assert_eq!(end_after_try(&mut next), OfferEnd::WrongWords);
}

#[test]
fn a_guest_that_leaves_falls_silent_or_babbles_burns_the_code() {
    let left = || message(ServerMessage::CodeEnded { reason: CodeEnd::Left });
    let claimed = || {
        let mut offering = offered::<Spake2>(words(9), [1; 32]);
        offering.handle_signaling(START, message(ServerMessage::CodeClaimed));
        offering
    };
    let mut offering = claimed();
    offering.handle_signaling(START, left());
    assert_eq!(end_after_try(&mut offering), OfferEnd::GuestLeft);

    let mut offering = claimed();
    let due = offering.poll_timeout().unwrap();
    assert_eq!(due, START + EXCHANGE_PATIENCE);
    offering.handle_timeout(due);
    assert_eq!(end_after_try(&mut offering), OfferEnd::GuestSilent);

    for nonsense in [
        body(&Said::Confirmation([0; 32])),
        body(&Said::Share(vec![1, 2, 3])),
        body(&Said::Wrong),
        message(ServerMessage::CodeMessage { body: CodeBody::new(vec![2, 0]).unwrap() }),
        message(ServerMessage::CodeMessage { body: CodeBody::new(vec![]).unwrap() }),
        message(ServerMessage::CodeClaimed),
    ] {
        let mut offering = claimed();
        offering.handle_signaling(START, nonsense);
        let end = end_after_try(&mut offering);
        assert_eq!(end, OfferEnd::GuestBroke);
        assert!(end.is_burnt());
        assert_eq!(offering.poll_transmit(), None);
    }

    // A guess without a claim, by a server that thinks this could go unseen.
    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    offering.handle_signaling(START, body(&Said::Share(vec![])));
    assert_eq!(end(&mut offering), OfferEnd::GuestBroke);
}

#[test]
fn a_code_expires_after_ten_minutes_whatever_the_server_says() {
    let mut offering = Offering::<Spake2>::with_words(START, invite(), words(9), [1; 32]);
    offering.handle_signaling(START, SignalingEvent::Opened);
    let offer = ServerMessage::CodeOffered { nameplate: nameplate(), life_seconds: u32::MAX };
    offering.handle_signaling(START, message(offer));
    offering.poll_event();
    assert_eq!(offering.poll_timeout(), Some(START + MAX_LIFE));
    offering.handle_timeout(START + MAX_LIFE);
    assert_eq!(end(&mut offering), OfferEnd::Expired);

    let mut offering = offered::<Spake2>(words(9), [1; 32]);
    let expired = ServerMessage::CodeEnded { reason: CodeEnd::Expired };
    offering.handle_signaling(START, message(expired));
    assert_eq!(end(&mut offering), OfferEnd::Expired);
}

#[test]
fn what_the_server_does_is_told() {
    let lost = || SignalingEvent::Closed { cause: LostCause::Server, reason: "gone".into() };
    let error = |code| message(ServerMessage::Error { code, message: "no".into() });
    let offering = |event: SignalingEvent| {
        let mut offering = Offering::<Spake2>::new(START, invite(), [1; 32]);
        offering.handle_signaling(START, SignalingEvent::Opened);
        offering.handle_signaling(START, event);
        end(&mut offering)
    };
    assert_eq!(offering(error(ErrorCode::BadMessage)), OfferEnd::NoCodes);
    assert_eq!(offering(error(ErrorCode::Busy)), OfferEnd::Refused("no".into()));
    assert_eq!(offering(lost()), OfferEnd::Unreachable("gone".into()));
    let mut waiting = Offering::<Spake2>::new(START, invite(), [1; 32]);
    waiting.handle_timeout(waiting.poll_timeout().unwrap());
    assert!(matches!(end(&mut waiting), OfferEnd::Unreachable(_)));
    let mut shown = offered::<Spake2>(words(9), [1; 32]);
    shown.handle_signaling(START, lost());
    assert_eq!(end(&mut shown), OfferEnd::Lost("gone".into()));

    let claiming = |event: SignalingEvent| {
        let mut guest = claiming::<Spake2>(words(9), [2; 32]);
        guest.handle_signaling(START, event);
        assert_eq!(guest.poll_timeout(), None);
        guest.poll_outcome().unwrap().unwrap_err()
    };
    let no_such = ClaimError::NoSuchCode(nameplate());
    assert_eq!(claiming(error(ErrorCode::NoSuchCode)), no_such);
    assert_eq!(claiming(error(ErrorCode::BadMessage)), ClaimError::NoCodes);
    assert_eq!(claiming(error(ErrorCode::TooFast)), ClaimError::Refused("no".into()));
    assert_eq!(claiming(lost()), ClaimError::Unreachable("gone".into()));
    let ended = ServerMessage::CodeEnded { reason: CodeEnd::Left };
    assert_eq!(claiming(message(ended)), ClaimError::CreatorLeft);
}

#[test]
fn a_guest_waits_for_a_creator_as_long_as_a_creator_for_a_guest() {
    let mut guest = claiming::<Spake2>(words(9), [2; 32]);
    assert_eq!(guest.poll_timeout(), Some(START + SERVER_PATIENCE));
    guest.handle_signaling(START, message(ServerMessage::CodeClaimed));
    let due = guest.poll_timeout().unwrap();
    assert_eq!(due, START + EXCHANGE_PATIENCE);
    guest.handle_timeout(START);
    assert_eq!(guest.poll_outcome(), None, "it is not due yet");
    guest.handle_timeout(due);
    assert_eq!(guest.poll_outcome(), Some(Err(ClaimError::CreatorSilent)));
}

proptest! {
    /// Whatever a server says, in whatever order, nothing panics and the invite is not given out.
    #[test]
    fn no_server_gets_the_invite_by_babbling(
        babble in prop::collection::vec((0u8..8, prop::collection::vec(any::<u8>(), 0..80)), 1..12),
    ) {
        let mut offering = Offering::<Spake2>::new(START, invite(), [1; 32]);
        let mut guest = claiming::<Spake2>(words(9), [2; 32]);
        for (kind, bytes) in babble {
            let said = |bytes: Vec<u8>| {
                ServerMessage::CodeMessage { body: CodeBody::new(bytes).unwrap() }
            };
            let event = match kind {
                0 => SignalingEvent::Opened,
                1 => message(ServerMessage::CodeOffered { nameplate: nameplate(), life_seconds: 9 }),
                2 => message(ServerMessage::CodeClaimed),
                3 => message(ServerMessage::Pong),
                4..7 => message(said([&[VERSION, kind - 4], &bytes[..]].concat())),
                _ => message(said(bytes)),
            };
            offering.handle_signaling(START, event.clone());
            guest.handle_signaling(START, event);
        }
        while let Some(event) = offering.poll_event() {
            prop_assert_ne!(event, OfferEvent::Ended(OfferEnd::Taken));
        }
        prop_assert!(!matches!(guest.poll_outcome(), Some(Ok(_))));
    }
}

/// What another implementation has to arrive at, from the random numbers to the sealed invite.
#[test]
fn what_is_derived_is_as_recorded() {
    let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let keys = Keys::new(&[5; 32]);
    assert_eq!(
        hex(&keys.guest_confirms),
        "4a44d7e05145bc9294a94231ff84ce385a6e2537259d49dc2dca27473ecdcb17"
    );
    assert_eq!(
        hex(&keys.creator_confirms),
        "55bf38942ca6518fdebd587040fd55cb12e8d546b51aac90f00ff28ba2bc7181"
    );
    assert_eq!(
        hex(&keys.seals_invite),
        "6e3384809fe1f8b764824bcd440f95692a82a4c2b8e69d2d8bc6775868f5811b"
    );
    let sealed = keys.seal(nameplate(), &invite());
    let recorded = "6ecd567f0c053d7cc2c89f8777f4cfebbb941f5e414bb5d0d5971bd3035b9d789285650cfae288e2ea44\
                    345a5fb9598df71eb014e972890e2d401e9031383267275a9394a35bdaee35e62cfc0ff806aeeca4";
    assert_eq!(hex(&sealed), recorded);
    assert_eq!(keys.open(nameplate(), &sealed), Some(invite().to_string()));
    let another = Nameplate::new(5).unwrap();
    assert_eq!(keys.open(another, &sealed), None);

    // A whole conversation, for these words and random bytes.
    let code: Code = "4-brave-otter-lamp".parse().unwrap();
    let mut offering = offered::<Spake2>(code.words, [1; 32]);
    let mut guest = claiming::<Spake2>(code.words, [2; 32]);
    offering.handle_signaling(START, message(ServerMessage::CodeClaimed));
    guest.handle_signaling(START, message(ServerMessage::CodeClaimed));
    for said in [
        "010042f203671c655f524bfe0e0e369b204b927fce1d068ffb12224cf8a005b6a204f1",
        "010041ea8c7ca07ebb217278a4532e5d224f7ae97ddd85841d13544526b6da147a630a",
        "01019d5aaeda22db8cb98d4f5f045b1691becb1ec1306537b721c919a1f026b2de90",
        "01023866865581831543ca8e31ce502f533dfb3e58a0596e84c2e18fc7292984d6041a287c0d85ffd6d2e01265461584fc93\
         dfa8fc8626e2a965ee8c8c38aaf0ce0b1d82ef632b4751502ce3eddb231a476ccd416d811a1d299c6a3f0a7566d2ceb97630\
         d40164ecbba6c6b218da29a1c266f4d1",
    ] {
        let from_guest = guest.poll_transmit();
        let to_creator = from_guest.is_some();
        let Some(ClientMessage::CodeMessage { body }) =
            from_guest.or_else(|| offering.poll_transmit())
        else {
            panic!("nothing more is said");
        };
        assert_eq!(hex(body.as_bytes()), said);
        let event = message(ServerMessage::CodeMessage { body });
        if to_creator {
            offering.handle_signaling(START, event);
        } else {
            guest.handle_signaling(START, event);
        }
    }
    assert_eq!(guest.poll_outcome(), Some(Ok(invite())));

    // The words that a client makes of its seed.
    let mut offering = Offering::<Spake2>::new(START, invite(), [9; 32]);
    offering.handle_signaling(START, SignalingEvent::Opened);
    let offer = ServerMessage::CodeOffered { nameplate: nameplate(), life_seconds: 600 };
    offering.handle_signaling(START, message(offer));
    let Some(OfferEvent::Offered { code, .. }) = offering.poll_event() else { panic!() };
    assert_eq!(code.to_string(), "4-high-huddle-stream");
}

/// What an ideal exchange of keys would be: the same words give the same key, others an unrelated one. It
/// stands in where a million tries with the real one would take too long.
struct Ideal {
    side: Side,
    secret: Vec<u8>,
    share: Vec<u8>,
}

impl Pake for Ideal {
    fn start(side: Side, password: &[u8], context: &[u8], random: Seed) -> (Self, Vec<u8>) {
        let share = random.to_vec();
        (Self { side, secret: [context, password].concat(), share: share.clone() }, share)
    }

    fn finish(self, theirs: &[u8]) -> Result<SharedKey, crate::pake::BadShare> {
        let shares = match self.side {
            Side::Creator => [&self.share, theirs],
            Side::Guest => [theirs, &self.share],
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.secret).update(shares[0]).update(shares[1]);
        Ok(*hasher.finalize().as_bytes())
    }
}

/// Offers so many codes out of 256, each of which is guessed at once, and asserts that no more guesses are
/// right than chance gives.
///
/// The bound: of n guesses that are right with p = 1/256 each, the number of right ones is off its mean by
/// more than five standard deviations once in 1.7 million runs. The seed is fixed, so this either holds or
/// does not.
fn guess_at_codes<P: Pake>(codes: u32, seed: u8) {
    let mut rng = Rng::new([seed; 32]);
    let mut ends = BTreeMap::new();
    let mut got = 0u32;
    for number in 0..codes {
        let [secret, other] = rng.bytes();
        // Half of them try what they like, half go through all there are.
        let guess = if number % 2 == 0 { other } else { (number / 2 % 256) as u8 };
        let mut offering = offered::<P>(words(secret), rng.bytes());
        let mut guest = claiming::<P>(words(guess), rng.bytes());
        meet(&mut offering, &mut guest);
        let outcome = guest.poll_outcome().expect("an exchange comes to an end");
        let end = end_after_try(&mut offering);
        assert_eq!(outcome.is_ok(), guess == secret);
        assert_eq!(end, if guess == secret { OfferEnd::Taken } else { OfferEnd::WrongWords });
        got += u32::from(outcome.is_ok());
        *ends.entry(end.is_burnt()).or_insert(0u32) += 1;

        // One guess per code: the next one, with the right words, meets a dead code.
        let mut next = claiming::<P>(words(secret), rng.bytes());
        meet(&mut offering, &mut next);
        assert_eq!((next.poll_outcome(), offering.poll_event()), (None, None));
    }
    assert_eq!(ends.values().sum::<u32>(), codes, "each code has had one end");
    assert_eq!(ends.get(&false).copied().unwrap_or(0), got);
    let (n, p) = (f64::from(codes), 1.0 / 256.0);
    let (mean, deviation) = (n * p, (n * p * (1.0 - p)).sqrt());
    let off = (f64::from(got) - mean).abs() / deviation;
    assert!(off < 5.0, "{got} of {codes} guesses were right: {off:.1} standard deviations off");
}

/// A million with `SHOAL_LONG=1`: half a minute.
#[test]
fn guesses_at_an_ideal_key_exchange_are_right_as_often_as_chance_has_it() {
    guess_at_codes::<Ideal>(if is_long() { 1_000_000 } else { 200_000 }, 1);
}

/// A million with `SHOAL_LONG=1`: six minutes.
#[test]
fn guesses_at_the_real_key_exchange_are_right_as_often_as_chance_has_it() {
    guess_at_codes::<Spake2>(if is_long() { 1_000_000 } else { 10_000 }, 2);
}

fn is_long() -> bool {
    std::env::var_os("SHOAL_LONG").is_some_and(|value| value == "1")
}
