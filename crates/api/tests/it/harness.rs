//! A service for one test.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use futures::future::BoxFuture;
use http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use wagate_api::{ApiConfig, ApiState, ServerLimits, router, serve};
use wagate_cluster::{Bus, EventCopy, Placement, Serving, Signal};
use wagate_core::{
    Caller, Core, CoreConfig, Decoders, FileIntake, FileLimits, Health, Parts, WebhookTestLimits,
    WebhookTester,
};
use wagate_delivery::{
    AddressGuard, AllowList, ClientTimeouts, Courier, GuardedClient, HostResolver, SigningRoot,
};
use wagate_identity::{
    Identity, IdentityConfig, NewApiKey, PasswordCost, Principal, SignUp, SystemRandomness,
};
use wagate_model::{
    Actor, ApiKeyId, AuditEntry, Capabilities, Capability, Clock, EventId, EventKind, LoginId,
    OrganizationId, PersonPrincipal, PlatformRole, Role, SessionId, Subject, User, UserId,
};
use wagate_store::testing::{TestStore, store};
use wagate_store::{AuditFilter, Lane, LoginRecord, NewEvent, Store, StoreError};

pub(crate) use crate::reply::Reply;
pub(crate) use crate::scripted::{ScriptedGateway, refuse};

/// What hashing a password costs in tests.
const CHEAP: PasswordCost = PasswordCost {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};

/// What the operator has set for people.
pub(crate) fn people() -> IdentityConfig {
    IdentityConfig {
        sign_up: SignUp::Invitation,
        password_cost: CHEAP,
        ..IdentityConfig::default()
    }
}

/// An organization with a key that may do everything.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) organization: OrganizationId,
    pub(crate) key: String,
    pub(crate) key_id: ApiKeyId,
}

/// A person who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) caller: Caller,
    /// What the person's browser shows.
    pub(crate) cookie: String,
    pub(crate) id: UserId,
}

