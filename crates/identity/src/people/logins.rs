//! Signing in, and the browsers that are signed in.

use std::net::IpAddr;

use futures::FutureExt as _;
use wagate_model::{
    Actor, AuditAction, Email, Faults, LoginId, Organization, OrganizationId, PersonPrincipal,
    PlatformRole, Role, Subject, User, UserId,
};
use wagate_store::{Lane, LoginRecord, Tx, UserSecrets};

use super::account::actor_of;
use super::passwords::Password;
use super::throttle::Counter;
use crate::error::{IdentityError, Refusal};
use crate::secrets::{OneTimeSecret, hash_of};
use crate::service::Identity;

/// How often a login's use is noted, in milliseconds.
const NOTED_EVERY_MS: i64 = 3_600_000;

const DAY_MS: i64 = 24 * 3_600_000;

/// Longest name of a browser that is kept, in characters.
const AGENT_CHARS: usize = 200;

/// Where a person comes from.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The address, where it is known.
    pub address: Option<IpAddr>,
    /// What the browser says that it is.
    pub user_agent: Option<String>,
}

impl Client {
    /// What failures are counted for.
    pub(crate) fn counters(&self, purpose: &str, account: &str) -> Vec<Counter> {
        let of_address = self.address.map(Counter::of_address);
        let of_account = Counter::of_account(purpose, account);
        std::iter::once(of_account).chain(of_address).collect()
    }
}

/// What somebody signs in with.
#[derive(Debug, Clone)]
pub struct LogIn {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
    /// A code of the second factor, or a recovery code.
    pub code: Option<String>,
}

/// A login just made; the only time that its secret is known.
#[derive(Debug)]
pub struct NewLogin {
    /// What the browser shows from now on.
    pub secret: OneTimeSecret,
    /// The login.
    pub current: CurrentLogin,
}

/// The login of a browser, with who it is and what the person may do.
#[derive(Debug, Clone)]
pub struct CurrentLogin {
    /// The login.
    pub record: LoginRecord,
    /// Who.
    pub user: User,
    /// The organizations that the person is in.
    pub memberships: Vec<(Organization, Role)>,
    /// What the person may do in the active organization, and beyond.
    pub principal: PersonPrincipal,
}

/// The login with everything about it, as a transaction sees it.
async fn describe(tx: &mut Tx, record: LoginRecord) -> Result<Option<CurrentLogin>, IdentityError> {
    let Some(user) = tx.admin().user(record.user_id).await? else {
        return Ok(None);
    };
    let memberships = tx.admin().memberships(user.id).await?;
    let active = record.active_organization_id;
    let membership = memberships.iter().find(|(o, _)| Some(o.id) == active);
    let role = membership.map(|(_, role)| *role);
    let organization_id = match (active, role) {
        (Some(id), Some(_)) => Some(id),
        (Some(id), None) if user.platform_role == PlatformRole::SuperAdmin => tx
            .organization(id)
            .await?
            .map(|organization| organization.id),
        _ => None,
    };
    let principal = PersonPrincipal {
        subject: Subject::User {
            user_id: user.id,
            login_id: record.id,
        },
        name: user.name.clone(),
        organization_id,
        role,
        platform_role: user.platform_role,
    };
    Ok(Some(CurrentLogin {
        record,
        user,
        memberships,
        principal,
    }))
}

impl CurrentLogin {
    /// The person as the audit log names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        actor_of(&self.user)
    }
}

/// Signing in.
impl Identity {
    /// Signs somebody in by password, and a code where the account has a second factor.
    pub async fn log_in(&self, request: LogIn, client: &Client) -> Result<NewLogin, IdentityError> {
        let counters = client.counters("login", request.email.as_str());
        self.charge(counters.clone()).await?;
        let checked = self.check_log_in(&request).await;
        let outcome = match &checked {
            Ok(_) => "signed_in",
            Err(IdentityError::Refused(Refusal::SecondFactorRequired)) => "second_factor_required",
            Err(IdentityError::Refused(_)) => "refused",
            Err(_) => "failed",
        };
        metrics::counter!("wagate_logins_total", "outcome" => outcome).increment(1);
        match &checked {
            Ok(_) => self.refund(counters).await?,
            Err(IdentityError::Refused(Refusal::WrongCredentials | Refusal::WrongSecondFactor)) => {
            }
            // No guess: a code is missing, or what is wrong is on our side.
            Err(_) => self.discount(counters).await?,
        }
        self.begin_login(&checked?, client).await
    }

