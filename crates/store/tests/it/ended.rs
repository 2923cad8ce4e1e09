//! The end of an organization: unknown at once, its rows gone in steps.

use serde_json::value::to_raw_value;
use wagate_model::{
    ApiKey, ApiKeyId, ApiKeySecret, Capabilities, EventKind, Invitation, InvitationId,
    OrganizationId, ReplayScope, Role, SessionId, UserId, WebhookId,
};
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{
    AuditFilter, DeliveryFilter, EndedOrganization, EventFilter, Fence, Lane, LoginRecord,
    NewEvent, SecretChange, StoreError,
};

use crate::audit::log;
use crate::deliveries::{LIMITS, claim, emit, setup};
use crate::events::webhook;
use crate::logins::{login, standing};
use crate::users::{changed, insert};
use crate::webhook_secrets::rotation;
use crate::{fresh, write};

/// An organization with some of everything.
struct Tenant {
    organization: OrganizationId,
    session: SessionId,
    fence: Fence,
    webhook: WebhookId,
    key: ApiKeyId,
    user: UserId,
    login: LoginRecord,
    /// The number that makes its secrets differ from another's.
    number: u8,
}

fn key(organization: OrganizationId) -> ApiKey {
    ApiKey {
        id: fresh!(ApiKeyId),
        organization_id: organization,
        name: "ci".into(),
        hint: ApiKeySecret::from_bytes([3; 32]).hint(),
        capabilities: Capabilities::all(),
        session_ids: None,
        expires_at: None,
        revoked_at: None,
        created_at: START_MS,
        last_used_at: None,
    }
}

fn invitation(organization: OrganizationId) -> Invitation {
    Invitation {
        id: fresh!(InvitationId),
        organization_id: organization,
        email: "carol@example.com".parse().unwrap(),
        role: Role::Member,
        invited_by: "Ann".into(),
        created_at: START_MS,
        expires_at: START_MS + 1_000,
    }
}

async fn tenant(store: &TestStore, number: u8) -> Tenant {
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let hook = webhook(organization, &["*"]);
    let webhook = hook.id;
    setup(&[hook], organization, store).await;
    emit(store, organization, session, &[None; 7]).await;
    let user = insert(store, &format!("user{number}@example.com")).await;
    let key = key(organization);
    let id = key.id;
    write!(store, organization, |tx| {
        tx.insert_api_key(organization, &key, &[number; 32]).await?;
        tx.insert_member(organization, user, Role::Owner, START_MS)
            .await?;
        tx.put_invitation(organization, &invitation(organization), &[number; 32])
            .await?;
        let scope = to_raw_value(&1)?;
        tx.insert_ticket(Some(organization), &[number; 32], &scope, 0, i64::MAX)
            .await
    })
    .unwrap();
    let numbers: Vec<_> = (0..7).map(|line| u64::from(number) * 100 + line).collect();
    log(store, Some(organization), &numbers).await;
    Tenant {
        login: login(store, user, number, Some(organization)).await,
        organization,
        session,
        fence,
        webhook,
        key: id,
        user,
        number,
    }
}

async fn end(store: &TestStore, organization: OrganizationId) -> Option<EndedOrganization> {
    write!(store, organization, |tx| {
        tx.end_organization(organization, START_MS + 9).await
    })
    .unwrap()
}

/// What is found of a tenant by everything that is given an organization, a credential or a
/// resource from outside.
async fn found(store: &TestStore, tenant: &Tenant) -> Vec<(&'static str, bool)> {
    let mut found = found_in_organization(store, tenant).await;
    found.extend(found_by_others(store, tenant).await);
    found
}

