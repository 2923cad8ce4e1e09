//! A plain HTTP client for the simulator's own listener.

use std::fmt::Write as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};

/// Sends every request to one address, whatever host its URL names.
pub(crate) struct LocalHttp(pub(crate) SocketAddr);

#[async_trait::async_trait]
impl HttpClient for LocalHttp {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let (_, rest) = request
            .url
            .split_once("://")
            .ok_or_else(|| anyhow::anyhow!("no scheme"))?;
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        let body = request.body.unwrap_or_default();
        let mut head = format!("{} {path} HTTP/1.1\r\n", request.method);
        for (name, value) in &request.headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        exchange(self.0, &head, &body, body.len()).await
    }
}

/// Sends a request line with headers and a body that is announced with `length`; where fewer bytes
/// are given, the connection's sending side ends early.
pub(crate) async fn exchange(
    address: SocketAddr,
    head: &str,
    body: &[u8],
    length: usize,
) -> anyhow::Result<HttpResponse> {
    let mut stream = TcpStream::connect(address).await?;
    let head =
        format!("{head}host: media\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    // A refusal may come before the body is read.
    if stream.write_all(body).await.is_ok() && body.len() < length {
        stream.shutdown().await?;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n");
    let end = end.ok_or_else(|| anyhow::anyhow!("no answer"))?;
    let status = std::str::from_utf8(&answer[..end])?
        .split(' ')
        .nth(1)
        .ok_or_else(|| anyhow::anyhow!("no status"))?;
    Ok(HttpResponse {
        status_code: status.parse()?,
        body: answer[end + 4..].to_vec(),
    })
}
