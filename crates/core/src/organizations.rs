//! Use cases of organizations: their members, invitations and API keys.

use wagate_cluster::Signal;
use wagate_identity::{Client, IdentityError};
use wagate_identity::{
    CreatedApiKey, CurrentLogin, InvitationPreview, IssuedInvitation, NewAccount, NewApiKey,
    NewInvitation, NewLogin, Password,
};
use wagate_model::{
    Actor, ApiKey, ApiKeyId, Capabilities, Capability, Draft, Faults, Invitation, InvitationId,
    Member, Organization, OrganizationId, PersonPrincipal, Role, SessionId, Subject, UserId,
};

use crate::accounts::{error_of, read_email, required};
use crate::caller::Caller;
use crate::error::{Error, Result, What};
use crate::service::Core;

/// An organization that exists and that a person reaches; made by
/// [`Core::open_organization`] only.
#[derive(Debug, Clone)]
pub struct OrganizationAccess {
    caller: Caller,
    organization: Organization,
    role: Role,
}

impl OrganizationAccess {
    /// The organization.
    #[must_use]
    pub const fn organization(&self) -> &Organization {
        &self.organization
    }

    /// What the person is there; the operator is as an owner everywhere.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// `Ok` when the person is at least something.
    pub fn require(&self, role: Role) -> Result<()> {
        if self.role >= role {
            Ok(())
        } else {
            Err(Error::Forbidden)
        }
    }

    const fn id(&self) -> OrganizationId {
        self.organization.id
    }

    fn actor(&self) -> Actor {
        self.caller.actor()
    }
}

/// Whom to invite.
#[derive(Debug, Clone)]
pub struct InvitationForm {
    /// The address.
    pub email: String,
    /// As what; a member where absent.
    pub role: Option<Role>,
    /// For how long, in hours.
    pub hours: Option<i64>,
}

/// Accepting an invitation.
#[derive(Debug, Clone)]
pub struct AcceptanceForm {
    /// What is in the link.
    pub token: String,
    /// What the person is called, for a new account.
    pub name: Option<String>,
    /// The password, for a new account.
    pub password: Option<Password>,
}

/// What accepting an invitation led to.
#[derive(Debug)]
pub enum Acceptance {
    /// Somebody who was signed in joined.
    Joined(Organization),
    /// A new account was made, joined, and is signed in.
    SignedIn(Organization, Box<NewLogin>),
}

/// What a new key shall be.
#[derive(Debug, Clone)]
pub struct ApiKeyForm {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub permissions: Vec<Capability>,
    /// When it stops working, in milliseconds since 1970.
    pub expires_at: Option<i64>,
    /// The only sessions that it may touch.
    pub session_ids: Option<Vec<String>>,
}

/// Organizations.
impl Core {
    /// Finds an organization for a person: its members reach it, and the operator does.
    pub async fn open_organization(&self, caller: &Caller, id: &str) -> Result<OrganizationAccess> {
        const NOT_FOUND: Error = Error::NotFound(What::Organization);
        let person = caller.person().ok_or(Error::Forbidden)?;
        let id: OrganizationId = id.parse().map_err(|_| NOT_FOUND)?;
        let organization = self.identity.organization(id).await;
        let organization = organization.map_err(|e| error_of(e, What::Organization))?;
        let role = if person.is_super_admin() {
            Some(Role::Owner)
        } else {
            self.role_of(person, id).await?
        };
        Ok(OrganizationAccess {
            caller: caller.clone(),
            organization,
            role: role.ok_or(NOT_FOUND)?,
        })
    }

    async fn role_of(&self, person: &PersonPrincipal, id: OrganizationId) -> Result<Option<Role>> {
        match &person.subject {
            Subject::User { user_id, .. } => Ok(self.identity.role_in(id, *user_id).await?),
            Subject::Foreign { .. } => {
                Ok(person.role.filter(|_| person.organization_id == Some(id)))
            }
        }
    }

    /// The organizations of somebody who is signed in, with the role there.
    #[must_use]
    pub fn list_organizations(&self, login: &CurrentLogin) -> Vec<(Organization, Role)> {
        login.memberships.clone()
    }

    /// Makes an organization, whose owner the person is.
    pub async fn create_organization(
        &self,
        login: &CurrentLogin,
        name: Draft<String>,
    ) -> Result<Organization> {
        let (name, faults) = name.open()?;
        faults.into_result()?;
        let made = self.identity.found_organization(&name, &login.user).await?;
        self.tell_of_users([login.user.id]);
        Ok(made)
    }

