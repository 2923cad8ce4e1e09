//! A store, a WhatsApp that does what it is told, and a folder.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use wagate_delivery::{AddressGuard, AllowList, ClientTimeouts, GuardedClient};
use wagate_model::{EventKind, MediaId, MediaStatus, OrganizationId, SessionId, SessionStorage};
use wagate_storage::{
    AskPhone, Content, Fetch, FetchFailure, Files, FilesConfig, Part, PhoneAnswer, ReadError,
    Storage,
};
use wagate_store::testing::{self, TestStore};
use wagate_store::{
    EventFilter, Fence, Lane, MediaRecord, NewMedia, NewMessage, Store, StoreError,
};

/// What the hosts answer, by source.
type Contents = HashMap<Vec<u8>, Result<Vec<u8>, FetchFailure>>;

/// What is at WhatsApp, by source, and what its hosts and the phone do.
pub(crate) struct WhatsApp {
    pub(crate) contents: Mutex<Contents>,
    /// What the phone answers, and the source that it gives.
    pub(crate) phone: Mutex<(PhoneAnswer, Vec<u8>)>,
    pub(crate) fetched: AtomicUsize,
    pub(crate) asked: AtomicUsize,
    /// How many fetches may go on; closed at first in tests that want to look in between.
    pub(crate) gate: Semaphore,
    /// Whether fetching panics.
    pub(crate) panics: AtomicBool,
    store: Store,
}

#[async_trait]
impl Fetch for WhatsApp {
    async fn fetch(
        &self,
        source: &[u8],
        mut file: std::fs::File,
        limit_bytes: Option<u64>,
    ) -> Result<(), FetchFailure> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "as it was told");
        self.gate.acquire().await.unwrap().forget();
        self.gate.add_permits(1);
        let contents = self.contents.lock().unwrap();
        let content = contents.get(source).cloned();
        let content = content.unwrap_or(Err(FetchFailure::Gone))?;
        if limit_bytes.is_some_and(|limit| content.len() as u64 > limit) {
            return Err(FetchFailure::TooLarge);
        }
        file.write_all(&content).unwrap();
        Ok(())
    }
}

#[async_trait]
impl AskPhone for WhatsApp {
    async fn ask(&self, organization: OrganizationId, _: SessionId, media: MediaId) -> PhoneAnswer {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (answer, source) = self.phone.lock().unwrap().clone();
        if answer == PhoneAnswer::SentAgain {
            let written = self
                .store
                .write::<_, StoreError, _>(organization, move |tx| {
                    Box::pin(
                        async move { tx.set_media_source(organization, media, &source, 1).await },
                    )
                });
            written.await.unwrap();
        }
        answer
    }
}

