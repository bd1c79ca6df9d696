//! Whom the user of this browser profile trusts and avoids: a list by device key that all rooms and tabs
//! share, kept beside the device key. Names are for people; only keys count.

use web_sys::FileSystemDirectoryHandle;

use crate::api::{Person, Standing};
use crate::lock::{Lock, Patience};
use crate::opfs::{self, SyncFile};

/// The file: a JSON list of [`Person`].
pub(crate) const FILE: &str = "people";
/// More are not kept; the first go.
const MAX_PEOPLE: usize = 10_000;

/// The list, or nobody if there is none or it is not legible.
pub(crate) async fn load(root: &FileSystemDirectoryHandle) -> Vec<Person> {
    let Ok(handle) = opfs::file(root, FILE, false).await else { return Vec::new() };
    let Ok(snapshot) = opfs::snapshot(&handle).await else { return Vec::new() };
    let bytes = opfs::bytes(&snapshot).await.unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Puts somebody on the list, or takes them off it if they are like everybody. Gives the list as it is then,
/// with what other tabs changed.
pub(crate) async fn note(root: &FileSystemDirectoryHandle, person: Person) -> Vec<Person> {
    let _lock = Lock::take(FILE, Patience::Endless).await;
    let mut people = load(root).await;
    put(&mut people, person);
    // On a full disk it holds until the page is closed.
    if let (Ok(text), Ok(file)) = (serde_json::to_vec(&people), SyncFile::open(root, FILE).await) {
        let written = file.set_length(0).and_then(|()| file.write(0, &text));
        let _ = written.and_then(|()| file.flush());
    }
    people
}

/// The same for a list that is not kept.
pub(crate) fn put(people: &mut Vec<Person>, person: Person) {
    people.retain(|it| it.public_key != person.public_key);
    if person.standing != Standing::Neutral {
        people.push(person);
    }
    let too_many = people.len().saturating_sub(MAX_PEOPLE);
    people.drain(..too_many);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(key: &str, standing: Standing) -> Person {
        Person { public_key: key.into(), standing, name: "Anna".into() }
    }

    #[test]
    fn everybody_is_on_the_list_once_and_neutral_people_are_not() {
        let mut people = Vec::new();
        put(&mut people, person("a", Standing::Trusted));
        put(&mut people, person("b", Standing::Trusted));
        put(&mut people, person("a", Standing::Avoided));
        assert_eq!(people, [person("b", Standing::Trusted), person("a", Standing::Avoided)]);
        put(&mut people, person("b", Standing::Neutral));
        assert_eq!(people, [person("a", Standing::Avoided)]);
    }
}
