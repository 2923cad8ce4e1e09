//! The media host, as the real client library uses it.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wacore::store::in_memory::InMemoryBackend;
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::{Simulator, SimulatorConfig};
use whatsapp_rust::download::{DownloadParams, MediaType};
use whatsapp_rust::http::{HttpRequest, HttpResponse};
use whatsapp_rust::upload::{UploadOptions, UploadResponse};

use crate::support_engine::{Engine, simulator};
use crate::support_http::{LocalHttp, exchange};

/// Larger than what a client uploads without asking how far it has come.
const LARGE_LEN: usize = 6 * 1_024 * 1_024;

async fn linked(simulator: &Simulator) -> Engine {
    let phone = simulator.phones().create(None, None).await.unwrap();
    Engine::linked(simulator, &Arc::new(InMemoryBackend::new()), &phone).await
}

fn noise(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at * 31 + at / 251).to_le_bytes()[0])
        .collect()
}

async fn upload(engine: &Engine, bytes: &[u8]) -> anyhow::Result<UploadResponse> {
    let options = UploadOptions::new();
    engine
        .client
        .upload(bytes.to_vec(), MediaType::Video, options)
        .await
}

async fn download(engine: &Engine, uploaded: &UploadResponse) -> anyhow::Result<Vec<u8>> {
    let params = DownloadParams::encrypted(
        &uploaded.direct_path,
        &uploaded.media_key,
        &uploaded.file_sha256,
        &uploaded.file_enc_sha256,
        uploaded.file_length,
        MediaType::Video,
    );
    engine.client.download(&params).await
}

