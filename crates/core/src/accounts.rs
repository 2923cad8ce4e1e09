//! Use cases of people: signing up, signing in, and what they do to their own account.

use std::sync::Arc;

use wagate_cluster::Signal;
use wagate_identity::{
    Client, CurrentLogin, LogIn, NewLogin, Password, Principal, SignUp, SignUpRequest, TotpOffer,
};
use wagate_model::{Draft, Email, Faults, LoginId, OrganizationId, User, UserId};
use wagate_store::LoginRecord;

use crate::caller::Caller;
use crate::error::{Error, Result, What};
use crate::service::Core;

/// What a page that signs people in has to know.
#[derive(Debug, Clone, Copy)]
pub struct LoginOptions {
    /// Who may make an account.
    pub sign_up: SignUp,
    /// Whether a link for a new password comes by mail; else the operator hands it over.
    pub has_mail: bool,
}

/// Somebody who wants an account.
#[derive(Debug, Clone)]
pub struct SignUpForm {
    /// The address.
    pub email: String,
    /// What the person is called.
    pub name: String,
    /// The password.
    pub password: Password,
}

/// Somebody who wants in.
#[derive(Debug, Clone)]
pub struct LogInForm {
    /// The address.
    pub email: String,
    /// The password.
    pub password: Password,
    /// A code of the second factor, or a recovery code.
    pub code: Option<String>,
}

/// A new password in the place of a current one.
#[derive(Debug, Clone)]
pub struct PasswordChange {
    /// The current one.
    pub current: Password,
    /// The new one.
    pub new: Password,
}

/// A new password by a link.
#[derive(Debug, Clone)]
pub struct PasswordReset {
    /// What is in the link.
    pub token: String,
    /// The new one.
    pub password: Password,
}

/// What proves that somebody who is signed in is the person still.
#[derive(Debug, Clone)]
pub struct BothFactors {
    /// The password.
    pub password: Password,
    /// A code of the second factor, or a recovery code.
    pub code: String,
}

/// Reads an address; what is none is a fault.
pub(crate) fn read_email(field: &str, text: &str, faults: &mut Faults) -> Option<Email> {
    text.parse()
        .map_err(|error: wagate_model::EmailError| faults.add(field, error.to_string()))
        .ok()
}

/// The value, where reading it noted no fault.
pub(crate) fn required<T>(value: Option<T>, faults: Faults) -> Result<T> {
    faults.clone().into_result()?;
    value.ok_or(Error::Invalid(faults))
}

/// At the door.
impl Core {
    /// What a page that signs people in has to know.
    #[must_use]
    pub fn login_options(&self) -> LoginOptions {
        let config = self.identity.config();
        LoginOptions {
            sign_up: config.sign_up,
            has_mail: config.mailer.is_some(),
        }
    }

    /// Makes an account where anybody may; does not tell whether the address has one.
    pub async fn sign_up(&self, form: Draft<SignUpForm>, client: &Client) -> Result<()> {
        if self.login_options().sign_up != SignUp::Open {
            return Err(Error::Forbidden);
        }
        let (form, mut faults) = form.open()?;
        let email = read_email("email", &form.email, &mut faults);
        let request = email.map(|email| SignUpRequest {
            email,
            name: form.name,
            password: form.password,
        });
        if let Some(request) = &request {
            faults.extend(request.faults());
        }
        let request = required(request, faults)?;
        Ok(self.identity.sign_up(request, client).await?)
    }

    /// Confirms an address by a link.
    pub async fn confirm_email(&self, token: Draft<String>) -> Result<()> {
        let (token, faults) = token.open()?;
        faults.into_result()?;
        Ok(self.identity.confirm_email(&token).await?)
    }

    /// Signs somebody in.
    pub async fn log_in(&self, form: Draft<LogInForm>, client: &Client) -> Result<NewLogin> {
        let (form, mut faults) = form.open()?;
        let email = read_email("email", &form.email, &mut faults);
        let request = LogIn {
            email: required(email, faults)?,
            password: form.password,
            code: form.code,
        };
        Ok(self.identity.log_in(request, client).await?)
    }

    /// The login of what a browser shows.
    pub async fn current_login(&self, secret: &str) -> Result<CurrentLogin> {
        let found = self.identity.current_login(secret).await?;
        found.ok_or(Error::Unauthorized)
    }

    /// Who calls, by a browser's login.
    #[must_use]
    pub fn caller_of(&self, login: &CurrentLogin) -> Caller {
        Caller::from(Arc::new(Principal::Person(login.principal.clone())))
    }

    /// Mails a link for a new password; does not tell whether there is an account.
    pub async fn request_password_reset(
        &self,
        email: Draft<String>,
        client: &Client,
    ) -> Result<()> {
        let (email, mut faults) = email.open()?;
        let email = read_email("email", &email, &mut faults);
        let email = required(email, faults)?;
        Ok(self.identity.request_password_reset(&email, client).await?)
    }

