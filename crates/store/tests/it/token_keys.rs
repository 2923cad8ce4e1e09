//! What login tokens rest on: their keys, and notes of what users may do.

use wagate_model::{PlatformRole, TokenKeyId, User, UserId};
use wagate_store::testing::{self, TestStore};
use wagate_store::{Lane, TokenKey};

use crate::write;

fn key(number: u64) -> TokenKey {
    TokenKey {
        id: TokenKeyId::from_parts(number, 1),
        private_key: b"a private key".to_vec(),
        public_key: vec![number.to_be_bytes()[7]; 32],
        created_at: i64::try_from(number).unwrap(),
        retired_at: None,
    }
}

async fn keys(store: &TestStore) -> Vec<(i64, Option<i64>)> {
    let mut tx = store.read().await.unwrap();
    let keys = tx.admin().token_keys().await.unwrap();
    assert!(keys.iter().all(|key| key.private_key == b"a private key"));
    let times = |key: TokenKey| (key.created_at, key.retired_at);
    keys.into_iter().map(times).collect()
}

#[tokio::test]
async fn a_new_key_retires_the_others_and_what_is_retired_is_purged() {
    let store = testing::store().await;
    for number in [10, 20, 30] {
        write!(store, Lane::SHARED, |tx| {
            tx.admin().rotate_token_keys(&key(number)).await
        })
        .unwrap();
    }
    // The first keeps the time at which it was retired.
    assert_eq!(
        keys(&store).await,
        [(10, Some(20)), (20, Some(30)), (30, None)]
    );
    let purged = write!(store, Lane::SHARED, |tx| {
        tx.admin().purge_token_keys(30).await
    });
    assert_eq!(purged.unwrap(), 1);
    assert_eq!(keys(&store).await, [(20, Some(30)), (30, None)]);
    let purged = write!(store, Lane::SHARED, |tx| {
        tx.admin().purge_token_keys(i64::MAX).await
    });
    assert_eq!(purged.unwrap(), 1);
    assert_eq!(keys(&store).await, [(30, None)]);
}

#[tokio::test]
async fn no_note_of_a_user_is_like_the_one_before() {
    let store = testing::store().await;
    let user = User {
        id: UserId::from_parts(1, 1),
        email: "ann@example.com".parse().unwrap(),
        name: "Ann".into(),
        platform_role: PlatformRole::User,
        is_email_confirmed: true,
        has_password: false,
        has_totp: false,
        banned_at: None,
        ban_reason: None,
        created_at: 1,
        last_login_at: None,
    };
    let notes = write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        admin.insert_user(&user, None).await?;
        assert!(admin.users_changed_within(60_000).await?.is_empty());
        let mut notes = Vec::new();
        for _ in 0..20 {
            admin.rename_user(user.id, "Bea", 1).await?;
            notes.extend(admin.users_changed_within(60_000).await?);
        }
        Ok(notes)
    })
    .unwrap();
    assert_eq!(notes.len(), 20);
    assert!(notes.is_sorted_by(|(_, earlier), (_, later)| earlier < later));
}
