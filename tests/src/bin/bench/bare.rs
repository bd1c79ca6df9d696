//! One plain data channel between two pages, the way examples do it: messages of 64 KiB, paused above
//! 1 MiB of buffered bytes, and nothing else. What ours is measured against.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Browser, Page, Server};
use tokio::time::Instant;

use crate::rate;

/// Two pages and the channel between them.
pub(crate) struct BareChannel<'a> {
    from: Page<'a>,
    to: Page<'a>,
}

impl<'a> BareChannel<'a> {
    pub(crate) async fn open(server: &Server, from: &'a Browser, to: &'a Browser) -> Self {
        const PEER: &str = "
            const done = arguments[arguments.length - 1];
            const [offerer] = arguments;
            window.pc = new RTCPeerConnection();
            window.channel = pc.createDataChannel('bare', { negotiated: true, id: 0 });
            channel.binaryType = 'arraybuffer';
            window.received = 0;
            channel.onmessage = event => { received += event.data.byteLength; };
            const gathered = new Promise(resolve => {
                pc.onicecandidate = event => { if (!event.candidate) resolve(); };
            });
            window.describe = async () => {
                await pc.setLocalDescription();
                await gathered;
                return JSON.stringify(pc.localDescription);
            };
            offerer ? describe().then(done) : done(null);";
        const ANSWER: &str = "
            const done = arguments[arguments.length - 1];
            pc.setRemoteDescription(JSON.parse(arguments[0])).then(describe).then(done);";
        const CONNECT: &str = "
            const done = arguments[arguments.length - 1];
            pc.setRemoteDescription(JSON.parse(arguments[0]));
            channel.readyState === 'open' ? done() : channel.onopen = () => done();";

        // A document of our origin without the page's own work.
        let quiet = format!("{}/healthz", server.url());
        let (from, to) = (from.open(&quiet).await, to.open(&quiet).await);
        let offer = call(&from, PEER, json!(true)).await;
        call(&to, PEER, json!(false)).await;
        let answer = call(&to, ANSWER, offer).await;
        call(&from, CONNECT, answer).await;
        Self { from, to }
    }

    /// Sends for so long, and gives the bytes per second that arrived meanwhile.
    pub(crate) async fn rate_over(self, time: Duration) -> f64 {
        const SEND: &str = "
            const [milliseconds, done] = arguments;
            const message = new Uint8Array(65536);
            const end = performance.now() + milliseconds;
            channel.bufferedAmountLowThreshold = 262144;
            const fill = () => {
                while (channel.bufferedAmount < 1048576 && performance.now() < end) {
                    channel.send(message);
                }
            };
            channel.onbufferedamountlow = fill;
            fill();
            setTimeout(() => { channel.onbufferedamountlow = null; done(); }, milliseconds);";
        const RECEIVED: &str = "arguments[1](received)";
        let start = Instant::now();
        call(&self.from, SEND, json!(time.as_millis() as u64)).await;
        let received = call(&self.to, RECEIVED, json!(null)).await;
        let rate = rate(received.as_u64().expect("a number of bytes"), start.elapsed());
        self.from.close().await;
        self.to.close().await;
        rate
    }
}

async fn call(page: &Page<'_>, script: &str, argument: Value) -> Value {
    let client = page.client().await;
    client.execute_async(script, vec![argument]).await.expect("the script runs")
}
