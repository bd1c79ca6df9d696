//! Telling peers apart on the screen: each has a place, which gives it a colour, and a number where others
//! have the same name. Both stay while the peer is there; the places of those gone are given anew.

/// Who is known of: connected, or named as the source of something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    places: Vec<Option<Entry>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    id: String,
    name: String,
}

impl Roster {
    /// Takes in who is there now, as ids and names. An id may come more than once; an empty name is one
    /// not known yet.
    pub fn update<'a>(&mut self, now: impl Iterator<Item = (&'a str, &'a str)> + Clone) {
        for place in &mut self.places {
            if place.as_ref().is_some_and(|entry| !now.clone().any(|(id, _)| id == entry.id)) {
                *place = None;
            }
        }
        for (id, name) in now {
            if let Some(entry) = self.places.iter_mut().flatten().find(|entry| entry.id == id) {
                if !name.is_empty() {
                    name.clone_into(&mut entry.name);
                }
                continue;
            }
            let entry = Some(Entry { id: id.to_owned(), name: name.to_owned() });
            match self.places.iter_mut().find(|place| place.is_none()) {
                Some(free) => *free = entry,
                None => self.places.push(entry),
            }
        }
    }

    /// The place of a peer, counted from 0.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.iter().position(|place| place.as_ref().is_some_and(|entry| entry.id == id))
    }

    /// The name of a peer, and the how-manieth of that name it is, counted from 1.
    pub fn name(&self, id: &str) -> Option<(&str, usize)> {
        let place = self.place(id)?;
        let name = &self.places[place].as_ref()?.name;
        let same = self.places[..=place].iter().flatten().filter(|entry| entry.name == *name);
        Some((name, same.count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(steps: &[&[(&'static str, &'static str)]]) -> Roster {
        let mut roster = Roster::default();
        for step in steps {
            roster.update(step.iter().copied());
        }
        roster
    }

    #[test]
    fn equal_names_get_numbers_that_stay() {
        let now = roster(&[&[("a", "x"), ("b", "x")], &[("c", "x"), ("b", "x"), ("a", "")]]);
        assert_eq!(now.name("a"), Some(("x", 1)));
        assert_eq!(now.name("b"), Some(("x", 2)));
        assert_eq!(now.name("c"), Some(("x", 3)));
        assert_eq!(now.name("d"), None);
    }

    #[test]
    fn a_place_is_kept_while_its_peer_is_there_and_given_anew_after() {
        let now =
            roster(&[&[("a", ""), ("b", "")], &[("b", "y"), ("b", "y")], &[("b", "y"), ("c", "")]]);
        assert_eq!(now.place("b"), Some(1));
        assert_eq!(now.place("c"), Some(0));
        assert_eq!(now.place("a"), None);
        assert_eq!(now.name("b"), Some(("y", 1)));
    }
}
