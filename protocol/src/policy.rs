//! The user's controls, as plain data: what [`Swarm::set_policy`](crate::swarm::Swarm::set_policy) takes.
//!
//! Everything here can be changed at any time, takes effect at once, and is undone at once by setting it
//! back. What a machine does about it is in `swarm/control.rs`; keeping a policy from one run to the next
//! is the embedder's business. Rates are bytes of blocks per second: other messages and the overhead of
//! packets are not counted.

use std::collections::BTreeMap;

use crate::identity::PublicKey;
use crate::io::{Path, PathKind};
use crate::piece::FileIndex;
use crate::signaling::IceServer;
use crate::time::Duration;

/// What a peer may do, with whom, and how much of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The most connections at once, from 1 to 128; beyond that some are closed, and nobody is let in.
    /// 32 unless set: each costs memory and a socket, and a room that is larger does not need more. Where
    /// a room has more members, at least 6 keep it from falling apart.
    pub connections: usize,
    /// The most connections to any one peer: more than one are made where a long path carries more over
    /// several. 8 unless set; 1 saves a phone's battery.
    pub lanes: usize,
    /// How many requests are read and answered at one time, at least one; others wait their turn. 8
    /// unless set: enough that a disk is never waited for, and few enough that a slow uplink is not
    /// split among many, which would help nobody soon.
    pub upload_slots: usize,
    /// The most that is sent, to all peers together; unlimited unless set.
    pub upload: Option<u64>,
    /// The most that is received, from all peers together; unlimited unless set.
    pub download: Option<u64>,
    /// The most that is sent to any one peer; unlimited unless set.
    pub upload_per_peer: Option<u64>,
    /// The most that is received from any one peer; unlimited unless set.
    pub download_per_peer: Option<u64>,
    /// Whether what goes over [`PathKind::Lan`] is free of all caps, because it does not use up what they
    /// are there to protect. Not unless set: a cap holds for everything until somebody says otherwise.
    pub lan_exempt: bool,
    /// What holds for single device keys.
    pub peers: BTreeMap<PublicKey, PeerPolicy>,
    /// Which paths may be used.
    pub path: PathPolicy,
    /// What is done for others and for ourselves.
    pub services: Services,
    /// Which shares are received without asking.
    pub accept: Accept,
    /// Bytes that may be asked for and not yet written, of all shares together: bounds the memory that
    /// receiving takes. 16 MiB unless set, enough for 130 ms at 1 Gbit/s; never less than a share needs
    /// to go on at all, which is two of its pieces.
    pub memory_in_flight: u64,
    /// Bytes that received shares may take in the store, all together. What is complete and was saved
    /// elsewhere is erased when there is no more, the oldest first; then it is waited. Unlimited unless set.
    pub storage: Option<u64>,
    /// When we have all that we want of a share and have sent so many times its size, it is served no
    /// more. Never unless set.
    pub stop_at_ratio: Option<f64>,
    /// When we have had all that we want of a share for so long, it is served no more. Never unless set.
    pub stop_after: Option<Duration>,
}

/// What holds for one device key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    /// Whether we want to have to do with it.
    pub standing: Standing,
    /// The most that is sent to it, in place of [`Policy::upload_per_peer`].
    pub upload: Option<u64>,
    /// The most that is received from it, in place of [`Policy::download_per_peer`].
    pub download: Option<u64>,
}

/// How we stand to a device key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Like to everybody in the room.
    #[default]
    Neutral,
    /// What it shares is received without asking if [`Accept::Trusted`] says so.
    Trusted,
    /// Never connected to. It is told no more than that we are not there.
    Avoided,
}

/// Which paths may be used. It decides which candidates are gathered, and a connection whose path turns
/// out to be another is closed before a block has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathPolicy {
    /// Whatever connects.
    #[default]
    Any,
    /// Only within one network or machine. No STUN or TURN server is asked.
    LanOnly,
    /// Not through a relay. No TURN server is asked.
    DirectOnly,
    /// Only through a relay, so that nobody in the room learns our address.
    RelayOnly,
}

/// What is done for others and for ourselves; everything unless set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Services {
    /// Whether our own shares are offered and served.
    pub share: bool,
    /// Whether shares are received. Off, those under way stop where they are.
    pub receive: bool,
    /// Whether what we receive or have received is served to others.
    pub serve_on: bool,
    /// Whether we tell peers of each other.
    pub introduce: bool,
    /// Whether we say things to the room, hear them and pass them on.
    pub chat: bool,
}

/// Which shares are received without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// None.
    #[default]
    Ask,
    /// Those whose origin's key is [`Standing::Trusted`].
    Trusted,
    /// Every one.
    All,
}

/// How urgent a share is among several, or a file within its share: what is more urgent is asked for
/// first wherever somebody has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Only where nothing more urgent can be asked for.
    Low,
    /// As it comes.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

/// Which files of a share are wanted, and how urgently: `None` is not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What holds for files that are not named.
    pub rest: Option<Priority>,
    /// What holds for single files. Files that the share does not have are ignored.
    pub files: BTreeMap<FileIndex, Option<Priority>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            connections: 32,
            lanes: 8,
            upload_slots: 8,
            upload: None,
            download: None,
            upload_per_peer: None,
            download_per_peer: None,
            lan_exempt: false,
            peers: BTreeMap::new(),
            path: PathPolicy::default(),
            services: Services::default(),
            accept: Accept::default(),
            memory_in_flight: 16 << 20,
            storage: None,
            stop_at_ratio: None,
            stop_after: None,
        }
    }
}

impl Default for Services {
    fn default() -> Self {
        Self { share: true, receive: true, serve_on: true, introduce: true, chat: true }
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self::all()
    }
}

