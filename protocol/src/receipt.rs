//! Receipts: a peer's signed word that it holds all of a share, verified and in place, and since when.
//!
//! A receipt is signed by the holder's device key over room, share and time, so it is worth the same
//! whoever passes it on, and nothing in another room. It says what was true when it was signed: a holder
//! may have left since, or erased its copy. The time is the holder's own clock.

use crate::codec::{DecodeError, Reader, Writer};
use crate::identity::{BadSignature, DeviceKey, PublicKey, Signature};
use crate::manifest::ShareId;
use crate::signaling::RoomId;

const SIGN: &str = "shoal v1 holder signs a receipt for a whole share";

/// Somebody's word that it holds all of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which share.
    pub share: ShareId,
    /// Who holds it.
    pub holder: PublicKey,
    /// Since when, in milliseconds since 1970 by the holder's clock.
    pub since_ms: u64,
    /// By the holder.
    pub signature: Signature,
}

impl Receipt {
    /// Gives one's word.
    pub fn sign(room: RoomId, share: ShareId, since_ms: u64, key: &DeviceKey) -> Self {
        let signature = key.sign(SIGN, &signed_part(room, share, since_ms));
        Self { share, holder: key.public(), since_ms, signature }
    }

    /// Whether the holder gave its word in this room.
    pub fn verify(&self, room: RoomId) -> Result<(), BadSignature> {
        let signed = signed_part(room, self.share, self.since_ms);
        self.holder.verify(SIGN, &signed, &self.signature)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(&self.share.0).bytes(&self.holder.0).u64(self.since_ms).bytes(&self.signature.0);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            share: ShareId(r.array()?),
            holder: PublicKey(r.array()?),
            since_ms: r.u64()?,
            signature: Signature(r.array()?),
        })
    }
}

fn signed_part(room: RoomId, share: ShareId, since_ms: u64) -> Vec<u8> {
    let mut w = Writer::new();
    w.bytes(&room.0).bytes(&share.0).u64(since_ms);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_holds_only_as_it_was_signed() {
        let room = RoomId([1; 16]);
        let key = DeviceKey::from_bytes([2; 32]);
        let receipt = Receipt::sign(room, ShareId([3; 32]), 4, &key);
        assert_eq!(receipt.verify(room), Ok(()));
        assert_eq!(receipt.verify(RoomId([9; 16])), Err(BadSignature), "another room");
        let other = DeviceKey::from_bytes([9; 32]).public();
        for changed in [
            Receipt { share: ShareId([9; 32]), ..receipt.clone() },
            Receipt { since_ms: 9, ..receipt.clone() },
            Receipt { holder: other, ..receipt.clone() },
        ] {
            assert_eq!(changed.verify(room), Err(BadSignature), "{changed:?}");
        }
    }
}
