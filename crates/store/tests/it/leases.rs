use std::time::Duration;

use tokio::sync::oneshot;
use wagate_model::{GatewayId, SessionId, SessionStatus, StatusDetail, StatusReason};
use wagate_store::testing;
use wagate_store::{Account, Fence, Heartbeat, Lane, Store, StoreError};

use crate::write;

fn gateway(name: &str) -> GatewayId {
    name.parse().unwrap()
}

async fn claim(store: &Store, session: SessionId, name: &str, ttl_ms: i64) -> Option<Fence> {
    let gateway = gateway(name);
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .claim_lease(session, &gateway, ttl_ms)
        .await)
    .unwrap()
}

async fn check(store: &Store, fence: &Fence) -> Result<(), StoreError> {
    let fence = fence.clone();
    write!(store, Lane::SHARED, |tx| tx.check_fence(&fence).await)
}

#[tokio::test]
async fn a_session_has_one_owner_and_the_epoch_only_grows() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let first = claim(&store, session, "gw-1", 60_000).await.unwrap();
    assert_eq!(first.epoch, 1);
    assert_eq!(claim(&store, session, "gw-2", 60_000).await, None);
    check(&store, &first).await.unwrap();
    let owner = store
        .read()
        .await
        .unwrap()
        .session_owner(organization, session)
        .await
        .unwrap();
    let owner = owner.unwrap();
    assert_eq!((owner.gateway_id.as_str(), owner.epoch), ("gw-1", 1));
    assert!((1..=60_000).contains(&owner.expires_in_ms));

    // The same gateway, started again, gets a new epoch; its former self is fenced.
    let again = claim(&store, session, "gw-1", -1).await.unwrap();
    assert_eq!(again.epoch, 2);
    assert!(matches!(
        check(&store, &first).await,
        Err(StoreError::Fenced)
    ));
    // It has run out by now, and still holds until somebody takes it over.
    check(&store, &again).await.unwrap();
    let taken = claim(&store, session, "gw-2", 60_000).await.unwrap();
    assert_eq!(taken.epoch, 3);
    assert!(matches!(
        check(&store, &again).await,
        Err(StoreError::Fenced)
    ));

    let fence = taken.clone();
    assert!(
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .release_lease(&fence)
            .await)
        .unwrap()
    );
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.session_owner(organization, session).await.unwrap(), None);
    assert_eq!(
        claim(&store, session, "gw-1", 60_000).await.unwrap().epoch,
        4
    );
    assert!(
        !write!(store, Lane::SHARED, |tx| tx
            .admin()
            .release_lease(&taken)
            .await)
        .unwrap()
    );
}

#[tokio::test]
async fn a_takeover_waits_for_the_old_owners_transaction() {
    let store = testing::store().await;
    let other = store.second().await.unwrap();
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let old = claim(&store, session, "gw-1", -1).await.unwrap();
    let (open, gate) = oneshot::channel::<()>();
    let (begun, begins) = oneshot::channel::<()>();
    let handle = store.handle();
    let last_write = tokio::spawn(async move {
        write!(handle, organization, |tx| {
            let mut owned = tx.owned(&old).await?;
            begun.send(()).unwrap();
            gate.await.unwrap();
            owned
                .set_status(SessionStatus::Working, None, None, 5)
                .await
        })
    });
    begins.await.unwrap();
    let handle = other.clone();
    let mut takeover = tokio::spawn(async move { claim(&handle, session, "gw-2", 60_000).await });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut takeover).await;
    assert!(early.is_err(), "the takeover did not wait");
    open.send(()).unwrap();
    last_write.await.unwrap().unwrap();
    assert_eq!(takeover.await.unwrap().unwrap().epoch, 2);
    other.close().await;
}

