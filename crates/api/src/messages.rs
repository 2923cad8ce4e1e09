//! Routes of messages.

use std::convert::Infallible;

use axum::Json as Reply;
use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, SendOptions};
use wagate_model::{
    DeleteForMeInput, Draft, EditMessageInput, Faults, ForwardInput, Message, MessageInChatInput,
    ReactionInput, RevokeMessageInput, SendMode, SendRequest, SendResult, VoteInput,
};

use crate::access::{InSession, Named, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::query::Params;
use crate::state::ApiState;

impl RequestBody for EditMessageInput {}

impl RequestBody for RevokeMessageInput {}

impl RequestBody for ForwardInput {}

impl RequestBody for ReactionInput {}

impl RequestBody for VoteInput {}

impl RequestBody for MessageInChatInput {}

impl RequestBody for DeleteForMeInput {}

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(send_message),
        routes!(edit_message, revoke_message),
        routes!(forward_message),
        routes!(add_reaction, remove_reaction),
        routes!(vote_message),
        routes!(star_message, unstar_message),
        routes!(delete_message_for_me),
        routes!(mark_message_played),
    ]
}

/// The query and the headers of a send, as far as they could be read.
struct Options(Draft<SendOptions>);

impl FromRequestParts<ApiState> for Options {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Infallible> {
        let mut params = Params::of(parts.uri.query().unwrap_or_default());
        let mode = if params.flag("async") {
            SendMode::Async
        } else {
            SendMode::Sync
        };
        let mut faults = params.into_faults();
        let options = SendOptions {
            mode,
            idempotency_key: idempotency_key(&parts.headers, &mut faults),
        };
        Ok(Self(Draft::new(options, faults)))
    }
}

/// The `Idempotency-Key` of a request, where it has one.
fn idempotency_key(headers: &HeaderMap, faults: &mut Faults) -> Option<String> {
    const NAME: &str = "Idempotency-Key";
    let mut values = headers.get_all(NAME).iter();
    let value = values.next()?;
    if values.next().is_some() {
        faults.add(NAME, "must be given only once");
        return None;
    }
    // What is not ASCII is no key in any reading; the use case says so.
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Send a message
///
/// Waits for WhatsApp's acknowledgement and answers 200; a message that is not
/// acknowledged in time is answered as `pending`, and its outcome comes as
/// `message.status`. With `async=true` the message is queued and answered with 202.
///
/// With an `Idempotency-Key`, a repeated request sends nothing and gets the first
/// result, with `replayed`, whether either of them waits or not; the same key with another
/// request is a conflict. Keys belong to the organization and are kept for at least 24 hours.
///
/// A session sends at most `ratePerMin` and `ratePerHour` messages: beyond that, a
/// waiting request gets 429, and a queued message waits. An album counts as one.
///
/// Beyond the contract there are the types `event` (answers come as
/// `message.interactive_reply` and are shown with the stored message), `buttons` and `list`.
/// The last two go out as native flows, the only form that WhatsApp still takes from accounts
/// that do not use its business platform. By what is reported of it, phones show them and
/// answers come back; WhatsApp Web and Desktop show a hint to look at the phone instead. WhatsApp
/// promises none of this and may end it at any time. Polls are shown everywhere: use them where
/// it matters.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/messages", operation_id = "sendMessage",
    tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("async" = Option<bool>, Query, description = "Queue the message instead of waiting."),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            pattern = "^[!-~]*$",
            description = "Makes repeating the request harmless: 1 to 255 visible ASCII characters."),
    ),
    extensions(("x-capability" = json!("send"))),
    request_body(content = SendRequest, example = json!({
        "type": "text", "to": "15557654321", "text": "Your order is on its way."
    })),
    responses(
        (status = 200, description = "WhatsApp has the message, or it is on its way.",
            body = SendResult, example = json!({
                "mode": "sync", "status": "sent", "waMessageId": "3EB0C767D26A1B5F7C83",
                "timestamp": 1_767_225_700_000_i64
            })),
        (status = 202, description = "The message is queued (`async=true`).",
            body = SendResult, example = json!({
                "mode": "async", "status": "pending", "outboxId": "out_01J9ZX8K2QHV0M3T6R7P4N5W8C",
                "waMessageId": "3EB0C767D26A1B5F7C83"
            })),
    ),
)]
async fn send_message(
    State(core): State<Core>,
    session: InSession<Send>,
    Options(options): Options,
    body: Json<SendRequest>,
) -> Answer<(StatusCode, Reply<SendResult>)> {
    let result = core
        .send_message(&session.access, body.draft, options)
        .await?;
    let status = match result.mode {
        SendMode::Sync => StatusCode::OK,
        SendMode::Async => StatusCode::ACCEPTED,
    };
    Ok((status, Reply(result)))
}

