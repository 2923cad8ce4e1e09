//! Routes of jobs that pull a session's contacts and groups again.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::BackfillJob;

use crate::access::{InSession, SuperAdmin, parts};
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(admin_start_session_backfill),
        routes!(admin_session_backfill_status),
    ]
}

/// Pull contacts and groups again
///
/// Begins a job in the background that asks WhatsApp again for what it gives on request: the
/// contacts that are stored, and the account's groups with their members. The history is not
/// part of it. One job of a session runs at a time. For the operator, in any organization.
#[utoipa::path(
    post, path = "/api/v1/admin/sessions/{session}:backfill",
    operation_id = "adminStartSessionBackfill", tag = "Admin",
    security(("bearerAuth" = [])),
    params(parts::Session),
    extensions(("x-capability" = json!("super_admin")), ("x-live" = json!(true))),
    responses((status = 202, description = "The job.", body = BackfillJob, example = json!({
        "id": "bkf_01J9ZX8K2QHV0M3T6R7P4N5W8C", "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
        "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "status": "running", "contacts": 0,
        "groups": 0, "groupMembers": 0, "startedAt": 1_767_225_600_000_i64
    }))),
)]
async fn admin_start_session_backfill(
    State(core): State<Core>,
    session: InSession<SuperAdmin>,
) -> Answer<(StatusCode, Reply<BackfillJob>)> {
    let job = core.admin_start_backfill(&session.access).await?;
    Ok((StatusCode::ACCEPTED, Reply(job)))
}

/// Read how far the pulling is
///
/// The job that runs, or the latest that ran. Jobs are kept in memory: a gateway that restarts
/// forgets them. For the operator, in any organization.
#[utoipa::path(
    get, path = "/api/v1/admin/sessions/{session}/backfill",
    operation_id = "adminSessionBackfillStatus", tag = "Admin",
    security(("bearerAuth" = [])),
    params(parts::Session),
    extensions(("x-capability" = json!("super_admin")), ("x-live" = json!(true))),
    responses((status = 200, description = "The job.", body = BackfillJob, example = json!({
        "id": "bkf_01J9ZX8K2QHV0M3T6R7P4N5W8C", "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
        "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "status": "succeeded",
        "contacts": 41, "groups": 7, "groupMembers": 230, "startedAt": 1_767_225_600_000_i64,
        "finishedAt": 1_767_225_604_000_i64
    }))),
)]
async fn admin_session_backfill_status(
    State(core): State<Core>,
    session: InSession<SuperAdmin>,
) -> Answer<Reply<BackfillJob>> {
    Ok(Reply(core.admin_read_backfill(&session.access).await?))
}
