//! What a hostile server says to whom. At heart an honest one: rooms, ids, envelopes passed on. Each
//! [`Behaviour`] departs from it at one of three places: when somebody comes in, when an envelope is to be
//! passed on, and of its own accord after that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use protocol::signaling::{
    ClientMessage, Envelope, IceServer, PeerId, Resume, ResumeToken, RoomId, ServerMessage,
};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::Behaviour;

/// An envelope of this length or less is padded to the smallest size: it holds a candidate.
const CANDIDATE_BYTES: usize = 1 + 24 + 512 + 16;
/// For how long [`Behaviour::Reorder`] collects, and [`Behaviour::Delay`] delays.
const HOLD: Duration = Duration::from_millis(700);
/// No envelope for this long, after there were some: those who negotiated are connected.
const QUIET: Duration = Duration::from_millis(1200);
/// So many envelopes are needed to connect two peers: two descriptions at least, and a candidate.
const NEGOTIATED: usize = 3;
/// How often it says what it says without end.
const PESTER: Duration = Duration::from_millis(20);
/// How many members it invents at once.
const INVENTED: usize = 6;

/// A hostile server's mind. Shared by its sockets.
#[derive(Debug)]
pub(super) struct Play {
    behaviour: Behaviour,
    misdeeds: watch::Sender<u64>,
    state: Mutex<State>,
}

/// One client, for as long as its socket is open.
pub(super) struct Client {
    play: Arc<Play>,
    socket: u64,
    said: Said,
}

/// What is to be done on a socket.
pub(super) enum Say {
    Message(Message),
    Close,
}

type Said = mpsc::UnboundedSender<Say>;

#[derive(Debug, Default)]
struct State {
    /// By socket.
    members: BTreeMap<u64, Member>,
    sockets: u64,
    /// How many ids were invented.
    ids: u64,
    /// All envelopes so far.
    sent: Vec<Sent>,
    /// Those that are passed on later, or never.
    held: Vec<Sent>,
    /// When the last envelope came.
    heard: Option<Instant>,
    /// Where those are who came first, if others than the two who want to meet are there.
    strangers: Option<RoomId>,
    /// Ids as they were given first.
    first_ids: Vec<PeerId>,
    /// Whether what happens once has happened.
    disrupted: bool,
}

#[derive(Clone, Debug)]
struct Member {
    room: RoomId,
    /// Its id as it was told.
    id: PeerId,
    /// Its id as others were told.
    known_as: PeerId,
    said: Said,
}

/// An envelope on its way.
#[derive(Clone, Debug)]
struct Sent {
    room: RoomId,
    from: PeerId,
    to: PeerId,
    envelope: Envelope,
}

impl Play {
    pub(super) fn new(behaviour: Behaviour, misdeeds: watch::Sender<u64>) -> Arc<Self> {
        Arc::new(Self { behaviour, misdeeds, state: Mutex::default() })
    }

    /// A client, and what is to be said to it.
    pub(super) fn connected(play: &Arc<Self>) -> (Client, mpsc::UnboundedReceiver<Say>) {
        let (said, says) = mpsc::unbounded_channel();
        let mut state = play.state();
        state.sockets += 1;
        let client = Client { play: play.clone(), socket: state.sockets, said };
        (client, says)
    }

    /// It has done what it does once more.
    pub(super) fn misdeed(&self) {
        self.misdeeds.send_modify(|count| *count += 1);
    }

