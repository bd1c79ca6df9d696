//! UDP sockets as the WebRTC library needs them: with large kernel buffers, batches that the kernel takes,
//! and one datagram at a time until a connection's channels are open.
//!
//! The last two are remedies. The library sends up to 65 535 bytes of datagrams in one call, of which
//! the kernel takes 65 507: a batch between the two is lost as a whole, and so is each repetition of it,
//! which is the same batch; nothing moves any more.
//!
//! And the library reads what has arrived in bursts, and only then acts on what it learnt: a first
//! message that comes in one burst with the end of the SCTP handshake finds no channel yet and is lost,
//! although SCTP has acknowledged it. A peer that is open a moment before us sends exactly such a message.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tracing::debug;
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    Transmit,
};

/// Kernel buffers of each UDP socket. The usual 208 KiB overflow under a 1 MiB SCTP window, and
/// throughput falls to a tenth; the system may grant less than this.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// The most datagrams to send in one call: with none above 1 400 bytes they fit into the 65 507 that the
/// kernel takes over IPv4.
const MAX_BATCH: usize = 65_507 / 1_400;

/// The library's runtime, except for its UDP sockets.
#[derive(Debug)]
pub(crate) struct Sockets {
    inner: Arc<dyn Runtime>,
    settled: Arc<AtomicBool>,
}

impl Sockets {
    /// `settled` is to be set once the channels of the connection are open.
    pub(crate) fn new(inner: Arc<dyn Runtime>, settled: Arc<AtomicBool>) -> Self {
        Self { inner, settled }
    }
}

/// A socket that gives one datagram per turn of the library's loop, until things are settled.
#[derive(Debug)]
struct OneByOne {
    inner: Arc<dyn AsyncUdpSocket>,
    settled: Arc<AtomicBool>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Datagrams that the kernel handed over together with one that was given already.
    datagrams: VecDeque<(Vec<u8>, RecvMeta)>,
    /// Whether one was given in this turn.
    given: bool,
}

impl AsyncUdpSocket for OneByOne {
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = self.settled.load(Ordering::Acquire);
        if settled && held.datagrams.is_empty() {
            return self.inner.poll_recv(cx, bufs, meta);
        }
        if std::mem::take(&mut held.given) && !settled {
            // What ends a burst. The socket may be readable all the while, so ask to be polled again.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let ([buf, ..], [first, ..]) = (bufs, meta) else { return Poll::Ready(Ok(0)) };
        if let Some((datagram, its_meta)) = held.datagrams.pop_front() {
            let length = datagram.len().min(buf.len());
            buf[..length].copy_from_slice(&datagram[..length]);
            *first = its_meta;
        } else {
            let (buf, first) = (std::slice::from_mut(buf), std::slice::from_mut(first));
            ready!(self.inner.poll_recv(cx, buf, first))?;
            let (buf, first) = (&buf[0], &mut first[0]);
            let stride = first.stride.max(1);
            for datagram in buf[..first.len].chunks(stride).skip(1) {
                let mut meta = *first;
                (meta.len, meta.stride) = (datagram.len(), datagram.len());
                held.datagrams.push_back((datagram.to_vec(), meta));
            }
            first.len = first.len.min(stride);
        }
        held.given = true;
        Poll::Ready(Ok(1))
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.inner.poll_send(cx, transmit)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments().min(MAX_BATCH)
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Runtime for Sockets {
    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let reference = SockRef::from(&socket);
        // The system may refuse, or grant less in silence; transfers are slower then.
        for result in [
            reference.set_recv_buffer_size(SOCKET_BUFFER_BYTES),
            reference.set_send_buffer_size(SOCKET_BUFFER_BYTES),
        ] {
            if let Err(error) = result {
                debug!(%error, "a socket keeps its small buffers");
            }
        }
        let inner = self.inner.wrap_udp_socket(socket)?;
        let settled = self.settled.clone();
        Ok(Arc::new(OneByOne { inner, settled, held: Mutex::default() }))
    }

    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        self.inner.spawn(future)
    }

    fn wrap_tcp_listener(&self, listener: TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        self.inner.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> Boxed<'a, io::Result<Arc<dyn AsyncTcpStream>>> {
        self.inner.connect_tcp(remote)
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        self.inner.resolve_host(host)
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        self.inner.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        self.inner.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        self.inner.block_on(future);
    }

    fn yield_now(&self) -> Boxed<'static, ()> {
        self.inner.yield_now()
    }

    fn name(&self) -> &'static str {
        self.inner.name()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use webrtc::runtime::default_runtime;

    use super::*;

    /// Always has three datagrams to give, in one piece.
    #[derive(Debug)]
    struct Coalescing;

    impl AsyncUdpSocket for Coalescing {
        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            bufs: &mut [IoSliceMut<'_>],
            meta: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            bufs[0][..5].copy_from_slice(b"aabbc");
            meta[0] = RecvMeta::default();
            (meta[0].len, meta[0].stride) = (5, 2);
            Poll::Ready(Ok(1))
        }

        fn poll_send(&self, _: &mut Context<'_>, _: &Transmit<'_>) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    #[test]
    fn datagrams_come_one_by_one_until_things_are_settled() {
        let settled = Arc::new(AtomicBool::new(false));
        let socket = OneByOne {
            inner: Arc::new(Coalescing),
            settled: settled.clone(),
            held: Mutex::default(),
        };
        let poll = || {
            let (mut buf, mut meta) = ([0; 16], [RecvMeta::default()]);
            let mut context = Context::from_waker(Waker::noop());
            match socket.poll_recv(&mut context, &mut [IoSliceMut::new(&mut buf)], &mut meta) {
                Poll::Ready(received) => {
                    assert_eq!(received.unwrap(), 1);
                    Some(String::from_utf8_lossy(&buf[..meta[0].len]).into_owned())
                }
                Poll::Pending => None,
            }
        };
        for expected in ["aa", "bb", "c", "aa"] {
            assert_eq!((poll().as_deref(), poll()), (Some(expected), None));
        }
        settled.store(true, Ordering::Release);
        let rest: Vec<_> = (0..4).map(|_| poll().unwrap()).collect();
        assert_eq!(rest, ["bb", "c", "aabbc", "aabbc"], "first what was held back");
    }

    #[tokio::test]
    async fn the_kernel_takes_the_largest_batches_that_the_library_makes() {
        /// Where the library ends a batch, whatever the number of datagrams.
        const LIBRARY_LIMIT: usize = 65_535;
        let runtime = Sockets::new(default_runtime().unwrap(), Arc::default());
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = runtime.wrap_udp_socket(socket).unwrap();
        for size in 1_100..=1_400 {
            let count = socket.max_gso_segments().min(LIBRARY_LIMIT / size);
            let contents = vec![0; count * size];
            let transmit = Transmit {
                destination: receiver.local_addr().unwrap(),
                ecn: None,
                contents: &contents,
                segment_size: Some(size),
                src_ip: None,
            };
            let sent = poll_fn(|cx| socket.poll_send(cx, &transmit)).await;
            assert!(sent.is_ok(), "{count} datagrams of {size} bytes: {sent:?}");
        }
    }
}
