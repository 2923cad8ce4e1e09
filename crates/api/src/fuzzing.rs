//! What must hold of every request, for property tests and fuzz targets alike.
//!
//! Each function takes an input, reads it, and panics when a property does not hold.

use std::fmt::Debug;

use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use wagate_core::{DeliveryQuery, MessageSearch, Page, PullRequest};
use wagate_model::{
    CreateSession, Faults, PairingCodeRequest, SendRequest, SessionStorageBody, StorageBucketBody,
    UpdateSession, WebhookBody, limits,
};

use crate::body::{RequestBody, decode};
use crate::media_types::{QrForm, qr_form};
use crate::query::{FromQuery, Params};
use crate::realtime::{RealtimeTicketBody, socket_base};
use crate::verbs::{internal_path, move_verb};

/// A body is taken, or its faults are told: bounded in number, each with a place and a reason.
pub fn request_body(content_type: Option<&[u8]>, body: &[u8]) {
    let mut headers = HeaderMap::new();
    if let Some(Ok(value)) = content_type.map(HeaderValue::from_bytes) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    body_of::<CreateSession>(&headers, body);
    body_of::<UpdateSession>(&headers, body);
    body_of::<PairingCodeRequest>(&headers, body);
    body_of::<WebhookBody>(&headers, body);
    body_of::<StorageBucketBody>(&headers, body);
    body_of::<SessionStorageBody>(&headers, body);
    body_of::<SendRequest>(&headers, body);
    body_of::<RealtimeTicketBody>(&headers, body);
}

fn body_of<T: RequestBody + PartialEq + Debug>(headers: &HeaderMap, bytes: &[u8]) {
    match decode::<T>(headers, bytes).open() {
        Ok((body, faults)) if faults.is_empty() => {
            if bytes.is_empty() {
                assert!(T::IS_OPTIONAL);
                return;
            }
            let value: Value = serde_json::from_slice(bytes).expect("what is taken is JSON");
            assert!(value.is_object());
            // Neither space nor escapes nor the order of members matter.
            let again = serde_json::to_vec(&value).expect("it was JSON before");
            let (same, faults) = decode::<T>(&HeaderMap::new(), &again)
                .open()
                .expect("it was read before");
            assert!(faults.is_empty());
            assert_eq!(same, body);
        }
        Ok((_, faults)) | Err(faults) => {
            assert!(!faults.is_empty());
            are_told(faults, limits::FAULTS + 1);
        }
    }
}

fn are_told(faults: Faults, max: usize) {
    // A fault that only serde finds has no place: the schema lets pass what it must not.
    const OF_THE_WHOLE: [&str; 7] = [
        "is required",
        "is not a known field",
        "is not UTF-8",
        "is not valid JSON",
        "is nested more than",
        "must be an object",
        "has ",
    ];
    let faults = faults.into_vec();
    assert!(faults.len() <= max, "{} faults", faults.len());
    for fault in faults {
        let is_known = OF_THE_WHOLE
            .iter()
            .any(|known| fault.message.starts_with(known));
        assert!(fault.field != "body" || is_known, "{}", fault.message);
        // 64 levels of 64 characters; a member without a name has none here either.
        assert!(fault.field.len() <= 64 * 4 * 64);
        assert!(!fault.message.is_empty() && fault.message.len() <= 1_000);
    }
}

/// A query is read the same however its parameters are escaped, within the limits of pages.
pub fn query(text: &str) {
    if let Some(page) = query_of::<Page>(text) {
        assert!((1..=200).contains(&page.rows()));
    }
    if let Some(request) = query_of::<PullRequest>(text) {
        assert!(request.limit >= 0 && request.wait_ms >= 0);
        assert_ne!(request.session.as_deref(), Some(""));
    }
    if let Some(query) = query_of::<DeliveryQuery>(text) {
        assert!(query.from >= 0 && query.until >= 0);
        assert!((1..=200).contains(&query.page.rows()));
    }
    if let Some(search) = query_of::<MessageSearch>(text) {
        assert!(search.from >= 0 && search.to >= 0);
        assert_ne!(search.text.as_deref(), Some(""));
    }
}

