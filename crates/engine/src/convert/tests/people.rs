//! Who, where, and what a message says about itself.

use wagate_model::Jid;
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;

use super::show::{GROUP, LID, PHONE, info, own, pretty_snapshot as snapshot, show};
use crate::convert::{library_jid, message, outgoing};
use crate::{Outgoing, OutgoingContent, Quoted};

fn answer(context: wa::ContextInfo) -> wa::Message {
    wa::Message {
        extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
            text: Some("yes".into()),
            context_info: MessageField::some(context),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn an_answer_in_a_group_has_everything() {
    let mut info = info(GROUP, "205227043110953:12@lid");
    info.source.sender_alt = PHONE.parse().ok();
    info.source.is_group = true;
    info.is_offline = true;
    let body = answer(wa::ContextInfo {
        stanza_id: Some("QUOTED".into()),
        participant: Some("15559990000:3@s.whatsapp.net".into()),
        quoted_message: MessageField::some(wa::Message {
            conversation: Some("really?".into()),
            ..Default::default()
        }),
        mentioned_jid: vec![LID.into(), "nonsense".into(), LID.into()],
        is_forwarded: Some(true),
        expiration: Some(86_400),
        ..Default::default()
    });
    let wrapped = wa::Message {
        ephemeral_message: MessageField::some(wa::message::FutureProofMessage {
            message: MessageField::some(body),
        }),
        ..Default::default()
    };
    let converted = message(&info, &wrapped, &own()).unwrap();
    snapshot!(show(&converted.message), @r#"
    {
      "alias": null,
      "chat": "120363021033254949@g.us",
      "content": {
        "text": "yes"
      },
      "expires": 86400,
      "flags": [
        true,
        false,
        true
      ],
      "fromMe": false,
      "id": "3EB0ABCDEF",
      "mentions": [
        "205227043110953@lid"
      ],
      "pushName": "Ada",
      "quoted": {
        "body": "really?",
        "fromMe": true,
        "id": "QUOTED",
        "sender": "15559990000@s.whatsapp.net"
      },
      "senderJid": "15550001111@s.whatsapp.net",
      "senderLid": "205227043110953@lid",
      "timestamp": 1700000000000
    }
    "#);
}

#[test]
fn a_direct_chat_has_both_addresses_whoever_writes() {
    let text = wa::Message {
        conversation: Some("hi".into()),
        ..Default::default()
    };
    let mut theirs = info(LID, LID);
    theirs.source.sender_alt = PHONE.parse().ok();
    let theirs = message(&theirs, &text, &own()).unwrap().message;
    let mut ours = info(LID, "15559990000:4@s.whatsapp.net");
    ours.source.is_from_me = true;
    ours.source.recipient_alt = PHONE.parse().ok();
    let ours = message(&ours, &text, &own()).unwrap().message;
    for message in [&theirs, &ours] {
        assert_eq!(message.chat.as_str(), LID);
        assert_eq!(message.chat_alias.as_ref().unwrap().as_str(), PHONE);
    }
    assert_eq!(theirs.sender_lid.unwrap().as_str(), LID);
    assert_eq!(theirs.sender_jid.unwrap().as_str(), PHONE);
    assert_eq!(ours.sender_jid, own().phone);
    assert_eq!(ours.sender_lid, own().lid);
}

#[test]
fn a_quoted_text_is_cut_at_a_character() {
    let long = "é".repeat(3_000);
    let body = answer(wa::ContextInfo {
        stanza_id: Some("QUOTED".into()),
        quoted_message: MessageField::some(wa::Message {
            conversation: Some(long),
            ..Default::default()
        }),
        ..Default::default()
    });
    let converted = message(&info(PHONE, PHONE), &body, &own()).unwrap();
    let quoted = converted.message.quoted.unwrap();
    assert_eq!(quoted.body.unwrap().len(), 4_096);
}

#[test]
fn what_is_sent_is_read_back() {
    let content = Outgoing {
        id: "3EB0".into(),
        chat: PHONE.parse().expect("it is an address"),
        content: OutgoingContent::Text("look @205227043110953".into()),
        mentions: vec![LID.parse().unwrap()],
        quoted: Some(Quoted {
            id: "Q1".into(),
            sender: None,
            raw: None,
            body: Some("before".into()),
        }),
        preview: None,
        expires_after_s: None,
    };
    let sent = outgoing(&content, &own()).unwrap();
    let mut info = info(PHONE, "15559990000@s.whatsapp.net");
    info.source.is_from_me = true;
    let read = message(&info, &sent, &own()).unwrap().message;
    assert_eq!(read.content.body(), Some("look @205227043110953"));
    assert_eq!(read.mentions.len(), 1);
    let quoted = read.quoted.unwrap();
    assert_eq!((quoted.id.as_str(), quoted.from_me), ("Q1", Some(true)));
    assert_eq!(quoted.body.as_deref(), Some("before"));
}

#[test]
fn a_stored_message_can_be_quoted() {
    let image = wa::Message {
        image_message: MessageField::some(wa::message::ImageMessage {
            caption: Some("the sea".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let stored = message(&info(PHONE, PHONE), &image, &own())
        .unwrap()
        .message;
    let content = Outgoing {
        id: "3EB0".into(),
        chat: PHONE.parse().expect("it is an address"),
        content: OutgoingContent::Text("nice".into()),
        mentions: Vec::new(),
        quoted: Some(Quoted {
            id: stored.id,
            sender: stored.sender_jid,
            raw: Some(stored.raw),
            body: None,
        }),
        preview: None,
        expires_after_s: None,
    };
    let sent = outgoing(&content, &own()).unwrap();
    let read = message(&info(PHONE, PHONE), &sent, &own()).unwrap().message;
    let quoted = read.quoted.unwrap();
    assert_eq!(quoted.body.as_deref(), Some("the sea"));
    assert_eq!(quoted.from_me, Some(false));
}

#[test]
fn addresses_go_there_and_back() {
    for text in [
        PHONE,
        LID,
        GROUP,
        "status@broadcast",
        "120363144038483540@newsletter",
    ] {
        let jid: wagate_model::Jid = text.parse().unwrap();
        assert_eq!(library_jid(&jid).to_string(), text);
        assert_eq!(crate::convert::model_jid(&library_jid(&jid)), Some(jid));
    }
}

#[test]
fn what_comes_by_somebodys_list_stands_in_the_chat_with_them() {
    let body = answer(wa::ContextInfo::default());
    let mut of_other = info("1700000000@broadcast", "205227043110953:12@lid");
    of_other.source.sender_alt = PHONE.parse().ok();
    let told = message(&of_other, &body, &own()).unwrap().message;
    assert_eq!(told.chat.as_str(), "205227043110953@lid");
    assert_eq!(told.chat_alias.as_ref().map(Jid::as_str), Some(PHONE));
    // Their own lists stay what they are.
    of_other.source.is_from_me = true;
    let own_list = message(&of_other, &body, &own()).unwrap().message;
    assert_eq!(own_list.chat.as_str(), "1700000000@broadcast");
}
