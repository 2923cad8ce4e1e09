//! The bus: memory in one process, NATS in a cluster.

mod local;
mod nats;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use wagate_model::GatewayId;

use self::local::LocalBus;
use self::nats::NatsBus;
use crate::{CommandHandler, CommandResult, Lagged, SessionCommand, Signal, Topic};

/// Why the bus could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Nobody answers under the gateway's name, or not in time.
    #[error("the gateway does not answer")]
    Unreachable,
    /// The NATS server is away, or refuses.
    #[error("nats: {0}")]
    Nats(String),
}

/// Connects the roles of an installation; cheap to clone.
#[derive(Debug, Clone)]
pub enum Bus {
    /// All roles live in this process.
    Local(Arc<LocalBus>),
    /// Roles live in several processes.
    Nats(Arc<NatsBus>),
}

impl Bus {
    /// A bus within this process.
    #[must_use]
    pub fn local() -> Self {
        Self::Local(Arc::default())
    }

    /// A bus over a NATS server. `prefix` keeps installations on one server apart.
    pub async fn nats(url: &str, prefix: &str) -> Result<Self, BusError> {
        Ok(Self::Nats(Arc::new(NatsBus::connect(url, prefix).await?)))
    }

    /// Asks a gateway to carry out a command, and waits for its answer.
    pub async fn request(
        &self,
        gateway: &GatewayId,
        command: SessionCommand,
        timeout: Duration,
    ) -> Result<CommandResult, BusError> {
        match self {
            Self::Local(bus) => bus.request(gateway, command, timeout).await,
            Self::Nats(bus) => bus.request(gateway, &command, timeout).await,
        }
    }

    /// Answers commands under a gateway's name until the result is dropped.
    pub async fn serve(
        &self,
        gateway: &GatewayId,
        handler: Arc<dyn CommandHandler>,
    ) -> Result<Serving, BusError> {
        match self {
            Self::Local(bus) => Ok(LocalBus::serve(bus, gateway, handler)),
            Self::Nats(bus) => bus.serve(gateway, handler).await,
        }
    }

    /// Tells everybody who listens; never waits, and may get lost.
    pub fn publish(&self, signal: Signal) {
        match self {
            Self::Local(bus) => bus.publish(signal),
            Self::Nats(bus) => bus.publish(signal),
        }
    }

    /// Waits until what was published has left this process, for one that ends now.
    pub async fn flush(&self, timeout: Duration) -> Result<(), BusError> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Nats(bus) => tokio::time::timeout(timeout, bus.flush())
                .await
                .unwrap_or_else(|_| Err(BusError::Nats("it does not answer".to_owned()))),
        }
    }

    /// Listens to a topic from now on.
    pub async fn subscribe(&self, topic: Topic) -> Result<Subscription, BusError> {
        match self {
            Self::Local(bus) => Ok(Subscription(Source::Local(bus.subscribe(topic)))),
            Self::Nats(bus) => bus.subscribe(topic).await,
        }
    }

    /// Whether the bus works now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Local(_) => true,
            Self::Nats(bus) => bus.is_connected(),
        }
    }
}

/// A gateway answers commands as long as this lives.
#[must_use]
pub struct Serving(Box<dyn FnMut() + Send + Sync>);

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Serving")
    }
}

impl Serving {
    fn new(stop: impl FnMut() + Send + Sync + 'static) -> Self {
        Self(Box::new(stop))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[derive(Debug)]
enum Source {
    Local(broadcast::Receiver<Signal>),
    Nats(mpsc::Receiver<Result<Signal, Lagged>>),
}

/// Signals of one topic, from the moment of subscribing.
#[derive(Debug)]
pub struct Subscription(Source);

impl Subscription {
    /// The next signal; `None` when the bus is gone; `Some(Err)` when some were missed.
    pub async fn recv(&mut self) -> Option<Result<Signal, Lagged>> {
        match &mut self.0 {
            Source::Local(receiver) => match receiver.recv().await {
                Ok(signal) => Some(Ok(signal)),
                Err(broadcast::error::RecvError::Lagged(_)) => Some(Err(Lagged)),
                Err(broadcast::error::RecvError::Closed) => None,
            },
            Source::Nats(receiver) => receiver.recv().await,
        }
    }
}
