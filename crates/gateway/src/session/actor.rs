//! The task of a session: one loop over commands, events, and what is due.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wagate_engine::{Connection, EngineEvent, Events};
use wagate_model::Qr;
use wagate_store::{EngineBackend, Result, StoreError};

use super::asks::{Job, Waiting};
use super::handle::{Command, Session};
use super::lifecycle::Opened;
use super::patience::Patience;
use crate::context::Context;
use crate::inbound::{commit_news, commit_page_singly, commit_singly, is_about_contents, is_news};

/// Events that are committed together.
const MAX_NEWS: usize = 64;

/// How a session's task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The lease is given back.
    Release,
    /// The lease is gone: nothing more may be written.
    Lost,
}

/// Whether the task goes on.
pub(super) enum Step {
    GoOn,
    End(End),
}

/// When the connection is made anew, so that WhatsApp delivers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cycle {
    /// At a time.
    At(Instant),
    /// When the backlog is in.
    OnceConnected,
}

/// A session's task.
pub(super) struct Actor<'a> {
    pub(super) cx: &'a Arc<Context>,
    pub(super) session: &'a Arc<Session>,
    pub(super) backend: EngineBackend,
    /// A connection on its way.
    pub(super) opening: Option<BoxFuture<'static, Opened>>,
    pub(super) connection: Option<Connection>,
    pub(super) events: Option<Events>,
    /// Held until the connection works, waits for a phone, or failed once.
    pub(super) slot: Option<OwnedSemaphorePermit>,
    /// When a start or a wait counts as failed.
    pub(super) patience: Patience,
    /// When to make the connection anew, after a batch was not committed.
    pub(super) cycle: Option<Cycle>,
    pub(super) last_cycle: Option<Instant>,
    pub(super) cycles: u32,
    pub(super) failures: u32,
    pub(super) qr: Option<Qr>,
    pub(super) waiting: Waiting,
    /// When a phone was linked, where this task has seen it, in milliseconds since 1970.
    pub(super) paired_at_ms: Option<i64>,
    /// Requests to WhatsApp that the loop must not wait for.
    pub(super) jobs: JoinSet<Job>,
}

/// What the loop woke up for.
enum Woken {
    Command(Option<Command>),
    Opened(Opened),
    Event(Option<Box<EngineEvent>>),
    Job(Job),
    Nudged,
    Deadline,
    Cycle,
    WaitOver,
    HandOver,
    Lost,
}

impl<'a> Actor<'a> {
    /// Runs the session until it ends, is lost, or the store fails.
    pub(super) async fn run(
        cx: &'a Arc<Context>,
        session: &'a Arc<Session>,
        commands: &mut mpsc::Receiver<Command>,
        failures: u32,
    ) -> Result<End> {
        let backend = EngineBackend::open(
            cx.store.clone(),
            session.organization,
            session.fence.clone(),
        )
        .await?;
        session.set_backend(backend.clone());
        let mut actor = Self {
            cx,
            session,
            backend,
            opening: None,
            connection: None,
            events: None,
            slot: None,
            patience: Patience::default(),
            cycle: None,
            paired_at_ms: None,
            last_cycle: None,
            cycles: 0,
            failures,
            qr: None,
            waiting: Waiting::default(),
            jobs: JoinSet::new(),
        };
        let outcome = async {
            actor.prepare().await?;
            actor.serve(commands).await
        }
        .await;
        if let Err(error) = &outcome
            && !matches!(error, StoreError::Fenced)
        {
            session.interrupt();
        }
        actor.shut(&outcome).await;
        outcome
    }

