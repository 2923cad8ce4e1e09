//! Organizations: the tenants.

use futures::FutureExt as _;
use wagate_model::{Actor, AuditAction, AuditEntry, Faults, Organization, OrganizationId, limits};
use wagate_store::{Lane, StoreError, Tx};

use crate::error::IdentityError;
use crate::service::Identity;

const DEFAULT_NAME: &str = "default";

pub(crate) fn check_name(faults: &mut Faults, name: &str) {
    faults.check(!name.trim().is_empty(), "name", || {
        "must not be empty".into()
    });
    faults.check_text("name", name, limits::LABEL_CHARS);
}

async fn insert(
    tx: &mut Tx,
    organization: &Organization,
    line: &AuditEntry,
) -> Result<(), StoreError> {
    let Organization {
        id,
        name,
        created_at,
    } = organization;
    tx.insert_organization(*id, name, *created_at).await?;
    tx.insert_audit(line).await
}

impl Identity {
    /// Makes an organization.
    pub async fn create_organization(
        &self,
        name: &str,
        actor: &Actor,
    ) -> Result<Organization, IdentityError> {
        let mut faults = Faults::new();
        check_name(&mut faults, name);
        faults.into_result().map_err(IdentityError::Invalid)?;
        let organization = self.new_organization(name.trim());
        let (row, line) = (organization.clone(), self.creation(&organization, actor));
        self.0
            .store
            .write(organization.id, move |tx| {
                async move { insert(tx, &row, &line).await }.boxed()
            })
            .await?;
        Ok(organization)
    }

    fn creation(&self, organization: &Organization, actor: &Actor) -> AuditEntry {
        let (id, action) = (organization.id, AuditAction::OrganizationCreated);
        self.audit_line(Some(id), actor, action, id).entry()
    }

    fn new_organization(&self, name: &str) -> Organization {
        let (time, random) = self.ulid_parts();
        Organization {
            id: OrganizationId::from_parts(time, random),
            name: name.to_owned(),
            created_at: self.now_ms(),
        }
    }

    /// One organization.
    pub async fn organization(&self, id: OrganizationId) -> Result<Organization, IdentityError> {
        let found = self.0.store.read().await?.organization(id).await?;
        found.ok_or(IdentityError::NotFound)
    }

    /// Every organization, oldest first.
    pub async fn organizations(&self) -> Result<Vec<Organization>, IdentityError> {
        Ok(self.0.store.read().await?.admin().organizations().await?)
    }

    /// The oldest organization, made with the name `default` where there is none.
    ///
    /// Processes that start together on an empty database get the same one.
    pub async fn ensure_default_organization(&self) -> Result<Organization, IdentityError> {
        let made = self
            .0
            .store
            .write(Lane::SHARED, {
                // The one id that every process would give it: the second to insert it fails.
                let fresh = Organization {
                    id: OrganizationId::from_parts(0, 1),
                    ..self.new_organization(DEFAULT_NAME)
                };
                let line = self.creation(&fresh, &Actor::operator());
                |tx| {
                    async move {
                        if let Some(oldest) = tx.admin().organizations().await?.into_iter().next() {
                            return Ok(oldest);
                        }
                        insert(tx, &fresh, &line).await?;
                        Ok(fresh)
                    }
                    .boxed()
                }
            })
            .await;
        match made {
            Err(StoreError::Duplicate(_)) => {
                let organizations = self.organizations().await?;
                organizations
                    .into_iter()
                    .next()
                    .ok_or(IdentityError::NotFound)
            }
            made => Ok(made?),
        }
    }
}
