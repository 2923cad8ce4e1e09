//! The routes of the media host, as the client library asks.

use std::ops::Range;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use futures::StreamExt as _;
use serde_json::json;

use super::range::requested;
use super::store::{CHUNK_LEN, Found, MediaFile};
use super::upload::{Upload, UploadError};
use crate::faults::MediaFate;
use crate::server::Server;

/// The media types that have a path.
const KINDS: [&str; 14] = [
    "image",
    "video",
    "audio",
    "document",
    "md-msg-hist",
    "md-app-state",
    "sticker-pack",
    "thumbnail-sticker-pack",
    "thumbnail-link",
    "product-catalog-image",
    "newsletter-image",
    "newsletter-video",
    "newsletter-audio",
    "newsletter-document",
];

/// What the media types of channels begin with; their files are not encrypted.
pub(in crate::server) const CHANNEL_PREFIX: &str = "newsletter-";

/// What a post names a file of a channel by.
pub(in crate::server) fn channel_handle(token: &str) -> String {
    format!("handle-{token}")
}

/// Where a file can be downloaded.
pub(super) fn direct_path(kind: &str, token: &str) -> String {
    format!("/v/{kind}/{token}")
}

/// How long an upload may stand still.
const PATIENCE: Duration = Duration::from_secs(30);

/// Marks what a simulated phone does by itself: faults are meant for the clients under test, and what
/// phones do by themselves must not use them up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByPhone;

/// The routes of the media host.
pub(crate) fn router(server: Server) -> Router {
    Router::new()
        .route("/mms/{kind}/{token}", post(upload))
        .route("/newsletter/{kind}/{token}", post(upload))
        .route("/product/image/{token}", post(upload_product_image))
        .route("/v/{kind}/{file}", get(download))
        .with_state(server)
}

async fn upload_product_image(
    state: State<Server>,
    Path(token): Path<String>,
    query: RawQuery,
    body: Body,
) -> Response {
    let kind = "product-catalog-image".to_owned();
    upload(state, Path((kind, token)), query, None, body).await
}

