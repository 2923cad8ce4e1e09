//! Routes of channels.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, Page};
use wagate_model::{
    Channel, CreateChannelInput, CreatedChannel, ListChannel, ListMessage, MuteChannelInput,
    UpdateChannelInput,
};

use crate::access::{InSession, Named, Read, Send, SendOrRead, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::query::Query;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_channels, create_channel),
        routes!(get_channel, update_channel, delete_channel),
        routes!(list_channel_messages),
        routes!(follow_channel),
        routes!(unfollow_channel),
        routes!(mute_channel),
    ]
}

impl RequestBody for CreateChannelInput {}

impl RequestBody for UpdateChannelInput {}

impl RequestBody for MuteChannelInput {
    const IS_OPTIONAL: bool = true;
}

/// List followed channels
///
/// Asks WhatsApp now for the channels that the account follows or owns.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/channels", operation_id = "listChannels",
    tag = "Channels",
    params(parts::Session),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The channels.", body = ListChannel, example = json!({
        "data": [{
            "jid": "120363144038483540@newsletter", "name": "Harbour news", "role": "owner",
            "subscribers": 128, "muted": false, "verified": false,
            "inviteCode": "0029VaAbCdEfGhIjKlMnOpQr", "createdAt": 1_767_225_600_000_i64
        }]
    }))),
)]
async fn list_channels(
    State(core): State<Core>,
    session: InSession<Read>,
) -> Answer<Reply<ListChannel>> {
    Ok(Reply(core.list_channels(&session.access).await?))
}

/// Create a channel
///
/// The session's account owns it. Every call makes another one.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/channels", operation_id = "createChannel",
    tag = "Channels",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = CreateChannelInput, example = json!({
        "name": "Harbour news", "description": "Arrivals and departures"
    })),
    responses((status = 201, description = "The new channel.", body = CreatedChannel,
        example = json!({ "jid": "120363144038483540@newsletter" }))),
)]
async fn create_channel(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<CreateChannelInput>,
) -> Answer<(StatusCode, Reply<CreatedChannel>)> {
    let made = core.create_channel(&session.access, body.draft).await?;
    Ok((StatusCode::CREATED, Reply(made)))
}

/// Read a channel
///
/// Asks WhatsApp now; the account need not follow the channel.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/channels/{jid}", operation_id = "getChannel",
    tag = "Channels",
    params(parts::Session, parts::Channel),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The channel.", body = Channel, example = json!({
        "jid": "120363144038483540@newsletter", "name": "Harbour news", "role": "subscriber",
        "description": "Arrivals and departures", "subscribers": 128, "muted": false,
        "verified": false, "inviteCode": "0029VaAbCdEfGhIjKlMnOpQr"
    }))),
)]
async fn get_channel(
    State(core): State<Core>,
    session: InSession<Read>,
    channel: Named<parts::Channel>,
) -> Answer<Reply<Channel>> {
    Ok(Reply(core.get_channel(&session.access, &channel.0).await?))
}

/// Change a channel
///
/// Beyond the contract. Its name, its description, its picture; only what is sent changes. Takes
/// its owner or an admin.
#[utoipa::path(
    patch, path = "/api/v1/sessions/{session}/channels/{jid}", operation_id = "updateChannel",
    tag = "Channels",
    params(parts::Session, parts::Channel),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = UpdateChannelInput, example = json!({ "name": "Harbour news" })),
    responses((status = 200, description = "The channel.", body = Channel, example = json!({
        "jid": "120363144038483540@newsletter", "name": "Harbour news", "role": "owner",
        "description": "Arrivals and departures", "subscribers": 128, "muted": false,
        "verified": false, "inviteCode": "0029VaAbCdEfGhIjKlMnOpQr"
    }))),
)]
async fn update_channel(
    State(core): State<Core>,
    session: InSession<Send>,
    channel: Named<parts::Channel>,
    body: Json<UpdateChannelInput>,
) -> Answer<Reply<Channel>> {
    let changed = core
        .update_channel(&session.access, &channel.0, body.draft)
        .await?;
    Ok(Reply(changed))
}

/// Delete a channel
///
/// Beyond the contract. For everyone; this cannot be undone. The stored posts stay. Takes its
/// owner.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/channels/{jid}", operation_id = "deleteChannel",
    tag = "Channels",
    params(parts::Session, parts::Channel),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_channel(
    State(core): State<Core>,
    session: InSession<Send>,
    channel: Named<parts::Channel>,
) -> Answer<StatusCode> {
    core.delete_channel(&session.access, &channel.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List posts of a channel
///
/// Stored posts, newest first; `nextCursor` leads to older ones. A channel that the session
/// has never seen has none. The capability `read` is enough, too.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/channels/{jid}/messages",
    operation_id = "listChannelMessages", tag = "Channels",
    params(
        parts::Session,
        parts::Channel,
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    extensions(("x-capability" = json!("send"))),
    responses((status = 200, description = "The posts.", body = ListMessage, example = json!({
        "data": [{
            "id": "3EB0C767D26A1B5F7C83", "waMessageId": "3EB0C767D26A1B5F7C83",
            "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "chatJid": "120363144038483540@newsletter",
            "direction": "in", "fromMe": false, "type": "text", "body": "The ferry is late.",
            "hasMedia": false, "edited": false, "deleted": false,
            "timestamp": 1_767_225_700_000_i64, "createdAt": 1_767_225_700_100_i64
        }]
    }))),
)]
async fn list_channel_messages(
    State(core): State<Core>,
    session: InSession<SendOrRead>,
    channel: Named<parts::Channel>,
    Query(page): Query<Page>,
) -> Answer<Reply<ListMessage>> {
    let posts = core
        .list_channel_messages(&session.access, &channel.0, page)
        .await?;
    Ok(Reply(posts))
}

/// Follow a channel
///
/// Can be repeated. Its posts come in as messages from then on.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/channels/{jid}:follow",
    operation_id = "followChannel", tag = "Channels",
    params(parts::Session, parts::Channel),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "The account follows it.")),
)]
async fn follow_channel(
    State(core): State<Core>,
    session: InSession<Send>,
    channel: Named<parts::Channel>,
) -> Answer<StatusCode> {
    core.follow_channel(&session.access, &channel.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unfollow a channel
///
/// Can be repeated. The stored posts stay. An owner cannot leave the channel.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/channels/{jid}:unfollow",
    operation_id = "unfollowChannel", tag = "Channels",
    params(parts::Session, parts::Channel),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "The account does not follow it.")),
)]
async fn unfollow_channel(
    State(core): State<Core>,
    session: InSession<Send>,
    channel: Named<parts::Channel>,
) -> Answer<StatusCode> {
    core.unfollow_channel(&session.access, &channel.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mute or unmute a channel
///
/// Sets whether new posts are silent on the account's phones, and can be repeated. Without a
/// body, or without `mute`, it mutes. Posts come in as before.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/channels/{jid}:mute",
    operation_id = "muteChannel", tag = "Channels",
    params(parts::Session, parts::Channel),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = MuteChannelInput, example = json!({ "mute": false })),
    responses((status = 204, description = "Done.")),
)]
async fn mute_channel(
    State(core): State<Core>,
    session: InSession<Send>,
    channel: Named<parts::Channel>,
    body: Json<MuteChannelInput>,
) -> Answer<StatusCode> {
    core.mute_channel(&session.access, &channel.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
