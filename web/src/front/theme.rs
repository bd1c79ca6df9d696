//! The light or the dark look: the system's, unless people choose. `start.js` puts it in force before
//! anything is drawn; this is for when they choose another.

use leptos::ev;
use leptos::prelude::*;

use super::kept;

/// What can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// What the system has.
    System,
    /// The light look.
    Light,
    /// The dark look.
    Dark,
}

impl Theme {
    /// The value of `data-theme`, which is also what is kept; none for the system's.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// The one that people chose.
    pub fn kept() -> Self {
        Self::named(&kept::text(kept::THEME).unwrap_or_default())
    }

    /// Keeps it and puts it in force.
    pub fn choose(self) {
        kept::keep_text(kept::THEME, Some(self.name()).filter(|name| !name.is_empty()));
        self.show();
    }

    fn show(self) {
        let Some(root) = document().document_element() else { return };
        let _ = match self {
            Self::System => root.remove_attribute("data-theme"),
            _ => root.set_attribute("data-theme", self.name()),
        };
    }
}

/// Follows what people choose in another tab.
pub fn watch_other_tabs() {
    let _ = window_event_listener(ev::storage, |event| {
        if event.key().as_deref() == Some(kept::THEME) {
            Theme::kept().show();
        }
    });
}
