//! Which of the STUN and TURN servers that the signaling server names are used: a few, and only those whose
//! address is one. Browsers refuse to make any connection if one of them is malformed, so one bad address
//! would be enough to keep everybody apart.

use crate::signaling::IceServer;

/// Browsers warn of more than four and take longer with each.
const MAX_SERVERS: usize = 4;
/// Addresses of one server: UDP, TCP and TLS, over IPv4 and IPv6.
const MAX_URLS: usize = 6;
/// A host name has up to 253 letters (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;
/// Minted user names and passwords are much shorter.
const MAX_SECRET: usize = 512;

/// Those that can be used.
pub(super) fn usable(servers: Vec<IceServer>) -> Vec<IceServer> {
    let usable = servers.into_iter().filter_map(|mut server| {
        let fits = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| (1..=MAX_SECRET).contains(&text.len()))
        };
        let has_secret = fits(&server.username) && fits(&server.credential);
        server.urls.retain(|url| is_usable(url, has_secret));
        server.urls.truncate(MAX_URLS);
        if !has_secret {
            (server.username, server.credential) = (None, None);
        }
        (!server.urls.is_empty()).then_some(server)
    });
    usable.take(MAX_SERVERS).collect()
}

/// Whether this is the address of a STUN server (RFC 7064), or of a TURN server (RFC 7065) that we have a
/// user name and a password for.
fn is_usable(url: &str, has_secret: bool) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let (address, query) = match rest.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (rest, None),
    };
    let fits = match scheme {
        "stun" | "stuns" => query.is_none(),
        "turn" | "turns" => {
            has_secret && matches!(query, None | Some("transport=udp" | "transport=tcp"))
        }
        _ => false,
    };
    fits && is_address(address)
}

/// Whether this is a host, with or without a port.
fn is_address(text: &str) -> bool {
    let (is_host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) => (host.parse::<std::net::Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (host, port) = text.split_at(end);
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
            let is_host = (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(is_letter);
            (is_host && host.starts_with(|c: char| c.is_ascii_alphanumeric()), port)
        }
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> IceServer {
        IceServer { urls: vec![url.into()], ..IceServer::default() }
    }

    fn with_secret(url: &str) -> IceServer {
        IceServer {
            username: Some("1800000000:a".into()),
            credential: Some("c2VjcmV0".into()),
            ..server(url)
        }
    }

    #[test]
    fn addresses_that_are_one_are_used() {
        for url in [
            "stun:stun.example.org",
            "stun:192.0.2.1:3478",
            "stuns:[2001:db8::1]:5349",
            "turn:turn.example.org:3478?transport=udp",
            "turns:turn.example.org?transport=tcp",
        ] {
            assert_eq!(usable(vec![with_secret(url)]), [with_secret(url)], "{url}");
        }
    }

    #[test]
    fn whatever_else_a_server_names_is_left_out() {
        let long = format!("stun:{}", "a".repeat(254));
        for url in [
            "",
            "stun",
            "stun:",
            "stun: a",
            "stun:a b",
            "stun:a:0",
            "stun:a:65536",
            "stun:a:",
            "stun:-a",
            "stun:a?transport=udp",
            "turn:a?transport=x",
            "turn:a?",
            "http://a",
            "javascript:alert(1)",
            "stun:[::1",
            "stun:[a]",
            "stun:\u{202e}a",
            "stun:a/b",
            "stun:u@a",
            "STUN:a",
            &long,
        ] {
            assert_eq!(usable(vec![with_secret(url)]), [], "{url}");
        }
        assert_eq!(usable(vec![server("turn:a")]), [], "without a password");
        let stun = IceServer { credential: Some("x".repeat(513)), ..server("stun:a") };
        assert_eq!(usable(vec![stun]), [server("stun:a")], "the password is of no use");
    }

    #[test]
    fn a_few_of_very_many_are_used() {
        let many =
            vec![IceServer { urls: vec!["stun:a".into(); 100], ..IceServer::default() }; 100];
        let used = usable(many);
        assert_eq!(used.len(), MAX_SERVERS);
        assert!(used.iter().all(|server| server.urls.len() == MAX_URLS));
    }
}
