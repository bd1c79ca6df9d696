//! As somebody new would, at the width of a phone, from the first screen to a file that is saved: how many
//! actions that takes. Sender: two until the link can be passed on. Receiver, who opens the link: one.

use tests::{Browser, BrowserKind, Server, turn};

use crate::Workbench;

#[tokio::test(flavor = "multi_thread")]
async fn two_actions_send_and_one_receives() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let (ours, theirs) =
        tokio::join!(Browser::start(BrowserKind::Chromium), Browser::start(BrowserKind::Chromium));
    let file = bench.file("holiday.jpg", 300_000);

    let sender = ours.open(server.url()).await;
    sender.set_width(390).await;
    // One …
    sender.choose_files(&[&file.path]).await;
    let link = sender.invite_link().await;
    // … two.
    sender.press("Copy").await;
    sender
        .until("the link to be copied", "return document.body.innerText.includes('Copied') || null")
        .await;
    assert_eq!(sender.overhang().await, [""; 0], "the page is wider than the phone");

    let receiver = theirs.open(&link).await;
    receiver.set_width(390).await;
    // One.
    receiver.press_on(&file.name, "Receive").await;
    receiver.complete(&file.name).await;
    let saved = theirs.downloaded(&file.name, file.size).await;
    file.assert_arrived(&saved);
    assert_eq!(receiver.overhang().await, [""; 0], "the page is wider than the phone");
}
