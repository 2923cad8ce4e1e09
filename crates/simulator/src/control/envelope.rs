//! The error envelope of every answer that is not a success.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::phone::PhoneError;

/// An error on its way to the client.
pub(crate) struct ApiError(PhoneError);

impl<E: Into<PhoneError>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let message = self.0.to_string();
        let (status, code, details) = match self.0 {
            PhoneError::Invalid(errors) => (
                StatusCode::BAD_REQUEST,
                "validation_error",
                Some(json!({ "errors": errors })),
            ),
            PhoneError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found", None),
            PhoneError::Gone(_) => (StatusCode::GONE, "not_found", None),
            PhoneError::Conflict(_) | PhoneError::Unreachable(_) => {
                (StatusCode::CONFLICT, "conflict", None)
            }
            PhoneError::Refused { code, .. } => (
                StatusCode::CONFLICT,
                "conflict",
                Some(json!({ "serverCode": code })),
            ),
            error => {
                tracing::error!(%error, "control request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", None)
            }
        };
        let message = if status == StatusCode::INTERNAL_SERVER_ERROR {
            "the simulator failed".to_owned()
        } else {
            message
        };
        let mut error = json!({ "code": code, "message": message });
        if let Some(details) = details {
            error["details"] = details;
        }
        (status, Json(json!({ "error": error }))).into_response()
    }
}

/// The answer to a path or method that does not exist.
pub(crate) async fn unknown_route() -> ApiError {
    ApiError(PhoneError::NotFound("no such route".to_owned()))
}

/// Puts what the framework refuses by itself, such as a body that is too large, into the envelope.
pub(crate) async fn wrap_refusals(response: Response) -> Response {
    let status = response.status();
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json || !status.is_client_error() {
        return response;
    }
    let message = status.canonical_reason().unwrap_or("refused");
    let error = json!({ "code": "validation_error", "message": message });
    (status, Json(json!({ "error": error }))).into_response()
}
