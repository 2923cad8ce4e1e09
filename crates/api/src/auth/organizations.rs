//! Routes of organizations.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{Organization, Role};

use super::cookies::SignedIn;
use super::shapes::{ListMembership, OrganizationMembership};
use crate::access::{AsAdmin, AsMember, AsOwner, InOrganization};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_organizations, create_organization),
        routes!(get_organization, update_organization, delete_organization),
        routes!(leave_organization),
        routes!(transfer_ownership),
    ]
}

/// List your organizations
///
/// The organizations that you are in, with what you are there.
#[utoipa::path(
    get, path = "/api/auth/organizations", operation_id = "listOrganizations",
    tag = "Organizations", security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    responses((status = 200, description = "The organizations.", body = ListMembership,
        example = json!({ "data": [{
            "id": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "name": "Example", "role": "owner",
            "createdAt": 1_767_225_600_000_i64
        }] }))),
)]
async fn list_organizations(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
) -> Reply<ListMembership> {
    let organizations = core.list_organizations(&login).into_iter();
    Reply(organizations.map(Into::into).collect())
}

/// A name for an organization.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrganizationBody {
    /// What people call it.
    #[schema(max_length = 100)]
    name: String,
}

impl RequestBody for OrganizationBody {}

/// Create an organization
///
/// You become its owner. An operator can keep this to themselves (403 then).
#[utoipa::path(
    post, path = "/api/auth/organizations", operation_id = "createOrganization",
    tag = "Organizations", security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    request_body(content = OrganizationBody, example = json!({ "name": "Example" })),
    responses((status = 201, description = "The organization.", body = OrganizationMembership,
        example = json!({
            "id": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "name": "Example", "role": "owner",
            "createdAt": 1_767_225_600_000_i64
        }))),
)]
async fn create_organization(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    body: Json<OrganizationBody>,
) -> Answer<(StatusCode, Reply<OrganizationMembership>)> {
    let name = body.draft.map(|body| body.name);
    let made = core.create_organization(&login, name).await?;
    Ok((StatusCode::CREATED, Reply((made, Role::Owner).into())))
}

/// Get an organization
///
/// One of your organizations, with what you are there.
#[utoipa::path(
    get, path = "/api/auth/organizations/{organization}", operation_id = "getOrganization",
    tag = "Organizations",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("member"))),
    responses((status = 200, description = "The organization.", body = OrganizationMembership,
        example = json!({
            "id": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "name": "Example", "role": "owner",
            "createdAt": 1_767_225_600_000_i64
        }))),
)]
async fn get_organization(place: InOrganization<AsMember>) -> Reply<OrganizationMembership> {
    let access = place.access;
    Reply((access.organization().clone(), access.role()).into())
}

/// Rename an organization
///
/// Changes what people call it.
#[utoipa::path(
    patch, path = "/api/auth/organizations/{organization}", operation_id = "updateOrganization",
    tag = "Organizations",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    request_body(content = OrganizationBody, example = json!({ "name": "Example" })),
    responses((status = 200, description = "The organization.", body = Organization,
        example = json!({
            "id": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "name": "Example",
            "createdAt": 1_767_225_600_000_i64
        }))),
)]
async fn update_organization(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
    body: Json<OrganizationBody>,
) -> Answer<Reply<Organization>> {
    let name = body.draft.map(|body| body.name);
    Ok(Reply(core.update_organization(&place.access, name).await?))
}

/// Delete an organization
///
/// With all its data, for good. From the answer on, its sessions are disconnected (the devices
/// stay linked on the phones: log sessions out before), its keys, tokens, sockets and webhooks
/// work no more, and nobody is a member. The rows are removed in the background.
#[utoipa::path(
    delete, path = "/api/auth/organizations/{organization}", operation_id = "deleteOrganization",
    tag = "Organizations",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("owner"))),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_organization(
    State(core): State<Core>,
    place: InOrganization<AsOwner>,
) -> Answer<StatusCode> {
    core.delete_organization(&place.access).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leave an organization
///
/// You lose access at once. Its last owner transfers the ownership first, or deletes it.
#[utoipa::path(
    post, path = "/api/auth/organizations/{organization}:leave",
    operation_id = "leaveOrganization", tag = "Organizations",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("member"))),
    responses((status = 204, description = "You have left.")),
)]
async fn leave_organization(
    State(core): State<Core>,
    place: InOrganization<AsMember>,
) -> Answer<StatusCode> {
    core.leave_organization(&place.access).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body of `transferOwnership`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OwnershipBody {
    /// A member.
    #[schema(max_length = 64)]
    user_id: String,
}

impl RequestBody for OwnershipBody {}

/// Transfer the ownership
///
/// Another member becomes an owner, and you an administrator.
#[utoipa::path(
    post, path = "/api/auth/organizations/{organization}:transfer-ownership",
    operation_id = "transferOwnership", tag = "Organizations",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("owner"))),
    request_body(content = OwnershipBody, example = json!({
        "userId": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C"
    })),
    responses((status = 204, description = "Transferred.")),
)]
async fn transfer_ownership(
    State(core): State<Core>,
    place: InOrganization<AsOwner>,
    body: Json<OwnershipBody>,
) -> Answer<StatusCode> {
    let to = body.draft.map(|body| body.user_id);
    core.transfer_ownership(&place.access, to).await?;
    Ok(StatusCode::NO_CONTENT)
}
