//! Causes in the language that is spoken. The core, the browser's adapter and the server tell causes as
//! English sentences, made to follow a colon (`error`, `message`, what is thrown). The files of languages have
//! those that people may meet by their English form, in which a place, `{0}` or `{1}`, is for whatever stands
//! there: a name, a number, or another cause. What is not among them stays as it is, like what the browser
//! itself says.

use super::loaded;
use super::message::{Argument, fill};
use super::text;

/// A cause in the language that is spoken.
pub fn translated(cause: &str) -> String {
    let mut known = loaded::spoken().into_iter().flat_map(|table| &table.causes);
    let known = known.find_map(|(english, message)| Some((message, parts(english, cause)?)));
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
