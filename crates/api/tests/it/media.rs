//! Messages' files.

use serde_json::json;
use wagate_model::{ChatType, Direction, MediaId, MediaMeta, SessionId};
use wagate_store::{ChatFacts, Lane, NewMedia, NewMessage, StoreError};

use crate::harness::Service;

/// What the tests' files are at WhatsApp; nobody fetches them in earnest.
pub(crate) const SOURCE: &[u8] = b"source";

impl Service {
    /// Stores a message with a file, in a chat of its own, as the gateway does.
    pub(crate) async fn attach(&self, session: SessionId, filename: &str) -> MediaId {
        let fence = self.store.claim(session).await;
        let id = MediaId::from_parts(1, rand::random::<u128>() >> 48);
        let filename = filename.to_owned();
        self.store
            .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
                Box::pin(async move {
                    let mut owned = tx.owned(&fence).await?;
                    let facts = ChatFacts {
                        jid: "7-7@g.us".into(),
                        alias_jid: None,
                        kind: ChatType::Group,
                        name: None,
                    };
                    let chat_id = owned.upsert_chat(&facts, 1).await?.id;
                    let message = message(chat_id, id, &filename);
                    let message_id = owned.insert_message(&message, 1).await?.unwrap();
                    owned
                        .insert_media(&media(message_id, id, filename), 1)
                        .await
                })
            })
            .await
            .unwrap();
        id
    }
}

fn message(chat_id: i64, id: MediaId, filename: &str) -> NewMessage {
    NewMessage {
        chat_id,
        wa_message_id: format!("F-{filename}"),
        sender_key: "9@lid".into(),
        direction: Direction::In,
        is_from_me: false,
        kind: "document".into(),
        body: None,
        sender_jid: None,
        sender_lid: Some("9@lid".into()),
        timestamp_ms: 1,
        status: None,
        quoted_message_id: None,
        mentions: Vec::new(),
        media: Some(MediaMeta {
            filename: Some(filename.to_owned()),
            id: Some(id),
            mimetype: Some("application/pdf".into()),
            size: Some(11),
        }),
        content: None,
        is_unread: false,
    }
}

fn media(message_id: i64, id: MediaId, filename: String) -> NewMedia {
    NewMedia {
        id,
        message_id,
        position: 0,
        wa_message_id: format!("F-{filename}"),
        kind: "document".into(),
        mimetype: Some("application/pdf".into()),
        filename: Some(filename),
        size: Some(11),
        sha256: Some("ab".repeat(32)),
        width: None,
        height: None,
        seconds: None,
        is_voice: false,
        source: Some(SOURCE.to_vec()),
        may_be_captured: false,
    }
}

#[tokio::test]
async fn a_file_is_described_by_its_id_in_the_message() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let id = service.attach(session, "offer.pdf").await;
    let messages = format!("/api/v1/sessions/{session}/messages?type=document");
    let message = service.get(&messages, &tenant.key).await.ok(200)["data"][0].clone();
    assert_eq!(message["media"]["id"], id.to_string());
    assert_eq!(message["hasMedia"], true);
    let path = format!("/api/v1/media/{id}");
    let mut found = service.get(&path, &tenant.key).await.ok(200);
    for field in ["url", "expiresAt"] {
        found.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(
        found,
        json!({
            "id": id.to_string(), "sessionId": session.to_string(),
            "waMessageId": "F-offer.pdf", "index": 0, "kind": "document",
            "mimetype": "application/pdf", "filename": "offer.pdf", "size": 11,
            "sha256": "ab".repeat(32), "isVoice": false, "status": "available",
        })
    );
    // A key that is restricted to another session does not reach it.
    let other = service.store.session(tenant.organization).await;
    let capabilities = wagate_model::Capabilities::all();
    let (key, _) = service
        .key(tenant.organization, capabilities, Some(vec![other]))
        .await;
    service.get(&path, &key).await.error(404, "not_found");
    // With its message it is gone.
    let fence = service.store.claim(session).await;
    service
        .store
        .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let mut owned = tx.owned(&fence).await?;
                let facts = ChatFacts {
                    jid: "7-7@g.us".into(),
                    alias_jid: None,
                    kind: ChatType::Group,
                    name: None,
                };
                let chat = owned.upsert_chat(&facts, 2).await?.id;
                owned.revoke_message(chat, "F-offer.pdf", None, 2).await
            })
        })
        .await
        .unwrap();
    service
        .get(&path, &tenant.key)
        .await
        .error(404, "not_found");
}
