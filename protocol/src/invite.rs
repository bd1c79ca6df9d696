//! Invites: what lets a person into a room.
//!
//! An invite is 49 bytes, written as base64url: a version, the room's 32-byte secret, and a 16-byte
//! commitment to the device key of whoever made it. As a link it is the fragment of an address, which
//! browsers never send to a server. All that the server sees is the room id, derived from the secret.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;

use crate::identity::PublicKey;
use crate::signaling::RoomId;

const VERSION: u8 = 1;
/// What an invite takes, in bytes.
pub const INVITE_BYTES: usize = 1 + 32 + 16;

const ROOM_ID: &str = "shoal v1 room id";
const SIGNALING_KEY: &str = "shoal v1 signaling key";
const CREATOR: &str = "shoal v1 commitment to the creator of an invite";

/// What lets you into a room. Holds the room's secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    secret: [u8; 32],
    creator: [u8; 16],
}

/// The key with which the members of a room seal signals to each other ([`crate::envelope`]).
#[derive(Clone)]
pub struct SignalingKey(pub(crate) [u8; 32]);

/// An invite as a link: where the server is, and the invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteLink {
    /// Address of the page and its server, ending in a slash: `https://host/`.
    pub server: String,
    /// The invite in the fragment.
    pub invite: Invite,
}

/// Text that is not an invite. Each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// Not a link with an invite in it.
    #[error("this is not an invite link; copy the whole link, including the part after #")]
    NotALink,
    /// Cut off, or changed in passing.
    #[error("the invite is incomplete or damaged; copy the whole link again")]
    Damaged,
    /// Made by a newer Shoal.
    #[error(
        "the invite was made by a newer version of Shoal (invite version {0}); update and try again"
    )]
    Version(u8),
}

impl Invite {
    /// An invite to a new room, from 32 secret random bytes and the key of whoever makes it.
    pub fn new(secret: [u8; 32], creator: &PublicKey) -> Self {
        Self { secret, creator: commitment(creator) }
    }

    /// The room as the server knows it. Tells nothing about the secret.
    pub fn room_id(&self) -> RoomId {
        let derived = blake3::derive_key(ROOM_ID, &self.secret);
        RoomId(std::array::from_fn(|i| derived[i]))
    }

    /// The key that seals signals in this room.
    pub fn signaling_key(&self) -> SignalingKey {
        SignalingKey(blake3::derive_key(SIGNALING_KEY, &self.secret))
    }

    /// Whether `key` is the one of whoever made this invite.
    pub fn is_creator(&self, key: &PublicKey) -> bool {
        commitment(key) == self.creator
    }

    /// The 49 bytes that a link holds.
    pub fn to_bytes(&self) -> [u8; INVITE_BYTES] {
        let mut bytes = [VERSION; INVITE_BYTES];
        bytes[1..33].copy_from_slice(&self.secret);
        bytes[33..].copy_from_slice(&self.creator);
        bytes
    }

    /// Reads what [`Invite::to_bytes`] gives.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InviteError> {
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&newer) if newer > VERSION => return Err(InviteError::Version(newer)),
            _ => return Err(InviteError::Damaged),
        }
        let bytes: &[u8; INVITE_BYTES] = bytes.try_into().map_err(|_| InviteError::Damaged)?;
        Ok(Self {
            secret: std::array::from_fn(|i| bytes[1 + i]),
            creator: std::array::from_fn(|i| bytes[33 + i]),
        })
    }

    /// The invite as a link to the page at `server`, an address such as `https://host` or
    /// `http://localhost:8080/`.
    pub fn to_link(&self, server: &str) -> String {
        format!("{}/#{self}", server.trim_end_matches('/'))
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.to_bytes()))
    }
}

impl FromStr for Invite {
    type Err = InviteError;

    /// Reads the 66 characters after the `#` of a link.
    fn from_str(text: &str) -> Result<Self, InviteError> {
        let bytes =
            BASE64URL_NOPAD.decode(text.trim().as_bytes()).map_err(|_| InviteError::Damaged)?;
        Self::from_bytes(&bytes)
    }
}

impl FromStr for InviteLink {
    type Err = InviteError;

    fn from_str(text: &str) -> Result<Self, InviteError> {
        let (server, fragment) = text.trim().split_once('#').ok_or(InviteError::NotALink)?;
        let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
        let has_host = host.is_some_and(|host| !host.trim_matches('/').is_empty());
        if !has_host || fragment.is_empty() {
            return Err(InviteError::NotALink);
        }
        let server = format!("{}/", server.trim_end_matches('/'));
        Ok(Self { server, invite: fragment.parse()? })
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invite({:?})", self.room_id())
    }
}

fn commitment(key: &PublicKey) -> [u8; 16] {
    let derived = blake3::derive_key(CREATOR, &key.0);
    std::array::from_fn(|i| derived[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::DeviceKey;

    fn invite() -> (Invite, PublicKey) {
        let key = DeviceKey::from_bytes([1; 32]).public();
        (Invite::new([42; 32], &key), key)
    }

    #[test]
    fn a_link_gives_back_the_invite_and_the_server() {
        let (invite, key) = invite();
        for server in ["https://example.org", "https://example.org/"] {
            let link: InviteLink = invite.to_link(server).parse().unwrap();
            assert_eq!(
                link,
                InviteLink { server: "https://example.org/".into(), invite: invite.clone() }
            );
        }
        assert!(invite.is_creator(&key));
        assert!(!invite.is_creator(&DeviceKey::from_bytes([2; 32]).public()));
    }

    #[test]
    fn a_damaged_link_is_told_from_a_newer_one() {
        let (invite, _) = invite();
        let text = invite.to_string();
        assert_eq!(text.len(), 66);
        assert_eq!(text[..65].parse::<Invite>(), Err(InviteError::Damaged));
        assert_eq!("".parse::<Invite>(), Err(InviteError::Damaged));
        let newer = BASE64URL_NOPAD.encode(&[2; 60]);
        assert_eq!(newer.parse::<Invite>(), Err(InviteError::Version(2)));
        assert_eq!("https://example.org/".parse::<InviteLink>(), Err(InviteError::NotALink));
        assert_eq!("hello".parse::<InviteLink>(), Err(InviteError::NotALink));
        assert_eq!(format!("https://#{text}").parse::<InviteLink>(), Err(InviteError::NotALink));
    }

    #[test]
    fn what_is_derived_differs_and_is_not_the_secret() {
        let (invite, _) = invite();
        let room = invite.room_id().0;
        let key = invite.signaling_key().0;
        assert_ne!(room[..], key[..16]);
        assert_ne!(key, [42; 32]);
        assert!(!format!("{invite:?}").contains(&invite.to_string()[2..40]));
    }
}
