//! What the page keeps from one visit to the next, in the browser's local storage: small values, as JSON.
//! Where there is none, as in some private windows, everything is as on the first visit.

use js_sys::JSON;
use leptos::prelude::window;
use serde::Serialize;
use serde::de::DeserializeOwned;
use web_sys::Storage;

/// The light or the dark look, if people chose one: plain text, which `start.js` reads before anything is
/// drawn.
pub const THEME: &str = "shoal-theme";
/// The language that people chose, by its tag: plain text, for `start.js` too.
pub const LANGUAGE: &str = "shoal-language";
/// What people set (`preferences.rs`).
pub const PREFERENCES: &str = "shoal-preferences";
/// The rooms that this browser was in (`rooms.rs`).
pub const ROOMS: &str = "shoal-rooms";
/// How much was sent and received in all (`usage.rs`).
pub const USAGE: &str = "shoal-usage";

/// What is kept under a name; as on the first visit where nothing is that can be read.
pub fn load<T: DeserializeOwned + Default>(name: &str) -> T {
    let read = || serde_wasm_bindgen::from_value(JSON::parse(&text(name)?).ok()?).ok();
    read().unwrap_or_default()
}

/// Keeps a value under a name. Where the browser keeps nothing, it holds until the page is closed.
pub fn keep<T: Serialize>(name: &str, value: &T) {
    let Ok(value) = serde_wasm_bindgen::to_value(value) else { return };
    if let Ok(text) = JSON::stringify(&value) {
        keep_text(name, Some(&String::from(text)));
    }
}

/// The text under a name.
pub fn text(name: &str) -> Option<String> {
    storage()?.get_item(name).ok()?
}

/// Keeps a text, or keeps none any more.
pub fn keep_text(name: &str, text: Option<&str>) {
    let Some(storage) = storage() else { return };
    let _ = match text {
        Some(text) => storage.set_item(name, text),
        None => storage.remove_item(name),
    };
}

fn storage() -> Option<Storage> {
    window().local_storage().ok()?
}