async fn found_in_organization(store: &TestStore, tenant: &Tenant) -> Vec<(&'static str, bool)> {
    let organization = tenant.organization;
    let mut tx = store.read().await.unwrap();
    let deliveries = tx
        .deliveries(
            organization,
            tenant.webhook,
            &DeliveryFilter::default(),
            None,
            9,
        )
        .await
        .unwrap();
    let events = tx
        .events_after(organization, None, &EventFilter::default(), 9)
        .await
        .unwrap();
    let audit = tx
        .audit(organization, &AuditFilter::default(), None, 9)
        .await
        .unwrap();
    let session = tx.session(organization, tenant.session).await.unwrap();
    let webhook = tx.webhook(organization, tenant.webhook).await.unwrap();
    let secret = tx.has_webhook_secret(organization, tenant.webhook).await;
    let owner = tx
        .session_owner(organization, tenant.session)
        .await
        .unwrap();
    let mut found = vec![
        ("deliveries", !deliveries.is_empty()),
        ("events", !events.is_empty()),
        ("audit", !audit.is_empty()),
        ("session", session.is_some()),
        (
            "sessions",
            !tx.sessions(organization).await.unwrap().is_empty(),
        ),
        ("owner", owner.is_some()),
        ("webhook", webhook.is_some()),
        (
            "webhooks",
            !tx.webhooks(organization).await.unwrap().is_empty(),
        ),
        ("secret", secret.unwrap().is_some()),
        (
            "organization",
            tx.organization(organization).await.unwrap().is_some(),
        ),
        (
            "last event",
            tx.last_event_id(organization).await.unwrap().is_some(),
        ),
        ("keys", !tx.api_keys(organization).await.unwrap().is_empty()),
        (
            "members",
            !tx.members(organization).await.unwrap().is_empty(),
        ),
        (
            "member",
            tx.member(organization, tenant.user)
                .await
                .unwrap()
                .is_some(),
        ),
        (
            "invitations",
            !tx.invitations(organization, START_MS)
                .await
                .unwrap()
                .is_empty(),
        ),
    ];
    let key = tx.api_key(organization, tenant.key).await.unwrap();
    found.push(("key", key.is_some_and(|key| key.is_valid_at(START_MS))));
    found
}

async fn found_by_others(store: &TestStore, tenant: &Tenant) -> Vec<(&'static str, bool)> {
    let organization = tenant.organization;
    let hash = [tenant.number; 32];
    let mut tx = store.read().await.unwrap();
    let mut admin = tx.admin();
    let organizations = admin.organizations().await.unwrap();
    let mut found = vec![
        (
            "key by hash",
            admin.api_key_by_hash(&hash).await.unwrap().is_some(),
        ),
        (
            "ticket",
            admin
                .ticket_organization(&hash, START_MS)
                .await
                .unwrap()
                .is_some(),
        ),
        (
            "invitation",
            admin
                .invitation_by_token(&hash, START_MS)
                .await
                .unwrap()
                .is_some(),
        ),
        (
            "session's",
            admin
                .session_organization(tenant.session)
                .await
                .unwrap()
                .is_some(),
        ),
        (
            "webhook's",
            admin
                .webhook_organization(tenant.webhook)
                .await
                .unwrap()
                .is_some(),
        ),
        (
            "all sessions",
            admin
                .sessions()
                .await
                .unwrap()
                .iter()
                .any(|record| record.session.id == tenant.session),
        ),
        (
            "all organizations",
            organizations.iter().any(|one| one.id == organization),
        ),
        (
            "all streams",
            admin
                .last_event_ids()
                .await
                .unwrap()
                .iter()
                .any(|(id, _)| *id == organization),
        ),
        (
            "memberships",
            !admin.memberships(tenant.user).await.unwrap().is_empty(),
        ),
    ];
    drop(tx);
    let standing = standing(store, &tenant.login, Some(organization), START_MS).await;
    let standing = standing.unwrap();
    found.push((
        "standing",
        standing.has_organization || standing.role.is_some(),
    ));
    found
}

