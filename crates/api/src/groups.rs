//! Routes of groups.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, MemberChange};
use wagate_model::{
    AddGroupMembersInput, ApproveGroupMembersInput, CreateGroupInput, Group, GroupInfo,
    InviteOutput, JoinGroupInput, JoinGroupOutput, ListGroup, ListGroupMember, UpdateGroupInput,
};

use crate::access::{InSession, Named, Read, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_groups, create_group),
        routes!(get_group, update_group),
        routes!(list_group_members, add_group_members),
        routes!(get_group_invite, revoke_group_invite),
        routes!(remove_group_member),
        routes!(promote_group_member),
        routes!(demote_group_member),
        routes!(approve_group_members),
        routes!(leave_group),
        routes!(join_group),
    ]
}

impl RequestBody for CreateGroupInput {}

impl RequestBody for UpdateGroupInput {}

impl RequestBody for AddGroupMembersInput {}

impl RequestBody for ApproveGroupMembersInput {
    const IS_OPTIONAL: bool = true;
}

impl RequestBody for JoinGroupInput {}

/// List groups
///
/// The groups that the account is in, in one page. From stored data: works while the session
/// is offline.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups", operation_id = "listGroups", tag = "Groups",
    params(parts::Session),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The groups.", body = ListGroup, example = json!({
        "data": [{
            "id": 7, "groupJid": "120363025246125486@g.us", "subject": "Harbour",
            "ownerJid": "205227043110953@lid", "isAnnounce": false, "isLocked": false,
            "participantCount": 12, "createdAtWa": 1_767_225_000_000_i64,
            "firstSeenAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_700_000_i64
        }]
    }))),
)]
async fn list_groups(
    State(core): State<Core>,
    session: InSession<Read>,
) -> Answer<Reply<ListGroup>> {
    Ok(Reply(core.list_groups(&session.access).await?))
}

/// Read a group
///
/// What is stored of it, also after the account has left it.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups/{gid}", operation_id = "getGroup",
    tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The group.", body = Group, example = json!({
        "id": 7, "groupJid": "120363025246125486@g.us", "subject": "Harbour",
        "participantCount": 12, "firstSeenAt": 1_767_225_600_000_i64,
        "updatedAt": 1_767_225_700_000_i64
    }))),
)]
async fn get_group(
    State(core): State<Core>,
    session: InSession<Read>,
    group: Named<parts::Group>,
) -> Answer<Reply<Group>> {
    Ok(Reply(core.get_group(&session.access, &group.0).await?))
}

/// List members of a group
///
/// The stored members with their roles, in one page.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups/{gid}/members",
    operation_id = "listGroupMembers", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The members.", body = ListGroupMember,
        example = json!({
            "data": [{
                "id": 9, "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
                "groupJid": "120363025246125486@g.us", "lid": "205227043110953@lid",
                "role": "admin", "firstSeenAt": 1_767_225_600_000_i64,
                "lastSeenAt": 1_767_225_700_000_i64
            }]
        }))),
)]
async fn list_group_members(
    State(core): State<Core>,
    session: InSession<Read>,
    group: Named<parts::Group>,
) -> Answer<Reply<ListGroupMember>> {
    let members = core.list_group_members(&session.access, &group.0).await?;
    Ok(Reply(members))
}

/// Create a group
///
/// Makes the group on WhatsApp, with the account as its owner, and stores it at once. Not
/// idempotent. Those whom WhatsApp does not let the account invite are left out silently.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/groups", operation_id = "createGroup",
    tag = "Groups",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = CreateGroupInput, example = json!({
        "name": "Harbour", "participants": ["15557654321", "205227043110953@lid"]
    })),
    responses((status = 201, description = "The group.", body = GroupInfo, example = json!({
        "groupJid": "120363025246125486@g.us", "subject": "Harbour", "isAnnounce": false,
        "isLocked": false, "ownerJid": "205227043110953@lid", "participants": 3
    }))),
)]
async fn create_group(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<CreateGroupInput>,
) -> Answer<(StatusCode, Reply<GroupInfo>)> {
    let group = core.create_group(&session.access, body.draft).await?;
    Ok((StatusCode::CREATED, Reply(group)))
}

