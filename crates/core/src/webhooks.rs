//! Use cases of webhooks.

use wagate_cluster::Signal;
use wagate_identity::AuditLine;
use wagate_model::{
    AuditAction, DeliveryId, Draft, EventId, EventKind, EventSelector, Faults, ListWebhook,
    RetryPolicy, SessionId, Webhook, WebhookBody, WebhookId, limits,
};
use wagate_store::{
    AttemptEntry, DeliveryFilter, DeliveryRecord, DeliveryStatus, SecretChange, Tx,
};

use crate::caller::Caller;
use crate::error::{Error, Reason, Result, What};
use crate::pages::{Page, cut};
use crate::service::Core;

/// A webhook that exists and that the caller reaches; made by [`Core::open_webhook`] only.
#[derive(Debug, Clone)]
pub struct WebhookAccess {
    caller: Caller,
    pub(crate) webhook: Webhook,
}

/// Which deliveries of a webhook are wanted.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// Only those with a status.
    pub status: Option<String>,
    /// Only those of an event, by its id, or of a kind of events, by its name.
    pub event: Option<String>,
    /// Only those queued at this time or later, in milliseconds since 1970; 0: no limit.
    pub from: i64,
    /// Only those queued before this time, in milliseconds since 1970; 0: no limit.
    pub until: i64,
    /// Which part of the list.
    pub page: Page,
}

/// A page of deliveries, each with its attempts.
#[derive(Debug)]
pub struct DeliveryPage {
    /// The deliveries, newest first.
    pub deliveries: Vec<(DeliveryRecord, Vec<AttemptEntry>)>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// Whether a caller may see a webhook: one that is restricted to sessions sees only theirs.
fn reaches(caller: &Caller, webhook: &Webhook) -> bool {
    caller.session_ids().is_none() || webhook.session_id.is_some_and(|id| caller.reaches(id))
}

fn check_session(caller: &Caller, session: Option<SessionId>, faults: &mut Faults) {
    let is_named = session.is_some() || caller.session_ids().is_none();
    faults.check(is_named, "sessionId", || {
        "is required: the credential is restricted to certain sessions".into()
    });
    let is_reached = session.is_none_or(|id| caller.reaches(id));
    faults.check(is_reached, "sessionId", || NO_SESSION.into());
}

const NO_SESSION: &str = "is not a session of the organization";

/// Gives a fault when the session is not one of the organization's.
async fn require_session(tx: &mut Tx, webhook: &Webhook) -> Result<()> {
    if let Some(session) = webhook.session_id
        && tx
            .session(webhook.organization_id, session)
            .await?
            .is_none()
    {
        return Err(Faults::one("sessionId", NO_SESSION).into());
    }
    Ok(())
}

/// An event by its id, or a kind of events by its name.
fn event_or_kind(text: Option<&str>, faults: &mut Faults) -> (Option<EventId>, Option<EventKind>) {
    let Some(text) = text else {
        return (None, None);
    };
    let (id, kind) = (text.parse().ok(), text.parse().ok());
    faults.check(id.is_some() || kind.is_some(), "event", || {
        "must be the id or the name of an event".into()
    });
    (id, kind)
}

/// The names of a list that was checked, each once.
fn normalized(names: &[String]) -> Vec<String> {
    EventSelector::of_known(names).names()
}

/// A webhook with the parts that a checked request gives.
fn merged(
    webhook: Webhook,
    body: WebhookBody,
    url: Option<String>,
    now_ms: i64,
) -> (Webhook, SecretChange) {
    let active = body.active.unwrap_or(webhook.active);
    let changed = Webhook {
        active,
        custom_headers: match body.custom_headers {
            None => webhook.custom_headers,
            Some(headers) => Some(headers).filter(|headers| !headers.is_empty()),
        },
        disabled_reason: webhook.disabled_reason.filter(|_| !active),
        events: body
            .events
            .map_or(webhook.events, |names| normalized(&names)),
        retry_policy: body
            .retry_policy
            .unwrap_or_default()
            .over(webhook.retry_policy),
        session_id: match body.session_id {
            None => webhook.session_id,
            Some(session) => session.and_then(|id| id.parse().ok()),
        },
        updated_at: now_ms,
        url: url.unwrap_or(webhook.url),
        ..webhook
    };
    let secret = match body.secret {
        None => SecretChange::Keep,
        Some(secret) if secret.is_empty() => SecretChange::Remove,
        Some(secret) => SecretChange::Replace(secret),
    };
    (changed, secret)
}

/// The names of the parts that are not the same any more.
fn changed_parts(before: &Webhook, after: &Webhook, secret: &SecretChange) -> Vec<&'static str> {
    let parts = [
        ("active", before.active != after.active),
        (
            "customHeaders",
            before.custom_headers != after.custom_headers,
        ),
        ("events", before.events != after.events),
        ("retryPolicy", before.retry_policy != after.retry_policy),
        ("secret", !matches!(secret, SecretChange::Keep)),
        ("sessionId", before.session_id != after.session_id),
        ("url", before.url != after.url),
    ];
    let changed = parts.into_iter().filter(|(_, is_changed)| *is_changed);
    changed.map(|(name, _)| name).collect()
}

