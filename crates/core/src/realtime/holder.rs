//! Whose credential a stream hangs on.

use serde::{Deserialize, Serialize};
use wagate_cluster::Signal;
use wagate_identity::Principal;
use wagate_model::{ApiKeyId, Capability, OrganizationId, PlatformRole, Role, Subject};

use crate::error::Result;
use crate::service::Core;

/// Whose credential a stream hangs on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Holder {
    /// An API key's.
    Key(ApiKeyId),
    /// A person's.
    Person(Subject),
}

impl From<&Principal> for Holder {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::ApiKey(key) => Self::Key(key.key_id),
            Principal::Person(person) => Self::Person(person.subject.clone()),
        }
    }
}

impl Holder {
    /// Whether a signal says that the holder's credential may have changed.
    pub(super) fn is_meant_by(&self, signal: &Signal) -> bool {
        match (self, signal) {
            (Self::Key(own), Signal::KeyRevoked { key_id }) => own == key_id,
            (
                Self::Person(Subject::User { user_id, .. }),
                Signal::UserChanged { user_id: changed },
            ) => user_id == changed,
            _ => false,
        }
    }

    /// Whether the store says that the holder may have the events of an organization, or of
    /// all of them.
    pub(super) async fn is_permitted(
        &self,
        core: &Core,
        organization: Option<OrganizationId>,
    ) -> Result<bool> {
        let now = core.clock.now_ms();
        let mut tx = core.store.read().await?;
        match (self, organization) {
            // No key sees other organizations.
            (Self::Key(_), None) => Ok(false),
            (Self::Key(key_id), Some(organization)) => {
                let key = tx.api_key(organization, *key_id).await?;
                Ok(key.is_some_and(|key| {
                    key.is_valid_at(now) && key.capabilities.has(Capability::Events)
                }))
            }
            (Self::Person(Subject::User { user_id, login_id }), organization) => {
                let mut admin = tx.admin();
                let standing = admin.standing(*user_id, *login_id, organization, now);
                let Some(standing) = standing.await? else {
                    return Ok(false);
                };
                let role = standing.role.map(Role::capabilities);
                let may = standing.platform_role == PlatformRole::SuperAdmin
                    || role.is_some_and(|may| may.has(Capability::Events));
                Ok(may && (organization.is_none() || standing.has_organization))
            }
            // Nobody tells of those who lose access elsewhere: it ends with the token.
            (Self::Person(Subject::Foreign { expires_at, .. }), organization) => {
                let is_there = match organization {
                    Some(organization) => tx.organization(organization).await?.is_some(),
                    None => true,
                };
                Ok(now < *expires_at && is_there)
            }
        }
    }
}
