//! Users: finding and changing them, their second factors and their one-time links.

use wagate_model::{Email, PlatformRole, User, UserId};
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{Lane, LinkPurpose, StoreError};

use crate::{fresh, write};

pub(crate) fn user(email: &str) -> User {
    User {
        id: fresh!(UserId),
        email: email.parse().unwrap(),
        name: "Ann\0".into(),
        platform_role: PlatformRole::User,
        is_email_confirmed: false,
        has_password: false,
        has_totp: false,
        banned_at: None,
        ban_reason: None,
        created_at: START_MS,
        last_login_at: None,
    }
}

pub(crate) async fn insert(store: &TestStore, email: &str) -> UserId {
    let new = user(email);
    let id = new.id;
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .insert_user(&new, Some("hash"))
        .await)
    .unwrap();
    id
}

pub(crate) async fn changed(store: &TestStore) -> Vec<(UserId, i64)> {
    let mut tx = store.read().await.unwrap();
    tx.admin().users_changed_within(60_000).await.unwrap()
}

async fn found(store: &TestStore, id: UserId) -> User {
    let mut tx = store.read().await.unwrap();
    tx.admin().user(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_user_is_found_by_id_address_and_provider() {
    let store = testing::store().await;
    let new = user("Ann@Example.com");
    let stored = new.clone();
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .insert_user(&stored, None)
        .await)
    .unwrap();
    let expected = User {
        name: "Ann\u{fffd}".into(),
        ..new.clone()
    };
    let id = new.id;
    write!(store, Lane::SHARED, |tx| {
        tx.admin()
            .insert_external_account("acme", "42", id, START_MS)
            .await
    })
    .unwrap();
    let mut tx = store.read().await.unwrap();
    let mut admin = tx.admin();
    assert_eq!(admin.user(id).await.unwrap(), Some(expected.clone()));
    let email: Email = "ann@EXAMPLE.com".parse().unwrap();
    let by_email = admin.user_by_email(&email).await.unwrap();
    assert_eq!(by_email, Some(expected.clone()));
    let by_subject = admin.user_by_external_account("acme", "42").await.unwrap();
    assert_eq!(by_subject, Some(expected));
    for (provider, subject) in [("acme", "43"), ("other", "42")] {
        let nobody = admin.user_by_external_account(provider, subject).await;
        assert_eq!(nobody.unwrap(), None);
    }
    assert_eq!(admin.user(fresh!(UserId)).await.unwrap(), None);
    let same_address = user("ann@example.com");
    let twice = write!(store, Lane::SHARED, |tx| tx
        .admin()
        .insert_user(&same_address, None)
        .await);
    assert!(matches!(twice, Err(StoreError::Duplicate(_))), "{twice:?}");
    let other = insert(&store, "bob@example.com").await;
    let taken = write!(store, Lane::SHARED, |tx| {
        tx.admin()
            .insert_external_account("acme", "42", other, START_MS)
            .await
    });
    assert!(matches!(taken, Err(StoreError::Duplicate(_))), "{taken:?}");
}

#[tokio::test]
async fn users_come_in_pages_and_by_the_beginning_of_their_address() {
    let store = testing::store().await;
    let mut ids = Vec::new();
    for email in ["a_b@x.example", "a%c@x.example", "axb@x.example"] {
        ids.push(insert(&store, email).await);
    }
    ids.sort();
    let mut tx = store.read().await.unwrap();
    let mut admin = tx.admin();
    let first = admin.users(None, "", 2).await.unwrap();
    let rest = admin.users(Some(first[1].id), "", 2).await.unwrap();
    let all: Vec<_> = first.iter().chain(&rest).map(|user| user.id).collect();
    assert_eq!((first.len(), all), (2, ids));
    for (text, count) in [
        ("a_", 1),
        ("a%", 1),
        ("a", 3),
        ("A", 0),
        ("x", 0),
        ("a\0", 0),
    ] {
        let users = admin.users(None, text, 9).await.unwrap();
        assert_eq!(users.len(), count, "{text:?}");
    }
}

#[tokio::test]
async fn passwords_are_replaced_and_links_confirm_addresses() {
    let store = testing::store().await;
    let id = insert(&store, "ann@example.com").await;
    let hash = async || {
        let mut tx = store.read().await.unwrap();
        let secrets = tx.admin().user_secrets(id).await.unwrap().unwrap();
        secrets.password_hash.unwrap()
    };
    assert!(found(&store, id).await.has_password);
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        admin.rehash_password(id, "another", "lost").await?;
        admin.rehash_password(id, "hash", "better").await
    })
    .unwrap();
    assert_eq!(hash().await, "better");
    let set = async |confirms: bool| {
        write!(store, Lane::SHARED, |tx| {
            tx.admin()
                .set_password(id, "new", confirms, START_MS + 5)
                .await
        })
        .unwrap();
    };
    set(false).await;
    assert_eq!(hash().await, "new");
    assert!(!found(&store, id).await.is_email_confirmed);
    set(true).await;
    set(false).await;
    assert!(found(&store, id).await.is_email_confirmed);
    let other = insert(&store, "bob@example.com").await;
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .confirm_email(other, START_MS)
        .await)
    .unwrap();
    assert!(found(&store, other).await.is_email_confirmed);
    let mut tx = store.read().await.unwrap();
    let nobody = tx.admin().user_secrets(fresh!(UserId)).await.unwrap();
    assert!(nobody.is_none());
}