fn query_of<T: FromQuery>(text: &str) -> Option<T> {
    let mut params = Params::of(text);
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    let again = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    assert_eq!(format!("{:?}", Params::of(&again)), format!("{params:?}"));
    let value = T::from_params(&mut params);
    let faults = params.into_faults();
    if faults.is_empty() {
        return Some(value);
    }
    are_told(faults, 10);
    None
}

/// A verb moves to the front and nothing else of an address changes; moved paths cannot be asked for.
pub fn path(text: &str) {
    let Ok(request) = Request::builder().uri(text).body(Body::empty()) else {
        return;
    };
    let uri = request.uri().clone();
    let moved = move_verb(request);
    let (before, after) = (uri.path(), moved.uri().path());
    assert_eq!(moved.uri().query(), uri.query());
    assert_eq!(moved.uri().authority(), uri.authority());
    if before.starts_with("/:") {
        assert_eq!(after, "/:");
    } else if let Some(moved) = after.strip_prefix("/:") {
        let (verb, resource) = moved.split_once('/').expect("a verb has a resource");
        assert_eq!(format!("/{resource}:{verb}"), before);
        assert_eq!(internal_path(before), after);
    } else {
        assert_eq!(after, before);
    }
}

/// Headers that decide about an answer.
pub fn headers(accept: &[u8], host: &str) {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(accept) {
        headers.insert(header::ACCEPT, value);
    }
    let form = qr_form(&headers);
    let text = String::from_utf8_lossy(accept).to_ascii_lowercase();
    assert!(form == QrForm::Json || text.contains("image/") || text.contains("*/*"));
    if let Ok(base) = socket_base(None, Some(host), &headers) {
        let url: url::Url = format!("{base}/path").parse().expect("clients can use it");
        assert_eq!(
            (url.scheme(), url.path(), url.username()),
            ("ws", "/path", "")
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = &'static str> {
        proptest::sample::select(vec![
            "autoRead",
            "label",
            "presenceTyping",
            "start",
            "ratePerHour",
            "ratePerMin",
            "phone",
            "active",
            "customHeaders",
            "events",
            "retryPolicy",
            "secret",
            "sessionId",
            "url",
            "mentions",
            "replyTo",
            "text",
            "to",
            "type",
            "scope",
            "session",
            "since",
            "\\u0061ctive",
            "nonsense",
        ])
    }

    fn value() -> impl Strategy<Value = String> {
        let scalars = proptest::sample::select(vec![
            "null",
            "true",
            "0",
            "-1",
            "1.0",
            "1e2",
            "9223372036854775807",
            "9223372036854775808",
            "\"\"",
            "\"text\"",
            "\"session\"",
            "\"*\"",
            "\"message\"",
            "\"15551234567\"",
            "\"\\u0000\"",
            "\"\\ud83d\\ude00\"",
        ])
        .prop_map(str::to_owned);
        scalars.prop_recursive(3, 300, 200, |inner| {
            let many = proptest::collection::vec(inner.clone(), 0..200);
            let member = ("(attempts|delaySeconds|policy|[!-\\[a-z]{0,8})", inner);
            prop_oneof![
                many.prop_map(|items| format!("[{}]", items.join(","))),
                proptest::collection::btree_map(member.0, member.1, 0..30).prop_map(|members| {
                    let members: Vec<_> = members
                        .iter()
                        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_their_faults_are_told(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "[\\[\\]{}\",:0-9a-z.e\\\\ -]{0,80}",
            content_type in "(application/(x\\+)?json(; ?charset=\"?utf-?8\"?)?)?|\\PC{0,20}",
        ) {
            request_body(None, &bytes);
            request_body(Some(content_type.as_bytes()), text.as_bytes());
        }

        #[test]
        fn any_object_is_taken_or_its_faults_are_told(
            members in proptest::collection::vec((name(), value(), "[ \n]?"), 0..6),
        ) {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value, space)| format!("\"{name}\":{space}{value}"))
                .collect();
            request_body(None, format!("{{{}}}", members.join(",")).as_bytes());
        }
    }
}