pub(crate) struct World {
    pub(crate) store: TestStore,
    pub(crate) organization: OrganizationId,
    pub(crate) session: SessionId,
    pub(crate) fence: Fence,
    pub(crate) whatsapp: Arc<WhatsApp>,
    pub(crate) files: Files,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(FilesConfig::default()).await
    }

    pub(crate) async fn with(config: FilesConfig) -> Self {
        let store = testing::store().await;
        let organization = store.organization().await;
        let session = store.session(organization).await;
        let fence = store.claim(session).await;
        let whatsapp = Arc::new(WhatsApp {
            contents: Mutex::default(),
            phone: Mutex::new((PhoneAnswer::Gone, Vec::new())),
            fetched: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            gate: Semaphore::new(1),
            panics: AtomicBool::new(false),
            store: store.handle(),
        });
        let folder = tempfile::tempdir().unwrap();
        let files = files_with(&store, &whatsapp, &folder, config);
        Self {
            store,
            organization,
            session,
            fence,
            whatsapp,
            files,
            folder,
        }
    }

    /// Has something at WhatsApp.
    pub(crate) fn put(&self, source: &str, content: Result<&str, FetchFailure>) {
        let content = content.map(|text| text.as_bytes().to_vec());
        let mut contents = self.whatsapp.contents.lock().unwrap();
        contents.insert(source.as_bytes().to_vec(), content);
    }

    pub(crate) async fn keep_in(&self, storage: SessionStorage) {
        let (organization, session) = (self.organization, self.session);
        self.store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move {
                    tx.set_session_storage(organization, session, &storage, 1)
                        .await
                })
            })
            .await
            .unwrap();
    }

    /// A message with a file.
    pub(crate) async fn attach(&self, source: &'static str) -> MediaId {
        self.attach_of_size(source, None).await
    }

    /// A message with a file that is said to have a size.
    pub(crate) async fn attach_of_size(&self, source: &'static str, size: Option<i64>) -> MediaId {
        let of = (self.organization, self.fence.clone());
        self.attach_of(of, source, size).await
    }

    /// A message with a file in a session of an organization.
    pub(crate) async fn attach_of(
        &self,
        (organization, fence): (OrganizationId, Fence),
        source: &'static str,
        size: Option<i64>,
    ) -> MediaId {
        let now_ms = self.store.now_ms();
        let id = MediaId::from_parts(1, rand::random::<u128>() >> 48);
        self.store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move {
                    let mut owned = tx.owned(&fence).await?;
                    let facts = testing::person_chat("15551234567@s.whatsapp.net");
                    let chat = owned.upsert_chat(&facts, 1).await?.id;
                    let row = owned.insert_message(&message(chat, id), 1).await?;
                    let media = NewMedia {
                        size,
                        ..media(row.unwrap(), id, source)
                    };
                    owned.insert_media(&media, now_ms).await
                })
            })
            .await
            .unwrap();
        id
    }

    pub(crate) async fn record(&self, id: MediaId) -> MediaRecord {
        let mut tx = self.store.read().await.unwrap();
        tx.media(self.organization, id).await.unwrap().unwrap()
    }

    pub(crate) async fn status(&self, id: MediaId) -> MediaStatus {
        self.record(id).await.file.status
    }

    pub(crate) async fn read(&self, id: MediaId, part: Option<Part>) -> Result<String, ReadError> {
        let record = self.record(id).await;
        let content = self.files.read(&record, part).await?;
        Ok(text_of(content).await)
    }

    /// The kinds of the events about files so far.
    pub(crate) async fn told(&self) -> Vec<String> {
        let filter = EventFilter {
            session: Some(self.session),
            kinds: Some(vec![EventKind::MediaReady, EventKind::MediaExpired]),
        };
        let mut tx = self.store.read().await.unwrap();
        let events = tx.events_after(self.organization, None, &filter, 100).await;
        let events = events.unwrap().into_iter();
        let kind = |envelope: String| {
            let envelope: serde_json::Value = serde_json::from_str(&envelope).unwrap();
            envelope["event"].as_str().unwrap().to_owned()
        };
        events.map(|(_, envelope)| kind(envelope)).collect()
    }

    /// How many files are kept or coming in, in the folder.
    pub(crate) fn files_on_disk(&self) -> usize {
        let mut folders = vec![self.folder.path().to_owned()];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    count += 1;
                }
            }
        }
        count
    }

    /// Waits until a file has a status.
    pub(crate) async fn until(&self, id: MediaId, status: MediaStatus) {
        self.store
            .commits
            .until(status.as_str(), || async {
                (self.status(id).await == status).then_some(())
            })
            .await;
    }

    /// Waits until fetching has begun so many times.
    pub(crate) async fn until_fetched(&self, times: usize) {
        let fetched = &self.whatsapp.fetched;
        eventually(async || fetched.load(Ordering::SeqCst) >= times).await;
    }

    pub(crate) async fn purge(&self) {
        loop {
            let now_ms = self.store.now_ms();
            let rows = self
                .store
                .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
                    Box::pin(async move { tx.admin().purge_deleted_sessions(now_ms, 100).await })
                });
            if rows.await.unwrap() == 0 {
                return;
            }
        }
    }
}

/// Waits until something holds.
pub(crate) async fn eventually(holds: impl AsyncFn() -> bool) {
    let reached = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    reached.await.unwrap();
}

/// Files over a store, as another process would have them.
pub(crate) fn files(store: &TestStore, whatsapp: &Arc<WhatsApp>, folder: &TempDir) -> Files {
    files_with(store, whatsapp, folder, FilesConfig::default())
}

pub(crate) fn files_with(
    store: &TestStore,
    whatsapp: &Arc<WhatsApp>,
    folder: &TempDir,
    config: FilesConfig,
) -> Files {
    let guard = AddressGuard::new(AllowList::loopback());
    let client = GuardedClient::new(guard, ClientTimeouts::default()).unwrap();
    let clock = store.clock.clone();
    let storage = Storage::open(folder.path().to_owned(), client, clock.clone()).unwrap();
    let config = FilesConfig {
        poll_interval: Duration::from_millis(20),
        ..config
    };
    Files::new(
        store.handle(),
        storage,
        clock,
        whatsapp.clone(),
        whatsapp.clone(),
        config,
    )
}

pub(crate) async fn text_of(content: Content) -> String {
    let pieces: Vec<_> = content.bytes.try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

fn message(chat_id: i64, id: MediaId) -> NewMessage {
    NewMessage {
        kind: "document".into(),
        ..testing::text_message(chat_id, id.to_string())
    }
}

fn media(message_id: i64, id: MediaId, source: &str) -> NewMedia {
    NewMedia {
        id,
        message_id,
        position: 0,
        wa_message_id: id.to_string(),
        kind: "document".into(),
        mimetype: None,
        filename: None,
        size: None,
        sha256: None,
        width: None,
        height: None,
        seconds: None,
        is_voice: false,
        source: Some(source.as_bytes().to_vec()),
        may_be_captured: true,
    }
}
