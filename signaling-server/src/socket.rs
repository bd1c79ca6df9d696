//! One WebSocket, from the upgrade to the last goodbye.
//!
//! Two phases: the first message says what it is for, then it is a member of a room, or an end of a nameplate,
//! that sends and is sent to. Every way in which it can end is an [`End`]. Who is in a room is left to
//! `rooms`, who meets by a code to `nameplates`, what waits to be sent to `outbox`, how much may be open to
//! `admission`.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use protocol::signaling::{
    ClientMessage, CodeEnd, ErrorCode, MAX_CLIENT_MESSAGE_BYTES, Nameplate, Resume, RoomId,
    SIGNALING_VERSION, ServerMessage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError};

use crate::nameplates::{ClaimError, OfferError, Party, TooManyMessages};
use crate::options::MAX_ENVELOPE_TEXT;
use crate::outbox::{Closed, Outbox};
use crate::rate::Allowance;
use crate::rooms::{Entry, JoinError, Membership, Undeliverable, encode};
use crate::server::Shared;

/// The stream of an upgraded connection.
pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Why a WebSocket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client said `leave`, or closed.
    Left,
    /// The connection broke.
    Lost,
    /// Nothing came from the client for a whole ping interval, not even the answer to a ping.
    Silent,
    /// The same client came back on another socket.
    Replaced,
    /// The time of the code that it was for is over.
    Expired,
    /// We do not go on, and say so; the text fits after "the server refused: ".
    Refused(ErrorCode, &'static str),
}

/// What a socket is for.
enum Seat {
    /// It is in a room.
    Member(Membership),
    /// It has offered or claimed a code.
    Party(Party),
}

/// The settings of every WebSocket. tungstenite's own would take 128 KiB per socket and 64 MiB per message.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_CLIENT_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_CLIENT_MESSAGE_BYTES))
}

/// Serves one WebSocket until it has ended.
pub(crate) async fn run(shared: &Shared, mut socket: Box<Socket>, address: IpAddr) {
    let Some(_permit) = shared.sockets.admit(address) else {
        let end = End::Refused(ErrorCode::Busy, "too many connections; try again later");
        return finish(shared, socket, end).await;
    };
    let Err(end) = serve(shared, &mut socket, address).await;
    finish(shared, socket, end).await;
}

async fn serve(
    shared: &Shared,
    socket: &mut Socket,
    address: IpAddr,
) -> Result<std::convert::Infallible, End> {
    let outbox = Outbox::new(shared.budget.clone());
    let mut allowance = Allowance::new(Instant::now(), &shared.options.limits);

    let first = tokio::select! {
        () = shared.stopping() => return Err(SHUTTING_DOWN),
        first = timeout(shared.options.timeouts.join, next_message(socket, &mut allowance)) => {
            first.map_err(|_| End::Refused(ErrorCode::BadMessage, "no first message in time"))??
        }
    };
    let (mut seat, welcome) = match first {
        ClientMessage::Join { version, room, resume } => {
            check_version(version)?;
            join(shared, &outbox, room, resume)?
        }
        ClientMessage::OfferCode { version } => {
            check_version(version)?;
            offer_code(shared, &outbox, address)?
        }
        ClientMessage::ClaimCode { version, nameplate } => {
            check_version(version)?;
            claim_code(shared, &outbox, address, nameplate)?
        }
        _ => {
            let text = "the first message must be join, offer-code or claim-code";
            return Err(End::Refused(ErrorCode::BadMessage, text));
        }
    };
    if let Some(welcome) = welcome {
        send(shared, socket, &outbox, Message::Text(encode(&welcome))).await?;
    }
    converse(shared, socket, &outbox, &mut allowance, &mut seat).await
}

fn check_version(version: u16) -> Result<(), End> {
    if version == SIGNALING_VERSION {
        return Ok(());
    }
    let text = "it speaks another version; reload the page or update the program";
    Err(End::Refused(ErrorCode::UnsupportedVersion, text))
}

