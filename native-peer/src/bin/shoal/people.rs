//! Whom this user trusts and avoids: a list by device key, kept in the configuration folder for all rooms,
//! and the command `shoal people` that shows and changes it.
//!
//! The file has a line for each: `trusted` or `avoided`, the key, and a name. Names are for people; only
//! keys count.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use native_peer::{PeerPolicy, PublicKey, Standing};
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::identity;
use crate::output::Output;
use crate::{PeopleArguments, PeopleCommand};

const FILE: &str = "people";
/// A file longer than this is not ours, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// What is known of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) standing: Standing,
    /// What this user calls them; perhaps nothing.
    pub(crate) name: String,
}

/// Everybody who is known, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct People(BTreeMap<PublicKey, Person>);

impl People {
    /// Reads the list in the configuration folder; nobody is known where there is none.
    pub(crate) fn load(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let failed = |what: String| {
            Failure::new(Code::Files, format!("the list of people {}: {what}", path.display()))
        };
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
                return Err(failed("it is too long; remove it to begin anew".into()));
            }
            _ => {}
        }
        let text = fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        let mut people = BTreeMap::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let person = read(line).ok_or_else(|| {
                failed(format!("line {} is damaged; correct or remove it", number + 1))
            })?;
            people.insert(person.0, person.1);
        }
        Ok(Self(people))
    }

    /// Keeps the list, whole or not at all.
    fn save(&self, folder: &Path) -> io::Result<()> {
        let lines = self
            .0
            .iter()
            .map(|(key, Person { standing, name })| format!("{} {key} {name}\n", word(*standing)));
        fs::create_dir_all(folder)?;
        let unfinished = folder.join(format!("{FILE}.{}", std::process::id()));
        fs::write(&unfinished, lines.collect::<String>())?;
        fs::File::open(&unfinished)?.sync_all()?;
        fs::rename(&unfinished, folder.join(FILE))
    }

    /// What follows for a policy.
    pub(crate) fn policy(&self) -> BTreeMap<PublicKey, PeerPolicy> {
        let policy =
            |person: &Person| PeerPolicy { standing: person.standing, ..PeerPolicy::default() };
        self.0.iter().map(|(&key, person)| (key, policy(person))).collect()
    }

    /// Somebody whose key this is.
    pub(crate) fn get(&self, key: &PublicKey) -> Option<&Person> {
        self.0.get(key)
    }

    /// Somebody trusted with another key who has this name.
    pub(crate) fn namesake(&self, name: &str, key: Option<&PublicKey>) -> Option<&PublicKey> {
        let same = |other: &str| !name.is_empty() && other.to_lowercase() == name.to_lowercase();
        let trusted = self.0.iter().filter(|(_, person)| person.standing == Standing::Trusted);
        trusted
            .filter(|(other, _)| Some(*other) != key)
            .find(|(_, p)| same(&p.name))
            .map(|(k, _)| k)
    }
}

/// Shows or changes the list.
pub(crate) fn run(arguments: PeopleArguments, output: &mut Output) -> Result<(), Failure> {
    let folder = identity::folder(arguments.config_dir)?;
    let mut people = People::load(&folder)?;
    let (key, person) = match arguments.command {
        None => {
            let own = identity::device_key(&folder)?.public();
            output.people(&own, people.0.iter());
            return Ok(());
        }
        Some(PeopleCommand::Trust { key, name }) => (key, Some((Standing::Trusted, name))),
        Some(PeopleCommand::Avoid { key, name }) => (key, Some((Standing::Avoided, name))),
        Some(PeopleCommand::Forget { key }) => (key, None),
    };
    match person {
        Some((standing, name)) => {
            let before = people.get(&key).map(|person| person.name.clone());
            let name = name.map(|name| one_line(&name)).or(before).unwrap_or_default();
            people.0.insert(key, Person { standing, name });
        }
        None if people.0.remove(&key).is_some() => {}
        None => {
            let message = format!("nobody with the key {key} is on the list; see shoal people");
            return Err(Failure::new(Code::Usage, message));
        }
    }
    people.save(&folder).map_err(|error| {
        Failure::new(Code::Files, format!("the list of people could not be kept: {error}"))
    })
}

/// A standing in a word, which scripts rely on.
pub(crate) fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Neutral => "neutral",
        Standing::Trusted => "trusted",
        Standing::Avoided => "avoided",
    }
}

/// A person as scripts see them.
pub(crate) fn to_json(key: &PublicKey, person: &Person) -> serde_json::Value {
    json!({
        "event": "person",
        "key": key.to_string(),
        "standing": word(person.standing),
        "name": person.name,
    })
}

fn read(line: &str) -> Option<(PublicKey, Person)> {
    let (standing, rest) = line.split_once(' ')?;
    let standing = match standing {
        "trusted" => Standing::Trusted,
        "avoided" => Standing::Avoided,
        _ => return None,
    };
    let (key, name) = rest.split_once(' ').unwrap_or((rest, ""));
    Some((key.parse().ok()?, Person { standing, name: name.to_owned() }))
}

fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use native_peer::DeviceKey;

    use super::*;

    fn key(n: u8) -> PublicKey {
        DeviceKey::from_bytes([n; 32]).public()
    }

    fn person(standing: Standing, name: &str) -> Person {
        Person { standing, name: name.into() }
    }

    #[test]
    fn the_list_is_read_as_it_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(People::load(folder.path()).unwrap(), People::default());
        let people = People(BTreeMap::from([
            (key(1), person(Standing::Trusted, "Anna with spaces")),
            (key(2), person(Standing::Avoided, "")),
        ]));
        people.save(folder.path()).unwrap();
        assert_eq!(People::load(folder.path()).unwrap(), people);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_list_is_an_error_that_names_the_line_and_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["trusted", "friend 00", &format!("neutral {}", key(1)), "trusted xyz Anna"] {
            let text = format!("trusted {} Anna\n{text}\n", key(1));
            fs::write(folder.path().join(FILE), &text).unwrap();
            let failure = People::load(folder.path()).unwrap_err();
            assert!(failure.message.contains("line 2"), "{}", failure.message);
            assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), text);
        }
    }

    #[test]
    fn whoever_takes_the_name_of_a_trusted_person_is_told_apart() {
        let people = People(BTreeMap::from([
            (key(1), person(Standing::Trusted, "Anna")),
            (key(2), person(Standing::Avoided, "Bert")),
        ]));
        assert_eq!(people.namesake("anna", Some(&key(9))), Some(&key(1)));
        assert_eq!(people.namesake("anna", Some(&key(1))), None, "it is her");
        assert_eq!(people.namesake("Bert", Some(&key(9))), None);
        assert_eq!(people.namesake("", Some(&key(9))), None);
    }
}
