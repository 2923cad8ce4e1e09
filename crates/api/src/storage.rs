//! Routes of buckets, and of where sessions keep their files.

use axum::Json as Reply;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;
use wagate_core::Core;
use wagate_model::{
    ListStorageBucket, SessionStorage, SessionStorageBody, StorageBucket, StorageBucketBody,
};

use crate::access::{Can, InSession, Manage, OfBucket, Read};
use crate::body::Json;
use crate::failure::Answer;
use crate::state::ApiState;

pub(crate) fn routes() -> Vec<UtoipaMethodRouter<ApiState>> {
    vec![
        routes!(list_storage_buckets),
        routes!(create_storage_bucket),
        routes!(update_storage_bucket),
        routes!(delete_storage_bucket),
        routes!(get_session_storage),
        routes!(set_session_storage),
    ]
}

/// List buckets
///
/// Beyond the contract. The buckets in which the organization's sessions can keep the files of
/// messages. Their keys are never given back.
#[utoipa::path(
    get, path = "/api/v1/storage/buckets", operation_id = "listStorageBuckets", tag = "Storage",
    extensions(("x-capability" = json!("manage"))),
    responses((status = 200, description = "The buckets.", body = ListStorageBucket,
        example = json!({ "data": [{
            "id": "bkt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "name": "archive",
            "endpoint": "https://s3.eu-central-1.amazonaws.com/", "region": "eu-central-1",
            "bucket": "acme-whatsapp", "pathStyle": true, "retentionDays": 365,
            "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_600_000_i64
        }] }))),
)]
async fn list_storage_buckets(
    State(core): State<Core>,
    can: Can<Manage>,
) -> Answer<Reply<ListStorageBucket>> {
    Ok(Reply(core.list_buckets(&can.caller).await?))
}

/// Add a bucket
///
/// Beyond the contract. A bucket at any object store that speaks S3. Nothing is read or written
/// there until a session keeps its files in it.
#[utoipa::path(
    post, path = "/api/v1/storage/buckets", operation_id = "createStorageBucket",
    tag = "Storage",
    extensions(("x-capability" = json!("manage"))),
    request_body(content = StorageBucketBody, example = json!({
        "name": "archive", "endpoint": "https://s3.eu-central-1.amazonaws.com",
        "region": "eu-central-1", "bucket": "acme-whatsapp", "accessKey": "AKIAIOSFODNN7EXAMPLE",
        "secretKey": "a-secret-key", "retentionDays": 365
    })),
    responses((status = 201, description = "The bucket.", body = StorageBucket, example = json!({
        "id": "bkt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "name": "archive",
        "endpoint": "https://s3.eu-central-1.amazonaws.com/", "region": "eu-central-1",
        "bucket": "acme-whatsapp", "pathStyle": true, "retentionDays": 365,
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_600_000_i64
    }))),
)]
async fn create_storage_bucket(
    State(core): State<Core>,
    can: Can<Manage>,
    body: Json<StorageBucketBody>,
) -> Answer<(StatusCode, Reply<StorageBucket>)> {
    let bucket = core.create_bucket(&can.caller, body.draft).await?;
    Ok((StatusCode::CREATED, Reply(bucket)))
}

/// Change a bucket
///
/// Beyond the contract. What is absent stays as it is, keys too. Files do not move: those that
/// are there must be there under the new settings, too.
#[utoipa::path(
    put, path = "/api/v1/storage/buckets/{bucket}", operation_id = "updateStorageBucket",
    tag = "Storage",
    params(("bucket" = String, Path, description = "The bucket's id.")),
    extensions(("x-capability" = json!("manage"))),
    request_body(content = StorageBucketBody, example = json!({ "retentionDays": 90 })),
    responses((status = 200, description = "The bucket.", body = StorageBucket, example = json!({
        "id": "bkt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "name": "archive",
        "endpoint": "https://s3.eu-central-1.amazonaws.com/", "region": "eu-central-1",
        "bucket": "acme-whatsapp", "pathStyle": true, "retentionDays": 90,
        "createdAt": 1_767_225_600_000_i64, "updatedAt": 1_767_225_700_000_i64
    }))),
)]
async fn update_storage_bucket(
    State(core): State<Core>,
    bucket: OfBucket<Manage>,
    body: Json<StorageBucketBody>,
) -> Answer<Reply<StorageBucket>> {
    Ok(Reply(core.update_bucket(bucket.access, body.draft).await?))
}

/// Forget a bucket
///
/// Beyond the contract. Only where no session keeps its files in it and none are there: else it
/// is a conflict, with `details.reason` `bucket_in_use`. The bucket itself is left alone.
#[utoipa::path(
    delete, path = "/api/v1/storage/buckets/{bucket}", operation_id = "deleteStorageBucket",
    tag = "Storage",
    params(("bucket" = String, Path, description = "The bucket's id.")),
    extensions(("x-capability" = json!("manage"))),
    responses((status = 204, description = "Forgotten.")),
)]
async fn delete_storage_bucket(
    State(core): State<Core>,
    bucket: OfBucket<Manage>,
) -> Answer<StatusCode> {
    core.delete_bucket(bucket.access).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read where a session keeps files
///
/// Beyond the contract. The bucket, or null for the installation's own disk; whether files are
/// fetched as they come; and for how long they are kept.
#[utoipa::path(
    get, path = "/api/v1/sessions/{session}/storage", operation_id = "getSessionStorage",
    tag = "Storage",
    params(("session" = String, Path, description = "The session's id.")),
    extensions(("x-capability" = json!("read"))),
    responses((status = 200, description = "The settings.", body = SessionStorage,
        example = json!({
            "bucketId": "bkt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "capture": true, "retentionDays": 90
        }))),
)]
async fn get_session_storage(
    State(core): State<Core>,
    session: InSession<Read>,
) -> Answer<Reply<SessionStorage>> {
    Ok(Reply(core.get_session_storage(&session.access).await?))
}

/// Change where a session keeps files
///
/// Beyond the contract. For files that come from now on; what is stored stays where it is. What
/// is absent stays as it is.
#[utoipa::path(
    put, path = "/api/v1/sessions/{session}/storage", operation_id = "setSessionStorage",
    tag = "Storage",
    params(("session" = String, Path, description = "The session's id.")),
    extensions(("x-capability" = json!("manage"))),
    request_body(content = SessionStorageBody, example = json!({
        "bucketId": "bkt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "retentionDays": 90
    })),
    responses((status = 200, description = "The settings.", body = SessionStorage,
        example = json!({
            "bucketId": "bkt_01J9ZX8K2QHV0M3T6R7P4N5W8C", "capture": true, "retentionDays": 90
        }))),
)]
async fn set_session_storage(
    State(core): State<Core>,
    session: InSession<Manage>,
    body: Json<SessionStorageBody>,
) -> Answer<Reply<SessionStorage>> {
    let settings = core
        .set_session_storage(&session.access, body.draft)
        .await?;
    Ok(Reply(settings))
}
