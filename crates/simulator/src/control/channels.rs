//! Channels: what phones do with them, and what is posted in them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use wacore_binary::{Jid, JidExt};
use waproto::whatsapp as wa;

use super::body::Body;
use super::envelope::ApiError;
use super::phones::find;
use super::router::{Control, split_action};
use crate::phone::PhoneError;
use crate::phone::content::describe;
use crate::server::{Newsletter, NewsletterError, NewsletterPost};

/// `POST /sim/v1/phones/{number}/channels`.
pub(crate) async fn create(
    State(control): State<Control>,
    Path(number): Path<String>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let phone = find(&control, &number)?;
    let mut body = Body::parse(&bytes)?;
    let name = body.required_string("name");
    let description = body.string("description").unwrap_or_default();
    body.finish()?;
    let made = control
        .server
        .create_newsletter(phone.number(), &name, &description)?;
    Ok((StatusCode::CREATED, Json(channel_json(&made))).into_response())
}

/// `GET /sim/v1/channels/{jid}`, with its posts.
pub(crate) async fn get(
    State(control): State<Control>,
    Path(channel): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let jid = newsletter_jid(&channel)?;
    let mut answer = channel_json(&control.server.newsletter(&jid)?);
    let posts = control.server.newsletter_posts(&jid)?;
    answer["messages"] = posts.iter().map(post_json).collect();
    Ok(Json(answer))
}

/// `POST /sim/v1/phones/{number}/channels/{jid}/messages`.
pub(crate) async fn publish(
    State(control): State<Control>,
    Path((number, channel)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let phone = find(&control, &number)?;
    let jid = newsletter_jid(&channel)?;
    let mut body = Body::parse(&bytes)?;
    let text = body.required_string("text");
    body.finish()?;
    let message = wa::Message {
        conversation: Some(text),
        ..Default::default()
    };
    let plaintext = waproto::codec::message_to_vec(&message);
    let published = control.server.publish(phone.number(), &jid, plaintext)?;
    let answer = json!({ "id": published.id, "serverId": published.server_id });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `POST /sim/v1/phones/{number}/channels/{jid}:{verb}`.
pub(crate) async fn act(
    State(control): State<Control>,
    Path((number, segment)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let phone = find(&control, &number)?;
    let (channel, verb) =
        split_action(&segment).ok_or_else(|| PhoneError::NotFound("no such route".to_owned()))?;
    let jid = newsletter_jid(channel)?;
    let mut body = Body::parse(&bytes)?;
    let (server, number) = (&control.server, phone.number());
    match verb {
        "follow" => {
            body.finish()?;
            server.follow_newsletter(number, &jid)?;
        }
        "unfollow" => {
            body.finish()?;
            server.unfollow_newsletter(number, &jid)?;
        }
        "react" => {
            body.require("serverId");
            let server_id = body.integer::<u64>("serverId").unwrap_or_default();
            body.require("emoji");
            let emoji = body.string("emoji").unwrap_or_default();
            body.finish()?;
            server.react_in_newsletter(number, &jid, server_id, &emoji)?;
        }
        _ => return Err(PhoneError::NotFound("no such action".to_owned()).into()),
    }
    Ok(StatusCode::NO_CONTENT)
}

fn newsletter_jid(text: &str) -> Result<Jid, PhoneError> {
    let jid = text.parse::<Jid>().ok();
    jid.filter(JidExt::is_newsletter)
        .ok_or_else(|| PhoneError::NotFound(NewsletterError::Unknown.to_string()))
}

fn channel_json(channel: &Newsletter) -> Value {
    json!({
        "jid": channel.jid.to_string(),
        "name": channel.name,
        "description": channel.description,
        "inviteCode": channel.invite_code,
        "subscribers": channel.subscribers,
        "pictureBytes": channel.picture.len(),
    })
}

fn post_json(post: &NewsletterPost) -> Value {
    let message = waproto::codec::message_decode(&post.plaintext).ok();
    let described = message.as_ref().and_then(describe);
    json!({
        "id": post.id,
        "serverId": post.server_id,
        "author": post.author,
        "type": described.as_ref().map_or("system", |described| described.kind),
        "body": described.map(|described| described.body).unwrap_or_default(),
        "reactions": post.reactions,
        "views": post.views,
    })
}

impl From<NewsletterError> for PhoneError {
    fn from(error: NewsletterError) -> Self {
        match error {
            NewsletterError::UnknownAccount
            | NewsletterError::Unknown
            | NewsletterError::UnknownPost => Self::NotFound(error.to_string()),
            NewsletterError::Forbidden | NewsletterError::TooMany => {
                Self::Conflict(error.to_string())
            }
            NewsletterError::InvalidText => Self::invalid("name", error.to_string()),
            NewsletterError::InvalidReaction => Self::invalid("emoji", error.to_string()),
            NewsletterError::Journal(error) => Self::Journal(error),
        }
    }
}
