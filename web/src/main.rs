//! The program for rooms: people share, pass a link on, talk, and receive. It draws what a peer (`wasm_peer::peer::Peer`)
//! tells and passes on what people want; the transfer itself is none of its business, and it uses nothing that
//! other embedders of that class could not.
//!
//! It takes the place of the program of the first screen (`bin/home.rs`), which hands over what people want
//! (`web::front::handover`).
//!
//! `session` holds the one room the page is in; the other modules are the parts of the screen, named after
//! what they show. All words are in `web::text`.
//!
//! Names from elsewhere become text and values of attributes, never HTML: the page's Trusted Types
//! (signaling-server, `page/policy.rs`) forbid that altogether. Leptos makes HTML of elements inside a view
//! that are nothing but literals; there are none, and one would fail every test in a browser.
#![allow(unreachable_pub, reason = "the component macro makes all components `pub`")]

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod awake;
#[cfg(target_arch = "wasm32")]
mod chat;
#[cfg(target_arch = "wasm32")]
mod choose_again;
#[cfg(target_arch = "wasm32")]
mod file_tree;
#[cfg(target_arch = "wasm32")]
mod graph;
#[cfg(target_arch = "wasm32")]
mod icon;
#[cfg(target_arch = "wasm32")]
mod invite_card;
#[cfg(target_arch = "wasm32")]
mod limits;
#[cfg(target_arch = "wasm32")]
mod notify;
#[cfg(target_arch = "wasm32")]
mod people;
#[cfg(target_arch = "wasm32")]
mod piece_map;
#[cfg(target_arch = "wasm32")]
mod preferences;
#[cfg(target_arch = "wasm32")]
mod room;
#[cfg(target_arch = "wasm32")]
mod sections;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod settings;
#[cfg(target_arch = "wasm32")]
mod share_card;
#[cfg(target_arch = "wasm32")]
mod share_wishes;
#[cfg(target_arch = "wasm32")]
mod shelf;
#[cfg(target_arch = "wasm32")]
mod status;
#[cfg(target_arch = "wasm32")]
mod tab;
#[cfg(target_arch = "wasm32")]
mod urgency;

/// Nothing happens until [`enter`].
#[cfg(target_arch = "wasm32")]
fn main() {}

/// Does what people want of the first screen, whose program passes it on; the first time, takes the page over.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn enter(wish: js_sys::Array) {
    web::front::language::take_over().await;
    app::fulfil(web::front::Wish::from_js(&wish));
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!(
        "This is the page, which runs in browsers. `cargo xtask serve` builds and serves it."
    );
    std::process::exit(2);
}
