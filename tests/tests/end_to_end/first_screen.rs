//! The first screen comes quickly: all that is needed for it is small, and the core, which is larger, is loaded
//! when a room is entered, in a thread of its own.

use tests::{Browser, BrowserKind, Server, turn};

/// What may be loaded until people can act, compressed: program, scripts, styles, pictures. The aim is 350 000;
/// this is what it is at present, so that it does not grow.
const BUDGET_BYTES: u64 = 425_000;

/// Bytes of everything that was loaded, as it came over the network, and the names of it.
const LOADED: &str = "
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    return [entries.reduce((sum, entry) => sum + entry.encodedBodySize, 0), entries.map(entry => entry.name)];";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_screen_is_small_and_does_not_wait_for_the_core() {
    let _turn = turn().await;
    let server = Server::start().await;
    let browser = Browser::start(BrowserKind::Chromium).await;
    let page = browser.open(server.url()).await;
    page.type_invite("4-").await;
    let loaded = page.execute(LOADED).await;
    let bytes = loaded[0].as_u64().expect("sizes are numbers");
    let names: Vec<_> =
        loaded[1].as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
    println!("{bytes} bytes for the first screen: {names:?}");
    assert!(names.iter().any(|name| name.ends_with(".wasm")), "nothing was measured: {names:?}");
    assert!(!names.iter().any(|name| name.contains("worker")), "the core is loaded: {names:?}");
    assert!(
        bytes <= BUDGET_BYTES,
        "{bytes} bytes for the first screen, of {BUDGET_BYTES}: {names:?}"
    );
}
