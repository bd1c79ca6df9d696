//! English.

use super::Catalogue;
use super::language::LANGUAGES;

/// English.
pub static ENGLISH: Catalogue = Catalogue {
    language: &LANGUAGES[0],
    units: LANGUAGES[0].units,

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

    sections: "Parts of this room",
    sections_files: "Files",
    sections_people: "People",

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

    // Chat.
    chat_title: "Chat",
    chat_off: "Chat is switched off in the settings: nothing is sent or shown.",
    chat_empty: "Nobody has said anything yet.",
    chat_log: "What was said",
    chat_field: "Message to the room",
    chat_say: "Send message",
    chat_note: "Everybody in the room can read it, and whoever comes later; the server cannot. Enter \
                sends, Shift and Enter begin a new line. Paste a picture to share it as a file.",
    chat_too_long: |most| format!("That is longer than {most}. Share it as a file instead."),
    chat_new: |n| plural(n, "1 new message", "new messages"),
    chat_said: |name, said| format!("{name}: {said}"),
    chat_copy: |name, time| format!("Copy what {name} said at {time}"),
    chat_gone: |key| format!("not here now, key {key}"),
    chat_impostor: |name| format!("This is not the {name} whom you trust."),
    chat_unfold: "Show all",
    chat_fold: "Show less",
    pasted: |time| format!("Pasted {time}"),
    service_chat: "Chat",
    service_chat_note: "You write to everybody in the room, see what they write, and pass it on.",

    // Finding things on the shelf, and choosing among files.
    shelf_tools: "Find files",
    search: "Search names",
    sort_by: "Sort by",
    sort_newest: "Newest",
    sort_name: "Name",
    sort_size: "Size",
    sort_state: "State",
    show_only: "Show",
    only_all: "Everything",
    only_new: "Not received yet",
    only_under_way: "Under way",
    only_received: "Received",
    only_ours: "Shared by you",
    nothing_matches: "Nothing here is like that. Search for something else, or show everything.",
    found: |shares, files_found| {
        let shares = plural(shares, "1 share", "shares");
        format!("Found {} in {shares}.", files(files_found as usize))
    },
    found_in: |count, first| format!("{} found: {first}", files(count as usize)),
    may_close: "Others here have all of it between them: you may close this tab.",
    share_priority: "How urgent",
    priority: "Priority",
    priority_high: "High",
    priority_normal: "Normal",
    priority_low: "Low",
    serve_on: "Pass it on to others",
    serving_note: "Others here can get what you have of it from you.",
    withheld_by_user: "Nobody gets it from you. What was sent stays with them.",
    withheld_service_off: "Nobody gets it from you: that is off in the settings.",
    withheld_ratio: "You have passed it on as often as the settings say.",
    withheld_time: "You have passed it on for as long as the settings say.",
    listing_files: "Listing the files…",
    files_of: |title| format!("Files of {title}"),
    nothing_found_in_files: "None of these files is called that.",
    chosen_files: |chosen, all, size| {
        if chosen == all {
            format!("All chosen: {}, {size}", files(all as usize))
        } else {
            format!("{} of {} chosen, {size}", grouped(chosen as usize), files(all as usize))
        }
    },
    choose_all: "Choose all",
    choose_none: "Choose none",
    open_folders: "Open folders",
    close_folders: "Close folders",
    want_file: "Receive this file",
    want_folder: "Receive this folder",
    file_complete: "✓ here",
    save_named: |name| format!("Save {name}"),
    short_program: "Program",
    short_script: "Script",
    short_shortcut: "Shortcut",
    short_macros: "Macros",
    short_disk_image: "Disk image",
    short_disguised: "Disguised",

    // Settings, limits, notifications, rooms that were, and scanning.
    settings: "Settings",
    close: "Close",
    settings_about: "What you change holds at once, in every room, and is kept in this browser.",
    settings_reset: "Set everything back",
    settings_reset_note: "As it was before you changed anything. Rooms and people stay.",
    settings_reset_event: "Everything is as it was at the beginning.",
    identity_title: "Who you are",
    own_name: "Name of this device",
    own_name_note: "What others see you called, from the next room on you enter; reload the page to be \
                    called so in this one.",
    fresh_key: "Be somebody new in every room",
    fresh_key_note: "Nobody can tell then that you are who was in another room, and nobody who trusts you \
                     knows you again. Holds from the next room on.",
    remember_rooms: "Remember rooms",
    remember_rooms_note: "The first page then offers the way back, and what is unfinished. Whoever uses this \
                          browser can enter those rooms.",
    seen_title: "What others see of you",
    seen_name: |name| format!("Your name: {name}."),
    seen_key_here: |key| format!("Your key, which begins with {key}."),
    seen_key: "It is the same in every room, so that people who trust you know you again.",
    seen_fresh_key: "Each room gets a new one, so that nobody knows you again.",
    seen_address: "Your network address, as with every direct connection.",
    seen_lan: "Your address in this network.",
    seen_relay: "The address of a relay, and not yours.",
    seen_shares: "What you share, and how much you have of what they share.",
    services_title: "What you do",
    accept: "Receive without asking",
    accept_note: "What arrives by itself waits here until you save it.",
    accept_ask: "Nothing: I press Receive",
    accept_trusted: "What people share whom I trust",
    accept_all: "Everything",
    service_share: "Share",
    service_share_note: "Off, nobody can fetch what you put into the room.",
    service_receive: "Receive",
    service_receive_note: "Off, what is under way stops where it is and goes on later.",
    service_serve_on: "Serve on for others",
    service_serve_on_note: "Others fetch from you what you received, which makes it faster for everybody.",
    service_introduce: "Introduce others",
    service_introduce_note: "You tell people of each other, and pass their sealed messages on when the \
                             server is gone.",
    connections_title: "Connections",
    connections: "Connections at once",
    connections_note: "Fewer take less memory and battery; in a room of more people some are then reached by \
                       way of others.",
    upload_slots: "Requests answered at once",
    upload_slots_note: "Fewer give each person more of a slow line.",
    systems_title: "Ways",
    paths: "Which ways may be used",
    paths_note: "A connection that would take another way is closed before anything is sent.",
    paths_any: "Any",
    paths_lan: "This network only",
    paths_direct: "Direct ones only, no relay",
    paths_relay: "Relays only: hides your address",
    known_people_title: "People you trust or avoid",
    known_people_none: "Nobody yet. In a room, open “Is it …?” beside a person.",
    known_people_in_room: "The list is here while you are in a room.",
    avoided: "avoided",
    forget: "Forget",
    forget_person: |name| format!("Forget {name}"),
    resources_title: "Limits",
    unlimited: "Unlimited",
    never: "Never",
    upload_cap: "Send at most",
    upload_cap_note: "To all people together. Leaves room on your line for other things.",
    download_cap: "Receive at most",
    download_cap_note: "From all people together.",
    upload_each_cap: "Send to each person at most",
    upload_each_cap_note: "Other figures for single people are beside their names.",
    download_each_cap: "Receive from each person at most",
    download_each_cap_note: "So that nobody is asked for more than their line carries.",
    lan_exempt: "No limits within this network",
    lan_exempt_note: "What does not leave the house does not use your line up.",
    storage_budget: "Keep in this browser at most",
    storage_budget_note: "For more, what is complete and saved is erased, the oldest first; then it is waited.",
    memory_in_flight: "Ask ahead at most",
    memory_in_flight_note: "Takes as much memory. More is faster only on very fast lines.",
    stop_at_ratio: "Serve until sent so many times",
    stop_at_ratio_note: "1 gives back as much as you took.",
    stop_after: "Serve for so long",
    stop_after_note: "Counted from when you have all of it.",
    usage_title: "Data used so far",
    usage_now: |sent, received| {
        format!("Since the page was loaded: {sent} sent, {received} received.")
    },
    usage_in_all: |sent, received| format!("In all: {sent} sent, {received} received."),
    usage_anew: "Count from nothing",
    appearance_title: "This page",
    theme: "Light or dark",
    theme_note: "By the system unless you choose.",
    theme_system: "As the system",
    theme_light: "Light",
    theme_dark: "Dark",
    notify: "Notify me while I look elsewhere",
    notify_note: "When somebody comes, shares something or has received it, and when something is complete. \
                  The browser asks you once.",
    notify_refused: "The browser does not let this page notify you. Allow notifications for it beside the \
                     address, then switch them on again.",
    share_added_event: |title| match title {
        "" => "Somebody shares something new.".to_owned(),
        title => format!("New here: {title}."),
    },
    limits_title: |name| format!("Limits for {name}"),
    send_at_most: "Send them at most",
    receive_at_most: "Receive from them at most",
    as_everybody: "As for everybody",
    limits_note: "Holds for this person in every room.",
    disconnect: "Disconnect",
    disconnect_note: "From this person, until you leave the room.",
    disconnected_note: "You are not connected to them until you press this again or leave the room.",
    recent_title: "Where you were",
    recent_note: "Kept in this browser alone. Whoever uses it can enter these rooms.",
    enter: "Enter",
    enter_again: |room| format!("Enter again: {room}"),
    resume_in: |room| format!("Resume: {room}"),
    forget_room: |room| format!("Forget: {room}"),
    unfinished_part: |part| format!("{part} here"),
    empty_room: "A room with nothing in it yet",
    scan: "Scan a QR code",
    scan_title: "Scan the QR code of an invite",
    scan_hint: "Hold the code in front of the camera. The picture stays on this device.",
    no_camera: "There is no camera, or it may not be used. Allow it for this page beside the address, then \
                try again.",

    // The map of a share's pieces, and graphs.
    map_title: "Pieces",
    map_of: |title| format!("Piece map of {title}"),
    map_here: |here, all| match all {
        1 => format!("{here} of 1 piece is here"),
        all => format!("{} of {} pieces are here", grouped(here as usize), grouped(all as usize)),
    },
    map_asked: |n| format!("{} on the way", grouped(n as usize)),
    map_missing: |n| format!("{} missing, several people have them", grouped(n as usize)),
    map_rare: |n| format!("{} missing that only one person has", grouped(n as usize)),
    map_nowhere: |n| format!("{} missing that nobody here has", grouped(n as usize)),
    map_alone: |n| format!("{} that only you have", grouped(n as usize)),
    map_held_by_one: |n| format!("{} that one other has", grouped(n as usize)),
    map_held_by_two: |n| format!("{} that two others have", grouped(n as usize)),
    map_held_by_more: |n| format!("{} that three others or more have", grouped(n as usize)),
    map_unwanted: |n| format!("{} not wanted", grouped(n as usize)),
    map_cell: |pieces, size| {
        format!("Each square is {} pieces, about {size}.", grouped(pieces as usize))
    },
    rate_in: |rate| format!("↓ {rate}"),
    rate_out: |rate| format!("↑ {rate}"),
    rate_graph: |name, most| format!("Rates of the last minute: {name}, at most {most}"),
    round_trip_graph: |name, most| {
        format!("Round trips of the last minute: {name}, at most {most}")
    },

    // Languages, and what index.html says where the program cannot.
    language_label: "Language",
    language_missing: |name| {
        format!("{name} could not be loaded. Check the network, then choose it again.")
    },
    lacking: "This browser lacks what Shoal needs to reach other browsers. Open this page in a current \
              Firefox, Chrome, Edge or Safari. Missing:",
    broken: "The page did not load completely or has stopped. Check the network, then reload the page.",
};

fn files(n: usize) -> String {
    plural(n, "1 file", "files")
}

fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { one.to_owned() } else { format!("{} {many}", grouped(n)) }
}

fn grouped(n: usize) -> String {
    ENGLISH.units.whole(n as u64)
}
