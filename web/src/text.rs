//! Everything the page says, in one place: a [`Catalogue`] for each language. What depends on a number or
//! a name is a function, so plurals and word order are each language's own.
//!
//! English is part of the program. The others are files of the page (`web/languages`), fetched when they
//! are chosen ([`loaded`]): a text that one lacks is English there, and fails a test. `start.js` chooses
//! the language and fetches its file before the program is there.
//!
//! `index.html` repeats a few of these texts, so that they are there before the program is; a test holds the
//! two together. Sentences about causes (`error`, `message`) come from the core in English; see [`causes`].

pub mod causes;
mod english;
pub mod language;
pub mod loaded;
mod message;

use std::cell::Cell;

pub use english::ENGLISH;
use language::Language;
use loaded::{Loaded, Table};

use crate::format::Units;

thread_local! {
    /// What is spoken. The page has one thread; tests of several languages have one each.
    static SPOKEN: Cell<&'static Catalogue> = const { Cell::new(&ENGLISH) };
}

/// The catalogue of the language that the page speaks.
pub fn text() -> &'static Catalogue {
    SPOKEN.get()
}

/// Gives the catalogue as a struct, the names of its texts, and how it is made from a file.
macro_rules! catalogue {
    ($(#[$meta:meta])* pub struct Catalogue { $(pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        pub struct Catalogue { $(pub $field: $type,)* }

        /// What a text is called in the files of languages, in the order of the catalogue.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($field)),*];

        #[allow(non_camel_case_types, reason = "they are called like the fields")]
        enum Field { $($field),* }

        impl Catalogue {
            fn of(table: &'static Table) -> Self {
                Self { $($field: <$type as Loaded>::load::<{ Field::$field as usize }>(table)
                    .unwrap_or(ENGLISH.$field),)* }
            }

            /// What each text says of samples, by its name, and its type.
            #[cfg(test)]
            pub(crate) fn samples(&self) -> Vec<(&'static str, &'static str, String)> {
                let all = [$((stringify!($field), stringify!($type), self.$field.sample())),*];
                all.into_iter().filter_map(|(name, kind, it)| Some((name, kind, it?))).collect()
            }
        }
    };
}

catalogue! {
/// One language.
#[expect(missing_docs, reason = "a field's name and its English text say what it is")]
pub struct Catalogue {
    pub language: &'static Language,
    pub units: Units,

    // Home.
    pub product: &'static str,
    pub headline: &'static str,
    pub about: &'static str,
    pub server_sees: &'static str,
    pub drop_here: &'static str,
    pub drop_more: &'static str,
    pub drop_now: &'static str,
    pub drop_note: &'static str,
    pub choose_files: &'static str,
    pub choose_folder: &'static str,
    pub join_title: &'static str,
    pub join_label: &'static str,
    pub join_hint: &'static str,
    pub join: &'static str,
    pub not_an_invite: &'static str,
    pub nothing_typed: &'static str,

    // Entering and being in a room.
    pub making_room: &'static str,
    pub joining: &'static str,
    pub reading_files: fn(usize) -> String,
    pub adding_files: fn(usize) -> String,
    pub nothing_found: &'static str,
    pub not_added: fn(&str) -> String,
    pub leave: &'static str,
    pub connecting: &'static str,
    pub connected: &'static str,
    pub lost_short: &'static str,
    pub offline_short: &'static str,
    pub refused_short: &'static str,
    pub server_lost: fn(&str) -> String,
    pub server_refused: fn(&str) -> String,
    pub offline: &'static str,
    pub try_now: &'static str,
    pub reload: &'static str,
    pub dismiss: &'static str,

    pub sections: &'static str,
    pub sections_files: &'static str,
    pub sections_people: &'static str,

    // Invite.
    pub invite_title: &'static str,
    pub invite_link: &'static str,
    pub invite_note: &'static str,
    pub copy: &'static str,
    pub copied: &'static str,
    pub copy_by_hand: &'static str,
    pub share_link: &'static str,
    pub show_qr: &'static str,
    pub qr_alt: &'static str,
    pub keep_open: &'static str,
    pub code_title: &'static str,
    pub code_about: &'static str,
    pub show_code: &'static str,
    pub new_code: &'static str,
    pub withdraw_code: &'static str,
    pub code_asking: &'static str,
    pub code_note: &'static str,
    pub code_left: fn(&str) -> String,
    pub code_tried: &'static str,
    pub codes_burnt: fn(&str, u32) -> String,

    // People.
    pub people_title: &'static str,
    pub you: fn(&str) -> String,
    pub someone: &'static str,
    pub namesake: fn(&str, usize) -> String,
    pub made_room: &'static str,
    pub peer_waiting: &'static str,
    pub peer_connecting: &'static str,
    pub peer_reviving: &'static str,
    pub peer_room: fn(&str) -> String,
    pub path_lan: &'static str,
    pub path_direct: &'static str,
    pub path_relayed: &'static str,
    pub round_trip: fn(f64) -> String,
    pub sent: fn(&str) -> String,
    pub received: fn(&str) -> String,
    pub alone_with_share: &'static str,
    pub alone: &'static str,
    pub lock_room: &'static str,
    pub locked_note: &'static str,
    pub open_note: &'static str,
    pub shut_out: &'static str,
    pub trusted: &'static str,
    pub trusted_as: fn(&str) -> String,
    pub trust_title: fn(&str) -> String,
    pub words_note: fn(&str) -> String,
    pub trust: &'static str,
    pub avoid: &'static str,
    pub start_anew_without: &'static str,
    pub started_anew: &'static str,
    pub go_to_new_room: &'static str,
    pub namesake_warning: fn(&str) -> String,
    pub locked_event: &'static str,
    pub opened_event: &'static str,

    // The shelf.
    pub shelf_title: &'static str,
    pub shelf_empty: &'static str,
    pub shelf_empty_alone: &'static str,
    pub shelf_empty_long: &'static str,
    pub shelf_connecting: &'static str,
    pub files: fn(u32) -> String,
    pub empty_folders: fn(u32) -> String,
    pub from_you: &'static str,
    pub from: fn(&str) -> String,
    pub receive: &'static str,
    pub receive_into_folder: &'static str,
    pub zip_note: &'static str,
    pub pause: &'static str,
    pub resume: &'static str,
    pub discard: &'static str,
    pub cancel: &'static str,
    pub save: &'static str,
    pub stop_sharing: &'static str,
    pub allow_access: &'static str,
    pub choose_files_again: &'static str,
    pub choose_folder_again: &'static str,
    pub try_again: &'static str,
    pub remove: &'static str,
    pub progress_of: fn(&str) -> String,
    pub memory_only: fn(&str) -> String,
    pub too_large_for_memory: fn(&str) -> String,
    pub no_room: fn(&str, &str) -> String,

    // How a share stands.
    pub shared: &'static str,
    pub received_by: fn(u32) -> String,
    pub not_received_yet: &'static str,
    pub copies: fn(f64) -> String,
    pub available: &'static str,
    pub opening: &'static str,
    pub receiving: &'static str,
    pub time_left: fn(&str) -> String,
    pub from_peers: fn(usize) -> String,
    pub unfinished: &'static str,
    pub unfinished_hint: &'static str,
    pub received_before: &'static str,
    pub received_before_hint: &'static str,
    pub detached: &'static str,
    pub detached_permission_hint: &'static str,
    pub detached_choose_hint: &'static str,

    // What a share waits for, why, and what helps.
    pub waiting_for: fn(&str) -> String,
    pub next_try: fn(&str) -> String,
    pub next_try_now: &'static str,
    pub waiting_connecting: &'static str,
    pub waiting_connecting_hint: &'static str,
    pub waiting_source: &'static str,
    pub waiting_source_hint: &'static str,
    pub nobody_has: fn(&str) -> String,
    pub source_unreadable: &'static str,
    pub source_unreadable_hint: &'static str,
    pub waiting_silence: &'static str,
    pub waiting_silence_hint: &'static str,
    pub paused: &'static str,
    pub paused_hint: &'static str,
    pub paused_by_them: &'static str,
    pub paused_by_them_hint: &'static str,
    pub receiving_off: &'static str,
    pub receiving_off_hint: &'static str,
    pub disk_full: &'static str,
    pub disk_full_hint: fn(Option<&str>, Option<&str>) -> String,
    pub budget: &'static str,
    pub budget_hint: fn(Option<&str>) -> String,
    pub halted_paused: fn(&str) -> String,
    pub halted_disk_full: fn(&str) -> String,
    pub halted_unreadable: fn(&str) -> String,
    pub too_little_room: fn(&str, &str) -> String,

    pub finishing: &'static str,
    pub saving: &'static str,
    pub ready_to_save: &'static str,
    pub complete: &'static str,
    pub serving_on: fn(&str) -> String,
    pub failed: &'static str,
    pub not_saved: fn(&str) -> String,
    pub part_of: fn(&str, &str) -> String,

    // Details of a share.
    pub details: &'static str,
    pub files_title: &'static str,
    pub hash_unknown: &'static str,
    pub risk_program: &'static str,
    pub risk_script: &'static str,
    pub risk_shortcut: &'static str,
    pub risk_macros: &'static str,
    pub risk_disk_image: &'static str,
    pub risk_disguised: &'static str,
    pub risky_files: fn(u32, &str) -> String,
    pub sources_title: &'static str,
    pub source: fn(&str, &str, &str) -> String,
    pub found_here: fn(&str) -> String,
    pub in_vain: fn(&str) -> String,

    // What is announced as it happens.
    pub joined_event: fn(&str) -> String,
    pub left_event: fn(&str, &str) -> String,
    pub received_event: fn(&str, &str) -> String,
    pub complete_event: fn(&str) -> String,
    pub banned_event: fn(&str) -> String,
    pub not_confirmed_event: fn(&str) -> String,
    pub unknown_error: &'static str,

    // Chat.
    pub chat_title: &'static str,
    pub chat_off: &'static str,
    pub chat_empty: &'static str,
    pub chat_log: &'static str,
    pub chat_field: &'static str,
    pub chat_say: &'static str,
    pub chat_note: &'static str,
    pub chat_too_long: fn(&str) -> String,
    pub chat_new: fn(usize) -> String,
    pub chat_said: fn(&str, &str) -> String,
    pub chat_copy: fn(&str, &str) -> String,
    pub chat_gone: fn(&str) -> String,
    pub chat_impostor: fn(&str) -> String,
    pub chat_unfold: &'static str,
    pub chat_fold: &'static str,
    pub pasted: fn(&str) -> String,
    pub service_chat: &'static str,
    pub service_chat_note: &'static str,

    // Finding things on the shelf, and choosing among files.
    pub shelf_tools: &'static str,
    pub search: &'static str,
    pub sort_by: &'static str,
    pub sort_newest: &'static str,
    pub sort_name: &'static str,
    pub sort_size: &'static str,
    pub sort_state: &'static str,
    pub show_only: &'static str,
    pub only_all: &'static str,
    pub only_new: &'static str,
    pub only_under_way: &'static str,
    pub only_received: &'static str,
    pub only_ours: &'static str,
    pub nothing_matches: &'static str,
    pub found: fn(usize, u32) -> String,
    pub found_in: fn(u32, &str) -> String,
    pub may_close: &'static str,
    pub share_priority: &'static str,
    pub priority: &'static str,
    pub priority_high: &'static str,
    pub priority_normal: &'static str,
    pub priority_low: &'static str,
    pub serve_on: &'static str,
    pub serving_note: &'static str,
    pub withheld_by_user: &'static str,
    pub withheld_service_off: &'static str,
    pub withheld_ratio: &'static str,
    pub withheld_time: &'static str,
    pub listing_files: &'static str,
    pub files_of: fn(&str) -> String,
    pub nothing_found_in_files: &'static str,
    pub chosen_files: fn(u32, u32, &str) -> String,
    pub choose_all: &'static str,
    pub choose_none: &'static str,
    pub open_folders: &'static str,
    pub close_folders: &'static str,
    pub want_file: &'static str,
    pub want_folder: &'static str,
    pub file_complete: &'static str,
    pub save_named: fn(&str) -> String,
    pub short_program: &'static str,
    pub short_script: &'static str,
    pub short_shortcut: &'static str,
    pub short_macros: &'static str,
    pub short_disk_image: &'static str,
    pub short_disguised: &'static str,

    // Settings, limits, notifications, rooms that were, and scanning.
    pub settings: &'static str,
    pub close: &'static str,
    pub settings_about: &'static str,
    pub settings_reset: &'static str,
    pub settings_reset_note: &'static str,
    pub settings_reset_event: &'static str,
    pub identity_title: &'static str,
    pub own_name: &'static str,
    pub own_name_note: &'static str,
    pub fresh_key: &'static str,
    pub fresh_key_note: &'static str,
    pub remember_rooms: &'static str,
    pub remember_rooms_note: &'static str,
    pub seen_title: &'static str,
    pub seen_name: fn(&str) -> String,
    pub seen_key_here: fn(&str) -> String,
    pub seen_key: &'static str,
    pub seen_fresh_key: &'static str,
    pub seen_address: &'static str,
    pub seen_lan: &'static str,
    pub seen_relay: &'static str,
    pub seen_shares: &'static str,
    pub services_title: &'static str,
    pub accept: &'static str,
    pub accept_note: &'static str,
    pub accept_ask: &'static str,
    pub accept_trusted: &'static str,
    pub accept_all: &'static str,
    pub service_share: &'static str,
    pub service_share_note: &'static str,
    pub service_receive: &'static str,
    pub service_receive_note: &'static str,
    pub service_serve_on: &'static str,
    pub service_serve_on_note: &'static str,
    pub service_introduce: &'static str,
    pub service_introduce_note: &'static str,
    pub connections_title: &'static str,
    pub connections: &'static str,
    pub connections_note: &'static str,
    pub upload_slots: &'static str,
    pub upload_slots_note: &'static str,
    pub systems_title: &'static str,
    pub paths: &'static str,
    pub paths_note: &'static str,
    pub paths_any: &'static str,
    pub paths_lan: &'static str,
    pub paths_direct: &'static str,
    pub paths_relay: &'static str,
    pub known_people_title: &'static str,
    pub known_people_none: &'static str,
    pub known_people_in_room: &'static str,
    pub avoided: &'static str,
    pub forget: &'static str,
    pub forget_person: fn(&str) -> String,
    pub resources_title: &'static str,
    pub unlimited: &'static str,
    pub never: &'static str,
    pub upload_cap: &'static str,
    pub upload_cap_note: &'static str,
    pub download_cap: &'static str,
    pub download_cap_note: &'static str,
    pub upload_each_cap: &'static str,
    pub upload_each_cap_note: &'static str,
    pub download_each_cap: &'static str,
    pub download_each_cap_note: &'static str,
    pub lan_exempt: &'static str,
    pub lan_exempt_note: &'static str,
    pub storage_budget: &'static str,
    pub storage_budget_note: &'static str,
    pub memory_in_flight: &'static str,
    pub memory_in_flight_note: &'static str,
    pub stop_at_ratio: &'static str,
    pub stop_at_ratio_note: &'static str,
    pub stop_after: &'static str,
    pub stop_after_note: &'static str,
    pub usage_title: &'static str,
    pub usage_now: fn(&str, &str) -> String,
    pub usage_in_all: fn(&str, &str) -> String,
    pub usage_anew: &'static str,
    pub appearance_title: &'static str,
    pub theme: &'static str,
    pub theme_note: &'static str,
    pub theme_system: &'static str,
    pub theme_light: &'static str,
    pub theme_dark: &'static str,
    pub notify: &'static str,
    pub notify_note: &'static str,
    pub notify_refused: &'static str,
    pub share_added_event: fn(&str) -> String,
    pub limits_title: fn(&str) -> String,
    pub send_at_most: &'static str,
    pub receive_at_most: &'static str,
    pub as_everybody: &'static str,
    pub limits_note: &'static str,
    pub disconnect: &'static str,
    pub disconnect_note: &'static str,
    pub disconnected_note: &'static str,
    pub recent_title: &'static str,
    pub recent_note: &'static str,
    pub enter: &'static str,
    pub enter_again: fn(&str) -> String,
    pub resume_in: fn(&str) -> String,
    pub forget_room: fn(&str) -> String,
    pub unfinished_part: fn(&str) -> String,
    pub empty_room: &'static str,
    pub scan: &'static str,
    pub scan_title: &'static str,
    pub scan_hint: &'static str,
    pub no_camera: &'static str,

    // The map of a share's pieces, and graphs.
    pub map_title: &'static str,
    pub map_of: fn(&str) -> String,
    pub map_here: fn(u32, u32) -> String,
    pub map_asked: fn(u32) -> String,
    pub map_missing: fn(u32) -> String,
    pub map_rare: fn(u32) -> String,
    pub map_nowhere: fn(u32) -> String,
    pub map_alone: fn(u32) -> String,
    pub map_held_by_one: fn(u32) -> String,
    pub map_held_by_two: fn(u32) -> String,
    pub map_held_by_more: fn(u32) -> String,
    pub map_unwanted: fn(u32) -> String,
    pub map_cell: fn(u32, &str) -> String,
    pub rate_in: fn(&str) -> String,
    pub rate_out: fn(&str) -> String,
    pub rate_graph: fn(&str, &str) -> String,
    pub round_trip_graph: fn(&str, &str) -> String,

    // Languages, and what index.html says where the program cannot.
    pub language_label: &'static str,
    pub language_missing: fn(&str) -> String,
    pub lacking: &'static str,
    pub broken: &'static str,
}
}

impl Catalogue {
    /// The title of a share of so many files, which is English if it only says how many they are.
    pub fn title(&self, title: &str, files: u32) -> String {
        let counts = title.strip_suffix(" files").is_some_and(|n| n.parse() == Ok(files));
        if counts && self.language.tag != ENGLISH.language.tag {
            return (self.files)(files);
        }
        title.to_owned()
    }

    /// A cause, which is made to follow a colon, as a sentence of its own.
    pub fn sentence(&self, cause: &str) -> String {
        let mut rest = cause.trim().chars();
        let Some(first) = rest.next() else { return String::new() };
        let ends = cause.trim_end().ends_with(['.', '!', '?', '…', '。', '！', '？', '؟']);
        let stop = if ends { "" } else { self.language.full_stop };
        format!("{}{}{stop}", first.to_uppercase(), rest.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_right_and_long_numbers_readable() {
        assert_eq!((ENGLISH.files)(0), "0 files");
        assert_eq!((ENGLISH.files)(1), "1 file");
        assert_eq!((ENGLISH.files)(2_000), "2000 files");
        assert_eq!((ENGLISH.files)(20_000), "20\u{202f}000 files");
        assert_eq!((ENGLISH.from_peers)(1), "from 1 peer");
        assert_eq!((ENGLISH.received_by)(1), "received by 1");
        assert_eq!((ENGLISH.received_by)(3), "received by 3");
        assert_eq!((ENGLISH.copies)(2.46), "2.4 copies in the room");
    }

    #[test]
    fn a_cause_becomes_a_sentence() {
        assert!((ENGLISH.server_lost)("").starts_with("The server cannot be reached. Transfers"));
        assert!((ENGLISH.server_lost)("no route").starts_with("No route. Transfers"));
        assert_eq!(ENGLISH.sentence("the disk is full"), "The disk is full.");
        assert_eq!(ENGLISH.sentence("Écrit."), "Écrit.");
        assert_eq!(ENGLISH.sentence(" "), "");
    }

    /// The first paint comes from `index.html`; it must not say something else than the program.
    #[test]
    fn the_static_first_paint_says_what_the_program_says() {
        let html = include_str!("../index.html").split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [
            ENGLISH.product,
            ENGLISH.headline,
            ENGLISH.about,
            ENGLISH.server_sees,
            ENGLISH.drop_here,
            ENGLISH.drop_note,
            ENGLISH.joining,
        ] {
            assert!(html.contains(text), "index.html lacks: {text}");
        }
    }
}
