//! Agreeing on a strong key by a weak password (PAKE), behind a small trait.
//!
//! It is SPAKE2 (RFC 9382 tells its workings and proof) in the form of the crate `spake2`, which differs
//! from the RFC in its two constants and in how it hashes the transcript. Whoever does not know the
//! password, be it the one in the middle, can try one per exchange and learns nothing else. Confirming
//! that both have the same key, which SPAKE2 leaves open, and counting exchanges are left to
//! [`crate::rendezvous`].

use rand_core::{CryptoRng, RngCore};
use spake2::{Ed25519Group, Identity, Password};

use crate::rng::Rng;

/// Which end of an exchange; the two are not alike, so no message can be reflected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Made the password.
    Creator,
    /// Was told the password.
    Guest,
}

/// What both ends have in common if their passwords were the same, and else nothing.
pub type SharedKey = [u8; 32];

/// A message that cannot be one of the other end's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side broke the key exchange")]
pub struct BadShare;

/// One end of one exchange, between its own message and the other's.
pub trait Pake: Sized {
    /// Begins: what to keep, and what to send. `context` must be the same at both ends; `random` must be
    /// secret, and never used before.
    fn start(side: Side, password: &[u8], context: &[u8], random: [u8; 32]) -> (Self, Vec<u8>);

    /// Ends with the other's message. It must be used once.
    fn finish(self, share: &[u8]) -> Result<SharedKey, BadShare>;
}

/// SPAKE2 on edwards25519 with SHA-256.
pub struct Spake2(spake2::Spake2<Ed25519Group>);

impl Pake for Spake2 {
    fn start(side: Side, password: &[u8], context: &[u8], random: [u8; 32]) -> (Self, Vec<u8>) {
        let password = Password::new(password);
        let identity = |role: &[u8]| Identity::new(&[context, role].concat());
        let (creator, guest) = (identity(b" creator"), identity(b" guest"));
        let rng = Scalars(Rng::new(random));
        let (state, share) = match side {
            Side::Creator => spake2::Spake2::start_a_with_rng(&password, &creator, &guest, rng),
            Side::Guest => spake2::Spake2::start_b_with_rng(&password, &creator, &guest, rng),
        };
        (Self(state), share)
    }

    fn finish(self, share: &[u8]) -> Result<SharedKey, BadShare> {
        let key = self.0.finish(share).map_err(|_| BadShare)?;
        key.try_into().map_err(|_| BadShare)
    }
}

/// The random numbers of this core, as the crate wants them.
struct Scalars(Rng);

impl RngCore for Scalars {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.0.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.0.bytes())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

// It is, with a secret seed: see `Rng`.
impl CryptoRng for Scalars {}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(passwords: [&[u8]; 2], contexts: [&[u8]; 2]) -> [SharedKey; 2] {
        let (creator, x) = Spake2::start(Side::Creator, passwords[0], contexts[0], [1; 32]);
        let (guest, y) = Spake2::start(Side::Guest, passwords[1], contexts[1], [2; 32]);
        [creator.finish(&y).unwrap(), guest.finish(&x).unwrap()]
    }

    #[test]
    fn the_same_password_and_context_give_the_same_key_and_others_do_not() {
        let [creator, guest] = exchange([b"word", b"word"], [b"4", b"4"]);
        assert_eq!(creator, guest);
        let [other, guest] = exchange([b"word", b"ward"], [b"4", b"4"]);
        assert!(other != guest && other != creator);
        let [other, guest] = exchange([b"word", b"word"], [b"4", b"5"]);
        assert!(other != guest && other == creator, "the creator's view is as it was");
    }

    #[test]
    fn a_share_that_is_reflected_or_none_is_refused() {
        let start = || Spake2::start(Side::Creator, b"word", b"4", [1; 32]);
        let (_, share) = start();
        let mut no_point = vec![b'B'];
        // There is no point of this height on the curve.
        no_point.push(2);
        no_point.extend([0; 31]);
        for bad in [&share[..], &[], &share[..32], &no_point, &[0; 33]] {
            assert_eq!(start().0.finish(bad), Err(BadShare));
        }
    }

    #[test]
    fn the_same_random_bytes_give_the_same_exchange() {
        let [creator, _] = exchange([b"word", b"word"], [b"4", b"4"]);
        let [again, _] = exchange([b"word", b"word"], [b"4", b"4"]);
        assert_eq!(creator, again);
    }
}
