//! Routes of sessions.

use axum::Json as Reply;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{
    CreateSession, ListWaSession, Me, PairingCode, PairingCodeRequest, Qr, UpdateSession, WaSession,
};

use crate::access::{Can, InSession, Manage, SuperAdmin, parts};
use crate::body::Json;
use crate::failure::Answer;
use crate::media_types::{self, QrForm};
use crate::qr_image;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_sessions, create_session),
        routes!(get_session, update_session, delete_session),
        routes!(session_me),
        routes!(session_pairing_code),
        routes!(session_qr),
        routes!(start_session),
        routes!(stop_session),
        routes!(restart_session),
        routes!(logout_session),
        routes!(admin_list_sessions),
    ]
}

/// List sessions
///
/// Gives every session that the credential reaches, oldest first, in one page.
#[utoipa::path(
    get, path = "/api/v1/sessions", operation_id = "listSessions", tag = "Sessions",
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The sessions.", body = ListWaSession, example = json!({
        "data": [{
            "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
            "label": "Support", "status": "working", "gatewayId": "gw-1", "autoRead": true,
            "presenceTyping": false, "isAdminSession": false, "ratePerMin": 20, "ratePerHour": 200,
            "phoneNumber": "15551234567", "waJid": "15551234567@s.whatsapp.net",
            "waLid": "205227043110953@lid", "lastConnectedAt": 1_767_225_700_000_i64,
            "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_700_000_i64
        }]
    }))),
)]
async fn list_sessions(State(core): State<Core>, can: Can<Manage>) -> Answer<Reply<ListWaSession>> {
    Ok(Reply(core.list_sessions(&can.caller).await?))
}

/// Create a session
///
/// Makes a slot for one number; each call makes another one. With `start`, pairing
/// begins at once: read the code with `sessionQR` or from `auth.qr` events. Otherwise
/// the session is stopped.
#[utoipa::path(
    post, path = "/api/v1/sessions", operation_id = "createSession", tag = "Sessions",
    extensions(("x-capability" = json!("manage"))),
    request_body(content = CreateSession, example = json!({ "label": "Support", "start": true })),
    responses((status = 201, description = "The session.", body = WaSession, example = json!({
        "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "label": "Support", "status": "starting", "gatewayId": "gw-1", "autoRead": true,
        "presenceTyping": false, "isAdminSession": false, "ratePerMin": 20, "ratePerHour": 200,
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_600_000_i64
    }))),
)]
async fn create_session(
    State(core): State<Core>,
    can: Can<Manage>,
    body: Json<CreateSession>,
) -> Answer<(StatusCode, Reply<WaSession>)> {
    let session = core.create_session(&can.caller, body.draft).await?;
    Ok((StatusCode::CREATED, Reply(session)))
}

/// Read a session
///
/// Its settings, its number and where it stands now.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}", operation_id = "getSession", tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The session.", body = WaSession, example = json!({
        "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "label": "Support", "status": "working", "gatewayId": "gw-1", "autoRead": true,
        "presenceTyping": false, "isAdminSession": false, "ratePerMin": 20, "ratePerHour": 200,
        "phoneNumber": "15551234567", "waJid": "15551234567@s.whatsapp.net",
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_700_000_i64
    }))),
)]
async fn get_session(State(core): State<Core>, session: InSession<Manage>) -> Reply<WaSession> {
    Reply(core.get_session(session.access))
}

/// Change a session's settings
///
/// Beyond the contract. Only the fields that are sent change; an empty label removes it.
#[utoipa::path(
    patch, path = "/api/v1/sessions/{session}", operation_id = "updateSession", tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    request_body(content = UpdateSession, example = json!({ "label": "Sales", "ratePerMin": 30 })),
    responses((status = 200, description = "The session.", body = WaSession, example = json!({
        "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "label": "Sales", "status": "working", "gatewayId": "gw-1", "autoRead": true,
        "presenceTyping": false, "isAdminSession": false, "ratePerMin": 30, "ratePerHour": 200,
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_800_000_i64
    }))),
)]
async fn update_session(
    State(core): State<Core>,
    session: InSession<Manage>,
    body: Json<UpdateSession>,
) -> Answer<Reply<WaSession>> {
    Ok(Reply(
        core.update_session(&session.access, body.draft).await?,
    ))
}

/// Delete a session
///
/// Removes the session and everything stored of it for good. To unlink the device on
/// the phone too, log the session out before.
#[utoipa::path(
    delete, path = "/api/v1/sessions/{session}", operation_id = "deleteSession", tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_session(
    State(core): State<Core>,
    session: InSession<Manage>,
) -> Answer<StatusCode> {
    core.delete_session(&session.access).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read the attached account
///
/// Who the session is on WhatsApp. Not found while no phone is attached.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/me", operation_id = "sessionMe", tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The account.", body = Me, example = json!({
        "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "connected": true, "status": "working",
        "phoneNumber": "15551234567", "waJid": "15551234567@s.whatsapp.net",
        "waLid": "205227043110953@lid"
    }))),
)]
async fn session_me(State(core): State<Core>, session: InSession<Manage>) -> Answer<Reply<Me>> {
    Ok(Reply(core.session_me(session.access)?))
}

