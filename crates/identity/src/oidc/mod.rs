//! Signing in with a provider that speaks OpenID Connect.
//!
//! The authorization code flow with PKCE. What it rests on, tokens and their keys, is what
//! login tokens of other issuers are checked with.

mod accounts;
mod discovery;
mod exchange;
mod flow;
mod state;

use std::sync::Arc;

use wagate_model::hide_contents;
use wagate_store::StoreError;

pub(crate) use self::discovery::Provider;
pub use self::flow::{OidcBegun, OidcSignIn};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::state::{SignInState, own_path};

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Arc<str>);

impl SecretText {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

hide_contents!(SecretText);

/// A provider that people can sign in with.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// What it is called in paths and in the store.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its name for itself, below which its configuration is found.
    pub issuer: String,
    /// Our name with it.
    pub client_id: String,
    /// Our password with it; a client without one has none.
    pub client_secret: Option<SecretText>,
    /// What is asked for; `openid` is among it.
    pub scopes: Vec<String>,
    /// Whether accounts are made for people who have none.
    pub creates_accounts: bool,
    /// Domains of the addresses that it is believed to know; all where there are none.
    pub allowed_email_domains: Vec<String>,
}

/// Why signing in with a provider did not work.
///
/// Whether there is an account, and why it is refused, is told to nobody.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// There is no such provider.
    #[error("there is no such provider")]
    UnknownProvider,
    /// The browser did not begin here, or too long ago.
    #[error("the sign-in did not begin in this browser, or too long ago")]
    State,
    /// The provider does not vouch for the person, or the person may not sign in here.
    #[error("the sign-in is refused")]
    Refused,
    /// The provider cannot be reached, or does not work as it should.
    #[error("the provider is not available")]
    Unavailable,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OidcError {
    /// A word for the page that people come back to.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownProvider => "unknown_provider",
            Self::State => "sign_in_expired",
            Self::Refused => "sign_in_refused",
            Self::Unavailable | Self::Store(_) => "sign_in_unavailable",
        }
    }
}
