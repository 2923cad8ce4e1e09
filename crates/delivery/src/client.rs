//! The HTTP client for addresses that users give: guarded, bounded, following nothing.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use tokio::time::Instant;
use url::Url;

use crate::guard::{AddressGuard, GuardError};

/// How much of an answer is kept.
const RECORDED_BYTES: usize = 4096;
/// How long a receiver that has answered may take for the part of its answer that is kept.
const ANSWER_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the 5 s after which common servers close a quiet connection, so that
/// requests are not written into a connection that is about to be closed.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(4);
const IDLE_CONNECTIONS_PER_HOST: usize = 32;

/// How long a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// Name resolution, connection and TLS handshake together.
    pub connect: Duration,
    /// The request from its beginning to the head of the answer.
    pub total: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

/// The client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS cannot be set up.
    #[error("the tls configuration of the outbound client")]
    Tls(#[from] rustls::Error),
    /// The client cannot be set up.
    #[error("the outbound client")]
    Http(#[source] reqwest::Error),
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Its `Retry-After` header.
    pub retry_after: Option<String>,
    /// The first 4 KiB of the body, as text.
    pub body: String,
}

/// Why there was no answer; the texts name no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The guard refuses the URL, or every address of its host.
    #[error("refused: the url {0}")]
    Refused(#[from] GuardError),
    /// The host has no address.
    #[error("the host name cannot be resolved")]
    Dns,
    /// Nobody accepts connections there.
    #[error("the connection cannot be made")]
    Connect,
    /// The TLS handshake failed, as with a certificate that is not trusted.
    #[error("the tls handshake failed")]
    Tls,
    /// The receiver did not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke, or what came is not HTTP.
    #[error("the connection broke before the answer")]
    Broken,
}

/// One client for all outbound requests to addresses that users give, shared by cloning.
#[derive(Clone)]
pub struct GuardedClient {
    http: reqwest::Client,
    guard: AddressGuard,
    timeouts: ClientTimeouts,
}

impl std::fmt::Debug for GuardedClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardedClient")
            .field("guard", &self.guard)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl GuardedClient {
    /// A client that goes where a guard lets it.
    pub fn new(guard: AddressGuard, timeouts: ClientTimeouts) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config()?)
            .dns_resolver(guard.clone())
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("wagate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeouts.connect)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
            .build()
            .map_err(ClientError::Http)?;
        Ok(Self {
            http,
            guard,
            timeouts,
        })
    }

    /// The guard, to judge URLs when they are given.
    #[must_use]
    pub const fn guard(&self) -> &AddressGuard {
        &self.guard
    }

    /// How long a request may take.
    #[must_use]
    pub const fn timeouts(&self) -> ClientTimeouts {
        self.timeouts
    }

    /// Sends a request whose body, or whose answer's body, may be long: only the time to the
    /// head of the answer is bounded, and who reads on bounds the rest.
    pub async fn send(
        &self,
        request: reqwest::Request,
        timeout: Duration,
    ) -> Result<reqwest::Response, PostError> {
        // The resolver never sees an IP literal, so that is judged here.
        self.guard.check_url(request.url().as_str())?;
        match tokio::time::timeout(timeout, self.http.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(PostError::Timeout),
        }
    }

    /// Posts a body. Every answer counts, also one that reports an error.
    ///
    /// The status decides; a body that is long or slow is cut and its connection dropped.
    pub async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, PostError> {
        // The resolver never sees an IP literal, so that is judged here.
        let url: Url = self.guard.check_url(url)?;
        let deadline = Instant::now() + self.timeouts.total;
        let request = self.http.post(url).headers(headers).body(body).send();
        let mut response = match tokio::time::timeout_at(deadline, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(classify(&error)),
            Err(_) => return Err(PostError::Timeout),
        };
        let body_deadline = deadline.min(Instant::now() + ANSWER_BODY_TIMEOUT);
        let mut recorded = Vec::new();
        while let Ok(Ok(Some(chunk))) =
            tokio::time::timeout_at(body_deadline, response.chunk()).await
        {
            let room = RECORDED_BYTES - recorded.len();
            recorded.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            body: recorded_text(&recorded),
        })
    }
}

/// The bytes as text; a character that the cut divided is left out.
fn recorded_text(bytes: &[u8]) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    };
    String::from_utf8_lossy(whole).into_owned()
}

/// TLS that trusts the public roots that are built in and those of the operating system, so
/// that it works in an empty container, and with a company's own authority.
pub fn tls_config() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn classify(error: &reqwest::Error) -> PostError {
    if let Some(guard) = find_cause::<GuardError>(error) {
        PostError::Refused(*guard)
    } else if error.is_dns() {
        PostError::Dns
    } else if find_cause::<rustls::Error>(error).is_some() {
        PostError::Tls
    } else if error.is_timeout() {
        PostError::Timeout
    } else if error.is_connect() {
        PostError::Connect
    } else {
        PostError::Broken
    }
}

fn find_cause<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // The error inside an I/O error is not among its sources.
        let inside = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divided_character_is_left_out_and_other_bytes_are_replaced() {
        let text = "é".repeat(10);
        assert_eq!(recorded_text(&text.as_bytes()[..19]), "é".repeat(9));
        assert_eq!(recorded_text(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(recorded_text(b""), "");
    }
}