fn join(
    shared: &Shared,
    outbox: &Arc<Outbox>,
    room: RoomId,
    resume: Option<Resume>,
) -> Result<(Seat, Option<ServerMessage>), End> {
    let entry = shared.rooms.join(room, resume, outbox.clone()).map_err(|e| match e {
        JoinError::RoomFull => End::Refused(ErrorCode::RoomFull, "the room is full"),
        JoinError::TooManyRooms => End::Refused(ErrorCode::Busy, "no more rooms; try again later"),
    })?;
    let Entry { membership, members, resumed } = entry;
    shared.metrics.joins.increment();
    if resumed {
        shared.metrics.resumes.increment();
    }
    tracing::debug!(peer = %membership.peer(), members = members.len(), resumed, "joined");

    let joined = ServerMessage::Joined {
        peer: membership.peer(),
        members,
        ice_servers: shared.options.ice_servers.mint(),
        token: membership.token(),
    };
    Ok((Seat::Member(membership), Some(joined)))
}

fn offer_code(
    shared: &Shared,
    outbox: &Arc<Outbox>,
    address: IpAddr,
) -> Result<(Seat, Option<ServerMessage>), End> {
    let party = shared.nameplates.offer(Instant::now(), address, outbox.clone());
    let party = party.map_err(|error| match error {
        OfferError::Full => End::Refused(
            ErrorCode::Busy,
            "it has no more codes; pass on the link, or try again later",
        ),
        OfferError::AddressFull => End::Refused(
            ErrorCode::Busy,
            "too many codes from this network; pass on the link, or try again in some minutes",
        ),
    })?;
    shared.metrics.codes_offered.increment();
    tracing::debug!("code offered");
    let life_seconds = u32::try_from(shared.nameplates.life().as_secs()).unwrap_or(u32::MAX);
    let offered = ServerMessage::CodeOffered { nameplate: party.nameplate(), life_seconds };
    Ok((Seat::Party(party), Some(offered)))
}

/// Both hear of the claim through their outboxes.
fn claim_code(
    shared: &Shared,
    outbox: &Arc<Outbox>,
    address: IpAddr,
    nameplate: Nameplate,
) -> Result<(Seat, Option<ServerMessage>), End> {
    let party = shared.nameplates.claim(Instant::now(), address, nameplate, outbox.clone());
    let party = party.map_err(|error| {
        shared.metrics.claims_refused.increment();
        match error {
            ClaimError::NoSuchCode => {
                End::Refused(ErrorCode::NoSuchCode, "no code of this number is waiting")
            }
            ClaimError::TooFast => End::Refused(
                ErrorCode::TooFast,
                "too many codes were tried from this network; wait a minute and try again",
            ),
        }
    })?;
    shared.metrics.codes_claimed.increment();
    tracing::debug!("code claimed");
    Ok((Seat::Party(party), None))
}

/// The second phase: pass on what it sends, send what others pass on to it, and see that it lives.
async fn converse(
    shared: &Shared,
    socket: &mut Socket,
    outbox: &Outbox,
    allowance: &mut Allowance,
    seat: &mut Seat,
) -> Result<std::convert::Infallible, End> {
    let mut pings = interval(shared.options.timeouts.ping);
    // After a send that took long, the client still has a whole interval to answer.
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.tick().await; // The first is due at once.
    let mut heard = true;
    loop {
        tokio::select! {
            () = shared.stopping() => return Err(SHUTTING_DOWN),
            message = outbox.next() => {
                send(shared, socket, outbox, Message::Text(message?)).await?;
            }
            frame = socket.next() => {
                heard = true;
                if let Some(message) = read(frame, allowance)? {
                    obey(shared, outbox, seat, message)?;
                }
            }
            () = seat.until() => {
                if let Seat::Party(party) = seat && party.is_over() {
                    let ended = ServerMessage::CodeEnded { reason: CodeEnd::Expired };
                    send(shared, socket, outbox, Message::Text(encode(&ended))).await?;
                    return Err(End::Expired);
                }
            }
            _ = pings.tick() => {
                if !heard {
                    return Err(End::Silent);
                }
                heard = false;
                send(shared, socket, outbox, Message::Ping(Bytes::new())).await?;
            }
        }
    }
}

