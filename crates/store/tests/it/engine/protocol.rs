//! Devices, mappings, tokens and sent messages.

use std::sync::Arc;

use wacore::store::traits::{
    DeviceInfo, DeviceListRecord, LidPnMappingEntry, MsgSecretEntry, MsgSecretStore as _,
    ProtocolStore as _, TcTokenEntry,
};

use super::support::World;

fn mapping(lid: &str, phone: &str, updated_at: i64) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid: lid.to_owned(),
        phone_number: phone.to_owned(),
        created_at: 1,
        updated_at,
        learning_source: "usync".to_owned(),
    }
}

fn secret(id: &str, byte: u8, expires_at: i64, message_ts: i64) -> MsgSecretEntry {
    MsgSecretEntry {
        chat: "g@g.us".into(),
        sender: "a@lid".into(),
        msg_id: id.into(),
        secret: [byte; 32],
        expires_at,
        message_ts,
    }
}

#[tokio::test]
async fn sender_key_devices_are_tracked_by_group() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend
        .set_sender_key_status("g1", &[("a", true), ("b", true), ("a", false)])
        .await
        .unwrap();
    backend
        .set_sender_key_status("g1", &[("b", false), ("c", true)])
        .await
        .unwrap();
    backend
        .set_sender_key_status("g2", &[("a", true), ("c", true)])
        .await
        .unwrap();
    backend.set_sender_key_status("g3", &[]).await.unwrap();
    let devices = |group: &'static str| {
        let backend = backend.clone();
        async move {
            let mut found = backend.get_sender_key_devices(group).await.unwrap();
            found.sort();
            found
                .into_iter()
                .map(|(device, has)| format!("{device}{has}"))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(devices("g1").await, ["afalse", "bfalse", "ctrue"]);
    backend
        .delete_sender_key_device_rows(&["c", "x"])
        .await
        .unwrap();
    backend.delete_sender_key_device_rows(&[]).await.unwrap();
    assert_eq!(devices("g1").await, ["afalse", "bfalse"]);
    assert_eq!(devices("g2").await, ["atrue"]);
    backend.clear_sender_key_devices("g1").await.unwrap();
    assert!(devices("g1").await.is_empty());
    assert_eq!(devices("g2").await, ["atrue"]);
    backend.clear_all_sender_key_devices().await.unwrap();
    assert!(devices("g2").await.is_empty());
}

#[tokio::test]
async fn mappings_are_found_both_ways_and_the_latest_lid_of_a_number_counts() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend
        .put_lid_mapping(&mapping("l1", "p1", 10))
        .await
        .unwrap();
    backend
        .put_lid_mappings(&[mapping("l2", "p1", 20), mapping("l3", "p3", 5)])
        .await
        .unwrap();
    let lid_of = |phone: &'static str| {
        let backend = backend.clone();
        async move {
            backend
                .get_pn_mapping(phone)
                .await
                .unwrap()
                .map(|entry| entry.lid)
        }
    };
    assert_eq!(lid_of("p1").await.as_deref(), Some("l2"));
    let found = backend.get_lid_mapping("l1").await.unwrap().unwrap();
    assert_eq!((found.phone_number.as_str(), found.updated_at), ("p1", 10));
    assert_eq!(
        (found.created_at, found.learning_source.as_str()),
        (1, "usync")
    );
    // The newer LID moves to another number: the number falls back to the one that still has it.
    backend
        .put_lid_mapping(&mapping("l2", "p2", 30))
        .await
        .unwrap();
    assert_eq!(lid_of("p1").await.as_deref(), Some("l1"));
    assert_eq!(lid_of("p2").await.as_deref(), Some("l2"));
    assert_eq!(lid_of("p9").await, None);
    assert!(backend.get_lid_mapping("l9").await.unwrap().is_none());
    assert_eq!(backend.get_all_lid_mappings().await.unwrap().len(), 3);
}

