//! STUN and TURN servers that newcomers are told to use.
//!
//! For TURN this mints credentials in the manner that coturn calls `use-auth-secret`
//! (draft-uberti-behave-turn-rest-00): the user name is `expiry:random`, the password is
//! base64(HMAC-SHA1(secret, user name)). The TURN server knows the secret too, so the two need not talk.
//! Relaying itself is left to the TURN server.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use protocol::signaling::IceServer;
use sha1::Sha1;

/// STUN and TURN servers, and the secret to mint credentials with. The default is none.
#[derive(Clone, Default)]
pub struct IceServers {
    stun: Vec<String>,
    turn: Vec<String>,
    secret: Option<Secret>,
}

#[derive(Clone)]
struct Secret {
    key: Vec<u8>,
    lifetime: Duration,
}

/// What is wrong with the ICE servers that were asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IceError {
    /// Not a URL of RFC 7064 or RFC 7065.
    #[error(
        "`{0}` is not an ICE server; write stun:HOST[:PORT] or turn:HOST[:PORT][?transport=tcp]"
    )]
    NotAnIceServer(String),
    /// A TURN server but no secret, or an empty one.
    #[error("`{0}` needs the secret that it shares with us; give --turn-secret-file")]
    SecretMissing(String),
    /// A secret but no TURN server.
    #[error("there is a TURN secret but no TURN server; give --ice-server turn:HOST")]
    TurnServerMissing,
}

impl IceServers {
    /// Checks `urls`, and pairs the TURN servers among them with `secret`; credentials will be good for
    /// `lifetime`.
    pub fn new(
        urls: &[String],
        secret: Option<&str>,
        lifetime: Duration,
    ) -> Result<Self, IceError> {
        let mut servers = Self::default();
        for url in urls {
            let (scheme, host) = url.split_once(':').unwrap_or_default();
            let plausible = !host.is_empty()
                && !host.starts_with('/')
                && host.chars().all(|c| c.is_ascii_graphic() && !"\"'<>\\".contains(c));
            match scheme {
                "stun" | "stuns" if plausible => servers.stun.push(url.clone()),
                "turn" | "turns" if plausible => servers.turn.push(url.clone()),
                _ => return Err(IceError::NotAnIceServer(url.clone())),
            }
        }
        // A file usually ends with a line feed that is not part of the secret.
        let secret = secret.map(str::trim).filter(|secret| !secret.is_empty());
        servers.secret = secret.map(|secret| Secret { key: secret.into(), lifetime });
        match (servers.turn.first(), &servers.secret) {
            (Some(url), None) => Err(IceError::SecretMissing(url.clone())),
            (None, Some(_)) => Err(IceError::TurnServerMissing),
            _ => Ok(servers),
        }
    }

    /// The servers with fresh credentials, as a newcomer is told.
    #[allow(clippy::disallowed_methods, reason = "credentials expire by the calendar")]
    pub(crate) fn mint(&self) -> Vec<IceServer> {
        self.mint_at(SystemTime::now(), rand::random())
    }

    fn mint_at(&self, now: SystemTime, nonce: u64) -> Vec<IceServer> {
        let mut servers = Vec::new();
        if !self.stun.is_empty() {
            servers.push(IceServer { urls: self.stun.clone(), ..IceServer::default() });
        }
        if let Some(Secret { key, lifetime }) = &self.secret {
            let expiry = (now + *lifetime).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let username = format!("{expiry}:{nonce:016x}");
            let credential = credential(key, &username);
            servers.push(IceServer {
                urls: self.turn.clone(),
                username: Some(username),
                credential: Some(credential),
            });
        }
        servers
    }
}

/// The secret stays out of what is printed for debugging.
impl fmt::Debug for IceServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServers")
            .field("stun", &self.stun)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

fn credential(key: &[u8], username: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(username.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn urls(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|&url| url.to_owned()).collect()
    }

    #[test]
    fn credentials_are_what_openssl_computes() {
        // printf %s '1700003600:00000000000000ff' | openssl dgst -sha1 -hmac north -binary | base64
        let urls = urls(&["stun:a.example", "turn:b.example:3478?transport=tcp"]);
        let servers = IceServers::new(&urls, Some("north\n"), HOUR).unwrap();
        let minted = servers.mint_at(UNIX_EPOCH + Duration::from_secs(1_700_000_000), 255);
        assert_eq!(minted[0], IceServer { urls: urls[..1].to_vec(), ..IceServer::default() });
        assert_eq!(minted[1].urls, &urls[1..]);
        assert_eq!(minted[1].username.as_deref(), Some("1700003600:00000000000000ff"));
        assert_eq!(minted[1].credential.as_deref(), Some("UrpRUFaS8TmQDTi/YN1pDKDejcA="));
        assert_eq!(minted.len(), 2);
    }

    #[test]
    fn nothing_is_told_by_default_and_no_two_users_are_named_alike() {
        assert_eq!(IceServers::default().mint(), []);
        let servers = IceServers::new(&urls(&["turn:a.example"]), Some("north"), HOUR).unwrap();
        assert_ne!(servers.mint()[0].username, servers.mint()[0].username);
    }

    #[test]
    fn mistakes_are_named() {
        let new = |list: &[&str], secret| IceServers::new(&urls(list), secret, HOUR).unwrap_err();
        for wrong in ["http://a.example", "stun:", "a.example", "stun://a.example", "turn:a b"] {
            assert_eq!(new(&[wrong], None), IceError::NotAnIceServer(wrong.into()));
        }
        let missing = IceError::SecretMissing("turn:a.example".into());
        assert_eq!(new(&["turn:a.example"], None), missing);
        assert_eq!(new(&["turn:a.example"], Some(" \n")), missing);
        assert_eq!(new(&["stun:a.example"], Some("north")), IceError::TurnServerMissing);
    }

    #[test]
    fn the_secret_is_not_printed() {
        let servers = IceServers::new(&urls(&["turn:a.example"]), Some("north"), HOUR).unwrap();
        assert!(!format!("{servers:?}").contains("north"));
    }
}
