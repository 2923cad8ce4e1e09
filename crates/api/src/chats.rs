//! Routes of chats.

use axum::Json as Reply;
use axum::extract::State;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, Page};
use wagate_model::{Chat, ListChat, ListMessage};

use crate::access::{InChat, InSession, Read};
use crate::failure::Answer;
use crate::query::Query;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_chats),
        routes!(get_chat),
        routes!(list_chat_messages),
    ]
}

/// List chats
///
/// Stored chats in display order: pinned ones first, then the latest. Works while the
/// session is offline.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/chats", operation_id = "listChats", tag = "Chats",
    params(
        ("session" = String, Path, description = "The session's id."),
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
    Query(page): Query<Page>,
) -> Answer<Reply<ListChat>> {
    Ok(Reply(core.list_chats(&session.access, page).await?))
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
