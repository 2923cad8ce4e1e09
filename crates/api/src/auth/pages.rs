//! The pages that one-time links open.

use axum::Router;
use axum::response::Response;
use axum::routing::get;

use crate::assets::asset;
use crate::state::ApiState;

const PAGE: &str = include_str!("pages/account.html");
const STYLE: &str = include_str!("pages/account.css");
const SCRIPT: &str = include_str!("pages/account.js");

/// As for the reference page: its own script, its own origin, and in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<ApiState> {
    let page = || get(async || part("text/html; charset=utf-8", PAGE));
    Router::new()
        .route("/account/reset-password", page())
        .route("/account/invitation", page())
        .route("/account/confirm", page())
        .route(
            "/account/page.css",
            get(async || part("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/account/page.js",
            get(async || part("text/javascript; charset=utf-8", SCRIPT)),
        )
}

fn part(content_type: &'static str, text: &'static str) -> Response {
    asset(content_type, POLICY, text)
}
