use wagate_model::{
    BucketId, MediaId, MediaProblem, MediaStatus, OrganizationId, SessionId, SessionStorage,
    StorageBucket,
};
use wagate_store::testing::{self, TestStore};
use wagate_store::{
    BucketKeys, ChatDeletion, ChatFacts, Fence, Lane, MediaRecord, NewMedia, NewMessage,
};

use crate::{fresh, write};

pub(crate) struct World {
    pub(crate) store: TestStore,
    pub(crate) organization: OrganizationId,
    pub(crate) session: SessionId,
    pub(crate) fence: Fence,
}

pub(crate) async fn world() -> World {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    World {
        store,
        organization,
        session,
        fence,
    }
}

fn chat() -> ChatFacts {
    testing::person_chat("15551234567@s.whatsapp.net")
}

fn message(chat_id: i64, id: &str) -> NewMessage {
    NewMessage {
        kind: "image".into(),
        ..testing::text_message(chat_id, id)
    }
}

fn media(message_id: i64, source: Option<&[u8]>) -> NewMedia {
    NewMedia {
        id: fresh!(MediaId),
        message_id,
        position: 0,
        wa_message_id: "A".into(),
        kind: "image".into(),
        mimetype: Some("image/png".into()),
        filename: None,
        size: Some(10),
        sha256: None,
        width: Some(4),
        height: Some(3),
        seconds: None,
        is_voice: false,
        source: source.map(<[u8]>::to_vec),
        may_be_captured: true,
    }
}

impl World {
    /// A message with a file; gives the chat's row and the file's id.
    pub(crate) async fn attach(
        &self,
        id: &'static str,
        source: Option<&'static [u8]>,
    ) -> (i64, MediaId) {
        let fence = self.fence.clone();
        write!(self.store, self.organization, |tx| {
            let mut owned = tx.owned(&fence).await?;
            let chat = owned.upsert_chat(&chat(), 1).await?.id;
            let row = owned.insert_message(&message(chat, id), 1).await?.unwrap();
            let media = media(row, source);
            owned.insert_media(&media, 1).await?;
            Ok((chat, media.id))
        })
        .unwrap()
    }

    pub(crate) async fn found(&self, id: MediaId) -> Option<MediaRecord> {
        let mut tx = self.store.read().await.unwrap();
        tx.media(self.organization, id).await.unwrap()
    }

    pub(crate) async fn claim(&self, owner: &'static str, now_ms: i64) -> Vec<MediaId> {
        let organization = self.organization;
        let claimed = write!(self.store, Lane::SHARED, |tx| {
            let mut admin = tx.admin();
            admin
                .claim_media(organization, owner, now_ms, 100, 10)
                .await
        });
        let claimed = claimed.unwrap().into_iter();
        claimed.map(|record| record.file.id).collect()
    }

    pub(crate) async fn store_file(
        &self,
        id: MediaId,
        owner: &'static str,
        expires: Option<i64>,
    ) -> bool {
        let organization = self.organization;
        write!(self.store, organization, |tx| {
            let holds = tx
                .begin_storing_media(organization, id, owner, None, 5)
                .await?;
            let stored = tx
                .finish_storing_media(organization, id, owner, 11, expires, 6)
                .await?;
            assert_eq!(holds, stored);
            Ok(stored)
        })
        .unwrap()
    }

    /// Removes what is unwanted, as the sweeper does; gives whose files were removed.
    pub(crate) async fn sweep(&self) -> Vec<MediaId> {
        let mut tx = self.store.read().await.unwrap();
        let unwanted = tx.admin().unwanted_media(None, 9, 10).await.unwrap();
        drop(tx);
        let mut removed = Vec::new();
        for gone in unwanted {
            removed.extend(gone.has_file().then(|| gone.id()));
            write!(self.store, Lane::SHARED, |tx| tx
                .admin()
                .forget_media(&gone, 9)
                .await)
            .unwrap();
        }
        removed
    }
}

