//! The two visits of a browser.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use wagate_model::{User, hide_contents};

use super::OidcError;
use super::discovery::Provider;
use super::state::{SignInState, own_path};
use crate::service::Identity;
use crate::tokens::jws::encode;

/// Longest code that is passed on, in bytes.
const MAX_CODE_LEN: usize = 4_096;

/// A sign-in that has begun.
pub struct OidcBegun {
    /// Where the browser goes.
    pub redirect_url: String,
    /// What it keeps until it comes back, at most ten minutes.
    pub cookie_value: String,
}

// Both are good for a sign-in.
hide_contents!(OidcBegun);

/// Somebody whom a provider has vouched for.
#[derive(Debug, Clone)]
pub struct OidcSignIn {
    /// Who.
    pub user: User,
    /// Where the person goes on: a path of this installation.
    pub return_to: String,
}

impl Identity {
    /// The providers that people can sign in with: ids and names.
    pub fn oidc_providers(&self) -> impl Iterator<Item = (&str, &str)> {
        let providers = self.0.providers.iter();
        providers.map(|provider| (provider.config.id.as_str(), provider.config.name.as_str()))
    }

    /// Sends a browser to a provider.
    pub async fn oidc_begin(
        &self,
        provider: &str,
        return_to: &str,
    ) -> Result<OidcBegun, OidcError> {
        let (provider, redirect_uri) = self.oidc_provider(provider)?;
        let found = provider.discovered().await?;
        let state = SignInState {
            state: self.random_text(),
            nonce: self.random_text(),
            verifier: self.random_text(),
            return_to: own_path(return_to).to_owned(),
            made_at: self.now_ms(),
        };
        let challenge = encode(&Sha256::digest(state.verifier.as_bytes()));
        let mut url = found.document.authorization_endpoint.clone();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &provider.config.client_id),
            ("redirect_uri", &redirect_uri),
            ("scope", &provider.config.scopes.join(" ")),
            ("state", &state.state),
            ("nonce", &state.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(OidcBegun {
            redirect_url: url.into(),
            cookie_value: state.seal(self.0.store.keys(), &provider.config.id),
        })
    }

    /// Takes a browser back from a provider: who it is, and where the person goes on.
    pub async fn oidc_finish(
        &self,
        provider: &str,
        code: &str,
        state: &str,
        cookie_value: &str,
    ) -> Result<OidcSignIn, OidcError> {
        let (provider, redirect_uri) = self.oidc_provider(provider)?;
        let (id, now_ms) = (&provider.config.id, self.now_ms());
        let kept = SignInState::open(self.0.store.keys(), id, cookie_value, now_ms)
            .filter(|kept| bool::from(kept.state.as_bytes().ct_eq(state.as_bytes())))
            .ok_or(OidcError::State)?;
        if code.is_empty() || code.len() > MAX_CODE_LEN {
            return Err(OidcError::Refused);
        }
        let person = provider.person(code, &redirect_uri, &kept, now_ms).await?;
        let user = self.user_of(&provider.config, person).await?;
        Ok(OidcSignIn {
            user,
            return_to: kept.return_to,
        })
    }

    fn oidc_provider(&self, id: &str) -> Result<(&Provider, String), OidcError> {
        let mut providers = self.0.providers.iter();
        let provider = providers
            .find(|provider| provider.config.id == id)
            .ok_or(OidcError::UnknownProvider)?;
        let url = self.0.config.public_url.as_ref();
        let base = url.ok_or(OidcError::Unavailable)?.as_str();
        let base = base.trim_end_matches('/');
        Ok((provider, format!("{base}/api/auth/oidc/{id}/callback")))
    }

    fn random_text(&self) -> String {
        let mut bytes = [0; 32];
        self.0.randomness.fill(&mut bytes);
        encode(&bytes)
    }
}
