//! Routes of the second factor.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{BothFactors, Core};

use super::cookies::SignedIn;
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(super) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(offer_totp),
        routes!(confirm_totp),
        routes!(disable_totp),
        routes!(renew_recovery_codes),
    ]
}

/// The body of `offerTotp`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TotpOfferBody {
    /// Your password.
    #[schema(max_length = 256, format = Password)]
    password: String,
}

impl RequestBody for TotpOfferBody {}

/// What an authenticator app needs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TotpOfferAnswer {
    /// The secret, in base 32, to type in.
    secret: String,
    /// The same as a URL, to show as QR code.
    url: String,
}

/// Begin with a second factor
///
/// Gives the secret for an authenticator app. It counts once a code of it is confirmed.
#[utoipa::path(
    post, path = "/api/auth/totp", operation_id = "offerTotp", tag = "Account",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    request_body(content = TotpOfferBody, example = json!({ "password": "correct horse battery" })),
    responses((status = 200, description = "The secret.", body = TotpOfferAnswer, example = json!({
        "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "url": "otpauth://totp/wagate:ann%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    }))),
)]
async fn offer_totp(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    body: Json<TotpOfferBody>,
) -> Answer<Reply<TotpOfferAnswer>> {
    let password = body.draft.map(|body| body.password.into());
    let offer = core.offer_totp(&login, password).await?;
    Ok(Reply(TotpOfferAnswer {
        secret: offer.secret,
        url: offer.url,
    }))
}

/// The body of `confirmTotp`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TotpCodeBody {
    /// The code that the app shows now.
    #[schema(max_length = 64)]
    code: String,
}

impl RequestBody for TotpCodeBody {}

/// Codes for when the app is lost.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RecoveryCodes {
    /// Each works once in the place of a code of the app.
    recovery_codes: Vec<String>,
}

/// Switch the second factor on
///
/// Gives ten recovery codes, shown this once.
#[utoipa::path(
    post, path = "/api/auth/totp:confirm", operation_id = "confirmTotp", tag = "Account",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    request_body(content = TotpCodeBody, example = json!({ "code": "123456" })),
    responses((status = 200, description = "It is on.", body = RecoveryCodes, example = json!({
        "recoveryCodes": ["abcd-2345-wxyz"]
    }))),
)]
async fn confirm_totp(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    body: Json<TotpCodeBody>,
) -> Answer<Reply<RecoveryCodes>> {
    let shown = body.draft.map(|body| body.code);
    Ok(Reply(RecoveryCodes {
        recovery_codes: core.confirm_totp(&login, shown).await?,
    }))
}

/// What proves that it is you still.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BothFactorsBody {
    /// A code of the app, or a recovery code.
    #[schema(max_length = 64)]
    code: String,
    /// Your password.
    #[schema(max_length = 256, format = Password)]
    password: String,
}

impl RequestBody for BothFactorsBody {}

impl From<BothFactorsBody> for BothFactors {
    fn from(body: BothFactorsBody) -> Self {
        Self {
            password: body.password.into(),
            code: body.code,
        }
    }
}

/// Switch the second factor off
///
/// Takes the password and a code, or a recovery code.
#[utoipa::path(
    post, path = "/api/auth/totp:disable", operation_id = "disableTotp", tag = "Account",
    security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    request_body(content = BothFactorsBody, example = json!({
        "password": "correct horse battery", "code": "123456"
    })),
    responses((status = 204, description = "It is off.")),
)]
async fn disable_totp(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    body: Json<BothFactorsBody>,
) -> Answer<StatusCode> {
    core.disable_totp(&login, body.draft.map(Into::into))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Renew the recovery codes
///
/// The old ones stop working; the new ones are shown this once.
#[utoipa::path(
    post, path = "/api/auth/totp:renew-recovery-codes", operation_id = "renewRecoveryCodes",
    tag = "Account", security(("loginCookie" = [])),
    extensions(("x-capability" = json!("login"))),
    request_body(content = BothFactorsBody, example = json!({
        "password": "correct horse battery", "code": "123456"
    })),
    responses((status = 200, description = "The codes.", body = RecoveryCodes, example = json!({
        "recoveryCodes": ["abcd-2345-wxyz"]
    }))),
)]
async fn renew_recovery_codes(
    State(core): State<Core>,
    SignedIn(login): SignedIn,
    body: Json<BothFactorsBody>,
) -> Answer<Reply<RecoveryCodes>> {
    let proof = body.draft.map(Into::into);
    Ok(Reply(RecoveryCodes {
        recovery_codes: core.renew_recovery_codes(&login, proof).await?,
    }))
}
