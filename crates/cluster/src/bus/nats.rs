//! The bus of a cluster: NATS core, request and reply plus publish and subscribe.
//!
//! Subjects: `<prefix>.command.<gateway>`, `<prefix>.events.<organization>`,
//! `<prefix>.signal.<topic>`. Bodies are JSON.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Message, RequestErrorKind};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wagate_model::{Clock as _, GatewayId, SystemClock};

use super::{BusError, Serving, Source, Subscription};
use crate::{CommandHandler, CommandResult, Lagged, Refusal, SessionCommand, Signal, Topic};

/// Commands that one gateway works on at a time; more wait in NATS' buffers.
const CONCURRENT_COMMANDS: usize = 1_024;

/// Signals a slow subscriber may be behind before it has missed some.
const BACKLOG: usize = 1_024;

/// Signals waiting for the connection; more are dropped, as the bus may.
const OUTGOING: usize = 4_096;

/// How far the clock of a command's sender may be behind its receiver's without making the
/// command's time shorter.
const CLOCK_TOLERANCE_MS: i64 = 2_000;

/// A command on the wire.
#[derive(Serialize, Deserialize)]
struct Envelope<C> {
    #[serde(flatten)]
    command: C,
    /// How long its sender waits, in milliseconds.
    ttl_ms: i64,
    /// Until when, by the sender's clock.
    expires_at_ms: i64,
}

impl<C> Envelope<C> {
    /// How long the sender still waits.
    ///
    /// The clocks of hosts differ, so that the time to live bounds it from above; a receiver
    /// that has stalled finds the command in a buffer, where only the clock tells how long
    /// it has been there.
    fn remaining(&self, now_ms: i64) -> Duration {
        let by_clock = self
            .expires_at_ms
            .saturating_add(CLOCK_TOLERANCE_MS)
            .saturating_sub(now_ms);
        let remaining = by_clock.min(self.ttl_ms).max(0);
        Duration::from_millis(u64::try_from(remaining).unwrap_or(0))
    }
}

/// What waits for the connection.
enum Outgoing {
    Signal(Signal),
    /// Tells that everything before it has left.
    Mark(oneshot::Sender<Result<(), BusError>>),
}

/// Commands and signals over a NATS server.
pub struct NatsBus {
    client: Client,
    prefix: Arc<str>,
    outgoing: mpsc::Sender<Outgoing>,
}

impl fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NatsBus")
    }
}

fn nats_error(error: impl fmt::Display) -> BusError {
    BusError::Nats(error.to_string())
}

impl NatsBus {
    pub(super) async fn connect(url: &str, prefix: &str) -> Result<Self, BusError> {
        let client = async_nats::ConnectOptions::new()
            .name("wagate")
            .retry_on_initial_connect()
            .connect(url)
            .await
            .map_err(nats_error)?;
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        let prefix: Arc<str> = prefix.into();
        tokio::spawn(publish_all(client.clone(), Arc::clone(&prefix), waiting));
        Ok(Self {
            client,
            prefix,
            outgoing,
        })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    fn command_subject(&self, gateway: &GatewayId) -> String {
        // A dot in a gateway's name would read as another level of the subject.
        format!(
            "{}.command.{}",
            self.prefix,
            gateway.as_str().replace('.', "%2E")
        )
    }

    pub(super) async fn request(
        &self,
        gateway: &GatewayId,
        command: &SessionCommand,
        timeout: Duration,
    ) -> Result<CommandResult, BusError> {
        let ttl_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let envelope = Envelope {
            command,
            ttl_ms,
            expires_at_ms: SystemClock.now_ms().saturating_add(ttl_ms),
        };
        let body = serde_json::to_vec(&envelope).map_err(nats_error)?;
        let request = async_nats::Request::new()
            .payload(body.into())
            .timeout(Some(timeout));
        let subject = self.command_subject(gateway);
        match self.client.send_request(subject, request).await {
            Ok(answer) => serde_json::from_slice(&answer.payload).map_err(nats_error),
            Err(error) => match error.kind() {
                RequestErrorKind::TimedOut | RequestErrorKind::NoResponders => {
                    Err(BusError::Unreachable)
                }
                _ => Err(nats_error(error)),
            },
        }
    }

    pub(super) async fn serve(
        &self,
        gateway: &GatewayId,
        handler: Arc<dyn CommandHandler>,
    ) -> Result<Serving, BusError> {
        let mut commands = self
            .client
            .subscribe(self.command_subject(gateway))
            .await
            .map_err(nats_error)?;
        self.client.flush().await.map_err(nats_error)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let client = self.client.clone();
        let permits = Arc::new(Semaphore::new(CONCURRENT_COMMANDS));
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    () = stopped.cancelled() => break,
                    message = commands.next() => message,
                };
                let Some(message) = message else { break };
                let received_at = Instant::now();
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                    break;
                };
                let (client, handler) = (client.clone(), Arc::clone(&handler));
                tokio::spawn(async move {
                    answer(&client, handler.as_ref(), message, received_at).await;
                    drop(permit);
                });
            }
        });
        Ok(Serving::new(move || stop.cancel()))
    }

    pub(super) fn publish(&self, signal: Signal) {
        if self.outgoing.try_send(Outgoing::Signal(signal)).is_err() {
            metrics::counter!("wagate_bus_signals_dropped_total").increment(1);
        }
    }

    pub(super) async fn flush(&self) -> Result<(), BusError> {
        let (told, tells) = oneshot::channel();
        self.outgoing
            .send(Outgoing::Mark(told))
            .await
            .map_err(nats_error)?;
        tells.await.map_err(nats_error)?
    }

    pub(super) async fn subscribe(&self, topic: Topic) -> Result<Subscription, BusError> {
        let mut messages = self
            .client
            .subscribe(signal_subject(&self.prefix, topic))
            .await
            .map_err(nats_error)?;
        // Without this the server might learn of the subscription after the
        // caller has read the store, and signals in between would be missed.
        self.client.flush().await.map_err(nats_error)?;
        let (sender, receiver) = mpsc::channel(BACKLOG);
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    () = sender.closed() => break,
                    message = messages.next() => message,
                };
                let Some(message) = message else { break };
                let Ok(signal) = serde_json::from_slice::<Signal>(&message.payload) else {
                    tracing::warn!("ignored a bus message that is not a signal");
                    continue;
                };
                // Full: the subscriber is told of the gap as soon as it has room.
                if sender.try_send(Ok(signal)).is_err() && sender.send(Err(Lagged)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Subscription(Source::Nats(receiver)))
    }
}

