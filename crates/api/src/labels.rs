//! Routes of labels.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{
    Chat, CreateLabelInput, Label, ListLabel, Message, MessageInChatInput, UpdateLabelInput,
};

use crate::access::{InChat, InSession, Named, Read, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_labels, create_label),
        routes!(update_label, delete_label),
        routes!(label_chat, unlabel_chat),
        routes!(label_message, unlabel_message),
    ]
}

impl RequestBody for CreateLabelInput {}

impl RequestBody for UpdateLabelInput {}

/// List labels
///
/// Beyond the contract. The account's labels as they are stored; they are kept in line with the
/// phone. Only business accounts show them on their phones.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/labels", operation_id = "listLabels", tag = "Chats",
    params(parts::Session),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The labels.", body = ListLabel, example = json!({
        "data": [{ "id": "7", "name": "New customer", "color": 3 }]
    }))),
)]
async fn list_labels(
    State(core): State<Core>,
    session: InSession<Read>,
) -> Answer<Reply<ListLabel>> {
    Ok(Reply(core.list_labels(&session.access).await?))
}

/// Create a label
///
/// Beyond the contract. On all devices of the account, which has 20 labels at most, each with a
/// name of its own.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/labels", operation_id = "createLabel", tag = "Chats",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = CreateLabelInput, example = json!({ "name": "New customer" })),
    responses((status = 201, description = "The new label.", body = Label,
        example = json!({ "id": "7", "name": "New customer", "color": 3 }))),
)]
async fn create_label(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<CreateLabelInput>,
) -> Answer<(StatusCode, Reply<Label>)> {
    let made = core.create_label(&session.access, body.draft).await?;
    Ok((StatusCode::CREATED, Reply(made)))
}

/// Change a label
///
/// Beyond the contract. Its name, its colour, or both; only what is sent changes.
#[utoipa::path(
    patch, path = "/api/v1/sessions/{session}/labels/{label}", operation_id = "updateLabel",
    tag = "Chats",
    params(parts::Session, parts::Label),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = UpdateLabelInput, example = json!({ "color": 3 })),
    responses((status = 200, description = "The label.", body = Label,
        example = json!({ "id": "7", "name": "New customer", "color": 3 }))),
)]
async fn update_label(
    State(core): State<Core>,
    session: InSession<Send>,
    label: Named<parts::Label>,
    body: Json<UpdateLabelInput>,
) -> Answer<Reply<Label>> {
    let changed = core
        .update_label(&session.access, &label.0, body.draft)
        .await?;
    Ok(Reply(changed))
}

/// Delete a label
///
/// Beyond the contract. It is taken off all chats and messages.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/labels/{label}", operation_id = "deleteLabel",
    tag = "Chats",
    params(parts::Session, parts::Label),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_label(
    State(core): State<Core>,
    session: InSession<Send>,
    label: Named<parts::Label>,
) -> Answer<StatusCode> {
    core.delete_label(&session.access, &label.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Put a label on a chat
///
/// Beyond the contract. Can be repeated. A change is told as `chat.update`, with the ids of all
/// labels that the chat has then.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/chats/{cid}/labels/{label}",
    operation_id = "labelChat", tag = "Chats",
    params(parts::Session, parts::Chat, parts::Label),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 200, description = "The chat.", body = Chat, example = json!({
        "id": 7, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "jid": "205227043110953@lid",
        "aliases": ["15557654321@s.whatsapp.net"], "type": "dm", "name": "Ada", "pinned": false,
        "archived": false, "unreadCount": 0, "labels": ["7"], "lastMessageAt": 1_767_225_700_000_i64
    }))),
)]
async fn label_chat(
    State(core): State<Core>,
    chat: InChat<Send>,
    label: Named<parts::Label>,
) -> Answer<Reply<Chat>> {
    let changed = core
        .label_chat(&chat.access, &chat.chat, &label.0, true)
        .await?;
    Ok(Reply(changed))
}

/// Take a label off a chat
///
/// Beyond the contract. Can be repeated.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/chats/{cid}/labels/{label}",
    operation_id = "unlabelChat", tag = "Chats",
    params(parts::Session, parts::Chat, parts::Label),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 200, description = "The chat.", body = Chat, example = json!({
        "id": 7, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "jid": "205227043110953@lid",
        "aliases": ["15557654321@s.whatsapp.net"], "type": "dm", "name": "Ada", "pinned": false,
        "archived": false, "unreadCount": 0, "lastMessageAt": 1_767_225_700_000_i64
    }))),
)]
async fn unlabel_chat(
    State(core): State<Core>,
    chat: InChat<Send>,
    label: Named<parts::Label>,
) -> Answer<Reply<Chat>> {
    let changed = core
        .label_chat(&chat.access, &chat.chat, &label.0, false)
        .await?;
    Ok(Reply(changed))
}

/// Put a label on a message
///
/// Beyond the contract. Can be repeated.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/messages/{mid}/labels/{label}",
    operation_id = "labelMessage", tag = "Messages",
    params(parts::Session, parts::Message, parts::Label),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = MessageInChatInput, example = json!({ "chat": "15557654321" })),
    responses((status = 200, description = "The message.", body = Message, example = json!({
        "id": "3EB0C767D26A1B5F7C83", "waMessageId": "3EB0C767D26A1B5F7C83",
        "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "chatJid": "205227043110953@lid",
        "direction": "in", "fromMe": false, "type": "text", "body": "Is it on its way?",
        "hasMedia": false, "edited": false, "deleted": false, "starred": false, "labels": ["7"],
        "timestamp": 1_767_225_700_000_i64, "createdAt": 1_767_225_700_100_i64
    }))),
)]
async fn label_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    label: Named<parts::Label>,
    body: Json<MessageInChatInput>,
) -> Answer<Reply<Message>> {
    let changed = core
        .label_message(&session.access, (&message.0, &label.0), body.draft, true)
        .await?;
    Ok(Reply(changed))
}

/// Take a label off a message
///
/// Beyond the contract. Can be repeated.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/messages/{mid}/labels/{label}",
    operation_id = "unlabelMessage", tag = "Messages",
    params(parts::Session, parts::Message, parts::Label),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = MessageInChatInput, example = json!({ "chat": "15557654321" })),
    responses((status = 200, description = "The message.", body = Message, example = json!({
        "id": "3EB0C767D26A1B5F7C83", "waMessageId": "3EB0C767D26A1B5F7C83",
        "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "chatJid": "205227043110953@lid",
        "direction": "in", "fromMe": false, "type": "text", "body": "Is it on its way?",
        "hasMedia": false, "edited": false, "deleted": false, "starred": false,
        "timestamp": 1_767_225_700_000_i64, "createdAt": 1_767_225_700_100_i64
    }))),
)]
async fn unlabel_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    label: Named<parts::Label>,
    body: Json<MessageInChatInput>,
) -> Answer<Reply<Message>> {
    let changed = core
        .label_message(&session.access, (&message.0, &label.0), body.draft, false)
        .await?;
    Ok(Reply(changed))
}
