//! App state.

use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore as _};

use super::support::World;

fn mac(index: u16, value: u8) -> AppStateMutationMAC {
    AppStateMutationMAC {
        index_mac: index_mac(index).to_vec(),
        value_mac: vec![value; 32],
    }
}

fn index_mac(index: u16) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&index.to_be_bytes());
    bytes
}

#[tokio::test]
async fn the_key_that_was_stored_last_is_the_latest() {
    let world = World::new().await;
    let backend = world.backend().await;
    assert_eq!(backend.get_latest_sync_key_id().await.unwrap(), None);
    let key = |timestamp| AppStateSyncKey {
        key_data: vec![1, 2, 3],
        fingerprint: vec![4],
        timestamp,
    };
    backend.set_sync_key(b"\xff\x00b", key(20)).await.unwrap();
    backend.set_sync_key(b"a", key(10)).await.unwrap();
    assert_eq!(
        backend.get_latest_sync_key_id().await.unwrap(),
        Some(b"a".to_vec())
    );
    let found = backend.get_sync_key(b"\xff\x00b").await.unwrap().unwrap();
    assert_eq!(
        (found.key_data, found.fingerprint, found.timestamp),
        (vec![1, 2, 3], vec![4], 20)
    );
    assert!(backend.get_sync_key(b"b").await.unwrap().is_none());
}

#[tokio::test]
async fn a_version_comes_back_whole_and_is_zero_at_first() {
    let world = World::new().await;
    let backend = world.backend().await;
    let first = backend.get_version("regular").await.unwrap();
    assert_eq!((first.version, first.hash), (0, [0; 128]));
    let mut state = HashState {
        version: u64::MAX,
        hash: [9; 128],
        ..HashState::default()
    };
    state.index_value_map.insert("k".to_owned(), vec![0, 255]);
    state.mac_mismatch_fatal = true;
    backend.set_version("regular", state).await.unwrap();
    let found = backend.get_version("regular").await.unwrap();
    assert_eq!((found.version, found.hash), (u64::MAX, [9; 128]));
    assert_eq!(found.index_value_map["k"], [0, 255]);
    assert!(found.mac_mismatch_fatal);
    assert_eq!(
        backend.get_version("regular_high").await.unwrap().version,
        0
    );
}

#[tokio::test]
async fn macs_are_found_in_bulk_and_belong_to_their_collection() {
    let world = World::new().await;
    let backend = world.backend().await;
    let macs: Vec<_> = (0..200).map(|index| mac(index, 1)).collect();
    backend
        .put_mutation_macs("regular", 1, &macs)
        .await
        .unwrap();
    backend
        .put_mutation_macs("regular", 2, &[mac(7, 2), mac(7, 3)])
        .await
        .unwrap();
    backend
        .put_mutation_macs("regular_high", 1, &[mac(7, 9)])
        .await
        .unwrap();
    let asked: Vec<_> = (100..300).map(index_mac).collect();
    assert_eq!(
        backend
            .get_mutation_macs("regular", &asked)
            .await
            .unwrap()
            .len(),
        100
    );
    assert!(
        backend
            .get_mutation_macs("regular", &[])
            .await
            .unwrap()
            .is_empty()
    );
    let seven = |name| {
        let backend = backend.clone();
        async move { backend.get_mutation_mac(name, &index_mac(7)).await.unwrap() }
    };
    assert_eq!(seven("regular").await, Some(vec![3; 32]));
    assert_eq!(seven("regular_high").await, Some(vec![9; 32]));
    let all = [index_mac(7).to_vec(), vec![1]];
    backend
        .delete_mutation_macs("regular_high", &all)
        .await
        .unwrap();
    assert_eq!(seven("regular_high").await, None);
    backend
        .put_mutation_macs("regular_high", 1, &[mac(7, 9)])
        .await
        .unwrap();
    backend.clear_mutation_macs("regular").await.unwrap();
    assert!(
        backend
            .get_mutation_macs("regular", &asked)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(seven("regular_high").await, Some(vec![9; 32]));
}