#[tokio::test]
async fn renewals_pass_while_the_owner_writes_and_tell_what_is_lost() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let kept = store.session(organization).await;
    let lost = store.session(organization).await;
    let fence = claim(&store, kept, "gw-1", 1).await.unwrap();
    claim(&store, lost, "gw-1", -1).await.unwrap();
    claim(&store, lost, "gw-2", 60_000).await.unwrap();
    let held = [(kept, 1), (lost, 1)];
    let renewed = write!(store, Lane::SHARED, |tx| {
        tx.check_fence(&fence).await?;
        tx.admin()
            .renew_leases(&gateway("gw-1"), &held, 60_000)
            .await
    })
    .unwrap();
    assert_eq!(renewed, [kept]);
    let mut tx = store.read().await.unwrap();
    let owner = tx.session_owner(organization, kept).await.unwrap().unwrap();
    assert!(owner.expires_in_ms > 30_000);
}

#[tokio::test]
async fn wanted_sessions_without_an_owner_are_claimed_once() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let mut wanted = vec![
        store.session(organization).await,
        store.session(organization).await,
    ];
    let stopped = store.session(organization).await;
    let owned = store.session(organization).await;
    claim(&store, owned, "gw-2", 60_000).await.unwrap();
    write!(store, organization, |tx| {
        tx.set_session_wanted(organization, stopped, false, 1).await
    })
    .unwrap();
    let claimed = write!(store, Lane::SHARED, |tx| {
        tx.admin()
            .claim_wanted_sessions(&gateway("gw-1"), 60_000, 10)
            .await
    })
    .unwrap();
    let mut ids: Vec<_> = claimed
        .iter()
        .map(|claimed| claimed.fence.session_id)
        .collect();
    ids.sort();
    wanted.sort();
    assert_eq!(ids, wanted);
    assert!(
        claimed
            .iter()
            .all(|claimed| claimed.organization_id == organization)
    );
    let claims = async |limit: i64| {
        write!(store, Lane::SHARED, |tx| {
            tx.admin()
                .claim_wanted_sessions(&gateway("gw-1"), 60_000, limit)
                .await
        })
        .unwrap()
        .len()
    };
    assert_eq!(claims(10).await, 0);
    // The gateway starts again: its own leases end, the other gateway's does not.
    let ended = write!(store, Lane::SHARED, |tx| {
        tx.admin().end_leases(&gateway("gw-1")).await
    });
    assert_eq!(ended.unwrap(), 2);
    // However small the batches: each session is claimed once.
    assert_eq!(claims(1).await, 1);
    assert_eq!(claims(1).await, 1);
    assert_eq!(claims(1).await, 0);
}

#[tokio::test]
async fn gateways_report_themselves_and_are_listed_with_their_sessions() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    claim(&store, session, "gw-1", 60_000).await.unwrap();
    let listed = write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        admin
            .report_gateway(&gateway("gw-1"), "1.0", false, true)
            .await?;
        admin
            .report_gateway(&gateway("gw-1"), "1.0", true, false)
            .await?;
        admin
            .report_gateway(&gateway("gw-2"), "1.0", false, true)
            .await?;
        admin.remove_gateway(&gateway("gw-2")).await?;
        admin.gateways().await
    })
    .unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].is_draining);
    assert_eq!(listed[0].session_count, 1);
    assert!((0..60_000).contains(&listed[0].silent_for_ms));
}

#[tokio::test]
async fn a_name_is_entered_once_while_it_reports() {
    let store = testing::store().await;
    let enter = async |seen: Option<Heartbeat>| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .enter_gateway(&gateway("gw-1"), "1.0", seen)
            .await)
        .unwrap()
    };
    let heartbeat = async || {
        let mut tx = store.read().await.unwrap();
        tx.admin().heartbeat(&gateway("gw-1")).await.unwrap()
    };
    assert_eq!(heartbeat().await, None);
    assert!(enter(None).await);
    // Who saw nothing, and who saw an older heartbeat, are too late.
    assert!(!enter(None).await);
    let last = heartbeat().await.unwrap();
    assert!(!last.is_draining && (0..60_000).contains(&last.silent_for_ms));
    let older = Heartbeat {
        at_ms: last.at_ms - 1,
        ..last
    };
    assert!(!enter(Some(older)).await);
    assert!(enter(Some(last)).await);
}

