//! What every request passes through: its id, its span, its figures, and the catching of panics.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use http::{HeaderName, HeaderValue, Method, Version, header};
use tokio::time::Instant;
use tracing::Instrument as _;
use utoipa::openapi::OpenApi;
use wagate_core::Error;

use crate::failure::Failure;
use crate::openapi::operations_of;
use crate::state::{ApiConfig, ApiState};
use crate::verbs::internal_path;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id that is taken over from a caller, in characters.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// The names of the operations, by method and the router's path.
#[derive(Debug, Default)]
pub(crate) struct Operations(HashMap<(Method, String), String>);

impl Operations {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut operations = HashMap::new();
        for (path, method, operation) in operations_of(document) {
            let name = operation.operation_id.clone().unwrap_or_default();
            operations.insert((method, internal_path(path)), name);
        }
        Self(operations)
    }

    /// The name of what a request asks for; never anything that the caller wrote.
    fn name(&self, request: &Request) -> &str {
        let path = request.extensions().get::<MatchedPath>();
        path.and_then(|path| {
            let key = (request.method().clone(), path.as_str().to_owned());
            self.0.get(&key)
        })
        .map_or("other", String::as_str)
    }
}

/// The caller's id of a request: bounded visible ASCII.
fn given_id(request: &Request) -> Option<HeaderValue> {
    let value = request.headers().get(REQUEST_ID)?;
    let bytes = value.as_bytes();
    let is_fine =
        (1..=MAX_REQUEST_ID_CHARS).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    is_fine.then(|| value.clone())
}

/// What is wrong with the size of a request's line and headers.
///
/// The server's own limits are far above these: beyond them it can only hang up.
fn oversized(request: &Request, config: &ApiConfig) -> Option<Failure> {
    // Each header ends a line, and has a colon and a space.
    const EXTRA_BYTES: usize = 4;
    let headers = request.headers();
    let line = request.uri().path().len() + request.uri().query().map_or(0, str::len);
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + EXTRA_BYTES)
        .fold(line, usize::saturating_add);
    let message = if bytes > config.header_bytes {
        format!("must have at most {} bytes", config.header_bytes)
    } else if headers.len() > config.header_count {
        format!("must be at most {}", config.header_count)
    } else {
        return None;
    };
    Some(Failure::invalid("headers", message))
}

/// Runs a request in its span, and answers it even when it panics.
pub(crate) async fn observe(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let id = given_id(&request).unwrap_or_else(|| {
        HeaderValue::try_from(state.core().new_request_id().to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    });
    let operation = state.operations().name(&request).to_owned();
    // The path is not logged: it holds JIDs.
    let span = tracing::info_span!(
        "http.request",
        request.id = id.to_str().unwrap_or_default(),
        operation,
        method = %request.method(),
        status = tracing::field::Empty,
    );
    let started = Instant::now();
    let refusal = oversized(&request, state.config());
    // Of a connection whose requests are that large, nothing more is read.
    let hangs_up = refusal.is_some() && request.version() < Version::HTTP_2;
    let answer = async {
        match refusal {
            Some(refusal) => refusal.into_response(),
            None => next.run(request).await,
        }
    };
    let answer = AssertUnwindSafe(answer).catch_unwind();
    let mut response = async {
        let response = answer.await.unwrap_or_else(|_| {
            // The panic's text may quote what a caller sent; its place is in the hook's line.
            let error = anyhow::anyhow!("a handler panicked");
            Failure::Core(Error::Internal(error)).into_response()
        });
        let (status, elapsed) = (response.status().as_u16(), started.elapsed());
        tracing::Span::current().record("status", status);
        tracing::debug!(
            duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        metrics::counter!(
            "wagate_http_requests_total",
            "operation" => operation.clone(),
            "status" => status.to_string(),
        )
        .increment(1);
        metrics::histogram!("wagate_http_request_duration_seconds", "operation" => operation)
            .record(elapsed.as_secs_f64());
        response
    }
    .instrument(span)
    .await;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    if hangs_up {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let mut default = |name, value| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::REFERRER_POLICY, "no-referrer");
    default(header::CACHE_CONTROL, "no-store");
    default(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    response
}
