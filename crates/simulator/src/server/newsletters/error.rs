//! Why something could not be done with a newsletter.

use crate::journal::JournalError;

/// Why an operation on a newsletter failed.
#[derive(Debug, thiserror::Error)]
pub enum NewsletterError {
    /// No account has this number.
    #[error("no such account")]
    UnknownAccount,
    /// There is no such newsletter.
    #[error("no such newsletter")]
    Unknown,
    /// The newsletter has no such post.
    #[error("the newsletter has no such post")]
    UnknownPost,
    /// The account's role does not allow it.
    #[error("the account may not do this in the newsletter")]
    Forbidden,
    /// A name has 1 to 100 characters, a description at most 2,048.
    #[error("a name has 1 to 100 characters, a description at most 2048")]
    InvalidText,
    /// A reaction has at most 64 bytes.
    #[error("a reaction has at most 64 bytes")]
    InvalidReaction,
    /// There are as many newsletters as the simulator keeps.
    #[error("there are as many newsletters as may be")]
    TooMany,
    /// Persistence failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl NewsletterError {
    /// The code that WhatsApp's answers bear for it; none where the journal failed.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Unknown | Self::UnknownPost | Self::UnknownAccount => Some(404),
            Self::Forbidden => Some(403),
            Self::InvalidText | Self::InvalidReaction => Some(400),
            Self::TooMany => Some(429),
            Self::Journal(_) => None,
        }
    }
}