    /// Gives an organization another name.
    pub async fn update_organization(
        &self,
        access: &OrganizationAccess,
        name: Draft<String>,
    ) -> Result<Organization> {
        let (name, faults) = name.open()?;
        faults.into_result()?;
        let (id, actor) = (access.id(), access.actor());
        let renamed = self.identity.rename_organization(id, &name, &actor).await;
        renamed.map_err(|error| error_of(error, What::Organization))
    }
}

/// The end of an organization.
impl Core {
    /// Deletes an organization with its data.
    pub async fn delete_organization(&self, access: &OrganizationAccess) -> Result<()> {
        self.end_organization(access.id(), &access.actor()).await
    }
}

/// Members.
impl Core {
    /// The members of an organization.
    pub async fn list_members(&self, access: &OrganizationAccess) -> Result<Vec<Member>> {
        Ok(self.identity.members(access.id()).await?)
    }

    /// Gives a member another role.
    pub async fn update_member(
        &self,
        access: &OrganizationAccess,
        user: &str,
        role: Draft<Role>,
    ) -> Result<Member> {
        let user = member_id(user)?;
        // Whom it is about is told before what is wrong with the request, as everywhere.
        let found = self.identity.role_in(access.id(), user).await?;
        found.ok_or(Error::NotFound(What::Member))?;
        let (role, faults) = role.open()?;
        faults.into_result()?;
        let (actor, id) = (access.actor(), access.id());
        let by = (&actor, access.role());
        let changed = self.identity.set_member_role(id, user, role, by).await;
        self.tell_of_users([user]);
        changed.map_err(|error| error_of(error, What::Member))
    }

    /// Removes a member.
    pub async fn remove_member(&self, access: &OrganizationAccess, user: &str) -> Result<()> {
        let user = member_id(user)?;
        let (actor, id) = (access.actor(), access.id());
        let by = (&actor, access.role());
        let removed = self.identity.remove_member(id, user, by).await;
        self.tell_of_users([user]);
        removed.map_err(|error| error_of(error, What::Member))
    }

    /// Leaves an organization.
    pub async fn leave_organization(&self, access: &OrganizationAccess) -> Result<()> {
        let user = access.caller.user_id().ok_or(Error::Forbidden)?;
        let (actor, id) = (access.actor(), access.id());
        let left = self.identity.leave_organization(id, user, &actor).await;
        self.tell_of_users([user]);
        left.map_err(|error| error_of(error, What::Member))
    }

    /// Makes another member the owner in the person's place.
    pub async fn transfer_ownership(
        &self,
        access: &OrganizationAccess,
        to: Draft<String>,
    ) -> Result<()> {
        const UNKNOWN: &str = "is not a member of the organization";
        let from = access.caller.user_id().ok_or(Error::Forbidden)?;
        let (to, mut faults) = to.open()?;
        let to: Option<UserId> = to.parse().ok();
        faults.check(to.is_some(), "userId", || UNKNOWN.into());
        let to = required(to, faults)?;
        let (actor, id) = (access.actor(), access.id());
        let done = self.identity.transfer_ownership(id, from, to, &actor).await;
        self.tell_of_users([from, to]);
        match done {
            Err(IdentityError::NotFound) => Err(Faults::one("userId", UNKNOWN).into()),
            done => Ok(done?),
        }
    }
}

fn member_id(text: &str) -> Result<UserId> {
    text.parse().map_err(|_| Error::NotFound(What::Member))
}

/// Invitations.
impl Core {
    /// The invitations that can be accepted.
    pub async fn list_invitations(&self, access: &OrganizationAccess) -> Result<Vec<Invitation>> {
        Ok(self.identity.invitations(access.id()).await?)
    }

    /// Invites somebody.
    pub async fn create_invitation(
        &self,
        access: &OrganizationAccess,
        form: Draft<InvitationForm>,
    ) -> Result<IssuedInvitation> {
        let (form, mut faults) = form.open()?;
        let email = read_email("email", &form.email, &mut faults);
        let new = email.map(|email| NewInvitation {
            email,
            role: form.role.unwrap_or(Role::Member),
            hours: form.hours,
        });
        if let Some(new) = &new {
            faults.extend(new.faults());
        }
        let new = required(new, faults)?;
        let actor = access.actor();
        let by = (&actor, access.role());
        Ok(self.identity.invite(access.organization(), new, by).await?)
    }

