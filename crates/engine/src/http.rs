//! HTTP for media and the client version: one client for all sessions.

use std::collections::HashMap;
use std::io::{self, Read};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use futures::Stream;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use whatsapp_rust::anyhow::{self, Context};
use whatsapp_rust::http::{HttpClient, HttpRequest, HttpResponse};
use whatsapp_rust::transport::{Connector, default_tls_connector};
use whatsapp_rust::wacore::net::{StreamingHttpResponse, UploadBody};

use crate::EngineError;
use crate::transport::DialGuard;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transfer may stand still.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request with a whole answer in memory may take.
const BUFFERED_TIMEOUT: Duration = Duration::from_mins(1);
/// Larger answers must be streamed.
const BUFFERED_MAX_BYTES: usize = 96 * 1024 * 1024;
const UPLOAD_CHUNK_BYTES: usize = 64 * 1024;
const REDIRECTS_MAX: usize = 3;

/// The engine's HTTP client.
#[derive(Debug, Clone)]
pub(crate) struct SharedHttpClient {
    client: reqwest::Client,
    guard: DialGuard,
    runtime: Handle,
}

impl SharedHttpClient {
    pub(crate) fn new(guard: DialGuard) -> Result<Self, EngineError> {
        let runtime = Handle::try_current().map_err(|_| EngineError::NoRuntime)?;
        let redirects = redirect::Policy::custom(|attempt| {
            let is_encrypted = attempt.url().scheme() == "https";
            if is_encrypted && attempt.previous().len() <= REDIRECTS_MAX {
                attempt.follow()
            } else {
                attempt.stop()
            }
        });
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .redirect(redirects)
            .no_proxy();
        // The chat socket's TLS: ring and the built-in roots.
        let builder = match default_tls_connector() {
            Connector::Rustls(tls) => {
                builder.tls_backend_preconfigured(rustls::ClientConfig::clone(tls.config()))
            }
            Connector::Plain => builder,
        };
        let client = builder.build().map_err(EngineError::Http)?;
        Ok(Self {
            client,
            guard,
            runtime,
        })
    }

    /// Where a request really goes: in the sandbox, to the simulator.
    fn resolve(&self, text: &str) -> Result<Url, anyhow::Error> {
        let url = Url::parse(text).context("the URL cannot be read")?;
        #[cfg(feature = "sandbox")]
        let url = match self.guard.simulator() {
            Some(simulator) => on_simulator(url, simulator)?,
            None => url,
        };
        let is_allowed_scheme =
            url.scheme() == "https" || (cfg!(feature = "sandbox") && url.scheme() == "http");
        anyhow::ensure!(is_allowed_scheme, "only https is requested");
        anyhow::ensure!(
            self.guard.permits(&url),
            "this build must not connect to that host"
        );
        Ok(url)
    }

    fn prepare(&self, request: &HttpRequest) -> Result<RequestBuilder, anyhow::Error> {
        let url = self.resolve(&request.url)?;
        let method: Method = request.method.parse().context("the method is unknown")?;
        let builder = self.client.request(method, url);
        Ok(with_headers(builder, &request.headers))
    }
}

fn with_headers(builder: RequestBuilder, headers: &HashMap<String, String>) -> RequestBuilder {
    headers.iter().fold(builder, |builder, (name, value)| {
        builder.header(name, value)
    })
}

/// Keeps path and query, and takes the simulator's host, port and scheme.
#[cfg(feature = "sandbox")]
fn on_simulator(mut url: Url, simulator: &Url) -> Result<Url, anyhow::Error> {
    let scheme = match simulator.scheme() {
        "wss" | "https" => "https",
        _ => "http",
    };
    let is_moved = url.set_scheme(scheme).is_ok()
        && url.set_host(simulator.host_str()).is_ok()
        && url.set_port(simulator.port()).is_ok();
    anyhow::ensure!(is_moved, "the simulator's address does not fit");
    Ok(url)
}

#[async_trait]
impl HttpClient for SharedHttpClient {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, anyhow::Error> {
        let mut builder = self.prepare(&request)?.timeout(BUFFERED_TIMEOUT);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = builder.send().await.map_err(reqwest::Error::without_url)?;
        read_whole(response).await
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(
        &self,
        request: HttpRequest,
    ) -> Result<StreamingHttpResponse, anyhow::Error> {
        let mut builder = self.prepare(&request)?;
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = self
            .runtime
            .block_on(builder.send())
            .map_err(reqwest::Error::without_url)?;
        Ok(StreamingHttpResponse {
            status_code: response.status().as_u16(),
            body: Box::new(ResponseReader {
                response,
                chunk: Bytes::new(),
                runtime: self.runtime.clone(),
            }),
        })
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        mut body: UploadBody,
        content_length: u64,
    ) -> Result<HttpResponse, anyhow::Error> {
        let (chunks, receiver) = mpsc::channel(2);
        // With its length told, the body goes out as it is and not in chunks,
        // which WhatsApp's media hosts refuse.
        let builder = self
            .prepare(&request)?
            .header(CONTENT_LENGTH, content_length)
            .body(reqwest::Body::wrap_stream(chunk_stream(receiver)));
        let exchange = self.runtime.spawn(async move {
            let response = builder.send().await.map_err(reqwest::Error::without_url)?;
            read_whole(response).await
        });
        // A receiver that is gone means an answer that came early: read it below.
        while let Some(chunk) = next_chunk(&mut body)? {
            if chunks.blocking_send(Ok(chunk)).is_err() {
                break;
            }
        }
        drop(chunks);
        self.runtime
            .block_on(exchange)
            .context("the upload failed")?
    }
}

async fn read_whole(mut response: Response) -> Result<HttpResponse, anyhow::Error> {
    let status: StatusCode = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(reqwest::Error::without_url)?
    {
        anyhow::ensure!(
            body.len() + chunk.len() <= BUFFERED_MAX_BYTES,
            "the answer is too large to be held in memory"
        );
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse {
        status_code: status.as_u16(),
        body,
    })
}

fn next_chunk(body: &mut UploadBody) -> io::Result<Option<Bytes>> {
    let mut chunk = vec![0u8; UPLOAD_CHUNK_BYTES];
    loop {
        match body.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(length) => {
                chunk.truncate(length);
                return Ok(Some(chunk.into()));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn chunk_stream(
    mut receiver: mpsc::Receiver<io::Result<Bytes>>,
) -> impl Stream<Item = io::Result<Bytes>> {
    futures::stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// Reads an answer's body from a blocking thread.
struct ResponseReader {
    response: Response,
    chunk: Bytes,
    runtime: Handle,
}

impl Read for ResponseReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let next = self.runtime.block_on(self.response.chunk());
            match next.map_err(|error| io::Error::other(error.without_url()))? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
