//! The first screen comes quickly: all that is needed for it is small. The program for rooms is loaded after it, and
//! the core when a room is entered, in a thread of its own.

use tests::{Browser, BrowserKind, Server, turn};

/// What may be loaded until people can act, compressed: program, scripts, styles, pictures.
const BUDGET_BYTES: u64 = 200_000;

/// Bytes of everything that was asked for until then, as it came over the network, and the names of it.
const LOADED: &str = "
    const [usable] = performance.getEntriesByName('shoal-usable');
    if (!usable) return null;
    const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const entries = all.filter(entry => entry.startTime <= usable.startTime);
    return [entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0), entries.map(entry => entry.name)];";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_screen_is_small_and_does_not_wait_for_the_core() {
    let _turn = turn().await;
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.type_invite("4-").await;
    let loaded = page.until("the first screen to be usable", LOADED).await;
    let bytes = loaded[0].as_u64().expect("sizes are numbers");
    let names: Vec<_> =
        loaded[1].as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
    println!("{bytes} bytes for the first screen: {names:?}");
    assert!(names.iter().any(|name| name.ends_with(".wasm")), "nothing was measured: {names:?}");
    let is_of_rooms = |name: &&str| name.contains("/worker") || name.contains("/room.js");
    assert!(!names.iter().any(is_of_rooms), "what rooms need is loaded: {names:?}");
    assert!(
        bytes <= BUDGET_BYTES,
        "{bytes} bytes for the first screen, of {BUDGET_BYTES}: {names:?}"
    );
}
