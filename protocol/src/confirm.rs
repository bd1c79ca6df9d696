//! Confirmation: proof that nobody sits between two peers.
//!
//! Descriptions travel sealed, but a library or a server that could swap certificates must not matter
//! either. So once DTLS is up, and before anything else is believed, each side signs both certificate
//! fingerprints as it *observed* them on the connection, together with who offered and in which epoch.

use crate::codec::Writer;
use crate::identity::{BadSignature, DeviceKey, PublicKey, Signature};
use crate::io::{Fingerprint, Role};
use crate::signaling::{PeerId, RoomId};

const SIGN: &str = "shoal v1 peer confirms a connection";

/// What both sides must agree on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transcript {
    pub(crate) room: RoomId,
    pub(crate) epoch: u64,
    pub(crate) offerer: Side,
    pub(crate) answerer: Side,
}

/// One end of a connection, as seen from where the transcript is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) peer: PeerId,
    pub(crate) fingerprint: Fingerprint,
}

impl Transcript {
    pub(crate) fn sign(&self, role: Role, key: &DeviceKey) -> Signature {
        key.sign(SIGN, &self.signed_part(role))
    }

    /// Checks what the side with this role signed.
    pub(crate) fn verify(
        &self,
        role: Role,
        key: &PublicKey,
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        key.verify(SIGN, &self.signed_part(role), signature)
    }

    pub(crate) fn signed_part(&self, role: Role) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.room.0).u64(self.epoch).u8(u8::from(role == Role::Answerer));
        for side in [&self.offerer, &self.answerer] {
            w.u64(side.peer.0).bytes(&side.fingerprint.0);
        }
        w.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_holds_only_for_what_both_sides_observed() {
        let key = DeviceKey::from_bytes([1; 32]);
        let side = |n: u8| Side { peer: PeerId(u64::from(n)), fingerprint: Fingerprint([n; 32]) };
        let seen =
            Transcript { room: RoomId([0; 16]), epoch: 5, offerer: side(1), answerer: side(2) };
        let signature = seen.sign(Role::Offerer, &key);
        let verify = |t: Transcript, role| t.verify(role, &key.public(), &signature);
        assert_eq!(verify(seen, Role::Offerer), Ok(()));
        assert_eq!(verify(seen, Role::Answerer), Err(BadSignature), "reflected");
        let mut other = seen;
        other.answerer.fingerprint = Fingerprint([3; 32]);
        assert_eq!(verify(other, Role::Offerer), Err(BadSignature), "another certificate");
        let swapped = Transcript { offerer: seen.answerer, answerer: seen.offerer, ..seen };
        assert_eq!(verify(swapped, Role::Offerer), Err(BadSignature), "swapped");
        assert_eq!(
            verify(Transcript { epoch: 6, ..seen }, Role::Offerer),
            Err(BadSignature),
            "another epoch"
        );
    }
}
