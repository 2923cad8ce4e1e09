//! Messages' files.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use http::{Method, Request};
use serde_json::json;
use wagate_delivery::{AddressGuard, AllowList, ClientTimeouts, GuardedClient};
use wagate_model::{ChatType, Clock, MediaId, MediaMeta, OrganizationId, SessionId};
use wagate_storage::{AskPhone, Fetch, FetchFailure, Files, FilesConfig, PhoneAnswer, Storage};
use wagate_store::{ChatFacts, Lane, NewMedia, NewMessage, Store, StoreError, testing};

use crate::harness::Service;

/// What the tests' files are at WhatsApp; nobody fetches them in earnest.
pub(crate) const SOURCE: &[u8] = b"source";

/// The SHA-256 of [`CONTENT`].
const DIGEST: &str = "6e5bc8df28cfac06658769974f895070db24676563ebc1ae17fb961f5da4d5e9";

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
        sender_key: "9@lid".into(),
        kind: "document".into(),
        sender_lid: Some("9@lid".into()),
        media: Some(MediaMeta {
            filename: Some(filename.to_owned()),
            id: Some(id),
            mimetype: Some("application/pdf".into()),
            size: Some(11),
        }),
        ..testing::text_message(chat_id, format!("F-{filename}"))
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
        sha256: Some(DIGEST.into()),
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
            "sha256": DIGEST, "isVoice": false, "status": "available",
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

/// A WhatsApp that has one text under every source, and one phone that never has anything.
struct Hosts;

/// What every file says.
pub(crate) const CONTENT: &str = "hello files";

#[async_trait]
impl Fetch for Hosts {
    async fn fetch(
        &self,
        source: &[u8],
        mut file: std::fs::File,
        _: Option<u64>,
    ) -> Result<(), FetchFailure> {
        if source != SOURCE {
            return Err(FetchFailure::Gone);
        }
        std::io::Write::write_all(&mut file, CONTENT.as_bytes()).unwrap();
        Ok(())
    }
}

#[async_trait]
impl AskPhone for Hosts {
    async fn ask(&self, _: OrganizationId, _: SessionId, _: MediaId) -> PhoneAnswer {
        PhoneAnswer::Gone
    }
}

/// The files of a service, in a folder of their own.
pub(crate) fn files(store: Store, clock: Arc<dyn Clock>, folder: &Path) -> Files {
    let guard = AddressGuard::new(AllowList::none());
    let client = GuardedClient::new(guard, ClientTimeouts::default()).unwrap();
    let storage = Storage::open(folder.to_owned(), client, clock.clone()).unwrap();
    let config = FilesConfig::default();
    Files::new(
        store,
        storage,
        clock,
        Arc::new(Hosts),
        Arc::new(Hosts),
        config,
    )
}

async fn read(
    service: &Service,
    path: &str,
    key: Option<&str>,
    range: &str,
) -> crate::harness::Reply {
    let mut request = Request::builder().method(Method::GET).uri(path);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    if !range.is_empty() {
        request = request.header("range", range);
    }
    service.request(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_file_is_fetched_once_and_read_by_link_or_key_whole_or_in_part() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let id = service.attach(session, "an offer.pdf").await;
    let path = format!("/api/v1/media/{id}");
    let found = service.get(&path, &tenant.key).await.ok(200);
    let link = found["url"].as_str().unwrap().to_owned();
    let expires_at = found["expiresAt"].as_i64().unwrap();
    assert_eq!(expires_at, service.store.clock.now_ms() + 3_600_000);
    // Nobody has fetched it yet, so that the range does not count.
    let whole = read(&service, &link, None, "bytes=0-3").await;
    assert_eq!(
        (whole.status.as_u16(), &*whole.bytes),
        (200, CONTENT.as_bytes())
    );
    for (header, value) in [
        ("content-type", "application/pdf"),
        ("content-length", "11"),
        ("accept-ranges", "bytes"),
        (
            "content-disposition",
            "attachment; filename*=UTF-8''an%20offer.pdf",
        ),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(whole.headers[header], value, "{header}");
    }
    let found = service.get(&path, &tenant.key).await.ok(200);
    assert_eq!(found["status"], "ready");
    let content = format!("{path}/content");
    let part = read(&service, &content, Some(&tenant.key), "bytes=6-8").await;
    assert_eq!((part.status.as_u16(), &*part.bytes), (206, &b"fil"[..]));
    assert_eq!(part.headers["content-range"], "bytes 6-8/11");
    assert_eq!(part.headers["content-length"], "3");
    // Links end, credentials are asked for, and nobody reads what is not theirs.
    read(&service, &content, None, "")
        .await
        .error(401, "unauthorized");
    let other = service.tenant().await;
    let foreign = read(&service, &content, Some(&other.key), "").await;
    foreign.error(404, "not_found");
    let forged = format!("{content}?token=AAAA");
    read(&service, &forged, Some(&tenant.key), "")
        .await
        .error(401, "unauthorized");
    service.store.clock.advance_ms(3_600_000);
    read(&service, &link, None, "")
        .await
        .error(401, "unauthorized");
    let events = service
        .get("/api/v1/events?types=media.ready", &tenant.key)
        .await
        .ok(200);
    let payload = &events["data"][0]["payload"];
    assert_eq!(payload["id"], id.to_string());
    assert_eq!(
        (&payload["status"], &payload["size"]),
        (&"ready".into(), &11.into())
    );
    assert!(payload["url"].as_str().unwrap().starts_with(&content));
}

#[tokio::test]
async fn what_cannot_be_had_says_so_and_is_listed_all_the_same() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let id = service.attach(session, "lost.pdf").await;
    service
        .store
        .write::<_, StoreError, _>(tenant.organization, move |tx| {
            Box::pin(async move {
                tx.set_media_source(tenant.organization, id, b"elsewhere", 1)
                    .await
            })
        })
        .await
        .unwrap();
    let content = format!("/api/v1/media/{id}/content");
    for _ in 0..2 {
        let lost = read(&service, &content, Some(&tenant.key), "").await;
        let error = lost.error(409, "conflict");
        assert_eq!(error["details"]["reason"], "media_expired");
    }
    let path = format!("/api/v1/media/{id}");
    let found = service.get(&path, &tenant.key).await.ok(200);
    assert_eq!(
        (&found["status"], &found["problem"]),
        (&"expired".into(), &"gone".into())
    );
    assert!(found.get("url").is_none());
    let messages = format!("/api/v1/sessions/{session}/messages");
    let page = service.get(&messages, &tenant.key).await.ok(200);
    assert_eq!(page["data"][0]["media"]["id"], id.to_string());
}
