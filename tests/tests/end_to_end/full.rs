//! A browser without room for what it receives:
//! - says so and how much is needed, keeps what it has, goes on by itself once there is room, and ends with
//!   the same bytes: at random sizes of the quota in Chromium (`--long`: 10);
//! - in Firefox too, whose writes only come out short, and there also if the room runs out underway.

use tests::page::{Article, Page};
use tests::{Browser, BrowserKind, Random, Server, Shoal, is_long, turn};

use crate::{MIB, Workbench};

const SIZE: u64 = 8 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn chromium_waits_for_room_and_goes_on_by_itself() {
    let _turn = turn().await;
    let mut random = Random::announced();
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    for time in 0..if is_long() { 10 } else { 2 } {
        let file = bench.file(&format!("{time}.bin"), SIZE);
        let mut sender = Shoal::send(&server, &[&file.path], &["--until-received", "1"]);
        let page = browser.open(&sender.invite_link().await).await;
        page.article(&file.name).await;
        let used = page.until("what was there before to be gone", ESTIMATE).await;
        let room = random.between(16 << 10, SIZE - 1);
        page.set_quota(Some(used.as_u64().expect("a number of bytes") + room)).await;
        page.press_on(&file.name, "Receive").await;
        let article = full(&page, &file.name).await;
        println!("room for {room} bytes: {:?} %", article.progress);
        page.set_quota(None).await;
        page.complete(&file.name).await;
        file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
        sender.success().await;
        // What is saved would be erased by itself to make room for the next.
        page.press_on(&file.name, "Delete from this browser").await;
        page.close().await;
    }
}

/// Gives the bytes that the browser has stored for the page, once its files are few.
const ESTIMATE: &str = "
    navigator.storage.estimate().then(it => {
        const files = it.usageDetails.fileSystem ?? 0;
        window.used = files < 1 << 20 ? it.usage : null;
    });
    return window.used ?? null;";

#[tokio::test(flavor = "multi_thread")]
async fn firefox_waits_for_room_and_goes_on_by_itself() {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let browser = Browser::start_firefox_with_room(3 * SIZE).await;

    // There is no room from the start.
    let file = bench.file("no room.bin", SIZE);
    let mut sender = Shoal::send(&server, &[&file.path], &["--until-received", "1"]);
    let page = browser.open(&sender.invite_link().await).await;
    fill(&page, SIZE / 2).await;
    page.press_on(&file.name, "Receive").await;
    full(&page, &file.name).await;
    make_room(&page).await;
    page.complete(&file.name).await;
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
    sender.success().await;
    page.press_on(&file.name, "Delete from this browser").await;
    page.close().await;

    // Everything else is taken while it is under way: what is still to be noted down finds no room.
    let file = bench.file("too late.bin", SIZE);
    let limit = ["--until-received", "1", "--upload-limit", "2MiB"];
    let mut sender = Shoal::send(&server, &[&file.path], &limit);
    let page = browser.open(&sender.invite_link().await).await;
    page.press_on(&file.name, "Receive").await;
    let some = |article: &Article| article.progress.is_some_and(|now| now >= 5.0);
    page.article_where(&file.name, "there in part", some).await;
    fill(&page, 0).await;
    full(&page, &file.name).await;
    make_room(&page).await;
    page.complete(&file.name).await;
    file.assert_arrived(&browser.downloaded(&file.name, file.size).await);
    sender.success().await;
}

/// Waits until a share says that the disk is full and how much it needs.
async fn full(page: &Page<'_>, title: &str) -> Article {
    let full = |article: &Article| {
        let says = |what: &str| article.texts.iter().any(|text| text.contains(what));
        says("Disk full") && article.text.contains("It needs ")
    };
    page.article_where(title, "waiting for room", full).await
}

/// Stores something else until only `left` bytes or a little less can still be stored.
async fn fill(page: &Page<'_>, left: u64) {
    page.execute(&format!(
        "const fill = async () => {{
            const root = await navigator.storage.getDirectory();
            let number = 0;
            for (let size = 1 << 20; size >= 512; size >>= 1) {{
                try {{
                    for (;;) {{
                        const {{ quota, usage }} = await navigator.storage.estimate();
                        if (quota - usage < size + {left}) break;
                        const file = await root.getFileHandle(`other ${{number++}}`, {{ create: true }});
                        const writer = await file.createWritable();
                        await writer.write(new Uint8Array(size));
                        await writer.close();
                    }}
                }} catch {{}}
            }}
        }};
        window.filled = false;
        fill().then(() => window.filled = true, error => window.filled = String(error));"
    ))
    .await;
    let filled = page.until("the disk to be filled", "return window.filled || null").await;
    assert_eq!(filled, true, "the disk could not be filled: {filled}");
}

/// Removes what [`fill`] stored.
async fn make_room(page: &Page<'_>) {
    page.execute(
        "const empty = async () => {
            const root = await navigator.storage.getDirectory();
            for await (const name of root.keys())
                if (name.startsWith('other ')) await root.removeEntry(name);
        };
        empty().then(() => window.filled = 'emptied', error => window.filled = String(error));",
    )
    .await;
    let emptied = "return window.filled === true ? null : window.filled";
    let emptied = page.until("the disk to be emptied", emptied).await;
    assert_eq!(emptied, "emptied", "the disk could not be emptied");
}
