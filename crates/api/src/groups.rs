//! Routes of groups.

use axum::Json as Reply;
use axum::extract::State;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{Group, ListGroup, ListGroupMember};

use crate::access::{InSession, Named, Read, parts};
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_groups),
        routes!(get_group),
        routes!(list_group_members),
    ]
}

/// List groups
///
/// The groups that the account is in, in one page. From stored data: works while the session
/// is offline.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups", operation_id = "listGroups", tag = "Groups",
    params(("session" = String, Path, description = "The session's id.")),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The groups.", body = ListGroup, example = json!({
        "data": [{
            "id": 7, "groupJid": "120363025246125486@g.us", "subject": "Harbour",
            "ownerJid": "205227043110953@lid", "isAnnounce": false, "isLocked": false,
            "participantCount": 12, "createdAtWa": 1_767_225_000_000_i64,
            "firstSeenAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_700_000_i64
        }]
    }))),
)]
async fn list_groups(
    State(core): State<Core>,
    session: InSession<Read>,
) -> Answer<Reply<ListGroup>> {
    Ok(Reply(core.list_groups(&session.access).await?))
}

/// Read a group
///
/// What is stored of it, also after the account has left it.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups/{gid}", operation_id = "getGroup",
    tag = "Groups",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("gid" = String, Path, description = "The group's JID."),
    ),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The group.", body = Group, example = json!({
        "id": 7, "groupJid": "120363025246125486@g.us", "subject": "Harbour",
        "participantCount": 12, "firstSeenAt": 1_767_225_600_000_i64,
        "updatedAt": 1_767_225_700_000_i64
    }))),
)]
async fn get_group(
    State(core): State<Core>,
    session: InSession<Read>,
    group: Named<parts::Group>,
) -> Answer<Reply<Group>> {
    Ok(Reply(core.get_group(&session.access, &group.0).await?))
}

/// List members of a group
///
/// The stored members with their roles, in one page.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups/{gid}/members",
    operation_id = "listGroupMembers", tag = "Groups",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("gid" = String, Path, description = "The group's JID."),
    ),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The members.", body = ListGroupMember,
        example = json!({
            "data": [{
                "id": 9, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
                "groupJid": "120363025246125486@g.us", "lid": "205227043110953@lid",
                "role": "admin", "firstSeenAt": 1_767_225_600_000_i64,
                "lastSeenAt": 1_767_225_700_000_i64
            }]
        }))),
)]
async fn list_group_members(
    State(core): State<Core>,
    session: InSession<Read>,
    group: Named<parts::Group>,
) -> Answer<Reply<ListGroupMember>> {
    let members = core.list_group_members(&session.access, &group.0).await?;
    Ok(Reply(members))
}
