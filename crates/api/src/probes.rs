//! Whether the service lives, whether it can work, and its figures.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, Value, json};

use crate::failure::{Answer, Failure};
use crate::state::ApiState;

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn routes(state: &ApiState) -> Router<ApiState> {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz));
    if state.config().serves_metrics && state.metrics().is_some() {
        router.route("/metrics", get(metrics))
    } else {
        router
    }
}

/// Serves `/metrics` alone, for an address of its own.
pub fn metrics_router(handle: PrometheusHandle) -> Router {
    let render = async move || render(&handle);
    Router::new().route("/metrics", get(render))
}

async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn readyz(State(state): State<ApiState>) -> Answer<Json<Value>> {
    let readiness = state.core().readiness().await;
    let word = |is_ready| if is_ready { "ok" } else { "unavailable" };
    let mut checks = Map::new();
    checks.insert("store".into(), word(readiness.is_store_ready).into());
    checks.insert("bus".into(), word(readiness.is_bus_ready).into());
    if !readiness.is_ready() || state.stop().is_cancelled() {
        return Err(Failure::NotReady(checks));
    }
    Ok(Json(json!({ "status": "ready", "checks": checks })))
}

async fn metrics(State(state): State<ApiState>) -> Response {
    match state.metrics() {
        Some(handle) => render(handle),
        None => Failure::UnknownRoute.into_response(),
    }
}

fn render(handle: &PrometheusHandle) -> Response {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], handle.render()).into_response()
}
