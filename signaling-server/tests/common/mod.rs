//! A server in this process, and clients that speak to it over real sockets.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::signaling::{
    ClientMessage, Envelope, ErrorCode, IceServer, PeerId, Resume, ResumeToken, RoomId,
    SIGNALING_VERSION, ServerMessage,
};
use signaling_server::{Options, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Long enough for a busy machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ROOM: RoomId = RoomId([1; 16]);

/// A server on a free port of the loopback address, until it is dropped.
pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    running: Option<JoinHandle<()>>,
}

impl TestServer {
    pub(crate) fn start(options: Options) -> Self {
        let server = Server::new(options).unwrap();
        let listener = server.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let running = Some(tokio::spawn(server.clone().listen(listener)));
        Self { server, address, running }
    }

    /// Shuts down, and waits until all is over.
    pub(crate) async fn stop(&mut self) {
        self.server.shutdown();
        let running = self.running.take().expect("stopped once");
        timeout(PATIENCE, running).await.expect("the drain is bounded").unwrap();
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address, "").await
    }

    pub(crate) async fn join(&self, room: RoomId) -> Member {
        self.connect().await.join(room).await
    }

    /// Sends a request as it is, and returns the whole answer.
    pub(crate) async fn http(&self, method: &str, path: &str, headers: &str) -> Response {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        Response::parse(&answer)
    }

    /// The value of a metric, written as in the text: `name` or `name{label="value"}`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.http("GET", "/metrics", "").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    /// Waits until a metric has a value, for what a client cannot see.
    pub(crate) async fn metric_reaches(&self, name: &str, value: u64) {
        timeout(PATIENCE, async { while self.metric(name).await != value {} })
            .await
            .unwrap_or_else(|_| panic!("{name} does not reach {value}"));
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn parse(answer: &[u8]) -> Self {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: answer[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(self) -> String {
        String::from_utf8(self.body).unwrap()
    }
}

/// A WebSocket to the server.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
}

impl Client {
    /// Connects with additional header lines, each ended by CR LF.
    pub(crate) async fn connect(address: SocketAddr, headers: &str) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), headers).await
    }

    /// Connects with a small receive buffer, so that the server soon notices that nothing is read.
    pub(crate) async fn connect_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket.connect(address).await.unwrap(), "").await
    }

    async fn over(stream: TcpStream, headers: &str) -> Self {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;
        let mut request = "ws://localhost/ws".into_client_request().unwrap();
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            let name = name.to_lowercase().parse::<axum::http::HeaderName>().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        Self { socket }
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) {
        self.send_text(serde_json::to_string(message).unwrap()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    pub(crate) async fn join(self, room: RoomId) -> Member {
        self.join_as(room, None).await
    }

    pub(crate) async fn join_as(mut self, room: RoomId, resume: Option<Resume>) -> Member {
        self.send(&ClientMessage::Join { version: SIGNALING_VERSION, room, resume }).await;
        match self.next().await {
            ServerMessage::Joined { peer, members, ice_servers, token } => {
                Member { client: self, peer, members, ice_servers, token }
            }
            other => panic!("could not join: {other:?}"),
        }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> ServerMessage {
        match self.frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no message but {other:?}"),
        }
    }

    /// The refusal that comes next, after which the server closes.
    pub(crate) async fn refusal(&mut self) -> (ErrorCode, CloseFrame) {
        let code = match self.next().await {
            ServerMessage::Error { code, message } => {
                assert!(!message.is_empty());
                code
            }
            other => panic!("no refusal but {other:?}"),
        };
        let close = self.closing().await.expect("a close frame with a reason");
        (code, close)
    }

    /// The close frame that comes next, after which the connection ends.
    pub(crate) async fn closing(&mut self) -> Option<CloseFrame> {
        let close = match self.frame().await {
            Some(Message::Close(frame)) => frame,
            other => panic!("no close but {other:?}"),
        };
        assert_eq!(self.frame().await, None, "the connection ends after a close");
        close
    }

    /// The next frame that is not a ping; `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<Message> {
        let frame = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Ping(_))) => {}
                    Some(Ok(frame)) => return Some(frame),
                    Some(Err(_)) | None => return None,
                }
            }
        };
        timeout(PATIENCE, frame).await.expect("something happens")
    }
}

/// A client that is in a room.
pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) peer: PeerId,
    pub(crate) members: Vec<PeerId>,
    pub(crate) ice_servers: Vec<IceServer>,
    pub(crate) token: ResumeToken,
}

impl Member {
    pub(crate) async fn next(&mut self) -> ServerMessage {
        self.client.next().await
    }

    /// What brings its id back.
    pub(crate) fn resume(&self) -> Resume {
        Resume { peer: self.peer, token: self.token }
    }

    pub(crate) async fn signal(&mut self, to: PeerId, envelope: &[u8]) {
        let envelope = Envelope::new(envelope.to_vec()).unwrap();
        self.client.send(&ClientMessage::Signal { to, envelope }).await;
    }
}
