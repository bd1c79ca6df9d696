//! Everything the page says, in one place. A language is a [`Catalogue`]: a missing text does not compile,
//! and plurals and word order are each language's own, because what depends on a number is a function.
//!
//! `index.html` repeats a few of these texts, so that they are there before the program is; a test holds the
//! two together. Sentences about causes (`error`, `message`) come from the core.

use crate::format::Units;

/// The catalogue of the language that the page speaks.
pub fn text() -> &'static Catalogue {
    &ENGLISH
}

/// One language.
#[expect(missing_docs, reason = "a field's name and its English text say what it is")]
pub struct Catalogue {
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
    pub may_close: &'static str,
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
    pub first_files: fn(usize, u32) -> String,
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
}

impl Catalogue {
    /// A cause from the core, which is made to follow a colon, as a sentence of its own.
    pub fn sentence(&self, cause: &str) -> String {
        let mut rest = cause.trim().chars();
        let Some(first) = rest.next() else { return String::new() };
        let stop = if cause.trim_end().ends_with(['.', '!', '?', '…']) { "" } else { "." };
        format!("{}{}{stop}", first.to_uppercase(), rest.as_str())
    }
}

/// English.
pub static ENGLISH: Catalogue = Catalogue {
    units: Units {
        decimal: ".",
        bytes: ["B", "kB", "MB", "GB", "TB", "PB"],
        per_second: "/s",
        time: ["s", "min", "h", "d"],
        percent: "%",
    },

    product: "Shoal",
    headline: "Files, straight to the people you mean.",
    about: "Drop something, pass the link on, and it travels directly between your browsers, \
            with everyone who has a piece helping the rest.",
    server_sees: "The server only introduces you to each other: it sees which addresses meet and when, \
                  but never your files, their names, or the key in the link.",
    drop_here: "Drop files or folders",
    drop_more: "Drop more, or",
    drop_now: "Let go to share",
    drop_note: "or paste them. They stay on this device until someone you invite receives them.",
    choose_files: "Choose files",
    choose_folder: "Choose folder",
    join_title: "Were you invited?",
    join_label: "Invite link or code",
    join_hint: "A code looks like 4-brave-otter-lamp. Opening a link itself works too.",
    join: "Join",
    not_an_invite: "That is neither a link nor a code. Copy the whole link again, including the part after #, or \
                    type the number and the three words of a code.",
    nothing_typed: "Paste the invite link, or type the code, first.",

    making_room: "Making a room…",
    joining: "Joining…",
    reading_files: |n| match n {
        0 => "Reading the folder…".to_owned(),
        n => format!("Reading the folder… {}", files(n)),
    },
    adding_files: |n| format!("Adding {}…", files(n)),
    nothing_found: "There was no file in that. Drop files or folders from your file manager.",
    not_added: |cause| format!("Could not share that: {cause}"),
    leave: "Leave",
    connecting: "Connecting…",
    connected: "Connected",
    lost_short: "Server lost",
    offline_short: "Offline",
    refused_short: "Refused",
    server_lost: |cause| {
        format!(
            "{} Transfers under way go on; nobody new can join until it is back.",
            ENGLISH.sentence(if cause.is_empty() { "the server cannot be reached" } else { cause })
        )
    },
    server_refused: |cause| {
        format!(
            "{} Leave this room, or reload the page to try once more.",
            ENGLISH.sentence(if cause.is_empty() { "the server refused us" } else { cause })
        )
    },
    offline: "This device is offline. Check its network; everything goes on by itself once it is back.",
    try_now: "Try now",
    reload: "Reload",
    dismiss: "Dismiss",

    invite_title: "Pass it on",
    invite_link: "Invite link",
    invite_note: "Whoever has this link is in the room. Send it only to people you mean.",
    copy: "Copy",
    copied: "Copied",
    copy_by_hand: "Press Ctrl+C or ⌘C to copy",
    share_link: "Share…",
    show_qr: "QR code",
    qr_alt: "QR code of the invite link",
    keep_open: "Keep this page open until they have everything.",
    code_title: "Code to be spoken",
    code_about: "Somebody beside you, or on the phone? A code is three words, good for one of them.",
    show_code: "Show a code",
    new_code: "New code",
    withdraw_code: "Take it back",
    code_asking: "Asking the server for a code…",
    code_note: "Tell it to one person, who enters it on the first page here. One wrong word uses it up.",
    code_left: |duration| format!("Good for another {duration}"),
    code_tried: "Somebody is entering it…",
    codes_burnt: |sentence, n| {
        format!(
            "{sentence} That makes {n} codes used up this way. If nobody mistyped them, somebody guesses: pass \
             the link on instead."
        )
    },

    people_title: "Who is here",
    you: |name| format!("You ({name})"),
    someone: "Someone",
    namesake: |name, number| format!("{name} ({number})"),
    made_room: "made this room",
    peer_waiting: "not connected yet",
    peer_connecting: "connecting…",
    peer_reviving: "connection broke, reviving it…",
    peer_room: |size| format!("room for {size}"),
    path_lan: "same network",
    path_direct: "direct",
    path_relayed: "through a relay",
    round_trip: |ms| match ms.round() as u32 {
        0 => "under 1\u{a0}ms".to_owned(),
        ms => format!("{ms}\u{a0}ms"),
    },
    sent: |size| format!("sent {size}"),
    received: |size| format!("received {size}"),
    alone_with_share: "Nobody else yet. Pass the link on.",
    alone: "Nobody else is here.",
    lock_room: "Lock the room",
    locked_note: "The room is locked: nobody new is let in, even with the link.",
    open_note: "Open to everybody who has the link.",
    shut_out: "This room is locked, and you are not let in. Ask whoever made it to open it; this page goes on \
               by itself then.",
    trusted: "trusted",
    trusted_as: |name| format!("trusted as {name}"),
    trust_title: |name| format!("Is it {name}?"),
    words_note: |name| {
        format!(
            "Read these words to each other, by telephone say. If {name} sees the same ones, it is really \
             them, and nobody in between."
        )
    },
    trust: "Trust",
    avoid: "Avoid",
    start_anew_without: "Start the room anew without them",
    started_anew: "Whoever made this room has started it anew. Files are shared there again.",
    go_to_new_room: "Go to the new room",
    namesake_warning: |name| {
        format!(
            "Careful: this is not the {name} whom you trust, only somebody with that name. Compare the words \
             below before you believe it."
        )
    },
    locked_event: "The room is locked now.",
    opened_event: "The room is open again.",

    shelf_title: "Files in this room",
    shelf_empty: "Nothing is shared yet. It shows up here as soon as somebody shares.",
    shelf_empty_alone: "Nobody is here at the moment. Ask whoever invited you to open their page; \
                        this one waits.",
    shelf_empty_long: "Still nobody here. Ask whoever invited you to open their page. If it is open, \
                       compare the link: one wrong character leads to another, empty room.",
    shelf_connecting: "Connecting to who is here. What they share shows up as soon as that is done.",
    files: |n| files(n as usize),
    empty_folders: |n| plural(n as usize, "1 empty folder", "empty folders"),
    from_you: "from you",
    from: |name| format!("from {name}"),
    receive: "Receive",
    receive_into_folder: "Receive into a folder…",
    zip_note: "Saves as one ZIP.",
    pause: "Pause",
    resume: "Resume",
    discard: "Discard",
    cancel: "Cancel",
    save: "Save",
    stop_sharing: "Stop sharing",
    allow_access: "Allow access",
    choose_files_again: "Choose the files again",
    choose_folder_again: "Choose the folder again",
    try_again: "Try again",
    remove: "Delete from this browser",
    progress_of: |title| format!("Progress of {title}"),
    memory_only: |limit| {
        format!(
            "This browser keeps what it receives in memory (a private window?). More than about {limit} may \
             not fit, and reloading loses it. A normal window uses the disk."
        )
    },
    too_large_for_memory: |needed| {
        format!(
            "This needs {needed} of memory, which may not be there. Open the invite in a normal window \
             instead."
        )
    },
    no_room: |needed, left| {
        format!(
            "This needs {needed}, but the browser has room for {left}. Free some disk space first."
        )
    },

    shared: "Shared",
    received_by: |n| format!("received by {}", grouped(n as usize)),
    not_received_yet: "nobody has it yet",
    copies: |n| format!("{:.1} copies in the room", (n * 10.0).floor() / 10.0),
    may_close: "you may close this tab",
    available: "Available",
    opening: "Preparing…",
    receiving: "Receiving",
    time_left: |duration| format!("{duration} left"),
    from_peers: |n| format!("from {}", plural(n, "1 peer", "peers")),
    unfinished: "Unfinished",
    unfinished_hint: "This is left from before. Resume fetches only what is missing; Discard erases it.",
    received_before: "Received before",
    received_before_hint: "All of it is still in this browser, to be saved again. Discard erases it.",
    detached: "Its files cannot be read",
    detached_permission_hint: "The browser needs your permission to read these files once more, as after \
                               a reload. Others then go on from where they are.",
    detached_choose_hint: "The browser has lost sight of these files, as after a reload. Choose the same \
                           ones, and others go on from where they are.",

    waiting_for: |duration| format!("For {duration}"),
    next_try: |duration| format!("next try in {duration}"),
    next_try_now: "trying now",
    waiting_connecting: "Connecting",
    waiting_connecting_hint: "Connecting to someone who may have it. If it takes long, ask whether their \
                              page is open.",
    waiting_source: "Waiting for someone who has it",
    waiting_source_hint: "It goes on by itself as soon as they are here. Ask them to open this room.",
    nobody_has: |missing| {
        format!(
            "Nobody here has the last {missing}. It goes on by itself as soon as someone does: ask \
             whoever shared it to open this room."
        )
    },
    source_unreadable: "The sender cannot read the files",
    source_unreadable_hint: "Their page was loaded again. Ask them to allow access, or to choose the files \
                             again; then it goes on by itself.",
    waiting_silence: "Waiting for an answer",
    waiting_silence_hint: "The connection may have broken; it is revived or made anew by itself. If that \
                           takes long, check the network here and there.",
    paused: "Paused",
    paused_hint: "You paused it. It goes on from here when you resume it.",
    paused_by_them: "Paused by the sender",
    paused_by_them_hint: "Whoever has it does not send at the moment. It goes on by itself when they do.",
    receiving_off: "Receiving is off",
    receiving_off_hint: "It goes on from here when you switch receiving on.",
    disk_full: "Disk full",
    disk_full_hint: |needed, available| {
        let room = match (needed, available) {
            (Some(needed), Some(available)) => {
                format!("It needs {needed}, and there is room for {available}.")
            }
            (Some(needed), None) => format!("It needs {needed}, and there is less room than that."),
            (None, _) => "There is no room for the rest.".to_owned(),
        };
        format!(
            "{room} Free some space, or delete something received here; then it goes on by itself. What \
             came so far is kept."
        )
    },
    budget: "Over the storage budget",
    budget_hint: |needed| {
        let needed = needed.map_or("This".to_owned(), |it| format!("{it} more"));
        format!(
            "{needed} would be over what this page may keep. Save and delete something received here; \
             then it goes on by itself."
        )
    },
    halted_paused: |name| format!("{name} has paused it."),
    halted_disk_full: |name| {
        format!("{name} has no room left; it goes on once some space is free there.")
    },
    halted_unreadable: |name| {
        format!("{name} cannot read its files: ask them to allow access, or to choose them again.")
    },
    too_little_room: |name, size| format!("{name} has room for only {size}."),

    finishing: "Checking…",
    saving: "Saving…",
    ready_to_save: "Ready to save",
    complete: "Complete",
    serving_on: |size| format!("passed {size} on to others"),
    failed: "Stopped",
    not_saved: |cause| format!("Could not save: {cause}"),
    part_of: |have, total| format!("{have} of {total}"),

    details: "Details",
    files_title: "Files and their BLAKE3 hashes",
    first_files: |shown, all| format!("The first {shown} of {}.", files(all as usize)),
    hash_unknown: "hash not known yet",
    risk_program: "Program: it runs when opened. Open it only if you trust who sent it.",
    risk_script: "Script: it may run when opened. Open it only if you trust who sent it.",
    risk_shortcut: "Shortcut: it leads elsewhere when opened. Open it only if you trust who sent it.",
    risk_macros: "May contain macros. Open it only if you trust who sent it.",
    risk_disk_image: "Disk image: what is in it may run. Open it only if you trust who sent it.",
    risk_disguised: "Not what it looks like: it may run when opened. Ask who sent it before you open it.",
    risky_files: |count, first| {
        // The name may be written from right to left: it is kept from turning the rest.
        let first = format!("\u{2068}{first}\u{2069}");
        match count {
            1 => format!("1 file may run something when opened: {first}"),
            n => format!("{n} files may run something when opened, such as {first}"),
        }
    },
    sources_title: "Who sent what",
    source: |name, size, part| format!("{name}: {size} ({part})"),
    found_here: |size| format!("{size} were already here."),
    in_vain: |size| format!("{size} came twice or wrong and were dropped."),

    joined_event: |name| format!("{name} is here."),
    left_event: |name, cause| match cause {
        "" => format!("{name} has left."),
        cause => ENGLISH.sentence(&format!("{name} is not here any more: {cause}")),
    },
    received_event: |name, title| format!("{name} has received {title}."),
    complete_event: |title| format!("{title} is complete."),
    banned_event: |name| {
        format!("{name} sent wrong data and was shut out of this room. Nothing wrong was kept.")
    },
    not_confirmed_event: |name| {
        format!(
            "{name} could not prove that nobody sits in between, and was not let in. Nothing was sent or \
             taken. Make a new room, and pass its link on in another way."
        )
    },
    unknown_error: "something unexpected went wrong; reload the page",
};

fn files(n: usize) -> String {
    plural(n, "1 file", "files")
}

/// English has two forms; languages with more choose for themselves.
fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { one.to_owned() } else { format!("{} {many}", grouped(n)) }
}

/// `20 000` with a thin, unbreaking space from five digits on.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
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
