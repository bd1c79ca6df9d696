//! What the server gets to know. While one file goes from the command to a page and another from the page to
//! a second command, and afterwards:
//! - neither the server's memory, nor its log at the level that says most, nor its metrics hold the secret
//!   of the link, the name of a file, folder or person, a file's bytes, a session description or a
//!   candidate;
//! - the search would find them: the room's id is in the server's memory, and all the rest in that of the
//!   commands.

use std::path::Path;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use protocol::invite::InviteLink;
use serde_json::Value;
use tests::proc::{contains, memory_holds};
use tests::{Browser, BrowserKind, Server, Shoal, turn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{MIB, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn the_server_learns_no_secret_no_name_and_no_address() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::with(&["--log-level", "trace"]).await;
    let folder = bench.folder("canary folder of 815");
    let file = bench.file("canary folder of 815/canary that sings of 4711.txt", 64 * MIB);
    let back = bench.file("canary that answers 1729.txt", MIB);
    let first_bytes = |path: &Path| std::fs::read(path).expect("it was just made")[..48].to_vec();

    let flags = ["--until-received", "2", "--upload-limit", "8MiB", "--name", "canary called 2718"];
    let mut sender = Shoal::send(&server, &[&folder], &flags);
    let link = sender.invite_link().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&link).await;
    let title = "canary folder of 815";
    page.article(title).await;
    page.choose_files(&[&back.path]).await;
    let into = bench.folder("into");
    let mut receiver = Shoal::receive(&link, &into, &["--name", "canary called 3141", "--stay"]);
    page.press_on(title, "Receive").await;
    let is_moving = |article: &tests::page::Article| article.progress.is_some_and(|now| now > 0.0);
    page.article_where(title, "under way", is_moving).await;
    let is_back = |event: &Value| event["title"] == back.name;
    receiver.event_where("complete", is_back).await;

    let parsed: InviteLink = link.parse().expect("the command prints a link");
    let (_, fragment) = link.split_once('#').expect("a link has a fragment");
    let invite = BASE64URL_NOPAD.decode(fragment.as_bytes()).expect("an invite is base64url");
    let secret = &invite[1..33];
    let hex = HEXLOWER.encode(secret);
    let (bytes, bytes_back) = (first_bytes(&file.path), first_bytes(&back.path));
    let needles: [(&str, &[u8]); 14] = [
        ("the invite as text", fragment.as_bytes()),
        ("the room's secret", secret),
        ("the room's secret in hexadecimal digits", hex.as_bytes()),
        ("the name of the command's file", b"canary that sings of 4711"),
        ("the name of the page's file", b"canary that answers 1729"),
        ("the name of a folder, and of a share", title.as_bytes()),
        ("the name of the sender", b"canary called 2718"),
        ("the name of the receiver", b"canary called 3141"),
        ("the first bytes of the command's file", &bytes),
        ("the first bytes of the page's file", &bytes_back),
        ("a certificate's fingerprint", b"a=fingerprint:"),
        ("an ICE password", b"a=ice-pwd:"),
        ("a candidate", b"candidate:"),
        ("a candidate's type", b" typ host"),
    ];
    let holds = |pid| {
        let bytes: Vec<_> = needles.iter().map(|(_, bytes)| *bytes).collect();
        memory_holds(pid, &bytes).expect("the memory of a process we started can be read")
    };
    let found = |pid| {
        let pairs = needles.iter().zip(holds(pid)).filter(|(_, found)| *found);
        pairs.map(|((what, _), _)| *what).collect::<Vec<_>>()
    };

    let with_peers = [found(sender.pid()), found(receiver.pid())].concat();
    for known in [
        "the room's secret",
        "the name of the command's file",
        "the name of the page's file",
        "the name of a folder, and of a share",
        "the name of the sender",
        "the name of the receiver",
        "a certificate's fingerprint",
        "a candidate",
    ] {
        assert!(with_peers.contains(&known), "the search does not even find {known} with a peer");
    }
    let room = parsed.invite.room_id();
    let room_is_known = memory_holds(server.pid(), &[&room.0]).expect("it can be read");
    assert_eq!(room_is_known, [true], "the search does not even find the room's id");
    assert_eq!(found(server.pid()), Vec::<&str>::new(), "the server's memory holds secrets");

    page.complete(title).await;
    receiver.event_where("complete", |event| event["title"] == title).await;
    sender.success().await;
    assert_eq!(found(server.pid()), Vec::<&str>::new(), "the server's memory holds secrets");

    let log = server.log().join("\n");
    assert!(log.contains("TRACE"), "the log does not say most");
    let metrics = metrics(&server).await;
    assert!(metrics.contains("shoal_joins_total 3"), "the metrics do not count: {metrics}");
    for (what, needle) in needles {
        assert!(!contains(log.as_bytes(), needle), "the server's log holds {what}");
        assert!(!contains(metrics.as_bytes(), needle), "the server's metrics hold {what}");
    }
    let room = room.to_string();
    assert!(!metrics.contains(&room), "the server's metrics tell of a room");
}

/// What the server tells whoever watches over it.
async fn metrics(server: &Server) -> String {
    let address = server.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers in text");
    answer
}
