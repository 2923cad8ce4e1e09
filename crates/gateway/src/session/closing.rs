//! Ending a connection: in order, or at once.

use std::pin::pin;
use std::time::Duration;

use wagate_engine::{Connection, EngineEvent, Events};
use wagate_store::{Result, StoreError};

use super::actor::{Actor, End, next_event};
use super::patience::Patience;
use crate::inbound::is_news;

/// How long sends that are under way may take when the session ends.
const LAST_SENDS: Duration = Duration::from_secs(1);
/// How long a farewell may take when the session ends.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long what the connection told last may take to be stored.
const LAST_NEWS: Duration = Duration::from_secs(4);

/// Says goodbye to WhatsApp, in bounded time.
pub(super) async fn say_goodbye(connection: &Connection) {
    let farewell = tokio::time::timeout(FAREWELL, connection.close());
    if farewell.await.is_err() {
        tracing::warn!("a connection is cut off");
        // Else its tasks would go on beside those of the next connection.
        if tokio::time::timeout(FAREWELL, connection.cut_off())
            .await
            .is_err()
        {
            tracing::warn!("tasks of a connection do not end");
        }
    }
}

impl Actor<'_> {
    /// Closes the connection; the pairing stays.
    ///
    /// What it told until its end is stored: WhatsApp has been told that it arrived.
    pub(super) async fn close(&mut self) {
        self.forget_connection();
        let Some(connection) = self.connection.take() else {
            self.events = None;
            return;
        };
        let mut rest = Vec::new();
        let is_lost = {
            let mut farewell = pin!(say_goodbye(&connection));
            loop {
                tokio::select! {
                    biased;
                    () = self.session.lost.cancelled() => break true,
                    () = &mut farewell => break false,
                    // Nobody may wait for room in there.
                    event = next_event(&mut self.events) => match event {
                        Some(event) => rest.push(event),
                        None => self.events = None,
                    },
                }
            }
        };
        if is_lost {
            self.connection = Some(connection);
            return self.cut_off().await;
        }
        if let Some(mut events) = self.events.take() {
            rest.extend(std::iter::from_fn(|| Events::try_recv(&mut events)));
        }
        let count = rest.len();
        let storing = self.store_rest(rest);
        if !matches!(
            tokio::time::timeout(LAST_NEWS, storing).await,
            Ok(Ok(()) | Err(StoreError::Fenced))
        ) {
            tracing::warn!(session.id = %self.session.id(), events = count, "the last events were not all stored");
        }
    }

    async fn store_rest(&mut self, rest: Vec<EngineEvent>) -> Result<()> {
        let mut news = Vec::new();
        for event in rest.into_iter().filter(is_news) {
            self.gather(&mut news, event).await?;
        }
        self.store_news(news).await
    }

    /// Ends the connection at once, without a farewell: another gateway may have the session.
    pub(super) async fn cut_off(&mut self) {
        self.forget_connection();
        self.events = None;
        if let Some(connection) = self.connection.take()
            && tokio::time::timeout(FAREWELL, connection.cut_off())
                .await
                .is_err()
        {
            tracing::warn!(session.id = %self.session.id(), "tasks of the connection do not end");
        }
    }

    fn forget_connection(&mut self) {
        self.opening = None;
        self.slot = None;
        self.patience = Patience::default();
        self.cycle = None;
        self.forget_codes();
        self.session.set_connection(None);
    }

    /// The last thing the task does.
    pub(super) async fn shut(&mut self, outcome: &Result<End>) {
        match outcome {
            Ok(End::Release) => self.end_in_order().await,
            Ok(End::Lost) | Err(StoreError::Fenced) => self.cut_off().await,
            Err(_) => self.close().await,
        }
        self.jobs.abort_all();
    }

    /// Closes the connection after sends under way had a moment.
    pub(super) async fn end_in_order(&mut self) {
        self.session.closing.cancel();
        let _ = tokio::time::timeout(LAST_SENDS, self.session.sends.rested()).await;
        self.close().await;
    }
}
