//! Routes of the event log.

use axum::Json as Reply;
use axum::extract::State;
use serde_json::value::RawValue;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, Error, PullRequest};
use wagate_model::{
    AuthCodePayload, AuthQrPayload, CallPayload, ChatUpdatePayload, ContactUpdatePayload,
    GroupPayload, ListEvent, MediaEventPayload, MessagePayload, MessageStatusPayload,
    NewsletterPayload, PollRecapPayload, PresenceStatus, SessionStatusPayload,
};

use crate::access::{Can, Events};
use crate::failure::Answer;
use crate::openapi::component;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(list_events)]
}

/// The schemas of event payloads, by name.
pub(crate) fn payload_schemas(parts: &mut Vec<(String, RefOr<Schema>)>) {
    component::<AuthCodePayload>(parts);
    component::<AuthQrPayload>(parts);
    component::<CallPayload>(parts);
    component::<ChatUpdatePayload>(parts);
    component::<ContactUpdatePayload>(parts);
    component::<GroupPayload>(parts);
    component::<MediaEventPayload>(parts);
    component::<MessagePayload>(parts);
    component::<MessageStatusPayload>(parts);
    component::<NewsletterPayload>(parts);
    component::<PollRecapPayload>(parts);
    component::<PresenceStatus>(parts);
    component::<SessionStatusPayload>(parts);
}

impl FromQuery for PullRequest {
    fn from_params(params: &mut Params) -> Self {
        Self {
            after: params.text("after"),
            session: params.text("session"),
            types: params.texts("types"),
            limit: params.count("limit"),
            wait_ms: params.count("waitMs"),
        }
    }
}

/// A page of envelopes as they were stored: the same bytes as in webhooks and on sockets.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct EventList {
    data: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Pull events
///
/// Beyond the contract. The events of the organization after a position, oldest first:
/// the same as by webhook and WebSocket, without a gap. Pass `nextCursor` as `after` the
/// next time; while it is absent, nothing is newer. A page can be empty and have one: so
/// far, nothing was for the key. With `waitMs` the answer waits until
/// there is an event. An `after` that is older than the events that are kept, or newer
/// than all of them, is a `validation_error`: begin anew without it.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "listEvents", tag = "Events",
    params(
        ("after" = Option<String>, Query, description = "The last event's id that you have."),
        ("limit" = Option<i64>, Query, description = "Events of a page: 1 to 200; 50 by default."),
        ("session" = Option<String>, Query, description = "Only this session's events."),
        ("types" = Option<String>, Query, description = "Only these kinds, separated by commas."),
        ("waitMs" = Option<i64>, Query, description = "How long to wait for one, at most 30000."),
    ),
    extensions(("x-capability" = json!("events"))),
    responses((status = 200, description = "The events.", body = ListEvent, example = json!({
        "data": [{
            "schema": "v1", "id": "evt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "event": "session.status",
            "session": "01J9ZX8K2QHV0M3T6R7P4N5W8C",
            "organization": "org_01J9ZX0000HV0M3T6R7P4N5W8C",
            "timestamp": 1_767_225_700_000_i64, "payload": { "status": "working" }
        }],
        "nextCursor": "evt_01J9ZX8K2QHV0M3T6R7P4N5W8C"
    }))),
)]
async fn list_events(
    State(core): State<Core>,
    can: Can<Events>,
    Query(request): Query<PullRequest>,
) -> Answer<Reply<EventList>> {
    let page = core.pull_events(&can.caller, request).await?;
    let data: Result<_, _> = page
        .envelopes
        .into_iter()
        .map(RawValue::from_string)
        .collect();
    Ok(Reply(EventList {
        data: data.map_err(|error| Error::Internal(error.into()))?,
        next_cursor: page.last.map(|id| id.to_string()),
    }))
}
