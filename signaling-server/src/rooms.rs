//! Who is in which room. The only state that peers share, and all of it is gone when they leave.
//!
//! An id can be had again by whoever shows the token that came with it. Tokens follow from the id, the
//! room and a secret of this run, so none is stored, and none is good after a restart.
//!
//! This is the one place that would learn about other servers if rooms ever span several: everything
//! outside goes through [`Rooms::join`] and the [`Membership`] it returns. What is said on a socket, and
//! when, is in `socket`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use protocol::signaling::{
    Envelope, MAX_MEMBERS_TOLD, PeerId, Resume, ResumeToken, RoomId, ServerMessage,
};
use rand::seq::IteratorRandom;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::outbox::Outbox;

/// All rooms with somebody in them.
pub(crate) struct Rooms {
    max_rooms: usize,
    max_members: usize,
    /// What resume tokens are made with.
    secret: [u8; 32],
    // One lock for all: what happens under it is a look-up and pushing onto queues that never wait.
    rooms: Mutex<HashMap<RoomId, Members>>,
}

type Members = HashMap<PeerId, Arc<Outbox>>;

/// One peer's stay in a room; dropping it is leaving, unless another socket has taken its place.
pub(crate) struct Membership {
    rooms: Arc<Rooms>,
    room: RoomId,
    peer: PeerId,
    outbox: Arc<Outbox>,
}

/// What a newcomer is told.
pub(crate) struct Entry {
    pub(crate) membership: Membership,
    /// A random sample of those who were there before, at most [`MAX_MEMBERS_TOLD`].
    pub(crate) members: Vec<PeerId>,
    /// Whether it has the id of an earlier stay.
    pub(crate) resumed: bool,
}

/// Why somebody cannot enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinError {
    RoomFull,
    TooManyRooms,
}

/// The addressee is not in the sender's room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undeliverable;

impl Rooms {
    pub(crate) fn new(max_rooms: usize, max_members: usize) -> Arc<Self> {
        Arc::new(Self { max_rooms, max_members, secret: rand::random(), rooms: Mutex::default() })
    }

    /// How many rooms have somebody in them.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Enters a room, which comes to be if nobody is in it.
    ///
    /// If the newcomer is told of all members, they are told of it. In a larger room nobody is told who
    /// comes and goes: the newcomer's offers introduce it, and what a member hears does not grow with the
    /// room. If a member comes back before its earlier socket has ended, that ends now, replaced. Nobody
    /// is told that it left; that it is there is told as of anybody, since signals to it may have been
    /// lost.
    pub(crate) fn join(
        self: &Arc<Self>,
        room: RoomId,
        resume: Option<Resume>,
        outbox: Arc<Outbox>,
    ) -> Result<Entry, JoinError> {
        let resumed = resume.filter(|resume| self.is_right(room, *resume)).map(|it| it.peer);
        let mut rooms = self.lock();
        if !rooms.contains_key(&room) && rooms.len() >= self.max_rooms {
            return Err(JoinError::TooManyRooms);
        }
        let members = rooms.entry(room).or_default();
        let replaced = resumed.and_then(|peer| members.remove(&peer));
        if members.len() >= self.max_members {
            return Err(JoinError::RoomFull);
        }
        let peer = resumed.unwrap_or_else(|| {
            std::iter::repeat_with(|| PeerId(rand::random()))
                .find(|peer| !members.contains_key(peer))
                .expect("a room has fewer members than there are ids")
        });
        let told = members.keys().copied().sample(&mut rand::rng(), MAX_MEMBERS_TOLD);
        if let Some(replaced) = replaced {
            replaced.replace();
        }
        if members.len() <= MAX_MEMBERS_TOLD {
            let news = encode(&ServerMessage::PeerJoined { peer });
            members.values().for_each(|member| member.push(news.clone()));
        }
        members.insert(peer, outbox.clone());
        let membership = Membership { rooms: self.clone(), room, peer, outbox };
        Ok(Entry { membership, members: told, resumed: resumed.is_some() })
    }

    /// What proves that this id was given to who shows it.
    fn token(&self, room: RoomId, peer: PeerId) -> ResumeToken {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(&room.0).update(&peer.0.to_be_bytes());
        let mut token = [0; 16];
        hasher.finalize_xof().fill(&mut token);
        ResumeToken(token)
    }

    fn is_right(&self, room: RoomId, Resume { peer, token }: Resume) -> bool {
        // All bytes, whatever the first ones are: how long it takes must not tell how many were right.
        let pairs = self.token(room, peer).0.into_iter().zip(token.0);
        pairs.fold(0, |differing, (ours, theirs)| differing | (ours ^ theirs)) == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomId, Members>> {
        self.rooms.lock().expect("no panic while looking up members")
    }
}

impl Membership {
    /// The id given for this stay.
    pub(crate) fn peer(&self) -> PeerId {
        self.peer
    }

