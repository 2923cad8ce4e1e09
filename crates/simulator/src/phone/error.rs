//! Why a phone could not do what it was asked to.

use wacore_libsignal::protocol::SignalProtocolError;

use crate::journal::JournalError;

/// One fault of a request's body or query.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// The field's name as the client wrote it.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl FieldError {
    /// Names a field and its fault.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// Why an operation on a phone failed.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The request is malformed; every fault is listed.
    #[error("the request is not valid")]
    Invalid(Vec<FieldError>),
    /// What the request names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What the request names was there, and is no more.
    #[error("{0}")]
    Gone(String),
    /// The phone's state does not allow it now.
    #[error("{0}")]
    Conflict(String),
    /// The phone is offline, its connection was lost, or the server did not answer in time.
    #[error("{0}")]
    Unreachable(&'static str),
    /// The server refused a stanza.
    #[error("the server refused: {code} {text}")]
    Refused {
        /// The code of the server's error.
        code: u16,
        /// The text of the server's error.
        text: String,
    },
    /// The simulator itself failed.
    #[error("{0}")]
    Internal(String),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The Signal library failed.
    #[error("the signal protocol failed: {0}")]
    Signal(#[from] SignalProtocolError),
    /// Stored data could not be written or read.
    #[error("stored data is damaged: {0}")]
    Stored(#[from] serde_json::Error),
}

impl PhoneError {
    /// A single faulty field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    pub(crate) fn unreachable(message: &'static str) -> Self {
        Self::Unreachable(message)
    }

    /// Whether the same may succeed at another time.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Journal(_))
    }

    pub(crate) fn offline() -> Self {
        Self::Unreachable("the phone is offline")
    }
}
