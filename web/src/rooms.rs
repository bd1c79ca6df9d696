//! The rooms that this browser was in, the last one first, each with its invite, what was there, and what is
//! unfinished. Where the list is kept is the page's business; people can forget a room, or have none
//! remembered.

use serde::{Deserialize, Serialize};

/// More are not remembered; the oldest go.
const MAX_ROOMS: usize = 12;
/// What is received is kept in the browser for so long (wasm-peer, `left.rs`), and so is the way back to it.
const KEPT_MS: f64 = 30.0 * 86_400_000.0;
/// So many titles and names say which room it was.
const MAX_TOLD: usize = 3;

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rooms {
    /// The last one first.
    pub rooms: Vec<RecentRoom>,
}

/// A room that this browser was in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RecentRoom {
    /// Its invite, as it is behind the `#` of a link.
    pub invite: String,
    /// When we were there the last time, in milliseconds since 1970.
    pub last_ms: f64,
    /// Titles of shares that were on its shelf, and names of people who were there.
    pub titles: Vec<String>,
    /// See `titles`.
    pub people: Vec<String>,
    /// What was not complete when we were there the last time.
    pub unfinished: Vec<Unfinished>,
}

/// A share that was being received.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unfinished {
    /// The share's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Bytes that are here.
    pub have: u64,
    /// Bytes that are wanted.
    pub total: u64,
}

impl Rooms {
    /// Notes how a room looks now. What it says of titles and names is added to what was known, as people
    /// come and go; what is unfinished takes the place of what was.
    pub fn note(&mut self, mut now: RecentRoom) {
        if let Some(place) = self.rooms.iter().position(|room| room.invite == now.invite) {
            let before = self.rooms.remove(place);
            now.titles.extend(before.titles);
            now.people.extend(before.people);
        }
        for list in [&mut now.titles, &mut now.people] {
            let mut seen = Vec::new();
            list.retain(|it| {
                let new = !it.is_empty() && !seen.contains(it);
                seen.push(it.clone());
                new
            });
            list.truncate(MAX_TOLD);
        }
        self.rooms.insert(0, now);
        self.rooms.truncate(MAX_ROOMS);
    }

    /// Forgets a room.
    pub fn forget(&mut self, invite: &str) {
        self.rooms.retain(|room| room.invite != invite);
    }

    /// Forgets the rooms of which nothing can be left.
    pub fn expire(&mut self, now_ms: f64) {
        // A clock that was set back is no reason to forget anything.
        self.rooms.retain(|room| now_ms - room.last_ms < KEPT_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(invite: &str, titles: &[&str]) -> RecentRoom {
        let titles = titles.iter().map(|&title| title.to_owned()).collect();
        RecentRoom { invite: invite.to_owned(), titles, ..RecentRoom::default() }
    }

    fn invites(rooms: &Rooms) -> Vec<&str> {
        rooms.rooms.iter().map(|room| &*room.invite).collect()
    }

    #[test]
    fn the_last_room_comes_first_and_is_there_once() {
        let mut rooms = Rooms::default();
        for invite in ["a", "b", "a", "c"] {
            rooms.note(room(invite, &[]));
        }
        assert_eq!(invites(&rooms), ["c", "a", "b"]);
        rooms.forget("a");
        assert_eq!(invites(&rooms), ["c", "b"]);
    }

    #[test]
    fn what_was_seen_in_a_room_is_kept_and_what_is_unfinished_is_as_it_is_now() {
        let mut rooms = Rooms::default();
        let unfinished = vec![Unfinished { id: "1".to_owned(), ..Unfinished::default() }];
        rooms.note(RecentRoom { unfinished, ..room("a", &["film", "book"]) });
        rooms.note(room("a", &["", "song", "film", "song"]));
        assert_eq!(rooms.rooms[0].titles, ["song", "film", "book"]);
        assert_eq!(rooms.rooms[0].unfinished, []);
        rooms.note(room("a", &["newest"]));
        assert_eq!(rooms.rooms[0].titles, ["newest", "song", "film"]);
    }

    #[test]
    fn the_list_stays_short_and_old_rooms_go() {
        let mut rooms = Rooms::default();
        for i in 0..20 {
            rooms.note(RecentRoom { last_ms: f64::from(i), ..room(&i.to_string(), &[]) });
        }
        assert_eq!(rooms.rooms.len(), MAX_ROOMS);
        assert_eq!(rooms.rooms[0].invite, "19");
        rooms.expire(KEPT_MS + 17.5);
        assert_eq!(invites(&rooms), ["19", "18"]);
        rooms.expire(0.0);
        assert_eq!(rooms.rooms.len(), 2);
    }
}