#[tokio::test]
async fn a_file_is_claimed_by_one_stored_and_expires() {
    let world = world().await;
    let (_, id) = world.attach("A", Some(b"keys")).await;
    let found = world.found(id).await.unwrap();
    assert_eq!(found.file.status, MediaStatus::Pending);
    assert_eq!(found.source.as_deref(), Some(&b"keys"[..]));
    assert_eq!((found.file.width, found.file.height), (Some(4), Some(3)));
    assert!(world.claim("a", 0).await.is_empty(), "it is not due yet");
    assert_eq!(world.claim("a", 10).await, [id]);
    assert!(world.claim("b", 50).await.is_empty());
    // The lease has run out: who had it can no longer finish.
    assert_eq!(world.claim("b", 110).await, [id]);
    assert!(!world.store_file(id, "a", None).await);
    assert!(world.store_file(id, "b", Some(500)).await);
    let found = world.found(id).await.unwrap();
    assert_eq!(found.file.status, MediaStatus::Ready);
    assert_eq!(
        (found.file.size, found.file.kept_until),
        (Some(11), Some(500))
    );
    assert!(found.has_file);
    let expire = async |now_ms: i64| {
        write!(world.store, Lane::SHARED, |tx| {
            Ok(tx.admin().expire_media(now_ms, 10).await?.len())
        })
        .unwrap()
    };
    assert_eq!(expire(499).await, 0);
    assert_eq!(expire(500).await, 1);
    assert_eq!(expire(500).await, 0);
    let found = world.found(id).await.unwrap().file;
    assert_eq!(found.status, MediaStatus::Expired);
    assert_eq!(found.problem, Some(MediaProblem::Retention));
    assert_eq!(world.sweep().await, [id]);
    assert!(world.sweep().await.is_empty());
    assert!(!world.found(id).await.unwrap().has_file);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_failed_from_the_start() {
    let world = world().await;
    let (_, id) = world.attach("A", None).await;
    let found = world.found(id).await.unwrap().file;
    assert_eq!(found.status, MediaStatus::Failed);
    assert_eq!(found.problem, Some(MediaProblem::Incomplete));
    assert!(world.claim("a", 10).await.is_empty());
    let organization = world.organization;
    let claimed = write!(world.store, organization, |tx| {
        tx.claim_one_media(organization, id, "a", 10, 100).await
    });
    assert!(!claimed.unwrap());
}

#[tokio::test]
async fn a_session_that_captures_nothing_has_its_files_fetched_on_demand() {
    let world = world().await;
    let (organization, session) = (world.organization, world.session);
    let storage = SessionStorage {
        bucket_id: None,
        capture: false,
        retention_days: Some(3),
    };
    let set = write!(world.store, organization, |tx| {
        tx.set_session_storage(organization, session, &storage, 1)
            .await
    });
    assert!(set.unwrap());
    let (_, id) = world.attach("A", Some(b"keys")).await;
    assert_eq!(
        world.found(id).await.unwrap().file.status,
        MediaStatus::Available
    );
    assert!(world.claim("a", 10).await.is_empty());
    let claim = async |owner: &'static str, now_ms: i64| {
        write!(world.store, organization, |tx| {
            tx.claim_one_media(organization, id, owner, now_ms, 100)
                .await
        })
        .unwrap()
    };
    assert!(claim("a", 10).await);
    assert!(!claim("b", 20).await, "somebody is fetching it");
    assert!(claim("b", 110).await);
    let postponed = write!(world.store, organization, |tx| {
        tx.postpone_media(organization, id, "b", true, 300, 120)
            .await
    });
    assert!(postponed.unwrap());
    assert_eq!(world.found(id).await.unwrap().attempts, 1);
    assert!(claim("c", 130).await, "nobody is fetching it");
}

#[tokio::test]
async fn files_go_with_their_messages_chats_and_sessions() {
    let world = world().await;
    let (organization, session) = (world.organization, world.session);
    let (chat, revoked) = world.attach("A", Some(b"keys")).await;
    let (_, of_chat) = world.attach("B", Some(b"keys")).await;
    assert_eq!(world.claim("a", 10).await.len(), 2);
    for id in [revoked, of_chat] {
        assert!(world.store_file(id, "a", None).await);
    }
    let fence = world.fence.clone();
    write!(world.store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        owned.revoke_message(chat, "A", None, 2).await
    })
    .unwrap();
    assert!(world.found(revoked).await.is_none());
    assert!(world.found(of_chat).await.is_some());
    assert_eq!(world.sweep().await, [revoked]);
    let elsewhere = world.store.organization().await;
    for (of, is_deleted) in [(elsewhere, false), (organization, true)] {
        let deleted = write!(world.store, of, |tx| {
            tx.delete_chat(of, session, chat, 3).await
        });
        assert_eq!(deleted.unwrap(), is_deleted);
        assert_eq!(world.found(of_chat).await.is_none(), is_deleted);
    }
    assert_eq!(world.sweep().await, [of_chat]);
    let (_, last) = world.attach("C", Some(b"keys")).await;
    assert_eq!(world.claim("a", 10).await, [last]);
    assert!(world.store_file(last, "a", None).await);
    write!(world.store, organization, |tx| {
        tx.delete_session(organization, session, 5).await
    })
    .unwrap();
    assert!(world.found(last).await.is_none());
    write!(world.store, organization, |tx| {
        tx.end_organization(organization, 6).await
    })
    .unwrap();
    let purge = async || {
        write!(world.store, Lane::SHARED, |tx| {
            let mut admin = tx.admin();
            let sessions = admin.purge_deleted_sessions(7, 10).await?;
            Ok(sessions + admin.purge_ended_organizations(10).await?)
        })
        .unwrap()
    };
    while purge().await > 0 {}
    // The row waits for its file, and the organization for the row.
    assert_eq!(world.sweep().await, [last]);
    assert!(purge().await > 0);
    assert!(world.sweep().await.is_empty());
}

