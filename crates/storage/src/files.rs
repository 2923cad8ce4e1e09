//! Files by their rows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, Shared};
use url::Url;
use wagate_model::{BucketId, Clock, MediaId, OrganizationId, StorageBucket};
use wagate_store::{BucketKeys, MediaRecord, Store, StoreError};

use crate::links::LinkKeys;
use crate::places::Places;
use crate::ports::{AskPhone, Fetch};
use crate::s3::Bucket;
use crate::storage::{Place, Storage};

/// What an operator can set, and what tests do differently.
#[derive(Debug, Clone, Copy)]
pub struct FilesConfig {
    /// How long a link to a file works.
    pub link_ttl: Duration,
    /// How many files are fetched at the same time by the capture; one organization has half
    /// of these places at most.
    pub concurrency: usize,
    /// How many files are fetched at the same time because somebody asks for them; one
    /// organization has half of these places at most.
    pub on_demand: usize,
    /// The largest file that the capture fetches; larger ones wait until somebody asks.
    pub capture_limit_bytes: u64,
    /// How long one who fetches a file has it to itself.
    pub lease: Duration,
    /// How often there is a look for files to fetch.
    pub poll_interval: Duration,
    /// How often there is a look for files to remove.
    pub sweep_interval: Duration,
    /// How long the capture pauses when the disk is full.
    pub pause: Duration,
    /// How long a request waits for a file that somebody else fetches.
    pub patience: Duration,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            link_ttl: Duration::from_hours(1),
            concurrency: 4,
            on_demand: 16,
            capture_limit_bytes: 100 << 20,
            lease: Duration::from_mins(15),
            poll_interval: Duration::from_secs(1),
            sweep_interval: Duration::from_mins(1),
            pause: Duration::from_secs(30),
            patience: Duration::from_mins(1),
        }
    }
}

/// A fetching that is under way, for all who wait for it.
pub(crate) type UnderWay = Shared<BoxFuture<'static, ()>>;

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) storage: Storage,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) phone: Arc<dyn AskPhone>,
    pub(crate) config: FilesConfig,
    /// The name under which rows are claimed.
    pub(crate) owner: String,
    pub(crate) links: LinkKeys,
    pub(crate) under_way: Mutex<HashMap<MediaId, UnderWay>>,
    pub(crate) on_demand: Places,
    paused_until_ms: AtomicI64,
}

/// The files of all messages; cheap to clone.
#[derive(Clone)]
pub struct Files(pub(crate) Arc<Inner>);

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    /// The files of a store.
    #[must_use]
    pub fn new(
        store: Store,
        storage: Storage,
        clock: Arc<dyn Clock>,
        fetch: Arc<dyn Fetch>,
        phone: Arc<dyn AskPhone>,
        config: FilesConfig,
    ) -> Self {
        let ttl_ms = i64::try_from(config.link_ttl.as_millis()).unwrap_or(i64::MAX);
        let links = LinkKeys::new(Arc::clone(store.keys()), ttl_ms);
        Self(Arc::new(Inner {
            store,
            storage,
            clock,
            fetch,
            phone,
            config,
            owner: format!("{:032x}", rand::random::<u128>()),
            links,
            under_way: Mutex::default(),
            on_demand: Places::new(config.on_demand),
            paused_until_ms: AtomicI64::new(0),
        }))
    }

    /// Makes and reads links to files.
    #[must_use]
    pub fn links(&self) -> &LinkKeys {
        &self.0.links
    }

    /// Whether files come in; not while the disk is full.
    #[must_use]
    pub fn takes_files(&self) -> bool {
        self.0.clock.now_ms() >= self.paused_until_ms()
    }

    /// Until when nothing is taken, in milliseconds since 1970; in the past where all is well.
    pub(crate) fn paused_until_ms(&self) -> i64 {
        self.0.paused_until_ms.load(Ordering::Relaxed)
    }

    /// Takes nothing for a while; gives until when.
    pub(crate) fn pause(&self) -> i64 {
        let pause_ms = i64::try_from(self.0.config.pause.as_millis()).unwrap_or(i64::MAX);
        let until_ms = self.0.clock.now_ms().saturating_add(pause_ms);
        self.0.paused_until_ms.store(until_ms, Ordering::Relaxed);
        until_ms
    }

    /// Where a row's file is kept.
    pub(crate) async fn place_of(&self, record: &MediaRecord) -> Result<Option<Place>, StoreError> {
        self.place(record.organization_id, record.bucket_id).await
    }

    /// A place by its bucket; nothing where that is gone.
    pub(crate) async fn place(
        &self,
        organization: OrganizationId,
        bucket: Option<BucketId>,
    ) -> Result<Option<Place>, StoreError> {
        let Some(id) = bucket else {
            return Ok(Some(Place::Disk));
        };
        let mut tx = self.0.store.read().await?;
        let found = tx.admin().bucket(organization, id).await?;
        Ok(found.and_then(|(bucket, keys)| place(&bucket, keys)))
    }
}

/// The place that a bucket is; nothing where its URL cannot be read.
pub(crate) fn place(bucket: &StorageBucket, keys: BucketKeys) -> Option<Place> {
    Some(Place::Bucket(Box::new(Bucket {
        endpoint: Url::parse(&bucket.endpoint).ok()?,
        region: bucket.region.clone(),
        name: bucket.bucket.clone(),
        is_path_style: bucket.path_style,
        access_key: keys.access_key,
        secret_key: keys.secret_key,
    })))
}
