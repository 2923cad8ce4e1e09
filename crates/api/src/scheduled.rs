//! Routes of messages that are to be sent later.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, Page};
use wagate_model::ListScheduledMessage;

use crate::access::{InSession, Named, Read, Send, parts};
use crate::failure::Answer;
use crate::query::Query;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_scheduled_messages),
        routes!(cancel_scheduled_message),
    ]
}

/// List scheduled messages
///
/// Beyond the contract. Messages that were sent with `sendAt` and wait for their time, the next
/// one first. When its time has come, a message leaves this list and is one like others. One
/// that could not be sent then, such as an answer to a message that is gone, is shown as
/// `failed` for seven days; its end is told as `message.status`.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/scheduled",
    operation_id = "listScheduledMessages", tag = "Messages",
    params(
        parts::Session,
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The messages.", body = ListScheduledMessage,
        example = json!({ "data": [{
            "id": "out_01J9ZX8K2QHV0M3T6R7P4N5W8C", "waMessageId": "3EB0C767D26A1B5F7C83",
            "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "chatJid": "15557654321@s.whatsapp.net", "type": "text",
            "text": "Your table is ready at eight.", "status": "waiting",
            "sendAt": 1_767_312_000_000_i64, "createdAt": 1_767_225_700_000_i64
        }] }))),
)]
async fn list_scheduled_messages(
    State(core): State<Core>,
    session: InSession<Read>,
    Query(page): Query<Page>,
) -> Answer<Reply<ListScheduledMessage>> {
    let listed = core.list_scheduled_messages(&session.access, page).await?;
    Ok(Reply(listed))
}

/// Take a scheduled message back
///
/// Beyond the contract. One whose time has come is not found: it is on its way.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/scheduled/{outboxId}",
    operation_id = "cancelScheduledMessage", tag = "Messages",
    params(parts::Session, parts::Outbox),
    extensions(("x-capability" = json!("send"))),
    responses((status = 204, description = "It will not be sent.")),
)]
async fn cancel_scheduled_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Outbox>,
) -> Answer<StatusCode> {
    core.cancel_scheduled_message(&session.access, &message.0)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
