//! What a hostile server may do to those who trust it with introductions: one name for each behaviour. How
//! each is played is in [`super::play`]; what has to come of each is in the tests that use it.

/// Something that a hostile server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// Nothing wrong: shows that the server which plays the others introduces people at all.
    Honest,

    // What it does with sealed envelopes.
    /// Names another member as the sender of each envelope. None may open.
    Swap,
    /// Gives each envelope back to its sender, as if the addressee had sent it. None may open.
    Reflect,
    /// Passes each envelope on, and gives it back to its sender besides. What comes back is ignored.
    Echo,
    /// Gives each envelope to the members of another room, and nothing to the addressee. None may open.
    Reroute,
    /// Turns over one bit of each envelope. None may open.
    FlipBits,
    /// Cuts the end off each envelope. None may open.
    Truncate,
    /// Writes an older version in front of each envelope. There is none to go back to.
    Downgrade,
    /// Passes each envelope on twice. The second is ignored.
    Duplicate,
    /// Collects envelopes for a moment and passes them on the last first. What is too old is ignored.
    Reorder,
    /// Passes each envelope on late.
    Delay,
    /// Passes on with each envelope all that came before it. Those are ignored.
    Replay,
    /// Closes both sockets once, and begins with all envelopes of before. Those are ignored.
    ReplayAfterReconnect,
    /// Keeps the envelopes of a first attempt, has both begin anew, and gives them those before the new
    /// ones. Those are of an earlier epoch, and ignored.
    StaleEpoch,
    /// Passes on only what is too long to be a candidate.
    StripCandidates,
    /// Passes on only what is too short to be a description.
    StripDescriptions,
    /// Passes on no envelope.
    Withhold,
    /// Passes on what the first member sends, and nothing of what it is sent.
    WithholdOneWay,
    /// Says of each envelope that nobody is there to have it, and passes it on all the same.
    CallUndeliverable,
    /// Puts an envelope from another room before each. Those do not open.
    CrossRoom,

    // What it says of who is there.
    /// Introduces the members of all rooms to each other. Only those of one room may connect.
    Splice,
    /// Introduces everybody to a member of its own, which does not know the secret, and to nobody else.
    Impostor,
    /// Tells of some members who do not exist, besides those who do.
    Ghosts,
    /// Tells of members who do not exist only.
    OnlyGhosts,
    /// Says without end that others have come in, of whom none exists.
    FakeJoins,
    /// Says without end that the members who are there have come in.
    RepeatedJoins,
    /// Says after each envelope that its sender has left.
    FakeLeave,
    /// Says again and again, once they are connected, that all others have left.
    LateFakeLeave,
    /// Gives everybody the same id.
    SameId,
    /// Tells everybody another id than it tells the others.
    ForgedId,
    /// Lets a client in again and again on one socket, each time under another id.
    JoinedAgain,
    /// Closes both sockets once, and gives both other ids when they come back.
    NewIds,
    /// Closes both sockets once, and gives each the id of the other when they come back.
    SwapIds,
    /// Gives each the token of another, and takes none.
    WrongTokens,

    // What it does to a socket.
    /// Takes the connection, and does not even answer the handshake.
    NoHandshake,
    /// Lets nobody in, and says nothing.
    Mute,
    /// Closes each socket as soon as it has said who is there.
    CloseAgain,
    /// Sends everything a few bytes at a time.
    Dribble,
    /// Sends a message of a mebibyte.
    Oversize,
    /// Sends text that is no JSON.
    Garbage,
    /// Sends JSON that is no message.
    WrongJson,
    /// Sends a binary message.
    Binary,
    /// Sends well-formed messages that mean nothing, as fast as they are taken.
    Flood,

    // What it says it cannot do.
    /// Refuses with a code that nobody knows, and a text that would drive a terminal or a page.
    RefuseWithMarkup,
    /// Refuses with a text of fifty thousand letters.
    RefuseAtLength,
    /// Refuses each time for a reason that passes.
    RefuseForNow,
    /// Claims that the client's version is not spoken any more.
    RefuseVersion,

    // Which STUN and TURN servers it names.
    /// Addresses that are none.
    NonsenseIceServers,
    /// A thousand of them, at a port that Firefox blocks.
    ManyIceServers,
    /// One with an address of thirty thousand letters.
    HugeIceServer,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Self; 50] = [
        Self::Honest,
        Self::Swap,
        Self::Reflect,
        Self::Echo,
        Self::Reroute,
        Self::FlipBits,
        Self::Truncate,
        Self::Downgrade,
        Self::Duplicate,
        Self::Reorder,
        Self::Delay,
        Self::Replay,
        Self::ReplayAfterReconnect,
        Self::StaleEpoch,
        Self::StripCandidates,
        Self::StripDescriptions,
        Self::Withhold,
        Self::WithholdOneWay,
        Self::CallUndeliverable,
        Self::CrossRoom,
        Self::Splice,
        Self::Impostor,
        Self::Ghosts,
        Self::OnlyGhosts,
        Self::FakeJoins,
        Self::RepeatedJoins,
        Self::FakeLeave,
        Self::LateFakeLeave,
        Self::SameId,
        Self::ForgedId,
        Self::JoinedAgain,
        Self::NewIds,
        Self::SwapIds,
        Self::WrongTokens,
        Self::NoHandshake,
        Self::Mute,
        Self::CloseAgain,
        Self::Dribble,
        Self::Oversize,
        Self::Garbage,
        Self::WrongJson,
        Self::Binary,
        Self::Flood,
        Self::RefuseWithMarkup,
        Self::RefuseAtLength,
        Self::RefuseForNow,
        Self::RefuseVersion,
        Self::NonsenseIceServers,
        Self::ManyIceServers,
        Self::HugeIceServer,
    ];

    /// Whether others than the two who want to meet have to be at this server: members of another room.
    pub fn needs_strangers(self) -> bool {
        matches!(self, Self::Reroute | Self::CrossRoom | Self::Splice | Self::Impostor)
    }

    /// Whether it begins, or shows, only once the two are connected, so that the transfer has to last.
    pub fn takes_its_time(self) -> bool {
        matches!(
            self,
            Self::ReplayAfterReconnect
                | Self::FakeJoins
                | Self::RepeatedJoins
                | Self::LateFakeLeave
                | Self::NewIds
                | Self::SwapIds
                | Self::WrongTokens
        )
    }
}
