//! Many files, and many shares, in the page:
//! - a share of 20 000 files is listed to the last one, while only the rows in sight are drawn;
//! - its tree is operated with the keyboard alone, and says where in it each row is;
//! - files chosen in it are what is received, and are still chosen after a reload; what is chosen later
//!   comes later;
//! - one file of a share is saved by itself;
//! - shares are found by their titles and by the paths of their files, sorted and filtered;
//! - of hundreds of shares only those near to what is in sight are drawn whole, and all can be reached;
//! - whether a share is served is switched, and others see that.

use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::{Value, json};
use tests::page::Page;
use tests::{Browser, BrowserKind, Server, Shoal, files, turn_to_wait};

use crate::{MIB, Workbench};

const MANY: u64 = 20_000;
const IN_ONE_FOLDER: u64 = 200;

/// The rows that are drawn.
const ROWS: &str = "return document.querySelectorAll('[role=treeitem]').length || null";
/// Has `active`, the active row, if it is drawn.
const ACTIVE: &str = "
    const tree = document.querySelector('[role=tree]');
    const active = document.getElementById(tree?.getAttribute('aria-activedescendant'));";

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_files_are_listed_to_the_last_and_few_rows_are_drawn() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let many = bench.folder("many");
    for number in 0..MANY {
        let folder = many.join(format!("part {:03}", number / IN_ONE_FOLDER));
        if number % IN_ONE_FOLDER == 0 {
            std::fs::create_dir(&folder).expect("a folder can be made");
        }
        std::fs::write(folder.join(format!("{number:05}.txt")), number.to_string())
            .expect("a file can be made");
    }
    let mut sender = Shoal::send(&server, &[&many], &[]);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(&sender.invite_link().await).await;
    page.article_where("many", "described", |it| it.text.contains("20\u{202f}000 files")).await;
    page.open_details("many").await;
    page.until("rows of the tree", ROWS).await;
    // Only the outermost folder is open.
    assert_eq!(size_of_set(&page, 2).await, json!(MANY / IN_ONE_FOLDER));

    page.press("Open folders").await;
    type_in_tree(&page, &[Key::End.into()]).await;
    let last = format!("many/part {:03}/{:05}.txt", (MANY - 1) / IN_ONE_FOLDER, MANY - 1);
    active_is(&page, &last).await;
    let drawn = page.execute(ROWS).await.as_u64().unwrap_or(0);
    assert!((5..100).contains(&drawn), "{drawn} rows are drawn");
    assert_eq!(size_of_set(&page, 3).await, json!(IN_ONE_FOLDER));

    // Out of the folder, which is closed then; to the first, into it, and by typing to one in it.
    type_in_tree(&page, &[Key::Left.into(), Key::Left.into()]).await;
    active_is(&page, "many/part 099").await;
    let keys = [Key::Home, Key::Right, Key::Right].map(char::from);
    type_in_tree(&page, &keys).await;
    active_is(&page, "many/part 000/00000.txt").await;
    type_in_tree(&page, &['0', '0', '1', '9']).await;
    active_is(&page, "many/part 000/00190.txt").await;

    // Without anything of it being chosen but this.
    page.press("Choose none").await;
    type_in_tree(&page, &[' ']).await;
    page.says("1 of 20\u{202f}000 files chosen").await;
    page.press("Receive").await;
    page.complete("many").await;
    let saved = browser.downloaded("00190.txt", 3).await;
    assert_eq!(std::fs::read(saved).expect("it was saved"), b"190");
    browser.assert_no_complaints().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_in_chromium_stays_so_after_a_reload() {
    chosen_and_reloaded(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_in_firefox_stays_so_after_a_reload() {
    chosen_and_reloaded(BrowserKind::Firefox).await;
}

async fn chosen_and_reloaded(kind: BrowserKind) {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let album = bench.folder("album");
    std::fs::create_dir(album.join("raw")).expect("a folder can be made");
    let size = |number: u64| MIB + number;
    for number in 0..3 {
        files::make(&album.join(format!("raw/{number}.bin")), size(number), &number.to_string());
    }
    files::make(&album.join("notes.txt"), 100, "notes");
    let mut sender = Shoal::send(&server, &[&album], &[]);
    let browser = Browser::start(kind).await;
    let page = browser.open(&sender.invite_link().await).await;
    page.open_details("album").await;
    page.until("all rows of the tree", &rows(6)).await;
    check(&page, "album/raw").await;
    checked(&page, "album", "mixed").await;
    check(&page, "album/raw/1.bin").await;
    checked(&page, "album/raw", "mixed").await;
    page.says("2 of 4 files chosen").await;
    // How urgent it is, too.
    click(&page, "album/raw/1.bin").await;
    choose(&page, "Priority", "High").await;
    page.until("the mark of the urgent", "return document.querySelector('.urgency')").await;
    // A page that ends sooner forgets the last change.
    page.until("the wish in its file", WISH).await;

    page.reload().await;
    page.says("2 of 4 files chosen").await;
    page.open_details("album").await;
    page.until("all rows of the tree", &rows(6)).await;
    checked(&page, "album/raw/0.bin", "false").await;
    checked(&page, "album/raw/1.bin", "true").await;
    page.until("the mark of the urgent", "return document.querySelector('.urgency')").await;
    page.press_on("album", "Receive").await;
    page.complete("album").await;
    let zip = browser.downloaded_any("album.zip").await;
    let unpacked = tempfile::TempDir::new().expect("a temporary directory");
    files::unzip(&zip, unpacked.path());
    assert!(unpacked.path().join("album/raw/1.bin").exists());
    assert!(!unpacked.path().join("album/raw/0.bin").exists(), "it was not chosen");

    // One file by itself; then one more, which is all that is fetched.
    click(&page, "album/raw/1.bin").await;
    page.press("Save album/raw/1.bin").await;
    browser.downloaded("1.bin", size(1)).await;
    check(&page, "album/raw/2.bin").await;
    page.article_where("album", "ready", |it| it.text.contains("Ready to save")).await;
    // After a reload all that is wanted is here.
    page.reload().await;
    page.article_where("album", "ready", |it| it.text.contains("Ready to save")).await;
    page.open_details("album").await;
    page.until("all rows of the tree", &rows(6)).await;
    click(&page, "album/raw/2.bin").await;
    page.press("Save album/raw/2.bin").await;
    let saved = browser.downloaded("2.bin", size(2)).await;
    assert_eq!(files::hash(&saved), files::hash(&album.join("raw/2.bin")));
    browser.assert_no_complaints().await;
}

/// Something once the file of a wish says what is urgent.
const WISH: &str = "
    return (async () => {
        const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('shoal');
        for await (const store of root.values()) {
            const wishes = await store.getDirectoryHandle?.('wishes').catch(() => null);
            for await (const file of wishes?.values() ?? []) {
                if ((await (await file.getFile()).text()).includes('high')) return true;
            }
        }
        return null;
    })();";

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_found_sorted_and_filtered_and_far_ones_are_drawn_in_part() {
    const SHARES: usize = 150;
    let _turn = turn_to_wait().await;
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let (_, link) = crate::link_to_an_empty_room(&server);
    let page = browser.open(&link).await;
    let other = browser.open(server.url()).await;
    other.enter(&link, "{ name: 'Other' }").await;
    // One is a folder; the larger the number the smaller the file.
    let share = format!(
        "const file = (path, size) => ({{ path, file: new File([new Uint8Array(size)], 'x') }});
         (async () => {{
             while (!window.peer) await new Promise(done => setTimeout(done, 20));
             for (let i = 1; i < {SHARES}; i++) await peer.share([file(`note ${{i}}.txt`, 1000 - i)]);
         }})();"
    );
    other.execute(&share).await;
    let so_many = |shares: usize| {
        format!("return document.querySelectorAll('article').length === {shares} || null")
    };
    page.until("the notes on the shelf", &so_many(SHARES - 1)).await;
    const TRIP: &str = "
        const file = path => ({ path, file: new File(['x'], 'x') });
        peer.share([file('trip/Beach/sun.jpg'), file('trip/City/rain.jpg')]);";
    other.execute(TRIP).await;
    let all = so_many(SHARES);
    page.until("all shares on the shelf", &all).await;
    const WHOLE: &str = "return document.querySelectorAll('article [role=progressbar]').length";
    let few = format!(
        "return document.querySelectorAll('article [role=progressbar]').length < {} || null",
        SHARES / 2
    );
    page.until("only some of them drawn whole", &few).await;
    assert!(page.execute(WHOLE).await.as_u64() > Some(2), "none is drawn whole");
    // The newest is the first; the last is drawn when it is in sight.
    assert_eq!(titles(&page).await.first().map(String::as_str), Some("trip"));
    page.execute("[...document.querySelectorAll('article')].at(-1).scrollIntoView()").await;
    let last = "return [...document.querySelectorAll('article')].at(-1).querySelector('[role=progressbar]')";
    page.until("the last one drawn whole", last).await;

    choose(&page, "Sort by", "Size").await;
    titles_begin(&page, &["note 1.txt", "note 2.txt"]).await;
    choose(&page, "Sort by", "Name").await;
    titles_begin(&page, &["note 1.txt", "note 10.txt"]).await;
    search(&page, "note 14").await;
    titles_begin(&page, &["note 114.txt", "note 14.txt", "note 140.txt"]).await;
    page.says("Found 12 files in 12 shares.").await;
    search(&page, "SUN beach").await;
    titles_begin(&page, &["trip"]).await;
    page.says("trip/Beach/sun.jpg").await;
    page.open_details("trip").await;
    page.until("only what was found in its tree", &rows(3)).await;
    search(&page, "").await;
    page.until("all rows of the tree", &rows(5)).await;
    page.until("all shares on the shelf", &all).await;
    choose(&page, "Show", "Shared by you").await;
    page.says("Nothing here is like that").await;
    choose(&page, "Show", "Everything").await;
    page.until("all shares on the shelf", &all).await;
    browser.assert_no_complaints().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_is_not_passed_on_cannot_be_received_until_it_is() {
    let _turn = turn_to_wait().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let file = bench.file("kept.bin", MIB);
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.choose_files(&[&file.path]).await;
    let link = page.invite_link().await;
    page.open_details("kept.bin").await;
    toggle_serving(&page).await;
    page.says("Nobody gets it from you.").await;
    let other = browser.open(&link).await;
    other.says("Files in this room").await;
    page.says("Who is here").await;
    other
        .until("a connection", "return document.body.innerText.match(/same network|direct/)?.[0]")
        .await;
    assert!(other.shelf().await.is_empty(), "what is not served is on a shelf");
    toggle_serving(&page).await;
    other.press_on("kept.bin", "Receive").await;
    other.complete("kept.bin").await;
    file.assert_arrived(&browser.downloaded("kept.bin", MIB).await);
    // Now the other has it too.
    page.says("you may close this tab").await;
    page.says("2.0 copies in the room").await;
    browser.assert_no_complaints().await;
}

/// The `aria-setsize` of the first row of a level, which all rows of a level that are drawn have.
async fn size_of_set(page: &Page<'_>, level: u32) -> Value {
    let script = format!(
        "const sizes = new Set([...document.querySelectorAll('[role=treeitem][aria-level=\"{level}\"]')]
             .map(it => Number(it.getAttribute('aria-setsize'))));
         return [...sizes];"
    );
    let sizes = page.execute(&script).await;
    assert_eq!(sizes.as_array().map(Vec::len), Some(1), "one folder has one size: {sizes}");
    sizes[0].clone()
}

/// Types into the tree, as those do who have no mouse.
async fn type_in_tree(page: &Page<'_>, keys: &[char]) {
    let client = page.client().await;
    let tree = client.find(Locator::Css("[role=tree]")).await.expect("there is a tree");
    let keys: String = keys.iter().collect();
    tree.send_keys(&keys).await.expect("the tree takes keys");
}

async fn active_is(page: &Page<'_>, path: &str) {
    let script = format!("{ACTIVE} return active?.title === {path:?} || null");
    page.until(&format!("{path:?} to be the active row"), &script).await;
}

/// Something once there are so many rows.
fn rows(count: usize) -> String {
    format!("return document.querySelectorAll('[role=treeitem]').length === {count} || null")
}

/// Clicks on something of the row of this path.
async fn click_on(page: &Page<'_>, path: &str, what: &str) {
    let script = format!("document.querySelector('[role=treeitem][title={path:?}]{what}').click()");
    page.execute(&script).await;
}

async fn click(page: &Page<'_>, path: &str) {
    click_on(page, path, "").await;
}

/// Clicks on the box of a row.
async fn check(page: &Page<'_>, path: &str) {
    click_on(page, path, " .check").await;
}

/// Waits for a row to be checked, not, or in part.
async fn checked(page: &Page<'_>, path: &str, how: &str) {
    let script = format!(
        "return document.querySelector('[role=treeitem][title={path:?}][aria-checked={how:?}]')"
    );
    page.until(&format!("the row {path:?} to be checked: {how}"), &script).await;
}

/// Chooses from the list of this name.
async fn choose(page: &Page<'_>, list: &str, option: &str) {
    let script = format!(
        "const list = [...document.querySelectorAll('select')]
             .find(it => it.labels[0]?.textContent.trim().startsWith({list:?}));
         const option = [...list?.options ?? []].find(it => it.text === {option:?});
         if (!option) return null;
         list.value = option.value;
         list.dispatchEvent(new Event('change', {{ bubbles: true }}));
         return true;"
    );
    page.until(&format!("a list {list:?} with {option:?}"), &script).await;
}

async fn search(page: &Page<'_>, text: &str) {
    let script = format!(
        "const field = document.querySelector('[role=search] input');
         field.value = {text:?};
         field.dispatchEvent(new Event('input', {{ bubbles: true }}));"
    );
    page.execute(&script).await;
}

async fn titles(page: &Page<'_>) -> Vec<String> {
    page.shelf().await.into_iter().map(|article| article.title).collect()
}

async fn titles_begin(page: &Page<'_>, wanted: &[&str]) {
    let script = format!(
        "const titles = [...document.querySelectorAll('article h2')].map(it => it.textContent);
         return {}.every((it, i) => titles[i] === it) || null",
        json!(wanted)
    );
    page.until(&format!("{wanted:?} to come first"), &script).await;
}

async fn toggle_serving(page: &Page<'_>) {
    let toggle =
        "const it = document.querySelector('[role=switch]'); it?.click(); return !!it || null";
    page.until("a switch for passing on", toggle).await;
}
