//! Files from a media host of the tests' own.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use wagate_engine::{Endpoint, FetchError, MediaFetcher, MediaOrigin, MediaSource};
use wagate_model::MediaKind;
use whatsapp_rust::download::MediaType;
use whatsapp_rust::wacore::upload::encrypt_media;

/// What a host has, by path.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<HashMap<String, Vec<u8>>>>);

async fn answer(State(host): State<Host>, uri: Uri) -> Result<Vec<u8>, StatusCode> {
    let files = host.0.lock().unwrap();
    let found = files.get(uri.path()).cloned();
    found.ok_or(StatusCode::NOT_FOUND)
}

impl Host {
    /// Listens; gives a fetcher that goes there.
    async fn start(&self) -> MediaFetcher {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ws/chat", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        MediaFetcher::new(&Endpoint::Simulator(url.parse().unwrap())).unwrap()
    }

    /// Takes a file as a sender's client uploads it; gives what its message says.
    fn upload(&self, path: &str, content: &[u8]) -> MediaSource {
        let encrypted = encrypt_media(content, MediaType::Document).unwrap();
        let mut files = self.0.lock().unwrap();
        files.insert(path.to_owned(), encrypted.data_to_upload);
        MediaSource {
            direct_path: path.to_owned(),
            media_key: Some(encrypted.media_key.to_vec()),
            sha256: encrypted.file_sha256.to_vec(),
            encrypted_sha256: Some(encrypted.file_enc_sha256.to_vec()),
            size: content.len() as u64,
            kind: MediaKind::Document,
        }
    }
}

async fn fetch(fetcher: &MediaFetcher, source: &MediaSource) -> Result<Vec<u8>, FetchError> {
    fetch_up_to(None, fetcher, source).await
}

async fn fetch_up_to(
    limit_bytes: Option<u64>,
    fetcher: &MediaFetcher,
    source: &MediaSource,
) -> Result<Vec<u8>, FetchError> {
    let file = tempfile::tempfile().unwrap();
    let mut file = fetcher.fetch(source, file, limit_bytes).await?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).unwrap();
    Ok(content)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_fetched_decrypted_and_verified() {
    let host = Host::default();
    let fetcher = host.start().await;
    let content: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let source = host.upload("/v/t62.7119-24/1", &content);
    assert_eq!(fetch(&fetcher, &source).await.unwrap(), content);
    let origin = MediaOrigin {
        chat: "15551234567@s.whatsapp.net".parse().unwrap(),
        sender: None,
        from_me: false,
        message_id: "A".into(),
        source,
    };
    assert_eq!(MediaOrigin::from_bytes(&origin.to_bytes()), Some(origin));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_broken_or_out_of_reach_is_told_apart() {
    let host = Host::default();
    let fetcher = host.start().await;
    let source = host.upload("/v/1", b"hello");
    let elsewhere = MediaSource {
        direct_path: "/v/2".into(),
        ..source.clone()
    };
    let gone = fetch(&fetcher, &elsewhere).await.unwrap_err();
    assert!(matches!(gone, FetchError::Gone), "{gone:?}");
    host.0.lock().unwrap().get_mut("/v/1").unwrap()[0] ^= 1;
    let broken = fetch(&fetcher, &source).await.unwrap_err();
    assert!(matches!(broken, FetchError::Corrupt), "{broken:?}");
    let nobody = Endpoint::Simulator("ws://127.0.0.1:1/ws/chat".parse().unwrap());
    let nobody = MediaFetcher::new(&nobody).unwrap();
    let away = fetch(&nobody, &source).await.unwrap_err();
    assert!(matches!(away, FetchError::Unreachable), "{away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_written_than_was_to_be_fetched() {
    let host = Host::default();
    let fetcher = host.start().await;
    let content = vec![7; 300_000];
    let source = MediaSource {
        // What is said of the size is not believed.
        size: 1,
        ..host.upload("/v/1", &content)
    };
    let larger = fetch_up_to(Some(299_999), &fetcher, &source).await;
    let larger = larger.unwrap_err();
    assert!(matches!(larger, FetchError::TooLarge), "{larger:?}");
    let whole = fetch_up_to(Some(300_000), &fetcher, &source).await;
    assert_eq!(whole.unwrap(), content);
}
