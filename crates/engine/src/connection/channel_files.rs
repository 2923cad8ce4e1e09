//! Files of channels: brought to WhatsApp's media hosts as they are, and posted with a handle.
//!
//! The library uploads encrypted files only. Paths, parameters and the handle are as whatsmeow's
//! `UploadNewsletter` has them: the file's own SHA-256 is its token, and what the host answers as
//! `handle` is named in the post as `media_id`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use wagate_model::MediaKind;
use whatsapp_rust::anyhow::{self, Context as _};
use whatsapp_rust::http::{HttpClient, HttpRequest, HttpStatusError};
use whatsapp_rust::wacore::send::media_type_from_message;
use whatsapp_rust::wacore_binary::builder::NodeBuilder;
use whatsapp_rust::waproto::codec::message_to_vec;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{Client, Jid as LibraryJid, SendError};

use super::Connection;
use super::uploads::failure;
use crate::upload::{Plain, UploadSource, Uploaded};
use crate::{RejectReason, SendFailure};

/// How long one file may take; where nothing moves, the HTTP client gives up long before.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);

/// The origin that the media hosts expect of linked devices.
const ORIGIN: &str = "https://web.whatsapp.com";

/// What a media host says of a file that it has taken.
#[derive(Deserialize)]
struct Place {
    url: String,
    direct_path: String,
    #[serde(default)]
    handle: Option<String>,
}

/// The part of the path that says what kind of file of a channel it is.
const fn path_of(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image | MediaKind::Sticker => "newsletter-image",
        MediaKind::Video | MediaKind::Gif | MediaKind::VideoNote => "newsletter-video",
        MediaKind::Audio | MediaKind::Voice => "newsletter-audio",
        MediaKind::Document => "newsletter-document",
    }
}

impl Connection {
    /// Brings a file for a channel to WhatsApp's media hosts, as it is.
    ///
    /// The same file is the same there: doing it again after any failure leaves one file.
    pub async fn upload_for_channel(
        &self,
        source: &mut dyn UploadSource,
        kind: MediaKind,
    ) -> Result<Uploaded, SendFailure> {
        let client = self.logged_in().map_err(|_| SendFailure::NotConnected)?;
        let http = &self.session().engine.http;
        let work = async {
            let plain = Arc::new(Plain::of(source).await?);
            let place = bring(client, http, &plain, kind).await?;
            anyhow::Ok(uploaded(&plain, place))
        };
        match tokio::time::timeout(UPLOAD_TIMEOUT, work).await {
            Ok(Ok(uploaded)) => Ok(uploaded),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(SendFailure::Transient {
                code: None,
                reason: RejectReason::Upload,
            }),
        }
    }
}

fn uploaded(plain: &Plain, place: Place) -> Uploaded {
    Uploaded {
        url: place.url,
        direct_path: place.direct_path,
        media_key: None,
        sha256: plain.sha256,
        encrypted_sha256: None,
        size: plain.size,
        key_timestamp_s: whatsapp_rust::wacore::time::now_millis() / 1_000,
        sidecar: None,
        handle: place.handle,
    }
}

/// Tries the hosts one after the other, and all of them again where the token has run out.
async fn bring(
    client: &Client,
    http: &Arc<dyn HttpClient>,
    plain: &Arc<Plain>,
    kind: MediaKind,
) -> Result<Place, anyhow::Error> {
    let token = URL_SAFE_NO_PAD.encode(plain.sha256);
    let mut last = anyhow::anyhow!("WhatsApp names no media host");
    for is_renewed in [false, true] {
        let route = client.refresh_media_conn(is_renewed).await?;
        for host in &route.hosts {
            let url = format!(
                "https://{}/newsletter/{}/{token}?auth={}&token={token}",
                host.hostname,
                path_of(kind),
                route.auth
            );
            match post(Arc::clone(http), url, Arc::clone(plain)).await {
                Ok(place) => return Ok(place),
                Err(error) => last = error,
            }
        }
        let status = last.downcast_ref::<HttpStatusError>();
        if !status.is_some_and(|error| matches!(error.status, 401 | 403)) {
            break;
        }
    }
    Err(last)
}

async fn post(
    http: Arc<dyn HttpClient>,
    url: String,
    plain: Arc<Plain>,
) -> Result<Place, anyhow::Error> {
    let request = HttpRequest::post(url)
        .with_header("Content-Type", "application/octet-stream")
        .with_header("Origin", ORIGIN);
    let exchange = tokio::task::spawn_blocking(move || {
        let body = plain.reader()?;
        http.execute_upload(request, body, plain.size)
    });
    let answer = exchange.await.context("the upload failed")??;
    if !(200..300).contains(&answer.status_code) {
        let status = answer.status_code;
        return Err(HttpStatusError { status }.into());
    }
    serde_json::from_slice(&answer.body).context("a media host's answer cannot be read")
}

/// Posts a message with a file in a channel, under an id.
pub(super) async fn post_file(
    client: &Client,
    channel: &LibraryJid,
    id: &str,
    message: &wa::Message,
    handle: Option<&str>,
) -> Result<(), SendError> {
    let plaintext = NodeBuilder::new("plaintext");
    let plaintext = match media_type_from_message(message) {
        Some(kind) => plaintext.attr("mediatype", kind),
        None => plaintext,
    };
    let stanza = NodeBuilder::new("message")
        .attr("to", channel)
        .attr("type", "media")
        .attr("id", id);
    let stanza = match handle {
        Some(handle) => stanza.attr("media_id", handle),
        None => stanza,
    };
    let plaintext = plaintext.bytes(message_to_vec(message)).build();
    client
        .send_node(stanza.children([plaintext]).build())
        .await?;
    Ok(())
}
