//! Accounts: making, finding, renaming and banning them.

use futures::FutureExt as _;
use wagate_model::{
    Actor, ActorKind, AuditAction, Email, Faults, OrganizationId, PlatformRole, Role, User, UserId,
    limits,
};
use wagate_store::{Lane, StoreError, Tx};

use super::passwords::Password;
use crate::error::{IdentityError, Refusal};
use crate::service::Identity;

/// Longest reason for a ban, in characters.
const REASON_CHARS: usize = 500;

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// What it is found by.
    pub email: Email,
    /// What the person is called.
    pub name: String,
    /// The password; without one, a link sets it.
    pub password: Option<Password>,
    /// What the user may do beyond organizations.
    pub platform_role: PlatformRole,
    /// Whether the address is known to be the person's.
    pub is_email_confirmed: bool,
    /// The organization that the user joins, and as what.
    pub membership: Option<(OrganizationId, Role)>,
}

impl NewUser {
    /// What is wrong with it.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        faults.check_name("name", &self.name, limits::LABEL_CHARS);
        if let Some(password) = &self.password {
            let others = [self.email.as_str(), self.name.as_str()];
            password.check("password", &others, &mut faults);
        }
        faults
    }
}

/// Users of a page.
#[derive(Debug)]
pub struct UserPage {
    /// The users.
    pub users: Vec<User>,
    /// Whether there are more.
    pub has_more: bool,
}

/// A person as the audit log names it.
pub(crate) fn actor_of(user: &User) -> Actor {
    Actor {
        kind: ActorKind::User,
        id: user.id.to_string(),
        name: user.name.clone(),
    }
}

