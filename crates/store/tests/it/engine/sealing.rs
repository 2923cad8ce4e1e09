//! What can be read by someone who has the database and not the master key.

use wacore::store::error::StoreError as EngineError;
use wacore::store::traits::{
    AppStateSyncKey, AppSyncStore as _, DeviceStore as _, MsgSecretStore as _, ProtocolStore as _,
    SignalStore as _,
};
use wagate_store::{SealError, StoreError};

use super::device::full_device;
use super::support::{World, keys, keys_after};

const SECRET: [u8; 32] = *b"do not show this to anyone else!";

fn seal_error<T: std::fmt::Debug>(result: Result<T, EngineError>) -> SealError {
    let EngineError::Serialization(source) = result.unwrap_err() else {
        panic!("not an error of reading")
    };
    match source.downcast_ref::<StoreError>() {
        Some(StoreError::Seal(error)) => *error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_secret_is_in_the_tables() {
    let world = World::new().await;
    let backend = world.backend().await;
    let mut device = full_device();
    device.push_name = String::from_utf8(SECRET.to_vec()).unwrap();
    device.adv_secret_key = SECRET;
    backend.save(&device).await.unwrap();
    backend.put_identity("a", SECRET).await.unwrap();
    backend.store_prekey(1, &SECRET, false).await.unwrap();
    backend.store_signed_prekey(1, &SECRET).await.unwrap();
    backend.put_sender_key("a", &SECRET).await.unwrap();
    let key = AppStateSyncKey {
        key_data: SECRET.to_vec(),
        fingerprint: SECRET.to_vec(),
        timestamp: 1,
    };
    backend.set_sync_key(b"k", key).await.unwrap();
    backend.save_base_key("a", "m", &SECRET).await.unwrap();
    backend.put_group_metadata("g", &SECRET).await.unwrap();
    backend
        .store_pending_inbound("chat-id", "sender-id", "message-id", &SECRET)
        .await
        .unwrap();
    backend
        .store_sent_message("chat-id", "message-id", &SECRET)
        .await
        .unwrap();
    // Takes the messages along.
    backend.put_session("a", &SECRET).await.unwrap();
    backend
        .put_msg_secret("chat-id", "sender-id", "message-id", &SECRET)
        .await
        .unwrap();
    backend
        .store_received_tc_token("j", &SECRET, 1)
        .await
        .unwrap();

    let json = serde_json::to_vec(&SECRET).unwrap();
    let needles: [&[u8]; 5] = [
        &SECRET,
        &json[1..json.len() - 1],
        b"message-id",
        b"chat-id",
        b"sender-id",
    ];
    let mut seen = 0;
    for text in [
        "SELECT value FROM engine_record",
        "SELECT key FROM engine_record",
        "SELECT payload FROM engine_sent_message",
        "SELECT key FROM engine_sent_message",
        "SELECT secret FROM engine_message_secret",
        "SELECT key FROM engine_message_secret",
        "SELECT token FROM engine_contact_token",
    ] {
        for bytes in world.column(text).await {
            seen += 1;
            for needle in needles {
                assert!(
                    !bytes.windows(needle.len()).any(|window| window == needle),
                    "{text}"
                );
            }
        }
    }
    assert_eq!(seen, 11 * 2 + 2 + 2 + 1);
}

#[tokio::test]
async fn another_master_key_is_named_as_the_reason() {
    let mut world = World::new().await;
    world.backend().await.put_session("a", b"s").await.unwrap();
    world.backend().await.save(&full_device()).await.unwrap();
    world.reopen(keys(8)).await;
    let backend = world.backend().await;
    assert_eq!(
        seal_error(backend.get_session("a").await),
        SealError::UnknownKey
    );
    let error = backend.load().await.map(|_| ()).unwrap_err();
    assert_eq!(seal_error::<()>(Err(error)), SealError::UnknownKey);
    // Nothing was overwritten: with the right key all is well again.
    world.reopen(keys(7)).await;
    assert!(
        world
            .backend()
            .await
            .get_session("a")
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_value_that_was_moved_to_another_row_is_refused() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.put_session("a", b"of a").await.unwrap();
    backend.put_session("b", b"of b").await.unwrap();
    backend.put_sender_key("b", b"another kind").await.unwrap();
    backend
        .store_received_tc_token("a", b"of a", 1)
        .await
        .unwrap();
    backend
        .store_received_tc_token("b", b"of b", 2)
        .await
        .unwrap();
    let moved = world
        .execute(
            "UPDATE engine_record SET value = (SELECT value FROM engine_record AS other \
             WHERE other.kind = 11 AND other.key > engine_record.key) \
             WHERE kind = 11 AND key < (SELECT key FROM engine_record \
             WHERE kind = 11 ORDER BY key DESC LIMIT 1)",
        )
        .await;
    assert_eq!(moved, 1);
    let moved = world
        .execute(
            "UPDATE engine_contact_token SET token = (SELECT token FROM engine_contact_token \
             WHERE token_timestamp = 1) WHERE token_timestamp = 2",
        )
        .await;
    assert_eq!(moved, 1);
    assert_eq!(
        seal_error(backend.get_session("a").await),
        SealError::Forged
    );
    assert!(backend.get_session("b").await.unwrap().is_some());
    assert_eq!(
        seal_error(backend.get_tc_token("b").await),
        SealError::Forged
    );
    assert!(backend.get_sender_key("b").await.unwrap().is_some());
}

#[tokio::test]
async fn state_is_sealed_anew_after_the_master_key_was_changed() {
    let mut world = World::new().await;
    let backend = world.backend().await;
    // Before Signal state, which takes it along.
    backend
        .store_sent_message("c", "m", b"payload")
        .await
        .unwrap();
    let prekeys: Vec<_> = (1..=30_u32)
        .map(|id| (id, bytes::Bytes::from_static(b"k")))
        .collect();
    backend.store_prekeys_batch(&prekeys, false).await.unwrap();
    backend
        .store_received_tc_token("j", b"token", 1)
        .await
        .unwrap();
    backend
        .touch_tc_token_sender_timestamp("without a token", 1)
        .await
        .unwrap();
    backend
        .put_msg_secret("c", "s", "m", &SECRET)
        .await
        .unwrap();

    world.reopen(keys_after(8, 7)).await;
    let session = world.session;
    let mut resealed = Vec::new();
    while resealed.last() != Some(&0) {
        let count = world
            .store
            .write(world.organization, move |tx| {
                Box::pin(async move { tx.admin().reseal_engine_state(session, 20).await })
            })
            .await
            .unwrap();
        resealed.push(count);
    }
    assert_eq!(resealed, [23, 10, 0]);

    world.reopen(keys(8)).await;
    let backend = world.backend().await;
    assert_eq!(
        backend.load_prekey(30).await.unwrap().as_deref(),
        Some(b"k".as_slice())
    );
    assert_eq!(
        backend.get_tc_token("j").await.unwrap().unwrap().token,
        b"token"
    );
    assert!(
        backend
            .get_tc_token("without a token")
            .await
            .unwrap()
            .unwrap()
            .token
            .is_empty()
    );
    assert!(
        backend
            .get_msg_secret("c", "s", "m")
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        backend.take_sent_message("c", "m").await.unwrap(),
        Some(b"payload".to_vec())
    );
}
