//! Takes messages for good before WhatsApp is told that they arrived.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use wagate_engine::{
    BufferedMessage, Content, HistoryPart, InboundBatch, InboundMessage, InboundSink, SinkError,
};
use wagate_store::{
    EngineBackend, KeptHistoryParts, Owned, PendingInboundClear, Result, StoreError,
};

use super::batch::{Batch, Committed};
use crate::context::Context;
use crate::session::Session;

/// What of the engine's own is written with a batch of messages.
#[derive(Clone)]
pub(crate) struct EngineState {
    /// The engine's copies of the messages, which it needs no longer.
    clear: PendingInboundClear,
    /// Parts of the history that the messages announce.
    history: KeptHistoryParts,
}

impl EngineState {
    async fn apply(&self, owned: &mut Owned<'_>) -> Result<()> {
        self.clear.apply(owned).await?;
        self.history.apply(owned).await
    }
}

/// Commits what the engine of one session receives.
pub(crate) struct Sink {
    cx: Arc<Context>,
    session: Arc<Session>,
    backend: EngineBackend,
}

impl Sink {
    pub(crate) fn new(cx: Arc<Context>, session: Arc<Session>, backend: EngineBackend) -> Self {
        Self {
            cx,
            session,
            backend,
        }
    }

    fn state(&self, buffered: &[BufferedMessage], history: &[HistoryPart]) -> EngineState {
        let keys = buffered
            .iter()
            .map(|message| [&*message.chat, &*message.sender, &*message.id]);
        let parts = history.iter().map(|part| (&*part.id, &*part.notice));
        EngineState {
            clear: self.backend.clear_pending_inbound(keys),
            history: self.backend.keep_history_parts(parts),
        }
    }
}

#[async_trait]
impl InboundSink for Sink {
    async fn commit(&self, batch: InboundBatch) -> Result<(), SinkError> {
        let state = self.state(&batch.buffered, &batch.history);
        let (cx, session) = (&self.cx, &*self.session);
        let together = persist(cx, session, batch.messages.clone(), Some(&state)).await;
        let committed = match together {
            Err(error) if is_about_contents(&error) && !batch.messages.is_empty() => {
                self.commit_singly(batch, error).await
            }
            committed => committed,
        };
        committed.map_err(|error| {
            // Not acknowledged, so nothing is lost; the task makes the connection anew,
            // because WhatsApp delivers again only then.
            self.session.note_failed_commit();
            SinkError(error.to_string())
        })
    }
}

/// Whether it is the messages themselves that cannot be stored.
pub(crate) fn is_about_contents(error: &StoreError) -> bool {
    !error.is_retryable() && !matches!(error, StoreError::Fenced | StoreError::Closed)
}

impl Sink {
    async fn commit_singly(&self, batch: InboundBatch, reason: StoreError) -> Result<()> {
        tracing::error!(session.id = %self.session.id(), error = %reason, messages = batch.messages.len(), "messages could not be stored together");
        let state = self.state(&batch.buffered, &batch.history);
        commit_singly(&self.cx, &self.session, batch.messages, Some(state)).await
    }
}

/// Commits messages one by one, so that one that cannot be stored holds up no other.
///
/// That one is stored as content that is not understood: clients see that there was a message,
/// and from whom. What of the engine's state goes with them is written with the last: until then
/// the engine can still hand over all of them.
pub(crate) async fn commit_singly(
    cx: &Arc<Context>,
    session: &Session,
    messages: Vec<InboundMessage>,
    mut state: Option<EngineState>,
) -> Result<()> {
    let count = messages.len();
    for (index, message) in messages.into_iter().enumerate() {
        let state = if index + 1 == count {
            state.take()
        } else {
            None
        };
        match persist(cx, session, vec![message.clone()], state.as_ref()).await {
            Err(error) if is_about_contents(&error) => {
                tracing::error!(session.id = %session.id(), error = %error, "a message is stored without its content");
                metrics::counter!("wagate_gateway_inbound_unstorable_total").increment(1);
                let rest = vec![without_content(message)];
                persist(cx, session, rest, state.as_ref()).await?;
            }
            committed => committed?,
        }
    }
    Ok(())
}

/// Commits messages, however long the database is away: the engine holds back what comes next,
/// so that a chat keeps its order.
async fn persist(
    cx: &Arc<Context>,
    session: &Session,
    messages: Vec<InboundMessage>,
    state: Option<&EngineState>,
) -> Result<()> {
    let messages = Arc::new(messages);
    session
        .persist(|| commit_messages(cx, session, messages.clone(), state.cloned()))
        .await
}

/// What is left of a message that cannot be stored as it is.
pub(super) fn without_content(message: InboundMessage) -> InboundMessage {
    InboundMessage {
        content: Content::System { kind: "unstorable" },
        push_name: None,
        business_name: None,
        mentions: Vec::new(),
        quoted: None,
        ..message
    }
}

/// Commits a batch with its events, and has its messages marked read where that is wanted.
///
/// What of the engine's state goes with them is written in the same transaction.
pub(super) async fn commit_messages(
    cx: &Arc<Context>,
    session: &Session,
    messages: Arc<Vec<InboundMessage>>,
    state: Option<EngineState>,
) -> Result<()> {
    let started = Instant::now();
    let written = match write(cx, session, &messages, state.as_ref(), true).await {
        // A chat that was remembered is gone by now.
        Err(StoreError::Orphan(_)) => write(cx, session, &messages, state.as_ref(), false).await,
        written => written,
    };
    let committed = written.inspect_err(|_| {
        metrics::counter!("wagate_gateway_inbound_failed_total").increment(1);
    })?;
    if let Some(state) = state {
        state.clear.committed();
    }
    cx.familiar.remember(committed.met);
    metrics::histogram!("wagate_gateway_inbound_commit_seconds")
        .record(started.elapsed().as_secs_f64());
    let new_count = u64::try_from(committed.new_count).unwrap_or(0);
    metrics::counter!("wagate_gateway_inbound_total").increment(new_count);
    let repeated = u64::try_from(messages.len() - committed.new_count).unwrap_or(0);
    metrics::counter!("wagate_gateway_inbound_repeated_total").increment(repeated);
    if session.settings().auto_read {
        session.mark_read(committed.to_read);
    }
    Ok(())
}

async fn write(
    cx: &Arc<Context>,
    session: &Session,
    messages: &Arc<Vec<InboundMessage>>,
    state: Option<&EngineState>,
    is_trusting: bool,
) -> Result<Committed> {
    let now_ms = cx.store.now_ms();
    let (cx, messages, state) = (cx.clone(), messages.clone(), state.cloned());
    let store = cx.store.clone();
    session
        .commit(&store, move |owned| {
            let (cx, messages, state) = (cx.clone(), messages.clone(), state.clone());
            Box::pin(async move {
                if let Some(state) = state {
                    state.apply(owned).await?;
                }
                let batch = Batch::new(owned, now_ms);
                if is_trusting {
                    batch.trusting(&cx.familiar).write(&messages).await
                } else {
                    batch.write(&messages).await
                }
            })
        })
        .await
}
