//! The OpenAPI document: the routes' own parts, completed by what holds for all of them.

use http::Method;
use serde_json::json;
use utoipa::PartialSchema as _;
use utoipa::ToSchema as _;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem,
    Paths, Ref, ResponseBuilder, Schema,
};
use wagate_model::{ApiError, ErrorCode};

use crate::router::documented;

const ABOUT: &str = "\
One HTTP API for WhatsApp numbers that run on your own servers. Attach a number once, \
by QR code or pairing code; then send messages, read chats and receive every event by \
webhook, by WebSocket or by pulling.\n\n\
Authenticate with an API key, as `Authorization: Bearer wa_…` or as `x-api-key`. A key \
has the capabilities that it was given: `read`, `send`, `manage`, `events`; each \
operation names the one that it needs in `x-capability`.\n\n\
People sign in under `/api/auth`, where a browser shows its cookie, and get a login token \
there that works like a key for five minutes. Owners and admins have all capabilities, members \
all but `manage`. There, `x-capability` is `login` (somebody who is signed in), or the weakest \
role in the organization that is enough: `member`, `admin`, `owner`; `super_admin` is the \
operator. Keys manage neither people nor keys.\n\n\
Every answer that is not a success has the same shape, `ApiError`, with a code from a \
closed list. Times are milliseconds since 1970, UTC. Lists come in pages: pass \
`nextCursor` on as `cursor` until it is absent.";

/// The tags in their order, with what each is about.
const TAGS: &[(&str, &str)] = &[
    (
        "Sessions",
        "One WhatsApp number each: pairing, connecting, settings.",
    ),
    ("Messages", "Sending, and acting on messages."),
    ("Chats", "Stored chats and their messages."),
    ("Contacts", "People that a session has seen."),
    ("Groups", "Groups, their settings and members."),
    ("Channels", "Channels, WhatsApp's one-way feeds."),
    ("Presence", "Being online, typing, recording."),
    ("Status", "Stories."),
    ("Webhooks", "Having events posted to a server of yours."),
    ("Backup", "Bringing history in from a backup."),
    ("OAuth Apps", "Signing in with WhatsApp."),
    ("Admin", "For the operator of the installation."),
    (
        "Events",
        "Receiving events by WebSocket, or by pulling (beyond the contract).",
    ),
    ("Audit", "Who changed what (beyond the contract)."),
    ("Storage", "Where files are kept (beyond the contract)."),
    (
        "Login",
        "Signing up, in and out, and login tokens (beyond the contract).",
    ),
    (
        "Account",
        "One's own account, browsers and second factor (beyond the contract).",
    ),
    (
        "Organizations",
        "Organizations, their members and invitations (beyond the contract).",
    ),
    ("API keys", "Keys for programs (beyond the contract)."),
];

/// Operations that ask WhatsApp or the gateway that owns the session.
const LIVE: &[&str] = &[
    "createSession",
    "logoutSession",
    "sendMessage",
    "sessionPairingCode",
    "sessionQR",
];

/// Operations that the state can forbid.
const CONFLICTING: &[&str] = &[
    "acceptInvitation",
    "confirmTotp",
    "createInvitation",
    "createOrganization",
    "createStorageBucket",
    "createWebhook",
    "deleteStorageBucket",
    "disableTotp",
    "getMediaContent",
    "leaveOrganization",
    "logoutSession",
    "offerTotp",
    "removeMember",
    "renewRecoveryCodes",
    "restartSession",
    "sendMessage",
    "sessionPairingCode",
    "sessionQR",
    "startSession",
    "stopSession",
    "transferOwnership",
    "updateMember",
];

/// Operations with a limit of their own; large bodies share a limit of memory besides.
const LIMITED: &[&str] = &[
    "openRealtime",
    "postStatus",
    "sendMessage",
    "sessionPairingCode",
];

/// The document of all routes; the same at every call.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut paths = Paths::new();
    let mut components = Components::new();
    for (schemas, more, _) in documented() {
        components.schemas.extend(schemas);
        for (path, item) in more.paths {
            match paths.paths.get_mut(&path) {
                Some(known) => known.merge_operations(item),
                None => {
                    paths.paths.insert(path, item);
                }
            }
        }
    }
    for (path, item) in &mut paths.paths {
        for (_, operation) in operations_mut(item) {
            add_failures(path, operation);
        }
    }
    let mut parts = vec![(ApiError::name().into_owned(), ApiError::schema())];
    ApiError::schemas(&mut parts);
    // Payloads are documented although the envelope leaves their shape open.
    crate::events::payload_schemas(&mut parts);
    components.schemas.extend(parts);
    for (name, scheme) in security_schemes() {
        components.add_security_scheme(name, scheme);
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("wagate")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(ABOUT))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0")
                        .identifier(Some("Apache-2.0"))
                        .build(),
                ))
                .build(),
        )
        .paths(paths)
        .components(Some(components))
        .security(Some([
            SecurityRequirement::new("bearerAuth", Vec::<String>::new()),
            SecurityRequirement::new("apiKeyHeader", Vec::<String>::new()),
        ]))
        .tags(Some(TAGS.iter().map(|(name, about)| {
            TagBuilder::new()
                .name(*name)
                .description(Some(*about))
                .build()
        })))
        .build()
}