    /// A message as it travels.
    pub(super) fn text(message: &ServerMessage) -> Message {
        Message::text(serde_json::to_string(message).expect("server messages are plain JSON"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while playing")
    }

    // ---- somebody comes in ----

    fn join(self: &Arc<Self>, client: &Client, room: RoomId, resume: Option<Resume>) {
        if let Some(refusal) = self.refusal() {
            self.misdeed();
            let _gone = client.said.send(Say::Message(Message::text(refusal)));
            let _gone = client.said.send(Say::Close);
            return;
        }
        if self.behaviour == Behaviour::Mute {
            return self.misdeed();
        }
        let mut state = self.state();
        if self.behaviour.needs_strangers() {
            state.strangers.get_or_insert(room);
        }
        let id = self.id(&mut state, resume);
        let known_as = if self.behaviour == Behaviour::ForgedId { state.invent() } else { id };
        let member = Member { room, id, known_as, said: client.said.clone() };
        // The same client on another socket.
        let is_same = |other: &Member| other.id == id && self.behaviour != Behaviour::SameId;
        let before: Vec<u64> =
            state.members.iter().filter(|(_, it)| is_same(it)).map(|(&socket, _)| socket).collect();
        for socket in before {
            if let Some(replaced) = state.members.remove(&socket) {
                replaced.close();
            }
        }
        let others: Vec<Member> = self.seen_by(&state, &member).cloned().collect();
        self.welcome(&mut state, &member, &others);
        if self.behaviour == Behaviour::ReplayAfterReconnect && state.disrupted {
            state.sent.iter().filter(|sent| sent.to == id).for_each(|sent| member.pass(sent));
            self.misdeed();
        }
        state.members.insert(client.socket, member.clone());
        for other in others.iter().filter(|_| self.behaviour != Behaviour::OnlyGhosts) {
            other.say(&ServerMessage::PeerJoined { peer: known_as });
        }
        let complete = others.len() == 1 && state.strangers != Some(room);
        drop(state);
        self.after_join(&member);
        if complete {
            self.together(room);
        }
    }

    /// Which id somebody gets.
    fn id(&self, state: &mut State, resume: Option<Resume>) -> PeerId {
        let before = resume.map(|resume| resume.peer);
        let id = match (self.behaviour, before) {
            (Behaviour::SameId, _) => PeerId(7),
            (Behaviour::NewIds | Behaviour::WrongTokens, _) | (_, None) => state.invent(),
            (Behaviour::SwapIds, Some(before)) => {
                let other = state.first_ids.iter().copied().find(|&id| id != before);
                other.unwrap_or(before)
            }
            (_, Some(before)) => before,
        };
        state.first_ids.push(id);
        if before.is_some_and(|before| before != id) || self.behaviour == Behaviour::SameId {
            self.misdeed();
        }
        id
    }

    /// Tells a newcomer who is there.
    fn welcome(&self, state: &mut State, member: &Member, others: &[Member]) {
        let mut members: Vec<PeerId> = others.iter().map(|other| other.known_as).collect();
        if self.behaviour == Behaviour::OnlyGhosts {
            members.clear();
        }
        let is_amiss =
            matches!(self.behaviour, Behaviour::Splice | Behaviour::Impostor | Behaviour::ForgedId);
        if is_amiss && !members.is_empty() {
            self.misdeed();
        }
        if matches!(self.behaviour, Behaviour::Ghosts | Behaviour::OnlyGhosts) {
            members.extend(std::iter::repeat_with(|| state.invent()).take(INVENTED));
            self.misdeed();
        }
        let token = match (self.behaviour, others.first()) {
            (Behaviour::WrongTokens, Some(other)) => token(other.id),
            _ => token(member.id),
        };
        let ice_servers = self.ice_servers();
        member.say(&ServerMessage::Joined { peer: member.id, members, ice_servers, token });
    }

    fn ice_servers(&self) -> Vec<IceServer> {
        let server = |url: String| IceServer { urls: vec![url], ..IceServer::default() };
        let servers = match self.behaviour {
            Behaviour::NonsenseIceServers => {
                ["", "stun:", "turn:no.credentials.example", "http://a/", "stun:a b", "stun:[::1"]
                    .into_iter()
                    .chain(["turn:\u{202e}\u{7}", "stun:127.0.0.1:99999", "javascript:alert(1)"])
                    .map(|url| server(url.into()))
                    .chain([IceServer::default()])
                    .collect()
            }
            // Port 9 discards, if anybody listens there at all.
            Behaviour::ManyIceServers => (0..1000)
                .map(|n| server(format!("stun:127.0.{}.{}:9", n / 250, n % 250 + 1)))
                .collect(),
            Behaviour::HugeIceServer => vec![server(format!("stun:{}", "a".repeat(30_000)))],
            _ => return Vec::new(),
        };
        self.misdeed();
        servers
    }

    /// Why it lets nobody in, as JSON.
    fn refusal(&self) -> Option<String> {
        let (code, message) = match self.behaviour {
            Behaviour::RefuseWithMarkup => ("on-fire", MARKUP.to_owned()),
            Behaviour::RefuseAtLength => ("on-fire", "no ".repeat(16_000)),
            Behaviour::RefuseForNow => ("busy", "so many people".to_owned()),
            Behaviour::RefuseVersion => ("unsupported-version", "it is too new".to_owned()),
            _ => return None,
        };
        Some(json!({ "type": "error", "code": code, "message": message }).to_string())
    }

    // ---- what it does of its own accord ----

    /// Begins what it does to each who has come in.
    fn after_join(self: &Arc<Self>, member: &Member) {
        let nonsense = match self.behaviour {
            Behaviour::Oversize => Message::text(" ".repeat(1 << 20)),
            Behaviour::Garbage => Message::text("{\"type\":\"joi\u{0}\u{1b}[2J"),
            Behaviour::WrongJson => Message::text(r#"{"type":"peer-joined","peer":["a"]}"#),
            Behaviour::Binary => Message::binary(vec![0xff; 64]),
            Behaviour::CloseAgain => {
                self.misdeed();
                return member.close();
            }
            Behaviour::RepeatedJoins => {
                return self.pester(member.clone(), PESTER);
            }
            Behaviour::FakeJoins => {
                return self.pester(member.clone(), PESTER * 10);
            }
            // At once: whoever is in for a moment could meet others in it.
            Behaviour::JoinedAgain => {
                self.misdeed();
                self.pester_once(member);
                return self.pester(member.clone(), PESTER * 10);
            }
            _ => return,
        };
        self.misdeed();
        let _gone = member.said.send(Say::Message(nonsense));
    }

    /// Says something to a member again and again, until it is gone.
    fn pester(self: &Arc<Self>, member: Member, interval: Duration) {
        let play = self.clone();
        tokio::spawn(async move {
            while !member.said.is_closed() {
                sleep(interval).await;
                play.misdeed();
                play.pester_once(&member);
            }
        });
    }

    fn pester_once(&self, member: &Member) {
        let mut state = self.state();
        let others: Vec<PeerId> =
            self.seen_by(&state, member).map(|other| other.known_as).collect();
        match self.behaviour {
            Behaviour::FakeJoins => member.say(&ServerMessage::PeerJoined { peer: state.invent() }),
            Behaviour::RepeatedJoins => {
                others.iter().for_each(|&peer| member.say(&ServerMessage::PeerJoined { peer }));
            }
            Behaviour::LateFakeLeave => {
                others.iter().for_each(|&peer| member.say(&ServerMessage::PeerLeft { peer }));
            }
            _ => {
                let peer = state.invent();
                let token = token(peer);
                let ice_servers = Vec::new();
                let members = others;
                member.say(&ServerMessage::Joined { peer, members, ice_servers, token });
            }
        }
    }

    /// Begins what it does to two who want to meet.
    fn together(self: &Arc<Self>, room: RoomId) {
        let play = self.clone();
        match self.behaviour {
            Behaviour::ReplayAfterReconnect
            | Behaviour::NewIds
            | Behaviour::SwapIds
            | Behaviour::WrongTokens => {
                tokio::spawn(async move {
                    play.quiet().await;
                    play.disrupt(room);
                });
            }
            Behaviour::LateFakeLeave => {
                tokio::spawn(async move {
                    play.quiet().await;
                    let members = play.members_of(room);
                    members.into_iter().for_each(|it| play.pester(it, PESTER * 10));
                });
            }
            Behaviour::StaleEpoch => {
                tokio::spawn(async move {
                    play.first_offer().await;
                    play.disrupt(room);
                });
            }
            _ => {}
        }
    }

    /// Closes the sockets of a room, once.
    fn disrupt(&self, room: RoomId) {
        let mut state = self.state();
        if std::mem::replace(&mut state.disrupted, true) {
            return;
        }
        self.misdeed();
        let members: Vec<Member> =
            state.members.values().filter(|it| it.room == room).cloned().collect();
        state.members.retain(|_, it| it.room != room);
        drop(state);
        for member in &members {
            for other in members.iter().filter(|other| other.known_as != member.known_as) {
                // So that they forget what they know of each other.
                member.say(&ServerMessage::PeerLeft { peer: other.known_as });
            }
            member.close();
        }
    }

    /// Waits until those who negotiate are done.
    async fn quiet(&self) {
        loop {
            sleep(QUIET / 4).await;
            let state = self.state();
            let is_quiet = state.heard.is_some_and(|heard| heard.elapsed() >= QUIET);
            if is_quiet && state.sent.len() >= NEGOTIATED {
                return;
            }
        }
    }

    /// Waits until somebody has tried to connect.
    async fn first_offer(&self) {
        while self.state().sent.is_empty() {
            sleep(PESTER).await;
        }
        sleep(HOLD).await;
    }

    // ---- an envelope is to be passed on ----

    fn signal(self: &Arc<Self>, client: &Client, to: PeerId, envelope: Envelope) {
        let mut state = self.state();
        let Some(sender) = state.members.get(&client.socket).cloned() else { return };
        let addressee = self.seen_by(&state, &sender).find(|other| other.known_as == to).cloned();
        let (room, from) = (sender.room, sender.known_as);
        let sent = Sent { room, from, to, envelope };
        state.sent.push(sent.clone());
        state.heard = Some(Instant::now());
        let Some(addressee) = addressee else {
            // Whom it invented it does not call missing.
            if !self.invents() {
                sender.say(&ServerMessage::Undeliverable { to });
            }
            return;
        };
        if state.strangers == Some(room) && self.behaviour != Behaviour::Splice {
            return addressee.pass(&sent);
        }
        self.play_envelope(&mut state, &sender, &addressee, sent);
    }

    fn play_envelope(
        self: &Arc<Self>,
        state: &mut State,
        sender: &Member,
        addressee: &Member,
        mut sent: Sent,
    ) {
        let length = sent.envelope.as_bytes().len();
        let mut bytes = sent.envelope.as_bytes().to_vec();
        match self.behaviour {
            Behaviour::Swap => {
                let other = state
                    .members
                    .values()
                    .find(|it| it.known_as != sender.known_as && it.known_as != addressee.known_as);
                sent.from = other.map_or_else(|| PeerId(0xbad), |other| other.known_as);
                addressee.pass(&sent);
            }
            Behaviour::Reflect | Behaviour::Echo => {
                if self.behaviour == Behaviour::Echo {
                    addressee.pass(&sent);
                }
                sender.pass(&Sent { from: sent.to, to: sent.from, ..sent });
            }
            Behaviour::Reroute => {
                state
                    .members
                    .values()
                    .filter(|it| it.room != sent.room)
                    .for_each(|it| it.pass(&sent));
            }
            Behaviour::FlipBits | Behaviour::Truncate | Behaviour::Downgrade => {
                match self.behaviour {
                    Behaviour::FlipBits => bytes[length / 2] ^= 0x10,
                    Behaviour::Truncate => bytes.truncate(length - 16),
                    _ => bytes[0] = 0,
                }
                sent.envelope = Envelope::new(bytes).expect("it is no longer than it was");
                addressee.pass(&sent);
            }
            Behaviour::Duplicate => {
                addressee.pass(&sent);
                addressee.pass(&sent);
            }
            Behaviour::Replay => {
                let before =
                    state.sent.iter().filter(|it| it.to == sent.to && it.from == sent.from);
                before.for_each(|it| addressee.pass(it));
            }
            Behaviour::CrossRoom => {
                let foreign = state.sent.iter().find(|it| it.room != sent.room);
                if let Some(foreign) = foreign {
                    let (from, to) = (sent.from, sent.to);
                    addressee.pass(&Sent { from, to, ..foreign.clone() });
                }
                addressee.pass(&sent);
            }
            Behaviour::Reorder | Behaviour::Delay => {
                state.held.push(sent);
                self.release_later();
            }
            Behaviour::ForgedId | Behaviour::Impostor => addressee.pass(&sent),
            Behaviour::StripCandidates if length <= CANDIDATE_BYTES => {}
            Behaviour::StripDescriptions if length > CANDIDATE_BYTES => {}
            Behaviour::Withhold => {}
            Behaviour::WithholdOneWay if Some(&sent.to) == state.first_ids.first() => {}
            Behaviour::CallUndeliverable => {
                sender.say(&ServerMessage::Undeliverable { to: sent.to });
                addressee.pass(&sent);
            }
            Behaviour::FakeLeave => {
                addressee.pass(&sent);
                addressee.say(&ServerMessage::PeerLeft { peer: sent.from });
            }
            Behaviour::StaleEpoch if !state.disrupted => state.held.push(sent),
            Behaviour::StaleEpoch => {
                let (from, to) = (sent.from, sent.to);
                let stale = std::mem::take(&mut state.held);
                let (now, later) = stale.into_iter().partition(|it| it.from == from && it.to == to);
                state.held = later;
                let now: Vec<Sent> = now;
                now.iter().for_each(|it| addressee.pass(it));
                addressee.pass(&sent);
            }
            _ => return addressee.pass(&sent),
        }
        self.misdeed();
    }

    /// Passes on what is held, after a while.
    fn release_later(self: &Arc<Self>) {
        let play = self.clone();
        tokio::spawn(async move {
            sleep(HOLD).await;
            let mut state = play.state();
            let mut held = std::mem::take(&mut state.held);
            if play.behaviour == Behaviour::Reorder {
                held.reverse();
            } else if !held.is_empty() {
                // Each has a release of its own.
                state.held = held.split_off(1);
            }
            for sent in held {
                let addressee = state
                    .members
                    .values()
                    .find(|it| it.room == sent.room && it.known_as == sent.to);
                if let Some(addressee) = addressee {
                    addressee.pass(&sent);
                }
            }
        });
    }

    // ---- somebody goes ----

    fn leave(&self, socket: u64) {
        let mut state = self.state();
        let Some(left) = state.members.remove(&socket) else { return };
        for other in self.seen_by(&state, &left) {
            other.say(&ServerMessage::PeerLeft { peer: left.known_as });
        }
    }

    // ---- who knows of whom ----

    /// Those whom a member is told of.
    fn seen_by<'a>(&self, state: &'a State, member: &Member) -> impl Iterator<Item = &'a Member> {
        let behaviour = self.behaviour;
        let (socket, room, strangers) = (member.said.clone(), member.room, state.strangers);
        state.members.values().filter(move |other| {
            let is_seen = match behaviour {
                Behaviour::Splice => true,
                Behaviour::Impostor => (Some(room) == strangers) != (Some(other.room) == strangers),
                _ => room == other.room,
            };
            is_seen && !other.said.same_channel(&socket)
        })
    }

    fn members_of(&self, room: RoomId) -> Vec<Member> {
        self.state().members.values().filter(|it| it.room == room).cloned().collect()
    }

    /// Whether it tells of members who do not exist.
    fn invents(&self) -> bool {
        matches!(self.behaviour, Behaviour::Ghosts | Behaviour::OnlyGhosts | Behaviour::FakeJoins)
    }
}

impl State {
    /// An id that nobody has.
    fn invent(&mut self) -> PeerId {
        self.ids += 1;
        let hash = blake3::hash(&self.ids.to_le_bytes());
        PeerId(u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash is longer")))
    }
}

impl Member {
    /// To somebody who is gone nothing can be said.
    fn say(&self, message: &ServerMessage) {
        let _gone = self.said.send(Say::Message(Play::text(message)));
    }

