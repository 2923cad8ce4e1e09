//! The keys that an issuer publishes.

use std::sync::Arc;

use url::Url;
use wagate_model::Clock;

use super::jws::KeySet;
use super::refreshed::Refreshed;
use crate::issuer_client::{FetchError, IssuerClient};

/// How long keys are used without asking again.
const KNOWN_FOR_MS: i64 = 3_600_000;
/// How long a key that is not known is believed to be none.
const PAUSE_MS: i64 = 60_000;
/// The same while no keys were ever had: nobody gets in until then.
const FIRST_PAUSE_MS: i64 = 5_000;

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The issuer has no such key.
    Unknown,
    /// It is not known which keys the issuer has.
    Unavailable,
}

/// The keys at a URL.
pub(crate) struct RemoteKeys {
    url: Url,
    client: Option<IssuerClient>,
    keys: Arc<Refreshed<KeySet, FetchError>>,
}

impl RemoteKeys {
    pub(crate) fn new(url: Url, client: Option<IssuerClient>, clock: Arc<dyn Clock>) -> Self {
        Self {
            url,
            client,
            keys: Refreshed::new(clock),
        }
    }

    /// The keys as they are known, where any are.
    pub(crate) fn known(&self) -> Option<Arc<KeySet>> {
        if !self.keys.is_loaded_within(KNOWN_FOR_MS) {
            // What is known goes on being used while the issuer is away.
            self.keys.refresh_aside(PAUSE_MS, self.load());
        }
        self.keys.get()
    }

    /// The keys, among them one of a name.
    pub(crate) async fn with_key(&self, id: Option<&str>) -> Result<Arc<KeySet>, NoKey> {
        let known = self.keys.get();
        let pause_ms = match &known {
            Some(keys) if keys.find(id).is_some() => return self.known().ok_or(NoKey::Unknown),
            Some(_) => PAUSE_MS,
            None => FIRST_PAUSE_MS,
        };
        // Failures are told where they happen.
        let _ = self.keys.refresh(pause_ms, self.load()).await;
        let keys = self.keys.get().ok_or(NoKey::Unavailable)?;
        if keys.find(id).is_some() {
            Ok(keys)
        } else {
            Err(NoKey::Unknown)
        }
    }

    fn load(&self) -> impl Future<Output = Result<KeySet, FetchError>> + Send + 'static {
        let (url, client) = (self.url.clone(), self.client.clone());
        async move {
            let loaded = fetch(client, &url).await;
            let host = url.host_str().unwrap_or_default();
            match &loaded {
                Ok(keys) => tracing::debug!(host, count = keys.len(), "keys of an issuer loaded"),
                Err(error) => tracing::warn!(host, %error, "keys of an issuer were not loaded"),
            }
            loaded
        }
    }
}

async fn fetch(client: Option<IssuerClient>, url: &Url) -> Result<KeySet, FetchError> {
    let client = client.ok_or(FetchError::NoClient)?;
    let text = client.get(url, None).await?;
    KeySet::parse(&text)
        .filter(|keys| keys.len() > 0)
        .ok_or(FetchError::Content("a JWK set with a key of use"))
}
