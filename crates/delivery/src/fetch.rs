//! Fetching a file from an address that a user gives.

use std::time::Duration;

use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use reqwest::{Method, Request, Response};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::client::{GuardedClient, PostError};

/// How much is fetched, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// The largest file in bytes.
    pub bytes: usize,
    /// Whether of a larger one the beginning is taken, instead of none of it.
    pub cuts: bool,
    /// From the request to the end of the file.
    pub total: Duration,
    /// How many redirects are followed; the guard judges each address.
    pub redirects: usize,
}

/// A file that was fetched.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// The file name of its `Content-Disposition`.
    pub filename: Option<String>,
    /// Where it was found in the end.
    pub url: Url,
}

impl std::fmt::Debug for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetched")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Why a file was not fetched; the texts name no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchFileError {
    /// There was no answer.
    #[error("cannot be fetched: {0}")]
    NoAnswer(#[from] PostError),
    /// It answered with something else than a file.
    #[error("cannot be fetched: it answered {0}")]
    Status(u16),
    /// It points elsewhere, or on and on, where it could be anything.
    #[error("cannot be fetched: it answered {0}, and leads nowhere or too far")]
    Redirect(u16),
    /// The file is too large, or has no end.
    #[error("must lead to a file of at most {limit} bytes")]
    TooLarge {
        /// The largest file in bytes.
        limit: usize,
    },
}

impl GuardedClient {
    /// Fetches a whole file into memory, within limits.
    pub async fn fetch(&self, url: &str, limits: FetchLimits) -> Result<Fetched, FetchFileError> {
        let mut fetching = self.open(url, limits).await?;
        while fetching.more().await? {}
        Ok(fetching.finish())
    }

    /// Finds a file, to be fetched piece by piece, within limits.
    pub async fn open(&self, url: &str, limits: FetchLimits) -> Result<Fetching, FetchFileError> {
        let deadline = Instant::now() + limits.total;
        let mut url = self.guard().check_url(url).map_err(PostError::from)?;
        let mut redirects = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let head = self.timeouts().total.min(left);
            let request = Request::new(Method::GET, url.clone());
            let response = self.send(request, head).await?;
            let status = response.status();
            if !status.is_redirection() {
                return Fetching::new(response, url, limits, deadline);
            }
            let next = next_url(&url, &response).filter(|_| redirects < limits.redirects);
            url = next.ok_or(FetchFileError::Redirect(status.as_u16()))?;
            redirects += 1;
        }
    }
}

/// Where a redirect leads.
fn next_url(url: &Url, response: &Response) -> Option<Url> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    url.join(location).ok()
}

/// A file that is being fetched.
pub struct Fetching {
    response: Response,
    limits: FetchLimits,
    deadline: Instant,
    fetched: Fetched,
}

impl std::fmt::Debug for Fetching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetching")
            .field("fetched", &self.fetched)
            .finish_non_exhaustive()
    }
}

impl Fetching {
    fn new(
        response: Response,
        url: Url,
        limits: FetchLimits,
        deadline: Instant,
    ) -> Result<Self, FetchFileError> {
        let status = response.status();
        if status != 200 {
            return Err(FetchFileError::Status(status.as_u16()));
        }
        let announced = response.content_length().unwrap_or(0);
        let is_larger =
            usize::try_from(announced).map_or(true, |announced| announced > limits.bytes);
        if is_larger && !limits.cuts {
            return Err(limits.too_large());
        }
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let fetched = Fetched {
            bytes: Vec::new(),
            content_type: header(CONTENT_TYPE),
            filename: header(CONTENT_DISPOSITION).and_then(|value| filename_of(&value)),
            url,
        };
        Ok(Self {
            response,
            limits,
            deadline,
            fetched,
        })
    }

    /// Waits for the next piece; whether there was one.
    pub async fn more(&mut self) -> Result<bool, FetchFileError> {
        let room = self.limits.bytes - self.fetched.bytes.len();
        if room == 0 && self.limits.cuts {
            return Ok(false);
        }
        let chunk = timeout_at(self.deadline, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| PostError::Timeout)?;
        let Some(chunk) = chunk.map_err(|_| PostError::Broken)? else {
            return Ok(false);
        };
        if chunk.len() > room && !self.limits.cuts {
            return Err(self.limits.too_large());
        }
        let kept = chunk.len().min(room);
        self.fetched.bytes.extend_from_slice(&chunk[..kept]);
        Ok(true)
    }

    /// How many bytes there are so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fetched.bytes.len()
    }

    /// Whether there are none so far.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was fetched.
    #[must_use]
    pub fn finish(self) -> Fetched {
        self.fetched
    }
}

impl FetchLimits {
    const fn too_large(self) -> FetchFileError {
        FetchFileError::TooLarge { limit: self.bytes }
    }
}

/// The plain `filename` parameter of a `Content-Disposition` (RFC 6266), without folders.
fn filename_of(value: &str) -> Option<String> {
    let parameters = value.split(';').skip(1);
    let name = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("filename"))?
        .1;
    let name = name.trim().trim_matches('"');
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_plain = !name.is_empty() && name.len() <= 255 && !name.chars().any(char::is_control);
    is_plain.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_taken_without_folders() {
        for (value, expected) in [
            ("attachment; filename=\"a b.pdf\"", Some("a b.pdf")),
            ("attachment; FileName=a.pdf", Some("a.pdf")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"C:\\x\\y.doc\"", Some("y.doc")),
            ("attachment; filename=\"\"", None),
            ("inline", None),
        ] {
            assert_eq!(filename_of(value).as_deref(), expected, "{value}");
        }
    }
}
