//! Routes of invitations.

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Acceptance, AcceptanceForm, Core, InvitationForm};
use wagate_model::{OrganizationId, Role};

use super::cookies::{MaybeSignedIn, SetCookie};
use super::login::LinkBody;
use super::shapes::{ListInvitation, OrganizationInvitation};
use super::visitor::Visitor;
use crate::access::{AsAdmin, InOrganization, Named, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_invitations, create_invitation),
        routes!(revoke_invitation),
        routes!(preview_invitation),
        routes!(accept_invitation),
    ]
}

/// List invitations
///
/// Those that can be accepted still, oldest first.
#[utoipa::path(
    get, path = "/api/auth/organizations/{organization}/invitations",
    operation_id = "listInvitations", tag = "Organizations",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    responses((status = 200, description = "The invitations.", body = ListInvitation,
        example = json!({ "data": [{
            "id": "inv_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "bob@example.com",
            "role": "member", "invitedBy": "Ann",
            "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
            "createdAt": 1_767_225_600_000_i64, "expiresAt": 1_767_830_400_000_i64
        }] }))),
)]
async fn list_invitations(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
) -> Answer<Reply<ListInvitation>> {
    let invitations = core.list_invitations(&place.access).await?;
    let entries = invitations.into_iter();
    Ok(Reply(
        entries
            .map(|invitation| OrganizationInvitation::of(invitation, None))
            .collect(),
    ))
}

/// The body of `createInvitation`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InvitationBody {
    /// Whom.
    #[schema(max_length = 254)]
    email: String,
    /// For how long it can be accepted, in hours: 1 to 720; a week by default.
    #[schema(minimum = 1, maximum = 720)]
    expires_in_hours: Option<i64>,
    /// As what; `member` by default. Only owners invite owners.
    role: Option<Role>,
}

impl RequestBody for InvitationBody {}

/// Invite somebody
///
/// An earlier invitation of the same address is void. The link goes out by mail; where no mail
/// is set up, it is in the answer, shown this once, for you to hand over.
#[utoipa::path(
    post, path = "/api/auth/organizations/{organization}/invitations",
    operation_id = "createInvitation", tag = "Organizations",
    params(("organization" = String, Path, description = "The organization's id.")),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    request_body(content = InvitationBody, example = json!({
        "email": "bob@example.com", "role": "member", "expiresInHours": 72
    })),
    responses((status = 201, description = "The invitation.", body = OrganizationInvitation,
        example = json!({
            "id": "inv_01J9ZX8K2QHV0M3T6R7P4N5W8C", "email": "bob@example.com",
            "role": "member", "invitedBy": "Ann",
            "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
            "createdAt": 1_767_225_600_000_i64, "expiresAt": 1_767_484_800_000_i64,
            "link": "https://example.com/account/invitation#token=Zm9yIGV4YW1wbGUgb25seQ"
        }))),
)]
async fn create_invitation(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
    body: Json<InvitationBody>,
) -> Answer<(StatusCode, Reply<OrganizationInvitation>)> {
    let form = body.draft.map(|body| InvitationForm {
        email: body.email,
        role: body.role,
        hours: body.expires_in_hours,
    });
    let made = core.create_invitation(&place.access, form).await?;
    let shown = OrganizationInvitation::of(made.invitation, made.link);
    Ok((StatusCode::CREATED, Reply(shown)))
}