impl Core {
    /// Finds a webhook for a caller; a foreign one is not found.
    pub async fn open_webhook(&self, caller: &Caller, id: &str) -> Result<WebhookAccess> {
        const NOT_FOUND: Error = Error::NotFound(What::Webhook);
        let id: WebhookId = id.parse().map_err(|_| NOT_FOUND)?;
        let mut tx = self.store.read().await?;
        let organization = if caller.is_super_admin() {
            tx.admin().webhook_organization(id).await?
        } else {
            caller.active_organization()
        };
        let webhook = match organization {
            Some(organization) => tx.webhook(organization, id).await?,
            None => None,
        };
        Ok(WebhookAccess {
            webhook: webhook
                .filter(|webhook| reaches(caller, webhook))
                .ok_or(NOT_FOUND)?,
            caller: caller.clone(),
        })
    }

    /// Lists the webhooks that the caller reaches, oldest first.
    pub async fn list_webhooks(&self, caller: &Caller) -> Result<ListWebhook> {
        let organization = caller.organization_id()?;
        let mut data = self.store.read().await?.webhooks(organization).await?;
        data.retain(|webhook| reaches(caller, webhook));
        Ok(ListWebhook {
            data,
            next_cursor: None,
        })
    }

    /// Registers a webhook; without `events` it gets all of them.
    pub async fn create_webhook(
        &self,
        caller: &Caller,
        body: Draft<WebhookBody>,
    ) -> Result<Webhook> {
        let organization = caller.organization_id()?;
        let (body, mut faults) = body.open()?;
        faults.extend(body.faults());
        let is_given = body.url.as_deref().is_some_and(|url| !url.is_empty());
        faults.check(is_given, "url", || "is required".into());
        let url = self.checked_url("url", body.url.as_deref(), &mut faults);
        let session_id = body.session_id.flatten().and_then(|id| id.parse().ok());
        check_session(caller, session_id, &mut faults);
        faults.into_result()?;
        let (time, random) = self.id_parts();
        let now = self.clock.now_ms();
        let webhook = Webhook {
            active: body.active.unwrap_or(true),
            created_at: now,
            custom_headers: body.custom_headers.filter(|headers| !headers.is_empty()),
            disabled_reason: None,
            events: body
                .events
                .map_or_else(|| vec!["*".into()], |names| normalized(&names)),
            id: WebhookId::from_parts(time, random),
            organization_id: organization,
            retry_policy: body
                .retry_policy
                .unwrap_or_default()
                .over(RetryPolicy::default()),
            session_id,
            updated_at: now,
            url: url.unwrap_or_default(),
        };
        let secret = body.secret.filter(|secret| !secret.is_empty());
        let line = self
            .line(
                organization,
                caller,
                AuditAction::WebhookCreated,
                webhook.id,
            )
            .entry();
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    require_session(tx, &webhook).await?;
                    let count = tx.webhooks(organization).await?.len();
                    if i64::try_from(count).unwrap_or(i64::MAX) >= limits::WEBHOOKS {
                        return Err(Error::conflict(Reason::LimitReached));
                    }
                    tx.insert_webhook(organization, &webhook, secret.as_deref())
                        .await?;
                    tx.insert_audit(&line).await?;
                    Ok(webhook)
                })
            })
            .await
    }

    /// One webhook, without its secret.
    #[must_use]
    pub fn get_webhook(&self, access: WebhookAccess) -> Webhook {
        access.webhook
    }

    /// The secret by which a receiver verifies the Standard Webhooks signature of a webhook
    /// that has no secret of its own; nothing for others, whose secret is never shown.
    pub async fn webhook_signing_secret(&self, access: &WebhookAccess) -> Result<Option<String>> {
        let (organization, id) = (access.webhook.organization_id, access.webhook.id);
        let mut tx = self.store.read().await?;
        let has_secret = tx.has_webhook_secret(organization, id).await?;
        let has_secret = has_secret.ok_or(Error::NotFound(What::Webhook))?;
        if has_secret {
            return Ok(None);
        }
        // It is not shown to anybody without a line that says so.
        drop(tx);
        let line = self.webhook_line(access, AuditAction::WebhookSecretRead);
        self.write_line(organization, line).await?;
        Ok(Some(self.signing_root.secret_of(id).as_str().to_owned()))
    }

    /// Changes the parts of a webhook that are given.
    pub async fn update_webhook(
        &self,
        access: WebhookAccess,
        body: Draft<WebhookBody>,
    ) -> Result<Webhook> {
        const NOT_FOUND: Error = Error::NotFound(What::Webhook);
        let line = self.webhook_line(&access, AuditAction::WebhookUpdated);
        let WebhookAccess { caller, webhook } = access;
        let (body, mut faults) = body.open()?;
        faults.extend(body.faults());
        let is_empty = body.url.as_deref().is_some_and(str::is_empty);
        faults.check(!is_empty, "url", || "must not be empty".into());
        let url = self.checked_url("url", body.url.as_deref(), &mut faults);
        if let Some(session) = &body.session_id {
            let session = session.as_deref().and_then(|id| id.parse().ok());
            check_session(&caller, session, &mut faults);
        }
        faults.into_result()?;
        let now = self.clock.now_ms();
        let (organization, id) = (webhook.organization_id, webhook.id);
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    // Read here, so that what others changed meanwhile stays changed.
                    let current = tx.webhook_for_update(organization, id).await?;
                    let current = current.filter(|webhook| reaches(&caller, webhook));
                    let before = current.ok_or(NOT_FOUND)?;
                    let (changed, secret) = merged(before.clone(), body, url, now);
                    require_session(tx, &changed).await?;
                    let is_there = tx
                        .update_webhook(organization, &changed, &secret, now)
                        .await?;
                    if !is_there {
                        return Err(NOT_FOUND);
                    }
                    let parts = changed_parts(&before, &changed, &secret);
                    if !parts.is_empty() {
                        tx.insert_audit(&line.with("fields", parts).entry()).await?;
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Deletes a webhook and its deliveries, pending ones too.
    pub async fn delete_webhook(&self, access: &WebhookAccess) -> Result<()> {
        let (organization, id) = (access.webhook.organization_id, access.webhook.id);
        let line = self
            .webhook_line(access, AuditAction::WebhookDeleted)
            .entry();
        let was_there = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let was_there = tx.delete_webhook(organization, id).await?;
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
            Err(Error::NotFound(What::Webhook))
        }
    }

    /// Lists the deliveries of a webhook with their attempts, newest first.
    pub async fn list_webhook_deliveries(
        &self,
        access: &WebhookAccess,
        query: Draft<DeliveryQuery>,
    ) -> Result<DeliveryPage> {
        let webhook = &access.webhook;
        let (query, mut faults) = query.open()?;
        let cursors = self.list(
            webhook.organization_id,
            format!("deliveries/{}", webhook.id),
        );
        let status = query.status.as_deref().map(str::parse::<DeliveryStatus>);
        let is_status = status.as_ref().is_none_or(Result::is_ok);
        faults.check(is_status, "status", || {
            "must be one of: pending, delivered, dead".into()
        });
        let (event_id, kind) = event_or_kind(query.event.as_deref(), &mut faults);
        let before: Option<DeliveryId> = cursors.start(&query.page, &mut faults);
        faults.into_result()?;
        let filter = DeliveryFilter {
            status: status.and_then(Result::ok),
            event_id,
            kind,
            from_ms: (query.from > 0).then_some(query.from),
            until_ms: (query.until > 0).then_some(query.until),
        };
        let limit = query.page.rows();
        let organization = webhook.organization_id;
        let mut tx = self.store.read().await?;
        let mut rows = tx
            .deliveries(organization, webhook.id, &filter, before, limit + 1)
            .await?;
        let has_more = cut(&mut rows, limit);
        let last = rows.last().filter(|_| has_more).map(|row| row.id);
        let mut deliveries = Vec::with_capacity(rows.len());
        for row in rows {
            let attempts = tx.delivery_attempts(organization, row.id).await?;
            deliveries.push((row, attempts));
        }
        Ok(DeliveryPage {
            deliveries,
            next_cursor: last.map(|id| cursors.cursor(&id)),
        })
    }

    /// Queues the event of a delivery once more and gives the new delivery.
    pub async fn replay_webhook_delivery(
        &self,
        access: &WebhookAccess,
        delivery: &str,
    ) -> Result<DeliveryRecord> {
        const NOT_FOUND: Error = Error::NotFound(What::Delivery);
        let id: DeliveryId = delivery.parse().map_err(|_| NOT_FOUND)?;
        let (organization, webhook) = (access.webhook.organization_id, access.webhook.id);
        let now = self.clock.now_ms();
        let line = self.webhook_line(access, AuditAction::WebhookDeliveryReplayed);
        let replayed = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let found = tx.delivery(organization, id).await?;
                    let found = found.filter(|found| found.webhook_id == webhook);
                    let event = found.ok_or(NOT_FOUND)?.event_id;
                    // Nothing when the event is no longer kept: then there is nothing to send.
                    let new = tx.replay_event(organization, webhook, event, now).await?;
                    let new = new.ok_or(NOT_FOUND)?;
                    let line = line.with("deliveryId", new.to_string());
                    tx.insert_audit(&line.entry()).await?;
                    tx.delivery(organization, new).await?.ok_or(NOT_FOUND)
                })
            })
            .await?;
        self.bus.publish(Signal::DeliveriesDue);
        Ok(replayed)
    }

    pub(crate) fn webhook_line(&self, access: &WebhookAccess, action: AuditAction) -> AuditLine {
        let webhook = &access.webhook;
        self.line(webhook.organization_id, &access.caller, action, webhook.id)
    }

    /// The URL in its normal form, where the address guard lets it pass.
    pub(crate) fn checked_url(
        &self,
        field: &str,
        url: Option<&str>,
        faults: &mut Faults,
    ) -> Option<String> {
        let url = url.filter(|url| !url.is_empty())?;
        match self.address_guard.check_url(url) {
            Ok(url) => Some(url.into()),
            Err(error) => {
                faults.add(field, error.to_string());
                None
            }
        }
    }
}
