//! A simulator, phones, and sessions that remember what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};
use wagate_engine::{
    Backend, ClientVersion, Connection, Endpoint, Engine, EngineConfig, EngineEvent, Events,
    InboundBatch, InboundMessage, InboundSink, Outgoing, OutgoingContent, SendFailure, Sent,
    SessionOptions, SinkError, VersionSource,
};
use wagate_model::{Jid, SystemClock};
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::phone::Phone;
use wagate_simulator::{Simulator, SimulatorConfig};
use whatsapp_rust::wacore::store::InMemoryBackend;

pub(crate) const WAIT: Duration = Duration::from_secs(40);

/// Keeps what is committed, and refuses commits on demand.
pub(crate) struct Recorder {
    messages: mpsc::UnboundedSender<InboundMessage>,
    is_refusing: AtomicBool,
    refused: mpsc::UnboundedSender<String>,
}

impl Recorder {
    pub(crate) fn refuse(&self, is_refusing: bool) {
        self.is_refusing.store(is_refusing, Ordering::SeqCst);
    }
}

#[async_trait]
impl InboundSink for Recorder {
    async fn commit(&self, batch: InboundBatch) -> Result<(), SinkError> {
        for message in batch.messages {
            if self.is_refusing.load(Ordering::SeqCst) {
                self.refused.send(message.id).unwrap();
                return Err(SinkError("refused on purpose".into()));
            }
            self.messages.send(message).unwrap();
        }
        Ok(())
    }
}

/// A simulator and an engine that talks to it.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) engine: Engine,
}

impl World {
    pub(crate) async fn start() -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let simulator = Simulator::start(SimulatorConfig::new(listen))
            .await
            .unwrap();
        let version = VersionSource::fixed(ClientVersion::BUILT_IN, Arc::new(SystemClock));
        let engine = Engine::new(EngineConfig {
            endpoint: Endpoint::Simulator(simulator.chat_url().parse().unwrap()),
            device_name: EngineConfig::DEFAULT_DEVICE_NAME.to_owned(),
            version,
        });
        Self {
            simulator,
            engine: engine.unwrap(),
        }
    }

    pub(crate) async fn phone(&self) -> Phone {
        let phones = self.simulator.phones();
        phones.create(None, Some("Ada".into())).await.unwrap()
    }

    pub(crate) fn inject(&self, kind: FaultKind, phone: &Phone, set: impl FnOnce(&mut FaultSpec)) {
        let mut spec = FaultSpec::new(kind);
        spec.target = Some(phone.number().to_owned());
        set(&mut spec);
        self.simulator.server().inject(spec).unwrap();
    }

    /// A session over some storage, not started.
    pub(crate) async fn open(&self, backend: &Arc<InMemoryBackend>) -> Session {
        let (messages, received) = mpsc::unbounded_channel();
        let (refused, refusals) = mpsc::unbounded_channel();
        let sink = Arc::new(Recorder {
            messages,
            is_refusing: AtomicBool::new(false),
            refused,
        });
        let backend: Arc<dyn Backend> = backend.clone();
        let (connection, events) = self
            .engine
            .open(backend, sink.clone(), SessionOptions::default())
            .await
            .unwrap();
        Session {
            connection,
            sink,
            events: Mutex::new(events),
            received: Mutex::new(received),
            refusals: Mutex::new(refusals),
        }
    }

    /// A session that is paired with a phone and connected.
    pub(crate) async fn paired(&self, phone: &Phone) -> (Session, Arc<InMemoryBackend>) {
        let backend = Arc::new(InMemoryBackend::new());
        let session = self.open(&backend).await;
        session.connection.start();
        let code = session.qr().await;
        phone.scan(&code).await.unwrap();
        session.connected().await;
        (session, backend)
    }
}

pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) sink: Arc<Recorder>,
    events: Mutex<Events>,
    received: Mutex<mpsc::UnboundedReceiver<InboundMessage>>,
    refusals: Mutex<mpsc::UnboundedReceiver<String>>,
}

impl Session {
    /// The next event that `pick` takes; others are passed over.
    pub(crate) async fn wait_for<T>(
        &self,
        what: &str,
        mut pick: impl FnMut(EngineEvent) -> Option<T>,
    ) -> T {
        let mut events = self.events.lock().await;
        let mut passed = Vec::new();
        let found = tokio::time::timeout(WAIT, async {
            loop {
                let event = events.recv().await.expect("the session is gone");
                passed.push(format!("{event:?}"));
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("no {what} came in time, but {passed:?}"))
    }

    pub(crate) async fn qr(&self) -> String {
        let qr = self.wait_for("QR code", |event| match event {
            EngineEvent::Qr(qr) => Some(qr),
            _ => None,
        });
        qr.await.code
    }

    pub(crate) async fn connected(&self) {
        let connected = |event| matches!(event, EngineEvent::Connected).then_some(());
        self.wait_for("connection", connected).await;
    }

    /// Waits until everything that waited at WhatsApp is in.
    pub(crate) async fn caught_up(&self) {
        let caught_up = |event| matches!(event, EngineEvent::CaughtUp).then_some(());
        self.wait_for("end of the backlog", caught_up).await;
    }

    pub(crate) async fn send_text(&self, to: &Phone, text: &str) -> Result<Sent, SendFailure> {
        let outgoing = Outgoing {
            id: wagate_engine::new_message_id(),
            chat: jid_of(to),
            content: OutgoingContent::Text(text.to_owned()),
            mentions: Vec::new(),
            quoted: None,
            preview: None,
            expires_after_s: None,
        };
        self.connection.send(&outgoing).await
    }

    pub(crate) async fn ended(&self) -> wagate_engine::EndReason {
        let ended = self.wait_for("end", |event| match event {
            EngineEvent::Ended(reason) => Some(reason),
            _ => None,
        });
        ended.await
    }

    /// The next message that was committed.
    pub(crate) async fn message(&self) -> InboundMessage {
        let mut received = self.received.lock().await;
        let message = tokio::time::timeout(WAIT, received.recv()).await;
        message.expect("no message came in time").unwrap()
    }

    /// The id of the next message whose commit was refused.
    pub(crate) async fn refusal(&self) -> String {
        let mut refusals = self.refusals.lock().await;
        let id = tokio::time::timeout(WAIT, refusals.recv()).await;
        id.expect("no commit was refused in time").unwrap()
    }
}

pub(crate) fn jid_of(phone: &Phone) -> Jid {
    phone.jid().to_string().parse().unwrap()
}
