//! Routes of stories.

use axum::Json as Reply;
use axum::extract::State;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{PostStatusInput, PostedStatus};

use crate::access::{InSession, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(post_status)]
}

impl RequestBody for PostStatusInput {
    const HAS_MEDIA: bool = true;
}

/// Post a story
///
/// Before the people in the phone's address book and those with whom there is a chat, as far
/// as the settings on the phone let them see it. Every call posts another one. A story is
/// deleted with `revokeMessage`, in the chat `status@broadcast`. Sound becomes a voice note.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/status", operation_id = "postStatus",
    tag = "Status",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = PostStatusInput, example = json!({
        "text": "Open until nine today", "backgroundColor": "#1E6E4F", "font": "calistoga"
    })),
    responses((status = 200, description = "The story is posted.", body = PostedStatus,
        example = json!({ "messageId": "3EB0C767D26A1B5F7C83" }))),
)]
async fn post_status(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<PostStatusInput>,
) -> Answer<Reply<PostedStatus>> {
    Ok(Reply(core.post_status(&session.access, body.draft).await?))
}
