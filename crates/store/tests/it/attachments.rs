use wagate_model::{AttachmentId, OutboxId};
use wagate_store::testing::{self, START_MS};
use wagate_store::{Lane, StoreError};

use crate::{fresh, write};

#[tokio::test]
async fn a_file_is_read_as_it_was_written_by_its_organization_only() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let other = store.organization().await;
    let session = store.session(organization).await;
    let id = fresh!(AttachmentId);
    write!(store, organization, |tx| {
        tx.insert_attachment(organization, session, id, 5, START_MS)
            .await?;
        let is_there = tx
            .insert_attachment_piece(organization, id, 0, b"abc")
            .await?;
        assert!(is_there);
        let is_there = tx
            .insert_attachment_piece(organization, id, 1, b"de")
            .await?;
        assert!(is_there);
        let is_there = tx.insert_attachment_piece(other, id, 2, b"x").await?;
        assert!(!is_there, "nobody adds to what others send");
        Ok(())
    })
    .unwrap();
    let mut tx = store.read().await.unwrap();
    let mut read = Vec::new();
    while let Some(piece) = tx
        .attachment_piece(organization, id, i64::try_from(read.len()).unwrap())
        .await
        .unwrap()
    {
        read.push(piece);
    }
    assert_eq!(read, [b"abc".to_vec(), b"de".to_vec()]);
    let foreign = tx.attachment_piece(other, id, 0).await.unwrap();
    assert_eq!(foreign, None);
    let bytes = tx.attachment_bytes(organization, session).await.unwrap();
    assert_eq!(bytes, 5);
    assert_eq!(tx.attachment_bytes(other, session).await.unwrap(), 0);
}

#[tokio::test]
async fn a_file_is_claimed_once_and_goes_with_its_message() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let elsewhere = store.session(organization).await;
    let (fence, elsewhere) = (store.claim(session).await, store.claim(elsewhere).await);
    let (id, outbox) = (fresh!(AttachmentId), fresh!(OutboxId));
    write!(store, organization, |tx| {
        tx.insert_attachment(organization, session, id, 1, START_MS)
            .await?;
        tx.insert_attachment_piece(organization, id, 0, b"a")
            .await?;
        Ok(())
    })
    .unwrap();
    let claim = async |fence: &wagate_store::Fence, outbox| {
        let fence = fence.clone();
        store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move { tx.owned(&fence).await?.claim_attachment(id, outbox).await })
            })
            .await
            .unwrap()
    };
    assert!(!claim(&elsewhere, outbox).await, "of another session");
    assert!(claim(&fence, outbox).await);
    assert!(!claim(&fence, fresh!(OutboxId)).await, "claimed before");
    write!(store, organization, |tx| {
        // What is claimed is not to be changed or taken away from outside.
        tx.delete_attachments(organization, &[id]).await?;
        let is_added = tx
            .insert_attachment_piece(organization, id, 1, b"b")
            .await?;
        assert!(!is_added);
        assert_eq!(tx.attachment_bytes(organization, session).await?, 1);
        tx.owned(&fence).await?.drop_attachments(&[outbox]).await?;
        assert_eq!(tx.attachment_bytes(organization, session).await?, 0);
        assert_eq!(tx.attachment_piece(organization, id, 0).await?, None);
        Ok(())
    })
    .unwrap();
}

#[tokio::test]
async fn what_nobody_claims_goes_by_age() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let (old, new) = (fresh!(AttachmentId), fresh!(AttachmentId));
    write!(store, organization, |tx| {
        for (id, at) in [(old, START_MS), (new, START_MS + 10)] {
            tx.insert_attachment(organization, session, id, 1, at)
                .await?;
            tx.insert_attachment_piece(organization, id, 0, b"a")
                .await?;
        }
        Ok(())
    })
    .unwrap();
    let purged = write!(store, Lane::SHARED, |tx| tx
        .admin()
        .purge_attachments(START_MS + 10, 10)
        .await);
    assert_eq!(purged.unwrap(), 1);
    let mut tx = store.read().await.unwrap();
    let gone = tx.attachment_piece(organization, old, 0).await.unwrap();
    assert_eq!(gone, None);
    let kept = tx.attachment_piece(organization, new, 0).await.unwrap();
    assert!(kept.is_some());
}
