//! What has to come of each behaviour, declared.

use tests::Behaviour;

/// What comes of a behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The transfer completes, with the right bytes.
    Harmless,
    /// Nothing arrives, and both are told.
    Refused(Told),
}

/// What the two are told who cannot meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// That they are connecting to somebody.
    Connecting,
    /// That nobody is there.
    Nobody,
    /// One or the other, by what came last.
    ConnectingOrNobody,
    /// That the server cannot be reached, after it was.
    ServerLost,
    /// The same, when it never was.
    NoServer,
    /// That the server refused.
    TurnedAway,
}

/// What has to come of a behaviour, whoever the two are.
pub(super) fn outcome(behaviour: Behaviour) -> Outcome {
    use Behaviour as B;
    match behaviour {
        B::Honest
        | B::Echo
        | B::Duplicate
        | B::Reorder
        | B::Delay
        | B::Replay
        | B::ReplayAfterReconnect
        | B::StaleEpoch
        | B::CrossRoom
        | B::Splice
        | B::Ghosts
        | B::FakeJoins
        | B::RepeatedJoins
        | B::LateFakeLeave
        | B::NewIds
        | B::SwapIds
        | B::WrongTokens
        | B::Dribble
        | B::NonsenseIceServers
        | B::ManyIceServers
        | B::HugeIceServer => Outcome::Harmless,
        B::Swap
        | B::Reflect
        | B::Reroute
        | B::FlipBits
        | B::Truncate
        | B::Downgrade
        | B::StripCandidates
        | B::StripDescriptions
        | B::Withhold
        | B::WithholdOneWay
        | B::Impostor
        | B::OnlyGhosts
        | B::ForgedId => Outcome::Refused(Told::Connecting),
        B::CallUndeliverable | B::FakeLeave => Outcome::Refused(Told::ConnectingOrNobody),
        B::SameId => Outcome::Refused(Told::Nobody),
        B::JoinedAgain
        | B::CloseAgain
        | B::Flood
        | B::Oversize
        | B::Garbage
        | B::WrongJson
        | B::Binary => Outcome::Refused(Told::ServerLost),
        B::NoHandshake | B::Mute | B::RefuseForNow => Outcome::Refused(Told::NoServer),
        B::RefuseWithMarkup | B::RefuseAtLength | B::RefuseVersion => {
            Outcome::Refused(Told::TurnedAway)
        }
    }
}

impl Outcome {
    /// As it stands in the table.
    pub(super) fn in_words(self) -> String {
        match self {
            Self::Harmless => "harmless: the transfer completes".to_owned(),
            Self::Refused(told) => format!("refused; told: {}", told.in_words()),
        }
    }
}

impl Told {
    fn in_words(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Nobody => "nobody is there",
            Self::ConnectingOrNobody => "connecting, or nobody is there",
            Self::ServerLost => "the server was lost",
            Self::NoServer => "the server cannot be reached",
            Self::TurnedAway => "the server refused",
        }
    }

    /// What the command ends with.
    pub(super) fn exit_code(self) -> i32 {
        match self {
            Self::Connecting | Self::Nobody | Self::ConnectingOrNobody | Self::ServerLost => 6,
            Self::NoServer => 4,
            Self::TurnedAway => 5,
        }
    }

    /// The causes of which the command names one last while it receives; none if it does not wait.
    pub(super) fn waits(self) -> &'static [&'static str] {
        match self {
            Self::Connecting => &["connecting"],
            Self::Nobody => &["nobody"],
            Self::ConnectingOrNobody => &["connecting", "nobody"],
            // The command looks now and then: it may see the moment in which it was let in.
            Self::ServerLost => &["server", "connecting", "nobody"],
            Self::NoServer => &["server"],
            Self::TurnedAway => &[],
        }
    }

    /// What the page says to who wants to receive.
    pub(super) fn on_the_page(self) -> &'static [&'static str] {
        const CONNECTING: &str = "Connecting to who is here.";
        const NOBODY: &str = "Nobody is here at the moment.";
        match self {
            Self::Connecting => &[CONNECTING],
            Self::Nobody => &[NOBODY],
            Self::ConnectingOrNobody => &[CONNECTING, NOBODY],
            Self::ServerLost | Self::NoServer => &["Server lost"],
            Self::TurnedAway => &["The server refused"],
        }
    }
}
