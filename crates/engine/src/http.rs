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
/// How long a download may stand still, or the head of an answer may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long uploads wait.
const UPLOAD_PATIENCE: UploadPatience = UploadPatience {
    still: Duration::from_secs(30),
    // What the system has taken and not yet sent counts as gone out.
    answer: Duration::from_mins(2),
};
/// How long a request with a whole answer in memory may take.
const BUFFERED_TIMEOUT: Duration = Duration::from_mins(1);
/// Larger answers must be streamed.
const BUFFERED_MAX_BYTES: usize = 96 * 1024 * 1024;
const UPLOAD_CHUNK_BYTES: usize = 64 * 1024;
const REDIRECTS_MAX: usize = 3;

/// How long an upload waits.
#[derive(Debug, Clone, Copy)]
struct UploadPatience {
    /// How long it may stand still.
    still: Duration,
    /// How long the answer may take once everything has gone out.
    answer: Duration,
}

/// The engine's HTTP client.
#[derive(Debug, Clone)]
pub(crate) struct SharedHttpClient {
    client: reqwest::Client,
    /// For what is sent for longer than an answer may take: the client's read timeout runs while
    /// a request goes out.
    uploads: reqwest::Client,
    patience: UploadPatience,
    guard: DialGuard,
    runtime: Handle,
}

impl SharedHttpClient {
    pub(crate) fn new(guard: DialGuard) -> Result<Self, EngineError> {
        let runtime = Handle::try_current().map_err(|_| EngineError::NoRuntime)?;
        Ok(Self {
            client: client_of(Some(READ_TIMEOUT))?,
            uploads: client_of(None)?,
            patience: UPLOAD_PATIENCE,
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
        self.prepare_with(&self.client, request)
    }

    fn prepare_with(
        &self,
        client: &reqwest::Client,
        request: &HttpRequest,
    ) -> Result<RequestBuilder, anyhow::Error> {
        let url = self.resolve(&request.url)?;
        let method: Method = request.method.parse().context("the method is unknown")?;
        let builder = client.request(method, url);
        Ok(with_headers(builder, &request.headers))
    }
}

fn client_of(read_timeout: Option<Duration>) -> Result<reqwest::Client, EngineError> {
    let redirects = redirect::Policy::custom(|attempt| {
        let is_encrypted = attempt.url().scheme() == "https";
        if is_encrypted && attempt.previous().len() <= REDIRECTS_MAX {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(8)
        .redirect(redirects)
        .no_proxy();
    if let Some(timeout) = read_timeout {
        builder = builder.read_timeout(timeout);
    }
    // The chat socket's TLS: ring and the built-in roots.
    let builder = match default_tls_connector() {
        Connector::Rustls(tls) => {
            builder.tls_backend_preconfigured(rustls::ClientConfig::clone(tls.config()))
        }
        Connector::Plain => builder,
    };
    builder.build().map_err(EngineError::Http)
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
            .prepare_with(&self.uploads, &request)?
            .header(CONTENT_LENGTH, content_length)
            .body(reqwest::Body::wrap_stream(chunk_stream(receiver)));
        let mut exchange = self.runtime.spawn(async move {
            let response = builder.send().await.map_err(reqwest::Error::without_url)?;
            read_whole(response).await
        });
        let pushed = self.push(&mut body, &chunks);
        // Without it the request waits for more.
        drop(chunks);
        let outcome = pushed.and_then(|()| {
            let answer = tokio::time::timeout(self.patience.answer, &mut exchange);
            self.runtime
                .block_on(answer)
                .context("the upload was not answered")?
                .context("the upload failed")?
        });
        // Where it was given up, nobody waits for it.
        exchange.abort();
        outcome
    }
}

impl SharedHttpClient {
    /// Hands over a body as fast as the connection takes it.
    fn push(
        &self,
        body: &mut UploadBody,
        chunks: &mpsc::Sender<io::Result<Bytes>>,
    ) -> Result<(), anyhow::Error> {
        while let Some(chunk) = next_chunk(body)? {
            let taken = tokio::time::timeout(self.patience.still, chunks.send(Ok(chunk)));
            let taken = self.runtime.block_on(taken);
            // A receiver that is gone means an answer that came early: it is read next.
            if taken.context("the upload stands still")?.is_err() {
                break;
            }
        }
        Ok(())
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

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(30);

    async fn server() -> (TcpListener, SharedHttpClient) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let origin = Url::parse(&format!("http://{address}")).expect("a URL");
        let client = SharedHttpClient {
            client: client_of(Some(SHORT)).expect("a client"),
            ..SharedHttpClient::new(DialGuard::new(Some(origin))).expect("a client")
        };
        (listener, client)
    }

    async fn upload(
        client: SharedHttpClient,
        body: impl Read + Send + 'static,
        length: u64,
    ) -> Result<HttpResponse, anyhow::Error> {
        let request = HttpRequest {
            url: "https://mmg.whatsapp.net/mms/image/token".to_owned(),
            method: "POST".to_owned(),
            headers: HashMap::new(),
            body: None,
        };
        let work = move || client.execute_upload(request, Box::new(body), length);
        tokio::task::spawn_blocking(work)
            .await
            .expect("the upload does not panic")
    }

    /// A byte, and another one once the connection has outlived the time of an answer.
    struct Slow {
        is_begun: bool,
        hung_up: Receiver<()>,
    }

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.is_begun {
                match self.hung_up.recv_timeout(SHORT * 4) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return Err(io::Error::other("the client hung up")),
                }
            }
            self.is_begun = true;
            buffer[0] = b'x';
            Ok(1)
        }
    }

    /// Takes a request whose body are two bytes; tells where it ends before.
    async fn take(mut stream: TcpStream, hung_up: Sender<()>) {
        let mut taken = Vec::new();
        while !taken.ends_with(b"\r\n\r\nxx") {
            match stream.read_buf(&mut taken).await {
                Ok(0) | Err(_) => {
                    let _ = hung_up.send(());
                    return;
                }
                Ok(_) => {}
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).await.expect("the answer is taken");
    }

    #[tokio::test]
    async fn an_upload_may_take_longer_than_an_answer() {
        let (listener, client) = server().await;
        let (told, hung_up) = channel();
        let body = Slow {
            is_begun: false,
            hung_up,
        }
        .take(2);
        let taking = async {
            let (stream, _) = listener.accept().await.unwrap();
            take(stream, told).await;
        };
        let (answer, ()) = tokio::join!(upload(client, body, 2), taking);
        assert_eq!(answer.unwrap().body, b"ok");
    }

    #[tokio::test]
    async fn an_upload_that_stands_still_is_given_up() {
        let (listener, mut client) = server().await;
        client.patience.still = SHORT;
        let length = 1_u64 << 40;
        let uploading = upload(client, io::repeat(0).take(length), length);
        let (answer, _stream) = tokio::join!(uploading, listener.accept());
        let error = answer.unwrap_err();
        assert_eq!(error.to_string(), "the upload stands still");
    }

    #[tokio::test]
    async fn an_upload_without_an_answer_is_given_up() {
        let (listener, mut client) = server().await;
        client.patience = UploadPatience {
            still: LONG,
            answer: SHORT,
        };
        let uploading = upload(client, io::repeat(0).take(1), 1);
        let (answer, _stream) = tokio::join!(uploading, listener.accept());
        let error = answer.unwrap_err();
        assert_eq!(error.to_string(), "the upload was not answered");
    }
}