    /// What brings this id back.
    pub(crate) fn token(&self) -> ResumeToken {
        self.rooms.token(self.room, self.peer)
    }

    /// Passes an envelope on to another member of the room.
    pub(crate) fn pass_on(&self, to: PeerId, envelope: Envelope) -> Result<(), Undeliverable> {
        let message = encode(&ServerMessage::Signal { from: self.peer, envelope });
        let rooms = self.rooms.lock();
        let addressee = rooms.get(&self.room).and_then(|members| members.get(&to));
        addressee.ok_or(Undeliverable)?.push(message);
        Ok(())
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        let Some(members) = rooms.get_mut(&self.room) else { return };
        let is_ours = |outbox: &Arc<Outbox>| Arc::ptr_eq(outbox, &self.outbox);
        if !members.get(&self.peer).is_some_and(is_ours) {
            return;
        }
        members.remove(&self.peer);
        if members.is_empty() {
            rooms.remove(&self.room);
            return;
        }
        if members.len() <= MAX_MEMBERS_TOLD {
            let news = encode(&ServerMessage::PeerLeft { peer: self.peer });
            members.values().for_each(|member| member.push(news.clone()));
        }
    }
}

/// A message as it travels.
pub(crate) fn encode(message: &ServerMessage) -> Utf8Bytes {
    serde_json::to_string(message).expect("our messages have string keys only").into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::options::Limits;
    use crate::outbox::Budget;

    const ROOM: RoomId = RoomId([7; 16]);

    struct Member {
        membership: Membership,
        told: Vec<PeerId>,
        outbox: Arc<Outbox>,
    }

    fn join(rooms: &Arc<Rooms>, room: RoomId) -> Result<Member, JoinError> {
        join_as(rooms, room, None)
    }

    fn join_as(
        rooms: &Arc<Rooms>,
        room: RoomId,
        resume: Option<Resume>,
    ) -> Result<Member, JoinError> {
        let outbox = Outbox::new(Budget::new(Limits::default()));
        let Entry { membership, members, resumed } = rooms.join(room, resume, outbox.clone())?;
        assert_eq!(resumed, resume.is_some_and(|resume| resume.peer == membership.peer()));
        Ok(Member { membership, told: members, outbox })
    }

    impl Member {
        fn resume(&self) -> Resume {
            Resume { peer: self.membership.peer(), token: self.membership.token() }
        }

        async fn next(&self) -> ServerMessage {
            serde_json::from_str(&self.outbox.next().await.unwrap()).unwrap()
        }
    }

    #[tokio::test]
    async fn members_hear_of_those_who_come_and_go() {
        let rooms = Rooms::new(1, 3);
        let a = join(&rooms, ROOM).unwrap();
        let b = join(&rooms, ROOM).unwrap();
        let (a_id, b_id) = (a.membership.peer(), b.membership.peer());
        assert_eq!((a.told.as_slice(), b.told.as_slice()), (&[][..], &[a_id][..]));
        assert_eq!(a.next().await, ServerMessage::PeerJoined { peer: b_id });
        drop(b);
        assert_eq!(a.next().await, ServerMessage::PeerLeft { peer: b_id });
        drop(a);
        assert_eq!(rooms.count(), 0);
    }

    #[tokio::test]
    async fn envelopes_reach_members_of_the_same_room_only() {
        let rooms = Rooms::new(2, 2);
        let (a, b) = (join(&rooms, ROOM).unwrap(), join(&rooms, ROOM).unwrap());
        let elsewhere = join(&rooms, RoomId([8; 16])).unwrap();
        let envelope = Envelope::new(vec![1, 2, 3]).unwrap();
        let pass = |to: &Member| b.membership.pass_on(to.membership.peer(), envelope.clone());
        assert_eq!(pass(&elsewhere), Err(Undeliverable));
        assert_eq!(pass(&a), Ok(()));
        let _joined = a.next().await;
        let from = b.membership.peer();
        assert_eq!(a.next().await, ServerMessage::Signal { from, envelope: envelope.clone() });
    }

    #[tokio::test]
    async fn who_shows_its_token_takes_its_place_again_and_nobody_hears_that_it_left() {
        let rooms = Rooms::new(1, 2);
        let (a, b) = (join(&rooms, ROOM).unwrap(), join(&rooms, ROOM).unwrap());
        let (a_id, b_id) = (a.membership.peer(), b.membership.peer());
        // The room is full, and stays as full as it was.
        let again = join_as(&rooms, ROOM, Some(b.resume())).unwrap();
        assert_eq!((again.membership.peer(), again.told.as_slice()), (b_id, &[a_id][..]));
        assert_eq!(b.outbox.next().await, Err(crate::outbox::Closed::Replaced));
        // That the earlier socket has ended by now does not end the stay.
        drop(b);
        let envelope = Envelope::new(vec![1]).unwrap();
        a.membership.pass_on(b_id, envelope.clone()).unwrap();
        let signal = ServerMessage::Signal { from: a_id, envelope: envelope.clone() };
        assert_eq!(again.next().await, signal);
        again.membership.pass_on(a_id, envelope.clone()).unwrap();
        for _came_and_came_back in 0..2 {
            assert_eq!(a.next().await, ServerMessage::PeerJoined { peer: b_id });
        }
        assert_eq!(a.next().await, ServerMessage::Signal { from: b_id, envelope });
        drop(again);
        assert_eq!(a.next().await, ServerMessage::PeerLeft { peer: b_id });
    }

    #[tokio::test]
    async fn who_left_has_its_id_again_and_others_are_told_as_of_anybody() {
        let rooms = Rooms::new(1, 2);
        let (a, b) = (join(&rooms, ROOM).unwrap(), join(&rooms, ROOM).unwrap());
        let resume = b.resume();
        drop(b);
        let again = join_as(&rooms, ROOM, Some(resume)).unwrap();
        let peer = again.membership.peer();
        assert_eq!(peer, resume.peer);
        assert_eq!(a.next().await, ServerMessage::PeerJoined { peer });
        assert_eq!(a.next().await, ServerMessage::PeerLeft { peer });
        assert_eq!(a.next().await, ServerMessage::PeerJoined { peer });
        // Alone in the room, too.
        let resume = again.resume();
        drop((a, again));
        assert_eq!(join_as(&rooms, ROOM, Some(resume)).unwrap().membership.peer(), peer);
    }

    #[test]
    fn a_token_is_good_for_one_id_in_one_room_of_one_run() {
        let rooms = Rooms::new(2, 9);
        let (a, b) = (join(&rooms, ROOM).unwrap(), join(&rooms, ROOM).unwrap());
        let (peer, token) = (a.membership.peer(), a.membership.token());
        let mut nearly = token;
        nearly.0[15] ^= 1;
        let anew = Rooms::new(1, 9);
        for (rooms, room, token) in [
            (&rooms, ROOM, nearly),
            (&rooms, ROOM, b.membership.token()),
            (&rooms, RoomId([8; 16]), token),
            (&anew, ROOM, token),
        ] {
            let outbox = Outbox::new(Budget::new(Limits::default()));
            let entry = rooms.join(room, Some(Resume { peer, token }), outbox).unwrap();
            assert_ne!(entry.membership.peer(), peer);
            assert!(!entry.resumed);
        }
        assert_eq!(rooms.count(), 1, "nobody is left in the other");
        assert_eq!(join_as(&rooms, ROOM, Some(a.resume())).unwrap().membership.peer(), peer);
    }

    #[test]
    fn rooms_and_members_are_limited() {
        let rooms = Rooms::new(1, 1);
        let only = join(&rooms, ROOM).unwrap();
        assert_eq!(join(&rooms, ROOM).err(), Some(JoinError::RoomFull));
        assert_eq!(join(&rooms, RoomId([8; 16])).err(), Some(JoinError::TooManyRooms));
        drop(only);
        assert!(join(&rooms, RoomId([8; 16])).is_ok());
    }

    #[tokio::test]
    async fn a_newcomer_to_a_large_room_is_told_a_sample_and_nobody_is_told_of_it() {
        let rooms = Rooms::new(1, 1000);
        let members: Vec<_> = (0..200).map(|_| join(&rooms, ROOM).unwrap()).collect();
        let (x, y) = (join(&rooms, ROOM).unwrap(), join(&rooms, ROOM).unwrap());
        let sample: HashSet<_> = x.told.iter().copied().collect();
        assert_eq!(sample.len(), MAX_MEMBERS_TOLD);
        assert_ne!(sample, y.told.iter().copied().collect(), "samples are random");

        // An envelope to everyone: a mark at which to stop reading.
        let newcomer = x.membership.peer();
        drop(x);
        let mark = Envelope::new(vec![1]).unwrap();
        for (i, member) in members.iter().enumerate() {
            y.membership.pass_on(member.membership.peer(), mark.clone()).unwrap();
            let mut heard = 0;
            loop {
                match member.next().await {
                    ServerMessage::PeerJoined { peer } => {
                        assert_ne!(peer, newcomer);
                        heard += 1;
                    }
                    ServerMessage::Signal { .. } => break,
                    other => panic!("unexpected {other:?}"),
                }
            }
            // Those who came while there were few heard of the next ones, up to the limit.
            assert_eq!(heard, MAX_MEMBERS_TOLD.saturating_sub(i));
        }
    }
}