fn token(uploaded: &UploadResponse) -> String {
    URL_SAFE_NO_PAD.encode(uploaded.file_enc_sha256)
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> HttpResponse {
    let head = format!("GET {path} HTTP/1.1\r\n{headers}");
    exchange(address, &head, &[], 0).await.unwrap()
}

/// The upload token that the client has been given.
async fn auth(engine: &Engine) -> String {
    engine.client.refresh_media_conn(true).await.unwrap().auth
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_uploads_it_downloads_again() {
    let simulator = simulator().await;
    let engine = linked(&simulator).await;
    for bytes in [noise(1), noise(300_000), noise(LARGE_LEN)] {
        let uploaded = upload(&engine, &bytes).await.unwrap();
        let downloaded = download(&engine, &uploaded).await.unwrap();
        assert!(downloaded == bytes, "{} bytes came back wrong", bytes.len());
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_parts_of_the_whole() {
    let simulator = simulator().await;
    let engine = linked(&simulator).await;
    let uploaded = upload(&engine, &noise(700_000)).await.unwrap();
    let path = &uploaded.direct_path;
    let whole = get(simulator.addr(), path, "").await;
    assert_eq!(whole.status_code, 200);
    let range = "range: bytes=262000-530000\r\n";
    let part = get(simulator.addr(), path, range).await;
    assert_eq!(part.status_code, 206);
    assert!(part.body == whole.body[262_000..=530_000]);
    let beyond = get(simulator.addr(), path, "range: bytes=9999999-\r\n").await;
    assert_eq!(beyond.status_code, 416);
    let other_hash = get(simulator.addr(), &format!("{path}?token=AAAA"), "").await;
    assert_eq!(other_hash.status_code, 403);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_needs_a_token_and_the_right_hash() {
    let simulator = simulator().await;
    let engine = linked(&simulator).await;
    let auth = auth(&engine).await;
    let token = URL_SAFE_NO_PAD.encode([7; 32]);
    for (kind, auth, token, status) in [
        ("image", "", token.as_str(), 401),
        ("image", "AAAA", &token, 401),
        ("image", &auth, &token, 400),
        ("image", &auth, "short", 400),
        ("music", &auth, &token, 404),
    ] {
        let head = format!("POST /mms/{kind}/{token}?auth={auth}&token={token} HTTP/1.1\r\n");
        let answer = exchange(simulator.addr(), &head, b"bytes", 5)
            .await
            .unwrap();
        assert_eq!(answer.status_code, status, "{kind} {token}");
    }
    let refused = get(simulator.addr(), &format!("/v/image/{token}"), "").await;
    assert_eq!(refused.status_code, 404);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_broke_off_is_gone_on_with() {
    let simulator = simulator().await;
    let engine = linked(&simulator).await;
    let auth = auth(&engine).await;
    let bytes = noise(600_000);
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
    let token = URL_SAFE_NO_PAD.encode(hash);
    let url = format!("/mms/video/{token}?auth={auth}&token={token}");
    let head = format!("POST {url} HTTP/1.1\r\n");
    // Whatever is answered to half a request, nobody need be there to read it.
    let _broken = exchange(simulator.addr(), &head, &bytes[..550_000], bytes.len()).await;
    let http = LocalHttp(simulator.addr());
    let ask = || HttpRequest::post(format!("https://media{url}&resume=1"));
    let answer = wacore::net::HttpClient::execute(&http, ask())
        .await
        .unwrap();
    assert_eq!(answer.body, br#"{"resume":"524288"}"#);
    let head = format!("POST {url}&file_offset=524288 HTTP/1.1\r\n");
    let rest = &bytes[524_288..];
    let completed = exchange(simulator.addr(), &head, rest, rest.len())
        .await
        .unwrap();
    assert_eq!(completed.status_code, 200);
    let answer = wacore::net::HttpClient::execute(&http, ask())
        .await
        .unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["resume"], "complete");
    let path = answer["direct_path"].as_str().unwrap();
    assert!(get(simulator.addr(), path, "").await.body == bytes);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_gone_until_it_is_uploaded_again() {
    let simulator = simulator().await;
    let engine = linked(&simulator).await;
    let uploaded = upload(&engine, &noise(1_000)).await.unwrap();
    let kept = upload(&engine, &noise(2_000)).await.unwrap();
    let sealed = get(simulator.addr(), &uploaded.direct_path, "").await.body;
    let expired = simulator.server().expire_media(Some(&token(&uploaded)));
    assert_eq!(expired.unwrap(), 1);
    let gone = get(simulator.addr(), &uploaded.direct_path, "").await;
    assert_eq!(gone.status_code, 410);
    assert!(download(&engine, &uploaded).await.is_err());
    assert!(download(&engine, &kept).await.is_ok());
    let (auth, token) = (auth(&engine).await, token(&uploaded));
    let head = format!("POST /mms/video/{token}?auth={auth}&token={token} HTTP/1.1\r\n");
    let again = exchange(simulator.addr(), &head, &sealed, sealed.len()).await;
    assert_eq!(again.unwrap().status_code, 200);
    assert!(download(&engine, &uploaded).await.is_ok());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_strike_uploads_and_downloads() {
    let simulator = simulator().await;
    let engine = linked(&simulator).await;
    let faults = |kind, code| FaultSpec {
        code,
        tag: Some("video".to_owned()),
        count: Some(1),
        ..FaultSpec::new(kind)
    };
    let server = simulator.server();
    server
        .inject(faults(FaultKind::RefuseUpload, Some(507)))
        .unwrap();
    let error = upload(&engine, &noise(10)).await.unwrap_err();
    assert!(error.to_string().contains("507"), "{error}");
    let uploaded = upload(&engine, &noise(10)).await.unwrap();
    server.inject(faults(FaultKind::MediaGone, None)).unwrap();
    let path = &uploaded.direct_path;
    assert_eq!(get(simulator.addr(), path, "").await.status_code, 410);
    assert_eq!(get(simulator.addr(), path, "").await.status_code, 200);
    let slow = FaultSpec {
        delay_ms: Some(50),
        ..faults(FaultKind::SlowMedia, None)
    };
    server.inject(slow).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(get(simulator.addr(), path, "").await.status_code, 200);
    assert!(begun.elapsed().as_millis() >= 50);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = || {
        let mut config = SimulatorConfig::new("127.0.0.1:0".parse().unwrap());
        config.data_dir = Some(folder.path().to_owned());
        config
    };
    let simulator = Simulator::start(config()).await.unwrap();
    let engine = linked(&simulator).await;
    let uploaded = upload(&engine, &noise(300_000)).await.unwrap();
    let before = get(simulator.addr(), &uploaded.direct_path, "").await.body;
    assert!(before.len() > 300_000);
    engine.stop().await;
    simulator.shutdown().await;
    let simulator = Simulator::start(config()).await.unwrap();
    let after = get(simulator.addr(), &uploaded.direct_path, "").await.body;
    assert!(after == before);
}
