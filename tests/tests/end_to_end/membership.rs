//! Who is in a room, and who decides that:
//! - the words to compare are the same on both sides, page and command;
//! - whoever is trusted stays so after a reload, and `--trusted` receives only from such people;
//! - the creator locks the room: whoever comes later is told so, and is let in when it is opened again;
//! - the creator starts the room anew: all are told the new link but those who are left out.

use serde_json::Value;
use tests::page::Page;
use tests::wait::{SOON, until};
use tests::{Browser, BrowserKind, Server, Shoal, turn, turn_to_wait};

use crate::{PIECE, Workbench};

#[tokio::test(flavor = "multi_thread")]
async fn the_creator_of_a_room_knows_people_locks_it_and_starts_it_anew_without_somebody() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let file = bench.file("for members.bin", 3 * PIECE);
    let page = browser.open(server.url()).await;
    page.choose_files(&[&file.path]).await;
    let link = page.invite_link().await;
    let join = |name: &str| Shoal::receive(&link, &bench.path(name), &["--stay", "--name", name]);
    let (mut anna, mut bert) = (join("Anna"), join("Bert"));
    for member in [&mut anna, &mut bert] {
        member.complete().await;
    }

    let met = met_the_creator(&anna).await;
    let words = met["words"].as_str().expect("there are words to compare");
    assert_eq!(words.split_whitespace().count(), 6, "{words}");
    assert_eq!(shown_words(&page, "Anna").await, words);
    assert_ne!(shown_words(&page, "Bert").await, words);

    press_for(&page, "Anna", "Trust").await;
    page.says("trusted").await;
    page.reload().await;
    page.says("trusted").await;
    page.keep_picture("people").await;

    page.press("Lock the room").await;
    for member in [&mut anna, &mut bert] {
        member.event_where("locked", |event| event["locked"] == true).await;
    }
    let mut late = join("Carl");
    late.event_where("waiting", |event| event["for"] == "locked").await;
    page.press("Lock the room").await;
    late.event("peer-connected").await;

    press_for(&page, "Bert", "Start the room anew without them").await;
    let told = anna.event("started-anew").await;
    let new_link = told["link"].as_str().expect("it tells a link").to_owned();
    assert_ne!(new_link, link);
    page.until("the new room", &format!("return location.href === {new_link:?} || null")).await;
    let mut again = Shoal::receive(&new_link, &bench.path("again"), &["--name", "Anna"]);
    again.event("peer-connected").await;
    assert!(bert.events().iter().all(|event| event["event"] != "started-anew"));
    browser.assert_no_complaints().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_locks_the_room_after_its_guests_and_receives_from_trusted_people_only() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("for one guest.bin", PIECE + 1);
    let [sends, trusts, knows_nobody] =
        ["sends", "trusts", "knows nobody"].map(|name| bench.folder(name));

    let mut people = Shoal::people(&sends, &[]);
    let key = people.event("own-key").await["key"].as_str().expect("a key").to_owned();
    people.success().await;
    let mut trust = Shoal::people(&trusts, &["trust", &key, "--name", "Anna"]);
    trust.success().await;

    let mut sender = Shoal::send_from(&sends, &server, &[&file.path], &[]);
    let link = sender.invite_link().await;
    let mut stranger = Shoal::receive_from(
        &knows_nobody,
        &link,
        &bench.path("stranger"),
        &["--trusted", "--timeout", "600"],
    );
    stranger.event("peer-connected").await;
    stranger.event_where("waiting", |event| event["for"] == "share").await;
    drop(stranger);
    let mut friend = Shoal::receive_from(&trusts, &link, &bench.path("friend"), &["--trusted"]);
    let met = friend.event("peer-connected").await;
    assert_eq!((&met["standing"], &met["known_as"]), (&"trusted".into(), &"Anna".into()));
    friend.complete().await;
    friend.success().await;
    file.assert_arrived(&bench.path("friend").join(&file.name));
    drop(sender);

    let mut sender = Shoal::send(&server, &[&file.path], &["--new-room", "--lock-after", "1"]);
    let link = sender.invite_link().await;
    let mut first = Shoal::receive(&link, &bench.path("first"), &["--stay"]);
    first.complete().await;
    let is_locked = |event: &Value| event["event"] == "locked" && event["locked"] == true;
    until("the room to be locked", SOON, async || {
        first.events().iter().any(is_locked).then_some(())
    })
    .await;
    let mut second = Shoal::receive(&link, &bench.path("second"), &[]);
    second.event_where("waiting", |event| event["for"] == "locked").await;
    assert!(second.events().iter().all(|event| event["event"] != "share"), "it saw what is shared");
}

/// How a member is told of the page, which calls itself after its browser. All pieces may have come from
/// somebody else before.
async fn met_the_creator(member: &Shoal) -> Value {
    let is_it = |event: &Value| {
        event["event"] == "peer-connected" && event["name"] != "Anna" && event["name"] != "Bert"
    };
    until("the page", SOON, async || member.events().into_iter().find(is_it)).await
}

async fn shown_words(page: &Page<'_>, name: &str) -> String {
    let script = format!(
        "const li = [...document.querySelectorAll('li')]
             .find(li => li.querySelector('bdi')?.textContent === {name:?});
         const details = li?.querySelector('details');
         if (!details) return null;
         details.open = true;
         return details.querySelector('.words').innerText;"
    );
    let words = page.until(&format!("words to compare with {name}"), &script).await;
    words.as_str().expect("words are text").to_owned()
}

async fn press_for(page: &Page<'_>, name: &str, button: &str) {
    let script = format!(
        "const li = [...document.querySelectorAll('li')]
             .find(li => li.querySelector('bdi')?.textContent === {name:?});
         const button = [...li?.querySelectorAll('button') ?? []]
             .find(button => button.textContent.trim() === {button:?});
         if (!button) return null;
         button.closest('details').open = true;
         button.click();
         return true;"
    );
    page.until(&format!("the button {button:?} for {name}"), &script).await;
}
