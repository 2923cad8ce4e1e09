//! Routes of invites to groups, requests to join, and pictures.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{
    GroupPictureInput, GroupPreview, ListGroupJoinRequest, RejectGroupMembersInput,
};

use crate::access::{InSession, Named, Read, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(preview_group_invite),
        routes!(list_group_join_requests, cancel_group_join_request),
        routes!(reject_group_members),
        routes!(set_group_picture, remove_group_picture),
    ]
}

impl RequestBody for RejectGroupMembersInput {}

impl RequestBody for GroupPictureInput {}

/// The invite that is asked about.
struct Invite(Option<String>);

impl FromQuery for Invite {
    fn from_params(params: &mut Params) -> Self {
        Self(params.text("invite"))
    }
}

/// Look where an invite leads
///
/// Asks WhatsApp about the group without joining it.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups:preview", operation_id = "previewGroupInvite",
    tag = "Groups",
    params(
        parts::Session,
        ("invite" = Option<String>, Query, max_length = 512,
            description = "The invite link, or its code."),
    ),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The group.", body = GroupPreview, example = json!({
        "groupJid": "120363025246125486@g.us", "subject": "Harbour", "approvalRequired": false,
        "ownerJid": "205227043110953@lid", "participantCount": 12,
        "createdAtWa": 1_767_225_000_000_i64
    }))),
)]
async fn preview_group_invite(
    State(core): State<Core>,
    session: InSession<Read>,
    Query(invite): Query<Invite>,
) -> Answer<Reply<GroupPreview>> {
    let invite = invite.map(|invite| invite.0);
    Ok(Reply(
        core.preview_group_invite(&session.access, invite).await?,
    ))
}

/// List requests to join a group
///
/// Asks WhatsApp now who waits for an admin's approval. Takes an admin.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups/{gid}/requests",
    operation_id = "listGroupJoinRequests", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The requests.", body = ListGroupJoinRequest,
        example = json!({
            "data": [{
                "jid": "205227043110953@lid", "lid": "205227043110953@lid",
                "phoneJid": "15557654321@s.whatsapp.net",
                "requestedAt": 1_767_225_700_000_i64
            }]
        }))),
)]
async fn list_group_join_requests(
    State(core): State<Core>,
    session: InSession<Read>,
    group: Named<parts::Group>,
) -> Answer<Reply<ListGroupJoinRequest>> {
    let requests = core
        .list_group_join_requests(&session.access, &group.0)
        .await?;
    Ok(Reply(requests))
}

/// Take a request to join back
///
/// Beyond the contract. The account's own, which waits for an admin's approval since `joinGroup`.
/// 404 where there is none.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/groups/{gid}/requests",
    operation_id = "cancelGroupJoinRequest", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Taken back.")),
)]
async fn cancel_group_join_request(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
) -> Answer<StatusCode> {
    core.cancel_group_join_request(&session.access, &group.0)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reject requests to join a group
///
/// The people named stay outside; they can ask again. Takes an admin.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/groups/{gid}/members:reject",
    operation_id = "rejectGroupMembers", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = RejectGroupMembersInput, example = json!({
        "participants": ["205227043110953@lid"]
    })),
    responses((status = 204, description = "Done.")),
)]
async fn reject_group_members(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
    body: Json<RejectGroupMembersInput>,
) -> Answer<StatusCode> {
    core.reject_group_members(&session.access, &group.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Set a group's picture
///
/// Takes an admin, where the group's settings are locked. Read it with `getContactPicture`.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/groups/{gid}/picture",
    operation_id = "setGroupPicture", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = GroupPictureInput, example = json!({ "jpeg": "/9j/4AAQSkZJRgABAQ==" })),
    responses((status = 204, description = "Done.")),
)]
async fn set_group_picture(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
    body: Json<GroupPictureInput>,
) -> Answer<StatusCode> {
    core.set_group_picture(&session.access, &group.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a group's picture
///
/// Takes an admin, where the group's settings are locked. Can be repeated.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/groups/{gid}/picture",
    operation_id = "removeGroupPicture", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn remove_group_picture(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
) -> Answer<StatusCode> {
    core.remove_group_picture(&session.access, &group.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
