//! What the server gets to know. While a file goes between a page and the command, and afterwards:
//! - neither the server's memory nor its log, at the level that says most, holds the secret of the link,
//!   the file's name, its bytes, a session description or a candidate;
//! - the search would find them: the room's id is in the server's memory, and all the rest in that of the
//!   command.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use protocol::invite::InviteLink;
use tests::proc::{contains, memory_holds};
use tests::{Browser, BrowserKind, Server, Shoal, turn};

use crate::{MIB, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn the_server_learns_no_secret_no_name_and_no_address() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::with(&["--log-level", "trace"]).await;
    let file = bench.file("canary that sings of 4711.txt", 64 * MIB);
    let bytes = std::fs::read(&file.path).expect("it was just made")[..48].to_vec();

    let mut sender =
        Shoal::send(&server, &[&file.path], &["--until-received", "1", "--upload-limit", "8MiB"]);
    let link = sender.invite_link().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&link).await;
    page.article(&file.name).await;
    page.press_on(&file.name, "Receive").await;
    let is_moving = |article: &tests::page::Article| article.progress.is_some_and(|now| now > 0.0);
    page.article_where(&file.name, "under way", is_moving).await;

    let parsed: InviteLink = link.parse().expect("the command prints a link");
    let (_, fragment) = link.split_once('#').expect("a link has a fragment");
    let invite = BASE64URL_NOPAD.decode(fragment.as_bytes()).expect("an invite is base64url");
    let secret = &invite[1..33];
    let hex = HEXLOWER.encode(secret);
    let needles: [(&str, &[u8]); 9] = [
        ("the invite as text", fragment.as_bytes()),
        ("the room's secret", secret),
        ("the room's secret in hexadecimal digits", hex.as_bytes()),
        ("the file's name", file.name.as_bytes()),
        ("the file's first bytes", &bytes),
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

    let with_the_sender = found(sender.pid());
    for known in
        ["the room's secret", "the file's name", "a certificate's fingerprint", "a candidate"]
    {
        assert!(
            with_the_sender.contains(&known),
            "the search does not even find {known} with a peer"
        );
    }
    let room = parsed.invite.room_id();
    let room_is_known = memory_holds(server.pid(), &[&room.0]).expect("it can be read");
    assert_eq!(room_is_known, [true], "the search does not even find the room's id");
    assert_eq!(found(server.pid()), Vec::<&str>::new(), "the server's memory holds secrets");

    page.complete(&file.name).await;
    sender.success().await;
    assert_eq!(found(server.pid()), Vec::<&str>::new(), "the server's memory holds secrets");

    let log = server.log().join("\n");
    assert!(log.contains("TRACE"), "the log does not say most");
    for (what, needle) in needles {
        assert!(!contains(log.as_bytes(), needle), "the server's log holds {what}");
    }
}
