use std::sync::Arc;

use wagate_identity::{
    CreatedApiKey, Identity, IdentityConfig, IssuerClient, NewApiKey, Principal, SystemRandomness,
};
use wagate_model::{
    Actor, ApiKeyPrincipal, Capabilities, Clock as _, ManualClock, OrganizationId, SessionId,
};
use wagate_store::testing::{TestStore, store};

pub(crate) struct Service {
    pub(crate) identity: Identity,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: TestStore,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_with(IdentityConfig::default()).await
    }

    pub(crate) async fn start_with(config: IdentityConfig) -> Self {
        let store = store().await;
        let clock = store.clock.clone();
        let identity = Identity::new(
            store.handle(),
            clock.clone(),
            Arc::new(SystemRandomness),
            config,
        );
        Self {
            identity,
            clock,
            store,
        }
    }

    /// The same service in another process: the same database, a cache of its own.
    pub(crate) fn another_process(&self) -> Identity {
        self.process_with(IdentityConfig::default())
    }

    /// The same with other settings.
    pub(crate) fn process_with(&self, config: IdentityConfig) -> Identity {
        Identity::new(
            self.store.handle(),
            self.clock.clone(),
            Arc::new(SystemRandomness),
            config,
        )
    }

    pub(crate) async fn organization(&self, name: &str) -> OrganizationId {
        self.identity
            .create_organization(name, &Actor::operator())
            .await
            .unwrap()
            .id
    }

    pub(crate) async fn session(&self, organization: OrganizationId) -> SessionId {
        self.store.session(organization).await
    }

    /// What a key proves.
    pub(crate) async fn key_principal(&self, created: &CreatedApiKey) -> ApiKeyPrincipal {
        let secret = created.secret.reveal();
        let principal = self.identity.authenticate(&secret).await.unwrap();
        match &*principal {
            Principal::ApiKey(key) => key.clone(),
            Principal::Person(_) => panic!("a key is nobody's login"),
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}

pub(crate) fn new_key(name: &str) -> NewApiKey {
    NewApiKey {
        name: name.to_owned(),
        capabilities: Capabilities::all(),
        session_ids: None,
        expires_at: None,
    }
}

/// A client for issuers on loopback: it trusts nobody's certificate.
pub(crate) fn issuer_client() -> IssuerClient {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    IssuerClient::new(tls).unwrap()
}
