//! A past for a phone, which companions are sent when they are linked.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::body::Body;
use super::envelope::ApiError;
use super::phones;
use super::router::Control;
use crate::phone::Past;

/// How many messages are sent together where nothing else is asked for.
const MESSAGES_PER_PART: u32 = 2_000;

/// `POST /sim/v1/phones/{number}/history`.
///
/// The past is made up as it is sent, from the seed: the same seed, the same past. Its newest
/// messages are of now.
pub(crate) async fn set(
    State(control): State<Control>,
    Path(number): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let phone = phones::find(&control, &number)?;
    let mut body = Body::parse(&bytes)?;
    body.require("chats");
    body.require("messagesPerChat");
    let past = Past {
        chats: body.integer("chats").unwrap_or_default(),
        messages_per_chat: body.integer("messagesPerChat").unwrap_or_default(),
        messages_per_part: body.integer("messagesPerPart").unwrap_or(MESSAGES_PER_PART),
        seed: body.integer("seed").unwrap_or_default(),
        until_s: u64::try_from(control.server.clock().now_s()).unwrap_or_default(),
    };
    body.finish()?;
    phone.set_past(past).await?;
    Ok(Json(json!({
        "chats": past.chats,
        "messagesPerChat": past.messages_per_chat,
        "messagesPerPart": past.messages_per_part,
        "seed": past.seed,
        "messages": past.messages(),
    })))
}
