//! What both programs of the page (`bin/home.rs`, `main.rs`) have in common (`front`), and the parts that need no
//! browser: its text, its formats, the paths of what is dropped, the tree of a share's files, what is typed into
//! the invite box, QR codes, who is who, which rooms there were, how much was sent, what graphs and maps are drawn
//! from, and how much of a text is shown. The latter are tested on the host.

pub mod device;
pub mod excerpt;
pub mod format;
#[cfg(target_arch = "wasm32")]
pub mod front;
pub mod grid;
pub mod history;
pub mod invite;
pub mod paths;
pub mod qr;
pub mod rooms;
pub mod roster;
pub mod text;
pub mod tree;
pub mod usage;
