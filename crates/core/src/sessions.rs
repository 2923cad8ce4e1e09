//! Use cases of sessions.

use wagate_cluster::{CommandReply, SessionAction};
use wagate_model::{
    CreateSession, Draft, Faults, ListWaSession, Me, PairingCode, PairingCodeRequest, Qr,
    SessionId, SessionStatus, UpdateSession, WaSession,
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
        let (request, mut faults) = request.open()?;
        request.check(&mut faults);
        faults.into_result()?;
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
        let (organization, now) = (caller.organization_id()?, self.clock.now_ms());
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move { Ok(tx.insert_session(organization, &new, now).await?) })
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
        let (change, mut faults) = change.open()?;
        change.check(&mut faults);
        faults.into_result()?;
        let (organization, id) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        let is_there = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(
                    async move { Ok(tx.update_session(organization, id, &change, now).await?) },
                )
            })
            .await?;
        if !is_there {
            return Err(Error::NotFound(What::Session));
        }
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
        let was_there = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move { Ok(tx.delete_session(organization, id, now).await?) })
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
        self.set_wanted(access, true).await?;
        self.command(access, SessionAction::Start).await?;
        self.refreshed(access).await
    }

    /// Disconnects a session and keeps its pairing.
    pub async fn stop_session(&self, access: &SessionAccess) -> Result<WaSession> {
        self.set_wanted(access, false).await?;
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
        self.set_wanted(access, true).await?;
        self.command(access, SessionAction::Restart).await?;
        self.refreshed(access).await
    }

    /// Unlinks the device on WhatsApp; the session stays.
    pub async fn logout_session(&self, access: &SessionAccess) -> Result<WaSession> {
        self.command(access, SessionAction::Logout).await?;
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
            Ok(CommandReply::PairingCode(code)) => Ok(PairingCode { code }),
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

    async fn set_wanted(&self, access: &SessionAccess, is_wanted_running: bool) -> Result<()> {
        let (organization, id) = (access.organization_id(), access.id());
        let now = self.clock.now_ms();
        let is_there = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    Ok(tx
                        .set_session_wanted(organization, id, is_wanted_running, now)
                        .await?)
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
