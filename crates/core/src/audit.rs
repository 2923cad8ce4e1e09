//! Use cases of the audit log, and the lines of all others.

use std::fmt;

use wagate_identity::AuditLine;
use wagate_model::{AuditAction, AuditId, Draft, ListAuditEntry, OrganizationId};
use wagate_store::AuditFilter;

use crate::caller::{Caller, SessionAccess};
use crate::error::{Error, Result};
use crate::pages::{List, Page, cut};
use crate::service::Core;

/// Which lines of the audit log are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Only what a caller did, by its id.
    pub actor: Option<String>,
    /// Only one action.
    pub action: Option<String>,
    /// Only what was done to a resource, by its id.
    pub resource: Option<String>,
    /// Which part of the log.
    pub page: Page,
}

impl Core {
    /// Lists the lines of the caller's organization, newest first.
    pub async fn list_audit(
        &self,
        caller: &Caller,
        query: Draft<AuditQuery>,
    ) -> Result<ListAuditEntry> {
        caller.require_admin()?;
        let organization = caller.organization_id()?;
        let list = self.list(organization, "audit");
        self.audit_page(Some(organization), &list, query).await
    }

    /// Lists the lines of all organizations and those of none, newest first.
    pub async fn admin_list_audit(
        &self,
        caller: &Caller,
        query: Draft<AuditQuery>,
    ) -> Result<ListAuditEntry> {
        caller.require_super_admin()?;
        self.audit_page(None, &self.installation_list("audit"), query)
            .await
    }

    async fn audit_page(
        &self,
        organization: Option<OrganizationId>,
        list: &List<'_>,
        query: Draft<AuditQuery>,
    ) -> Result<ListAuditEntry> {
        let (query, mut faults) = query.open()?;
        let action = query.action.as_deref().map(str::parse::<AuditAction>);
        let is_action = action.as_ref().is_none_or(Result::is_ok);
        faults.check(is_action, "action", || {
            "is not the name of an action".into()
        });
        let before: Option<AuditId> = list.start(&query.page, &mut faults);
        faults.into_result()?;
        let filter = AuditFilter {
            actor_id: query.actor,
            action: action.and_then(Result::ok),
            resource_id: query.resource,
        };
        let limit = query.page.rows();
        let mut tx = self.store.read().await?;
        let mut data = match organization {
            Some(organization) => tx.audit(organization, &filter, before, limit + 1).await?,
            None => tx.admin().audit(&filter, before, limit + 1).await?,
        };
        let has_more = cut(&mut data, limit);
        let last = data.last().filter(|_| has_more);
        let next_cursor = last.map(|entry| list.cursor(&entry.id));
        Ok(ListAuditEntry { data, next_cursor })
    }

    /// A line that says that a caller did something to a resource of an organization now.
    pub(crate) fn line(
        &self,
        organization: OrganizationId,
        caller: &Caller,
        action: AuditAction,
        resource: impl fmt::Display,
    ) -> AuditLine {
        let (organization, actor) = (Some(organization), caller.actor());
        self.identity
            .audit_line(organization, &actor, action, resource)
    }

    /// A line about a session.
    pub(crate) fn session_line(&self, access: &SessionAccess, action: AuditAction) -> AuditLine {
        self.line(
            access.organization_id(),
            access.caller(),
            action,
            access.id(),
        )
    }

    /// Writes a line about what was done outside of the database.
    pub(crate) async fn write_line(
        &self,
        organization: OrganizationId,
        line: AuditLine,
    ) -> Result<()> {
        let line = line.entry();
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move { Ok(tx.insert_audit(&line).await?) })
            })
            .await
    }
}
