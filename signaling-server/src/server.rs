//! Listening, the limits and time limits of connections, and what is served over HTTP.
//!
//! The accept loop is our own rather than `axum::serve`, which sets no time limit for the head of a
//! request, no limit on connections, and no socket buffers. Each connection is one task: first HTTP, then,
//! if it asked for `/ws`, one WebSocket (`socket`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::admission::{Admission, Permit};
use crate::metrics::{Gauges, Metrics};
use crate::nameplates::Nameplates;
use crate::options::Options;
use crate::outbox::Budget;
use crate::page::{Page, PageError, harden};
use crate::rooms::Rooms;
use crate::socket::{self, Socket};

/// Kernel buffers of a connection, in bytes (Linux doubles them). Signals are small and the page is
/// loaded once; what a slow reader leaves in a larger buffer would be memory that nothing limits.
const SEND_BUFFER_BYTES: u32 = 64 << 10;
const RECEIVE_BUFFER_BYTES: u32 = 32 << 10;
/// Connections that the kernel may hold for us while we are busy accepting.
const BACKLOG: u32 = 1024;
/// The head of a request and of an answer; the smallest that hyper takes is 8 KiB.
const HTTP_BUFFER_BYTES: usize = 16 << 10;
/// After `accept` failed for want of file descriptors, wait for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server; clones are the same server.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

/// An address that is being listened on.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there already.
    #[error(
        "{0} is in use by another program; stop that, or choose another port with --listen \
         (port 0 takes any that is free)"
    )]
    InUse(SocketAddr),
    /// A low port, usually.
    #[error("not allowed to listen on {0}; choose a port above 1023 with --listen")]
    NotAllowed(SocketAddr),
    /// Not an address of this machine.
    #[error("{0} is not an address of this machine; choose another with --listen")]
    NotOurs(SocketAddr),
    /// Anything else.
    #[error("could not listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) nameplates: Arc<Nameplates>,
    pub(crate) sockets: Arc<Admission>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: Metrics,
    connections: Arc<Admission>,
    page: Page,
    stop: watch::Sender<bool>,
}

/// What a request knows of its connection.
#[derive(Clone)]
struct Connection {
    address: IpAddr,
    upgrade: Arc<Mutex<Option<Upgrade>>>,
}

/// A connection that is to become a WebSocket, and whose it is.
struct Upgrade {
    upgraded: OnUpgrade,
    address: IpAddr,
}

impl Server {
    /// A server that does not listen yet. Fails if the page cannot be served.
    pub fn new(options: Options) -> Result<Self, PageError> {
        let limits = &options.limits;
        let connections_per_address = if options.trust_forwarded_for {
            usize::MAX // They are all from the proxy.
        } else {
            limits.max_sockets_per_address.saturating_add(limits.spare_connections_per_address)
        };
        let shared = Shared {
            rooms: Rooms::new(limits.max_rooms, limits.max_members),
            nameplates: Nameplates::new(limits.clone(), &options.timeouts),
            sockets: Admission::new(limits.max_sockets, limits.max_sockets_per_address),
            connections: Admission::new(limits.max_connections(), connections_per_address),
            budget: Budget::new(limits.clone()),
            metrics: Metrics::default(),
            page: Page::new(options.page.as_deref())?,
            stop: watch::Sender::new(false),
            options,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The most connections there can be at once, each of which takes a file descriptor.
    pub fn max_connections(&self) -> usize {
        self.shared.options.limits.max_connections()
    }

    /// Starts to listen; from now on connections wait to be accepted by [`Self::listen`]. Port 0 takes
    /// any free port. Must be called within a Tokio runtime.
    pub fn bind(&self, address: SocketAddr) -> Result<Listener, BindError> {
        let bind = || {
            let socket =
                if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // Accepted connections inherit the buffers.
            socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
            socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
            // Without this a restart fails while old connections linger. (On Windows it means
            // something else.)
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let listener = socket.listen(BACKLOG)?;
            let address = listener.local_addr()?;
            Ok(Listener { listener, address })
        };
        bind().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse(address),
            io::ErrorKind::PermissionDenied => BindError::NotAllowed(address),
            io::ErrorKind::AddrNotAvailable => BindError::NotOurs(address),
            _ => BindError::Other(address, error),
        })
    }

    /// Serves until [`Self::shutdown`], and returns when every connection has ended or
    /// [`Timeouts::drain`](crate::Timeouts::drain) is over. Dropping the future cuts everything off.
    pub async fn listen(self, listener: Listener) {
        let router = router(self.shared.clone());
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = self.shared.stopping() => break,
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                accepted = listener.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let Some(permit) = self.shared.connections.admit(peer.ip()) else {
                            self.shared.metrics.connections_refused.increment();
                            tracing::debug!(address = %peer.ip(), "connection refused: too many");
                            continue;
                        };
                        self.shared.metrics.connections_accepted.increment();
                        let (shared, router) = (self.shared.clone(), router.clone());
                        tasks.spawn(connection(shared, router, stream, peer.ip(), permit));
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "could not accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(listener);
        tracing::info!(connections = self.shared.connections.count(), "shutting down");
        let drained = async { while tasks.join_next().await.is_some() {} };
        if timeout(self.shared.options.timeouts.drain, drained).await.is_err() {
            tracing::warn!(connections = tasks.len(), "cutting off connections that did not end");
        }
        tasks.shutdown().await;
    }

