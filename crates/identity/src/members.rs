//! Who is in an organization, as what. There is always an owner.

use futures::FutureExt as _;
use wagate_model::{Actor, AuditAction, Member, OrganizationId, Role, UserId};
use wagate_store::Tx;

use crate::error::{IdentityError, Refusal};
use crate::service::Identity;

/// Holds the organization, so that its members change one after another, and gives them.
async fn hold(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Member>, IdentityError> {
    let held = tx.organization_for_update(organization).await?;
    held.ok_or(IdentityError::NotFound)?;
    Ok(tx.members(organization).await?)
}

/// One of the members.
fn find(members: &[Member], user: UserId) -> Result<&Member, IdentityError> {
    let mut all = members.iter();
    all.find(|member| member.user_id == user)
        .ok_or(IdentityError::NotFound)
}

/// Refuses what would leave no owner.
fn keep_an_owner(members: &[Member], without: UserId) -> Result<(), IdentityError> {
    let mut others = members.iter().filter(|member| member.user_id != without);
    if others.any(|member| member.role == Role::Owner) {
        Ok(())
    } else {
        Err(IdentityError::Refused(Refusal::LastOwner))
    }
}

/// Refuses changes of owners by anybody but an owner.
fn permit(by: Role, concerned: &[Role]) -> Result<(), IdentityError> {
    if by == Role::Owner || !concerned.contains(&Role::Owner) {
        Ok(())
    } else {
        Err(IdentityError::Refused(Refusal::OwnersOnly))
    }
}

impl Identity {
    /// The members of an organization.
    pub async fn members(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<Member>, IdentityError> {
        Ok(self.0.store.read().await?.members(organization).await?)
    }

    /// What a user is in an organization.
    pub async fn role_in(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Role>, IdentityError> {
        let mut tx = self.0.store.read().await?;
        let member = tx.member(organization, user).await?;
        Ok(member.map(|member| member.role))
    }

    /// Changes the members of an organization in one transaction, and has what is remembered
    /// of the users concerned dropped.
    async fn change_members<T, J>(
        &self,
        organization: OrganizationId,
        users: &[UserId],
        job: J,
    ) -> Result<T, IdentityError>
    where
        J: for<'t> FnOnce(&'t mut Tx) -> futures::future::BoxFuture<'t, Result<T, IdentityError>>
            + Send
            + 'static,
        T: Send + 'static,
    {
        let changed = self.0.store.write(organization, job).await;
        // Also when it is not known whether the commit went through.
        for user in users {
            self.forget_user(*user);
        }
        changed
    }

    /// Gives a member another role. Only owners make owners, and change what owners are.
    pub async fn set_member_role(
        &self,
        organization: OrganizationId,
        user: UserId,
        role: Role,
        by: (&Actor, Role),
    ) -> Result<Member, IdentityError> {
        let (actor, own_role) = by;
        let action = AuditAction::MemberRoleChanged;
        let line = self.audit_line(Some(organization), actor, action, user);
        self.change_members(organization, &[user], move |tx| {
            async move {
                let members = hold(tx, organization).await?;
                let member = find(&members, user)?.clone();
                permit(own_role, &[member.role, role])?;
                if member.role == role {
                    return Ok(member);
                }
                if role != Role::Owner {
                    keep_an_owner(&members, user)?;
                }
                tx.set_member_role(organization, user, role).await?;
                let line = line.with("from", member.role.as_str());
                tx.insert_audit(&line.with("to", role.as_str()).entry())
                    .await?;
                Ok(Member { role, ..member })
            }
            .boxed()
        })
        .await
    }

    /// Removes a member. Only owners remove owners.
    pub async fn remove_member(
        &self,
        organization: OrganizationId,
        user: UserId,
        by: (&Actor, Role),
    ) -> Result<(), IdentityError> {
        let (actor, own_role) = by;
        let action = AuditAction::MemberRemoved;
        let line = self.audit_line(Some(organization), actor, action, user);
        self.change_members(organization, &[user], move |tx| {
            async move {
                let members = hold(tx, organization).await?;
                permit(own_role, &[find(&members, user)?.role])?;
                keep_an_owner(&members, user)?;
                tx.delete_member(organization, user).await?;
                tx.insert_audit(&line.entry()).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Leaves an organization; its last owner cannot.
    pub async fn leave_organization(
        &self,
        organization: OrganizationId,
        user: UserId,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let action = AuditAction::MemberLeft;
        let line = self.audit_line(Some(organization), actor, action, user);
        self.change_members(organization, &[user], move |tx| {
            async move {
                let members = hold(tx, organization).await?;
                find(&members, user)?;
                keep_an_owner(&members, user)?;
                tx.delete_member(organization, user).await?;
                tx.insert_audit(&line.entry()).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Makes another member the owner in an owner's place, who becomes an administrator.
    pub async fn transfer_ownership(
        &self,
        organization: OrganizationId,
        from: UserId,
        to: UserId,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let action = AuditAction::OwnershipTransferred;
        let line = self.audit_line(Some(organization), actor, action, organization);
        let line = line.with("to", to.to_string());
        self.change_members(organization, &[from, to], move |tx| {
            async move {
                let members = hold(tx, organization).await?;
                find(&members, to)?;
                // Somebody else may have taken the ownership away meanwhile.
                if find(&members, from)?.role != Role::Owner {
                    return Err(IdentityError::Refused(Refusal::OwnersOnly));
                }
                if from != to {
                    tx.set_member_role(organization, to, Role::Owner).await?;
                    tx.set_member_role(organization, from, Role::Admin).await?;
                    tx.insert_audit(&line.entry()).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }
}
