//! Webhooks; their secrets are sealed.

use std::collections::BTreeMap;

use sqlx::FromRow;
use wagate_model::{OrganizationId, RetryPolicy, SessionId, Webhook, WebhookId};

use crate::error::Result;
use crate::organizations::is_not_ended;
use crate::text::{Text, storable};
use crate::tx::{Tx, on, sql};

pub(crate) const SECRET_SEALED_AS: &str = "webhook.secret";

/// What is done with the secret of a webhook that is written.
#[derive(Clone, Default)]
pub enum SecretChange {
    /// It stays.
    #[default]
    Keep,
    /// There is none from now on.
    Remove,
    /// This one, from now on alone.
    Replace(String),
}

macro_rules! select_webhook {
    ($condition:literal) => {
        concat!(
            "SELECT id, organization_id, session_id, url, events, custom_headers, retry_policy, \
             active, disabled_reason, created_at, updated_at FROM webhook \
             WHERE organization_id = $1 AND ",
            is_not_ended!(),
            $condition
        )
    };
}

#[derive(FromRow)]
struct WebhookRow {
    id: Text<WebhookId>,
    organization_id: Text<OrganizationId>,
    session_id: Option<Text<SessionId>>,
    url: String,
    events: String,
    custom_headers: Option<String>,
    retry_policy: String,
    active: bool,
    disabled_reason: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl WebhookRow {
    fn into_webhook(self) -> Result<Webhook> {
        let custom_headers: Option<BTreeMap<String, String>> = self
            .custom_headers
            .as_deref()
            .map(serde_json::from_str)
            .transpose()?;
        let retry_policy: RetryPolicy = serde_json::from_str(&self.retry_policy)?;
        Ok(Webhook {
            active: self.active,
            created_at: self.created_at,
            custom_headers,
            disabled_reason: self.disabled_reason,
            events: serde_json::from_str(&self.events)?,
            id: self.id.0,
            organization_id: self.organization_id.0,
            retry_policy,
            session_id: self.session_id.map(|session| session.0),
            updated_at: self.updated_at,
            url: self.url,
        })
    }
}

impl Tx {
    pub(crate) fn seal_secret(&self, id: WebhookId, secret: &str) -> Vec<u8> {
        self.seal(
            SECRET_SEALED_AS,
            id.to_string().as_bytes(),
            secret.as_bytes(),
        )
    }

