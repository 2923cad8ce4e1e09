//! The sender of a session: runs while there is something to send and somebody to send it.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;
use wagate_store::{DueOutbox, RateLimits, StoreError};

use super::attempt::{Attempted, attempt};
use super::finish::finish_failed;
use super::lanes::Lanes;
use super::outcome::Failure;
use super::queue::Item;
use crate::context::{Context, millis};
use crate::session::Session;

/// Messages of one chat that are read from the store at a time.
const PER_CHAT: i64 = 8;
/// Messages that the sender holds at the most; what is beyond waits in the store.
const MAX_HELD: usize = 1_024;
/// How long the sender stays away after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes the session's sender, and starts it where it does not run.
pub(crate) fn wake(cx: &Arc<Context>, session: &Arc<Session>) {
    if session.sends.wake() {
        cx.tasks.spawn(supervise(cx.clone(), session.clone()));
    }
}

async fn supervise(cx: Arc<Context>, session: Arc<Session>) {
    loop {
        let sender = Sender::new(&cx, &session);
        match AssertUnwindSafe(Box::pin(sender.run()))
            .catch_unwind()
            .await
        {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::warn!(session.id = %session.id(), error = %error, "sending is interrupted");
            }
            Err(_) => {
                tracing::error!(session.id = %session.id(), "the sender panicked");
                metrics::counter!("wagate_gateway_panics_total", "task" => "sender").increment(1);
            }
        }
        // Whatever it held is in the store.
        session.sends.keep_backlog();
        tokio::select! {
            () = session.lost.cancelled() => {}
            () = session.closing.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => continue,
        }
        session.sends.stop();
        return;
    }
}

type Running<'s> = FuturesUnordered<BoxFuture<'s, (Item, Attempted)>>;

struct Sender<'s> {
    cx: &'s Arc<Context>,
    session: &'s Arc<Session>,
    lanes: Lanes<Item>,
    /// Until then the sending limits let no further asynchronous message through.
    limited_until: Option<Instant>,
    /// The limits that say so.
    limits: RateLimits,
    /// When it began.
    started_at_ms: i64,
    /// When the limits last counted a message before that; known once it has read the store.
    counted_at_ms: Option<i64>,
}

impl<'s> Sender<'s> {
    fn new(cx: &'s Arc<Context>, session: &'s Arc<Session>) -> Self {
        let lanes = Lanes::new(cx.config.outbox.max_parallel_chats);
        Self {
            cx,
            session,
            lanes,
            limited_until: None,
            limits: session.settings().limits,
            started_at_ms: cx.store.now_ms(),
            counted_at_ms: None,
        }
    }

    async fn run(mut self) -> Result<(), StoreError> {
        let mut running: Running<'s> = FuturesUnordered::new();
        loop {
            self.session.sends.begin_round();
            let is_open = !self.session.closing.is_cancelled() && !self.session.lost.is_cancelled();
            let is_working = is_open && self.session.working_connection().is_some();
            if is_working {
                self.note_limits();
                self.take_in().await?;
                self.start_all(&mut running);
            }
            if running.is_empty() && (!is_working || self.lanes.len() == 0) {
                // Without a connection everything is left to the store, and read again.
                if self.session.sends.rest(!is_working) {
                    return Ok(());
                }
                continue;
            }
            let next_due = self.lanes.next_due();
            tokio::select! {
                () = self.session.lost.cancelled() => {
                    self.session.sends.stop();
                    return Ok(());
                }
                Some((item, attempted)) = running.next(), if !running.is_empty() => {
                    self.note(item, attempted);
                }
                () = self.session.sends.woken() => {}
                () = sleep_until(next_due) => {}
            }
        }
    }

    /// Other limits may let through what waits.
    fn note_limits(&mut self) {
        let limits = self.session.settings().limits;
        if limits != self.limits {
            self.limits = limits;
            self.limited_until = None;
            self.lanes.forget_delays();
        }
    }

