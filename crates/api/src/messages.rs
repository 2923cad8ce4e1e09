//! Routes of messages.

use std::convert::Infallible;

use axum::Json as Reply;
use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, SendOptions};
use wagate_model::{Draft, Faults, SendMode, SendRequest, SendResult};

use crate::access::{InSession, Send};
use crate::body::Json;
use crate::failure::Answer;
use crate::query::Params;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(send_message)]
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
/// result, with `replayed`; the same key with another request is a conflict. Keys
/// belong to the organization and are kept for at least 24 hours.
///
/// A session sends at most `ratePerMin` and `ratePerHour` messages: beyond that, a
/// waiting request gets 429, and a queued message waits.
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
