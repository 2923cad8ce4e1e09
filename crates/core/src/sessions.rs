//! Use cases of sessions.

use wagate_cluster::{CommandReply, SessionAction};
use wagate_identity::AuditLine;
use wagate_model::{
    AuditAction, CreateSession, Draft, Faults, ListWaSession, Me, PairingCode, PairingCodeRequest,
    Qr, SessionId, SessionStatus, UpdateSession, WaSession,
};
use wagate_store::{NewSession, SessionRecord};

use crate::caller::{Caller, SessionAccess};
use crate::error::{Error, Reason, Result, What};
use crate::owners::unexpected;
use crate::service::Core;

/// Whether a phone is attached to the session.
fn is_paired(session: &WaSession) -> bool {
    session.wa_jid.is_some() && session.status != SessionStatus::LoggedOut
}

/// Whether a status is one of a session that runs.
const fn is_on(status: SessionStatus) -> bool {
    matches!(
        status,
        SessionStatus::Working | SessionStatus::Starting | SessionStatus::ScanQrCode
    )
}

/// The names of the settings that a request changes.
fn changed_settings(before: &WaSession, change: &UpdateSession) -> Vec<&'static str> {
    let is_other = |wanted: Option<bool>, is: bool| wanted.is_some_and(|wanted| wanted != is);
    let is_more = |wanted: Option<i64>, is: i64| wanted.is_some_and(|wanted| wanted != is);
    let label = before.label.as_deref().unwrap_or_default();
    let settings = [
        ("autoRead", is_other(change.auto_read, before.auto_read)),
        (
            "label",
            change.label.as_deref().is_some_and(|new| new != label),
        ),
        (
            "presenceTyping",
            is_other(change.presence_typing, before.presence_typing),
        ),
        (
            "ratePerHour",
            is_more(change.rate_per_hour, before.rate_per_hour),
        ),
        (
            "ratePerMin",
            is_more(change.rate_per_min, before.rate_per_min),
        ),
    ];
    let changed = settings.into_iter().filter(|(_, is_changed)| *is_changed);
    changed.map(|(name, _)| name).collect()
}

impl Core {
    /// Finds a session for a caller: by its id with or without `sess_`.
    ///
    /// What is no id, unknown, foreign or outside of the caller's restriction is not found.
    pub async fn open_session(&self, caller: &Caller, id: &str) -> Result<SessionAccess> {
        const NOT_FOUND: Error = Error::NotFound(What::Session);
        let id: SessionId = id.parse().map_err(|_| NOT_FOUND)?;
        if !caller.reaches(id) {
            return Err(NOT_FOUND);
        }
        let mut tx = self.store.read().await?;
        let organization = if caller.is_super_admin() {
            tx.admin().session_organization(id).await?
        } else {
            caller.active_organization()
        };
        let record = match organization {
            Some(organization) => tx.session(organization, id).await?,
            None => None,
        };
        Ok(SessionAccess {
            caller: caller.clone(),
            record: record.ok_or(NOT_FOUND)?,
        })
    }

    /// Lists the sessions that the caller reaches, oldest first.
    pub async fn list_sessions(&self, caller: &Caller) -> Result<ListWaSession> {
        let records = self
            .store
            .read()
            .await?
            .sessions(caller.organization_id()?)
            .await?;
        let data = records
            .into_iter()
            .map(|record| record.session)
            .filter(|session| caller.reaches(session.id))
            .collect();
        Ok(ListWaSession {
            data,
            next_cursor: None,
        })
    }

    /// Lists the sessions of every organization, oldest first.
    pub async fn admin_list_sessions(&self, caller: &Caller) -> Result<ListWaSession> {
        caller.require_super_admin()?;
        let records = self.store.read().await?.admin().sessions().await?;
        Ok(ListWaSession {
            data: records.into_iter().map(|record| record.session).collect(),
            next_cursor: None,
        })
    }

