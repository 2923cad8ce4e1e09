use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use totp_rs::{Builder, Secret};
use url::Url;
use wagate_identity::{
    Client, CreatedApiKey, Identity, IdentityConfig, IssuerClient, Mail, MailError, Mailer,
    NewApiKey, NewUser, Password, PasswordCost, Principal, SystemRandomness,
};
use wagate_model::{
    Actor, ApiKeyPrincipal, AuditAction, Capabilities, Clock as _, Email, ManualClock,
    OrganizationId, PlatformRole, SessionId, User,
};
use wagate_store::AuditFilter;
use wagate_store::testing::{TestStore, store};

/// A good password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Mails that were sent, in their order.
pub(crate) struct Mails(tokio::sync::Mutex<UnboundedReceiver<Mail>>);

impl Mails {
    /// Waits for the next one.
    pub(crate) async fn next(&self) -> Mail {
        self.0.lock().await.recv().await.unwrap()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.try_lock().unwrap().is_empty()
    }
}

/// Stands for a mailer that a test wants: the harness puts its own in its place.
pub(crate) fn mailer() -> Arc<dyn Mailer> {
    Arc::new(Postbox(None))
}

struct Postbox(Option<UnboundedSender<Mail>>);

#[async_trait]
impl Mailer for Postbox {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let taken = self.0.as_ref().and_then(|box_| box_.send(mail).ok());
        taken.ok_or_else(|| MailError("nobody is there".into()))
    }
}

pub(crate) struct Service {
    pub(crate) identity: Identity,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: TestStore,
    pub(crate) mails: Mails,
    config: IdentityConfig,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut IdentityConfig)) -> Self {
        let mut config = IdentityConfig {
            public_url: Some(Url::parse("https://wagate.example/").unwrap()),
            password_cost: PasswordCost {
                memory_kib: 64,
                passes: 1,
                lanes: 1,
            },
            ..IdentityConfig::default()
        };
        change(&mut config);
        Self::start_with(config).await
    }

    pub(crate) async fn start_with(mut config: IdentityConfig) -> Self {
        let store = store().await;
        let clock = store.clock.clone();
        let (postbox, mails) = unbounded_channel();
        if let Some(mailer) = &mut config.mailer {
            *mailer = Arc::new(Postbox(Some(postbox)));
        }
        let identity = Identity::new(
            store.handle(),
            clock.clone(),
            Arc::new(SystemRandomness),
            config.clone(),
        );
        Self {
            identity,
            clock,
            store,
            mails: Mails(tokio::sync::Mutex::new(mails)),
            config,
        }
    }

    /// The same service in another process: the same database, a cache of its own.
    pub(crate) fn another_process(&self) -> Identity {
        self.over(self.store.handle(), self.config.clone())
    }

    /// As [`Self::another_process`], with connections of its own.
    pub(crate) async fn second(&self) -> Identity {
        self.over(self.store.second().await.unwrap(), self.config.clone())
    }

    /// As [`Self::another_process`], with other settings.
    pub(crate) fn process_with(&self, config: IdentityConfig) -> Identity {
        self.over(self.store.handle(), config)
    }

    fn over(&self, store: wagate_store::Store, config: IdentityConfig) -> Identity {
        Identity::new(
            store,
            self.clock.clone(),
            Arc::new(SystemRandomness),
            config,
        )
    }

    pub(crate) async fn organization(&self, name: &str) -> OrganizationId {
        let actor = Actor::operator();
        let made = self.identity.create_organization(name, &actor).await;
        made.unwrap().id
    }

    pub(crate) async fn session(&self, organization: OrganizationId) -> SessionId {
        self.store.session(organization).await
    }

    /// Makes an account with the password [`PASSWORD`].
    pub(crate) async fn user(&self, address: &str) -> User {
        let made = self.identity.create_user(new_user(address), None).await;
        made.unwrap()
    }

    /// What an authenticator app shows now.
    pub(crate) fn totp_code(&self, secret: &str) -> String {
        let secret = Secret::try_from_base32(secret).unwrap();
        let totp = Builder::new().with_secret(secret).build().unwrap();
        let now_s = u64::try_from(self.now_ms() / 1_000).unwrap();
        totp.generate(now_s).to_string()
    }

    /// What an organization's log says, oldest first.
    pub(crate) async fn log_of(&self, organization: OrganizationId) -> Vec<AuditAction> {
        let mut tx = self.store.read().await.unwrap();
        let filter = AuditFilter::default();
        let mut lines = tx.audit(organization, &filter, None, 100).await.unwrap();
        lines.reverse();
        lines.into_iter().map(|line| line.action).collect()
    }

    /// What the operator's log says, oldest first.
    pub(crate) async fn operators_log(&self) -> Vec<AuditAction> {
        let mut tx = self.store.read().await.unwrap();
        let filter = AuditFilter::default();
        let mut lines = tx.admin().audit(&filter, None, 100).await.unwrap();
        lines.reverse();
        lines.into_iter().map(|line| line.action).collect()
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

pub(crate) fn email(text: &str) -> Email {
    text.parse().unwrap()
}

pub(crate) fn password(text: &str) -> Password {
    text.to_owned().into()
}

pub(crate) fn client(address: &str) -> Client {
    Client {
        address: Some(address.parse::<IpAddr>().unwrap()),
        user_agent: Some("test".into()),
    }
}

pub(crate) fn new_user(address: &str) -> NewUser {
    NewUser {
        email: email(address),
        name: "Ann".into(),
        password: Some(password(PASSWORD)),
        platform_role: PlatformRole::User,
        is_email_confirmed: true,
        membership: None,
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
