//! Device keys: who a peer is towards other peers.
//!
//! A device key is an Ed25519 key (RFC 8032) that an adapter keeps. Everything is signed under a
//! *context*, a sentence that says what the signature is for, so that a signature made for one
//! purpose is worth nothing for another: what is signed is the BLAKE3 `derive_key` hash of the
//! message under that context.

use std::fmt;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

const COMPARE: &str = "shoal v1 what two people compare";

/// A private device key. `Debug` shows the public half only.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

/// The public half of a device key: the identity of a peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold")]
pub struct BadSignature;

impl DeviceKey {
    /// The key that these 32 secret random bytes make.
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&secret))
    }

    /// The 32 secret bytes, to be kept where only this user can read them.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// What others know this key by.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `message` for the purpose that `context` names.
    pub fn sign(&self, context: &'static str, message: &[u8]) -> Signature {
        Signature(self.0.sign(&blake3::derive_key(context, message)).to_bytes())
    }
}

impl PublicKey {
    /// Checks a signature made with [`DeviceKey::sign`] under the same context.
    ///
    /// Strict verification: no key or signature has a second form that also passes.
    pub fn verify(
        &self,
        context: &'static str,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| BadSignature)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&blake3::derive_key(context, message), &signature)
            .map_err(|_| BadSignature)
    }

    /// The first 8 hexadecimal digits: enough for a person to tell two peers of a room apart, not
    /// enough to prove anything.
    pub fn short(&self) -> String {
        HEXLOWER.encode(&self.0[..4])
    }
}

/// Six numbers below 2 048, to be said as words: two people who see the same ones hold each other's true
/// keys. The same from both sides; 66 bits, so that nobody can make keys to fit.
pub fn comparison(one: &PublicKey, other: &PublicKey) -> [u16; 6] {
    let (first, second) = (one.min(other), one.max(other));
    let derived = blake3::derive_key(COMPARE, &[first.0, second.0].concat());
    std::array::from_fn(|i| u16::from_le_bytes([derived[2 * i], derived[2 * i + 1]]) % 2048)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = crate::codec::DecodeError;

    /// Reads what `Display` writes. Whether it is a key shows when something is verified with it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(crate::codec::DecodeError::OutOfRange("public key"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.short())
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.public().short())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_only_for_its_key_message_and_context() {
        let key = DeviceKey::from_bytes([7; 32]);
        let other = DeviceKey::from_bytes([8; 32]);
        let signature = key.sign("context one", b"message");
        assert_eq!(key.public().verify("context one", b"message", &signature), Ok(()));
        for (public, context, message) in [
            (other.public(), "context one", &b"message"[..]),
            (key.public(), "context two", b"message"),
            (key.public(), "context one", b"massage"),
        ] {
            assert_eq!(public.verify(context, message, &signature), Err(BadSignature));
        }
    }

    #[test]
    fn what_is_compared_is_the_same_from_both_sides_and_differs_with_either_key() {
        let key = |n| DeviceKey::from_bytes([n; 32]).public();
        let words = comparison(&key(1), &key(2));
        assert_eq!(words, comparison(&key(2), &key(1)));
        assert_ne!(words, comparison(&key(1), &key(3)));
        assert_ne!(words, comparison(&key(3), &key(2)));
        assert!(words.iter().all(|&word| word < 2048));
    }

    #[test]
    fn keys_survive_being_stored() {
        let key = DeviceKey::from_bytes([9; 32]);
        assert_eq!(DeviceKey::from_bytes(key.to_bytes()).public(), key.public());
        assert!(!format!("{key:?}").contains(&HEXLOWER.encode(&key.to_bytes())));
    }
}