impl Identity {
    /// Makes an account; without an actor, the person does so.
    pub async fn create_user(
        &self,
        new: NewUser,
        actor: Option<&Actor>,
    ) -> Result<User, IdentityError> {
        new.faults().into_result().map_err(IdentityError::Invalid)?;
        let password_hash = match &new.password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let user = self.new_user(&new);
        let by = actor.cloned().unwrap_or_else(|| actor_of(&user));
        let (identity, row) = (self.clone(), user.clone());
        let membership = new.membership;
        let made = self
            .0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    let hash = password_hash.as_deref();
                    identity.insert_user(tx, &row, hash, &by).await?;
                    if let Some((organization, role)) = membership {
                        identity.join(tx, organization, &row, role, &by).await?;
                    }
                    Ok(())
                }
                .boxed()
            })
            .await;
        match made {
            Err(IdentityError::Store(StoreError::Duplicate(_))) => {
                Err(IdentityError::Refused(Refusal::EmailTaken))
            }
            made => made.map(|()| user),
        }
    }

    /// Adds an account, and says so to the operator.
    pub(crate) async fn insert_user(
        &self,
        tx: &mut Tx,
        user: &User,
        password_hash: Option<&str>,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        tx.admin().insert_user(user, password_hash).await?;
        self.audit_user(tx, user, actor, AuditAction::UserCreated)
            .await
    }

    pub(crate) fn new_user(&self, new: &NewUser) -> User {
        let (time, random) = self.ulid_parts();
        User {
            id: UserId::from_parts(time, random),
            email: new.email.clone(),
            name: new.name.trim().to_owned(),
            platform_role: new.platform_role,
            is_email_confirmed: new.is_email_confirmed,
            has_password: new.password.is_some(),
            has_totp: false,
            banned_at: None,
            ban_reason: None,
            created_at: self.now_ms(),
            last_login_at: None,
        }
    }

    /// Makes a user a member, and says so in the organization's log.
    pub(crate) async fn join(
        &self,
        tx: &mut Tx,
        organization: OrganizationId,
        user: &User,
        role: Role,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let held = tx.organization_for_update(organization).await?;
        held.ok_or(IdentityError::NotFound)?;
        if !tx
            .insert_member(organization, user.id, role, self.now_ms())
            .await?
        {
            return Err(IdentityError::Refused(Refusal::AlreadyMember));
        }
        let action = AuditAction::MemberJoined;
        let line = self.audit_line(Some(organization), actor, action, user.id);
        tx.insert_audit(&line.with("role", role.as_str()).entry())
            .await?;
        Ok(())
    }

    /// One user.
    pub async fn user(&self, id: UserId) -> Result<User, IdentityError> {
        let mut tx = self.0.store.read().await?;
        tx.admin().user(id).await?.ok_or(IdentityError::NotFound)
    }

    /// The user of an address.
    pub async fn user_by_email(&self, email: &Email) -> Result<User, IdentityError> {
        let mut tx = self.0.store.read().await?;
        let found = tx.admin().user_by_email(email).await?;
        found.ok_or(IdentityError::NotFound)
    }

    /// Users in the order of their ids; only those whose address begins with a text.
    pub async fn users(
        &self,
        after: Option<UserId>,
        email_begins_with: &str,
        limit: i64,
    ) -> Result<UserPage, IdentityError> {
        let text = email_begins_with.trim().to_ascii_lowercase();
        let mut tx = self.0.store.read().await?;
        let mut users = tx.admin().users(after, &text, limit + 1).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = users.len() > limit;
        users.truncate(limit);
        Ok(UserPage { users, has_more })
    }

    /// Whether anybody operates the installation.
    pub async fn has_super_admin(&self) -> Result<bool, IdentityError> {
        let mut tx = self.0.store.read().await?;
        Ok(tx.admin().has_super_admin().await?)
    }

    /// Gives a user another name.
    pub async fn rename_user(&self, user: &User, name: &str) -> Result<User, IdentityError> {
        let mut faults = Faults::new();
        faults.check_name("name", name, limits::LABEL_CHARS);
        faults.into_result().map_err(IdentityError::Invalid)?;
        let renamed = User {
            name: name.trim().to_owned(),
            ..user.clone()
        };
        let row = renamed.clone();
        self.change_user(user, &actor_of(user), AuditAction::UserRenamed, |now_ms| {
            move |tx: &mut Tx| {
                async move { Ok(tx.admin().rename_user(row.id, &row.name, now_ms).await?) }.boxed()
            }
        })
        .await?;
        Ok(renamed)
    }

    /// Sets what a user may do beyond organizations.
    pub async fn set_platform_role(
        &self,
        user: &User,
        role: PlatformRole,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let id = user.id;
        self.change_user(user, actor, AuditAction::UserRoleChanged, |now_ms| {
            move |tx: &mut Tx| {
                async move { Ok(tx.admin().set_platform_role(id, role, now_ms).await?) }.boxed()
            }
        })
        .await
    }

    /// Bans a user: from the return on, this process refuses whatever the user signed in with.
    pub async fn ban_user(
        &self,
        user: &User,
        reason: Option<&str>,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let mut faults = Faults::new();
        faults.check_text("reason", reason.unwrap_or_default(), REASON_CHARS);
        faults.into_result().map_err(IdentityError::Invalid)?;
        let (id, reason) = (user.id, reason.map(str::to_owned));
        self.change_user(user, actor, AuditAction::UserBanned, |now_ms| {
            move |tx: &mut Tx| {
                async move {
                    let mut admin = tx.admin();
                    let is_new = admin.set_ban(id, reason.as_deref(), true, now_ms).await?;
                    admin.delete_logins(id, None).await?;
                    Ok(is_new)
                }
                .boxed()
            }
        })
        .await
    }

    /// Ends a ban.
    pub async fn unban_user(&self, user: &User, actor: &Actor) -> Result<(), IdentityError> {
        let id = user.id;
        self.change_user(user, actor, AuditAction::UserUnbanned, |now_ms| {
            move |tx: &mut Tx| {
                async move { Ok(tx.admin().set_ban(id, None, false, now_ms).await?) }.boxed()
            }
        })
        .await
    }

    /// Changes a user, says so in the logs of the user's organizations where anything changed,
    /// and has what is remembered of the user dropped.
    pub(crate) async fn change_user<J>(
        &self,
        user: &User,
        actor: &Actor,
        action: AuditAction,
        job_at: impl FnOnce(i64) -> J,
    ) -> Result<(), IdentityError>
    where
        J: for<'t> FnOnce(
                &'t mut Tx,
            )
                -> futures::future::BoxFuture<'t, Result<bool, IdentityError>>
            + Send
            + 'static,
    {
        let job = job_at(self.now_ms());
        let (identity, row, by) = (self.clone(), user.clone(), actor.clone());
        let changed = self
            .0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    if job(tx).await? {
                        identity.audit_user(tx, &row, &by, action).await?;
                    }
                    Ok(())
                }
                .boxed()
            })
            .await;
        // Also when it is not known whether the commit went through.
        self.forget_user(user.id);
        changed
    }

    /// Tells the organizations of a user what was done to the account; the operator, where
    /// the user is in none.
    pub(crate) async fn audit_user(
        &self,
        tx: &mut Tx,
        user: &User,
        actor: &Actor,
        action: AuditAction,
    ) -> Result<(), StoreError> {
        let memberships = tx.admin().memberships(user.id).await?;
        let mut organizations: Vec<_> = memberships.iter().map(|(o, _)| Some(o.id)).collect();
        if organizations.is_empty() {
            organizations.push(None);
        }
        for organization in organizations {
            let line = self.audit_line(organization, actor, action, user.id);
            tx.insert_audit(&line.entry()).await?;
        }
        Ok(())
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: &Password) -> Result<String, IdentityError> {
        let randomness = &*self.0.randomness;
        self.0.passwords.hash(password, randomness).await
    }
}