    async fn serve(&mut self, commands: &mut mpsc::Receiver<Command>) -> Result<End> {
        loop {
            let woken = self.wait(commands).await;
            let step = match woken {
                Woken::Lost | Woken::Command(None) => Step::End(End::Lost),
                // It stays wanted, and its status as it was: the next owner goes on from there.
                Woken::HandOver => Step::End(End::Release),
                Woken::Command(Some(command)) => self.carry_out(command).await?,
                Woken::Opened(opened) => self.opened(opened).await?,
                Woken::Event(Some(event)) => self.take_events(*event).await?,
                Woken::Event(None) => self.connection_died().await?,
                Woken::Job(job) => {
                    self.job_done(job);
                    Step::GoOn
                }
                Woken::Nudged => self.take_nudges().await?,
                Woken::Deadline => self.patience_is_over().await?,
                Woken::Cycle => {
                    self.cycle().await;
                    Step::GoOn
                }
                Woken::WaitOver => {
                    self.waiting.give_up(Instant::now());
                    Step::GoOn
                }
            };
            if let Step::End(end) = step {
                return Ok(end);
            }
        }
    }

    async fn wait(&mut self, commands: &mut mpsc::Receiver<Command>) -> Woken {
        let wait_over = self.waiting.next_deadline();
        let cycle_at = match self.cycle {
            Some(Cycle::At(at)) => Some(at),
            Some(Cycle::OnceConnected) | None => None,
        };
        tokio::select! {
            biased;
            () = self.session.lost.cancelled() => Woken::Lost,
            () = self.backend.fenced() => {
                self.session.lose("the engine's storage was fenced off");
                Woken::Lost
            }
            () = self.cx.draining.cancelled() => Woken::HandOver,
            command = commands.recv() => Woken::Command(command),
            opened = next_opened(&mut self.opening) => {
                self.opening = None;
                Woken::Opened(opened)
            }
            event = next_event(&mut self.events) => Woken::Event(event.map(Box::new)),
            Some(job) = self.jobs.join_next(), if !self.jobs.is_empty() => match job {
                Ok(job) => Woken::Job(job),
                Err(error) => {
                    tracing::error!(session.id = %self.session.id(), error = %error, "a request failed");
                    Woken::Job(Job::None)
                }
            },
            () = self.session.nudge.notified() => Woken::Nudged,
            () = due(self.patience.ends_at()) => Woken::Deadline,
            () = due(cycle_at) => Woken::Cycle,
            () = due(wait_over) => Woken::WaitOver,
        }
    }

    /// Takes an event and those that wait behind it; news go to the store together.
    ///
    /// Commands and deadlines have their turn after so many of them, and after each page of a
    /// history.
    async fn take_events(&mut self, first: EngineEvent) -> Result<Step> {
        let mut next = Some(first);
        let mut news = Vec::new();
        let mut count = 0;
        while let Some(event) = next.take() {
            let event = since_pairing(event, self.paired_at_ms);
            count += 1;
            let is_enough = count >= MAX_NEWS || matches!(event, EngineEvent::History(_));
            if is_news(&event) {
                self.gather(&mut news, event).await?;
            } else {
                self.store_news(std::mem::take(&mut news)).await?;
                if let Step::End(end) = self.on_event(event).await? {
                    return Ok(Step::End(end));
                }
            }
            if !is_enough {
                next = self.events.as_mut().and_then(Events::try_recv);
            }
        }
        self.store_news(news).await?;
        Ok(Step::GoOn)
    }

    /// Adds an event to those that are committed together, and commits where they are enough.
    pub(super) async fn gather(
        &mut self,
        news: &mut Vec<EngineEvent>,
        event: EngineEvent,
    ) -> Result<()> {
        // Messages have a commit of their own, as those of the sink, and so has each page of a
        // history: others wait for it.
        let is_alone = matches!(event, EngineEvent::Messages(_) | EngineEvent::History(_));
        if is_alone || news.len() >= MAX_NEWS {
            self.store_news(std::mem::take(news)).await?;
        }
        news.push(event);
        if is_alone {
            self.store_news(std::mem::take(news)).await?;
        }
        Ok(())
    }

