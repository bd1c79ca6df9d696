//! Names on the page are text, whatever they look like: more than two hundred that would run a script where
//! a program took them for HTML, an address, a style or a template, as names of files, folders, shares and
//! people, in real Chromium and Firefox:
//! - no script runs, the browser reports no breach of the page's policy, and nothing is asked of another host;
//! - each is shown to the letter, but for what would turn or hide text;
//! - what may run when it is opened is marked, in words;
//! - what is received is saved as bytes, and neither opened nor shown.
//!
//! And that a breach of the policy would be seen: one fails the test that it happens in.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use native_peer::storage::DiskStorage;
use native_peer::{DeviceKey, InviteLink, Options, Peer, sources};
use protocol::names::{readable, risk};
use serde_json::Value;
use tests::wait::{SOON, until};
use tests::{Browser, BrowserKind, Page, Server, names, turn};

use crate::{Workbench, link_to_an_empty_room};

/// Names in the corpus that are to be shown, at least.
const NAMES: usize = 200;
/// Files of a share that the page lists.
const LISTED: usize = 50;
/// Shares of one file each, which have the file's name as their title.
const TITLES: usize = 60;
/// People, and how long a name of one may be in bytes.
const PEOPLE: usize = 6;
const NAME_BYTES: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn script_like_names_are_text_in_chromium() {
    script_like_names(BrowserKind::Chromium).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn script_like_names_are_text_in_firefox() {
    script_like_names(BrowserKind::Firefox).await;
}

async fn script_like_names(kind: BrowserKind) {
    let _turn = turn().await;
    let bench = Workbench::new();
    let server = Server::start().await;
    let (_, link) = link_to_an_empty_room(&server);
    let paths: Vec<String> =
        names::family("script").into_iter().filter(|path| !path.contains('\0')).collect();
    let room = Room::fill(&bench, &link, &paths).await;

    let browser = Browser::start(kind).await;
    let page = browser.open(&link).await;
    page.execute(WATCH).await;
    let expected: BTreeSet<String> = room.titles.iter().map(|title| shown(title)).collect();
    until("all shares on the shelf", SOON, async || {
        let titles: BTreeSet<String> = texts(&page, ".share-title").await.into_iter().collect();
        (titles == expected).then_some(())
    })
    .await;
    until("all people in the list", SOON, async || {
        let listed: BTreeSet<String> = texts(&page, ".person-name").await.into_iter().collect();
        room.people.iter().all(|name| listed.contains(&shown(name))).then_some(())
    })
    .await;

    // Every share's details, which list its files.
    page.execute("document.querySelectorAll('details.details').forEach(it => it.open = true)")
        .await;
    let expected: BTreeSet<String> = room.files.iter().map(|path| shown(path)).collect();
    assert!(expected.len() >= NAMES, "only {} names are shown", expected.len());
    until("all files in their lists", SOON, async || {
        let alone = texts(&page, ".file-pane .file-path").await;
        let listed: BTreeSet<String> =
            paths_in_trees(&page).await.into_iter().chain(alone).collect();
        (listed == expected).then_some(())
    })
    .await;
    let risky = room.files.iter().filter(|path| risk(path).is_some()).count();
    let marked = texts(&page, ".file .risk, .file-pane .risk").await.len();
    assert_eq!(marked, risky, "not what is risky is marked");
    page.article_where(TRAP, "marked", |it| it.text.contains("Not what it looks like")).await;

    // Received, they are files with these names, and nothing else happens.
    let address = page.execute("return location.href").await;
    page.press_on(PAGE, "Receive").await;
    page.complete(PAGE).await;
    let saved = browser.downloaded_any(PAGE).await;
    assert_eq!(fs::read(saved).expect("it was downloaded"), PAGE_BYTES);
    assert_eq!(page.execute("return location.href").await, address);
    let types = page.execute("return seen.types").await;
    assert_eq!(types, serde_json::json!(["application/octet-stream"]));

    for ran in ["return String(window.canary)", "return String(document.defaultView.top.canary)"] {
        assert_eq!(page.execute(ran).await, "undefined", "a script ran");
    }
    assert_eq!(page.execute("return seen.breaches").await, serde_json::json!([]));
    let hosts = page.execute(HOSTS).await;
    assert_eq!(hosts, serde_json::json!([server.url()]), "another host was asked");
    let framed =
        "return document.querySelectorAll('iframe, object, embed, base, body script').length";
    assert_eq!(page.execute(framed).await, 0, "a name made an element");
    assert_eq!(browser.breaches().await, Vec::<String>::new());
    browser.assert_no_complaints().await;
}

/// The paths of all files in trees, each of which is shown by its own name.
async fn paths_in_trees(page: &Page<'_>) -> Vec<String> {
    const PATHS: &str = "
        const files = [...document.querySelectorAll('[role=treeitem]:not([aria-expanded])')];
        const named = files.filter(it =>
            it.title.endsWith('/' + it.querySelector('.file-name').textContent));
        return named.map(it => it.title);";
    let found = page.execute(PATHS).await;
    found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A file that is not what it looks like, and one that a browser would show.
const TRAP: &str = "photo.jpg.exe";
const PAGE: &str = "page.html";
const PAGE_BYTES: &[u8] = b"<script>opener.canary = canary = 1</script>";

/// Notes breaches of the policy, and the types of blobs that get an address.
const WATCH: &str = "
    window.seen = { breaches: [], types: [] };
    addEventListener('securitypolicyviolation', event =>
        seen.breaches.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    const make = URL.createObjectURL;
    URL.createObjectURL = blob => { seen.types.push(blob.type); return make.call(URL, blob); };";

/// The origins of everything that was loaded.
const HOSTS: &str = "
    const loaded = performance.getEntries().filter(it => it.name.includes(':'));
    return [...new Set(loaded.map(it => new URL(it.name).origin).filter(it => it !== 'null'))];";

/// Everybody and everything in the room.
struct Room {
    titles: BTreeSet<String>,
    files: BTreeSet<String>,
    people: Vec<String>,
    _peers: Vec<Peer>,
}

impl Room {
    /// Lets people enter who share files of these paths: in folders, and one by one.
    async fn fill(bench: &Workbench, link: &str, paths: &[String]) -> Self {
        let mut room = Self {
            titles: BTreeSet::new(),
            files: BTreeSet::new(),
            people: Vec::new(),
            _peers: Vec::new(),
        };
        let short = |name: &&String| name.len() <= NAME_BYTES && !name.trim().is_empty();
        // Far apart in the corpus, and so of different kinds.
        let names: Vec<&String> = paths.iter().filter(short).collect();
        let people = names.iter().step_by(names.len() / PEOPLE).take(PEOPLE);
        for (i, name) in (0..).zip(people) {
            room.people.push((*name).clone());
            room._peers.push(enter(bench, link, i, name));
        }
        // Folders, called as a script is called, with all of the paths in them.
        let folder = "<img src=x onerror=canary=1>";
        for (i, some) in (0..).zip(paths.chunks(LISTED)) {
            let within = bench.folder(&format!("share {i}"));
            let top = within.join(format!("{folder}{i}"));
            for path in some {
                if make(&top.join(path), path.as_bytes()) {
                    room.files.insert(format!("{folder}{i}/{path}"));
                }
            }
            room.titles.insert(format!("{folder}{i}"));
            room.share(i, &top).await;
        }
        let single = bench.folder("one by one");
        let titles =
            paths.iter().filter(|path| !path.contains('/') && path.trim() == path.as_str());
        let titles = titles.take(TITLES).map(|path| (path.as_str(), path.as_bytes()));
        for (i, (title, bytes)) in
            titles.chain([(TRAP, &b"MZ"[..]), (PAGE, PAGE_BYTES)]).enumerate()
        {
            assert!(make(&single.join(title), bytes), "{title:?} cannot be made");
            room.titles.insert(title.to_owned());
            room.files.insert(title.to_owned());
            room.share(i, &single.join(title)).await;
        }
        room
    }

    async fn share(&self, by: usize, path: &Path) {
        let found = sources::find(&[PathBuf::from(path)]).expect("it was just made");
        self._peers[by % PEOPLE].share(found).await.expect("it can be shared");
    }
}

/// Somebody of this name in the room.
fn enter(bench: &Workbench, link: &str, number: u8, name: &str) -> Peer {
    let link: InviteLink = link.parse().expect("it is a link");
    let storage = DiskStorage::new(&bench.folder(&format!("of {number}"))).expect("a folder");
    let key = DeviceKey::from_bytes([number + 1; 32]);
    let options = Options {
        invite: Some(link.invite),
        name: name.to_owned(),
        ..Options::new(link.server, key, Arc::new(storage))
    };
    let (peer, mut events) = Peer::start(options).expect("a peer starts");
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    peer
}

/// Makes a file, unless its path needs a folder where there is a file.
fn make(path: &Path, bytes: &[u8]) -> bool {
    let parent = path.parent().expect("it is in a folder");
    fs::create_dir_all(parent).is_ok() && fs::write(path, bytes).is_ok()
}

/// A name as it is to be read.
fn shown(name: &str) -> String {
    readable(name).into_owned()
}

/// The texts of all elements that a selector finds, to the letter.
async fn texts(page: &Page<'_>, selector: &str) -> Vec<String> {
    let script =
        format!("return [...document.querySelectorAll('{selector}')].map(it => it.textContent)");
    let found = page.execute(&script).await;
    found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_of_the_pages_policy_fails_the_test_it_happens_in() {
    let _turn = turn().await;
    let server = Server::start().await;
    // What each does, and what must be said of it.
    let breaches = [
        ("HTML out of text", "document.body.innerHTML = '<b>x</b>'"),
        ("a handler in an element", "document.body.setAttribute('onclick', 'canary = 1')"),
        (
            "a request to another host",
            "return fetch('https://canary.invalid/').then(() => 0, () => 0)",
        ),
        (
            "a picture from another host",
            "document.body.append(Object.assign(new Image(), { src: 'https://canary.invalid/x.png' }))",
        ),
        (
            "a style of no file's",
            "document.head.append(Object.assign(document.createElement('style'), { textContent: '*{}' }))",
        ),
        ("a worker of another's", "try { new Worker('/start.js') } catch {}"),
    ];
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let browser = Browser::start(kind).await;
        let page = browser.open(server.url()).await;
        page.says("Drop files or folders").await;
        assert_eq!(browser.breaches().await, Vec::<String>::new());
        for (what, script) in breaches {
            // As the page's own code would do it: what a driver runs may be let do more.
            let script = format!("setTimeout(() => {{ {script} }})");
            page.execute(&script).await;
            until(what, SOON, async || Some(browser.breaches().await).filter(|it| !it.is_empty()))
                .await;
        }
        let last = breaches[0].1;
        page.execute(&format!(
            "setTimeout(() => {{ try {{ {last} }} finally {{ window.done = 1 }} }})"
        ))
        .await;
        page.until("the last breach", "return window.done ?? null").await;
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(browser)));
        assert!(dropped.is_err(), "a breach in {kind:?} went unseen");
    }
}
