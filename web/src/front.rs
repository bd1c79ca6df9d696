//! What both programs of the page have in common: the first screen, the ways in from it (drop, paste, pick,
//! a link or code, a room from before, what the system gives), the language and the look.
//!
//! The page is two programs, so that the first screen is there soon: `bin/home.rs` is this module and little
//! more; the program for rooms (`main.rs`) is larger, has all of it too, and takes the place of the other as
//! soon as people want something of a room. What they want then is a [`Wish`]; [`handover`] takes it from one
//! to the other. Each program says in [`Front::lead`] what it does with wishes.

pub mod browser;
pub mod drop;
pub mod frame;
pub mod given;
pub mod handover;
pub mod home;
pub mod kept;
pub mod language;
pub mod picker;
pub mod recent;
pub mod scan;
pub mod theme;
pub mod window;

use std::rc::Rc;

use js_sys::Array;
use leptos::prelude::*;

use self::drop::Chosen;
use crate::rooms::Rooms;
use crate::text::text;

/// What people want of the first screen, or wherever else there is a way into a room.
#[derive(Clone, Debug)]
pub enum Wish {
    /// What the address of the page says: the invite behind its `#`.
    Address,
    /// To share files, in a new room if we are in none: an array of objects as [`Chosen::to_js`] makes them.
    Share(Array),
    /// To enter the room of an invite, be it a link or a code, and to go on with the shares of these ids.
    Enter(String, Vec<String>),
    /// To see the controls.
    Settings,
}

/// Files on their way into a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adding {
    /// Folders are walked; so many files were found.
    Reading(usize),
    /// So many files are handed over.
    Sharing(usize),
}

/// See the module. A handle: copies are the same.
#[derive(Clone, Copy)]
pub struct Front {
    /// Something went wrong and people must know: a sentence.
    pub notice: RwSignal<Option<String>>,
    /// Files on their way.
    pub adding: RwSignal<Option<Adding>>,
    /// The rooms that this browser was in.
    pub rooms: RwSignal<Rooms>,
    /// Whether files are held over the window.
    pub dragging: RwSignal<bool>,
    lead: StoredValue<Option<Lead>, LocalStorage>,
}

/// What a program does with wishes.
type Lead = Rc<dyn Fn(Wish)>;

impl Front {
    /// Sets it up; wishes come to nothing until [`Front::lead`].
    pub fn set_up() -> Self {
        let front = Self {
            notice: RwSignal::new(None),
            adding: RwSignal::new(None),
            rooms: RwSignal::new(kept::load(kept::ROOMS)),
            dragging: RwSignal::new(false),
            lead: StoredValue::new_local(None),
        };
        front.change_rooms(|rooms| rooms.expire(js_sys::Date::now()));
        front
    }

    /// The one of this page.
    pub fn of_page() -> Self {
        expect_context()
    }

    /// Says what is done with wishes.
    pub fn lead(self, lead: impl Fn(Wish) + 'static) {
        self.lead.set_value(Some(Rc::new(lead)));
    }

    /// Does what people want.
    pub fn wish(self, wish: Wish) {
        if let Some(lead) = self.lead.get_value() {
            lead(wish);
        }
    }

    /// Shares files.
    pub fn share(self, files: Vec<Chosen>) {
        if files.is_empty() {
            self.adding.set(None);
            return self.complain(text().nothing_found.to_owned());
        }
        self.notice.set(None);
        self.adding.set(Some(Adding::Sharing(files.len())));
        self.wish(Wish::Share(files.iter().map(Chosen::to_js).collect()));
    }

    /// Enters the room of an invite.
    pub fn enter(self, invite: String) {
        self.wish(Wish::Enter(invite, Vec::new()));
    }

    /// Tells people that something went wrong.
    pub fn complain(self, sentence: String) {
        self.notice.set(Some(sentence));
    }

    /// Changes the list of rooms, on top of what other tabs made of it.
    pub fn change_rooms(self, change: impl FnOnce(&mut Rooms)) {
        let before: Rooms = kept::load(kept::ROOMS);
        let mut rooms = before.clone();
        change(&mut rooms);
        if rooms != before {
            kept::keep(kept::ROOMS, &rooms);
        }
        self.rooms.set(rooms);
    }
}