impl Policy {
    /// How we stand to a key.
    pub fn standing(&self, key: &PublicKey) -> Standing {
        self.peers.get(key).map_or(Standing::Neutral, |peer| peer.standing)
    }

    /// The cap on what is sent to the peer of this key.
    pub fn upload_to(&self, key: Option<&PublicKey>) -> Option<u64> {
        key.and_then(|key| self.peers.get(key)?.upload).or(self.upload_per_peer)
    }

    /// The cap on what is received from the peer of this key.
    pub fn download_from(&self, key: Option<&PublicKey>) -> Option<u64> {
        key.and_then(|key| self.peers.get(key)?.download).or(self.download_per_peer)
    }

    /// Whether caps do not count on a path.
    pub fn is_exempt(&self, path: Option<Path>) -> bool {
        self.lan_exempt && path.is_some_and(|path| path.kind == PathKind::Lan)
    }
}

impl PathPolicy {
    /// Whether blocks may pass on a path. Before it is known, only if every path is allowed.
    pub fn allows(self, path: Option<Path>) -> bool {
        let kind = path.map(|path| path.kind);
        match self {
            Self::Any => true,
            Self::LanOnly => kind == Some(PathKind::Lan),
            Self::DirectOnly => kind.is_some_and(|kind| kind != PathKind::Relayed),
            Self::RelayOnly => kind == Some(PathKind::Relayed),
        }
    }
}

impl PathPolicy {
    /// Those of the ICE servers that may be asked.
    pub(crate) fn servers(self, servers: &[IceServer]) -> Vec<IceServer> {
        let is_turn = |url: &String| url.starts_with("turn:") || url.starts_with("turns:");
        let mut servers = servers.to_vec();
        match self {
            Self::Any | Self::RelayOnly => {}
            Self::LanOnly => servers.clear(),
            Self::DirectOnly => {
                servers.iter_mut().for_each(|server| server.urls.retain(|url| !is_turn(url)));
                servers.retain(|server| !server.urls.is_empty());
            }
        }
        servers
    }
}

impl Selection {
    /// Every file, none more urgent than another.
    pub fn all() -> Self {
        Self { rest: Some(Priority::Normal), files: BTreeMap::new() }
    }

    /// These files and no others.
    pub fn only(files: impl IntoIterator<Item = FileIndex>) -> Self {
        let files = files.into_iter().map(|file| (file, Some(Priority::Normal))).collect();
        Self { rest: None, files }
    }

    /// Whether a file is wanted, and how urgently.
    pub fn of(&self, file: FileIndex) -> Option<Priority> {
        self.files.get(&file).copied().unwrap_or(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::DeviceKey;

    #[test]
    fn what_holds_for_one_key_goes_before_what_holds_for_all() {
        let [one, other] = [1, 2].map(|i| DeviceKey::from_bytes([i; 32]).public());
        let mut policy = Policy { upload_per_peer: Some(5), ..Policy::default() };
        let avoided = PeerPolicy { standing: Standing::Avoided, upload: Some(9), download: None };
        policy.peers.insert(one, avoided);
        assert_eq!(policy.upload_to(Some(&one)), Some(9));
        assert_eq!(policy.upload_to(Some(&other)), Some(5));
        assert_eq!(policy.upload_to(None), Some(5));
        assert_eq!(policy.download_from(Some(&one)), None);
        assert_eq!(policy.standing(&one), Standing::Avoided);
        assert_eq!(policy.standing(&other), Standing::Neutral);
    }

    #[test]
    fn a_path_is_allowed_only_once_it_is_known_unless_all_are() {
        use PathKind::{Direct, Lan, Relayed};
        use PathPolicy::{Any, DirectOnly, LanOnly, RelayOnly};
        let allowed = |policy: PathPolicy| {
            [Lan, Direct, Relayed].map(|kind| policy.allows(Some(Path { kind, round_trip: None })))
        };
        assert_eq!(allowed(Any), [true; 3]);
        assert_eq!(allowed(LanOnly), [true, false, false]);
        assert_eq!(allowed(DirectOnly), [true, true, false]);
        assert_eq!(allowed(RelayOnly), [false, false, true]);
        assert!(Any.allows(None));
        assert!(![LanOnly, DirectOnly, RelayOnly].into_iter().any(|policy| policy.allows(None)));
    }

    #[test]
    fn only_servers_that_the_path_calls_for_are_asked() {
        let server = |urls: &[&str]| IceServer {
            urls: urls.iter().map(|&url| url.into()).collect(),
            username: None,
            credential: None,
        };
        let both = server(&["stun:a", "turn:a"]);
        let servers = [both, server(&["turns:b"])];
        assert_eq!(PathPolicy::Any.servers(&servers), servers);
        assert_eq!(PathPolicy::RelayOnly.servers(&servers), servers);
        assert_eq!(PathPolicy::DirectOnly.servers(&servers), [server(&["stun:a"])]);
        assert_eq!(PathPolicy::LanOnly.servers(&servers), []);
    }

    #[test]
    fn a_selection_names_what_differs_from_the_rest() {
        let mut selection = Selection::only([FileIndex(1)]);
        assert_eq!(selection.of(FileIndex(0)), None);
        assert_eq!(selection.of(FileIndex(1)), Some(Priority::Normal));
        selection = Selection::all();
        selection.files.insert(FileIndex(0), None);
        selection.files.insert(FileIndex(1), Some(Priority::High));
        let wanted = [0, 1, 2].map(|file| selection.of(FileIndex(file)));
        assert_eq!(wanted, [None, Some(Priority::High), Some(Priority::Normal)]);
    }
}
