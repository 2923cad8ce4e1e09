//! Reading a body under limits of size, time and memory.

use std::time::Duration;

use axum::body::Body;
use bytes::BytesMut;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use wagate_model::Faults;

use super::{BODY, RequestBody};
use crate::allowance::Share;
use crate::state::ApiConfig;

/// Bodies of up to this many bytes are so small that their memory is not counted.
const FREE_BYTES: usize = 64 << 10;

/// The memory of larger ones is counted in steps of this many bytes.
const STEP_BYTES: usize = 256 << 10;

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It is too large, too slow, or of a wrong form.
    Faults(Faults),
    /// All the memory that bodies may take is taken.
    Crowded,
}

impl ReadError {
    fn one(field: &str, message: &str) -> Self {
        Self::Faults(Faults::one(field, message))
    }
}

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

    fn too_large(self) -> ReadError {
        ReadError::one(
            BODY,
            &format!("must have at most {} bytes", self.size_bytes),
        )
    }
}

/// Reads a whole body; stops as soon as a limit is passed.
///
/// The memory is taken as the bytes come: announcing a large body keeps nobody else out.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limits: Limits,
    share: &mut Share,
) -> Result<BytesMut, ReadError> {
    let is_encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_encoded {
        let message = "is not supported: send the body as it is";
        return Err(ReadError::one("Content-Encoding", message));
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let announced = announced.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    if announced.is_some_and(|size| size > limits.size_bytes) {
        return Err(limits.too_large());
    }
    if announced.is_some_and(|size| !share.could_hold(counted(size))) {
        return Err(ReadError::Crowded);
    }
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0).min(FREE_BYTES));
    let deadline = Instant::now() + limits.total;
    loop {
        let next = deadline.min(Instant::now() + limits.idle);
        let frame = match tokio::time::timeout_at(next, body.frame()).await {
            Err(_) => return Err(ReadError::one(BODY, "did not arrive in time")),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(_))) => return Err(ReadError::one(BODY, "was cut off")),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Some(data) = frame.data_ref() {
            if data.len() > limits.size_bytes - bytes.len() {
                return Err(limits.too_large());
            }
            if !share.hold(counted(bytes.len() + data.len())) {
                return Err(ReadError::Crowded);
            }
            bytes.extend_from_slice(data);
        }
    }
}

/// What counts of a body's size.
const fn counted(size: usize) -> usize {
    if size <= FREE_BYTES {
        0
    } else {
        size.next_multiple_of(STEP_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use futures::stream;

    use super::*;
    use crate::allowance::Allowance;

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
        let mut share = Allowance::new(0, 0).share(None);
        match read(&HeaderMap::new(), body, LIMITS, &mut share).await {
            Ok(bytes) => Ok(bytes.len()),
            Err(ReadError::Faults(faults)) => Err(faults.into_vec().remove(0).message),
            Err(ReadError::Crowded) => Err("crowded".into()),
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
        let mut share = Allowance::new(0, 0).share(None);
        let result = read(&headers, pending, LIMITS, &mut share).await;
        assert!(matches!(result, Err(ReadError::Faults(_))));
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
        let mut share = Allowance::new(0, 0).share(None);
        let result = read(&headers, chunks(&[1]), LIMITS, &mut share).await;
        assert!(matches!(result, Err(ReadError::Faults(_))));
    }

    #[tokio::test]
    async fn memory_is_taken_as_bytes_come_and_given_back() {
        let limits = Limits {
            size_bytes: 1 << 20,
            ..LIMITS
        };
        let headers = HeaderMap::new();
        let allowance = Allowance::new(2 * STEP_BYTES, 2 * STEP_BYTES);
        let mut first = allowance.share(None);
        let body = chunks(&[STEP_BYTES, 1]);
        let bytes = read(&headers, body, limits, &mut first).await.unwrap();
        assert_eq!(bytes.len(), STEP_BYTES + 1);
        // Nothing is left for a large one, announced or not; a small one needs nothing.
        let mut second = allowance.share(None);
        let mut announced = HeaderMap::new();
        announced.insert(header::CONTENT_LENGTH, (FREE_BYTES + 1).into());
        for (headers, chunk) in [(&headers, FREE_BYTES + 1), (&announced, 1)] {
            let result = read(headers, chunks(&[chunk]), limits, &mut second).await;
            assert!(matches!(result, Err(ReadError::Crowded)));
        }
        assert!(
            read(&headers, chunks(&[FREE_BYTES]), limits, &mut second)
                .await
                .is_ok()
        );
        drop(first);
        let body = chunks(&[FREE_BYTES + 1]);
        assert!(read(&headers, body, limits, &mut second).await.is_ok());
    }
}
