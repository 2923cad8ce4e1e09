//! Use cases of signing in with a provider.

use wagate_cluster::Signal;
use wagate_identity::{Client, IdentityError, NewLogin, OidcBegun, OidcError};

use crate::service::Core;

/// A browser that comes back from a provider.
#[derive(Debug, Clone, Default)]
pub struct ProviderReturn {
    /// What the provider gives for what it knows.
    pub code: String,
    /// What it was given, and gives back.
    pub state: String,
    /// What the browser kept.
    pub cookie: String,
}

impl Core {
    /// The providers that people can sign in with: ids and names.
    pub fn login_providers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.identity.oidc_providers()
    }

    /// Sends a browser to a provider.
    pub async fn begin_provider_login(
        &self,
        provider: &str,
        return_to: &str,
    ) -> Result<OidcBegun, OidcError> {
        self.identity.oidc_begin(provider, return_to).await
    }

    /// Signs a browser in that comes back from a provider; gives where the person goes on, too.
    pub async fn finish_provider_login(
        &self,
        provider: &str,
        browser: ProviderReturn,
        client: &Client,
    ) -> Result<(NewLogin, String), OidcError> {
        let ProviderReturn {
            code,
            state,
            cookie,
        } = browser;
        let signed_in = self
            .identity
            .oidc_finish(provider, &code, &state, &cookie)
            .await?;
        // What others knew of the account may have ended with this.
        self.bus.publish(Signal::UserChanged {
            user_id: signed_in.user.id,
        });
        match self.identity.begin_login(&signed_in.user, client).await {
            Ok(login) => Ok((login, signed_in.return_to)),
            Err(IdentityError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::info!(%error, "somebody whom a provider vouches for is not signed in");
                Err(OidcError::Refused)
            }
        }
    }
}
