//! The bus of one process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::Instant;
use wagate_model::GatewayId;

use super::{BusError, Serving};
use crate::{CommandHandler, CommandResult, SessionCommand, Signal, Topic};

/// Signals a slow subscriber may be behind before it has missed some.
const BACKLOG: usize = 1_024;

/// Commands and signals within one process.
#[derive(Default)]
pub struct LocalBus {
    handlers: RwLock<HashMap<GatewayId, Arc<dyn CommandHandler>>>,
    topics: Mutex<HashMap<Topic, broadcast::Sender<Signal>>>,
}

impl fmt::Debug for LocalBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalBus")
    }
}

impl LocalBus {
    pub(super) async fn request(
        &self,
        gateway: &GatewayId,
        command: SessionCommand,
        timeout: Duration,
    ) -> Result<CommandResult, BusError> {
        let handler = self
            .handlers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(gateway)
            .cloned()
            .ok_or(BusError::Unreachable)?;
        // A task of its own, as over a network: a caller that goes away does not
        // cut off a command in the middle.
        let deadline = Instant::now() + timeout;
        let work = tokio::spawn(async move { handler.handle(command, deadline).await });
        match tokio::time::timeout_at(deadline, work).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(BusError::Unreachable),
        }
    }

    pub(super) fn serve(
        bus: &Arc<Self>,
        gateway: &GatewayId,
        handler: Arc<dyn CommandHandler>,
    ) -> Serving {
        bus.handlers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(gateway.clone(), handler);
        let (bus, gateway) = (Arc::clone(bus), gateway.clone());
        Serving::new(move || {
            bus.handlers
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&gateway);
        })
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, broadcast::Sender<Signal>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, signal: Signal) {
        let is_event = matches!(signal, Signal::Events { .. });
        let mut topics = self.topics();
        for topic in [Some(signal.topic()), is_event.then_some(Topic::AllEvents)] {
            let Some((topic, sender)) = topic.and_then(|topic| topics.get_key_value(&topic)) else {
                continue;
            };
            // The last listener has gone: forget the topic, or organizations pile up.
            let topic = *topic;
            if sender.send(signal.clone()).is_err() {
                topics.remove(&topic);
            }
        }
    }

    pub(super) fn subscribe(&self, topic: Topic) -> broadcast::Receiver<Signal> {
        self.topics()
            .entry(topic)
            .or_insert_with(|| broadcast::channel(BACKLOG).0)
            .subscribe()
    }
}
