//! Who fetches a file, and who only thinks so.

use wagate_model::{MediaProblem, MediaStatus};
use wagate_store::Lane;

use crate::media::world;
use crate::write;

#[tokio::test]
async fn only_who_has_a_file_says_how_fetching_it_ended() {
    let world = world().await;
    let organization = world.organization;
    let (_, id) = world.attach("A", Some(b"keys")).await;
    assert_eq!(world.claim("a", 10).await, [id]);
    assert_eq!(world.claim("b", 110).await, [id]);
    let settle = async |owner: &'static str| {
        write!(world.store, organization, |tx| {
            let (status, problem) = (MediaStatus::Failed, MediaProblem::Corrupt);
            tx.settle_media(organization, id, owner, status, problem, 120)
                .await
        })
        .unwrap()
    };
    assert!(!settle("a").await, "somebody else has it by now");
    assert_eq!(
        world.found(id).await.unwrap().file.status,
        MediaStatus::Pending
    );
    assert!(world.store_file(id, "b", None).await);
    assert!(!settle("b").await, "it is kept");
    assert_eq!(
        world.found(id).await.unwrap().file.status,
        MediaStatus::Ready
    );
}

#[tokio::test]
async fn a_claim_is_kept_for_longer_by_who_has_it_only() {
    let world = world().await;
    let organization = world.organization;
    let (_, id) = world.attach("A", Some(b"keys")).await;
    assert_eq!(world.claim("a", 10).await, [id]);
    let renew = async |owner: &'static str, until_ms: i64| {
        write!(world.store, organization, |tx| {
            tx.renew_media_claim(organization, id, owner, until_ms)
                .await
        })
        .unwrap()
    };
    assert!(!renew("b", 500).await);
    assert!(renew("a", 200).await);
    assert!(world.claim("b", 199).await.is_empty());
    assert_eq!(world.claim("b", 200).await, [id]);
    assert!(!renew("a", 500).await);
}

#[tokio::test]
async fn a_file_whose_source_cannot_be_unsealed_harms_no_other() {
    let world = world().await;
    let (_, broken) = world.attach("A", Some(b"keys")).await;
    let (_, whole) = world.attach("B", Some(b"keys")).await;
    // What was sealed for one row is not opened for another.
    world
        .store
        .execute(
            "UPDATE media SET source = \
             (SELECT o.source FROM media o ORDER BY o.message_id DESC LIMIT 1)",
        )
        .await;
    let mut claimed = world.claim("a", 10).await;
    claimed.sort();
    let mut both = [broken, whole];
    both.sort();
    assert_eq!(claimed, both);
    assert!(world.found(broken).await.unwrap().source.is_none());
    for id in both {
        assert!(world.store_file(id, "a", Some(20)).await);
    }
    let expired = write!(world.store, Lane::SHARED, |tx| {
        tx.admin().expire_media(20, 10).await
    });
    assert_eq!(expired.unwrap().len(), 2);
}

#[tokio::test]
async fn organizations_with_files_to_fetch_are_found_whoever_has_many() {
    let world = world().await;
    let (organization, other) = (world.organization, world.store.organization().await);
    let waiting = async |now_ms| {
        let mut tx = world.store.read().await.unwrap();
        let mut admin = tx.admin();
        admin.organizations_with_due_media(now_ms).await.unwrap()
    };
    assert!(waiting(10).await.is_empty());
    world.attach("A", Some(b"keys")).await;
    world.attach("B", Some(b"keys")).await;
    assert!(waiting(0).await.is_empty(), "they are not due yet");
    assert_eq!(waiting(10).await, [organization]);
    let claimed = write!(world.store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        let others = admin.claim_media(other, "a", 10, 100, 10).await?.len();
        let own = admin.claim_media(organization, "a", 10, 100, 1).await?;
        Ok((others, own.len()))
    });
    assert_eq!(claimed.unwrap(), (0, 1));
    assert_eq!(waiting(10).await, [organization]);
    assert_eq!(world.claim("a", 10).await.len(), 1);
    assert!(waiting(10).await.is_empty());
}

#[tokio::test]
async fn what_is_larger_than_is_captured_stays_where_it_is() {
    let world = world().await;
    let organization = world.organization;
    let (_, id) = world.attach("A", Some(b"keys")).await;
    assert_eq!(world.claim("a", 10).await, [id]);
    let leave = async |owner: &'static str| {
        write!(world.store, organization, |tx| {
            tx.leave_media(organization, id, owner, 11).await
        })
        .unwrap()
    };
    assert!(!leave("b").await);
    assert!(leave("a").await);
    let left = world.found(id).await.unwrap().file.status;
    assert_eq!(left, MediaStatus::Available);
    assert!(world.claim("a", 500).await.is_empty());
}
