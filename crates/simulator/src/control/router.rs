//! The routes.
//!
//! An action is written `POST …/{id}:verb`. The router matches whole segments only, so a segment
//! of id and verb is taken as one and split at its last colon, in [`split_action`].

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::middleware::map_response;
use axum::routing::{delete, get, post};
use serde_json::{Value, json};

use super::envelope::{unknown_route, wrap_refusals};
use super::{
    accounting, calls, channels, faults, files, groups, history, kept, media, messages, phones,
};
use crate::phone::Phones;
use crate::server::Server;

/// What `GET /sim/v1` tells about the simulator.
#[derive(Debug, Clone, Default)]
pub struct ControlInfo {
    /// Where clients connect; without one it is made from the request's `Host`.
    pub chat_url: Option<String>,
    /// Where clients connect with TLS, when there is such a listener.
    pub tls_chat_url: Option<String>,
    /// The public key that the Noise certificates are signed with, in hexadecimal.
    pub root_public_key: String,
}

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) server: Server,
    pub(crate) phones: Phones,
    info: ControlInfo,
}

/// The control API.
pub fn router(server: Server, phones: Phones, info: ControlInfo) -> Router {
    Router::new()
        .route("/sim/v1", get(describe))
        .route("/sim/v1/phones", get(phones::list).post(phones::create))
        .route(
            "/sim/v1/phones/{phone}",
            get(phones::get).delete(phones::delete).post(phones::act),
        )
        .route(
            "/sim/v1/phones/{phone}/messages",
            get(messages::list)
                .post(messages::send)
                .layer(DefaultBodyLimit::max(files::MAX_BODY_LEN)),
        )
        .route(
            "/sim/v1/phones/{phone}/messages/{message}/media",
            get(files::get),
        )
        .route(
            "/sim/v1/phones/{phone}/messages/{message}",
            get(messages::get).post(messages::act),
        )
        .route("/sim/v1/phones/{phone}/history", post(history::set))
        .route(
            "/sim/v1/phones/{phone}/calls",
            get(calls::list).post(calls::create),
        )
        .route("/sim/v1/phones/{phone}/calls/{call}", post(calls::act))
        .route("/sim/v1/phones/{phone}/app-state", get(kept::list))
        .route(
            "/sim/v1/phones/{phone}/status-mutes",
            post(kept::mute_status),
        )
        .route(
            "/sim/v1/phones/{phone}/labels",
            get(kept::labels).post(kept::put_label),
        )
        .route(
            "/sim/v1/phones/{phone}/labels/{label}",
            post(kept::act_on_label).delete(kept::delete_label),
        )
        .route("/sim/v1/phones/{phone}/channels", post(channels::create))
        .route(
            "/sim/v1/phones/{phone}/channels/{channel}",
            post(channels::act),
        )
        .route(
            "/sim/v1/phones/{phone}/channels/{channel}/messages",
            post(channels::publish),
        )
        .route("/sim/v1/channels/{channel}", get(channels::get))
        .route("/sim/v1/phones/{phone}/groups", post(groups::create))
        .route("/sim/v1/phones/{phone}/groups:join", post(groups::join))
        .route("/sim/v1/phones/{phone}/groups/{group}", post(groups::act))
        .route("/sim/v1/groups", get(groups::list))
        .route("/sim/v1/groups/{group}", get(groups::get))
        .route("/sim/v1/faults", get(faults::list).post(faults::create))
        .route("/sim/v1/faults/{fault}", delete(faults::delete))
        .route("/sim/v1/media:expire", post(media::expire))
        .route("/sim/v1/accounting", get(accounting::list))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_route)
        .layer(map_response(wrap_refusals))
        .with_state(Control {
            server,
            phones,
            info,
        })
}

/// Splits `id:verb` at the last colon.
pub(crate) fn split_action(segment: &str) -> Option<(&str, &str)> {
    segment.rsplit_once(':')
}

async fn describe(State(control): State<Control>, headers: HeaderMap) -> Json<Value> {
    let info = &control.info;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let chat_url = info
        .chat_url
        .clone()
        .unwrap_or_else(|| format!("ws://{}/ws/chat", host.unwrap_or("127.0.0.1")));
    let mut answer = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "chatUrl": chat_url,
        "rootPublicKey": info.root_public_key,
    });
    if let Some(url) = &info.tls_chat_url {
        answer["tlsChatUrl"] = json!(url);
    }
    Json(answer)
}
