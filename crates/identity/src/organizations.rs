//! Organizations: the tenants.

use futures::FutureExt as _;
use wagate_model::{
    Actor, AuditAction, Faults, Organization, OrganizationId, PlatformRole, Role, User, limits,
};
use wagate_store::{Lane, StoreError, Tx};

use crate::error::{IdentityError, Refusal};
use crate::people::actor_of;
use crate::service::Identity;

const DEFAULT_NAME: &str = "default";

/// Most organizations that one person may be in.
const MAX_MEMBERSHIPS: usize = 100;

pub(crate) fn check_name(faults: &mut Faults, name: &str) {
    faults.check_name("name", name, limits::LABEL_CHARS);
}

fn checked_name(name: &str) -> Result<String, IdentityError> {
    let mut faults = Faults::new();
    check_name(&mut faults, name);
    faults.into_result().map_err(IdentityError::Invalid)?;
    Ok(name.trim().to_owned())
}

impl Identity {
    /// Makes an organization without members, for the operator.
    pub async fn create_organization(
        &self,
        name: &str,
        actor: &Actor,
    ) -> Result<Organization, IdentityError> {
        let organization = self.new_organization(&checked_name(name)?);
        let (identity, row, by) = (self.clone(), organization.clone(), actor.clone());
        self.0
            .store
            .write::<_, IdentityError, _>(organization.id, move |tx| {
                async move { identity.insert_organization(tx, &row, &by).await }.boxed()
            })
            .await?;
        Ok(organization)
    }

    /// Makes an organization whose owner is a user, where users may.
    pub async fn found_organization(
        &self,
        name: &str,
        owner: &User,
    ) -> Result<Organization, IdentityError> {
        let is_operator = owner.platform_role == PlatformRole::SuperAdmin;
        if !self.0.config.users_create_organizations && !is_operator {
            return Err(IdentityError::Refused(Refusal::OperatorOnly));
        }
        let organization = self.new_organization(&checked_name(name)?);
        let (identity, row, owner) = (self.clone(), organization.clone(), owner.clone());
        let id = owner.id;
        let done = self
            .0
            .store
            .write::<_, IdentityError, _>(organization.id, move |tx| {
                async move {
                    if tx.admin().memberships(owner.id).await?.len() >= MAX_MEMBERSHIPS {
                        return Err(IdentityError::Refused(Refusal::LimitReached));
                    }
                    let by = actor_of(&owner);
                    identity.insert_organization(tx, &row, &by).await?;
                    identity.join(tx, row.id, &owner, Role::Owner, &by).await
                }
                .boxed()
            })
            .await;
        self.forget_user(id);
        done.map(|()| organization)
    }

    async fn insert_organization(
        &self,
        tx: &mut Tx,
        organization: &Organization,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let Organization {
            id,
            name,
            created_at,
        } = organization;
        tx.insert_organization(*id, name, *created_at).await?;
        let line = self.audit_line(Some(*id), actor, AuditAction::OrganizationCreated, id);
        tx.insert_audit(&line.entry()).await?;
        Ok(())
    }

    /// Gives an organization another name.
    pub async fn rename_organization(
        &self,
        id: OrganizationId,
        name: &str,
        actor: &Actor,
    ) -> Result<Organization, IdentityError> {
        let name = checked_name(name)?;
        let line = self.audit_line(Some(id), actor, AuditAction::OrganizationRenamed, id);
        self.0
            .store
            .write(id, move |tx| {
                async move {
                    if !tx.rename_organization(id, &name).await? {
                        return Err(IdentityError::NotFound);
                    }
                    tx.insert_audit(&line.entry()).await?;
                    let renamed = tx.organization(id).await?;
                    renamed.ok_or(IdentityError::NotFound)
                }
                .boxed()
            })
            .await
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
                let (id, action) = (fresh.id, AuditAction::OrganizationCreated);
                let line = self.audit_line(Some(id), &Actor::operator(), action, id);
                |tx| {
                    async move {
                        if let Some(oldest) = tx.admin().organizations().await?.into_iter().next() {
                            return Ok(oldest);
                        }
                        tx.insert_organization(fresh.id, &fresh.name, fresh.created_at)
                            .await?;
                        tx.insert_audit(&line.entry()).await?;
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
