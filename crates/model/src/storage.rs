//! Buckets in which organizations keep files, and where each session keeps its own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{BucketId, Faults, hide_contents, limits};

/// A bucket at an object store that speaks S3, without its credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageBucket {
    /// The bucket's name at the store.
    pub bucket: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at: i64,
    /// The store's URL.
    pub endpoint: String,
    /// The id.
    pub id: BucketId,
    /// What people call it.
    pub name: String,
    /// Whether the bucket is named in the path of URLs, not in their host.
    pub path_style: bool,
    /// The store's region.
    pub region: String,
    /// How many days files are kept, unless their session says otherwise; absent for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<i64>,
    /// When it was last changed, in milliseconds since 1970.
    pub updated_at: i64,
}

/// The buckets of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListStorageBucket {
    /// The buckets, oldest first.
    pub data: Vec<StorageBucket>,
}

/// A bucket to make, or to change; in a change, what is absent stays.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageBucketBody {
    /// The access key's id; it is never given back.
    #[schema(max_length = 256)]
    pub access_key: Option<String>,
    /// The bucket's name at the store.
    #[schema(max_length = 63)]
    pub bucket: Option<String>,
    /// The store's URL, such as `https://s3.eu-central-1.amazonaws.com`.
    #[schema(max_length = 2048)]
    pub endpoint: Option<String>,
    /// What people call it.
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// Whether the bucket is named in the path of URLs, not in their host; true by default.
    pub path_style: Option<bool>,
    /// The store's region; `us-east-1` by default.
    #[schema(max_length = 64)]
    pub region: Option<String>,
    /// How many days files are kept, 1 to 3650; null for ever.
    #[serde(default, deserialize_with = "crate::webhooks::present")]
    #[schema(value_type = Option<i64>)]
    pub retention_days: Option<Option<i64>>,
    /// The secret of the access key; it is never given back.
    #[schema(max_length = 256)]
    pub secret_key: Option<String>,
}

hide_contents!(StorageBucketBody);

/// Whether days of retention are within the limits.
fn check_days(days: Option<i64>, faults: &mut Faults) {
    let is_fine = days.is_none_or(|days| (1..=limits::RETENTION_DAYS).contains(&days));
    faults.check(is_fine, "retentionDays", || {
        format!("must be 1 to {}, or null", limits::RETENTION_DAYS)
    });
}

impl StorageBucketBody {
    /// What is wrong with the parts that are given.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let texts = [
            ("accessKey", &self.access_key, limits::BUCKET_KEY_CHARS),
            ("endpoint", &self.endpoint, limits::URL_CHARS),
            ("name", &self.name, limits::LABEL_CHARS),
            ("region", &self.region, limits::REGION_CHARS),
            ("secretKey", &self.secret_key, limits::BUCKET_KEY_CHARS),
        ];
        for (field, text, max) in texts {
            if let Some(text) = text {
                faults.check(!text.is_empty(), field, || "must not be empty".into());
                faults.check_length(field, text, max);
            }
        }
        let is_word = |text: &str| {
            let mut bytes = text.bytes();
            bytes.all(|byte| byte.is_ascii_graphic())
        };
        for (field, text) in [
            ("accessKey", &self.access_key),
            ("region", &self.region),
            ("secretKey", &self.secret_key),
        ] {
            let is_fine = text.as_deref().is_none_or(is_word);
            faults.check(is_fine, field, || "must be visible ASCII characters".into());
        }
        if let Some(bucket) = &self.bucket {
            let is_name = (3..=limits::BUCKET_CHARS).contains(&bucket.len())
                && bucket.starts_with(|c: char| c.is_ascii_alphanumeric())
                && bucket.bytes().all(|byte| {
                    byte.is_ascii_lowercase()
                        || byte.is_ascii_digit()
                        || matches!(byte, b'-' | b'.')
                })
                && !bucket.contains("..");
            faults.check(is_name, "bucket", || {
                "must be 3 to 63 small letters, digits, hyphens and dots".into()
            });
        }
        check_days(self.retention_days.flatten(), &mut faults);
        faults
    }
}

/// Where a session keeps its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionStorage {
    /// The bucket; null for the installation's own disk.
    #[schema(required = true)]
    pub bucket_id: Option<BucketId>,
    /// Whether files are fetched as they come, or only when somebody asks for them.
    pub capture: bool,
    /// How many days files are kept; absent for what the bucket says, else for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<i64>,
}

/// Where a session is to keep its files from now on; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionStorageBody {
    /// The bucket; null for the installation's own disk.
    #[serde(default, deserialize_with = "crate::webhooks::present")]
    #[schema(value_type = Option<String>)]
    pub bucket_id: Option<Option<String>>,
    /// Whether files are fetched as they come, or only when somebody asks for them.
    pub capture: Option<bool>,
    /// How many days files are kept, 1 to 3650; null for what the bucket says, else for ever.
    #[serde(default, deserialize_with = "crate::webhooks::present")]
    #[schema(value_type = Option<i64>)]
    pub retention_days: Option<Option<i64>>,
}

impl SessionStorageBody {
    /// What is wrong with the parts that are given.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        check_days(self.retention_days.flatten(), &mut faults);
        faults
    }
}
