//! Requests to the media host, as clients make them.

use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{Request, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use tower::ServiceExt as _;

use super::file::FileRef;
use crate::phone::error::PhoneError;
use crate::server::{Server, media};

/// The largest encrypted file that a phone fetches: what the media host takes.
const MAX_SEALED_LEN: usize = 128 * 1024 * 1024;
/// More than any answer to an upload has.
const MAX_ANSWER_LEN: usize = 64 * 1024;

/// Where an uploaded file is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) direct_path: String,
}

/// What the media host has under a name.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// The encrypted file.
    File(Bytes),
    /// It was there, and is no more.
    Gone,
}

/// Uploads an encrypted file under its hash.
///
/// Shape: whatsapp-rust `upload`; `auth` is the token that the server gave for it.
pub(crate) async fn upload(
    server: &Server,
    auth: &str,
    kind: &str,
    token: &str,
    sealed: Bytes,
) -> Result<Place, PhoneError> {
    let request = upload_request(auth, kind, token);
    place_of(ask(server, request.body(Body::from(sealed))).await?).await
}

/// As [`upload`], for what nobody has asked the phone for: faults are not meant for it.
pub(crate) async fn upload_by_itself(
    server: &Server,
    auth: &str,
    kind: &str,
    token: &str,
    sealed: Bytes,
) -> Result<Place, PhoneError> {
    let request = upload_request(auth, kind, token).extension(media::ByPhone);
    place_of(ask(server, request.body(Body::from(sealed))).await?).await
}

fn upload_request(auth: &str, kind: &str, token: &str) -> Builder {
    Request::post(format!("/mms/{kind}/{token}?auth={auth}&token={token}"))
}

async fn place_of(answer: Response) -> Result<Place, PhoneError> {
    if !answer.status().is_success() {
        return Err(refused(answer.status()));
    }
    let answer = to_bytes(answer.into_body(), MAX_ANSWER_LEN)
        .await
        .map_err(|_| PhoneError::unreachable("the media host broke off"))?;
    Ok(serde_json::from_slice(&answer)?)
}

/// Fetches the encrypted file of a message.
pub(crate) async fn fetch(server: &Server, file: &FileRef) -> Result<Fetched, PhoneError> {
    let path = format!("{}?token={}", file.direct_path, file.token());
    // The path comes from another device, which may have written anything.
    let path = path.parse::<Uri>().ok().filter(|uri| uri.host().is_none());
    let path = path.ok_or_else(|| not_there("the message names no path"))?;
    let request = Request::get(path)
        .extension(media::ByPhone)
        .body(Body::empty());
    let answer = ask(server, request).await?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::GONE => return Ok(Fetched::Gone),
        StatusCode::NOT_FOUND => return Err(not_there("the media host has no such file")),
        status => return Err(refused(status)),
    }
    let sealed = to_bytes(answer.into_body(), MAX_SEALED_LEN)
        .await
        .map_err(|_| PhoneError::unreachable("the media host broke off"))?;
    Ok(Fetched::File(sealed))
}

async fn ask(
    server: &Server,
    request: Result<Request<Body>, axum::http::Error>,
) -> Result<Response, PhoneError> {
    let request = request.map_err(|_| not_there("the message names no path"))?;
    let answer = media::router(server.clone()).oneshot(request);
    let shutdown = server.shutdown_token();
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(PhoneError::unreachable("the simulator is being stopped")),
        answer = answer => Ok(answer.unwrap_or_else(|never| match never {})),
    }
}

fn not_there(message: &str) -> PhoneError {
    PhoneError::NotFound(message.to_owned())
}

fn refused(status: StatusCode) -> PhoneError {
    PhoneError::Refused {
        code: status.as_u16(),
        text: "the media host".to_owned(),
    }
}
