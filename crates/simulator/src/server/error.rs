//! Errors of the server's own interface.

use crate::journal::JournalError;

/// Why an operation on the server failed.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No account has this number.
    #[error("no such account")]
    UnknownAccount,
    /// The account has no such device.
    #[error("no such device")]
    UnknownDevice,
    /// An account with this number exists.
    #[error("the number is taken")]
    NumberTaken,
    /// A number is 7 to 15 digits and does not start with zero.
    #[error("a number is 7 to 15 digits and does not start with zero")]
    InvalidNumber,
    /// Persistence failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why a companion could not be linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No account has this number.
    #[error("no such account")]
    UnknownAccount,
    /// No companion is waiting with this pairing reference: never issued, rotated away or disconnected.
    #[error("the pairing reference is unknown or has expired")]
    UnknownReference,
    /// The account has as many companions as WhatsApp allows.
    #[error("the account has as many linked devices as it may have")]
    TooManyDevices,
    /// The primary device refused to sign.
    #[error("the primary device did not sign the link: {0}")]
    Sign(String),
    /// The companion answered `pair-success` with an error.
    #[error("the companion refused the link with code {code}")]
    Refused {
        /// The code of the companion's `<error>`.
        code: u16,
    },
    /// The companion went away before the link was complete.
    #[error("the companion disconnected before the link was complete")]
    Disconnected,
    /// The companion did not answer, or did not log in, in time.
    #[error("the companion did not finish linking in time")]
    Timeout,
    /// Persistence failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}
