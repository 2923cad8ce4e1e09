//! Routes of login tokens.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;

use super::cookies::SignedIn;
use crate::failure::Answer;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(create_login_token), routes!(get_login_token_keys)]
}

/// A login token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LoginToken {
    /// When it expires, in milliseconds since 1970.
    expires_at: i64,
    /// The token, to send as `Authorization: Bearer`.
    token: String,
}

/// Get a login token
///
/// Makes a token of five minutes for this browser's login, which the rest of the API takes.
/// It ends sooner with the login; what the person may do is looked up at each use.
#[utoipa::path(
    get, path = "/api/auth/token", operation_id = "createLoginToken", tag = "Login",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    responses((status = 200, description = "The token.", body = LoginToken, example = json!({
        "token": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl", "expiresAt": 1_767_225_900_000_i64
    }))),
)]
async fn create_login_token(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
) -> Answer<Reply<LoginToken>> {
    let minted = core.create_login_token(&login).await?;
    Ok(Reply(LoginToken {
        expires_at: minted.expires_at,
        token: minted.token,
    }))
}

/// A set of public keys (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
struct JwkSet {
    /// The keys.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Value>,
}

/// Get the keys of login tokens
///
/// The public keys that login tokens are signed with (EdDSA with Ed25519), as a JWK set: for
/// other services that take the tokens, too. One that was retired stays as long as its tokens.
#[utoipa::path(
    get, path = "/api/auth/jwks", operation_id = "getLoginTokenKeys", tag = "Login",
    security(()),
    responses((status = 200, description = "The keys.", body = JwkSet, example = json!({
        "keys": [{
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": "tk_01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        }]
    }))),
)]
async fn get_login_token_keys(State(core): State<Core>) -> Answer<Response> {
    let keys: Arc<Value> = core.login_token_keys().await?;
    let mut response = Reply(&*keys).into_response();
    // As long as the key after next takes to come: nobody needs to ask for each token.
    let caching = HeaderValue::from_static("public, max-age=60");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, caching);
    Ok(response)
}