    async fn check_log_in(&self, request: &LogIn) -> Result<User, IdentityError> {
        const WRONG: IdentityError = IdentityError::Refused(Refusal::WrongCredentials);
        let (user, secrets) = {
            let mut tx = self.0.store.read().await?;
            let mut admin = tx.admin();
            match admin.user_by_email(&request.email).await? {
                None => (None, None),
                Some(user) => {
                    let secrets = admin.user_secrets(user.id).await?;
                    (Some(user), secrets)
                }
            }
        };
        let hash = secrets.as_ref().and_then(|s| s.password_hash.clone());
        let verdict = self.0.passwords.verify(&request.password, hash).await?;
        let (user, secrets) = match (user, secrets) {
            (Some(user), Some(secrets)) if verdict.is_right => (user, secrets),
            _ => return Err(WRONG),
        };
        let may_sign_in =
            user.banned_at.is_none() && (user.is_email_confirmed || self.0.config.mailer.is_none());
        if !may_sign_in {
            return Err(WRONG);
        }
        self.check_second_factor(&user, &secrets, request.code.as_deref())
            .await?;
        if verdict.is_outdated {
            self.rehash(&user, &secrets, &request.password).await?;
        }
        Ok(user)
    }

    /// Stores the hash of a password that was made at another cost anew.
    async fn rehash(
        &self,
        user: &User,
        secrets: &UserSecrets,
        password: &Password,
    ) -> Result<(), IdentityError> {
        let Some(from) = secrets.password_hash.clone() else {
            return Ok(());
        };
        let (id, to) = (user.id, self.hash(password).await?);
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                async move { Ok(tx.admin().rehash_password(id, &from, &to).await?) }.boxed()
            })
            .await
    }

    /// Signs a user in whom something else vouches for: a password that was checked, or another
    /// provider. Nobody is signed in who is banned.
    pub async fn begin_login(
        &self,
        user: &User,
        client: &Client,
    ) -> Result<NewLogin, IdentityError> {
        let secret = OneTimeSecret::draw(&*self.0.randomness);
        let (time, random) = self.ulid_parts();
        let (now_ms, hash, id) = (self.now_ms(), secret.hash(), user.id);
        let agent = client.user_agent.as_deref();
        let mut record = LoginRecord {
            id: LoginId::from_parts(time, random),
            user_id: id,
            active_organization_id: None,
            user_agent: agent.map(|agent| agent.chars().take(AGENT_CHARS).collect()),
            created_at: now_ms,
            last_used_at: now_ms,
            expires_at: now_ms + self.login_ms(),
        };
        let current = self
            .0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    const WRONG: IdentityError = IdentityError::Refused(Refusal::WrongCredentials);
                    let user = tx.admin().user(id).await?.ok_or(WRONG)?;
                    if user.banned_at.is_some() {
                        return Err(WRONG);
                    }
                    record.active_organization_id = preferred(tx, id, now_ms).await?;
                    tx.admin().insert_login(&record, &hash).await?;
                    describe(tx, record).await?.ok_or(WRONG)
                }
                .boxed()
            })
            .await?;
        Ok(NewLogin { secret, current })
    }

    fn login_ms(&self) -> i64 {
        i64::from(self.0.config.login_days) * DAY_MS
    }
}

/// The organization that a person used last, else the first one.
async fn preferred(
    tx: &mut Tx,
    user: UserId,
    now_ms: i64,
) -> Result<Option<OrganizationId>, IdentityError> {
    let memberships = tx.admin().memberships(user).await?;
    let is_member = |id: &OrganizationId| memberships.iter().any(|(o, _)| o.id == *id);
    let logins = tx.admin().logins(user, now_ms).await?;
    let last = logins.iter().find_map(|login| login.active_organization_id);
    Ok(last
        .filter(is_member)
        .or_else(|| memberships.first().map(|(o, _)| o.id)))
}

/// Browsers that are signed in.
impl Identity {
    /// The login of what a browser shows; nobody's where it is of another installation, has
    /// ended, or its user is banned.
    pub async fn current_login(&self, secret: &str) -> Result<Option<CurrentLogin>, IdentityError> {
        let now_ms = self.now_ms();
        let mut tx = self.0.store.read().await?;
        let found = tx.admin().login_by_hash(&hash_of(secret), now_ms).await?;
        let Some(record) = found else {
            return Ok(None);
        };
        let current = describe(&mut tx, record).await?;
        drop(tx);
        if let Some(login) = &current
            && now_ms - login.record.last_used_at >= NOTED_EVERY_MS
        {
            self.note_use(login.record.id, now_ms).await?;
        }
        Ok(current)
    }