fn signal_subject(prefix: &str, topic: Topic) -> String {
    match topic {
        Topic::Events(organization) => format!("{prefix}.events.{organization}"),
        Topic::AllEvents => format!("{prefix}.events.*"),
        Topic::Deliveries => format!("{prefix}.signal.deliveries"),
        Topic::Sessions => format!("{prefix}.signal.sessions"),
        Topic::Credentials => format!("{prefix}.signal.credentials"),
    }
}

/// Publishes in the order given, so that live copies of events keep theirs.
async fn publish_all(client: Client, prefix: Arc<str>, mut waiting: mpsc::Receiver<Outgoing>) {
    while let Some(outgoing) = waiting.recv().await {
        let signal = match outgoing {
            Outgoing::Signal(signal) => signal,
            Outgoing::Mark(told) => {
                // Nobody may be waiting any more.
                let _ = told.send(client.flush().await.map_err(nats_error));
                continue;
            }
        };
        let subject = signal_subject(&prefix, signal.topic());
        let body = match serde_json::to_vec(&signal) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, "a signal could not be written");
                continue;
            }
        };
        if let Err(error) = client.publish(subject, body.into()).await {
            tracing::debug!(%error, "a signal was not published");
        }
    }
}

async fn answer(
    client: &Client,
    handler: &dyn CommandHandler,
    message: Message,
    received_at: Instant,
) {
    let Some(reply) = message.reply else { return };
    let read = serde_json::from_slice::<Envelope<SessionCommand>>(&message.payload);
    let result: CommandResult = match read {
        Ok(envelope) => {
            let waited = received_at.elapsed();
            let remaining = envelope.remaining(SystemClock.now_ms());
            let deadline = Instant::now() + remaining.saturating_sub(waited);
            handler.handle(envelope.command, deadline).await
        }
        Err(error) => {
            tracing::error!(%error, "a command could not be read");
            Err(Refusal::Internal)
        }
    };
    match serde_json::to_vec(&result) {
        Ok(body) => {
            if let Err(error) = client.publish(reply, body.into()).await {
                tracing::debug!(%error, "an answer was not published");
            }
        }
        Err(error) => tracing::error!(%error, "an answer could not be written"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(ttl_ms: i64, expires_at_ms: i64) -> Envelope<()> {
        Envelope {
            command: (),
            ttl_ms,
            expires_at_ms,
        }
    }

    #[test]
    fn a_command_lasts_as_long_as_its_sender_waits() {
        let remaining = |envelope: Envelope<()>, now_ms| envelope.remaining(now_ms).as_millis();
        assert_eq!(remaining(envelope(5_000, 15_000), 10_000), 5_000);
        assert_eq!(remaining(envelope(5_000, 15_000), 16_000), 1_000);
        assert_eq!(remaining(envelope(5_000, 15_000), 20_000), 0, "it is late");
        // The sender's clock is ahead, or a little behind.
        assert_eq!(remaining(envelope(5_000, 60_000), 10_000), 5_000);
        assert_eq!(remaining(envelope(5_000, 14_000), 10_000), 5_000);
    }
}