    /// Commits news, however long the database is away: WhatsApp does not send them again.
    pub(super) async fn store_news(&mut self, news: Vec<EngineEvent>) -> Result<()> {
        // Marks are dropped here, as whoever waits for them wants it.
        let is_nothing = |event: &EngineEvent| matches!(event, EngineEvent::Mark(_));
        if news.iter().all(is_nothing) {
            return Ok(());
        }
        if let Some(EngineEvent::OwnPushName(name)) = news
            .iter()
            .rfind(|event| matches!(event, EngineEvent::OwnPushName(_)))
            && let Some(mut account) = self.session.account()
        {
            account.push_name = Some(name.clone());
            self.session.set_account(Some(account));
            // Else the library would ask for it again at every login after a crash.
            self.save_credentials().await;
        }
        let news = Arc::new(news);
        match self.commit(news.clone()).await {
            Err(error) if news.len() > 1 && !matches!(error, StoreError::Fenced) => {
                // One that cannot be stored must not take the others along.
                let news = Arc::try_unwrap(news).unwrap_or_else(|shared| (*shared).clone());
                for event in news {
                    self.store_alone(event).await?;
                }
                Ok(())
            }
            Err(error) => self.note_refused(&news, error).await,
            Ok(()) => Ok(()),
        }
    }

    async fn store_alone(&mut self, event: EngineEvent) -> Result<()> {
        let news = Arc::new(vec![event]);
        match self.commit(news.clone()).await {
            Err(error) => self.note_refused(&news, error).await,
            Ok(()) => Ok(()),
        }
    }

    /// Stores the parts of an event that is refused as a whole, as far as it has any.
    async fn note_refused(&mut self, news: &[EngineEvent], error: StoreError) -> Result<()> {
        let (cx, session) = (self.cx, self.session);
        let stored = match news {
            [EngineEvent::Messages(messages)] if is_about_contents(&error) => {
                commit_singly(cx, session, messages.clone(), None).await
            }
            [EngineEvent::History(page)] if is_about_contents(&error) => {
                commit_page_singly(cx, session, page).await
            }
            _ => Err(error),
        };
        self.note_unstored(stored)
    }

    async fn commit(&mut self, news: Arc<Vec<EngineEvent>>) -> Result<()> {
        let (cx, session) = (self.cx, self.session);
        session
            .persist(|| commit_news(cx, session, news.clone()))
            .await
    }

    /// Goes on without an event that cannot be stored: it must not end the session.
    fn note_unstored(&self, stored: Result<()>) -> Result<()> {
        match stored {
            Ok(()) => Ok(()),
            Err(StoreError::Fenced) => Err(StoreError::Fenced),
            Err(error) => {
                tracing::error!(session.id = %self.session.id(), error = %error, "an event could not be stored");
                metrics::counter!("wagate_gateway_events_dropped_total").increment(1);
                Ok(())
            }
        }
    }

    /// Has changed credentials stored before others are told what depends on them.
    pub(super) async fn save_credentials(&mut self) {
        let Some(connection) = self.connection.clone() else {
            return;
        };
        // The loop notices the loss of the lease by itself.
        if let Ok(Err(error)) = self.session.while_held(connection.save()).await {
            // The engine tries again by itself.
            tracing::warn!(session.id = %self.session.id(), error = %error, "credentials were not stored yet");
        }
    }
}

/// What another device changes right after a pairing can come in together with what the account
/// kept before; it is told nonetheless.
fn since_pairing(mut event: EngineEvent, paired_at_ms: Option<i64>) -> EngineEvent {
    if let EngineEvent::Chat(change) = &mut event {
        let is_old = paired_at_ms.is_none_or(|paired_at| change.timestamp_ms < paired_at);
        change.is_initial &= is_old;
    }
    event
}

async fn next_opened(opening: &mut Option<BoxFuture<'static, Opened>>) -> Opened {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

pub(super) async fn next_event(events: &mut Option<Events>) -> Option<EngineEvent> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
