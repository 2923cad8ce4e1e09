//! Routes of messages' files.

use axum::Json as Reply;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::{Core, MediaAccess, Part};
use wagate_model::{MediaFile, MediaStatus};

use crate::access::{OfMedia, Read, parameter};
use crate::failure::{Answer, Failure};
use crate::query::Params;
use crate::state::ApiState;

/// What a file's name may show as it is in a header.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Types that browsers show without running anything in them.
const SHOWN: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "video/mp4",
    "video/3gpp",
    "video/webm",
    "audio/ogg",
    "audio/mpeg",
    "audio/mp4",
    "audio/aac",
    "audio/amr",
];

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![routes!(get_media), routes!(get_media_content)]
}

/// Read what is known of a file
///
/// Beyond the contract. The file of a message, by the `id` in the message's `media`. By `url`
/// it can be read without further credentials, until `expiresAt`.
#[utoipa::path(
    get, path = "/api/v1/media/{media}", operation_id = "getMedia", tag = "Messages",
    params(("media" = String, Path, description = "The file's id.")),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The file.", body = MediaFile, example = json!({
        "id": "med_01J9ZX8K2QHV0M3T6R7P4N5W8C", "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "waMessageId": "A",
        "waMessageId": "3EB0C767D26A1B5F7C83", "index": 0, "kind": "image",
        "mimetype": "image/jpeg", "size": 48_213, "width": 1280, "height": 720,
        "isVoice": false, "status": "ready", "storedAt": 1_767_225_700_000_i64,
        "url": "/api/v1/media/med_01J9ZX8K2QHV0M3T6R7P4N5W8C/content?token=AY3w",
        "expiresAt": 1_767_229_300_000_i64
    }))),
)]
async fn get_media(State(core): State<Core>, media: OfMedia<Read>) -> Answer<Reply<MediaFile>> {
    Ok(Reply(core.get_media(media.access)))
}

/// A file that the request may read: by the token of a link, else by a credential.
struct ReadableMedia(MediaAccess);

impl FromRequestParts<ApiState> for ReadableMedia {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        let mut params = Params::of(parts.uri.query().unwrap_or_default());
        let Some(token) = params.text("token") else {
            let media = OfMedia::<Read>::from_request_parts(parts, state).await?;
            return Ok(Self(media.access));
        };
        let id = parameter(parts, state, "media").await;
        let opened = state.core().open_media_by_token(&id, &token).await;
        opened.map(Self).map_err(Failure::Core)
    }
}

