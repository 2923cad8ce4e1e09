//! Signal state.

use std::sync::Arc;

use bytes::Bytes;
use wacore::store::traits::SignalStore as _;

use super::support::World;

const ALICE: &str = "15550000001@s.whatsapp.net";
const ALICE_2: &str = "15550000001:2@s.whatsapp.net";

fn entry(address: &str, bytes: &'static [u8]) -> (Arc<str>, Bytes) {
    (address.into(), Bytes::from_static(bytes))
}

#[tokio::test]
async fn identities_are_kept_overwritten_and_deleted() {
    let world = World::new().await;
    let backend = world.backend().await;
    assert_eq!(backend.load_identity(ALICE).await.unwrap(), None);
    backend.put_identity(ALICE, [1; 32]).await.unwrap();
    backend
        .put_identities_batch(&[(ALICE.into(), [2; 32]), (ALICE_2.into(), [3; 32])])
        .await
        .unwrap();
    assert_eq!(backend.load_identity(ALICE).await.unwrap(), Some([2; 32]));
    assert_eq!(backend.load_identity(ALICE_2).await.unwrap(), Some([3; 32]));
    backend.delete_identity(ALICE).await.unwrap();
    backend.delete_identity(ALICE).await.unwrap();
    assert_eq!(backend.load_identity(ALICE).await.unwrap(), None);
    assert_eq!(backend.load_identity(ALICE_2).await.unwrap(), Some([3; 32]));
}

#[tokio::test]
async fn sessions_are_kept_overwritten_and_deleted() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.put_session(ALICE, b"one").await.unwrap();
    // The last of two entries of one address counts.
    let batch = [
        entry(ALICE, b"two"),
        entry(ALICE_2, b""),
        entry(ALICE, b"three"),
    ];
    backend.put_sessions_batch(&batch).await.unwrap();
    backend.put_sessions_batch(&[]).await.unwrap();
    assert_eq!(
        backend.get_session(ALICE).await.unwrap().as_deref(),
        Some(b"three".as_slice())
    );
    assert_eq!(
        backend.get_session(ALICE_2).await.unwrap().as_deref(),
        Some(b"".as_slice())
    );
    assert!(backend.has_session(ALICE_2).await.unwrap());
    backend.delete_session(ALICE_2).await.unwrap();
    assert!(!backend.has_session(ALICE_2).await.unwrap());
    assert_eq!(backend.get_session(ALICE_2).await.unwrap(), None);
}

#[tokio::test]
async fn state_of_a_user_is_found_under_every_device_and_no_other_user() {
    let world = World::new().await;
    let backend = world.backend().await;
    assert!(
        !backend
            .has_signal_state_for_user("15550000001")
            .await
            .unwrap()
    );
    backend.put_sender_key(ALICE, b"not counted").await.unwrap();
    assert!(
        !backend
            .has_signal_state_for_user("15550000001")
            .await
            .unwrap()
    );
    backend.put_session(ALICE_2, b"s").await.unwrap();
    assert!(
        backend
            .has_signal_state_for_user("15550000001")
            .await
            .unwrap()
    );
    for other in ["1555000000", "5550000001", "155500000010", ""] {
        assert!(
            !backend.has_signal_state_for_user(other).await.unwrap(),
            "{other}"
        );
    }
    backend.delete_session(ALICE_2).await.unwrap();
    backend.put_identity(ALICE, [1; 32]).await.unwrap();
    assert!(
        backend
            .has_signal_state_for_user("15550000001")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn many_prekeys_are_stored_in_one_call_and_found_by_id() {
    let world = World::new().await;
    let backend = world.backend().await;
    assert_eq!(backend.get_max_prekey_id().await.unwrap(), 0);
    let keys: Vec<(u32, Bytes)> = (1..=300_u32)
        .map(|id| (id, Bytes::from(id.to_be_bytes().to_vec())))
        .collect();
    backend.store_prekeys_batch(&keys, false).await.unwrap();
    assert_eq!(backend.get_max_prekey_id().await.unwrap(), 300);
    let ids: Vec<u32> = (0..=400).rev().collect();
    let found = backend.load_prekeys_batch(&ids).await.unwrap();
    let expected: Vec<_> = keys.iter().rev().cloned().collect();
    assert_eq!(
        found, expected,
        "in the order asked for, without those that are missing"
    );
    backend.store_prekey(u32::MAX, b"last", true).await.unwrap();
    assert_eq!(backend.get_max_prekey_id().await.unwrap(), u32::MAX);
    backend.remove_prekey(u32::MAX).await.unwrap();
    assert_eq!(backend.load_prekey(u32::MAX).await.unwrap(), None);
    assert_eq!(backend.get_max_prekey_id().await.unwrap(), 300);
}

#[tokio::test]
async fn marking_prekeys_never_brings_one_back() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.store_prekey(1, b"one", false).await.unwrap();
    backend.store_prekey(2, b"two", false).await.unwrap();
    backend.remove_prekey(2).await.unwrap();
    backend.mark_prekeys_uploaded(&[1, 2, 3]).await.unwrap();
    backend.mark_prekeys_uploaded(&[]).await.unwrap();
    assert_eq!(backend.load_prekey(2).await.unwrap(), None);
    assert_eq!(backend.load_prekey(3).await.unwrap(), None);
    assert_eq!(
        backend.load_prekey(1).await.unwrap().as_deref(),
        Some(b"one".as_slice())
    );
    assert_eq!(
        world
            .execute("UPDATE engine_record SET stamp = 0 WHERE stamp = 1")
            .await,
        1
    );
}

#[tokio::test]
async fn signed_prekeys_are_listed() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.store_signed_prekey(2, b"two").await.unwrap();
    backend.store_signed_prekey(256, b"later").await.unwrap();
    assert_eq!(
        backend.load_signed_prekey(2).await.unwrap().as_deref(),
        Some(b"two".as_slice())
    );
    let all = backend.load_all_signed_prekeys().await.unwrap();
    assert_eq!(all, [(2, b"two".to_vec()), (256, b"later".to_vec())]);
    backend.remove_signed_prekey(2).await.unwrap();
    assert_eq!(backend.load_signed_prekey(2).await.unwrap(), None);
}

#[tokio::test]
async fn sender_keys_are_kept_overwritten_and_deleted() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.put_sender_key("g1:a", b"one").await.unwrap();
    backend
        .put_sender_keys_batch(&[entry("g1:a", b"two"), entry("g2:a", b"x")])
        .await
        .unwrap();
    assert_eq!(
        backend.get_sender_key("g1:a").await.unwrap().as_deref(),
        Some(b"two".as_slice())
    );
    backend.delete_sender_key("g1:a").await.unwrap();
    assert_eq!(backend.get_sender_key("g1:a").await.unwrap(), None);
    assert_eq!(
        backend.get_sender_key("g2:a").await.unwrap().as_deref(),
        Some(b"x".as_slice())
    );
}

#[tokio::test]
async fn sessions_of_one_database_do_not_see_each_other() {
    let world = World::new().await;
    let first = world.backend().await;
    let (_, second) = world.another().await;
    first.put_session(ALICE, b"first").await.unwrap();
    second.put_session(ALICE, b"second").await.unwrap();
    first.delete_session(ALICE).await.unwrap();
    assert_eq!(
        second.get_session(ALICE).await.unwrap().as_deref(),
        Some(b"second".as_slice())
    );
    assert!(
        !first
            .has_signal_state_for_user("15550000001")
            .await
            .unwrap()
    );
}
