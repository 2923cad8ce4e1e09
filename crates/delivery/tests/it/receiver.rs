//! A receiver of webhooks on a free port, which answers as the test tells it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn event_id(&self) -> &str {
        self.header("x-webhook-request-id").unwrap()
    }
}

type Handler = Arc<dyn Fn(Received) -> BoxFuture<'static, Response> + Send + Sync>;

pub(crate) struct Receiver {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Received>,
    server: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State((handler, sender)): State<(Handler, mpsc::UnboundedSender<Received>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Received {
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let _ = sender.send(request.clone());
    handler(request).await
}

impl Receiver {
    /// Answers each request with what a function makes of it.
    pub(crate) async fn start<F, A>(answer: impl Fn(Received) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = A> + Send + 'static,
        A: IntoResponse + 'static,
    {
        let handler: Handler =
            Arc::new(move |request| answer(request).map(IntoResponse::into_response).boxed());
        let (sender, requests) = mpsc::unbounded_channel();
        let app = Router::new()
            .fallback(receive)
            .with_state((handler, sender));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            requests,
            server,
        }
    }

    /// Accepts everything.
    pub(crate) async fn accepting() -> Self {
        Self::start(|_| async { "thanks" }).await
    }

    /// Answers each request with the next of some statuses, and the last of them from then on.
    pub(crate) async fn answering(statuses: &'static [u16]) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        Self::start(move |_| {
            let index = count.fetch_add(1, Ordering::SeqCst).min(statuses.len() - 1);
            async move { (StatusCode::from_u16(statuses[index]).unwrap(), "noted") }
        })
        .await
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next request; fails the test when none comes.
    pub(crate) async fn next(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.requests.recv())
            .await
            .expect("a request should have come")
            .expect("the receiver is running")
    }

    /// The next requests, in the order in which they came.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Received> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.push(self.next().await);
        }
        taken
    }

    /// How many requests are here that were not taken.
    pub(crate) fn waiting(&self) -> usize {
        self.requests.len()
    }
}
