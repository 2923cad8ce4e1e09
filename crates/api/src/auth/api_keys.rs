//! Routes of an organization's API keys: for people only, so that a stolen key makes no other.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{ApiKeyForm, Core};
use wagate_model::Capability;

use super::shapes::{ApiKeyEntry, ListApiKey};
use crate::access::{AsAdmin, InOrganization, Named, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_api_keys, create_api_key),
        routes!(revoke_api_key),
    ]
}

/// List API keys
///
/// All of the organization's keys, revoked and expired ones too, oldest first; without their
/// secrets.
#[utoipa::path(
    get, path = "/api/auth/organizations/{organization}/api-keys", operation_id = "listApiKeys",
    tag = "API keys",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    responses((status = 200, description = "The keys.", body = ListApiKey, example = json!({
        "data": [{
            "id": "key_01J9ZX8K2QHV0M3T6R7P4N5W8C", "name": "CRM", "prefix": "wa_h3Kd9x",
            "permissions": ["read", "send"], "createdAt": 1_767_225_600_000_i64,
            "lastUsedAt": 1_767_225_660_000_i64
        }]
    }))),
)]
async fn list_api_keys(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
) -> Answer<Reply<ListApiKey>> {
    let keys = core.list_api_keys(&place.access).await?;
    let entries = keys.into_iter();
    Ok(Reply(
        entries.map(|key| ApiKeyEntry::of(key, None)).collect(),
    ))
}

/// The body of `createApiKey`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApiKeyBody {
    /// When it stops working, in milliseconds since 1970; never where absent.
    expires_at: Option<i64>,
    /// What it is for.
    #[schema(max_length = 100)]
    name: String,
    /// What it may do: at least one.
    #[schema(max_items = 16)]
    permissions: Vec<Capability>,
    /// The only sessions that it may touch; all where absent.
    #[schema(max_items = 1000)]
    session_ids: Option<Vec<String>>,
}

impl RequestBody for ApiKeyBody {}

/// Create an API key
///
/// The key itself is in `key`, shown this once.
#[utoipa::path(
    post, path = "/api/auth/organizations/{organization}/api-keys",
    operation_id = "createApiKey", tag = "API keys",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    request_body(content = ApiKeyBody, example = json!({
        "name": "CRM", "permissions": ["read", "send"], "expiresAt": 1_798_761_600_000_i64
    })),
    responses((status = 201, description = "The key.", body = ApiKeyEntry, example = json!({
        "id": "key_01J9ZX8K2QHV0M3T6R7P4N5W8C", "name": "CRM", "prefix": "wa_h3Kd9x",
        "permissions": ["read", "send"], "createdAt": 1_767_225_600_000_i64,
        "expiresAt": 1_798_761_600_000_i64,
        "key": "wa_h3Kd9xZm9yIGV4YW1wbGUgb25seQAAAAAAAAAAAAAAAAA"
    }))),
)]
async fn create_api_key(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
    body: Json<ApiKeyBody>,
) -> Answer<(StatusCode, Reply<ApiKeyEntry>)> {
    let form = body.draft.map(|body| ApiKeyForm {
        name: body.name,
        permissions: body.permissions,
        expires_at: body.expires_at,
        session_ids: body.session_ids,
    });
    let made = core.create_api_key(&place.access, form).await?;
    let shown = ApiKeyEntry::of(made.key, Some(made.secret.reveal()));
    Ok((StatusCode::CREATED, Reply(shown)))
}

/// Revoke an API key
///
/// It stops working at once, everywhere; its sockets are closed. Repeating it changes nothing.
#[utoipa::path(
    delete, path = "/api/auth/organizations/{organization}/api-keys/{key}",
    operation_id = "revokeApiKey", tag = "API keys",
    params(
        ("organization" = String, Path, description = "The organization's id."),
        ("key" = String, Path, description = "The key's id."),
    ),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    responses((status = 204, description = "Revoked.")),
)]
async fn revoke_api_key(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
    key: Named<parts::Key>,
) -> Answer<StatusCode> {
    core.revoke_api_key(&place.access, &key.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