#[tokio::test]
async fn it_is_unknown_to_everybody_at_once() {
    let store = testing::store().await;
    let (gone, kept) = (tenant(&store, 1).await, tenant(&store, 2).await);
    let before = changed(&store).await;
    for (name, is_found) in found(&store, &gone).await {
        assert!(is_found, "{name}");
    }
    let ended = end(&store, gone.organization).await.unwrap();
    let expected = EndedOrganization {
        name: "Test".into(),
        owned_sessions: vec![(gone.session, "gw-1".parse().unwrap())],
        api_keys: vec![gone.key],
        users: vec![gone.user],
    };
    assert_eq!(ended, expected);
    assert_eq!(end(&store, gone.organization).await, None);
    for (name, is_found) in found(&store, &gone).await {
        assert!(!is_found, "{name}");
    }
    for (name, is_found) in found(&store, &kept).await {
        assert!(is_found, "{name}");
    }
    let mut tx = store.read().await.unwrap();
    let revoked = tx.admin().api_keys_revoked_within(60_000).await.unwrap();
    assert_eq!(revoked, [gone.key]);
    let after = changed(&store).await;
    let noted = |list: &[(UserId, i64)], user| list.iter().find(|(id, _)| *id == user).copied();
    assert!(noted(&after, gone.user) > noted(&before, gone.user));
    assert_eq!(noted(&after, kept.user), noted(&before, kept.user));
    let logins = tx.admin().logins(gone.user, START_MS).await.unwrap();
    assert_eq!(logins[0].active_organization_id, None);
    let claimed = claim(&store, "w", LIMITS, START_MS).await;
    assert!(!claimed.is_empty());
    let is_kept = |target: OrganizationId| target == kept.organization;
    assert!(claimed.iter().all(|one| is_kept(one.target.organization)));
}

#[tokio::test]
async fn an_owner_that_hears_nothing_is_fenced_and_loses_its_leases() {
    let store = testing::store().await;
    let (gone, kept) = (tenant(&store, 1).await, tenant(&store, 2).await);
    end(&store, gone.organization).await.unwrap();
    let fence = gone.fence.clone();
    let fenced = write!(store, Lane::SHARED, |tx| tx.owned(&fence).await.map(drop));
    assert!(matches!(fenced, Err(StoreError::Fenced)), "{fenced:?}");
    let held: Vec<_> = [&gone, &kept]
        .map(|tenant| (tenant.session, tenant.fence.epoch))
        .into();
    let session = gone.session;
    let (renewed, claimed, wanted) = write!(store, Lane::SHARED, |tx| {
        let gateway = "gw-1".parse().unwrap();
        let mut admin = tx.admin();
        let renewed = admin.renew_leases(&gateway, &held, 60_000).await?;
        let claimed = admin.claim_lease(session, &gateway, 60_000).await?;
        let wanted = admin.claim_wanted_sessions(&gateway, 60_000, 9).await?;
        Ok((renewed, claimed, wanted))
    })
    .unwrap();
    assert_eq!(renewed, [kept.session]);
    assert_eq!((claimed, wanted), (None, vec![]));
    // A single session that is deleted ends its lease as well.
    let (organization, session, epoch) = (kept.organization, kept.session, kept.fence.epoch);
    let renewed = write!(store, organization, |tx| {
        tx.delete_session(organization, session, 1).await?;
        let gateway = "gw-1".parse().unwrap();
        let held = [(session, epoch)];
        tx.admin().renew_leases(&gateway, &held, 60_000).await
    });
    assert_eq!(renewed.unwrap(), []);
}