    async fn note_use(&self, id: LoginId, now_ms: i64) -> Result<(), IdentityError> {
        let until = now_ms + self.login_ms();
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                async move { Ok(tx.admin().touch_login(id, now_ms, until).await?) }.boxed()
            })
            .await
    }

    /// The logins of a user, newest first.
    pub async fn logins(&self, user: UserId) -> Result<Vec<LoginRecord>, IdentityError> {
        let now_ms = self.now_ms();
        let mut tx = self.0.store.read().await?;
        Ok(tx.admin().logins(user, now_ms).await?)
    }

    /// Ends a login of a user; tokens made from it end with it.
    pub async fn end_login(&self, user: UserId, id: LoginId) -> Result<(), IdentityError> {
        let was_there = self
            .0
            .store
            .write::<_, IdentityError, _>(Lane::SHARED, move |tx| {
                async move { Ok(tx.admin().delete_login(user, id).await?) }.boxed()
            })
            .await;
        self.forget_user(user);
        if was_there? {
            Ok(())
        } else {
            Err(IdentityError::NotFound)
        }
    }

    /// Makes an organization that the person is in the active one; the operator's may be any.
    pub async fn switch_organization(
        &self,
        login: CurrentLogin,
        organization: OrganizationId,
    ) -> Result<CurrentLogin, IdentityError> {
        let (user, id) = (login.user.id, login.record.id);
        let switched = self
            .0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    let mut record = login.record;
                    let is_operator = login.principal.is_super_admin();
                    let is_there = tx.organization(organization).await?.is_some();
                    let is_member = tx.member(organization, user).await?.is_some();
                    if !is_there || !(is_member || is_operator) {
                        return Err(IdentityError::NotFound);
                    }
                    tx.admin()
                        .activate_organization(id, Some(organization))
                        .await?;
                    record.active_organization_id = Some(organization);
                    let described = describe(tx, record).await?;
                    described.ok_or(IdentityError::NotFound)
                }
                .boxed()
            })
            .await;
        self.forget_user(user);
        switched
    }

    /// Checks the password of somebody who is signed in, as slowly as at the door.
    pub(crate) async fn confirm_password(
        &self,
        user: &User,
        field: &str,
        password: &Password,
    ) -> Result<UserSecrets, IdentityError> {
        let counters = vec![Counter::of_account("login", user.email.as_str())];
        self.charge(counters.clone()).await?;
        let secrets = {
            let mut tx = self.0.store.read().await?;
            let secrets = tx.admin().user_secrets(user.id).await?;
            secrets.ok_or(IdentityError::NotFound)?
        };
        let hash = secrets.password_hash.clone();
        if !self.0.passwords.verify(password, hash).await?.is_right {
            let fault = Faults::one(field, "is not the account's password");
            return Err(IdentityError::Invalid(fault));
        }
        self.refund(counters).await?;
        Ok(secrets)
    }

    /// Changes a password; other browsers are signed out, and links for a new one are void.
    pub async fn change_password(
        &self,
        login: &CurrentLogin,
        current: &Password,
        new: &Password,
    ) -> Result<(), IdentityError> {
        let user = &login.user;
        let mut faults = Faults::new();
        let others = [user.email.as_str(), user.name.as_str()];
        new.check("newPassword", &others, &mut faults);
        faults.into_result().map_err(IdentityError::Invalid)?;
        let secrets = self
            .confirm_password(user, "currentPassword", current)
            .await?;
        let hash = self.hash(new).await?;
        let (id, kept, actor) = (user.id, login.record.id, login.actor());
        let action = AuditAction::UserPasswordChanged;
        self.change_user(user, &actor, action, |now_ms| {
            move |tx: &mut Tx| {
                async move {
                    let mut admin = tx.admin();
                    // Two tabs at once: the second one's current password is not it any more.
                    let stored = admin.user_secrets(id).await?;
                    if stored.and_then(|stored| stored.password_hash) != secrets.password_hash {
                        let fault = Faults::one("currentPassword", "was changed meanwhile");
                        return Err(IdentityError::Invalid(fault));
                    }
                    admin.set_password(id, &hash, false, now_ms).await?;
                    admin.delete_logins(id, Some(kept)).await?;
                    admin
                        .drop_links(id, wagate_store::LinkPurpose::PasswordReset)
                        .await?;
                    Ok(true)
                }
                .boxed()
            }
        })
        .await
    }
}
