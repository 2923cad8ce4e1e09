//! Whether a session is paired, and forgetting its WhatsApp state.

use wacore::store::error::Result as EngineResult;
use wagate_model::{OrganizationId, SessionId};

use super::backend::EngineBackend;
use super::kind::RecordKind;
use super::pending_inbound::PendingInbound;
use crate::error::Result;
use crate::text::Text;
use crate::tx::{Tx, on};

/// Deletes a session's rows of one table, where the session is the organization's.
macro_rules! wipe {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE session_id = (SELECT id FROM session WHERE id = $1 AND organization_id = $2)"
        )
    };
}

const WIPES: [&str; 6] = [
    wipe!("engine_record"),
    wipe!("engine_sender_key_device"),
    wipe!("engine_lid_mapping"),
    wipe!("engine_contact_token"),
    wipe!("engine_message_secret"),
    wipe!("engine_sent_message"),
];

impl Tx {
    /// Whether the session is linked to a WhatsApp account: there are credentials to log in with.
    pub async fn is_session_paired(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<bool> {
        let stamp: Option<i64> = on!(self, |conn| sqlx::query_scalar(
            "SELECT stamp FROM engine_record \
             WHERE session_id = (SELECT id FROM session WHERE id = $1 AND organization_id = $2) \
             AND kind = $3"
        )
        .bind(Text(session))
        .bind(Text(organization))
        .bind(RecordKind::Device.number())
        .fetch_optional(conn)
        .await)?;
        Ok(stamp == Some(1))
    }

    /// Forgets a session's WhatsApp state, credentials included: it has to be paired again.
    ///
    /// The session's engine must not run. Deleting the session's row does the same.
    pub async fn wipe_engine_state(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<()> {
        self.write_deferred().await?;
        for text in WIPES {
            on!(self, |conn| sqlx::query(text)
                .bind(Text(session))
                .bind(Text(organization))
                .execute(conn)
                .await
                .map(drop))?;
        }
        Ok(())
    }
}

impl EngineBackend {
    /// Whether the session is linked to a WhatsApp account.
    pub async fn is_paired(&self) -> Result<bool> {
        self.reader()
            .await?
            .is_session_paired(self.organization(), self.session_id())
            .await
    }

    /// Forgets the session's WhatsApp state where the lease still holds, as on a logout.
    ///
    /// The engine must have stopped: what it writes later would be state of no account.
    pub async fn wipe(&self) -> EngineResult<()> {
        let (organization, session) = (self.organization(), self.session_id());
        self.write(move |tx| {
            Box::pin(async move { tx.wipe_engine_state(organization, session).await })
        })
        .await?;
        self.forget_held();
        Ok(())
    }

    /// Forgets the messages that wait in memory, after the state they belong to was wiped.
    pub fn forget_held(&self) {
        *self.pending() = PendingInbound::default();
        *self.sent() = Vec::new();
    }
}
