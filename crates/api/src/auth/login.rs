//! Routes at the door: signing up, in and out, and new passwords.

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, LogInForm, PasswordReset, SignUpForm};

use super::cookies::{SetCookie, SignedIn};
use super::shapes::LoginState;
use super::visitor::Visitor;
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(get_login_options),
        routes!(sign_up),
        routes!(confirm_email),
        routes!(log_in),
        routes!(log_out),
        routes!(request_password_reset),
        routes!(reset_password),
    ]
}

/// What a page that signs people in has to know.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LoginOptionsAnswer {
    /// `mail`: a link for a new password comes by mail; `operator`: the operator hands it over.
    #[schema(value_type = String)]
    password_reset: &'static str,
    /// Providers that people can sign in with, by `/api/auth/oidc/{id}:start`.
    providers: Vec<LoginProvider>,
    /// Who may make an account: `open`, `invitation` or `closed`.
    #[schema(value_type = String)]
    sign_up: &'static str,
}

/// A provider that people can sign in with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LoginProvider {
    /// What it is called in paths.
    id: String,
    /// What people call it.
    name: String,
}

/// Login options
///
/// What this installation offers to people who are not signed in.
#[utoipa::path(
    get, path = "/api/auth/options", operation_id = "getLoginOptions", tag = "Login",
    security(()),
    responses((status = 200, description = "The options.", body = LoginOptionsAnswer,
        example = json!({
            "passwordReset": "mail", "providers": [{ "id": "corp", "name": "Corp" }],
            "signUp": "invitation"
        }))),
)]
async fn get_login_options(State(core): State<Core>) -> Reply<LoginOptionsAnswer> {
    let options = core.login_options();
    Reply(LoginOptionsAnswer {
        password_reset: if options.has_mail { "mail" } else { "operator" },
        providers: core
            .login_providers()
            .map(|(id, name)| LoginProvider {
                id: id.to_owned(),
                name: name.to_owned(),
            })
            .collect(),
        sign_up: options.sign_up.as_str(),
    })
}

/// The body of `signUp`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignUpBody {
    /// The address; its case does not matter.
    #[schema(max_length = 254)]
    email: String,
    /// What you are called.
    #[schema(max_length = 100)]
    name: String,
    /// 10 to 256 characters.
    #[schema(max_length = 256, format = Password)]
    password: String,
}

impl RequestBody for SignUpBody {}

/// Sign up
///
/// Makes an account, where anybody may (see the login options; 403 otherwise). The answer
/// does not tell whether the address has an account already. Where mail is set up, the account
/// works once its address is confirmed by the link that comes by mail.
#[utoipa::path(
    post, path = "/api/auth/sign-up", operation_id = "signUp", tag = "Login",
    security(()),
    request_body(content = SignUpBody, example = json!({
        "email": "ann@example.com", "name": "Ann", "password": "correct horse battery"
    })),
    responses((status = 202, description = "Accepted.")),
)]
async fn sign_up(
    State(core): State<Core>,
    visitor: Visitor,
    body: Json<SignUpBody>,
) -> Answer<StatusCode> {
    let form = body.draft.map(|body| SignUpForm {
        email: body.email,
        name: body.name,
        password: body.password.into(),
    });
    core.sign_up(form, &visitor.0).await?;
    Ok(StatusCode::ACCEPTED)
}

/// What is in a one-time link.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LinkBody {
    /// What stands behind `#token=` in the link.
    #[schema(max_length = 128)]
    pub(super) token: String,
}

impl RequestBody for LinkBody {}

