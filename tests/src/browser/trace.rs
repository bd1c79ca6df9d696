//! What the main threads of a Chromium's pages do, by its own account: the DevTools protocol's `Tracing`
//! domain, which chromedriver does not pass on. A main thread is where people's clicks are answered and the
//! page is drawn: a task that takes long there is felt.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Browser;

/// What belongs to a task is told if it took this long, in microseconds.
const NOTEWORTHY_US: u64 = 2_000;
/// Threads of pages with this name are their main threads.
const MAIN_THREAD: &str = "CrRendererMain";
/// Room for what is recorded, in KiB.
const BUFFER_KIB: u64 = 400 << 10;

/// What one main thread did.
#[derive(Clone, Debug, Default)]
pub struct MainThread {
    /// Its tasks, in order.
    pub tasks: Vec<Task>,
}

/// What was done in one go.
#[derive(Clone, Debug)]
pub struct Task {
    /// From its beginning to its end, whether or not the thread was running.
    pub wall: Duration,
    /// For which the thread was running.
    pub cpu: Duration,
    /// What took long in it, the longest first.
    pub parts: Vec<(String, Duration)>,
}

impl MainThread {
    /// The longest task by the time that the thread was running.
    pub fn longest(&self) -> Option<&Task> {
        self.tasks.iter().max_by_key(|task| task.cpu)
    }

    /// For how long it was running in all.
    pub fn busy(&self) -> Duration {
        self.tasks.iter().map(|task| task.cpu).sum()
    }
}

/// Something a thread did, in microseconds.
struct Span {
    name: String,
    start: u64,
    wall: u64,
    cpu: u64,
}

impl Browser {
    /// Looks at what main threads do for so long; the busiest comes first. Chromium only.
    ///
    /// # Panics
    /// If Chromium does not tell.
    pub async fn trace(&self, time: Duration) -> Vec<MainThread> {
        let devtools = self.devtools.as_ref().expect("only Chromium has DevTools");
        let mut socket = connect(devtools, &self.directory.path().join("profile")).await;
        let categories = ["devtools.timeline", "disabled-by-default-devtools.timeline", "v8"];
        let config = json!({
            "includedCategories": categories,
            "excludedCategories": ["*"],
            "recordMode": "recordUntilFull",
            "traceBufferSizeInKb": BUFFER_KIB,
        });
        send(&mut socket, "Tracing.start", json!({ "traceConfig": config })).await;
        // It is what passes in this time that is looked at: there is nothing to wait for.
        tokio::time::sleep(time).await;
        send(&mut socket, "Tracing.end", json!({})).await;
        let mut threads = Threads::default();
        loop {
            let message = next(&mut socket).await;
            match message["method"].as_str() {
                Some("Tracing.dataCollected") => {
                    let events = message["params"]["value"].as_array();
                    events.into_iter().flatten().for_each(|event| threads.add(event));
                }
                Some("Tracing.tracingComplete") => {
                    assert_ne!(message["params"]["dataLossOccurred"], true, "the trace has gaps");
                    return threads.main();
                }
                _ => assert!(message["error"].is_null(), "Chromium does not trace: {message}"),
            }
        }
    }
}

/// What is recorded, by process and thread.
#[derive(Default)]
struct Threads {
    main: Vec<(u64, u64)>,
    tasks: BTreeMap<(u64, u64), Vec<Span>>,
    parts: BTreeMap<(u64, u64), Vec<Span>>,
}

impl Threads {
    fn add(&mut self, event: &Value) {
        let number = |key: &str| event[key].as_u64().unwrap_or_default();
        let thread = (number("pid"), number("tid"));
        let name = event["name"].as_str().unwrap_or_default();
        match event["ph"].as_str() {
            Some("M") if name == "thread_name" && event["args"]["name"] == MAIN_THREAD => {
                self.main.push(thread);
            }
            Some("X") => {
                let (start, wall) = (number("ts"), number("dur"));
                // Without a clock of the thread all of it counts.
                let cpu = event["tdur"].as_u64().unwrap_or(wall);
                let span = Span { name: name.to_owned(), start, wall, cpu };
                if name == "RunTask" {
                    self.tasks.entry(thread).or_default().push(span);
                } else if wall >= NOTEWORTHY_US {
                    self.parts.entry(thread).or_default().push(span);
                }
            }
            _ => {}
        }
    }

    fn main(mut self) -> Vec<MainThread> {
        let mut threads = Vec::new();
        for thread in &self.main {
            let mut tasks = self.tasks.remove(thread).unwrap_or_default();
            tasks.sort_by_key(|task| task.start);
            let parts = self.parts.remove(thread).unwrap_or_default();
            let tasks = tasks.into_iter().map(|task| {
                let within = |it: &&Span| (task.start..task.start + task.wall).contains(&it.start);
                let mut parts: Vec<(String, Duration)> = parts
                    .iter()
                    .filter(within)
                    .map(|it| (it.name.clone(), Duration::from_micros(it.wall)))
                    .collect();
                parts.sort_by_key(|(_, wall)| std::cmp::Reverse(*wall));
                let (wall, cpu) =
                    (Duration::from_micros(task.wall), Duration::from_micros(task.cpu));
                Task { wall, cpu, parts }
            });
            threads.push(MainThread { tasks: tasks.collect() });
        }
        threads.sort_by_key(|thread| std::cmp::Reverse(thread.busy()));
        threads
    }
}

/// A connection to the browser itself, at `host:port`. Chromium leaves the path in its profile.
async fn connect(devtools: &str, profile: &Path) -> WebSocketStream<TcpStream> {
    let told = fs::read_to_string(profile.join("DevToolsActivePort"));
    let told = told.expect("Chromium tells where its DevTools are");
    let path = told.lines().nth(1).expect("the path is in the second line");
    let stream = TcpStream::connect(devtools).await.expect("Chromium's DevTools listen");
    let url = format!("ws://{devtools}{path}");
    let socket = client_async_with_config(url, stream, None).await;
    socket.expect("Chromium's DevTools take a socket").0
}

async fn send(socket: &mut WebSocketStream<TcpStream>, method: &str, parameters: Value) {
    let message = json!({ "id": 1, "method": method, "params": parameters });
    let sent = socket.send(Message::text(message.to_string())).await;
    sent.expect("Chromium's DevTools listen");
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Value {
    let message = socket.next().await.expect("Chromium's DevTools answer");
    let message = message.expect("Chromium's DevTools answer");
    serde_json::from_slice(&message.into_data()).expect("what DevTools say is an object")
}