    /// Adds a webhook with its secret; the session must be one of the organization's.
    pub async fn insert_webhook(
        &mut self,
        organization: OrganizationId,
        webhook: &Webhook,
        secret: Option<&str>,
    ) -> Result<()> {
        self.hold_organization(organization).await?;
        let sealed = secret.map(|secret| self.seal_secret(webhook.id, secret));
        let headers = webhook
            .custom_headers
            .as_ref()
            .map(serde_json::to_string)
            .transpose()?;
        let events = serde_json::to_string(&webhook.events)?;
        let policy = serde_json::to_string(&webhook.retry_policy)?;
        on!(self, |conn| sqlx::query(
            "INSERT INTO webhook (id, organization_id, session_id, url, secret, events, \
             custom_headers, retry_policy, active, disabled_reason, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        )
        .bind(Text(webhook.id))
        .bind(Text(organization))
        .bind(webhook.session_id.map(Text))
        .bind(storable(&webhook.url))
        .bind(sealed)
        .bind(events)
        .bind(headers)
        .bind(policy)
        .bind(webhook.active)
        .bind(webhook.disabled_reason.as_deref())
        .bind(webhook.created_at)
        .bind(webhook.updated_at)
        .execute(conn)
        .await
        .map(drop))?;
        self.note_changed_webhooks(organization);
        Ok(())
    }

    /// The webhooks of an organization, oldest first.
    pub async fn webhooks(&mut self, organization: OrganizationId) -> Result<Vec<Webhook>> {
        let rows: Vec<WebhookRow> =
            on!(self, |conn| sqlx::query_as(select_webhook!(" ORDER BY id"))
                .bind(Text(organization))
                .fetch_all(conn)
                .await)?;
        rows.into_iter().map(WebhookRow::into_webhook).collect()
    }

    /// One webhook.
    pub async fn webhook(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
    ) -> Result<Option<Webhook>> {
        let text = select_webhook!(" AND id = $2");
        self.webhook_by(text, organization, id).await
    }

    /// One webhook, which nobody else changes until the end of the transaction.
    pub async fn webhook_for_update(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
    ) -> Result<Option<Webhook>> {
        // Deliveries that name it may still be added meanwhile.
        let text = sql!(
            self,
            sqlite: select_webhook!(" AND id = $2"),
            postgres: select_webhook!(" AND id = $2 FOR NO KEY UPDATE"),
        );
        self.webhook_by(text, organization, id).await
    }

    async fn webhook_by(
        &mut self,
        text: &'static str,
        organization: OrganizationId,
        id: WebhookId,
    ) -> Result<Option<Webhook>> {
        let row: Option<WebhookRow> = on!(self, |conn| sqlx::query_as(text)
            .bind(Text(organization))
            .bind(Text(id))
            .fetch_optional(conn)
            .await)?;
        row.map(WebhookRow::into_webhook).transpose()
    }

    /// Replaces everything about a webhook but its times; whether it is there.
    ///
    /// A webhook that is switched on again starts with a clean record, and one with a new
    /// address without the old one's pause.
    pub async fn update_webhook(
        &mut self,
        organization: OrganizationId,
        webhook: &Webhook,
        secret: &SecretChange,
        now_ms: i64,
    ) -> Result<bool> {
        let sealed = match secret {
            SecretChange::Replace(secret) => Some(self.seal_secret(webhook.id, secret)),
            SecretChange::Keep | SecretChange::Remove => None,
        };
        let keeps_secret = matches!(secret, SecretChange::Keep);
        let headers = webhook
            .custom_headers
            .as_ref()
            .map(serde_json::to_string)
            .transpose()?;
        let events = serde_json::to_string(&webhook.events)?;
        let policy = serde_json::to_string(&webhook.retry_policy)?;
        let count = on!(self, |conn| sqlx::query(concat!(
            "UPDATE webhook SET session_id = $3, url = $4, events = $5, custom_headers = $6, \
             retry_policy = $7, disabled_reason = $9, \
             failing_since = CASE WHEN $8 AND NOT active THEN NULL ELSE failing_since END, \
             failure_count = CASE WHEN $8 AND NOT active THEN 0 ELSE failure_count END, \
             last_failed_at = CASE WHEN $8 AND NOT active THEN NULL ELSE last_failed_at END, \
             paused_until = CASE WHEN ($8 AND NOT active) OR url <> $4 THEN NULL \
             ELSE paused_until END, \
             active = $8, secret = CASE WHEN $10 THEN secret ELSE $11 END, \
             previous_secret = CASE WHEN $10 THEN previous_secret ELSE NULL END, \
             previous_secret_expires_at = \
             CASE WHEN $10 THEN previous_secret_expires_at ELSE NULL END, \
             updated_at = $12 WHERE organization_id = $1 AND id = $2 AND ",
            is_not_ended!()
        ))
        .bind(Text(organization))
        .bind(Text(webhook.id))
        .bind(webhook.session_id.map(Text))
        .bind(storable(&webhook.url))
        .bind(events)
        .bind(headers)
        .bind(policy)
        .bind(webhook.active)
        .bind(webhook.disabled_reason.as_deref())
        .bind(keeps_secret)
        .bind(sealed)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        self.note_changed_webhooks(organization);
        Ok(count > 0)
    }

    /// Whether a webhook has a secret of its own; nothing where it is not there.
    pub async fn has_webhook_secret(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
    ) -> Result<Option<bool>> {
        let stored = self.sealed_secret(organization, id).await?;
        Ok(stored.map(|secret| secret.is_some()))
    }

    pub(crate) async fn sealed_secret(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
    ) -> Result<Option<Option<Vec<u8>>>> {
        Ok(on!(self, |conn| sqlx::query_scalar(concat!(
            "SELECT secret FROM webhook WHERE organization_id = $1 AND id = $2 AND ",
            is_not_ended!()
        ))
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?)
    }

    /// Deletes a webhook with its deliveries, pending ones too; whether it was there.
    pub async fn delete_webhook(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(concat!(
            "DELETE FROM webhook WHERE organization_id = $1 AND id = $2 AND ",
            is_not_ended!()
        ))
        .bind(Text(organization))
        .bind(Text(id))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        self.note_changed_webhooks(organization);
        Ok(count > 0)
    }
}
