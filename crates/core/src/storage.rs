//! Use cases of buckets, and of where sessions keep their files.

use wagate_model::{
    AuditAction, BucketId, Draft, Faults, ListStorageBucket, OrganizationId, SessionStorage,
    SessionStorageBody, StorageBucket, StorageBucketBody, limits,
};
use wagate_store::{BucketKeys, Tx};

use crate::caller::{Caller, SessionAccess};
use crate::error::{Error, Reason, Result, What};
use crate::service::Core;

const NOT_FOUND: Error = Error::NotFound(What::Bucket);

/// The region where a bucket names none.
const DEFAULT_REGION: &str = "us-east-1";

/// A bucket that exists and that the caller reaches; made by [`Core::open_bucket`] only.
#[derive(Debug, Clone)]
pub struct BucketAccess {
    caller: Caller,
    organization: OrganizationId,
    bucket: StorageBucket,
}

/// A bucket with the parts that a checked request gives, and the names of those that differ.
fn merged(
    (bucket, keys): (StorageBucket, BucketKeys),
    body: StorageBucketBody,
    endpoint: Option<String>,
    now_ms: i64,
) -> (StorageBucket, BucketKeys, Vec<&'static str>) {
    let changed = StorageBucket {
        bucket: body.bucket.unwrap_or_else(|| bucket.bucket.clone()),
        endpoint: endpoint.unwrap_or_else(|| bucket.endpoint.clone()),
        name: body.name.unwrap_or_else(|| bucket.name.clone()),
        path_style: body.path_style.unwrap_or(bucket.path_style),
        region: body.region.unwrap_or_else(|| bucket.region.clone()),
        retention_days: body.retention_days.unwrap_or(bucket.retention_days),
        updated_at: now_ms,
        ..bucket
    };
    let changed_keys = BucketKeys {
        access_key: body.access_key.unwrap_or_else(|| keys.access_key.clone()),
        secret_key: body.secret_key.unwrap_or_else(|| keys.secret_key.clone()),
    };
    let parts = [
        ("accessKey", changed_keys.access_key != keys.access_key),
        ("bucket", changed.bucket != bucket.bucket),
        ("endpoint", changed.endpoint != bucket.endpoint),
        ("name", changed.name != bucket.name),
        ("pathStyle", changed.path_style != bucket.path_style),
        ("region", changed.region != bucket.region),
        (
            "retentionDays",
            changed.retention_days != bucket.retention_days,
        ),
        ("secretKey", changed_keys.secret_key != keys.secret_key),
    ];
    let parts = parts.into_iter().filter(|(_, differs)| *differs);
    let parts = parts.map(|(name, _)| name).collect();
    (changed, changed_keys, parts)
}

/// Buckets hold the files of all sessions: whoever is restricted to some does not see them.
fn sees_buckets(caller: &Caller) -> bool {
    caller.session_ids().is_none()
}

impl Core {
    /// Finds a bucket for a caller; a foreign one is not found.
    pub async fn open_bucket(&self, caller: &Caller, id: &str) -> Result<BucketAccess> {
        let id: BucketId = id.parse().map_err(|_| NOT_FOUND)?;
        let organization = caller
            .active_organization()
            .filter(|_| sees_buckets(caller));
        let organization = organization.ok_or(NOT_FOUND)?;
        let found = self.store.read().await?.bucket(organization, id).await?;
        let (bucket, _) = found.ok_or(NOT_FOUND)?;
        Ok(BucketAccess {
            caller: caller.clone(),
            organization,
            bucket,
        })
    }

    /// Lists the buckets of the caller's organization, oldest first.
    pub async fn list_buckets(&self, caller: &Caller) -> Result<ListStorageBucket> {
        let organization = caller.organization_id()?;
        let mut data = self.store.read().await?.buckets(organization).await?;
        data.retain(|_| sees_buckets(caller));
        Ok(ListStorageBucket { data })
    }

