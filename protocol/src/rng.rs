//! Random numbers that follow from a seed.
//!
//! The core has no randomness of its own: adapters give 32 secret random bytes, tests a number. What
//! follows is BLAKE3 in its extendable-output form, so with a secret seed it is fit for nonces.

/// A stream of random bytes.
pub(crate) struct Rng(blake3::OutputReader);

impl Rng {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(blake3::Hasher::new_keyed(&seed).finalize_xof())
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    /// A number below `bound`, or 0 if that is 0. The bias is below 2^-32 for the bounds in use.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from_le_bytes(self.bytes());
        ((u128::from(wide) * u128::from(bound)) >> 64) as u32
    }
}