/// Take an invitation back
///
/// Its link stops working.
#[utoipa::path(
    delete, path = "/api/auth/organizations/{organization}/invitations/{invitation}",
    operation_id = "revokeInvitation", tag = "Organizations",
    params(
        ("organization" = String, Path, description = "The organization's id."),
        ("invitation" = String, Path, description = "The invitation's id."),
    ),
    security(("loginCookie" = []), ("bearerAuth" = [])),
    extensions(("x-capability" = json!("admin"))),
    responses((status = 204, description = "Taken back.")),
)]
async fn revoke_invitation(
    State(core): State<Core>,
    place: InOrganization<AsAdmin>,
    invitation: Named<parts::Invitation>,
) -> Answer<StatusCode> {
    core.revoke_invitation(&place.access, &invitation.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an invitation is about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InvitationPreviewAnswer {
    /// Whom.
    email: String,
    /// Until when it can be accepted, in milliseconds since 1970.
    expires_at: i64,
    /// What the inviter was called.
    invited_by: String,
    /// Where to.
    organization_id: OrganizationId,
    /// What people call it.
    organization_name: String,
    /// As what.
    role: Role,
}

/// Look at an invitation
///
/// What the invitation of a link is about, for a page that asks whether to accept it.
#[utoipa::path(
    post, path = "/api/auth/invitations:preview", operation_id = "previewInvitation",
    tag = "Organizations", security(()),
    request_body(content = LinkBody, example = json!({ "token": "Zm9yIGV4YW1wbGUgb25seQ" })),
    responses((status = 200, description = "The invitation.", body = InvitationPreviewAnswer,
        example = json!({
            "email": "bob@example.com", "role": "member", "invitedBy": "Ann",
            "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C", "organizationName": "Example",
            "expiresAt": 1_767_484_800_000_i64
        }))),
)]
async fn preview_invitation(
    State(core): State<Core>,
    _: Visitor,
    body: Json<LinkBody>,
) -> Answer<Reply<InvitationPreviewAnswer>> {
    let token = body.draft.map(|body| body.token);
    let preview = core.preview_invitation(token).await?;
    let invitation = preview.invitation;
    Ok(Reply(InvitationPreviewAnswer {
        email: invitation.email.to_string(),
        expires_at: invitation.expires_at,
        invited_by: invitation.invited_by,
        organization_id: preview.organization.id,
        organization_name: preview.organization.name,
        role: invitation.role,
    }))
}

/// The body of `acceptInvitation`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AcceptanceBody {
    /// What you are called; for a new account.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// 10 to 256 characters; for a new account.
    #[schema(max_length = 256, format = Password)]
    password: Option<String>,
    /// What stands behind `#token=` in the link.
    #[schema(max_length = 128)]
    token: String,
}

impl RequestBody for AcceptanceBody {}

/// The organization that was joined.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct JoinedOrganization {
    /// Where to.
    organization_id: OrganizationId,
}

/// Accept an invitation
///
/// Signed in, you join with your account, whose address has to be the invited one. Otherwise
/// a new account is made from `name` and `password`, and this browser is signed in; where
/// the address has an account, sign in first (409 `sign_in_first`).
#[utoipa::path(
    post, path = "/api/auth/invitations:accept", operation_id = "acceptInvitation",
    tag = "Organizations", security((), ("loginCookie" = [])),
    request_body(content = AcceptanceBody, example = json!({
        "token": "Zm9yIGV4YW1wbGUgb25seQ", "name": "Bob", "password": "correct horse battery"
    })),
    responses((status = 200, description = "Joined.", body = JoinedOrganization,
        example = json!({ "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C" }))),
)]
async fn accept_invitation(
    State(core): State<Core>,
    State(state): State<ApiState>,
    visitor: Visitor,
    MaybeSignedIn(login): MaybeSignedIn,
    headers: HeaderMap,
    body: Json<AcceptanceBody>,
) -> Answer<Response> {
    let form = body.draft.map(|body| AcceptanceForm {
        token: body.token,
        name: body.name,
        password: body.password.map(Into::into),
    });
    let client = &visitor.0;
    Ok(
        match core.accept_invitation(login.as_ref(), form, client).await? {
            Acceptance::Joined(organization) => Reply(JoinedOrganization {
                organization_id: organization.id,
            })
            .into_response(),
            Acceptance::SignedIn(organization, login) => {
                let cookie = SetCookie::login(&login.secret, &headers, state.config());
                let joined = JoinedOrganization {
                    organization_id: organization.id,
                };
                (cookie, Reply(joined)).into_response()
            }
        },
    )
}
