//! Serving connections: bounded in number, headers and time, and with an orderly end.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::auth::visitor::Peer;

/// Bounds of connections.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Connections that may be open at the same time; realtime sockets count for themselves.
    pub max_connections: usize,
    /// Longest time for the headers of a request, and from connecting to the first request.
    pub header_timeout: Duration,
    /// Largest headers of a request that are read, in bytes. The router refuses smaller ones
    /// already, with an envelope: this bounds what is read to find that out.
    pub header_bytes: u32,
    /// Most headers of a request that are read; the router allows fewer.
    pub header_count: usize,
    /// How long requests that are under way may take once the service stops.
    pub drain_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            header_timeout: Duration::from_secs(10),
            header_bytes: 256 << 10,
            header_count: 1_000,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves connections until `stop` is cancelled, then lets running requests finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    stop: CancellationToken,
) -> io::Result<()> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(limits.header_count)
        .max_buf_size(
            usize::try_from(limits.header_bytes)
                .unwrap_or(usize::MAX)
                .max(8_192),
        );
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let connections = TaskTracker::new();
    let mut places = Places::new(limits.max_connections);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without a place it is closed at once: who waits in the kernel's queue is
                // told nothing for as long as the others stay.
                let Some(place) = places.take() else {
                    continue;
                };
                let (builder, router, stop) = (builder.clone(), router.clone(), stop.clone());
                connections.spawn(async move {
                    let router = Noticing::new(router, Peer(peer));
                    serve_connection(builder, router, stream, limits.header_timeout, stop).await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Most likely out of file descriptors: more come free in a moment.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.drain_timeout, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!("connections were cut off when the service stopped");
    }
    Ok(())
}

/// The places of connections.
struct Places {
    free: Arc<Semaphore>,
    limit: usize,
    refused: u64,
}

impl Places {
    fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(limit)),
            limit,
            refused: 0,
        }
    }

    /// A place, where one is free; says once when there is none, and once when there is again.
    fn take(&mut self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.free).try_acquire_owned().ok();
        if place.is_none() {
            metrics::counter!("wagate_connections_refused_total").increment(1);
            if self.refused == 0 {
                tracing::warn!(
                    limit = self.limit,
                    "as many connections are open as may be; more are closed at once"
                );
            }
            self.refused += 1;
        } else if self.refused > 0 {
            tracing::info!(refused = self.refused, "connections are accepted again");
            self.refused = 0;
        }
        place
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// The router as one connection sees it: it tells from where requests come, and gives notice
/// when the first one has.
#[derive(Clone)]
struct Noticing {
    router: Router,
    peer: Peer,
    first_request: Arc<Notify>,
}

impl Noticing {
    fn new(router: Router, peer: Peer) -> Self {
        Self {
            router,
            peer,
            first_request: Arc::default(),
        }
    }
}

impl<B> Service<Request<B>> for Noticing
where
    Router: Service<Request<B>>,
{
    type Response = <Router as Service<Request<B>>>::Response;
    type Error = <Router as Service<Request<B>>>::Error;
    type Future = <Router as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.router.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        self.first_request.notify_one();
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

async fn serve_connection(
    builder: Builder<TokioExecutor>,
    router: Noticing,
    stream: TcpStream,
    first_request_timeout: Duration,
    stop: CancellationToken,
) {
    // Small frames of sockets are not held back.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    // The library waits for the bytes that tell HTTP/1 from HTTP/2 without a limit of time.
    let first_request = Arc::clone(&router.first_request);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let deadline = async {
        if tokio::time::timeout(first_request_timeout, first_request.notified())
            .await
            .is_ok()
        {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = deadline => {
            tracing::debug!("a connection without a request was closed");
            return;
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, "a connection ended early");
    }
}
