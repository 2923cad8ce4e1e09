//! Every kind of content.

use whatsapp_rust::wacore::proto_helpers::MessageBuilderExt;
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;

use super::show::{
    GROUP, LID, compact_snapshot as snapshot, content, info, own, pretty_snapshot, show_content,
};
use crate::convert::message;

fn key(id: &str, from_me: bool) -> MessageField<wa::MessageKey> {
    MessageField::some(wa::MessageKey {
        id: Some(id.into()),
        from_me: Some(from_me),
        ..Default::default()
    })
}

fn wrapped(inner: wa::Message) -> MessageField<wa::message::FutureProofMessage> {
    MessageField::some(wa::message::FutureProofMessage {
        message: MessageField::some(inner),
    })
}

fn text(body: &str) -> wa::Message {
    wa::Message::text(body)
}

#[test]
fn text_and_captions() {
    snapshot!(content(&text("hello")), @r#"{"text": "hello"}"#);
    snapshot!(content(&text("nul\0 is dropped")), @r#"{"text": "nul is dropped"}"#);
    let image = wa::Message {
        image_message: MessageField::some(wa::message::ImageMessage {
            mimetype: Some("image/jpeg".into()),
            caption: Some("look".into()),
            file_length: Some(1_234),
            ..Default::default()
        }),
        ..Default::default()
    };
    snapshot!(content(&image), @r#"{"caption": "look", "media": "Image", "meta": {"mimetype": "image/jpeg", "size": 1234}}"#);
}

#[test]
fn files() {
    let document = wa::Message {
        document_with_caption_message: wrapped(wa::Message {
            document_message: MessageField::some(wa::message::DocumentMessage {
                mimetype: Some("application/pdf".into()),
                file_name: Some("a.pdf".into()),
                caption: Some("the contract".into()),
                file_length: Some(u64::MAX),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    pretty_snapshot!(content(&document), @r#"
    {
      "caption": "the contract",
      "media": "Document",
      "meta": {
        "filename": "a.pdf",
        "mimetype": "application/pdf",
        "size": 9223372036854775807
      }
    }
    "#);
    let voice = wa::Message {
        audio_message: MessageField::some(wa::message::AudioMessage {
            ptt: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    snapshot!(content(&voice), @r#"{"caption": null, "media": "Voice", "meta": {}}"#);
    let note = wa::Message {
        ptv_message: MessageField::some(wa::message::VideoMessage::default()),
        ..Default::default()
    };
    snapshot!(content(&note), @r#"{"caption": null, "media": "VideoNote", "meta": {}}"#);
}

#[test]
fn places() {
    let place = |latitude, longitude| wa::Message {
        location_message: MessageField::some(wa::message::LocationMessage {
            degrees_latitude: Some(latitude),
            degrees_longitude: Some(longitude),
            name: Some("Pier".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    snapshot!(content(&place(52.5, 13.25)), @r#"{"live": false, "place": {"latitude": 52.5, "longitude": 13.25, "name": "Pier"}}"#);
    snapshot!(content(&place(f64::NAN, 0.0)), @r#"{"system": "location_message"}"#);
    snapshot!(content(&place(0.0, 500.0)), @r#"{"system": "location_message"}"#);
}

#[test]
fn contacts_and_polls() {
    let card = wa::message::ContactMessage {
        display_name: Some("Bob".into()),
        vcard: Some("BEGIN:VCARD".into()),
        ..Default::default()
    };
    let contacts = wa::Message {
        contacts_array_message: MessageField::some(wa::message::ContactsArrayMessage {
            contacts: vec![card.clone(), card],
            ..Default::default()
        }),
        ..Default::default()
    };
    snapshot!(content(&contacts), @r#"{"cards": [{"displayName": "Bob", "vcard": "BEGIN:VCARD"}, {"displayName": "Bob", "vcard": "BEGIN:VCARD"}]}"#);
    let option = |name: &str| wa::message::poll_creation_message::Option {
        option_name: Some(name.into()),
        ..Default::default()
    };
    let poll = wa::Message {
        poll_creation_message_v3: MessageField::some(wa::message::PollCreationMessage {
            name: Some("Lunch?".into()),
            options: vec![option("Yes"), option("No")],
            selectable_options_count: Some(1),
            end_time: Some(1_700_000_000),
            ..Default::default()
        }),
        ..Default::default()
    };
    snapshot!(content(&poll), @r#"{"poll": {"endTime": 1700000000000, "name": "Lunch?", "options": ["Yes", "No"], "selectableCount": 1}}"#);
}

#[test]
fn reactions_name_the_message_from_our_side() {
    let reaction = |from_me| wa::Message {
        reaction_message: MessageField::some(wa::message::ReactionMessage {
            key: key("T1", from_me),
            text: Some("👍".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    // The other side reacts: to its own message, and to ours.
    snapshot!(content(&reaction(true)), @r#"{"reaction": "👍", "target": {"fromMe": false, "id": "T1", "sender": "15550001111@s.whatsapp.net"}}"#);
    snapshot!(content(&reaction(false)), @r#"{"reaction": "👍", "target": {"fromMe": true, "id": "T1", "sender": null}}"#);
}

#[test]
fn deletions_and_edits() {
    let protocol = |kind, edited: Option<wa::Message>| wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            key: key("T2", true),
            r#type: Some(kind),
            edited_message: edited.map_or_else(MessageField::default, MessageField::some),
            ..Default::default()
        }),
        ..Default::default()
    };
    let revoke = protocol(ProtocolType::REVOKE, None);
    snapshot!(content(&revoke), @r#"{"revoke": {"fromMe": false, "id": "T2", "sender": "15550001111@s.whatsapp.net"}}"#);
    let edit = protocol(ProtocolType::MESSAGE_EDIT, Some(text("better")));
    snapshot!(content(&edit), @r#"{"edit": {"fromMe": false, "id": "T2", "sender": "15550001111@s.whatsapp.net"}, "to": {"text": "better"}}"#);
    let stored = wa::Message {
        edited_message: wrapped(edit.clone()),
        ..Default::default()
    };
    assert_eq!(content(&stored), content(&edit));
    // An edit of an edit says nothing that could be shown.
    let twice = protocol(ProtocolType::MESSAGE_EDIT, Some(edit));
    snapshot!(content(&twice), @"null");
    let keys = protocol(ProtocolType::APP_STATE_SYNC_KEY_SHARE, None);
    snapshot!(content(&keys), @"null");
}

#[test]
fn an_admins_deletion_names_the_sender() {
    let revoke = wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            key: MessageField::some(wa::MessageKey {
                id: Some("T3".into()),
                from_me: Some(false),
                participant: Some("99900011122233:7@lid".into()),
                ..Default::default()
            }),
            r#type: Some(ProtocolType::REVOKE),
            ..Default::default()
        }),
        ..Default::default()
    };
    let converted = message(&info(GROUP, LID), &revoke, &own()).unwrap();
    snapshot!(show_content(&converted.message.content), @r#"{"revoke": {"fromMe": true, "id": "T3", "sender": "99900011122233@lid"}}"#);
}

#[test]
fn votes_wait_for_their_polls_secret() {
    let vote = wa::Message {
        poll_update_message: MessageField::some(wa::message::PollUpdateMessage {
            poll_creation_message_key: key("P1", false),
            vote: MessageField::some(wa::message::PollEncValue {
                enc_payload: Some(vec![1]),
                enc_iv: Some(vec![2]),
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    snapshot!(content(&vote), @r#"{"readable": false, "vote": {"fromMe": true, "id": "P1", "sender": null}}"#);
    let converted = message(&info(LID, LID), &vote, &own()).unwrap();
    assert_eq!(converted.sealed.unwrap().ciphertext, [1]);
}

#[test]
fn choices() {
    let button = wa::Message {
        buttons_response_message: MessageField::some(wa::message::ButtonsResponseMessage {
            selected_button_id: Some("b1".into()),
            response: Some(
                wa::message::buttons_response_message::Response::SelectedDisplayText("Buy".into()),
            ),
            context_info: MessageField::some(wa::ContextInfo {
                stanza_id: Some("OFFER".into()),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    snapshot!(content(&button), @r#"{"id": "b1", "reply": "button", "target": "OFFER", "title": "Buy"}"#);
    let row = wa::Message {
        list_response_message: MessageField::some(wa::message::ListResponseMessage {
            title: Some("Blue".into()),
            single_select_reply: MessageField::some(
                wa::message::list_response_message::SingleSelectReply {
                    selected_row_id: Some("row-2".into()),
                },
            ),
            ..Default::default()
        }),
        ..Default::default()
    };
    snapshot!(content(&row), @r#"{"id": "row-2", "reply": "list", "target": null, "title": "Blue"}"#);
}

#[test]
fn unknown_content_is_named_and_keys_are_not_messages() {
    let invoice = wa::Message {
        invoice_message: MessageField::some(wa::message::InvoiceMessage::default()),
        ..Default::default()
    };
    snapshot!(content(&invoice), @r#"{"system": "invoice_message"}"#);
    let keys = wa::Message {
        sender_key_distribution_message: MessageField::some(
            wa::message::SenderKeyDistributionMessage::default(),
        ),
        ..Default::default()
    };
    snapshot!(content(&keys), @"null");
    snapshot!(content(&wa::Message::default()), @"null");
}
