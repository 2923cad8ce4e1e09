//! A server that is not WhatsApp is refused, however it is reached.

use std::sync::Arc;

use wagate_model::SystemClock;
use wagate_simulator::{Simulator, SimulatorConfig};
use whatsapp_rust::wacore::store::InMemoryBackend;

use super::SessionOptions;
use crate::transport::{DialGuard, Dialer};
use crate::{
    ClientVersion, DropReason, Endpoint, Engine, EngineConfig, EngineEvent, InboundBatch,
    InboundSink, SinkError, VersionSource,
};

struct Nothing;

#[async_trait::async_trait]
impl InboundSink for Nothing {
    async fn commit(&self, _batch: InboundBatch) -> Result<(), SinkError> {
        Err(SinkError("nothing is expected".into()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulator_in_whatsapps_place_fails_the_handshake() {
    const { assert!(crate::verifies_certificate_chain()) };
    let listen = "127.0.0.1:0".parse().unwrap();
    let simulator = Simulator::start(SimulatorConfig::new(listen))
        .await
        .unwrap();
    let url = simulator.chat_url().parse().unwrap();
    let dialer = Dialer::to(url, DialGuard::new(None)).unwrap();
    let config = EngineConfig {
        endpoint: Endpoint::WhatsApp,
        device_name: EngineConfig::DEFAULT_DEVICE_NAME.to_owned(),
        version: VersionSource::fixed(ClientVersion::BUILT_IN, Arc::new(SystemClock)),
    };
    let engine = Engine::with_dialer(config, dialer).unwrap();
    let backend = Arc::new(InMemoryBackend::new());
    let (connection, mut events) = engine
        .open(backend, Arc::new(Nothing), SessionOptions::default())
        .await
        .unwrap();

    // The library says precisely why.
    super::supervisor::claim_version(connection.session()).await;
    let error = connection.session().client.connect().await.unwrap_err();
    let told = format!("{error:#} {error:?}").to_lowercase();
    assert!(told.contains("cert"), "{told}");

    // And the session tells no QR code, but a failed handshake.
    connection.start();
    match events.recv().await {
        Some(EngineEvent::Disconnected(lost)) => {
            assert_eq!(lost.reason, DropReason::HandshakeFailed);
            assert!(!lost.was_connected);
        }
        other => panic!("{other:?}"),
    }
    connection.close().await;
}
