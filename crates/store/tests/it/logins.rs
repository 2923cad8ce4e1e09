//! Signed-in browsers, what they may do, and how often signing in failed.

use wagate_model::{LoginId, OrganizationId, PlatformRole, Role, UserId};
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{Lane, LoginRecord, Standing};

use crate::users::{changed, insert};
use crate::{fresh, write};

pub(crate) async fn login(
    store: &TestStore,
    user: UserId,
    hash: u8,
    organization: Option<OrganizationId>,
) -> LoginRecord {
    let record = LoginRecord {
        id: fresh!(LoginId),
        user_id: user,
        active_organization_id: organization,
        user_agent: Some("Browser\0".into()),
        created_at: START_MS + 1,
        last_used_at: START_MS + 1,
        expires_at: START_MS + 100,
    };
    let stored = record.clone();
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .insert_login(&stored, &[hash; 32])
        .await)
    .unwrap();
    LoginRecord {
        user_agent: Some("Browser\u{fffd}".into()),
        ..record
    }
}

pub(crate) async fn standing(
    store: &TestStore,
    login: &LoginRecord,
    organization: Option<OrganizationId>,
    now_ms: i64,
) -> Option<Standing> {
    let mut tx = store.read().await.unwrap();
    let mut admin = tx.admin();
    let standing = admin.standing(login.user_id, login.id, organization, now_ms);
    standing.await.unwrap()
}

#[tokio::test]
async fn a_login_is_found_by_its_cookie_until_it_ends() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let user = insert(&store, "ann@example.com").await;
    let by_hash = async |hash: u8, now: i64| {
        let mut tx = store.read().await.unwrap();
        tx.admin().login_by_hash(&[hash; 32], now).await.unwrap()
    };
    let record = login(&store, user, 1, None).await;
    assert_eq!(by_hash(1, START_MS + 99).await, Some(record.clone()));
    assert_eq!(by_hash(1, START_MS + 100).await, None);
    assert_eq!(by_hash(2, START_MS).await, None);
    let id = record.id;
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        admin.touch_login(id, START_MS + 90, START_MS + 200).await?;
        admin.activate_organization(id, Some(organization)).await
    })
    .unwrap();
    let touched = by_hash(1, START_MS + 100).await.unwrap();
    assert_eq!(
        (touched.last_used_at, touched.expires_at),
        (START_MS + 90, START_MS + 200)
    );
    assert_eq!(touched.active_organization_id, Some(organization));
    let mut tx = store.read().await.unwrap();
    let signed_in = tx.admin().user(user).await.unwrap().unwrap();
    assert_eq!(signed_in.last_login_at, Some(START_MS + 1));
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .set_ban(user, None, true, START_MS)
        .await)
    .unwrap();
    assert_eq!(by_hash(1, START_MS).await, None);
}

#[tokio::test]
async fn logins_are_ended_by_their_user_only() {
    let store = testing::store().await;
    let ann = insert(&store, "ann@example.com").await;
    let bob = insert(&store, "bob@example.com").await;
    let mut own = Vec::new();
    for hash in 0..3 {
        own.push(login(&store, ann, hash, None).await);
    }
    own.sort_by_key(|login| std::cmp::Reverse(login.id));
    let others = login(&store, bob, 9, None).await;
    let list = async |user: UserId, now: i64| {
        let mut tx = store.read().await.unwrap();
        tx.admin().logins(user, now).await.unwrap()
    };
    assert_eq!(list(ann, START_MS).await, own);
    assert_eq!(list(ann, START_MS + 100).await, []);
    let end = async |user: UserId, id: LoginId| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .delete_login(user, id)
            .await)
        .unwrap()
    };
    assert!(!end(bob, own[0].id).await);
    assert!(end(ann, own[0].id).await);
    assert!(!end(ann, own[0].id).await);
    assert!(changed(&store).await.iter().any(|(user, _)| *user == ann));
    let kept = own[1].id;
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .delete_logins(ann, Some(kept))
        .await)
    .unwrap();
    assert_eq!(list(ann, START_MS).await, own[1..2]);
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .delete_logins(ann, None)
        .await)
    .unwrap();
    assert_eq!(list(ann, START_MS).await, []);
    assert_eq!(list(bob, START_MS).await, [others]);
}

