//! Routes of one's own account and logins.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, PasswordChange};

use super::cookies::SignedIn;
use super::shapes::{ListLogin, LoginEntry, LoginState, UserAccount};
use crate::access::{Named, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(get_login),
        routes!(switch_organization),
        routes!(list_logins),
        routes!(end_login),
        routes!(update_account),
        routes!(change_password),
    ]
}

/// Who is signed in
///
/// The person behind this browser's cookie, with the organizations that the person is in.
#[utoipa::path(
    get, path = "/api/auth/session", operation_id = "getLogin", tag = "Account",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    responses((status = 200, description = "The login.", body = LoginState, example = json!({
        "id": "login_01J9ZX8K2QHV0M3T6R7P4N5W8C", "expiresAt": 1_769_817_600_000_i64,
        "organizations": [],
        "user": {
            "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
            "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
            "secondFactor": true, "createdAt": 1_767_225_600_000_i64
        }
    }))),
)]
async fn get_login(SignedIn(login): SignedIn) -> Reply<LoginState> {
    Reply(login.into())
}

/// The body of `switchOrganization`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SwitchOrganizationBody {
    /// One of your organizations; any, for the operator.
    #[schema(max_length = 64)]
    organization_id: String,
}

impl RequestBody for SwitchOrganizationBody {}

/// Switch the organization
///
/// Makes another of your organizations the active one of this browser: tokens made from now
/// on are for it.
#[utoipa::path(
    post, path = "/api/auth/session:switch-organization", operation_id = "switchOrganization",
    tag = "Account", security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    request_body(content = SwitchOrganizationBody, example = json!({
        "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C"
    })),
    responses((status = 200, description = "The login.", body = LoginState, example = json!({
        "id": "login_01J9ZX8K2QHV0M3T6R7P4N5W8C", "expiresAt": 1_769_817_600_000_i64,
        "activeOrganizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "organizations": [],
        "user": {
            "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
            "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
            "secondFactor": true, "createdAt": 1_767_225_600_000_i64
        }
    }))),
)]
async fn switch_organization(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    body: Json<SwitchOrganizationBody>,
) -> Answer<Reply<LoginState>> {
    let organization = body.draft.map(|body| body.organization_id);
    let login = core.switch_organization(login, organization).await?;
    Ok(Reply(login.into()))
}

/// List logins
///
/// The browsers that you are signed in with, newest first.
#[utoipa::path(
    get, path = "/api/auth/logins", operation_id = "listLogins", tag = "Account",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    responses((status = 200, description = "The logins.", body = ListLogin, example = json!({
        "data": [{
            "id": "login_01J9ZX8K2QHV0M3T6R7P4N5W8C", "current": true, "userAgent": "Firefox",
            "createdAt": 1_767_225_600_000_i64, "lastUsedAt": 1_767_225_600_000_i64,
            "expiresAt": 1_769_817_600_000_i64
        }]
    }))),
)]
async fn list_logins(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
) -> Answer<Reply<ListLogin>> {
    let current = login.record.id;
    let logins = core.list_logins(&login).await?;
    let logins = logins.into_iter();
    Ok(Reply(
        logins
            .map(|record| LoginEntry::of(record, current))
            .collect(),
    ))
}

/// Sign a browser out
///
/// Ends one of your logins; tokens made from it stop working.
#[utoipa::path(
    delete, path = "/api/auth/logins/{login}", operation_id = "endLogin", tag = "Account",
    params(("login" = String, Path, description = "The login's id.")),
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    responses((status = 204, description = "Signed out.")),
)]
async fn end_login(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    id: Named<parts::Login>,
) -> Answer<StatusCode> {
    core.end_login(&login, &id.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body of `updateAccount`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountBody {
    /// What you are called.
    #[schema(max_length = 100)]
    name: String,
}

impl RequestBody for AccountBody {}

/// Update your account
///
/// Changes what you are called.
#[utoipa::path(
    patch, path = "/api/auth/account", operation_id = "updateAccount", tag = "Account",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    request_body(content = AccountBody, example = json!({ "name": "Ann" })),
    responses((status = 200, description = "The account.", body = UserAccount, example = json!({
        "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
        "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
        "secondFactor": true, "createdAt": 1_767_225_600_000_i64
    }))),
)]
async fn update_account(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    body: Json<AccountBody>,
) -> Answer<Reply<UserAccount>> {
    let name = body.draft.map(|body| body.name);
    Ok(Reply(core.rename_account(&login, name).await?.into()))
}

/// The body of `changePassword`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordChangeBody {
    /// The password as it is.
    #[schema(max_length = 256, format = Password)]
    current_password: String,
    /// 10 to 256 characters.
    #[schema(max_length = 256, format = Password)]
    new_password: String,
}

impl RequestBody for PasswordChangeBody {}

/// Change the password
///
/// Your other browsers are signed out; links for a new password are void.
#[utoipa::path(
    post, path = "/api/auth/password", operation_id = "changePassword", tag = "Account",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    request_body(content = PasswordChangeBody, example = json!({
        "currentPassword": "correct horse battery", "newPassword": "incorrect horse battery"
    })),
    responses((status = 204, description = "Changed.")),
)]
async fn change_password(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    body: Json<PasswordChangeBody>,
) -> Answer<StatusCode> {
    let change = body.draft.map(|body| PasswordChange {
        current: body.current_password.into(),
        new: body.new_password.into(),
    });
    core.change_password(&login, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
