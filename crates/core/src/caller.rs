//! Who calls, and what they reach.

use wagate_model::{
    ApiKeyId, ApiKeyPrincipal, Capabilities, Capability, OrganizationId, SessionId,
};
use wagate_store::SessionRecord;

use crate::error::{Error, Result};

/// What kind of credential a caller has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An API key.
    ApiKey(ApiKeyId),
}

/// Who calls: made by [`Core::authenticate`](crate::Core::authenticate) only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    principal: Principal,
    organization_id: OrganizationId,
    capabilities: Capabilities,
    session_ids: Option<Vec<SessionId>>,
}

impl From<ApiKeyPrincipal> for Caller {
    fn from(key: ApiKeyPrincipal) -> Self {
        Self {
            principal: Principal::ApiKey(key.key_id),
            organization_id: key.organization_id,
            capabilities: key.capabilities,
            session_ids: key.session_ids,
        }
    }
}

impl Caller {
    /// The kind of credential.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The organization whose data the caller sees.
    #[must_use]
    pub const fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }

    /// `Ok` when the caller has a capability.
    pub fn require(&self, capability: Capability) -> Result<()> {
        if self.capabilities.has(capability) {
            Ok(())
        } else {
            Err(Error::Forbidden)
        }
    }

    /// The sessions that the caller is restricted to, where it is.
    #[must_use]
    pub fn session_ids(&self) -> Option<&[SessionId]> {
        self.session_ids.as_deref()
    }

    /// Whether the caller may touch a session of its organization.
    #[must_use]
    pub fn reaches(&self, session: SessionId) -> bool {
        self.session_ids
            .as_ref()
            .is_none_or(|ids| ids.contains(&session))
    }
}

/// A session that exists and that the caller reaches.
///
/// Only [`Core::open_session`](crate::Core::open_session) makes one, so an operation
/// on a session cannot be reached without the check.
#[derive(Debug, Clone)]
pub struct SessionAccess {
    pub(crate) caller: Caller,
    pub(crate) record: SessionRecord,
}

impl SessionAccess {
    /// Who calls.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.record.session.id
    }

    pub(crate) const fn organization_id(&self) -> OrganizationId {
        self.caller.organization_id
    }
}
