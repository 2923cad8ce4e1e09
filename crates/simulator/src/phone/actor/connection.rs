//! The phone's port to the server: opening it, reading it, losing it.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use wacore_binary::Node;

use super::mail::Mail;
use super::run::Actor;
use crate::phone::error::PhoneError;
use crate::server::DeviceSender;

/// An open port. A task of its own reads it, because reading must not be cut short.
pub(super) struct Connection {
    sender: DeviceSender,
    reader: JoinHandle<()>,
    opened_at: Instant,
    /// The server has ended it, or does not answer: nothing can be asked any more.
    is_lost: bool,
}

/// A connection that was lost before this was a bad one.
const GOOD_CONNECTION: Duration = Duration::from_secs(5);

/// How long a phone waits at first, and at most, after bad connections in a row.
const RECONNECT_DELAYS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// The wait before the next attempt; the first loss is not waited for.
fn reconnect_delay(bad_connections: u32) -> Duration {
    let (first, longest) = RECONNECT_DELAYS;
    match bad_connections {
        0 | 1 => Duration::ZERO,
        count => first.saturating_mul(1 << (count - 2).min(16)).min(longest),
    }
}

impl Actor {
    /// Whether mail belongs to the connection that is open now.
    pub(super) fn is_current(&self, connection: u64) -> bool {
        self.connection.is_some() && self.connection_count == connection
    }

    /// Whether the phone can be reached, and reach anybody.
    pub(super) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| !c.is_lost)
    }

    /// Notes at once that the connection is over, and sees to it before anything else.
    ///
    /// What is asked meanwhile fails without waiting; stanzas that have come on the connection are
    /// in the server's queue and come again.
    pub(super) fn lose_connection(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.is_lost = true;
            let closed = Mail::Closed(self.connection_count);
            self.backlog.push_front(closed);
        }
    }

    /// Opens the port, makes sure that the server has prekeys, and sends what was not
    /// acknowledged the last time.
    pub(super) async fn connect(&mut self) -> Result<(), PhoneError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let mut port = self
            .server
            .attach(&self.shared.jid)
            .map_err(|error| PhoneError::Conflict(error.to_string()))?;
        let mail = self
            .own_mail
            .upgrade()
            .ok_or_else(|| PhoneError::unreachable("the phone is being stopped"))?;
        self.connection_count += 1;
        let number = self.connection_count;
        let sender = port.sender();
        let weak_mail = mail.downgrade();
        let reader = tokio::spawn(async move {
            while let Some(node) = port.recv().await {
                let Some(mail) = weak_mail.upgrade() else {
                    return;
                };
                if mail.send(Mail::Stanza(number, node)).is_err() {
                    return;
                }
            }
            if let Some(mail) = weak_mail.upgrade() {
                let _ = mail.send(Mail::Closed(number));
            }
        });
        self.connection = Some(Connection {
            sender,
            reader,
            opened_at: Instant::now(),
            is_lost: false,
        });
        if !self.record.has_uploaded_prekeys {
            self.upload_prekeys().await?;
        }
        self.resend_unacknowledged().await;
        self.serve_companions().await;
        Ok(())
    }

    /// Closes the port; the server has noticed when this returns.
    pub(super) async fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.sender);
            connection.reader.abort();
            // The port is dropped with its task, which is over when the handle resolves.
            let _ = connection.reader.await;
        }
    }

    /// The server cut the connection: a phone comes back at once, and after some bad
    /// connections in a row more and more slowly.
    pub(super) async fn on_closed(&mut self) {
        let has_lasted = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.opened_at.elapsed() >= GOOD_CONNECTION);
        self.bad_connections = if has_lasted {
            0
        } else {
            self.bad_connections.saturating_add(1)
        };
        self.disconnect().await;
        let delay = reconnect_delay(self.bad_connections);
        if delay.is_zero() {
            self.connect_or_retry().await;
        } else {
            self.reconnect_after(delay);
        }
    }

    /// Connects, unless the phone is meant to be offline; tries again when that fails.
    pub(super) async fn connect_or_retry(&mut self) {
        if self.record.is_offline || self.server.account(&self.shared.number).is_none() {
            return;
        }
        if let Err(error) = self.connect().await {
            tracing::warn!(%error, "phone cannot connect");
            self.disconnect().await;
            self.bad_connections = self.bad_connections.saturating_add(1);
            self.reconnect_after(reconnect_delay(self.bad_connections.max(2)));
        }
    }

    fn reconnect_after(&self, delay: Duration) {
        let mail = self.own_mail.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(mail) = mail.upgrade() {
                let _ = mail.send(Mail::Reconnect);
            }
        });
    }

    /// Sends a stanza.
    pub(super) fn transmit(&self, node: Node) -> Result<(), PhoneError> {
        match &self.connection {
            Some(connection) if !connection.is_lost => {
                connection.sender.send(node);
                Ok(())
            }
            _ => Err(PhoneError::offline()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_gets_slower_to_come_back() {
        let delays: Vec<u128> = (0..12)
            .map(|count| reconnect_delay(count).as_millis())
            .collect();
        assert_eq!(delays[..5], [0, 0, 50, 100, 200]);
        assert_eq!(delays[11], 5_000);
        assert_eq!(reconnect_delay(u32::MAX).as_millis(), 5_000);
    }
}
