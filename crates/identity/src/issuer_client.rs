//! Requests to issuers and providers that the operator names.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use url::Url;
use url::form_urlencoded::Serializer;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A client for requests to issuers, shared by cloning.
#[derive(Clone)]
pub struct IssuerClient(reqwest::Client);

impl fmt::Debug for IssuerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuerClient")
    }
}

/// Why an issuer's document could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The configuration gave no client.
    #[error("there is no client for issuers")]
    NoClient,
    /// The request failed.
    #[error("the request failed")]
    Request(#[source] Arc<reqwest::Error>),
    /// The answer is not a success.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// The answer is larger than 1 MiB.
    #[error("the answer is larger than 1 MiB")]
    TooLarge,
    /// The answer is not what it should be.
    #[error("the answer is not {0}")]
    Content(&'static str),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        // URLs may hold codes.
        Self::Request(Arc::new(error.without_url()))
    }
}

impl IssuerClient {
    /// A client that takes no redirects and no proxy of the environment.
    pub fn new(tls: rustls::ClientConfig) -> Result<Self, FetchError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("wagate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(2)
            .build()?;
        Ok(Self(http))
    }

    /// Gets a document, with an access token where one is given.
    pub(crate) async fn get(&self, url: &Url, bearer: Option<&str>) -> Result<Vec<u8>, FetchError> {
        let request = self.0.get(url.clone());
        answer(match bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    /// Posts a form, with a name and a password where they are given.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        basic: Option<(&str, &str)>,
        form: &[(&str, &str)],
    ) -> Result<Vec<u8>, FetchError> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .0
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        answer(match basic {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        })
        .await
    }
}

async fn answer(request: RequestBuilder) -> Result<Vec<u8>, FetchError> {
    let mut response = request.header(ACCEPT, "application/json").send().await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
