//! The keys that login tokens are signed with, and sealing people's secrets again.

use wagate_model::TokenKeyId;
use wagate_store::testing::{self, START_MS};
use wagate_store::{
    IgnoreCommits, Lane, MASTER_KEY_LEN, MasterKeys, SealedColumn, Store, StoreError, TokenKey,
};

use crate::users::insert;
use crate::write;

fn key(number: u64) -> TokenKey {
    TokenKey {
        id: TokenKeyId::from_parts(number, 1),
        private_key: vec![u8::try_from(number).unwrap(); 48],
        public_key: vec![9; 32],
        created_at: START_MS + i64::try_from(number).unwrap(),
        retired_at: None,
    }
}

#[tokio::test]
async fn one_key_signs_and_retired_ones_go_in_time() {
    let store = testing::store().await;
    for number in 1..=3 {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .rotate_token_keys(&key(number))
            .await)
        .unwrap();
    }
    let keys = async || {
        let mut tx = store.read().await.unwrap();
        let keys = tx.admin().token_keys().await.unwrap();
        let key = |key: TokenKey| (key.private_key[0], key.created_at, key.retired_at);
        keys.into_iter().map(key).collect::<Vec<_>>()
    };
    assert_eq!(
        keys().await,
        [
            (1, START_MS + 1, Some(START_MS + 2)),
            (2, START_MS + 2, Some(START_MS + 3)),
            (3, START_MS + 3, None),
        ]
    );
    let purge = async |before: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_token_keys(before)
            .await)
        .unwrap()
    };
    assert_eq!(purge(START_MS + 2).await, 0);
    assert_eq!(purge(START_MS + 3).await, 1);
    assert_eq!(purge(i64::MAX).await, 1, "the one that signs stays");
    assert_eq!(keys().await, [(3, START_MS + 3, None)]);
}

#[tokio::test]
async fn peoples_secrets_are_sealed_again_with_a_new_master_key() {
    let store = testing::store().await;
    let user = insert(&store, "ann@example.com").await;
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        admin.offer_totp(user, b"secret").await?;
        admin.rotate_token_keys(&key(1)).await?;
        admin.rotate_token_keys(&key(2)).await
    })
    .unwrap();
    let open = async |keys: MasterKeys| {
        let (config, clock) = (store.config().clone(), store.clock.clone());
        let commits = std::sync::Arc::new(IgnoreCommits);
        Store::open(config, clock, keys, commits).await.unwrap()
    };
    let (old, fresh) = ([7; MASTER_KEY_LEN], [8; MASTER_KEY_LEN]);
    let rotated = open(MasterKeys::new(fresh.into(), vec![old.into()])).await;
    let mut resealed = Vec::new();
    for column in SealedColumn::ALL {
        let column = *column;
        let progress = write!(rotated, Lane::SHARED, |tx| tx
            .admin()
            .reseal(column, None, 10)
            .await);
        resealed.push((column.table, progress.unwrap().resealed));
    }
    resealed.retain(|(_, count)| *count > 0);
    assert_eq!(resealed, [("user_account", 1), ("token_key", 2)]);
    rotated.close().await;
    // The old key is no longer enough, and the new one is.
    let mut tx = store.read().await.unwrap();
    let refused = tx.admin().token_keys().await;
    assert!(matches!(refused, Err(StoreError::Seal(_))), "{refused:?}");
    let only_new = open(MasterKeys::new(fresh.into(), Vec::new())).await;
    let mut tx = only_new.read().await.unwrap();
    let keys = tx.admin().token_keys().await.unwrap();
    assert_eq!(keys[1].private_key, key(2).private_key);
    let secrets = tx.admin().user_secrets(user).await.unwrap().unwrap();
    assert_eq!(secrets.totp_secret.as_deref(), Some(b"secret".as_slice()));
    drop(tx);
    only_new.close().await;
}