#[tokio::test]
async fn a_standing_is_that_of_the_login_and_the_organization() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let foreign = store.organization().await;
    let user = insert(&store, "ann@example.com").await;
    let other = insert(&store, "bob@example.com").await;
    write!(store, organization, |tx| {
        tx.insert_member(organization, user, Role::Admin, START_MS)
            .await
    })
    .unwrap();
    let record = login(&store, user, 1, None).await;
    let own = standing(&store, &record, Some(organization), START_MS)
        .await
        .unwrap();
    let expected = Standing {
        name: "Ann\u{fffd}".into(),
        platform_role: PlatformRole::User,
        role: Some(Role::Admin),
        has_organization: true,
        expires_at: START_MS + 100,
    };
    assert_eq!(own, expected);
    let elsewhere = standing(&store, &record, Some(foreign), START_MS).await;
    let elsewhere = elsewhere.unwrap();
    assert_eq!((elsewhere.role, elsewhere.has_organization), (None, true));
    for nowhere in [None, Some(fresh!(OrganizationId))] {
        let nowhere = standing(&store, &record, nowhere, START_MS).await.unwrap();
        assert_eq!((nowhere.role, nowhere.has_organization), (None, false));
    }
    let late = standing(&store, &record, Some(organization), START_MS + 100).await;
    assert_eq!(late, None);
    let stolen = LoginRecord {
        user_id: other,
        ..record.clone()
    };
    let stolen = standing(&store, &stolen, Some(organization), START_MS).await;
    assert_eq!(stolen, None);
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .set_ban(user, None, true, START_MS)
        .await)
    .unwrap();
    let banned = standing(&store, &record, Some(organization), START_MS).await;
    assert_eq!(banned, None);
}

#[tokio::test]
async fn failures_to_sign_in_are_counted_by_name() {
    let store = testing::store().await;
    let failures = write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        assert_eq!(admin.login_failures(&[1; 32]).await?, None);
        admin.put_login_failures(&[1; 32], 1, 0, 10).await?;
        admin.put_login_failures(&[1; 32], 2, 99, 20).await?;
        admin.put_login_failures(&[2; 32], 5, 0, 10).await?;
        admin.clear_login_failures(&[2; 32]).await?;
        assert_eq!(admin.login_failures(&[2; 32]).await?, None);
        admin.login_failures(&[1; 32]).await
    });
    assert_eq!(failures.unwrap(), Some((2, 20, 99)));
}

#[tokio::test]
async fn what_people_leave_behind_goes_in_time_and_in_bounded_steps() {
    let store = testing::store().await;
    let user = insert(&store, "ann@example.com").await;
    for hash in 0..3 {
        login(&store, user, hash, None).await;
    }
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        let end = START_MS + 100;
        let purpose = wagate_store::LinkPurpose::PasswordReset;
        admin
            .put_link(&[1; 32], user, purpose, START_MS, end)
            .await?;
        admin
            .put_login_failures(&[1; 32], 1, 0, START_MS + 99)
            .await?;
        // It holds somebody back for longer than it is old.
        admin
            .put_login_failures(&[2; 32], 9, START_MS + 500, START_MS + 99)
            .await
    })
    .unwrap();
    let purge = async |before: i64| {
        write!(store, Lane::SHARED, |tx| {
            let mut admin = tx.admin();
            Ok((
                admin.purge_logins(before, 2).await?,
                admin.purge_links(before, 2).await?,
                admin.purge_login_failures(before, 2).await?,
            ))
        })
        .unwrap()
    };
    assert_eq!(purge(START_MS + 99).await, (0, 0, 0));
    assert_eq!(purge(START_MS + 101).await, (2, 1, 1));
    assert_eq!(purge(START_MS + 101).await, (1, 0, 0));
    assert_eq!(purge(START_MS + 501).await, (0, 0, 1));
}
