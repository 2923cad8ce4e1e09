//! The real client library against the simulator.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::{Event, EventKind};
use wagate_simulator::phone::Phone;
use wagate_simulator::{Simulator, SimulatorConfig};
use waproto::whatsapp::Message;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::transport::TokioWebSocketTransportFactory;
use whatsapp_rust::{Client, Jid};

use crate::support_http::LocalHttp;

pub(crate) const WAIT: Duration = Duration::from_secs(30);

pub(crate) async fn simulator() -> Simulator {
    let listen = "127.0.0.1:0".parse().unwrap();
    Simulator::start(SimulatorConfig::new(listen))
        .await
        .unwrap()
}

/// Alice's phone and Bob's.
pub(crate) async fn two_phones(simulator: &Simulator) -> (Phone, Phone) {
    let phones = simulator.phones();
    let alice = phones.create(None, Some("Alice".to_owned())).await.unwrap();
    let bob = phones.create(None, Some("Bob".to_owned())).await.unwrap();
    (alice, bob)
}

/// A running client and what it has told.
pub(crate) struct Engine {
    pub(crate) client: Arc<Client>,
    handle: BotHandle,
    events: mpsc::UnboundedReceiver<Arc<Event>>,
    /// Messages of a batch that have not been asked for.
    texts: VecDeque<(String, String)>,
}

const KINDS: [EventKind; 15] = [
    EventKind::Connected,
    EventKind::Messages,
    EventKind::PairingQrCode,
    EventKind::PairingCode,
    EventKind::PairSuccess,
    EventKind::LoggedOut,
    EventKind::Receipt,
    EventKind::StreamReplaced,
    EventKind::ClientOutdated,
    EventKind::TemporaryBan,
    EventKind::UndecryptableMessage,
    EventKind::ServerAck,
    EventKind::NewsletterLiveUpdate,
    EventKind::MexNotification,
    EventKind::GroupUpdate,
];

impl Engine {
    pub(crate) async fn start(simulator: &Simulator, backend: &Arc<InMemoryBackend>) -> Self {
        Self::start_with(simulator, backend, None).await
    }

    pub(crate) async fn start_with(
        simulator: &Simulator,
        backend: &Arc<InMemoryBackend>,
        code_for: Option<&str>,
    ) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let transport = TokioWebSocketTransportFactory::new().with_url(simulator.chat_url());
        let mut builder = Bot::builder()
            .with_backend_arc(backend.clone())
            .with_transport_factory(transport)
            .with_http_client(LocalHttp(simulator.addr()))
            .with_version((2, 3_000, 1_030_000_000))
            .with_push_name("Companion")
            .with_wanted_pre_key_count(50)
            .on_event_for(&KINDS, move |event, _client| {
                let _ = sender.send(event);
                async {}
            });
        if let Some(number) = code_for {
            builder = builder.with_pair_code(PairCodeOptions {
                phone_number: number.to_owned(),
                ..PairCodeOptions::default()
            });
        }
        let bot = builder.build().await.unwrap();
        let client = bot.client();
        Self {
            client,
            handle: bot.spawn(),
            events,
            texts: VecDeque::new(),
        }
    }

    /// The next event that `pick` takes; others are passed over.
    pub(crate) async fn wait_for<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&Event) -> Option<T>,
    ) -> T {
        let found = tokio::time::timeout(WAIT, async {
            loop {
                let event = self.events.recv().await.expect("the client ended");
                if let Some(picked) = pick(&event) {
                    return picked;
                }
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("no {what} came in time"))
    }

    pub(crate) async fn connected(&mut self) {
        self.wait_for("connection", |event| {
            matches!(event, Event::Connected(_)).then_some(())
        })
        .await;
    }

    /// The text and id of the next text message.
    pub(crate) async fn text(&mut self) -> (String, String) {
        loop {
            if let Some(text) = self.texts.pop_front() {
                return text;
            }
            let batch = self.wait_for("message", texts_of).await;
            self.texts.extend(batch);
        }
    }

    pub(crate) async fn send_text(&self, to: &Jid, text: &str) -> String {
        let message = Message {
            conversation: Some(text.to_owned()),
            ..Message::default()
        };
        let sent = self.client.send_message(to.clone(), message).await.unwrap();
        sent.message_id
    }

    pub(crate) async fn stop(self) {
        self.handle.shutdown().await;
    }

    /// A client that was linked by QR code and has logged in.
    pub(crate) async fn linked(
        simulator: &Simulator,
        backend: &Arc<InMemoryBackend>,
        phone: &Phone,
    ) -> Self {
        let mut engine = Self::start(simulator, backend).await;
        let qr = engine
            .wait_for("QR code", |event| match event {
                Event::PairingQrCode(qr) => Some(qr.code.clone()),
                _ => None,
            })
            .await;
        phone.scan(&qr).await.unwrap();
        // Linked, the client hangs up and logs in.
        engine.connected().await;
        engine
    }
}

/// The texts of an event that brings messages.
fn texts_of(event: &Event) -> Option<Vec<(String, String)>> {
    let texts: Vec<_> = event
        .messages()
        .filter_map(|message| {
            let conversation = message.message.conversation.clone();
            let text =
                conversation.or_else(|| message.message.extended_text_message.text.clone())?;
            Some((text, message.info.id.clone()))
        })
        .collect();
    (!texts.is_empty()).then_some(texts)
}
