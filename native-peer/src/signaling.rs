//! The WebSocket to the signaling server: one JSON text message per
//! [`ClientMessage`] or [`ServerMessage`].
//!
//! When to connect, and to try again, is the core's business. The server is not trusted: what it may
//! send is bounded in size, what it may leave unread is bounded in number, and a server that says
//! nothing for long counts as gone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::io::{LostCause, SignalingEvent};
use protocol::signaling::{ClientMessage, ServerMessage};
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// The largest message taken from a server, in bytes. The longest it has reason to send names 64
/// members or carries one envelope: some 24 KiB.
const MAX_SERVER_MESSAGE_BYTES: usize = 64 << 10;
/// Messages that may wait to be sent; a server that leaves more unread is as good as gone.
const MAX_WAITING_MESSAGES: usize = 256;
/// How long connecting may take, name resolution and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How often the server is pinged, so that routers on the way remember us.
const PING_INTERVAL: Duration = Duration::from_secs(25);
/// A server that has said nothing for this long, not even to a ping, is gone.
const SILENCE: Duration = Duration::from_secs(70);
/// How long the last messages may take when we leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A server address that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a server address; it should look like https://example.org")]
pub struct BadServer(String);

/// The driver's end of a WebSocket. Letting go of it closes the WebSocket once all is sent.
pub(crate) struct Signaling {
    outgoing: mpsc::Sender<ClientMessage>,
    incoming: mpsc::Receiver<SignalingEvent>,
}

/// The WebSocket address of the server whose page is at `server`.
pub(crate) fn socket_address(server: &str) -> Result<String, BadServer> {
    let bad = || BadServer(server.to_owned());
    let (secure, rest) = match server.split_once("://") {
        Some(("https", rest)) => ("wss", rest),
        Some(("http", rest)) => ("ws", rest),
        _ => return Err(bad()),
    };
    let rest = rest.trim_end_matches('/');
    let printable = rest.bytes().all(|byte| byte.is_ascii_graphic());
    if rest.is_empty() || rest.contains(['?', '#', '@']) || !printable {
        return Err(bad());
    }
    Ok(format!("{secure}://{rest}/ws"))
}

impl Signaling {
    /// Starts to connect, as a task of `tasks`.
    pub(crate) fn open(address: String, tasks: &mut JoinSet<()>) -> Self {
        let (outgoing, messages) = mpsc::channel(MAX_WAITING_MESSAGES);
        let (events, incoming) = mpsc::channel(16);
        tasks.spawn(run(address, messages, events));
        Self { outgoing, incoming }
    }

    /// Queues a message; false if the server does not read.
    #[must_use]
    pub(crate) fn send(&self, message: ClientMessage) -> bool {
        self.outgoing.try_send(message).is_ok()
    }

    /// The next thing that happens. Nothing follows [`SignalingEvent::Closed`].
    pub(crate) async fn next(&mut self) -> SignalingEvent {
        let gone = || SignalingEvent::Closed {
            cause: LostCause::Server,
            reason: "the connection ended".to_owned(),
        };
        self.incoming.recv().await.unwrap_or_else(gone)
    }
}

async fn run(
    address: String,
    messages: mpsc::Receiver<ClientMessage>,
    events: mpsc::Sender<SignalingEvent>,
) {
    let reason = match timeout(CONNECT_TIMEOUT, connect(&address)).await {
        Err(_) => format!("no answer within {} seconds", CONNECT_TIMEOUT.as_secs()),
        Ok(Err(error)) => explain(&error),
        // Telling fails only when the driver has let go; then there is nobody to tell.
        Ok(Ok(socket)) => match events.send(SignalingEvent::Opened).await {
            Ok(()) => converse(socket, messages, &events).await,
            Err(_) => return,
        },
    };
    let cause = if has_way_to(&address).await { LostCause::Server } else { LostCause::Network };
    let _ = events.send(SignalingEvent::Closed { cause, reason }).await;
}