    /// Takes an invitation back.
    pub async fn revoke_invitation(&self, access: &OrganizationAccess, id: &str) -> Result<()> {
        const NOT_FOUND: Error = Error::NotFound(What::Invitation);
        let id: InvitationId = id.parse().map_err(|_| NOT_FOUND)?;
        let actor = access.actor();
        let revoked = self.identity.revoke_invitation(access.id(), id, &actor);
        revoked
            .await
            .map_err(|error| error_of(error, What::Invitation))
    }

    /// What the invitation of a link is about.
    pub async fn preview_invitation(&self, token: Draft<String>) -> Result<InvitationPreview> {
        let (token, faults) = token.open()?;
        faults.into_result()?;
        Ok(self.identity.preview_invitation(&token).await?)
    }

    /// Accepts an invitation: as who is signed in, else with a new account.
    pub async fn accept_invitation(
        &self,
        login: Option<&CurrentLogin>,
        form: Draft<AcceptanceForm>,
        client: &Client,
    ) -> Result<Acceptance> {
        let (form, mut faults) = form.open()?;
        if let Some(login) = login {
            faults.into_result()?;
            let joined = self.identity.accept_invitation(&form.token, login).await?;
            self.tell_of_users([login.user.id]);
            return Ok(Acceptance::Joined(joined));
        }
        let required_of_new = "is required, unless you are signed in";
        faults.check(form.name.is_some(), "name", || required_of_new.into());
        faults.check(form.password.is_some(), "password", || {
            required_of_new.into()
        });
        let account = form.name.zip(form.password);
        let (name, password) = required(account, faults)?;
        let account = NewAccount { name, password };
        let (user, organization) = self
            .identity
            .accept_invitation_anew(&form.token, account)
            .await?;
        let login = self.identity.begin_login(&user, client).await?;
        Ok(Acceptance::SignedIn(organization, Box::new(login)))
    }
}

/// Reads the ids of sessions; a text that is none names no session of the organization.
fn read_ids(texts: &[String], faults: &mut Faults) -> Vec<SessionId> {
    let mut ids = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(id) => ids.push(id),
            Err(_) => faults.add(
                format!("sessionIds[{index}]"),
                "is not a session of the organization",
            ),
        }
    }
    ids
}

/// API keys.
impl Core {
    /// The keys of an organization, oldest first, without their secrets.
    pub async fn list_api_keys(&self, access: &OrganizationAccess) -> Result<Vec<ApiKey>> {
        Ok(self.identity.api_keys(access.id()).await?)
    }

    /// Makes a key; its secret is in the answer and nowhere else.
    pub async fn create_api_key(
        &self,
        access: &OrganizationAccess,
        form: Draft<ApiKeyForm>,
    ) -> Result<CreatedApiKey> {
        let (form, mut faults) = form.open()?;
        let mut unreadable = Faults::new();
        let ids = form.session_ids.map(|ids| read_ids(&ids, &mut unreadable));
        // A list that names something else is not too short besides.
        let ids = ids.filter(|_| unreadable.is_empty());
        faults.extend(unreadable);
        let new = NewApiKey {
            name: form.name,
            capabilities: form.permissions.into_iter().collect::<Capabilities>(),
            session_ids: ids,
            expires_at: form.expires_at,
        };
        faults.extend(new.faults(self.clock.now_ms()));
        faults.into_result()?;
        let made = self
            .identity
            .create_api_key(access.id(), new, &access.actor())
            .await;
        made.map_err(|error| error_of(error, What::Organization))
    }

    /// Makes a key useless at once, everywhere.
    pub async fn revoke_api_key(&self, access: &OrganizationAccess, id: &str) -> Result<()> {
        const NOT_FOUND: Error = Error::NotFound(What::ApiKey);
        let key_id: ApiKeyId = id.parse().map_err(|_| NOT_FOUND)?;
        let revoked = self
            .identity
            .revoke_api_key(access.id(), key_id, &access.actor())
            .await;
        // Also when it is not known whether the commit went through; but not of a key that is
        // another organization's: whoever hears it ends the key's sockets.
        if !matches!(revoked, Err(IdentityError::NotFound)) {
            self.bus.publish(Signal::KeyRevoked { key_id });
        }
        revoked.map_err(|error| error_of(error, What::ApiKey))
    }
}
