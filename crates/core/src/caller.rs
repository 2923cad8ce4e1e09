//! Who calls, and what they reach.

use std::sync::Arc;

use wagate_identity::Principal;
use wagate_model::{
    Actor, ActorKind, Capabilities, Capability, OrganizationId, PersonPrincipal, Role, SessionId,
    Subject, UserId,
};
use wagate_store::SessionRecord;

use crate::error::{Error, Result};

/// Who calls: made from a credential that was recognized, and only from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    principal: Arc<Principal>,
    capabilities: Capabilities,
}

impl From<Arc<Principal>> for Caller {
    fn from(principal: Arc<Principal>) -> Self {
        let capabilities = match &*principal {
            Principal::ApiKey(key) => key.capabilities,
            Principal::Person(person) => person.capabilities(),
        };
        Self {
            principal,
            capabilities,
        }
    }
}

impl Caller {
    /// What the credential proves.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The person who calls; nobody where a program does, by its key.
    #[must_use]
    pub fn person(&self) -> Option<&PersonPrincipal> {
        match self.principal() {
            Principal::ApiKey(_) => None,
            Principal::Person(person) => Some(person),
        }
    }

    /// The user of this installation who calls.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match &self.person()?.subject {
            Subject::User { user_id, .. } => Some(*user_id),
            Subject::Foreign { .. } => None,
        }
    }

    /// The organization whose data the caller sees; forbidden where none is active.
    pub fn organization_id(&self) -> Result<OrganizationId> {
        self.active_organization().ok_or(Error::Forbidden)
    }

    /// The organization whose data the caller sees, where there is one.
    #[must_use]
    pub fn active_organization(&self) -> Option<OrganizationId> {
        match self.principal() {
            Principal::ApiKey(key) => Some(key.organization_id),
            Principal::Person(person) => person.organization_id,
        }
    }

    /// `Ok` when the caller has a capability.
    pub fn require(&self, capability: Capability) -> Result<()> {
        if self.capabilities.has(capability) {
            Ok(())
        } else {
            Err(Error::Forbidden)
        }
    }

    /// Whether the caller operates the installation: no API key ever does.
    #[must_use]
    pub fn is_super_admin(&self) -> bool {
        self.person().is_some_and(PersonPrincipal::is_super_admin)
    }

    /// `Ok` when the caller operates the installation.
    pub fn require_super_admin(&self) -> Result<()> {
        if self.is_super_admin() {
            Ok(())
        } else {
            Err(Error::Forbidden)
        }
    }

    /// `Ok` when the caller administers the active organization: a person, never an API key.
    pub fn require_admin(&self) -> Result<()> {
        let role = self.person().and_then(|person| person.role);
        if self.is_super_admin() || role.is_some_and(|role| role >= Role::Admin) {
            Ok(())
        } else {
            Err(Error::Forbidden)
        }
    }

    /// The sessions that the caller is restricted to, where it is.
    #[must_use]
    pub fn session_ids(&self) -> Option<&[SessionId]> {
        match self.principal() {
            Principal::ApiKey(key) => key.session_ids.as_deref(),
            Principal::Person(_) => None,
        }
    }

    /// Whether the caller may touch a session of its organization.
    #[must_use]
    pub fn reaches(&self, session: SessionId) -> bool {
        self.session_ids().is_none_or(|ids| ids.contains(&session))
    }

    /// The caller as the audit log names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.principal() {
            Principal::ApiKey(key) => Actor {
                kind: ActorKind::ApiKey,
                id: key.key_id.to_string(),
                name: key.name.clone(),
            },
            Principal::Person(person) => {
                let (kind, id) = match &person.subject {
                    Subject::User { user_id, .. } => (ActorKind::User, user_id.to_string()),
                    Subject::Foreign { subject, .. } => (ActorKind::ExternalUser, subject.clone()),
                };
                Actor {
                    kind,
                    id,
                    name: person.name.clone(),
                }
            }
        }
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

    /// Whose session it is: the caller's organization's, or any where the caller is the operator.
    #[must_use]
    pub const fn organization_id(&self) -> OrganizationId {
        self.record.session.organization_id
    }
}
