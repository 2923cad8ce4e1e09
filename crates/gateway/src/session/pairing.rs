//! Attaching a number: QR codes, pairing codes, and the account that results.

use tokio::time::Instant;
use wagate_cluster::{CommandReply, CommandResult, Refusal};
use wagate_engine::{PairingCodeError, QrCode};
use wagate_model::{AuthCodePayload, AuthQrPayload, EventKind, PhoneNumber, Qr, SessionStatus};
use wagate_store::{NewEvent, Result};

use super::actor::{Actor, Step};
use super::asks::{Job, Reply};
use super::lifecycle::stored_account;
use super::patience::Patience;
use super::standing::Standing;
use super::status::Also;
use crate::context::millis;

impl Actor<'_> {
    /// Keeps a code for those who ask, and tells it.
    pub(super) async fn show_qr(&mut self, code: &QrCode) -> Result<()> {
        let (cx, session, now_ms) = (self.cx, self.session, self.cx.now_ms());
        self.slot = None;
        self.patience = Patience::default();
        self.qr = Some(Qr {
            code: code.code.clone(),
            expires_at: Some(now_ms.saturating_add(millis(code.expires_in))),
        });
        let payload = AuthQrPayload {
            code: code.code.clone(),
        };
        let (organization, id) = (self.session.organization, self.session.id());
        let event = NewEvent::new(organization, id, EventKind::AuthQr, now_ms, &payload)?;
        session
            .persist(|| {
                let event = event.clone();
                session.commit(&cx.store, move |owned| {
                    let event = event.clone();
                    Box::pin(async move {
                        owned.append_event(event);
                        Ok(())
                    })
                })
            })
            .await
    }

    /// The code to show now.
    pub(super) fn read_qr(&self) -> CommandResult {
        if self.session.is_paired() {
            return Err(Refusal::AlreadyPaired);
        }
        let now_ms = self.cx.now_ms();
        let is_valid = |qr: &&Qr| qr.expires_at.is_none_or(|expires_at| expires_at > now_ms);
        Ok(match self.qr.as_ref().filter(is_valid) {
            Some(qr) => CommandReply::Qr(qr.clone()),
            None => CommandReply::QrPending,
        })
    }

    /// The phone linked this device: the number is stored and told before the login.
    pub(super) async fn paired(&mut self, account: &wagate_engine::Account) -> Result<Step> {
        let (cx, session, now_ms) = (self.cx, self.session, self.cx.now_ms());
        self.paired_at_ms = Some(now_ms);
        self.save_credentials().await;
        let stored = stored_account(account);
        let payload = AuthCodePayload {
            business_name: account.business_name.clone(),
            jid: Some(account.jid.to_string()),
            lid: account.lid.as_ref().map(ToString::to_string),
            platform: account.platform.clone(),
        };
        let (organization, id) = (self.session.organization, self.session.id());
        let event = NewEvent::new(organization, id, EventKind::AuthCode, now_ms, &payload)?;
        session
            .persist(|| {
                let (event, stored) = (event.clone(), stored.clone());
                session.commit(&cx.store, move |owned| {
                    let (event, stored) = (event.clone(), stored.clone());
                    Box::pin(async move {
                        owned.set_account(Some(&stored), now_ms).await?;
                        owned.append_event(event);
                        Ok(())
                    })
                })
            })
            .await?;
        tracing::info!(session.id = %id, "the session was paired");
        self.session.set_account(Some(stored));
        self.session.set_paired(true);
        self.forget_codes();
        self.stand(Standing::new(SessionStatus::Starting), Also::Nothing)
            .await?;
        self.expect_connection(std::time::Duration::ZERO);
        Ok(Step::GoOn)
    }

    /// Asks for a pairing code, once there is a connection.
    pub(super) async fn pairing_code(&mut self, phone: String, reply: Reply) -> Result<()> {
        if self.session.is_paired() {
            let _ = reply.send(Err(Refusal::AlreadyPaired));
            return Ok(());
        }
        match &self.waiting.last_code {
            Some((known, code)) if *known == phone => {
                let _ = reply.send(Ok(CommandReply::PairingCode(code.clone())));
                return Ok(());
            }
            // WhatsApp has one code at a time for a connection: another number needs another.
            Some(_) => {
                self.close().await;
                self.open_after(std::time::Duration::ZERO).await?;
            }
            None => {}
        }
        let ends_at = Instant::now() + self.cx.config.sessions.command_timeout;
        self.waiting.codes.push((phone, reply, ends_at));
        self.ask_waiting_codes();
        Ok(())
    }

    /// Has the codes that are waited for asked for, where there is a connection.
    pub(super) fn ask_waiting_codes(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        for (phone, reply, ends_at) in self.waiting.codes.drain(..) {
            let Ok(number) = phone.parse::<PhoneNumber>() else {
                let _ = reply.send(Err(invalid_phone()));
                continue;
            };
            let connection = connection.clone();
            let round = self.waiting.round;
            self.jobs.spawn(async move {
                let asked = connection.request_pairing_code(&number);
                let code = tokio::time::timeout_at(ends_at, asked)
                    .await
                    .unwrap_or(Err(PairingCodeError::NotConnected));
                Job::PairingCode {
                    phone,
                    code,
                    round,
                    reply,
                }
            });
        }
    }

    /// No code that was made so far can be used any more: WhatsApp knows them for one
    /// connection only.
    pub(super) fn forget_codes(&mut self) {
        self.qr = None;
        self.waiting.last_code = None;
        self.waiting.round += 1;
    }

    /// Hands a code to who asked for it; the status follows with it.
    pub(super) fn code_arrived(
        &mut self,
        phone: String,
        code: std::result::Result<String, PairingCodeError>,
        round: u64,
        reply: Reply,
    ) {
        let result = match code {
            // It came through a connection that is gone.
            Ok(_) if round != self.waiting.round => Err(Refusal::Unavailable),
            Ok(code) => {
                self.waiting.last_code = Some((phone, code.clone()));
                Ok(CommandReply::PairingCode(code))
            }
            Err(error) => Err(code_refusal(&error)),
        };
        let _ = reply.send(result);
    }
}

fn invalid_phone() -> Refusal {
    Refusal::Invalid {
        field: "phone".to_owned(),
        message: "must be a phone number with its country code".to_owned(),
    }
}

fn code_refusal(error: &PairingCodeError) -> Refusal {
    match error {
        PairingCodeError::AlreadyPaired => Refusal::AlreadyPaired,
        PairingCodeError::InvalidNumber => invalid_phone(),
        PairingCodeError::RateLimited { retry_after } => Refusal::RateLimited {
            retry_after_seconds: retry_after
                .and_then(|wait| i64::try_from(wait.as_secs()).ok())
                .map_or(60, |seconds| seconds.max(1)),
        },
        PairingCodeError::NotConnected | PairingCodeError::CodeOutstanding => Refusal::Unavailable,
        error => Refusal::Rejected {
            code: None,
            message: error.to_string(),
        },
    }
}
