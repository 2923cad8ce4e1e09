//! Files that nobody wants any more.

use wagate_model::MediaId;
use wagate_store::Lane;

use crate::media::{World, world};
use crate::write;

impl World {
    /// A file that is kept until a time; gives the chat's row too.
    async fn keep(&self, message: &'static str, expires: Option<i64>) -> (i64, MediaId) {
        let (chat, id) = self.attach(message, Some(b"keys")).await;
        assert_eq!(self.claim("a", 10).await, [id]);
        assert!(self.store_file(id, "a", expires).await);
        (chat, id)
    }

    async fn delete_chat(&self, chat: i64, now_ms: i64) {
        let (organization, session) = (self.organization, self.session);
        let deleted = write!(self.store, organization, |tx| {
            tx.delete_chat(organization, session, chat, now_ms).await
        });
        assert!(deleted.unwrap());
    }

    /// What is to be removed at a time, and since when.
    async fn unwanted(&self, now_ms: i64) -> Vec<(MediaId, i64)> {
        let mut tx = self.store.read().await.unwrap();
        let unwanted = tx.admin().unwanted_media(None, now_ms, 10).await.unwrap();
        let unwanted = unwanted.iter();
        unwanted.map(|gone| (gone.id(), gone.since_ms())).collect()
    }
}

#[tokio::test]
async fn removed_files_do_not_hold_up_those_whose_time_is_over() {
    let world = world().await;
    let (chat, _) = world.keep("A", Some(100)).await;
    world.delete_chat(chat, 50).await;
    let (_, kept) = world.keep("B", Some(200)).await;
    let expired = write!(world.store, Lane::SHARED, |tx| {
        tx.admin().expire_media(300, 1).await
    });
    let expired: Vec<_> = expired.unwrap().iter().map(|it| it.file.id).collect();
    assert_eq!(expired, [kept]);
}

#[tokio::test]
async fn a_removal_waits_for_who_is_storing_the_file() {
    let world = world().await;
    let organization = world.organization;
    let (chat, id) = world.attach("A", Some(b"keys")).await;
    assert_eq!(world.claim("a", 10).await, [id]);
    let begun = write!(world.store, organization, |tx| {
        tx.begin_storing_media(organization, id, "a", None, 11)
            .await
    });
    assert!(begun.unwrap());
    world.delete_chat(chat, 20).await;
    assert!(world.unwanted(109).await.is_empty());
    let renewed = write!(world.store, organization, |tx| {
        tx.renew_media_claim(organization, id, "a", 150).await
    });
    assert!(renewed.unwrap());
    assert!(world.unwanted(149).await.is_empty());
    // Its lease is over, whatever became of who had it.
    assert_eq!(world.unwanted(150).await, [(id, 20)]);
    let given_back = write!(world.store, organization, |tx| {
        tx.postpone_media(organization, id, "a", false, 30, 30)
            .await
    });
    assert!(given_back.unwrap());
    assert_eq!(world.unwanted(30).await.len(), 1);
}

#[tokio::test]
async fn files_are_unwanted_from_when_their_chat_or_session_went() {
    let world = world().await;
    let (organization, session) = (world.organization, world.session);
    let (chat, of_chat) = world.keep("A", None).await;
    world.delete_chat(chat, 700).await;
    assert_eq!(world.unwanted(700).await, [(of_chat, 700)]);
    assert_eq!(world.sweep().await, [of_chat]);
    let (_, of_session) = world.keep("B", None).await;
    write!(world.store, organization, |tx| {
        tx.delete_session(organization, session, 800).await
    })
    .unwrap();
    for now_ms in [900, 950] {
        write!(world.store, Lane::SHARED, |tx| {
            tx.admin().purge_deleted_sessions(now_ms, 10).await
        })
        .unwrap();
    }
    assert_eq!(world.unwanted(950).await, [(of_session, 900)]);
}
