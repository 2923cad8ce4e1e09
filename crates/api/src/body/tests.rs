//! Bodies in memory.

use http::HeaderValue;
use proptest::prelude::*;
use wagate_model::limits::FAULTS;

use super::*;

fn fields<T: RequestBody>(body: &str) -> Vec<String> {
    let faults = match decode::<T>(&HeaderMap::new(), body.as_bytes()).open() {
        Ok((_, faults)) | Err(faults) => faults,
    };
    faults
        .into_vec()
        .into_iter()
        .map(|fault| format!("{}: {}", fault.field, fault.message))
        .collect()
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
fn limits_of_the_schema_hold() {
    let long = "é".repeat(101);
    let body = format!(r#"{{"label":"{long}","ratePerMin":1000001,"ratePerHour":-2}}"#);
    assert_eq!(
        fields::<UpdateSession>(&body),
        [
            "label: must have at most 100 characters",
            "ratePerHour: must be between -1 and 1000000",
            "ratePerMin: must be between -1 and 1000000",
        ]
    );
    let mentions = vec!["1"; 1_025].join("\",\"");
    let body = format!(r#"{{"type":"text","to":"1","text":"x","mentions":["{mentions}"]}}"#);
    assert_eq!(
        fields::<SendRequest>(&body),
        ["mentions: must have at most 1024 entries"]
    );
}

#[test]
fn what_could_be_read_can_be_looked_at() {
    let body = br#"{"mentions":["x",5,"y"],"replyTo":"","text":[],"zzz":1}"#;
    let draft = decode::<SendRequest>(&HeaderMap::new(), body);
    let (request, mut faults) = draft.open().unwrap();
    assert_eq!(request.mentions.as_deref().unwrap(), ["x", "", "y"]);
    assert_eq!((request.text.as_deref(), request.to.as_str()), (None, ""));
    request.check(&mut faults);
    faults.sort();
    let fields: Vec<_> = faults.into_vec().into_iter().map(|f| f.field).collect();
    assert_eq!(
        fields,
        [
            "mentions[0]",
            "mentions[1]",
            "mentions[2]",
            "replyTo",
            "text",
            "to",
            "type",
            "zzz"
        ]
    );
}

#[test]
fn values_are_counted() {
    let items = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    let found = fields::<CreateSession>(&format!("{{\"x\":{}}}", items(99_998)));
    assert_eq!(found, ["x: is not a known field"]);
    let found = fields::<CreateSession>(&format!("{{\"x\":{}}}", items(99_999)));
    assert_eq!(found, ["body: has more than 100000 values"]);
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
            "type: must be one of: text, poll, location, contact, image, video, audio, document, \
             sticker, album, event, buttons, list",
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
fn a_body_full_of_faults_makes_no_more_paths_than_are_told() {
    let nested = |members: &str| {
        let name = "n".repeat(64);
        let open = format!("{{\"{name}\":").repeat(62);
        format!("{open}{{{members}}}{}", "}".repeat(62))
    };
    let again = vec!["\"a\":1"; 50_000].join(",");
    let pairs: Vec<_> = (0..20_000)
        .map(|n| format!("\"k{n}\":1,\"k{n}\":2"))
        .collect();
    let unknown: Vec<_> = (0..50_000).map(|n| format!("\"x{n}\":1")).collect();
    let wrong = format!("{{\"mentions\":[{}]}}", vec!["1"; 50_000].join(","));
    for (body, told) in [
        // The name that is given again, and the outermost, which is not known.
        (nested(&again), 2),
        (nested(&pairs.join(",")), FAULTS + 1),
        (format!("{{{}}}", unknown.join(",")), FAULTS + 1),
        (wrong, FAULTS + 1),
    ] {
        parse::PATHS_MADE.set(0);
        let found = decode::<SendRequest>(&HeaderMap::new(), body.as_bytes());
        let made = parse::PATHS_MADE.get();
        assert!(made <= FAULTS + 2, "{made} paths");
        let (_, faults) = found.open().unwrap();
        let required = 2;
        let count = faults.into_vec().len();
        assert!(
            (told..=told + required).contains(&count),
            "{count} of {told}"
        );
    }
}

#[test]
fn duplicates_depth_and_syntax_are_faults() {
    assert_eq!(
        fields::<WebhookBody>(r#"{"url":"a","url":"b","retryPolicy":{"policy":"a","policy":"b"}}"#),
        ["retryPolicy.policy: is given twice", "url: is given twice"]
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
    let draft = decode::<CreateSession>(&HeaderMap::new(), b"{\"label\":\"\xff\"}");
    let faults = draft.open().unwrap_err().into_vec();
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
    assert_eq!(found.len(), FAULTS + 1);
    assert!(found[FAULTS].contains("4900 more"));
}

#[test]
fn content_types_are_checked() {
    let is_fine = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        decode::<CreateSession>(&headers, b"{}").open().is_ok()
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

proptest! {
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
