//! Routes of the search in stored messages.

use axum::Json as Reply;
use axum::extract::State;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, MessageSearch, Page};
use wagate_model::ListMessage;

use crate::access::{InSession, Read, parts};
use crate::failure::Answer;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(search_messages)]
}

impl FromQuery for MessageSearch {
    fn from_params(params: &mut Params) -> Self {
        Self {
            text: params.text("q"),
            chat: params.text("chat"),
            sender: params.text("sender"),
            kind: params.text("type"),
            from: params.count("from"),
            to: params.count("to"),
            from_me: params.choice("fromMe"),
            starred: params.choice("starred"),
            page: Page::from_params(params),
        }
    }
}

/// Search messages
///
/// Beyond the contract. Stored messages of all chats of the session, newest first. Each word of
/// `q` must be in the text, or be the beginning of a word in it; case does not matter, and
/// nothing in `q` has a meaning of its own. Without `q`, the messages that the other parameters
/// let through. Deleted messages are not found, edited ones by their present text.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/messages", operation_id = "searchMessages",
    tag = "Messages",
    params(
        parts::Session,
        ("q" = Option<String>, Query, max_length = 256,
            description = "Words to look for, at most 16."),
        ("chat" = Option<String>, Query,
            description = "Only in this chat, by its JID or a phone number."),
        ("sender" = Option<String>, Query,
            description = "Only from this person, by JID or phone number."),
        ("type" = Option<String>, Query, description = "Only of this kind, such as `image`."),
        ("from" = Option<i64>, Query,
            description = "Only messages sent at this time or later, in milliseconds since 1970."),
        ("to" = Option<i64>, Query,
            description = "Only messages sent before this time, in milliseconds since 1970."),
        ("fromMe" = Option<bool>, Query,
            description = "Only messages that this number sent, or only those of others."),
        ("starred" = Option<bool>, Query,
            description = "Only messages that the account has starred, or only the others."),
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query,
            description = "`nextCursor` of the page before, with the same other parameters."),
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
async fn search_messages(
    State(core): State<Core>,
    session: InSession<Read>,
    Query(search): Query<MessageSearch>,
) -> Answer<Reply<ListMessage>> {
    Ok(Reply(core.search_messages(&session.access, search).await?))
}
