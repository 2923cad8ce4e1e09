//! Why a file cannot be sent as what it is to be.

use crate::Kind;

/// Why a file cannot be sent as what it is to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is something else.
    #[error("the file is {found}, which is not {expected}")]
    NotThis {
        /// As what it was to be sent.
        expected: Kind,
        /// The MIME type that its bytes show; `application/octet-stream` where they show none.
        found: String,
    },
    /// It begins like what it should be, and cannot be read.
    #[error("the file is broken: {what}")]
    Broken {
        /// What is wrong with it.
        what: &'static str,
    },
    /// It, or what it unpacks to, is beyond a limit.
    #[error("the file is too large: {limit} {unit} are allowed")]
    TooLarge {
        /// What there is too much of: "pixels", "seconds", "bytes".
        unit: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// It is of the right kind, in a format that cannot be sent so.
    #[error("{mime} can't be sent so")]
    Unsupported {
        /// The format.
        mime: String,
    },
}

impl PrepareError {
    /// It begins like what it should be, and cannot be read.
    pub(crate) const fn broken(what: &'static str) -> Self {
        Self::Broken { what }
    }

    /// What a file is that is not of the kind, or not of a format that can be sent.
    ///
    /// `families` are the first parts of the MIME types that belong to the kind.
    pub(crate) fn other(expected: Kind, mime: Option<&str>, families: &[&str]) -> Self {
        let mime = mime.unwrap_or("application/octet-stream").to_owned();
        let family = mime.split('/').next().unwrap_or_default();
        if families.contains(&family) {
            Self::Unsupported { mime }
        } else {
            Self::NotThis {
                expected,
                found: mime,
            }
        }
    }
}
