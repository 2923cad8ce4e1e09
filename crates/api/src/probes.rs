//! Whether the service lives, whether it can work, and its figures.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use wagate_core::Health;

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

/// Serves `/healthz`, `/readyz` and `/metrics` alone, for an address of their own and for
/// processes without the API.
pub fn probes_router(health: Health, handle: PrometheusHandle, stop: CancellationToken) -> Router {
    let render = async move || render(&handle);
    let ready = async move || ready(&health, &stop).await;
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
}

async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn readyz(State(state): State<ApiState>) -> Answer<Json<Value>> {
    ready(&state.core().health, state.stop()).await
}

async fn ready(health: &Health, stop: &CancellationToken) -> Answer<Json<Value>> {
    let readiness = health.readiness().await;
    let files = if readiness.takes_files {
        "ok"
    } else {
        "paused"
    };
    let checks: Map<String, Value> = [
        ("store", readiness.is_store_ready),
        ("storeWriter", readiness.is_writer_ready),
        ("bus", readiness.is_bus_ready),
        ("process", !stop.is_cancelled()),
    ]
    .into_iter()
    .map(|(part, works)| {
        let word = if works { "ok" } else { "unavailable" };
        (part.to_owned(), word.into())
    })
    // Where files wait for room, all else goes on.
    .chain([("media".to_owned(), files.into())])
    .collect();
    if !readiness.is_ready() || stop.is_cancelled() {
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
