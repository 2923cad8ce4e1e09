//! Mails to people.

use async_trait::async_trait;
use wagate_model::{Email, hide_contents};

/// A mail in plain text.
pub struct Mail {
    /// To whom.
    pub to: Email,
    /// What it is about.
    pub subject: String,
    /// What it says; may hold a one-time link.
    pub text: String,
}

// It holds an address and a link.
hide_contents!(Mail);

/// A mail was not taken.
#[derive(Debug, thiserror::Error)]
#[error("the mail was not taken: {0}")]
pub struct MailError(pub String);

/// Something that sends mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over to a server that is responsible for it from then on.
    async fn send(&self, mail: Mail) -> Result<(), MailError>;
}
