//! Receipts and groups.

use wagate_model::MessageStatus;
use whatsapp_rust::types::events::{GroupUpdate, Receipt};
use whatsapp_rust::types::presence::ReceiptType;
use whatsapp_rust::wacore::chrono::DateTime;
use whatsapp_rust::wacore::stanza::groups::{
    GroupNotificationAction as Action, GroupParticipantInfo,
};

use super::show::{GROUP, LID, PHONE, info, own, pretty_snapshot as snapshot};
use crate::convert::{group_change, receipt};

fn a_receipt(sender: &str, kind: ReceiptType) -> Receipt {
    Receipt::builder()
        .source(info(PHONE, sender).source)
        .message_ids(vec!["A".into(), "not an id".into(), "B".into()])
        .timestamp(DateTime::from_timestamp(1_700_000_000, 0).unwrap())
        .r#type(kind)
        .offline(true)
        .build()
}

#[test]
fn receipts_say_how_far_messages_came() {
    for (kind, status) in [
        (ReceiptType::Delivered, MessageStatus::Delivered),
        (ReceiptType::Read, MessageStatus::Read),
        (ReceiptType::Played, MessageStatus::Played),
    ] {
        let receipt = receipt(&a_receipt(PHONE, kind), &own()).unwrap();
        assert_eq!(receipt.status, status);
        assert_eq!(receipt.message_ids, ["A", "B"]);
        assert_eq!(receipt.timestamp_ms, 1_700_000_000_000);
        assert!(receipt.is_offline && !receipt.is_own);
    }
}

#[test]
fn own_devices_tell_reading_and_nothing_else() {
    let own_device = "15559990000:2@s.whatsapp.net";
    let read = receipt(&a_receipt(own_device, ReceiptType::ReadSelf), &own()).unwrap();
    assert!(read.is_own && read.status == MessageStatus::Read);
    assert!(receipt(&a_receipt(own_device, ReceiptType::Delivered), &own()).is_none());
    for between_clients in [
        ReceiptType::Retry,
        ReceiptType::Sender,
        ReceiptType::Inactive,
    ] {
        assert!(receipt(&a_receipt(PHONE, between_clients), &own()).is_none());
    }
}

fn change(action: Action) -> GroupUpdate {
    GroupUpdate::builder()
        .group_jid(GROUP.parse().unwrap())
        .participant(LID.parse().unwrap())
        .participant_pn(PHONE.parse().unwrap())
        .timestamp(DateTime::from_timestamp(1_700_000_000, 0).unwrap())
        .is_lid_addressing_mode(true)
        .action(action)
        .build()
}

#[test]
fn a_subject_is_a_setting() {
    let update = group_change(&change(Action::Subject {
        subject: "Crew".into(),
        subject_owner: None,
        subject_time: None,
    }))
    .unwrap();
    assert!(!update.is_about_members);
    assert_eq!(update.aliases.len(), 1);
    snapshot!(update.payload, @r#"
    {
      "groupJid": "120363021033254949@g.us",
      "sender": "205227043110953@lid",
      "subject": "Crew",
      "timestamp": 1700000000000
    }
    "#);
}

#[test]
fn members_come_with_both_addresses() {
    let person = GroupParticipantInfo {
        jid: "777888999@lid".parse().unwrap(),
        phone_number: "15552223333@s.whatsapp.net".parse().ok(),
        display_name: None,
        r#type: None,
        lid: None,
        username: None,
        join_time: None,
        group_history_sent_state: None,
    };
    let update = group_change(&change(Action::Add {
        participants: vec![person],
        reason: Some("invite".into()),
    }))
    .unwrap();
    assert!(update.is_about_members);
    assert_eq!(update.aliases.len(), 2);
    assert_eq!(update.payload.join.unwrap(), ["777888999@lid"]);
    assert_eq!(update.payload.reason.as_deref(), Some("invite"));
}

#[test]
fn changes_without_a_word_in_the_contract_are_not_told() {
    assert!(group_change(&change(Action::GrowthUnlocked)).is_none());
}