/// Change a group
///
/// What is left out stays. Each field is changed on WhatsApp by itself: subject, description,
/// `announce`, `locked`, then the others; where one fails, those before it are changed. Most
/// take an admin.
#[utoipa::path(
    patch, path = "/api/v1/sessions/{session}/groups/{gid}", operation_id = "updateGroup",
    tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = UpdateGroupInput, example = json!({
        "subject": "Harbour crew", "announce": true
    })),
    responses((status = 204, description = "Done.")),
)]
async fn update_group(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
    body: Json<UpdateGroupInput>,
) -> Answer<StatusCode> {
    core.update_group(&session.access, &group.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a group's invite link
///
/// Asks WhatsApp now; takes an admin.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/groups/{gid}/invite",
    operation_id = "getGroupInvite", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The link.", body = InviteOutput,
        example = json!({ "invite": "https://chat.whatsapp.com/HG4pQ2mRz7c8KdT1vWxYbN" }))),
)]
async fn get_group_invite(
    State(core): State<Core>,
    session: InSession<Read>,
    group: Named<parts::Group>,
) -> Answer<Reply<InviteOutput>> {
    let invite = core.get_group_invite(&session.access, &group.0).await?;
    Ok(Reply(invite))
}

/// Revoke a group's invite link
///
/// The old link is void at once; gives the new one. Takes an admin.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/groups/{gid}/invite",
    operation_id = "revokeGroupInvite", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 200, description = "The new link.", body = InviteOutput,
        example = json!({ "invite": "https://chat.whatsapp.com/HG4pQ2mRz7c8KdT1vWxYbN" }))),
)]
async fn revoke_group_invite(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
) -> Answer<Reply<InviteOutput>> {
    let invite = core.revoke_group_invite(&session.access, &group.0).await?;
    Ok(Reply(invite))
}

/// Add members to a group
///
/// Takes an admin, where the group does not let every member add others. WhatsApp may refuse
/// some of the people, which is no error; who is in the group already stays in it.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/groups/{gid}/members",
    operation_id = "addGroupMembers", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = AddGroupMembersInput, example = json!({
        "participants": ["15557654321"]
    })),
    responses((status = 204, description = "Done.")),
)]
async fn add_group_members(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
    body: Json<AddGroupMembersInput>,
) -> Answer<StatusCode> {
    core.add_group_members(&session.access, &group.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a member from a group
///
/// Takes an admin. Somebody who is not in the group can be removed as well.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/groups/{gid}/members/{jid}",
    operation_id = "removeGroupMember", tag = "Groups",
    params(parts::Session, parts::Group, parts::Address),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn remove_group_member(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
    person: Named<parts::Address>,
) -> Answer<StatusCode> {
    core.change_group_member(&session.access, &group.0, &person.0, MemberChange::Remove)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a member an admin
///
/// Takes an admin. Whoever is one already stays one.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/groups/{gid}/members/{jid}/promote",
    operation_id = "promoteGroupMember", tag = "Groups",
    params(parts::Session, parts::Group, parts::Address),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn promote_group_member(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
    person: Named<parts::Address>,
) -> Answer<StatusCode> {
    core.change_group_member(&session.access, &group.0, &person.0, MemberChange::Promote)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make an admin a plain member
///
/// Takes an admin. Whoever is no admin stays a member.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/groups/{gid}/members/{jid}/demote",
    operation_id = "demoteGroupMember", tag = "Groups",
    params(parts::Session, parts::Group, parts::Address),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn demote_group_member(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
    person: Named<parts::Address>,
) -> Answer<StatusCode> {
    core.change_group_member(&session.access, &group.0, &person.0, MemberChange::Demote)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Approve requests to join a group
///
/// Lets those in who asked to join: the people named, or all where none are. Takes an admin.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/groups/{gid}/members:approve",
    operation_id = "approveGroupMembers", tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = ApproveGroupMembersInput, example = json!({
        "participants": ["205227043110953@lid"]
    })),
    responses((status = 204, description = "Done.")),
)]
async fn approve_group_members(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
    body: Json<ApproveGroupMembersInput>,
) -> Answer<StatusCode> {
    core.approve_group_members(&session.access, &group.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leave a group
///
/// What is stored of the group can still be read afterwards.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/groups/{gid}:leave", operation_id = "leaveGroup",
    tag = "Groups",
    params(parts::Session, parts::Group),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn leave_group(
    State(core): State<Core>,
    session: InSession<Send>,
    group: Named<parts::Group>,
) -> Answer<StatusCode> {
    core.leave_group(&session.access, &group.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Join a group
///
/// By its invite link, or the link's code. Where an admin has to approve first, the account is
/// in the group only after that; where it is in already, nothing changes.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/groups:join", operation_id = "joinGroup",
    tag = "Groups",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = JoinGroupInput, example = json!({
        "invite": "https://chat.whatsapp.com/HG4pQ2mRz7c8KdT1vWxYbN"
    })),
    responses((status = 200, description = "The group.", body = JoinGroupOutput,
        example = json!({ "groupJid": "120363025246125486@g.us" }))),
)]
async fn join_group(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<JoinGroupInput>,
) -> Answer<Reply<JoinGroupOutput>> {
    Ok(Reply(core.join_group(&session.access, body.draft).await?))
}