fn obey(
    shared: &Shared,
    outbox: &Outbox,
    seat: &mut Seat,
    message: ClientMessage,
) -> Result<(), End> {
    match (seat, message) {
        (Seat::Member(membership), ClientMessage::Signal { to, envelope }) => {
            let bytes = envelope.as_bytes().len();
            tracing::trace!(from = %membership.peer(), %to, bytes, "signal");
            match membership.pass_on(to, envelope) {
                Ok(()) => {
                    shared.metrics.signals.increment();
                    shared.metrics.signal_bytes.add(bytes);
                }
                Err(Undeliverable) => {
                    shared.metrics.undeliverable.increment();
                    // Through the outbox, so that who provokes many and reads none is too slow.
                    outbox.push(encode(&ServerMessage::Undeliverable { to }));
                }
            }
            Ok(())
        }
        (Seat::Party(party), ClientMessage::CodeMessage { body }) => {
            party.pass_on(body).map_err(|TooManyMessages| {
                End::Refused(ErrorCode::TooFast, "too many messages for one code")
            })?;
            shared.metrics.code_messages.increment();
            Ok(())
        }
        (_, ClientMessage::Ping) => {
            outbox.push(encode(&ServerMessage::Pong));
            Ok(())
        }
        (_, ClientMessage::Leave) => Err(End::Left),
        (Seat::Member(_), _) => Err(End::Refused(ErrorCode::BadMessage, "it is in a room already")),
        (Seat::Party(_), _) => Err(End::Refused(ErrorCode::BadMessage, "it is here by a code")),
    }
}

impl Seat {
    /// Waits until it is to be ended, for ever in a room.
    async fn until(&self) {
        match self {
            Self::Member(_) => std::future::pending().await,
            Self::Party(party) => sleep_until(party.until()).await,
        }
    }
}

async fn next_message(
    socket: &mut Socket,
    allowance: &mut Allowance,
) -> Result<ClientMessage, End> {
    loop {
        if let Some(message) = read(socket.next().await, allowance)? {
            return Ok(message);
        }
    }
}

/// Makes of a frame what it says, `None` for a ping or pong. (tungstenite answers pings.)
fn read(
    frame: Option<Result<Message, WsError>>,
    allowance: &mut Allowance,
) -> Result<Option<ClientMessage>, End> {
    let frame = match frame {
        None | Some(Ok(Message::Close(_)) | Err(WsError::ConnectionClosed)) => {
            return Err(End::Left);
        }
        Some(Ok(frame)) => frame,
        Some(Err(WsError::Capacity(_))) => return Err(TOO_LARGE),
        Some(Err(WsError::Io(_))) => return Err(End::Lost),
        Some(Err(WsError::Protocol(error))) => {
            use tokio_tungstenite::tungstenite::error::ProtocolError;
            return Err(match error {
                ProtocolError::ResetWithoutClosingHandshake => End::Lost,
                _ => End::Refused(ErrorCode::BadMessage, "not the WebSocket protocol"),
            });
        }
        Some(Err(_)) => return Err(BAD_MESSAGE),
    };
    if !allowance.spend(Instant::now(), frame.len()) {
        return Err(End::Refused(ErrorCode::TooFast, "it sends too much; try again later"));
    }
    match frame {
        Message::Text(text) => match serde_json::from_str(&text) {
            Ok(message) => Ok(Some(message)),
            Err(_) if text.len() > MAX_ENVELOPE_TEXT => Err(TOO_LARGE),
            Err(_) => Err(BAD_MESSAGE),
        },
        Message::Ping(_) | Message::Pong(_) => Ok(None),
        _ => Err(BAD_MESSAGE),
    }
}

/// Sends one message, unless the client is too slow to take it.
async fn send(
    shared: &Shared,
    socket: &mut Socket,
    outbox: &Outbox,
    message: Message,
) -> Result<(), End> {
    tokio::select! {
        biased;
        sent = timeout(shared.options.timeouts.ping, socket.send(message)) => match sent {
            Ok(sent) => sent.map_err(|_| End::Lost),
            Err(_) => Err(TOO_SLOW),
        },
        closed = outbox.closed() => Err(closed.into()),
        () = shared.stopping() => Err(SHUTTING_DOWN),
    }
}

async fn finish(shared: &Shared, socket: Box<Socket>, end: End) {
    shared.metrics.ended(&end);
    tracing::debug!(reason = end.label(), "socket ended");
    if end != End::Lost {
        // Whether the client hears it is up to the client.
        let _ = timeout(shared.options.timeouts.goodbye, Box::pin(say_goodbye(socket, end))).await;
    }
}

