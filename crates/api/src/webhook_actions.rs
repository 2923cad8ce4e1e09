//! Routes of what is done with a webhook: a new secret, a test, a replay.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{EventEnvelope, ReplayWebhookInput, RotateSecretInput, TestWebhookInput};

use crate::access::{InWebhook, Manage};
use crate::body::{Json, RequestBody};
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(rotate_webhook_secret),
        routes!(test_webhook),
        routes!(replay_webhook),
    ]
}

impl RequestBody for RotateSecretInput {
    const IS_OPTIONAL: bool = true;
}

impl RequestBody for TestWebhookInput {
    const IS_OPTIONAL: bool = true;
}

impl RequestBody for ReplayWebhookInput {}

/// A webhook's new secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RotatedWebhookSecret {
    /// Until when the secret before it signs too, in milliseconds since 1970; absent where there
    /// was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_valid_until: Option<i64>,
    /// The secret; it is not shown again.
    secret: String,
}

/// What a receiver said of a test event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookTestResult {
    /// Whether it was accepted, by a 2xx.
    accepted: bool,
    /// The beginning of the receiver's answer, at most 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// How long it took, in milliseconds.
    duration_ms: i64,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What was posted.
    event: EventEnvelope,
    /// When it was posted, in milliseconds since 1970.
    started_at: i64,
    /// The receiver's status code, where it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<i64>,
}

/// What was queued once more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookReplay {
    /// How many events were queued.
    count: i64,
    /// Where another request is to begin (`from`), in milliseconds since 1970; absent where the
    /// whole range was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_from: Option<i64>,
}

/// Rotate a webhook's secret
///
/// Beyond the contract. The webhook gets the `secret` of the body, or one that is made in the
/// form of Standard Webhooks (`whsec_`), and the answer shows it this once. For 24 hours the
/// secret before it stays valid: `webhook-signature` then holds the signatures of both, the new
/// one first, so that a receiver can change over at any time; `X-Webhook-Hmac` is made with the
/// new one from now on. That holds for a webhook without a secret of its own as well, and for
/// each of up to five rotations within 24 hours; one more is told to wait. With the present
/// secret in the body, nothing changes.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}:rotate-secret", operation_id = "rotateWebhookSecret",
    tag = "Webhooks",
    params(("id" = String, Path, description = "The webhook's id.")),
    extensions(("x-capability" = json!("manage"))),
    request_body(content = RotateSecretInput, example = json!({
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    })),
    responses((status = 200, description = "The new secret.", body = RotatedWebhookSecret,
        example = json!({
            "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "previousValidUntil": 1_767_312_000_000_i64
        }))),
)]
async fn rotate_webhook_secret(
    State(core): State<Core>,
    webhook: InWebhook<Manage>,
    body: Json<RotateSecretInput>,
) -> Answer<Reply<RotatedWebhookSecret>> {
    let rotated = core
        .rotate_webhook_secret(&webhook.access, body.draft)
        .await?;
    Ok(Reply(RotatedWebhookSecret {
        previous_valid_until: rotated.previous_valid_until,
        secret: rotated.secret,
    }))
}

/// Test a webhook
///
/// Beyond the contract. Posts one made-up event at once, also to a webhook that is switched off,
/// and answers with what its receiver said, or with what went wrong. The request is that of a
/// delivery, with the webhook's headers and signatures, and one header more that no delivery
/// has: `X-Webhook-Test: true`. Of the envelope, all seven fields are there; `organization` is
/// the real one, the rest is made up: `session` is always `01KDVDNA000000000000000000`, which
/// nobody has, and numbers are of the range reserved for fiction. `event` chooses the kind; by
/// default it is `session.status`, or where the webhook does not want that, the first kind that
/// it names. A test is no delivery: it is not repeated, stands in no list and in no log of
/// events, and neither disables the webhook nor speaks for it. An organization has two tests
/// under way and ten in a minute.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}:test", operation_id = "testWebhook", tag = "Webhooks",
    params(("id" = String, Path, description = "The webhook's id.")),
    extensions(("x-capability" = json!("manage"))),
    request_body(content = TestWebhookInput, example = json!({ "event": "message" })),
    responses((status = 200, description = "What came of it.", body = WebhookTestResult,
        example = json!({
            "accepted": true, "statusCode": 200, "answer": "ok", "durationMs": 35,
            "startedAt": 1_767_225_700_000_i64,
            "event": {
                "schema": "v1", "id": "evt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "event": "session.status",
                "session": "01KDVDNA000000000000000000",
                "organization": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
                "timestamp": 1_767_225_700_000_i64, "payload": { "status": "working" }
            }
        }))),
)]
async fn test_webhook(
    State(core): State<Core>,
    webhook: InWebhook<Manage>,
    body: Json<TestWebhookInput>,
) -> Answer<Reply<WebhookTestResult>> {
    let test = core.test_webhook(&webhook.access, body.draft).await?;
    let record = test.record;
    Ok(Reply(WebhookTestResult {
        accepted: record
            .status_code
            .is_some_and(|code| (200..300).contains(&code)),
        answer: record.answer,
        duration_ms: record.duration_ms,
        error: record.error,
        event: test.event,
        started_at: record.started_at_ms,
        status_code: record.status_code,
    }))
}

/// Replay the events of a time range
///
/// Beyond the contract. Queues events that happened at `from` or later and before `to` (until
/// now where it is left out) for the webhook once more, as far as they are still kept and it
/// wants them now. `status` says which: `dead` (default), those that were given up and that no
/// delivery brought since; `missing`, those that were never queued for it, as while it was
/// switched off or before it was made; `all`, every one, also what it has accepted. Each event
/// keeps its id, so that a receiver knows it again. What waits for the webhook already is left
/// out: asked twice, nothing is queued twice. Replays are posted beside what comes now, the
/// oldest first, and are not held in the order of their chats. One request queues 10,000 events
/// or some more; where the range holds further ones, `nextFrom` says where to go on.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}:replay", operation_id = "replayWebhook", tag = "Webhooks",
    params(("id" = String, Path, description = "The webhook's id.")),
    extensions(("x-capability" = json!("manage"))),
    request_body(content = ReplayWebhookInput, example = json!({
        "from": 1_767_225_600_000_i64, "to": 1_767_229_200_000_i64, "status": "dead"
    })),
    responses((status = 202, description = "What was queued.", body = WebhookReplay,
        example = json!({ "count": 42 }))),
)]
async fn replay_webhook(
    State(core): State<Core>,
    webhook: InWebhook<Manage>,
    body: Json<ReplayWebhookInput>,
) -> Answer<(StatusCode, Reply<WebhookReplay>)> {
    let replayed = core.replay_webhook(&webhook.access, body.draft).await?;
    let replayed = WebhookReplay {
        count: i64::try_from(replayed.count).unwrap_or(i64::MAX),
        next_from: replayed.next_from,
    };
    Ok((StatusCode::ACCEPTED, Reply(replayed)))
}
