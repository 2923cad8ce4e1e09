//! Bodies and queries of the control API.

use crate::control::{parse_message_query, parse_send_request};
use crate::phone::PhoneError;
use crate::phone::content::{build, describe};
use crate::phone::{Content, SendRequest};

/// A request to send is a message that says what the request said, or its faults are named.
pub fn send_request(body: &[u8]) {
    let checked = parse_send_request(body).and_then(|request| {
        request.validate()?;
        Ok(request)
    });
    match checked {
        Ok(request) => {
            let message = build(&request.content, None, request.mentions.clone());
            let described = describe(&message).expect("what people send is shown");
            assert_eq!((described.kind, &*described.body), shown(&request));
            let encoded = waproto::codec::message_to_vec(&message);
            let again = waproto::codec::message_decode(&encoded).expect("it is written to be read");
            assert_eq!(describe(&again), Some(described));
        }
        Err(error) => are_named(error),
    }
}

fn shown(request: &SendRequest) -> (&'static str, &str) {
    match &request.content {
        Content::Text(text) => ("text", text),
        Content::Poll { name, .. } => ("poll", name),
        Content::Location { name, .. } => ("location", name.as_deref().unwrap_or_default()),
        Content::Contact { name, .. } => ("contact", name),
        Content::File(file) => (
            file.kind.name(),
            file.caption.as_deref().unwrap_or_default(),
        ),
        Content::Album { .. } => ("album", ""),
        Content::Event(event) => ("event", &event.name),
        Content::Offer(offer) => ("offer", &offer.text),
        Content::Timer { .. } => ("timer", ""),
        Content::LiveLocation { caption, .. } => {
            ("live_location", caption.as_deref().unwrap_or_default())
        }
    }
}

fn are_named(error: PhoneError) {
    let PhoneError::Invalid(faults) = error else {
        panic!("a faulty request is not told as one: {error}");
    };
    assert!(!faults.is_empty());
    assert!(faults.iter().all(|fault| !fault.message.is_empty()));
}

/// A query asks for a bounded list and waits for a bounded time.
pub fn message_query(query: &str) {
    match parse_message_query(query) {
        Ok((query, wait_ms)) => {
            assert!((1..=10_000).contains(&query.limit.expect("there is a limit")));
            assert!(wait_ms <= 30_000);
            assert_ne!(query.after_id.as_deref(), Some(""));
        }
        Err(error) => are_named(error),
    }
}
