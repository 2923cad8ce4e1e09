//! The tree of routes.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use http::{HeaderName, HeaderValue, Method, header};
use tower::ServiceExt as _;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::failure::Failure;
use crate::observe::observe;
use crate::state::ApiState;
use crate::verbs::{internal_path, move_verb};
use crate::{
    audit, auth, backfills, channels, chats, communities, contacts, events, group_invites, groups,
    labels, media, message_extras, messages, presence, probes, profile, realtime, reference,
    scheduled, search, sessions, status, storage, webhook_actions, webhooks,
};

/// The documented routes, in the order of the document.
pub(crate) fn documented() -> Vec<UtoipaMethodRouter<ApiState>> {
    [
        sessions::routes(),
        messages::routes(),
        message_extras::routes(),
        scheduled::routes(),
        search::routes(),
        media::routes(),
        chats::routes(),
        labels::routes(),
        contacts::routes(),
        groups::routes(),
        group_invites::routes(),
        communities::routes(),
        channels::routes(),
        backfills::routes(),
        presence::routes(),
        profile::routes(),
        status::routes(),
        storage::routes(),
        webhooks::routes(),
        webhook_actions::routes(),
        events::routes(),
        realtime::routes(),
        audit::routes(),
        auth::routes(),
        auth::admin_routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The whole service as a router.
pub fn router(state: ApiState) -> Router {
    // The colon that begins a moved verb is a literal; see `verbs`.
    let mut inner = Router::<ApiState>::new().without_v07_checks();
    for (_, paths, methods) in documented() {
        for path in paths.paths.keys() {
            inner = inner.route(&internal_path(path), methods.clone());
        }
    }
    let inner = inner
        .merge(probes::routes(&state))
        .merge(reference::routes())
        .merge(auth::pages())
        .fallback(async || Failure::UnknownRoute)
        .method_not_allowed_fallback(async || Failure::UnknownMethod)
        // Bodies are bounded where they are read.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(state.clone(), observe));
    let cors = cors(&state.config().cors_origins);
    let inner = inner.with_state(state);
    let outer = Router::new().fallback_service(inner.map_request(move_verb));
    match cors {
        Some(cors) => outer.layer(cors),
        None => outer,
    }
}

/// What web pages of other origins may do: nothing, unless the operator names the origins.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<_> = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok())
        .collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([HeaderName::from_static("x-request-id"), header::RETRY_AFTER]);
    Some(layer)
}
