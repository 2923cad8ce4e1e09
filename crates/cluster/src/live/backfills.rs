//! Pulling again what WhatsApp gives on request.

use serde::{Deserialize, Serialize};
use wagate_model::BackfillId;

/// About such jobs.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum BackfillRequest {
    /// Begin one.
    Start {
        /// The id that it gets.
        id: BackfillId,
    },
    /// Give the one that runs, or the latest that ran; also where the session is not connected.
    Read,
}

impl BackfillRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start_backfill",
            Self::Read => "read_backfill",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            // The second time would find the first one running.
            Self::Start { .. } => false,
            Self::Read => true,
        }
    }
}
