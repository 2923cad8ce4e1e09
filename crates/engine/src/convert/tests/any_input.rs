//! Whatever comes in, conversion holds: it gives a message or nothing.

use proptest::prelude::*;
use whatsapp_rust::waproto;
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;

use crate::fuzzing;

fn context() -> impl Strategy<Value = wa::ContextInfo> {
    let jids = prop::collection::vec("\\PC{0,12}|[0-9]{1,15}@lid", 0..4);
    let quoted = prop::option::of("\\PC{0,40}");
    (
        prop::option::of("\\PC{0,12}"),
        jids,
        quoted,
        any::<Option<u32>>(),
    )
        .prop_map(
            |(stanza_id, mentioned_jid, quoted, expiration)| wa::ContextInfo {
                stanza_id,
                participant: mentioned_jid.first().cloned(),
                mentioned_jid,
                quoted_message: quoted.map_or_else(MessageField::default, |text| {
                    MessageField::some(wa::Message {
                        conversation: Some(text),
                        ..Default::default()
                    })
                }),
                expiration,
                ..Default::default()
            },
        )
}

fn body() -> impl Strategy<Value = wa::Message> {
    let text = ("\\PC{0,30}", context()).prop_map(|(text, context)| wa::Message {
        extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
            text: Some(text),
            context_info: MessageField::some(context),
            ..Default::default()
        }),
        ..Default::default()
    });
    let place = (any::<Option<f64>>(), any::<Option<f64>>()).prop_map(|(latitude, longitude)| {
        wa::Message {
            location_message: MessageField::some(wa::message::LocationMessage {
                degrees_latitude: latitude,
                degrees_longitude: longitude,
                ..Default::default()
            }),
            ..Default::default()
        }
    });
    let about_another = (
        prop::option::of("\\PC{0,9}"),
        any::<Option<bool>>(),
        any::<bool>(),
    )
        .prop_map(|(id, from_me, is_revoke)| {
            let key = MessageField::some(wa::MessageKey {
                id,
                from_me,
                ..Default::default()
            });
            if is_revoke {
                wa::Message {
                    protocol_message: MessageField::some(wa::message::ProtocolMessage {
                        key,
                        r#type: Some(ProtocolType::REVOKE),
                        ..Default::default()
                    }),
                    ..Default::default()
                }
            } else {
                wa::Message {
                    reaction_message: MessageField::some(wa::message::ReactionMessage {
                        key,
                        ..Default::default()
                    }),
                    ..Default::default()
                }
            }
        });
    prop_oneof![text, place, about_another]
}

/// Wraps a message in itself many times over.
fn nested(inner: wa::Message, wrappers: &[u8]) -> wa::Message {
    wrappers.iter().fold(inner, |inner, wrapper| {
        let mut outer = wa::Message::default();
        let inner = MessageField::some(inner);
        let future_proof = MessageField::some(wa::message::FutureProofMessage {
            message: inner.clone(),
        });
        match wrapper % 5 {
            0 => outer.ephemeral_message = future_proof,
            1 => outer.view_once_message_v2 = future_proof,
            2 => outer.edited_message = future_proof,
            3 => {
                outer.device_sent_message = MessageField::some(wa::message::DeviceSentMessage {
                    message: inner,
                    ..Default::default()
                });
            }
            _ => {
                outer.protocol_message = MessageField::some(wa::message::ProtocolMessage {
                    r#type: Some(ProtocolType::MESSAGE_EDIT),
                    edited_message: inner,
                    ..Default::default()
                });
            }
        }
        outer
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bytes_from_the_network(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::message(&bytes);
        fuzzing::quote(&bytes);
    }

    #[test]
    fn messages_in_wrappers(
        body in body(),
        wrappers in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let nested = waproto::codec::message_to_vec(&nested(body, &wrappers));
        fuzzing::message(&nested);
        fuzzing::quote(&nested);
    }

    #[test]
    fn addresses(
        text in "\\PC{0,40}",
        user in "[0-9._:-]{0,20}",
        server in "s\\.whatsapp\\.net|lid|g\\.us|newsletter|broadcast|c\\.us|hosted|hosted\\.lid|bot|msgr",
    ) {
        fuzzing::address(&text);
        fuzzing::address(&format!("{user}@{server}"));
    }
}
