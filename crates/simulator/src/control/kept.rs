//! What accounts keep on all their devices: application state, with its labels and stars.

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
use crate::phone::{KeptChange, KeptLabel, Phone, PhoneError};

/// The colours that official clients know.
const COLORS: std::ops::Range<i32> = 0..20;

/// `GET /sim/v1/phones/{number}/app-state`.
pub(crate) async fn list(
    State(control): State<Control>,
    Path(number): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let phone = find(&control, &number)?;
    let data = phone.kept().await?;
    Ok(Json(json!({ "data": data })))
}

/// `POST /sim/v1/phones/{number}/status-mutes`: mutes the stories of a contact, or unmutes them.
pub(crate) async fn mute_status(
    State(control): State<Control>,
    Path(number): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let phone = find(&control, &number)?;
    let mut body = Body::parse(&bytes)?;
    let person = body.required_string("contact");
    let is_muted = body.boolean("muted").unwrap_or(true);
    body.finish()?;
    let change = KeptChange::MuteStatus { person, is_muted };
    phone.keep(change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /sim/v1/phones/{number}/labels`.
pub(crate) async fn labels(
    State(control): State<Control>,
    Path(number): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let phone = find(&control, &number)?;
    let data = phone.labels().await?;
    Ok(Json(json!({ "data": data })))
}

/// `POST /sim/v1/phones/{number}/labels`: makes one, or changes the one whose id is given.
pub(crate) async fn put_label(
    State(control): State<Control>,
    Path(number): Path<String>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let phone = find(&control, &number)?;
    let mut body = Body::parse(&bytes)?;
    let name = body.required_string("name");
    let color: i32 = body.integer("color").unwrap_or(0);
    let id = body.string("id");
    if !COLORS.contains(&color) {
        body.fault::<()>("color", "expected 0 to 19");
    }
    body.finish()?;
    let label = match id {
        Some(id) => id,
        None => next_id(&phone).await?,
    };
    let change = KeptChange::PutLabel {
        label: label.clone(),
        name,
        color,
    };
    phone.keep(change).await?;
    let shown = label_of(&phone, &label).await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// `DELETE /sim/v1/phones/{number}/labels/{label}`.
pub(crate) async fn delete_label(
    State(control): State<Control>,
    Path((number, label)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let phone = find(&control, &number)?;
    label_of(&phone, &label).await?;
    phone.keep(KeptChange::DeleteLabel { label }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sim/v1/phones/{number}/labels/{label}:{attach|detach}` with a chat, or a message's id.
pub(crate) async fn act_on_label(
    State(control): State<Control>,
    Path((number, segment)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<KeptLabel>, ApiError> {
    let no_route = || PhoneError::NotFound("no such action".to_owned());
    let (label, verb) = split_action(&segment).ok_or_else(no_route)?;
    let phone = find(&control, &number)?;
    let is_labelled = match verb {
        "attach" => true,
        "detach" => false,
        _ => return Err(no_route().into()),
    };
    label_of(&phone, label).await?;
    let mut body = Body::parse(&bytes)?;
    let (chat, message) = (body.string("chat"), body.string("messageId"));
    if chat.is_some() == message.is_some() {
        body.fault::<()>("chat", "expected either a chat or a messageId");
    }
    body.finish()?;
    let label = label.to_owned();
    let change = match (chat, message) {
        (Some(chat), _) => KeptChange::LabelChat {
            label: label.clone(),
            chat,
            is_labelled,
        },
        (None, message) => KeptChange::LabelMessage {
            label: label.clone(),
            id: message.unwrap_or_default(),
            is_labelled,
        },
    };
    phone.keep(change).await?;
    Ok(Json(label_of(&phone, &label).await?))
}

async fn label_of(phone: &Phone, id: &str) -> Result<KeptLabel, PhoneError> {
    let labels = phone.labels().await?;
    labels
        .into_iter()
        .find(|label| label.id == id)
        .ok_or_else(|| PhoneError::NotFound("no such label".to_owned()))
}

/// The number after the last one that a label has, or had.
async fn next_id(phone: &Phone) -> Result<String, PhoneError> {
    let kept = phone.kept().await?;
    let ids = kept.iter().filter_map(|entry| match &*entry.index {
        [kind, id] if kind == "label_edit" => id.parse::<u32>().ok(),
        _ => None,
    });
    let last = ids.max().unwrap_or(0);
    Ok(last.saturating_add(1).to_string())
}