/// Whether this machine knows a way to the server of this WebSocket address. It is only looked up; nothing
/// is sent.
async fn has_way_to(address: &str) -> bool {
    let (secure, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (scheme == "wss", rest),
        None => return true,
    };
    let host = rest.split('/').next().unwrap_or(rest);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = if secure { 443 } else { 80 };
    let host = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    // A name that cannot be looked up is no proof; an address for documentation (RFC 5737) stands in.
    let addresses: Vec<SocketAddr> = match timeout(CONNECT_TIMEOUT, lookup_host(host)).await {
        Ok(Ok(found)) => found.collect(),
        _ => vec![SocketAddr::from(([192, 0, 2, 1], 9))],
    };
    addresses.iter().any(|address| {
        let any: IpAddr = if address.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let connected = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(address));
        !connected.is_err_and(|error| {
            let kind = error.kind();
            matches!(kind, io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable)
        })
    })
}

async fn connect(address: &str) -> Result<Socket, tungstenite::Error> {
    // Fails if the program has chosen a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = WebSocketConfig::default()
        .read_buffer_size(8 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_SERVER_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_SERVER_MESSAGE_BYTES));
    let (socket, _) = Box::pin(connect_async_with_config(address, Some(config), true)).await?;
    Ok(socket)
}

/// Passes messages both ways until one side ends; gives the reason.
async fn converse(
    mut socket: Socket,
    mut messages: mpsc::Receiver<ClientMessage>,
    events: &mpsc::Sender<SignalingEvent>,
) -> String {
    let mut ping = interval(PING_INTERVAL);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else {
                    let _ = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
                    return "left".to_owned();
                };
                let text = serde_json::to_string(&message)
                    .expect("client messages have no maps, and text for keys");
                if let Err(error) = socket.send(Message::text(text)).await {
                    return explain(&error);
                }
            }
            received = socket.next() => {
                heard = Instant::now();
                let text = match received {
                    Some(Ok(Message::Text(text))) => Some(text),
                    Some(Ok(Message::Binary(_))) => None,
                    Some(Ok(Message::Close(frame))) => return closed(frame),
                    // The library answers pings.
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return explain(&error),
                    None => return "the server closed the connection".to_owned(),
                };
                let message = text.and_then(|text| serde_json::from_str(&text).ok());
                let Some(message): Option<ServerMessage> = message else {
                    return "the server sent something that is no message; is it a Shoal server \
                            of this version?".to_owned();
                };
                if events.send(SignalingEvent::Message(message)).await.is_err() {
                    return "left".to_owned();
                }
            }
            _ = ping.tick() => {
                if let Err(error) = socket.send(Message::Ping(Default::default())).await {
                    return explain(&error);
                }
            }
            () = sleep_until(heard + SILENCE) => {
                return "the server has stopped answering".to_owned();
            }
        }
    }
}

fn closed(frame: Option<tungstenite::protocol::CloseFrame>) -> String {
    match frame {
        Some(frame) if !frame.reason.is_empty() => {
            // It goes to a terminal.
            let printable = |c: &char| !c.is_control();
            let reason: String = frame.reason.chars().filter(printable).collect();
            format!("the server closed the connection: {reason}")
        }
        _ => "the server closed the connection".to_owned(),
    }
}

/// What a person can do something with.
fn explain(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Http(response) => {
            format!("it answered {}; is it a Shoal server?", response.status())
        }
        tungstenite::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_where_the_page_is() {
        for (server, socket) in [
            ("http://localhost:8080", "ws://localhost:8080/ws"),
            ("https://example.org/", "wss://example.org/ws"),
            ("https://example.org/shoal/", "wss://example.org/shoal/ws"),
            ("http://[::1]:9", "ws://[::1]:9/ws"),
        ] {
            assert_eq!(socket_address(server).as_deref(), Ok(socket));
        }
        for server in
            ["", "example.org", "ftp://a", "https://", "http://a b", "https://a#b", "https://u@a"]
        {
            assert!(socket_address(server).is_err(), "{server:?}");
        }
    }
}
