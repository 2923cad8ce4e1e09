//! Making, listing and revoking API keys.

use std::fmt;

use futures::FutureExt as _;
use wagate_model::{
    Actor, ApiKey, ApiKeyId, ApiKeySecret, AuditAction, AuditEntry, Capabilities, Capability,
    Faults, OrganizationId, SessionId,
};
use wagate_store::{StoreError, Tx};

use crate::error::IdentityError;
use crate::organizations::check_name;
use crate::service::Identity;

/// Most sessions that one key may be bound to.
const MAX_SESSIONS: usize = 1000;

/// What a new key shall be.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What its maker calls it.
    pub name: String,
    /// What it may do; at least one thing.
    pub capabilities: Capabilities,
    /// The sessions it may touch; all of the organization's where absent.
    pub session_ids: Option<Vec<SessionId>>,
    /// When it stops working, in milliseconds since 1970; never where absent.
    pub expires_at: Option<i64>,
}

/// A key just made; the only time that its secret is known.
pub struct CreatedApiKey {
    /// The record.
    pub key: ApiKey,
    /// The secret, to show once.
    pub secret: ApiKeySecret,
}

impl fmt::Debug for CreatedApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedApiKey")
            .field("id", &self.key.id)
            .finish_non_exhaustive()
    }
}

impl NewApiKey {
    /// What is wrong with it by itself, whichever organization it is for.
    #[must_use]
    pub fn faults(&self, now_ms: i64) -> Faults {
        let mut faults = Faults::new();
        check_name(&mut faults, &self.name);
        faults.check(
            self.capabilities != Capabilities::NONE,
            "permissions",
            || "must name at least one of read, send, manage and events".into(),
        );
        faults.check(
            self.expires_at.is_none_or(|at| at > now_ms),
            "expiresAt",
            || "must be in the future".into(),
        );
        let session_count = self.session_ids.as_ref().map(Vec::len);
        faults.check(
            session_count.is_none_or(|count| (1..=MAX_SESSIONS).contains(&count)),
            "sessionIds",
            || format!("must name 1 to {MAX_SESSIONS} sessions, or be left out for all"),
        );
        faults
    }
}

async fn insert(
    tx: &mut Tx,
    organization: OrganizationId,
    key: &ApiKey,
    hash: &[u8; 32],
    line: &AuditEntry,
) -> Result<(), IdentityError> {
    let mut faults = Faults::new();
    for (index, session) in key.session_ids.iter().flatten().enumerate() {
        // Another organization's session and none at all are told alike.
        if tx.session(organization, *session).await?.is_none() {
            faults.add(
                format!("sessionIds[{index}]"),
                "is not a session of the organization",
            );
        }
    }
    faults.into_result().map_err(IdentityError::Invalid)?;
    match tx.insert_api_key(organization, key, hash).await {
        Err(StoreError::NoOrganization) => Err(IdentityError::NotFound),
        done => Ok(done?),
    }?;
    Ok(tx.insert_audit(line).await?)
}

impl Identity {
    /// Makes a key; its secret is in the answer and nowhere else.
    pub async fn create_api_key(
        &self,
        organization: OrganizationId,
        new: NewApiKey,
        actor: &Actor,
    ) -> Result<CreatedApiKey, IdentityError> {
        let now_ms = self.now_ms();
        new.faults(now_ms)
            .into_result()
            .map_err(IdentityError::Invalid)?;
        let mut bytes = [0; 32];
        self.0.randomness.fill(&mut bytes);
        let secret = ApiKeySecret::from_bytes(bytes);
        let (time, random) = self.ulid_parts();
        let key = ApiKey {
            id: ApiKeyId::from_parts(time, random),
            organization_id: organization,
            name: new.name.trim().to_owned(),
            hint: secret.hint(),
            capabilities: new.capabilities,
            session_ids: new.session_ids,
            expires_at: new.expires_at,
            revoked_at: None,
            created_at: now_ms,
            last_used_at: None,
        };
        let capabilities: Vec<_> = key.capabilities.iter().map(Capability::as_str).collect();
        let line = self
            .audit_line(
                Some(organization),
                actor,
                AuditAction::ApiKeyCreated,
                key.id,
            )
            .with("name", key.name.as_str())
            .with("capabilities", capabilities)
            .entry();
        let (row, hash) = (key.clone(), secret.hash());
        self.0
            .store
            .write(organization, move |tx| {
                async move { insert(tx, organization, &row, &hash, &line).await }.boxed()
            })
            .await?;
        Ok(CreatedApiKey { key, secret })
    }

    /// The keys of an organization, oldest first, revoked and expired ones too.
    pub async fn api_keys(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<ApiKey>, IdentityError> {
        Ok(self.0.store.read().await?.api_keys(organization).await?)
    }

    /// Revokes a key: from the return on, this process refuses it. Repeating changes nothing.
    ///
    /// Other processes refuse it as soon as they are told to [`forget`](Self::forget) it,
    /// and within the lifetime of their cache if the word is lost.
    pub async fn revoke_api_key(
        &self,
        organization: OrganizationId,
        id: ApiKeyId,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let identity = self.clone();
        let action = AuditAction::ApiKeyRevoked;
        let line = self
            .audit_line(Some(organization), actor, action, id)
            .entry();
        // A task of its own: the key is forgotten after the commit even when the caller is gone.
        let revoked = tokio::spawn(async move {
            let revoked = identity.write_revocation(organization, id, line).await;
            // Also when it is not known whether the commit went through.
            identity.forget(id);
            revoked
        });
        let is_known = revoked.await.unwrap_or(Err(StoreError::JobPanicked))?;
        if is_known {
            Ok(())
        } else {
            Err(IdentityError::NotFound)
        }
    }

    /// Whether the organization has such a key, which is revoked from now on.
    async fn write_revocation(
        &self,
        organization: OrganizationId,
        id: ApiKeyId,
        line: AuditEntry,
    ) -> Result<bool, StoreError> {
        self.0
            .store
            .write(organization, move |tx| {
                async move {
                    if tx.revoke_api_key(organization, id).await? {
                        tx.insert_audit(&line).await?;
                        return Ok(true);
                    }
                    Ok(tx.api_key(organization, id).await?.is_some())
                }
                .boxed()
            })
            .await
    }
}
