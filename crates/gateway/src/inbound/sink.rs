//! Takes messages for good before WhatsApp is told that they arrived.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use wagate_engine::{InboundMessage, InboundSink, SinkError};

use super::batch::{Batch, Committed};
use crate::context::Context;
use crate::session::Session;

/// Commits what the engine of one session receives.
pub(crate) struct Sink {
    cx: Arc<Context>,
    session: Arc<Session>,
}

impl Sink {
    pub(crate) fn new(cx: Arc<Context>, session: Arc<Session>) -> Self {
        Self { cx, session }
    }
}

#[async_trait]
impl InboundSink for Sink {
    async fn commit(&self, batch: Vec<InboundMessage>) -> Result<(), SinkError> {
        commit_messages(&self.cx, &self.session, batch)
            .await
            .map_err(|error| {
                // Not acknowledged, so nothing is lost; the task makes the connection anew,
                // because WhatsApp delivers again only then.
                self.session.note_failed_commit();
                SinkError(error.to_string())
            })
    }
}

/// Commits a batch with its events, and has its messages marked read where that is wanted.
pub(super) async fn commit_messages(
    cx: &Context,
    session: &Session,
    batch: Vec<InboundMessage>,
) -> Result<(), wagate_store::StoreError> {
    let started = Instant::now();
    let (messages, now_ms) = (Arc::new(batch), cx.now_ms());
    let count = messages.len();
    let committed: Committed = session
        .commit(&cx.store, move |owned| {
            let messages = messages.clone();
            Box::pin(async move { Batch::new(owned, now_ms).write(&messages).await })
        })
        .await
        .inspect_err(|_| {
            metrics::counter!("wagate_gateway_inbound_failed_total").increment(1);
        })?;
    metrics::histogram!("wagate_gateway_inbound_commit_seconds")
        .record(started.elapsed().as_secs_f64());
    let new_count = u64::try_from(committed.new_count).unwrap_or(0);
    metrics::counter!("wagate_gateway_inbound_total").increment(new_count);
    let repeated = u64::try_from(count - committed.new_count).unwrap_or(0);
    metrics::counter!("wagate_gateway_inbound_repeated_total").increment(repeated);
    if session.settings().auto_read {
        session.mark_read(committed.to_read);
    }
    Ok(())
}
