//! What can go wrong.

use std::time::Duration;

/// An engine or a session could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The endpoint may not be used by this build; see the crate's safety notes.
    #[error("this build must not connect to {0}")]
    EndpointForbidden(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Http(#[source] reqwest::Error),
    /// The engine was made outside of a Tokio runtime.
    #[error("the engine needs a Tokio runtime")]
    NoRuntime,
    /// The session's stored credentials could not be read.
    #[error("the session's storage failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client version could not be fetched.
    #[error("the client version could not be fetched: {0}")]
    Version(String),
}

/// A request to WhatsApp failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The session is not connected.
    #[error("the session is not connected")]
    NotConnected,
    /// No answer came in time.
    #[error("WhatsApp did not answer in time")]
    TimedOut,
    /// WhatsApp refused.
    #[error("WhatsApp refused with code {code}")]
    Refused {
        /// WhatsApp's code.
        code: u16,
    },
    /// Something else failed on the way.
    #[error("the request failed")]
    Failed,
}

/// No pairing code could be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingCodeError {
    /// The session is paired already.
    #[error("the session is paired already")]
    AlreadyPaired,
    /// The number is not one that WhatsApp accepts (too short, no country code).
    #[error("the phone number is not valid")]
    InvalidNumber,
    /// An earlier code is still valid; ask for another when it has expired.
    #[error("an earlier pairing code is still valid")]
    CodeOutstanding,
    /// The session is not connected.
    #[error("the session is not connected")]
    NotConnected,
    /// WhatsApp limits pairing codes for this number.
    #[error("WhatsApp limits pairing codes for this number")]
    RateLimited {
        /// How long WhatsApp asks to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// WhatsApp does not offer pairing codes for this number.
    #[error("WhatsApp does not offer pairing codes for this number")]
    NotAvailable,
    /// Something else failed on the way.
    #[error("the pairing code could not be had")]
    Failed,
}
