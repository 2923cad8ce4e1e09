//! Calls that phones make and get.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::body::Body;
use super::envelope::ApiError;
use super::phones::find;
use super::router::{Control, split_action};
use crate::phone::{CallAction, PhoneError};

/// `GET /sim/v1/phones/{number}/calls`, oldest first.
pub(crate) async fn list(
    State(control): State<Control>,
    Path(number): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let phone = find(&control, &number)?;
    Ok(Json(json!({ "data": phone.calls() })))
}

/// `POST /sim/v1/phones/{number}/calls`.
pub(crate) async fn create(
    State(control): State<Control>,
    Path(number): Path<String>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let phone = find(&control, &number)?;
    let mut body = Body::parse(&bytes)?;
    let to = body.required_string("to");
    let is_video = body.boolean("video").unwrap_or(false);
    body.finish()?;
    let id = phone.call(&to, is_video).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

/// `POST /sim/v1/phones/{number}/calls/{id}:{accept|reject|end}`.
pub(crate) async fn act(
    State(control): State<Control>,
    Path((number, segment)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let no_route = || PhoneError::NotFound("no such action".to_owned());
    let (id, verb) = split_action(&segment).ok_or_else(no_route)?;
    let phone = find(&control, &number)?;
    let mut body = Body::parse(&bytes)?;
    let action = match verb {
        "accept" => CallAction::Accept,
        "reject" => CallAction::Reject,
        "end" => CallAction::End(body.string("reason")),
        _ => return Err(no_route().into()),
    };
    body.finish()?;
    phone.act_on_call(id, action).await?;
    Ok(StatusCode::NO_CONTENT)
}
