//! The body of the public send operation.

use super::body::Body;
use super::{files, special};
use crate::phone::{Content, PhoneError, SendRequest};

/// Reads a `SendRequest`; fields of other kinds are unknown fields.
pub(crate) fn parse(bytes: &[u8]) -> Result<SendRequest, PhoneError> {
    let mut body = Body::parse(bytes)?;
    let expires_in_s = body.integer("expiresIn");
    let to = body.required_string("to");
    let kind = body.required_string("type");
    let mut reply_to = None;
    let mut mentions = Vec::new();
    let content = match kind.as_str() {
        "text" => {
            reply_to = body.string("replyTo");
            mentions = body.strings("mentions").unwrap_or_default();
            Some(Content::Text(body.required_string("text")))
        }
        "poll" => {
            body.require("options");
            Some(Content::Poll {
                name: body.required_string("name"),
                options: body.strings("options").unwrap_or_default(),
                selectable_count: body.integer("selectableCount").unwrap_or(1),
                end_time_ms: body.integer("pollEndTime"),
                is_hiding_votes: body.boolean("pollHideVotes").unwrap_or(false),
            })
        }
        "location" => Some(Content::Location {
            latitude: body.required_number("latitude"),
            longitude: body.required_number("longitude"),
            name: body.string("name"),
        }),
        "contact" => contact(&mut body),
        "album" => {
            reply_to = body.string("replyTo");
            mentions = body.strings("mentions").unwrap_or_default();
            files::album(&mut body)
        }
        "" => None,
        kind if special::KINDS.contains(&kind) => special::content(&mut body, kind),
        kind => match files::kind(kind) {
            Some(kind) => {
                reply_to = body.string("replyTo");
                mentions = body.strings("mentions").unwrap_or_default();
                files::file(&mut body, kind).map(Content::File)
            }
            None => body.fault("type", "is not one of the known values"),
        },
    };
    body.finish()?;
    Ok(SendRequest {
        to,
        content: content.ok_or_else(|| PhoneError::invalid("type", "is required"))?,
        reply_to: reply_to.filter(|id| !id.is_empty()),
        mentions,
        expires_in_s,
    })
}

fn contact(body: &mut Body) -> Option<Content> {
    body.require("contact");
    let mut card = body.object("contact")?;
    let name = card.string("name");
    let phone = card.string("phone");
    let vcard = card.string("vcard");
    if vcard.is_none() && (name.is_none() || phone.is_none()) {
        card.fault::<()>("vcard", "is required, or else both name and phone");
    }
    body.absorb(card);
    let name = name.unwrap_or_default();
    let vcard = vcard.unwrap_or_else(|| build_vcard(&name, phone.as_deref().unwrap_or_default()));
    Some(Content::Contact { name, vcard })
}

/// A card in version 3.0 of the format, with the field that lets WhatsApp recognize the number.
fn build_vcard(name: &str, phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    format!(
        "BEGIN:VCARD\nVERSION:3.0\nN:;{name};;;\nFN:{name}\n\
         TEL;type=CELL;waid={digits}:+{digits}\nEND:VCARD"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_each_kind() {
        let text =
            parse(br#"{"to":"1555","type":"text","text":"hi","mentions":["1556"]}"#).unwrap();
        assert_eq!(text.content, Content::Text("hi".to_owned()));
        assert_eq!(text.mentions, ["1556"]);
        let poll = br#"{"to":"1555","type":"poll","name":"q","options":["a","b"]}"#;
        assert!(matches!(
            parse(poll).unwrap().content,
            Content::Poll {
                selectable_count: 1,
                ..
            }
        ));
        let card = br#"{"to":"1","type":"contact","contact":{"name":"Ann","phone":"+1 555"}}"#;
        let Content::Contact { vcard, .. } = parse(card).unwrap().content else {
            panic!("not a contact");
        };
        assert!(vcard.contains("waid=1555:+1555"));
    }

    #[test]
    fn media_and_strange_fields_are_refused_by_name() {
        for (body, field) in [
            (&br#"{"to":"1","type":"image"}"#[..], "media"),
            (
                br#"{"to":"1","type":"image","media":{"url":"http://x"}}"#,
                "media.url",
            ),
            (
                br#"{"to":"1","type":"image","media":{"data":"%"}}"#,
                "media.data",
            ),
            (&br#"{"to":"1","type":"song"}"#[..], "type"),
            (
                &br#"{"to":"1","type":"text","text":"x","latitude":1}"#[..],
                "latitude",
            ),
            (&br#"{"to":"1"}"#[..], "type"),
        ] {
            let Err(PhoneError::Invalid(faults)) = parse(body) else {
                panic!("accepted a faulty request");
            };
            assert!(faults.iter().any(|fault| fault.field == field));
        }
    }

    proptest! {
        #[test]
        fn any_body_is_a_message_or_has_named_faults(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            kind in "(text|poll|location|contact|image|audio|document|album|event|offer|timer|live_location|x)?",
            fields in proptest::collection::vec(
                (
                    "(text|name|options|selectableCount|pollEndTime|latitude|longitude|contact|mentions|media|medias|caption)",
                    proptest::sample::select(vec![
                        "null", "true", "0", "1", "-1", "4294967296", "1e400", "0.5", "\"\"", "\"a\"",
                        "[]", "[\"a\",\"b\"]", "[1]", "{}", "{\"name\":\"a\",\"phone\":\"1\"}",
                        "{\"vcard\":\"v\"}", "{\"data\":\"aGk=\",\"voice\":true}",
                        "{\"data\":\"data:text/csv;base64,aGk=\",\"fileName\":\"f\"}",
                        "[{\"type\":\"image\",\"data\":\"aGk=\"},{\"type\":\"video\",\"data\":\"aGk=\"}]",
                    ]),
                ),
                0..5,
            ),
        ) {
            crate::fuzzing::send_request(&bytes);
            let mut members = vec![format!("\"to\":\"15550000001\",\"type\":\"{kind}\"")];
            members.extend(fields.iter().map(|(name, value)| format!("\"{name}\":{value}")));
            let body = format!("{{{}}}", members.join(","));
            crate::fuzzing::send_request(body.as_bytes());
        }
    }
}
