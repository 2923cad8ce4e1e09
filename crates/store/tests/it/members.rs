//! Members of organizations, and those who are invited.

use wagate_model::{Invitation, InvitationId, OrganizationId, Role};
use wagate_store::testing::{self, START_MS};
use wagate_store::{Lane, StoreError};

use crate::logins::login;
use crate::users::{changed, insert};
use crate::{fresh, write};

#[tokio::test]
async fn members_come_change_and_go_in_their_organization_only() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let user = insert(&store, "ann@example.com").await;
    let add = async |role: Role| {
        write!(store, organization, |tx| {
            tx.insert_member(organization, user, role, START_MS).await
        })
        .unwrap()
    };
    assert!(add(Role::Owner).await);
    assert!(!add(Role::Member).await, "a role is not changed by joining");
    let noted = changed(&store).await;
    assert_eq!(noted[0].0, user);
    let member = async |by: OrganizationId| {
        let mut tx = store.read().await.unwrap();
        let one = tx.member(by, user).await.unwrap();
        let listed = tx.members(by).await.unwrap();
        assert_eq!(listed, one.clone().into_iter().collect::<Vec<_>>());
        one
    };
    let found = member(organization).await.unwrap();
    assert_eq!(
        (
            found.user_id,
            found.role,
            found.joined_at,
            found.email.as_str()
        ),
        (user, Role::Owner, START_MS, "ann@example.com")
    );
    assert_eq!(member(stranger).await, None);
    let memberships = async || {
        let mut tx = store.read().await.unwrap();
        let memberships = tx.admin().memberships(user).await.unwrap();
        memberships
            .into_iter()
            .map(|(organization, role)| (organization.id, role))
            .collect::<Vec<_>>()
    };
    assert_eq!(memberships().await, [(organization, Role::Owner)]);
    let set = async |by: OrganizationId| {
        write!(store, by, |tx| tx
            .set_member_role(by, user, Role::Admin)
            .await)
        .unwrap()
    };
    assert!(!set(stranger).await);
    assert!(set(organization).await);
    assert_eq!(member(organization).await.unwrap().role, Role::Admin);
    let active = login(&store, user, 1, Some(organization)).await;
    let elsewhere = login(&store, user, 2, Some(stranger)).await;
    let remove = async |by: OrganizationId| {
        write!(store, by, |tx| tx.delete_member(by, user).await).unwrap()
    };
    assert!(remove(organization).await);
    assert!(!remove(organization).await);
    assert_eq!(member(organization).await, None);
    assert_eq!(memberships().await, []);
    let mut tx = store.read().await.unwrap();
    for login in tx.admin().logins(user, START_MS).await.unwrap() {
        let expected = (login.id == elsewhere.id).then_some(stranger);
        assert!([active.id, elsewhere.id].contains(&login.id));
        assert_eq!(login.active_organization_id, expected);
    }
    assert!(changed(&store).await[0].1 > noted[0].1);
}

#[tokio::test]
async fn the_organization_is_held_by_who_changes_its_members() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let held = write!(store, organization, |tx| {
        let held = tx.organization_for_update(organization).await?;
        assert!(tx.rename_organization(organization, "New\0").await?);
        Ok(held)
    });
    assert_eq!(held.unwrap().unwrap().name, "Test");
    let mut tx = store.read().await.unwrap();
    let renamed = tx.organization(organization).await.unwrap().unwrap();
    assert_eq!(renamed.name, "New\u{fffd}");
    let nowhere = fresh!(OrganizationId);
    let nothing = write!(store, nowhere, |tx| {
        assert!(!tx.rename_organization(nowhere, "x").await?);
        tx.organization_for_update(nowhere).await
    });
    assert_eq!(nothing.unwrap(), None);
    let user = insert(&store, "ann@example.com").await;
    let refused = write!(store, nowhere, |tx| {
        tx.insert_member(nowhere, user, Role::Member, START_MS)
            .await
    });
    assert!(matches!(refused, Err(StoreError::NoOrganization)));
}

#[tokio::test]
async fn an_address_has_one_invitation_per_organization() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let invitation = |organization_id, email: &str, expires_in: i64| Invitation {
        id: fresh!(InvitationId),
        organization_id,
        email: email.parse().unwrap(),
        role: Role::Admin,
        invited_by: "Ann".into(),
        created_at: START_MS,
        expires_at: START_MS + expires_in,
    };
    let put = async |invitation: &Invitation, hash: u8| {
        let (by, invitation) = (invitation.organization_id, invitation.clone());
        write!(store, by, |tx| tx
            .put_invitation(by, &invitation, &[hash; 32])
            .await)
        .unwrap();
    };
    let replaced = invitation(organization, "bob@example.com", 100);
    let current = invitation(organization, "bob@example.com", 100);
    let elsewhere = invitation(stranger, "bob@example.com", 50);
    put(&replaced, 1).await;
    put(&current, 2).await;
    put(&elsewhere, 3).await;
    let list = async |by: OrganizationId, now: i64| {
        let mut tx = store.read().await.unwrap();
        tx.invitations(by, now).await.unwrap()
    };
    assert_eq!(list(organization, START_MS + 99).await, [current.clone()]);
    assert_eq!(list(organization, START_MS + 100).await, []);
    assert_eq!(list(stranger, START_MS).await, [elsewhere.clone()]);
    let by_token = async |hash: u8, now: i64| {
        let mut tx = store.read().await.unwrap();
        let mut admin = tx.admin();
        admin.invitation_by_token(&[hash; 32], now).await.unwrap()
    };
    assert_eq!(by_token(1, START_MS).await, None);
    assert_eq!(by_token(2, START_MS).await, Some(current.clone()));
    assert_eq!(by_token(2, START_MS + 100).await, None);
    let delete = async |by: OrganizationId, id: InvitationId| {
        write!(store, by, |tx| tx.delete_invitation(by, id).await).unwrap()
    };
    assert_eq!(delete(stranger, current.id).await, None);
    assert_eq!(
        delete(organization, current.id).await,
        Some(current.email.clone())
    );
    assert_eq!(delete(organization, current.id).await, None);
    let purge = async |before: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_invitations(before, 10)
            .await)
        .unwrap()
    };
    assert_eq!(purge(START_MS + 50).await, 0);
    assert_eq!(purge(START_MS + 51).await, 1);
}
