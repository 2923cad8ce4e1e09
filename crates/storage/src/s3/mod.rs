//! Buckets: the few requests of S3 that keeping files takes.

mod sign;

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{Method, StatusCode};
use reqwest::{Body, Request, Response};
use tokio_util::io::ReaderStream;
use url::Url;
use wagate_delivery::GuardedClient;
use wagate_model::hide_contents;

use crate::content::{Content, Part};
use crate::disk::Digest;
use crate::error::StorageError;

/// How long a bucket may take for the head of its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a bucket may pause within a file.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long sending a file may take besides, for each MiB.
const TIME_PER_MIB: Duration = Duration::from_secs(2);

/// A file as it comes.
type Bytestream = BoxStream<'static, io::Result<Bytes>>;

/// The SHA-256 of nothing.
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A bucket and its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The store's URL.
    pub endpoint: Url,
    /// The store's region.
    pub region: String,
    /// The bucket's name.
    pub name: String,
    /// Whether the bucket is named in the path of URLs, not in their host.
    pub is_path_style: bool,
    /// The access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

hide_contents!(Bucket);

impl Bucket {
    /// The URL of a file.
    pub(crate) fn url(&self, key: &str) -> Result<Url, StorageError> {
        let mut url = self.endpoint.clone();
        url.set_query(None);
        url.set_fragment(None);
        let base = url.path().trim_end_matches('/').to_owned();
        if self.is_path_style {
            url.set_path(&format!("{base}/{}/{key}", self.name));
        } else {
            let host = url.host_str().ok_or(StorageError::Settings)?;
            let host = format!("{}.{host}", self.name);
            url.set_host(Some(&host))
                .map_err(|_| StorageError::Settings)?;
            url.set_path(&format!("{base}/{key}"));
        }
        Ok(url)
    }
}

/// Speaks to all buckets.
#[derive(Debug, Clone)]
pub(crate) struct S3 {
    client: GuardedClient,
}

impl S3 {
    pub(crate) const fn new(client: GuardedClient) -> Self {
        Self { client }
    }

    fn request(
        bucket: &Bucket,
        method: Method,
        key: &str,
        sha256: &str,
        now_ms: i64,
    ) -> Result<Request, StorageError> {
        let mut request = Request::new(method, bucket.url(key)?);
        sign::sign(&mut request, bucket, sha256, now_ms)?;
        Ok(request)
    }

    async fn send(&self, request: Request, timeout: Duration) -> Result<Response, StorageError> {
        let response = self.client.send(request, timeout).await?;
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND => Err(StorageError::Missing),
            status => Err(StorageError::Refused(status.as_u16())),
        }
    }

    /// Keeps a file.
    pub(crate) async fn keep(
        &self,
        bucket: &Bucket,
        key: &str,
        path: &Path,
        digest: &Digest,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let mut request = Self::request(bucket, Method::PUT, key, &digest.sha256, now_ms)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_LENGTH, digest.size.into());
        let file = tokio::fs::File::open(path).await?;
        let bytes = ReaderStream::with_capacity(file, 64 * 1024);
        *request.body_mut() = Some(Body::wrap_stream(bytes));
        let mebibytes = u32::try_from(digest.size >> 20).unwrap_or(u32::MAX);
        let timeout = ANSWER_TIMEOUT + TIME_PER_MIB.saturating_mul(mebibytes);
        // A bucket that is not there is no file that is not there.
        self.send(request, timeout)
            .await
            .map_err(|error| match error {
                StorageError::Missing => StorageError::Refused(404),
                other => other,
            })?;
        Ok(())
    }

    /// Opens a file, or a part of it.
    pub(crate) async fn read(
        &self,
        bucket: &Bucket,
        key: &str,
        part: Option<Part>,
        now_ms: i64,
    ) -> Result<Content, StorageError> {
        let mut request = Self::request(bucket, Method::GET, key, EMPTY_SHA256, now_ms)?;
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            let range = format!("bytes={}-{}", part.start, part.end - 1);
            let range = range.parse().map_err(|_| StorageError::Settings)?;
            request.headers_mut().insert(RANGE, range);
        }
        let response = self.send(request, ANSWER_TIMEOUT).await?;
        let (size, part) = extent(&response).ok_or(StorageError::Broken)?;
        let bytes = response.bytes_stream();
        let bytes = bytes.map_err(|error| io::Error::other(error.without_url()));
        Ok(Content {
            size,
            part,
            bytes: without_pauses(bytes.boxed(), IDLE_TIMEOUT),
        })
    }

    /// Removes a file; nothing where it is not there.
    pub(crate) async fn remove(
        &self,
        bucket: &Bucket,
        key: &str,
        now_ms: i64,
    ) -> Result<(), StorageError> {
        let request = Self::request(bucket, Method::DELETE, key, EMPTY_SHA256, now_ms)?;
        match self.send(request, ANSWER_TIMEOUT).await {
            Ok(_) | Err(StorageError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The same bytes, with an error where none come for too long: whoever reads them holds a
/// connection and a place for as long.
fn without_pauses(bytes: Bytestream, longest: Duration) -> Bytestream {
    let pieces = stream::try_unfold(bytes, move |mut bytes| async move {
        let next = tokio::time::timeout(longest, bytes.try_next()).await;
        let piece = next.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(piece.map(|piece| (piece, bytes)))
    });
    pieces.boxed()
}

/// The size of the whole file and which part of it an answer holds.
fn extent(response: &Response) -> Option<(u64, Part)> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        let size = response.content_length()?;
        return Some((
            size,
            Part {
                start: 0,
                end: size,
            },
        ));
    }
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let part = Part {
        start: first.parse().ok()?,
        end: last.parse::<u64>().ok()?.checked_add(1)?,
    };
    Some((size.parse().ok()?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_pauses_for_too_long_ends_with_an_error() {
        let piece = || Ok(Bytes::from_static(b"a"));
        let whole = stream::repeat_with(piece).take(3).boxed();
        assert_eq!(without_pauses(whole, IDLE_TIMEOUT).count().await, 3);
        let silent = stream::repeat_with(piece).take(1).chain(stream::pending());
        let mut pieces = without_pauses(silent.boxed(), Duration::from_millis(1));
        assert!(pieces.next().await.unwrap().is_ok());
        let error = pieces.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(pieces.next().await.is_none());
    }

    #[test]
    fn urls_name_the_bucket_in_path_or_host() {
        let bucket = |is_path_style| Bucket {
            endpoint: "https://s3.example:9000/base/".parse().unwrap(),
            region: "eu".into(),
            name: "files".into(),
            is_path_style,
            access_key: "a".into(),
            secret_key: "s".into(),
        };
        let url = |is_path_style| bucket(is_path_style).url("o/s/m").unwrap().to_string();
        assert_eq!(url(true), "https://s3.example:9000/base/files/o/s/m");
        assert_eq!(url(false), "https://files.s3.example:9000/base/o/s/m");
        let mut numbered = bucket(false);
        numbered.endpoint = "https://10.0.0.1/".parse().unwrap();
        // An address has no hosts below it; such stores name buckets in the path.
        assert!(
            numbered.url("k").is_err() || numbered.url("k").unwrap().host_str() != Some("10.0.0.1")
        );
    }
}
