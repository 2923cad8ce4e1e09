//! Routes of communities.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{
    Community, CommunityGroupsInput, CommunityGroupsOutput, CreateCommunityInput, ListCommunity,
    ListCommunityGroup,
};

use crate::access::{InSession, Named, Read, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_communities, create_community),
        routes!(
            list_community_groups,
            link_community_groups,
            unlink_community_groups
        ),
    ]
}

impl RequestBody for CreateCommunityInput {}

impl RequestBody for CommunityGroupsInput {}

/// List communities
///
/// Beyond the contract. Asks WhatsApp now which communities the account is in.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/communities", operation_id = "listCommunities",
    tag = "Groups",
    params(parts::Session),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The communities.", body = ListCommunity,
        example = json!({
            "data": [{
                "groupJid": "120363025246125486@g.us", "subject": "Harbour",
                "ownerJid": "205227043110953@lid", "participantCount": 12,
                "createdAtWa": 1_767_225_000_000_i64
            }]
        }))),
)]
async fn list_communities(
    State(core): State<Core>,
    session: InSession<Read>,
) -> Answer<Reply<ListCommunity>> {
    Ok(Reply(core.list_communities(&session.access).await?))
}

/// Create a community
///
/// Beyond the contract. WhatsApp makes a group for announcements along with it. Not idempotent.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/communities", operation_id = "createCommunity",
    tag = "Groups",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = CreateCommunityInput, example = json!({
        "name": "Harbour", "description": "All who sail from here"
    })),
    responses((status = 201, description = "The community.", body = Community,
        example = json!({
            "groupJid": "120363025246125486@g.us", "subject": "Harbour",
            "ownerJid": "205227043110953@lid", "participantCount": 1
        }))),
)]
async fn create_community(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<CreateCommunityInput>,
) -> Answer<(StatusCode, Reply<Community>)> {
    let community = core.create_community(&session.access, body.draft).await?;
    Ok((StatusCode::CREATED, Reply(community)))
}

/// List groups of a community
///
/// Beyond the contract. Asks WhatsApp now.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/communities/{gid}/groups",
    operation_id = "listCommunityGroups", tag = "Groups",
    params(parts::Session, parts::Community),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The groups.", body = ListCommunityGroup,
        example = json!({
            "data": [{
                "groupJid": "120363025246125487@g.us", "subject": "Harbour",
                "isAnnouncements": true, "participantCount": 12
            }]
        }))),
)]
async fn list_community_groups(
    State(core): State<Core>,
    session: InSession<Read>,
    community: Named<parts::Community>,
) -> Answer<Reply<ListCommunityGroup>> {
    let groups = core
        .list_community_groups(&session.access, &community.0)
        .await?;
    Ok(Reply(groups))
}

/// Link groups to a community
///
/// Beyond the contract. Takes an admin of the community and of the groups; WhatsApp may refuse
/// some of them.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/communities/{gid}/groups",
    operation_id = "linkCommunityGroups", tag = "Groups",
    params(parts::Session, parts::Community),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = CommunityGroupsInput, example = json!({
        "groups": ["120363025246125487@g.us"]
    })),
    responses((status = 200, description = "What was done.", body = CommunityGroupsOutput,
        example = json!({ "done": ["120363025246125487@g.us"], "refused": [] }))),
)]
async fn link_community_groups(
    State(core): State<Core>,
    session: InSession<Send>,
    community: Named<parts::Community>,
    body: Json<CommunityGroupsInput>,
) -> Answer<Reply<CommunityGroupsOutput>> {
    let outcome = core
        .link_community_groups(&session.access, &community.0, true, body.draft)
        .await?;
    Ok(Reply(outcome))
}

/// Unlink groups from a community
///
/// Beyond the contract. The groups go on by themselves. A `DELETE` with a JSON body.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/communities/{gid}/groups",
    operation_id = "unlinkCommunityGroups", tag = "Groups",
    params(parts::Session, parts::Community),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = CommunityGroupsInput, example = json!({
        "groups": ["120363025246125487@g.us"]
    })),
    responses((status = 200, description = "What was done.", body = CommunityGroupsOutput,
        example = json!({ "done": ["120363025246125487@g.us"], "refused": [] }))),
)]
async fn unlink_community_groups(
    State(core): State<Core>,
    session: InSession<Send>,
    community: Named<parts::Community>,
    body: Json<CommunityGroupsInput>,
) -> Answer<Reply<CommunityGroupsOutput>> {
    let outcome = core
        .link_community_groups(&session.access, &community.0, false, body.draft)
        .await?;
    Ok(Reply(outcome))
}