/// Confirm an address
///
/// Confirms the address of a new account by the link that came by mail.
#[utoipa::path(
    post, path = "/api/auth/sign-up:confirm", operation_id = "confirmEmail", tag = "Login",
    security(()),
    request_body(content = LinkBody, example = json!({ "token": "Zm9yIGV4YW1wbGUgb25seQ" })),
    responses((status = 204, description = "Confirmed.")),
)]
async fn confirm_email(
    State(core): State<Core>,
    _: Visitor,
    body: Json<LinkBody>,
) -> Answer<StatusCode> {
    core.confirm_email(body.draft.map(|body| body.token))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The body of `logIn`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogInBody {
    /// A code of the second factor, or a recovery code.
    #[schema(max_length = 64)]
    code: Option<String>,
    /// The address; its case does not matter.
    #[schema(max_length = 254)]
    email: String,
    /// The password.
    #[schema(max_length = 256, format = Password)]
    password: String,
}

impl RequestBody for LogInBody {}

/// Log in
///
/// Signs the browser in by a cookie. A 401 carries `details.reason`: `wrong_credentials`
/// (which does not tell whether there is such an account), `second_factor_required` (ask for
/// a code and send all of it again), or `wrong_second_factor`. After several failures the
/// account and the address are slowed down: 429 with `Retry-After`.
#[utoipa::path(
    post, path = "/api/auth/login", operation_id = "logIn", tag = "Login",
    security(()),
    request_body(content = LogInBody, example = json!({
        "email": "ann@example.com", "password": "correct horse battery", "code": "123456"
    })),
    responses((status = 200, description = "Signed in.", body = LoginState, example = json!({
        "id": "login_01J9ZX8K2QHV0M3T6R7P4N5W8C", "expiresAt": 1_769_817_600_000_i64,
        "activeOrganizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "organizations": [{
            "id": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "name": "Example", "role": "owner",
            "createdAt": 1_767_225_600_000_i64
        }],
        "user": {
            "id": "user_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "ann@example.com", "name": "Ann",
            "platformRole": "user", "emailConfirmed": true, "passwordSet": true,
            "secondFactor": false, "createdAt": 1_767_225_600_000_i64
        }
    }))),
)]
async fn log_in(
    State(core): State<Core>,
    State(state): State<ApiState>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Json<LogInBody>,
) -> Answer<Response> {
    let form = body.draft.map(|body| LogInForm {
        email: body.email,
        password: body.password.into(),
        code: body.code,
    });
    let login = core.log_in(form, &visitor.0).await?;
    let cookie = SetCookie::login(&login.secret, &headers, state.config());
    Ok((cookie, Reply(LoginState::from(login.current))).into_response())
}

/// Log out
///
/// Ends this browser's login; tokens made from it stop working.
#[utoipa::path(
    post, path = "/api/auth/logout", operation_id = "logOut", tag = "Login",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    responses((status = 204, description = "Signed out.")),
)]
async fn log_out(
    State(core): State<Core>,
    State(state): State<ApiState>,
    SignedIn(login): SignedIn,
    headers: HeaderMap,
) -> Answer<Response> {
    core.log_out(&login).await?;
    let cookie = SetCookie::logout(&headers, state.config());
    Ok((StatusCode::NO_CONTENT, cookie, ()).into_response())
}

/// The body of `requestPasswordReset`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordResetRequestBody {
    /// The account's address.
    #[schema(max_length = 254)]
    email: String,
}

impl RequestBody for PasswordResetRequestBody {}

/// Ask for a new password
///
/// Mails a link that sets a new password. The answer does not tell whether the address has
/// an account. Where no mail is set up, nothing is sent: the operator makes the link.
#[utoipa::path(
    post, path = "/api/auth/password-resets", operation_id = "requestPasswordReset",
    tag = "Login", security(()),
    request_body(content = PasswordResetRequestBody,
        example = json!({ "email": "ann@example.com" })),
    responses((status = 202, description = "Accepted.")),
)]
async fn request_password_reset(
    State(core): State<Core>,
    visitor: Visitor,
    body: Json<PasswordResetRequestBody>,
) -> Answer<StatusCode> {
    let email = body.draft.map(|body| body.email);
    core.request_password_reset(email, &visitor.0).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The body of `resetPassword`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordResetBody {
    /// 10 to 256 characters.
    #[schema(max_length = 256, format = Password)]
    password: String,
    /// What stands behind `#token=` in the link.
    #[schema(max_length = 128)]
    token: String,
}

impl RequestBody for PasswordResetBody {}

/// Set a new password
///
/// Sets a new password by a link, which works once. Every browser is signed out.
#[utoipa::path(
    post, path = "/api/auth/password-resets:confirm", operation_id = "resetPassword",
    tag = "Login", security(()),
    request_body(content = PasswordResetBody, example = json!({
        "token": "Zm9yIGV4YW1wbGUgb25seQ", "password": "correct horse battery"
    })),
    responses((status = 204, description = "Set.")),
)]
async fn reset_password(
    State(core): State<Core>,
    _: Visitor,
    body: Json<PasswordResetBody>,
) -> Answer<StatusCode> {
    let reset = body.draft.map(|body| PasswordReset {
        token: body.token,
        password: body.password.into(),
    });
    core.reset_password(reset).await?;
    Ok(StatusCode::NO_CONTENT)
}
