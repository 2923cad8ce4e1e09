//! Places for work on strangers' files: it takes the processor, and memory while it lasts.

use std::time::Duration;

use wagate_delivery::{Crowded, Shares};
use wagate_model::OrganizationId;

/// Files that are decoded together, whatever for: each takes up to half a gigabyte while it
/// lasts.
const AT_ONCE: usize = 2;
/// Of them, an organization's.
const OF_AN_ORGANIZATION: usize = 1;

/// The places where files are decoded and converted; cheap to clone, to be shared by all who
/// do so.
#[derive(Debug, Clone)]
pub struct Decoders(Shares);

impl Default for Decoders {
    fn default() -> Self {
        Self(Shares::new(AT_ONCE, OF_AN_ORGANIZATION))
    }
}

/// Why work on a file has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undone {
    /// There was no place for it in time.
    #[error(transparent)]
    Crowded(#[from] Crowded),
    /// It has panicked.
    #[error(transparent)]
    Panicked(#[from] tokio::task::JoinError),
}

impl Decoders {
    /// Does some work for an organization, on a thread of its own, once there is a place.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        organization: OrganizationId,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let place = self.0.take(organization, 1, patience).await?;
        // The work goes on where nobody waits for it any more, and so it keeps its place.
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        Ok(done.await?)
    }
}
