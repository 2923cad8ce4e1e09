//! `GET /ws/chat`, and the pictures that the server's stanzas link to.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::connection;
use crate::noise::ServerIdentity;
use crate::server::Server;

/// What one read may bring; also what each idle connection holds.
const READ_BUFFER_LEN: usize = 4 * 1_024;

/// A WebSocket message holds some frames; more at once is not spoken.
const MAX_WS_MESSAGE_LEN: usize = 4 * 1_024 * 1_024;

/// What a connection needs.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) server: Server,
    pub(crate) identity: Arc<ServerIdentity>,
}

/// The routes of the WhatsApp side.
pub(crate) fn router(server: Server, identity: Arc<ServerIdentity>) -> Router {
    Router::new()
        .route("/ws/chat", get(chat))
        .route("/sim/v1/pictures/{lid}/{id}", get(picture))
        .with_state(Endpoint { server, identity })
}

async fn chat(State(endpoint): State<Endpoint>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .read_buffer_size(READ_BUFFER_LEN)
        .write_buffer_size(0)
        .max_message_size(MAX_WS_MESSAGE_LEN)
        .max_frame_size(MAX_WS_MESSAGE_LEN)
        .on_upgrade(move |socket| connection::run(endpoint, socket))
}

async fn picture(
    State(endpoint): State<Endpoint>,
    Path((lid, picture_id)): Path<(String, u64)>,
) -> Response {
    match endpoint.server.picture(&lid, picture_id) {
        Some(image) => ([(header::CONTENT_TYPE, "image/jpeg")], image).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