#[tokio::test]
async fn base_keys_are_compared_by_address_and_message() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.save_base_key("a", "m1", b"key").await.unwrap();
    assert!(backend.has_same_base_key("a", "m1", b"key").await.unwrap());
    assert!(
        !backend
            .has_same_base_key("a", "m1", b"other")
            .await
            .unwrap()
    );
    assert!(!backend.has_same_base_key("a", "m2", b"key").await.unwrap());
    assert!(!backend.has_same_base_key("am", "1", b"key").await.unwrap());
    backend.delete_base_key("a", "m1").await.unwrap();
    assert!(!backend.has_same_base_key("a", "m1", b"key").await.unwrap());
    // They are of no use once the message they belong to has expired.
    backend.save_base_key("a", "m1", b"key").await.unwrap();
    assert_eq!(
        backend
            .delete_expired_sent_messages(i64::MAX)
            .await
            .unwrap(),
        0
    );
    assert!(!backend.has_same_base_key("a", "m1", b"key").await.unwrap());
}

#[tokio::test]
async fn device_lists_come_back_whole() {
    let world = World::new().await;
    let backend = world.backend().await;
    let record = |user: &str, timestamp| DeviceListRecord {
        user: user.to_owned(),
        devices: vec![
            DeviceInfo::new(0, None),
            DeviceInfo::new(3, Some(7)).with_hosting(true),
        ],
        timestamp,
        phash: Some("2:abc".to_owned()),
        raw_id: Some(u32::MAX),
    };
    backend.update_device_list(record("u1", 1)).await.unwrap();
    backend
        .update_device_lists(vec![record("u1", 2), record("u2", 1)])
        .await
        .unwrap();
    let found = backend.get_devices("u1").await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", record("u1", 2)));
    backend.delete_devices("u1").await.unwrap();
    assert!(backend.get_devices("u1").await.unwrap().is_none());
    assert!(backend.get_devices("u2").await.unwrap().is_some());
}

#[tokio::test]
async fn group_metadata_is_kept_overwritten_and_deleted() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.put_group_metadata("g", b"one").await.unwrap();
    backend.put_group_metadata("g", b"two").await.unwrap();
    assert_eq!(
        backend.get_group_metadata("g").await.unwrap(),
        Some(b"two".to_vec())
    );
    backend.delete_group_metadata("g").await.unwrap();
    assert_eq!(backend.get_group_metadata("g").await.unwrap(), None);
}

#[tokio::test]
async fn both_halves_of_a_token_survive_the_other_ones_writes() {
    let world = World::new().await;
    let backend = world.backend().await;
    let token = || async {
        let entry = backend.get_tc_token("j").await.unwrap().unwrap();
        (entry.token, entry.token_timestamp, entry.sender_timestamp)
    };
    assert!(backend.get_tc_token("j").await.unwrap().is_none());
    backend
        .touch_tc_token_sender_timestamp("j", 50)
        .await
        .unwrap();
    assert_eq!(token().await, (vec![], 50, Some(50)));
    // A placeholder never stands in the way of a token, even of an older one.
    backend
        .store_received_tc_token("j", b"one", 40)
        .await
        .unwrap();
    assert_eq!(token().await, (b"one".to_vec(), 40, Some(50)));
    backend
        .touch_tc_token_sender_timestamp("j", 30)
        .await
        .unwrap();
    backend
        .store_received_tc_token("j", b"stale", 39)
        .await
        .unwrap();
    assert_eq!(token().await, (b"one".to_vec(), 40, Some(50)));
    backend
        .touch_tc_token_sender_timestamp("j", 60)
        .await
        .unwrap();
    backend
        .store_received_tc_token("j", b"two", 40)
        .await
        .unwrap();
    assert_eq!(token().await, (b"two".to_vec(), 40, Some(60)));
    let entry = TcTokenEntry {
        token: b"x".to_vec(),
        token_timestamp: 1,
        sender_timestamp: None,
    };
    backend.put_tc_token("j", &entry).await.unwrap();
    assert_eq!(token().await, (b"x".to_vec(), 1, None));
    backend
        .touch_tc_token_sender_timestamp("j", 2)
        .await
        .unwrap();
    assert_eq!(token().await, (b"x".to_vec(), 1, Some(2)));
    backend.delete_tc_token("j").await.unwrap();
    assert!(backend.get_tc_token("j").await.unwrap().is_none());
}

