//! A webhook receiver that remembers what it was sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::PATIENCE;
use crate::covered::note_event;

/// One request that arrived.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
}

impl Delivered {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a webhook's body is JSON")
    }

    /// A header's text; empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

struct Shared {
    arrived: mpsc::UnboundedSender<Delivered>,
    status: AtomicU16,
    is_held: watch::Sender<bool>,
}

/// Listens on a free port until dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedReceiver<Delivered>,
    _stop: DropGuard,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    // Nobody listens any more when the test is over.
    let _ = shared.arrived.send(Delivered { headers, body });
    let mut held = shared.is_held.subscribe();
    // The sender lives as long as the state.
    let _ = held.wait_for(|is_held| !is_held).await;
    StatusCode::from_u16(shared.status.load(Ordering::SeqCst)).unwrap_or(StatusCode::OK)
}

impl Receiver {
    /// Starts to listen.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn start() -> Self {
        let (arrived, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            arrived,
            status: AtomicU16::new(200),
            is_held: watch::Sender::new(false),
        });
        let router = axum::Router::new()
            .route("/hook", post(take))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
        });
        Self {
            address,
            shared,
            queue,
            _stop: stop.drop_guard(),
        }
    }

    /// Where to post.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers with this status from now on.
    pub fn answer_with(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// Answers nothing from now on.
    pub fn hold(&self) {
        self.shared.is_held.send_replace(true);
    }

    /// Answers again, also what was held back.
    pub fn release(&self) {
        self.shared.is_held.send_replace(false);
    }

    /// The next request.
    ///
    /// # Panics
    ///
    /// When none arrives in time.
    pub async fn next(&mut self) -> Delivered {
        self.next_within(PATIENCE).await
    }

    /// The next request, for one that must wait for something else to run out.
    ///
    /// # Panics
    ///
    /// When none arrives in time.
    pub async fn next_within(&mut self, patience: Duration) -> Delivered {
        let delivered = tokio::time::timeout(patience, self.queue.recv())
            .await
            .expect("a delivery in time")
            .expect("the receiver runs");
        note_event(&delivered.json());
        delivered
    }

    /// The next request whose event is of a kind; others are skipped.
    ///
    /// # Panics
    ///
    /// When none arrives in time.
    pub async fn next_of(&mut self, kind: &str) -> Delivered {
        loop {
            let delivered = self.next().await;
            if delivered.json()["event"] == kind {
                return delivered;
            }
        }
    }

    /// What has arrived and was not looked at yet.
    pub fn drain(&mut self) -> Vec<Delivered> {
        std::iter::from_fn(|| self.queue.try_recv().ok()).collect()
    }
}