/// The document as JSON.
pub(crate) fn to_json(document: &OpenApi) -> String {
    document
        .to_pretty_json()
        .expect("the document is plain data")
}

/// The document as YAML.
pub(crate) fn to_yaml(document: &OpenApi) -> String {
    document.to_yaml().expect("the document is plain data")
}

fn security_schemes() -> [(&'static str, SecurityScheme); 3] {
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.bearer_format = Some("JWT".into());
    bearer.description = Some("An API key (`wa_…`), or a login token.".into());
    let key = ApiKeyValue::with_description("x-api-key", "An API key (`wa_…`).");
    let cookie = ApiKeyValue::with_description(
        "wagate_login",
        "The cookie of a signed-in browser; behind TLS, its name begins with `__Host-`.",
    );
    [
        ("bearerAuth", SecurityScheme::Http(bearer)),
        ("apiKeyHeader", SecurityScheme::ApiKey(ApiKey::Header(key))),
        (
            "loginCookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(cookie)),
        ),
    ]
}

/// The operations of the document, in its order.
pub(crate) fn operations_of(
    document: &OpenApi,
) -> impl Iterator<Item = (&str, Method, &Operation)> {
    document.paths.paths.iter().flat_map(|(path, item)| {
        [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ]
        .into_iter()
        .filter_map(|(method, operation)| Some((path.as_str(), method, operation.as_ref()?)))
    })
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Adds the failures that an operation can answer with.
fn add_failures(path: &str, operation: &mut Operation) {
    let name = operation.operation_id.clone().unwrap_or_default();
    let is_one_of = |names: &[&str]| names.contains(&name.as_str());
    let is_live = is_one_of(LIVE) || take_live_mark(operation);
    let names_session = name == "listEvents" || name == "createRealtimeTicket";
    // The size of the headers is a fault that every request can have.
    let mut codes = vec![
        ErrorCode::Unauthorized,
        ErrorCode::ValidationError,
        ErrorCode::Internal,
    ];
    let mut add = |is_possible: bool, code| {
        if is_possible {
            codes.push(code);
        }
    };
    add(name != "openRealtime", ErrorCode::Forbidden);
    add(path.contains('{') || names_session, ErrorCode::NotFound);
    add(is_one_of(CONFLICTING) || is_live, ErrorCode::Conflict);
    add(
        is_one_of(LIMITED) || is_live || operation.request_body.is_some(),
        ErrorCode::RateLimited,
    );
    // Reads need the database, which may be away too.
    add(true, ErrorCode::GatewayUnavailable);
    for code in codes {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("ApiError")))
            .example(Some(failure_example(code)))
            .build();
        let about = failure_about(code, is_live);
        operation.responses.responses.insert(
            code.status().to_string(),
            ResponseBuilder::new()
                .description(about)
                .content("application/json", content)
                .build()
                .into(),
        );
    }
}

/// Whether an operation says in `x-live` that it needs WhatsApp at once.
///
/// The mark is for this file only, and taken off: the document shows it in the failures, and
/// several extensions of one operation would be written in an order of chance.
fn take_live_mark(operation: &mut Operation) -> bool {
    let Some(extensions) = operation.extensions.as_mut() else {
        return false;
    };
    let is_marked = extensions.contains_key("x-live");
    if is_marked && let Some(capability) = extensions.get("x-capability").cloned() {
        *extensions = Extensions::builder()
            .add("x-capability", capability)
            .build();
    }
    is_marked
}

const fn failure_about(code: ErrorCode, is_live: bool) -> &'static str {
    match code {
        ErrorCode::ValidationError => {
            "The request is malformed; `details.errors` names every fault."
        }
        ErrorCode::Unauthorized => "There is no valid credential.",
        ErrorCode::Forbidden => "The credential lacks the capability.",
        ErrorCode::NotFound => "Not there, or another organization's.",
        ErrorCode::Conflict => "The state does not allow it now; see `details.reason`.",
        ErrorCode::RateLimited => "Too much in too little time; see `Retry-After`.",
        ErrorCode::GatewayUnavailable if is_live => {
            "The gateway that owns the session cannot be reached; see `Retry-After`."
        }
        ErrorCode::GatewayUnavailable => "The database is away; see `Retry-After`.",
        ErrorCode::Internal | ErrorCode::NotImplemented => "Something went wrong on our side.",
    }
}

fn failure_example(code: ErrorCode) -> serde_json::Value {
    let mut error = json!({ "code": code.as_str(), "message": failure_about(code, true) });
    match code {
        ErrorCode::ValidationError => {
            error["details"] =
                json!({ "errors": [{ "field": "label", "message": "must be a string" }] });
        }
        ErrorCode::Conflict => {
            error["details"] = json!({ "reason": "session_not_connected", "status": "stopped" });
        }
        ErrorCode::RateLimited => error["details"] = json!({ "retryAfterSeconds": 12 }),
        _ => {}
    }
    json!({ "error": error })
}

/// The name of a schema and its shape, as `components` holds it.
pub(crate) fn component<T: utoipa::ToSchema>(
    parts: &mut Vec<(String, utoipa::openapi::RefOr<Schema>)>,
) {
    parts.push((T::name().into_owned(), T::schema()));
    T::schemas(parts);
}