    /// Makes a session, and starts pairing when asked to.
    pub async fn create_session(
        &self,
        caller: &Caller,
        request: Draft<CreateSession>,
    ) -> Result<WaSession> {
        // It could not see what it made.
        if caller.session_ids().is_some() {
            return Err(Error::Forbidden);
        }
        let organization = caller.organization_id()?;
        let (request, ()) = request.checked(CreateSession::check)?;
        let defaults = self.config.session_defaults;
        let (time, random) = self.id_parts();
        let id = SessionId::from_parts(time, random);
        let is_wanted_running = request.start.unwrap_or(false);
        let new = NewSession {
            id,
            label: request.label.filter(|label| !label.is_empty()),
            is_wanted_running,
            gateway_id: self.placement.for_new_session().await?,
            auto_read: request.auto_read.unwrap_or(defaults.auto_read),
            presence_typing: request.presence_typing.unwrap_or(defaults.presence_typing),
            is_admin_session: false,
            rate_per_min: defaults.rate_per_min,
            rate_per_hour: defaults.rate_per_hour,
            created_by_user_id: caller.user_id().map(|id| id.to_string()),
        };
        let now = self.clock.now_ms();
        let line = self
            .line(organization, caller, AuditAction::SessionCreated, id)
            .with("start", is_wanted_running)
            .entry();
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    tx.insert_session(organization, &new, now).await?;
                    Ok(tx.insert_audit(&line).await?)
                })
            })
            .await?;
        let access = self.open_session(caller, &id.to_string()).await?;
        if is_wanted_running {
            // The row says that it should run, so a gateway starts it sooner or later.
            if let Err(error) = self.command(&access, SessionAction::Start).await {
                tracing::warn!(session.id = %id, %error, "a new session was not started at once");
            }
            return self.refreshed(&access).await;
        }
        Ok(access.record.session)
    }

    /// One session.
    #[must_use]
    pub fn get_session(&self, access: SessionAccess) -> WaSession {
        access.record.session
    }

    /// Changes settings of a session.
    pub async fn update_session(
        &self,
        access: &SessionAccess,
        change: Draft<UpdateSession>,
    ) -> Result<WaSession> {
        let (change, ()) = change.checked(UpdateSession::check)?;
        let (organization, id) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        let line = self.session_line(access, AuditAction::SessionUpdated);
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    const NOT_FOUND: Error = Error::NotFound(What::Session);
                    let before = tx.session(organization, id).await?.ok_or(NOT_FOUND)?;
                    if !tx.update_session(organization, id, &change, now).await? {
                        return Err(NOT_FOUND);
                    }
                    let settings = changed_settings(&before.session, &change);
                    if !settings.is_empty() {
                        tx.insert_audit(&line.with("settings", settings).entry())
                            .await?;
                    }
                    Ok(())
                })
            })
            .await?;
        // An owner that misses this reads the settings again when it next starts the session.
        if let Err(error) = self.command(access, SessionAction::ApplySettings).await {
            tracing::debug!(session.id = %id, %error, "the owner was not told of new settings");
        }
        self.refreshed(access).await
    }

    /// Deletes a session and what is stored of it.
    pub async fn delete_session(&self, access: &SessionAccess) -> Result<()> {
        // Deleting the row fences an owner that cannot be reached.
        if let Err(error) = self.command(access, SessionAction::Delete).await {
            tracing::debug!(session.id = %access.id(), %error, "deleting without the owner");
        }
        let (organization, id) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        let line = self
            .session_line(access, AuditAction::SessionDeleted)
            .entry();
        let was_there = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let was_there = tx.delete_session(organization, id, now).await?;
                    if was_there {
                        tx.insert_audit(&line).await?;
                    }
                    Ok(was_there)
                })
            })
            .await?;
        if was_there {
            Ok(())
        } else {
            Err(Error::NotFound(What::Session))
        }
    }

    /// Connects a session, or begins pairing when no phone is attached.
    pub async fn start_session(&self, access: &SessionAccess) -> Result<WaSession> {
        let is_running = access.record.is_wanted_running && is_on(access.record.stored_status);
        let line = self.session_line(access, AuditAction::SessionStarted);
        self.set_wanted(access, true, Some(line).filter(|_| !is_running))
            .await?;
        self.command(access, SessionAction::Start).await?;
        self.refreshed(access).await
    }

    /// Disconnects a session and keeps its pairing.
    pub async fn stop_session(&self, access: &SessionAccess) -> Result<WaSession> {
        let is_stopped = !access.record.is_wanted_running && !is_on(access.record.stored_status);
        let line = self.session_line(access, AuditAction::SessionStopped);
        self.set_wanted(access, false, Some(line).filter(|_| !is_stopped))
            .await?;
        match self.command(access, SessionAction::Stop).await {
            Ok(()) => {}
            Err(error @ Error::GatewayUnavailable { .. }) => {
                // Nobody holds the connection: then it is stopped already.
                if !self.note_stopped(access).await? {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        self.refreshed(access).await
    }

    /// Stops and starts a session; it stays paired.
    pub async fn restart_session(&self, access: &SessionAccess) -> Result<WaSession> {
        let line = self.session_line(access, AuditAction::SessionRestarted);
        self.set_wanted(access, true, Some(line)).await?;
        self.command(access, SessionAction::Restart).await?;
        self.refreshed(access).await
    }

    /// Unlinks the device on WhatsApp; the session stays.
    pub async fn logout_session(&self, access: &SessionAccess) -> Result<WaSession> {
        self.command(access, SessionAction::Logout).await?;
        if is_paired(&access.record.session) {
            let line = self.session_line(access, AuditAction::SessionLoggedOut);
            self.write_line(access.organization_id(), line).await?;
        }
        self.refreshed(access).await
    }

    /// The account that the session is attached to.
    pub fn session_me(&self, access: SessionAccess) -> Result<Me> {
        let session = access.record.session;
        if !is_paired(&session) {
            return Err(Error::NotFound(What::Account));
        }
        Ok(Me {
            connected: session.status == SessionStatus::Working,
            phone_number: session.phone_number,
            session_id: session.id,
            status: session.status,
            wa_jid: session.wa_jid,
            wa_lid: session.wa_lid,
        })
    }

    /// The QR code to show; begins pairing when there is none.
    pub async fn session_qr(&self, access: &SessionAccess) -> Result<Qr> {
        if is_paired(&access.record.session) {
            return Err(Error::conflict(Reason::AlreadyPaired));
        }
        let timeout = self.config.command_timeout;
        match self
            .ask_owner(access, SessionAction::ReadQr, timeout)
            .await?
        {
            CommandReply::Qr(qr) => Ok(qr),
            CommandReply::QrPending => Err(Error::NotFound(What::QrCode)),
            other => Err(unexpected(&other)),
        }
    }

    /// A code to enter on the phone instead of scanning a QR code.
    pub async fn session_pairing_code(
        &self,
        access: &SessionAccess,
        request: Draft<PairingCodeRequest>,
    ) -> Result<PairingCode> {
        const PAIRED: &str = "the session is paired already; log it out first";
        let (phone, mut faults) = match request.open() {
            Ok((request, mut faults)) => (request.check(&mut faults), faults),
            Err(faults) => (None, faults),
        };
        let is_free = !is_paired(&access.record.session);
        faults.check(is_free, "session", || PAIRED.into());
        let phone = match phone {
            Some(phone) if faults.is_empty() => phone,
            _ => return Err(faults.into()),
        };
        let action = SessionAction::RequestPairingCode {
            phone: phone.as_str().to_owned(),
        };
        let timeout = self.config.pairing_timeout;
        match self.ask_owner(access, action, timeout).await {
            Ok(CommandReply::PairingCode(code)) => {
                let line = self.session_line(access, AuditAction::SessionPairingCodeRequested);
                self.write_line(access.organization_id(), line).await?;
                Ok(PairingCode { code })
            }
            Ok(other) => Err(unexpected(&other)),
            Err(Error::Conflict {
                reason: Reason::AlreadyPaired,
                ..
            }) => Err(Faults::one("session", PAIRED).into()),
            Err(error) => Err(error),
        }
    }

    async fn command(&self, access: &SessionAccess, action: SessionAction) -> Result<()> {
        let timeout = self.config.command_timeout;
        match self.ask_owner(access, action, timeout).await? {
            CommandReply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn refreshed(&self, access: &SessionAccess) -> Result<WaSession> {
        let record: Option<SessionRecord> = self
            .store
            .read()
            .await?
            .session(access.organization_id(), access.id())
            .await?;
        let record = record.ok_or(Error::NotFound(What::Session))?;
        Ok(record.session)
    }

    /// Says whether a session should run, with a line about who wants it.
    async fn set_wanted(
        &self,
        access: &SessionAccess,
        is_wanted_running: bool,
        line: Option<AuditLine>,
    ) -> Result<()> {
        let (organization, id) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        let line = line.map(AuditLine::entry);
        let is_there = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let is_there = tx
                        .set_session_wanted(organization, id, is_wanted_running, now)
                        .await?;
                    if let (true, Some(line)) = (is_there, &line) {
                        tx.insert_audit(line).await?;
                    }
                    Ok(is_there)
                })
            })
            .await?;
        if is_there {
            Ok(())
        } else {
            Err(Error::NotFound(What::Session))
        }
    }

    /// Writes down that a session is stopped; not where somebody still owns it.
    async fn note_stopped(&self, access: &SessionAccess) -> Result<bool> {
        // An unlinked session stays so: being stopped would hide that it must be paired.
        if access.record.stored_status == SessionStatus::LoggedOut {
            return Ok(true);
        }
        let (organization, id) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    Ok(tx
                        .set_unowned_status(organization, id, SessionStatus::Stopped, now)
                        .await?)
                })
            })
            .await
    }
}
