//! A transfer that was broken off goes on where it was:
//! - after Ctrl-C, and after the process was killed, a second `shoal receive` into the same folder fetches
//!   only what is missing, says so (`reused`), and the result has the same bytes;
//! - before that, nothing in the folder looks like the finished file, and the exit code is not 0;
//! - a tab that was reloaded in the middle of a folder of large and small files fetches only what is
//!   missing, and saves all of them;
//! - tabs that are reloaded or crash at random points go on where they were, each fetching no more than
//!   4 MiB twice (`--long`: 40 in Chromium, 20 in Firefox);
//! - two tabs of one browser that receive the same share keep a store each, and find it again after both
//!   were reloaded at once;
//! - a damaged journal costs a look at what is there, and nothing is fetched again for it.

use tests::page::{Article, Page};
use tests::wait::SOON;
use tests::{Browser, BrowserKind, Random, Server, Shoal, files, is_long, turn_to_wait};

use crate::{MIB, PIECE, Workbench};

const TOTAL: u64 = 48 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn what_ctrl_c_broke_off_is_resumed_without_fetching_again() {
    broken_off(|receiver| receiver.process.interrupt()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_broke_off_is_resumed_without_fetching_again() {
    broken_off(|receiver| receiver.process.kill_now()).await;
}

async fn broken_off(end: impl Fn(&Shoal)) {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("interrupted.bin", TOTAL);
    let into = bench.folder("into");
    let mut sender = Shoal::send(&server, &[&file.path], &[]);
    let link = sender.invite_link().await;

    let mut first = Shoal::receive(&link, &into, &["--download-limit", "8MiB"]);
    let so_far = first
        .event_where("progress", |event| event["bytes"].as_u64().is_some_and(|b| b >= TOTAL / 4))
        .await["bytes"]
        .as_u64()
        .expect("progress tells bytes");
    assert!(so_far < TOTAL, "it was over before it could be interrupted");
    end(&first);
    let status = first.process.exit(SOON).await;
    assert!(!status.success(), "a transfer that was broken off ended with {status}");
    assert!(!into.join(&file.name).exists(), "what is unfinished looks finished");

    let mut second = Shoal::receive(&link, &into, &[]);
    let complete = second.complete().await;
    second.success().await;
    file.assert_arrived(&into.join(&file.name));
    assert_eq!(complete.fetched + complete.reused, TOTAL);
    // `progress` counts what is durable.
    assert!(
        complete.reused >= so_far,
        "{so_far} bytes were there, but only {} were used again",
        complete.reused
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reload_of_chromium_broke_off_is_resumed_without_fetching_again() {
    reloaded(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reload_of_firefox_broke_off_is_resumed_without_fetching_again() {
    reloaded(BrowserKind::Firefox).await;
}

async fn reloaded(kind: BrowserKind) {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let folder = bench.folder("reloaded");
    let mut total = 0;
    for (count, size) in [(3, 8 * MIB + 1), (40, PIECE + 7), (200, 3_000)] {
        for number in 0..count {
            files::make(&folder.join(format!("{number} of {size}")), size, &number.to_string());
            total += size;
        }
    }
    // So slow that there is a middle.
    let limit = ["--until-received", "1", "--upload-limit", "6MiB"];
    let mut sender = Shoal::send(&server, &[&folder], &limit);
    let browser = Browser::start(kind).await;
    let page = browser.open(&sender.invite_link().await).await;
    page.article("reloaded").await;
    page.press_on("reloaded", "Receive").await;
    let half = |article: &Article| article.progress.is_some_and(|now| now >= 50.0);
    let article = page.article_where("reloaded", "half there", half).await;
    assert!(!article.is_complete(), "it was over before it could be interrupted");

    page.reload().await;
    page.press_on("reloaded", "Resume").await;
    page.complete("reloaded").await;
    let unpacked = bench.folder("unpacked");
    files::unzip(&browser.downloaded_any("reloaded.zip").await, &unpacked);
    files::assert_same(&files::tree(&folder), &files::tree(&unpacked.join("reloaded")));
    let uploaded = uploaded(&mut sender).await;
    // Of what was on its way or not yet durable some is sent again.
    assert!(
        uploaded < total + total / 4,
        "{uploaded} bytes were sent for {total}, though half of them had been there"
    );
    browser.assert_no_complaints().await;
}

/// What may be fetched twice when a tab goes at a bad moment.
const FETCHED_TWICE: u64 = 4 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn reloads_and_crashes_of_chromium_at_random_points_lose_nothing() {
    broken_off_at_random(BrowserKind::Chromium, if is_long() { 40 } else { 4 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_and_crashes_of_firefox_at_random_points_lose_nothing() {
    broken_off_at_random(BrowserKind::Firefox, if is_long() { 20 } else { 2 }).await;
}

async fn broken_off_at_random(kind: BrowserKind, times: u64) {
    let _turn = turn_to_wait().await;
    let mut random = Random::announced();
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(kind).await;
    let mut resumed = 0;
    for time in 0..times {
        let file = bench.file(&format!("{time}.bin"), 12 * MIB);
        let (crashes, percent) = (time % 2 == 1, random.between(2, 80));
        let limit = ["--until-received", "1", "--upload-limit", "4MiB"];
        let mut sender = Shoal::send(&server, &[&file.path], &limit);
        let link = sender.invite_link().await;
        let page = browser.open(&link).await;
        page.press_on(&file.name, "Receive").await;
        let so_far = at_least(&page, &file.name, percent as f64).await;
        let page = if crashes {
            page.crash().await;
            browser.open(&link).await
        } else {
            page.reload().await;
            page
        };
        // It may have had all of it before it went.
        let buttons = ["Resume", "Save"];
        let offers = |label: &str, article: &Article| article.texts.iter().any(|it| it == label);
        let left = |article: &Article| buttons.iter().any(|label| offers(label, article));
        let article = page.article_where(&file.name, "left from before", left).await;
        let is_unfinished = offers("Resume", &article);
        resumed += u64::from(is_unfinished);
        page.press_on(&file.name, buttons[usize::from(!is_unfinished)]).await;
        page.complete(&file.name).await;
        file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
        page.close().await;

        let twice = uploaded(&mut sender).await.saturating_sub(file.size);
        let how = if crashes { "crashed" } else { "reloaded" };
        println!("{kind:?} {how} at {so_far} %: {} KiB fetched twice", twice >> 10);
        assert!(twice <= FETCHED_TWICE, "{how} at {so_far} %: {twice} bytes were fetched twice");
    }
    assert!(resumed * 2 >= times, "only {resumed} of {times} were broken off in the middle");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_of_chromium_keep_a_store_each_and_find_it_again() {
    two_tabs(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_of_firefox_keep_a_store_each_and_find_it_again() {
    two_tabs(BrowserKind::Firefox).await;
}

async fn two_tabs(kind: BrowserKind) {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("twice.bin", 16 * MIB);
    let mut sender = Shoal::send(&server, &[&file.path], &["--upload-limit", "2MiB"]);
    let link = sender.invite_link().await;
    let browser = Browser::start(kind).await;
    let (less, more) = (browser.open(&link).await, browser.open(&link).await);
    let mut had = Vec::new();
    for (page, percent) in [(&less, 5.0), (&more, 30.0)] {
        page.press_on(&file.name, "Receive").await;
        at_least(page, &file.name, percent).await;
        page.press_on(&file.name, "Pause").await;
        let paused = |article: &Article| article.texts.iter().any(|text| text == "Paused");
        let article = page.article_where(&file.name, "paused", paused).await;
        had.push(article.progress.expect("a share has a progress bar"));
    }
    assert!(had[0] < had[1], "one was not paused while it had less than the other: {had:?}");

    // Both at once, so that either could take the other's.
    for page in [&less, &more] {
        page.execute(RELOAD_SOON).await;
    }
    let mut has = Vec::new();
    for page in [&less, &more] {
        page.until("the page to be loaded again", "return window.before ? null : true").await;
        let unfinished = |article: &Article| article.texts.iter().any(|text| text == "Unfinished");
        let article = page.article_where(&file.name, "unfinished", unfinished).await;
        has.push(article.progress.expect("a share has a progress bar"));
    }
    assert!(
        has[0] >= had[0] && has[1] >= had[1] && has[0] < has[1],
        "before they were reloaded they had {had:?} percent, and after {has:?}"
    );
    for page in [&less, &more] {
        page.press_on(&file.name, "Resume").await;
    }
    for page in [&less, &more] {
        page.complete(&file.name).await;
    }
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
    let second = match kind {
        BrowserKind::Chromium => "twice (1).bin",
        BrowserKind::Firefox => "twice(1).bin",
    };
    file.assert_arrived(&browser.downloaded(second, file.size).await);
    browser.assert_no_complaints().await;
}

/// Reloads the page in a moment, without the question that it asks people before.
const RELOAD_SOON: &str = "
    window.before = true;
    addEventListener('beforeunload', event => event.stopImmediatePropagation(), true);
    setTimeout(() => location.reload(), 500);";

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_costs_a_look_at_what_is_there() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("damaged.bin", 12 * MIB);
    let limit = ["--until-received", "1", "--upload-limit", "6MiB"];
    let mut sender = Shoal::send(&server, &[&file.path], &limit);
    let link = sender.invite_link().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&link).await;
    page.press_on(&file.name, "Receive").await;
    at_least(&page, &file.name, 60.0).await;
    page.close().await;

    // The page outside of any room, so that nobody has the store open.
    let page = browser.open(server.url()).await;
    page.execute(DAMAGE_JOURNALS).await;
    let damaged = page.until("the journals to be damaged", "return window.damaged ?? null").await;
    assert_eq!(damaged, 1, "not one journal was there to be damaged: {damaged}");
    page.close().await;

    let page = browser.open(&link).await;
    page.press_on(&file.name, "Resume").await;
    page.complete(&file.name).await;
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
    let twice = uploaded(&mut sender).await.saturating_sub(file.size);
    assert!(twice <= FETCHED_TWICE, "{twice} bytes were fetched twice");
}

/// Flips a bit of the third record of every journal, and tells in `damaged` how many there were.
const DAMAGE_JOURNALS: &str = "
    const damage = async directory => {
        let count = 0;
        for await (const [name, handle] of directory.entries()) {
            if (handle.kind === 'directory') {
                count += await damage(handle);
            } else if (name === 'journal') {
                const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
                bytes[30] ^= 1;
                const writer = await handle.createWritable();
                await writer.write(bytes);
                await writer.close();
                count += 1;
            }
        }
        return count;
    };
    navigator.storage.getDirectory().then(damage)
        .then(count => window.damaged = count, error => window.damaged = String(error));";

/// Waits until so many percent of a share are there, and gives how many are.
async fn at_least(page: &Page<'_>, title: &str, percent: f64) -> f64 {
    let there = |article: &Article| article.progress.is_some_and(|now| now >= percent);
    let article = page.article_where(title, &format!("at {percent} %"), there).await;
    assert!(!article.is_complete(), "it was over before it could be interrupted");
    article.progress.expect("a share has a progress bar")
}

/// Waits for a sender to end well, and gives how much it sent.
async fn uploaded(sender: &mut Shoal) -> u64 {
    sender.success().await;
    let left = sender.events().pop().expect("it said that it left");
    left["uploaded"].as_u64().expect("it tells what it sent")
}
