//! Whose account it is that a provider vouches for.

use futures::FutureExt as _;
use wagate_model::{PlatformRole, User, UserId, limits};
use wagate_store::{Lane, StoreError, Tx};

use super::exchange::ExternalPerson;
use super::{OidcError, ProviderConfig};
use crate::config::SignUp;
use crate::service::Identity;

/// Whether addresses of a domain are the provider's to know.
fn knows_domain(config: &ProviderConfig, email: &str) -> bool {
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    let mut allowed = config.allowed_email_domains.iter();
    config.allowed_email_domains.is_empty()
        || allowed.any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(domain))
}

struct Newcomer {
    person: ExternalPerson,
    id: UserId,
    provider: ProviderConfig,
    sign_up: SignUp,
    now_ms: i64,
}

impl Newcomer {
    /// The account, found, linked or made.
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
        let user = match admin.user_by_email(email).await? {
            Some(user) => {
                let user = not_banned(user)?;
                if !user.is_email_confirmed {
                    // Whoever made the account never showed that the address is theirs: what
                    // they know of it must not open it from now on.
                    admin.forget_proofs(user.id, self.now_ms).await?;
                    admin.clear_totp(user.id, self.now_ms).await?;
                    admin.delete_logins(user.id, None).await?;
                }
                user.id
            }
            None => {
                let is_invited = admin.has_invitation(email, self.now_ms).await?;
                let may_be_made = self.provider.creates_accounts
                    || (is_invited && self.sign_up != SignUp::Closed);
                if !may_be_made {
                    return Err(OidcError::Refused);
                }
                let name = self.person.name.as_deref().map(str::trim);
                let name = name.filter(|name| !name.is_empty());
                let name = name.unwrap_or_else(|| email.as_str());
                let user = User {
                    id: self.id,
                    email: email.clone(),
                    name: name.chars().take(limits::LABEL_CHARS).collect(),
                    platform_role: PlatformRole::User,
                    is_email_confirmed: true,
                    has_password: false,
                    has_totp: false,
                    banned_at: None,
                    ban_reason: None,
                    created_at: self.now_ms,
                    last_login_at: None,
                };
                admin.insert_user(&user, None).await?;
                user.id
            }
        };
        admin
            .insert_external_account(provider, subject, user, self.now_ms)
            .await?;
        // As it is now.
        admin.user(user).await?.ok_or(OidcError::Refused)
    }
}

fn not_banned(user: User) -> Result<User, OidcError> {
    match user.banned_at {
        None => Ok(user),
        Some(_) => Err(OidcError::Refused),
    }
}

impl Identity {
    /// The user of somebody whom a provider vouches for.
    pub(crate) async fn user_of(
        &self,
        provider: &ProviderConfig,
        person: ExternalPerson,
    ) -> Result<User, OidcError> {
        let (time, random) = self.ulid_parts();
        let newcomer = std::sync::Arc::new(Newcomer {
            person,
            id: UserId::from_parts(time, random),
            provider: provider.clone(),
            sign_up: self.0.config.sign_up,
            now_ms: self.now_ms(),
        });
        let find = || {
            let newcomer = std::sync::Arc::clone(&newcomer);
            self.0.store.write(Lane::SHARED, move |tx| {
                async move { newcomer.find(tx).await }.boxed()
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
