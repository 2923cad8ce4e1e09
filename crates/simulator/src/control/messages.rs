//! Messages: sending as a phone, and what a phone has sent and received.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::body::Body;
use super::envelope::ApiError;
use super::phones::find;
use super::router::{Control, split_action};
use super::{send_request, special};
use crate::phone::{FieldError, KeptChange, MessageQuery, PhoneError, Sent, StoredMessage};

/// The largest body of a message without files, in bytes.
const MAX_PLAIN_BODY_LEN: usize = 2 * 1024 * 1024;
/// Messages in one answer unless the client asks for another number.
const DEFAULT_LIMIT: usize = 1_000;
/// Messages in one answer at most.
const MAX_LIMIT: usize = 10_000;
/// The longest time that a request waits for a message.
const MAX_WAIT_MS: u64 = 30_000;

/// `POST /sim/v1/phones/{number}/messages`.
pub(crate) async fn send(
    State(control): State<Control>,
    Path(number): Path<String>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let phone = find(&control, &number)?;
    let request = send_request::parse(&bytes)?;
    if bytes.len() > MAX_PLAIN_BODY_LEN && !request.content.has_files() {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    }
    Ok(created(&phone.send(request).await?))
}

/// `GET /sim/v1/phones/{number}/messages`; with `waitMs` it waits while there is none.
pub(crate) async fn list(
    State(control): State<Control>,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let phone = find(&control, &number)?;
    let (query, wait_ms) = parse_query(query.as_deref().unwrap_or_default())?;
    let wait = Duration::from_millis(wait_ms);
    let data = phone.wait_for_messages(&query, wait).await?;
    Ok(Json(json!({ "data": data })))
}

/// `GET /sim/v1/phones/{number}/messages/{id}`.
pub(crate) async fn get(
    State(control): State<Control>,
    Path((number, id)): Path<(String, String)>,
) -> Result<Json<StoredMessage>, ApiError> {
    let phone = find(&control, &number)?;
    let message = phone
        .message(&id)
        .ok_or_else(|| PhoneError::NotFound("no message has this id".to_owned()))?;
    Ok(Json(message))
}

/// `POST /sim/v1/phones/{number}/messages/{id}:{verb}`.
pub(crate) async fn act(
    State(control): State<Control>,
    Path((number, segment)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let phone = find(&control, &number)?;
    let (id, verb) =
        split_action(&segment).ok_or_else(|| PhoneError::NotFound("no such route".to_owned()))?;
    let mut body = Body::parse(&bytes)?;
    match verb {
        "read" => {
            body.finish()?;
            phone.read(id).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        "react" => {
            body.require("emoji");
            let emoji = body.string("emoji").unwrap_or_default();
            body.finish()?;
            Ok(created(&phone.react(id, &emoji).await?))
        }
        "edit" => {
            let text = body.required_string("text");
            body.finish()?;
            Ok(created(&phone.edit(id, &text).await?))
        }
        "revoke" => {
            body.finish()?;
            Ok(created(&phone.revoke(id).await?))
        }
        "star" | "unstar" => {
            body.finish()?;
            let id = id.to_owned();
            let is_starred = verb == "star";
            phone.keep(KeptChange::Star { id, is_starred }).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        "delete-for-me" => {
            let with_media = body.boolean("deleteMedia").unwrap_or(true);
            body.finish()?;
            let id = id.to_owned();
            phone
                .keep(KeptChange::DeleteForMe { id, with_media })
                .await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        verb => {
            let action = special::action(&mut body, verb)
                .ok_or_else(|| PhoneError::NotFound("no such action".to_owned()))?;
            body.finish()?;
            Ok(created(&phone.act(id, action).await?))
        }
    }
}

fn created(sent: &Sent) -> Response {
    let mut answer = json!({ "id": sent.id, "timestamp": sent.timestamp });
    if !sent.items.is_empty() {
        answer["items"] = json!(sent.items);
    }
    (StatusCode::CREATED, Json(answer)).into_response()
}

pub(crate) fn parse_query(query: &str) -> Result<(MessageQuery, u64), PhoneError> {
    let mut parsed = MessageQuery {
        limit: Some(DEFAULT_LIMIT),
        ..MessageQuery::default()
    };
    let mut wait_ms = 0;
    let mut faults = Vec::new();
    for (name, value) in query_pairs(query) {
        match name.as_str() {
            "peer" => parsed.peer = Some(value),
            "afterId" => parsed.after_id = Some(value).filter(|id| !id.is_empty()),
            "limit" => match value.parse() {
                Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => parsed.limit = Some(limit),
                _ => faults.push(FieldError::new("limit", "expected 1 to 10000")),
            },
            "waitMs" => match value.parse::<u64>() {
                Ok(wait) => wait_ms = wait.min(MAX_WAIT_MS),
                Err(_) => faults.push(FieldError::new("waitMs", "expected milliseconds")),
            },
            _ => faults.push(FieldError::new(name, "is not a known parameter")),
        }
    }
    if faults.is_empty() {
        Ok((parsed, wait_ms))
    } else {
        Err(PhoneError::Invalid(faults))
    }
}

/// The names and values of a query string, decoded.
pub(crate) fn query_pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Percent-decoding. A plus sign stands for itself: numbers are written with one.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high * 16 + low);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_query_is_read_and_its_faults_are_named() {
        let (query, wait_ms) =
            parse_query("peer=1%40lid&afterId=A&limit=5&waitMs=99999999").unwrap();
        assert_eq!(query.peer.as_deref(), Some("1@lid"));
        assert_eq!(query.after_id.as_deref(), Some("A"));
        assert_eq!(query.limit, Some(5));
        assert_eq!(wait_ms, MAX_WAIT_MS);
        let Err(PhoneError::Invalid(faults)) = parse_query("limit=0&odd=1") else {
            panic!("accepted a faulty query");
        };
        assert_eq!(faults.len(), 2);
        assert_eq!(decode("%zz%4"), "%zz%4");
    }

    proptest! {
        #[test]
        fn any_query_is_bounded(
            text in "\\PC{0,60}",
            query in "((peer|afterId|limit|waitMs)=[0-9%A-F+-]{0,20}&?){0,4}",
        ) {
            crate::fuzzing::message_query(&text);
            crate::fuzzing::message_query(&query);
        }
    }
}
