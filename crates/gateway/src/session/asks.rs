//! Commands to a session's task, and the requests to WhatsApp that they need.

use tokio::sync::oneshot;
use tokio::time::Instant;
use wagate_cluster::{CommandReply, CommandResult, Refusal};
use wagate_engine::{PairingCodeError, RequestError};
use wagate_model::{SessionStatus, StatusReason};
use wagate_store::Result;

use super::actor::{Actor, End, Step};
use super::handle::{Ask, Command, Settings};
use super::standing::Standing;
use super::status::Also;
use crate::inbound::ToRead;
use crate::outbox;

/// Where the answer to a command goes.
pub(super) type Reply = oneshot::Sender<CommandResult>;

/// Commands that wait for WhatsApp.
#[derive(Default)]
pub(super) struct Waiting {
    logouts: Vec<(Reply, Instant)>,
    is_logging_out: bool,
    pub(super) codes: Vec<(String, Reply, Instant)>,
    /// The pairing code that is still valid, with its number.
    pub(super) last_code: Option<(String, String)>,
    /// Grows whenever codes become void.
    pub(super) round: u64,
}

impl Waiting {
    pub(super) fn has_logouts(&self) -> bool {
        !self.logouts.is_empty()
    }

    /// When somebody has waited long enough.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let logouts = self.logouts.iter().map(|(_, ends_at)| *ends_at);
        logouts
            .chain(self.codes.iter().map(|(_, _, ends_at)| *ends_at))
            .min()
    }

    /// Answers those who have waited long enough.
    pub(super) fn give_up(&mut self, now: Instant) {
        for (reply, _) in self.logouts.extract_if(.., |(_, ends_at)| *ends_at <= now) {
            let _ = reply.send(Err(Refusal::Unavailable));
        }
        for (_, reply, _) in self.codes.extract_if(.., |(_, _, ends_at)| *ends_at <= now) {
            let _ = reply.send(Err(Refusal::Unavailable));
        }
    }

    /// Answers those who waited for the logout.
    pub(super) fn logged_out(&mut self) {
        for (reply, _) in self.logouts.drain(..) {
            let _ = reply.send(Ok(CommandReply::Done));
        }
    }
}

/// A request to WhatsApp that has been answered.
pub(super) enum Job {
    /// Nothing to do about it.
    None,
    /// The device is unlinked, or not.
    Logout(std::result::Result<(), RequestError>),
    /// A pairing code, or none.
    PairingCode {
        phone: String,
        code: std::result::Result<String, PairingCodeError>,
        round: u64,
        reply: Reply,
    },
    /// Messages that could not be marked read for want of a connection.
    Unread(Vec<ToRead>),
}

impl Actor<'_> {
    /// Carries out a command, or begins to.
    pub(super) async fn carry_out(&mut self, command: Command) -> Result<Step> {
        let Command { ask, reply } = command;
        let done = Ok(CommandReply::Done);
        match ask {
            Ask::Start => _ = reply.send(done),
            Ask::ReadQr => _ = reply.send(self.read_qr()),
            Ask::PairingCode(phone) => self.pairing_code(phone, reply).await?,
            Ask::Logout => self.logout(reply),
            Ask::ApplySettings => {
                self.apply_settings().await?;
                let _ = reply.send(done);
            }
            Ask::Restart => {
                self.failures = 0;
                self.stand(Standing::new(SessionStatus::Starting), Also::Nothing)
                    .await?;
                self.close().await;
                self.open_after(std::time::Duration::ZERO).await?;
                let _ = reply.send(done);
            }
            Ask::Stop => {
                self.end_in_order().await;
                let standing = if self.session.standing().status == SessionStatus::LoggedOut {
                    let reason = StatusReason::LoggedOutByRequest;
                    Standing::because(SessionStatus::LoggedOut, reason)
                } else {
                    Standing::new(SessionStatus::Stopped)
                };
                self.stand(standing, Also::Unwanted).await?;
                let _ = reply.send(done);
                return Ok(Step::End(End::Release));
            }
            Ask::Delete => {
                self.end_in_order().await;
                // Else somebody could claim it before its row is gone.
                self.stand(Standing::new(SessionStatus::Stopped), Also::Unwanted)
                    .await?;
                let _ = reply.send(done);
                return Ok(Step::End(End::Release));
            }
        }
        Ok(Step::GoOn)
    }

    async fn apply_settings(&mut self) -> Result<()> {
        let (cx, session) = (self.cx, self.session);
        let record = session
            .persist(|| session.commit(&cx.store, |owned| Box::pin(owned.record())))
            .await?;
        if let Some(record) = record {
            session.set_settings(Settings::from(&record));
            // Higher limits may let through what waits.
            outbox::wake(self.cx, session);
        }
        Ok(())
    }

    fn logout(&mut self, reply: Reply) {
        if !self.session.is_paired() {
            let _ = reply.send(Ok(CommandReply::Done));
            return;
        }
        let ends_at = Instant::now() + self.cx.config.sessions.command_timeout;
        self.waiting.logouts.push((reply, ends_at));
        self.ask_waiting_logouts();
    }

    /// Has WhatsApp unlink the device where somebody waits for that and it can be asked.
    pub(super) fn ask_waiting_logouts(&mut self) {
        if !self.waiting.has_logouts() || self.waiting.is_logging_out {
            return;
        }
        let Some(connection) = self.session.working_connection() else {
            return;
        };
        self.waiting.is_logging_out = true;
        self.jobs
            .spawn(async move { Job::Logout(connection.logout().await) });
    }

    pub(super) fn job_done(&mut self, job: Job) {
        match job {
            Job::None => {}
            Job::Logout(result) => {
                self.waiting.is_logging_out = false;
                // Without an error the engine tells the end of the session next.
                let Err(error) = result else { return };
                tracing::warn!(session.id = %self.session.id(), error = %error, "the device was not unlinked");
                let refusal = match error {
                    RequestError::Refused { code } => Refusal::Rejected {
                        code: Some(i64::from(code)),
                        message: "the device was not unlinked".to_owned(),
                    },
                    // The next connection tries again, for as long as somebody waits.
                    _ => return,
                };
                for (reply, _) in self.waiting.logouts.drain(..) {
                    let _ = reply.send(Err(refusal.clone()));
                }
            }
            Job::PairingCode {
                phone,
                code,
                round,
                reply,
            } => self.code_arrived(phone, code, round, reply),
            Job::Unread(reads) => self.session.keep_reads(reads),
        }
    }

    /// Marks messages read on WhatsApp, also while the backlog comes in. What cannot be sent
    /// waits for the next connection; one that fails is only not marked.
    pub(super) fn mark_read(&mut self, reads: Vec<ToRead>) {
        let logged_in = self.connection.as_ref().filter(|it| it.is_logged_in());
        let Some(connection) = logged_in.cloned() else {
            return self.session.keep_reads(reads);
        };
        self.jobs.spawn(async move {
            let mut unread = Vec::new();
            for read in reads {
                let marked = connection
                    .mark_read(&read.chat, read.sender.as_ref(), &read.ids)
                    .await;
                if let Err(error) = marked {
                    tracing::debug!(error = %error, "messages were not marked read");
                    if !connection.is_logged_in() {
                        unread.push(read);
                    }
                }
            }
            Job::Unread(unread)
        });
    }
}
