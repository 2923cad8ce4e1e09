//! Routes of realtime: the ticket, and the socket that it opens.

use axum::Json as Reply;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use http::uri::Authority;
use http::{HeaderMap, Uri, header};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, StreamScope, TicketRequest};
use wagate_model::Faults;

use crate::access::{Can, Events};
use crate::body::{Json, RequestBody};
use crate::failure::{Answer, Failure};
use crate::query::{FromQuery, Params, Query};
use crate::socket;
use crate::state::ApiState;

const SOCKET_PATH: &str = "/api/v1/realtime";

const CROWDED: &str = "Too many realtime sockets are open; try again later.";

/// Largest message that a client may send: nothing is expected of it.
const MAX_CLIENT_MESSAGE_BYTES: usize = 4 << 10;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(create_realtime_ticket), routes!(open_realtime)]
}

/// Whose events a socket gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RealtimeScope {
    /// One session's.
    Session,
    /// All of the organization's.
    #[default]
    Organization,
    /// Every organization's: for the operator only.
    Firehose,
}

/// The body of `createRealtimeTicket`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RealtimeTicketBody {
    /// The events wanted; `*` (default) stands for all.
    #[schema(max_items = 64)]
    events: Option<Vec<String>>,
    /// Whose events; the organization's by default.
    scope: Option<RealtimeScope>,
    /// The session, with scope `session`.
    #[schema(max_length = 64)]
    session: Option<String>,
    /// The last event's id that you have: the socket begins with all after it. One that is
    /// older than the events that are kept, or newer than all of them, is refused; and any with
    /// scope `firehose`, where each organization has an order of its own.
    #[schema(max_length = 64)]
    since: Option<String>,
}

impl RequestBody for RealtimeTicketBody {
    const IS_OPTIONAL: bool = true;
}

impl From<RealtimeTicketBody> for TicketRequest {
    fn from(body: RealtimeTicketBody) -> Self {
        Self {
            scope: match body.scope.unwrap_or_default() {
                RealtimeScope::Session => StreamScope::Session,
                RealtimeScope::Organization => StreamScope::Organization,
                RealtimeScope::Firehose => StreamScope::Firehose,
            },
            session: body.session,
            events: body.events,
            since: body.since,
        }
    }
}

/// What opens one realtime socket.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RealtimeTicket {
    /// For how long it can be used.
    expires_in_seconds: i64,
    /// The ticket; it works once.
    ticket: String,
    /// Where to connect, with the ticket.
    url: String,
}

/// Get a ticket for a realtime socket
///
/// A ticket opens one WebSocket, once, within 30 seconds: so no key has to be put into
/// a URL or a browser.
#[utoipa::path(
    post, path = "/api/v1/realtime/ticket", operation_id = "createRealtimeTicket", tag = "Events",
    extensions(("x-capability" = json!("events"))),
    request_body(content = RealtimeTicketBody, example = json!({
        "scope": "organization", "events": ["message"], "since": "evt_01J9ZX8K2QHV0M3T6R7P4N5W8C"
    })),
    responses((status = 200, description = "The ticket.", body = RealtimeTicket, example = json!({
        "ticket": "rt_Zm9yIGV4YW1wbGUgb25seQ", "expiresInSeconds": 30,
        "url": "wss://example.com/api/v1/realtime?ticket=rt_Zm9yIGV4YW1wbGUgb25seQ"
    }))),
)]
async fn create_realtime_ticket(
    State(core): State<Core>,
    State(state): State<ApiState>,
    can: Can<Events>,
    uri: Uri,
    headers: HeaderMap,
    body: Json<RealtimeTicketBody>,
) -> Answer<Reply<RealtimeTicket>> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    // HTTP/2 has the host in the address.
    let host = host.or_else(|| uri.authority().map(Authority::as_str));
    let base = socket_base(state.config().public_url.as_ref(), host, &headers);
    let mut request = body.draft.map(TicketRequest::from);
    if let Err(faults) = &base {
        request = request.with(faults.clone());
    }
    let ticket = core.create_ticket(&can.caller, request).await?;
    let base = base?;
    Ok(Reply(RealtimeTicket {
        expires_in_seconds: ticket.expires_in_ms / 1_000,
        url: format!("{base}{SOCKET_PATH}?ticket={}", ticket.secret),
        ticket: ticket.secret,
    }))
}

