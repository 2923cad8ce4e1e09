//! A gateway that lost its lease cannot write.

use futures::FutureExt as _;
use wacore::store::error::{Result as EngineResult, StoreError as EngineError};
use wacore::store::traits::{
    AppStateSyncKey, AppSyncStore as _, Backend, DeviceListRecord, DeviceStore as _,
    LidPnMappingEntry, MsgSecretStore as _, PendingInboundKey, ProtocolStore as _,
    SignalStore as _, TcTokenEntry,
};
use wagate_store::StoreError;

use super::device::full_device;
use super::support::World;

fn is_fencing<T>(result: EngineResult<T>) -> bool {
    match result {
        Err(EngineError::Database(source)) => {
            matches!(
                source.downcast_ref::<StoreError>(),
                Some(StoreError::Fenced)
            )
        }
        _ => false,
    }
}

/// One write of each kind, each on a storage that has not heard of a refusal yet: how many
/// there are, and which were not refused.
async fn writes_that_passed(world: &World) -> (usize, Vec<&'static str>) {
    let mapping = LidPnMappingEntry {
        lid: "l".to_owned(),
        phone_number: "p".to_owned(),
        created_at: 0,
        updated_at: 0,
        learning_source: String::new(),
    };
    let token = TcTokenEntry {
        token: vec![1],
        token_timestamp: 1,
        sender_timestamp: None,
    };
    let list = DeviceListRecord {
        user: "u".to_owned(),
        devices: Vec::new(),
        timestamp: 0,
        phash: None,
        raw_id: None,
    };
    let key = PendingInboundKey {
        chat: "c",
        sender: "s",
        id: "1",
    };
    let mut total = 0;
    let mut passed = Vec::new();
    let mut note = |name, was_refused: bool| {
        total += 1;
        if !was_refused {
            passed.push(name);
        }
    };
    macro_rules! attempt {
        ($($call:ident ( $($argument:expr),* )),* $(,)?) => {
            $( note(stringify!($call), is_fencing(world.backend().await.$call($($argument),*).await)); )*
        };
    }
    attempt!(
        put_identity("a", [1; 32]),
        put_identities_batch(&[("a".into(), [1; 32])]),
        delete_identity("a"),
        put_session("a", b"s"),
        put_sessions_batch(&[("a".into(), bytes::Bytes::from_static(b"s"))]),
        delete_session("a"),
        store_prekey(1, b"k", false),
        store_prekeys_batch(&[(1, bytes::Bytes::from_static(b"k"))], true),
        mark_prekeys_uploaded(&[1]),
        remove_prekey(1),
        store_signed_prekey(1, b"k"),
        remove_signed_prekey(1),
        put_sender_key("a", b"k"),
        put_sender_keys_batch(&[("a".into(), bytes::Bytes::from_static(b"k"))]),
        delete_sender_key("a"),
        set_sync_key(b"k", AppStateSyncKey::default()),
        set_version("v", wacore::appstate::hash::HashState::default()),
        clear_mutation_macs("v"),
        delete_mutation_macs("v", &[vec![1]]),
        set_sender_key_status("g", &[("d", true)]),
        clear_sender_key_devices("g"),
        delete_sender_key_device_rows(&["d"]),
        clear_all_sender_key_devices(),
        put_lid_mapping(&mapping),
        save_base_key("a", "m", b"k"),
        delete_base_key("a", "m"),
        update_device_list(list),
        delete_devices("u"),
        put_group_metadata("g", b"m"),
        delete_group_metadata("g"),
        put_tc_token("j", &token),
        touch_tc_token_sender_timestamp("j", 1),
        store_received_tc_token("j", b"t", 1),
        delete_tc_token("j"),
        take_sent_message("c", "m"),
        delete_pending_inbound_batch(&[key]),
        put_msg_secret("c", "s", "m", &[1; 32]),
        save(&full_device()),
        create(),
        wipe(),
    );
    (total, passed)
}

#[tokio::test]
async fn an_owner_of_an_earlier_epoch_cannot_write_anything() {
    let world = World::new().await;
    let old = world.backend().await;
    old.put_session("a", b"old").await.unwrap();
    assert!(!old.is_fenced());
    let new = world.backend_with(world.take_over().await).await;
    new.put_session("a", b"new").await.unwrap();

    assert!(is_fencing(old.put_session("a", b"late").await));
    assert!(old.is_fenced());
    assert_eq!(
        new.get_session("a").await.unwrap().as_deref(),
        Some(b"new".as_slice())
    );
    assert!(!new.is_fenced());
    // Reads still answer, so that the old owner can wind down.
    assert!(old.get_session("a").await.unwrap().is_some());
}

#[tokio::test]
async fn every_kind_of_write_is_refused() {
    let world = World::new().await;
    world.take_over().await;
    let (total, passed) = writes_that_passed(&world).await;
    assert_eq!(passed, [""; 0]);
    assert_eq!(total, 40);
    assert_eq!(world.row_count(world.session).await, 0);
}

#[tokio::test]
async fn messages_that_are_held_are_refused_with_the_write_that_takes_them_along() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.store_sent_message("c", "m", b"p").await.unwrap();
    backend
        .store_pending_inbound("c", "s", "1", b"m")
        .await
        .unwrap();
    world.take_over().await;
    assert!(is_fencing(backend.put_session("a", b"s").await));
    assert_eq!(world.row_count(world.session).await, 0);
    // From here on the storage knows, and takes nothing more.
    assert!(is_fencing(backend.store_sent_message("c", "m", b"p").await));
    let held = backend.store_pending_inbound("c", "s", "2", b"m").await;
    assert!(is_fencing(held));
}

#[tokio::test]
async fn the_session_hears_that_it_was_fenced() {
    let world = World::new().await;
    let backend = world.backend().await;
    let watching = backend.clone();
    assert!(watching.fenced().now_or_never().is_none());
    let waiting = tokio::spawn(async move { watching.fenced().await });
    world.take_over().await;
    assert!(is_fencing(backend.delete_session("a").await));
    waiting.await.unwrap();
    backend.fenced().now_or_never().expect("it stays fenced");
}

#[tokio::test]
async fn the_storage_is_a_backend() {
    let world = World::new().await;
    let backend: std::sync::Arc<dyn Backend> = std::sync::Arc::new(world.backend().await);
    assert!(!backend.exists().await.unwrap());
}