#[tokio::test]
async fn nothing_is_added_to_it_any_more() {
    let store = testing::store().await;
    let gone = tenant(&store, 1).await;
    let organization = gone.organization;
    let event = {
        let mut tx = store.read().await.unwrap();
        tx.last_event_id(organization).await.unwrap().unwrap()
    };
    let hook = {
        let mut tx = store.read().await.unwrap();
        tx.webhook(organization, gone.webhook)
            .await
            .unwrap()
            .unwrap()
    };
    end(&store, organization).await.unwrap();
    let (new_hook, new_key) = (webhook(organization, &["*"]), key(organization));
    macro_rules! assert_refused {
        (|$tx:ident| $body:expr) => {
            let refused = write!(store, organization, |$tx| $body);
            assert!(
                matches!(refused, Err(StoreError::NoOrganization)),
                "{refused:?}"
            );
        };
    }
    assert_refused!(|tx| tx.insert_webhook(organization, &new_hook, None).await);
    assert_refused!(|tx| tx.insert_api_key(organization, &new_key, &[9; 32]).await);
    assert_refused!(|tx| {
        let scope = to_raw_value(&1)?;
        tx.insert_ticket(Some(organization), &[9; 32], &scope, 0, 9)
            .await
    });
    let user = gone.user;
    assert_refused!(|tx| tx.insert_member(organization, user, Role::Owner, 1).await);
    let invited = invitation(organization);
    assert_refused!(|tx| tx.put_invitation(organization, &invited, &[9; 32]).await);
    let new_session = wagate_store::NewSession {
        id: fresh!(SessionId),
        label: None,
        is_wanted_running: true,
        gateway_id: "gw-1".parse().unwrap(),
        auto_read: true,
        presence_typing: false,
        is_admin_session: false,
        rate_per_min: 20,
        rate_per_hour: 200,
        created_by_user_id: None,
    };
    assert_refused!(|tx| tx.insert_session(organization, &new_session, 1).await);
    let (id, session) = (gone.webhook, gone.session);
    store.commits.take();
    let changed = write!(store, organization, |tx| {
        tx.append_event(NewEvent::new(
            organization,
            session,
            EventKind::Message,
            1,
            &0,
        )?);
        Ok([
            tx.rename_organization(organization, "x").await?,
            tx.update_webhook(organization, &hook, &SecretChange::Keep, 1)
                .await?,
            tx.rotate_webhook_secret(organization, id, &rotation("x"), 1)
                .await?
                .is_some(),
            tx.replay_events(organization, id, &[event], ReplayScope::All, 1)
                .await?
                > 0,
            tx.delete_webhook(organization, id).await?,
            tx.replay_event(organization, id, event, 1).await?.is_some(),
            tx.set_session_wanted(organization, session, true, 1)
                .await?,
            tx.set_member_role(organization, user, Role::Member).await?,
        ])
    });
    assert_eq!(changed.unwrap(), [false; 8]);
    assert!(store.commits.take().into_iter().flatten().next().is_none());
}

#[tokio::test]
async fn its_rows_go_in_bounded_steps_and_nobody_elses() {
    let store = testing::store().await;
    let (gone, kept) = (tenant(&store, 1).await, tenant(&store, 2).await);
    end(&store, gone.organization).await.unwrap();
    let purge = async || {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_ended_organizations(3)
            .await)
        .unwrap()
    };
    assert_eq!(purge().await, 0, "its sessions go first");
    let purge_sessions = async || {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_deleted_sessions(START_MS, 3)
            .await)
        .unwrap()
    };
    while purge_sessions().await > 0 {}
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(purge().await);
    }
    // 7 deliveries, 7 events; 7 lines, a key, a webhook, and the organization.
    assert_eq!(steps, [3, 3, 1 + 3, 3, 1 + 3, 3, 1 + 1 + 1 + 1, 0]);
    for (name, is_found) in found(&store, &kept).await {
        assert!(is_found, "{name}");
    }
    let counts = async |organization: OrganizationId| {
        let mut tx = store.read().await.unwrap();
        let filter = EventFilter::default();
        let events = tx.events_after(organization, None, &filter, 99).await;
        let audit = tx
            .audit(organization, &AuditFilter::default(), None, 99)
            .await;
        (events.unwrap().len(), audit.unwrap().len())
    };
    assert_eq!(counts(kept.organization).await, (7, 7));
    let mut tx = store.read().await.unwrap();
    let everything = tx.admin().audit(&AuditFilter::default(), None, 99).await;
    assert_eq!(everything.unwrap().len(), 7);
    let again = gone.organization;
    write!(store, Lane::SHARED, |tx| tx
        .insert_organization(again, "Test", 1)
        .await)
    .expect("nothing is left of it");
}