/// Where sockets connect: by the configured address, else by the one that the caller used.
pub(crate) fn socket_base(
    public: Option<&Url>,
    host: Option<&str>,
    headers: &HeaderMap,
) -> Result<String, Faults> {
    if let Some(public) = public {
        let scheme = if public.scheme() == "http" {
            "ws"
        } else {
            "wss"
        };
        let rest = public.as_str().trim_end_matches('/');
        let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
        return Ok(format!("{scheme}://{rest}"));
    }
    let host = host
        .filter(|host| is_authority(host))
        .ok_or_else(|| Faults::one("Host", "must name the host"))?;
    let is_secure = headers
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    let scheme = if is_secure { "wss" } else { "ws" };
    Ok(format!("{scheme}://{host}"))
}

/// A host with or without a port, and nothing else that a URL could hold.
fn is_authority(host: &str) -> bool {
    let is_plain = host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    !host.is_empty() && host.len() <= 255 && is_plain && Url::parse(&format!("ws://{host}")).is_ok()
}

struct TicketQuery(String);

impl FromQuery for TicketQuery {
    fn from_params(params: &mut Params) -> Self {
        Self(params.text("ticket").unwrap_or_default())
    }
}

/// Open a realtime socket
///
/// Upgrades to a WebSocket. Each text frame is one JSON value: first
/// `{"event":"connected",…}`, then the events as envelopes, `{"event":"ping",…}` about
/// every 20 seconds, and `{"event":"error",…}` before the service closes the socket.
/// With `since` in the ticket, the events after it come first, then live ones, without
/// a gap. A client that reads too slowly is closed: it resumes with `since`.
#[utoipa::path(
    get, path = "/api/v1/realtime", operation_id = "openRealtime", tag = "Events",
    params(("ticket" = String, Query, description = "A ticket that was not used yet.")),
    security(()),
    responses((status = 101, description = "The socket is open.")),
)]
async fn open_realtime(
    State(core): State<Core>,
    State(state): State<ApiState>,
    Query(query): Query<TicketQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    let (TicketQuery(ticket), faults) = query.open()?;
    faults.into_result()?;
    let ticket = core.find_ticket(&ticket).await?;
    // Whatever refuses the request comes before the ticket is used up.
    let upgrade = upgrade
        .map_err(|_| Failure::invalid("Upgrade", "must be a WebSocket handshake (RFC 6455)"))?;
    let mut place = state.sockets().share(ticket.organization_id());
    if !place.hold(1) {
        return Err(Failure::Crowded(CROWDED));
    }
    let stream = core.open_stream(ticket).await?;
    Ok(upgrade
        .max_message_size(MAX_CLIENT_MESSAGE_BYTES)
        .max_frame_size(MAX_CLIENT_MESSAGE_BYTES)
        .on_upgrade(async move |socket| {
            socket::serve(socket, stream, &state).await;
            drop(place);
        }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base(public: Option<&str>, host: &'static str, proto: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", http::HeaderValue::from_static(proto));
        let public = public.map(|url| url.parse().unwrap());
        socket_base(public.as_ref(), Some(host), &headers).ok()
    }

    #[test]
    fn the_socket_is_where_the_service_is() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            base(Some("https://a.example/"), "b", ""),
            text("wss://a.example")
        );
        assert_eq!(
            base(Some("http://a.example:81/x/"), "b", ""),
            text("ws://a.example:81/x")
        );
        assert_eq!(
            base(None, "b.example:8080", ""),
            text("ws://b.example:8080")
        );
        assert_eq!(base(None, "[::1]:8080", "https"), text("wss://[::1]:8080"));
        assert_eq!(base(None, "a/b?c", ""), None);
        assert_eq!(base(None, "u@b", ""), None);
        assert_eq!(base(None, "b:99999", ""), None);
        assert_eq!(base(None, "[::1", ""), None);
    }
    proptest! {
        #[test]
        fn answers_follow_any_headers(
            accept in "((image|application|\\*)/(png|json|svg\\+xml|\\*)(; ?q=[01](\\.[0-9]{0,4})?)?,? ?){0,4}|[ -~]{0,40}",
            host in "[a-z0-9.:\\[\\]-]{0,12}|\\PC{0,20}",
        ) {
            crate::fuzzing::headers(accept.as_bytes(), &host);
        }
    }
}
