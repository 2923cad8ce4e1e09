//! Routes of an organization's members.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::Role;

use super::shapes::{ListMember, OrganizationMember};
use crate::access::{AsAdmin, AsMember, InOrganization, Named, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(list_members), routes!(update_member, remove_member)]
}

/// List members
///
/// Everybody who is in the organization.
#[utoipa::path(
    get, path = "/api/auth/organizations/{organization}/members", operation_id = "listMembers",
    tag = "Organizations",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("member"))),
    responses((status = 200, description = "The members.", body = ListMember, example = json!({
        "data": [{
            "userId": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "name": "Ann",
            "email": "ann@example.com", "role": "owner", "joinedAt": 1_767_225_600_000_i64
        }]
    }))),
)]
async fn list_members(
    State(core): State<Core>,
    place: InOrganization<AsMember>,
) -> Answer<Reply<ListMember>> {
    let members = core.list_members(&place.access).await?;
    Ok(Reply(members.into_iter().map(Into::into).collect()))
}

/// The body of `updateMember`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MemberBody {
    /// What the member may do.
    role: Role,
}

impl RequestBody for MemberBody {}

/// Change a member's role
///
/// Works at once, on open sockets too. Only owners make owners, and change what owners are.
#[utoipa::path(
    patch, path = "/api/auth/organizations/{organization}/members/{user}",
    operation_id = "updateMember", tag = "Organizations",
    params(
        ("organization" = String, Path, description = "The organization's id."),
        ("user" = String, Path, description = "The user's id."),
    ),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    request_body(content = MemberBody, example = json!({ "role": "admin" })),
    responses((status = 200, description = "The member.", body = OrganizationMember,
        example = json!({
            "userId": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "name": "Ann",
            "email": "ann@example.com", "role": "admin", "joinedAt": 1_767_225_600_000_i64
        }))),
)]
async fn update_member(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
    user: Named<parts::User>,
    body: Json<MemberBody>,
) -> Answer<Reply<OrganizationMember>> {
    let role = body.draft.map(|body| body.role);
    let member = core.update_member(&place.access, &user.0, role).await?;
    Ok(Reply(member.into()))
}

/// Remove a member
///
/// The person loses access at once. Only owners remove owners.
#[utoipa::path(
    delete, path = "/api/auth/organizations/{organization}/members/{user}",
    operation_id = "removeMember", tag = "Organizations",
    params(
        ("organization" = String, Path, description = "The organization's id."),
        ("user" = String, Path, description = "The user's id."),
    ),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    responses((status = 204, description = "Removed.")),
)]
async fn remove_member(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
    user: Named<parts::User>,
) -> Answer<StatusCode> {
    core.remove_member(&place.access, &user.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