#[tokio::test]
async fn concurrent_writers_of_a_token_lose_nothing() {
    let world = World::new().await;
    let backend = world.backend().await;
    let writes = (1..=20_i64).map(|time| {
        let backend = backend.clone();
        async move {
            backend
                .touch_tc_token_sender_timestamp("j", time)
                .await
                .unwrap();
            let token = [u8::try_from(time).unwrap()];
            backend
                .store_received_tc_token("j", &token, 100 - time)
                .await
                .unwrap();
        }
    });
    futures::future::join_all(writes).await;
    let entry = backend.get_tc_token("j").await.unwrap().unwrap();
    assert_eq!((entry.token, entry.token_timestamp), (vec![1], 99));
    assert_eq!(entry.sender_timestamp, Some(20));
}

#[tokio::test]
async fn a_token_expires_when_both_halves_are_stale() {
    let world = World::new().await;
    let backend = world.backend().await;
    let entry = |token: &[u8], token_timestamp, sender_timestamp| TcTokenEntry {
        token: token.to_vec(),
        token_timestamp,
        sender_timestamp,
    };
    for (jid, entry) in [
        ("fresh_token", entry(b"t", 100, None)),
        ("fresh_sender", entry(b"t", 99, Some(50))),
        ("stale", entry(b"t", 99, Some(49))),
        ("empty", entry(b"", 1000, None)),
    ] {
        backend.put_tc_token(jid, &entry).await.unwrap();
    }
    assert_eq!(backend.delete_expired_tc_tokens(100, 50).await.unwrap(), 2);
    assert_eq!(backend.delete_expired_tc_tokens(100, 50).await.unwrap(), 0);
    let mut left = backend.get_all_tc_token_jids().await.unwrap();
    left.sort();
    assert_eq!(left, ["fresh_sender", "fresh_token"]);
}

#[tokio::test]
async fn a_sent_message_is_taken_once() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.store_sent_message("c", "m", b"one").await.unwrap();
    backend.store_sent_message("c", "m", b"two").await.unwrap();
    let attempts = (0..8).map(|_| backend.take_sent_message("c", "m"));
    let taken: Vec<_> = futures::future::join_all(attempts).await;
    let taken: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, [b"two".to_vec()]);
    backend
        .store_sent_message("c", "m", b"three")
        .await
        .unwrap();
    assert_eq!(
        backend
            .delete_expired_sent_messages(wacore::time::now_secs() - 60)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        backend
            .delete_expired_sent_messages(i64::MAX)
            .await
            .unwrap(),
        1
    );
    assert_eq!(backend.take_sent_message("c", "m").await.unwrap(), None);
}

#[tokio::test]
async fn secrets_keep_the_later_deadline_and_time() {
    let world = World::new().await;
    let backend = world.backend().await;
    let id: Arc<str> = "m".into();
    let get = || async {
        backend
            .get_msg_secret_with_ts("g@g.us", "a@lid", &id)
            .await
            .unwrap()
    };
    assert_eq!(backend.put_msg_secrets(Vec::new()).await.unwrap(), 0);
    let twice = vec![secret("m", 1, 100, 5), secret("m", 2, 50, 0)];
    assert_eq!(backend.put_msg_secrets(twice).await.unwrap(), 2);
    assert_eq!(get().await, Some((vec![2; 32], 5)));
    assert_eq!(backend.delete_expired_msg_secrets(99).await.unwrap(), 0);
    backend
        .put_msg_secrets(vec![secret("m", 3, 60, 9), secret("n", 1, 100, 0)])
        .await
        .unwrap();
    assert_eq!(get().await, Some((vec![3; 32], 9)));
    assert_eq!(backend.delete_expired_msg_secrets(99).await.unwrap(), 0);
    // Without a deadline it is kept for good, whatever is written later.
    backend
        .put_msg_secret("g@g.us", "a@lid", "m", &[4; 32])
        .await
        .unwrap();
    backend
        .put_msg_secrets(vec![secret("m", 5, 60, 1)])
        .await
        .unwrap();
    assert_eq!(backend.delete_expired_msg_secrets(100).await.unwrap(), 1);
    assert_eq!(get().await, Some((vec![5; 32], 9)));
    assert_eq!(
        backend
            .get_msg_secret("g@g.us", "a@lid", "n")
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        backend
            .get_msg_secret("g@g.us", "other@lid", "m")
            .await
            .unwrap(),
        None
    );
}
