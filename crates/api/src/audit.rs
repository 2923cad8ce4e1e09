//! Routes of the audit log.

use axum::Json as Reply;
use axum::extract::State;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{AuditQuery, Core, Page};
use wagate_model::ListAuditEntry;

use crate::access::{Admin, Can, SuperAdmin};
use crate::failure::Answer;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(list_audit), routes!(admin_list_audit)]
}

impl FromQuery for AuditQuery {
    fn from_params(params: &mut Params) -> Self {
        Self {
            actor: params.text("actor"),
            action: params.text("action"),
            resource: params.text("resource"),
            page: Page::from_params(params),
        }
    }
}

/// List the audit log
///
/// Beyond the contract. Who changed what in the organization, newest first: members and
/// invitations, API keys, webhooks, sessions. For those who administer it; no API key can.
#[utoipa::path(
    get, path = "/api/v1/audit", operation_id = "listAudit", tag = "Audit",
    params(
        ("actor" = Option<String>, Query, description = "Only what this caller did, by its id."),
        ("action" = Option<String>, Query, description = "Only this action, such as `session.deleted`."),
        ("resource" = Option<String>, Query, description = "Only what was done to this, by its id."),
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    responses((status = 200, description = "The lines.", body = ListAuditEntry, example = json!({
        "data": [{
            "id": "aud_01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
            "actor": { "kind": "user", "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "name": "Ann" },
            "action": "session.updated", "resourceId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "details": { "settings": ["label", "ratePerMin"] }, "createdAt": 1_767_225_800_000_i64
        }]
    }))),
)]
async fn list_audit(
    State(core): State<Core>,
    can: Can<Admin>,
    Query(query): Query<AuditQuery>,
) -> Answer<Reply<ListAuditEntry>> {
    Ok(Reply(core.list_audit(&can.caller, query).await?))
}

/// List the audit log of the installation
///
/// Beyond the contract. The lines of every organization, and those that concern none or
/// one that has ended, newest first. For the operator.
#[utoipa::path(
    get, path = "/api/v1/admin/audit", operation_id = "adminListAudit", tag = "Admin",
    params(
        ("actor" = Option<String>, Query, description = "Only what this caller did, by its id."),
        ("action" = Option<String>, Query, description = "Only this action, such as `user.banned`."),
        ("resource" = Option<String>, Query, description = "Only what was done to this, by its id."),
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    responses((status = 200, description = "The lines.", body = ListAuditEntry, example = json!({
        "data": [{
            "id": "aud_01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "actor": { "kind": "operator", "id": "command-line", "name": "command line" },
            "action": "organization.deleted", "resourceId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
            "details": { "name": "Acme" }, "createdAt": 1_767_225_800_000_i64
        }]
    }))),
)]
async fn admin_list_audit(
    State(core): State<Core>,
    can: Can<SuperAdmin>,
    Query(query): Query<AuditQuery>,
) -> Answer<Reply<ListAuditEntry>> {
    Ok(Reply(core.admin_list_audit(&can.caller, query).await?))
}
