//! The chat socket behind TLS.

use std::sync::Arc;

use tokio_tungstenite::Connector;
use wagate_simulator::{Simulator, SimulatorConfig};

#[tokio::test]
async fn the_socket_is_reached_under_the_self_signed_certificate() {
    let mut config = SimulatorConfig::new("127.0.0.1:0".parse().unwrap());
    config.tls_listen = Some("127.0.0.1:0".parse().unwrap());
    let simulator = Simulator::start(config).await.unwrap();
    let certificate = simulator.tls_certificate_der().unwrap().to_vec();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let url = simulator.tls_chat_url().unwrap();
    assert!(url.starts_with("wss://127.0.0.1:"));
    let connect = tokio_tungstenite::connect_async_tls_with_config(
        url,
        None,
        false,
        Some(Connector::Rustls(Arc::new(tls))),
    );
    let (_socket, response) = Box::pin(connect).await.unwrap();
    assert_eq!(response.status(), 101);
    simulator.shutdown().await;
}
