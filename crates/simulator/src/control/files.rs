//! Files in bodies and answers.

use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::body::Body;
use super::envelope::ApiError;
use super::phones::find;
use super::router::Control;
use crate::phone::{Content, FileContent, FileKind};

/// The largest body of a request that sends files: 64 MiB in base64, and some more.
pub(crate) const MAX_BODY_LEN: usize = 90 * 1024 * 1024;

/// `GET /sim/v1/phones/{number}/messages/{id}/media`: the plain file.
pub(crate) async fn get(
    State(control): State<Control>,
    Path((number, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let phone = find(&control, &number)?;
    let file = phone.file(&id).await?;
    // What the message names may be anything.
    let mime_type = HeaderValue::from_str(&file.mime_type)
        .ok()
        .filter(|mime_type| !mime_type.is_empty())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    Ok(([(CONTENT_TYPE, mime_type)], file.bytes).into_response())
}

/// The kind of file that a message's type names.
pub(crate) fn kind(name: &str) -> Option<FileKind> {
    [
        FileKind::Image,
        FileKind::Video,
        FileKind::Audio,
        FileKind::Document,
        FileKind::Sticker,
    ]
    .into_iter()
    .find(|kind| kind.name() == name)
}

/// Reads `media` and the caption beside it.
pub(crate) fn file(body: &mut Body, kind: FileKind) -> Option<FileContent> {
    body.require("media");
    let beside = body.string("caption");
    let mut media = body.object("media")?;
    let read = content(&mut media, kind);
    let within = media.string("caption");
    if beside.is_some() && within.is_some() {
        media.fault::<()>("caption", "is there twice");
    }
    body.absorb(media);
    let mut file = read?;
    file.caption = beside.or(within).filter(|caption| !caption.is_empty());
    Some(file)
}

/// Reads `medias` and the caption of the whole.
pub(crate) fn album(body: &mut Body) -> Option<Content> {
    body.require("medias");
    let caption = body.string("caption").filter(|caption| !caption.is_empty());
    let mut items = Vec::new();
    for mut media in body.objects("medias")? {
        let kind = match media.required_string("type").as_str() {
            "image" => Some(FileKind::Image),
            "video" => Some(FileKind::Video),
            "" => None,
            _ => media.fault("type", "expected image or video"),
        };
        // Read in any case, so that its other faults are told too.
        let item = content(&mut media, kind.unwrap_or(FileKind::Image));
        body.absorb(media);
        items.extend(item.filter(|_| kind.is_some()));
    }
    Some(Content::Album { items, caption })
}

fn content(media: &mut Body, kind: FileKind) -> Option<FileContent> {
    let url = media.string("url").filter(|url| !url.is_empty());
    let data = media.string("data");
    // The public contract's spelling, and that of answers here.
    let mime_type = media.string("mimetype").or(media.string("mimeType"));
    let file_name = media.string("filename").or(media.string("fileName"));
    let is_voice = media.boolean("voice").unwrap_or(false);
    if url.is_some() {
        return media.fault(
            "url",
            "simulated phones fetch nothing; give the file in data",
        );
    }
    let Some(data) = data else {
        return media.fault("data", "is required");
    };
    let (in_uri, data) = match data.strip_prefix("data:").map(|uri| uri.split_once(',')) {
        Some(Some((head, data))) => (head.strip_suffix(";base64"), data),
        _ => (None, data.as_str()),
    };
    let Ok(bytes) = STANDARD.decode(data) else {
        return media.fault("data", "expected base64");
    };
    Some(FileContent {
        mime_type: mime_type
            .or(in_uri.map(str::to_owned))
            .filter(|mime_type| !mime_type.is_empty()),
        file_name: file_name.filter(|name| !name.is_empty()),
        is_voice,
        ..FileContent::new(kind, bytes)
    })
}
