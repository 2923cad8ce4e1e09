//! A simulator, a store, a bus, and gateways between them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wagate_cluster::{
    Bus, CommandReply, CommandResult, IdempotencyKey, Refusal, SendCommand, SessionAction,
    SessionCommand,
};
use wagate_engine::{ClientVersion, Endpoint, Engine, EngineConfig, VersionSource};
use wagate_gateway::{Gateway, GatewayConfig, GatewayError};
use wagate_model::{
    Clock, EventKind, GatewayId, OrganizationId, Qr, SendMode, SendResult, SendTask, SessionId,
    SessionStatus, SystemClock,
};
use wagate_simulator::phone::Phone;
use wagate_simulator::{Simulator, SimulatorConfig};
use wagate_store::testing::{self, TestStore};
use wagate_store::{EventFilter, Fence, SessionRecord};

pub(crate) use wagate_store::testing::WAIT;

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) store: TestStore,
    pub(crate) bus: Bus,
    pub(crate) organization: OrganizationId,
    engine: Arc<Engine>,
}

/// Waits until a gateway owns so many sessions.
pub(crate) async fn owns(gateway: &Gateway, count: usize) {
    let mut counts = gateway.session_counts();
    let reached = tokio::time::timeout(WAIT, counts.wait_for(|owned| *owned == count));
    let reached = reached.await.expect("it comes to own so many");
    drop(reached.expect("the gateway is there"));
}

