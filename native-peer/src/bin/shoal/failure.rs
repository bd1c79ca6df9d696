//! What can go wrong, as scripts and people are told: an exit code, a word for it, and a sentence.

use std::process::ExitCode;

use native_peer::codes::{ClaimError, ClaimFailure, CodeError, OfferEnd};
use native_peer::storage::OriginError;
use native_peer::{CommandError, CreatorError, Failure as ShareFailure, StartError, StorageError};

/// Why the command ended without having done what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// For people; says what to try next where that is known.
    pub(crate) message: String,
}

/// The kinds of failure. The numbers are the exit codes, and part of what scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Anything else; it should not happen.
    Other = 1,
    /// The command line (given by clap, too).
    Usage = 2,
    /// The text is no invite link or code, or a newer version's.
    Invite = 3,
    /// The server could not be reached in time.
    Unreachable = 4,
    /// The server refused.
    Refused = 5,
    /// Nothing came within `--timeout`.
    Timeout = 6,
    /// The disk is full.
    DiskFull = 7,
    /// Files changed while they were shared.
    Changed = 8,
    /// Files could not be read or written.
    Files = 9,
    /// The code is wrong, used up or expired.
    Spent = 10,
    /// Stopped by a signal before the work was done.
    Interrupted = 130,
}

impl Code {
    /// The word in `--json`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Usage => "usage",
            Self::Invite => "invite",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::DiskFull => "disk-full",
            Self::Changed => "changed",
            Self::Files => "files",
            Self::Spent => "code",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let code = match error {
            StorageError::Full { .. } => Code::DiskFull,
            StorageError::Changed(_) => Code::Changed,
            StorageError::Gone(_) | StorageError::Damaged(_) | StorageError::Other(_) => {
                Code::Files
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<ShareFailure> for Failure {
    fn from(reason: ShareFailure) -> Self {
        match reason {
            ShareFailure::Storage(error) => error.into(),
            ShareFailure::OriginChanged(_) => Self::new(Code::Changed, reason.to_string()),
        }
    }
}

impl From<OriginError> for Failure {
    fn from(error: OriginError) -> Self {
        let what_helps = match error {
            OriginError::InUse => "; pass on its link, or begin anew beside it with --new-room",
            OriginError::Unusable { .. } => "",
        };
        Self::new(Code::Files, format!("{error}{what_helps}"))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match error {
            StartError::Server(_) => Code::Usage,
            StartError::Random(_) => Code::Other,
        };
        Self::new(code, error.to_string())
    }
}

impl From<CodeError> for Failure {
    fn from(error: CodeError) -> Self {
        Self::new(Code::Invite, error.to_string())
    }
}

impl From<ClaimFailure> for Failure {
    fn from(failure: ClaimFailure) -> Self {
        let error = match failure {
            ClaimFailure::Start(error) => return error.into(),
            ClaimFailure::Claim(error) => error,
        };
        let code = match error {
            ClaimError::Unreachable(_) => Code::Unreachable,
            ClaimError::NoCodes | ClaimError::Refused(_) => Code::Refused,
            ClaimError::Invite(_) => Code::Invite,
            ClaimError::NoSuchCode(_)
            | ClaimError::WrongWords
            | ClaimError::Impostor
            | ClaimError::CreatorLeft
            | ClaimError::CreatorSilent
            | ClaimError::Broke => Code::Spent,
        };
        Self::new(code, error.to_string())
    }
}

impl From<OfferEnd> for Failure {
    fn from(end: OfferEnd) -> Self {
        let code = match end {
            OfferEnd::Unreachable(_) | OfferEnd::Lost(_) => Code::Unreachable,
            OfferEnd::NoCodes | OfferEnd::Refused(_) => Code::Refused,
            _ => Code::Spent,
        };
        Self::new(code, end.to_string())
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::new(Code::Other, error.to_string())
    }
}

impl From<CreatorError> for Failure {
    fn from(error: CreatorError) -> Self {
        Self::new(Code::Other, error.to_string())
    }
}
