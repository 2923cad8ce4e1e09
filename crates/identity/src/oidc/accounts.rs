//! Whose account it is that a provider vouches for.

use std::sync::Arc;

use futures::FutureExt as _;
use wagate_model::{AuditAction, Email, PlatformRole, User, limits};
use wagate_store::{Lane, StoreError, Tx};

use super::exchange::ExternalPerson;
use super::{OidcError, ProviderConfig};
use crate::config::SignUp;
use crate::people::{NewUser, actor_of};
use crate::service::Identity;

/// Whether addresses of a domain are the provider's to know.
fn knows_domain(config: &ProviderConfig, email: &str) -> bool {
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    let mut allowed = config.allowed_email_domains.iter();
    config.allowed_email_domains.is_empty()
        || allowed.any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(domain))
}

fn not_banned(user: User) -> Result<User, OidcError> {
    match user.banned_at {
        None => Ok(user),
        Some(_) => Err(OidcError::Refused),
    }
}

struct Arrival {
    identity: Identity,
    provider: ProviderConfig,
    person: ExternalPerson,
}

impl Arrival {
    /// The account: of the subject, of the verified address, or a new one.
    async fn find(&self, tx: &mut Tx) -> Result<User, OidcError> {
        let (provider, subject) = (self.provider.id.as_str(), self.person.subject.as_str());
        let mut admin = tx.admin();
        if let Some(user) = admin.user_by_external_account(provider, subject).await? {
            return not_banned(user);
        }
        let email = self.person.email.as_ref();
        let email = email
            .filter(|email| knows_domain(&self.provider, email.as_str()))
            .ok_or(OidcError::Refused)?;
        let user = match tx.admin().user_by_email(email).await? {
            Some(user) => self.take_over(tx, not_banned(user)?).await?,
            None => self.make(tx, email).await?,
        };
        let mut admin = tx.admin();
        admin
            .insert_external_account(provider, subject, user.id, self.identity.now_ms())
            .await?;
        let action = AuditAction::UserProviderLinked;
        let line = self
            .identity
            .audit_line(None, &actor_of(&user), action, user.id);
        tx.insert_audit(&line.with("provider", provider).entry())
            .await?;
        // As it is now.
        tx.admin().user(user.id).await?.ok_or(OidcError::Refused)
    }

    /// The account of an address that the provider has verified.
    async fn take_over(&self, tx: &mut Tx, user: User) -> Result<User, OidcError> {
        if !user.is_email_confirmed {
            // Whoever made the account never showed that the address is theirs: what they know
            // of it must not open it from now on.
            let now_ms = self.identity.now_ms();
            let mut admin = tx.admin();
            admin.forget_proofs(user.id, now_ms).await?;
            admin.clear_totp(user.id, now_ms).await?;
            admin.delete_logins(user.id, None).await?;
        }
        Ok(user)
    }

    async fn make(&self, tx: &mut Tx, email: &Email) -> Result<User, OidcError> {
        let now_ms = self.identity.now_ms();
        let is_open_to_invited = self.identity.config().sign_up != SignUp::Closed;
        let may_be_made = self.provider.creates_accounts
            || (is_open_to_invited && tx.admin().has_invitation(email, now_ms).await?);
        if !may_be_made {
            return Err(OidcError::Refused);
        }
        let name = self.person.name.as_deref().map(str::trim);
        let name = name.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| email.as_str());
        let user = self.identity.new_user(&NewUser {
            email: email.clone(),
            name: name.chars().take(limits::LABEL_CHARS).collect(),
            password: None,
            platform_role: PlatformRole::User,
            is_email_confirmed: true,
            membership: None,
        });
        self.identity
            .insert_user(tx, &user, None, &actor_of(&user))
            .await?;
        Ok(user)
    }
}

impl Identity {
    /// The user of somebody whom a provider vouches for.
    pub(crate) async fn user_of(
        &self,
        provider: &ProviderConfig,
        person: ExternalPerson,
    ) -> Result<User, OidcError> {
        let arrival = Arc::new(Arrival {
            identity: self.clone(),
            provider: provider.clone(),
            person,
        });
        let find = || {
            let arrival = Arc::clone(&arrival);
            self.0.store.write(Lane::SHARED, move |tx| {
                async move { arrival.find(tx).await }.boxed()
            })
        };
        let found = match find().await {
            // The same person, in two windows at the same time: the account is there now.
            Err(OidcError::Store(StoreError::Duplicate(_))) => find().await,
            found => found,
        };
        let user = found?;
        // Logins of the account may have ended.
        self.forget_user(user.id);
        Ok(user)
    }
}
