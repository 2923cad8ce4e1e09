//! Routes of webhooks.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, DeliveryQuery, DeliveryRecord, Page};
use wagate_model::{DeliveryId, EventId, ListWebhook, SessionId, Webhook, WebhookBody, WebhookId};

use crate::access::{Can, InDelivery, InWebhook, Manage};
use crate::body::Json;
use crate::failure::Answer;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_webhooks, create_webhook),
        routes!(get_webhook, update_webhook, delete_webhook),
        routes!(get_webhook_signing_secret),
        routes!(list_webhook_deliveries),
        routes!(replay_webhook_delivery),
    ]
}

/// One event on its way to one webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookDelivery {
    /// The attempts, first to last; only in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<WebhookAttempt>>,
    /// How many attempts were made.
    attempt_count: i64,
    /// When it was queued, in milliseconds since 1970.
    created_at: i64,
    /// The event.
    event_id: EventId,
    /// The id.
    id: DeliveryId,
    /// What failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// The status code that the receiver answered with last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status_code: Option<i64>,
    /// When it is tried next, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<i64>,
    /// Whether it was asked for again.
    replay: bool,
    /// The session of the event.
    session_id: SessionId,
    /// `pending`, `delivered` or `dead`.
    #[schema(value_type = String)]
    status: &'static str,
    /// When it last changed, in milliseconds since 1970.
    updated_at: i64,
    /// The webhook.
    webhook_id: WebhookId,
}

/// One attempt of a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookAttempt {
    /// The beginning of the receiver's answer, at most 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// How long it took, in milliseconds.
    duration_ms: i64,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Counted from 1.
    number: i64,
    /// When it began, in milliseconds since 1970.
    started_at: i64,
    /// The receiver's status code, where it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<i64>,
}

/// What the Standard Webhooks signature of a webhook is verified with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookSigningSecret {
    /// The secret; absent where the webhook has one of its own, which is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// One page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ListWebhookDelivery {
    /// The deliveries.
    data: Vec<WebhookDelivery>,
    /// Where older ones begin; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

fn shown(record: DeliveryRecord, attempts: Option<Vec<WebhookAttempt>>) -> WebhookDelivery {
    WebhookDelivery {
        attempts,
        attempt_count: record.attempts,
        created_at: record.created_at_ms,
        event_id: record.event_id,
        id: record.id,
        last_error: record.last_error,
        last_status_code: record.last_status_code,
        next_attempt_at: record.next_attempt_at_ms,
        replay: record.is_replay,
        session_id: record.session_id,
        status: record.status.as_str(),
        updated_at: record.updated_at_ms,
        webhook_id: record.webhook_id,
    }
}

impl FromQuery for DeliveryQuery {
    fn from_params(params: &mut Params) -> Self {
        Self {
            status: params.text("status"),
            event: params.text("event"),
            from: params.count("from"),
            until: params.count("until"),
            page: Page::from_params(params),
        }
    }
}

/// List webhooks
///
/// All webhooks that the credential reaches, oldest first, in one page. Secrets are
/// never shown.
#[utoipa::path(
    get, path = "/api/v1/webhooks", operation_id = "listWebhooks", tag = "Webhooks",
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The webhooks.", body = ListWebhook, example = json!({
        "data": [{
            "id": "wh_01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
            "url": "https://example.com/hooks/whatsapp", "events": ["message"], "active": true,
            "retryPolicy": { "policy": "exponential", "delaySeconds": 2, "attempts": 15 },
            "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_600_000_i64
        }]
    }))),
)]
async fn list_webhooks(State(core): State<Core>, can: Can<Manage>) -> Answer<Reply<ListWebhook>> {
    Ok(Reply(core.list_webhooks(&can.caller).await?))
}