    /// Sets a new password by a link.
    pub async fn reset_password(&self, reset: Draft<PasswordReset>) -> Result<()> {
        let (reset, faults) = reset.open()?;
        faults.into_result()?;
        let PasswordReset { token, password } = reset;
        let user = self.identity.reset_password(&token, &password).await?;
        self.tell_of_users([user]);
        Ok(())
    }
}

/// Signed in.
impl Core {
    /// Ends the login.
    pub async fn log_out(&self, login: &CurrentLogin) -> Result<()> {
        let (user, id) = (login.user.id, login.record.id);
        let ended = self.identity.end_login(user, id).await;
        self.tell_of_users([user]);
        match ended {
            // The other tab was faster.
            Err(wagate_identity::IdentityError::NotFound) => Ok(()),
            ended => Ok(ended?),
        }
    }

    /// The browsers that a person is signed in with, newest first.
    pub async fn list_logins(&self, login: &CurrentLogin) -> Result<Vec<LoginRecord>> {
        Ok(self.identity.logins(login.user.id).await?)
    }

    /// Signs another browser of the same person out.
    pub async fn end_login(&self, login: &CurrentLogin, id: &str) -> Result<()> {
        const NOT_FOUND: Error = Error::NotFound(What::Login);
        let id: LoginId = id.parse().map_err(|_| NOT_FOUND)?;
        let user = login.user.id;
        let ended = self.identity.end_login(user, id).await;
        self.tell_of_users([user]);
        ended.map_err(|error| error_of(error, What::Login))
    }

    /// Makes another organization of the person the active one.
    pub async fn switch_organization(
        &self,
        login: CurrentLogin,
        organization: Draft<String>,
    ) -> Result<CurrentLogin> {
        const UNKNOWN: &str = "is not an organization of yours";
        let (organization, mut faults) = organization.open()?;
        let id: Option<OrganizationId> = organization.parse().ok();
        faults.check(id.is_some(), "organizationId", || UNKNOWN.into());
        let id = required(id, faults)?;
        match self.identity.switch_organization(login, id).await {
            Err(wagate_identity::IdentityError::NotFound) => {
                Err(Faults::one("organizationId", UNKNOWN).into())
            }
            switched => Ok(switched?),
        }
    }

    /// Gives the person another name.
    pub async fn rename_account(&self, login: &CurrentLogin, name: Draft<String>) -> Result<User> {
        let (name, faults) = name.open()?;
        faults.into_result()?;
        Ok(self.identity.rename_user(&login.user, &name).await?)
    }

    /// Changes the password; other browsers are signed out.
    pub async fn change_password(
        &self,
        login: &CurrentLogin,
        change: Draft<PasswordChange>,
    ) -> Result<()> {
        let (change, faults) = change.open()?;
        faults.into_result()?;
        let PasswordChange { current, new } = change;
        let changed = self.identity.change_password(login, &current, &new).await;
        self.tell_of_users([login.user.id]);
        Ok(changed?)
    }

    /// Offers a second factor.
    pub async fn offer_totp(
        &self,
        login: &CurrentLogin,
        password: Draft<Password>,
    ) -> Result<TotpOffer> {
        let (password, faults) = password.open()?;
        faults.into_result()?;
        Ok(self.identity.offer_totp(login, &password).await?)
    }

    /// Switches the offered second factor on; gives the recovery codes, once.
    pub async fn confirm_totp(
        &self,
        login: &CurrentLogin,
        code: Draft<String>,
    ) -> Result<Vec<String>> {
        let (code, faults) = code.open()?;
        faults.into_result()?;
        Ok(self.identity.confirm_totp(login, &code).await?)
    }

    /// Switches the second factor off.
    pub async fn disable_totp(
        &self,
        login: &CurrentLogin,
        proof: Draft<BothFactors>,
    ) -> Result<()> {
        let (BothFactors { password, code }, faults) = proof.open()?;
        faults.into_result()?;
        Ok(self.identity.disable_totp(login, &password, &code).await?)
    }

    /// Replaces the recovery codes; gives the new ones, once.
    pub async fn renew_recovery_codes(
        &self,
        login: &CurrentLogin,
        proof: Draft<BothFactors>,
    ) -> Result<Vec<String>> {
        let (BothFactors { password, code }, faults) = proof.open()?;
        faults.into_result()?;
        Ok(self
            .identity
            .renew_recovery_codes(login, &password, &code)
            .await?)
    }

    /// Tells every process at once that what users may do has changed; whoever misses it finds
    /// it in the store.
    pub(crate) fn tell_of_users(&self, users: impl IntoIterator<Item = UserId>) {
        for user_id in users {
            self.bus.publish(Signal::UserChanged { user_id });
        }
    }
}

/// A failure of the identity service, where it says what was not found.
pub(crate) fn error_of(error: wagate_identity::IdentityError, what: What) -> Error {
    match error {
        wagate_identity::IdentityError::NotFound => Error::NotFound(what),
        error => error.into(),
    }
}