/// Everything of one test.
pub(crate) struct Service {
    pub(crate) store: TestStore,
    pub(crate) bus: Bus,
    pub(crate) identity: Identity,
    pub(crate) core: Core,
    pub(crate) gateway: Arc<ScriptedGateway>,
    pub(crate) router: Router,
    pub(crate) stop: CancellationToken,
    /// Where files are kept.
    pub(crate) folder: TempDir,
    _serving: Serving,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        Self::with_people(change, |_| {}).await
    }

    pub(crate) async fn with_people(
        change: impl FnOnce(&mut ApiConfig),
        change_people: impl FnOnce(&mut IdentityConfig),
    ) -> Self {
        let mut config = ApiConfig::default();
        change(&mut config);
        let mut people = people();
        change_people(&mut people);
        Self::of(config, CoreConfig::default(), people).await
    }

    pub(crate) async fn of(
        config: ApiConfig,
        core_config: CoreConfig,
        people: IdentityConfig,
    ) -> Self {
        let store = store().await;
        let bus = Bus::local();
        let gateway = Arc::new(ScriptedGateway::new());
        let serving = bus
            .serve(&"gw-1".parse().unwrap(), gateway.clone())
            .await
            .unwrap();
        report(&store, "gw-1", false).await;
        let stop = CancellationToken::new();
        let folder = tempfile::tempdir().unwrap();
        let (core, router) = process(
            (store.handle(), store.clock.clone()),
            &bus,
            (config, core_config, people),
            &stop,
            folder.path(),
        );
        Self {
            identity: core.identity.clone(),
            store,
            bus,
            core,
            gateway,
            router,
            stop,
            folder,
            _serving: serving,
        }
    }

    /// Lets a process hear of credentials that others revoke.
    fn watch_credentials(&self, core: Core) {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = core.watch_credentials() => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// The same service in another process: the same database, caches of its own. Both hear
    /// what the other revokes.
    pub(crate) async fn another_process(&self) -> Router {
        let store = self.store.second().await.unwrap();
        let config = (ApiConfig::default(), CoreConfig::default(), people());
        let clock: Arc<dyn Clock> = self.store.clock.clone();
        let (core, router) = process(
            (store, clock),
            &self.bus,
            config,
            &self.stop,
            self.folder.path(),
        );
        self.watch_credentials(self.core.clone());
        self.watch_credentials(core);
        router
    }

    pub(crate) async fn tenant(&self) -> Tenant {
        let organization = self.store.organization().await;
        let (key, key_id) = self.key(organization, Capabilities::all(), None).await;
        Tenant {
            organization,
            key,
            key_id,
        }
    }

    pub(crate) async fn key(
        &self,
        organization: OrganizationId,
        capabilities: Capabilities,
        session_ids: Option<Vec<SessionId>>,
    ) -> (String, ApiKeyId) {
        let new = NewApiKey {
            name: "test".into(),
            capabilities,
            session_ids,
            expires_at: None,
        };
        let created = self
            .identity
            .create_api_key(organization, new, &Actor::operator())
            .await
            .unwrap();
        (created.secret.reveal(), created.key.id)
    }

    /// A person who is signed in, with a role in an organization or without any.
    pub(crate) async fn person(
        &self,
        membership: Option<(OrganizationId, Role)>,
        platform_role: PlatformRole,
    ) -> Person {
        let (now, random) = (self.store.now_ms(), rand::random::<u128>() >> 48);
        let time = u64::try_from(now).unwrap();
        let user = User {
            id: UserId::from_parts(time, random),
            email: format!("user{random}@example.com").parse().unwrap(),
            name: "Ann".into(),
            platform_role,
            is_email_confirmed: true,
            has_password: false,
            has_totp: false,
            banned_at: None,
            ban_reason: None,
            created_at: now,
            last_login_at: None,
        };
        let login = LoginRecord {
            id: LoginId::from_parts(time, random),
            user_id: user.id,
            active_organization_id: membership.map(|(organization, _)| organization),
            user_agent: None,
            created_at: now,
            last_used_at: now,
            expires_at: i64::MAX,
        };
        let principal = Principal::Person(PersonPrincipal {
            subject: Subject::User {
                user_id: user.id,
                login_id: login.id,
            },
            name: user.name.clone(),
            organization_id: login.active_organization_id,
            role: membership.map(|(_, role)| role),
            platform_role,
        });
        let cookie = format!("secret-of-{random}");
        let hash: [u8; 32] = Sha256::digest(cookie.as_bytes()).into();
        let id = user.id;
        self.store
            .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
                Box::pin(async move {
                    tx.admin().insert_user(&user, None).await?;
                    tx.admin().insert_login(&login, &hash).await?;
                    if let Some((organization, role)) = membership {
                        tx.insert_member(organization, user.id, role, now).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
        Person {
            caller: Caller::from(Arc::new(principal)),
            cookie: format!("wagate_login={cookie}"),
            id,
        }
    }

    /// Every line of the audit log, newest first.
    pub(crate) async fn lines(&self) -> Vec<AuditEntry> {
        let mut tx = self.store.read().await.unwrap();
        let lines = tx.admin().audit(&AuditFilter::default(), None, 1_000).await;
        lines.unwrap()
    }

    /// A key that may do everything but one thing.
    pub(crate) async fn key_without(
        &self,
        organization: OrganizationId,
        lacks: Capability,
    ) -> String {
        let capabilities = Capabilities::all().iter().filter(|c| *c != lacks).collect();
        self.key(organization, capabilities, None).await.0
    }

    pub(crate) async fn request(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            bytes: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Option<Value>,
    ) -> Reply {
        let credential = ("authorization", format!("Bearer {key}"));
        self.call_with(credential, method, path, body).await
    }

    pub(crate) async fn call_with(
        &self,
        credential: (&str, String),
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(credential.0, credential.1)
            .header("host", "api.example");
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.request(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Reply {
        self.call(Method::GET, path, key, None).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: Value) -> Reply {
        self.call(Method::POST, path, key, Some(body)).await
    }

    /// Serves on a free port of the loopback interface.
    pub(crate) async fn listen(&self) -> SocketAddr {
        self.listen_with(ServerLimits::default()).await
    }

    pub(crate) async fn listen_with(&self, limits: ServerLimits) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, stop) = (self.router.clone(), self.stop.clone());
        tokio::spawn(serve(listener, router, limits, stop));
        address
    }

    /// Commits events without telling anybody.
    pub(crate) async fn commit(
        &self,
        organization: OrganizationId,
        session: SessionId,
        kind: EventKind,
        payloads: Vec<Value>,
    ) -> Vec<EventCopy> {
        let count = payloads.len();
        self.store.commits.take();
        self.store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move {
                    for payload in payloads {
                        tx.append_event(NewEvent::new(organization, session, kind, 1, &payload)?);
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
        // The listener hears of a commit a moment after the caller of the job does.
        let mut commits = Vec::new();
        while commits.len() < count {
            let heard = self.store.commits.take().into_iter().flatten();
            commits.extend(heard.filter(|event| event.session == session));
            tokio::task::yield_now().await;
        }
        commits
            .into_iter()
            .map(|event| EventCopy {
                id: event.id,
                kind: event.kind,
                session_id: event.session,
                json: event.envelope,
            })
            .collect()
    }

    /// Tells everybody of events, as the owner of a session does after a commit.
    pub(crate) fn announce(&self, organization_id: OrganizationId, events: Vec<EventCopy>) {
        self.bus.publish(Signal::Events {
            organization_id,
            events: Arc::new(events),
        });
    }

    /// Commits and announces numbered events; gives their ids.
    pub(crate) async fn emit(
        &self,
        organization: OrganizationId,
        session: SessionId,
        numbers: std::ops::Range<usize>,
    ) -> Vec<EventId> {
        let payloads = numbers.map(|n| json!({ "n": n })).collect();
        let copies = self
            .commit(organization, session, EventKind::Message, payloads)
            .await;
        let ids = copies.iter().map(|copy| copy.id).collect();
        self.announce(organization, copies);
        ids
    }
}

fn signing_root() -> SigningRoot {
    SigningRoot::from_bytes([3; 32])
}

/// A resolver by which every name leads inside: tests post nothing to anybody.
struct Inside;

impl HostResolver for Inside {
    fn addresses(&self, _host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(vec![IpAddr::from([10, 0, 0, 1])]) })
    }
}

fn tester(clock: Arc<dyn Clock>) -> WebhookTester {
    let guard = AddressGuard::with_resolver(AllowList::none(), Arc::new(Inside));
    let client = GuardedClient::new(guard, ClientTimeouts::default()).unwrap();
    let courier = Courier::new(client, signing_root(), clock, Arc::new(|| 0.0));
    // The clock stands still.
    let limits = WebhookTestLimits {
        per_minute: 1_000,
        ..WebhookTestLimits::default()
    };
    WebhookTester::new(courier, limits)
}

/// What one process serves over a store.
fn process(
    (store, clock): (Store, Arc<dyn Clock>),
    bus: &Bus,
    (config, core_config, people): (ApiConfig, CoreConfig, IdentityConfig),
    stop: &CancellationToken,
    folder: &Path,
) -> (Core, Router) {
    let identity = Identity::new(
        store.clone(),
        clock.clone(),
        Arc::new(SystemRandomness),
        people,
    );
    let core = Core::new(Parts {
        files: crate::media::files(store.clone(), clock.clone(), folder),
        store: store.clone(),
        bus: bus.clone(),
        health: Health::new(store.clone(), bus.clone()),
        placement: Placement::new(store),
        identity,
        previews: None,
        intake: FileIntake::new(
            GuardedClient::new(
                AddressGuard::new(AllowList::none()),
                ClientTimeouts::default(),
            )
            .unwrap(),
            FileLimits::default(),
            Decoders::default(),
        ),
        address_guard: AddressGuard::new(AllowList::none()),
        webhook_tester: tester(clock.clone()),
        signing_root: signing_root(),
        clock,
        randomness: Arc::new(SystemRandomness),
        config: core_config,
    });
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // Only the first service of a process gets the figures.
    let _ = metrics::set_global_recorder(recorder);
    let state = ApiState::new(core.clone(), config, Some(handle), stop.clone());
    (core, router(state))
}

/// Reports a gateway as alive.
pub(crate) async fn report(store: &TestStore, name: &'static str, is_draining: bool) {
    store
        .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let id = name.parse().unwrap();
                tx.admin().report_gateway(&id, "1", is_draining, true).await
            })
        })
        .await
        .unwrap();
}

/// An id that nobody has.
pub(crate) const UNKNOWN: &str = "01J9ZX8K2QHV0M3T6R7P4N5W8C";
