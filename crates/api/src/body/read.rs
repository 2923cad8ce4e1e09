//! Reading a body under limits of size and time.

use std::time::Duration;

use axum::body::Body;
use bytes::BytesMut;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use wagate_model::Faults;

use super::{BODY, RequestBody};
use crate::state::ApiConfig;

/// Memory that is set aside at once; more comes with the bytes.
const FIRST_CAPACITY: usize = 64 << 10;

/// How large and slow a body may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    size_bytes: usize,
    idle: Duration,
    total: Duration,
}

impl Limits {
    pub(super) const fn of<T: RequestBody>(config: &ApiConfig) -> Self {
        let (size_bytes, total) = if T::HAS_MEDIA {
            (config.media_body_limit_bytes, config.media_body_timeout)
        } else {
            (config.body_limit_bytes, config.body_timeout)
        };
        Self {
            size_bytes,
            idle: config.body_idle_timeout,
            total,
        }
    }

    fn too_large(self) -> Faults {
        Faults::one(BODY, format!("must have at most {} bytes", self.size_bytes))
    }
}

/// Reads a whole body; stops as soon as a limit is passed.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limits: Limits,
) -> Result<BytesMut, Faults> {
    let is_encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_encoded {
        let message = "is not supported: send the body as it is";
        return Err(Faults::one("Content-Encoding", message));
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let is_too_large = |size: u64| size > u64::try_from(limits.size_bytes).unwrap_or(u64::MAX);
    if announced.is_some_and(is_too_large) {
        return Err(limits.too_large());
    }
    let capacity = announced.and_then(|size| usize::try_from(size).ok());
    let mut bytes = BytesMut::with_capacity(capacity.unwrap_or(0).min(FIRST_CAPACITY));
    let deadline = Instant::now() + limits.total;
    loop {
        let next = deadline.min(Instant::now() + limits.idle);
        let frame = match tokio::time::timeout_at(next, body.frame()).await {
            Err(_) => return Err(Faults::one(BODY, "did not arrive in time")),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(_))) => return Err(Faults::one(BODY, "was cut off")),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Some(data) = frame.data_ref() {
            if data.len() > limits.size_bytes - bytes.len() {
                return Err(limits.too_large());
            }
            bytes.extend_from_slice(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use futures::stream;

    use super::*;

    const LIMITS: Limits = Limits {
        size_bytes: 10,
        idle: Duration::from_millis(50),
        total: Duration::from_millis(800),
    };

    fn chunks(sizes: &[usize]) -> Body {
        let chunks: Vec<_> = sizes
            .iter()
            .map(|size| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; *size])))
            .collect();
        Body::from_stream(stream::iter(chunks))
    }

    async fn message(body: Body) -> Result<usize, String> {
        match read(&HeaderMap::new(), body, LIMITS).await {
            Ok(bytes) => Ok(bytes.len()),
            Err(faults) => Err(faults.into_vec().remove(0).message),
        }
    }

    #[tokio::test]
    async fn size_is_counted_as_it_comes() {
        assert_eq!(message(chunks(&[4, 6])).await, Ok(10));
        assert_eq!(
            message(chunks(&[4, 7])).await,
            Err("must have at most 10 bytes".into())
        );
    }

    #[tokio::test]
    async fn an_announced_size_is_refused_unread() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, 11.into());
        let pending = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert!(read(&headers, pending, LIMITS).await.is_err());
    }

    #[tokio::test]
    async fn silence_ends() {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let start = Instant::now();
        assert_eq!(message(silent).await, Err("did not arrive in time".into()));
        assert!(start.elapsed() >= LIMITS.idle && start.elapsed() < LIMITS.total);
    }

    #[tokio::test]
    async fn a_trickle_ends() {
        // Never silent, and empty: only the time as a whole bounds it.
        let trickle = Body::from_stream(stream::unfold((), |()| async {
            tokio::task::yield_now().await;
            Some((Ok::<_, std::io::Error>(Bytes::new()), ()))
        }));
        let start = Instant::now();
        assert_eq!(message(trickle).await, Err("did not arrive in time".into()));
        assert!(start.elapsed() >= LIMITS.total);
    }

    #[tokio::test]
    async fn encoded_bodies_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_ENCODING,
            http::HeaderValue::from_static("gzip"),
        );
        assert!(read(&headers, chunks(&[1]), LIMITS).await.is_err());
    }
}