#[tokio::test]
async fn a_live_status_is_shown_as_starting_when_the_lease_has_run_out() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let working = fence.clone();
    let account = Account {
        jid: "15551234567@s.whatsapp.net".into(),
        lid: Some("9@lid".into()),
        phone_number: Some("15551234567".into()),
        push_name: Some("Me".into()),
    };
    let changed = write!(store, organization, |tx| {
        let mut owned = tx.owned(&working).await?;
        owned.set_account(Some(&account), 6).await?;
        let first = owned
            .set_status(SessionStatus::Working, None, None, 7)
            .await?;
        let second = owned
            .set_status(SessionStatus::Working, None, None, 8)
            .await?;
        Ok((first, second))
    })
    .unwrap();
    assert_eq!(changed, (true, false));
    let mut tx = store.read().await.unwrap();
    let record = tx.session(organization, session).await.unwrap().unwrap();
    assert_eq!(record.session.status, SessionStatus::Working);
    assert_eq!(record.session.last_connected_at, Some(8));
    assert_eq!(record.session.wa_lid.as_deref(), Some("9@lid"));
    assert_eq!(record.push_name.as_deref(), Some("Me"));
    let refused = write!(store, organization, |tx| {
        tx.set_unowned_status(organization, session, SessionStatus::Stopped, 9)
            .await
    });
    assert!(
        !refused.unwrap(),
        "only the owner writes the status of an owned session"
    );

    let released = fence.clone();
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .release_lease(&released)
        .await)
    .unwrap();
    let record = tx.session(organization, session).await.unwrap().unwrap();
    assert_eq!(record.session.status, SessionStatus::Starting);
    assert_eq!(record.stored_status, SessionStatus::Working);
    assert_eq!(
        tx.sessions(organization).await.unwrap()[0].session.status,
        SessionStatus::Starting
    );
    let all = tx.admin().sessions().await.unwrap();
    assert_eq!(all[0].session.status, SessionStatus::Starting);

    let fence = store.claim(session).await;
    let detail = StatusDetail {
        whatsapp_code: Some(403),
        expires_at: None,
    };
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        owned
            .set_status(
                SessionStatus::Failed,
                Some(StatusReason::Banned),
                Some(detail),
                10,
            )
            .await?;
        owned.set_wanted(false, 10).await?;
        owned.set_account(None, 10).await?;
        assert!(!owned.record().await?.unwrap().is_wanted_running);
        owned.admin().release_lease(&fence).await
    })
    .unwrap();
    let record = tx.session(organization, session).await.unwrap().unwrap();
    assert_eq!(record.session.status, SessionStatus::Failed);
    assert_eq!(record.session.status_reason, Some(StatusReason::Banned));
    assert_eq!(record.session.status_detail, Some(detail));
    assert_eq!(record.session.wa_jid, None);
    let allowed = write!(store, organization, |tx| {
        tx.set_unowned_status(organization, session, SessionStatus::Stopped, 11)
            .await
    });
    assert!(allowed.unwrap());
}

#[tokio::test]
async fn a_deleted_session_is_gone_and_its_owner_fenced() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let delete = async || {
        write!(store, organization, |tx| tx
            .delete_session(organization, session, 9)
            .await)
        .unwrap()
    };
    assert!(delete().await);
    assert!(!delete().await);
    assert!(matches!(
        check(&store, &fence).await,
        Err(StoreError::Fenced)
    ));
    let mut tx = store.read().await.unwrap();
    assert!(tx.session(organization, session).await.unwrap().is_none());
    assert!(tx.sessions(organization).await.unwrap().is_empty());
    assert_eq!(
        tx.admin().session_organization(session).await.unwrap(),
        None
    );
    assert_eq!(claim(&store, session, "gw-1", 60_000).await, None);
}
