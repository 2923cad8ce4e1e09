//! How an organization ends.

use std::time::Duration;

use futures::StreamExt as _;
use wagate_cluster::{SessionAction, SessionCommand, Signal};
use wagate_model::{Actor, AuditAction, GatewayId, OrganizationId, SessionId};
use wagate_store::EndedOrganization;

use crate::error::{Error, Result, What};
use crate::service::Core;

/// Gateways' sessions that are told at the same time.
const CONCURRENT_COMMANDS: usize = 32;

/// How long a gateway may take for each: one that is away finds its leases gone.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

impl Core {
    /// Ends an organization with all its data, for everybody at once.
    ///
    /// The rows go in pieces afterwards. What follows the commit makes others notice sooner;
    /// where it is cut off, they find out by themselves.
    pub async fn end_organization(
        &self,
        organization: OrganizationId,
        actor: &Actor,
    ) -> Result<()> {
        let action = AuditAction::OrganizationDeleted;
        let line = self.identity.audit_line(None, actor, action, organization);
        let core = self.clone();
        // A task of its own: everybody is told even when the caller has gone.
        let ending = tokio::spawn(async move {
            let now = core.clock.now_ms();
            let ended = core
                .store
                .write::<_, Error, _>(organization, move |tx| {
                    Box::pin(async move {
                        let ended = tx.end_organization(organization, now).await?;
                        let ended = ended.ok_or(Error::NotFound(What::Organization))?;
                        let line = line.with("name", ended.name.as_str()).entry();
                        tx.insert_audit(&line).await?;
                        Ok(ended)
                    })
                })
                .await?;
            core.tell_end(organization, ended).await;
            Ok(())
        });
        ending.await.map_err(Error::internal)?
    }

    async fn tell_end(&self, organization: OrganizationId, ended: EndedOrganization) {
        // Credentials first: from here on nobody comes in.
        for key_id in ended.api_keys {
            self.identity.forget(key_id);
            self.bus.publish(Signal::KeyRevoked { key_id });
        }
        for user_id in ended.users {
            self.identity.forget_user(user_id);
            self.bus.publish(Signal::UserChanged { user_id });
        }
        futures::stream::iter(ended.owned_sessions)
            .for_each_concurrent(CONCURRENT_COMMANDS, |(session, gateway)| {
                self.tell_owner(organization, session, gateway)
            })
            .await;
    }

    async fn tell_owner(
        &self,
        organization_id: OrganizationId,
        session_id: SessionId,
        gateway: GatewayId,
    ) {
        let command = SessionCommand {
            organization_id,
            session_id,
            action: SessionAction::Delete,
        };
        let answer = self.bus.request(&gateway, command, COMMAND_TIMEOUT).await;
        if !matches!(answer, Ok(Ok(_))) {
            // It cannot renew the lease, and every transaction of it is refused.
            tracing::debug!(session.id = %session_id, gateway.id = %gateway, "an owner was not told of a session's end");
        }
    }
}
