//! Opening, losing and closing the connection, and the status that follows from it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wagate_engine::{
    Connection, Disconnect, EngineError, EngineEvent, Events, HistoryPart, SessionOptions,
};
use wagate_model::{SessionStatus, StatusReason};
use wagate_store::{Account, EngineBackend, Result, StoreError};

use super::actor::{Actor, Cycle, End, Step};
use super::handle::Settings;
use super::patience::Patience;
use super::standing::{Next, Standing, after};
use super::status::{Also, store_standing};
use crate::backoff::{jitter, random_backoff};
use crate::groups;
use crate::inbound::Sink;
use crate::outbox;

/// What came of opening a connection.
pub(super) enum Opened {
    /// It is open and started.
    Open {
        connection: Connection,
        events: Events,
        slot: OwnedSemaphorePermit,
    },
    /// The engine could not open it.
    Failed(EngineError),
    /// It took too long.
    TimedOut,
}

impl Actor<'_> {
    /// Reads what the session is, says that it starts, and begins to connect.
    pub(super) async fn prepare(&mut self) -> Result<()> {
        let (cx, session) = (self.cx, self.session);
        let record = session
            .persist(|| session.commit(&cx.store, |owned| Box::pin(owned.record())))
            .await?
            .ok_or(StoreError::Fenced)?;
        session.set_settings(Settings::from(&record));
        session.set_restrictions(record.restrictions);
        let backend = self.backend.clone();
        session.set_paired(session.persist(|| backend.is_paired()).await?);
        let shown = record.session;
        session.set_account(shown.wa_jid.map(|jid| Account {
            jid,
            lid: shown.wa_lid,
            phone_number: shown.phone_number,
            push_name: record.push_name,
        }));
        let stored = Standing {
            status: record.stored_status,
            reason: shown.status_reason,
            detail: shown.status_detail,
        };
        session.set_standing(stored);
        self.stand(Standing::new(SessionStatus::Starting), Also::Nothing)
            .await?;
        let wait = jitter(self.cx.config.sessions.start_jitter);
        self.open_after(wait).await
    }

    /// Begins to connect after a while; nothing is waited for here.
    pub(super) async fn open_after(&mut self, wait: Duration) -> Result<()> {
        let (cx, session) = (self.cx, self.session);
        if !session.is_paired() {
            // Whatever account was attached before: nothing of its Signal state may be left.
            session
                .persist(|| {
                    session.commit(&cx.store, |owned| {
                        Box::pin(async move {
                            let (organization, id) = (owned.organization(), owned.session());
                            owned.wipe_engine_state(organization, id).await
                        })
                    })
                })
                .await?;
            self.backend.forget_held();
        }
        let (cx, session) = (cx.clone(), session.clone());
        let backend = self.backend.clone();
        self.qr = None;
        self.patience = Patience::default();
        self.opening = Some(Box::pin(async move {
            tokio::time::sleep(wait).await;
            let slots = cx.start_slots.clone();
            let Ok(slot) = slots.acquire_owned().await else {
                return std::future::pending().await;
            };
            let sink = Arc::new(Sink::new(cx.clone(), session, backend.clone()));
            let storage = Arc::new(backend.clone());
            let opening = cx.engine.open(storage, sink, SessionOptions::default());
            let opening = async {
                let opened = opening.await?;
                Ok((opened, unread_history(&backend).await))
            };
            match tokio::time::timeout(cx.config.sessions.start_timeout, opening).await {
                Ok(Ok(((connection, events), history))) => {
                    connection.resume_history(history);
                    connection.start();
                    Opened::Open {
                        connection,
                        events,
                        slot,
                    }
                }
                Ok(Err(error)) => Opened::Failed(error),
                Err(_) => Opened::TimedOut,
            }
        }));
        Ok(())
    }

    pub(super) async fn opened(&mut self, opened: Opened) -> Result<Step> {
        match opened {
            Opened::Open {
                connection,
                events,
                slot,
            } => {
                self.session.set_connection(Some(connection.clone()));
                self.connection = Some(connection);
                self.events = Some(events);
                self.slot = Some(slot);
                self.expect_connection(Duration::ZERO);
                self.ask_waiting_codes();
                Ok(Step::GoOn)
            }
            Opened::Failed(error) => {
                tracing::error!(session.id = %self.session.id(), error = %error, "the session cannot be opened");
                // The database may be away, or the credentials spoiled: both may pass.
                let reason = StatusReason::CredentialsUnreadable;
                self.reopen(Standing::because(SessionStatus::Starting, reason))
                    .await
            }
            Opened::TimedOut => self.start_timed_out().await,
        }
    }

    /// Gives a start until then: it hangs where nothing has come of it.
    pub(super) fn expect_connection(&mut self, after: Duration) {
        let timeout = self.cx.config.sessions.start_timeout;
        let last_traffic_ms = self
            .connection
            .as_ref()
            .and_then(Connection::last_traffic_ms);
        self.patience = Patience::until(Instant::now() + after + timeout, last_traffic_ms);
    }

    /// The start takes long.
    pub(super) async fn patience_is_over(&mut self) -> Result<Step> {
        let ends_at = Instant::now() + self.cx.config.sessions.start_timeout;
        // A login that WhatsApp has taken does not hang while something comes: to give it up
        // would make a long backlog begin anew.
        if let Some(connection) = self.connection.as_ref().filter(|it| it.is_logged_in())
            && self.patience.extend(ends_at, connection.last_traffic_ms())
        {
            // Others need not wait for that.
            self.slot = None;
            return Ok(Step::GoOn);
        }
        self.start_timed_out().await
    }

    /// The start hangs: give it up, let others go first, try again.
    async fn start_timed_out(&mut self) -> Result<Step> {
        tracing::warn!(session.id = %self.session.id(), "the session did not come up in time");
        metrics::counter!("wagate_gateway_start_timeouts_total").increment(1);
        self.reopen(Standing::because(
            SessionStatus::Starting,
            StatusReason::StartTimeout,
        ))
        .await
    }

    /// The events ended without a word.
    pub(super) async fn connection_died(&mut self) -> Result<Step> {
        self.reopen(Standing::because(
            SessionStatus::Starting,
            StatusReason::ConnectionLost,
        ))
        .await
    }

    async fn reopen(&mut self, standing: Standing) -> Result<Step> {
        self.stand(standing, Also::Nothing).await?;
        self.close().await;
        self.failures = self.failures.saturating_add(1);
        metrics::counter!("wagate_gateway_reopens_total").increment(1);
        let config = &self.cx.config.sessions;
        let wait = random_backoff(self.failures, config.min_backoff, config.max_backoff);
        self.open_after(wait).await?;
        Ok(Step::GoOn)
    }

    /// Follows an event that concerns the connection itself.
    pub(super) async fn on_event(&mut self, event: EngineEvent) -> Result<Step> {
        match &event {
            EngineEvent::Qr(code) => self.show_qr(code).await?,
            EngineEvent::Paired(account) => return self.paired(account).await,
            EngineEvent::Disconnected(drop) => self.note_drop(*drop),
            EngineEvent::Connected => self.note_connected().await?,
            EngineEvent::QrExhausted => self.qr = None,
            EngineEvent::PairingCodeExpired => self.waiting.last_code = None,
            _ => {}
        }
        let Some((standing, next)) = after(&event, self.cx.store.now_ms()) else {
            return Ok(Step::GoOn);
        };
        match next {
            Next::GoOn => {
                self.stand(standing, Also::Nothing).await?;
                if standing.status == SessionStatus::Working {
                    outbox::wake(self.cx, self.session);
                    self.ask_waiting_logouts();
                    self.session.groups.note_connected();
                    groups::tend(self.cx, self.session);
                }
                Ok(Step::GoOn)
            }
            Next::Reopen => self.reopen(standing).await,
            // Somebody waits for a logout that WhatsApp will not answer any more.
            Next::End if self.waiting.has_logouts() => {
                let reason = StatusReason::LoggedOutByRequest;
                self.unpair(Standing::because(SessionStatus::LoggedOut, reason))
                    .await
            }
            Next::End => {
                let code = standing.detail.and_then(|detail| detail.whatsapp_code);
                tracing::warn!(session.id = %self.session.id(), reason = standing.reason.map(StatusReason::as_str), code, "the session is given up");
                let is_told = self.session.standing().differs_from(standing);
                // While it is closed, nothing more is accepted.
                self.session.set_standing(standing);
                self.close().await;
                let (cx, session) = (self.cx, self.session);
                store_standing(cx, session, standing, Also::Unwanted, is_told).await?;
                Ok(Step::End(End::Release))
            }
            Next::Unpair => {
                tracing::info!(session.id = %self.session.id(), "the session was logged out");
                self.unpair(standing).await
            }
        }
    }

    /// Forgets the account: the engine has stopped, its state goes, what was to be sent fails.
    pub(super) async fn unpair(&mut self, standing: Standing) -> Result<Step> {
        let (cx, session) = (self.cx, self.session);
        let is_told = session.standing().differs_from(standing);
        // From here on nothing more is accepted for this account.
        session.set_standing(standing);
        self.close().await;
        session
            .persist(|| outbox::abandon(cx, session, outbox::LOGGED_OUT))
            .await?;
        store_standing(cx, session, standing, Also::Unpaired, is_told).await?;
        self.backend.forget_held();
        session.set_paired(false);
        session.set_account(None);
        session.set_restrictions(Vec::new());
        self.waiting.logged_out();
        Ok(Step::End(End::Release))
    }

    fn note_drop(&mut self, drop: Disconnect) {
        metrics::counter!("wagate_gateway_reconnects_total").increment(1);
        tracing::info!(session.id = %self.session.id(), reason = ?drop.reason, failures = drop.failures, "connection lost");
        // The engine goes on by itself; whoever waits for a slot need not wait for that.
        self.slot = None;
        // A code is for one connection, and so is what WhatsApp has still to deliver.
        self.forget_codes();
        self.cycle = None;
        self.expect_connection(drop.retry_in);
    }

    async fn note_connected(&mut self) -> Result<()> {
        self.slot = None;
        self.patience = Patience::default();
        self.failures = 0;
        self.qr = None;
        if self.cycle == Some(Cycle::OnceConnected) {
            self.cycle = Some(Cycle::At(Instant::now()));
        }
        // What is to be marked read may have waited for this.
        self.session.nudge.notify_one();
        let known = self.connection.as_ref().and_then(Connection::account);
        if let Some(known) = known {
            self.keep_account(stored_account(&known)).await?;
        }
        Ok(())
    }

    async fn keep_account(&mut self, account: Account) -> Result<()> {
        let before = self.session.account();
        let account = Account {
            push_name: account
                .push_name
                .or(before.as_ref().and_then(|b| b.push_name.clone())),
            ..account
        };
        self.session.set_paired(true);
        if before.as_ref() == Some(&account) {
            return Ok(());
        }
        self.session.set_account(Some(account.clone()));
        let (cx, session, now_ms) = (self.cx, self.session, self.cx.store.now_ms());
        session
            .persist(|| {
                let account = account.clone();
                session.commit(&cx.store, move |owned| {
                    let account = account.clone();
                    Box::pin(async move { owned.set_account(Some(&account), now_ms).await })
                })
            })
            .await
    }

    /// Stores a status with its event, in one transaction, where it is another than before.
    pub(super) async fn stand(&mut self, standing: Standing, also: Also) -> Result<()> {
        let (cx, session) = (self.cx, self.session);
        let differs = session.standing().differs_from(standing);
        if differs || also != Also::Nothing {
            store_standing(cx, session, standing, also, differs).await?;
        }
        Ok(())
    }

    /// Looks at what others left for the task.
    pub(super) async fn take_nudges(&mut self) -> Result<Step> {
        let nudges = self.session.take_nudges();
        if !nudges.reads.is_empty() {
            self.mark_read(nudges.reads);
        }
        if nudges.has_failed_commit && self.cycle.is_none() {
            let config = &self.cx.config.sessions;
            let now = Instant::now();
            let is_new = self
                .last_cycle
                .is_none_or(|last| now - last > config.max_backoff * 2);
            self.cycles = if is_new {
                1
            } else {
                self.cycles.saturating_add(1)
            };
            let wait = random_backoff(self.cycles, config.min_backoff, config.max_backoff);
            self.cycle = Some(Cycle::At(now + wait));
            self.last_cycle = Some(now + wait);
        }
        if nudges.is_deaf && self.session.standing().status == SessionStatus::Working {
            let reason = StatusReason::ConnectionLost;
            let standing = Standing::because(SessionStatus::Starting, reason);
            self.stand(standing, Also::Nothing).await?;
            self.reconnect();
        }
        Ok(Step::GoOn)
    }

    /// Makes the connection anew once the database answers: WhatsApp then delivers again
    /// what could not be committed.
    pub(super) async fn cycle(&mut self) {
        self.cycle = None;
        if self.cx.store.ping().await.is_err() {
            self.session.note_failed_commit();
            return;
        }
        if self.session.standing().status == SessionStatus::Working {
            tracing::info!(session.id = %self.session.id(), "connecting anew, for messages that were not stored");
            self.reconnect();
        } else if self
            .connection
            .as_ref()
            .is_some_and(Connection::is_logged_in)
        {
            // The backlog is still coming in: interrupting it would only make it longer.
            self.cycle = Some(Cycle::OnceConnected);
        }
        // Else the next connection is on its way.
    }

    fn reconnect(&mut self) {
        if let Some(connection) = self.connection.clone() {
            self.expect_connection(Duration::ZERO);
            self.jobs.spawn(async move {
                connection.reconnect().await;
                super::asks::Job::None
            });
        }
    }
}

/// The parts of the phone's history that an earlier process did not store to their ends.
async fn unread_history(backend: &EngineBackend) -> Vec<HistoryPart> {
    match backend.history_parts().await {
        Ok(parts) => {
            let parts = parts.into_iter().map(|part| HistoryPart {
                id: part.id,
                notice: part.notice.into(),
            });
            parts.collect()
        }
        Err(error) => {
            // They are kept, for the next start.
            tracing::warn!(session.id = %backend.session_id(), error = %error, "history that was not stored to its end cannot be gone on with");
            Vec::new()
        }
    }
}

/// The account in the store's form.
pub(super) fn stored_account(account: &wagate_engine::Account) -> Account {
    Account {
        jid: account.jid.to_string(),
        lid: account.lid.as_ref().map(ToString::to_string),
        phone_number: account.jid.phone().map(str::to_owned),
        push_name: account.push_name.clone(),
    }
}
