//! The OpenAPI document and the page that shows it, which works without internet.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header;

use crate::assets::asset;
use crate::state::ApiState;

const PAGE: &str = include_str!("reference/page.html");
const STYLE: &str = include_str!("reference/page.css");
const SCRIPT: &str = include_str!("reference/page.js");

/// The page runs its own script and talks to its own origin; nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/openapi.json", get(openapi_json))
        .route("/api/v1/openapi.yaml", get(openapi_yaml))
        .route(
            "/docs",
            get(async || part("text/html; charset=utf-8", PAGE)),
        )
        .route(
            "/docs/page.css",
            get(async || part("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/docs/page.js",
            get(async || part("text/javascript; charset=utf-8", SCRIPT)),
        )
}

fn part(content_type: &'static str, text: &'static str) -> Response {
    asset(content_type, POLICY, text)
}

async fn openapi_json(State(state): State<ApiState>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        state.openapi_json(),
    )
}

async fn openapi_yaml(State(state): State<ApiState>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/yaml")],
        state.openapi_yaml(),
    )
}
