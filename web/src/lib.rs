//! The parts of the page that need no browser: its text, its formats, the paths of what is dropped, the tree of
//! a share's files, what is typed into the invite box, QR codes, who is who, which rooms there were, how much was
//! sent, what graphs and maps are drawn from, and how much of a text is shown. Tested on the host; the page itself
//! is `main.rs`.

pub mod device;
pub mod excerpt;
pub mod format;
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