pub(crate) fn gateway_id(name: &str) -> GatewayId {
    name.parse().unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let simulator = Simulator::start(SimulatorConfig::new(listen))
            .await
            .unwrap();
        let store = testing::store().await;
        let organization = store.organization().await;
        let version = VersionSource::fixed(ClientVersion::BUILT_IN, Arc::new(SystemClock));
        let engine = Engine::new(EngineConfig {
            endpoint: Endpoint::Simulator(simulator.chat_url().parse().unwrap()),
            device_name: "test".to_owned(),
            version,
        })
        .unwrap();
        let bus = Bus::local();
        Self {
            simulator,
            store,
            bus,
            organization,
            engine: Arc::new(engine),
        }
    }

    /// A gateway that notices everything quickly.
    pub(crate) async fn gateway(&self, name: &str) -> Gateway {
        let clock = self.store.clock.clone();
        self.gateway_with(name, clock, |_| {}).await
    }

    /// As [`Self::gateway`], with another clock and configuration.
    pub(crate) async fn gateway_with(
        &self,
        name: &str,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut GatewayConfig),
    ) -> Gateway {
        self.try_gateway(name, clock, change).await.unwrap()
    }

    /// As [`Self::gateway_with`], where the gateway may be refused.
    pub(crate) async fn try_gateway(
        &self,
        name: &str,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut GatewayConfig),
    ) -> Result<Gateway, GatewayError> {
        let mut config = GatewayConfig::new(gateway_id(name));
        config.ownership.lease_ttl = Duration::from_secs(3);
        config.ownership.renew_every = Duration::from_millis(500);
        config.ownership.safety_margin = Duration::from_millis(500);
        config.ownership.claim_every = Duration::from_millis(200);
        config.sessions.start_jitter = Duration::ZERO;
        config.sessions.min_backoff = Duration::from_millis(200);
        config.outbox.min_backoff = Duration::from_millis(200);
        config.outbox.max_typing = Duration::from_millis(50);
        change(&mut config);
        let store = self.store.handle();
        Gateway::start(config, store, self.bus.clone(), self.engine.clone(), clock).await
    }

    pub(crate) async fn phone(&self, name: &str) -> Phone {
        self.simulator
            .phones()
            .create(None, Some(name.to_owned()))
            .await
            .unwrap()
    }

    /// Waits until a look gives something: looks now, and whenever something is committed.
    pub(crate) async fn until<T, F>(&self, what: &str, look: impl FnMut() -> F) -> T
    where
        F: Future<Output = Option<T>>,
    {
        self.store.commits.until(what, look).await
    }

    /// A session that is paired with a phone and works on the gateway.
    pub(crate) async fn paired(&self, gateway: &str, phone: &Phone) -> SessionId {
        let session = self.store.session(self.organization).await;
        let qr = self.qr(gateway, session).await;
        phone.scan(&qr.code).await.unwrap();
        self.status(session, SessionStatus::Working).await;
        session
    }

    pub(crate) async fn ask(
        &self,
        gateway: &str,
        session: SessionId,
        action: SessionAction,
    ) -> CommandResult {
        let command = SessionCommand {
            organization_id: self.organization,
            session_id: session,
            action,
        };
        self.bus
            .request(&gateway_id(gateway), command, WAIT)
            .await
            .unwrap()
    }

    pub(crate) async fn qr(&self, gateway: &str, session: SessionId) -> Qr {
        self.until("a QR code", || async {
            match self.ask(gateway, session, SessionAction::ReadQr).await {
                Ok(CommandReply::Qr(qr)) => Some(qr),
                Ok(CommandReply::QrPending) | Err(Refusal::NotOwner) => None,
                other => panic!("{other:?}"),
            }
        })
        .await
    }

    pub(crate) async fn record(&self, session: SessionId) -> SessionRecord {
        let mut tx = self.store.read().await.unwrap();
        tx.session(self.organization, session)
            .await
            .unwrap()
            .unwrap()
    }

    /// What the present owner of a session proves its ownership with.
    pub(crate) async fn fence(&self, session: SessionId) -> Fence {
        let mut tx = self.store.read().await.unwrap();
        let owner = tx.session_owner(self.organization, session).await;
        let owner = owner.unwrap().unwrap();
        Fence {
            session_id: session,
            gateway_id: owner.gateway_id,
            epoch: owner.epoch,
        }
    }

    pub(crate) async fn status(&self, session: SessionId, status: SessionStatus) -> SessionRecord {
        self.until(status.as_str(), || async {
            let record = self.record(session).await;
            (record.session.status == status).then_some(record)
        })
        .await
    }

    /// The payloads of all events of a kind, oldest first.
    pub(crate) async fn events(&self, session: SessionId, kind: EventKind) -> Vec<Value> {
        let filter = EventFilter {
            session: Some(session),
            kinds: Some(vec![kind]),
        };
        let mut tx = self.store.read().await.unwrap();
        let events = tx
            .events_after(self.organization, None, &filter, 10_000)
            .await
            .unwrap();
        events
            .into_iter()
            .map(|(_, json)| serde_json::from_str::<Value>(&json).unwrap()["payload"].take())
            .collect()
    }

    pub(crate) async fn event(
        &self,
        session: SessionId,
        kind: EventKind,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        self.until(kind.as_str(), || async {
            self.events(session, kind)
                .await
                .into_iter()
                .find(|payload| is_wanted(payload))
        })
        .await
    }

    pub(crate) async fn send(
        &self,
        gateway: &str,
        session: SessionId,
        to: &Phone,
        text: &str,
    ) -> SendResult {
        let action = SessionAction::Send(Box::new(text_to(to, text)));
        match self.ask(gateway, session, action).await {
            Ok(CommandReply::Send(result)) => result,
            other => panic!("{other:?}"),
        }
    }
}

/// A text that somebody waits for.
pub(crate) fn text_to(to: &Phone, text: &str) -> SendCommand {
    answer_to(to, text, None)
}

/// A text that answers a message, where one is named.
pub(crate) fn answer_to(to: &Phone, text: &str, reply_to: Option<&str>) -> SendCommand {
    let request = json!({
        "type": "text", "to": to.number(), "text": text, "replyTo": reply_to
    });
    let request = serde_json::from_value(request).expect("a request");
    SendCommand {
        task: SendTask::Send(request),
        mode: SendMode::Sync,
        idempotency: None,
        attachments: Vec::new(),
        preview: None,
    }
}

pub(crate) fn key(key: &str, body: u8) -> IdempotencyKey {
    IdempotencyKey {
        key: key.to_owned(),
        body_hash: format!("{body:02x}").repeat(32),
    }
}
