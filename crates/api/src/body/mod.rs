//! JSON bodies: bounded, strict, with all their faults told at once.
//!
//! A body is read under a limit of size and time ([`read`]), parsed into a tree that
//! knows duplicate keys and depth ([`parse`]), and compared with the schema that the
//! OpenAPI document shows for it ([`check`]), so that document and validation cannot
//! disagree. Only then serde makes the type of it. What a schema cannot say is checked
//! by the type itself, in the use case.

mod check;
mod parse;
mod read;
mod schema;

use std::collections::HashSet;

use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wagate_model::{
    CreateSession, Faults, PairingCodeRequest, SendRequest, UpdateSession, WebhookBody,
};

use crate::failure::{Answer, Failure};
use crate::state::ApiState;

/// What faults of the body as a whole are told of.
const BODY: &str = "body";

/// Most faults that are told.
const MAX_FAULTS: usize = 100;

/// A type that is the body of a request.
pub(crate) trait RequestBody: DeserializeOwned + utoipa::ToSchema + Send + 'static {
    /// Whether it may carry media.
    const HAS_MEDIA: bool = false;
    /// Whether no body at all stands for an empty object.
    const IS_OPTIONAL: bool = false;

    /// The faults that the schema cannot see.
    fn own_faults(&self) -> Faults {
        Faults::new()
    }
}

impl RequestBody for CreateSession {
    fn own_faults(&self) -> Faults {
        self.validate().err().unwrap_or_default()
    }
}

impl RequestBody for UpdateSession {
    fn own_faults(&self) -> Faults {
        self.validate().err().unwrap_or_default()
    }
}

impl RequestBody for PairingCodeRequest {
    fn own_faults(&self) -> Faults {
        self.validate().err().unwrap_or_default()
    }
}

impl RequestBody for WebhookBody {
    fn own_faults(&self) -> Faults {
        self.faults()
    }
}

impl RequestBody for SendRequest {
    const HAS_MEDIA: bool = true;

    fn own_faults(&self) -> Faults {
        self.validate().err().unwrap_or_default()
    }
}

/// The body of a request. As an extractor it comes last, after all other checks.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: RequestBody> FromRequest<ApiState> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &ApiState) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let limits = read::Limits::of::<T>(state.config());
        let bytes = read::read(&parts.headers, body, limits).await?;
        Ok(decode::<T>(&parts.headers, &bytes).map(Json)?)
    }
}

/// Reads a body that is in memory.
pub(crate) fn decode<T: RequestBody>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Faults> {
    let value = if bytes.is_empty() {
        if !T::IS_OPTIONAL {
            return Err(Faults::one(BODY, "is required: a JSON object"));
        }
        Value::Object(Map::new())
    } else {
        check_content_type(headers)?;
        parse::parse(bytes)?
    };
    if let Err(faults) = check::check(&value, &schema::of::<T>()) {
        return Err(with_own_faults::<T>(value, faults));
    }
    serde_json::from_value(value).map_err(|error| Faults::one(BODY, error.to_string()))
}

/// Adds what the type itself finds wrong with the members that the schema has passed.
fn with_own_faults<T: RequestBody>(mut value: Value, faults: Faults) -> Faults {
    let found = faults.into_vec();
    let member = |field: &str| -> String {
        field
            .chars()
            .take_while(|c| !matches!(c, '.' | '['))
            .collect()
    };
    let told: HashSet<String> = found.iter().map(|fault| member(&fault.field)).collect();
    if let Value::Object(members) = &mut value {
        members.retain(|name, _| !told.contains(name));
    }
    let own = serde_json::from_value::<T>(value)
        .map(|body| body.own_faults().into_vec())
        .unwrap_or_default();
    let mut all = Faults::new();
    // A member that was taken out looks as if it were missing: that is no fault of its own.
    let news = own
        .into_iter()
        .filter(|fault| !told.contains(&member(&fault.field)));
    for fault in found.into_iter().chain(news).take(MAX_FAULTS + 1) {
        all.add(fault.field, fault.message);
    }
    all
}