/// Read a file
///
/// Beyond the contract. The file itself, or a part of it (`Range`), by the token of its `url` or
/// with a credential that may read. A file that is still at WhatsApp is fetched first; where
/// that takes long, ask again. One that cannot be had is a conflict: `details.reason` is
/// `media_expired` or `media_failed`.
#[utoipa::path(
    get, path = "/api/v1/media/{media}/content", operation_id = "getMediaContent",
    tag = "Messages",
    params(
        ("media" = String, Path, description = "The file's id."),
        ("token" = Option<String>, Query,
            description = "The token of a link, instead of a credential."),
    ),
    security((), ("bearerAuth" = []), ("apiKey" = [])),
    responses(
        (status = 200, description = "The file.", content_type = "*/*"),
        (status = 206, description = "The part of the file.",
            content_type = "*/*"),
    ),
)]
async fn get_media_content(
    State(core): State<Core>,
    media: ReadableMedia,
    headers: HeaderMap,
) -> Answer<Response> {
    let file = media.0.file().clone();
    // How large it is, is certain once it is here; until then all of it is given.
    let size = file.size.filter(|_| file.status == MediaStatus::Ready);
    let size = size.and_then(|size| u64::try_from(size).ok());
    let part = size.and_then(|size| wanted_part(&headers, size));
    let content = core.read_media(&media.0, part).await?;
    let (size, part, is_whole) = (content.size, content.part, part.is_none());
    let mut response = Response::new(Body::from_stream(content.bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, part.len().into());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    describe(&file, headers);
    if !is_whole {
        let range = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
        if let Ok(range) = range.parse() {
            headers.insert(CONTENT_RANGE, range);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Says what a file is, in a way that a browser does nothing with it that its sender wants.
fn describe(file: &MediaFile, headers: &mut HeaderMap) {
    let mimetype = file
        .mimetype
        .as_deref()
        .unwrap_or("application/octet-stream");
    let essence = mimetype.split(';').next().unwrap_or_default().trim();
    let shown = SHOWN
        .iter()
        .find(|shown| essence.eq_ignore_ascii_case(shown));
    // Browsers take what follows a comma for a second header: of what they show, they get
    // nothing but the name that is known to be harmless.
    let kind = match shown {
        Some(shown) => HeaderValue::from_static(shown),
        None => HeaderValue::from_str(mimetype)
            .unwrap_or(HeaderValue::from_static("application/octet-stream")),
    };
    headers.insert(CONTENT_TYPE, kind);
    let name = file.filename.clone().unwrap_or_else(|| file.id.to_string());
    let name = utf8_percent_encode(&name, NAME);
    let way = if shown.is_some() {
        "inline"
    } else {
        "attachment"
    };
    if let Ok(disposition) = format!("{way}; filename*=UTF-8''{name}").parse() {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    for (header, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "private, no-transform"),
    ] {
        headers.insert(header, HeaderValue::from_static(value));
    }
}

/// The part of a file that a request asks for; nothing where it asks for all of it, for several
/// parts, or for what there is not: then it gets all of it.
fn wanted_part(headers: &HeaderMap, size: u64) -> Option<Part> {
    let range = headers.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = range.trim().split_once('-')?;
    let part = match (first.is_empty(), last.is_empty()) {
        (true, true) => return None,
        (true, false) => Part {
            start: size.saturating_sub(last.parse().ok()?),
            end: size,
        },
        (false, true) => Part {
            start: first.parse().ok()?,
            end: size,
        },
        (false, false) => Part {
            start: first.parse().ok()?,
            end: last.parse::<u64>().ok()?.saturating_add(1).min(size),
        },
    };
    (!part.is_empty()).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_what_makes_no_sense_is_the_whole() {
        let part = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, range.parse().unwrap());
            wanted_part(&headers, 10).map(|part| (part.start, part.end))
        };
        for (range, expected) in [
            ("bytes=0-3", Some((0, 4))),
            ("bytes=4-", Some((4, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-30", Some((0, 10))),
            ("bytes=9-99", Some((9, 10))),
            ("bytes=10-", None),
            ("bytes=5-4", None),
            ("bytes=-", None),
            ("bytes=-0", None),
            ("bytes=0-1,3-4", None),
            ("bytes=a-b", None),
            ("bytes=0-99999999999999999999", None),
            ("lines=0-3", None),
        ] {
            assert_eq!(part(range), expected, "{range}");
        }
    }
    #[test]
    fn browsers_show_nothing_but_types_that_are_known_to_be_harmless() {
        for (given, kind, way) in [
            ("image/png", "image/png", "inline"),
            ("Audio/OGG; codecs=opus", "audio/ogg", "inline"),
            ("image/png;,text/html", "image/png", "inline"),
            ("image/png,text/html", "image/png,text/html", "attachment"),
            ("text/html", "text/html", "attachment"),
            ("\u{1}", "application/octet-stream", "attachment"),
        ] {
            let file: MediaFile = serde_json::from_value(serde_json::json!({
                "id": "med_01J9ZX8K2QHV0M3T6R7P4N5W8C", "index": 0, "isVoice": false,
                "kind": "document", "mimetype": given, "status": "ready",
                "sessionId": "01J9ZX8K2QHV0M3T6R7P4N5W8C", "waMessageId": "A",
            }))
            .unwrap();
            let mut headers = HeaderMap::new();
            describe(&file, &mut headers);
            assert_eq!(headers[CONTENT_TYPE], kind, "{given}");
            let disposition = headers[CONTENT_DISPOSITION].to_str().unwrap();
            assert!(disposition.starts_with(way), "{given}: {disposition}");
        }
    }
}
