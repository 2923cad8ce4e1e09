//! Files in buckets, at a store of the tests' own.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use wagate_model::{BucketId, MediaStatus, SessionStorage, StorageBucket};
use wagate_storage::{Part, ReadError};
use wagate_store::{BucketKeys, StoreError};

use crate::world::World;

/// An object store that keeps what is signed, and answers with a status where told.
#[derive(Clone, Default)]
pub(crate) struct ObjectStore {
    pub(crate) objects: Arc<Mutex<HashMap<String, Bytes>>>,
    pub(crate) status: Arc<Mutex<Option<StatusCode>>>,
}

fn is_signed(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text("authorization").unwrap_or_default();
    authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/20")
        && authorization.contains("/eu/s3/aws4_request, SignedHeaders=host;")
        && text("x-amz-content-sha256").is_some_and(|hash| hash.len() == 64)
        && text("x-amz-date").is_some_and(|date| date.len() == 16)
}

async fn answer(State(store): State<ObjectStore>, request: Request<Body>) -> Response<Body> {
    let bare = |status: StatusCode| {
        Response::builder()
            .status(status)
            .body(Body::empty())
            .unwrap()
    };
    let (parts, body) = request.into_parts();
    if let Some(status) = *store.status.lock().unwrap() {
        return bare(status);
    }
    if !is_signed(&parts.headers) {
        return bare(StatusCode::FORBIDDEN);
    }
    let path = parts.uri.path().to_owned();
    match parts.method {
        Method::PUT => {
            assert!(parts.headers.contains_key("content-length"));
            let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            store.objects.lock().unwrap().insert(path, bytes);
            bare(StatusCode::OK)
        }
        Method::DELETE => {
            store.objects.lock().unwrap().remove(&path);
            bare(StatusCode::NO_CONTENT)
        }
        _ => {
            let found = store.objects.lock().unwrap().get(&path).cloned();
            let Some(bytes) = found else {
                return bare(StatusCode::NOT_FOUND);
            };
            let Some(range) = parts.headers.get("range") else {
                return Response::new(Body::from(bytes));
            };
            let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
            let (first, last) = range.split_once('-').unwrap();
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            let range = format!("bytes {first}-{last}/{}", bytes.len());
            let part = bytes.slice(first..=last);
            let response = Response::builder().status(StatusCode::PARTIAL_CONTENT);
            let response = response.header("content-range", range);
            response.body(Body::from(part)).unwrap()
        }
    }
}

impl ObjectStore {
    /// Listens; gives its URL.
    pub(crate) async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/")
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

/// A session that keeps its files in a bucket, for as many days as the bucket says.
pub(crate) async fn with_bucket(
    world: &World,
    endpoint: String,
    retention_days: Option<i64>,
) -> BucketId {
    let bucket = StorageBucket {
        bucket: "files".into(),
        created_at: 1,
        endpoint,
        id: BucketId::from_parts(1, 7),
        name: "archive".into(),
        path_style: true,
        region: "eu".into(),
        retention_days,
        updated_at: 1,
    };
    let keys = BucketKeys {
        access_key: "AKIA".into(),
        secret_key: "secret".into(),
    };
    let (organization, id) = (world.organization, bucket.id);
    world
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move { tx.insert_bucket(organization, &bucket, &keys).await })
        })
        .await
        .unwrap();
    let storage = SessionStorage {
        bucket_id: Some(id),
        capture: false,
        retention_days: None,
    };
    world.keep_in(storage).await;
    id
}

#[tokio::test]
async fn a_file_is_kept_read_and_removed_in_a_bucket() {
    let world = World::new().await;
    let objects = ObjectStore::default();
    let bucket = with_bucket(&world, objects.start().await, Some(1)).await;
    world.put("a", Ok("hello bucket"));
    let id = world.attach("a").await;
    assert_eq!(world.read(id, None).await.unwrap(), "hello bucket");
    let expected = format!("/files/{}/{}/{id}", world.organization, world.session);
    assert_eq!(objects.paths(), [expected]);
    assert_eq!(world.files_on_disk(), 0);
    assert_eq!(world.record(id).await.file.bucket_id, Some(bucket));
    let part = Part { start: 6, end: 9 };
    assert_eq!(world.read(id, Some(part)).await.unwrap(), "buc");
    world.store.clock.advance_ms(86_400_000);
    assert_eq!(world.files.sweep().await.unwrap(), 1);
    assert!(objects.paths().is_empty());
    assert_eq!(world.status(id).await, MediaStatus::Expired);
}

#[tokio::test]
async fn a_bucket_that_is_away_holds_up_its_own_files_only() {
    let world = World::new().await;
    let objects = ObjectStore::default();
    with_bucket(&world, objects.start().await, Some(1)).await;
    world.put("a", Ok("hello"));
    let (stuck, id) = (world.attach("a").await, world.attach("a").await);
    world.read(stuck, None).await.unwrap();
    *objects.status.lock().unwrap() = Some(StatusCode::SERVICE_UNAVAILABLE);
    for id in [stuck, id] {
        let refused = world.read(id, None).await.unwrap_err();
        assert!(matches!(refused, ReadError::NotNow), "{refused}");
    }
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 1, "in vain");
    let on_disk = SessionStorage {
        bucket_id: None,
        capture: false,
        retention_days: Some(1),
    };
    world.keep_in(on_disk).await;
    let other = world.attach("a").await;
    world.read(other, None).await.unwrap();
    world.store.clock.advance_ms(86_400_000);
    assert_eq!(world.files.sweep().await.unwrap(), 1);
    assert_eq!(world.files_on_disk(), 0);
    *objects.status.lock().unwrap() = None;
    assert_eq!(world.files.sweep().await.unwrap(), 1);
    assert!(objects.paths().is_empty());
}

#[tokio::test]
async fn a_bucket_at_an_inner_address_is_not_dialled() {
    let world = World::new().await;
    with_bucket(&world, "http://169.254.169.254/".into(), None).await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    let refused = world.read(id, None).await.unwrap_err();
    assert!(matches!(refused, ReadError::NotNow), "{refused}");
    assert_eq!(world.status(id).await, MediaStatus::Pending);
}
