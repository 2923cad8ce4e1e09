//! New secrets for webhooks, beside which the old ones stay valid for a while.

use wagate_delivery::new_webhook_secret;
use wagate_model::{AuditAction, Draft, RotateSecretInput};
use wagate_store::{Rotated, SecretRotation};

use crate::error::{Error, Result, What};
use crate::service::Core;
use crate::webhooks::WebhookAccess;

/// How long a secret that was replaced stays valid, in milliseconds.
const OVERLAP_MS: i64 = 24 * 3_600_000;

/// A webhook's new secret.
pub struct RotatedSecret {
    /// The secret, which is not shown again.
    pub secret: String,
    /// Until when the one before it signs too, in milliseconds since 1970.
    pub previous_valid_until: Option<i64>,
}

impl std::fmt::Debug for RotatedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RotatedSecret(…)")
    }
}

impl Core {
    /// Gives a webhook a new secret; the one that signs now signs beside it for a day.
    ///
    /// Asked again for the same secret, it changes nothing.
    pub async fn rotate_webhook_secret(
        &self,
        access: &WebhookAccess,
        body: Draft<RotateSecretInput>,
    ) -> Result<RotatedSecret> {
        const NOT_FOUND: Error = Error::NotFound(What::Webhook);
        let (body, mut faults) = body.open()?;
        faults.extend(body.faults());
        faults.into_result()?;
        let secret = body.secret.unwrap_or_else(|| self.drawn_secret());
        let (organization, id) = (access.webhook.organization_id, access.webhook.id);
        let now_ms = self.store.now_ms();
        let valid_until_ms = now_ms.saturating_add(OVERLAP_MS);
        let rotation = SecretRotation {
            secret: secret.clone(),
            derived: self.signing_root.secret_of(id).as_str().to_owned(),
            valid_until_ms,
        };
        let line = self
            .webhook_line(access, AuditAction::WebhookSecretRotated)
            .entry();
        let rotated = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let held = tx.webhook_for_update(organization, id).await?;
                    held.ok_or(NOT_FOUND)?;
                    let rotated = tx
                        .rotate_webhook_secret(organization, id, &rotation, now_ms)
                        .await?
                        .ok_or(NOT_FOUND)?;
                    if rotated == Rotated::Now {
                        tx.insert_audit(&line).await?;
                    }
                    Ok(rotated)
                })
            })
            .await?;
        let previous_valid_until = match rotated {
            Rotated::Now => Some(valid_until_ms),
            Rotated::Before { valid_until_ms } => valid_until_ms,
            Rotated::TooMany { until_ms } => {
                let retry_after_seconds = (until_ms - now_ms).max(0) / 1_000 + 1;
                return Err(Error::RateLimited {
                    retry_after_seconds,
                });
            }
        };
        Ok(RotatedSecret {
            secret,
            previous_valid_until,
        })
    }

    fn drawn_secret(&self) -> String {
        let mut drawn = [0; 24];
        self.randomness.fill(&mut drawn);
        new_webhook_secret(drawn).as_str().to_owned()
    }
}
