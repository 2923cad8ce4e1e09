//! Lines of the audit log.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use wagate_model::{Actor, AuditAction, AuditEntry, AuditId, OrganizationId};

use crate::service::Identity;

/// Gives ids in their order also within a millisecond, so that a log of what one process did
/// reads as it happened.
#[derive(Debug)]
pub(crate) struct AuditIds(Mutex<AuditId>);

impl Default for AuditIds {
    fn default() -> Self {
        Self(Mutex::new(AuditId::from_parts(0, 0)))
    }
}

impl AuditIds {
    fn next(&self, drawn: AuditId) -> AuditId {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn > *last {
            *last = drawn;
        } else if let Ok(following) = last.ulid().increment() {
            *last = AuditId::new(following);
        }
        *last
    }
}

/// A line that is being written.
#[derive(Debug, Clone)]
#[must_use]
pub struct AuditLine(AuditEntry);

impl AuditLine {
    /// Adds a fact; never a secret, a number or the text of a message.
    pub fn with(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), fact.into());
        self
    }

    /// The line.
    #[must_use]
    pub fn entry(self) -> AuditEntry {
        self.0
    }
}

impl Identity {
    /// A line that says who does what to which resource, now.
    ///
    /// Without an organization it is for the operator.
    pub fn audit_line(
        &self,
        organization: Option<OrganizationId>,
        actor: &Actor,
        action: AuditAction,
        resource: impl Display,
    ) -> AuditLine {
        let (time, random) = self.ulid_parts();
        AuditLine(AuditEntry {
            id: self.0.audit_ids.next(AuditId::from_parts(time, random)),
            organization_id: organization,
            actor: actor.clone(),
            action,
            resource_id: resource.to_string(),
            details: Map::new(),
            created_at: self.now_ms(),
        })
    }
}
