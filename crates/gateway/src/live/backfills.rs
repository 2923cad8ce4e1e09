//! Pulling again what WhatsApp gives on request.

use wagate_cluster::{LiveReply, Refusal};
use wagate_model::{BackfillId, BackfillJob, BackfillStatus};

use super::{Live, LiveResult};
use crate::backfills;

impl Live<'_> {
    /// Begins a job in the background; one of a session runs at a time.
    pub(super) fn start_backfill(&self, id: BackfillId) -> LiveResult {
        let job = BackfillJob {
            contacts: 0,
            error: None,
            finished_at: None,
            group_members: 0,
            groups: 0,
            id,
            organization_id: self.session.organization,
            session_id: self.session.id(),
            started_at: self.cx.now_ms(),
            status: BackfillStatus::Running,
        };
        if backfills::begin(self.cx, self.session, self.connection.clone(), &job) {
            Ok(LiveReply::Backfill(job))
        } else {
            Err(Refusal::BackfillRunning)
        }
    }
}