async fn upload(
    State(server): State<Server>,
    Path((kind, token)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    by_phone: Option<Extension<ByPhone>>,
    body: Body,
) -> Response {
    let query = query.unwrap_or_default();
    if !KINDS.contains(&kind.as_str()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let auth = parameter(&query, "auth").unwrap_or_default();
    let now_s = server.inner.now_s();
    let Some(number) = server.inner.media_auth.number(auth, now_s) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if parameter(&query, "token") != Some(token.as_str()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let fate = if by_phone.is_some() {
        MediaFate::Pass
    } else {
        server.inner.faults.upload(&number, &kind)
    };
    match fate {
        MediaFate::Pass => {}
        MediaFate::Slow(delay_ms, fault) => hold(&server, delay_ms, fault).await,
        MediaFate::Refuse(code) => return refusal(code),
    }
    if parameter(&query, "resume").is_some() {
        return progress(&server, &kind, &token);
    }
    let offset = parameter(&query, "file_offset").map_or(Ok(0), str::parse::<u64>);
    let Ok(offset) = offset else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if let Found::File(file) = server.media_file(&token) {
        return Json(place(&server, &file.kind, &token)).into_response();
    }
    match take(&server, &token, &kind, &number, offset, body).await {
        Ok(true) => Json(place(&server, &kind, &token)).into_response(),
        // Nobody is there to read it, or nothing has come for too long.
        Ok(false) => StatusCode::REQUEST_TIMEOUT.into_response(),
        Err(error) => upload_refusal(&error),
    }
}

/// Takes its time, unless the fault that wants it is deleted meanwhile.
async fn hold(server: &Server, delay_ms: u64, fault: u64) {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
        () = server.inner.faults.deleted(fault) => {}
    }
}

/// Takes the body; false when it broke off, and what came is kept.
async fn take(
    server: &Server,
    token: &str,
    kind: &str,
    number: &str,
    offset: u64,
    body: Body,
) -> Result<bool, UploadError> {
    let mut upload = Upload::begin(server, token, kind, number, offset)?;
    let mut body = body.into_data_stream();
    loop {
        match tokio::time::timeout(PATIENCE, body.next()).await {
            Ok(Some(Ok(bytes))) => upload.push(&bytes)?,
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => return Ok(false),
        }
    }
    upload.finish()?;
    Ok(true)
}

fn upload_refusal(error: &UploadError) -> Response {
    let status = match error {
        UploadError::Token | UploadError::Hash => StatusCode::BAD_REQUEST,
        UploadError::Busy => StatusCode::CONFLICT,
        UploadError::Offset => StatusCode::RANGE_NOT_SATISFIABLE,
        UploadError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        UploadError::Full => StatusCode::INSUFFICIENT_STORAGE,
        UploadError::Journal(error) => {
            tracing::error!(%error, "media cannot be stored");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    (status, Json(json!({ "error": error.to_string() }))).into_response()
}

/// How far an upload has come.
fn progress(server: &Server, kind: &str, token: &str) -> Response {
    if let Found::File(file) = server.media_file(token) {
        let mut answer = place(server, &file.kind, token);
        answer["resume"] = json!("complete");
        return Json(answer).into_response();
    }
    let files = server.inner.media.lock();
    match files.get(token) {
        Some(file) if file.kind == kind && !file.is_complete && file.len > 0 => {
            Json(json!({ "resume": file.len.to_string() })).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Where a file can be downloaded.
fn place(server: &Server, kind: &str, token: &str) -> serde_json::Value {
    let direct_path = direct_path(kind, token);
    let mut place = json!({
        "url": format!("https://{}{direct_path}", server.inner.media_host()),
        "direct_path": direct_path,
    });
    if kind.starts_with(CHANNEL_PREFIX) {
        place["handle"] = json!(channel_handle(token));
    }
    place
}

async fn download(
    State(server): State<Server>,
    Path((kind, file)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    by_phone: Option<Extension<ByPhone>>,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    // Whoever names a hash must name the right one; the session's token is not asked for.
    if parameter(&query, "token").is_some_and(|token| token != file) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let found = match server.media_file(&file) {
        Found::File(found) if found.kind == kind => found,
        Found::Gone => return StatusCode::GONE.into_response(),
        Found::File(_) | Found::Unknown => return StatusCode::NOT_FOUND.into_response(),
    };
    let now_s = server.inner.now_s();
    let number = parameter(&query, "auth")
        .and_then(|auth| server.inner.media_auth.number(auth, now_s))
        .unwrap_or_else(|| found.owner.clone());
    let fate = if by_phone.is_some() {
        MediaFate::Pass
    } else {
        server.inner.faults.download(&number, &kind)
    };
    match fate {
        MediaFate::Pass => {}
        MediaFate::Slow(delay_ms, fault) => hold(&server, delay_ms, fault).await,
        MediaFate::Refuse(code) => return refusal(code),
    }
    let asked = headers.get(header::RANGE).and_then(|it| it.to_str().ok());
    match requested(asked, found.len) {
        Some(range) => content(server, file, &found, range),
        None => (
            StatusCode::RANGE_NOT_SATISFIABLE,
            [(header::CONTENT_RANGE, format!("bytes */{}", found.len))],
        )
            .into_response(),
    }
}

fn content(server: Server, token: String, file: &MediaFile, range: Range<u64>) -> Response {
    let chunk_len = CHUNK_LEN as u64;
    let wanted = range.clone();
    let indexes = range.start / chunk_len..range.end.div_ceil(chunk_len);
    // Read one by one, as the client takes them.
    let chunks = futures::stream::iter(indexes).map(move |index| {
        let chunk = server
            .media_chunk(&token, index)
            .map_err(std::io::Error::other)?
            .ok_or_else(|| std::io::Error::other("the file was deleted meanwhile"))?;
        Ok::<Bytes, std::io::Error>(cut(&chunk, index * chunk_len, &wanted))
    });
    let length = (
        header::CONTENT_LENGTH,
        (range.end - range.start).to_string(),
    );
    let body = Body::from_stream(chunks);
    if range == (0..file.len) {
        return ([length], body).into_response();
    }
    let part = format!("bytes {}-{}/{}", range.start, range.end - 1, file.len);
    let part = (header::CONTENT_RANGE, part);
    (StatusCode::PARTIAL_CONTENT, [length, part], body).into_response()
}

/// What of a chunk that begins at `start` is wanted.
fn cut(chunk: &Bytes, start: u64, wanted: &Range<u64>) -> Bytes {
    let inside = |position: u64| {
        let position = position.saturating_sub(start);
        usize::try_from(position).map_or(chunk.len(), |position| position.min(chunk.len()))
    };
    chunk.slice(inside(wanted.start)..inside(wanted.end))
}

fn refusal(code: u16) -> Response {
    StatusCode::from_u16(code)
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        .into_response()
}

/// A parameter whose value needs no decoding: hashes, tokens and numbers are written plainly.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
