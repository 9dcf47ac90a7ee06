//! What can go wrong with a user's files.

use std::io;

use model::ErrorKind;

use crate::Why;

/// Why a file or folder is not given or taken. What may be shown to a caller is the text of each variant; sources are
/// for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's process cannot do it.
    #[error("{}", refused(*why))]
    Refused {
        /// The reason in a closed list.
        why: Why,
    },
    /// What is sent is larger than a file may be.
    #[error("the file is larger than {most_bytes} bytes, the most that this zone takes")]
    TooLarge {
        /// The bound.
        most_bytes: u64,
    },
    /// Whoever sends the file does not go on.
    #[error("{text}")]
    Sender {
        /// The sort of failure.
        kind: ErrorKind,
        /// What is said of it.
        text: String,
    },
    /// The store failed.
    #[error("use the store")]
    Store(#[from] store::Error),
    /// All processes, or all answers of the user's process, are taken.
    #[error("too many files and folders are open at once: try again later")]
    Busy,
    /// The user's process ended before the answer did.
    #[error("the process that works for the user ended: try again")]
    Lost,
    /// The user's process gave nothing for too long.
    #[error("the file system does not answer in time")]
    Stalled,
    /// The node failed, or cannot be asked.
    #[error("{text}")]
    Away {
        /// The sort of failure.
        kind: ErrorKind,
        /// What it says.
        text: String,
    },
    /// The permit is nobody's, or was refused.
    #[error("use the permit")]
    Access(#[from] access::Error),
    /// The session for which the stream was opened has ended.
    #[error("the session has ended: sign in again")]
    SessionEnded,
    /// The zone stops.
    #[error("the zone is stopping")]
    Stopping,
    /// The user cannot work on this machine.
    #[error("work as the user on this machine: {reason}")]
    Unfit {
        /// What stands in the way, in words for the user.
        reason: String,
    },
    /// The machine does not start the process.
    #[error("start the process that works for the user")]
    Start(#[source] confine::Error),
    /// The system refuses a socket to the user's process.
    #[error("connect to the process that works for the user")]
    Socket(#[source] io::Error),
    /// A step fell over.
    #[error("start the process that works for the user")]
    Panicked(#[from] tasks::Panicked),
}

const fn refused(why: Why) -> &'static str {
    match why {
        Why::NotFound => "there is no such file or folder",
        Why::Denied => "the user may not read this file or folder",
        Why::NotAFolder => "the path leads to something that is not a folder",
        Why::NotAFile => "the path leads to something that is not a regular file",
        Why::BadPath => "the system does not take the path: a name is too long, or links run in a circle",
        Why::Busy => "the process that works for the user has no room left: try again later",
        Why::NotWritable => "the user may not write this file, or in its folder",
        Why::NotKept => "what is put in a temporary folder would vanish: each piece of work has its own",
        Why::Full => "the disk, or the user's share of it, has no room left",
        Why::Broken => "the file system fails",
    }
}

impl Error {
    /// The sort of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Refused { why } => match why {
                Why::NotFound => ErrorKind::NotFound,
                Why::Denied | Why::NotWritable => ErrorKind::Denied,
                Why::NotAFolder | Why::NotAFile | Why::BadPath | Why::NotKept => ErrorKind::Invalid,
                Why::Busy | Why::Full => ErrorKind::Exhausted,
                Why::Broken => ErrorKind::Internal,
            },
            Error::Busy | Error::TooLarge { .. } => ErrorKind::Exhausted,
            Error::Lost | Error::Stopping => ErrorKind::Unavailable,
            Error::Stalled => ErrorKind::Deadline,
            Error::Away { kind, .. } => *kind,
            Error::SessionEnded => ErrorKind::Unauthenticated,
            Error::Unfit { .. } => ErrorKind::Precondition,
            Error::Start(source) => source.kind(),
            Error::Access(source) => source.kind(),
            Error::Store(source) => source.kind(),
            Error::Sender { kind, .. } => *kind,
            Error::Socket(_) | Error::Panicked(_) => ErrorKind::Internal,
        }
    }

    pub(crate) fn start(source: confine::Error) -> Self {
        if source.kind() == ErrorKind::Precondition {
            Error::Unfit {
                reason: source.to_string(),
            }
        } else {
            Error::Start(source)
        }
    }

    pub(crate) fn socket(source: io::Error) -> Self {
        Error::Socket(source)
    }
}
