//! What is asked of WhatsApp, by whoever knows how.

use std::fs::File;

use async_trait::async_trait;
use wagate_model::{MediaId, OrganizationId, SessionId};

/// Why a file was not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchFailure {
    /// WhatsApp does not have it there any more; the phone may send it again.
    Gone,
    /// What came is not what the sender sent, or the row does not say where it is.
    Corrupt,
    /// The disk takes nothing.
    Full,
    /// There is more of it than was to be fetched.
    TooLarge,
    /// WhatsApp could not be reached.
    Unreachable,
}

/// Fetches files from WhatsApp.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Fetches a file into an empty one; `source` is what its row says of where it is. Where a
    /// limit is given, no more bytes than that are written, whatever was said of its size.
    async fn fetch(
        &self,
        source: &[u8],
        file: File,
        limit_bytes: Option<u64>,
    ) -> Result<(), FetchFailure>;
}

/// What became of asking a phone to send a file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneAnswer {
    /// It did, and the row says where it is now.
    SentAgain,
    /// It does not have the file either.
    Gone,
    /// It cannot be asked now.
    Away,
}

/// Asks phones to send files again.
#[async_trait]
pub trait AskPhone: Send + Sync + 'static {
    /// Has the owner of a session ask its phone for a file.
    async fn ask(
        &self,
        organization: OrganizationId,
        session: SessionId,
        media: MediaId,
    ) -> PhoneAnswer;
}
