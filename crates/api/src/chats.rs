//! Routes of chats.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{ChatQuery, Core, Page};
use wagate_model::{Chat, ListChat, ListMessage, ReadChatInput, UpdateChatInput};

use crate::access::{InChat, InSession, Read, Send};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_chats),
        routes!(get_chat, update_chat, delete_chat),
        routes!(list_chat_messages),
        routes!(read_chat),
        routes!(mark_chat_unread),
        routes!(clear_chat_on_whatsapp),
        routes!(delete_chat_on_whatsapp),
    ]
}

impl FromQuery for ChatQuery {
    fn from_params(params: &mut Params) -> Self {
        Self {
            label: params.text("label"),
            page: Page::from_params(params),
        }
    }
}

impl RequestBody for UpdateChatInput {}

impl RequestBody for ReadChatInput {
    const IS_OPTIONAL: bool = true;
}

/// List chats
///
/// Stored chats in display order: pinned ones first, then the latest. Works while the
/// session is offline.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/chats", operation_id = "listChats", tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("label" = Option<String>, Query,
            description = "Only chats with this label, by its id (beyond the contract)."),
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The chats.", body = ListChat, example = json!({
        "data": [{
            "id": 7, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "jid": "205227043110953@lid",
            "aliases": ["15557654321@s.whatsapp.net"], "type": "dm", "name": "Ada", "pinned": false,
            "archived": false, "unreadCount": 2, "lastMessageAt": 1_767_225_700_000_i64
        }],
        "nextCursor": "eyJsIjoiY2hhdHMifQ"
    }))),
)]
async fn list_chats(
    State(core): State<Core>,
    session: InSession<Read>,
    Query(query): Query<ChatQuery>,
) -> Answer<Reply<ListChat>> {
    Ok(Reply(core.list_chats(&session.access, query).await?))
}

/// Read a chat
///
/// One stored chat, by either of its addresses or a phone number.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/chats/{cid}", operation_id = "getChat", tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("cid" = String, Path, description = "The chat's JID, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The chat.", body = Chat, example = json!({
        "id": 7, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "jid": "205227043110953@lid",
        "aliases": ["15557654321@s.whatsapp.net"], "type": "dm", "name": "Ada", "pinned": false,
        "archived": false, "unreadCount": 2, "lastMessageAt": 1_767_225_700_000_i64
    }))),
)]
async fn get_chat(State(core): State<Core>, chat: InChat<Read>) -> Answer<Reply<Chat>> {
    Ok(Reply(core.get_chat(&chat.access, &chat.chat).await?))
}

/// List messages of a chat
///
/// Stored messages, newest first; `nextCursor` leads to older ones.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/chats/{cid}/messages",
    operation_id = "listChatMessages", tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("cid" = String, Path, description = "The chat's JID, or a phone number in digits."),
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The messages.", body = ListMessage, example = json!({
        "data": [{
            "id": "3EB0C767D26A1B5F7C83", "waMessageId": "3EB0C767D26A1B5F7C83",
            "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "chatJid": "205227043110953@lid",
            "direction": "out", "fromMe": true, "type": "text",
            "body": "Your order is on its way.", "status": "read", "ackLevel": 3,
            "hasMedia": false, "edited": false, "deleted": false,
            "timestamp": 1_767_225_700_000_i64, "createdAt": 1_767_225_700_100_i64
        }]
    }))),
)]
async fn list_chat_messages(
    State(core): State<Core>,
    chat: InChat<Read>,
    Query(page): Query<Page>,
) -> Answer<Reply<ListMessage>> {
    let messages = core
        .list_chat_messages(&chat.access, &chat.chat, page)
        .await?;
    Ok(Reply(messages))
}