/// Tells the client why, closes, and reads on until the client has closed too: closing a TCP connection
/// while something is unread discards what the other side has not yet taken in.
async fn say_goodbye(mut socket: Box<Socket>, end: End) -> Result<(), WsError> {
    if let End::Refused(code, text) = end {
        let error = ServerMessage::Error { code, message: text.into() };
        socket.send(Message::Text(encode(&error))).await?;
    }
    let frame = CloseFrame { code: end.close_code(), reason: end.label().into() };
    // Not the box's own `close`: it is a sink, too, wherever another crate asks `futures` for that.
    match (*socket).close(Some(frame)).await {
        Ok(()) | Err(WsError::ConnectionClosed) => {}
        Err(error) => return Err(error),
    }
    let mut stream = socket.into_inner();
    stream.shutdown().await?;
    let mut discarded = vec![0; 4 << 10];
    while stream.read(&mut discarded).await? > 0 {}
    Ok(())
}

const SHUTTING_DOWN: End =
    End::Refused(ErrorCode::ShuttingDown, "it is shutting down; try again in a moment");
const TOO_SLOW: End = End::Refused(ErrorCode::TooSlow, "the connection is too slow; try again");
const TOO_LARGE: End = End::Refused(ErrorCode::TooLarge, "a message was too large");
const BAD_MESSAGE: End = End::Refused(ErrorCode::BadMessage, "a message made no sense to it");

impl From<Closed> for End {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Overflowed => TOO_SLOW,
            Closed::Replaced => Self::Replaced,
        }
    }
}

impl End {
    /// All that [`Self::label`] can be.
    pub(crate) const LABELS: [&'static str; 14] = [
        "left",
        "lost",
        "silent",
        "replaced",
        "expired",
        "unsupported-version",
        "bad-message",
        "too-large",
        "too-fast",
        "too-slow",
        "room-full",
        "busy",
        "no-such-code",
        "shutting-down",
    ];

    /// The reason in one word, for the log, the metrics and the close frame; for a refusal as in JSON.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
            Self::Refused(code, _) => match code {
                ErrorCode::UnsupportedVersion => "unsupported-version",
                ErrorCode::BadMessage | ErrorCode::Other => "bad-message",
                ErrorCode::TooLarge => "too-large",
                ErrorCode::TooFast => "too-fast",
                ErrorCode::TooSlow => "too-slow",
                ErrorCode::RoomFull => "room-full",
                ErrorCode::Busy => "busy",
                ErrorCode::NoSuchCode => "no-such-code",
                ErrorCode::ShuttingDown => "shutting-down",
            },
        }
    }

    /// The nearest of the registered close codes (RFC 6455, section 7.4, and its registry).
    fn close_code(&self) -> CloseCode {
        match self {
            Self::Left | Self::Lost | Self::Replaced | Self::Expired => CloseCode::Normal,
            Self::Silent => CloseCode::Policy,
            Self::Refused(code, _) => match code {
                ErrorCode::ShuttingDown => CloseCode::Restart,
                ErrorCode::Busy | ErrorCode::RoomFull => CloseCode::Again,
                ErrorCode::TooLarge => CloseCode::Size,
                _ => CloseCode::Policy,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_labelled_as_in_json() {
        use ErrorCode::*;
        for code in [
            UnsupportedVersion,
            BadMessage,
            TooLarge,
            TooFast,
            TooSlow,
            RoomFull,
            Busy,
            NoSuchCode,
            ShuttingDown,
        ] {
            let label = End::Refused(code, "").label();
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{label}\""));
            assert!(End::LABELS.contains(&label));
        }
    }

    #[test]
    fn a_message_that_cannot_be_read_is_bad_or_too_large() {
        let read = |text: String| {
            let mut allowance = Allowance::new(Instant::now(), &crate::Limits::default());
            read(Some(Ok(Message::Text(text.into()))), &mut allowance).unwrap_err()
        };
        assert_eq!(read("{}".into()), BAD_MESSAGE);
        let envelope = "A".repeat(MAX_ENVELOPE_TEXT + 4);
        let signal =
            format!(r#"{{"type":"signal","to":"00000000000000ff","envelope":"{envelope}"}}"#);
        assert_eq!(read(signal), TOO_LARGE);
    }
}
