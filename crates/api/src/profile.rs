//! Routes of the account itself: what it shows, to whom, and calls to it.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{PrivacySettings, Profile, ProfilePictureInput, RejectCallInput, UpdateProfile};

use crate::access::{InSession, Named, Read, Send, parts};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

impl RequestBody for UpdateProfile {}

impl RequestBody for ProfilePictureInput {
    const HAS_MEDIA: bool = true;
}

impl RequestBody for PrivacySettings {}

impl RequestBody for RejectCallInput {}

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(get_profile, update_profile),
        routes!(set_profile_picture, remove_profile_picture),
        routes!(get_privacy, update_privacy),
        routes!(reject_call),
    ]
}

/// Read the account's profile
///
/// Name, text below it and picture, as WhatsApp shows them to others.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/profile", operation_id = "getProfile",
    tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "What the account shows.", body = Profile,
        example = json!({ "about": "At work", "jid": "15551234567@s.whatsapp.net",
            "name": "Harbour Office" }))),
)]
async fn get_profile(State(core): State<Core>, session: InSession<Read>) -> Answer<Reply<Profile>> {
    Ok(Reply(core.get_profile(&session.access).await?))
}

/// Change the account's name or text
///
/// What is left out stays. Each that is given is an operation of its own on WhatsApp.
#[utoipa::path(
    patch, path = "/api/v1/sessions/{session}/profile", operation_id = "updateProfile",
    tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = UpdateProfile, example = json!({ "about": "Back on Monday" })),
    responses((status = 204, description = "Done.")),
)]
async fn update_profile(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<UpdateProfile>,
) -> Answer<StatusCode> {
    core.update_profile(&session.access, body.draft).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Set the account's picture
///
/// JPEG, PNG, WebP, GIF or BMP; its middle is cut out as a square.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/profile/picture",
    operation_id = "setProfilePicture", tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = ProfilePictureInput, example = json!({
        "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    })),
    responses((status = 204, description = "Done.")),
)]
async fn set_profile_picture(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<ProfilePictureInput>,
) -> Answer<StatusCode> {
    core.set_profile_picture(&session.access, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove the account's picture
///
/// Others see none from then on. Can be repeated.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}/profile/picture",
    operation_id = "removeProfilePicture", tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    responses((status = 204, description = "Done.")),
)]
async fn remove_profile_picture(
    State(core): State<Core>,
    session: InSession<Send>,
) -> Answer<StatusCode> {
    core.remove_profile_picture(&session.access).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read the account's privacy settings
///
/// Who may see what of it. Settings that WhatsApp does not tell are left out.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/privacy", operation_id = "getPrivacy",
    tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("read")), ("x-live" = json!(true))),
    responses((status = 200, description = "The settings.", body = PrivacySettings,
        example = json!({ "lastSeen": "contacts", "readReceipts": "all" }))),
)]
async fn get_privacy(
    State(core): State<Core>,
    session: InSession<Read>,
) -> Answer<Reply<PrivacySettings>> {
    Ok(Reply(core.get_privacy(&session.access).await?))
}

/// Change the account's privacy settings
///
/// What is left out stays; all settings are answered.
#[utoipa::path(
    patch, path = "/api/v1/sessions/{session}/privacy", operation_id = "updatePrivacy",
    tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = PrivacySettings, example = json!({ "lastSeen": "none" })),
    responses((status = 200, description = "The settings as they are now.",
        body = PrivacySettings,
        example = json!({ "lastSeen": "none", "readReceipts": "all" }))),
)]
async fn update_privacy(
    State(core): State<Core>,
    session: InSession<Send>,
    body: Json<PrivacySettings>,
) -> Answer<Reply<PrivacySettings>> {
    let settings = core.update_privacy(&session.access, body.draft).await?;
    Ok(Reply(settings))
}

/// Reject a call
///
/// The call of a `call.incoming` event: it stops ringing on the account's devices.
/// One that rings no longer is left as it is.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/calls/{callId}/reject",
    operation_id = "rejectCall", tag = "Sessions",
    params(parts::Session, parts::Call),
    extensions(("x-capability" = json!("send")), ("x-live" = json!(true))),
    request_body(content = RejectCallInput, example = json!({ "from": "15557654321" })),
    responses((status = 204, description = "Done.")),
)]
async fn reject_call(
    State(core): State<Core>,
    session: InSession<Send>,
    call: Named<parts::Call>,
    body: Json<RejectCallInput>,
) -> Answer<StatusCode> {
    core.reject_call(&session.access, &call.0, body.draft)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