/// Register a webhook
///
/// Events are posted to the URL from now on. `events` names the kinds wanted, `*`
/// (default) all of them, an empty list none. Without `sessionId`, the events of all
/// sessions are posted. A `secret` signs every request: text as it is, or base64 after
/// `whsec_`, as the libraries of Standard Webhooks want it. URLs that lead to private or
/// local addresses are refused.
#[utoipa::path(
    post, path = "/api/v1/webhooks", operation_id = "createWebhook", tag = "Webhooks",
    extensions(("x-capability" = json!("manage"))),
    request_body(content = WebhookBody, example = json!({
        "url": "https://example.com/hooks/whatsapp", "events": ["message", "message.status"],
        "secret": "correct horse battery staple"
    })),
    responses((status = 201, description = "The webhook.", body = Webhook, example = json!({
        "id": "wh_01J9ZX8K2QHV0M3T6R7P4N5W8C",
        "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "url": "https://example.com/hooks/whatsapp", "events": ["message", "message.status"],
        "active": true,
        "retryPolicy": { "policy": "exponential", "delaySeconds": 2, "attempts": 15 },
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_600_000_i64
    }))),
)]
async fn create_webhook(
    State(core): State<Core>,
    can: Can<Manage>,
    body: Json<WebhookBody>,
) -> Answer<(StatusCode, Reply<Webhook>)> {
    let webhook = core.create_webhook(&can.caller, body.draft).await?;
    Ok((StatusCode::CREATED, Reply(webhook)))
}

/// Read a webhook
///
/// Everything about it but its secret.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", operation_id = "getWebhook", tag = "Webhooks",
    params(("id" = String, Path, description = "The webhook's id.")),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The webhook.", body = Webhook, example = json!({
        "id": "wh_01J9ZX8K2QHV0M3T6R7P4N5W8C",
        "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "url": "https://example.com/hooks/whatsapp", "events": ["*"], "active": true,
        "retryPolicy": { "policy": "exponential", "delaySeconds": 2, "attempts": 15 },
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_600_000_i64
    }))),
)]
async fn get_webhook(State(core): State<Core>, webhook: InWebhook<Manage>) -> Reply<Webhook> {
    Reply(core.get_webhook(webhook.access))
}

/// Read a webhook's signing secret
///
/// Beyond the contract. A webhook without a `secret` of its own carries the Standard
/// Webhooks signature too: this is the secret to verify it with. It stays the same until the
/// webhook gets one of its own.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/signing-secret",
    operation_id = "getWebhookSigningSecret", tag = "Webhooks",
    params(("id" = String, Path, description = "The webhook's id.")),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The secret.", body = WebhookSigningSecret,
        example = json!({ "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }))),
)]
async fn get_webhook_signing_secret(
    State(core): State<Core>,
    webhook: InWebhook<Manage>,
) -> Answer<Reply<WebhookSigningSecret>> {
    let secret = core.webhook_signing_secret(&webhook.access).await?;
    Ok(Reply(WebhookSigningSecret { secret }))
}

/// Change a webhook
///
/// Only the fields that are sent change. A new `secret` replaces the old one at once, and
/// those that were valid beside it; an empty one removes it. To have the old one valid for a
/// while, rotate it.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", operation_id = "updateWebhook", tag = "Webhooks",
    params(("id" = String, Path, description = "The webhook's id.")),
    extensions(("x-capability" = json!("manage"))),
    request_body(content = WebhookBody, example = json!({ "active": false })),
    responses((status = 200, description = "The webhook.", body = Webhook, example = json!({
        "id": "wh_01J9ZX8K2QHV0M3T6R7P4N5W8C",
        "organizationId": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
        "url": "https://example.com/hooks/whatsapp", "events": ["*"], "active": false,
        "retryPolicy": { "policy": "exponential", "delaySeconds": 2, "attempts": 15 },
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_800_000_i64
    }))),
)]
async fn update_webhook(
    State(core): State<Core>,
    webhook: InWebhook<Manage>,
    body: Json<WebhookBody>,
) -> Answer<Reply<Webhook>> {
    Ok(Reply(
        core.update_webhook(webhook.access, body.draft).await?,
    ))
}