    /// Stops accepting, tells every client, and makes [`Self::listen`] return when they have gone.
    pub fn shutdown(&self) {
        self.shared.stop.send_replace(true);
    }
}

impl Listener {
    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Shared {
    /// Waits until the server is to stop.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // The sender is in `self`, so it cannot be gone.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            connections: self.connections.count(),
            sockets: self.sockets.count(),
            rooms: self.rooms.count(),
            codes: self.nameplates.count(),
            queued_bytes: self.budget.queued_bytes(),
        }
    }
}

/// One connection: HTTP, and after an upgrade the WebSocket.
async fn connection(
    shared: Arc<Shared>,
    router: Router,
    stream: TcpStream,
    address: IpAddr,
    _permit: Permit,
) {
    let connection = Connection { address, upgrade: Arc::default() };
    let _ = stream.set_nodelay(true); // Slower without, but right.
    // Each phase in a box, so that none keeps the room that another needed.
    Box::pin(serve_http(&shared, router, stream, connection.clone())).await;
    let upgrade = connection.upgrade.lock().expect("no panic while handing over").take();
    if let Some(Upgrade { upgraded, address }) = upgrade
        && let Ok(upgraded) = upgraded.await
    {
        let socket = Box::new(into_socket(upgraded).await);
        Box::pin(socket::run(&shared, socket, address)).await;
    }
}

async fn serve_http(shared: &Shared, router: Router, stream: TcpStream, connection: Connection) {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(connection.clone());
        service.call(request)
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.options.timeouts.header)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(http);
    tokio::select! {
        // Errors here are a client's doing: a broken connection, a malformed or late request.
        ended = timeout(shared.options.timeouts.connection, http.as_mut()) => match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "connection failed"),
            Err(_) => tracing::debug!("connection took too long"),
        },
        () = shared.stopping() => {
            http.as_mut().graceful_shutdown();
            let _ = http.await;
        }
    }
}

async fn into_socket(upgraded: Upgraded) -> Socket {
    let parts =
        upgraded.downcast::<TokioIo<TcpStream>>().expect("what was upgraded is what was served");
    // Copied, although usually empty: the bytes are in hyper's buffer, of which tungstenite would
    // keep all 8 KiB as its own.
    let read = parts.read_buf.to_vec();
    drop(parts.read_buf);
    let (stream, config) = (parts.io.into_inner(), Some(socket::config()));
    WebSocketStream::from_partially_read(stream, read, Role::Server, config).await
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/ws", get(web_socket))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(page)
        .layer(map_response(harden))
        .with_state(shared)
}

/// Answers the opening handshake (RFC 6455, section 4.2) and hands the connection over.
///
/// `Origin` is not looked at: there is no cookie or other authority that a foreign page could borrow by
/// connecting from a visitor's browser; it could do no more there than from anywhere else.
async fn web_socket(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    mut request: Request,
) -> Response {
    let response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(error) => {
            let headers = [(header::UPGRADE, HeaderValue::from_static("websocket"))];
            return (StatusCode::UPGRADE_REQUIRED, headers, format!("{error}\n")).into_response();
        }
    };
    let address = if shared.options.trust_forwarded_for {
        forwarded_for(request.headers()).unwrap_or(connection.address)
    } else {
        connection.address
    };
    let upgrade = Upgrade { upgraded: hyper::upgrade::on(&mut request), address };
    *connection.upgrade.lock().expect("no panic while handing over") = Some(upgrade);
    response
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let Gauges { sockets, rooms, .. } = shared.gauges();
    let version = env!("CARGO_PKG_VERSION");
    let body = serde_json::json!({
        "status": "ok",
        "version": version,
        "rooms": rooms,
        "sockets": sockets,
    });
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, format!("{body}\n")).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, shared.metrics.to_text(&shared.gauges())).into_response()
}

async fn page(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (request, _body) = request.into_parts();
    shared.page.respond(&request).await
}

/// The client's address as our own proxy saw it: the last entry, since earlier ones are the client's claim.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// Whether `accept` failed because of the connection it would have returned, so that the next may succeed.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_forwarded_address_counts() {
        let parse = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            forwarded_for(&headers).map(|address| address.to_string())
        };
        assert_eq!(parse(&["10.0.0.1, 10.0.0.2"]).as_deref(), Some("10.0.0.2"));
        assert_eq!(parse(&["10.0.0.1", "2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(parse(&["10.0.0.1, unknown"]), None);
        assert_eq!(parse(&[]), None);
    }
}
