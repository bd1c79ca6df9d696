//! Takes the pictures in `docs/screens`: the page as it is, in a room of seven, while files pass. See
//! `cargo xtask screenshots`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use native_peer::storage::DiskStorage;
use native_peer::{Options, Peer, sources};
use protocol::identity::DeviceKey;
use protocol::invite::Invite;
use tempfile::TempDir;
use tests::{Browser, BrowserKind, Page, Server, files};

/// Who is there besides the page. The first has everything, the others receive it.
const NAMES: [&str; 6] =
    ["Ana's laptop", "Ben's phone", "Chloé", "Davide's desktop", "Emi", "Farid's laptop"];
/// What each sends per second at most, so that there is something to see for a while.
const UPLOAD: u64 = 700 << 10;
const MIB: u64 = 1 << 20;

#[tokio::main]
async fn main() {
    let bench = TempDir::with_prefix("shoal-screens-").expect("a temporary directory can be made");
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;

    let home = browser.open(server.url()).await;
    home.says("Choose files").await;
    picture(&home, "home", [1280, 860]).await;
    home.close().await;

    let folder = bench.path().join("Summer in Lisbon");
    for (name, size) in [
        ("film/harbour.mov", 60 * MIB),
        ("film/tram 28.mov", 30 * MIB),
        ("photos/belém.jpg", 4 * MIB),
        ("photos/alfama.jpg", 3 * MIB),
        ("photos/oceanário.jpg", 5 * MIB),
        ("notes.txt", 3000),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        files::make(&path, size, name);
    }
    let secret = [7; 32];
    let creator = DeviceKey::from_bytes([1; 32]);
    let invite = Invite::new(secret, &creator.public());
    let link = invite.to_link(server.url());
    let mut peers = Vec::new();
    for (n, name) in NAMES.iter().enumerate() {
        peers.push(join(&server, &invite, bench.path(), n, name));
    }
    let share = peers[0].share(sources::find(&[folder]).expect("it is there")).await;
    let share = share.expect("it can be shared");
    for peer in &peers[1..] {
        let is_there =
            async || peer.snapshot().shares.iter().any(|it| it.id == share).then_some(());
        tests::wait::until("the share on every shelf", tests::wait::SOON, is_there).await;
        peer.receive(share).await.expect("it is on the shelf");
    }

    let page = browser.open(&link).await;
    let title = "Summer in Lisbon";
    page.press_on(title, "Receive").await;
    page.say("The harbour is my favourite.").await;
    page.article_where(title, "a quarter there", |it| it.progress > Some(25.0)).await;
    page.open_details(title).await;
    page.article_where(title, "a third there", |it| it.progress > Some(35.0)).await;
    page.execute("scrollTo(0, 0)").await;
    picture(&page, "room", [1280, 1240]).await;
    page.prefer(&[("prefers-color-scheme", "dark")]).await;
    picture(&page, "room-dark", [1280, 1240]).await;
    page.execute(
        "document.querySelector('[aria-label^=\"Piece map\"]').scrollIntoView({ block: 'start' })",
    )
    .await;
    picture(&page, "piece-map", [760, 560]).await;
    page.prefer(&[("prefers-color-scheme", "light")]).await;
    page.execute("scrollTo(0, 0)").await;
    picture(&page, "phone", [390, 844]).await;
    page.press("Settings").await;
    picture(&page, "settings", [900, 900]).await;
    page.press("Close").await;
    page.choose_language("ar").await;
    page.execute("scrollTo(0, 0)").await;
    picture(&page, "arabic", [1280, 1000]).await;
    picture(&page, "arabic-phone", [390, 844]).await;
}

/// A native peer in the room.
fn join(server: &Server, invite: &Invite, folder: &Path, n: usize, name: &str) -> Peer {
    let storage = Arc::new(DiskStorage::new(&folder.join(name)).expect("a folder"));
    let key = DeviceKey::from_bytes([n as u8 + 1; 32]);
    let mut options = Options {
        invite: Some(invite.clone()),
        name: name.to_owned(),
        ..Options::new(server.url(), key, storage)
    };
    options.policy.upload = Some(UPLOAD);
    let (peer, mut events) = Peer::start(options).expect("a peer starts");
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    peer
}

/// Keeps a picture of the page in a window of so many pixels.
async fn picture(page: &Page<'_>, name: &str, [width, height]: [u32; 2]) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screens");
    std::fs::create_dir_all(&docs).expect("a folder in docs");
    let path: PathBuf = docs.join(format!("{name}.webp"));
    let bytes = page.photograph([width, height]).await;
    std::fs::write(&path, bytes).expect("the picture can be kept");
    println!("{}", path.display());
}
