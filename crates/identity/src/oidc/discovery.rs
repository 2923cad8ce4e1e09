//! What a provider says about itself (OpenID Connect Discovery 1.0).

use std::sync::Arc;

use serde::Deserialize;
use url::Url;
use wagate_model::Clock;

use super::{OidcError, ProviderConfig};
use crate::issuer_client::{FetchError, IssuerClient};
use crate::tokens::{Refreshed, RemoteKeys};

/// How long it is believed without asking again, and how long after a failure it is not asked.
const KNOWN_FOR_MS: i64 = 3_600_000;
const PAUSE_MS: i64 = 60_000;
const FIRST_PAUSE_MS: i64 = 5_000;

/// The part of a provider's configuration that is of use here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Document {
    issuer: String,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) userinfo_endpoint: Option<Url>,
    jwks_uri: Url,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Document {
    /// Whether the client's password goes into the form: the other way is the default.
    pub(crate) fn wants_secret_in_form(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref();
        methods.is_some_and(|methods| {
            let has = |name: &str| methods.iter().any(|method| method == name);
            has("client_secret_post") && !has("client_secret_basic")
        })
    }

    fn urls(&self) -> impl Iterator<Item = &Url> {
        [
            &self.authorization_endpoint,
            &self.token_endpoint,
            &self.jwks_uri,
        ]
        .into_iter()
        .chain(&self.userinfo_endpoint)
    }
}

/// A provider as it was found.
pub(crate) struct Discovered {
    pub(crate) document: Document,
    pub(crate) keys: RemoteKeys,
}

// Its keys are kept as long as it says the same.
impl PartialEq for Discovered {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

/// A provider that people can sign in with.
pub(crate) struct Provider {
    pub(crate) config: ProviderConfig,
    pub(crate) client: Option<IssuerClient>,
    clock: Arc<dyn Clock>,
    discovered: Arc<Refreshed<Discovered, FetchError>>,
}

impl Provider {
    pub(crate) fn new(
        config: ProviderConfig,
        client: Option<IssuerClient>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            config,
            client,
            discovered: Refreshed::new(Arc::clone(&clock)),
            clock,
        }
    }

    /// What the provider says about itself.
    pub(crate) async fn discovered(&self) -> Result<Arc<Discovered>, OidcError> {
        let discovered = &self.discovered;
        if discovered.get().is_none() {
            // Failures are told where they happen.
            let _ = discovered.refresh(FIRST_PAUSE_MS, self.load()).await;
        } else if !discovered.is_loaded_within(KNOWN_FOR_MS) {
            discovered.refresh_aside(PAUSE_MS, self.load());
        }
        discovered.get().ok_or(OidcError::Unavailable)
    }

    fn load(&self) -> impl Future<Output = Result<Discovered, FetchError>> + Send + 'static {
        let (client, clock) = (self.client.clone(), Arc::clone(&self.clock));
        let (provider, issuer) = (self.config.id.clone(), self.config.issuer.clone());
        async move {
            let loaded = fetch(client.as_ref(), &issuer).await;
            if let Err(error) = &loaded {
                tracing::warn!(provider, %error, "a provider's configuration was not loaded");
            }
            let document = loaded?;
            Ok(Discovered {
                keys: RemoteKeys::new(document.jwks_uri.clone(), client, clock),
                document,
            })
        }
    }
}

async fn fetch(client: Option<&IssuerClient>, issuer: &str) -> Result<Document, FetchError> {
    let client = client.ok_or(FetchError::NoClient)?;
    let base = issuer.trim_end_matches('/');
    let url = Url::parse(&format!("{base}/.well-known/openid-configuration"))
        .map_err(|_| FetchError::Content("below a URL"))?;
    let text = client.get(&url, None).await?;
    let document: Document = serde_json::from_slice(&text)
        .map_err(|_| FetchError::Content("a configuration of OpenID Connect"))?;
    // Section 4.3: it must be the one that was asked for.
    if document.issuer != issuer {
        return Err(FetchError::Content("the configuration of that issuer"));
    }
    // A provider with TLS has nothing without it.
    let is_as_safe = |other: &Url| other.scheme() == "https" || other.scheme() == url.scheme();
    if !document.urls().all(is_as_safe) {
        return Err(FetchError::Content("a configuration with https URLs"));
    }
    Ok(document)
}