#[tokio::test]
async fn what_changes_a_users_standing_is_noted_in_the_databases_time() {
    let store = testing::store().await;
    let id = insert(&store, "ann@example.com").await;
    assert_eq!(changed(&store).await, []);
    let has_operator = async || {
        let mut tx = store.read().await.unwrap();
        tx.admin().has_super_admin().await.unwrap()
    };
    assert!(!has_operator().await);
    let (first, second) = write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        let role = PlatformRole::SuperAdmin;
        assert!(admin.set_platform_role(id, role, START_MS + 1).await?);
        let first = admin.users_changed_within(60_000).await?;
        assert!(admin.rename_user(id, "Anne", START_MS + 2).await?);
        Ok((first, admin.users_changed_within(60_000).await?))
    })
    .unwrap();
    // In the same millisecond, they are two changes all the same.
    assert!(second[0].1 > first[0].1, "{first:?} {second:?}");
    assert!(has_operator().await);
    let ban = async |is_banned: bool| {
        write!(store, Lane::SHARED, |tx| {
            let reason = is_banned.then_some("spam");
            tx.admin()
                .set_ban(id, reason, is_banned, START_MS + 3)
                .await
        })
        .unwrap()
    };
    assert!(ban(true).await);
    assert!(!ban(true).await);
    assert!(!has_operator().await, "a banned one operates nothing");
    let banned = found(&store, id).await;
    assert_eq!(
        (
            banned.banned_at,
            banned.ban_reason.as_deref(),
            &*banned.name
        ),
        (Some(START_MS + 3), Some("spam"), "Anne")
    );
    assert!(ban(false).await);
    let free = found(&store, id).await;
    assert_eq!((free.banned_at, free.ban_reason), (None, None));
    let latest = changed(&store).await;
    assert_eq!(latest[0].0, id);
    assert!(latest[0].1 > second[0].1);
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.admin().users_changed_within(-60_000).await.unwrap(), []);
    let nobody = fresh!(UserId);
    let changes = write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        Ok((
            admin.rename_user(nobody, "x", 1).await?,
            admin
                .set_platform_role(nobody, PlatformRole::User, 1)
                .await?,
            admin.set_ban(nobody, None, true, 1).await?,
        ))
    });
    assert_eq!(changes.unwrap(), (false, false, false));
}

#[tokio::test]
async fn a_second_factor_counts_once_it_was_shown_to_work() {
    let store = testing::store().await;
    let id = insert(&store, "ann@example.com").await;
    let secrets = async || {
        let mut tx = store.read().await.unwrap();
        let secrets = tx.admin().user_secrets(id).await.unwrap().unwrap();
        (secrets.totp_secret, secrets.is_totp_confirmed)
    };
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        assert!(!admin.confirm_totp(id, START_MS).await?, "none was offered");
        assert!(admin.offer_totp(id, b"first").await?);
        assert!(admin.offer_totp(id, b"second").await?);
        Ok(())
    })
    .unwrap();
    assert_eq!(secrets().await, (Some(b"second".to_vec()), false));
    assert!(!found(&store, id).await.has_totp);
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        assert!(admin.take_totp_step(id, 7).await?);
        assert!(!admin.take_totp_step(id, 7).await?, "a code works once");
        assert!(!admin.take_totp_step(id, 6).await?, "nor does an older one");
        assert!(admin.take_totp_step(id, 8).await?);
        assert!(admin.confirm_totp(id, START_MS).await?);
        assert!(!admin.confirm_totp(id, START_MS).await?);
        assert!(!admin.offer_totp(id, b"third").await?, "one counts already");
        admin.put_recovery_codes(id, &[[1; 32], [2; 32]]).await
    })
    .unwrap();
    assert_eq!(secrets().await, (Some(b"second".to_vec()), true));
    assert!(found(&store, id).await.has_totp);
    let other = insert(&store, "bob@example.com").await;
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        assert!(!admin.take_recovery_code(other, &[1; 32]).await?);
        assert!(admin.take_recovery_code(id, &[1; 32]).await?);
        assert!(!admin.take_recovery_code(id, &[1; 32]).await?);
        assert_eq!(admin.recovery_code_count(id).await?, 1);
        admin.put_recovery_codes(id, &[[3; 32]]).await?;
        assert!(!admin.take_recovery_code(id, &[2; 32]).await?, "replaced");
        assert!(admin.clear_totp(id, START_MS).await?);
        assert!(!admin.clear_totp(id, START_MS).await?);
        assert_eq!(admin.recovery_code_count(id).await?, 0);
        assert!(admin.offer_totp(id, b"fourth").await?);
        assert!(admin.take_totp_step(id, 1).await?, "steps begin anew");
        Ok(())
    })
    .unwrap();
}

#[tokio::test]
async fn links_work_once_in_time_and_for_what_they_are_for() {
    let store = testing::store().await;
    let ann = insert(&store, "ann@example.com").await;
    let bob = insert(&store, "bob@example.com").await;
    let (reset, confirmation) = (LinkPurpose::PasswordReset, LinkPurpose::EmailConfirmation);
    let taken = write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        admin.put_link(&[1; 32], ann, reset, 0, 100).await?;
        // Voids the one before.
        admin.put_link(&[2; 32], ann, reset, 0, 100).await?;
        admin.put_link(&[3; 32], ann, confirmation, 0, 100).await?;
        admin.put_link(&[4; 32], bob, reset, 0, 100).await?;
        admin.put_link(&[5; 32], bob, confirmation, 0, 100).await?;
        admin.drop_links(bob, confirmation).await?;
        let mut taken = Vec::new();
        for (hash, purpose, now) in [
            (1, reset, 0),
            (2, confirmation, 0),
            (2, reset, 99),
            (2, reset, 99),
            (3, confirmation, 100),
            (4, reset, 0),
            (5, confirmation, 0),
        ] {
            taken.push(admin.take_link(&[hash; 32], purpose, now).await?);
        }
        Ok(taken)
    });
    let expected = [None, None, Some(ann), None, None, Some(bob), None];
    assert_eq!(taken.unwrap(), expected);
}
