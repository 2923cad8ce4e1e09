//! Routes of presence.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{ChatPresenceInput, PresenceStatus, SetPresenceInput};

use crate::access::{InChat, InSession, Read, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

impl RequestBody for SetPresenceInput {}

impl RequestBody for ChatPresenceInput {}

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(set_presence),
        routes!(get_chat_presence, set_chat_presence),
    ]
}

/// Show the account online or offline
///
/// For the whole account; can be repeated. While it is shown online, phones may ring less.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/presence", operation_id = "setPresence",
    tag = "Presence",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = SetPresenceInput, example = json!({ "state": "online" })),
    responses((status = 204, description = "Done.")),
)]
async fn set_presence(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<SetPresenceInput>,
) -> Answer<StatusCode> {
    core.set_presence(&session.access, body.draft).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a person's presence
///
/// Asks WhatsApp to tell the person's presence from now on, and gives what is known already:
/// often `unknown` at first, with `presence.update` events following.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/chats/{cid}/presence",
    operation_id = "getChatPresence", tag = "Chats",
    params(
        parts::Session,
        ("cid" = String, Path, description = "The person's JID, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "What is known now.", body = PresenceStatus,
        example = json!({ "from": "15557654321@s.whatsapp.net", "state": "unknown" }))),
)]
async fn get_chat_presence(
    State(core): State<Core>,
    chat: InChat<Read>,
) -> Answer<Reply<PresenceStatus>> {
    let status = core.get_chat_presence(&chat.access, &chat.chat).await?;
    Ok(Reply(status))
}

/// Show typing in a chat
///
/// The sign fades by itself after some seconds; send it again to keep it.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/chats/{cid}/presence",
    operation_id = "setChatPresence", tag = "Chats",
    params(parts::Session, parts::Chat),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = ChatPresenceInput, example = json!({ "state": "composing" })),
    responses((status = 204, description = "Done.")),
)]
async fn set_chat_presence(
    State(core): State<Core>,
    chat: InChat<Send>,
    body: Json<ChatPresenceInput>,
) -> Answer<StatusCode> {
    core.set_chat_presence(&chat.access, &chat.chat, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
