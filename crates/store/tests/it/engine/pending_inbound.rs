//! Decrypted messages that wait to be committed.

use wacore::store::traits::{
    PendingInboundKey, PendingInboundRow, ProtocolStore as _, SignalStore as _,
};
use wagate_store::{PendingInboundClear, Result, StoreError};

use super::support::World;

fn row<'a>(id: &'a str, message: &'a [u8]) -> PendingInboundRow<'a> {
    PendingInboundRow {
        chat: "c",
        sender: "s",
        id,
        message,
    }
}

fn key(id: &str) -> PendingInboundKey<'_> {
    PendingInboundKey {
        chat: "c",
        sender: "s",
        id,
    }
}

/// Commits what clears pending rows.
async fn commit(world: &World, clear: &PendingInboundClear) {
    let job = clear.clone();
    let done: Result<()> = world
        .store
        .write(world.organization, move |tx| {
            Box::pin(async move { job.apply(tx).await })
        })
        .await;
    done.unwrap();
}

#[tokio::test]
async fn rows_are_found_by_chat_sender_and_id() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend
        .store_pending_inbound("c", "s", "1", b"one")
        .await
        .unwrap();
    backend
        .store_pending_inbound_batch(&[row("1", b"uno"), row("2", b"two")])
        .await
        .unwrap();
    backend.store_pending_inbound_batch(&[]).await.unwrap();
    let get = |chat, sender, id| {
        let backend = backend.clone();
        async move { backend.get_pending_inbound(chat, sender, id).await.unwrap() }
    };
    assert_eq!(get("c", "s", "1").await, Some(b"uno".to_vec()));
    assert_eq!(get("cs", "", "1").await, None);
    assert_eq!(get("s", "c", "1").await, None);
    backend.delete_pending_inbound("c", "s", "1").await.unwrap();
    backend
        .delete_pending_inbound_batch(&[key("1"), key("9")])
        .await
        .unwrap();
    assert_eq!(get("c", "s", "1").await, None);
    assert_eq!(get("c", "s", "2").await, Some(b"two".to_vec()));
    let now = wacore::time::now_secs();
    assert_eq!(
        backend
            .delete_expired_pending_inbound(now - 60)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        backend
            .delete_expired_pending_inbound(i64::MAX)
            .await
            .unwrap(),
        1
    );
    assert_eq!(get("c", "s", "2").await, None);
}

#[tokio::test]
async fn a_commit_can_clear_its_rows_itself() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend
        .store_pending_inbound_batch(&[row("1", b"one"), row("2", b"two")])
        .await
        .unwrap();
    let clear = backend.clear_pending_inbound([["c", "s", "1"]]);

    // A transaction that fails clears nothing.
    let job = clear.clone();
    let failed: Result<()> = world
        .store
        .write(world.organization, move |tx| {
            Box::pin(async move {
                job.apply(tx).await?;
                Err(StoreError::Corrupt("the commit fails".to_owned()))
            })
        })
        .await;
    assert!(failed.is_err());
    let found = backend.get_pending_inbound("c", "s", "1").await.unwrap();
    assert_eq!(found, Some(b"one".to_vec()));

    commit(&world, &clear).await;
    clear.committed();
    assert_eq!(
        backend.get_pending_inbound("c", "s", "1").await.unwrap(),
        None
    );
    // What the engine does next: both are gone, whoever deleted them.
    backend
        .delete_pending_inbound_batch(&[key("1"), key("2")])
        .await
        .unwrap();
    assert_eq!(world.row_count(world.session).await, 0);

    // The note that the row was cleared is used up: a row that comes back can be deleted.
    backend
        .store_pending_inbound_batch(&[row("1", b"again")])
        .await
        .unwrap();
    backend
        .delete_pending_inbound_batch(&[key("1")])
        .await
        .unwrap();
    assert_eq!(world.row_count(world.session).await, 0);
}

#[tokio::test]
async fn a_row_that_is_stored_again_is_not_taken_for_cleared() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.clear_pending_inbound([["c", "s", "1"]]).committed();
    backend
        .store_pending_inbound_batch(&[row("1", b"one")])
        .await
        .unwrap();
    backend.delete_pending_inbound("c", "s", "1").await.unwrap();
    assert_eq!(world.row_count(world.session).await, 0);
}

#[tokio::test]
async fn a_message_is_stored_with_the_state_that_decrypted_it() {
    let world = World::new().await;
    let backend = world.backend().await;
    let other_life = world.backend().await;
    backend
        .store_pending_inbound("c", "s", "1", b"one")
        .await
        .unwrap();
    // Neither is in the database: a crash now has WhatsApp deliver it again.
    assert_eq!(world.row_count(world.session).await, 0);
    let found = other_life.get_pending_inbound("c", "s", "1").await.unwrap();
    assert_eq!(found, None);

    // State of another kind has nothing to do with it.
    backend.put_group_metadata("g", b"m").await.unwrap();
    let found = other_life.get_pending_inbound("c", "s", "1").await.unwrap();
    assert_eq!(found, None);

    backend
        .put_session("s:1@lid", b"moved on".as_slice())
        .await
        .unwrap();
    let found = other_life.get_pending_inbound("c", "s", "1").await.unwrap();
    assert_eq!(found, Some(b"one".to_vec()));
    backend.delete_pending_inbound("c", "s", "1").await.unwrap();
    let found = other_life.get_pending_inbound("c", "s", "1").await.unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn a_committed_message_is_never_stored() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend
        .store_pending_inbound("c", "s", "1", b"one")
        .await
        .unwrap();
    let clear = backend.clear_pending_inbound([["c", "s", "1"]]);
    commit(&world, &clear).await;
    clear.committed();
    backend
        .put_session("s:1@lid", b"moved on".as_slice())
        .await
        .unwrap();
    assert_eq!(
        backend.get_pending_inbound("c", "s", "1").await.unwrap(),
        None
    );
    assert_eq!(world.row_count(world.session).await, 1, "the session only");
}

#[tokio::test]
async fn state_that_comes_between_commit_and_its_news_leaves_no_row() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend
        .store_pending_inbound("c", "s", "1", b"one")
        .await
        .unwrap();
    let clear = backend.clear_pending_inbound([["c", "s", "1"]]);
    commit(&world, &clear).await;
    // The commit is done, but who waits for it has not run yet.
    backend
        .put_session("s:1@lid", b"moved on".as_slice())
        .await
        .unwrap();
    clear.committed();
    backend.delete_pending_inbound("c", "s", "1").await.unwrap();
    assert_eq!(world.row_count(world.session).await, 1, "the session only");
}