    /// Makes a bucket known.
    pub async fn create_bucket(
        &self,
        caller: &Caller,
        body: Draft<StorageBucketBody>,
    ) -> Result<StorageBucket> {
        if !sees_buckets(caller) {
            return Err(Error::Forbidden);
        }
        let organization = caller.organization_id()?;
        let (body, mut faults) = body.open()?;
        faults.extend(body.faults());
        for (field, is_given) in [
            ("accessKey", body.access_key.is_some()),
            ("bucket", body.bucket.is_some()),
            ("endpoint", body.endpoint.is_some()),
            ("name", body.name.is_some()),
            ("secretKey", body.secret_key.is_some()),
        ] {
            faults.check(is_given, field, || "is required".into());
        }
        let endpoint = self.checked_url("endpoint", body.endpoint.as_deref(), &mut faults);
        faults.into_result()?;
        let (time, random) = self.id_parts();
        let now = self.clock.now_ms();
        let bare = StorageBucket {
            bucket: String::new(),
            created_at: now,
            endpoint: String::new(),
            id: BucketId::from_parts(time, random),
            name: String::new(),
            path_style: true,
            region: DEFAULT_REGION.into(),
            retention_days: None,
            updated_at: now,
        };
        let no_keys = BucketKeys {
            access_key: String::new(),
            secret_key: String::new(),
        };
        let (bucket, keys, _) = merged((bare, no_keys), body, endpoint, now);
        let action = AuditAction::StorageBucketCreated;
        let line = self.line(organization, caller, action, bucket.id).entry();
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let count = tx.buckets(organization).await?.len();
                    if i64::try_from(count).unwrap_or(i64::MAX) >= limits::BUCKETS {
                        return Err(Error::conflict(Reason::LimitReached));
                    }
                    tx.insert_bucket(organization, &bucket, &keys).await?;
                    tx.insert_audit(&line).await?;
                    Ok(bucket)
                })
            })
            .await
    }

    /// Changes the parts of a bucket that are given.
    pub async fn update_bucket(
        &self,
        access: BucketAccess,
        body: Draft<StorageBucketBody>,
    ) -> Result<StorageBucket> {
        let (body, mut faults) = body.open()?;
        faults.extend(body.faults());
        let endpoint = self.checked_url("endpoint", body.endpoint.as_deref(), &mut faults);
        faults.into_result()?;
        let BucketAccess {
            caller,
            organization,
            bucket,
        } = access;
        let (id, now) = (bucket.id, self.clock.now_ms());
        let action = AuditAction::StorageBucketUpdated;
        let line = self.line(organization, &caller, action, id);
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let current = tx.bucket_for_update(organization, id).await?;
                    let current = current.ok_or(NOT_FOUND)?;
                    let (changed, keys, parts) = merged(current, body, endpoint, now);
                    if !tx.update_bucket(organization, &changed, &keys).await? {
                        return Err(NOT_FOUND);
                    }
                    if !parts.is_empty() {
                        tx.insert_audit(&line.with("fields", parts).entry()).await?;
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Forgets a bucket that nothing is kept in.
    pub async fn delete_bucket(&self, access: BucketAccess) -> Result<()> {
        let BucketAccess {
            caller,
            organization,
            bucket,
        } = access;
        let action = AuditAction::StorageBucketDeleted;
        let line = self.line(organization, &caller, action, bucket.id).entry();
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    // Who would keep something in it waits, and finds it gone.
                    let held = tx.bucket_for_update(organization, bucket.id).await?;
                    held.ok_or(NOT_FOUND)?;
                    if tx.is_bucket_used(organization, bucket.id).await? {
                        return Err(Error::conflict(Reason::BucketInUse));
                    }
                    if !tx.delete_bucket(organization, bucket.id).await? {
                        return Err(NOT_FOUND);
                    }
                    tx.insert_audit(&line).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Where a session keeps its files.
    pub async fn get_session_storage(&self, access: &SessionAccess) -> Result<SessionStorage> {
        let mut tx = self.store.read().await?;
        let found = tx
            .session_storage(access.organization_id(), access.id())
            .await?;
        found.ok_or(Error::NotFound(What::Session))
    }

    /// Changes where a session keeps its files; what is stored already stays where it is.
    pub async fn set_session_storage(
        &self,
        access: &SessionAccess,
        body: Draft<SessionStorageBody>,
    ) -> Result<SessionStorage> {
        let (body, mut faults) = body.open()?;
        faults.extend(body.faults());
        let named = body.bucket_id.clone().flatten();
        let bucket: Option<BucketId> = named.as_deref().and_then(|id| id.parse().ok());
        let is_id = named.is_none() || bucket.is_some() && sees_buckets(access.caller());
        faults.check(is_id, "bucketId", || NO_BUCKET.into());
        faults.into_result()?;
        let (organization, session) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        let line = self.session_line(access, AuditAction::SessionUpdated);
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    const GONE: Error = Error::NotFound(What::Session);
                    let before = tx.session_storage_for_update(organization, session).await?;
                    let before = before.ok_or(GONE)?;
                    require_bucket(tx, organization, bucket).await?;
                    let after = SessionStorage {
                        bucket_id: body.bucket_id.map_or(before.bucket_id, |_| bucket),
                        capture: body.capture.unwrap_or(before.capture),
                        retention_days: body.retention_days.unwrap_or(before.retention_days),
                    };
                    if after == before {
                        return Ok(after);
                    }
                    let is_there = tx
                        .set_session_storage(organization, session, &after, now)
                        .await?;
                    if !is_there {
                        return Err(GONE);
                    }
                    let line = line.with("fields", vec!["storage"]);
                    tx.insert_audit(&line.entry()).await?;
                    Ok(after)
                })
            })
            .await
    }
}

const NO_BUCKET: &str = "is not a bucket of the organization";

/// Gives a fault where a bucket is not one of the organization's.
async fn require_bucket(
    tx: &mut Tx,
    organization: OrganizationId,
    bucket: Option<BucketId>,
) -> Result<()> {
    if let Some(id) = bucket
        && !tx.hold_bucket(organization, id).await?
    {
        return Err(Faults::one("bucketId", NO_BUCKET).into());
    }
    Ok(())
}
