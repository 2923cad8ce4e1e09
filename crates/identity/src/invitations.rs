//! Inviting people into organizations.

use futures::FutureExt as _;
use wagate_model::{
    Actor, AuditAction, Email, Faults, Invitation, InvitationId, Organization, OrganizationId,
    PlatformRole, Role, User,
};
use wagate_store::{Lane, StoreError};

use crate::config::SignUp;
use crate::error::{IdentityError, Refusal};
use crate::mail::Mail;
use crate::people::{CurrentLogin, NewUser, Password, actor_of, void_link};
use crate::secrets::{OneTimeSecret, hash_of};
use crate::service::Identity;

const HOUR_MS: i64 = 3_600_000;

/// Longest time that an invitation can be accepted, in hours.
pub(crate) const MAX_HOURS: i64 = 30 * 24;

/// How long an invitation can be accepted unless its maker says otherwise, in hours.
pub(crate) const DEFAULT_HOURS: i64 = 7 * 24;

/// Invitations of an organization that may wait at the same time.
const MAX_WAITING: usize = 500;

/// Who shall be invited.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Whom.
    pub email: Email,
    /// As what.
    pub role: Role,
    /// For how long, in hours; a week where absent.
    pub hours: Option<i64>,
}

impl NewInvitation {
    /// What is wrong with it.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let is_fine = self.hours.is_none_or(|h| (1..=MAX_HOURS).contains(&h));
        faults.check(is_fine, "expiresInHours", || {
            format!("must be between 1 and {MAX_HOURS}")
        });
        faults
    }
}

/// An invitation just made.
#[derive(Debug)]
pub struct IssuedInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// The link to hand over, shown once; absent where it went out by mail, which proves that
    /// whoever opens it has the address.
    pub link: Option<String>,
}

/// What an invitation is about, for whoever has its link.
#[derive(Debug)]
pub struct InvitationPreview {
    /// The invitation.
    pub invitation: Invitation,
    /// The organization.
    pub organization: Organization,
}

/// How somebody who is not signed in accepts: with a new account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// What the person is called.
    pub name: String,
    /// The password.
    pub password: Password,
}

impl Identity {
    /// Invites somebody; an earlier invitation of the address is void. Only owners invite owners.
    pub async fn invite(
        &self,
        organization: &Organization,
        new: NewInvitation,
        by: (&Actor, Role),
    ) -> Result<IssuedInvitation, IdentityError> {
        let (actor, own_role) = by;
        new.faults().into_result().map_err(IdentityError::Invalid)?;
        if new.role == Role::Owner && own_role != Role::Owner {
            return Err(IdentityError::Refused(Refusal::OwnersOnly));
        }
        let secret = OneTimeSecret::draw(&*self.0.randomness);
        let (time, random) = self.ulid_parts();
        let now_ms = self.now_ms();
        let invitation = Invitation {
            id: InvitationId::from_parts(time, random),
            organization_id: organization.id,
            email: new.email,
            role: new.role,
            invited_by: actor.name.clone(),
            created_at: now_ms,
            expires_at: now_ms + new.hours.unwrap_or(DEFAULT_HOURS) * HOUR_MS,
        };
        let (row, hash) = (invitation.clone(), secret.hash());
        let action = AuditAction::InvitationCreated;
        let line = self.audit_line(Some(organization.id), actor, action, row.id);
        self.0
            .store
            .write(organization.id, move |tx| {
                async move {
                    let id = row.organization_id;
                    let held = tx.organization_for_update(id).await?;
                    held.ok_or(IdentityError::NotFound)?;
                    let members = tx.members(id).await?;
                    if members.iter().any(|member| member.email == row.email) {
                        return Err(IdentityError::Refused(Refusal::AlreadyMember));
                    }
                    if tx.invitations(id, now_ms).await?.len() >= MAX_WAITING {
                        return Err(IdentityError::Refused(Refusal::LimitReached));
                    }
                    tx.put_invitation(id, &row, &hash).await?;
                    let line = line.with("role", row.role.as_str());
                    tx.insert_audit(&line.entry()).await?;
                    Ok(())
                }
                .boxed()
            })
            .await?;
        let url = self.link("invitation", &secret);
        let is_mailed = self.0.config.mailer.is_some();
        if is_mailed {
            self.send_mail(invitation_mail(&invitation, &organization.name, &url));
        }
        Ok(IssuedInvitation {
            invitation,
            link: (!is_mailed).then_some(url),
        })
    }