#[tokio::test]
async fn a_chat_is_deleted_in_steps_with_the_files_of_each() {
    let world = world().await;
    let (organization, session) = (world.organization, world.session);
    let mut files = Vec::new();
    let mut chat = 0;
    for id in ["A", "B", "C"] {
        let (row, file) = world.attach(id, Some(b"keys")).await;
        chat = row;
        files.push(file);
    }
    let step = async |of| {
        let deleted = write!(world.store, of, |tx| {
            tx.delete_part_of_chat(of, session, chat, 2, 7).await
        });
        let mut left = 0;
        for file in &files {
            left += usize::from(world.found(*file).await.is_some());
        }
        (deleted.unwrap(), left)
    };
    let elsewhere = world.store.organization().await;
    assert_eq!(step(elsewhere).await, (ChatDeletion::NotThere, 3));
    assert_eq!(step(organization).await, (ChatDeletion::Begun, 1));
    // What comes meanwhile goes too.
    let (same, late) = world.attach("D", Some(b"keys")).await;
    assert_eq!(same, chat);
    assert_eq!(step(organization).await, (ChatDeletion::Begun, 0));
    assert!(world.found(late).await.is_none());
    assert_eq!(step(organization).await, (ChatDeletion::Done, 0));
    assert_eq!(step(organization).await, (ChatDeletion::NotThere, 0));
    let mut tx = world.store.read().await.unwrap();
    let unwanted = tx
        .admin()
        .unwanted_media(None, world.store.now_ms(), 10)
        .await
        .unwrap();
    assert_eq!(unwanted.len(), 4, "no file is forgotten");
}

#[tokio::test]
async fn buckets_are_an_organizations_own_and_their_keys_are_sealed() {
    let world = world().await;
    let (organization, session) = (world.organization, world.session);
    let bucket = StorageBucket {
        bucket: "files".into(),
        created_at: 1,
        endpoint: "https://s3.example/".into(),
        id: fresh!(BucketId),
        name: "archive".into(),
        path_style: true,
        region: "eu".into(),
        retention_days: Some(30),
        updated_at: 1,
    };
    let keys = BucketKeys {
        access_key: "AKIA".into(),
        secret_key: "very secret".into(),
    };
    let (new, secret) = (bucket.clone(), keys.clone());
    write!(world.store, organization, |tx| {
        tx.insert_bucket(organization, &new, &secret).await
    })
    .unwrap();
    let elsewhere = world.store.organization().await;
    let mut tx = world.store.read().await.unwrap();
    assert_eq!(
        tx.buckets(organization).await.unwrap(),
        std::slice::from_ref(&bucket)
    );
    assert!(tx.buckets(elsewhere).await.unwrap().is_empty());
    let id = bucket.id;
    assert_eq!(
        tx.bucket(organization, id).await.unwrap(),
        Some((bucket.clone(), keys.clone()))
    );
    assert!(tx.bucket(elsewhere, id).await.unwrap().is_none());
    assert!(!tx.is_bucket_used(organization, id).await.unwrap());
    drop(tx);
    let storage = SessionStorage {
        bucket_id: Some(id),
        capture: true,
        retention_days: None,
    };
    let renamed = StorageBucket {
        name: "other".into(),
        ..bucket
    };
    write!(world.store, organization, |tx| {
        assert!(
            tx.set_session_storage(organization, session, &storage, 2)
                .await?
        );
        assert!(!tx.update_bucket(elsewhere, &renamed, &keys).await?);
        assert!(tx.update_bucket(organization, &renamed, &keys).await?);
        assert!(tx.is_bucket_used(organization, id).await?);
        assert_eq!(
            tx.session_storage(organization, session).await?,
            Some(storage)
        );
        assert!(!tx.delete_bucket(elsewhere, id).await?);
        assert!(tx.delete_bucket(organization, id).await?);
        Ok(())
    })
    .unwrap();
}