/// Edit a message
///
/// Only messages that this session's account has sent. WhatsApp lets texts be edited for some
/// minutes. An event is given in full, as `event` instead of `text`; what is left out of it is
/// gone, and with `canceled` it is called off. One that waits to be sent goes first; one that
/// could not be sent is refused with 409 (`details.reason`: `message_not_sent`), as are other
/// changes of it.
#[utoipa::path(
    patch, path = "/api/v1/sessions/{session}/messages/{mid}",
    operation_id = "editMessage", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = EditMessageInput, example = json!({ "chat": "15557654321", "text": "Your order is on its way." })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn edit_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<EditMessageInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .edit_message(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// Delete a message for everyone
///
/// One's own; or, as an admin of a group, another member's, whom `sender` names. WhatsApp's own limits of time and role apply.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/messages/{mid}",
    operation_id = "revokeMessage", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = RevokeMessageInput, example = json!({ "chat": "15557654321" })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn revoke_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<RevokeMessageInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .revoke_message(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// Forward a message
///
/// Sends the same content to another chat, marked as forwarded; files go by the upload that exists.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/messages/{mid}/forward",
    operation_id = "forwardMessage", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = ForwardInput, example = json!({ "chat": "15557654321", "to": "15559876543" })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn forward_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<ForwardInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .forward_message(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// React to a message
///
/// Each account has one reaction to a message: a new one replaces the old.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/messages/{mid}/reaction",
    operation_id = "addReaction", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = ReactionInput, example = json!({ "chat": "15557654321", "emoji": "👍" })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn add_reaction(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<ReactionInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .add_reaction(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// Take a reaction back
///
/// Can be repeated; `emoji` does not matter.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/messages/{mid}/reaction",
    operation_id = "removeReaction", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = ReactionInput, example = json!({ "chat": "15557654321" })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn remove_reaction(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<ReactionInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .remove_reaction(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// Vote in a poll
///
/// `options` is all that is wanted, by its texts: it replaces the earlier vote, and none takes it back.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/messages/{mid}/vote",
    operation_id = "voteMessage", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = VoteInput, example = json!({ "chat": "15557654321", "options": ["Tuesday"] })),
    responses((status = 200, description = "What became of it.", body = SendResult,
        example = json!({ "mode": "sync", "status": "sent",
            "waMessageId": "3EB0C767D26A1B5F7C83", "timestamp": 1_767_225_700_000_i64 }))),
)]
async fn vote_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<VoteInput>,
) -> Answer<Reply<SendResult>> {
    let result = core
        .vote_message(&session.access, &message.0, body.draft)
        .await?;
    Ok(Reply(result))
}

/// Star a message
///
/// Beyond the contract. For the account on all its devices; nobody else hears of it. Can be
/// repeated.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/messages/{mid}/star",
    operation_id = "starMessage", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = MessageInChatInput, example = json!({ "chat": "15557654321" })),
    responses((status = 200, description = "The message.", body = Message, example = json!({
        "id": "3EB0C767D26A1B5F7C83", "waMessageId": "3EB0C767D26A1B5F7C83",
        "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "chatJid": "205227043110953@lid",
        "direction": "in", "fromMe": false, "type": "text", "body": "Is it on its way?",
        "hasMedia": false, "edited": false, "deleted": false, "starred": true,
        "timestamp": 1_767_225_700_000_i64, "createdAt": 1_767_225_700_100_i64
    }))),
)]
async fn star_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<MessageInChatInput>,
) -> Answer<Reply<Message>> {
    let starred = core
        .star_message(&session.access, &message.0, body.draft, true)
        .await?;
    Ok(Reply(starred))
}

/// Take a message's star back
///
/// Beyond the contract. Can be repeated.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/messages/{mid}/star",
    operation_id = "unstarMessage", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
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
async fn unstar_message(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<MessageInChatInput>,
) -> Answer<Reply<Message>> {
    let starred = core
        .star_message(&session.access, &message.0, body.draft, false)
        .await?;
    Ok(Reply(starred))
}

/// Delete a message for oneself
///
/// Beyond the contract. From the account's devices, and nobody else's; the stored copy goes with
/// its file. Its file goes from the phones too, unless `deleteMedia` is false. To delete a
/// message for everyone, use `revokeMessage`.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/messages/{mid}:delete",
    operation_id = "deleteMessageForMe", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = DeleteForMeInput, example = json!({ "chat": "15557654321" })),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_message_for_me(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<DeleteForMeInput>,
) -> Answer<StatusCode> {
    core.delete_message_for_me(&session.access, &message.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tell that a message was played
///
/// Beyond the contract. For voice notes, video notes and messages to be seen once that somebody
/// else has sent; as for what was read, the sender hears of it as far as the privacy settings of
/// both let it be told.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/messages/{mid}:played",
    operation_id = "markMessagePlayed", tag = "Messages",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("mid" = String, Path, description = "The message's WhatsApp id."),
    ),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = MessageInChatInput, example = json!({ "chat": "15557654321" })),
    responses((status = 204, description = "Told.")),
)]
async fn mark_message_played(
    State(core): State<Core>,
    session: InSession<Send>,
    message: Named<parts::Message>,
    body: Json<MessageInChatInput>,
) -> Answer<StatusCode> {
    core.mark_message_played(&session.access, &message.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