/// Change how a chat is kept
///
/// Archives, pins or mutes it, or undoes that, for the account on all its devices. Only what
/// is sent changes; `unmute` wins over `mutedUntil`. Beyond the contract, `disappearingSeconds`
/// sets after which time new messages disappear, for everybody in the chat: WhatsApp's other
/// clients then delete them, and so does this service, within some seconds.
#[utoipa::path(
    patch, path = "/api/v1/sessions/{session}/chats/{cid}", operation_id = "updateChat",
    tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("cid" = String, Path, description = "The chat's JID, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = UpdateChatInput, example = json!({ "pinned": true })),
    responses((status = 200, description = "The chat.", body = Chat, example = json!({
        "id": 7, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "jid": "205227043110953@lid",
        "aliases": ["15557654321@s.whatsapp.net"], "type": "dm", "name": "Ada", "pinned": true,
        "archived": false, "unreadCount": 0, "lastMessageAt": 1_767_225_700_000_i64
    }))),
)]
async fn update_chat(
    State(core): State<Core>,
    chat: InChat<Send>,
    body: Json<UpdateChatInput>,
) -> Answer<Reply<Chat>> {
    let changed = core
        .update_chat(&chat.access, &chat.chat, body.draft)
        .await?;
    Ok(Reply(changed))
}

/// Delete the stored copy of a chat
///
/// With its stored messages. WhatsApp keeps the chat, which comes back with new activity.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/chats/{cid}", operation_id = "deleteChat",
    tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("cid" = String, Path, description = "The chat's JID, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("send"))),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_chat(State(core): State<Core>, chat: InChat<Send>) -> Answer<StatusCode> {
    core.delete_chat(&chat.access, &chat.chat).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a chat's unread messages
///
/// Sets the stored counter to zero. The senders are told on WhatsApp with `receipt` only,
/// which needs the session to be connected.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/chats/{cid}/read", operation_id = "readChat",
    tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("cid" = String, Path, description = "The chat's JID, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = ReadChatInput, example = json!({ "receipt": true })),
    responses((status = 200, description = "The chat.", body = Chat, example = json!({
        "id": 7, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "jid": "205227043110953@lid",
        "aliases": ["15557654321@s.whatsapp.net"], "type": "dm", "name": "Ada", "pinned": false,
        "archived": false, "unreadCount": 0, "lastMessageAt": 1_767_225_700_000_i64
    }))),
)]
async fn read_chat(
    State(core): State<Core>,
    chat: InChat<Send>,
    body: Json<ReadChatInput>,
) -> Answer<Reply<Chat>> {
    let read = core.read_chat(&chat.access, &chat.chat, body.draft).await?;
    Ok(Reply(read))
}

/// Mark a chat unread
///
/// For the account on all its devices, and in the stored counter.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/chats/{cid}:unread",
    operation_id = "markChatUnread", tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("cid" = String, Path, description = "The chat's JID, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 200, description = "The chat.", body = Chat, example = json!({
        "id": 7, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "jid": "205227043110953@lid",
        "aliases": ["15557654321@s.whatsapp.net"], "type": "dm", "name": "Ada", "pinned": false,
        "archived": false, "unreadCount": 1, "lastMessageAt": 1_767_225_700_000_i64
    }))),
)]
async fn mark_chat_unread(State(core): State<Core>, chat: InChat<Send>) -> Answer<Reply<Chat>> {
    let marked = core.mark_chat_unread(&chat.access, &chat.chat).await?;
    Ok(Reply(marked))
}

/// Clear a chat on WhatsApp
///
/// Removes its messages, starred ones and media too, from the account's devices. The stored
/// messages stay.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/chats/{cid}:clear", operation_id = "clearChat",
    tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("cid" = String, Path, description = "The chat's JID, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn clear_chat_on_whatsapp(
    State(core): State<Core>,
    chat: InChat<Send>,
) -> Answer<StatusCode> {
    core.clear_chat_on_whatsapp(&chat.access, &chat.chat)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a chat on WhatsApp
///
/// From the account's devices. The stored copy stays; to delete it, use `deleteChat`.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/chats/{cid}:delete",
    operation_id = "deleteChatOnWhatsApp", tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("cid" = String, Path, description = "The chat's JID, or a phone number in digits."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn delete_chat_on_whatsapp(
    State(core): State<Core>,
    chat: InChat<Send>,
) -> Answer<StatusCode> {
    core.delete_chat_on_whatsapp(&chat.access, &chat.chat)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