    fn pass(&self, sent: &Sent) {
        let (from, envelope) = (sent.from, sent.envelope.clone());
        self.say(&ServerMessage::Signal { from, envelope });
    }

    fn close(&self) {
        let _gone = self.said.send(Say::Close);
    }
}

impl Client {
    pub(super) fn handle(&mut self, message: ClientMessage) {
        match message {
            ClientMessage::Join { room, resume, .. } => self.play.join(self, room, resume),
            ClientMessage::Signal { to, envelope } => self.play.signal(self, to, envelope),
            ClientMessage::Ping => {
                let pong = Play::text(&ServerMessage::Pong);
                let _gone = self.said.send(Say::Message(pong));
            }
            // Codes are another's game; here nobody is told of any.
            ClientMessage::Leave
            | ClientMessage::OfferCode { .. }
            | ClientMessage::ClaimCode { .. }
            | ClientMessage::CodeMessage { .. } => {
                let _gone = self.said.send(Say::Close);
            }
        }
    }

    /// Whether it was let in.
    pub(super) fn has_joined(&self) -> bool {
        self.play.state().members.contains_key(&self.socket)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.play.leave(self.socket);
    }
}

/// A token for an id; this server takes any.
fn token(peer: PeerId) -> ResumeToken {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&peer.0.to_le_bytes());
    ResumeToken(token)
}

/// Text that clears a terminal, rings its bell, sets its title, turns the line around, and would run a
/// script in a page that took it for HTML.
pub(super) const MARKUP: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\n\u{202e}\
    <img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
