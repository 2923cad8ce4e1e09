//! Things that go wrong on purpose.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::body::Body;
use super::envelope::ApiError;
use super::router::Control;
use crate::faults::{FaultError, FaultKind, FaultSpec};
use crate::phone::PhoneError;

/// `GET /sim/v1/faults`.
pub(crate) async fn list(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "data": control.server.faults().list() }))
}

/// `POST /sim/v1/faults`.
pub(crate) async fn create(
    State(control): State<Control>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let mut body = Body::parse(&bytes)?;
    body.require("kind");
    let kind = body.word::<FaultKind>("kind");
    let target = body.string("target");
    let spec = FaultSpec {
        target: target.map(|number| number.trim_start_matches('+').to_owned()),
        count: body.integer("count"),
        after: body.integer("after"),
        probability: body.number("probability"),
        delay_ms: body.integer("delayMs"),
        tag: body.string("tag"),
        direction: body.word("direction").unwrap_or_default(),
        code: body.integer("code"),
        ..FaultSpec::new(kind.unwrap_or(FaultKind::Drop))
    };
    body.finish()?;
    let fault = control
        .server
        .inject(spec)
        .map_err(|error| fault_error(&error))?;
    Ok((StatusCode::CREATED, Json(fault)).into_response())
}

/// `DELETE /sim/v1/faults/{id}`.
pub(crate) async fn delete(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    if control.server.faults().remove(&id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(PhoneError::NotFound("no fault has this id".to_owned()).into())
    }
}

fn fault_error(error: &FaultError) -> PhoneError {
    let field = match error {
        FaultError::Probability => "probability",
        FaultError::DelayMissing => "delayMs",
        FaultError::Count => "count",
    };
    PhoneError::invalid(field, error.to_string())
}