    /// Takes what was accepted, and reads what is only in the store.
    async fn take_in(&mut self) -> Result<(), StoreError> {
        let page = self.cx.config.outbox.page.max(2);
        if self.session.sends.needs_reload() && self.lanes.len() < MAX_HELD {
            self.session.sends.begin_reload();
            let found = self
                .session
                .commit(&self.cx.store, move |owned| {
                    // The time of the next attempt is kept here, by chat; the order is the ids'.
                    Box::pin(async move {
                        let due = owned.due_outbox(i64::MAX, PER_CHAT, page).await?;
                        Ok::<_, StoreError>((due, owned.last_counted_at().await?))
                    })
                })
                .await;
            let found: Vec<DueOutbox> = match found {
                Ok((found, counted_at_ms)) => {
                    self.counted_at_ms.get_or_insert(counted_at_ms.unwrap_or(0));
                    found
                }
                Err(error) => {
                    self.session.sends.keep_backlog();
                    return Err(error);
                }
            };
            if may_have_more(&found, page) {
                self.session.sends.keep_rest();
            }
            for due in found {
                self.take_stored(due).await?;
            }
        }
        for item in self.session.sends.take() {
            self.lanes.push(item);
        }
        let depth = u32::try_from(self.lanes.len()).unwrap_or(u32::MAX);
        metrics::histogram!("wagate_gateway_outbox_depth").record(f64::from(depth));
        Ok(())
    }

    async fn take_stored(&mut self, due: DueOutbox) -> Result<(), StoreError> {
        if self.lanes.contains(due.record.id) {
            return Ok(());
        }
        match Item::read(due) {
            Ok(mut item) => {
                if !item.is_counted() && !self.waited_for_a_connection(&item) {
                    item.age_from_ms = None;
                }
                self.lanes.push(item);
            }
            Err(item) => {
                tracing::error!(session.id = %self.session.id(), "a stored request cannot be read");
                let failure = Failure::new("invalid_request");
                finish_failed(self.cx, self.session, &item, failure).await?;
            }
        }
        Ok(())
    }

    /// Whether a message has become too old while the session sent nothing: the limits hold
    /// messages as well, and of those others go out meanwhile.
    fn waited_for_a_connection(&self, item: &Item) -> bool {
        let idle_from = item.age_from_ms.max(self.counted_at_ms);
        let idle = idle_from.map(|from| self.started_at_ms.saturating_sub(from));
        idle.is_some_and(|idle| idle > millis(self.cx.config.outbox.max_age))
    }

    fn start_all(&mut self, running: &mut Running<'s>) {
        let now = Instant::now();
        while let Some(item) = self.lanes.next(now) {
            if let Some(until) = self.limited_until.filter(|until| *until > now)
                && !item.is_counted()
            {
                self.lanes.put_back(item, Some(until));
                continue;
            }
            let (cx, session) = (self.cx, self.session);
            running.push(Box::pin(async move {
                let mut item = item;
                let attempted = attempt(cx, session, &mut item).await;
                (item, attempted)
            }));
        }
    }

    fn note(&mut self, item: Item, attempted: Attempted) {
        match attempted {
            Attempted::Finished => {
                self.session.sends.note_finished(item.id);
                if self.lanes.done(item.id, &item.chat) {
                    self.session.sends.note_empty_chat();
                }
            }
            Attempted::Again(wait) => self.lanes.put_back(item, Some(Instant::now() + wait)),
            Attempted::Limited(wait) => {
                let until = Instant::now() + wait;
                self.limited_until = Some(until);
                self.lanes.put_back(item, Some(until));
            }
        }
    }
}

/// Whether the store may hold more than was read.
fn may_have_more(found: &[DueOutbox], page: i64) -> bool {
    let mut by_chat = HashMap::<&str, i64>::new();
    for due in found {
        *by_chat.entry(&due.record.chat_jid).or_default() += 1;
    }
    i64::try_from(found.len()).unwrap_or(i64::MAX) >= page
        || by_chat.values().any(|count| *count >= PER_CHAT)
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
