//! Routes of what is done to messages beyond the contract: pins, answers to events, choices.

use axum::Json as Reply;
use axum::extract::State;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{PinInput, RespondInput, SelectInput, SendResult, UnpinInput};

use crate::access::{InSession, Named, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

impl RequestBody for PinInput {}

impl RequestBody for UnpinInput {}

impl RequestBody for RespondInput {}

impl RequestBody for SelectInput {}

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(pin_message, unpin_message),
        routes!(respond_to_event),
        routes!(select_choice),
    ]
}

/// Pin a message in its chat
///
/// For everybody in the chat, for `seconds`: 86400, 604800 (the default) or 2592000. Pinning
/// again begins the time anew. In groups whose settings only admins may change, WhatsApp may
/// refuse others. What anybody pins is told by `chat.update` with the change `pin`, and shown
/// as `pinnedUntil` of the message.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/messages/{mid}/pin",
    operation_id = "pinMessage", tag = "Messages",
    params(parts::Session, parts::Message),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = PinInput, example = json!({ "chat": "15557654321", "seconds": 604_800 })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn pin_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<PinInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .pin_message(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// Unpin a message
///
/// For everybody in the chat. Can be repeated.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/messages/{mid}/pin",
    operation_id = "unpinMessage", tag = "Messages",
    params(parts::Session, parts::Message),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = UnpinInput, example = json!({ "chat": "15557654321" })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn unpin_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<UnpinInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .unpin_message(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// Answer to an event
///
/// Whether the account comes, and with how many others, where the event asks for them. Each
/// answer replaces the earlier one. Answers are encrypted for those who have the event.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/messages/{mid}/respond",
    operation_id = "respondToEvent", tag = "Messages",
    params(
        parts::Session,
        ("mid" = String, Path, description = "The WhatsApp id of the event's message."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = RespondInput, example = json!({ "chat": "15557654321", "response": "going" })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn respond_to_event(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<RespondInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .respond_to_event(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// Choose a button or a row
///
/// Answers to a message with buttons or a list as if somebody had pressed one: `choices` of
/// the message are what there is.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/messages/{mid}/select",
    operation_id = "selectChoice", tag = "Messages",
    params(parts::Session, parts::Message),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = SelectInput, example = json!({ "chat": "15557654321", "selectedId": "yes" })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn select_choice(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<SelectInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .select_choice(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}