/// Delete a webhook
///
/// For good, with the deliveries that wait. To pause it, set `active` to false instead.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", operation_id = "deleteWebhook", tag = "Webhooks",
    params(("id" = String, Path, description = "The webhook's id.")),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_webhook(
    State(core): State<Core>,
    webhook: InWebhook<Manage>,
) -> Answer<StatusCode> {
    core.delete_webhook(&webhook.access).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List deliveries of a webhook
///
/// Beyond the contract. What was posted, what waits and what was given up, newest
/// first, each with its attempts.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", operation_id = "listWebhookDeliveries",
    tag = "Webhooks",
    params(
        ("id" = String, Path, description = "The webhook's id."),
        ("status" = Option<String>, Query, description = "`pending`, `delivered` or `dead`."),
        ("event" = Option<String>, Query, description = "Only deliveries of an event, by its id, or of a kind of events that are still kept, by its name."),
        ("from" = Option<i64>, Query, description = "Only those queued at this time or later."),
        ("until" = Option<i64>, Query, description = "Only those queued before this time."),
        ("limit" = Option<i64>, Query, description = "Rows of a page: 1 to 200; 50 by default."),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before."),
    ),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The deliveries.", body = ListWebhookDelivery,
        example = json!({ "data": [{
            "id": "dlv_01J9ZX8K2QHV0M3T6R7P4N5W8C", "webhookId": "wh_01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "eventId": "evt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "status": "delivered", "attemptCount": 1, "lastStatusCode": 200, "replay": false,
            "attempts": [{ "number": 1, "startedAt": 1_767_225_700_000_i64, "durationMs": 35,
                "statusCode": 200, "answer": "ok" }],
            "createdAt": 1_767_225_700_000_i64, "updatedAt": 1_767_225_700_035_i64
        }] }))),
)]
async fn list_webhook_deliveries(
    State(core): State<Core>,
    webhook: InWebhook<Manage>,
    Query(query): Query<DeliveryQuery>,
) -> Answer<Reply<ListWebhookDelivery>> {
    let page = core.list_webhook_deliveries(&webhook.access, query).await?;
    let data = page.deliveries.into_iter().map(|(record, attempts)| {
        let attempts = attempts.into_iter().map(|attempt| WebhookAttempt {
            answer: attempt.answer,
            duration_ms: attempt.duration_ms,
            error: attempt.error,
            number: attempt.number,
            started_at: attempt.started_at,
            status_code: attempt.status_code,
        });
        shown(record, Some(attempts.collect()))
    });
    Ok(Reply(ListWebhookDelivery {
        data: data.collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Replay a delivery
///
/// Beyond the contract. Posts the event of a delivery once more, whatever became of it,
/// as a new delivery with the same event id.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/deliveries/{deliveryId}:replay",
    operation_id = "replayWebhookDelivery", tag = "Webhooks",
    params(
        ("id" = String, Path, description = "The webhook's id."),
        ("deliveryId" = String, Path, description = "The delivery's id."),
    ),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 202, description = "The new delivery.", body = WebhookDelivery,
        example = json!({
            "id": "dlv_01J9ZX8K2QHV0M3T6R7P4N5W8D", "webhookId": "wh_01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "eventId": "evt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "status": "pending", "attemptCount": 0, "replay": true,
            "nextAttemptAt": 1_767_225_800_000_i64,
            "createdAt": 1_767_225_800_000_i64, "updatedAt": 1_767_225_800_000_i64
        }))),
)]
async fn replay_webhook_delivery(
    State(core): State<Core>,
    delivery: InDelivery<Manage>,
) -> Answer<(StatusCode, Reply<WebhookDelivery>)> {
    let record = core
        .replay_webhook_delivery(&delivery.access, &delivery.delivery)
        .await?;
    Ok((StatusCode::ACCEPTED, Reply(shown(record, None))))
}
