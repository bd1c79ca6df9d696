//! Rosters: whom the creator of a room lets in.
//!
//! The creator's signed word, passed on from member to member, so that the server has no say in it: while
//! a room is locked, its members neither answer nor stay connected to keys that are not on the roster. A
//! later roster takes the place of an earlier one. What is not on it is not told to anybody: who was let
//! out just finds nobody who answers.

use crate::codec::{DecodeError, Reader, Writer};
use crate::identity::{BadSignature, DeviceKey, PublicKey, Signature};
use crate::invite::Invite;
use crate::signaling::RoomId;

const SIGN: &str = "shoal v1 creator of a room says who is let in";
/// The most keys on a roster.
pub const MAX_ROSTER: usize = 512;

/// The creator's word on who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// The creator of the room.
    pub creator: PublicKey,
    /// When it was made, in milliseconds since 1970 by the creator's clock: the latest counts.
    pub made_ms: u64,
    /// Who is let in, besides the creator; `None` is everybody with the invite.
    pub only: Option<Vec<PublicKey>>,
    /// By the creator.
    pub signature: Signature,
}

impl Roster {
    /// Gives the creator's word. At most [`MAX_ROSTER`] keys are taken.
    pub fn sign(
        room: RoomId,
        made_ms: u64,
        mut only: Option<Vec<PublicKey>>,
        key: &DeviceKey,
    ) -> Self {
        if let Some(only) = &mut only {
            only.sort_unstable();
            only.dedup();
            only.truncate(MAX_ROSTER);
        }
        let creator = key.public();
        let signature = key.sign(SIGN, &signed_part(room, made_ms, only.as_deref()));
        Self { creator, made_ms, only, signature }
    }

    /// Whether it is the word of whoever made this invite.
    pub fn verify(&self, invite: &Invite) -> Result<(), BadSignature> {
        if !invite.is_creator(&self.creator) {
            return Err(BadSignature);
        }
        let signed = signed_part(invite.room_id(), self.made_ms, self.only.as_deref());
        self.creator.verify(SIGN, &signed, &self.signature)
    }

    /// Whether somebody is let in.
    pub fn lets_in(&self, key: &PublicKey) -> bool {
        *key == self.creator || self.only.as_ref().is_none_or(|only| only.contains(key))
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(&self.creator.0);
        write_word(w, self.made_ms, self.only.as_deref());
        w.bytes(&self.signature.0);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (creator, made_ms) = (PublicKey(r.array()?), r.u64()?);
        let only = match r.u8()? {
            0 => None,
            1 => {
                let count = r.count("number of keys", MAX_ROSTER as u32, 32)?;
                Some((0..count).map(|_| r.array().map(PublicKey)).collect::<Result<_, _>>()?)
            }
            value => return Err(DecodeError::Unknown { what: "kind of roster", value }),
        };
        Ok(Self { creator, made_ms, only, signature: Signature(r.array()?) })
    }
}

fn write_word(w: &mut Writer, made_ms: u64, only: Option<&[PublicKey]>) {
    w.u64(made_ms).u8(u8::from(only.is_some()));
    if let Some(only) = only {
        w.count(only.len());
        for key in only {
            w.bytes(&key.0);
        }
    }
}

fn signed_part(room: RoomId, made_ms: u64, only: Option<&[PublicKey]>) -> Vec<u8> {
    let mut w = Writer::new();
    w.bytes(&room.0);
    write_word(&mut w, made_ms, only);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> DeviceKey {
        DeviceKey::from_bytes([n; 32])
    }

    #[test]
    fn a_roster_holds_only_as_the_creator_signed_it_and_in_its_room() {
        let creator = key(1);
        let invite = Invite::new([2; 32], &creator.public());
        let friend = key(3).public();
        let roster = Roster::sign(invite.room_id(), 4, Some(vec![friend]), &creator);
        assert_eq!(roster.verify(&invite), Ok(()));
        assert!(roster.lets_in(&friend) && roster.lets_in(&creator.public()));
        assert!(!roster.lets_in(&key(9).public()));

        let elsewhere = Invite::new([9; 32], &creator.public());
        assert_eq!(roster.verify(&elsewhere), Err(BadSignature), "another room");
        let member = Roster::sign(invite.room_id(), 5, None, &key(3));
        assert_eq!(member.verify(&invite), Err(BadSignature), "not by the creator");
        for changed in [
            Roster { made_ms: 9, ..roster.clone() },
            Roster { only: None, ..roster.clone() },
            Roster { only: Some(vec![]), ..roster.clone() },
            Roster { only: Some(vec![key(9).public()]), ..roster.clone() },
            Roster { creator: friend, ..roster.clone() },
        ] {
            assert_eq!(changed.verify(&invite), Err(BadSignature), "{changed:?}");
        }
    }

    #[test]
    fn an_open_room_lets_everybody_in() {
        let creator = key(1);
        let roster = Roster::sign(RoomId([0; 16]), 1, None, &creator);
        assert!(roster.lets_in(&key(9).public()));
    }
}
