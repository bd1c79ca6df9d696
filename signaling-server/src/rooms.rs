//! Who is in which room. The only state that peers share, and all of it is gone when they leave.
//!
//! This is the one place that would learn about other servers if rooms ever span several: everything
//! outside goes through [`Rooms::join`] and the [`Membership`] it returns. What is said on a socket, and
//! when, is in `socket`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use protocol::signaling::{Envelope, MAX_MEMBERS_TOLD, PeerId, RoomId, ServerMessage};
use rand::seq::IteratorRandom;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::outbox::Outbox;

/// All rooms with somebody in them.
pub(crate) struct Rooms {
    max_rooms: usize,
    max_members: usize,
    // One lock for all: what happens under it is a look-up and pushing onto queues that never wait.
    rooms: Mutex<HashMap<RoomId, Members>>,
}

type Members = HashMap<PeerId, Arc<Outbox>>;

/// One peer's stay in a room; dropping it is leaving.
pub(crate) struct Membership {
    rooms: Arc<Rooms>,
    room: RoomId,
    peer: PeerId,
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
        Arc::new(Self { max_rooms, max_members, rooms: Mutex::default() })
    }

    /// How many rooms have somebody in them.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Enters a room, which comes to be if nobody is in it. Returns a random sample of those who were
    /// there before, at most [`MAX_MEMBERS_TOLD`].
    ///
    /// If these are all, they are told of the newcomer. In a larger room nobody is told who comes and
    /// goes: the newcomer's offers introduce it, and what a member hears does not grow with the room.
    pub(crate) fn join(
        self: &Arc<Self>,
        room: RoomId,
        outbox: Arc<Outbox>,
    ) -> Result<(Membership, Vec<PeerId>), JoinError> {
        let mut rooms = self.lock();
        if !rooms.contains_key(&room) && rooms.len() >= self.max_rooms {
            return Err(JoinError::TooManyRooms);
        }
        let members = rooms.entry(room).or_default();
        if members.len() >= self.max_members {
            return Err(JoinError::RoomFull);
        }
        let peer = std::iter::repeat_with(|| PeerId(rand::random()))
            .find(|peer| !members.contains_key(peer))
            .expect("a room has fewer members than there are ids");
        let told = members.iter().sample(&mut rand::rng(), MAX_MEMBERS_TOLD);
        if members.len() <= MAX_MEMBERS_TOLD {
            let news = encode(&ServerMessage::PeerJoined { peer });
            members.values().for_each(|member| member.push(news.clone()));
        }
        let told = told.into_iter().map(|(id, _)| *id).collect();
        members.insert(peer, outbox);
        Ok((Membership { rooms: self.clone(), room, peer }, told))
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
        let members = rooms.get_mut(&self.room).expect("a room lives while it has members");
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
        let outbox = Outbox::new(Budget::new(Limits::default()));
        let (membership, told) = rooms.join(room, outbox.clone())?;
        Ok(Member { membership, told, outbox })
    }

    impl Member {
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