/// Pair by code
///
/// Gives a short code to enter on the phone (Linked devices, Link with phone number)
/// instead of scanning a QR code. The session must not be paired.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}/pairing-code", operation_id = "sessionPairingCode",
    tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    request_body(content = PairingCodeRequest, example = json!({ "phone": "15551234567" })),
    responses((
        status = 200, description = "The code.", body = PairingCode,
        example = json!({ "code": "ABCD-1234" }),
    )),
)]
async fn session_pairing_code(
    State(core): State<Core>,
    session: InSession<Manage>,
    body: Json<PairingCodeRequest>,
) -> Answer<Reply<PairingCode>> {
    Ok(Reply(
        core.session_pairing_code(&session.access, body.draft)
            .await?,
    ))
}

/// Read the QR code
///
/// The code to scan on the phone (Linked devices). While there is none, the call begins
/// pairing and answers 404 until a code exists: ask again. Codes change about every 20
/// seconds. Ask with `Accept: image/png` or `image/svg+xml` to get the picture itself
/// (beyond the contract).
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/qr", operation_id = "sessionQR", tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The code.", content(
        (Qr = "application/json", example = json!({
            "code": "2@hB3…,8kT…,Qz9…,1", "expiresAt": 1_767_225_620_000_i64
        })),
        (String = "image/png"),
        (String = "image/svg+xml"),
    ))),
)]
async fn session_qr(
    State(core): State<Core>,
    session: InSession<Manage>,
    headers: HeaderMap,
) -> Answer<Response> {
    let qr = core.session_qr(&session.access).await?;
    let mut response = match media_types::qr_form(&headers) {
        QrForm::Json => Reply(qr).into_response(),
        QrForm::Png => {
            let image = qr_image::png(&qr.code)?;
            ([(header::CONTENT_TYPE, "image/png")], image).into_response()
        }
        QrForm::Svg => {
            let image = qr_image::svg(&qr.code)?;
            ([(header::CONTENT_TYPE, "image/svg+xml")], image).into_response()
        }
    };
    let vary = http::HeaderValue::from_static("accept");
    response.headers_mut().insert(header::VARY, vary);
    Ok(response)
}

/// Start a session
///
/// Connects a paired session; begins pairing by QR code where no phone is attached.
/// Does nothing when it runs already. The answer may still show the status changing.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}:start", operation_id = "startSession",
    tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The session.", body = WaSession, example = json!({
        "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "status": "starting", "gatewayId": "gw-1", "autoRead": true, "presenceTyping": false,
        "isAdminSession": false, "ratePerMin": 20, "ratePerHour": 200,
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_800_000_i64
    }))),
)]
async fn start_session(
    State(core): State<Core>,
    session: InSession<Manage>,
) -> Answer<Reply<WaSession>> {
    Ok(Reply(core.start_session(&session.access).await?))
}

/// Stop a session
///
/// Disconnects and keeps the pairing, so that a start needs no new one. Repeating it
/// changes nothing.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}:stop", operation_id = "stopSession", tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The session.", body = WaSession, example = json!({
        "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "status": "stopped", "gatewayId": "gw-1", "autoRead": true, "presenceTyping": false,
        "isAdminSession": false, "ratePerMin": 20, "ratePerHour": 200,
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_800_000_i64
    }))),
)]
async fn stop_session(
    State(core): State<Core>,
    session: InSession<Manage>,
) -> Answer<Reply<WaSession>> {
    Ok(Reply(core.stop_session(&session.access).await?))
}

/// Restart a session
///
/// Stops and starts it; the pairing stays. For sessions that are stuck or failed. One
/// without a phone begins a fresh pairing.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}:restart", operation_id = "restartSession",
    tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The session.", body = WaSession, example = json!({
        "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "status": "starting", "gatewayId": "gw-1", "autoRead": true, "presenceTyping": false,
        "isAdminSession": false, "ratePerMin": 20, "ratePerHour": 200,
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_800_000_i64
    }))),
)]
async fn restart_session(
    State(core): State<Core>,
    session: InSession<Manage>,
) -> Answer<Reply<WaSession>> {
    Ok(Reply(core.restart_session(&session.access).await?))
}

/// Log a session out
///
/// Unlinks the device on WhatsApp. The session stays and can be paired again. Repeating
/// it changes nothing.
#[utoipa::path(
    post, path = "/api/v1/sessions/{session}:logout", operation_id = "logoutSession",
    tag = "Sessions",
    params(parts::Session),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The session.", body = WaSession, example = json!({
        "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "status": "logged_out", "gatewayId": "gw-1", "autoRead": true, "presenceTyping": false,
        "isAdminSession": false, "ratePerMin": 20, "ratePerHour": 200,
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_800_000_i64
    }))),
)]
async fn logout_session(
    State(core): State<Core>,
    session: InSession<Manage>,
) -> Answer<Reply<WaSession>> {
    Ok(Reply(core.logout_session(&session.access).await?))
}

/// List every session
///
/// Gives the sessions of every organization, oldest first, in one page. For the operator.
#[utoipa::path(
    get, path = "/api/v1/admin/sessions", operation_id = "adminListSessions", tag = "Admin",
    security(("bearerAuth" = [])),
    extensions(("x-capability" = json!("super_admin"))),
    responses((status = 200, description = "The sessions.", body = ListWaSession, example = json!({
        "data": [{
            "id": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
            "label": "Support", "status": "working", "gatewayId": "gw-1", "autoRead": true,
            "presenceTyping": false, "isAdminSession": false, "ratePerMin": 20, "ratePerHour": 200,
            "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_700_000_i64
        }]
    }))),
)]
async fn admin_list_sessions(
    State(core): State<Core>,
    can: Can<SuperAdmin>,
) -> Answer<Reply<ListWaSession>> {
    Ok(Reply(core.admin_list_sessions(&can.caller).await?))
}
