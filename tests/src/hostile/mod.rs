//! A hostile signaling server. It serves the real page, which it fetches from a real server, and plays the
//! WebSocket beside it itself: honestly but for one [`Behaviour`]. Real peers talk to it; what has to come
//! of that is in `tests/tests/end_to_end/hostile.rs`.
//!
//! It knows what any server knows: the messages of [`protocol::signaling`], and no room's secret. What it
//! says and when is in `play`; here are its sockets.
//!
//! Room for what comes: behaviours around codes (a nameplate given twice, guesses) are played where
//! [`play`] takes the messages about them.

mod behaviour;
mod play;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::signaling::{ClientMessage, ServerMessage};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Error, Message};

pub use behaviour::Behaviour;

use crate::server::Server;
use play::{Play, Say};

/// How a request for the WebSocket begins; everything else is for the real server.
const WEB_SOCKET: &[u8] = b"GET /ws";
/// [`Behaviour::Dribble`] sends so many bytes at once …
const DRIBBLE_BYTES: usize = 32;
/// … and then waits so long.
const DRIBBLE_PAUSE: Duration = Duration::from_millis(25);

/// A running hostile server. Dropping it closes all its sockets.
#[derive(Debug)]
pub struct Hostile {
    url: String,
    misdeeds: watch::Receiver<u64>,
    accepting: JoinHandle<()>,
}

impl Hostile {
    /// Starts one, which takes the page from a real server.
    ///
    /// # Panics
    /// If the loopback interface cannot be listened on.
    pub async fn start(behaviour: Behaviour, real: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened on");
        let address = listener.local_addr().expect("it is bound");
        let real: SocketAddr = real
            .url()
            .trim_start_matches("http://")
            .parse()
            .expect("a server of ours listens on ADDRESS:PORT");
        let (counter, misdeeds) = watch::channel(0);
        let play = Play::new(behaviour, counter);
        let accepting = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let play = play.clone();
                connections.spawn(async move {
                    // That a client goes away is no failure of the server.
                    let _gone = serve(stream, real, behaviour, play).await;
                });
            }
        });
        Self { url: format!("http://{address}"), misdeeds, accepting }
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How often it has done what it does.
    pub fn misdeeds(&self) -> u64 {
        *self.misdeeds.borrow()
    }

    /// Waits until it has done what it does so many times.
    ///
    /// # Panics
    /// If it does not within `limit`.
    pub async fn has_misbehaved(&mut self, times: u64, limit: Duration) {
        let done = self.misdeeds.wait_for(|&done| done >= times);
        let waited = tokio::time::timeout(limit, done).await;
        assert!(
            waited.is_ok(),
            "waited {limit:?} in vain for: the server to misbehave {times} times"
        );
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    real: SocketAddr,
    behaviour: Behaviour,
    play: Arc<Play>,
) -> io::Result<()> {
    let mut beginning = [0; WEB_SOCKET.len()];
    while stream.peek(&mut beginning).await? < WEB_SOCKET.len() {
        stream.readable().await?;
        if stream.peek(&mut beginning).await? == 0 {
            return Ok(());
        }
    }
    if beginning != WEB_SOCKET {
        let mut page = TcpStream::connect(real).await?;
        copy_bidirectional(&mut stream, &mut page).await?;
        return Ok(());
    }
    match behaviour {
        Behaviour::NoHandshake => {
            play.misdeed();
            // Takes all and answers nothing until the client goes.
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        }
        Behaviour::Dribble => {
            let (near, far) = duplex(1 << 16);
            tokio::select! {
                done = dribble(stream, far, &play) => done?,
                () = converse(near, behaviour, &play) => {}
            }
        }
        _ => converse(stream, behaviour, &play).await,
    }
    Ok(())
}

/// Passes everything on to the client, a few bytes at a time.
async fn dribble(stream: TcpStream, near: tokio::io::DuplexStream, play: &Play) -> io::Result<()> {
    let (mut from_client, mut to_client) = stream.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(near);
    let slowly = async {
        let mut bytes = [0; DRIBBLE_BYTES];
        loop {
            let length = from_server.read(&mut bytes).await?;
            if length == 0 {
                return Ok(());
            }
            to_client.write_all(&bytes[..length]).await?;
            play.misdeed();
            tokio::time::sleep(DRIBBLE_PAUSE).await;
        }
    };
    tokio::select! {
        done = tokio::io::copy(&mut from_client, &mut to_server) => done.map(drop),
        done = slowly => done,
    }
}

/// One client, from the handshake to the end.
async fn converse<S>(stream: S, behaviour: Behaviour, play: &Arc<Play>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut socket) = accept_async(stream).await else { return };
    let (mut client, mut said) = Play::connected(play);
    let floods = behaviour == Behaviour::Flood;
    loop {
        tokio::select! {
            say = said.recv() => match say {
                Some(Say::Message(message)) => {
                    if socket.send(message).await.is_err() {
                        break;
                    }
                }
                Some(Say::Close) | None => {
                    let _gone = socket.close(None).await;
                    break;
                }
            },
            frame = socket.next() => match understood(frame) {
                Some(Some(message)) => client.handle(message),
                Some(None) => {}
                None => break,
            },
            // One more message that means nothing, as soon as the client has taken the last.
            () = yield_now(), if floods && client.has_joined() => {
                if socket.send(Play::text(&ServerMessage::Pong)).await.is_err() {
                    break;
                }
                play.misdeed();
            }
        }
    }
}

/// What a frame says: `None` if it is the last one, nothing if it is not for us.
fn understood(frame: Option<Result<Message, Error>>) -> Option<Option<ClientMessage>> {
    match frame? {
        Ok(Message::Text(text)) => Some(serde_json::from_str(&text).ok()),
        Ok(Message::Close(_)) | Err(_) => None,
        Ok(_) => Some(None),
    }
}
