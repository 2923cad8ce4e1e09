//! The files of the media host.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};

use super::body::Body;
use super::envelope::ApiError;
use super::router::Control;
use crate::phone::PhoneError;
use crate::server::ServerError;

/// `POST /sim/v1/media:expire`; `id` is the last part of a file's direct path.
pub(crate) async fn expire(
    State(control): State<Control>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut body = Body::parse(&bytes)?;
    let id = body.string("id");
    body.finish()?;
    let expired = control
        .server
        .expire_media(id.as_deref())
        .map_err(ServerError::from)?;
    if expired == 0 && id.is_some() {
        return Err(PhoneError::NotFound("no file has this id".to_owned()).into());
    }
    Ok(Json(json!({ "expired": expired })))
}
