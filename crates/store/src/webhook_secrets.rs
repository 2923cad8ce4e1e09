//! Secrets of webhooks that follow one another.
//!
//! Each earlier secret stays valid for a while of its own beside the present one, also where
//! another rotation comes meanwhile. They are kept together in one sealed column; beside it
//! stands when the last of them expires.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use wagate_model::{OrganizationId, WebhookId, limits};

use crate::error::Result;
use crate::organizations::is_not_ended;
use crate::text::Text;
use crate::tx::{Tx, on};
use crate::webhooks::SECRET_SEALED_AS;

pub(crate) const EARLIER_SECRETS_SEALED_AS: &str = "webhook.previous_secret";

/// A webhook's secrets; the earlier ones sign beside the present one until they expire.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WebhookSecrets {
    /// The present one.
    pub current: Option<String>,
    /// Those before it that are still valid, the latest first.
    pub earlier: Vec<String>,
}

impl std::fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecrets(…)")
    }
}

/// A new secret for a webhook.
#[derive(Clone)]
pub struct SecretRotation {
    /// The new one.
    pub secret: String,
    /// What signs where the webhook has none of its own.
    pub derived: String,
    /// Until when the one that it replaces stays valid, in milliseconds since 1970.
    pub valid_until_ms: i64,
}

impl std::fmt::Debug for SecretRotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretRotation(…)")
    }
}

/// What became of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The new secret signs; the one before it stays valid until the time that was asked for.
    Now,
    /// The secret was the present one already: nothing changed.
    Before {
        /// Until when the one before it is valid, in milliseconds since 1970.
        valid_until_ms: Option<i64>,
    },
    /// As many earlier secrets are valid as there may be.
    TooMany {
        /// When the first of them expires, in milliseconds since 1970.
        until_ms: i64,
    },
}

/// An earlier secret, as it is sealed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Earlier {
    secret: String,
    expires_at: i64,
}

/// The columns of a webhook's row that hold its secrets.
#[derive(FromRow)]
struct SealedSecrets {
    secret: Option<Vec<u8>>,
    previous_secret: Option<Vec<u8>>,
}

impl Tx {
    /// Opens a webhook's secrets; what has expired is left out.
    pub(crate) fn open_secrets(
        &self,
        id: WebhookId,
        current: Option<&[u8]>,
        earlier: Option<&[u8]>,
        now_ms: i64,
    ) -> Result<WebhookSecrets> {
        let earlier = self.open_earlier(id, earlier, now_ms)?;
        Ok(WebhookSecrets {
            current: self.open_current(id, current)?,
            earlier: earlier.into_iter().map(|one| one.secret).collect(),
        })
    }

    fn open_current(&self, id: WebhookId, sealed: Option<&[u8]>) -> Result<Option<String>> {
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let plain = self.unseal(SECRET_SEALED_AS, id.to_string().as_bytes(), sealed)?;
        Ok(Some(String::from_utf8_lossy(&plain).into_owned()))
    }

    fn open_earlier(
        &self,
        id: WebhookId,
        sealed: Option<&[u8]>,
        now_ms: i64,
    ) -> Result<Vec<Earlier>> {
        let Some(sealed) = sealed else {
            return Ok(Vec::new());
        };
        let row = id.to_string();
        let plain = self.unseal(EARLIER_SECRETS_SEALED_AS, row.as_bytes(), sealed)?;
        let mut earlier: Vec<Earlier> = serde_json::from_slice(&plain)?;
        earlier.retain(|one| one.expires_at > now_ms);
        Ok(earlier)
    }

    /// Gives a webhook a new secret; the one that signs now stays valid beside it for a while.
    ///
    /// Nothing where there is no such webhook. To be called with its row held.
    pub async fn rotate_webhook_secret(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
        rotation: &SecretRotation,
        now_ms: i64,
    ) -> Result<Option<Rotated>> {
        let Some(sealed) = self.sealed_secrets(organization, id).await? else {
            return Ok(None);
        };
        let current = self.open_current(id, sealed.secret.as_deref())?;
        let mut earlier = self.open_earlier(id, sealed.previous_secret.as_deref(), now_ms)?;
        if current.as_deref() == Some(&*rotation.secret) {
            let valid_until_ms = earlier.first().map(|one| one.expires_at);
            return Ok(Some(Rotated::Before { valid_until_ms }));
        }
        // One that comes back is no earlier one any more.
        earlier.retain(|one| one.secret != rotation.secret);
        if earlier.len() >= limits::WEBHOOK_EARLIER_SECRETS {
            let first = earlier.iter().map(|one| one.expires_at).min();
            let until_ms = first.unwrap_or(now_ms);
            return Ok(Some(Rotated::TooMany { until_ms }));
        }
        let replaced = Earlier {
            secret: current.unwrap_or_else(|| rotation.derived.clone()),
            expires_at: rotation.valid_until_ms,
        };
        earlier.insert(0, replaced);
        self.write_secrets(organization, id, &rotation.secret, &earlier, now_ms)
            .await?;
        Ok(Some(Rotated::Now))
    }

    async fn sealed_secrets(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
    ) -> Result<Option<SealedSecrets>> {
        Ok(on!(self, |conn| sqlx::query_as(concat!(
            "SELECT secret, previous_secret FROM webhook \
             WHERE organization_id = $1 AND id = $2 AND ",
            is_not_ended!()
        ))
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?)
    }

    async fn write_secrets(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
        secret: &str,
        earlier: &[Earlier],
        now_ms: i64,
    ) -> Result<()> {
        let row = id.to_string();
        let plain = serde_json::to_vec(earlier)?;
        let sealed_earlier = self.seal(EARLIER_SECRETS_SEALED_AS, row.as_bytes(), &plain);
        let sealed = self.seal_secret(id, secret);
        let last = earlier.iter().map(|one| one.expires_at).max();
        on!(self, |conn| sqlx::query(
            "UPDATE webhook SET secret = $3, previous_secret = $4, \
             previous_secret_expires_at = $5, updated_at = $6 \
             WHERE organization_id = $1 AND id = $2"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(sealed)
        .bind(sealed_earlier)
        .bind(last)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// A webhook's secrets that are valid now; nothing where it is not there.
    pub async fn webhook_secrets(
        &mut self,
        organization: OrganizationId,
        id: WebhookId,
        now_ms: i64,
    ) -> Result<Option<WebhookSecrets>> {
        let sealed = self.sealed_secrets(organization, id).await?;
        sealed
            .map(|sealed| {
                let (current, earlier) = (&sealed.secret, &sealed.previous_secret);
                self.open_secrets(id, current.as_deref(), earlier.as_deref(), now_ms)
            })
            .transpose()
    }
}