/// Accepts `application/json` and `application/…+json`, in UTF-8; a missing type counts as JSON.
fn check_content_type(headers: &HeaderMap) -> Result<(), Faults> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let fault = || Faults::one("Content-Type", "must be application/json, in UTF-8");
    let text = value.to_str().map_err(|_| fault())?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_json = essence
        .strip_prefix("application/")
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"));
    let is_utf8 = parts
        .filter_map(|parameter| parameter.strip_prefix("charset="))
        .all(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8"));
    if is_json && is_utf8 {
        Ok(())
    } else {
        Err(fault())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing;

    fn fields<T: RequestBody>(body: &str) -> Vec<String> {
        match decode::<T>(&HeaderMap::new(), body.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(faults) => faults
                .into_vec()
                .into_iter()
                .map(|fault| format!("{}: {}", fault.field, fault.message))
                .collect(),
        }
    }

    #[test]
    fn well_formed_bodies_pass() {
        assert!(fields::<CreateSession>(r#"{"label":"a","start":true}"#).is_empty());
        assert!(fields::<CreateSession>(r#"{"label":null}"#).is_empty());
        assert!(fields::<SendRequest>(r#"{"type":"text","to":"1","text":"\u00e9"}"#).is_empty());
        let webhook = r#"{"url":"https://e.x","events":null,"sessionId":null,
            "customHeaders":{"a":"b"},"retryPolicy":{"attempts":3}}"#;
        assert!(fields::<WebhookBody>(webhook).is_empty());
    }

    #[test]
    fn faults_of_the_schema_and_of_the_type_are_told_together() {
        let long = "x".repeat(101);
        let body = format!(r#"{{"label":"{long}","ratePerMin":10000000,"nonsense":1}}"#);
        let told = fields::<UpdateSession>(&body).join("; ");
        for field in ["label", "ratePerMin", "nonsense"] {
            assert!(told.contains(field), "{field} in {told}");
        }
    }

    #[test]
    fn every_fault_is_told_with_its_path() {
        let body = r#"{"type":"fax","text":5,"mentions":["a",1,null],"zzz":1,"yyy":{}}"#;
        assert_eq!(
            fields::<SendRequest>(body),
            [
                "mentions[1]: must be a string",
                "mentions[2]: must be a string",
                "text: must be a string",
                "to: is required",
                "type: must be one of: text",
                "yyy: is not a known field",
                "zzz: is not a known field",
            ]
        );
        let nested = r#"{"retryPolicy":{"attempts":"3","x":1},"customHeaders":{"a":1}}"#;
        assert_eq!(
            fields::<WebhookBody>(nested),
            [
                "customHeaders.a: must be a string",
                "retryPolicy.attempts: must be an integer",
                "retryPolicy.x: is not a known field",
            ]
        );
    }

    #[test]
    fn duplicates_depth_and_syntax_are_faults() {
        assert_eq!(
            fields::<WebhookBody>(
                r#"{"url":"a","url":"b","retryPolicy":{"policy":"a","policy":"b"}}"#
            ),
            ["url: is given twice", "retryPolicy.policy: is given twice"]
        );
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(
            fields::<WebhookBody>(&deep),
            ["body: is nested more than 64 levels deep"]
        );
        for body in [
            "",
            " ",
            "{",
            "nul",
            "{} {}",
            "{'a':1}",
            "{\"a\":01}",
            "\u{feff}{}",
            "[1,]",
        ] {
            let found = fields::<CreateSession>(body);
            assert!(
                found.len() == 1 && found[0].starts_with("body: "),
                "{body}: {found:?}"
            );
        }
        for body in ["[]", "1", "null", "\"x\"", "true"] {
            assert_eq!(
                fields::<CreateSession>(body),
                ["body: must be an object"],
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_not_utf8_is_a_fault() {
        let faults = decode::<CreateSession>(&HeaderMap::new(), b"{\"label\":\"\xff\"}");
        let faults = faults.unwrap_err().into_vec();
        assert_eq!(faults[0].message, "is not UTF-8");
    }

    #[test]
    fn numbers_that_are_no_integers_are_told() {
        for number in [
            "1.5",
            "1e3",
            "9223372036854775808",
            "-9223372036854775809",
            "1e999",
        ] {
            let found = fields::<UpdateSession>(&format!("{{\"ratePerMin\":{number}}}"));
            assert_eq!(found.len(), 1, "{number}: {found:?}");
        }
    }

    #[test]
    fn a_flood_of_faults_is_cut() {
        let members: Vec<_> = (0..5_000).map(|n| format!("\"f{n}\":1")).collect();
        let found = fields::<CreateSession>(&format!("{{{}}}", members.join(",")));
        assert_eq!(found.len(), MAX_FAULTS + 1);
        assert!(found[MAX_FAULTS].contains("more"));
    }

    #[test]
    fn content_types_are_checked() {
        let is_fine = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            decode::<CreateSession>(&headers, b"{}").is_ok()
        };
        for value in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/vnd.x+json",
        ] {
            assert!(is_fine(value), "{value}");
        }
        for value in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=latin1",
            "json",
            "",
        ] {
            assert!(!is_fine(value), "{value}");
        }
    }

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
            fuzzing::request_body(None, &bytes);
            fuzzing::request_body(Some(content_type.as_bytes()), text.as_bytes());
        }

        #[test]
        fn any_object_is_taken_or_its_faults_are_told(
            members in proptest::collection::vec((name(), value(), "[ \n]?"), 0..6),
        ) {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value, space)| format!("\"{name}\":{space}{value}"))
                .collect();
            fuzzing::request_body(None, format!("{{{}}}", members.join(",")).as_bytes());
        }

        // What the schema lets pass, serde takes: else a field would go unnamed.
        #[test]
        fn schema_and_serde_agree(
            field in "(url|events|active|secret|sessionId|retryPolicy|customHeaders)",
            value in proptest::sample::select(vec![
                "null", "true", "1", "-1", "1.5", "\"x\"", "[]", "[\"a\"]", "[1]", "{}",
                "{\"attempts\":1}", "{\"a\":\"b\"}",
            ]),
        ) {
            let body = format!("{{\"{field}\":{value}}}");
            let found = fields::<WebhookBody>(&body);
            prop_assert!(found.iter().all(|fault| !fault.starts_with("body")), "{body}: {found:?}");
        }
    }
}
