//! Causes in the language that is spoken. The core, the browser's adapter and the server tell causes as
//! English sentences, made to follow a colon (`error`, `message`, what is thrown). Those that people may
//! meet are known here by their English form; what is not known stays as it is, like what the browser
//! itself says.
//!
//! A place, `{0}` or `{1}`, is for whatever stands there: a name, a number, or another cause.

use super::loaded;
use super::message::{Argument, fill};
use super::text;

/// What each is called in the files of languages (`cause.…`), and its English form. A test holds them
/// to the sentences that are really told.
pub(crate) const CAUSES: &[(&str, &str)] = &[
    // Invites and codes.
    ("not_a_link", "this is not an invite link; copy the whole link, including the part after #"),
    ("damaged_link", "the invite is incomplete or damaged; copy the whole link again"),
    (
        "newer_link",
        "the invite was made by a newer version of Shoal (invite version {0}); update and try again",
    ),
    ("not_a_code", "a code is a number and three words, such as 4-brave-otter-lamp"),
    ("code_number", "a code begins with its number, such as 4-brave-otter-lamp"),
    (
        "code_words",
        "a code has three words after its number, and this has {0}; type all of it, such as 4-brave-otter-lamp",
    ),
    ("code_spelling", "no code has a word that begins with {0}; check how it is spelled"),
    ("code_ambiguous", "{0} could be {1}; type more of it"),
    (
        "no_such_code",
        "no code with the number {0} is waiting at this server: it may have expired (they live for 10 \
         minutes) or been used, or the number or the server is another; ask for a new code",
    ),
    (
        "wrong_words",
        "the words are not those of this code, which is used up now: each can be tried once; ask for a new \
         code. If you are sure that they were right, somebody may have tried to get in between",
    ),
    (
        "impostor",
        "what answered does not know the words of this code: the server or somebody on the way tried to get \
         in between, and got nothing; pass the link on in another way",
    ),
    (
        "creator_left",
        "whoever made this code is gone, or has closed their page; ask for a new code",
    ),
    ("creator_silent", "whoever made this code does not answer; ask for a new code"),
    (
        "claim_broke",
        "the other side does not go by the rules; it may be of another version: update here and there",
    ),
    ("no_codes_ask", "this server has no codes; ask for the link instead"),
    ("no_codes_pass", "this server has no codes; pass on the link instead"),
    (
        "claim_unreachable",
        "the server cannot be reached ({0}); check its address and your network, and try again",
    ),
    (
        "offer_unreachable",
        "the server cannot be reached ({0}); check your network and try again, or pass on the link",
    ),
    ("code_taken", "the code was used, and whoever used it has the invite"),
    (
        "code_wrong",
        "somebody entered wrong words, so the code is used up and nobody got in; make a new one",
    ),
    ("code_left", "somebody entered its number and left, so the code is used up; make a new one"),
    (
        "code_silent",
        "somebody entered its number and fell silent, so the code is used up; make a new one",
    ),
    (
        "code_broke",
        "somebody tried to get in by breaking the rules, so the code is used up; make a new one",
    ),
    ("code_expired", "the code has expired; make a new one"),
    (
        "code_lost",
        "the connection to the server is lost, and the code with it: {0}; make a new one",
    ),
    // The server.
    ("refused", "the server refused: {0}"),
    ("unreachable", "the server cannot be reached"),
    ("refused_us", "the server refused us"),
    ("no_network", "this device has no network"),
    ("server_closed", "the server closed the connection (code {0})"),
    ("server_ended", "the server has ended it"),
    ("server_silent", "the server does not answer"),
    ("server_stopped", "the server has stopped answering"),
    ("server_floods", "the server sends more than it has reason to"),
    ("server_twice", "the server let us in twice; is it a Shoal server?"),
    ("server_unknown", "the server said something that this version does not understand"),
    ("room_full", "the room is full"),
    ("no_more_rooms", "no more rooms; try again later"),
    ("too_many_connections", "too many connections; try again later"),
    ("too_much", "it sends too much; try again later"),
    ("shutting_down", "it is shutting down; try again in a moment"),
    ("too_slow", "the connection is too slow; try again"),
    // Who is gone, and why.
    ("gone_left", "left the room"),
    ("gone_broke", "the connection broke"),
    ("gone_unreachable", "no connection came about; a firewall may be in the way"),
    ("gone_version", "uses another version of Shoal; update and try again"),
    ("gone_rules", "did not keep to the rules and was disconnected"),
    ("gone_unproven", "could not prove that nobody sits in between; make a new invite"),
    ("gone_banned", "was caught lying and is shut out"),
    ("gone_replaced", "connected anew"),
    ("gone_full", "has as many connections as it wants"),
    ("gone_path", "cannot be reached on a path that is allowed"),
    ("gone_avoided", "is avoided"),
    ("gone_making_room", "made room for somebody else"),
    ("gone_locked", "the room is locked; whoever made it can let people in"),
    // Sharing.
    ("nothing_to_share", "there is nothing to share"),
    (
        "too_many_files",
        "too many files: at most {0} in one share; share the folder's parts one by one",
    ),
    ("too_many_pieces", "more than {0} pieces; share fewer files at once"),
    ("too_large", "the sizes add up to more than 8 EiB"),
    ("paths_clash", "two entries claim the path {0}"),
    ("name_empty", "a name is empty"),
    ("name_dots", "a name is . or .."),
    ("name_nul", "a name contains a NUL character"),
    ("name_long", "a name is longer than {0} bytes or the path longer than {1}"),
    ("not_shared", "could not share {0}: {1}"),
    ("not_remembered", "this browser does not remember the files; choose them again"),
    (
        "not_permitted",
        "the files may not be read; allow it when the browser asks, or choose them again",
    ),
    ("missing_and_changed", "changed since it was shared: {0}; not there: {1}; share it anew"),
    ("changed_again", "changed since it was shared: {0}; share it anew"),
    ("missing", "not there: {0}; choose all files of the share"),
    // Receiving and saving.
    ("disk_full", "the disk is full; make room and try again"),
    ("changed", "{0} has changed since it was shared; share it again"),
    ("changed_while", "{0} changed while it was being shared; ask for it to be shared again"),
    ("damaged", "{0} was not stored as it was written; check the disk and try again"),
    ("unopenable", "the file cannot be opened any more: {0}"),
    ("no_such_share", "there is no such share in this room any more"),
    ("not_creator", "only whoever made the invite to this room can do this"),
    ("incomplete", "the share is not complete yet"),
    ("file_incomplete", "the file is not complete yet"),
    ("other_tab", "another tab has the file open; close that tab and try again"),
    ("added_too_often", "files were added too often; receive the share again"),
    ("part_gone", "a part of the share is gone"),
    ("stored_shorter", "what was stored became shorter"),
    ("has_become_shorter", "what was stored has become shorter"),
    ("archive_shorter", "what was put together became shorter"),
    ("hash_unknown", "its hash is not known"),
    ("store_closed", "its store is closed"),
    ("not_written", "could not write {0}: {1}"),
    ("short_write", "{0} of {1} bytes were written; try again"),
    ("wrong_write", "what was written is not what was received; the disk may be damaged"),
    // Chat.
    ("nothing_to_say", "there is nothing to say; write something first"),
    ("too_long_to_say", "that is too long for chat; share it as a file"),
    ("chat_is_off", "chat is switched off; switch it on in the settings"),
    ("said_too_much", "that is too much at once; wait a moment and say it again"),
    // Defects.
    ("not_started", "Shoal could not start; reload the page to try again ({0})"),
    ("has_stopped", "Shoal has stopped; reload the page to try again ({0})"),
    ("worker_missing", "its worker could not be loaded"),
    ("no_reason", "the browser gave no reason"),
];

/// A cause in the language that is spoken.
pub fn translated(cause: &str) -> String {
    let Some(table) = loaded::spoken() else { return cause.to_owned() };
    let known = CAUSES.iter().zip(&table.causes).find_map(|((_, english), message)| {
        let parts = parts(english, cause)?;
        Some(((*message)?, parts))
    });
    let Some((message, parts)) = known else { return cause.to_owned() };
    let parts: Vec<String> = parts.into_iter().map(translated).collect();
    let arguments: Vec<Argument<'_>> = parts.iter().map(|part| (&**part).into()).collect();
    fill(message, &arguments, text())
}

/// What stands in the places of an English form, if the cause has that form.
fn parts<'a>(english: &str, cause: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = english.split(['{', '}']).step_by(2);
    let mut rest = cause.strip_prefix(literals.next()?)?;
    let mut parts = Vec::new();
    let mut literals = literals.peekable();
    while let Some(literal) = literals.next() {
        let (part, after) = match literals.peek() {
            Some(_) => rest.split_once(literal)?,
            // The last one is at the end: what is before it may contain the same words.
            None => (rest.strip_suffix(literal)?, ""),
        };
        parts.push(part);
        rest = after;
    }
    rest.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests;
