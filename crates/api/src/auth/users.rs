//! The operator's routes: everybody's accounts, every organization.

use axum::Json as Reply;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, Page, UserChange, UserQuery};
use wagate_model::PlatformRole;

use super::shapes::{ListOrganization, ListUser, UserAccount};
use crate::access::{Can, InUser, SuperAdmin};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_users),
        routes!(get_user, update_user),
        routes!(ban_user),
        routes!(unban_user),
        routes!(create_password_reset_link),
        routes!(remove_user_totp),
        routes!(list_all_organizations),
    ]
}

impl FromQuery for UserQuery {
    fn from_params(params: &mut Params) -> Self {
        Self {
            email: params.text("email"),
            page: Page::from_params(params),
        }
    }
}

/// List users
///
/// Everybody who has an account, in the order in which the accounts were made.
#[utoipa::path(
    get, path = "/api/v1/admin/users", operation_id = "adminListUsers", tag = "Admin",
    params(
        ("email" = Option<String>, Query, description = "Only addresses that begin so."),
        ("limit" = Option<i64>, Query, description = "Users of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    responses((status = 200, description = "The users.", body = ListUser, example = json!({
        "data": [{
            "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
            "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
            "secondFactor": false, "createdAt": 1_767_225_600_000_i64
        }]
    }))),
)]
async fn list_users(
    State(core): State<Core>,
    can: Can<SuperAdmin>,
    Query(query): Query<UserQuery>,
) -> Answer<Reply<ListUser>> {
    let page = core.list_users(&can.caller, query).await?;
    Ok(Reply(ListUser {
        data: page.users.into_iter().map(Into::into).collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Get a user
///
/// One account, banned or not.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{user}", operation_id = "adminGetUser", tag = "Admin",
    params(("user" = String, Path, description = "The user's id.")),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    responses((status = 200, description = "The user.", body = UserAccount, example = json!({
        "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
        "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
        "secondFactor": false, "createdAt": 1_767_225_600_000_i64
    }))),
)]
async fn get_user(State(core): State<Core>, user: InUser) -> Reply<UserAccount> {
    Reply(core.get_user(user.access).into())
}

/// The body of `adminUpdateUser`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserChangeBody {
    /// What the user may do beyond organizations.
    platform_role: Option<PlatformRole>,
}

impl RequestBody for UserChangeBody {}

/// Update a user
///
/// Makes an account another operator's, or an ordinary one. Nobody takes the role from
/// themselves, so that one operator stays.
#[utoipa::path(
    patch, path = "/api/v1/admin/users/{user}", operation_id = "adminUpdateUser", tag = "Admin",
    params(("user" = String, Path, description = "The user's id.")),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    request_body(content = UserChangeBody, example = json!({ "platformRole": "super_admin" })),
    responses((status = 200, description = "The user.", body = UserAccount, example = json!({
        "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
        "platformRole": "super_admin", "emailConfirmed": true, "passwordSet": true,
        "secondFactor": false, "createdAt": 1_767_225_600_000_i64
    }))),
)]
async fn update_user(
    State(core): State<Core>,
    user: InUser,
    body: Json<UserChangeBody>,
) -> Answer<Reply<UserAccount>> {
    let change = body.draft.map(|body| UserChange {
        platform_role: body.platform_role,
    });
    Ok(Reply(core.update_user(&user.access, change).await?.into()))
}

/// The body of `adminBanUser`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BanBody {
    /// Why, for other operators.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

impl RequestBody for BanBody {
    const IS_OPTIONAL: bool = true;
}

/// Ban a user
///
/// The person cannot sign in any more; whatever is signed in is signed out, and open sockets
/// are closed, at once.
#[utoipa::path(
    post, path = "/api/v1/admin/users/{user}:ban", operation_id = "adminBanUser", tag = "Admin",
    params(("user" = String, Path, description = "The user's id.")),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    request_body(content = BanBody, example = json!({ "reason": "sends spam" })),
    responses((status = 200, description = "The user.", body = UserAccount, example = json!({
        "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
        "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
        "secondFactor": false, "createdAt": 1_767_225_600_000_i64,
        "bannedAt": 1_767_225_700_000_i64, "banReason": "sends spam"
    }))),
)]
async fn ban_user(
    State(core): State<Core>,
    user: InUser,
    body: Json<BanBody>,
) -> Answer<Reply<UserAccount>> {
    let reason = body.draft.map(|body| body.reason);
    Ok(Reply(core.ban_user(&user.access, reason).await?.into()))
}

/// End a ban
///
/// The person can sign in again; what was signed in before stays signed out.
#[utoipa::path(
    post, path = "/api/v1/admin/users/{user}:unban", operation_id = "adminUnbanUser",
    tag = "Admin",
    params(("user" = String, Path, description = "The user's id.")),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    responses((status = 200, description = "The user.", body = UserAccount, example = json!({
        "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
        "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
        "secondFactor": false, "createdAt": 1_767_225_600_000_i64
    }))),
)]
async fn unban_user(State(core): State<Core>, user: InUser) -> Answer<Reply<UserAccount>> {
    Ok(Reply(core.unban_user(&user.access).await?.into()))
}

/// A link to hand over.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PasswordResetLink {
    /// It works once, for an hour.
    link: String,
}

/// Make a link for a new password
///
/// For somebody whom you know: hand it over in a safe way. Earlier links are void.
#[utoipa::path(
    post, path = "/api/v1/admin/users/{user}:reset-password",
    operation_id = "adminCreatePasswordResetLink", tag = "Admin",
    params(("user" = String, Path, description = "The user's id.")),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    responses((status = 200, description = "The link.", body = PasswordResetLink,
        example = json!({
            "link": "https://example.com/account/reset-password#token=Zm9yIGV4YW1wbGUgb25seQ"
        }))),
)]
async fn create_password_reset_link(
    State(core): State<Core>,
    user: InUser,
) -> Answer<Reply<PasswordResetLink>> {
    let link = core.issue_password_reset(&user.access).await?;
    Ok(Reply(PasswordResetLink { link }))
}

/// Switch a user's second factor off
///
/// For somebody whom you know, and who lost it.
#[utoipa::path(
    post, path = "/api/v1/admin/users/{user}:remove-totp", operation_id = "adminRemoveUserTotp",
    tag = "Admin",
    params(("user" = String, Path, description = "The user's id.")),
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    responses((status = 200, description = "The user.", body = UserAccount, example = json!({
        "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
        "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
        "secondFactor": false, "createdAt": 1_767_225_600_000_i64
    }))),
)]
async fn remove_user_totp(State(core): State<Core>, user: InUser) -> Answer<Reply<UserAccount>> {
    Ok(Reply(core.remove_totp(&user.access).await?.into()))
}

/// List all organizations
///
/// Every organization of the installation, oldest first, in one page.
#[utoipa::path(
    get, path = "/api/v1/admin/organizations", operation_id = "adminListOrganizations",
    tag = "Admin", security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    responses((status = 200, description = "The organizations.", body = ListOrganization,
        example = json!({ "data": [{
            "id": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "name": "Example",
            "createdAt": 1_767_225_600_000_i64
        }] }))),
)]
async fn list_all_organizations(
    State(core): State<Core>,
    can: Can<SuperAdmin>,
) -> Answer<Reply<ListOrganization>> {
    let organizations = core.list_all_organizations(&can.caller).await?;
    Ok(Reply(organizations.into_iter().collect()))
}
