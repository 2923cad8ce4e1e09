//! Use cases of jobs that pull a session's contacts and groups again.

use wagate_cluster::{BackfillRequest, LiveReply, LiveRequest};
use wagate_model::{BackfillId, BackfillJob};

use crate::caller::SessionAccess;
use crate::error::{Result, What};
use crate::live::unexpected_live;
use crate::service::Core;

impl Core {
    /// Begins such a job; fails where one runs. For the operator.
    pub async fn admin_start_backfill(&self, access: &SessionAccess) -> Result<BackfillJob> {
        access.caller().require_super_admin()?;
        let (time, random) = self.id_parts();
        let id = BackfillId::from_parts(time, random);
        self.backfill(access, BackfillRequest::Start { id }).await
    }

    /// The job that runs, or the latest that ran. For the operator.
    pub async fn admin_read_backfill(&self, access: &SessionAccess) -> Result<BackfillJob> {
        access.caller().require_super_admin()?;
        self.backfill(access, BackfillRequest::Read).await
    }

    async fn backfill(
        &self,
        access: &SessionAccess,
        request: BackfillRequest,
    ) -> Result<BackfillJob> {
        let request = LiveRequest::Backfill(request);
        match self.ask_live(access, request, What::Backfill).await? {
            LiveReply::Backfill(job) => Ok(job),
            other => Err(unexpected_live(&other)),
        }
    }
}
