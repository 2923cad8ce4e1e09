//! Connections that misbehave, over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wagate_api::ServerLimits;

use crate::harness::Service;

/// Sends bytes and reads until the service closes the connection.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset ends it too: what was not read of the request is thrown away.
    let _ = stream.read_to_end(&mut answer).await;
    // HTTP/2 answers with frames.
    String::from_utf8_lossy(&answer).into_owned()
}

/// The fields that the envelope of an answer names.
fn faults(answer: &str) -> Vec<String> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(head.contains("x-request-id: "), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"]["code"], "validation_error");
    let errors = body["error"]["details"]["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|fault| fault["field"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn large_heads_are_answered_with_the_envelope() {
    let service = Service::start().await;
    let address = service.listen().await;
    let many: Vec<_> = (0..101).map(|n| format!("x-{n}: y\r\n")).collect();
    let many = many.concat();
    for head in [
        format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(40_000)),
        format!(
            "GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n",
            "y".repeat(200_000)
        ),
        format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(60_000)),
        format!("GET /healthz?{} HTTP/1.1\r\n\r\n", "y".repeat(40_000)),
        format!("GET /healthz HTTP/1.1\r\n{many}\r\n"),
    ] {
        // The service hangs up by itself, or this would not end.
        let answer = exchange(address, head.as_bytes()).await;
        assert_eq!(faults(&answer), ["headers"]);
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let fitting = format!(
        "GET /healthz HTTP/1.1\r\nx: {}\r\nconnection: close\r\n\r\n",
        "y".repeat(30_000)
    );
    let answer = exchange(address, fitting.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn headers_that_are_no_text_are_no_credential() {
    let service = Service::start().await;
    let address = service.listen().await;
    for (header, status) in [
        (&b"x-junk: \xff\xfe"[..], 200),
        (b"authorization: Bearer \xff", 401),
        (b"x-api-key: \xff", 401),
    ] {
        let path = if status == 200 {
            "/healthz"
        } else {
            "/api/v1/sessions"
        };
        let head = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n");
        let bytes = [head.as_bytes(), header, b"\r\n\r\n"].concat();
        let answer = exchange(address, &bytes).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn bodies_are_judged_before_they_have_come() {
    let service = Service::start().await;
    let address = service.listen().await;
    let key = service.tenant().await.key;
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nx-api-key: {key}\r\nconnection: close\r\n\
         content-type: application/json\r\n"
    );
    let announced = format!("{head}content-length: 2000000\r\n\r\n");
    assert_eq!(
        faults(&exchange(address, announced.as_bytes()).await),
        ["body"]
    );
    let deep = "[".repeat(100_000);
    let deep = format!("{head}content-length: {}\r\n\r\n{deep}", deep.len());
    assert_eq!(faults(&exchange(address, deep.as_bytes()).await), ["body"]);
}

#[tokio::test]
async fn connections_that_say_too_little_are_closed() {
    let service = Service::start().await;
    let limits = ServerLimits {
        header_timeout: Duration::from_millis(50),
        ..ServerLimits::default()
    };
    let address = service.listen_with(limits).await;
    for beginning in [
        "",
        // The first letter of POST, and of HTTP/2's preface.
        "P",
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /healthz HT",
        "GET /healthz HTTP/1.1\r\nx: y\r\n",
    ] {
        // It ends: that is all that can be asked of it.
        exchange(address, beginning.as_bytes()).await;
    }
}

#[tokio::test]
async fn connections_are_bounded_in_number() {
    let service = Service::start().await;
    let limits = ServerLimits {
        max_connections: 1,
        ..ServerLimits::default()
    };
    let address = service.listen_with(limits).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    let question = b"GET /healthz HTTP/1.1\r\n\r\n";
    first.write_all(question).await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let mut second = TcpStream::connect(address).await.unwrap();
    assert_eq!(rest(&mut second).await, "");
    // As soon as the first has gone, there is room.
    drop(first);
    let last = b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n";
    loop {
        let mut next = TcpStream::connect(address).await.unwrap();
        // It may be closed before all is written.
        let _ = next.write_all(last).await;
        if rest(&mut next).await.starts_with("HTTP/1.1 200") {
            break;
        }
    }
}
