//! Faults in a request, collected so that all of them are told at once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Upper limits of request fields; characters unless the name says bytes.
pub mod limits {
    /// A session's label.
    pub const LABEL_CHARS: usize = 100;
    /// The text of a message (what official clients allow).
    pub const TEXT_CHARS: usize = 65_536;
    /// Mentions in one message.
    pub const MENTIONS: usize = 1_024;
    /// An id of a WhatsApp message.
    pub const MESSAGE_ID_CHARS: usize = 128;
    /// An `Idempotency-Key`, in visible ASCII characters.
    pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
    /// A webhook's URL.
    pub const URL_CHARS: usize = 2_048;
    /// A webhook's secret.
    pub const WEBHOOK_SECRET_CHARS: usize = 256;
    /// Custom headers of one webhook.
    pub const WEBHOOK_HEADERS: usize = 20;
    /// The value of one custom header.
    pub const WEBHOOK_HEADER_VALUE_CHARS: usize = 1_024;
    /// Wrong entries of one list that are told.
    pub const FAULTS: usize = 100;
    /// Attempts of one webhook delivery.
    pub const WEBHOOK_ATTEMPTS: i64 = 50;
    /// The base delay between attempts, in seconds.
    pub const WEBHOOK_DELAY_SECONDS: i64 = 43_200;
    /// Webhooks of one organization.
    pub const WEBHOOKS: i64 = 100;
    /// Sends per minute or hour that a session can be set to.
    pub const RATE: i64 = 1_000_000;
    /// Sessions of one organization.
    pub const SESSIONS: i64 = 100_000;
}

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// Where: a field's path such as `retryPolicy.attempts`, or `body`.
    pub field: String,
    /// What is wrong, and what is expected.
    pub message: String,
}

/// All faults found in a request so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, Fault { field, message }) in self.0.iter().enumerate() {
            let mark = if index == 0 { "" } else { "; " };
            write!(f, "{mark}{field} {message}")?;
        }
        Ok(())
    }
}

impl Faults {
    /// No faults yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The faults of a request with exactly one.
    #[must_use]
    pub fn one(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut faults = Self::new();
        faults.add(field, message);
        faults
    }

    /// Notes a fault.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Notes a fault unless the condition holds.
    pub fn check(&mut self, holds: bool, field: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.add(field, message());
        }
    }

    /// Takes over the faults of a part.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order found.
    #[must_use]
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }

    /// `Ok` when nothing was found.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The limit of characters of a text field; control characters other than
    /// line breaks and tabs are refused.
    pub fn check_text(&mut self, field: &str, text: &str, max_chars: usize) {
        // Bytes bound characters from above, so most texts are counted only once, cheaply.
        let is_short = text.len() <= max_chars || text.chars().count() <= max_chars;
        self.check(is_short, field, || {
            format!("must have at most {max_chars} characters")
        });
        let is_plain = text
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        self.check(is_plain, field, || {
            "must not contain control characters".into()
        });
    }
}
