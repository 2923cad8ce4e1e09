//! Use cases of the operator: everybody's accounts, every organization.

use wagate_model::{Draft, Organization, PlatformRole, User, UserId};

use crate::accounts::error_of;
use crate::caller::Caller;
use crate::error::{Error, Result, What};
use crate::pages::Page;
use crate::service::Core;

/// Which users are wanted.
#[derive(Debug, Clone, Default)]
pub struct UserQuery {
    /// Only those whose address begins so.
    pub email: Option<String>,
    /// Which part of the list.
    pub page: Page,
}

/// A page of users.
#[derive(Debug)]
pub struct ListedUsers {
    /// The users, in the order of their ids.
    pub users: Vec<User>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// What the operator changes about a user.
#[derive(Debug, Clone, Copy)]
pub struct UserChange {
    /// What the user may do beyond organizations.
    pub platform_role: Option<PlatformRole>,
}

/// A user, found by the operator; made by [`Core::open_user`] only.
#[derive(Debug, Clone)]
pub struct UserAccess {
    caller: Caller,
    user: User,
}

impl UserAccess {
    /// Whether it is the operator's own account.
    fn is_own(&self) -> bool {
        self.caller.user_id() == Some(self.user.id)
    }
}

fn operator(caller: &Caller) -> Result<()> {
    if caller.is_super_admin() {
        Ok(())
    } else {
        Err(Error::Forbidden)
    }
}

impl Core {
    /// Finds a user for the operator.
    pub async fn open_user(&self, caller: &Caller, id: &str) -> Result<UserAccess> {
        operator(caller)?;
        let id: UserId = id.parse().map_err(|_| Error::NotFound(What::User))?;
        let user = self.identity.user(id).await;
        Ok(UserAccess {
            user: user.map_err(|error| error_of(error, What::User))?,
            caller: caller.clone(),
        })
    }

    /// Lists users.
    pub async fn list_users(
        &self,
        caller: &Caller,
        query: Draft<UserQuery>,
    ) -> Result<ListedUsers> {
        operator(caller)?;
        let (query, mut faults) = query.open()?;
        let cursors = self.installation_list("users");
        let after: Option<UserId> = cursors.start(&query.page, &mut faults);
        faults.into_result()?;
        let email = query.email.as_deref().unwrap_or_default();
        let page = self.identity.users(after, email, query.page.rows()).await?;
        let last = page.users.last().filter(|_| page.has_more);
        Ok(ListedUsers {
            next_cursor: last.map(|user| cursors.cursor(&user.id)),
            users: page.users,
        })
    }

    /// One user.
    #[must_use]
    pub fn get_user(&self, access: UserAccess) -> User {
        access.user
    }

    /// Changes what a user may do beyond organizations.
    pub async fn update_user(
        &self,
        access: &UserAccess,
        change: Draft<UserChange>,
    ) -> Result<User> {
        let (change, mut faults) = change.open()?;
        let lowers = change.platform_role == Some(PlatformRole::User);
        faults.check(!(access.is_own() && lowers), "platformRole", || {
            "must not be taken from oneself: another operator can".into()
        });
        faults.into_result()?;
        if let Some(role) = change.platform_role {
            let (user, actor) = (&access.user, access.caller.actor());
            let changed = self.identity.set_platform_role(user, role, &actor).await;
            self.tell_of_users([user.id]);
            changed?;
        }
        self.refreshed_user(access).await
    }

    /// Bans a user, whose logins, tokens and sockets end at once.
    pub async fn ban_user(
        &self,
        access: &UserAccess,
        reason: Draft<Option<String>>,
    ) -> Result<User> {
        let (reason, mut faults) = reason.open()?;
        faults.check(!access.is_own(), "user", || {
            "must not be oneself: another operator can".into()
        });
        faults.into_result()?;
        let (user, actor) = (&access.user, access.caller.actor());
        let banned = self.identity.ban_user(user, reason.as_deref(), &actor);
        let banned = banned.await;
        self.tell_of_users([user.id]);
        banned?;
        self.refreshed_user(access).await
    }

    /// Ends a ban.
    pub async fn unban_user(&self, access: &UserAccess) -> Result<User> {
        let (user, actor) = (&access.user, access.caller.actor());
        let done = self.identity.unban_user(user, &actor).await;
        self.tell_of_users([user.id]);
        done?;
        self.refreshed_user(access).await
    }

    /// Makes a link that sets a new password, to hand over.
    pub async fn issue_password_reset(&self, access: &UserAccess) -> Result<String> {
        let (user, actor) = (&access.user, access.caller.actor());
        Ok(self.identity.issue_password_reset(user, &actor).await?)
    }

    /// Switches the second factor off of somebody who lost it.
    pub async fn remove_totp(&self, access: &UserAccess) -> Result<User> {
        let (user, actor) = (&access.user, access.caller.actor());
        self.identity.remove_totp(user, &actor).await?;
        self.refreshed_user(access).await
    }

    /// Every organization, oldest first.
    pub async fn list_all_organizations(&self, caller: &Caller) -> Result<Vec<Organization>> {
        operator(caller)?;
        Ok(self.identity.organizations().await?)
    }

    async fn refreshed_user(&self, access: &UserAccess) -> Result<User> {
        let user = self.identity.user(access.user.id).await;
        user.map_err(|error| error_of(error, What::User))
    }
}
