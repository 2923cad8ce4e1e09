//! The audit log.

use serde_json::json;
use wagate_model::{Actor, ActorKind, AuditAction, AuditEntry, AuditId, OrganizationId};
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{AuditFilter, Lane, StoreError};

use crate::{fresh, write};

/// The line of a number, which is its place in the log too.
fn line(organization: Option<OrganizationId>, number: u64) -> AuditEntry {
    AuditEntry {
        action: AuditAction::SessionStarted,
        actor: Actor {
            id: "user_1".into(),
            kind: ActorKind::User,
            name: "Ann\0".into(),
        },
        created_at: START_MS + i64::try_from(number).unwrap(),
        details: [("settings".to_owned(), json!(["label"]))]
            .into_iter()
            .collect(),
        id: AuditId::from_parts(number, 1),
        organization_id: organization,
        resource_id: format!("r{number}"),
    }
}

pub(crate) async fn log(store: &TestStore, organization: Option<OrganizationId>, numbers: &[u64]) {
    let lines: Vec<_> = numbers
        .iter()
        .map(|number| line(organization, *number))
        .collect();
    write!(store, Lane::SHARED, |tx| {
        for line in lines {
            tx.insert_audit(&line).await?;
        }
        Ok(())
    })
    .unwrap();
}

async fn listed(
    store: &TestStore,
    organization: Option<OrganizationId>,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: i64,
) -> Vec<String> {
    let before = before.map(|number| AuditId::from_parts(number, 1));
    let mut tx = store.read().await.unwrap();
    let entries = match organization {
        Some(organization) => tx.audit(organization, filter, before, limit).await,
        None => tx.admin().audit(filter, before, limit).await,
    };
    let entries = entries.unwrap().into_iter();
    entries.map(|entry| entry.resource_id).collect()
}

#[tokio::test]
async fn lines_come_newest_first_to_their_organization() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    log(&store, Some(organization), &[1, 3, 5]).await;
    log(&store, Some(stranger), &[2]).await;
    log(&store, None, &[4]).await;
    let all = AuditFilter::default();
    let own = Some(organization);
    assert_eq!(listed(&store, own, &all, None, 9).await, ["r5", "r3", "r1"]);
    assert_eq!(listed(&store, own, &all, Some(5), 1).await, ["r3"]);
    assert_eq!(listed(&store, Some(stranger), &all, None, 9).await, ["r2"]);
    let everything = listed(&store, None, &all, None, 9).await;
    assert_eq!(everything, ["r5", "r4", "r3", "r2", "r1"]);
    assert_eq!(listed(&store, None, &all, Some(3), 1).await, ["r2"]);
    let mut tx = store.read().await.unwrap();
    let entry = tx
        .audit(organization, &all, None, 1)
        .await
        .unwrap()
        .remove(0);
    let mut expected = line(own, 5);
    expected.actor.name = "Ann\u{fffd}".into();
    assert_eq!(entry, expected);
}

#[tokio::test]
async fn lines_are_found_by_actor_action_and_resource() {
    let store = testing::store().await;
    let organization = store.organization().await;
    log(&store, Some(organization), &[1, 2]).await;
    let mut other = line(Some(organization), 3);
    other.actor.id = "key_1".into();
    other.action = AuditAction::SessionStopped;
    other.resource_id = "r1".into();
    write!(store, organization, |tx| tx.insert_audit(&other).await).unwrap();
    let filter = |actor: &str, action, resource: &str| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        AuditFilter {
            actor_id: text(actor),
            action,
            resource_id: text(resource),
        }
    };
    let stopped = Some(AuditAction::SessionStopped);
    for (filter, expected) in [
        (filter("user_1", None, ""), vec!["r2", "r1"]),
        (filter("key_1", None, ""), vec!["r1"]),
        (filter("", stopped, ""), vec!["r1"]),
        (filter("", None, "r1"), vec!["r1", "r1"]),
        (filter("user_1", None, "r1"), vec!["r1"]),
        (filter("user_1", stopped, ""), vec![]),
        (filter("nobody\0", None, ""), vec![]),
    ] {
        for organization in [Some(organization), None] {
            let found = listed(&store, organization, &filter, None, 9).await;
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}

#[tokio::test]
async fn a_line_goes_with_its_transaction_and_by_age() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let failed = write!(store, organization, |tx| {
        tx.insert_audit(&line(Some(organization), 1)).await?;
        Err::<(), _>(StoreError::Closed)
    });
    assert!(failed.is_err());
    let nowhere = line(Some(fresh!(OrganizationId)), 1);
    let orphan = write!(store, organization, |tx| tx.insert_audit(&nowhere).await);
    assert!(matches!(orphan, Err(StoreError::Orphan(_))), "{orphan:?}");
    log(&store, Some(organization), &[2, 3, 4]).await;
    log(&store, None, &[5]).await;
    let purge = async |before: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_audit(before, 2)
            .await)
        .unwrap()
    };
    assert_eq!(purge(START_MS + 2).await, 0);
    assert_eq!(purge(START_MS + 5).await, 2);
    assert_eq!(purge(START_MS + 5).await, 1);
    let left = listed(&store, None, &AuditFilter::default(), None, 9).await;
    assert_eq!(left, ["r5"]);
}