    /// The invitations of an organization that can be accepted, oldest first.
    pub async fn invitations(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<Invitation>, IdentityError> {
        let now_ms = self.now_ms();
        let mut tx = self.0.store.read().await?;
        Ok(tx.invitations(organization, now_ms).await?)
    }

    /// Takes an invitation back.
    pub async fn revoke_invitation(
        &self,
        organization: OrganizationId,
        id: InvitationId,
        actor: &Actor,
    ) -> Result<(), IdentityError> {
        let action = AuditAction::InvitationRevoked;
        let line = self.audit_line(Some(organization), actor, action, id);
        self.0
            .store
            .write(organization, move |tx| {
                async move {
                    let found = tx.delete_invitation(organization, id).await?;
                    found.ok_or(IdentityError::NotFound)?;
                    tx.insert_audit(&line.entry()).await?;
                    Ok(())
                }
                .boxed()
            })
            .await
    }

    /// What the invitation of a link is about.
    pub async fn preview_invitation(
        &self,
        token: &str,
    ) -> Result<InvitationPreview, IdentityError> {
        let now_ms = self.now_ms();
        let mut tx = self.0.store.read().await?;
        let hash = hash_of(token);
        let found = tx.admin().invitation_by_token(&hash, now_ms).await?;
        let invitation = found.ok_or_else(void_link)?;
        let organization = tx.organization(invitation.organization_id).await?;
        Ok(InvitationPreview {
            invitation,
            organization: organization.ok_or_else(void_link)?,
        })
    }

    /// Accepts an invitation as somebody who is signed in, and whose address it is for.
    pub async fn accept_invitation(
        &self,
        token: &str,
        login: &CurrentLogin,
    ) -> Result<Organization, IdentityError> {
        let preview = self.preview_invitation(token).await?;
        if preview.invitation.email != login.user.email {
            // Whoever passes a link on does not pass the place on.
            return Err(void_link());
        }
        self.redeem(token, &login.user, None).await?;
        Ok(preview.organization)
    }

    /// Accepts an invitation with a new account, where invited people may make one.
    pub async fn accept_invitation_anew(
        &self,
        token: &str,
        account: NewAccount,
    ) -> Result<(User, Organization), IdentityError> {
        let preview = self.preview_invitation(token).await?;
        let new = NewUser {
            email: preview.invitation.email,
            name: account.name,
            password: Some(account.password),
            platform_role: PlatformRole::User,
            // By mail, the link has proved the address; by hand, it has proved nothing.
            is_email_confirmed: self.0.config.mailer.is_some(),
            membership: None,
        };
        new.faults().into_result().map_err(IdentityError::Invalid)?;
        if self.0.config.sign_up == SignUp::Closed {
            return Err(IdentityError::Refused(Refusal::SignUpClosed));
        }
        let password_hash = match &new.password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let user = self.new_user(&new);
        match self.redeem(token, &user, password_hash).await {
            Err(IdentityError::Store(StoreError::Duplicate(_))) => {
                Err(IdentityError::Refused(Refusal::SignInFirst))
            }
            done => done.map(|()| (user, preview.organization)),
        }
    }

    /// Uses an invitation up: the user, made now where a password comes along, becomes a member.
    async fn redeem(
        &self,
        token: &str,
        user: &User,
        password_hash: Option<String>,
    ) -> Result<(), IdentityError> {
        let (identity, row, now_ms) = (self.clone(), user.clone(), self.now_ms());
        let hash = hash_of(token);
        let done = self
            .0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    let found = tx.admin().invitation_by_token(&hash, now_ms).await?;
                    let found = found.ok_or_else(void_link)?;
                    let organization = found.organization_id;
                    // Held before it is deleted: of two who come at once, one gets it.
                    let held = tx.organization_for_update(organization).await?;
                    held.ok_or_else(void_link)?;
                    let deleted = tx.delete_invitation(organization, found.id).await?;
                    deleted.ok_or_else(void_link)?;
                    let actor = actor_of(&row);
                    if password_hash.is_some() {
                        let hash = password_hash.as_deref();
                        identity.insert_user(tx, &row, hash, &actor).await?;
                    }
                    identity
                        .join(tx, organization, &row, found.role, &actor)
                        .await
                }
                .boxed()
            })
            .await;
        self.forget_user(user.id);
        done
    }
}

fn invitation_mail(invitation: &Invitation, organization: &str, link: &str) -> Mail {
    let inviter = &invitation.invited_by;
    Mail {
        to: invitation.email.clone(),
        subject: format!("{inviter} invites you to {organization}"),
        text: format!(
            "{inviter} invites you to {organization}.\n\nTo accept, open this link:\n\n{link}\n"
        ),
    }
}
