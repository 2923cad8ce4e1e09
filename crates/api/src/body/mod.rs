//! JSON bodies: bounded, strict, with all their faults told at once.
//!
//! A body is read under a limit of size, time and memory ([`read`]), parsed into a tree
//! that knows duplicate keys and depth ([`parse`]), and compared with the schema that the
//! OpenAPI document shows for it ([`check`]), so that document and validation cannot
//! disagree. Then serde makes the type of what could be read. It goes into the use case as
//! a [`Draft`]: what a schema cannot say is checked there, after who may and what is there.

mod check;
mod parse;
mod read;
mod schema;

use axum::extract::{FromRequest, Request};
use bytes::BytesMut;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wagate_core::Error;
use wagate_model::{
    CreateSession, Draft, Faults, OrganizationId, PairingCodeRequest, SendRequest,
    SessionStorageBody, StorageBucketBody, UpdateSession, WebhookBody,
};

use crate::allowance::Share;
use crate::failure::{Answer, Failure};
use crate::state::ApiState;

/// What faults of the body as a whole are told of.
const BODY: &str = "body";

/// A body that is larger is read on a thread of its own: others need not wait for it.
const MAX_INLINE_BYTES: usize = 1 << 20;

/// A type that is the body of a request.
pub(crate) trait RequestBody: DeserializeOwned + utoipa::ToSchema + Send + 'static {
    /// Whether it may carry media.
    const HAS_MEDIA: bool = false;
    /// Whether no body at all stands for an empty object.
    const IS_OPTIONAL: bool = false;
}

impl RequestBody for CreateSession {}

impl RequestBody for UpdateSession {}

impl RequestBody for PairingCodeRequest {}

impl RequestBody for WebhookBody {}

impl RequestBody for StorageBucketBody {}

impl RequestBody for SessionStorageBody {}

impl RequestBody for SendRequest {
    const HAS_MEDIA: bool = true;
}

/// The body of a request, as far as it could be read. As an extractor it comes last.
#[derive(Debug)]
pub(crate) struct Json<T> {
    /// What it says.
    pub(crate) draft: Draft<T>,
    /// The memory that it takes, for as long as the request is worked on.
    _share: Share,
}

impl<T: RequestBody> FromRequest<ApiState> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &ApiState) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let organization = parts.extensions.get::<OrganizationId>().copied();
        let mut share = state.body_memory().share(organization);
        let limits = read::Limits::of::<T>(state.config());
        let draft = match read::read(&parts.headers, body, limits, &mut share).await {
            Ok(bytes) if bytes.len() <= MAX_INLINE_BYTES => decode(&parts.headers, &bytes),
            Ok(bytes) => decode_aside(parts.headers, bytes).await?,
            Err(read::ReadError::Faults(faults)) => Draft::unreadable(faults),
            Err(read::ReadError::Crowded) => return Err(Failure::Crowded(CROWDED)),
        };
        Ok(Self {
            draft,
            _share: share,
        })
    }
}

const CROWDED: &str = "Too many large requests are under way; try again later.";

async fn decode_aside<T: RequestBody>(headers: HeaderMap, bytes: BytesMut) -> Answer<Draft<T>> {
    let decoding = tokio::task::spawn_blocking(move || decode(&headers, &bytes));
    Ok(decoding
        .await
        .map_err(|error| Error::Internal(error.into()))?)
}

/// Reads a body that is in memory.
pub(crate) fn decode<T: RequestBody>(headers: &HeaderMap, bytes: &[u8]) -> Draft<T> {
    let (mut value, mut faults) = if bytes.is_empty() {
        if !T::IS_OPTIONAL {
            return Draft::unreadable(Faults::one(BODY, "is required: a JSON object"));
        }
        (Value::Object(Map::new()), Faults::new())
    } else {
        match check_content_type(headers).and_then(|()| parse::parse(bytes)) {
            Ok(parsed) => parsed,
            Err(faults) => return Draft::unreadable(faults),
        }
    };
    if !check::mend(&mut value, &schema::of::<T>(), &mut faults) {
        return Draft::unreadable(faults);
    }
    match serde_json::from_value(value) {
        Ok(body) => Draft::new(body, faults),
        Err(error) => {
            // Schema and type disagree: a defect, but one that the caller can work around.
            faults.add(BODY, error.to_string());
            Draft::unreadable(faults)
        }
    }
}

/// Accepts `application/json` and `application/…+json`, in UTF-8; a missing type counts as JSON.
fn check_content_type(headers: &HeaderMap) -> Result<(), Faults> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let fault = || Faults::one("Content-Type", "must be application/json, in UTF-8");
    let text = value.to_str().map_err(|_| fault())?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_json = essence
        .strip_prefix("application/")
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"));
    let is_utf8 = parts
        .filter_map(|parameter| parameter.strip_prefix("charset="))
        .all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8"));
    if is_json && is_utf8 {
        Ok(())
    } else {
        Err(fault())
    }
}

#[cfg(test)]
mod tests;
